#!/bin/bash
# From a trained ONNX network to a measured INT8 offline model, with the same commands a user types:
#   data -> atc (FP32) -> atc (INT8, calibrated) -> atc (INT8, trained for it) -> evaluate
#
#   demo.sh [--committed] [--max_drop=POINTS] [FOLDER]
#
# FOLDER receives the inputs and the models (default: a new folder in /tmp). --committed takes the 500 test images beside this
# script; without it all 10,000 are used, from Debian's dataset-fashion-mnist, which is installed when this runs as root.
# The exit status is that of evaluate.
set -euo pipefail
if [[ -t 1 ]]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
run() { printf '  $ %s\n' "${*//$root\//}"; "$@"; }

committed=
limits=()
folder=
for arg in "$@"; do
  case $arg in
    --committed) committed=1 ;;
    --max_drop=*) limits+=("$arg") ;;
    -*) echo "demo: unknown argument $arg" >&2; exit 2 ;;
    *) folder=$arg ;;
  esac
done

root=$PWD  # Bazel starts tests and 'run' at the root of the runfiles
if [[ -d $0.runfiles/omkit ]]; then root=$(cd "$0.runfiles/omkit" && pwd); fi
[[ -x $root/tools/atc/atc ]] || { echo "demo: start this by ./bazelw run //examples/fashion:demo" >&2; exit 2; }
fashion=$root/examples/fashion
atc=$root/tools/atc/atc
if [[ -z $folder ]]; then folder=$(mktemp -d "${TEST_TMPDIR:-${TMPDIR:-/tmp}}/omkit-fashion.XXXXXX"); fi
cd "${BUILD_WORKING_DIRECTORY:-$PWD}"
mkdir -p "$folder"
cd "$folder"

debian=/usr/share/datasets/fashion-mnist
data=$fashion/data
install_data() {
  apt-get install -y --no-install-recommends dataset-fashion-mnist || {
    apt-get update && apt-get install -y --no-install-recommends dataset-fashion-mnist
  }
}
if [[ -n $committed ]]; then
  say "1. Data: the 500 test images of the repository"
elif [[ ! -e $debian && $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
  say "1. Data: installing the Debian package dataset-fashion-mnist (30 MB), which has all 10,000 test images"
  DEBIAN_FRONTEND=noninteractive install_data >apt.log 2>&1 || { echo "  not possible:"; tail -n 3 apt.log; }
else
  say "1. Data"
fi
if [[ -z $committed && -e $debian ]]; then
  data=$debian
elif [[ -z $committed ]]; then
  echo "  dataset-fashion-mnist is not installed: using the 500 test images of the repository. For all 10,000, as root:"
  echo "  apt-get install --no-install-recommends dataset-fashion-mnist"
fi
python3 "$fashion/prepare.py" "$PWD" --data "$data"

common=(--framework=5 --input_format=NCHW "--input_shape=input:1,1,28,28" --log_level=error --soc_version=host)
say "2. Compile in FP32, to compare with"
run "$atc" --model="$fashion/fashion_fp32.onnx" --output=fashion_fp32 "${common[@]}"
say "3. Calibrate with 200 training images and compile to INT8"
run "$atc" --model="$fashion/fashion_fp32.onnx" --output=fashion_int8 "${common[@]}" \
  --precision_mode=allow_mix_precision --quant_type=1 --calibrate_tool_path=./calib

say "4. Compile the network of quantization-aware training, which carries its own INT8 parameters"
run "$atc" --model="$fashion/fashion_qat.onnx" --output=fashion_qat "${common[@]}"

say "5. Run all of them on every test image through the AscendCL API"
status=0
"$fashion/evaluate" --onnx="$fashion/fashion_fp32.onnx" --images=eval.bin --labels=labels.txt "${limits[@]}" \
  FP32=fashion_fp32.om INT8=fashion_int8.om INT8-QAT=fashion_qat.om || status=$?
printf '\nThe models and their inputs are in %s\n' "$PWD"
exit $status
