#include "ir/ops/operand.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/quant.h"
#include "base/status.h"
#include "ir/ops/element.h"

namespace omkit::ir {
namespace {

absl::Status WrongDType(const InferContext& ctx, int i, absl::string_view expected) {
  return absl::InvalidArgumentError(absl::StrCat("input ", i, " is ", Name(ctx.dtype(i)), ", expected ", expected));
}

}  // namespace

DType ValueDType(const InferContext& ctx, int i) { return ctx.input(i).quantized() ? DType::kFloat32 : ctx.dtype(i); }

absl::Status ExpectFloat(const InferContext& ctx, int i) {
  if (!IsFloat(ValueDType(ctx, i))) return WrongDType(ctx, i, "a float type");
  return ExpectValidQuant(ctx, i);
}

absl::Status ExpectNumeric(const InferContext& ctx, int i) {
  if (ctx.dtype(i) == DType::kBool || !IsValid(ctx.dtype(i))) return WrongDType(ctx, i, "a numeric type");
  return ExpectValidQuant(ctx, i);
}

absl::Status ExpectInteger(const InferContext& ctx, int i) {
  if (!IsInteger(ValueDType(ctx, i))) return WrongDType(ctx, i, "an integer type");
  return absl::OkStatus();
}

absl::Status ExpectBool(const InferContext& ctx, int i) {
  if (ctx.dtype(i) != DType::kBool) return WrongDType(ctx, i, "bool");
  return absl::OkStatus();
}

absl::Status ExpectSameDType(const InferContext& ctx, int i, int j) {
  if (ValueDType(ctx, i) == ValueDType(ctx, j)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("inputs ", i, " and ", j, " must have one type, they are ", Name(ValueDType(ctx, i)), " and ", Name(ValueDType(ctx, j))));
}

absl::Status ExpectRank(const InferContext& ctx, int i, int min_rank, int max_rank) {
  const int rank = ctx.shape(i).rank();
  if (rank >= min_rank && rank <= max_rank) return absl::OkStatus();
  const std::string limit = min_rank == max_rank ? absl::StrCat("rank ", min_rank) : absl::StrCat("a rank of ", min_rank, " to ", max_rank);
  return absl::InvalidArgumentError(absl::StrCat("input ", i, " has shape ", ctx.shape(i).ToString(), ", expected ", limit));
}

absl::Status ExpectVector(const InferContext& ctx, int i, int64_t size) {
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, i, 1, 1));
  if (!Conflict(ctx.shape(i).dim(0), size)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("input ", i, " has ", ctx.shape(i).dim(0), " elements, expected ", size));
}

absl::Status ExpectScalar(const InferContext& ctx, int i) {
  const Shape& shape = ctx.shape(i);
  if (shape.rank() == 0 || (shape.rank() == 1 && !Conflict(shape.dim(0), 1))) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("input ", i, " has shape ", shape.ToString(), ", expected a scalar"));
}

absl::Status ExpectValidQuant(const InferContext& ctx, int i) {
  const TensorType& type = ctx.input(i);
  if (!type.quantized()) return absl::OkStatus();
  if (!IsInteger(type.dtype)) return absl::InvalidArgumentError(absl::StrCat("input ", i, " is quantized but of type ", Name(type.dtype)));
  OMKIT_RETURN_IF_ERROR(Annotate(ValidateQuantParams(type.quant, type.dtype), absl::StrCat("input ", i)));
  const int axis = type.quant.axis;
  if (axis < 0) return absl::OkStatus();
  if (axis >= type.shape.rank() || Conflict(type.shape.dim(axis), static_cast<int64_t>(type.quant.scale.size()))) {
    return absl::InvalidArgumentError(
        absl::StrCat("input ", i, " of shape ", type.shape.ToString(), " has ", type.quant.scale.size(), " scales on axis ", axis));
  }
  return absl::OkStatus();
}

absl::Status ExpectPerTensorIfQuantized(const InferContext& ctx, int i) {
  OMKIT_RETURN_IF_ERROR(ExpectValidQuant(ctx, i));
  if (!ctx.input(i).quantized() || ctx.input(i).quant.per_tensor()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("input ", i, " is quantized per channel; activations are quantized per tensor"));
}

absl::Status SetOutputChecked(InferContext& ctx, int i, DType dtype, Shape shape) {
  std::vector<int64_t> known = shape.vec();
  std::replace(known.begin(), known.end(), kUnknownDim, int64_t{1});
  if (auto elements = CheckedElements(known); !elements.ok()) {
    return Annotate(elements.status(), absl::StrCat("output ", i));
  }
  ctx.SetOutput(i, dtype, std::move(shape));
  return absl::OkStatus();
}

SliceIndex::SliceIndex(const Shape& shape, const QuantParams& quant) {
  if (!quant.quantized() || quant.axis < 0) return;
  slices = static_cast<int64_t>(quant.scale.size());
  for (int d = quant.axis + 1; d < shape.rank(); ++d) inner *= shape.dim(d);
}

std::vector<double> ReadReals(const Tensor& tensor) {
  std::vector<double> values(tensor.elements());
  const QuantParams& q = tensor.type().quant;
  if (q.quantized()) {
    const SliceIndex slice(tensor.shape(), q);
    for (int64_t i = 0; i < tensor.elements(); ++i) {
      const int64_t s = slice(i);
      values[i] = DequantizeValue(static_cast<int32_t>(IntegerAt(tensor, i)), q.scale[s], q.zero_point[s]);
    }
    return values;
  }
  DispatchDType(tensor.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* data = tensor.data<T>();
    for (int64_t i = 0; i < tensor.elements(); ++i) values[i] = static_cast<double>(Element<T>::Load(data[i]));
  });
  return values;
}

std::vector<int64_t> ReadIntegers(const Tensor& tensor) {
  std::vector<int64_t> values(tensor.elements());
  for (int64_t i = 0; i < tensor.elements(); ++i) values[i] = IntegerAt(tensor, i);
  return values;
}

void WriteReals(absl::Span<const double> values, Tensor* tensor) {
  const QuantParams& q = tensor->type().quant;
  const SliceIndex slice(tensor->shape(), q);
  const QuantRange range = RangeOf(tensor->dtype());
  DispatchDType(tensor->dtype(), [&](auto zero) {
    using T = decltype(zero);
    T* data = tensor->mutable_data<T>();
    if (q.quantized()) {
      for (size_t i = 0; i < values.size(); ++i) {
        const int64_t s = slice(static_cast<int64_t>(i));
        data[i] = ConvertElement<T>(QuantizeValue(static_cast<float>(values[i]), q.scale[s], q.zero_point[s], range.min, range.max));
      }
    } else {
      for (size_t i = 0; i < values.size(); ++i) data[i] = ConvertElement<T>(values[i]);
    }
  });
}

void WriteIntegers(absl::Span<const int64_t> values, Tensor* tensor) {
  DispatchDType(tensor->dtype(), [&](auto zero) {
    using T = decltype(zero);
    for (size_t i = 0; i < values.size(); ++i) tensor->mutable_data<T>()[i] = ConvertElement<T>(values[i]);
  });
}

absl::StatusOr<Tensor> Dequantized(const Tensor& tensor) {
  const QuantParams& q = tensor.type().quant;
  if (!q.quantized()) return tensor;
  OMKIT_ASSIGN_OR_RETURN(Tensor real, Tensor::Allocate(DType::kFloat32, tensor.shape()));
  const SliceIndex slice(tensor.shape(), q);
  for (int64_t i = 0; i < tensor.elements(); ++i) {
    const int64_t s = slice(i);
    real.mutable_data<float>()[i] = DequantizeValue(static_cast<int32_t>(IntegerAt(tensor, i)), q.scale[s], q.zero_point[s]);
  }
  return real;
}

}  // namespace omkit::ir
