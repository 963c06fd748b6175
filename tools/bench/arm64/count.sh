#!/bin/bash
# Instructions that the arm64 kernels execute, counted in qemu-user: tools/bench/arm64/count.sh
# Prints the table of docs/performance.md: one layer a line, instructions per 16 multiply-adds of the whole kernel, its epilogue included.
# An instruction count is not a time: it says nothing about latencies, ports or caches. Takes some minutes.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../../.."
./bazelw build --config=aarch64 --noshow_progress //tools/bench/arm64:one_layer >&2
binary=$(readlink -f bazel-out/k8-optaarch64/bin/tools/bench/arm64/one_layer)

# instructions LAYER TIER RUNS: of the whole program, one a logged line.
instructions() { qemu-aarch64 -cpu max -L /usr/aarch64-linux-gnu -singlestep -d exec,nochain "$binary" "$@" 2>&1 >/dev/null | grep -c ^Trace; }

echo "| layer | portable | neon | dotprod | i8mm |"
echo "|---|---|---|---|---|"
while read -r layer title; do
  work=$(qemu-aarch64 -cpu max -L /usr/aarch64-linux-gnu "$binary" "$layer" generic 0)
  row="| $title |"
  for tier in generic neon dotprod i8mm; do
    once=$(instructions "$layer" "$tier" 1) twice=$(instructions "$layer" "$tier" 2)
    row+=" $(awk -v n=$((twice - once)) -v w="$work" 'BEGIN { printf "%.2f", n * 16 / w }') |"
  done
  echo "$row"
done <<'LAYERS'
first 3x3 stride 2, 3 to 32 channels, 32 x 32
conv3x3 3x3, 64 to 64 channels, 7 x 7
pointwise 1x1, 64 to 96 channels, 14 x 14
pointwise24 1x1, 96 to 24 channels, 14 x 14
depthwise depthwise 3x3, 96 channels, 14 x 14
depthwise_s2 depthwise 3x3 stride 2, 96 channels, 14 x 14
matmul activations 96 x 64 times 64 x 96
LAYERS
