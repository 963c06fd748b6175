#!/bin/bash
# Real networks whose layers compute on bfloat16 against ONNX Runtime in FP32 on the same inputs: within the error of eight bits of mantissa.
set -euo pipefail
# shellcheck disable=SC1091
. tests/models/setup.sh
models="mobilenet_v1_025_128_fp32 mobilenet_v2_224_fp32 kws_dscnn_fp32 ad01_autoencoder_fp32 cifar10_resnet8_fp32 ultraface_rfb320
  fmnist_resdw_fp32 ppocr_cls"
declare -A shape=([fmnist_resdw_fp32]=input:1,1,28,28 [ppocr_cls]=x:1,3,48,192)
declare -A absolute=([ad01_autoencoder_fp32]=0.1)  # elements near 0 among those of some tens

rc=0
# shellcheck disable=SC2086
tests/oracle/make_refs.sh "$shared/models" "$tmp/ref" $models || rc=$?
[[ $rc == 77 ]] && exit 0
[[ $rc == 0 ]]
for model in $models; do
  echo "== $model"
  "$atc" --model="$shared/models/$model.onnx" --framework=5 --output="$tmp/$model" --soc_version=host --log=error \
    --precision_mode=allow_mix_precision_bf16 --display_model_info=1 \
    ${shape[$model]:+--input_shape="${shape[$model]}"} >"$tmp/log" || { cat "$tmp/log"; exit 1; }
  grep -q 'bfloat16_layers\[[1-9]' "$tmp/log" || { echo "no layer computes on bfloat16"; cat "$tmp/log"; exit 1; }
  "$compare" outputs "$tmp/$model.om" "$tmp/ref/$model" 0.03 "${absolute[$model]:-0.02}"
done
