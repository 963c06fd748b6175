#include "tests/qdq/compare.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "gtest/gtest.h"
#include "ir/evaluate.h"
#include "ir/op.h"

namespace omkit::testing {

using ir::Graph;
using ir::OpKind;
using ir::ValueId;

std::vector<ir::NodeId> Order(const Graph& graph) {
  auto order = graph.TopologicalOrder();
  EXPECT_TRUE(order.ok()) << order.status();
  return order.ok() ? *std::move(order) : std::vector<ir::NodeId>();
}

std::vector<Tensor> MadeInputs(const Graph& graph, float low, float high, uint32_t seed) {
  std::vector<Tensor> inputs;
  uint32_t s = seed;
  for (ValueId v : graph.inputs()) {
    Tensor t = *Tensor::Allocate(graph.value(v).type);
    for (int64_t i = 0; i < t.elements(); ++i) {
      s = s * 1664525u + 1013904223u;
      t.mutable_data<float>()[i] = static_cast<float>(low + (high - low) * ((s >> 8) / 16777216.0));
    }
    inputs.push_back(std::move(t));
  }
  return inputs;
}

namespace {

// What the absorbed graph computed, by the names of the tensors.
std::map<std::string, Tensor> Record(const Graph& graph, const std::vector<ValueId>& watched, const std::vector<Tensor>& inputs) {
  std::map<std::string, Tensor> record;
  auto interpreter = ir::MakeInterpreter(graph, watched);
  EXPECT_TRUE(interpreter.ok()) << interpreter.status();
  const absl::Status status = (*interpreter)->Run(inputs, [&](ValueId v, const Tensor& t) { record[graph.value(v).name] = t.Clone(); });
  EXPECT_TRUE(status.ok()) << status;
  return record;
}

// Compares with `actual` and puts its integers in place of the model's own.
void CompareAndAdopt(const std::string& name, const Tensor& actual, Tensor* expected, Difference* difference) {
  ++difference->tensors;
  ASSERT_EQ(actual.elements(), expected->elements()) << name;
  const int64_t offset = expected->dtype() == DType::kInt8 && actual.dtype() == DType::kUInt8 ? 128 : 0;
  for (int64_t i = 0; i < actual.elements(); ++i) {
    const int64_t own = IntegerAt(actual, i) - offset;
    const int64_t step = std::abs(own - IntegerAt(*expected, i));
    ++difference->elements;
    difference->unequal += step != 0;
    difference->beyond_one += step > 1;
    if (step > difference->largest) {
      difference->largest = step;
      difference->where = name;
    }
    expected->mutable_data<uint8_t>()[i] = static_cast<uint8_t>(own);
  }
}

void CompareOutput(const Tensor& actual, const Tensor& expected, Difference* difference) {
  ASSERT_EQ(actual.dtype(), expected.dtype());
  ASSERT_EQ(actual.shape(), expected.shape());
  if (expected.dtype() != DType::kFloat32) return;
  double error = 0, magnitude = 1e-30;
  for (int64_t i = 0; i < expected.elements(); ++i) {
    error = std::max(error, std::abs(static_cast<double>(actual.data<float>()[i]) - expected.data<float>()[i]));
    magnitude = std::max(magnitude, std::abs(static_cast<double>(expected.data<float>()[i])));
  }
  difference->output_error = std::max(difference->output_error, error / magnitude);
}

}  // namespace

Difference Compare(const Graph& model, const Graph& absorbed, const std::vector<Tensor>& inputs) {
  std::vector<ValueId> quantized;
  for (ir::NodeId id : Order(absorbed)) {
    for (ValueId v : absorbed.node(id).outputs) {
      if (absorbed.value(v).type.quantized()) quantized.push_back(v);
    }
  }
  const auto actual = Record(absorbed, quantized, inputs);
  Difference difference;
  std::vector<Tensor> values(model.num_values());
  for (size_t i = 0; i < inputs.size(); ++i) values[model.inputs()[i]] = inputs[i];
  for (ir::NodeId id : Order(model)) {
    const ir::Node& node = model.node(id);
    std::vector<const Tensor*> in;
    for (ValueId v : node.inputs) in.push_back(v == ir::kNoValue ? nullptr : model.IsConstant(v) ? &model.value(v).constant : &values[v]);
    std::vector<Tensor*> out;
    for (ValueId v : node.outputs) {
      values[v] = *Tensor::Allocate(model.value(v).type);
      out.push_back(&values[v]);
    }
    const absl::Status status = ir::EvalOp(node.op, {node.attrs, in, out});
    EXPECT_TRUE(status.ok()) << Describe(node) << status;
    const std::string& name = model.value(node.outputs[0]).name;
    if (node.op == OpKind::kQuantizeLinear && actual.count(name) == 1) CompareAndAdopt(name, actual.at(name), out[0], &difference);
  }
  for (ValueId v : model.outputs()) CompareOutput(actual.at(model.value(v).name), values[v], &difference);
  return difference;
}

}  // namespace omkit::testing
