#!/bin/bash
# The oracle's own test, on the Fashion-MNIST example: the ways to feed samples agree, and misuse is told apart from failure.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
fashion=$here/../../examples/fashion
tmp=$(mktemp -d "${TEST_TMPDIR:-/tmp}/oracle.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

rc=0
dir=$("$here/install.sh") || rc=$?
if [[ $rc == 77 ]]; then echo "$dir"; exit 0; fi
[[ $rc == 0 ]]
export OMKIT_ORACLE_DIR=$dir
run() { node "$here/ort_run.mjs" "$@"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
expect() { local want=$1 got=0; shift; "$@" >/dev/null 2>&1 || got=$?; [[ $got == "$want" ]] || fail "exit status $got, not $want: $*"; }

python3 "$fashion/prepare.py" "$tmp" --data "$fashion/data"
model=$fashion/fashion_fp32.onnx

run --model "$model" --input "input=$tmp/calib" --out "$tmp/folder"
run --model "$model" --input "input=$tmp/calib.bin" --split --out "$tmp/split"
cmp "$tmp/folder/output_0.bin" "$tmp/split/output_0.bin"
cat "$tmp"/folder/output_0/*.bin | cmp - "$tmp/folder/output_0.bin"
(cd "$tmp" && printf '%s\n' calib/*.bin >list.txt)
run --model "$model" --input input= --batch-list "$tmp/list.txt" --out "$tmp/list"
cmp "$tmp/list/output_0.bin" "$tmp/folder/output_0.bin"
run --model "$model" --input "input=$tmp/calib/000.bin" --out "$tmp/one" --write-inputs
cmp "$tmp/one/output_0.bin" "$tmp/folder/output_0/000.bin"
cmp "$tmp/one/input_0.bin" "$tmp/calib/000.bin"
run --model "$model" --input "input=$tmp/calib.bin:200x1x28x28" --out "$tmp/batch"
[[ $(stat -c %s "$tmp/batch/output_0.bin") == 8000 ]] || fail "a batch of 200 gives 200 x 10 logits"

for name in fashion_fp32 fashion_qat; do
  run --model "$fashion/$name.onnx" --level basic --input "input=$tmp/eval.bin" --split --labels "$tmp/labels.txt" --out "$tmp/$name" | tee "$tmp/line"
  awk '{ exit !($4 >= 88) }' "$tmp/line" || fail "$name is below 88 % top-1"
done

expect 0 run --model "$model" --info
expect 2 run --model "$model" --out "$tmp/x"
expect 2 run --model "$model" --input wrong=lcg,1,0,1 --out "$tmp/x"
expect 2 run --model "$model" --input input=lcg,1,0,1 --level best --out "$tmp/x"
expect 1 run --model "$tmp/none.onnx" --input input=lcg,1,0,1 --out "$tmp/x"
expect 1 run --model "$model" --input "input=$tmp/labels.txt:1x1x28x28" --out "$tmp/x"
echo passed
