#!/usr/bin/env bash
# Test accuracy on real pictures and on built-in sets, several seeds each: trains and prints every run and the means.
# usage: FOVEA_DATA=FOLDER tools/accuracy.sh [signs|happy|mnist ...]   (needs build/fovea; SEEDS="1 2 3")
#        tools/accuracy.sh made:faces made:hands made:edges made:shapes made:digits
set -euo pipefail
fovea=${FOVEA:-build/fovea}
data=${FOVEA_DATA:-}
seeds=${SEEDS:-1 2 3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ $# -gt 0 ] || set -- signs happy mnist

run() { # NAME RECIPE OPTIONS ...
    local name=$1 recipe=$2 path=$1 accuracies='' seed line
    shift 2
    [[ $name = made:* ]] || path=${data:?set FOVEA_DATA to the folder that holds signs/, happy/ and mnist/}/$name
    for seed in $seeds; do
        line=$("$fovea" train "$recipe" --data "$path" --seed "$seed" --out "$work/$name-$seed" --json "$@")
        printf '%s seed %s: %s\n' "$name" "$seed" "$line"
        accuracies+=" $(sed 's/.*"val_accuracy":\([0-9.]*\).*/\1/' <<<"$line")"
    done
    awk -v name="$name" '{ for (i = 1; i <= NF; i++) sum += $i; printf "%s: mean test accuracy %.4f of %d runs\n", name, sum / NF, NF }' <<<"$accuracies"
}

for name; do
    case $name in
    signs) run signs signs --epochs 100 --batch 64 --lr 0.001 ;;
    happy) run happy happy --epochs 10 --batch 16 ;;
    mnist) run mnist lenet5 --epochs 5 --batch 64 ;;
    made:faces) run made:faces happy --epochs 6 --batch 32 ;;
    made:hands) run made:hands hands --epochs 14 --batch 32 ;;
    made:edges) run made:edges edges --epochs 10 --batch 32 ;;
    made:shapes) run made:shapes shapes --epochs 8 --batch 32 ;;
    made:digits) run made:digits lenet5 --epochs 6 --batch 32 ;;
    *) printf 'accuracy.sh: no set "%s"; expected signs, happy, mnist or made:NAME\n' "$name" >&2; exit 2 ;;
    esac
done
