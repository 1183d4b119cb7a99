#!/bin/sh
# @NAME@: the whole rehearsal, validator and probes, run fresh.
# usage: sh commands.sh SOURCE [POLICY]
# POLICY: the policy file to judge by; without it, the ledger's here, else the default one.
# FIX7_LEDGER names the program (default: fix7-ledger on the PATH). Everything is written to a new scratch directory.
set -u
[ "$#" -eq 1 ] || [ "$#" -eq 2 ] || { echo "usage: sh commands.sh SOURCE [POLICY]" >&2; exit 2; }
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 3
tool=${FIX7_LEDGER:-fix7-ledger}
source=$1
if [ "$#" -eq 2 ]; then set -- --policy "$2"; else set --; fi
scratch=$(mktemp -d) || exit 3
trap 'rm -rf "$scratch"' EXIT
trap 'exit 3' HUP INT TERM

echo "fresh   $(basename -- "$scratch")"
steps_expected=5
steps_run=0
steps_held=0
worst=0

# What a step prints goes to a file: only this script speaks of the whole.
step() {
    name=$1
    shift
    "$@" >"$scratch/$name.out" 2>"$scratch/$name.err" </dev/null
    code=$?
    steps_run=$((steps_run + 1))
    if [ "$code" -eq 0 ]; then
        steps_held=$((steps_held + 1))
        echo "held    $name"
    else
        [ "$worst" -ne 0 ] || worst=$code
        echo "broken  $name (exit $code)"
        sed 's/^/        /' "$scratch/$name.err"
    fi
}

step selftest "$tool" validate --selftest
step rehearse "$tool" rehearse --plan "$here/plan" --source "$source" --out "$scratch/packet" "$@"
step written test -f "$scratch/packet/packet_tree.sha256"
step validate "$tool" validate --packet "$scratch/packet" "$@"
step probe "$tool" probe --packet "$scratch/packet" "$@"

echo "steps: $steps_held held of $steps_run run of $steps_expected expected"
if [ "$steps_run" -eq "$steps_expected" ] && [ "$steps_held" -eq "$steps_expected" ]; then
    echo "OVERALL PASS (rehearsal on a clone; production remains HOLD)"
    exit 0
fi
[ "$worst" -ne 0 ] || worst=3
echo "OVERALL NOT SHOWN"
exit "$worst"
