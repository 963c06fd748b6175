#!/bin/bash
# Times omkit and ONNX Runtime on the same model files, in turns:  peers.sh [flags]; --help tells more.
# Builds what it needs. Exit status 77 with 'skipped: why' where ONNX Runtime or the models are missing.
set -euo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
root=$(readlink -f "$here/../../..")

models=${OMKIT_SHARED:-$root/../shared}/models args=()
for arg in "$@"; do
  case $arg in
    --help) exec node "$here/peers.mjs" --help ;;
    --models=*) models=${arg#*=} ;;
    --report=*|--json=*|--from=*|--keep=*) args+=("${arg%%=*}=$(realpath -m "${arg#*=}")") ;;
    *) args+=("$arg") ;;
  esac
done
[[ -d $models ]] || { echo "skipped: no test models in $models (--models=DIR names another folder)"; exit 77; }
rc=0
OMKIT_ORACLE_DIR=$("$root/tests/oracle/install.sh") || rc=$?
if ((rc)); then echo "$OMKIT_ORACLE_DIR"; exit "$rc"; fi
export OMKIT_ORACLE_DIR

cd "$root"
./bazelw build //tools/atc //tools/bench //tools/bench/generators:gen
exec node "$here/peers.mjs" --models="$models" --bin="$root/bazel-bin/tools" --commit="$(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo unknown)" \
  ${args[@]+"${args[@]}"}
