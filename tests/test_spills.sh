#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Compiles the kernels of each instruction set with every compiler there is and looks whether their sums stay in registers.
# usage: test_spills.sh FOVEA SOURCE
set -u
source=$2
[ "$(uname -m)" = x86_64 ] || { echo "skipped: reads x86-64 code"; exit 77; }
command -v objdump > /dev/null || { echo "skipped: no objdump"; exit 77; }
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
objects=()
for compiler in gcc clang; do
    command -v $compiler > /dev/null || continue
    for isa in generic sse2 avx2 avx512; do
        object=$work/$compiler-$isa.o
        $compiler -std=c17 -O3 -fPIC -ffp-contract=off -I"$source/include" -I"$source/src" \
            -c "$source/src/kernels/kernels_$isa.c" -o "$object" || exit 1
        objects+=("$object")
    done
done
[ ${#objects[@]} -gt 0 ] || { echo "skipped: no gcc, no clang"; exit 77; }
python3 "$source/tools/spills.py" objdump "${objects[@]}"
