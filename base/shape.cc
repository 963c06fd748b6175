#include "base/shape.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/checked.h"

namespace omkit {

bool Shape::IsStatic() const {
  return std::none_of(dims_.begin(), dims_.end(), [](int64_t d) { return d < 0; });
}

int64_t Shape::elements() const {
  int64_t n = 1;
  for (int64_t d : dims_) n *= d;
  return n;
}

std::vector<int64_t> Shape::Strides() const {
  std::vector<int64_t> strides(dims_.size());
  int64_t step = 1;
  for (int i = rank() - 1; i >= 0; --i) {
    strides[i] = step;
    step *= dims_[i];
  }
  return strides;
}

std::string Shape::ToString() const {
  if (dims_.empty()) return "scalar";
  return absl::StrJoin(dims_, "x", [](std::string* out, int64_t d) { d < 0 ? absl::StrAppend(out, "?") : absl::StrAppend(out, d); });
}

absl::StatusOr<int64_t> CheckedElements(absl::Span<const int64_t> dims) {
  constexpr int64_t kMaxElements = int64_t{1} << 40;
  if (dims.size() > kMaxRank) return absl::InvalidArgumentError(absl::StrCat("rank ", dims.size(), " is above the limit of ", kMaxRank));
  CheckedSize n = 1;
  bool empty = false;
  for (int64_t d : dims) {
    if (d < 0) return absl::InvalidArgumentError(absl::StrCat("dimension ", d, " is not a size (shape ", Shape(dims).ToString(), ")"));
    if (d == 0) empty = true;
    n = n * std::max<int64_t>(d, 1);
  }
  if (!n.FitsIn(kMaxElements)) {
    return absl::InvalidArgumentError(absl::StrCat("shape ", Shape(dims).ToString(), " has more than 2^40 elements"));
  }
  return empty ? 0 : n.value();
}

absl::StatusOr<int> NormalizeAxis(int64_t axis, int rank) {
  if (axis < -rank || axis >= rank) return absl::InvalidArgumentError(absl::StrCat("axis ", axis, " is outside [", -rank, ", ", rank, ")"));
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

absl::StatusOr<Shape> BroadcastShapes(const Shape& a, const Shape& b) {
  const int rank = std::max(a.rank(), b.rank());
  std::vector<int64_t> dims(rank);
  for (int i = 0; i < rank; ++i) {
    const int ia = i - (rank - a.rank());
    const int ib = i - (rank - b.rank());
    const int64_t da = ia < 0 ? 1 : a.dim(ia);
    const int64_t db = ib < 0 ? 1 : b.dim(ib);
    if (da == db || db == 1) {
      dims[i] = da;
    } else if (da == 1) {
      dims[i] = db;
    } else if (da == kUnknownDim || db == kUnknownDim) {
      dims[i] = std::max(da, db);
    } else {
      return absl::InvalidArgumentError(absl::StrCat("shapes ", a.ToString(), " and ", b.ToString(), " do not broadcast"));
    }
  }
  return Shape(std::move(dims));
}

}  // namespace omkit
