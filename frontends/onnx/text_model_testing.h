// Models of tests, written as protobuf text: the generated ONNX classes are lite and have no text format. For tests only.
#ifndef OMKIT_FRONTENDS_ONNX_TEXT_MODEL_TESTING_H_
#define OMKIT_FRONTENDS_ONNX_TEXT_MODEL_TESTING_H_

#include <string>

#include "absl/strings/string_view.h"

namespace omkit::frontends {

// The encoding of the onnx.ModelProto that `text` describes. Aborts with the parser's message when it does not describe one.
std::string ModelBytesFromText(absl::string_view text);

}  // namespace omkit::frontends

#endif  // OMKIT_FRONTENDS_ONNX_TEXT_MODEL_TESTING_H_
