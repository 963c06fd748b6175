#include "ir/ops/broadcast.h"

namespace omkit::ir {

std::vector<int64_t> BroadcastStrides(const Shape& shape, const Shape& out) {
  const std::vector<int64_t> own = shape.Strides();
  std::vector<int64_t> strides(out.rank(), 0);
  const int lead = out.rank() - shape.rank();
  for (int d = 0; d < shape.rank(); ++d) strides[lead + d] = shape.dim(d) == 1 ? 0 : own[d];
  return strides;
}

bool BroadcastsTo(const Shape& shape, const Shape& target) {
  const int lead = target.rank() - shape.rank();
  if (lead < 0) return false;
  for (int d = 0; d < shape.rank(); ++d) {
    const int64_t a = shape.dim(d);
    const int64_t b = target.dim(lead + d);
    if (a != 1 && a != b && a != kUnknownDim && b != kUnknownDim) return false;
  }
  return true;
}

}  // namespace omkit::ir
