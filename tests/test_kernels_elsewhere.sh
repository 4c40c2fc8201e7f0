#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Compiles the kernels and their tests for processors that this machine is not, and runs them as it can: 64-bit ARM under
# qemu, WebAssembly under node. tools/setup.sh --cross installs what that takes.
# usage: test_kernels_elsewhere.sh FOVEA SOURCE
set -u
[ -z "${FOVEA_SANITIZED:-}" ] || { echo "skipped: what runs elsewhere has no sanitizer"; exit 77; }
cd "$2" || exit 1
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT

# PRESET EMULATOR COMPILER...: 77 when a program cannot be compiled, linked and run
elsewhere() {
    local preset=$1 emulator=$2 log=$work/$1.log
    shift 2
    if ! echo 'int main(void) { return 0; }' | "$@" -x c - -o "$work/$preset.probe" 2> "$log"; then
        echo "skipped: the kernels on $preset: $(head -1 "$log") (tools/setup.sh --cross)"
        return 77
    fi
    if ! command -v "$emulator" > /dev/null; then
        echo "skipped: the kernels on $preset: no $emulator (tools/setup.sh --cross)"
        return 77
    fi
    if ! cmake --preset "$preset" -B "$work/$preset" > "$log" 2>&1 ||
        ! cmake --build "$work/$preset" -j 2 > "$log" 2>&1 ||
        ! ctest --test-dir "$work/$preset" --output-on-failure --no-tests=error > "$log" 2>&1; then
        cat "$log"
        return 1
    fi
    grep 'tests passed' "$log" | sed "s/^/$preset: /"
}

elsewhere aarch64 qemu-aarch64 aarch64-linux-gnu-gcc &
first=$!
elsewhere wasm node clang --target=wasm32-wasi
codes=$?
wait $first
case "$codes $?" in
"77 77") exit 77 ;;
"0 0" | "0 77" | "77 0") ;;
*) exit 1 ;;
esac
