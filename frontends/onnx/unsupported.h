// Collects the nodes of a model that omkit cannot import, so that one message tells all of them. Floor 3.
#ifndef OMKIT_FRONTENDS_ONNX_UNSUPPORTED_H_
#define OMKIT_FRONTENDS_ONNX_UNSUPPORTED_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace omkit::frontends {

class UnsupportedNodes {
 public:
  // `reason` is empty when the operator as a whole is unknown.
  void Add(absl::string_view node, absl::string_view op, absl::string_view domain, int64_t opset, absl::string_view reason);
  // OK when nothing was added; else UNIMPLEMENTED: the operators with their counts first, then one line per node. Operators that
  // came with a later opset than the node's are said to be so.
  absl::Status ToStatus() const;

 private:
  struct Entry {
    std::string node, op, domain;
    int64_t opset;
    std::string reason;
  };
  std::vector<Entry> entries_;
};

}  // namespace omkit::frontends

#endif  // OMKIT_FRONTENDS_ONNX_UNSUPPORTED_H_
