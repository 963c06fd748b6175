#!/bin/bash
# A program around a model of ResNet-50's size stays below 50 MB of resident memory, weights included, and does not use the heap per execution.
set -euo pipefail
gen=$PWD/$2
. tests/sdk/sdk.sh
"$gen" --net=resnet50 --out=resnet50.onnx --size=224 >/dev/null || fail gen
mkdir calib
python3 -c "import random, struct, sys
r = random.Random(1)
sys.stdout.buffer.write(struct.pack('<%df' % (3 * 224 * 224), *[r.uniform(-2, 2) for _ in range(3 * 224 * 224)]))" > calib/0.bin
compile resnet50.onnx resnet50 --quant_type=1 --calibrate_tool_path=calib --precision_mode=allow_mix_precision
rm resnet50.onnx
(( $(stat -c %s resnet50.om) > 25000000 )) || fail "the model has only $(stat -c %s resnet50.om) bytes"
build heap "$runfiles/tests/sdk/heap.cpp"
./heap resnet50.om 50 || fail "heap or resident memory"
echo PASSED
