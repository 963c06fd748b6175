// Tensor shapes. Floor 1. A dimension of -1 is unknown until shapes are bound.
#ifndef OMKIT_BASE_SHAPE_H_
#define OMKIT_BASE_SHAPE_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace omkit {

constexpr int64_t kUnknownDim = -1;
constexpr int kMaxRank = 8;

class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> dims) : dims_(dims) {}
  explicit Shape(std::vector<int64_t> dims) : dims_(std::move(dims)) {}
  explicit Shape(absl::Span<const int64_t> dims) : dims_(dims.begin(), dims.end()) {}

  int rank() const { return static_cast<int>(dims_.size()); }
  int64_t dim(int i) const { return dims_[i]; }
  void set_dim(int i, int64_t value) { dims_[i] = value; }
  absl::Span<const int64_t> dims() const { return dims_; }
  const std::vector<int64_t>& vec() const { return dims_; }
  // True when no dimension is kUnknownDim.
  bool IsStatic() const;
  // Product of the dimensions (1 for rank 0). Call only on a static shape whose product was checked by CheckedElements.
  int64_t elements() const;
  // Row-major element strides.
  std::vector<int64_t> Strides() const;
  // "1x3x224x224"; "?" for an unknown dimension; "scalar" for rank 0.
  std::string ToString() const;

  friend bool operator==(const Shape& a, const Shape& b) { return a.dims_ == b.dims_; }
  friend bool operator!=(const Shape& a, const Shape& b) { return !(a == b); }

 private:
  std::vector<int64_t> dims_;
};

// Element count of a shape that came from a file: errors on rank > kMaxRank, negative or unknown dims, and on products over 2^40.
absl::StatusOr<int64_t> CheckedElements(absl::Span<const int64_t> dims);

// Axis in [-rank, rank) made non-negative; an error names both otherwise.
absl::StatusOr<int> NormalizeAxis(int64_t axis, int rank);

// Numpy broadcasting of two shapes (ONNX Broadcasting.md); unknown dims stay unknown unless the other side is > 1.
absl::StatusOr<Shape> BroadcastShapes(const Shape& a, const Shape& b);

}  // namespace omkit

#endif  // OMKIT_BASE_SHAPE_H_
