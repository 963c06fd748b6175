#!/bin/bash
# libomkit_rt.a and `om array`: firmware built with g++ alone gives the bytes that libascendcl gives, for the Fashion-MNIST model and, where
# they are, keyword spotting and MobileNetV1-0.25; damaged models are refused.
set -euo pipefail
shared=${OMKIT_SHARED:-$(dirname "$(readlink -f bazelw)")/../shared}
. tests/sdk/sdk.sh

# firmware NAME: builds the example around NAME.om. Nothing of C++ but the language: no exceptions, no run-time types, no libstdc++.
firmware() {
  mkdir -p "$1.d"
  om array "$1.om" --output="$1.d/net.h" || fail "om array $1"
  g++ -std=c++11 -Os -Wall -Wextra -Werror -fno-exceptions -fno-rtti "$OMKIT_HOME/examples/bare_metal/main.cpp" -I"$1.d" -I"$OMKIT_HOME/include" \
    -L"$OMKIT_HOME/lib64" -nodefaultlibs -lomkit_rt -lc -lm -o "$1.bare" || fail "g++ firmware $1"
  if nm -D --undefined-only "$1.bare" | grep -E 'malloc|_Znw|printf|fopen|pthread'; then fail "$1: the firmware needs more than it says"; fi
}
# check NAME BYTES: three inputs, one after the other through one process, against `om run`.
check() {
  local i
  rm -f "$1".expected "$1".in
  for i in 1 2 3; do
    python3 -c "import random, struct, sys
r = random.Random($i)
sys.stdout.buffer.write(b''.join(struct.pack('<f', r.uniform(-1, 1)) for _ in range($2 // 4)))" > input.bin
    om run "$1.om" --input=input.bin --output=om_out --threads=1 >/dev/null || fail "om run $1"
    cat om_out/output_0.bin >> "$1.expected"
    cat input.bin >> "$1.in"
  done
  "./$1.bare" < "$1.in" > "$1.got" || fail "$1: the firmware ended with $?"
  cmp "$1.expected" "$1.got" || fail "$1: firmware and libascendcl differ"
  [[ $(tail -c 40 "$1.expected" | od -An -tx1 | tr -d ' 0\n') != "" ]] || fail "$1: only zeros"
}

compile "$runfiles/examples/fashion/fashion_qat.onnx" fashion --input_shape=input:1,1,28,28
models="fashion 3136"
if [[ -d $shared/models ]]; then
  compile "$shared/models/kws_dscnn_int8_qdq.onnx" kws
  compile "$shared/models/mobilenet_v1_025_128_qat_u8_qdq.onnx" mobilenet
  models+=$'\nkws 1960\nmobilenet 196608'
else
  echo "no models in $shared: the Fashion-MNIST model alone"
fi
atc --model="$runfiles/examples/fashion/fashion_qat.onnx" --framework=5 --output=portable --input_shape=input:1,1,28,28 --soc_version=npu-int8-generic \
  --log_level=error >/dev/null || fail "atc for the portable tier"
while read -r name bytes; do
  firmware "$name"
  check "$name" "$bytes"
done <<< "$models"
# The portable tier runs anywhere, on chips that libascendcl stands for as well.
firmware portable
OMKIT_SOC=npu-int8-generic om run portable.om --input=input.bin >/dev/null 2>&1 || true
head -c 3136 fashion.in > one.in
./portable.bare < one.in | cmp - <(head -c 40 fashion.expected) || fail "the portable tier gives other bytes"

# What the archive refuses.
cat > refuse.c <<'END'
#include <stdio.h>
#include <string.h>
#include "net.h"
#include "omkit_rt.h"
static unsigned char copy[sizeof net] __attribute__((aligned(64))), memory[net_memory_size] __attribute__((aligned(64)));
static int status(size_t size, size_t memory_size) {
  omkit_rt_model* model = NULL;
  omkit_rt_failure failure;
  const omkit_rt_status s = omkit_rt_load(copy, size, memory, memory_size, &model, &failure);
  if ((s == OMKIT_RT_OK) != (model != NULL) || (s != OMKIT_RT_OK && failure.reason == NULL)) return -1;
  return (int)s;
}
int main(void) {
  size_t i, bytes = 0, wrong = 0;
  omkit_rt_tensor tensor;
  omkit_rt_model* model = NULL;
  memcpy(copy, net, sizeof net);
  if (status(sizeof net, sizeof memory) != OMKIT_RT_OK) return 1;
  if (omkit_rt_memory_size(copy, sizeof net, &bytes, NULL) != OMKIT_RT_OK || bytes != sizeof memory) return 2;
  if (status(sizeof net, sizeof memory - 1) != OMKIT_RT_MEMORY_TOO_SMALL) return 3;
  if (omkit_rt_load(copy + 1, sizeof net, memory, sizeof memory, &model, NULL) != OMKIT_RT_INVALID_ARGUMENT) return 4;
  if (omkit_rt_load(copy, sizeof net, memory + 8, sizeof memory - 8, &model, NULL) != OMKIT_RT_INVALID_ARGUMENT) return 5;
  if (omkit_rt_load(copy, sizeof net, memory, sizeof memory, NULL, NULL) != OMKIT_RT_INVALID_ARGUMENT) return 6;
  for (i = 0; i < sizeof net; i = i < 4096 ? i + 1 : i + 997) {
    copy[i] ^= 4;
    if (status(sizeof net, sizeof memory) == OMKIT_RT_OK) ++wrong;
    copy[i] ^= 4;
  }
  for (i = 0; i < sizeof net; i += 1001) {
    if (status(i, sizeof memory) == OMKIT_RT_OK) ++wrong;
  }
  if (wrong != 0) return 7;
  if (omkit_rt_load(copy, sizeof net, memory, sizeof memory, &model, NULL) != OMKIT_RT_OK) return 8;
  if (omkit_rt_num_inputs(model) != 1 || omkit_rt_num_outputs(model) != 1 || omkit_rt_num_inputs(NULL) != 0) return 9;
  if (omkit_rt_input(model, 0, &tensor) != OMKIT_RT_OK || strcmp(tensor.name, "input") != 0 || tensor.bytes != 3136 || tensor.rank != 4 ||
      tensor.dims[3] != 28 || tensor.data_type != 0) return 10;
  if (omkit_rt_output(model, 1, &tensor) != OMKIT_RT_INVALID_ARGUMENT || omkit_rt_output(NULL, 0, &tensor) != OMKIT_RT_INVALID_ARGUMENT) return 11;
  if (omkit_rt_execute(model, NULL, NULL) != OMKIT_RT_INVALID_ARGUMENT || omkit_rt_execute(NULL, NULL, NULL) != OMKIT_RT_INVALID_ARGUMENT) return 12;
  return strcmp(omkit_rt_status_text(OMKIT_RT_DAMAGED), "damaged model") == 0 ? 0 : 13;
}
END
gcc -std=gnu99 -O1 -Wall -Wextra -Werror refuse.c -Ifashion.d -I"$OMKIT_HOME/include" -L"$OMKIT_HOME/lib64" -lomkit_rt -lm -o refuse || fail "gcc refuse.c"
./refuse || fail "refuse.c ended with $?"
# Networks that stay in float need the full runtime.
compile "$runfiles/examples/fashion/fashion_fp32.onnx" float --input_shape=input:1,1,28,28
if om array float.om --output=float.h 2> out; then fail "om array took a float network"; fi
grep -q 'libomkit_rt cannot run it: this runtime has no such kernel: ' out || { cat out; fail "no reason given"; }
echo PASSED
