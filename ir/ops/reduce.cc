// Reductions over axes, as in ONNX: axes are input 1 (absent: all axes, or none with noop_with_empty_axes), keepdims 1 by default.
//
// Floats are summed in double; integers of any width are exact in 64 bits and wrap when stored. ReduceMean of integers truncates.
// ReduceMax and ReduceMin also take 8-bit integers and bool. ArgMax and ArgMin give int64 along one axis.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/broadcast.h"
#include "ir/ops/element.h"
#include "ir/ops/operand.h"

namespace omkit::ir {
namespace {

// Which axes are reduced. An empty list of axes means all of them, or none with noop_with_empty_axes.
absl::StatusOr<std::vector<bool>> ReducedAxes(const Attrs& attrs, absl::Span<const int64_t> axes, int rank) {
  if (axes.empty()) return std::vector<bool>(rank, attrs.Int("noop_with_empty_axes", 0) == 0);
  std::vector<bool> reduced(rank, false);
  for (int64_t a : axes) {
    OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(a, rank));
    reduced[axis] = true;
  }
  return reduced;
}

Shape ReducedShape(const Shape& x, const std::vector<bool>& reduced, bool keep) {
  std::vector<int64_t> dims;
  for (int d = 0; d < x.rank(); ++d) {
    if (!reduced[d]) dims.push_back(x.dim(d));
    else if (keep) dims.push_back(1);
  }
  return Shape(std::move(dims));
}

absl::Status InferReduce(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectValidQuant(ctx, 0));
  const bool keep = ctx.attrs().Int("keepdims", 1) != 0;
  std::vector<int64_t> axes;
  if (ctx.has_input(1)) {
    if (ctx.constant(1) == nullptr && keep) {
      OMKIT_RETURN_IF_ERROR(ExpectInteger(ctx, 1));
      return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), Shape(std::vector<int64_t>(ctx.shape(0).rank(), kUnknownDim)));
    }
    OMKIT_ASSIGN_OR_RETURN(axes, ctx.ConstantInts(1));
  }
  OMKIT_ASSIGN_OR_RETURN(const std::vector<bool> reduced, ReducedAxes(ctx.attrs(), axes, ctx.shape(0).rank()));
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), ReducedShape(ctx.shape(0), reduced, keep));
}

absl::Status InferNumericReduce(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectNumeric(ctx, 0));
  return InferReduce(ctx);
}

absl::StatusOr<std::vector<bool>> EvalAxes(const EvalContext& ctx) {
  const Shape& x = ctx.input(0).shape();
  std::vector<int64_t> axes;
  if (ctx.has_input(1)) {
    OMKIT_ASSIGN_OR_RETURN(axes, IntegerValues(ctx.input(1)));
  }
  OMKIT_ASSIGN_OR_RETURN(std::vector<bool> reduced, ReducedAxes(ctx.attrs, axes, x.rank()));
  if (ReducedShape(x, reduced, ctx.attrs.Int("keepdims", 1) != 0) != ctx.output(0).shape()) {
    return absl::InvalidArgumentError("the axes differ from those the shape was inferred with");
  }
  return reduced;
}

// Strides into the reduced tensor for every dimension of x: 0 along reduced axes.
std::vector<int64_t> ReducedStrides(const Shape& x, const std::vector<bool>& reduced) {
  std::vector<int64_t> strides(x.rank(), 0);
  int64_t step = 1;
  for (int d = x.rank() - 1; d >= 0; --d) {
    if (reduced[d]) continue;
    strides[d] = step;
    step *= x.dim(d);
  }
  return strides;
}

// acc[reduced position] = combine(acc, x) over all elements.
template <typename Acc, typename Combine>
void Accumulate(const std::vector<Acc>& x, const Shape& shape, const std::vector<bool>& reduced, std::vector<Acc>& acc, Combine&& combine) {
  const Acc* v = x.data();
  ForEachRow<1>(shape.dims(), {ReducedStrides(shape, reduced)}, [&](const auto& at, const auto& step, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
      Acc& a = acc[at[0] + i * step[0]];
      a = combine(a, *v++);
    }
  });
}

// How many elements fall on each output.
int64_t ReducedCount(const Shape& x, const std::vector<bool>& reduced) {
  int64_t count = 1;
  for (int d = 0; d < x.rank(); ++d) count *= reduced[d] ? x.dim(d) : 1;
  return count;
}

template <typename Acc>
std::vector<Acc> Read(const Tensor& tensor) {
  if constexpr (std::is_same_v<Acc, double>) return ReadReals(tensor);
  else return ReadIntegers(tensor);
}

template <typename Acc>
void Write(const std::vector<Acc>& values, Tensor* tensor) {
  if constexpr (std::is_same_v<Acc, double>) WriteReals(values, tensor);
  else WriteIntegers(values, tensor);
}

// 64-bit wrap-around for integers, plain arithmetic for double.
struct Plus {
  double operator()(double a, double b) const { return a + b; }
  int64_t operator()(int64_t a, int64_t b) const { return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b)); }
};
struct Times {
  double operator()(double a, double b) const { return a * b; }
  int64_t operator()(int64_t a, int64_t b) const { return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b)); }
};

// `combine(acc, x)` from `start`, then `finish(acc, count)`, in double or int64 as the element type asks.
template <typename Combine, typename Finish>
absl::Status EvalReduce(const EvalContext& ctx, int64_t start, Combine combine, Finish finish) {
  OMKIT_ASSIGN_OR_RETURN(const std::vector<bool> reduced, EvalAxes(ctx));
  const Tensor& x = ctx.input(0);
  const int64_t count = ReducedCount(x.shape(), reduced);
  auto run = [&](auto zero) {
    using Acc = decltype(zero);
    std::vector<Acc> acc(ctx.output(0).elements(), static_cast<Acc>(start));
    Accumulate<Acc>(Read<Acc>(x), x.shape(), reduced, acc, combine);
    for (Acc& a : acc) a = finish(a, count);
    Write<Acc>(acc, &ctx.output(0));
  };
  if (IsFloat(x.dtype())) run(double{});
  else run(int64_t{});
  return absl::OkStatus();
}

// Results that are real even for integers: computed in double, truncated when stored.
template <typename Combine, typename Finish>
absl::Status EvalReduceReal(const EvalContext& ctx, Combine combine, Finish finish) {
  OMKIT_ASSIGN_OR_RETURN(const std::vector<bool> reduced, EvalAxes(ctx));
  std::vector<double> acc(ctx.output(0).elements(), 0.0);
  Accumulate<double>(ReadReals(ctx.input(0)), ctx.input(0).shape(), reduced, acc, combine);
  for (double& a : acc) a = finish(a);
  WriteReals(acc, &ctx.output(0));
  return absl::OkStatus();
}

// The most extreme value of each slice; an empty slice gives the neutral element of the type.
absl::Status EvalExtreme(const EvalContext& ctx, bool max) {
  OMKIT_ASSIGN_OR_RETURN(const std::vector<bool> reduced, EvalAxes(ctx));
  const Tensor& x = ctx.input(0);
  DispatchDType(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    using C = typename Element<T>::Compute;
    using Limits = std::numeric_limits<C>;
    const C low = Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
    const C high = Limits::has_infinity ? Limits::infinity() : Limits::max();
    // Not std::vector<C>: its bool form has no data().
    std::unique_ptr<C[]> acc(new C[ctx.output(0).elements() + 1]);
    std::fill_n(acc.get(), ctx.output(0).elements(), max ? low : high);
    const T* v = x.data<T>();
    ForEachRow<1>(x.shape().dims(), {ReducedStrides(x.shape(), reduced)}, [&](const auto& at, const auto& step, int64_t n) {
      for (int64_t i = 0; i < n; ++i) {
        C& a = acc[at[0] + i * step[0]];
        const C b = Element<T>::Load(*v++);
        if (b != b || (max ? b > a : b < a)) a = b;
      }
    });
    for (int64_t i = 0; i < ctx.output(0).elements(); ++i) ctx.output(0).template mutable_data<T>()[i] = Element<T>::Store(acc[i]);
  });
  return absl::OkStatus();
}

absl::Status InferArg(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectNumeric(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 1, kMaxRank));
  const Shape& x = ctx.shape(0);
  OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(ctx.attrs().Int("axis", 0), x.rank()));
  if (x.dim(axis) == 0) return absl::InvalidArgumentError(absl::StrCat("axis ", axis, " of ", x.ToString(), " is empty"));
  std::vector<bool> reduced(x.rank(), false);
  reduced[axis] = true;
  return SetOutputChecked(ctx, 0, DType::kInt64, ReducedShape(x, reduced, ctx.attrs().Int("keepdims", 1) != 0));
}

absl::Status EvalArg(const EvalContext& ctx, bool max) {
  const Tensor& x = ctx.input(0);
  OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(ctx.attrs.Int("axis", 0), x.shape().rank()));
  const bool last = ctx.attrs.Int("select_last_index", 0) != 0;
  int64_t inner = 1;
  for (int d = axis + 1; d < x.shape().rank(); ++d) inner *= x.shape().dim(d);
  const int64_t size = x.shape().dim(axis);
  DispatchNumeric(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for (int64_t e = 0; e < ctx.output(0).elements(); ++e) {
      const T* row = x.data<T>() + e / inner * size * inner + e % inner;
      int64_t best = 0;
      for (int64_t k = 1; k < size; ++k) {
        const auto v = Element<T>::Load(row[k * inner]);
        const auto b = Element<T>::Load(row[best * inner]);
        if ((max ? v > b : v < b) || (last && v == b)) best = k;
      }
      ctx.output(0).template mutable_data<int64_t>()[e] = best;
    }
  });
  return absl::OkStatus();
}

constexpr auto kKeep = [](auto a, int64_t) { return a; };

}  // namespace

absl::Status InferArgMax(InferContext& ctx) { return InferArg(ctx); }
absl::Status EvalArgMax(const EvalContext& ctx) { return EvalArg(ctx, true); }
absl::Status InferArgMin(InferContext& ctx) { return InferArg(ctx); }
absl::Status EvalArgMin(const EvalContext& ctx) { return EvalArg(ctx, false); }
absl::Status InferReduceMax(InferContext& ctx) { return InferReduce(ctx); }
absl::Status EvalReduceMax(const EvalContext& ctx) { return EvalExtreme(ctx, true); }
absl::Status InferReduceMin(InferContext& ctx) { return InferReduce(ctx); }
absl::Status EvalReduceMin(const EvalContext& ctx) { return EvalExtreme(ctx, false); }

absl::Status InferReduceL1(InferContext& ctx) { return InferNumericReduce(ctx); }
absl::Status EvalReduceL1(const EvalContext& ctx) {
  return EvalReduce(
      ctx, 0, [](auto a, auto x) { return Plus()(a, x < 0 ? Times()(x, decltype(x)(-1)) : x); }, kKeep);
}

absl::Status InferReduceL2(InferContext& ctx) { return InferNumericReduce(ctx); }
absl::Status EvalReduceL2(const EvalContext& ctx) {
  return EvalReduceReal(
      ctx, [](double a, double x) { return a + x * x; }, [](double a) { return std::sqrt(a); });
}

absl::Status InferReduceLogSum(InferContext& ctx) { return InferNumericReduce(ctx); }
absl::Status EvalReduceLogSum(const EvalContext& ctx) {
  return EvalReduceReal(
      ctx, [](double a, double x) { return a + x; }, [](double a) { return std::log(a); });
}

absl::Status InferReduceLogSumExp(InferContext& ctx) { return InferNumericReduce(ctx); }
absl::Status EvalReduceLogSumExp(const EvalContext& ctx) {
  OMKIT_ASSIGN_OR_RETURN(const std::vector<bool> reduced, EvalAxes(ctx));
  const Shape& shape = ctx.input(0).shape();
  std::vector<double> x = ReadReals(ctx.input(0));
  // Values are taken relative to their slice's largest one, so that exp cannot overflow.
  std::vector<double> peak(ctx.output(0).elements(), -std::numeric_limits<double>::infinity());
  Accumulate<double>(x, shape, reduced, peak, [](double a, double v) { return std::max(a, v); });
  for (double& p : peak) p = std::isfinite(p) ? p : 0.0;
  double* v = x.data();
  ForEachRow<1>(shape.dims(), {ReducedStrides(shape, reduced)}, [&](const auto& at, const auto& step, int64_t n) {
    for (int64_t i = 0; i < n; ++i, ++v) *v = std::exp(*v - peak[at[0] + i * step[0]]);
  });
  std::vector<double> sum(peak.size(), 0.0);
  Accumulate<double>(x, shape, reduced, sum, Plus());
  for (size_t i = 0; i < sum.size(); ++i) sum[i] = std::log(sum[i]) + peak[i];
  WriteReals(sum, &ctx.output(0));
  return absl::OkStatus();
}

absl::Status InferReduceMean(InferContext& ctx) { return InferNumericReduce(ctx); }
absl::Status EvalReduceMean(const EvalContext& ctx) {
  return EvalReduce(ctx, 0, Plus(), [](auto a, int64_t n) {
    if constexpr (std::is_same_v<decltype(a), double>) return a / static_cast<double>(n);
    else return n == 0 ? decltype(a)(0) : a / n;
  });
}

absl::Status InferReduceProd(InferContext& ctx) { return InferNumericReduce(ctx); }
absl::Status EvalReduceProd(const EvalContext& ctx) { return EvalReduce(ctx, 1, Times(), kKeep); }

absl::Status InferReduceSum(InferContext& ctx) { return InferNumericReduce(ctx); }
absl::Status EvalReduceSum(const EvalContext& ctx) { return EvalReduce(ctx, 0, Plus(), kKeep); }

absl::Status InferReduceSumSquare(InferContext& ctx) { return InferNumericReduce(ctx); }
absl::Status EvalReduceSumSquare(const EvalContext& ctx) {
  return EvalReduce(
      ctx, 0, [](auto a, auto x) { return Plus()(a, Times()(x, x)); }, kKeep);
}

}  // namespace omkit::ir
