#!/bin/bash
# Models with a quantization of their own, compiled, beside ONNX Runtime on real samples: the Fashion-MNIST example, and keyword spotting
# where the optional data in ../shared exists. Skipped without the oracle.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
root=$here/../..
tmp=$(mktemp -d "${TEST_TMPDIR:-/tmp}/agreement.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

rc=0
dir=$("$root/tests/oracle/install.sh") || rc=$?
if [[ $rc == 77 ]]; then echo "$dir"; exit 0; fi
[[ $rc == 0 ]]
export OMKIT_ORACLE_DIR=$dir

# model, folder of samples, least share of samples with the same class
agree() {
  node "$root/tests/oracle/ort_run.mjs" --model "$1" --input "input=$2" --level basic --out "$tmp/ort" > "$tmp/log" || { cat "$tmp/log"; exit 1; }
  echo "$(basename "$1")"
  "$here/agreement" "$1" "$2" "$tmp/ort/output_0.bin" "$3" || { echo "FAILED: $1 agrees on too few samples" >&2; exit 1; }
}

python3 "$root/examples/fashion/prepare.py" "$tmp/fashion" --data "$root/examples/fashion/data"
agree "$root/examples/fashion/fashion_qat.onnx" "$tmp/fashion/calib" 0.98

shared=${OMKIT_SHARED:-$(dirname "$(realpath "${BASH_SOURCE[0]}")")/../../../shared}
if [[ -d $shared/data/kws01 ]]; then
  python3 "$root/tests/oracle/prep_kws.py" "$shared/data/kws01" "$tmp/kws"
  agree "$shared/models/kws_dscnn_int8_qdq.onnx" "$tmp/kws/eval" 0.97
else
  echo "skipped: no $shared/data/kws01"
fi
