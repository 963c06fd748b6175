// What operators that move elements share: movement.cc, reshape.cc, slice.cc, pad.cc. Floor 2, private to ir/ops.
#ifndef OMKIT_IR_OPS_MOVEMENT_H_
#define OMKIT_IR_OPS_MOVEMENT_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ir/op.h"

namespace omkit::ir {

using Dims = std::vector<int64_t>;

inline const uint8_t* Bytes(const Tensor& t) { return static_cast<const uint8_t*>(t.raw()); }
inline uint8_t* MutableBytes(Tensor& t) { return static_cast<uint8_t*>(t.mutable_raw()); }

// Output 0 gets the bytes of input 0.
absl::Status CopyAll(const EvalContext& ctx);

// Gathers a strided view of `in` (strides in elements, of any sign) into contiguous `out`. `element`: 1, 2, 4 or 8 bytes.
void CopyStrided(const uint8_t* in, absl::Span<const int64_t> dims, const Dims& strides, size_t element, uint8_t* out);

// Output 0 has the data type and the quantization of input 0.
absl::Status SetMoved(InferContext& ctx, Shape shape);
// Output of known rank whose sizes depend on a tensor that is not a constant (yet).
absl::Status SetUnknownDims(InferContext& ctx, int64_t rank);
// True when input `i` is there but not a constant; its shape must be a vector of integers.
absl::StatusOr<bool> IsDynamic(const InferContext& ctx, int i);
// Of dims [begin, end); unknown when one of them is.
int64_t ProductOf(absl::Span<const int64_t> dims, int begin, int end);

}  // namespace omkit::ir

#endif  // OMKIT_IR_OPS_MOVEMENT_H_
