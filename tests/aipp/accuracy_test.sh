#!/bin/bash
# MobileNetV2 in INT8 on photographs that arrive as NV12 frames and go through AIPP, against the same network fed with floats that were
# prepared outside from the JPEGs: top-1 within one point.
set -euo pipefail
atc=$1 compare=$2 aipp=$3
root=$(dirname "$(readlink -f bazelw)")
shared=${OMKIT_SHARED:-$root/../shared}
model=$shared/models/mobilenet_v2_224_fp32.onnx
[[ -e $model && -d $shared/data/imagenet_sample ]] || { echo "skipped: no photographs in $shared/data/imagenet_sample"; exit 0; }
tmp=$(mktemp -d "${TEST_TMPDIR:-/tmp}/aipp_accuracy.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
rc=0
tests/oracle/prep_images.py "$shared/data/imagenet_sample" "$tmp" >"$tmp/prep.txt" || rc=$?
cat "$tmp/prep.txt"
[[ $rc == 77 ]] && exit 0
((rc == 0)) || exit $rc

# x / 127.5 - 1 of the middle 224 x 224 of 256 x 256; photographs are full range.
"$aipp" make --source=nv12:256x256 --crop=224x224+16+16 --network=rgb:224x224 --mean=127.5 --std=127.5 --csc=jpeg --output="$tmp/aipp.cfg"
mkdir "$tmp/frames"
for photo in "$shared"/data/imagenet_sample/*.jpg; do
  stem=$(basename "$photo" .jpg)
  [[ -e $tmp/eval/$stem.bin ]] || continue
  "$aipp" preview --conf="$tmp/aipp.cfg" --image="$photo" --frame="$tmp/frames/$stem.bin" >/dev/null
done
find "$tmp/calib" -name '*.bin' | sort | tail -n +41 | xargs rm -f
common=(--model="$model" --framework=5 --input_shape="input:1,3,224,224" --soc_version=host --quant_type=1 --quant_effort=fast
  --calibrate_tool_path="$tmp/calib")
"$atc" "${common[@]}" --output="$tmp/plain" >/dev/null
"$atc" "${common[@]}" --output="$tmp/camera" --insert_op_conf="$tmp/aipp.cfg" >/dev/null
# `compare samples` wants a reference beside each sample; any outputs of the right size will do for the count of right answers.
mkdir "$tmp/none"
for sample in "$tmp"/eval/*.bin; do head -c 4004 /dev/zero >"$tmp/none/$(basename "$sample")"; done
for kind in plain:eval camera:frames; do
  line=$("$compare" samples "$tmp/${kind%:*}.om" "$tmp/${kind#*:}" "$tmp/none" "$tmp/labels.txt" 1)
  echo "${kind%:*}: $line"
  awk '{ print $4 }' <<<"$line" >>"$tmp/top1.txt"
done
awk '{ v[NR] = $1 } END { d = v[1] - v[2]; exit !(NR == 2 && v[1] > 60 && d <= 1 && d >= -1.5) }' "$tmp/top1.txt"
