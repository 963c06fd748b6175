/* Memory functions of the media interface. Only these two exist here: clients use them for image buffers that feed a model. */
#ifndef INC_EXTERNAL_ACL_OPS_ACL_DVPP_H_
#define INC_EXTERNAL_ACL_OPS_ACL_DVPP_H_

#include "acl/acl_base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Device memory as by aclrtMalloc, aligned to 128 bytes. */
ACL_FUNC_VISIBILITY aclError acldvppMalloc(void** devPtr, size_t size);
ACL_FUNC_VISIBILITY aclError acldvppFree(void* devPtr);

#ifdef __cplusplus
}
#endif

#endif /* INC_EXTERNAL_ACL_OPS_ACL_DVPP_H_ */
