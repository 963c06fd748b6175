#!/bin/bash
# The product's command on MobileNetV2 with 100 photographs: INT8 top-1 on the other photographs within 1.0 point of ONNX Runtime's FP32
# on the same images, mean cosine of the outputs above 0.99.
set -euo pipefail
# shellcheck disable=SC1091
. tests/models/setup.sh
[[ -d $shared/data/imagenet_sample ]] || { echo "skipped: no photographs in $shared/data/imagenet_sample"; exit 0; }
tests/oracle/prep_images.py "$shared/data/imagenet_sample" "$tmp" || rc=$?
[[ $rc == 77 ]] && exit 0
[[ $rc == 0 ]]
model=$shared/models/mobilenet_v2_224_fp32.onnx
node tests/oracle/ort_run.mjs --model "$model" --input input="$tmp/eval" --out "$tmp/ort"

start=$SECONDS
"$atc" --model="$model" --framework=5 --output="$tmp/mobilenet_int8" --input_format=NCHW --input_shape="input:1,3,224,224" --log_level=error \
  --soc_version=host --precision_mode=allow_mix_precision --quant_type=1 --calibrate_tool_path="$tmp/calib"
echo "atc took $((SECONDS - start)) s"
line=$("$compare" samples "$tmp/mobilenet_int8.om" "$tmp/eval" "$tmp/ort/output_0" "$tmp/labels.txt" 1)
echo "$line"
awk '{ exit !($2 == 298 && $4 >= $6 - 1.0 && $10 > 0.99) }' <<<"$line"
# The number of threads does not show in the file.
sum=$(sha256sum <"$tmp/mobilenet_int8.om")
OMKIT_NUM_THREADS=1 "$atc" --model="$model" --framework=5 --output="$tmp/mobilenet_int8" --input_format=NCHW --input_shape="input:1,3,224,224" \
  --log_level=error --soc_version=host --precision_mode=allow_mix_precision --quant_type=1 --calibrate_tool_path="$tmp/calib"
[[ $(sha256sum <"$tmp/mobilenet_int8.om") == "$sum" ]] || { echo "one thread gives another file"; exit 1; }
