// Loading of models with memory of the client: below the aclmdlLoad functions and the configuration handles.
#ifndef OMKIT_RUNTIME_ACL_LOAD_H_
#define OMKIT_RUNTIME_ACL_LOAD_H_

#include <cstddef>
#include <cstdint>

#include "acl/acl.h"

namespace omkit::acl {

// Memory that the client provides for a model; null for memory of the library.
struct Provided {
  void* work = nullptr;
  size_t work_size = 0;
  void* weights = nullptr;
  size_t weights_size = 0;
};

// From a file or from bytes. Both need a context, check all arguments and record errors.
aclError LoadFile(const char* path, uint32_t* id, const Provided& provided);
aclError LoadMemory(const void* model, size_t size, uint32_t* id, const Provided& provided);

}  // namespace omkit::acl

#endif  // OMKIT_RUNTIME_ACL_LOAD_H_
