// Error propagation on top of absl::Status: floor 1, used by every room above.
//
// A stage that passes an error on adds one layer of context with Annotate, so that the text reads from the outside in:
//   INVALID_ARGUMENT: quantize: node 'layer3.conv2' (Conv): weight has 64 output channels but 63 scales
#ifndef OMKIT_BASE_STATUS_H_
#define OMKIT_BASE_STATUS_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace omkit {

// The same status with "context: " in front of its message. OK stays OK.
absl::Status Annotate(const absl::Status& status, absl::string_view context);

// Appends ": did you mean 'x'?" material: the entry of `known` nearest to `name` by edit distance, or "" if none is near.
std::string NearestName(absl::string_view name, const std::vector<std::string>& known);

}  // namespace omkit

#define OMKIT_CONCAT_INNER_(a, b) a##b
#define OMKIT_CONCAT_(a, b) OMKIT_CONCAT_INNER_(a, b)

#define OMKIT_RETURN_IF_ERROR(expr)                                                  \
  do {                                                                               \
    if (absl::Status omkit_status = (expr); !omkit_status.ok()) return omkit_status; \
  } while (false)

#define OMKIT_ASSIGN_OR_RETURN(lhs, expr) OMKIT_ASSIGN_OR_RETURN_IMPL_(OMKIT_CONCAT_(omkit_statusor_, __LINE__), lhs, expr)
#define OMKIT_ASSIGN_OR_RETURN_IMPL_(tmp, lhs, expr) \
  auto tmp = (expr);                                 \
  if (!tmp.ok()) return std::move(tmp).status();     \
  lhs = std::move(tmp).value()

#endif  // OMKIT_BASE_STATUS_H_
