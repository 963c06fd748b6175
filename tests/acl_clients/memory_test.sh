#!/bin/bash
# An INT8 network of ResNet-50's size: a program that executes it holds less than 50 MB and executions make no heap calls.
set -euo pipefail
lib=$PWD/$1; atc=$PWD/$2; gen=$PWD/$3
fail() { echo "FAILED: $*"; exit 1; }
command -v g++ >/dev/null || { echo "skipped: no g++"; exit 0; }
root=$PWD
cd "$TEST_TMPDIR"
mkdir -p lib64 calib
cp "$lib" lib64/libascendcl.so.1
ln -sf libascendcl.so.1 lib64/libascendcl.so
"$gen" --net=resnet50 --out=net.onnx > gen.log 2>&1 || { cat gen.log; fail gen; }
head -c 602112 /dev/zero > calib/0.bin
"$atc" --model=net.onnx --framework=5 --output=net --soc_version=host --log_level=error --precision_mode=allow_mix_precision --quant_type=1 \
  --calibrate_tool_path=calib > atc.log 2>&1 || { tail -20 atc.log; fail atc; }
rm net.onnx
(( $(stat -c %s net.om) > 20 << 20 )) || fail "net.om is smaller than ResNet-50"
g++ -std=c++11 -O1 -Wall -Wextra -Werror "$root/tests/acl_clients/clients/memory.cpp" -I"$root/runtime/acl/include" -Llib64 -lascendcl -o memory
LD_LIBRARY_PATH=$PWD/lib64 OMKIT_NUM_THREADS=2 ./memory net.om | tee out || fail "memory: $(cat out)"
peak=$(sed -n 's/.*peak \([0-9]*\) KiB/\1/p' out)
(( peak * 1024 < 50000000 )) || fail "peak RSS is $peak KiB"
echo PASSED
