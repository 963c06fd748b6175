// Pad: modes constant, reflect, edge and wrap; without a value quantized data is padded with its zero point.
#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/broadcast.h"
#include "ir/ops/element.h"
#include "ir/ops/movement.h"
#include "ir/ops/operand.h"

namespace omkit::ir {
namespace {

// Pads per axis from input 1 and the optional axes of input 3; negative pads crop and are refused.
absl::StatusOr<std::pair<Dims, Dims>> PadsPerAxis(int rank, absl::Span<const int64_t> pads, Dims axes, bool has_axes) {
  if (!has_axes) {
    axes.resize(rank);
    std::iota(axes.begin(), axes.end(), int64_t{0});
  }
  if (pads.size() != 2 * axes.size()) {
    return absl::InvalidArgumentError(absl::StrCat(pads.size(), " pads for ", axes.size(), " axes, expected ", 2 * axes.size()));
  }
  std::pair<Dims, Dims> result{Dims(rank, 0), Dims(rank, 0)};
  std::vector<bool> seen(rank, false);
  for (size_t i = 0; i < axes.size(); ++i) {
    OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(axes[i], rank));
    if (seen[axis]) return absl::InvalidArgumentError(absl::StrCat("axis ", axis, " is padded twice"));
    seen[axis] = true;
    constexpr int64_t kMaxPad = int64_t{1} << 40;
    for (int64_t pad : {pads[i], pads[axes.size() + i]}) {
      if (pad < 0 || pad > kMaxPad) {
        return absl::InvalidArgumentError(absl::StrCat("pad ", pad, " along axis ", axis, " is outside [0, 2^40]; use Slice to crop"));
      }
    }
    result.first[axis] = pads[i];
    result.second[axis] = pads[axes.size() + i];
  }
  return result;
}

enum class PadMode { kConstant, kReflect, kEdge, kWrap };
absl::StatusOr<PadMode> ReadPadMode(const Attrs& attrs) {
  const std::string mode = attrs.String("mode", "constant");
  if (mode == "constant") return PadMode::kConstant;
  if (mode == "reflect") return PadMode::kReflect;
  if (mode == "edge") return PadMode::kEdge;
  if (mode == "wrap") return PadMode::kWrap;
  return absl::InvalidArgumentError(absl::StrCat("attribute mode is '", mode, "', allowed are constant, reflect, edge and wrap"));
}

// Source position of padded position `i` (counted from the image's first element), or -1 for the pad value.
int64_t PadSource(PadMode mode, int64_t i, int64_t size) {
  if (i >= 0 && i < size) return i;
  switch (mode) {
    case PadMode::kConstant: return -1;
    case PadMode::kEdge: return i < 0 ? 0 : size - 1;
    case PadMode::kWrap: return ((i % size) + size) % size;
    case PadMode::kReflect: {
      if (size == 1) return 0;
      const int64_t period = 2 * (size - 1);
      const int64_t m = ((i % period) + period) % period;
      return m < size ? m : period - m;
    }
  }
  return -1;
}

// The element that constant padding writes, as bytes of the data's type.
std::vector<uint8_t> PadValue(const EvalContext& ctx) {
  const Tensor& x = ctx.input(0);
  const QuantParams& q = x.type().quant;
  const size_t size = SizeOf(x.dtype());
  std::vector<uint8_t> bytes(size, 0);
  const bool given = ctx.has_input(2) && ctx.input(2).elements() == 1;
  if (given && ctx.input(2).dtype() == x.dtype()) {
    std::memcpy(bytes.data(), ctx.input(2).raw(), size);
    return bytes;
  }
  if (!q.quantized()) return bytes;
  const QuantRange range = RangeOf(x.dtype());
  const float real = given ? static_cast<float>(RealAt(ctx.input(2), 0)) : 0.0f;
  const int32_t v = QuantizeValue(real, q.scale[0], q.zero_point[0], range.min, range.max);
  DispatchDType(x.dtype(), [&](auto zero) {
    const auto element = ConvertElement<decltype(zero)>(v);
    std::memcpy(bytes.data(), &element, size);
  });
  return bytes;
}

}  // namespace

absl::Status InferPad(InferContext& ctx) {
  const Shape& x = ctx.shape(0);
  OMKIT_ASSIGN_OR_RETURN(const PadMode mode, ReadPadMode(ctx.attrs()));
  OMKIT_ASSIGN_OR_RETURN(const bool dynamic_pads, IsDynamic(ctx, 1));
  OMKIT_ASSIGN_OR_RETURN(const bool dynamic_axes, IsDynamic(ctx, 3));
  OMKIT_RETURN_IF_ERROR(ExpectPerTensorIfQuantized(ctx, 0));
  if (ctx.has_input(2)) {
    OMKIT_RETURN_IF_ERROR(ExpectSameDType(ctx, 0, 2));
    if (ctx.shape(2).rank() > 0 && ctx.shape(2) != Shape{0}) OMKIT_RETURN_IF_ERROR(ExpectScalar(ctx, 2));
  }
  if (dynamic_pads || dynamic_axes) return SetUnknownDims(ctx, x.rank());
  OMKIT_ASSIGN_OR_RETURN(const Dims pads, ctx.ConstantInts(1));
  Dims axes;
  if (ctx.has_input(3)) {
    OMKIT_ASSIGN_OR_RETURN(axes, ctx.ConstantInts(3));
  }
  OMKIT_ASSIGN_OR_RETURN(const auto per_axis, PadsPerAxis(x.rank(), pads, axes, ctx.has_input(3)));
  OMKIT_RETURN_IF_ERROR(SetMoved(ctx, x));
  Shape out = x;
  for (int d = 0; d < x.rank(); ++d) {
    const int64_t added = per_axis.first[d] + per_axis.second[d];
    if (x.dim(d) == kUnknownDim) continue;
    if (x.dim(d) == 0 && added > 0 && mode != PadMode::kConstant) {
      return absl::InvalidArgumentError(absl::StrCat("axis ", d, " is empty: there is nothing to repeat into ", added, " pads"));
    }
    if (mode == PadMode::kReflect && std::max(per_axis.first[d], per_axis.second[d]) >= std::max<int64_t>(x.dim(d), 1) && added > 0) {
      return absl::InvalidArgumentError(absl::StrCat("reflect pads along axis ", d, " must be below its size ", x.dim(d)));
    }
    out.set_dim(d, x.dim(d) + added);
  }
  return SetMoved(ctx, std::move(out));
}

absl::Status EvalPad(const EvalContext& ctx) {
  const Tensor& x = ctx.input(0);
  Tensor& out = ctx.output(0);
  const int rank = x.shape().rank();
  OMKIT_ASSIGN_OR_RETURN(const PadMode mode, ReadPadMode(ctx.attrs));
  OMKIT_ASSIGN_OR_RETURN(const Dims pads, IntegerValues(ctx.input(1)));
  Dims axes;
  if (ctx.has_input(3)) {
    OMKIT_ASSIGN_OR_RETURN(axes, IntegerValues(ctx.input(3)));
  }
  OMKIT_ASSIGN_OR_RETURN(const auto per_axis, PadsPerAxis(rank, pads, axes, ctx.has_input(3)));
  const std::vector<uint8_t> value = PadValue(ctx);
  const size_t element = value.size();
  const Dims strides = x.shape().Strides();
  // Byte offset of every position of every axis, -1 where the pad value goes.
  std::vector<Dims> sources(rank);
  for (int d = 0; d < rank; ++d) {
    if (out.shape().dim(d) != x.shape().dim(d) + per_axis.first[d] + per_axis.second[d]) {
      return absl::InvalidArgumentError("the pads differ from those the shape was inferred with");
    }
    for (int64_t i = 0; i < out.shape().dim(d); ++i) {
      const int64_t source = PadSource(mode, i - per_axis.first[d], x.shape().dim(d));
      sources[d].push_back(source < 0 ? -1 : source * strides[d] * static_cast<int64_t>(element));
    }
  }
  uint8_t* to = MutableBytes(out);
  if (rank == 0) return CopyAll(ctx);
  Dims index(rank, 0);
  const int64_t rows = out.elements() == 0 ? 0 : out.elements() / out.shape().dim(rank - 1);
  for (int64_t r = 0; r < rows; ++r) {
    int64_t base = 0;
    bool inside = true;
    for (int d = 0; d + 1 < rank; ++d) {
      inside = inside && sources[d][index[d]] >= 0;
      base += sources[d][index[d]];
    }
    for (int64_t offset : sources[rank - 1]) {
      std::memcpy(to, inside && offset >= 0 ? Bytes(x) + base + offset : value.data(), element);
      to += element;
    }
    for (int d = rank - 2; d >= 0 && ++index[d] == out.shape().dim(d); --d) index[d] = 0;
  }
  return absl::OkStatus();
}

}  // namespace omkit::ir
