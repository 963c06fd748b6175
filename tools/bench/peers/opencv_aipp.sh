#!/bin/bash
# AIPP beside OpenCV's float code, in turns, on one core:
#
#   opencv_aipp.sh MODEL.onnx [INPUT [ROUNDS]]     a network whose one input INPUT (default: input) is 1x3x224x224, for the end-to-end times
#
# Build first: ./bazelw build //tools/atc //tools/om //tools/aipp //backends/kernels/aipp:bench
# Needs Debian's libopencv-imgproc-dev; not part of the tests.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../../.."
model=$1 input=${2:-input} rounds=${3:-5}
bin=bazel-bin
[[ -e /usr/include/opencv4/opencv2/imgproc.hpp ]] || { echo "missing; run as root:  apt-get install --no-install-recommends libopencv-imgproc-dev" >&2; exit 2; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
g++ -std=c++17 -O2 -I/usr/include/opencv4 tools/bench/peers/opencv_aipp.cc -o "$tmp/peer" -lopencv_imgproc -lopencv_core
$bin/tools/aipp/aipp make --source=nv12:1920x1080 --crop=1280x720 --network=rgb:224x224 --mean=123.675,116.28,103.53 --std=58.395,57.12,57.375 \
  --output="$tmp/aipp.cfg" 2>/dev/null
python3 - "$tmp/frame.nv12" <<'P'
import random, sys
# Slopes with some noise: a picture that no part of is flat.
w, h, r = 1920, 1080, random.Random(1)
rows = [bytes(min(255, max(0, 16 + (x * 219 // w + y * 219 // h) // 2 + (x * 7 + y * 13) % 23)) for x in range(w)) for y in range(h)]
rows += [bytes(64 + (x // 2 * 128 // (w // 2) if x % 2 else y * 128 // (h // 2)) for x in range(w)) for y in range(h // 2)]
open(sys.argv[1], 'wb').write(b''.join(rows))
P
$bin/tools/aipp/aipp preview --conf="$tmp/aipp.cfg" --image="$tmp/frame.nv12" --raw="$tmp/seen.bin" >/dev/null
mkdir "$tmp/calib"
cp "$tmp/seen.bin" "$tmp/calib/0.bin"
common=(--model="$model" --framework=5 --soc_version=host --quant_type=1 --quant_effort=fast --calibrate_tool_path="$tmp/calib" --input_shape="$input:1,3,224,224")
$bin/tools/atc/atc "${common[@]}" --output="$tmp/plain" >/dev/null
$bin/tools/atc/atc "${common[@]}" --output="$tmp/camera" --insert_op_conf="$tmp/aipp.cfg" >/dev/null

# The bilinear resize alone, on noise.
for sizes in "1280x720 224x224" "1920x1080 416x416" "500x300 96x96" "300x200 299x299" "224x224 448x448"; do
  from=${sizes% *} to=${sizes#* }
  head -c $((${from%x*} * ${from#*x})) /dev/urandom >"$tmp/grey"
  $bin/tools/aipp/aipp make --source="grey:$from" --network="grey:$to" --output="$tmp/grey.cfg" 2>/dev/null
  $bin/tools/aipp/aipp preview --conf="$tmp/grey.cfg" --image="$tmp/grey" --raw="$tmp/grey.bin" >/dev/null
  "$tmp/peer" "$tmp/grey" "$tmp/grey.bin" "${from%x*}" "${from#*x}" "${to%x*}" "${to#*x}"
done

least() { sort -g | head -1; }
run() { OMKIT_NUM_THREADS=1 $bin/tools/om/om run "$1" --input="$2" --warmup=20 --loop=100 | sed -n 's/.*min[^0-9]*\([0-9.]*\).*/\1/p' | head -1; }
for ((i = 0; i < rounds; ++i)); do
  "$tmp/peer" "$tmp/frame.nv12" "$tmp/seen.bin" 100 | tee "$tmp/peer.txt" | awk '{ print $2 }' >>"$tmp/opencv"
  $bin/backends/kernels/aipp/bench --benchmark_filter='nv12_1080p_crop_720p_to_224_u8' --benchmark_min_time=0.2 2>/dev/null |
    awk '/nv12_1080p/ { v = $4 / 1000 } END { print v }' >>"$tmp/aipp"
  run "$tmp/plain.om" "$tmp/seen.bin" >>"$tmp/plain"
  run "$tmp/camera.om" "$tmp/frame.nv12" >>"$tmp/camera"
done
cat "$tmp/peer.txt"
awk -v opencv="$(least <"$tmp/opencv")" -v aipp="$(least <"$tmp/aipp")" -v plain="$(least <"$tmp/plain")" -v camera="$(least <"$tmp/camera")" 'BEGIN {
  printf "preprocessing  OpenCV %.3f ms   AIPP kernel %.3f ms   ratio %.1f\n", opencv, aipp, opencv / aipp
  printf "end to end     OpenCV + network %.3f ms   network with AIPP %.3f ms   less by %.1f %%\n", opencv + plain, camera, 100 * (1 - camera / (opencv + plain))
}'
