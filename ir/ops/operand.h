// The checks of operands that Infer functions share, and tensors as vectors of reals for Eval functions. Floor 2.
#ifndef OMKIT_IR_OPS_OPERAND_H_
#define OMKIT_IR_OPS_OPERAND_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/tensor.h"
#include "ir/op.h"

namespace omkit::ir {

// The type of the values an operand stands for: float32 for a quantized tensor, its dtype otherwise. An output inferred with this
// type is real unless a pass has given it quantization parameters.
DType ValueDType(const InferContext& ctx, int i);

// Errors name the input, what it has and what it must have.
absl::Status ExpectFloat(const InferContext& ctx, int i);
absl::Status ExpectNumeric(const InferContext& ctx, int i);
absl::Status ExpectInteger(const InferContext& ctx, int i);
absl::Status ExpectBool(const InferContext& ctx, int i);
absl::Status ExpectSameDType(const InferContext& ctx, int i, int j);
absl::Status ExpectRank(const InferContext& ctx, int i, int min_rank, int max_rank);
// A vector of `size` elements; kUnknownDim on either side passes.
absl::Status ExpectVector(const InferContext& ctx, int i, int64_t size);
// One element: rank 0, or rank 1 of size 1.
absl::Status ExpectScalar(const InferContext& ctx, int i);
// A quantized operand has one scale per slice of its axis and an integer type; plain operands pass.
absl::Status ExpectValidQuant(const InferContext& ctx, int i);
absl::Status ExpectPerTensorIfQuantized(const InferContext& ctx, int i);

// Sets output `i` after checking rank and element count (unknown dimensions count as 1).
absl::Status SetOutputChecked(InferContext& ctx, int i, DType dtype, Shape shape);

// True when both dimensions are known and differ.
inline bool Conflict(int64_t a, int64_t b) { return a != kUnknownDim && b != kUnknownDim && a != b; }

// Every element as a real number; a quantized tensor is dequantized, per tensor or per slice of its axis.
std::vector<double> ReadReals(const Tensor& tensor);
// Every element of an integer or bool tensor.
std::vector<int64_t> ReadIntegers(const Tensor& tensor);
// Stores one number per element: rounded for float types, quantized for a tensor that carries (per-tensor or per-axis)
// parameters, truncated and clamped for plain integers.
void WriteReals(absl::Span<const double> values, Tensor* tensor);
// Stores integers; values outside the element type wrap.
void WriteIntegers(absl::Span<const int64_t> values, Tensor* tensor);
// A float32 copy of a quantized tensor (DequantizeValue per element); any other tensor comes back as it is.
absl::StatusOr<Tensor> Dequantized(const Tensor& tensor);

// Index of the scale that element `e` of a tensor uses: (e / inner) % slices, with inner and slices from shape and parameters.
struct SliceIndex {
  SliceIndex(const Shape& shape, const QuantParams& quant);
  int64_t operator()(int64_t e) const { return slices == 1 ? 0 : e / inner % slices; }
  int64_t inner = 1;
  int64_t slices = 1;
};

}  // namespace omkit::ir

#endif  // OMKIT_IR_OPS_OPERAND_H_
