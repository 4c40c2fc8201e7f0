#!/usr/bin/env bash
# fovea data as its user meets it: the verbs on made, drawn and real sets, hostile inputs, what is left on disk.
# usage: test_cli_data.sh FOVEA SOURCE_DIR
set -u
fovea=$(realpath "$1")
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work" || exit 1
checks=0
failed=0
export FOVEA="$fovea"

bad() {
    failed=$((failed + 1))
    printf 'FAILED: %s\n' "$1"
    sed 's/^/    stdout: /' out | head -5
    sed 's/^/    stderr: /' err | head -5
}

# expect CODE REGEX COMMAND ...: the exit code, and (if not empty) a line of stdout or stderr that matches.
expect() {
    local code=$1 regex=$2 got
    shift 2
    checks=$((checks + 1))
    "$@" >out 2>err </dev/null
    got=$?
    [ "$got" = "$code" ] || bad "$* : exit $got, expected $code"
    [ -z "$regex" ] || cat out err | grep -qE -- "$regex" || bad "$* : nothing matches $regex"
    # A failure of ours is one line on stderr and nothing a terminal would obey.
    if [ "$got" -ge 2 ] && [ "$got" -lt 128 ] && [ "$(wc -l <err)" -gt 1 ] && [ "${many_lines:-no}" = no ]; then
        bad "$* : more than one line on stderr"
    fi
}

json() { # json 'python expression on j' : over what is in out
    checks=$((checks + 1))
    python3 -c "import json,sys; j=json.load(open('out')); assert $1, j" 2>err || bad "json: $1"
}

check() { # check 'what' COMMAND ... : must succeed
    local what=$1
    shift
    checks=$((checks + 1))
    "$@" >out 2>err || bad "$what"
}

# ---- pictures drawn here: colours red, green and blue in three classes, 6 + 5 + 4 PNG files ----
cat >draw.py <<'P'
import os, struct, sys, zlib
def png(path, w, h, pixel):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    raw = b''.join(b'\0' + b''.join(bytes(pixel(x, y)) for x in range(w)) for y in range(h))
    chunk = lambda kind, data: struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    open(path, 'wb').write(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', w, h, 8, 2, 0, 0, 0)) +
                           chunk(b'IDAT', zlib.compress(raw)) + chunk(b'IEND', b''))
root = sys.argv[1]
for c, (name, n) in enumerate((('red', 6), ('green', 5), ('blue', 4))):
    for i in range(n):
        png(f'{root}/{name}/{i}.png', 12, 10, lambda x, y: [200 + i if k == c else x + y for k in range(3)])
P
python3 draw.py colours
{
    echo path,label,split
    for i in 0 1 2; do echo "colours/red/$i.png,red,train"; done
    for i in 0 1; do echo "colours/green/$i.png,green,test"; done
} >table.csv

# ---- finding the verb ----
many_lines=yes expect 2 'usage: fovea data VERB' "$fovea" data
expect 0 'usage: fovea data VERB' "$fovea" data --help
expect 0 'usage: fovea data VERB' "$fovea" help data
grep -q '^  info ' out || bad "fovea help data does not list info"
for verb in info; do
    expect 0 "usage: fovea data $verb" "$fovea" help data $verb
    expect 0 "usage: fovea data $verb" "$fovea" data $verb --help
    expect 2 "usage: fovea data $verb" "$fovea" data $verb
    expect 2 "data $verb: unknown option" "$fovea" data $verb --xyzzy
    expect 4 'no-such' "$fovea" data $verb no-such
done
expect 0 '  data  ' "$fovea" help
grep -q 'data info' out && bad "fovea help lists verbs of data"
expect 2 'unknown command "data inof"; did you mean data info\?' "$fovea" data inof
expect 2 'unknown command "data xyzzy"; see fovea help data' "$fovea" data xyzzy
expect 2 'unknown command "dtaa"; did you mean data\?' "$fovea" dtaa info
expect 2 'unknown command "data inof"; did you mean data info\?' "$fovea" help data inof
expect 2 '"more" is one argument too many' "$fovea" help train more
expect 2 'too many' "$fovea" help data info more
expect 2 'one argument too many' "$fovea" data info a b

# ---- info ----
expect 0 '^made:digits: built in' "$fovea" data info made:digits --count 50
expect 0 '' "$fovea" data info made:digits --count 50 --json
json "list(j) == ['path','kind','shape','dtype','parts','classes','values','left_out']"
json "j['kind'] == 'made' and j['shape'] == [28,28,1] and j['dtype'] == 'uint8' and len(j['classes']) == 10"
json "[list(p) for p in j['parts']] == [['name','pictures','bytes','in_memory','by_class']] * 2"
json "[(p['name'], p['pictures'], sum(p['by_class'])) for p in j['parts']] == [('train',50,50), ('test',50,50)]"
json "list(j['values']) == ['part','pictures','least','greatest','mean','deviation']"
expect 0 '' "$fovea" data info colours --json
json "j['kind'] == 'folder' and j['shape'] == [10,12,3] and j['classes'] == ['blue','green','red']"
json "[(p['name'], p['by_class'], p['bytes'], p['in_memory']) for p in j['parts']] == [('train', [4,5,6], 15*360, True)]"
json "j['values']['pictures'] == 15 and j['values']['least'] == [0,0,0] and j['values']['greatest'] == [205,204,203]"
python3 - <<'P' || bad "mean and deviation are not those of the pictures"
import json
v = json.load(open('out'))['values']
red = [200 + i if c == 0 else x + y for c, n in ((0, 6), (1, 5), (2, 4)) for i in range(n) for x in range(12) for y in range(10)]
mean = sum(red) / len(red)
deviation = (sum((r - mean) ** 2 for r in red) / len(red)) ** .5
assert abs(v['mean'][0] - mean) < 1e-5 and abs(v['deviation'][0] - deviation) < 1e-5, (v, mean, deviation)
P
expect 0 'blue +4$' "$fovea" data info colours
expect 0 '' "$fovea" data info colours --size 8x6 --channels 1 --json
json "j['shape'] == [8,6,1] and len(j['values']['mean']) == 1"
expect 0 '' "$fovea" data info table.csv --json
json "j['kind'] == 'csv' and [(p['name'], p['pictures']) for p in j['parts']] == [('train',3),('test',2)] and j['classes'] == ['green','red']"
for size in 0 x 8x 8x0 8x-1 70000 8x8x8 1e3 ' 8' 99999999999; do
    expect 2 '--size' "$fovea" data info colours "--size=$size"
done
expect 2 '--channels 2' "$fovea" data info colours --channels 2
expect 2 'expected stretch, pad or crop' "$fovea" data info colours --resize strech

# A large set is read as it is needed, and its values are those of a sample.
expect 0 '' "$fovea" data info made:digits --count 3000 --size 300x300 --memory 1 --json
json "not j['parts'][0]['in_memory'] and j['parts'][0]['bytes'] == 3000*300*300 and 500 < j['values']['pictures'] < 3000"
expect 0 'a sample of [0-9]+ of its 3000 pictures' "$fovea" data info made:digits --count 3000 --size 300x300 --memory 1

# What cannot be read is left out and named; a name cannot give orders to the terminal.
python3 draw.py odd
printf 'no picture' >"odd/red/note.txt"
head -c 100 odd/red/0.png >odd/red/cut.png
printf 'x' >$'odd/red/\033[31mred.png'
expect 0 '3 pictures could not be read and were left out' "$fovea" data info odd
grep -q 'note.txt' err && grep -q 'cut.png' err || bad "left out, but not named"
cat out err | grep -q $'\033' && bad "an escape sequence came through"
expect 0 '' "$fovea" data info odd --json
json "len(j['left_out']) == 3 and sum('cut.png' in t for t in j['left_out']) == 1 and j['parts'][0]['pictures'] == 15"
expect 3 'cut.png|note.txt|red.png' "$fovea" data info odd --strict
mkdir -p $'esc/\033[31ma' esc/b && cp colours/red/0.png $'esc/\033[31ma' && cp colours/red/1.png esc/b
expect 0 '' "$fovea" data info esc
cat out err | grep -q $'\033' && bad "a class sent an escape sequence to the terminal"
expect 0 '' "$fovea" data info esc --json
json "j['classes'] == ['\033[31ma', 'b']"

# No data set at all.
printf 'nothing here' >text.bin
mkdir empty one_class
cp colours/red/*.png one_class
mkfifo pipe
expect 3 'is not a data set' "$fovea" data info text.bin
expect 3 'holds no data set' "$fovea" data info empty
expect 3 'holds no data set' "$fovea" data info one_class
expect 3 'is one picture' "$fovea" data info colours/red/0.png
expect 4 'not a regular file' timeout 10 "$fovea" data info pipe
expect 2 'did you mean "made:digits"' "$fovea" data info made:digit
expect 2 'arrays of|expected sides' "$fovea" data info made:digits --size 2000
: >empty.csv
expect 3 'empty.csv' "$fovea" data info empty.csv
[ -e /dev/full ] && expect 4 'cannot write' sh -c '"$FOVEA" data info colours >/dev/full'

# A table of pictures is not read under the limits of an HDF5 file: decoding may take seconds.
mkdir long
{
    echo path,label
    for i in $(seq 2000); do
        ln colours/red/0.png "long/$i.png"
        echo "long/$i.png,$((i % 2))"
    done
} >long.csv
expect 0 '' "$fovea" data info long.csv --size 400x400 --memory 4000

printf '%d passed, %d failed\n' $((checks - failed)) "$failed"
[ "$failed" = 0 ]
