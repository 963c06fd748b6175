#include "tests/acl_clients/function_rows.h"

#include "acl/acl_op.h"
#include "acl/acl_prof.h"
#include "acl/ops/acl_cblas.h"
#include "acl/ops/acl_dvpp.h"

namespace omkit {
namespace {

constexpr aclError kParam = ACL_ERROR_INVALID_PARAM;
constexpr aclError kRtParam = ACL_ERROR_RT_PARAM_INVALID;
constexpr aclError kRtHandle = ACL_ERROR_RT_INVALID_HANDLE;
constexpr aclError kDeviceId = ACL_ERROR_RT_INVALID_DEVICEID;
constexpr aclError kModelId = static_cast<aclError>(ACL_ERROR_GE_EXEC_MODEL_ID_INVALID);

// Results go here; as large as the largest structure.
alignas(64) char scratch[400000];
// Arguments that are read.
const int64_t kDims[4] = {1, 4, 4, 4};
int64_t ranges[4][2] = {{1, 1}, {4, 4}, {4, 4}, {4, 4}};
char host[64];
int pipe_end = 1;
uint32_t device_zero = 0;
aclrtMallocConfig malloc_config = {nullptr, 0};
aclDataBuffer* no_buffers[1] = {nullptr};

uint64_t Bits(const void* pointer) { return reinterpret_cast<uint64_t>(pointer); }

// A pointer whose null gives `code`.
Arg P(const void* valid, aclError code = kParam) {
  Arg arg;
  arg.value.bits = Bits(valid);
  arg.wrong.push_back({"null", 0, code});
  return arg;
}
// A result.
Arg Out(aclError code = kParam) { return P(scratch, code); }
// A pointer that may be null, or an argument that has no wrong value.
Arg Any(const void* valid) {
  Arg arg;
  arg.value.bits = Bits(valid);
  return arg;
}
Arg N(uint64_t valid) {
  Arg arg;
  arg.value.bits = valid;
  return arg;
}
Arg Real(double valid) {
  Arg arg;
  arg.value.real = valid;
  return arg;
}
// A number with a wrong value.
Arg N(uint64_t valid, uint64_t wrong, aclError code = kParam) {
  Arg arg = N(valid);
  arg.wrong.push_back({"value " + std::to_string(static_cast<int64_t>(wrong)), wrong, code});
  return arg;
}
// A handle.
Arg H(Object object, aclError dead = kParam, bool null_allowed = false, aclError null_code = kParam) {
  Arg arg;
  arg.object = object;
  arg.handle = true;
  arg.dead_code = dead;
  if (!null_allowed) arg.wrong.push_back({"null", 0, null_code});
  return arg;
}
Arg Buffer() { return H(Object::kBuffer); }
Arg Tensor() { return H(Object::kTensor); }
Arg Dataset() { return H(Object::kDataset); }
Arg Desc() { return H(Object::kDesc); }
Arg Event() { return H(Object::kEvent, kRtHandle); }
Arg Stream() { return H(Object::kStream, kRtHandle, true); }
Arg Exception() { return H(Object::kException); }
Arg Model() {
  Arg arg;
  arg.object = Object::kModel;
  arg.wrong.push_back({"unknown id", 4711, kModelId});
  return arg;
}
// Device memory of 64 bytes.
Arg Device(aclError null_code = kRtParam) {
  Arg arg;
  arg.object = Object::kDevice;
  arg.wrong.push_back({"null", 0, null_code});
  return arg;
}

template <typename... A>
FunctionRow Row(const char* name, Needs needs, aclError (*function)(A...), std::vector<Arg> args) {
  return {name, needs, true, std::move(args), [function](const std::vector<Value>& values) {
            return CallWith<aclError, A...>(function, nullptr, values, std::index_sequence_for<A...>());
          }};
}
template <typename R, typename... A>
FunctionRow ValueRow(const char* name, Needs needs, R (*function)(A...), R fallback, std::vector<Arg> args) {
  return {name, needs, true, std::move(args), [function, fallback](const std::vector<Value>& values) {
            return CallWith<R, A...>(function, &fallback, values, std::index_sequence_for<A...>());
          }};
}
template <typename... A>
FunctionRow VoidRow(const char* name, void (*function)(A...), std::vector<Arg> args) {
  return {name, Needs::kNothing, true, std::move(args),
          [function](const std::vector<Value>& values) { return CallVoid<A...>(function, values, std::index_sequence_for<A...>()); }};
}
// Not provided: whatever the arguments.
template <typename R, typename... A>
FunctionRow Refused(const char* name, R (*function)(A...)) {
  return {name, Needs::kNothing, false, std::vector<Arg>(sizeof...(A)), [function](const std::vector<Value>& values) -> aclError {
            aclGetRecentErrMsg();
            if constexpr (std::is_same_v<R, aclError>) {
              return CallWith<aclError, A...>(function, nullptr, values, std::index_sequence_for<A...>());
            } else if constexpr (std::is_void_v<R>) {
              return CallVoid<A...>(function, values, std::index_sequence_for<A...>()) != ACL_SUCCESS ? ACL_ERROR_API_NOT_SUPPORT : ACL_SUCCESS;
            } else {
              const R none{};
              return CallWith<R, A...>(function, &none, values, std::index_sequence_for<A...>()) != ACL_SUCCESS ? ACL_ERROR_API_NOT_SUPPORT
                                                                                                                : ACL_SUCCESS;
            }
          }};
}

#define INIT(function, ...) Row(#function, Needs::kInit, &function, {__VA_ARGS__})
#define CONTEXT(function, ...) Row(#function, Needs::kContext, &function, {__VA_ARGS__})
#define PLAIN(function, ...) Row(#function, Needs::kNothing, &function, {__VA_ARGS__})
#define VOID(function, ...) VoidRow(#function, &function, {__VA_ARGS__})
#define REFUSED(function) Refused(#function, &function)
#define VALUE(type, function, fallback, ...) ValueRow(#function, Needs::kNothing, &function, static_cast<type>(fallback), {__VA_ARGS__})

void AddBaseRows(std::vector<FunctionRow>* rows) {
  rows->insert(rows->end(), {
                                PLAIN(aclInit, P("/nonexistent/acl.json", ACL_SUCCESS)),  // null is allowed: the test calls it itself
                                PLAIN(aclFinalize),
                                PLAIN(aclFinalizeReference, Any(scratch)),
                                PLAIN(aclrtGetVersion, Out(), Out(), Out()),
                                VALUE(const char*, aclrtGetSocName, nullptr),
                                VALUE(const char*, aclGetRecentErrMsg, nullptr),
                                VALUE(float, aclFloat16ToFloat, 0, N(0)),
                                VALUE(aclFloat16, aclFloatToFloat16, 0, Real(1)),
                                VALUE(size_t, aclDataTypeSize, 0, N(0)),
                                VALUE(aclDataBuffer*, aclCreateDataBuffer, nullptr, Any(scratch), N(8)),
                                PLAIN(aclDestroyDataBuffer, Buffer()),
                                PLAIN(aclUpdateDataBuffer, Buffer(), Any(scratch), N(8)),
                                VALUE(void*, aclGetDataBufferAddr, nullptr, Buffer()),
                                VALUE(size_t, aclGetDataBufferSizeV2, 0, Buffer()),
                                VALUE(uint32_t, aclGetDataBufferSize, 0, Buffer()),
                                VALUE(aclTensorDesc*, aclCreateTensorDesc, nullptr, N(0), N(4, 129), P(kDims), N(0)),
                                VOID(aclDestroyTensorDesc, H(Object::kTensor, kParam, true)),
                                VALUE(aclDataType, aclGetTensorDescType, ACL_DT_UNDEFINED, Tensor()),
                                VALUE(aclFormat, aclGetTensorDescFormat, ACL_FORMAT_UNDEFINED, Tensor()),
                                VALUE(size_t, aclGetTensorDescSize, 0, Tensor()),
                                VALUE(size_t, aclGetTensorDescElementCount, 0, Tensor()),
                                VALUE(size_t, aclGetTensorDescNumDims, 0, Tensor()),
                                VALUE(int64_t, aclGetTensorDescDim, -1, Tensor(), N(0, 4)),
                                PLAIN(aclGetTensorDescDimV2, Tensor(), N(0, 4), Out()),
                                PLAIN(aclGetTensorDescDimRange, Tensor(), N(0, 4), N(2, 1), Out()),
                                VOID(aclSetTensorDescName, Tensor(), Any("x")),
                                VALUE(const char*, aclGetTensorDescName, nullptr, Tensor()),
                                PLAIN(aclSetTensorShape, Tensor(), N(4, 129), P(kDims)),
                                PLAIN(aclSetTensorFormat, Tensor(), N(0)),
                                PLAIN(aclSetTensorOriginShape, Tensor(), N(4, 129), P(kDims)),
                                PLAIN(aclSetTensorOriginFormat, Tensor(), N(0)),
                                PLAIN(aclSetTensorShapeRange, Tensor(), N(4, 3), P(ranges)),
                                VALUE(aclTensorDesc*, aclGetTensorDescByIndex, nullptr, Tensor(), N(0, 1)),
                                VALUE(void*, aclGetTensorDescAddress, nullptr, Tensor()),
                                PLAIN(aclSetTensorConst, Tensor(), P(host), N(8, 0)),
                                PLAIN(aclSetTensorPlaceMent, Tensor(), N(1, 7)),
                            });
  // Variadic.
  rows->push_back({"aclAppLog", Needs::kNothing, true, {}, [](const std::vector<Value>&) {
                     aclAppLog(ACL_DEBUG, nullptr, nullptr, 0, "%s", "text");
                     return ACL_SUCCESS;
                   }});
}

void AddDeviceRows(std::vector<FunctionRow>* rows) {
  rows->insert(rows->end(), {
                                INIT(aclrtSetDevice, N(0, 7, kDeviceId)),
                                INIT(aclrtResetDevice, N(0, 7, kDeviceId)),
                                INIT(aclrtResetDeviceForce, N(0, 7, kDeviceId)),
                                CONTEXT(aclrtGetDevice, Out()),
                                PLAIN(aclrtGetDeviceCount, Out()),
                                CONTEXT(aclrtGetRunMode, Out()),
                                CONTEXT(aclrtSetTsDevice, N(0, 2)),
                                INIT(aclrtGetDeviceUtilizationRate, N(0, 7, kDeviceId), Out()),
                                CONTEXT(aclrtSetDeviceSatMode, N(1, 2)),
                                CONTEXT(aclrtGetDeviceSatMode, Out()),
                                CONTEXT(aclrtSynchronizeDevice),
                                CONTEXT(aclrtSynchronizeDeviceWithTimeout, N(1, static_cast<uint64_t>(-2), kRtParam)),
                                INIT(aclrtCreateContext, Out(), N(0, 7, kDeviceId)),
                                INIT(aclrtDestroyContext, H(Object::kContext, kRtHandle)),
                                INIT(aclrtSetCurrentContext, H(Object::kContext, kRtHandle)),
                                CONTEXT(aclrtGetCurrentContext, Out()),
                            });
}

void AddStreamRows(std::vector<FunctionRow>* rows) {
  static const aclrtCallback callback = [](void*) {};
  const Arg function = P(reinterpret_cast<const void*>(callback));
  rows->insert(rows->end(), {
                                CONTEXT(aclrtCreateStream, Out()),
                                CONTEXT(aclrtCreateStreamWithConfig, Out(), N(0), N(0, 0x8000)),
                                CONTEXT(aclrtDestroyStream, H(Object::kStream, kRtHandle)),
                                CONTEXT(aclrtDestroyStreamForce, H(Object::kStream, kRtHandle)),
                                CONTEXT(aclrtStreamAbort, Stream()),
                                CONTEXT(aclrtSynchronizeStream, Stream()),
                                CONTEXT(aclrtSynchronizeStreamWithTimeout, Stream(), N(1, static_cast<uint64_t>(-2), kRtParam)),
                                CONTEXT(aclrtStreamQuery, Stream(), Out()),
                                CONTEXT(aclrtStreamWaitEvent, Stream(), Event()),
                                CONTEXT(aclrtCreateEvent, Out()),
                                CONTEXT(aclrtCreateEventWithFlag, Out(), N(0, 0x8000)),
                                INIT(aclrtDestroyEvent, Event()),
                                CONTEXT(aclrtRecordEvent, Event(), Stream()),
                                CONTEXT(aclrtResetEvent, Event(), Stream()),
                                CONTEXT(aclrtQueryEvent, Event(), Out()),
                                CONTEXT(aclrtQueryEventStatus, Event(), Out()),
                                CONTEXT(aclrtSynchronizeEvent, Event()),
                                CONTEXT(aclrtSynchronizeEventWithTimeout, Event(), N(1, static_cast<uint64_t>(-2), kRtParam)),
                                CONTEXT(aclrtEventElapsedTime, Out(), Event(), Event()),
                                CONTEXT(aclrtSubscribeReport, N(1), Stream()),
                                CONTEXT(aclrtLaunchCallback, function, Any(nullptr), N(0, 5), Stream()),
                                INIT(aclrtProcessReport, N(0, static_cast<uint64_t>(-2))),
                                CONTEXT(aclrtUnSubscribeReport, N(1), Stream()),
                                CONTEXT(aclrtLaunchHostFunc, Stream(), function, Any(nullptr)),
                                INIT(aclrtSetExceptionInfoCallback, Any(nullptr)),
                                VALUE(uint32_t, aclrtGetTaskIdFromExceptionInfo, 0xFFFFFFFFu, Exception()),
                                VALUE(uint32_t, aclrtGetStreamIdFromExceptionInfo, 0xFFFFFFFFu, Exception()),
                                VALUE(uint32_t, aclrtGetThreadIdFromExceptionInfo, 0xFFFFFFFFu, Exception()),
                                VALUE(uint32_t, aclrtGetDeviceIdFromExceptionInfo, 0xFFFFFFFFu, Exception()),
                                VALUE(uint32_t, aclrtGetErrorCodeFromExceptionInfo, 0xFFFFFFFFu, Exception()),
                            });
}

void AddMemoryRows(std::vector<FunctionRow>* rows) {
  constexpr aclError kPolicy = ACL_ERROR_RT_INVALID_MALLOC_TYPE;
  rows->insert(rows->end(),
               {
                   CONTEXT(aclrtMalloc, Out(), N(64, 0), N(0, 9, kPolicy)),
                   CONTEXT(aclrtMallocAlign32, Out(), N(64, 0), N(0, 9, kPolicy)),
                   CONTEXT(aclrtMallocCached, Out(), N(64, 0), N(0, 9, kPolicy)),
                   CONTEXT(aclrtMallocWithCfg, Out(), N(64, 0), N(0, 9, kPolicy), Any(&malloc_config)),
                   PLAIN(aclrtFree, Device(kParam)),
                   CONTEXT(aclrtMallocHost, Out(), N(64, 0)),
                   PLAIN(aclrtFreeHost, P(host)),
                   CONTEXT(aclrtMemFlush, Device(), N(64, 65, kRtParam)),
                   CONTEXT(aclrtMemInvalidate, Device(), N(64, 0)),
                   CONTEXT(aclrtMemcpy, Device(), N(64, 63, kRtParam), P(host, kRtParam), N(64), N(1, 9)),
                   CONTEXT(aclrtMemcpyAsync, Device(), N(64, 63, kRtParam), P(host, kRtParam), N(64), N(1, 9), Stream()),
                   CONTEXT(aclrtMemcpy2d, Device(), N(16, 7, kRtParam), P(host, kRtParam), N(16, 7, kRtParam), N(8), N(4, 5, kRtParam), N(1, 9)),
                   CONTEXT(aclrtMemcpy2dAsync, Device(), N(16, 7, kRtParam), P(host, kRtParam), N(16, 7, kRtParam), N(8), N(4, 5, kRtParam), N(1, 9),
                           Stream()),
                   CONTEXT(aclrtMemset, Device(), N(64, 63, kRtParam), N(0), N(64, 65, kRtParam)),
                   CONTEXT(aclrtMemsetAsync, Device(), N(64, 63, kRtParam), N(0), N(64, 65, kRtParam), Stream()),
                   CONTEXT(aclrtGetMemInfo, N(1, 99), Out(), Out()),
                   CONTEXT(acldvppMalloc, Out(), N(64, 0)),
                   PLAIN(acldvppFree, Device(kParam)),
               });
}

void AddModelRows(std::vector<FunctionRow>* rows) {
  constexpr aclError kAddress = static_cast<aclError>(ACL_ERROR_GE_EXEC_MODEL_ADDR_INVALID);
  constexpr aclError kSize = static_cast<aclError>(ACL_ERROR_GE_EXEC_MODEL_DATA_SIZE_INVALID);
  const Arg load_config = H(Object::kLoadConfig);
  const Arg exec_config = H(Object::kExecConfig);
  const Arg exec_config_or_null = H(Object::kExecConfig, kParam, true);
  const Arg path = P("/nonexistent.om");
  rows->insert(rows->end(), {
                                CONTEXT(aclmdlLoadFromFile, path, Out()),
                                CONTEXT(aclmdlLoadFromMem, P(host, kAddress), N(64, 0, kSize), Out()),
                                CONTEXT(aclmdlLoadFromFileWithMem, path, Out(), Any(nullptr), N(0), Any(nullptr), N(0)),
                                CONTEXT(aclmdlLoadFromMemWithMem, P(host, kAddress), N(64, 0, kSize), Out(), Any(nullptr), N(0), Any(nullptr), N(0)),
                                VALUE(aclmdlConfigHandle*, aclmdlCreateConfigHandle, nullptr),
                                PLAIN(aclmdlDestroyConfigHandle, load_config),
                                PLAIN(aclmdlSetConfigOpt, load_config, N(1, 99), P(kDims), N(8, 4)),
                                CONTEXT(aclmdlLoadWithConfig, load_config, Out()),
                                REFUSED(aclmdlLoadFromFileWithQ),
                                REFUSED(aclmdlLoadFromMemWithQ),
                                CONTEXT(aclmdlQuerySize, path, Out(), Out()),
                                CONTEXT(aclmdlQuerySizeFromMem, P(host, kAddress), N(64, 0, kSize), Out(), Out()),
                                INIT(aclmdlUnload, N(4711, 4712, kModelId)),
                                VALUE(aclmdlDataset*, aclmdlCreateDataset, nullptr),
                                PLAIN(aclmdlDestroyDataset, Dataset()),
                                PLAIN(aclmdlAddDatasetBuffer, Dataset(), Buffer()),
                                VALUE(size_t, aclmdlGetDatasetNumBuffers, 0, Dataset()),
                                VALUE(aclDataBuffer*, aclmdlGetDatasetBuffer, nullptr, Dataset(), N(0, 9)),
                                PLAIN(aclmdlSetDatasetTensorDesc, Dataset(), Tensor(), N(0, 9)),
                                VALUE(aclTensorDesc*, aclmdlGetDatasetTensorDesc, nullptr, Dataset(), N(0, 9)),
                                CONTEXT(aclmdlExecute, Model(), Dataset(), Dataset()),
                                CONTEXT(aclmdlExecuteAsync, Model(), Dataset(), Dataset(), Stream()),
                                VALUE(aclmdlExecConfigHandle*, aclmdlCreateExecConfigHandle, nullptr),
                                PLAIN(aclmdlDestroyExecConfigHandle, exec_config),
                                PLAIN(aclmdlSetExecConfigOpt, exec_config, N(3, 99), P(kDims), N(8, 4)),
                                CONTEXT(aclmdlExecuteV2, Model(), Dataset(), Dataset(), Stream(), exec_config_or_null),
                                CONTEXT(aclmdlExecuteAsyncV2, Model(), Dataset(), Dataset(), Stream(), exec_config_or_null),
                                INIT(aclmdlSetAttribute, Model(), N(0, 5), P(scratch)),
                                INIT(aclmdlGetAttribute, Model(), N(0, 5), Out()),
                                REFUSED(aclmdlBundleLoadFromFile),
                                REFUSED(aclmdlBundleLoadFromMem),
                                REFUSED(aclmdlBundleUnload),
                                REFUSED(aclmdlBundleGetModelNum),
                                REFUSED(aclmdlBundleGetModelId),
                                REFUSED(aclmdlBundleCreateQueryInfo),
                                REFUSED(aclmdlBundleDestroyQueryInfo),
                                REFUSED(aclmdlBundleQueryInfoFromFile),
                                REFUSED(aclmdlBundleQueryInfoFromMem),
                                INIT(aclmdlCreateAndGetOpDesc, N(0), N(0), N(0), Out(), N(8), Out(), Out(), Out(), Out()),
                            });
}

void AddDescRows(std::vector<FunctionRow>* rows) {
  const Arg index = N(0, 9);
  rows->insert(rows->end(), {
                                VALUE(aclmdlDesc*, aclmdlCreateDesc, nullptr),
                                PLAIN(aclmdlDestroyDesc, Desc()),
                                INIT(aclmdlGetDesc, Desc(), Model()),
                                PLAIN(aclmdlGetDescFromFile, Desc(), P("/nonexistent.om")),
                                PLAIN(aclmdlGetDescFromMem, Desc(), P(host), N(64, 0)),
                                VALUE(size_t, aclmdlGetNumInputs, 0, Desc()),
                                VALUE(size_t, aclmdlGetNumOutputs, 0, Desc()),
                                VALUE(size_t, aclmdlGetInputSizeByIndex, 0, Desc(), index),
                                VALUE(size_t, aclmdlGetOutputSizeByIndex, 0, Desc(), index),
                                PLAIN(aclmdlGetInputDims, Desc(), index, Out()),
                                PLAIN(aclmdlGetInputDimsV2, Desc(), index, Out()),
                                PLAIN(aclmdlGetInputDimsRange, Desc(), index, Out()),
                                PLAIN(aclmdlGetOutputDims, Desc(), index, Out()),
                                PLAIN(aclmdlGetCurOutputDims, Desc(), index, Out()),
                                VALUE(const char*, aclmdlGetInputNameByIndex, nullptr, Desc(), index),
                                VALUE(const char*, aclmdlGetOutputNameByIndex, nullptr, Desc(), index),
                                VALUE(const char*, aclmdlGetTensorRealName, nullptr, Desc(), P("x")),
                                VALUE(const char*, aclmdlGetOpAttr, nullptr, Desc(), P("scale"), P(ACL_ATTR_NAME_DATA_DUMP_ORIGIN_OP_NAMES)),
                                VALUE(aclFormat, aclmdlGetInputFormat, ACL_FORMAT_UNDEFINED, Desc(), index),
                                VALUE(aclFormat, aclmdlGetOutputFormat, ACL_FORMAT_UNDEFINED, Desc(), index),
                                VALUE(aclDataType, aclmdlGetInputDataType, ACL_DT_UNDEFINED, Desc(), index),
                                VALUE(aclDataType, aclmdlGetOutputDataType, ACL_DT_UNDEFINED, Desc(), index),
                                PLAIN(aclmdlGetInputIndexByName, Desc(), P("x"), Out()),
                                PLAIN(aclmdlGetOutputIndexByName, Desc(), P("scale:0:y"), Out()),
                                PLAIN(aclmdlGetDynamicBatch, Desc(), Out()),
                                PLAIN(aclmdlGetDynamicHW, Desc(), N(static_cast<uint64_t>(-1)), Out()),
                                PLAIN(aclmdlGetInputDynamicGearCount, Desc(), N(static_cast<uint64_t>(-1)), Out()),
                                PLAIN(aclmdlGetInputDynamicDims, Desc(), N(static_cast<uint64_t>(-1)), Out(), N(0)),
                                CONTEXT(aclmdlSetDynamicBatchSize, Model(), Dataset(), N(0, 9), N(1, 0)),
                                CONTEXT(aclmdlSetDynamicHWSize, Model(), Dataset(), N(0, 9), N(1, 0), N(1, 0)),
                                CONTEXT(aclmdlSetInputDynamicDims, Model(), Dataset(), N(0, 9), Out()),
                            });
}

void AddAippRows(std::vector<FunctionRow>* rows) {
  const Arg aipp = H(Object::kAipp), on = N(0, 7), number = N(0), image = N(0, 9), real = Real(1);
  rows->insert(rows->end(), {
                                INIT(aclmdlGetFirstAippInfo, Model(), N(0, 9), Out()),
                                INIT(aclmdlGetAippType, Model(), N(0, 9), Out(), Out()),
                                VALUE(aclmdlAIPP*, aclmdlCreateAIPP, nullptr, N(1, 0)),
                                PLAIN(aclmdlDestroyAIPP, aipp),
                                PLAIN(aclmdlGetAippDataSize, N(1, 0), Out()),
                                PLAIN(aclmdlSetAIPPInputFormat, aipp, N(3, 11)),
                                PLAIN(aclmdlSetAIPPCscParams, aipp, on, number, number, number, number, number, number, number, number, number,
                                      number, number, number, number, number, number),
                                PLAIN(aclmdlSetAIPPRbuvSwapSwitch, aipp, on),
                                PLAIN(aclmdlSetAIPPAxSwapSwitch, aipp, on),
                                PLAIN(aclmdlSetAIPPSrcImageSize, aipp, number, number),
                                PLAIN(aclmdlSetAIPPScfParams, aipp, N(0, 1), number, number, number, number, image),
                                PLAIN(aclmdlSetAIPPCropParams, aipp, on, number, number, number, number, image),
                                PLAIN(aclmdlSetAIPPPaddingParams, aipp, on, number, number, number, number, image),
                                PLAIN(aclmdlSetAIPPDtcPixelMean, aipp, number, number, number, number, image),
                                PLAIN(aclmdlSetAIPPDtcPixelMin, aipp, real, real, real, real, image),
                                PLAIN(aclmdlSetAIPPPixelVarReci, aipp, real, real, real, real, image),
                                CONTEXT(aclmdlSetInputAIPP, Model(), Dataset(), N(0, 9), aipp),
                                CONTEXT(aclmdlSetAIPPByInputIndex, Model(), Dataset(), N(0, 9), aipp),
                            });
}

int32_t IgnoreDump(const acldumpChunk*, int32_t) { return 0; }

void AddRecordRows(std::vector<FunctionRow>* rows) {
  const Arg config = H(Object::kProfConfig);
  const Arg subscribe = H(Object::kSubscribeConfig);
  const Arg stamp = H(Object::kStamp);
  const Arg record = P(host);
  rows->insert(rows->end(), {
                                INIT(aclprofInit, P("/"), N(1, 7)),
                                PLAIN(aclprofFinalize),
                                VALUE(aclprofConfig*, aclprofCreateConfig, nullptr, P(&device_zero), N(1, 2), N(1, 77), Any(nullptr), N(2, 0)),
                                PLAIN(aclprofDestroyConfig, config),
                                PLAIN(aclprofStart, config),
                                PLAIN(aclprofStop, config),
                                PLAIN(aclprofSetConfig, N(2, 99), P("x"), N(1, 0)),
                                VALUE(aclprofSubscribeConfig*, aclprofCreateSubscribeConfig, nullptr, N(1), N(1, 77), P(&pipe_end)),
                                PLAIN(aclprofDestroySubscribeConfig, subscribe),
                                INIT(aclprofModelSubscribe, N(4711, 4712, kModelId), subscribe),
                                INIT(aclprofModelUnSubscribe, N(4711, 4712, ACL_ERROR_INVALID_MODEL_ID)),
                                PLAIN(aclprofGetOpDescSize, Out()),
                                PLAIN(aclprofGetOpNum, record, N(64, 63), Out()),
                                PLAIN(aclprofGetOpTypeLen, record, N(64, 63), N(0), Out()),
                                PLAIN(aclprofGetOpType, record, N(64, 63), N(0), Out(), N(65)),
                                PLAIN(aclprofGetOpNameLen, record, N(64, 63), N(0), Out()),
                                PLAIN(aclprofGetOpName, record, N(64, 63), N(0), Out(), N(257)),
                                VALUE(uint64_t, aclprofGetOpStart, 0, record, N(64, 63), N(0)),
                                VALUE(uint64_t, aclprofGetOpEnd, 0, record, N(64, 63), N(0)),
                                VALUE(uint64_t, aclprofGetOpDuration, 0, record, N(64, 63), N(0)),
                                VALUE(size_t, aclprofGetModelId, 0, record, N(64, 63), N(0)),
                                VALUE(void*, aclprofCreateStamp, nullptr),
                                VOID(aclprofDestroyStamp, H(Object::kStamp, kParam, true)),
                                PLAIN(aclprofSetStampTraceMessage, stamp, P("x"), N(1, 128)),
                                PLAIN(aclprofMark, stamp),
                                CONTEXT(aclprofMarkEx, P("x"), N(1, 128), Stream()),
                                PLAIN(aclprofPush, stamp),
                                PLAIN(aclprofPop),
                                PLAIN(aclprofRangeStart, stamp, Out()),
                                PLAIN(aclprofRangeStop, N(4711, 4712)),
                                VALUE(aclprofStepInfo*, aclprofCreateStepInfo, nullptr),
                                VOID(aclprofDestroyStepInfo, H(Object::kStepInfo, kParam, true)),
                                CONTEXT(aclprofGetStepTimestamp, H(Object::kStepInfo), N(0, 5), Stream()),
                                INIT(aclmdlInitDump),
                                INIT(aclmdlSetDump, P("/nonexistent.json")),
                                INIT(aclmdlFinalizeDump),
                                PLAIN(acldumpRegCallback, P(reinterpret_cast<const void*>(&IgnoreDump)), N(0, 1)),
                                VOID(acldumpUnregCallback),
                            });
}

void AddOperatorRows(std::vector<FunctionRow>* rows) {
  rows->insert(rows->end(), {
                                CONTEXT(aclopCast, Tensor(), Buffer(), Tensor(), Buffer(), N(0), Stream()),
                                CONTEXT(aclopCreateHandleForCast, Tensor(), Tensor(), N(0), Out()),
                                CONTEXT(aclopExecWithHandle, H(Object::kOpHandle), N(1, 2), P(no_buffers), N(1, 2), P(no_buffers), Stream()),
                                VOID(aclopDestroyHandle, H(Object::kOpHandle, kParam, true)),
                                REFUSED(aclopSetModelDir),
                                REFUSED(aclopLoad),
                                REFUSED(aclopCreateAttr),
                                REFUSED(aclopDestroyAttr),
                                REFUSED(aclopSetAttrBool),
                                REFUSED(aclopSetAttrInt),
                                REFUSED(aclopSetAttrFloat),
                                REFUSED(aclopSetAttrString),
                                REFUSED(aclopSetAttrListBool),
                                REFUSED(aclopSetAttrListInt),
                                REFUSED(aclopSetAttrListFloat),
                                REFUSED(aclopSetAttrListString),
                                REFUSED(aclopCreateHandle),
                                REFUSED(aclopExecuteV2),
                                REFUSED(aclopCompileAndExecute),
                                REFUSED(aclopCompileAndExecuteV2),
                                REFUSED(aclblasGemmEx),
                            });
}

}  // namespace

const std::vector<FunctionRow>& FunctionRows() {
  static const auto* const rows = [] {
    auto* all = new std::vector<FunctionRow>;
    AddBaseRows(all);
    AddDeviceRows(all);
    AddStreamRows(all);
    AddMemoryRows(all);
    AddModelRows(all);
    AddAippRows(all);
    AddDescRows(all);
    AddRecordRows(all);
    AddOperatorRows(all);
    return all;
  }();
  return *rows;
}

}  // namespace omkit
