// Adapters of quantization as other toolkits write it: one operator that rounds a float tensor to a grid. Each becomes Clip to the grid's
// ends, QuantizeLinear and DequantizeLinear. Sources: Brevitas and QONNX (Quant, docs/qonnx-custom-ops), OpenVINO and NNCF (FakeQuantize,
// operation specification FakeQuantize-1).
#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "frontends/onnx/adapters.h"

namespace omkit::frontends::adapters {
namespace {

using ir::OpKind;
using ir::ValueId;

// A grid of at most 256 steps; scale and zero point per tensor or per slice of `axis`.
struct Grid {
  DType dtype = DType::kInt8;
  int64_t low = -128, high = 127;  // integers that are used
  std::vector<float> scale;
  std::vector<int64_t> zero;
  int64_t axis = 1;
};

// The numbers of a constant that varies along one axis at most; `axis` is that axis.
absl::Status ReadSlices(const Tensor* t, const char* what, std::vector<float>* values, int64_t* axis) {
  if (t == nullptr) return absl::UnimplementedError(absl::StrCat(what, " that is not constant; export the network with fixed ranges"));
  if (!IsFloat(t->dtype())) return absl::InvalidArgumentError(absl::StrCat(what, " is ", Name(t->dtype()), ", expected a float"));
  for (int d = 0; d < t->shape().rank(); ++d) {
    if (t->shape().dim(d) == 1) continue;
    if (t->shape().dim(d) != t->elements()) return absl::UnimplementedError(absl::StrCat(what, " varies along several axes"));
    // Aligned with the last axes of the tensor, as in broadcasting.
    *axis = d - t->shape().rank();
  }
  for (int64_t i = 0; i < t->elements(); ++i) values->push_back(static_cast<float>(RealAt(*t, i)));
  return absl::OkStatus();
}

absl::Status Emit(OnnxNode& node, const Grid& grid) {
  const auto count = static_cast<int64_t>(grid.scale.size());
  const Shape shape = count == 1 ? Shape{} : Shape{count};
  OMKIT_ASSIGN_OR_RETURN(Tensor zero, Tensor::Allocate(grid.dtype, shape));
  for (int64_t i = 0; i < count; ++i) {
    if (grid.zero[i] < RangeOf(grid.dtype).min || grid.zero[i] > RangeOf(grid.dtype).max) {
      return absl::InvalidArgumentError(absl::StrCat("zero point ", grid.zero[i], " does not fit ", Name(grid.dtype)));
    }
    zero.mutable_data<uint8_t>()[i] = static_cast<uint8_t>(grid.zero[i]);
  }
  ir::Attrs attrs;
  attrs.Set("axis", grid.axis);
  const ValueId scale = node.Constant("scale", Tensor::Of<float>(shape, grid.scale));
  const ValueId zero_point = node.Constant("zero_point", std::move(zero));
  ValueId x = node.inputs[0];
  if (grid.low > RangeOf(grid.dtype).min || grid.high < RangeOf(grid.dtype).max) {
    const auto bound = [&](const char* name, int64_t q) -> absl::StatusOr<ValueId> {
      // As many dimensions as the axis needs from the end.
      std::vector<int64_t> dims(count == 1 ? 0 : -grid.axis, 1);
      if (count > 1) dims[0] = count;
      std::vector<float> reals(count);
      for (int64_t i = 0; i < count; ++i) reals[i] = static_cast<float>(q - grid.zero[i]) * grid.scale[i];
      return node.Constant(name, Tensor::Of<float>(Shape(dims), reals));
    };
    OMKIT_ASSIGN_OR_RETURN(const ValueId low, bound("low", grid.low));
    OMKIT_ASSIGN_OR_RETURN(const ValueId high, bound("high", grid.high));
    if (count == 1) x = node.EmitBefore(OpKind::kClip, "clip", {x, low, high});
    else x = node.EmitBefore(OpKind::kMin, "clip_high", {node.EmitBefore(OpKind::kMax, "clip_low", {x, low}), high});
  }
  const ValueId q = node.EmitBefore(OpKind::kQuantizeLinear, "quantize", {x, scale, zero_point}, attrs);
  node.kind = OpKind::kDequantizeLinear;
  node.attrs = attrs;
  node.inputs = {q, scale, zero_point};
  return Direct(node);
}

}  // namespace

absl::Status BrevitasQuant(OnnxNode& node) {
  Grid grid;
  OMKIT_RETURN_IF_ERROR(ReadSlices(node.constant(1), "scale", &grid.scale, &grid.axis));
  std::vector<float> zero, bits;
  int64_t ignored = 0;
  OMKIT_RETURN_IF_ERROR(ReadSlices(node.constant(2), "zero point", &zero, &ignored));
  OMKIT_RETURN_IF_ERROR(ReadSlices(node.constant(3), "bit width", &bits, &ignored));
  if (bits.size() != 1 || !(bits[0] >= 1 && bits[0] <= 8) || bits[0] != std::floor(bits[0])) {
    return absl::UnimplementedError(absl::StrCat("bit width ", bits.empty() ? 0.0f : bits[0], "; INT8 needs whole numbers from 1 to 8"));
  }
  const std::string rounding = node.attrs.String("rounding_mode", "ROUND");
  if (rounding != "ROUND" && rounding != "HALF_EVEN") {
    return absl::UnimplementedError(absl::StrCat("rounding_mode ", rounding, "; only ROUND (to nearest, ties to even) has an INT8 form"));
  }
  if (zero.size() != 1 && zero.size() != grid.scale.size()) {
    return absl::InvalidArgumentError(absl::StrCat(grid.scale.size(), " scales but ", zero.size(), " zero points"));
  }
  const bool is_signed = node.attrs.Int("signed", 1) != 0;
  const int64_t narrow = node.attrs.Int("narrow", 0) != 0 ? 1 : 0;
  const int64_t steps = int64_t{1} << static_cast<int>(bits[0]);
  grid.dtype = is_signed ? DType::kInt8 : DType::kUInt8;
  grid.low = is_signed ? -steps / 2 + narrow : 0;
  grid.high = is_signed ? steps / 2 - 1 : steps - 1 - narrow;
  for (size_t i = 0; i < grid.scale.size(); ++i) {
    const float z = zero[zero.size() == 1 ? 0 : i];
    if (z != std::nearbyint(z) || std::abs(z) > 255)
      return absl::UnimplementedError(absl::StrCat("zero point ", z, " is not a whole number of 8 bits"));
    grid.zero.push_back(static_cast<int64_t>(z));
  }
  return Emit(node, grid);
}

absl::Status FakeQuantize(OnnxNode& node) {
  const int64_t levels = node.attrs.Int("levels", 256);
  if (levels < 2 || levels > 256) return absl::UnimplementedError(absl::StrCat("levels=", levels, "; INT8 has at most 256"));
  std::vector<float> ends[4];
  const char* const names[] = {"input_low", "input_high", "output_low", "output_high"};
  Grid grid;
  for (int i = 0; i < 4; ++i) OMKIT_RETURN_IF_ERROR(ReadSlices(node.constant(i + 1), names[i], &ends[i], &grid.axis));
  if (ends[0] != ends[2] || ends[1] != ends[3] || ends[0].size() != ends[1].size()) {
    return absl::UnimplementedError("input and output ranges that differ: the operator then moves values as well as rounding them");
  }
  bool negative = false;
  for (float low : ends[0]) negative |= low < 0;
  // Symmetric ranges become int8, others uint8; the integers start where the type does, one later for the 255 steps of narrow weights.
  const bool is_signed = negative && ends[0].size() > 1;
  grid.dtype = is_signed ? DType::kInt8 : DType::kUInt8;
  grid.low = is_signed ? -(levels / 2) : 0;
  grid.high = grid.low + levels - 1;
  for (size_t i = 0; i < ends[0].size(); ++i) {
    const double scale = (static_cast<double>(ends[1][i]) - ends[0][i]) / static_cast<double>(levels - 1);
    const double zero = static_cast<double>(grid.low) - ends[0][i] / scale;
    if (!(scale > 0) || !std::isfinite(zero)) {
      return absl::InvalidArgumentError(absl::StrCat("range ", i, " is [", ends[0][i], ", ", ends[1][i], "], which holds nothing"));
    }
    if (std::abs(zero - std::nearbyint(zero)) > 1e-3) {
      return absl::UnimplementedError(absl::StrCat("range [", ends[0][i], ", ", ends[1][i], "] in ", levels,
                                                   " levels has no level at 0, which INT8 needs; adjust the range when exporting"));
    }
    grid.scale.push_back(static_cast<float>(scale));
    grid.zero.push_back(static_cast<int64_t>(std::nearbyint(zero)));
  }
  return Emit(node, grid);
}

}  // namespace omkit::frontends::adapters
