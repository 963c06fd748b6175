#!/bin/bash
# Runs python_test.py with the Python that the SDK's extension module is for.
set -euo pipefail
. tests/sdk/sdk.sh
[[ -d $OMKIT_HOME/python ]] || skip "the SDK was built without Python (no Python.h or pybind11)"
/usr/bin/python3 -c 'import numpy' 2>/dev/null || skip "no python3-numpy"
# Threads of executions would compete with the test's own.
exec env OMKIT_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "$runfiles/tests/sdk/python_test.py" "$runfiles/examples/fashion/fashion_fp32.onnx"
