// NumPy's .npy files (format 1.0, numpy.lib.format): for dumps.
#ifndef OMKIT_RUNTIME_ACL_NPY_H_
#define OMKIT_RUNTIME_ACL_NPY_H_

#include <cstdint>
#include <string>

#include "runtime/program.h"

namespace omkit::acl {

// The whole file for the elements of `tensor` from `data` on, row-major. bfloat16, which NumPy lacks, becomes float32.
std::string NpyFile(const runtime::TensorRecord& tensor, const uint8_t* data);

}  // namespace omkit::acl

#endif  // OMKIT_RUNTIME_ACL_NPY_H_
