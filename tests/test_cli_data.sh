#!/usr/bin/env bash
# fovea data as its user meets it: the verbs on made, drawn and real sets, hostile inputs, what is left on disk.
# usage: test_cli_data.sh FOVEA SOURCE_DIR
# shellcheck source=tests/cli_check.sh
. "$(dirname "$0")/cli_check.sh"

check() { # check 'what' COMMAND ... : must succeed
    local what=$1
    shift
    checks=$((checks + 1))
    "$@" >out 2>err || bad "$what"
}

no_temporary() {
    checks=$((checks + 1))
    find . -name '.fovea*' | grep -q . && bad "$1: a temporary was left behind"
}

# same A B: both hold the same parts, classes and values.
same() {
    checks=$((checks + 1))
    "$fovea" data info "$1" --json >one 2>err && "$fovea" data info "$2" --json >other 2>err &&
        python3 - <<'P' >out 2>>err || bad "$1 and $2 differ"
import json
one, other = (json.load(open(f)) for f in ('one', 'other'))
for j in (one, other):
    for key in ('path', 'kind', 'left_out'): del j[key]
    for part in j['parts']: del part['in_memory']
assert one == other, (one, other)
P
}

# ---- what this fovea was built with ----
if "$fovea" data show made:digits --out probe.png 2>&1 | grep -q 'built without'; then
    echo "skipped: fovea data, built without PNG and JPEG"
    exit 77
fi
kinds=
for kind in h5 npz; do
    if "$fovea" data convert made:digits probe.$kind --count 10 2>&1 | grep -q 'built without'; then
        echo "skipped: .$kind files, built without them"
    else
        kinds="$kinds $kind"
    fi
done
rm -f probe.*

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
for verb in info show convert split; do
    expect 0 "usage: fovea data $verb" "$fovea" help data $verb
    expect 0 "usage: fovea data $verb" "$fovea" data $verb --help
    expect 2 "usage: fovea data $verb" "$fovea" data $verb
    expect 2 "data $verb: unknown option" "$fovea" data $verb --xyzzy
done
expect 4 'no-such' "$fovea" data info no-such
expect 4 'no-such' "$fovea" data show no-such
expect 4 'no-such' "$fovea" data convert no-such a.h5
expect 4 'no-such' "$fovea" data split no-such parts --val-split 0.2
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

# Names of files are any bytes; JSON stays JSON.
cp -r colours $'by\377tes\355\240\200\303\266\360\237\230\200\304'
expect 0 '' "$fovea" data info $'by\377tes\355\240\200\303\266\360\237\230\200\304' --json
json "j['path'] == 'by\ufffdtes\ufffd\ufffd\ufffd\u00f6\U0001f600\ufffd'"

# No data set at all.
printf 'nothing here' >text.bin
head -c 5000 /dev/urandom >noise.h5
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

# Files of other kinds are told apart.
python3 - <<'P'
import os, struct
def put(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, 'wb').write(data)
def npy(descr, shape, data):
    head = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (descr, shape)
    head += ' ' * (63 - (10 + len(head)) % 64) + '\n'
    return b'\x93NUMPY\1\0' + struct.pack('<H', len(head)) + head.encode() + data
put('npy/x_train.npy', npy('|u1', (6, 2, 2, 3), bytes(range(72))))
put('npy/y_train.npy', npy('<i8', (6,), struct.pack('<6q', 0, 1, 2, 0, 1, 2)))
put('cifar/test_batch.bin', b''.join(bytes([i]) + bytes([i * 20]) * 3072 for i in range(10)))
put('idx/train-images-idx3-ubyte', struct.pack('>4I', 0x803, 4, 2, 3) + bytes(range(24)))
put('idx/train-labels-idx1-ubyte', struct.pack('>2I', 0x801, 4) + bytes([0, 1, 1, 0]))
put('several/a/0.png', b'x'), put('several/x_train.npy', b'x'), put('several/data_batch_1.bin', b'x')
P
while read -r kind part count; do
    expect 0 '' "$fovea" data info "$kind" --json
    json "j['kind'] == '$kind' and [(p['name'], p['pictures']) for p in j['parts']] == [('$part', $count)]"
done <<'P'
npy train 6
cifar test 10
idx train 4
P
expect 3 'holds NPY and CIFAR files' "$fovea" data info several
expect 3 'noise.h5|is not a data set' "$fovea" data info noise.h5
printf '\211HDF\r\n\032\n and then nothing' >cut.h5
case $kinds in *h5*) expect 3 'cut.h5' "$fovea" data info cut.h5 ;; esac

# ---- show ----
expect 0 '^digits.png: 60 pictures of 10 classes' "$fovea" data show made:digits
checks=$((checks + 1))
python3 - <<'P' >out 2>err || bad "digits.png is no sheet"
import struct
b = open('digits.png', 'rb').read()
assert b[:8] == b'\x89PNG\r\n\x1a\n'
w, h = struct.unpack('>II', b[16:24])
assert 600 < w < 1200 and 1000 < h < 2000, (w, h)
P
expect 2 'digits.png" exists; --force' "$fovea" data show made:digits
cp digits.png before.png
expect 0 '' "$fovea" data show made:digits --force
check "the same seed draws another sheet" cmp digits.png before.png
expect 0 '' "$fovea" data show made:digits --seed 1 --out seed.png
cmp -s digits.png seed.png && bad "another seed draws the same sheet"
expect 0 '^colours.png: 15 pictures of 3 classes' "$fovea" data show colours/
expect 0 '^few.png: 4 pictures of 3 classes' "$fovea" data show colours --count 4 --out few.png
expect 0 '^table.png: 3 pictures of 2 classes' "$fovea" data show table.csv
expect 0 'cut.png|note.txt' "$fovea" data show odd --out odd.png
expect 3 'cut.png|note.txt|red.png' "$fovea" data show odd --strict --out strict.png
no_file strict.png
expect 0 '' "$fovea" data show cifar
mkdir -p rubbish/a && printf 'no' >rubbish/a/b.png
many_lines=yes expect 3 'no picture can be read' "$fovea" data show rubbish --size 8x8 --channels 1
python3 -c "exec(open('draw.py').read().split('root =')[0]); png('large/a/0.png', 300, 200, lambda x, y: (x % 256, y, 0))"
expect 0 '1 pictures of 1 classes' "$fovea" data show large
expect 3 'none of 1 pictures can be read' "$fovea" data show rubbish
no_file rubbish.png
expect 2 'ends in .png' "$fovea" data show colours --out sheet.jpg
expect 2 'at most 4096' "$fovea" data show colours --count 5000 --out big.png
expect 4 'cannot write into "none/"' "$fovea" data show colours --out none/sheet.png
mkdir folder.png
expect 4 'is a folder' "$fovea" data show colours --out folder.png
(cd colours && "$fovea" data show . >../out 2>../err) || bad "show . fails"
[ -s colours/sheet.png ] || bad "show . makes no sheet.png"
rm -f colours/sheet.png
expect 4 'File too large|cannot write' bash -c 'ulimit -f 20; "$FOVEA" data show made:digits --out limit.png'
no_file limit.png
python3 - <<'P'
import os, pty
pid, fd = pty.fork()
if pid == 0:
    os.execve(os.environ['FOVEA'], ['fovea', 'data', 'show', 'colours', '--out', 'pty.png'], dict(os.environ, TERM='xterm'))
text = b''
while True:
    try: part = os.read(fd, 65536)
    except OSError: break
    if not part: break
    text += part
os.waitpid(pid, 0)
open('out', 'wb').write(text)
P
grep -q '▀' out && grep -q 'blue' out && grep -q '15 pictures' out || bad "no pictures in the terminal"

# ---- convert ----
for kind in $kinds; do
    out=c.$kind
    expect 0 "^$out: train 15 pictures; 3 classes" "$fovea" data convert colours "$out"
    same colours "$out"
    expect 2 'exists; --force' "$fovea" data convert colours "$out"
    expect 2 'is the input itself' "$fovea" data convert "$out" "./$out" --force
    expect 0 '' "$fovea" data convert table.csv "table-$out" --json
    json "list(j) == ['out','parts','classes'] and j['parts'] == [{'name':'train','pictures':3},{'name':'test','pictures':2}] and j['classes'] == 2"
    same table.csv "table-$out"
    expect 0 '' "$fovea" data convert table.csv "$out" --force --quiet
    [ -s out ] && bad "--quiet prints"
    check "--force writes something else" cmp "$out" "table-$out"
    expect 0 '' "$fovea" data convert colours "$out" --force
    expect 0 '' "$fovea" data convert colours "small-$out" --size 6x5 --channels 1
    expect 0 '' "$fovea" data info "small-$out" --json
    json "j['shape'] == [6,5,1] and j['classes'] == ['blue','green','red'] and j['parts'][0]['by_class'] == [4,5,6]"
    expect 2 'are arrays of 6x5x1 and stay so' "$fovea" data convert "small-$out" "again-$out" --size 8
    expect 0 '3 pictures could not be read' "$fovea" data convert odd "odd-$out"
    grep -q 'train 15 pictures' out || bad "what was left out is counted"
    same odd "odd-$out"
    expect 3 'cut.png|note.txt|red.png' "$fovea" data convert odd "strict-$out" --strict
    no_file "strict-$out"
    expect 4 'File too large|cannot write' bash -c 'ulimit -f 20; "$FOVEA" data convert made:digits "$0"' "limit-$out"
    no_file "limit-$out"
    expect 4 'cannot write into "none/"' "$fovea" data convert colours "none/$out"
    [ -d /proc/self ] && expect 4 'cannot write into "/proc/"' "$fovea" data convert colours "/proc/$out"
    no_temporary "convert to $out"

    # Ctrl-C: nothing is left, and the exit code says so.
    set -m
    "$fovea" data convert made:digits "stopped-$out" --count 500000 --size 100x100 >out 2>err &
    job=$!
    set +m
    for _ in $(seq 200); do ls .fovea* >/dev/null 2>&1 && break; sleep 0.1; done
    kill -INT $job
    wait $job
    got=$?
    checks=$((checks + 1))
    [ "$got" = 130 ] || bad "SIGINT while converting: exit $got, expected 130"
    no_file "stopped-$out"
    no_temporary "SIGINT"
done
expect 2 'ends in .h5 or .npz' "$fovea" data convert colours out.csv
expect 2 'ends in .h5 or .npz' "$fovea" data convert colours out.h5/
if [ -e c.h5 ] && [ -e c.npz ]; then
    expect 0 '' "$fovea" data convert c.h5 twice.npz
    expect 0 '' "$fovea" data convert twice.npz twice.h5
    check "there and back gives other bytes" cmp c.h5 twice.h5
fi

# A large set in little memory: 20,000 pictures, 245 MB, and then out of the one file into the other.
cat >peak.py <<'P'
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
P
if ! bash -c 'ulimit -v 4000000; "$FOVEA" version' >/dev/null 2>&1; then
    echo "skipped: the memory of convert, which a sanitizer's own memory would pass"
elif [ -e c.h5 ] && [ -e c.npz ]; then
    for line in 'made:digits large.npz --count 20000 --size 64x64 --channels 3' 'large.npz large.h5' 'large.h5 again.npz'; do
        checks=$((checks + 1))
        # shellcheck disable=SC2086
        python3 peak.py "$fovea" data convert $line >out 2>err
        read -r code mib <out
        [ "$code" = 0 ] && [ "$mib" -lt 80 ] || bad "convert $line: exit $code, $mib MiB"
        echo "convert $line: at most $mib MiB"
    done
    cmp -s large.npz again.npz || bad "the large set came back changed"
    rm -f large.npz large.h5 again.npz
fi

# Names of classes are text: good ones, and some that a folder cannot have.
python3 - <<'P'
import struct, zipfile
def npy(descr, shape, data):
    head = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (descr, shape)
    head += ' ' * (63 - (10 + len(head)) % 64) + '\n'
    return b'\x93NUMPY\1\0' + struct.pack('<H', len(head)) + head.encode() + data
def save(path, names, how, n=6, **more):
    with zipfile.ZipFile(path, 'w', how) as z:
        z.writestr('x_train.npy', npy('|u1', (n, 2, 2, 1), bytes(range(n * 4))))
        z.writestr('y_train.npy', npy('|u1', (n,), bytes(i % len(names) for i in range(n))))
        width = max(len(c) for c in names) or 1
        z.writestr('classes.npy', npy('|u1', (len(names), width), b''.join(c.ljust(width, b'\0') for c in names)))
        for name, data in more.items(): z.writestr(name, data)
save('plain.npz', [b'one', b'two words', 'dr\u00e9i'.encode()], zipfile.ZIP_DEFLATED)
for i, name in enumerate([b'a/b', b'..', b'.hidden', b'', b'x' * 300]):
    save(f'evil{i}.npz', [b'good', name], zipfile.ZIP_STORED)
save('same.npz', [b'one', b'one'], zipfile.ZIP_STORED)
save('text.npz', [b'a', b'b'], zipfile.ZIP_STORED, **{'readme.txt': b'hello'})
# Floats of several ranges, channels that are no colours, sides that are too long for a sheet, parts whose
# labels show different numbers of classes.
for name, span in (('unit', (0, 1)), ('pixels', (0, 255)), ('wide', (-3, 7)), ('flat', (0, 0))):
    values = [span[0] + (span[1] - span[0]) * i / 399 for i in range(400)]
    with zipfile.ZipFile(f'float-{name}.npz', 'w') as z:
        z.writestr('x.npy', npy('<f4', (4, 10, 10, 1), struct.pack('<400f', *values)))
        z.writestr('y.npy', npy('|u1', (4,), bytes([0, 1, 0, 1])))
with zipfile.ZipFile('long.npz', 'w') as z:
    z.writestr('x_test.npy', npy('|u1', (2, 200, 50, 5), bytes(range(250)) * 400))
    z.writestr('y_test.npy', npy('|u1', (2,), bytes([0, 1])))
with zipfile.ZipFile('uneven.npz', 'w') as z:
    for part, label in (('train', [0, 1]), ('test', [2, 0])):
        z.writestr(f'x_{part}.npy', npy('|u1', (2, 2, 2, 1), bytes(8)))
        z.writestr(f'y_{part}.npy', npy('|u1', (2,), bytes(label)))
P
if [ -e c.npz ]; then
    for name in unit pixels wide flat; do
        expect 0 '4 pictures of 2 classes' "$fovea" data show float-$name.npz
    done
    expect 3 'pictures of 1 channels of float32 cannot be PNG files; give OUT.h5' "$fovea" data split float-unit.npz floats --val-split 0.5
    no_file floats
    check "floats of 0 to 1 and of 0 to 255 look different" cmp float-unit.png float-pixels.png
    cmp -s float-unit.png float-flat.png && bad "a ramp looks like nothing"
    expect 0 '2 pictures of 2 classes' "$fovea" data show long.npz
    expect 0 '' "$fovea" data info uneven.npz --json
    json "j['classes'] == ['0','1','2'] and [p['by_class'] for p in j['parts']] == [[1,1,0],[1,0,1]]"
    expect 0 'train 2, test 2 pictures; 3 classes' "$fovea" data convert uneven.npz even.npz
    expect 0 '' "$fovea" data info plain.npz --json
    json "j['kind'] == 'npz' and j['classes'] == ['one', 'two words', 'dr\u00e9i'] and j['parts'][0]['by_class'] == [2,2,2]"
    expect 0 '' "$fovea" data convert plain.npz again.npz
    same plain.npz again.npz
    expect 3 'readme.txt' "$fovea" data info text.npz
    head -c 300 plain.npz >cut.npz
    expect 3 'cut.npz' "$fovea" data info cut.npz
    expect 3 'cannot tell which are pictures and labels; found x_train 6x2x2x1 uint8' "$fovea" data info plain.npz --x nothing
fi

# ---- split ----
expect 0 '^parts: train 9, val 3, test 3 pictures; 3 classes' "$fovea" data split colours parts --val-split 0.2 --test-split 0.2
checks=$((checks + 1))
python3 - <<'P' >out 2>err || bad "the parts are not the pictures"
import os
def files(root): return {os.path.relpath(os.path.join(d, f), root): open(os.path.join(d, f), 'rb').read() for d, _, fs in os.walk(root) for f in fs}
parts, whole, seen = files('parts'), files('colours'), []
for name, data in parts.items():
    part, rest = name.split('/', 1)
    assert part in ('train', 'val', 'test') and whole[rest] == data, name
    seen.append(rest)
assert sorted(seen) == sorted(whole), seen
for part in ('train', 'val', 'test'): assert sorted(os.listdir('parts/' + part)) == ['blue', 'green', 'red']
P
expect 0 '' "$fovea" data info parts --json
json "[(p['name'], p['by_class']) for p in j['parts']] == [('train',[2,3,4]), ('val',[1,1,1]), ('test',[1,1,1])]"
[ "$(stat -c %a parts/train/red)" = "$(stat -c %a colours/red)" ] || bad "modes of folders"
find parts -type f -perm /111 | grep -q . && bad "a copy is executable"
expect 0 '' "$fovea" data split colours linked --val-split 0.2 --test-split 0.2 --link
check "links and copies are divided otherwise" diff -r parts linked
find linked -type f -links 1 | grep -q . && bad "--link copies"
# Other names, another place, the same pictures: the same parts.
mkdir -p renamed/blue renamed/green renamed/red
for f in colours/*/*.png; do cp "$f" "renamed/$(basename "$(dirname "$f")")/new$(basename "$f")"; done
expect 0 '' "$fovea" data split renamed parts2 --val-split 0.2 --test-split 0.2
checks=$((checks + 1))
[ "$(cat parts/test/red/* | cksum)" = "$(cat parts2/test/red/* | cksum)" ] || bad "a split depends on names"
expect 0 '' "$fovea" data split colours parts3 --val-split 0.2 --test-split 0.2 --seed 7
diff -rq parts parts3 >/dev/null && bad "another seed divides alike"
expect 0 'train 12, test 3' "$fovea" data split colours parts4 --test-split 0.2
no_file parts4/val
expect 0 '' "$fovea" train lenet5 --data parts --epochs 1 --quiet --out parts.safetensors

# To one file, and of a file to folders: PNGs with the same pixels.
for kind in $kinds; do
    out=s.$kind
    expect 0 "^$out: train 9, val 3, test 3" "$fovea" data split colours "$out" --val-split 0.2 --test-split 0.2
    same parts "$out"
    expect 2 'exists; --force' "$fovea" data split colours "$out" --val-split 0.2
    expect 2 'has a test part already; leave --test-split out' "$fovea" data split "$out" back --test-split 0.2
    expect 2 'has a validation part already' "$fovea" data split "$out" back --val-split 0.2
    expect 2 'link: expected pictures in files' "$fovea" data split "c.$kind" back --val-split 0.3 --link
    no_file back
    expect 0 '^back: train 10, val 5 pictures' "$fovea" data split "c.$kind" back --val-split 0.3
    expect 0 '' "$fovea" data split "c.$kind" "back-$out" --val-split 0.3
    same back "back-$out"
    rm -rf back
done
expect 0 '' "$fovea" data split made:digits digits --count 100 --val-split 0.2
expect 0 '' "$fovea" data info digits --json
json "[(p['name'], sum(p['by_class'])) for p in j['parts']] == [('train',80), ('val',20), ('test',100)] and j['shape'] == [28,28,1] and j['kind'] == 'folder'"
expect 0 '' "$fovea" data split colours sized --val-split 0.2 --size 6x6
expect 0 '' "$fovea" data info sized --json
json "j['shape'] == [6,6,3] and sum(p['pictures'] for p in j['parts']) == 15"

# What is asked for is wrong.
expect 2 'expected --val-split, --test-split or both' "$fovea" data split colours no
for share in 0 1 1.5 -0.1 nan x; do
    expect 2 '--val-split' "$fovea" data split colours no "--val-split=$share"
    expect 2 '--test-split' "$fovea" data split colours no "--test-split=$share"
done
expect 2 'leave nothing to train on' "$fovea" data split colours no --val-split 0.5 --test-split 0.5
expect 2 'cannot be split' "$fovea" data split long.csv no --val-split 0.5
expect 2 'is not empty' "$fovea" data split colours parts --val-split 0.5
expect 2 'is not empty' "$fovea" data split colours colours --val-split 0.5
expect 2 'lies in the data set itself' "$fovea" data split colours colours/parts --val-split 0.5
expect 2 'lies in the data set itself' "$fovea" data split colours ./colours/red/../parts --val-split 0.5
expect 2 'exists and is no folder' "$fovea" data split colours table.csv --val-split 0.5
expect 2 'expected the name of a new folder' "$fovea" data split colours . --val-split 0.5
expect 2 'expected the name of a new folder' "$fovea" data split colours parts/.. --val-split 0.5
expect 4 'No such file' "$fovea" data split colours none/parts --val-split 0.5
[ -d /proc/self ] && expect 4 'cannot make' "$fovea" data split colours /proc/parts --val-split 0.5
no_file no
no_temporary 'refused splits'
mkdir ready
expect 0 '' "$fovea" data split colours ready/ --val-split 0.2
[ -d ready/val/red ] || bad "an empty folder is not used"

# Pictures of one name in a class, pictures that cannot be read, classes that cannot be folders.
mkdir -p nested/a/1 nested/a/2 nested/b
cp colours/red/0.png nested/a/1/p.png && cp colours/red/1.png nested/a/2/p.png && cp colours/blue/*.png nested/b
cp colours/red/2.png nested/a/p.png
expect 0 '^parts5: train 5, test 2' "$fovea" data split nested parts5 --test-split 0.3
[ "$(find parts5 -name 'p*.png' | wc -l)" = 3 ] || bad "pictures of one name replaced each other"
expect 0 '3 pictures could not be read' "$fovea" data split odd parts6 --test-split 0.3
[ "$(find parts6 -type f | wc -l)" = 15 ] || bad "rubbish was copied"
expect 0 '^linked2: train 5, test 2' "$fovea" data split nested linked2 --test-split 0.3 --link
check "links of pictures of one name" diff -r parts5 linked2
expect 0 'left out: .*cut.png' "$fovea" data split odd parts8 --test-split 0.3 --size 6x6
[ "$(find parts8 -type f | wc -l)" = 15 ] || bad "rubbish became pictures"
if [ -d /dev/shm ] && [ -w /dev/shm ] && [ "$(stat -c %d /dev/shm)" != "$(stat -c %d .)" ]; then
    other=$(mktemp -d -p /dev/shm)
    expect 4 'on another file system; leave --link out' "$fovea" data split nested "$other/linked" --test-split 0.3 --link
    checks=$((checks + 1))
    rmdir "$other" || bad "something was left on the other file system"
fi
expect 3 'cut.png|note.txt|red.png' "$fovea" data split odd parts7 --test-split 0.3 --strict
no_file parts7
if [ -e c.npz ]; then
    for i in 0 1 2 3 4; do
        expect 3 'cannot be the name of a folder; give OUT.h5' "$fovea" data split "evil$i.npz" "evil$i" --val-split 0.4
        no_file "evil$i"
    done
    expect 3 'two classes are called "one"' "$fovea" data split same.npz same --val-split 0.4
    no_file same
fi
# The disk is full in the middle; Ctrl-C.
python3 - <<'P'
import os
for n in range(6): open(f'colours/red/{n}.png', 'ab').write(os.urandom(40000)) # what follows the picture is copied, too
P
expect 4 'File too large' bash -c 'ulimit -f 20; "$FOVEA" data split colours full --val-split 0.2'
no_file full
no_temporary 'a full disk'
set -m
"$fovea" data split made:digits stopped --count 20000 --val-split 0.2 >out 2>err &
job=$!
set +m
for _ in $(seq 200); do ls -d .fovea*/train/0/*.png >/dev/null 2>&1 && break; sleep 0.1; done
kill -TERM $job
wait $job
got=$?
checks=$((checks + 1))
[ "$got" = 143 ] || bad "SIGTERM while splitting: exit $got, expected 143"
no_file stopped
no_temporary 'SIGTERM'

# ---- real sets ----
if [ -n "${FOVEA_DATA:-}" ]; then
    for set in signs happy mnist sign-language-digits; do
        [ -d "$FOVEA_DATA/$set" ] || continue
        expect 0 "$set.png: [0-9]+ pictures of" "$fovea" data show "$FOVEA_DATA/$set"
        for kind in $kinds; do
            out=real.$kind
            expect 0 "^$out: train" "$fovea" data convert "$FOVEA_DATA/$set" "$out" --force
            same "$FOVEA_DATA/$set" "$out"
        done
    done
    if [ -d "$FOVEA_DATA/sign-language-digits" ]; then
        expect 0 '^hands: train 1442, val 209, test 411' "$fovea" data split "$FOVEA_DATA/sign-language-digits" hands --val-split 0.1 --test-split 0.2
        expect 0 '' "$fovea" data info hands --json
        json "[p['pictures'] for p in j['parts']] == [1442, 209, 411] and len(j['classes']) == 10"
    fi
else
    echo "skipped: real sets; FOVEA_DATA names no folder"
fi

printf '%d passed, %d failed\n' $((checks - failed)) "$failed"
[ "$failed" = 0 ]
