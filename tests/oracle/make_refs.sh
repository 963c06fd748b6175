#!/bin/bash
# ONNX Runtime's outputs for every test model on made inputs:  make_refs.sh [MODELS_DIR] [OUT_DIR] [MODEL...]
# Writes OUT_DIR/<model>/{input_*.bin,output_*.bin,meta.json}. The inputs are the 'lcg' numbers that ort_run.mjs --help defines,
# so a C++ test can make the same ones from the table below.
set -uo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
models=${1:-$here/../../../shared/models}
out=${2:-/tmp/omkit_ref}
shift $(($# < 2 ? $# : 2))
[[ -d $models ]] || { echo "skipped: no test models in $models"; exit 77; }
dir=$("$here/install.sh") || { echo "$dir"; exit 77; }
export OMKIT_ORACLE_DIR=$dir

# model | optimization level | inputs
table='
ad01_autoencoder_fp32          | all   | input=lcg,1,-12,4
ad01_autoencoder_int8_qdq      | all   | input=lcg,1,-12,4
cifar10_resnet8_fp32           | all   | input=lcg,1,0,255
cifar10_resnet8_int8_qdq       | all   | input=lcg,1,0,255
deeplabv3_dm05_513_fp32        | all   | input=lcg,1,-1,1
deeplabv3_dm05_513_qat_u8_qdq  | all   | input=lcg,1,-1,1
fmnist_resdw_fp32              | all   | input=lcg,1,-0.81,2.02:1x1x28x28
fmnist_resdw_qat_op13          | basic | input=lcg,1,-0.81,2.02:1x1x28x28
fmnist_resdw_qat_op17          | basic | input=lcg,1,-0.81,2.02:1x1x28x28
gtcrn_simple                   | all   | mix=lcg,1,-1,1 conv_cache=lcg,2,-1,1 tra_cache=lcg,3,-1,1 inter_cache=lcg,4,-1,1
kws_dscnn_fp32                 | all   | input=lcg,1,-123,25
kws_dscnn_int8_qdq             | all   | input=lcg,1,-123,25
mnist_cntk_op8                 | all   | Input3=lcg,1,0,255
mobilenet_v1_025_128_fp32      | all   | input=lcg,1,-1,1
mobilenet_v1_025_128_qat_u8_qdq | all  | input=lcg,1,-1,1
mobilenet_v2_224_fp32          | all   | input=lcg,1,-1,1
mobilenet_v2_224_qat_u8_qdq    | all   | input=lcg,1,-1,1
person_detect_96_int8_qdq      | all   | input=lcg,1,-1,1
ppocr_cls                      | all   | x=lcg,1,-1,1:1x3x48x192
ppocrv4_det                    | all   | x=lcg,1,-2.1,2.6:1x3x320x320
silero_vad_half                | all   | input=lcg,1,-0.5,0.5:1x576 state=lcg,2,-1,1:2x1x128
silero_vad_op18_ifless         | all   | input=lcg,1,-0.5,0.5:1x576 state=lcg,2,-1,1:2x1x128 sr=const,16000:scalar
ultraface_rfb320               | all   | input=lcg,1,-1,1
yunet_n_320                    | all   | input=lcg,1,0,255
yunet_n_dynamic                | all   | input=lcg,1,0,255:1x3x320x320
'
wanted=" $* " failed=0
while IFS='|' read -r model level inputs; do
  model=${model// /} level=${level// /}
  [[ -n $model ]] || continue
  [[ $wanted == *[!\ ]* && $wanted != *" $model "* ]] && continue
  args=()
  for input in $inputs; do args+=(--input "$input"); done
  printf '%-32s ' "$model"
  node "$here/ort_run.mjs" --model "$models/$model.onnx" --level "$level" "${args[@]}" --out "$out/$model" --write-inputs || failed=1
done <<<"$table"
exit $failed
