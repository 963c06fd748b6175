// Operators that select or count elements, as in ONNX: TopK, OneHot, Compress, NonZero, Unique.
//
// TopK: K is input 1; equal values keep their order, NaN counts as the largest value. The sizes of Compress, NonZero and Unique depend
// on values: they are known (and the nodes fold away) when those inputs are constants.
#include <algorithm>
#include <cstring>
#include <numeric>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/axis_split.h"
#include "ir/ops/element.h"
#include "ir/ops/operand.h"

namespace omkit::ir {
namespace {

const uint8_t* Bytes(const Tensor& t) { return static_cast<const uint8_t*>(t.raw()); }
uint8_t* MutableBytes(Tensor& t) { return static_cast<uint8_t*>(t.mutable_raw()); }

absl::Status SizeMismatch() { return absl::InvalidArgumentError("the sizes differ from those the shape was inferred with"); }

// A number per element that orders as the elements do: the two zeros are equal, NaN is above everything and equal to itself. One type for all
// dtypes, so that sorting is compiled once.
std::vector<uint64_t> OrderKeys(const Tensor& x) {
  constexpr uint64_t kSign = uint64_t{1} << 63;
  std::vector<uint64_t> keys(x.elements());
  DispatchDType(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* v = x.data<T>();
    for (size_t i = 0; i < keys.size(); ++i) {
      if constexpr (kIsFloat<T>) {
        const double d = static_cast<double>(Element<T>::Load(v[i])) + 0.0;  // -0 + 0 is 0
        uint64_t bits;
        std::memcpy(&bits, &d, sizeof bits);
        keys[i] = d != d ? ~uint64_t{0} : bits & kSign ? ~bits : bits | kSign;
      } else if constexpr (std::is_signed_v<T>) {
        keys[i] = static_cast<uint64_t>(static_cast<int64_t>(v[i])) ^ kSign;
      } else {
        keys[i] = v[i];
      }
    }
  });
  return keys;
}

// Positions of the true elements of a condition that lie below `limit`.
std::vector<int64_t> TruePositions(const Tensor& condition, int64_t limit) {
  std::vector<int64_t> positions;
  for (int64_t i = 0; i < std::min(condition.elements(), limit); ++i) {
    if (IntegerAt(condition, i) != 0) positions.push_back(i);
  }
  return positions;
}

std::vector<int64_t> NonZeroPositions(const Tensor& x) {
  std::vector<int64_t> positions;
  const std::vector<double> values = ReadReals(x);
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] != 0) positions.push_back(static_cast<int64_t>(i));
  }
  return positions;
}

// The distinct slices of a tensor along one axis (or its distinct elements).
struct UniqueSlices {
  std::vector<int64_t> first;    // position of each one's first occurrence, in output order
  std::vector<int64_t> inverse;  // slice -> place in `first`
  std::vector<int64_t> counts;
};

UniqueSlices FindUnique(const Tensor& x, const AxisSplit& s, bool sorted) {
  std::vector<int64_t> order(s.size);
  std::iota(order.begin(), order.end(), int64_t{0});
  std::vector<int64_t> group(s.size, 0);  // number of the slice among the sorted distinct ones
  const std::vector<uint64_t> keys = OrderKeys(x);
  const auto compare = [&](int64_t a, int64_t b) {
    for (int64_t o = 0; o < s.outer; ++o) {
      for (int64_t i = 0; i < s.inner; ++i) {
        const uint64_t ka = keys[(o * s.size + a) * s.inner + i], kb = keys[(o * s.size + b) * s.inner + i];
        if (ka != kb) return ka < kb ? -1 : 1;
      }
    }
    return 0;
  };
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return compare(a, b) < 0; });
  for (size_t i = 1; i < order.size(); ++i) group[order[i]] = group[order[i - 1]] + (compare(order[i - 1], order[i]) != 0 ? 1 : 0);
  const int64_t count = order.empty() ? 0 : group[order.back()] + 1;
  UniqueSlices u;
  u.first.assign(count, s.size);
  u.counts.assign(count, 0);
  for (int64_t i = 0; i < s.size; ++i) {
    u.first[group[i]] = std::min(u.first[group[i]], i);
    ++u.counts[group[i]];
  }
  u.inverse = group;
  if (sorted) return u;
  std::vector<int64_t> by_place(count), place(count);
  std::iota(by_place.begin(), by_place.end(), int64_t{0});
  std::sort(by_place.begin(), by_place.end(), [&](int64_t a, int64_t b) { return u.first[a] < u.first[b]; });
  UniqueSlices reordered;
  for (int64_t k = 0; k < count; ++k) {
    place[by_place[k]] = k;
    reordered.first.push_back(u.first[by_place[k]]);
    reordered.counts.push_back(u.counts[by_place[k]]);
  }
  for (int64_t g : u.inverse) reordered.inverse.push_back(place[g]);
  return reordered;
}

absl::StatusOr<AxisSplit> UniqueSplit(const Attrs& attrs, const Shape& shape) {
  if (!attrs.Has("axis")) return AxisSplit{1, shape.elements(), 1};
  OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(attrs.Int("axis", 0), shape.rank()));
  return SplitAt(shape, axis);
}

void StoreInt64(const std::vector<int64_t>& values, const EvalContext& ctx, int i) {
  if (i < ctx.num_outputs() && !values.empty()) std::memcpy(ctx.output(i).mutable_raw(), values.data(), values.size() * sizeof(int64_t));
}

// Gathers slices of x along the split axis.
void GatherSlices(const Tensor& x, const AxisSplit& s, const std::vector<int64_t>& slices, Tensor& out) {
  const size_t row = s.inner * SizeOf(x.dtype());
  uint8_t* y = MutableBytes(out);
  for (int64_t o = 0; o < s.outer; ++o) {
    for (int64_t k : slices) {
      std::memcpy(y, Bytes(x) + (o * s.size + k) * row, row);
      y += row;
    }
  }
}

}  // namespace

absl::Status InferTopK(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectNumeric(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 1, kMaxRank));
  OMKIT_RETURN_IF_ERROR(ExpectInteger(ctx, 1));
  OMKIT_RETURN_IF_ERROR(ExpectScalar(ctx, 1));
  Shape out = ctx.shape(0);
  OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(ctx.attrs().Int("axis", -1), out.rank()));
  int64_t k = kUnknownDim;
  if (ctx.constant(1) != nullptr) {
    OMKIT_ASSIGN_OR_RETURN(const std::vector<int64_t> given, ctx.ConstantInts(1));
    k = given.empty() ? 0 : given[0];
    if (k < 0 || (out.dim(axis) != kUnknownDim && k > out.dim(axis))) {
      return absl::InvalidArgumentError(absl::StrCat("K is ", k, " for axis ", axis, " of ", out.ToString()));
    }
  }
  out.set_dim(axis, k);
  OMKIT_RETURN_IF_ERROR(SetOutputChecked(ctx, 0, ValueDType(ctx, 0), out));
  return SetOutputChecked(ctx, 1, DType::kInt64, out);
}

absl::Status EvalTopK(const EvalContext& ctx) {
  const Tensor& x = ctx.input(0);
  OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(ctx.attrs.Int("axis", -1), x.shape().rank()));
  const bool largest = ctx.attrs.Int("largest", 1) != 0;
  const AxisSplit s = SplitAt(x.shape(), axis);
  const int64_t k = ctx.output(0).shape().dim(axis);
  if (k > s.size) return SizeMismatch();
  std::vector<int64_t> order(s.size);
  const std::vector<uint64_t> keys = OrderKeys(x);
  const size_t element = SizeOf(x.dtype());
  for (int64_t o = 0; o < s.outer; ++o) {
    for (int64_t i = 0; i < s.inner; ++i) {
      const int64_t row = o * s.size * s.inner + i;
      std::iota(order.begin(), order.end(), int64_t{0});
      std::partial_sort(order.begin(), order.begin() + k, order.end(), [&](int64_t a, int64_t b) {
        const uint64_t ka = keys[row + a * s.inner], kb = keys[row + b * s.inner];
        return ka == kb ? a < b : (ka < kb) != largest;
      });
      for (int64_t n = 0; n < k; ++n) {
        const int64_t to = (o * k + n) * s.inner + i;
        std::memcpy(MutableBytes(ctx.output(0)) + to * element, Bytes(x) + (row + order[n] * s.inner) * element, element);
        ctx.output(1).mutable_data<int64_t>()[to] = order[n];
      }
    }
  }
  return absl::OkStatus();
}

absl::Status InferOneHot(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectNumeric(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectNumeric(ctx, 1));
  OMKIT_RETURN_IF_ERROR(ExpectScalar(ctx, 1));
  OMKIT_RETURN_IF_ERROR(ExpectVector(ctx, 2, 2));
  OMKIT_RETURN_IF_ERROR(ExpectValidQuant(ctx, 2));
  const int rank = ctx.shape(0).rank() + 1;
  if (rank > kMaxRank) return absl::InvalidArgumentError(absl::StrCat("the result would have rank ", rank));
  OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(ctx.attrs().Int("axis", -1), rank));
  int64_t depth = kUnknownDim;
  if (ctx.constant(1) != nullptr) {
    const double given = ctx.constant(1)->elements() == 1 ? RealAt(*ctx.constant(1), 0) : 0;
    if (!(given >= 0 && given < static_cast<double>(int64_t{1} << 40))) return absl::InvalidArgumentError(absl::StrCat("depth is ", given));
    depth = static_cast<int64_t>(given);
  }
  std::vector<int64_t> dims = ctx.shape(0).vec();
  dims.insert(dims.begin() + axis, depth);
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 2), Shape(std::move(dims)));
}

absl::Status EvalOneHot(const EvalContext& ctx) {
  Tensor& out = ctx.output(0);
  OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(ctx.attrs.Int("axis", -1), out.shape().rank()));
  const AxisSplit s = SplitAt(out.shape(), axis);
  const size_t size = SizeOf(out.dtype());
  const std::vector<double> indices = ReadReals(ctx.input(0));
  for (int64_t e = 0; e < out.elements(); ++e) std::memcpy(MutableBytes(out) + e * size, Bytes(ctx.input(2)), size);
  for (int64_t o = 0; o < s.outer; ++o) {
    for (int64_t i = 0; i < s.inner; ++i) {
      const double index = std::trunc(indices[o * s.inner + i]);
      const double depth = static_cast<double>(s.size);
      if (!(index >= -depth && index < depth)) continue;
      const int64_t k = static_cast<int64_t>(index < 0 ? index + depth : index);
      std::memcpy(MutableBytes(out) + ((o * s.size + k) * s.inner + i) * size, Bytes(ctx.input(2)) + size, size);
    }
  }
  return absl::OkStatus();
}

absl::Status InferCompress(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectValidQuant(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectBool(ctx, 1));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 1, 1, 1));
  const Shape& x = ctx.shape(0);
  const bool flat = !ctx.attrs().Has("axis");
  int axis = 0;
  if (!flat) {
    OMKIT_ASSIGN_OR_RETURN(axis, NormalizeAxis(ctx.attrs().Int("axis", 0), x.rank()));
  }
  const bool known = ctx.constant(1) != nullptr && x.IsStatic();
  Shape out = flat ? Shape{kUnknownDim} : x;
  const int64_t limit = !known ? 0 : flat ? x.elements() : x.dim(axis);
  out.set_dim(axis, known ? static_cast<int64_t>(TruePositions(*ctx.constant(1), limit).size()) : kUnknownDim);
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), std::move(out));
}

absl::Status EvalCompress(const EvalContext& ctx) {
  const Shape& x = ctx.input(0).shape();
  OMKIT_ASSIGN_OR_RETURN(const AxisSplit s, UniqueSplit(ctx.attrs, x));
  const std::vector<int64_t> kept = TruePositions(ctx.input(1), s.size);
  if (s.outer * static_cast<int64_t>(kept.size()) * s.inner != ctx.output(0).elements()) return SizeMismatch();
  GatherSlices(ctx.input(0), s, kept, ctx.output(0));
  return absl::OkStatus();
}

absl::Status InferNonZero(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectValidQuant(ctx, 0));
  const int64_t count = ctx.constant(0) == nullptr ? kUnknownDim : static_cast<int64_t>(NonZeroPositions(*ctx.constant(0)).size());
  // A scalar counts as a vector of one element.
  return SetOutputChecked(ctx, 0, DType::kInt64, {std::max(1, ctx.shape(0).rank()), count});
}

absl::Status EvalNonZero(const EvalContext& ctx) {
  const std::vector<int64_t> positions = NonZeroPositions(ctx.input(0));
  const int64_t count = static_cast<int64_t>(positions.size());
  const Shape& x = ctx.input(0).shape();
  if (ctx.output(0).shape().dim(1) != count) return SizeMismatch();
  int64_t* y = ctx.output(0).mutable_data<int64_t>();
  const std::vector<int64_t> strides = x.Strides();
  for (int64_t i = 0; i < count; ++i) {
    for (int d = 0; d < x.rank(); ++d) y[d * count + i] = positions[i] / strides[d] % x.dim(d);
  }
  return absl::OkStatus();
}

absl::Status InferUnique(InferContext& ctx) {
  if (ctx.input(0).quantized()) return absl::InvalidArgumentError("input 0 is quantized");
  const bool flat = !ctx.attrs().Has("axis");
  int axis = 0;
  if (!flat) {
    OMKIT_ASSIGN_OR_RETURN(axis, NormalizeAxis(ctx.attrs().Int("axis", 0), ctx.shape(0).rank()));
  }
  int64_t count = kUnknownDim;
  int64_t size = kUnknownDim;
  if (const Tensor* x = ctx.constant(0); x != nullptr) {
    OMKIT_ASSIGN_OR_RETURN(const AxisSplit s, UniqueSplit(ctx.attrs(), x->shape()));
    count = static_cast<int64_t>(FindUnique(*x, s, true).first.size());
    size = s.size;
  }
  Shape out = flat ? Shape{kUnknownDim} : ctx.shape(0);
  out.set_dim(axis, count);
  for (int i = 1; i < ctx.num_outputs(); ++i) ctx.SetOutput(i, DType::kInt64, {i == 2 ? size : count});
  return SetOutputChecked(ctx, 0, ctx.dtype(0), std::move(out));
}

absl::Status EvalUnique(const EvalContext& ctx) {
  const Tensor& x = ctx.input(0);
  OMKIT_ASSIGN_OR_RETURN(const AxisSplit s, UniqueSplit(ctx.attrs, x.shape()));
  const UniqueSlices u = FindUnique(x, s, ctx.attrs.Int("sorted", 1) != 0);
  const int64_t count = static_cast<int64_t>(u.first.size());
  bool fits = ctx.output(0).elements() == s.outer * count * s.inner;
  for (int i = 1; i < ctx.num_outputs(); ++i) fits = fits && ctx.output(i).elements() == (i == 2 ? s.size : count);
  if (!fits) return SizeMismatch();
  GatherSlices(x, s, u.first, ctx.output(0));
  StoreInt64(u.first, ctx, 1);
  StoreInt64(u.inverse, ctx, 2);
  StoreInt64(u.counts, ctx, 3);
  return absl::OkStatus();
}

}  // namespace omkit::ir
