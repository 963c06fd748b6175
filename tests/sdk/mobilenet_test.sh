#!/bin/bash
# MobileNetV2 in INT8 through every door of the SDK: C API, wrapper and Python give the classes that ONNX Runtime gives on photographs. ONNX
# Runtime computes the file as it stands (--level disable): its own fused INT8 kernels disagree with that on pictures it is undecided about,
# and those, where its two best classes are closer than 0.02, are left out.
set -euo pipefail
shared=${OMKIT_SHARED:-$(dirname "$(readlink -f bazelw)")/../shared}
[[ -d $shared/data/imagenet_sample ]] || { echo "skipped: no photographs in $shared/data/imagenet_sample"; exit 0; }
rc=0
oracle=$(tests/oracle/install.sh) || rc=$?
[[ $rc == 77 ]] && { echo "$oracle"; exit 0; }
export OMKIT_ORACLE_DIR=$oracle
. tests/sdk/sdk.sh
mkdir photographs
find "$shared/data/imagenet_sample" -name '*.jpg' | LC_ALL=C sort | awk 'NR % 20 == 1' | xargs -I{} cp {} photographs
"$runfiles/tests/oracle/prep_images.py" photographs data || { rc=$?; [[ $rc == 77 ]] && exit 0; fail prep_images.py; }
model=$shared/models/mobilenet_v2_224_qat_u8_qdq.onnx
node "$runfiles/tests/oracle/ort_run.mjs" --model "$model" --level disable --input input=data/eval --out ort >/dev/null || fail "ONNX Runtime"
compile "$model" net

build acl_infer "$OMKIT_HOME/examples/edge_infer/acl_infer.cpp"
build main "$OMKIT_HOME/examples/edge_infer/main.cpp"
build heap "$runfiles/tests/sdk/heap.cpp"
cat > clear.py <<'END'
import glob
import numpy as np
for path in sorted(glob.glob('ort/output_0/*.bin')):
    scores = np.fromfile(path, np.float32)
    second, first = np.partition(scores, -2)[-2:]
    if first - second >= 0.02:
        print(path.replace('ort/output_0', 'data/eval'), scores.argmax())
END
/usr/bin/python3 clear.py > clear
mapfile -t pictures < <(cut -d' ' -f1 clear)
cut -d' ' -f2 clear > classes
(( ${#pictures[@]} >= 12 )) || fail "ONNX Runtime is clear about ${#pictures[@]} photographs only"
./acl_infer net.om "${pictures[@]}" | awk '{ print $NF }' | diff classes - || fail "acl_infer and ONNX Runtime differ"
./main net.om "${pictures[@]}" | sed -n 's/^  1\. \[\([0-9]*\)\].*/\1/p' | diff classes - || fail "the wrapper and ONNX Runtime differ"
if [[ -d $OMKIT_HOME/python ]]; then
  /usr/bin/python3 "$OMKIT_HOME/examples/python/infer_session.py" net.om "${pictures[@]}" | sed -n 's/.* class //p' | diff classes - ||
    fail "InferSession and ONNX Runtime differ"
  first=$(basename "${pictures[0]}")
  /usr/bin/python3 "$OMKIT_HOME/examples/python/verify.py" net.om "data/eval/$first" "ort/output_0/$first" || fail "verify.py"
fi
./heap net.om 50 || fail "heap or resident memory"
echo "PASSED: ${#pictures[@]} photographs"
