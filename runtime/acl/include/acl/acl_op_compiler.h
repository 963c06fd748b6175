/* Old programs include this for aclopCompileAndExecute, which acl_op.h declares. */
#ifndef INC_EXTERNAL_ACL_ACL_OP_COMPILER_H_
#define INC_EXTERNAL_ACL_ACL_OP_COMPILER_H_

#include "acl/acl_op.h"

#endif /* INC_EXTERNAL_ACL_ACL_OP_COMPILER_H_ */
