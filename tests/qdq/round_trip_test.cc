// INT8 networks written as ONNX and compiled again compute the same integers, in both forms of the exporter.
#include <cmath>
#include <set>

#include "backends/compile.h"
#include "backends/run_side.h"
#include "frontends/onnx/exporter.h"
#include "frontends/onnx/importer.h"
#include "gtest/gtest.h"
#include "ir/evaluate.h"
#include "ir/op.h"
#include "tests/qdq/own_quantization.h"
#include "tests/random_graph/random_graph.h"

namespace omkit {
namespace {

using ir::Graph;

std::unique_ptr<Graph> FinalGraph(std::unique_ptr<Graph> graph, CompileOptions options) {
  std::unique_ptr<Graph> last;
  options.on_final_graph = [&](const Graph& g) { last = g.Clone(); };
  const auto program = Compile(std::move(graph), options);
  EXPECT_TRUE(program.ok()) << program.status();
  return last;
}

std::unique_ptr<Graph> Calibrated(uint32_t seed, bool weight_only = false) {
  std::unique_ptr<Graph> graph = testing::RandomGraph(seed);
  const std::vector<Tensor> sample = testing::RandomInputs(*graph, seed);
  CompileOptions options;
  options.quant_type = QuantType::kInt8;
  options.quantize.effort = QuantEffort::kFast;
  options.quantize.policy.common.weight_only = weight_only;
  options.quantize.calibration = [&](const Graph&) -> absl::StatusOr<passes::CalibrationSource> {
    return passes::CalibrationSource{1, [&](int) -> absl::StatusOr<std::vector<Tensor>> { return sample; }};
  };
  return FinalGraph(std::move(graph), options);
}

int IntegerLayers(const Graph& graph) {
  int count = 0;
  const auto order = graph.TopologicalOrder();
  for (ir::NodeId id : *order) {
    const ir::Node& node = graph.node(id);
    const bool layer = node.op == ir::OpKind::kConv || node.op == ir::OpKind::kDense;
    count += layer && graph.value(node.inputs[1]).type.quantized();
  }
  return count;
}

// Compiles the exported form again and compares the float outputs, in parts of their range.
void ExpectTheSame(const Graph& graph, uint32_t seed, frontends::QuantStyle style, int* layers, int* layers_again) {
  frontends::ExportOptions options;
  options.style = style;
  const auto model = frontends::ExportOnnx(graph, options);
  ASSERT_TRUE(model.ok()) << model.status();
  auto imported = frontends::ImportOnnxBytes(model->SerializeAsString(), "exported", "");
  ASSERT_TRUE(imported.ok()) << imported.status();
  const std::unique_ptr<Graph> again = FinalGraph(*std::move(imported), {});
  ASSERT_NE(again, nullptr);
  *layers += IntegerLayers(graph);
  *layers_again += IntegerLayers(*again);
  for (uint32_t i = 0; i < 2; ++i) {
    const std::vector<Tensor> inputs = testing::RandomInputs(graph, seed + i);
    const auto expected = ir::Interpret(graph, inputs), actual = ir::Interpret(*again, inputs);
    ASSERT_TRUE(expected.ok() && actual.ok()) << expected.status() << actual.status();
    ASSERT_EQ(expected->size(), actual->size());
    for (size_t k = 0; k < expected->size(); ++k) {
      const Tensor &a = (*actual)[k], &e = (*expected)[k];
      ASSERT_EQ(a.elements(), e.elements());
      ASSERT_EQ(graph.value(graph.outputs()[k]).name, again->value(again->outputs()[k]).name);
      double low = 0, high = 0, worst = 0;
      for (int64_t j = 0; j < e.elements(); ++j) {
        low = std::min(low, RealAt(e, j));
        high = std::max(high, RealAt(e, j));
        worst = std::max(worst, std::abs(RealAt(a, j) - RealAt(e, j)));
      }
      EXPECT_LE(worst, (high - low) / 50 + 1e-6) << "output " << k;
    }
  }
}

TEST(RoundTrip, QuantizedNetworksComeBackFromQdq) {
  RegisterAllKernels();
  int layers = 0, again = 0;
  for (uint32_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    if (seed % 2 == 0) {
      ExpectTheSame(*Calibrated(seed), seed, frontends::QuantStyle::kQdq, &layers, &again);
    } else {
      const std::unique_ptr<Graph> plain = testing::RandomGraph(seed);
      ExpectTheSame(*FinalGraph(testing::WithOwnQuantization(*plain, testing::RandomInputs(*plain, seed), seed), {}), seed,
                    frontends::QuantStyle::kQdq, &layers, &again);
    }
  }
  EXPECT_EQ(layers, again);
  EXPECT_GT(layers, 40);
}

TEST(RoundTrip, Int8WeightsOfFloatLayersComeBack) {
  RegisterAllKernels();
  int layers = 0, again = 0;
  for (uint32_t seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE(seed);
    ExpectTheSame(*Calibrated(seed, /*weight_only=*/true), seed, frontends::QuantStyle::kQdq, &layers, &again);
  }
  EXPECT_EQ(layers, again);
  EXPECT_GT(layers, 40);
}

TEST(RoundTrip, DeployModelsOfAmctComeBack) {
  RegisterAllKernels();
  int layers = 0, again = 0;
  for (uint32_t seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE(seed);
    ExpectTheSame(*Calibrated(seed), seed, frontends::QuantStyle::kAscend, &layers, &again);
  }
  EXPECT_EQ(layers, again);
  EXPECT_GT(layers, 40);
}

TEST(Exporter, NamesAreUniqueAndTheOpsetIsTheLeastThatWorks) {
  RegisterAllKernels();
  for (uint32_t seed = 0; seed < 10; ++seed) {
    const auto model = frontends::ExportOnnx(*Calibrated(seed), {});
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ(model->opset_import(0).version(), 17);
    std::set<std::string> names, nodes;
    for (const auto& t : model->graph().initializer()) EXPECT_TRUE(names.insert(t.name()).second) << t.name();
    for (const auto& node : model->graph().node()) {
      EXPECT_TRUE(nodes.insert(node.name()).second) << node.name();
      for (const std::string& v : node.output()) EXPECT_TRUE(names.insert(v).second) << v;
    }
  }
}

TEST(Exporter, RaisesTheOpsetForNewerOperators) {
  Graph graph;
  const ir::ValueId x = graph.AddInput("x", TensorType{DType::kFloat32, Shape{2, 2}, {}, Layout::kPlain});
  ir::Attrs attrs;
  const ir::NodeId gelu = graph.AddNode(ir::OpKind::kGelu, "gelu", {x}, attrs);
  graph.MarkOutput(graph.node(gelu).outputs[0]);
  ASSERT_TRUE(ir::InferGraph(graph).ok());
  const auto model = frontends::ExportOnnx(graph, {});
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->opset_import(0).version(), 20);
  const auto unwritable = frontends::WriteOnnx(graph, {}, "/nonexistent/x.onnx");
  EXPECT_FALSE(unwritable.ok());
}

}  // namespace
}  // namespace omkit
