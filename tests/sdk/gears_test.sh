#!/bin/bash
# Models whose shape is chosen at run time through pyACL, InferSession, ais_bench and msame: each against models of that fixed shape.
set -euo pipefail
gen=$PWD/$2
. tests/sdk/sdk.sh
[[ -d $OMKIT_HOME/python ]] || skip "the SDK was built without Python (no Python.h or pybind11)"
/usr/bin/python3 -c 'import numpy' 2>/dev/null || skip "no python3-numpy"
"$gen" --net squeezenet1_1 --size 64 --out net.onnx > /dev/null
compile net.onnx batch "--input_shape=input:-1,3,64,64" "--dynamic_batch_size=1,2,4"
compile net.onnx hw "--input_shape=input:1,3,-1,-1" "--dynamic_image_size=64,64;96,64;64,112"
compile net.onnx dims "--input_shape=input:-1,3,-1,-1" "--dynamic_dims=1,64,64;2,96,64" --input_format=ND
compile net.onnx range "--input_shape=input:1~4,3,32~128,32~128"
# The model with another image size: the network's input is described by four one-byte numbers, and nothing else of it depends on them.
sized() {
  /usr/bin/python3 -c '
import sys
n, h, w = (int(a) for a in sys.argv[3:])
dims = lambda *d: b"".join(bytes([10, 2, 8, v]) for v in d)
model = open(sys.argv[1], "rb").read()
assert model.count(dims(n, 3, 64, 64)) == 1
open(sys.argv[2], "wb").write(model.replace(dims(n, 3, 64, 64), dims(n, 3, h, w)))' "$@"
}
for shape in 1,3,64,64 2,3,64,64 4,3,64,64 1,3,96,64 1,3,64,112 2,3,96,64 3,3,40,72; do
  IFS=, read -r n _ h w <<< "$shape"
  "$gen" --net squeezenet1_1 --size 64 --batch "$n" --out "net_$n.onnx" > /dev/null
  sized "net_$n.onnx" fixed.onnx "$n" "$h" "$w"
  compile fixed.onnx "fixed_$shape"
done
exec env OMKIT_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "$runfiles/tests/sdk/gears_test.py"
