// What Conv and Dense do with a finished sum: bias, residual, clamp, and either rounding to float or requantization. Floor 2.
//
// Sums are held in double: exact for the products of 8-bit integers up to 2^53, and the accurate form of float sums. With float32 x and bfloat16 w,
// which no model file has, x is rounded to bfloat16 first, to nearest even: what passes/bfloat16.h makes of float layers.
#ifndef OMKIT_IR_OPS_ACCUMULATOR_H_
#define OMKIT_IR_OPS_ACCUMULATOR_H_

#include <vector>

#include "absl/status/status.h"
#include "ir/op.h"

namespace omkit::ir {

// Inputs of Conv and Dense: 0 x, 1 w, 2 bias (optional), 3 residual (optional).
constexpr int kBiasInput = 2;
constexpr int kResidualInput = 3;

// Checks dtypes and quantization of x, w and bias ([channels]), of the residual (exactly `out_shape`) and of the clamp attributes,
// and sets output 0. `channels` may be kUnknownDim.
absl::Status InferAccumulator(InferContext& ctx, int64_t channels, Shape out_shape);

// True when x and w are both quantized: their sums are integers.
bool IntegerAccumulation(const EvalContext& ctx);
// x - zx and w - zw when the accumulation is integer, real values otherwise, which are rounded for bfloat16 weights.
std::vector<double> ReadActivation(const EvalContext& ctx);
std::vector<double> ReadWeights(const EvalContext& ctx);

// Sums lie as [outer][channels][inner], the order of the output tensor. Fails when an integer sum leaves int32.
absl::Status FinishAccumulators(const EvalContext& ctx, std::vector<double>& sums, int64_t outer, int64_t channels, int64_t inner);

}  // namespace omkit::ir

#endif  // OMKIT_IR_OPS_ACCUMULATOR_H_
