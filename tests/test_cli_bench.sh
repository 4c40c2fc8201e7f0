#!/usr/bin/env bash
# fovea bench: what it prints, that its figures belong together, what it refuses; FOVEA_ISA.
# usage: test_cli_bench.sh FOVEA SOURCE_DIR
# shellcheck source=tests/cli_check.sh
. "$(dirname "$0")/cli_check.sh"

unset FOVEA_ISA

json() { # json 'python expression on j' : over every line of out
    checks=$((checks + 1))
    python3 -c "
import json, sys
for line in open('out'):
    j = json.loads(line)
    assert $1, j" 2>err || bad "json: $1"
}

keys="recipe mode batch threads images_per_second step_ms gflops peak_gflops rss_mb"

# ---- figures ----
for mode in train infer; do
    expect 0 '' "$fovea" bench lenet5 signs --mode $mode --batch 4 --threads 1 --seconds 0.02 --json
    [ "$(wc -l <out)" = 2 ] || bad "bench of two recipes: not two lines"
    json "all(k in j for k in '$keys'.split())"
    json "j['mode'] == '$mode' and j['batch'] == 4 and j['threads'] == 1 and j['recipe'] in ('lenet5', 'signs')"
    json "all(j[k] > 0 for k in ('images_per_second', 'step_ms', 'gflops', 'peak_gflops'))"
    json "abs(j['images_per_second'] * j['step_ms'] / 4000 - 1) < 1e-6"
    json "j['step_ms_min'] <= j['step_ms'] <= j['step_ms_max']"
    json "1 < j['rss_mb'] < (1e6 if '${FOVEA_SANITIZED:-}' else 500)"
    json "'${FOVEA_SANITIZED:-}' or j['gflops'] < 2 * j['peak_gflops']"
done
# lenet5 forward: 2*(28*28*25*6 + 10*10*25*6*16 + 400*120 + 120*84 + 84*10) operations an image
expect 0 '' "$fovea" bench lenet5 --mode infer --batch 2 --threads 2 --seconds 0.02 --json
json "abs(j['gflops'] / j['images_per_second'] * 1e9 - 833040) < 1 and j['threads'] == 2"
expect 0 'lenet5 +train +64 ' "$fovea" bench lenet5 --seconds 0.01
expect 0 '^recipe +mode +batch +threads' "$fovea" bench signs --batch 1 --seconds 0.01
expect 0 'happy +train +3 ' "$fovea" bench happy --batch 3 --seconds 0.01 # one sigmoid output
if [ -z "${FOVEA_SANITIZED:-}" ]; then
    expect 0 '' "$fovea" bench --batch 1 --seconds 0.01 --json
    checks=$((checks + 1))
    [ "$(grep -o '"recipe":"[a-z0-9_]*"' out | sort -u | wc -l)" = 6 ] || bad "the list of usual recipes"
fi
cat >net.py <<'END'
net = Sequential([Input(shape=(9, 7, 2)), Conv2D(4, 3), Flatten(), Dense(3)])
END
expect 0 'net.py +train +32 ' "$fovea" bench net.py --seconds 0.01

# ---- refusals ----
expect 2 'mode "walk": expected train or infer' "$fovea" bench lenet5 --mode walk
expect 2 'seconds' "$fovea" bench lenet5 --seconds 0
expect 2 'batch' "$fovea" bench lenet5 --batch 0
expect 2 'unknown option "--epochs"' "$fovea" bench lenet5 --epochs 3
expect 4 'nothing.py' "$fovea" bench nothing.py --seconds 0.01
echo 'net = Sequential([Input(shape=(999, 999, 3)), GlobalAveragePooling2D(), Dense(2)])' >large.py
if [ -z "${FOVEA_SANITIZED:-}" ]; then # a sanitizer has its own say on that
    expect 5 'memory' "$fovea" bench large.py --batch 1000000 # the pictures alone are 12 TB
fi
echo 'net = Sequential([Input(shape=(9, 7, 2)), Conv2D(4, 3)])' >image.py
expect 3 'needs one vector' "$fovea" bench image.py --seconds 0.01
expect 0 'image.py +infer' "$fovea" bench image.py --seconds 0.01 --mode infer
echo 'net = Sequential([Input(shape=(9, 7, 2)), Conv3D(4, 3)])' >bad.py
expect 3 'bad.py:1' "$fovea" bench bad.py signs

# ---- FOVEA_ISA: for every command that takes --isa, which wins ----
expect 2 'sse9.*expected one of generic' "$fovea" bench lenet5 --isa sse9
expect 2 'sse9.*expected one of generic' env FOVEA_ISA=sse9 "$fovea" bench lenet5
expect 2 'sse9.*expected one of generic' env FOVEA_ISA=sse9 "$fovea" train lenet5 --data made:digits
expect 0 '"isa":"generic"' env FOVEA_ISA=generic "$fovea" bench signs --batch 1 --seconds 0.01 --json
expect 0 '"isa":"generic"' env FOVEA_ISA=sse9 "$fovea" bench signs --batch 1 --seconds 0.01 --json --isa generic
[ "$(uname -m)" != x86_64 ] ||
    expect 0 '"isa":"sse2"' env FOVEA_ISA=sse2 "$fovea" bench signs --batch 1 --seconds 0.01 --json
expect 0 '"isa":' env FOVEA_ISA= "$fovea" bench signs --batch 1 --seconds 0.01 --json
expect 0 'fovea' env FOVEA_ISA=sse9 "$fovea" version # does not take it

printf "%d passed, %d failed\n" $((checks - failed)) "$failed"
[ "$failed" = 0 ]
