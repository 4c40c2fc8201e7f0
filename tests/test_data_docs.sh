#!/usr/bin/env bash
# The commands of docs/data.md, as they stand there, one after the other in an empty folder.
# usage: test_data_docs.sh FOVEA SOURCE_DIR
set -u
fovea=$(realpath "$1")
page=$(realpath "$2")/docs/data.md
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
mkdir bin work
printf '#!/bin/sh\nexec "%s" "$@"\n' "$fovea" >bin/fovea
chmod +x bin/fovea
PATH="$work/bin:$PATH"
export XDG_CACHE_HOME="$work/cache"
cd work || exit 1
for probe in 'convert made:digits probe.npz' 'convert made:digits probe.h5' 'show made:digits --out probe.png'; do
    # shellcheck disable=SC2086
    if fovea data $probe 2>&1 | grep -q 'built without'; then
        echo "skipped: the commands of docs/data.md, built without what they need (fovea data $probe)"
        exit 77
    fi
done
rm -f probe.*

awk '/^```sh$/ { inside = 1; next } /^```/ { inside = 0 } inside' "$page" >../commands
lines=0 failed=0
while IFS= read -r line; do
    lines=$((lines + 1))
    if ! bash -o pipefail -c "$line" >../out 2>../err </dev/null; then
        failed=$((failed + 1))
        echo "FAILED: $line"
        sed 's/^/    /' ../err | head -3
    fi
done <../commands
echo "$lines commands, $failed failed"
[ "$lines" -gt 20 ] && [ "$failed" = 0 ]
