// Model descriptions: what the files that export functions about them share.
#ifndef OMKIT_RUNTIME_ACL_DESC_H_
#define OMKIT_RUNTIME_ACL_DESC_H_

#include <memory>

#include "acl/acl.h"
#include "runtime/acl/model.h"

namespace omkit::acl {

// ACL_ERROR_INVALID_PARAM for a dead handle and for a description that is still empty.
aclError UseInfo(const aclmdlDesc* handle, std::shared_ptr<const ModelInfo>* info);

}  // namespace omkit::acl

#endif  // OMKIT_RUNTIME_ACL_DESC_H_
