#!/bin/bash
# Exported INT8 networks in ONNX Runtime: random ones, the Fashion-MNIST example, and models of the optional ../shared. Skipped without the
# oracle.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
root=$here/../..
tmp=$(mktemp -d "${TEST_TMPDIR:-/tmp}/export.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

rc=0
dir=$("$root/tests/oracle/install.sh") || rc=$?
if [[ $rc == 77 ]]; then echo "$dir"; exit 0; fi
[[ $rc == 0 ]]
export OMKIT_ORACLE_DIR=$dir

# folder, optimization level: ONNX Runtime's outputs for every exported model of the folder.
outputs() {
  local model name input stem inputs
  for model in "$1"/*.onnx; do
    name=${model%.onnx}
    inputs=()
    for input in "$name".*.bin; do
      stem=${input%.bin}
      inputs+=(--input "${stem#"$name".}=$input")
    done
    node "$root/tests/oracle/ort_run.mjs" --model "$model" "${inputs[@]}" --split --level "$2" --out "$name" >"$tmp/log" 2>&1 || { cat "$tmp/log"; exit 1; }
  done
}

# At its default level ONNX Runtime joins neighbouring pairs of other scales and so changes the arithmetic of networks whose own
# quantization has such pairs; as written they compute our bits.
mkdir "$tmp/calibrated" "$tmp/own" "$tmp/models"
"$here/exported" calibrated "$tmp/calibrated"
outputs "$tmp/calibrated" all
"$here/exported" check "$tmp/calibrated" 0.0001
"$here/exported" own "$tmp/own"
outputs "$tmp/own" disable
"$here/exported" check "$tmp/own"

python3 "$root/examples/fashion/prepare.py" "$tmp/fashion" --data "$root/examples/fashion/data"
"$here/exported" model "$root/examples/fashion/fashion_fp32.onnx" "$tmp/fashion/calib" "$tmp/models" fashion
shared=${OMKIT_SHARED:-$(dirname "$(realpath "${BASH_SOURCE[0]}")")/../../../shared}
if [[ -d $shared/data/kws01 ]]; then
  python3 "$root/tests/oracle/prep_kws.py" "$shared/data/kws01" "$tmp/kws"
  "$here/exported" model "$shared/models/kws_dscnn_fp32.onnx" "$tmp/kws/calib" "$tmp/models" kws
else
  echo "skipped: no $shared/data/kws01"
fi
# Float32 of made numbers, as a folder of samples.
made() {
  python3 - "$@" <<'PY'
import array, os, sys
folder, count, size, low, high = sys.argv[1], *map(float, sys.argv[2:])
os.makedirs(folder)
s = 5
for i in range(int(count)):
    x = array.array('f')
    for _ in range(int(size)):
        s = (s * 1664525 + 1013904223) % 2**32
        x.append(low + (high - low) * (s >> 8) / 2**24)
    with open(os.path.join(folder, f'{i}.bin'), 'wb') as f:
        x.tofile(f)
PY
}
if [[ -e $shared/models/mobilenet_v2_224_fp32.onnx ]]; then
  made "$tmp/cifar" 8 3072 0 255
  "$here/exported" model "$shared/models/cifar10_resnet8_fp32.onnx" "$tmp/cifar" "$tmp/models" resnet8
  # 53 layers on noise: a step that float arithmetic rounds the other way in one of seven million elements has grown by the end.
  mkdir "$tmp/deep"
  made "$tmp/image" 4 150528 -1 1
  "$here/exported" model "$shared/models/mobilenet_v2_224_fp32.onnx" "$tmp/image" "$tmp/deep" mobilenet_v2
  outputs "$tmp/deep" all
  "$here/exported" check "$tmp/deep" 0.005
else
  echo "skipped: no models in $shared"
fi
outputs "$tmp/models" all
"$here/exported" check "$tmp/models"
