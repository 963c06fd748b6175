// Runs one operator on tensors, through inference and evaluation as a graph would. For tests only.
#ifndef OMKIT_IR_OPS_OP_TESTING_H_
#define OMKIT_IR_OPS_OP_TESTING_H_

#include <initializer_list>
#include <random>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/status.h"
#include "base/tensor.h"
#include "ir/graph.h"
#include "ir/op.h"

namespace omkit::ir {

inline Attrs AttrsOf(std::initializer_list<std::pair<const char*, Attr>> list) {
  Attrs attrs;
  for (const auto& [name, value] : list) attrs.Set(name, value);
  return attrs;
}

using Ints = std::vector<int64_t>;

// Inputs that are not defined() are absent. `wanted` gives outputs quantized types (their shapes are inferred).
inline absl::StatusOr<std::vector<Tensor>> RunOp(OpKind op, const std::vector<Tensor>& inputs, const Attrs& attrs = {}, int num_outputs = 1,
                                                 const TensorType& wanted = {}) {
  Graph graph;
  std::vector<ValueId> ids;
  for (size_t i = 0; i < inputs.size(); ++i) {
    ids.push_back(inputs[i].defined() ? graph.AddConstant("in" + std::to_string(i), inputs[i]) : kNoValue);
  }
  const NodeId id = graph.AddNode(op, "node", ids, attrs, num_outputs);
  if (wanted.quantized()) graph.SetType(graph.node(id).outputs[0], wanted);
  OMKIT_RETURN_IF_ERROR(InferNode(graph, id));
  std::vector<Tensor> results;
  for (ValueId v : graph.node(id).outputs) {
    OMKIT_ASSIGN_OR_RETURN(Tensor t, Tensor::Allocate(graph.value(v).type));
    results.push_back(std::move(t));
  }
  std::vector<const Tensor*> from;
  for (const Tensor& t : inputs) from.push_back(t.defined() ? &t : nullptr);
  std::vector<Tensor*> to;
  for (Tensor& t : results) to.push_back(&t);
  OMKIT_RETURN_IF_ERROR(EvalOp(op, {attrs, from, to}));
  return results;
}

template <typename T>
Tensor Of(Shape shape, const std::vector<T>& values) {
  return Tensor::Of<T>(std::move(shape), absl::MakeConstSpan(values));
}
inline Tensor Floats(Shape shape, const std::vector<float>& values) { return Of<float>(std::move(shape), values); }
inline Tensor Vector64(const std::vector<int64_t>& values) { return Of<int64_t>({static_cast<int64_t>(values.size())}, values); }

template <typename T>
std::vector<T> Values(const Tensor& t) {
  return std::vector<T>(t.data<T>(), t.data<T>() + t.elements());
}

// Reproducible test data.
class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  int64_t Int(int64_t lo, int64_t hi) { return std::uniform_int_distribution<int64_t>(lo, hi)(engine_); }
  float Float(float lo, float hi) { return std::uniform_real_distribution<float>(lo, hi)(engine_); }
  bool Coin() { return Int(0, 1) == 1; }
  Tensor FloatTensor(Shape shape) {
    Tensor t = *Tensor::Allocate(DType::kFloat32, std::move(shape));
    for (int64_t i = 0; i < t.elements(); ++i) t.mutable_data<float>()[i] = Float(-1, 1);
    return t;
  }
  // Elements over the whole range of the 8-bit type.
  Tensor Quantized(DType dtype, Shape shape, QuantParams quant) {
    Tensor t = *Tensor::Allocate({dtype, std::move(shape), std::move(quant), Layout::kPlain});
    for (int64_t i = 0; i < t.elements(); ++i) t.mutable_data<uint8_t>()[i] = static_cast<uint8_t>(Int(0, 255));
    return t;
  }
  QuantParams PerTensor(DType dtype) {
    const QuantRange range = RangeOf(dtype);
    return QuantParams::PerTensor(Float(0.005f, 0.1f), static_cast<int32_t>(Int(range.min, range.max)));
  }

 private:
  std::mt19937 engine_;
};

}  // namespace omkit::ir

#endif  // OMKIT_IR_OPS_OP_TESTING_H_
