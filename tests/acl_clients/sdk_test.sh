#!/bin/bash
# Installs the SDK into an empty folder and works in it as a user would: convert a model, compile the example with plain g++, run it.
set -euo pipefail
install=$PWD/$1
model=$PWD/$2
sdk="$TEST_TMPDIR/an sdk"
fail() { echo "FAILED: $*"; exit 1; }
command -v g++ >/dev/null || { echo "skipped: no g++"; exit 0; }

# Arguments and folders that must be refused.
mkdir "$TEST_TMPDIR/taken"; echo mine > "$TEST_TMPDIR/taken/file"
for bad in "" "--prefix" "--nonsense x" "--prefix $TEST_TMPDIR/taken" "--prefix $TEST_TMPDIR/taken/file"; do
  # shellcheck disable=SC2086
  if "$install" $bad > "$TEST_TMPDIR/out" 2>&1; then fail "install $bad succeeded"; fi
  grep -q '^install: ' "$TEST_TMPDIR/out" || fail "install $bad gave no message"
done
[[ $(ls -A "$TEST_TMPDIR/taken") == file && $(cat "$TEST_TMPDIR/taken/file") == mine ]] || fail "a foreign folder was changed"

"$install" --prefix "$sdk"
first=$(cd "$sdk" && find . -ls | awk '{print $3, $11, $12, $13}' | LC_ALL=C sort)
"$install" --prefix "$sdk"
second=$(cd "$sdk" && find . -ls | awk '{print $3, $11, $12, $13}' | LC_ALL=C sort)
[[ $first == "$second" ]] || fail "a second installation differs"
# It can be moved.
mv "$sdk" "$TEST_TMPDIR/moved sdk"; sdk="$TEST_TMPDIR/moved sdk"

set +u
# shellcheck disable=SC1091
. "$sdk/set_env.sh"
set -u
[[ $OMKIT_HOME == "$sdk" && $(command -v atc) == "$sdk/bin/atc" ]] || fail "set_env.sh: OMKIT_HOME=$OMKIT_HOME"
cd "$TEST_TMPDIR"

for include in include runtime/include acllib/include; do
  for lib in lib64 lib64/stub runtime/lib64 runtime/lib64/stub acllib/lib64 acllib/lib64/stub; do
    printf '#include "acl/acl.h"\n#include "acl/ops/acl_dvpp.h"\nint main(void) { return aclInit(NULL) + aclFinalize(); }\n' > c.c
    gcc -std=c99 -Wall -Wextra -Werror c.c -I"$sdk/$include" -L"$sdk/$lib" -lascendcl -lacl_dvpp -lacl_cblas -lacl_rt -lacl_mdl -o c ||
      fail "C client with $include and $lib"
  done
done
./c || fail "the C client gave $?"

g++ -std=c++11 -O1 -Wall -Wextra -Werror "$sdk/examples/edge_infer/main.cpp" -I"$sdk/include" -L"$sdk/lib64" -lacl -lascendcl -o edge_infer
atc --model="$model" --framework=5 --output=net --input_shape=input:1,1,28,28 --soc_version=host > atc.log 2>&1 || { cat atc.log; fail atc; }
head -c 3136 /dev/zero > zero.bin
./edge_infer net.om zero.bin --loop 5 | tee run.log
grep -q "^input 0 'input' 1x1x28x28$" run.log || fail "no line about the input"
(( $(grep -cE '^  [1-5]\. \[[0-9]\] ' run.log) == 5 )) || fail "no five scores"
grep -q '^latency [0-9.]* ms' run.log || fail "no latency"
for mode in OMKIT_STRICT=1 OMKIT_GUARD=1 OMKIT_RUN_MODE=device; do
  env $mode ./edge_infer net.om zero.bin | grep -v latency | diff - <(grep -v latency run.log) || fail "$mode changes the result"
done
for bad in "missing.om zero.bin" "net.om missing.bin" "net.om net.om" "zero.bin zero.bin"; do
  # shellcheck disable=SC2086
  if ./edge_infer $bad > out 2>&1; then fail "edge_infer $bad succeeded"; fi
  grep -q '^edge_infer: ' out || fail "edge_infer $bad gave no message"
done
echo PASSED
