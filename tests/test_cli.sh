#!/usr/bin/env bash
# The command line as its user meets it: answers, exit codes, one-line errors, and what is left on disk.
# usage: test_cli.sh FOVEA SOURCE_DIR
# shellcheck source=tests/cli_check.sh
. "$(dirname "$0")/cli_check.sh"

# ---- help and usage ----
many_lines=yes expect 2 'usage: fovea COMMAND' "$fovea"
expect 0 'usage: fovea COMMAND' "$fovea" help
expect 0 'usage: fovea COMMAND' "$fovea" --help
expect 0 '^fovea [0-9]+\.[0-9]+\.[0-9]+$' "$fovea" version
expect 0 '^fovea [0-9]' "$fovea" --version
for command in train evaluate predict summary recipes demo bench version help; do
    expect 0 "usage: fovea $command" "$fovea" help "$command"
    expect 0 "usage: fovea $command" "$fovea" "$command" --help
done
expect 2 'unknown command "trian"; did you mean train\?' "$fovea" trian
expect 2 'unknown command' "$fovea" xyzzy
expect 2 'needs a value' "$fovea" train lenet5 --epoc
expect 2 'unknown option "--eposh"; did you mean --epochs\?' "$fovea" train lenet5 --eposh 3
expect 2 'needs a value' "$fovea" train lenet5 --data
expect 2 'given twice' "$fovea" train lenet5 --data made:digits --epochs 1 --epochs 2
expect 2 'data PATH is missing' "$fovea" train lenet5
expect 2 'usage: fovea train' "$fovea" train --data made:digits
expect 2 'one argument too many' "$fovea" train lenet5 signs --data made:digits
for value in 0 -1 3abc 1e400 0x10 99999999999999999999 '' nan; do
    expect 2 '--epochs' "$fovea" train lenet5 --data made:digits "--epochs=$value"
    expect 2 '--threads' "$fovea" train lenet5 --data made:digits "--threads=$value"
    expect 2 '--batch' "$fovea" train lenet5 --data made:digits "--batch=$value"
done
expect 2 '--threads 1000000000' "$fovea" train lenet5 --data made:digits --threads 1000000000
for value in nan -1 0 1e30 x; do
    expect 2 '--lr' "$fovea" train lenet5 --data made:digits "--lr=$value"
done
expect 2 'did you mean adam' "$fovea" train lenet5 --data made:digits --optimizer adm
expect 2 'expected one of generic' "$fovea" train lenet5 --data made:digits --isa sse9
expect 2 '--min-accuracy' "$fovea" evaluate m --data made:digits --min-accuracy 2
[ "$(find . -type f ! -name out ! -name err | wc -l)" = 0 ] || bad "a usage error left files"

# ---- inputs that are not what they should be ----
expect 4 'nothing.safetensors' "$fovea" evaluate nothing.safetensors --data made:digits
expect 4 'no recipe "lenet"; did you mean lenet5' "$fovea" train lenet --data made:digits
expect 4 'no-such-folder' "$fovea" train lenet5 --data no-such-folder
expect 2 'did you mean "made:digits"' "$fovea" train lenet5 --data made:digit
printf 'Sequential([Conv2d(8, 3)])\n' >bad.py
expect 3 'bad.py:1:13: .*Conv2d.*Conv2D' "$fovea" train bad.py --data made:digits
printf 'import os\nos.system("touch pwned")\n' >run.py
expect 3 'run.py:2:' "$fovea" summary run.py
no_file pwned
printf 'Sequential([Input(shape=(4, 4, 1)), Conv2D(8, 5)])\n' >small.py
expect 3 'conv2d.*5x5.*4x4' "$fovea" summary small.py
printf 'not HDF5 at all' >junk.h5
expect 3 'junk.h5' "$fovea" train happy --data junk.h5
head -c 200000 /dev/urandom >noise.h5
expect 3 'noise.h5' "$fovea" train happy --data noise.h5
mkdir empty
expect 3 'empty' "$fovea" train lenet5 --data empty
: >zero.safetensors
expect 3 'zero.safetensors' "$fovea" summary zero.safetensors
expect 4 'empty' "$fovea" summary empty
mkfifo pipe
expect 4 'pipe' timeout 10 "$fovea" summary pipe
no_file lenet5.safetensors

# ---- train, evaluate, predict ----
expect 0 '' "$fovea" train lenet5 --data made:digits --epochs 1 --batch 64 --seed 3 --threads 1 --out a.safetensors \
    --history a.csv --json
json "list(j) == ['epochs','loss','accuracy','val_loss','val_accuracy','seconds','images_per_second']"
json "j['epochs'] == 1 and 0 < j['loss'] < 3 and j['val_accuracy'] > 0.5 and j['images_per_second'] > 0"
[ "$(wc -l <out)" = 1 ] || bad "train --json prints one line"
[ -s err ] && bad "train prints progress although stderr is no terminal"
[ "$(head -1 a.csv)" = epoch,loss,accuracy,val_loss,val_accuracy,seconds,images_per_second ] || bad "history's head"
[ "$(wc -l <a.csv)" = 2 ] || bad "history's rows"
expect 0 '' "$fovea" train lenet5 --data made:digits --epochs 1 --batch 64 --seed 3 --threads 3 --out b.safetensors --quiet
[ -s out ] && bad "--quiet prints"
cmp -s a.safetensors b.safetensors || bad "another number of threads gives another model"
expect 0 '' "$fovea" train lenet5 --data made:digits --epochs 1 --batch 64 --seed 4 --out c.safetensors --quiet
cmp -s a.safetensors c.safetensors && bad "another seed gives the same model"
expect 0 'accuracy' "$fovea" evaluate a.safetensors --data made:digits --seed 3
expect 0 '' "$fovea" evaluate a.safetensors --data made:digits --seed 3 --json
json "list(j) == ['n','loss','accuracy','confusion'] and j['n'] == 1000 and len(j['confusion']) == 10"
json "sum(map(sum, j['confusion'])) == 1000 and abs(sum(j['confusion'][i][i] for i in range(10))/1000 - j['accuracy']) < 1e-9"
expect 1 'below --min-accuracy' "$fovea" evaluate a.safetensors --data made:digits --min-accuracy 1
expect 0 '' "$fovea" evaluate a.safetensors --data made:digits --min-accuracy 0.1
expect 0 '61,706' "$fovea" summary a.safetensors
expect 0 '37,633' "$fovea" summary happy
expect 0 '1,310' "$fovea" summary "$source_dir/recipes/signs.py"
expect 0 '' "$fovea" summary signs --json
json "j['total_params'] == 1310"
expect 0 '^lenet5$' "$fovea" recipes
expect 0 'Sequential|Model' "$fovea" recipes lenet5

python3 - <<'P'
import struct, zlib
def png(path, w, h, pixel):
    raw = b''.join(b'\0' + b''.join(bytes(pixel(x, y)) for x in range(w)) for y in range(h))
    chunk = lambda kind, data: struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    open(path, 'wb').write(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', w, h, 8, 2, 0, 0, 0)) +
                           chunk(b'IDAT', zlib.compress(raw)) + chunk(b'IEND', b''))
png('one.png', 100, 80, lambda x, y: (230, 230, 230) if 45 < x < 55 and 10 < y < 70 else (10, 10, 10))
png('tab\there.png', 9, 7, lambda x, y: (0, 0, 0))
P
expect 0 'one.png: ' "$fovea" predict a.safetensors one.png
expect 0 '' "$fovea" predict a.safetensors one.png --top 3 --json
json "j['image'] == 'one.png' and len(j['top']) == 3 and j['top'][0]['class'] == j['class'] and j['top'][0]['probability'] >= j['top'][1]['probability']"
expect 0 '' "$fovea" predict a.safetensors "tab	here.png" --top 99 --json
json "len(j['top']) == 10 and abs(sum(t['probability'] for t in j['top']) - 1) < 1e-5"
expect 3 'junk.h5' "$fovea" predict a.safetensors junk.h5
expect 4 'none.png' "$fovea" predict a.safetensors none.png
head -c 60 one.png >cut.png
expect 3 'cut.png' "$fovea" predict a.safetensors one.png cut.png
grep -q one.png out || bad "a bad picture hides the answer for a good one"
expect 3 'recipe' "$fovea" predict lenet5 one.png

# ---- folders of files: a test part is used if there is one, and a bad one is not passed over ----
python3 - <<'P'
import os, struct
def idx(path, *shape):
    size = 1
    for d in shape: size *= d
    head = struct.pack('>BBBB', 0, 0, 8, len(shape)) + struct.pack('>%dI' % len(shape), *shape)
    open(path, 'wb').write(head + bytes((i * 7) % 10 for i in range(size)))
os.makedirs('idx')
idx('idx/train-images-idx3-ubyte', 20, 28, 28)
idx('idx/train-labels-idx1-ubyte', 20)
P
expect 0 '' "$fovea" train lenet5 --data idx --epochs 1 --out idx.safetensors --json
json "j['val_loss'] is None and j['val_accuracy'] is None"
expect 4 'has no test part' "$fovea" evaluate idx.safetensors --data idx
expect 0 '' "$fovea" train lenet5 --data idx --val made:digits --epochs 1 --out idx2.safetensors --json
json "j['val_accuracy'] is not None"
head -c 50 idx/train-images-idx3-ubyte >idx/t10k-images-idx3-ubyte
head -c 28 idx/train-labels-idx1-ubyte >idx/t10k-labels-idx1-ubyte
expect 3 't10k-images' "$fovea" train lenet5 --data idx --epochs 1 --out bad.safetensors
no_file bad.safetensors

# ---- outputs are never lost ----
cp a.safetensors keep
expect 2 'exists; --force' "$fovea" train lenet5 --data made:digits --out a.safetensors
cmp -s a.safetensors keep || bad "an output that exists was touched"
expect 2 'exists; --force' "$fovea" train lenet5 --data made:digits --out new.safetensors --history a.csv
expect 4 'is a folder' "$fovea" train lenet5 --data made:digits --out empty
expect 4 'cannot write into "none/"' "$fovea" train lenet5 --data made:digits --out none/new.safetensors
[ -d /proc/self ] && expect 4 'cannot write into "/proc/"' "$fovea" train lenet5 --data made:digits --out /proc/new
expect 2 'the input itself' "$fovea" train a.safetensors --data made:digits --out a.safetensors --force
expect 2 'same file' "$fovea" train lenet5 --data made:digits --out x --history x
expect 6 'epoch 1, step [0-9]+.*layer' "$fovea" train lenet5 --data made:digits --optimizer sgd --lr 1e8 --out new.safetensors
no_file new.safetensors
head -c 100000 a.safetensors >cut.safetensors
expect 3 'cut.safetensors' "$fovea" evaluate cut.safetensors --data made:digits
mkdir idx3 && cp idx/train-* idx3
expect 3 '28x28x1' "$fovea" train signs --data idx3 --out new.safetensors
no_file new.safetensors
[ -e /dev/full ] && expect 4 'cannot write' sh -c '"$FOVEA" help >/dev/full'
expect 4 'File too large|cannot write' bash -c 'ulimit -f 20; "$FOVEA" train lenet5 --data made:digits --epochs 1 --out big.safetensors --quiet'
no_file big.safetensors
expect 0 '^fovea' env -i "$fovea" version
if bash -c 'ulimit -v 4000000; "$FOVEA" version' >/dev/null 2>&1; then # a sanitizer needs more addresses than that
    expect 5 '' bash -c 'ulimit -v 120000; "$FOVEA" train resnet20 --data made:digits --batch 100000'
else
    echo "skipped: a limit on memory, which a sanitizer's own memory would pass"
fi
find . -name '*.tmp*' | grep -q . && bad "a temporary was left behind"

# ---- signals: the batch ends, the model is saved ----
for case in INT:130 TERM:143 HUP:129; do
    rm -f stopped.safetensors
    set -m # a background job of its own, or SIGINT would be ignored there
    "$fovea" train lenet5 --data made:digits --epochs 100000 --out stopped.safetensors >out 2>err &
    job=$!
    set +m
    for _ in $(seq 100); do grep -q 'epoch 1/' out && break; sleep 0.1; done
    kill -"${case%:*}" $job
    wait $job
    got=$?
    checks=$((checks + 1))
    [ "$got" = "${case#*:}" ] || bad "SIG${case%:*}: exit $got, expected ${case#*:}"
    expect 0 'accuracy' "$fovea" evaluate stopped.safetensors --data made:digits
done

# ---- a terminal: a bar on stderr; NO_COLOR ----
cat >terminal.py <<'P'
import os, pty, sys
env = dict(os.environ, TERM='xterm', **({'NO_COLOR': '1'} if sys.argv[1] == 'plain' else {}))
env.pop('NO_COLOR', None) if sys.argv[1] != 'plain' else None
pid, fd = pty.fork()
if pid == 0:
    os.execvpe(sys.argv[2], sys.argv[2:], env)
text = b''
while True:
    try:
        part = os.read(fd, 65536)
    except OSError:
        break
    if not part:
        break
    text += part
sys.stdout.write(text.decode('utf-8', 'replace'))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
P
expect 0 'images/s  loss .*left' python3 terminal.py colour "$fovea" train lenet5 --data made:digits --epochs 1 --out t.safetensors
grep -q $'\033\[32m' out || bad "no colour on a terminal"
expect 0 'images/s  loss .*left' python3 terminal.py plain "$fovea" train lenet5 --data made:digits --epochs 1 --out u.safetensors
grep -q $'\033\[32m' out && bad "colour although NO_COLOR is set"

# ---- the demo, smaller than life: what it learns is measured by tools/accuracy.sh ----
expect 0 'mood: accuracy 0\.[0-9]+.*' "$fovea" demo --out demo --count 300 --epochs 1
grep -q 'hands: accuracy 0\.[0-9]' out || bad "the demo's second application"
[ "$(grep -c 'test accuracy 0\.[0-9]' out)" = 2 ] || bad "the demo's accuracies"
for file in mood.safetensors mood.csv hands.safetensors hands.csv mistakes.png; do
    [ -s "demo/$file" ] || bad "the demo's $file"
done
grep -q '▀\|▄\|█' out || bad "the demo draws no pictures"
expect 0 '"n":50' "$fovea" evaluate demo/mood.safetensors --data made:faces --count 50 --json

printf '%d passed, %d failed\n' $((checks - failed)) "$failed"
[ "$failed" = 0 ]
