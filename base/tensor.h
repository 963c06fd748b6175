// A tensor: type plus bytes. Floor 1. Values are shared, not copied, when a Tensor is copied.
#ifndef OMKIT_BASE_TENSOR_H_
#define OMKIT_BASE_TENSOR_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/dtype.h"
#include "base/quant.h"
#include "base/shape.h"

namespace omkit {

// How the elements lie in memory. Logical shapes are always in ONNX order; layout is physical only.
enum class Layout : uint8_t {
  kPlain = 0,         // row-major in logical order (NCHW for images)
  kChannelsLast = 1,  // rank 4 only: N, H, W, C
};

struct TensorType {
  DType dtype = DType::kUndefined;
  Shape shape;
  QuantParams quant;
  Layout layout = Layout::kPlain;

  bool quantized() const { return quant.quantized(); }
  // "uint8 1x64x56x56 scale 0.02 zero 3".
  std::string ToString() const;
};

class Tensor {
 public:
  Tensor() = default;
  // Zero-filled, 64-byte aligned. Errors on non-static shapes and on more than 2^40 elements.
  static absl::StatusOr<Tensor> Allocate(TensorType type);
  static absl::StatusOr<Tensor> Allocate(DType dtype, Shape shape) { return Allocate(TensorType{dtype, std::move(shape), {}, Layout::kPlain}); }
  // A tensor over memory that the caller keeps alive and that holds at least the type's bytes.
  static Tensor View(TensorType type, void* data);
  // Copies `values`; their number must equal the shape's elements.
  template <typename T>
  static Tensor Of(Shape shape, absl::Span<const T> values);
  template <typename T>
  static Tensor Scalar(T value) {
    return Of<T>(Shape{}, {value});
  }

  bool defined() const { return data_ != nullptr; }
  const TensorType& type() const { return type_; }
  TensorType* mutable_type() { return &type_; }
  DType dtype() const { return type_.dtype; }
  const Shape& shape() const { return type_.shape; }
  int64_t elements() const { return elements_; }
  size_t bytes() const { return static_cast<size_t>(elements_) * SizeOf(type_.dtype); }

  const void* raw() const { return data_; }
  void* mutable_raw() { return data_; }
  // The caller guarantees that T is the element type.
  template <typename T>
  const T* data() const {
    return static_cast<const T*>(static_cast<const void*>(data_));
  }
  template <typename T>
  T* mutable_data() {
    return static_cast<T*>(static_cast<void*>(data_));
  }
  template <typename T>
  absl::Span<const T> values() const {
    return {data<T>(), static_cast<size_t>(elements_)};
  }

  // Same bytes under another type of equal byte count.
  Tensor WithType(TensorType type) const;
  // A deep copy.
  Tensor Clone() const;

 private:
  TensorType type_;
  int64_t elements_ = 0;
  uint8_t* data_ = nullptr;
  std::shared_ptr<uint8_t> owner_;
};

// Reads element `i` of an integer or bool tensor as int64 (shape inputs, axes, indices); the dtype must be an integer or bool.
int64_t IntegerAt(const Tensor& tensor, int64_t i);
// All elements of an integer or bool tensor; an error names the dtype otherwise.
absl::StatusOr<std::vector<int64_t>> IntegerValues(const Tensor& tensor);
// Element `i` of any numeric tensor as a real number: dequantized when the tensor is quantized per tensor.
double RealAt(const Tensor& tensor, int64_t i);

template <typename T>
Tensor Tensor::Of(Shape shape, absl::Span<const T> values) {
  Tensor t = *Allocate(DTypeOf<T>(), std::move(shape));
  for (size_t i = 0; i < values.size(); ++i) t.mutable_data<T>()[i] = values[i];
  return t;
}

}  // namespace omkit

#endif  // OMKIT_BASE_TENSOR_H_
