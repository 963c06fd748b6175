// Real models that carry their own quantization: after AbsorbQdq every layer is integer, and every tensor that the model quantizes equals
// the model's own float arithmetic (QuantizeLinear and DequantizeLinear by definition) within one step.
#include <stdlib.h>

#include <cmath>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "frontends/onnx/importer.h"
#include "frontends/qdq/absorb.h"
#include "gtest/gtest.h"
#include "ir/evaluate.h"
#include "ir/op.h"
#include "passes/fuse.h"
#include "passes/shapes.h"

namespace omkit {
namespace {

using ir::Graph;
using ir::OpKind;
using ir::ValueId;

// OMKIT_SHARED, or the folder `shared` beside the checkout that holds this source.
std::string SharedFolder() {
  if (const char* folder = getenv("OMKIT_SHARED")) return folder;
  char* real = realpath("tests/qdq/models_test.cc", nullptr);
  if (real == nullptr) return "";
  std::string path = real;
  free(real);
  for (int i = 0; i < 4; ++i) path = path.substr(0, path.rfind('/'));
  return path + "/shared";
}

struct ModelCase {
  const char* name;
  int layers;         // Conv, Gemm and MatMul nodes
  float low, high;
  double beyond_one;  // share of elements that may differ by more than one step: weights of uint8 models may need requantization
};

std::vector<Tensor> MadeInputs(const Graph& graph, float low, float high) {
  std::vector<Tensor> inputs;
  uint32_t s = 1;
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

absl::Status Prepare(Graph& graph) {
  std::map<std::string, std::vector<int64_t>> shapes;
  for (ValueId v : graph.inputs()) {
    Shape shape = graph.value(v).type.shape;
    for (int d = 0; d < shape.rank(); ++d) {
      if (shape.dim(d) == kUnknownDim) shape.set_dim(d, 1);
    }
    shapes[graph.value(v).name] = shape.vec();
  }
  return passes::RunPasses({passes::BindShapes(shapes), passes::InferShapes(), passes::Simplify()}, {}, graph);
}

std::vector<ir::NodeId> Order(const Graph& graph) {
  auto order = graph.TopologicalOrder();
  EXPECT_TRUE(order.ok()) << order.status();
  return order.ok() ? *std::move(order) : std::vector<ir::NodeId>();
}

// What the absorbed graph computed, by the names of the tensors.
std::map<std::string, Tensor> Record(const Graph& graph, const std::vector<ValueId>& watched, const std::vector<Tensor>& inputs) {
  std::map<std::string, Tensor> record;
  auto interpreter = ir::MakeInterpreter(graph, watched);
  EXPECT_TRUE(interpreter.ok()) << interpreter.status();
  const absl::Status status = (*interpreter)->Run(inputs, [&](ValueId v, const Tensor& t) { record[graph.value(v).name] = t.Clone(); });
  EXPECT_TRUE(status.ok()) << status;
  return record;
}

struct Difference {
  int tensors = 0;
  int64_t elements = 0, unequal = 0, beyond_one = 0, largest = 0;
  std::string where;  // the tensor with the largest difference
};

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

// Runs the model by definition; behind each QuantizeLinear it goes on with the integers of `actual`, so that every stretch of float
// arithmetic between two quantizers is judged for itself.
Difference RunBesides(const Graph& model, const std::vector<Tensor>& inputs, const std::map<std::string, Tensor>& actual) {
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
  return difference;
}

class Models : public ::testing::TestWithParam<ModelCase> {};

TEST_P(Models, IntegerFormEqualsTheModelsOwnArithmetic) {
  const ModelCase& c = GetParam();
  const std::string path = absl::StrCat(SharedFolder(), "/models/", c.name, ".onnx");
  if (!std::ifstream(path).good()) GTEST_SKIP() << "skipped: no " << path;
  auto imported = frontends::ImportOnnx(path);
  ASSERT_TRUE(imported.ok()) << imported.status();
  Graph& model = **imported;
  const absl::Status prepared = Prepare(model);
  ASSERT_TRUE(prepared.ok()) << prepared;
  const std::unique_ptr<Graph> absorbed = model.Clone();
  const auto is_qdq = frontends::AbsorbQdq(*absorbed);
  ASSERT_TRUE(is_qdq.ok()) << is_qdq.status();
  ASSERT_TRUE(*is_qdq);

  int layers = 0, integer_layers = 0, borders = 0, nodes = 0;
  std::vector<ValueId> quantized;
  for (ir::NodeId id : Order(*absorbed)) {
    const ir::Node& node = absorbed->node(id);
    ++nodes;
    EXPECT_NE(node.op, OpKind::kQuantizeLinear);
    EXPECT_NE(node.op, OpKind::kDequantizeLinear);
    borders += node.op == OpKind::kQuantize || node.op == OpKind::kDequantize;
    for (ValueId v : node.outputs) {
      if (absorbed->value(v).type.quantized()) quantized.push_back(v);
    }
    const bool layer = node.op == OpKind::kConv || node.op == OpKind::kDense || node.op == OpKind::kGemm || node.op == OpKind::kMatMul;
    layers += layer;
    integer_layers += layer && absorbed->value(node.inputs[0]).type.quantized();
  }
  std::printf("%s: %d nodes, %d of %d layers INT8, %d Quantize/Dequantize\n", c.name, nodes, integer_layers, layers, borders);
  EXPECT_EQ(layers, c.layers);
  EXPECT_EQ(integer_layers, layers);

  const std::vector<Tensor> inputs = MadeInputs(model, c.low, c.high);
  const auto actual = Record(*absorbed, quantized, inputs);
  const Difference d = RunBesides(model, inputs, actual);
  std::printf("  %d quantized tensors, %lld of %lld elements unequal, %lld by more than one step, at most %lld (%s)\n", d.tensors,
              static_cast<long long>(d.unequal), static_cast<long long>(d.elements), static_cast<long long>(d.beyond_one),
              static_cast<long long>(d.largest), d.where.c_str());
  EXPECT_GE(d.tensors, c.layers - 1);
  EXPECT_LE(static_cast<double>(d.beyond_one), c.beyond_one * static_cast<double>(d.elements));
}

INSTANTIATE_TEST_SUITE_P(Qdq, Models,
                         ::testing::Values(ModelCase{"ad01_autoencoder_int8_qdq", 10, -10, 10, 0},
                                           ModelCase{"cifar10_resnet8_int8_qdq", 10, 0, 255, 0},
                                           ModelCase{"kws_dscnn_int8_qdq", 10, -123, 25, 0},
                                           ModelCase{"person_detect_96_int8_qdq", 28, -1, 1, 0},
                                           ModelCase{"fmnist_resdw_qat_op13", 12, -0.8f, 2, 0},
                                           ModelCase{"fmnist_resdw_qat_op17", 12, -0.8f, 2, 0},
                                           ModelCase{"mobilenet_v1_025_128_qat_u8_qdq", 28, -1, 1, 0.005},
                                           ModelCase{"mobilenet_v2_224_qat_u8_qdq", 53, -1, 1, 0.005},
                                           ModelCase{"deeplabv3_dm05_513_qat_u8_qdq", 55, -1, 1, 0.005}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace omkit
