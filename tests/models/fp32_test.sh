#!/bin/bash
# FP32 compiles of real networks against ONNX Runtime on the same inputs: within 1e-4 relative, 1e-5 absolute.
set -euo pipefail
# shellcheck disable=SC1091
. tests/models/setup.sh
models="mobilenet_v1_025_128_fp32 mobilenet_v2_224_fp32 kws_dscnn_fp32 ad01_autoencoder_fp32 cifar10_resnet8_fp32 ultraface_rfb320
  yunet_n_320 mnist_cntk_op8 fmnist_resdw_fp32 ppocr_cls deeplabv3_dm05_513_fp32 yunet_n_dynamic ppocrv4_det"
declare -A shape=([fmnist_resdw_fp32]=input:1,1,28,28 [ppocr_cls]=x:1,3,48,192 [yunet_n_dynamic]=input:1,3,320,320 [ppocrv4_det]=x:1,3,320,320)

# Every other model there has its test: those with a state in recurrent_test.sh, those that come quantized in tests/qdq.
for file in "$shared"/models/*.onnx; do
  name=$(basename "$file" .onnx)
  case $name in *_qdq | *_qat_*) continue ;; esac
  [[ " $(tr '\n' ' ' <<<"$models") " == *" $name "* ]] || grep -q " $name " tests/models/recurrent_test.sh || { echo "no test compiles $name"; exit 1; }
done

rc=0
# shellcheck disable=SC2086
tests/oracle/make_refs.sh "$shared/models" "$tmp/ref" $models || rc=$?
[[ $rc == 77 ]] && exit 0
[[ $rc == 0 ]]
for model in $models; do
  echo "== $model"
  "$atc" --model="$shared/models/$model.onnx" --framework=5 --output="$tmp/$model" --soc_version=host --log=error \
    ${shape[$model]:+--input_shape="${shape[$model]}"} >"$tmp/log" || { cat "$tmp/log"; exit 1; }
  "$compare" outputs "$tmp/$model.om" "$tmp/ref/$model" 1e-4 1e-5
done
