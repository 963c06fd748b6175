// AIMET's encodings beside a float network, in all three formats: one INT8 layer each, within one step of the definition.
#include "frontends/qdq/encodings.h"

#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "frontends/onnx/importer.h"
#include "frontends/qdq/absorb.h"
#include "gtest/gtest.h"
#include "ir/evaluate.h"
#include "ir/op.h"
#include "passes/fuse.h"
#include "passes/shapes.h"
#include "tests/qdq/compare.h"
#include "tests/qdq/model_maker.h"

namespace omkit {
namespace {

using testing::ModelMaker;

const float kWeights[] = {0.5f, -1.0f, 0.25f, 0.9f, -0.3f, 0.7f};  // [2, 3]

std::unique_ptr<ir::Graph> Network() {
  ModelMaker m;
  m.Input("x", {4, 3});
  m.graph().add_initializer()->CopyFrom(*[] {
    static onnx::TensorProto w;
    w.set_name("w");
    w.set_data_type(onnx::TensorProto::FLOAT);
    w.clear_dims();
    w.add_dims(2);
    w.add_dims(3);
    w.set_raw_data(kWeights, sizeof kWeights);
    return &w;
  }());
  const std::string y = m.Op("Gemm", {"x", "w"});
  m.Set("transB", 1);
  m.graph().mutable_node(0)->set_output(0, "y");
  m.Output("y");
  auto graph = frontends::ImportOnnxBytes(m.model().SerializeAsString(), "float", "");
  EXPECT_TRUE(graph.ok()) << graph.status();
  return *std::move(graph);
}

struct Format {
  const char* name;
  const char* json;
};

// x: scale 0.02, zero point 100; w: symmetric, 0.008 and 0.007 per output channel; y: scale 0.03, zero point 120.
const Format kFormats[] = {
    {"v061", R"({"version": "0.6.1",
      "activation_encodings": {"x": [{"bitwidth": 8, "dtype": "int", "is_symmetric": "False", "scale": 0.02, "offset": -100, "min": -2, "max": 3.1}],
                               "y": [{"bitwidth": 8, "dtype": "int", "is_symmetric": "False", "scale": 0.03, "offset": -120}]},
      "param_encodings": {"w": [{"bitwidth": 8, "dtype": "int", "is_symmetric": "True", "scale": 0.008, "offset": -128},
                                {"bitwidth": 8, "dtype": "int", "is_symmetric": "True", "scale": 0.007, "offset": -128}]}})"},
    {"v100", R"({"version": "1.0.0",
      "activation_encodings": [{"name": "x", "bw": 8, "dtype": "INT", "enc_type": "PER_TENSOR", "is_sym": false, "scale": [0.02], "offset": [-100]},
                               {"name": "y", "bw": 8, "dtype": "INT", "enc_type": "PER_TENSOR", "is_sym": false, "scale": [0.03], "offset": [-120]}],
      "param_encodings": [{"name": "w", "bw": 8, "dtype": "INT", "enc_type": "PER_CHANNEL", "is_sym": true, "scale": [0.008, 0.007], "offset": [-128, -128]}]})"},
    {"v200", R"({"version": "2.0.0",
      "encodings": [{"name": "x", "output_dtype": "uint8", "y_scale": 0.02, "y_zero_point": 100},
                    {"name": "y", "output_dtype": "uint8", "y_scale": 0.03, "y_zero_point": 120},
                    {"name": "w", "output_dtype": "int8", "axis": 0, "y_scale": [0.008, 0.007]}]})"},
};

class Encodings : public ::testing::TestWithParam<Format> {};

TEST_P(Encodings, GiveTheIntegerNetwork) {
  const std::unique_ptr<ir::Graph> graph = Network();
  const auto tensors = frontends::ApplyEncodings(GetParam().json, *graph);
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  EXPECT_EQ(*tensors, 3);
  ASSERT_TRUE(passes::RunPasses({passes::InferShapes(), passes::Simplify()}, {}, *graph).ok());
  ASSERT_TRUE(frontends::AbsorbQdq(*graph).ok());
  int integer = 0;
  for (ir::NodeId id : testing::Order(*graph)) {
    const ir::Node& node = graph->node(id);
    integer += node.op == ir::OpKind::kDense && graph->value(node.inputs[0]).type.quantized() && graph->value(node.outputs[0]).type.quantized();
  }
  EXPECT_EQ(integer, 1);
  const std::vector<Tensor> inputs = testing::MadeInputs(*graph, -3, 3);
  const auto outputs = ir::Interpret(*graph, inputs);
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  for (int row = 0; row < 4; ++row) {
    for (int c = 0; c < 2; ++c) {
      double y = 0;
      for (int k = 0; k < 3; ++k) {
        const double q = std::min(std::max(std::nearbyint(inputs[0].data<float>()[row * 3 + k] / 0.02) + 100, 0.0), 255.0);
        const double scale = c == 0 ? 0.008 : 0.007;
        y += (q - 100) * 0.02 * std::min(std::max(std::nearbyint(kWeights[c * 3 + k] / scale), -128.0), 127.0) * scale;
      }
      const double rounded = (std::min(std::max(std::nearbyint(y / 0.03) + 120, 0.0), 255.0) - 120) * 0.03;
      EXPECT_NEAR((*outputs)[0].data<float>()[row * 2 + c], rounded, 0.0301) << row << " " << c;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Aimet, Encodings, ::testing::ValuesIn(kFormats), [](const auto& info) { return std::string(info.param.name); });

TEST(EncodingErrors, NameTheTensor) {
  const std::string good = kFormats[1].json;
  const std::pair<std::string, const char*> cases[] = {
      {absl::StrReplaceAll(good, {{"\"name\": \"x\"", "\"name\": \"xx\""}}), "tensor 'xx': the model has no such tensor"},
      {absl::StrReplaceAll(good, {{"0.008, 0.007", "0.008, 0"}}), "tensor 'w': has scale 0;"},
      {absl::StrReplaceAll(good, {{"0.008, 0.007", "0.008, 0.007, 0.006"}}), "tensor 'w': has 3 scales, but the weights are"},
      {absl::StrReplaceAll(good, {{"\"x\", \"bw\": 8", "\"x\", \"bw\": 4"}}), "tensor 'x': is quantized to 4 bits"},
      {"[1, 2", "is no JSON object"},
      {"{}", "has neither activation_encodings"},
  };
  for (const auto& [json, message] : cases) {
    const std::unique_ptr<ir::Graph> graph = Network();
    const auto result = frontends::ApplyEncodings(json, *graph);
    ASSERT_FALSE(result.ok()) << message;
    EXPECT_TRUE(absl::StrContains(result.status().message(), message)) << result.status();
  }
}

}  // namespace
}  // namespace omkit
