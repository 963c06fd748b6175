/* AscendCL: the C API through which programs run offline models (.om). This header brings in everything a model client needs.
 *
 *   aclInit(NULL); aclrtSetDevice(0);
 *   aclmdlLoadFromFile("net.om", &id);                         -- acl_mdl.h
 *   buffers by aclrtMalloc, wrapped by aclCreateDataBuffer, collected in datasets
 *   aclmdlExecute(id, inputs, outputs);
 *   aclmdlUnload(id); aclrtResetDevice(0); aclFinalize();
 *
 * After fork() the child must call nothing of this API except aclFinalize. The library installs no signal handlers. */
#ifndef INC_EXTERNAL_ACL_ACL_H_
#define INC_EXTERNAL_ACL_ACL_H_

#include "acl/acl_base.h"
#include "acl/acl_mdl.h"
#include "acl/acl_op.h"
#include "acl/acl_rt.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Version of this interface. */
#define ACL_MAJOR_VERSION 1
#define ACL_MINOR_VERSION 17
#define ACL_PATCH_VERSION 0

/* Starts the library. configPath: a JSON file, or NULL. Keys: "defaultDevice" {"default_device": "0"}, "err_msg_mode" "0" (messages per
 * thread) or "1" (per process); "max_opqueue_num" and "StackSize" are read and have no effect; unknown keys bring a warning.
 * "dump" (acl_dump.h) and "profiler" (acl_prof.h) record from now on; docs/acl.md lists their keys.
 * Errors: ACL_ERROR_INVALID_FILE (cannot be read), ACL_ERROR_PARSE_FILE (not JSON, or nested deeper than 10),
 * ACL_ERROR_INVALID_DUMP_CONFIG, ACL_ERROR_INVALID_PROFILING_CONFIG (a key or value that cannot be followed),
 * ACL_ERROR_REPEAT_INITIALIZE when already started: the call counts (see aclFinalizeReference) and clients may ignore the code. */
ACL_FUNC_VISIBILITY aclError aclInit(const char* configPath);
/* Stops streams, unloads models, destroys contexts, writes profiles. Memory from aclrtMalloc stays valid until it is freed.
 * ACL_ERROR_REPEAT_FINALIZE when not started. aclInit may follow. */
ACL_FUNC_VISIBILITY aclError aclFinalize(void);
/* Takes back one aclInit; the last one finalizes. refCount (may be NULL) receives the number that is left. */
ACL_FUNC_VISIBILITY aclError aclFinalizeReference(uint64_t* refCount);

ACL_FUNC_VISIBILITY aclError aclrtGetVersion(int32_t* majorVersion, int32_t* minorVersion, int32_t* patchVersion);

/* Name of the chip that models must have been compiled for to run here, for example "npu-int8-avx2"; the environment variable
 * OMKIT_SOC chooses another one of this machine. NULL when that one does not exist or cannot run here. Valid for ever. */
ACL_FUNC_VISIBILITY const char* aclrtGetSocName(void);

/* Text of the last error of this thread and forgets it: code, function, cause, what to do. NULL when there was none.
 * Valid until the thread calls this function again. */
ACL_FUNC_VISIBILITY const char* aclGetRecentErrMsg(void);

#ifdef __cplusplus
}
#endif

#endif /* INC_EXTERNAL_ACL_ACL_H_ */
