#!/bin/bash
# accuracy --reference onnxruntime: what ONNX Runtime gives in a process of accuracy's own is what ort_run.mjs writes into files.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
fashion=$here/../../examples/fashion
tmp=$(mktemp -d "${TEST_TMPDIR:-/tmp}/reference.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }

rc=0
dir=$("$here/../oracle/install.sh") || rc=$?
if [[ $rc == 77 ]]; then echo "$dir"; exit 0; fi
[[ $rc == 0 ]]
export OMKIT_ORACLE_DIR=$dir

python3 "$fashion/prepare.py" "$tmp" --data "$fashion/data"
mkdir "$tmp/few"
cp "$tmp"/calib/00[0-7].bin "$tmp/few/"
model=$fashion/fashion_fp32.onnx
tools/atc/atc --framework=5 --model="$model" --output="$tmp/net" --soc_version=host --quant_type=1 --quant_effort=fast --input_shape="input:1,1,28,28" \
  --calibrate_tool_path="$tmp/few" --log=error >/dev/null
accuracy() { tools/accuracy/accuracy --model "$model" --om "$tmp/net.om" --data "$tmp/few" --layer-samples 0 "$@"; }

node "$here/../oracle/ort_run.mjs" --model "$model" --input "input=$tmp/few" --out "$tmp/files"
accuracy --reference "$tmp/files" --json "$tmp/files.json" >/dev/null
accuracy --reference onnxruntime --json "$tmp/process.json" >"$tmp/text"
cmp "$tmp/files.json" "$tmp/process.json"
grep -q 'float against it *1.000000' "$tmp/text" || fail "float and ONNX Runtime differ: $(cat "$tmp/text")"

if PATH=/nonexistent accuracy --reference onnxruntime >"$tmp/text" 2>&1; then fail "no node, no error"; fi
grep -q 'node cannot be started' "$tmp/text" || fail "$(cat "$tmp/text")"
if (unset NODE_PATH; HOME=$tmp XDG_CACHE_HOME=$tmp OMKIT_ORACLE_DIR=$tmp accuracy --reference onnxruntime) >"$tmp/text" 2>&1; then
  fail "no onnxruntime-node, no error"
fi
grep -q 'onnxruntime-node is not installed' "$tmp/text" || fail "$(cat "$tmp/text")"
echo "passed"
