// Exported functions: dumps.
#include "acl/acl_dump.h"

#include "runtime/acl/config.h"
#include "runtime/acl/context.h"
#include "runtime/acl/dump.h"
#include "runtime/acl/errors.h"

namespace acl = omkit::acl;
using acl::Enter;
using acl::Fail;

extern "C" {

aclError aclmdlInitDump(void) {
  return Enter(__func__, []() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedInit());
    return acl::PrepareDump(false);
  });
}

aclError aclmdlSetDump(const char* dumpCfgPath) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedInit());
    if (dumpCfgPath == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "dumpCfgPath is null");
    acl::Config config;
    ACL_RETURN_IF_ERROR(acl::ReadConfig(dumpCfgPath, &config));
    return acl::SetDump(config.dump);
  });
}

aclError aclmdlFinalizeDump(void) {
  return Enter(__func__, []() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedInit());
    return acl::FinalizeDump();
  });
}

aclError acldumpRegCallback(int32_t (*const messageCallback)(const acldumpChunk*, int32_t), int32_t flag) {
  return Enter(__func__, [&]() -> aclError {
    if (messageCallback == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "messageCallback is null");
    if (flag != 0) return Fail(ACL_ERROR_INVALID_PARAM, "flag is %d; only 0 is allowed", flag);
    acl::SetDumpCallback(messageCallback);
    return ACL_SUCCESS;
  });
}

void acldumpUnregCallback(void) {
  Enter(__func__, []() -> aclError {
    acl::SetDumpCallback(nullptr);
    return ACL_SUCCESS;
  });
}

}  // extern "C"
