// Comparisons, logic and selection with numpy broadcasting, as in ONNX. Results of comparisons and logic are bool.
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/broadcast.h"
#include "ir/ops/element.h"
#include "ir/ops/operand.h"

namespace omkit::ir {
namespace {

absl::Status InferBoolResult(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectSameDType(ctx, 0, 1));
  OMKIT_ASSIGN_OR_RETURN(Shape out, BroadcastShapes(ctx.shape(0), ctx.shape(1)));
  return SetOutputChecked(ctx, 0, DType::kBool, std::move(out));
}

absl::Status InferOrder(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectNumeric(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectNumeric(ctx, 1));
  return InferBoolResult(ctx);
}

absl::Status InferLogic(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectBool(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectBool(ctx, 1));
  return InferBoolResult(ctx);
}

// How two elements lie to each other; none of these when one is NaN. A comparison is the set of the relations it holds for.
constexpr int kLess = 1, kEqual = 2, kGreater = 4;

absl::Status EvalComparison(const EvalContext& ctx, int relations) {
  const Tensor& a = ctx.input(0);
  const Tensor& b = ctx.input(1);
  Tensor& out = ctx.output(0);
  const bool known = DispatchDType(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    bool* y = out.mutable_data<bool>();
    ForEachRow<2>(out.shape().dims(), {BroadcastStrides(a.shape(), out.shape()), BroadcastStrides(b.shape(), out.shape())},
                  [&](const auto& at, const auto& step, int64_t n) {
                    for (int64_t i = 0; i < n; ++i) {
                      const auto u = Element<T>::Load(a.data<T>()[at[0] + i * step[0]]);
                      const auto v = Element<T>::Load(b.data<T>()[at[1] + i * step[1]]);
                      *y++ = (((u < v ? kLess : 0) | (u == v ? kEqual : 0) | (u > v ? kGreater : 0)) & relations) != 0;
                    }
                  });
  });
  return known ? absl::OkStatus() : absl::InvalidArgumentError("the operands have no element type");
}

// `truth`: the results for (false, false), (false, true), (true, false), (true, true), lowest bit first.
absl::Status EvalLogic(const EvalContext& ctx, int truth) {
  const Tensor& a = ctx.input(0);
  const Tensor& b = ctx.input(1);
  Tensor& out = ctx.output(0);
  bool* y = out.mutable_data<bool>();
  ForEachRow<2>(out.shape().dims(), {BroadcastStrides(a.shape(), out.shape()), BroadcastStrides(b.shape(), out.shape())},
                [&](const auto& at, const auto& step, int64_t n) {
                  for (int64_t i = 0; i < n; ++i) {
                    const int left = a.data<bool>()[at[0] + i * step[0]], right = b.data<bool>()[at[1] + i * step[1]];
                    *y++ = (truth >> (2 * left + right) & 1) != 0;
                  }
                });
  return absl::OkStatus();
}

template <typename Bytes>
void Select(const EvalContext& ctx) {
  const Tensor& c = ctx.input(0);
  const Tensor& a = ctx.input(1);
  const Tensor& b = ctx.input(2);
  const Shape& shape = ctx.output(0).shape();
  auto* y = static_cast<uint8_t*>(ctx.output(0).mutable_raw());
  const auto* pa = static_cast<const uint8_t*>(a.raw());
  const auto* pb = static_cast<const uint8_t*>(b.raw());
  ForEachRow<3>(shape.dims(), {BroadcastStrides(c.shape(), shape), BroadcastStrides(a.shape(), shape), BroadcastStrides(b.shape(), shape)},
                [&](const auto& at, const auto& step, int64_t n) {
                  for (int64_t i = 0; i < n; ++i, y += sizeof(Bytes)) {
                    const uint8_t* from =
                        c.data<bool>()[at[0] + i * step[0]] ? pa + (at[1] + i * step[1]) * sizeof(Bytes) : pb + (at[2] + i * step[2]) * sizeof(Bytes);
                    std::memcpy(y, from, sizeof(Bytes));
                  }
                });
}

}  // namespace

absl::Status InferEqual(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectValidQuant(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectValidQuant(ctx, 1));
  return InferBoolResult(ctx);
}
absl::Status InferGreater(InferContext& ctx) { return InferOrder(ctx); }
absl::Status InferGreaterOrEqual(InferContext& ctx) { return InferOrder(ctx); }
absl::Status InferLess(InferContext& ctx) { return InferOrder(ctx); }
absl::Status InferLessOrEqual(InferContext& ctx) { return InferOrder(ctx); }
absl::Status InferAnd(InferContext& ctx) { return InferLogic(ctx); }
absl::Status InferOr(InferContext& ctx) { return InferLogic(ctx); }
absl::Status InferXor(InferContext& ctx) { return InferLogic(ctx); }

absl::Status EvalEqual(const EvalContext& ctx) { return EvalComparison(ctx, kEqual); }
absl::Status EvalGreater(const EvalContext& ctx) { return EvalComparison(ctx, kGreater); }
absl::Status EvalGreaterOrEqual(const EvalContext& ctx) { return EvalComparison(ctx, kGreater | kEqual); }
absl::Status EvalLess(const EvalContext& ctx) { return EvalComparison(ctx, kLess); }
absl::Status EvalLessOrEqual(const EvalContext& ctx) { return EvalComparison(ctx, kLess | kEqual); }
absl::Status EvalAnd(const EvalContext& ctx) { return EvalLogic(ctx, 0b1000); }
absl::Status EvalOr(const EvalContext& ctx) { return EvalLogic(ctx, 0b1110); }
absl::Status EvalXor(const EvalContext& ctx) { return EvalLogic(ctx, 0b0110); }

absl::Status InferNot(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectBool(ctx, 0));
  return SetOutputChecked(ctx, 0, DType::kBool, ctx.shape(0));
}

absl::Status EvalNot(const EvalContext& ctx) {
  for (int64_t i = 0; i < ctx.output(0).elements(); ++i) ctx.output(0).mutable_data<bool>()[i] = !ctx.input(0).data<bool>()[i];
  return absl::OkStatus();
}

absl::Status InferWhere(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectBool(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectValidQuant(ctx, 1));
  OMKIT_RETURN_IF_ERROR(ExpectValidQuant(ctx, 2));
  OMKIT_RETURN_IF_ERROR(ExpectSameDType(ctx, 1, 2));
  OMKIT_ASSIGN_OR_RETURN(Shape out, BroadcastShapes(ctx.shape(1), ctx.shape(2)));
  OMKIT_ASSIGN_OR_RETURN(out, BroadcastShapes(out, ctx.shape(0)));
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 1), std::move(out));
}

absl::Status EvalWhere(const EvalContext& ctx) {
  switch (SizeOf(ctx.output(0).dtype())) {
    case 1: Select<uint8_t>(ctx); return absl::OkStatus();
    case 2: Select<uint16_t>(ctx); return absl::OkStatus();
    case 4: Select<uint32_t>(ctx); return absl::OkStatus();
    case 8: Select<uint64_t>(ctx); return absl::OkStatus();
    default: return absl::InvalidArgumentError("the operands have no element type");
  }
}

}  // namespace omkit::ir
