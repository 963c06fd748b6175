# Sourced by the tests of this folder with their arguments: leaves $atc, $compare, $shared (models and data of the tests), an empty folder $tmp,
# and ONNX Runtime installed. Ends the test as skipped where models or ONNX Runtime cannot be had.
# shellcheck shell=bash
atc=$1 compare=$2
shared=${OMKIT_SHARED:-$(dirname "$(readlink -f bazelw)")/../shared}
[[ -d $shared/models ]] || { echo "skipped: no test models in $shared/models"; exit 0; }
rc=0
oracle=$(tests/oracle/install.sh) || rc=$?
[[ $rc == 77 ]] && { echo "$oracle"; exit 0; }
[[ $rc == 0 ]] || { echo "$oracle"; exit 1; }
export OMKIT_ORACLE_DIR=$oracle
tmp=$(mktemp -d "${TEST_TMPDIR:-/tmp}/models.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
