// Text from a model file as it may appear in a message: quoted, control characters escaped, long names cut. Floor 3.
#ifndef OMKIT_FRONTENDS_ONNX_QUOTED_H_
#define OMKIT_FRONTENDS_ONNX_QUOTED_H_

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace omkit::frontends {

inline std::string Quoted(absl::string_view text) {
  constexpr size_t kLimit = 200;
  if (text.size() <= kLimit) return absl::StrCat("'", absl::Utf8SafeCEscape(text), "'");
  return absl::StrCat("'", absl::CEscape(text.substr(0, kLimit)), "...' (", text.size(), " bytes)");
}

}  // namespace omkit::frontends

#endif  // OMKIT_FRONTENDS_ONNX_QUOTED_H_
