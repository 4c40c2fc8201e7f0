#!/usr/bin/env bash
# fovea data doctor: what it prints, and its exit codes.
# usage: test_data_doctor.sh FOVEA SOURCE_DIR
set -u
fovea=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
checks=0
failed=0

# expect CODE REGEX ARGUMENT ...: the exit code, and a line of stdout or stderr that matches.
expect() {
    local code=$1 regex=$2 got
    shift 2
    checks=$((checks + 1))
    "$fovea" data doctor "$@" >out 2>err </dev/null
    got=$?
    if [ "$got" != "$code" ] || ! cat out err | grep -qE -- "$regex"; then
        failed=$((failed + 1))
        printf 'FAILED: %s: exit %s, expected %s and %s\n' "$*" "$got" "$code" "$regex"
        sed 's/^/    /' out err | head -20
    fi
}

json() { # json 'python expression on j'
    checks=$((checks + 1))
    python3 -c "import json; j=json.load(open('out')); assert $1, j" 2>err ||
        { failed=$((failed + 1)); printf 'FAILED: json: %s\n' "$1"; tail -1 err; }
}

# idx FOLDER: 60 pictures of 8x8 to train and 20 to test, of classes 0 and 1, from python's expressions of i
# for the seed of a picture and for its label.
idx() {
    mkdir -p "$1"
    python3 - "$@" <<'PY'
import random, struct, sys
folder, train, label, test = sys.argv[1:]
for name, n, seed in (("train", 60, train), ("t10k", 20, test)):
    with open(f"{folder}/{name}-images-idx3-ubyte", "wb") as x, \
         open(f"{folder}/{name}-labels-idx1-ubyte", "wb") as y:
        x.write(struct.pack(">IIII", 0x803, n, 8, 8))
        y.write(struct.pack(">II", 0x801, n))
        for i in range(n):
            x.write(random.Random(eval(seed)).randbytes(64))
            y.write(bytes([eval(label)]))
PY
}

idx fine 'i' 'i % 2' 'i + 1000'
expect 0 '^fine     no part has a picture of another' fine
expect 0 'nothing here would spoil training; 0 warnings, 0 notes' fine
expect 0 '^{' fine --json
json 'not j["spoils"] and not j["findings"] and [p["part"] for p in j["parts"]] == ["train", "test"]'
json 'j["parts"][1]["classes"] == [{"name": "0", "pictures": 10}, {"name": "1", "pictures": 10}]'

idx leaky 'i' 'i % 2' 'i % 2 + (1000 * i if i > 2 else 0)'
expect 1 '^spoils   leak: test: 3 of 20 pictures \(15.0 %\) are in train, too' leaky
expect 1 '^           train#0 = test#0' leaky
expect 1 '^{' leaky --json --threads 3
json 'j["spoils"] and j["findings"][0]["code"] == "leak" and j["findings"][0]["severity"] == "spoils"'
json 'j["findings"][0]["count"] == 3 and j["findings"][0]["examples"][0] == "train#0 = test#0"'

idx twins 'i // 2 * 2' 'i // 2 % 2' 'i + 1000'
expect 0 '^warning  duplicate: train: 30 of 60' twins
idx alone 'i' '0' 'i + 1000'
expect 1 '^spoils   one-class: train: all 60 pictures are of class "0"' alone

expect 0 'nothing here would spoil' made:digits --count 500 --seed 3
expect 3 'no data set|holds no' "$(mkdir empty && echo empty)"
expect 4 'no file or folder "nowhere"' nowhere
expect 2 'usage: fovea data doctor'
expect 2 'unknown option "--epochs"' fine --epochs 3
"$fovea" data doctor fine >/dev/full 2>err
[ $? = 4 ] || { failed=$((failed + 1)); echo "FAILED: a full disk is not told"; }

echo "$checks checks, $failed failed"
[ "$failed" = 0 ]
