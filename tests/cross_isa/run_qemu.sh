#!/bin/bash
# The determinism test across instruction sets, on one x86-64 machine with AVX512-VNNI natively and the others in qemu-user:
#   tests/cross_isa/run_qemu.sh [GRAPHS]       (200 by default; some minutes)
#   MACHINES="native sse2 max" tests/cross_isa/run_qemu.sh       (without arm64 and its build)
# x86-64 with SSE2 only and with everything qemu has, arm64 with NEON only, with dotprod, and with i8mm. Compared are
#   * the offline models of GRAPHS random networks for every row, compiled on each of these machines: the same bytes;
#   * their results, and those of three models in ../shared, on each row: the same bytes.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
graphs=${1:-200}
models=${OMKIT_SHARED:-../shared}/models
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
fail() { echo "FAILED: $*"; exit 1; }

./bazelw build --noshow_progress //tests/cross_isa:isa_digest //tools/atc
cp -L bazel-bin/tests/cross_isa/isa_digest "$tmp/x86"
cp -L bazel-bin/tools/atc/atc "$tmp/atc"
machines=${MACHINES:-native sse2 max neon dotprod i8mm}
if [[ $machines == *neon* || $machines == *dotprod* || $machines == *i8mm* ]]; then
  ./bazelw build --noshow_progress --config=aarch64 //tests/cross_isa:isa_digest
  cp -L bazel-bin/tests/cross_isa/isa_digest "$tmp/arm"
fi

# NAME and command of each machine. Old x86: qemu64 without everything above SSE2.
sse2=qemu64,-sse3,-ssse3,-sse4.1,-sse4.2,-cx16,-popcnt,-avx,-avx2
machine() {
  case $1 in
    native) shift; "$tmp/x86" "$@" ;;
    sse2) shift; qemu-x86_64 -cpu "$sse2" "$tmp/x86" "$@" ;;
    max) shift; qemu-x86_64 -cpu max "$tmp/x86" "$@" ;;
    neon) shift; qemu-aarch64 -cpu cortex-a72 -L /usr/aarch64-linux-gnu "$tmp/arm" "$@" ;;
    dotprod) shift; qemu-aarch64 -cpu neoverse-n1 -L /usr/aarch64-linux-gnu "$tmp/arm" "$@" ;;
    i8mm) shift; qemu-aarch64 -cpu max -L /usr/aarch64-linux-gnu "$tmp/arm" "$@" ;;
  esac
}
for m in $machines; do
  start=$SECONDS
  machine "$m" graphs "$graphs" > "$tmp/$m.txt" 2> "$tmp/$m.err" || { cat "$tmp/$m.err"; fail "isa_digest on $m"; }
  echo "$m: $(grep -c ^program "$tmp/$m.txt") offline models, results on $(awk '$1 == "outputs" { print $3 }' "$tmp/$m.txt" | sort -u | tr '\n' ' ')($((SECONDS - start)) s)"
done
for m in $machines; do
  diff <(grep ^program "$tmp/native.txt") <(grep ^program "$tmp/$m.txt") > "$tmp/diff" || { head -4 "$tmp/diff"; fail "$m compiles other bytes than native"; }
done
echo "offline models: the same bytes wherever they are compiled"

if [[ -d $models ]]; then
  for entry in mobilenet_v1_025_128_fp32:49152 kws_dscnn_fp32:490 cifar10_resnet8_fp32:3072; do
    name=${entry%:*}
    mkdir "$tmp/$name"
    python3 -c '
import random, struct, sys
for i in range(2):
    r = random.Random(i)
    n = int(sys.argv[2])
    open("%s/%d.bin" % (sys.argv[1], i), "wb").write(struct.pack("<%df" % n, *[r.uniform(-2, 2) for _ in range(n)]))' "$tmp/$name" "${entry#*:}"
    for pair in native:npu-int8-generic native:npu-int8-avx2 native:npu-int8-avx512vnni sse2:npu-int8-generic max:npu-int8-avx2 neon:npu-int8-neon \
      dotprod:npu-int8-dotprod i8mm:npu-int8-i8mm; do
      row=${pair#*:}
      [[ " $machines " == *" ${pair%:*} "* ]] || continue
      "$tmp/atc" --model="$models/$name.onnx" --framework=5 --output="$tmp/$name.$row" --soc_version="$row" --quant_type=1 \
        --calibrate_tool_path="$tmp/$name" > "$tmp/log" || { cat "$tmp/log"; fail "atc on $name for $row"; }
      OMKIT_SOC=$row machine "${pair%:*}" run "$row" "$tmp/$name.$row.om" | sed "s/ $name[^ ]*/ $name/" | tee -a "$tmp/models.txt"
    done
  done
else
  echo "skipped: no models in $models"
  touch "$tmp/models.txt"
fi
for m in $machines models; do cat "$tmp/$m.txt"; done |
  awk '$1 == "outputs" && $3 != "cpu-reference" { if (($2 in hash) && hash[$2] != $4) { print "network " $2 " differs on " $3; bad = 1 } hash[$2] = $4; ++n; rows[$3] = 1 }
       END { list = ""; for (r in rows) list = list " " r; print n " results of " length(hash) " networks on" list; exit bad || n == 0 }' || fail "results differ"
echo PASSED
