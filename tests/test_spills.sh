#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Compiles the kernels of each instruction set with every compiler there is, gcc and clang, for x86-64 and aarch64, and looks
# whether their sums stay in registers. (Plain C is what runs where there is nothing better; its tiles are those of sse2.)
# usage: test_spills.sh FOVEA SOURCE
set -u
[ -z "${FOVEA_SANITIZED:-}" ] || { echo "skipped: sums in registers: compiled as everywhere, without a sanitizer"; exit 77; }
source=$2
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
looked=0
failed=0

# OBJDUMP ISAS COMPILER...
look() {
    local objdump=$1 isas=$2 isa objects=()
    shift 2
    if ! command -v "$1" > /dev/null || ! command -v "$objdump" > /dev/null; then
        echo "skipped: sums in registers as compiled by $*: no such compiler, or no $objdump"
        return
    fi
    for isa in $isas; do
        "$@" -std=c17 -O3 -fPIC -ffp-contract=off -I"$source/include" -I"$source/src" \
            -c "$source/src/kernels/kernels_$isa.c" -o "$work/$isa.o" || exit 1
        objects+=("$work/$isa.o")
    done
    looked=1
    echo "$*:"
    python3 "$source/tools/spills.py" "$objdump" "${objects[@]}" || failed=1
}

case $(uname -m) in
x86_64)
    look objdump 'sse2 avx2 avx512' gcc
    look objdump 'sse2 avx2 avx512' clang
    look aarch64-linux-gnu-objdump neon aarch64-linux-gnu-gcc
    [ ! -d /usr/aarch64-linux-gnu/include ] ||
        look aarch64-linux-gnu-objdump neon clang --target=aarch64-linux-gnu
    ;;
aarch64)
    look objdump neon gcc
    look objdump neon clang
    ;;
esac
[ "$failed" = 0 ] || exit 1
[ "$looked" = 1 ] || { echo "skipped: reads the code of x86-64 and aarch64"; exit 77; }
