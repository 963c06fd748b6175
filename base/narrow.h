// The narrow element types: float8 and float4 formats (ONNX "Float stored in 8 bits", OCP 8-bit floating point) and 4-bit integers. Floor 1.
//
// One element takes one byte of a tensor; 4-bit types use its lower half (int4 as two's complement of 4 bits). They are storage formats:
// values are read from and rounded to them, nothing computes in them.
#ifndef OMKIT_BASE_NARROW_H_
#define OMKIT_BASE_NARROW_H_

#include <cstdint>

#include "base/dtype.h"

namespace omkit {

// Numbers of the enum DType beyond its wide types; they are written into offline models too. Wherever a DType is dispatched to a C++ type,
// these are not.
constexpr DType kFloat8E4M3FN = static_cast<DType>(14);
constexpr DType kFloat8E4M3FNUZ = static_cast<DType>(15);
constexpr DType kFloat8E5M2 = static_cast<DType>(16);
constexpr DType kFloat8E5M2FNUZ = static_cast<DType>(17);
constexpr DType kUInt4 = static_cast<DType>(18);
constexpr DType kInt4 = static_cast<DType>(19);
constexpr DType kFloat4E2M1 = static_cast<DType>(20);

// True for the types above, which are neither IsFloat nor IsInteger.
bool IsNarrow(DType dtype);

// The value of an element; `dtype` must be narrow.
float FromNarrow(DType dtype, uint8_t bits);

// The nearest element, ties to even. Beyond the largest finite value: `saturate` gives that value, otherwise infinity or NaN as ONNX Cast
// says for the format. Integers always saturate; NaN becomes 0 in formats that have none.
uint8_t ToNarrow(DType dtype, float value, bool saturate);

}  // namespace omkit

#endif  // OMKIT_BASE_NARROW_H_
