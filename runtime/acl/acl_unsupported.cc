// Exported functions that this library does not provide: each one fails and says so.
#include "acl/acl_op.h"
#include "acl/ops/acl_cblas.h"
#include "runtime/acl/errors.h"

namespace acl = omkit::acl;

namespace {

aclError Refuse(const char* function, const char* why) {
  return acl::Enter(function, [&] { return acl::Fail(ACL_ERROR_API_NOT_SUPPORT, "%s", why); });
}

constexpr char kNoQueues[] = "there are no queues between processes here";
constexpr char kNoBundles[] = "there are no bundles of models here";
constexpr char kNoOperators[] = "single operators other than casts do not run here; put them into a model";

}  // namespace

extern "C" {

aclError aclmdlLoadFromFileWithQ(const char*, uint32_t*, const uint32_t*, size_t, const uint32_t*, size_t) { return Refuse(__func__, kNoQueues); }
aclError aclmdlLoadFromMemWithQ(const void*, size_t, uint32_t*, const uint32_t*, size_t, const uint32_t*, size_t) {
  return Refuse(__func__, kNoQueues);
}

aclError aclmdlBundleLoadFromFile(const char*, uint32_t*) { return Refuse(__func__, kNoBundles); }
aclError aclmdlBundleLoadFromMem(const void*, size_t, uint32_t*) { return Refuse(__func__, kNoBundles); }
aclError aclmdlBundleUnload(uint32_t) { return Refuse(__func__, kNoBundles); }
aclError aclmdlBundleGetModelNum(uint32_t, size_t*) { return Refuse(__func__, kNoBundles); }
aclError aclmdlBundleGetModelId(uint32_t, size_t, uint32_t*) { return Refuse(__func__, kNoBundles); }
aclmdlBundleQueryInfo* aclmdlBundleCreateQueryInfo(void) {
  Refuse(__func__, kNoBundles);
  return nullptr;
}
aclError aclmdlBundleDestroyQueryInfo(aclmdlBundleQueryInfo*) { return Refuse(__func__, kNoBundles); }
aclError aclmdlBundleQueryInfoFromFile(const char*, aclmdlBundleQueryInfo*) { return Refuse(__func__, kNoBundles); }
aclError aclmdlBundleQueryInfoFromMem(const void*, size_t, aclmdlBundleQueryInfo*) { return Refuse(__func__, kNoBundles); }

aclError aclopSetModelDir(const char*) { return Refuse(__func__, kNoOperators); }
aclError aclopLoad(const void*, size_t) { return Refuse(__func__, kNoOperators); }
aclopAttr* aclopCreateAttr(void) {
  Refuse(__func__, kNoOperators);
  return nullptr;
}
void aclopDestroyAttr(const aclopAttr*) { Refuse(__func__, kNoOperators); }
aclError aclopSetAttrBool(aclopAttr*, const char*, uint8_t) { return Refuse(__func__, kNoOperators); }
aclError aclopSetAttrInt(aclopAttr*, const char*, int64_t) { return Refuse(__func__, kNoOperators); }
aclError aclopSetAttrFloat(aclopAttr*, const char*, float) { return Refuse(__func__, kNoOperators); }
aclError aclopSetAttrString(aclopAttr*, const char*, const char*) { return Refuse(__func__, kNoOperators); }
aclError aclopSetAttrListBool(aclopAttr*, const char*, int, const uint8_t*) { return Refuse(__func__, kNoOperators); }
aclError aclopSetAttrListInt(aclopAttr*, const char*, int, const int64_t*) { return Refuse(__func__, kNoOperators); }
aclError aclopSetAttrListFloat(aclopAttr*, const char*, int, const float*) { return Refuse(__func__, kNoOperators); }
aclError aclopSetAttrListString(aclopAttr*, const char*, int, const char**) { return Refuse(__func__, kNoOperators); }
aclError aclopCreateHandle(const char*, int, const aclTensorDesc* const[], int, const aclTensorDesc* const[], const aclopAttr*, aclopHandle**) {
  return Refuse(__func__, kNoOperators);
}
aclError aclopExecuteV2(const char*, int, aclTensorDesc*[], aclDataBuffer*[], int, aclTensorDesc*[], aclDataBuffer*[], aclopAttr*, aclrtStream) {
  return Refuse(__func__, kNoOperators);
}
aclError aclopCompileAndExecute(const char*, int, const aclTensorDesc* const[], const aclDataBuffer* const[], int, const aclTensorDesc* const[],
                                aclDataBuffer* const[], const aclopAttr*, aclopEngineType, aclopCompileType, const char*, aclrtStream) {
  return Refuse(__func__, kNoOperators);
}
aclError aclopCompileAndExecuteV2(const char*, int, aclTensorDesc*[], aclDataBuffer*[], int, aclTensorDesc*[], aclDataBuffer*[], aclopAttr*,
                                  aclopEngineType, aclopCompileType, const char*, aclrtStream) {
  return Refuse(__func__, kNoOperators);
}

aclError aclblasGemmEx(aclTransType, aclTransType, aclTransType, int, int, int, const void*, const void*, int, aclDataType, const void*, int,
                       aclDataType, const void*, void*, int, aclDataType, aclComputeType, aclrtStream) {
  return Refuse(__func__, kNoOperators);
}

}  // extern "C"
