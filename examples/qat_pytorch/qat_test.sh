#!/bin/bash
# Trains for minutes: only with OMKIT_SLOW_TESTS=1, and where PyTorch is installed.
if [[ ${OMKIT_SLOW_TESTS:-} != 1 ]]; then echo "skipped: OMKIT_SLOW_TESTS is not 1"; exit 0; fi
status=0
"$(dirname "$0")/qat.sh" --epochs=1 || status=$?
[[ $status == 77 ]] && exit 0
exit $status
