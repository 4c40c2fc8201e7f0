#!/usr/bin/env bash
# tools/bench_peers.py and tools/bench_laws.py: their tables, with or without anybody to compare with.
# usage: test_bench_peers.sh FOVEA SOURCE_DIR
set -u
fovea=$(realpath "$1")
source_dir=$(realpath "$2")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
passed=0
failed=0
mkdir build
ln -s "$fovea" build/fovea # a build folder without peers

expect() { # expect REGEX FILE
    if grep -qE -- "$1" "$2"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED: nothing matches %s\n' "$1"
        sed 's/^/    /' "$2" err | head -12
    fi
}

peers() {
    python3 -B "$source_dir/tools/bench_peers.py" --build build --skip setup --skip layers --only signs --rounds 2 \
        --seconds 0.01 "$@" >out 2>err || failed=$((failed + 1))
}
peers --json figures.json
expect '^Training, images/s$' out
expect '^ +signs +64 +[0-9.,]+ +[0-9]+ %' out
expect '^Memory of training' out
expect '^Prediction, images/s$' out
python3 -c "import torch" 2>/dev/null || expect 'PyTorch is missing: ' err
python3 -c "
import json
j = json.load(open('figures.json'))
a = j['networks'][0]['answers']
assert len(a['fovea train']) == len(a['fovea infer']) == 2, a
" 2>err && passed=$((passed + 1)) || failed=$((failed + 1))
printf 'before\n<!-- peers -->\nold\n<!-- end of peers -->\nafter\n' >page.md
peers --into page.md
expect '^\| signs \| 64 \| [0-9.,]+ \| [0-9]+ % \|' page.md
expect '^before$' page.md
expect '^after$' page.md
grep -q '^old$' page.md && failed=$((failed + 1))

# The line through points on a line is that line.
python3 - "$source_dir/tools" <<'END' >out 2>err && passed=$((passed + 1)) || failed=$((failed + 1))
import sys
sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
from bench_laws import fit
a, b = fit([1, 2, 5, 64], [35, 40, 55, 350])
assert abs(a - 30) < 1e-9 and abs(b - 5) < 1e-9, (a, b)
END

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
