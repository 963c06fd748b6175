#!/bin/bash
# Real networks whose shapes are chosen at run time, against ONNX Runtime for each gear and for several shapes: batch, image size and dims
# gears, ranges; within 1e-4 relative, 1e-5 absolute in FP32. Batch gears in INT8 give the bits of the model of batch 1.
set -euo pipefail
# shellcheck disable=SC1091
. tests/models/setup.sh

# reference NAME MODEL INPUT=SOURCE[:DIMS]: what ONNX Runtime gives for one shape, in $tmp/NAME.
reference() { node tests/oracle/ort_run.mjs --model "$shared/models/$2.onnx" --input "$3" --out "$tmp/$1" --write-inputs >"$tmp/log" || { cat "$tmp/log"; exit 1; }; }
# compile NAME MODEL FLAG...: $tmp/NAME.om.
compile() {
  "$atc" --model="$shared/models/$2.onnx" --framework=5 --output="$tmp/$1" --soc_version=host --log=error "${@:3}" >"$tmp/log" || { cat "$tmp/log"; exit 1; }
}

for size in 320x320 640x480 96x224; do
  reference "det_$size" ppocrv4_det "x=lcg,1,-2.1,2.6:1x3x$size"
  reference "yunet_$size" yunet_n_dynamic "input=lcg,1,0,255:1x3x$size"
done
echo "== ppocr det, image sizes as gears"
compile det_gears ppocrv4_det "--input_shape=x:1,3,-1,-1" "--dynamic_image_size=320,320;640,480;96,224"
echo "== ppocr det, any image size"
compile det_range ppocrv4_det "--input_shape=x:1~4,3,32~960,32~960"
echo "== yunet, dims gears"
compile yunet_gears yunet_n_dynamic "--input_shape=input:1,3,-1,-1" "--dynamic_dims=96,224;320,320;640,480" --input_format=ND
echo "== yunet, any image size"
compile yunet_range yunet_n_dynamic "--input_shape=input:-1,3,-1,-1"
for size in 320x320 640x480 96x224; do
  for form in gears range; do
    echo "-- $size, $form"
    "$compare" outputs "$tmp/det_$form.om" "$tmp/det_$size" 1e-4 1e-5
    "$compare" outputs "$tmp/yunet_$form.om" "$tmp/yunet_$size" 1e-4 1e-5
  done
done

echo "== MobileNetV2, batch gears"
for k in 1 2 3 4; do reference "mbv2_$k" mobilenet_v2_224_fp32 "input=lcg,$k,-1,1"; done
compile mbv2 mobilenet_v2_224_fp32 "--input_shape=input:-1,3,224,224" "--dynamic_batch_size=1,2,4"
"$compare" batch "$tmp/mbv2.om" 1e-4 1e-5 "$tmp/mbv2_1"
"$compare" batch "$tmp/mbv2.om" 1e-4 1e-5 "$tmp/mbv2_1" "$tmp/mbv2_2"
"$compare" batch "$tmp/mbv2.om" 1e-4 1e-5 "$tmp/mbv2_1" "$tmp/mbv2_2" "$tmp/mbv2_3" "$tmp/mbv2_4"

echo "== MobileNetV1, batch gears in INT8, beside the model of batch 1"
mkdir "$tmp/calib"
for k in 1 2 3 4; do
  reference "mbv1_$k" mobilenet_v1_025_128_fp32 "input=lcg,$k,-1,1"
  cp "$tmp/mbv1_$k/input_0.bin" "$tmp/calib/$k.bin"
done
int8=(--precision_mode=allow_mix_precision --quant_type=1 --calibrate_tool_path="$tmp/calib")
compile mbv1 mobilenet_v1_025_128_fp32 "--input_shape=input:-1,3,128,128" "--dynamic_batch_size=1,2,4" "${int8[@]}"
compile mbv1_single mobilenet_v1_025_128_fp32 "--input_shape=input:1,3,128,128" "${int8[@]}"
"$compare" same "$tmp/mbv1.om" "$tmp/mbv1_single.om" "$tmp/mbv1_1"
"$compare" same "$tmp/mbv1.om" "$tmp/mbv1_single.om" "$tmp"/mbv1_{1,2}
"$compare" same "$tmp/mbv1.om" "$tmp/mbv1_single.om" "$tmp"/mbv1_{1,2,3,4}
