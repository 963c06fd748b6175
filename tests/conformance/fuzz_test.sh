#!/bin/bash
# 2,000 random models over the operator table, and 300 of decision trees, against ONNX Runtime, interpreted and compiled. Arguments: run_suite.
# FUZZ_COUNT and FUZZ_SEED choose others.
set -uo pipefail
tests/oracle/install.sh >"${TEST_TMPDIR:-/tmp}/oracle" || { cat "${TEST_TMPDIR:-/tmp}/oracle"; exit 0; }
export OMKIT_ORACLE_DIR=$(<"${TEST_TMPDIR:-/tmp}/oracle")
work=$(mktemp -d "${TEST_TMPDIR:-/tmp}/fuzz.XXXXXX")
trap 'rm -rf "$work"' EXIT
node tests/conformance/fuzz_models.mjs "$work/chains" "${FUZZ_COUNT:-2000}" "${FUZZ_SEED:-1}" || exit 1
node tests/conformance/fuzz_models.mjs "$work/trees" "${FUZZ_TREES:-300}" "${FUZZ_SEED:-1}" trees || exit 1
"$1" "$work/chains" "$work/trees" || { echo "a seed is FUZZ_SEED plus the number of its test"; exit 1; }
