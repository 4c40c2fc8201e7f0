#!/usr/bin/env bash
# Makes sure that everything needed to build is installed. Safe to run again: when nothing is missing it
# only looks. --sanitizers: also what make asan, make tsan, make format and make lint need. --cross: also
# what make aarch64 and make wasm need.
set -euo pipefail

packages=(build-essential cmake ninja-build pkg-config python3
    libpthreadpool-dev libjansson-dev libhdf5-dev zlib1g-dev libpng-dev libjpeg62-turbo-dev
    libexif-dev libzip-dev libcurl4-openssl-dev libmd-dev libarchive-dev libcmocka-dev)
for option in "$@"; do
    case $option in
    --sanitizers) packages+=(clang libclang-rt-14-dev clang-tidy clang-format) ;;
    --cross)
        packages+=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
            clang lld wasi-libc libclang-rt-14-dev-wasm32)
        command -v node >/dev/null || packages+=(nodejs)
        ;;
    *)
        echo "setup.sh: unknown option $option; it knows --sanitizers and --cross" >&2
        exit 2
        ;;
    esac
done

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "setup.sh: no Debian here, so nothing is installed. Fovea needs what Debian calls:" >&2
    echo "  ${packages[*]}" >&2
    exit 0
fi

# dpkg-query exits 1 when it does not know a package; what it prints is all we need.
installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${packages[@]}" 2>/dev/null || true)
missing=()
for package in "${packages[@]}"; do
    grep -qx "$package installed" <<<"$installed" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" -eq 0 ]; then
    as_root=(env)
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root=(sudo -n env)
else
    echo "Fovea needs ${#missing[@]} more Debian packages. Run this, then make again:" >&2
    echo "  sudo apt-get update && sudo apt-get install -y ${missing[*]}" >&2
    exit 1
fi

# Where nothing answers, it ends instead of hanging.
apt() {
    "${as_root[@]}" DEBIAN_FRONTEND=noninteractive timeout 900 \
        apt-get -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 "$@"
}
install() {
    apt install -y --no-install-recommends "${missing[@]}"
}
echo "Installing ${missing[*]}"
if ! apt-get install --simulate "${missing[@]}" >/dev/null 2>&1 || ! install; then
    # the lists of packages were missing or old
    if ! apt update || ! install; then
        echo "setup.sh: apt-get could not install ${missing[*]}: can the package registry be reached?" >&2
        exit 1
    fi
fi
