// Executions of models by datasets: below aclmdlExecute, its asynchronous form and the forms with options.
#ifndef OMKIT_RUNTIME_ACL_EXECUTE_H_
#define OMKIT_RUNTIME_ACL_EXECUTE_H_

#include <cstddef>
#include <cstdint>

#include "acl/acl.h"

namespace omkit::acl {

struct ExecOptions {
  int32_t timeout_ms = -1;  // of the wait in ExecuteOnStream
  void* work = nullptr;     // working memory of the client for this execution
  size_t work_size = 0;
};

// On the caller's thread.
aclError ExecuteNow(uint32_t model_id, const aclmdlDataset* input, aclmdlDataset* output);
// Queued; `wait` for its end. Buffers are checked and taken before it is queued; outputs without memory get it when `wait`.
aclError ExecuteOnStream(uint32_t model_id, const aclmdlDataset* input, aclmdlDataset* output, aclrtStream stream, const ExecOptions& options,
                         bool wait);

}  // namespace omkit::acl

#endif  // OMKIT_RUNTIME_ACL_EXECUTE_H_
