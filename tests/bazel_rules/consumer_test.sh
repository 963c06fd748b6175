#!/bin/bash
# A workspace of its own that uses an SDK's rules (consumer.BUILD): what is built, what is built again after a change, and that actions
# need nothing but what they declare: Bazel's Linux sandbox without network.
#   consumer_test.sh SDK.tar NETWORK.onnx
set -euo pipefail
sdk_tar=$PWD/$1 network=$PWD/$2 here=$PWD/tests/bazel_rules
omkit=$(dirname "$(readlink -f bazelw)")
fail() { echo "FAILED: $*"; exit 1; }
bazel=$(command -v "${OMKIT_BAZEL:-bazel}") || { echo "skipped: no bazel"; exit 0; }
tmp=$(mktemp -d "${TEST_TMPDIR:-/tmp}/consumer.XXXXXX")
base=$tmp/base
run() {
  local command=$1
  shift
  # The client's own limits; a server of its own that goes away with this test.
  HOME=$tmp USER=${USER:-test} "$bazel" --output_base="$base" --output_user_root="$tmp/user" --max_idle_secs=20 --host_jvm_args=-Xmx400m \
    "$command" --color=no --curses=no --noshow_progress "$@"
}
trap 'run shutdown > /dev/null 2>&1 || true; chmod -R u+w "$tmp"; rm -rf "$tmp"' EXIT

mkdir -p "$tmp/ws/calib" "$tmp/sdk"
tar --extract --file="$sdk_tar" --directory="$tmp/sdk" --strip-components=1
cd "$tmp/ws"
cp "$here/consumer.BUILD" BUILD
sed -e "s|@SDK@|$tmp/sdk|" -e "s|@OMKIT@|$omkit|" "$here/consumer.WORKSPACE" > WORKSPACE
cp -L "$network" net.onnx
# sample NUMBER SEED
sample() {
  python3 -c '
import random, struct, sys
r = random.Random(int(sys.argv[2]))
open("calib/%s.bin" % sys.argv[1], "wb").write(struct.pack("<784f", *[r.uniform(0, 1) for _ in range(784)]))' "$1" "$2"
}
for i in 0 1 2 3 4 5 6; do sample $i $i; done

sandbox=(--sandbox_debug=false --spawn_strategy=linux-sandbox --experimental_sandbox_default_allow_network=false)
# Builds and leaves in actions.txt one line per action that ran.
build() {
  run build "${sandbox[@]}" -s "$@" > build.log 2>&1 || {
    grep -q "linux-sandbox.*not available\|No usable spawn strategy" build.log && { echo "skipped: no Linux sandbox on this machine"; exit 0; }
    cat build.log
    fail "build $*"
  }
  sed -n "s/^SUBCOMMAND: .*\[action '\(.*\)', configuration.*/\1/p" build.log | LC_ALL=C sort > actions.txt
}
expect() { diff "$1" actions.txt || { cat build.log; fail "$2"; }; }

build //:net //:net_in_one //:zoo
cat > all.txt <<'END'
Calibrating //:net, shard 1 of 3
Calibrating //:net, shard 2 of 3
Calibrating //:net, shard 3 of 3
Calibrating //:net_in_one, shard 1 of 1
Compiling //:net for npu-int8-generic
Compiling //:net_in_one for npu-int8-generic
Compiling //:zoo_float_cpu_reference for cpu-reference
Compiling //:zoo_float_npu_int8_neon for npu-int8-neon
Merging statistics of //:net
END
expect all.txt "the first build runs other actions"
cmp bazel-bin/net.statistics.json bazel-bin/net_in_one.statistics.json || fail "statistics depend on the number of shards"
cmp bazel-bin/net.om bazel-bin/net_in_one.om || fail "the offline model depends on the number of shards"
before=$(sha256sum bazel-bin/*.om)

build //:net //:net_in_one //:zoo
: > none.txt
expect none.txt "a second build does something"
touch calib/*.bin net.onnx
build //:net //:net_in_one //:zoo
expect none.txt "new times of unchanged files make a build do something"

sample 4 100
build //:net
cat > one.txt <<'END'
Calibrating //:net, shard 2 of 3
Compiling //:net for npu-int8-generic
Merging statistics of //:net
END
expect one.txt "a changed sample makes other actions run"
sample 4 4
run clean > /dev/null 2>&1
build //:net //:net_in_one //:zoo
expect all.txt "the build after clean runs other actions"
[[ $(sha256sum bazel-bin/*.om) == "$before" ]] || fail "building again gives other bytes"
grep -qa "$tmp" bazel-bin/*.om bazel-bin/*.json && fail "a path of the machine is in an output"

run test "${sandbox[@]}" --test_output=all //:net_budget //:net_budget.latency //:net.accuracy > test.log 2>&1 || { cat test.log; fail "tests within their budgets"; }
grep -E '^(size|latency|cosine|same class)' test.log
if run test "${sandbox[@]}" --test_output=all //:net_too_large > test.log 2>&1; then fail "a budget that is too small is kept"; fi
grep -q 'FAILED: the offline model is larger than its budget' test.log || { cat test.log; fail "no message about the budget"; }
run run //:net.info > info.log 2> run.err || { cat run.err; fail net.info; }
grep -q '^soc_version *npu-int8-generic' info.log || { cat info.log; fail "net.info"; }
run run //:net.report > report.log 2> run.err || { cat run.err; fail net.report; }
grep -q 'conv_u8.generic' report.log || { cat report.log; fail "net.report shows no INT8 step"; }
run run //:net.bench -- --loop 3 --peak 1 --peak-f32 1 > bench.log 2> run.err || { cat run.err bench.log; fail net.bench; }
echo PASSED
