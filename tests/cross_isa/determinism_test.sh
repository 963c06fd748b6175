#!/bin/bash
# One INT8 network, one result: 200 random networks and three models give the same bytes on every row of this machine, and an offline
# model for any row is the same bytes wherever it was compiled (as far as one machine can tell: with any of its rows calibrating).
#   determinism_test.sh isa_digest atc
# run_qemu.sh does the same with arm64 and old x86 CPUs.
set -euo pipefail
digest=$1 atc=$2
root=$(dirname "$(readlink -f bazelw)")
models=${OMKIT_SHARED:-$root/../shared}/models
tmp=$(mktemp -d "${TEST_TMPDIR:-/tmp}/determinism.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
fail() { echo "FAILED: $*"; exit 1; }

# Every graph has one output hash over all rows that ran. cpu-reference is the interpreter, which sums float tails in another order.
one_result() {
  awk '$1 == "outputs" && $3 != "cpu-reference" { if (($2 in hash) && hash[$2] != $4) { print "network " $2 " differs on " $3; bad = 1 } hash[$2] = $4; ++n }
       END { print n " results of " length(hash) " networks"; exit bad || n == 0 }' "$@"
}

"$digest" graphs "${GRAPHS:-200}" > "$tmp/graphs"
one_result "$tmp/graphs" || fail "random networks"
# Calibration runs on the best tier that there is: a smaller one must choose the same numbers.
some=60
OMKIT_ISA=generic "$digest" graphs "$some" > "$tmp/generic"
diff <(awk -v some=$some '$1 == "program" && $2 < some' "$tmp/graphs") <(grep ^program "$tmp/generic") > "$tmp/diff" || { head -4 "$tmp/diff"; fail "programs depend on the CPU that compiles"; }

[[ -d $models ]] || { echo "skipped: no models in $models"; exit 0; }
# samples FOLDER ELEMENTS
samples() {
  mkdir -p "$1"
  python3 -c '
import random, struct, sys
for i in range(2):
    r = random.Random(i)
    n = int(sys.argv[2])
    open("%s/%d.bin" % (sys.argv[1], i), "wb").write(struct.pack("<%df" % n, *[r.uniform(-2, 2) for _ in range(n)]))' "$1" "$2"
}
rows=$(awk '$1 == "outputs" && $3 != "cpu-reference" { print $3 }' "$tmp/graphs" | sort -u)
while read -r name elements; do
  samples "$tmp/$name" "$elements"
  for row in $rows; do
    "$atc" --model="$models/$name.onnx" --framework=5 --output="$tmp/$name.$row" --soc_version="$row" --quant_type=1 \
      --calibrate_tool_path="$tmp/$name" > "$tmp/log" || { cat "$tmp/log"; fail "atc on $name"; }
    OMKIT_SOC=$row "$digest" run "$row" "$tmp/$name.$row.om" | sed "s/ $name[^ ]*/ $name/"
  done
done > "$tmp/models" <<END
mobilenet_v1_025_128_fp32 49152
kws_dscnn_fp32 490
cifar10_resnet8_fp32 3072
END
cat "$tmp/models"
one_result "$tmp/models" || fail "models"
