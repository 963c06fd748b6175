// Models that are quantized in part or dynamically: what calibration adds, and what it leaves alone.
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "backends/compile.h"
#include "backends/run_side.h"
#include "base/log.h"
#include "frontends/onnx/importer.h"
#include "gtest/gtest.h"
#include "ir/evaluate.h"
#include "ir/op.h"
#include "tests/qdq/compare.h"
#include "tests/qdq/operator_models.h"

namespace omkit {
namespace {

using testing::ModelMaker;

constexpr int kS8 = onnx::TensorProto::INT8;

std::string Fake(ModelMaker& m, const std::string& x, float scale) {
  const std::string s = m.Float(scale), z = m.Zero(0, kS8);
  return m.Op("DequantizeLinear", {m.Op("QuantizeLinear", {x, s, z}), s, z});
}

// Three layers; the model quantizes the first and the last.
std::string Partial() {
  ModelMaker m;
  const auto weights = [&](int64_t out, int64_t in) {
    return m.Op("DequantizeLinear", {m.RandomIntegers({out, in, 1, 1}, -127, 127, kS8), m.Float(0.01f), m.Zero(0, kS8)});
  };
  std::string x = Fake(m, m.Input("x", {1, 4, 6, 6}), 0.016f);
  x = Fake(m, m.Op("Relu", {m.Op("Conv", {x, weights(8, 4)})}), 0.02f);
  x = m.Op("Conv", {x, m.RandomFloats({8, 8, 3, 3}, -0.2f, 0.2f)});
  m.SetInts("pads", {1, 1, 1, 1});
  x = m.Op("Relu", {x});
  x = m.Op("Conv", {Fake(m, x, 0.03f), weights(4, 8)});
  m.Output(x);
  return m.model().SerializeAsString();
}

struct Compiled {
  std::unique_ptr<ir::Graph> graph;
  std::string warnings;
  int integer = 0, floats = 0;  // layers
};

Compiled CompileIt(const std::string& bytes, bool calibrate) {
  RegisterAllKernels();
  Compiled result;
  SetLogSink([&](LogLevel level, absl::string_view text) {
    if (level == LogLevel::kWarning) absl::StrAppend(&result.warnings, text, "\n");
  });
  auto graph = frontends::ImportOnnxBytes(bytes, "model", "");
  EXPECT_TRUE(graph.ok()) << graph.status();
  CompileOptions options;
  options.quant_type = calibrate ? QuantType::kInt8 : QuantType::kNone;
  if (calibrate) {
    options.quantize.calibration = [](const ir::Graph& g) -> absl::StatusOr<passes::CalibrationSource> {
      return passes::CalibrationSource{8, [&g](int i) -> absl::StatusOr<std::vector<Tensor>> { return testing::MadeInputs(g, -2, 2, i + 1); }};
    };
  }
  options.on_final_graph = [&](const ir::Graph& g) { result.graph = g.Clone(); };
  const auto program = Compile(*std::move(graph), options);
  SetLogSink({});
  EXPECT_TRUE(program.ok()) << program.status();
  for (ir::NodeId id : testing::Order(*result.graph)) {
    const ir::Node& node = result.graph->node(id);
    const bool layer =
        node.op == ir::OpKind::kConv || node.op == ir::OpKind::kDense || node.op == ir::OpKind::kMatMul || node.op == ir::OpKind::kGemm;
    const bool integer = layer && result.graph->value(node.inputs[0]).type.quantized();
    result.integer += integer;
    result.floats += layer && !integer;
  }
  return result;
}

// Root of the mean squared difference, relative to the expected values.
double Error(const ir::Graph& expected, const ir::Graph& actual) {
  double error = 0, energy = 0;
  for (uint32_t seed = 100; seed < 104; ++seed) {
    const std::vector<Tensor> inputs = testing::MadeInputs(expected, -2, 2, seed);
    const auto e = ir::Interpret(expected, inputs), a = ir::Interpret(actual, inputs);
    EXPECT_TRUE(e.ok() && a.ok()) << e.status() << a.status();
    for (int64_t i = 0; i < (*e)[0].elements(); ++i) {
      const double x = RealAt((*e)[0], i), d = RealAt((*a)[0], i) - x;
      error += d * d;
      energy += x * x;
    }
  }
  return std::sqrt(error / energy);
}

TEST(PartialModels, AreCompletedByCalibration) {
  const std::string bytes = Partial();
  const Compiled plain = CompileIt(bytes, false), completed = CompileIt(bytes, true);
  EXPECT_EQ(plain.integer, 2);
  EXPECT_EQ(plain.floats, 1);
  EXPECT_TRUE(absl::StrContains(plain.warnings, "leaves layers in float: Conv_")) << plain.warnings;
  EXPECT_EQ(completed.integer, 3);
  EXPECT_EQ(completed.floats, 0);
  EXPECT_TRUE(absl::StrContains(completed.warnings, "which is kept; calibration data is used for the layers")) << completed.warnings;
  EXPECT_LT(Error(*plain.graph, *completed.graph), 0.03);
}

TEST(DynamicModels, AreFrozenByCalibration) {
  for (const testing::OperatorModel& row : testing::OperatorModels()) {
    if (!absl::StartsWith(row.name, "dynamic_") || absl::StrContains(row.name, "lstm")) continue;
    SCOPED_TRACE(row.name);
    ModelMaker m(row.opset);
    row.make(m);
    const std::string bytes = m.model().SerializeAsString();
    const Compiled plain = CompileIt(bytes, false), frozen = CompileIt(bytes, true);
    EXPECT_EQ(plain.integer, 0);
    EXPECT_EQ(frozen.integer, 1);
    EXPECT_EQ(frozen.floats, 0);
    EXPECT_LT(Error(*plain.graph, *frozen.graph), 0.03);
  }
}

}  // namespace
}  // namespace omkit
