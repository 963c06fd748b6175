#!/bin/bash
# Clients in the styles that public programs for AscendCL have, compiled by plain g++ against the headers and the library only, run unmodified
# on a model that atc made. Together they use every function that such programs were found to use.
set -euo pipefail
lib=$PWD/$1; atc=$PWD/$2; model=$PWD/$3; shift 3
fail() { echo "FAILED: $*"; exit 1; }
command -v g++ >/dev/null || { echo "skipped: no g++"; exit 0; }
include=$PWD/runtime/acl/include
sources=$PWD/tests/acl_clients/clients
cd "$TEST_TMPDIR"
mkdir -p lib64
cp "$lib" lib64/libascendcl.so.1
for name in libascendcl libacl libacl_rt libacl_mdl libacl_cblas libacl_dvpp libmsprofiler; do ln -sf libascendcl.so.1 "lib64/$name.so"; done
"$atc" --model="$model" --framework=5 --output=net --input_shape=input:1,1,28,28 --soc_version=host > atc.log 2>&1 || { cat atc.log; fail atc; }
head -c 3136 /dev/zero > zero.bin
head -c 3136 /dev/zero | tr '\0' '>' > ones.bin
export LD_LIBRARY_PATH=$PWD/lib64
for client in sample_process async_callback wrapper; do
  g++ -std=c++11 -O1 -Wall -Wextra -Werror "$sources/$client.cpp" -I"$include" -Llib64 -lacl -lascendcl -lacl_dvpp -lpthread -o "$client" ||
    fail "$client does not compile"
done
for mode in OMKIT_RUN_MODE=host OMKIT_RUN_MODE=device OMKIT_STRICT=1 OMKIT_GUARD=1; do
  env $mode ./sample_process net.om zero.bin ones.bin > out 2>&1 || { cat out; fail "sample_process with $mode"; }
  (( $(grep -c 'top 1: index\[[0-9]\]' out) == 2 )) || { cat out; fail "sample_process found no classes"; }
  if grep ERROR out; then fail "sample_process with $mode complains"; fi
  env $mode ./async_callback net.om 10 > out 2>&1 || { cat out; fail "async_callback with $mode"; }
  grep -q "^40 callbacks on the reporter's thread" out || { cat out; fail "async_callback"; }
  env $mode ./wrapper net.om > out 2>&1 || { cat out; fail "wrapper with $mode"; }
done
# The functions that eleven public clients call.
symbols="aclCreateDataBuffer aclCreateTensorDesc aclDataTypeSize aclDestroyDataBuffer aclDestroyTensorDesc aclFinalize aclFloat16ToFloat
aclGetDataBufferAddr aclGetDataBufferSizeV2 aclGetRecentErrMsg aclGetTensorDescAddress aclGetTensorDescByIndex aclGetTensorDescDimV2
aclGetTensorDescFormat aclGetTensorDescNumDims aclGetTensorDescSize aclGetTensorDescType aclInit aclmdlAddDatasetBuffer aclmdlCreateAndGetOpDesc
aclmdlCreateDataset aclmdlCreateDesc aclmdlDestroyDataset aclmdlDestroyDesc aclmdlExecute aclmdlExecuteAsync aclmdlGetCurOutputDims
aclmdlGetDatasetBuffer aclmdlGetDatasetNumBuffers aclmdlGetDatasetTensorDesc aclmdlGetDesc aclmdlGetDynamicBatch aclmdlGetDynamicHW
aclmdlGetInputDataType aclmdlGetInputDims aclmdlGetInputDynamicDims aclmdlGetInputDynamicGearCount aclmdlGetInputFormat aclmdlGetInputIndexByName
aclmdlGetInputNameByIndex aclmdlGetInputSizeByIndex aclmdlGetNumInputs aclmdlGetNumOutputs aclmdlGetOutputDataType aclmdlGetOutputDims
aclmdlGetOutputFormat aclmdlGetOutputNameByIndex aclmdlGetOutputSizeByIndex aclmdlLoadFromFile aclmdlLoadFromFileWithMem aclmdlQuerySize
aclmdlSetDatasetTensorDesc aclmdlSetDynamicBatchSize aclmdlSetDynamicHWSize aclmdlSetInputDynamicDims aclmdlUnload aclrtCreateContext
aclrtCreateStream aclrtDestroyContext aclrtDestroyStream aclrtFree aclrtFreeHost aclrtGetCurrentContext aclrtGetDeviceCount
aclrtGetDeviceIdFromExceptionInfo aclrtGetRunMode aclrtGetStreamIdFromExceptionInfo aclrtGetTaskIdFromExceptionInfo aclrtLaunchCallback aclrtMalloc
aclrtMallocHost aclrtMemcpy aclrtMemset aclrtProcessReport aclrtResetDevice aclrtSetCurrentContext aclrtSetDevice aclrtSetExceptionInfoCallback
aclrtSubscribeReport aclrtSynchronizeStream aclrtUnSubscribeReport"
used=$(nm -u sample_process async_callback wrapper | awk '{print $2}' | sort -u)
for symbol in $symbols; do grep -qx "$symbol" <<< "$used" || fail "no client uses $symbol"; done
echo PASSED
