#!/usr/bin/env bash
# fovea data get and fovea data list, without a network. usage: test_data_get.sh FOVEA SOURCE_DIR
set -u
fovea=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
checks=0
failed=0

if ! "$fovea" help data get >/dev/null 2>&1; then
    echo "skipped: this fovea has no command data get"
    exit 77
fi

# expect CODE REGEX COMMAND ...: the exit code, and a line of stdout or stderr that matches.
expect() {
    local code=$1 regex=$2 got
    shift 2
    checks=$((checks + 1))
    "$@" >out 2>err </dev/null
    got=$?
    if [ "$got" != "$code" ] || ! cat out err | grep -qE -- "$regex" ||
        { [ "$got" -ge 2 ] && [ "$(wc -l <err)" -ne 1 ]; }; then
        failed=$((failed + 1))
        echo "FAILED: $*: exit $got, expected $code and $regex"
        cat out err | sed 's/^/    /' | head -8
    fi
}

json() { # json 'python expression on j': over out
    checks=$((checks + 1))
    python3 -c "import json; j = json.load(open('out')); assert $1, j" || failed=$((failed + 1))
}

export XDG_CACHE_HOME="$work/cache"
expect 0 '^  mnist  ' "$fovea" data list
expect 0 'licence: CC BY-SA 4.0' "$fovea" data list
expect 0 '^  made:digits' "$fovea" data list
expect 0 . "$fovea" data list --json
json "[k['name'] for k in j['known']][:2] == ['mnist', 'fashion_mnist'] and 'made:digits' in j['made']"
json "j['folder'].endswith('/cache/fovea') and not any(k['is_here'] for k in j['known'])"
expect 2 'did you mean mnist\?' "$fovea" data get minst
expect 2 'out FOLDER' env -u XDG_CACHE_HOME -u HOME "$fovea" data get mnist
expect 0 . env -u XDG_CACHE_HOME -u HOME "$fovea" data list --json
json "j['folder'] is None"

if "$fovea" data get mnist --from "$work" 2>&1 | grep -q 'built without'; then
    echo "skipped: getting sets, built without it"
else
    expect 2 'expected a folder' "$fovea" data get mnist --from ftp://nowhere/
    expect 4 'no folder' "$fovea" data get mnist --from "$work/absent"
    # Nothing answers there; the one line says what to do.
    for address in http://127.0.0.1:1 http://nowhere.invalid; do
        expect 4 'no (connection|such host, or no network)' "$fovea" data get mnist --from $address
    done
    expect 4 'it should have train-images-idx3-ubyte.gz, train-labels' \
        "$fovea" data get mnist --from "$work"
    [ -z "$(ls -A cache/fovea)" ] || { echo "FAILED: something was left in the cache"; failed=$((failed + 1)); }
    if [ -d "${FOVEA_DATA:-/nowhere}/mnist" ]; then
        expect 0 '^licence:' "$fovea" data get mnist --from "$FOVEA_DATA/mnist"
        expect 0 '^there: .*/cache/fovea/mnist$' "$fovea" data get mnist
        expect 0 . "$fovea" data get mnist --json
        json "j['was_there'] and j['path'].endswith('/fovea/mnist') and 'LeCun' in j['citation']"
        expect 0 '^here: *elsewhere/mnist$' \
            "$fovea" data get mnist --out elsewhere/ --from "file://$FOVEA_DATA/mnist"
        expect 3 'cannot get train-images' "$fovea" data get kmnist --from "$FOVEA_DATA/mnist"
        expect 0 . "$fovea" data list --json
        json "[k['name'] for k in j['known'] if k['is_here']] == ['mnist']"
    else
        echo "skipped: FOVEA_DATA has no mnist"
    fi
fi

echo "$((checks - failed)) of $checks checks passed"
[ "$failed" = 0 ]
