#include "ir/ops/accumulator.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/ops/operand.h"
#include "ir/ops/requantize.h"

namespace omkit::ir {
namespace {

constexpr int64_t kInt32Max = std::numeric_limits<int32_t>::max();
constexpr int64_t kInt32Min = std::numeric_limits<int32_t>::min();

// bfloat16 weights for float32 values.
bool RoundsToBFloat16(const TensorType& x, const TensorType& w) { return x.dtype == DType::kFloat32 && w.dtype == DType::kBFloat16; }

bool Is8Bit(DType dtype) { return dtype == DType::kUInt8 || dtype == DType::kInt8; }

absl::Status CheckQuantizedOperands(const InferContext& ctx) {
  for (int i : {0, 1}) {
    // Weights of 9 bits: uint8 ones around a zero point far from 128.
    if (!Is8Bit(ctx.dtype(i)) && (i == 0 || ctx.dtype(i) != DType::kInt16)) {
      return absl::InvalidArgumentError(absl::StrCat("input ", i, " is quantized ", Name(ctx.dtype(i)), ", expected uint8 or int8"));
    }
  }
  OMKIT_RETURN_IF_ERROR(ExpectPerTensorIfQuantized(ctx, 0));
  const QuantParams& w = ctx.input(1).quant;
  if (!w.per_tensor() && w.axis != 0) {
    return absl::InvalidArgumentError(absl::StrCat("the weight is quantized along axis ", w.axis, ", expected axis 0 (output channels)"));
  }
  return absl::OkStatus();
}

absl::Status CheckBias(const InferContext& ctx, int64_t channels, bool integer) {
  if (!ctx.has_input(kBiasInput)) return absl::OkStatus();
  OMKIT_RETURN_IF_ERROR(ExpectVector(ctx, kBiasInput, channels));
  OMKIT_RETURN_IF_ERROR(ExpectValidQuant(ctx, kBiasInput));
  if (integer) {
    if (ctx.dtype(kBiasInput) == DType::kInt32) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("the bias of a quantized operator is int32, got ", Name(ctx.dtype(kBiasInput))));
  }
  return ExpectSameDType(ctx, 0, kBiasInput);
}

absl::Status CheckResidual(const InferContext& ctx, const Shape& out_shape) {
  if (!ctx.has_input(kResidualInput)) return absl::OkStatus();
  OMKIT_RETURN_IF_ERROR(ExpectSameDType(ctx, 0, kResidualInput));
  OMKIT_RETURN_IF_ERROR(ExpectPerTensorIfQuantized(ctx, kResidualInput));
  const Shape& shape = ctx.shape(kResidualInput);
  bool equal = shape.rank() == out_shape.rank();
  for (int d = 0; equal && d < shape.rank(); ++d) equal = !Conflict(shape.dim(d), out_shape.dim(d));
  if (equal) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the residual has shape ", shape.ToString(), ", the result ", out_shape.ToString()));
}

absl::Status CheckClamp(const Attrs& attrs) {
  const RealRange range = ClampRealRange(attrs);
  if (range.min <= range.max) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("act_min ", range.min, " is above act_max ", range.max));
}

// q - zero point of every element.
std::vector<double> ReadCentered(const Tensor& tensor) {
  const QuantParams& q = tensor.type().quant;
  const SliceIndex slice(tensor.shape(), q);
  std::vector<double> values(tensor.elements());
  for (int64_t i = 0; i < tensor.elements(); ++i) {
    values[i] = static_cast<double>(IntegerAt(tensor, i) - q.zero_point[slice(i)]);
  }
  return values;
}

// Calls fn(element index, channel) for every element of [outer][channels][inner].
template <typename Fn>
void ForEachChannelElement(int64_t outer, int64_t channels, int64_t inner, Fn&& fn) {
  int64_t e = 0;
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t i = 0; i < inner; ++i, ++e) fn(e, c);
    }
  }
}

absl::Status AddIntegerBias(const EvalContext& ctx, std::vector<double>& sums, int64_t outer, int64_t channels, int64_t inner) {
  const int32_t* bias = ctx.has_input(kBiasInput) ? ctx.input(kBiasInput).data<int32_t>() : nullptr;
  double worst = 0;
  ForEachChannelElement(outer, channels, inner, [&](int64_t e, int64_t c) {
    if (bias != nullptr) sums[e] += bias[c];
    if (sums[e] > kInt32Max || sums[e] < kInt32Min) worst = sums[e];
  });
  if (worst == 0) return absl::OkStatus();
  return absl::OutOfRangeError(
      absl::StrCat("the integer sum ", static_cast<int64_t>(worst), " does not fit int32: too many terms per output; keep this node in float"));
}

void FinishQuantized(const EvalContext& ctx, const std::vector<double>& sums, int64_t outer, int64_t channels, int64_t inner) {
  Tensor& out = ctx.output(0);
  const QuantParams& q = out.type().quant;
  const std::vector<float> multipliers = AccumulatorMultipliers(ctx.input(0).type().quant, ctx.input(1).type().quant, q.scale[0], channels);
  const QuantRange range = ClampRange(ctx.attrs, q, out.dtype());
  const Tensor* residual = ctx.has_input(kResidualInput) ? &ctx.input(kResidualInput) : nullptr;
  const float side = residual == nullptr ? 0.0f : ResidualMultiplier(residual->type().quant, q.scale[0]);
  const int32_t residual_zero = residual == nullptr ? 0 : residual->type().quant.zero_point[0];
  ForEachChannelElement(outer, channels, inner, [&](int64_t e, int64_t c) {
    const auto acc = static_cast<int32_t>(sums[e]);
    const int32_t v = residual == nullptr ? Requantize(acc, multipliers[c], q.zero_point[0], range.min, range.max)
                                          : RequantizeAdd(acc, multipliers[c], static_cast<int32_t>(IntegerAt(*residual, e)) - residual_zero, side,
                                                          q.zero_point[0], range.min, range.max);
    if (out.dtype() == DType::kUInt8) out.mutable_data<uint8_t>()[e] = static_cast<uint8_t>(v);
    else out.mutable_data<int8_t>()[e] = static_cast<int8_t>(v);
  });
}

// out = float(acc) * multiplier, plus the residual, each one rounded float step.
void FinishIntegerToFloat(const EvalContext& ctx, std::vector<double>& sums, int64_t outer, int64_t channels, int64_t inner) {
  const std::vector<float> multipliers = AccumulatorMultipliers(ctx.input(0).type().quant, ctx.input(1).type().quant, 1.0f, channels);
  const RealRange range = ClampRealRange(ctx.attrs);
  const Tensor* residual = ctx.has_input(kResidualInput) ? &ctx.input(kResidualInput) : nullptr;
  const QuantParams plain;
  const QuantParams& rq = residual == nullptr ? plain : residual->type().quant;
  ForEachChannelElement(outer, channels, inner, [&](int64_t e, int64_t c) {
    float v = static_cast<float>(static_cast<int32_t>(sums[e])) * multipliers[c];
    if (residual != nullptr) {
      const float side = rq.quantized() ? static_cast<float>(static_cast<int32_t>(IntegerAt(*residual, e)) - rq.zero_point[0]) * rq.scale[0]
                                        : static_cast<float>(RealAt(*residual, e));
      v = v + side;
    }
    v = v < range.min ? range.min : v;
    sums[e] = v > range.max ? range.max : v;
  });
  WriteReals(sums, &ctx.output(0));
}

void FinishFloat(const EvalContext& ctx, std::vector<double>& sums, int64_t outer, int64_t channels, int64_t inner) {
  const RealRange range = ClampRealRange(ctx.attrs);
  std::vector<double> bias(channels, 0.0);
  if (ctx.has_input(kBiasInput)) bias = ReadReals(ctx.input(kBiasInput));
  std::vector<double> residual;
  if (ctx.has_input(kResidualInput)) residual = ReadReals(ctx.input(kResidualInput));
  ForEachChannelElement(outer, channels, inner, [&](int64_t e, int64_t c) {
    double v = sums[e] + bias[c];
    if (!residual.empty()) v += residual[e];
    v = v < range.min ? range.min : v;
    sums[e] = v > range.max ? range.max : v;
  });
  WriteReals(sums, &ctx.output(0));
}

}  // namespace

absl::Status InferAccumulator(InferContext& ctx, int64_t channels, Shape out_shape) {
  OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, 1));
  if (!RoundsToBFloat16(ctx.input(0), ctx.input(1))) OMKIT_RETURN_IF_ERROR(ExpectSameDType(ctx, 0, 1));
  const bool integer = ctx.input(0).quantized() && ctx.input(1).quantized();
  if (integer) OMKIT_RETURN_IF_ERROR(CheckQuantizedOperands(ctx));
  OMKIT_RETURN_IF_ERROR(CheckBias(ctx, channels, integer));
  OMKIT_RETURN_IF_ERROR(CheckResidual(ctx, out_shape));
  OMKIT_RETURN_IF_ERROR(CheckClamp(ctx.attrs()));
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), std::move(out_shape));
}

bool IntegerAccumulation(const EvalContext& ctx) { return ctx.input(0).type().quantized() && ctx.input(1).type().quantized(); }

std::vector<double> ReadActivation(const EvalContext& ctx) {
  if (IntegerAccumulation(ctx)) return ReadCentered(ctx.input(0));
  std::vector<double> values = ReadReals(ctx.input(0));
  if (RoundsToBFloat16(ctx.input(0).type(), ctx.input(1).type())) {
    for (double& value : values) value = FromBFloat16(ToBFloat16(static_cast<float>(value)));
  }
  return values;
}

std::vector<double> ReadWeights(const EvalContext& ctx) { return IntegerAccumulation(ctx) ? ReadCentered(ctx.input(1)) : ReadReals(ctx.input(1)); }

absl::Status FinishAccumulators(const EvalContext& ctx, std::vector<double>& sums, int64_t outer, int64_t channels, int64_t inner) {
  if (!IntegerAccumulation(ctx)) {
    FinishFloat(ctx, sums, outer, channels, inner);
    return absl::OkStatus();
  }
  OMKIT_RETURN_IF_ERROR(AddIntegerBias(ctx, sums, outer, channels, inner));
  const TensorType& out = ctx.output(0).type();
  const bool integer_residual = !ctx.has_input(kResidualInput) || IsInt8Activation(ctx.input(kResidualInput).type());
  if (IsInt8Activation(out) && integer_residual) FinishQuantized(ctx, sums, outer, channels, inner);
  else FinishIntegerToFloat(ctx, sums, outer, channels, inner);
  return absl::OkStatus();
}

}  // namespace omkit::ir
