#!/usr/bin/env bash
# After ctest: which tests did not run here, and why. Argument: the build folder.
set -euo pipefail
log=$1/Testing/Temporary/LastTest.log
reasons=$(grep -hE '^skipped: |^\[  SKIPPED \]' "$log" | grep -v 'listed below' | sort -u || true)
if [ -n "$reasons" ]; then
    printf 'Not run here:\n'
    printf '%s\n' "$reasons" | sed 's/^/  /'
fi
