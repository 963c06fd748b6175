#!/bin/bash
# The steps of docs/plugins.md in an SDK: scaffold a backend outside the tree, build it with g++ alone, run its conformance test, compile
# and run a network with it; then remove it and see that everything else works.
#   new_backend_test.sh SDK.tar NETWORK.onnx
set -euo pipefail
sdk_tar=$PWD/$1 network=$PWD/$2
fail() { echo "FAILED: $*"; exit 1; }
command -v g++ > /dev/null || { echo "skipped: no g++"; exit 0; }
tmp=$(mktemp -d "${TEST_TMPDIR:-/tmp}/new_backend.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
sdk="$tmp/an sdk"
mkdir "$sdk"
tar --extract --file="$sdk_tar" --directory="$sdk" --strip-components=1
set +u
# shellcheck disable=SC1091
. "$sdk/set_env.sh"
set -u
cd "$tmp"

for bad in "" "MyChip" "../x" "my-chip" "a b"; do
  if new_backend "$bad" > out 2>&1; then fail "new_backend '$bad' succeeded"; fi
  grep -q '^new_backend: ' out || fail "new_backend '$bad' gave no message"
done
new_backend my_chip --into work > out || { cat out; fail new_backend; }
if new_backend my_chip --into work > out 2>&1; then fail "an existing folder is overwritten"; fi
cd work/my_chip
CXXFLAGS=-Werror ./build.sh
./my_chip_test.sh | tee test.log
grep -qE '^my-chip +passed +[0-9]+ networks, [0-9]+ nodes, [1-9][0-9]* steps on my_chip' test.log || fail "the conformance test"

# A chip that computes wrongly is found out.
sed 's/x += y;/x += y + 0.01f;/' my_chip.cc > ../wrong.cc && mkdir ../wrong && cp build.sh ../wrong && cp ../wrong.cc ../wrong/my_chip.cc
../wrong/build.sh > /dev/null
if ./my_chip_test.sh "$PWD/../wrong/libmy_chip.so" > wrong.log; then fail "a wrong chip passes"; fi
grep -q 'the reference gives' wrong.log || { cat wrong.log; fail "no message about the wrong chip"; }

om backends --plugin_path=libmy_chip.so | grep -A1 '^my_chip 0.1 (plugin ' | grep -q 'my-chip ' || fail "om backends"
atc --model="$network" --framework=5 --output=net --input_shape=input:1,1,28,28 --soc_version=my-chip --plugin_path=libmy_chip.so > atc.log || { cat atc.log; fail atc; }
om run net.om --plugin_path=libmy_chip.so > run.log || fail "om run"
# In the SDK's folder it needs no flag, and libascendcl finds it, too.
mkdir "$sdk/plugins" && cp libmy_chip.so "$sdk/plugins/"
om run net.om > run.log || fail "om run with plugins/"
cat > client.c <<'END'
#include <stdint.h>
#include <stdio.h>
#include "acl/acl.h"
int main(void) {
  uint32_t id = 0;
  if (aclInit(NULL) != ACL_SUCCESS || aclrtSetDevice(0) != ACL_SUCCESS) return 1;
  const aclError code = aclmdlLoadFromFile("net.om", &id);
  printf("load %d\n", code);
  if (code == ACL_SUCCESS) aclmdlUnload(id);
  aclrtResetDevice(0);
  aclFinalize();
  return 0;
}
END
gcc client.c -I"$sdk/include" -L"$sdk/lib64" -lascendcl -o client
[[ $(./client) == "load 0" ]] || fail "libascendcl does not load the plugin's model"
# Damaged, then removed: the rest goes on.
printf 'no plugin' > "$sdk/plugins/libmy_chip.so"
atc --model="$network" --framework=5 --output=other --input_shape=input:1,1,28,28 --soc_version=host > atc.log || { cat atc.log; fail "atc beside a damaged plugin"; }
grep -q "^not used: plugin '.*libmy_chip.so': not a shared object" atc.log || { cat atc.log; fail "no message about the damaged plugin"; }
om run other.om > run.log 2>&1 || { cat run.log; fail "om run beside a damaged plugin"; }
rm -r "$sdk/plugins"
om run other.om > run.log || fail "om run without plugins"
if om run net.om > out 2>&1; then fail "a model of a chip that is gone runs"; fi
grep -q "unknown soc_version 'my-chip'" out || { cat out; fail "no message about the chip that is gone"; }
[[ $(./client) != "load 0" ]] || fail "libascendcl loads a model of a chip that is gone"
echo PASSED
