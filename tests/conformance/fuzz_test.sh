#!/bin/bash
# 2,000 random models over the operator table against ONNX Runtime, interpreted and compiled. Arguments: run_suite.
# FUZZ_COUNT and FUZZ_SEED choose others.
set -uo pipefail
tests/oracle/install.sh >"${TEST_TMPDIR:-/tmp}/oracle" || { cat "${TEST_TMPDIR:-/tmp}/oracle"; exit 0; }
export OMKIT_ORACLE_DIR=$(<"${TEST_TMPDIR:-/tmp}/oracle")
work=$(mktemp -d "${TEST_TMPDIR:-/tmp}/fuzz.XXXXXX")
trap 'rm -rf "$work"' EXIT
node tests/conformance/fuzz_models.mjs "$work" "${FUZZ_COUNT:-2000}" "${FUZZ_SEED:-1}" || exit 1
"$1" "$work" || { echo "a seed is FUZZ_SEED plus the number of its test"; exit 1; }
