// A shape seen from one axis: outer x size x inner, the loop nest of operators that work along an axis. Floor 2.
#ifndef OMKIT_IR_OPS_AXIS_SPLIT_H_
#define OMKIT_IR_OPS_AXIS_SPLIT_H_

#include <cstdint>

#include "base/shape.h"

namespace omkit::ir {

// Element (o, k, i) lies at (o * size + k) * inner + i.
struct AxisSplit {
  int64_t outer = 1, size = 1, inner = 1;
};

inline AxisSplit SplitAt(const Shape& shape, int axis) {
  AxisSplit s;
  for (int d = 0; d < shape.rank(); ++d) (d < axis ? s.outer : d == axis ? s.size : s.inner) *= shape.dim(d);
  return s;
}

// Product of the dims in [begin, end) of a static shape.
inline int64_t ProductOfDims(const Shape& shape, int begin, int end) {
  int64_t product = 1;
  for (int d = begin; d < end; ++d) product *= shape.dim(d);
  return product;
}

}  // namespace omkit::ir

#endif  // OMKIT_IR_OPS_AXIS_SPLIT_H_
