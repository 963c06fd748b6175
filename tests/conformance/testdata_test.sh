#!/bin/bash
# The suites pytorch-converted, pytorch-operator and simple of Debian's libonnx-testdata. Arguments: run_suite.
set -uo pipefail
data=/usr/share/libonnx-testdata/data
if [[ ! -d $data/simple ]]; then
  skip() { echo "skipped: $*"; exit 0; }
  command -v apt-get >/dev/null || skip "libonnx-testdata is not installed and there is no apt-get"
  [[ $(id -u) == 0 ]] || skip "libonnx-testdata is not installed; run as root: apt-get install libonnx-testdata"
  { apt-get -q -o DPkg::Lock::Timeout=120 install -y --no-install-recommends libonnx-testdata ||
    { apt-get -q update && apt-get -q install -y --no-install-recommends libonnx-testdata; }; } >"${TEST_TMPDIR:-/tmp}/apt.log" 2>&1 ||
    skip "apt-get could not install libonnx-testdata"
fi
"$1" "$data/pytorch-converted" "$data/pytorch-operator" "$data/simple"
