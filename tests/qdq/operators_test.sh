#!/bin/bash
# Operators of quantizers (com.microsoft and others), compiled, beside ONNX Runtime on the same inputs. Skipped without the oracle.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
root=$here/../..
tmp=$(mktemp -d "${TEST_TMPDIR:-/tmp}/operators.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

rc=0
dir=$("$root/tests/oracle/install.sh") || rc=$?
if [[ $rc == 77 ]]; then echo "$dir"; exit 0; fi
[[ $rc == 0 ]]
export OMKIT_ORACLE_DIR=$dir

"$here/operators" write "$tmp"
for model in "$tmp"/*.onnx; do
  name=${model%.onnx}
  inputs=()
  for input in "$name".*.bin; do
    stem=${input%.bin}
    inputs+=(--input "${stem#"$name".}=$input")
  done
  node "$root/tests/oracle/ort_run.mjs" --model "$model" "${inputs[@]}" --level basic --out "$name" >"$tmp/log" 2>&1 || { cat "$tmp/log"; exit 1; }
done
"$here/operators" check "$tmp"
