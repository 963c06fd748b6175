#!/bin/bash
# Quantization-aware training with PyTorch, from training to a measured INT8 offline model, with the commands a user types:
#   train.py (FP32, then fake quantization) -> ONNX at opset 13 and 17 -> atc without --quant_type -> evaluate
#
#   qat.sh [--epochs=3] [--qat_epochs=1] [FOLDER]
#
# FOLDER keeps everything, trained weights included: a second run with the same folder only compiles and measures. Training uses one
# thread (torch 1.13 is slower with two on networks of this size). Exits with status 77 and 'skipped: why' where torch is missing.
set -euo pipefail
run() { printf '  $ %s\n' "${*//$root\//}"; "$@"; }

epochs=3 qat_epochs=1 folder=
for arg in "$@"; do
  case $arg in
    --epochs=*) epochs=${arg#*=} ;;
    --qat_epochs=*) qat_epochs=${arg#*=} ;;
    -*) echo "qat: unknown argument $arg" >&2; exit 2 ;;
    *) folder=$arg ;;
  esac
done

root=$PWD  # Bazel starts tests and 'run' at the root of the runfiles
if [[ -d $0.runfiles/omkit ]]; then root=$(cd "$0.runfiles/omkit" && pwd); fi
fashion=$root/examples/fashion
atc=$root/tools/atc/atc
[[ -x $atc ]] || { echo "qat: start this by ./bazelw run //examples/qat_pytorch:qat" >&2; exit 2; }
data=${OMKIT_FASHION_MNIST:-/usr/share/datasets/fashion-mnist}
needs='apt-get install --no-install-recommends python3-torch python3-numpy dataset-fashion-mnist'
/usr/bin/python3 -c 'import torch' 2>/dev/null || { echo "skipped: PyTorch is not installed ($needs)"; exit 77; }
[[ -d $data ]] || { echo "skipped: no $data ($needs)"; exit 77; }
if [[ -z $folder ]]; then folder=$(mktemp -d "${TEST_TMPDIR:-${TMPDIR:-/tmp}}/omkit-qat.XXXXXX"); fi
cd "${BUILD_WORKING_DIRECTORY:-$PWD}"
mkdir -p "$folder"
cd "$folder"

echo "1. Train in FP32, fine-tune with fake quantization, export"
if [[ -e fashion_qat_op13.onnx && -e fashion_qat_op17.onnx ]]; then
  echo "  the models are in $PWD already"
else
  run /usr/bin/python3 "$fashion/train.py" --data "$data" --out . --epochs "$epochs" --qat-epochs "$qat_epochs" --qat-opsets 13 17 --weights fp32.pt
fi
python3 "$fashion/prepare.py" "$PWD" --data "$data"

common=(--framework=5 --input_format=NCHW "--input_shape=input:1,1,28,28" --log_level=error --soc_version=host)
echo "2. Compile; the quantized models carry their own parameters, so there is no --quant_type and no calibration data"
run "$atc" --model=fashion_fp32.onnx --output=fp32 "${common[@]}"
for opset in 13 17; do
  run "$atc" --model=fashion_qat_op$opset.onnx --output=qat_op$opset "${common[@]}"
done

echo "3. Run all of them on every test image through the AscendCL API"
status=0
"$fashion/evaluate" --onnx=fashion_fp32.onnx --images=eval.bin --labels=labels.txt FP32=fp32.om QAT-op13=qat_op13.om QAT-op17=qat_op17.om || status=$?
printf '\nThe models and their inputs are in %s\n' "$PWD"
exit $status
