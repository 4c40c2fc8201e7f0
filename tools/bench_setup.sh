#!/usr/bin/env bash
# Fetches what Fovea is measured against into a folder: nothing is installed on the machine, and Fovea needs none of it.
# usage: bench_setup.sh FOLDER      (build/peers)
#
#   FOLDER/root   Debian's python3-torch, OpenBLAS and oneDNN with what they need, unpacked; what the machine has
#                 already is used from there
#   FOLDER/node   the package onnxruntime-node, its scripts not run: it ships its library
#
# Prints one line for each peer that is missing, and why. Safe to run again: what is there is kept.
set -uo pipefail

folder=$1
onnxruntime="onnxruntime-node@1.30.0"
mkdir -p "$folder" || exit 1
folder=$(realpath "$folder")

missing() {
    echo "bench_setup.sh: $1 is missing: $2"
}

# Packages with all they depend on, unless the machine has them.
unpack() {
    local name=$1 list
    shift
    [ -e "$folder/$name.done" ] && return
    if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
        missing "$name" "no Debian here"
        return
    fi
    list=$(apt-get install --simulate --no-install-recommends "$@" 2>/dev/null | awk '/^Inst/ { print $2 }')
    if [ -z "$list" ] && ! dpkg-query -W "$@" >/dev/null 2>&1; then
        [ "$(id -u)" = 0 ] && apt-get update -qq >/dev/null 2>&1 # the lists of packages were missing or old
        list=$(apt-get install --simulate --no-install-recommends "$@" 2>/dev/null | awk '/^Inst/ { print $2 }')
    fi
    if [ -z "$list" ] && ! dpkg-query -W "$@" >/dev/null 2>&1; then
        missing "$name" "apt-get does not know $*"
        return
    fi
    mkdir -p "$folder/debs" "$folder/root"
    # Each package has a name without spaces.
    # shellcheck disable=SC2086
    if [ -n "$list" ] && ! (cd "$folder/debs" && apt-get download -qq -o APT::Sandbox::User=root $list >apt.log 2>&1); then
        missing "$name" "$(tail -1 "$folder/debs/apt.log")"
        return
    fi
    for package in "$folder"/debs/*.deb; do
        [ -e "$package" ] || continue
        dpkg -x "$package" "$folder/root" && rm "$package"
    done
    touch "$folder/$name.done"
}

unpack PyTorch python3-torch
unpack OpenBLAS libopenblas0-pthread
unpack oneDNN libdnnl-dev

if [ ! -e "$folder/node/node_modules/onnxruntime-node" ]; then
    mkdir -p "$folder/node"
    if ! command -v npm >/dev/null; then
        missing "ONNX Runtime" "npm is not installed"
    elif ! npm install --silent --ignore-scripts --no-audit --no-fund --prefix "$folder/node" "$onnxruntime" \
        >"$folder/npm.log" 2>&1; then
        missing "ONNX Runtime" "$(grep -v '^$' "$folder/npm.log" | tail -1)"
    fi
fi
exit 0
