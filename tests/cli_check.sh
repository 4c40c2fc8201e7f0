#!/usr/bin/env bash
# What the tests of the command line share; they source it. It leaves them in an empty folder of their own,
# with $fovea and $source_dir, and counts checks.
set -u
fovea=$(realpath "$1")
source_dir=$(realpath "$2")
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work" || exit 1
checks=0
failed=0
export FOVEA="$fovea"

bad() {
    failed=$((failed + 1))
    printf 'FAILED: %s\n' "$1"
    sed 's/^/    stdout: /' out | head -8
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

json() { # json 'python expression on j' : over the last line of out
    checks=$((checks + 1))
    tail -1 out | python3 -c "import json,sys; j=json.loads(sys.stdin.read()); assert $1, j" 2>err || bad "json: $1"
}

no_file() {
    checks=$((checks + 1))
    [ ! -e "$1" ] || bad "$1 was left behind"
}
