#!/bin/bash
# Runs python_test.py with the Python that the SDK's extension module is for.
set -euo pipefail
sdk=$TEST_TMPDIR/sdk
mkdir -p "$sdk"
tar -xf "$1" -C "$sdk" --strip-components=1
[[ -d $sdk/python ]] || { echo "skipped: the SDK was built without Python (no Python.h or pybind11)"; exit 0; }
/usr/bin/python3 -c 'import numpy' 2>/dev/null || { echo "skipped: no python3-numpy"; exit 0; }
set +u
# shellcheck disable=SC1091
. "$sdk/set_env.sh"
set -u
# Threads of executions would compete with the test's own.
exec env OMKIT_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/sdk/python_test.py "$PWD/examples/fashion/fashion_fp32.onnx"
