// om array: an offline model as a C array for targets without files. Floor 5, used by om; tools/omkit_rt runs such arrays.
#ifndef OMKIT_TOOLS_OM_ARRAY_H_
#define OMKIT_TOOLS_OM_ARRAY_H_

#include <ostream>
#include <string>

#include "absl/status/status.h"

namespace omkit::om {

// Writes a C header with the model's bytes and the sizes that static memory needs. The name of the array is the output file's, as an
// identifier. The model passes the full runtime's verification first, kernel parameters included, which omkit_rt leaves out; so it must be
// one that this machine can run. FAILED_PRECONDITION when omkit_rt lacks a kernel or a feature it needs.
absl::Status WriteArray(const std::string& model, const std::string& output, std::ostream& out);

}  // namespace omkit::om

#endif  // OMKIT_TOOLS_OM_ARRAY_H_
