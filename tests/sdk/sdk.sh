# Sourced by the tests of this folder, with the SDK's archive as argument: unpacks it into a folder with a blank in its name, moves it, and
# makes it known to the shell. Leaves the shell in $TEST_TMPDIR; $runfiles is where the test's data are.
# shellcheck shell=bash
fail() { echo "FAILED: $*"; exit 1; }
skip() { echo "skipped: $*"; exit 0; }
runfiles=$PWD
sdk="$TEST_TMPDIR/the sdk"
mkdir -p "$TEST_TMPDIR/unpacked"
tar -xf "$1" -C "$TEST_TMPDIR/unpacked" --strip-components=1
mv "$TEST_TMPDIR/unpacked" "$sdk"
set +u
# shellcheck disable=SC1091
. "$sdk/set_env.sh"
set -u
command -v g++ >/dev/null || skip "no g++"
cd "$TEST_TMPDIR"

# build NAME SOURCE [FLAGS]: plain g++ against the SDK, warnings are errors.
build() {
  local name=$1 source=$2
  shift 2
  g++ -std=c++11 -O2 -Wall -Wextra -Werror "$@" "$source" -I"$OMKIT_HOME/include" -L"$OMKIT_HOME/lib64" -lascendcl -pthread -o "$name" ||
    fail "g++ $source"
}
# compile MODEL.onnx OUTPUT [FLAGS]
compile() {
  local model=$1 output=$2
  shift 2
  atc --model="$model" --framework=5 --output="$output" --soc_version=host --log_level=error "$@" > atc.log 2>&1 || { cat atc.log; fail "atc $model"; }
}
