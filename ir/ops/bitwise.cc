// Bitwise operators on integers, broadcast like arithmetic. BitShift takes unsigned integers; shifting by the width or more gives 0.
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/broadcast.h"
#include "ir/ops/operand.h"

namespace omkit::ir {
namespace {

absl::Status ExpectPlainInteger(const InferContext& ctx, int i) {
  if (IsInteger(ctx.dtype(i)) && !ctx.input(i).quantized()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("input ", i, " is ", ctx.input(i).ToString(), ", expected a plain integer tensor"));
}

absl::Status InferBitwise(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectPlainInteger(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectSameDType(ctx, 0, 1));
  OMKIT_RETURN_IF_ERROR(ExpectPlainInteger(ctx, 1));
  OMKIT_ASSIGN_OR_RETURN(Shape out, BroadcastShapes(ctx.shape(0), ctx.shape(1)));
  return SetOutputChecked(ctx, 0, ctx.dtype(0), std::move(out));
}

template <typename Fn>
void DispatchInteger(DType dtype, Fn&& fn) {
  DispatchDType(dtype, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) fn(zero);
  });
}

template <typename Fn>
absl::Status EvalBitwise(const EvalContext& ctx, Fn fn) {
  const Shape& out = ctx.output(0).shape();
  DispatchInteger(ctx.input(0).dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* a = ctx.input(0).data<T>();
    const T* b = ctx.input(1).data<T>();
    T* y = ctx.output(0).mutable_data<T>();
    ForEachRow<2>(out.dims(), {BroadcastStrides(ctx.input(0).shape(), out), BroadcastStrides(ctx.input(1).shape(), out)},
                  [&](const auto& at, const auto& step, int64_t n) {
                    for (int64_t i = 0; i < n; ++i) *y++ = static_cast<T>(fn(a[at[0] + i * step[0]], b[at[1] + i * step[1]]));
                  });
  });
  return absl::OkStatus();
}

}  // namespace

absl::Status InferBitwiseAnd(InferContext& ctx) { return InferBitwise(ctx); }
absl::Status EvalBitwiseAnd(const EvalContext& ctx) {
  return EvalBitwise(ctx, [](auto a, auto b) { return a & b; });
}
absl::Status InferBitwiseOr(InferContext& ctx) { return InferBitwise(ctx); }
absl::Status EvalBitwiseOr(const EvalContext& ctx) {
  return EvalBitwise(ctx, [](auto a, auto b) { return a | b; });
}
absl::Status InferBitwiseXor(InferContext& ctx) { return InferBitwise(ctx); }
absl::Status EvalBitwiseXor(const EvalContext& ctx) {
  return EvalBitwise(ctx, [](auto a, auto b) { return a ^ b; });
}

absl::Status InferBitwiseNot(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectPlainInteger(ctx, 0));
  return SetOutputChecked(ctx, 0, ctx.dtype(0), ctx.shape(0));
}
absl::Status EvalBitwiseNot(const EvalContext& ctx) {
  DispatchInteger(ctx.input(0).dtype(), [&](auto zero) {
    using T = decltype(zero);
    for (int64_t i = 0; i < ctx.input(0).elements(); ++i) {
      ctx.output(0).template mutable_data<T>()[i] = static_cast<T>(~ctx.input(0).template data<T>()[i]);
    }
  });
  return absl::OkStatus();
}

absl::Status InferBitShift(InferContext& ctx) {
  const std::string direction = ctx.attrs().String("direction", "");
  if (direction != "LEFT" && direction != "RIGHT") {
    return absl::InvalidArgumentError(absl::StrCat("attribute direction is '", direction, "', allowed are LEFT and RIGHT"));
  }
  const DType dtype = ctx.dtype(0);
  if (dtype != DType::kUInt8 && dtype != DType::kUInt16 && dtype != DType::kUInt32 && dtype != DType::kUInt64) {
    return absl::InvalidArgumentError(absl::StrCat("input 0 is ", Name(dtype), ", expected an unsigned integer type"));
  }
  return InferBitwise(ctx);
}
absl::Status EvalBitShift(const EvalContext& ctx) {
  const bool left = ctx.attrs.String("direction", "") == "LEFT";
  return EvalBitwise(ctx, [=](auto a, auto b) -> uint64_t {
    if (static_cast<uint64_t>(b) >= 8 * sizeof(a)) return 0;
    return left ? static_cast<uint64_t>(a) << b : static_cast<uint64_t>(a) >> b;
  });
}

}  // namespace omkit::ir
