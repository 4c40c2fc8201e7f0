#!/usr/bin/env bash
# Each public header compiles alone, as C17 and as C++11, without a warning.
# Arguments: the source folder, the C compiler.
set -euo pipefail
cd "$1"
cc=$2
languages=("c -std=c17" "c++ -std=c++11")
if ! "$cc" -x c++ -fsyntax-only - </dev/null 2>/dev/null; then
    echo "skipped: the headers as C++, for $cc has no C++ here"
    languages=("c -std=c17")
fi
failed=0
for header in include/fovea/*.h; do
    for language in "${languages[@]}"; do
        read -ra options <<<"-x $language -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror"
        if ! "$cc" "${options[@]}" -Iinclude -fsyntax-only - <<<"#include \"${header#include/}\""; then
            echo "$header does not compile alone as $language"
            failed=1
        fi
    done
done
exit $failed
