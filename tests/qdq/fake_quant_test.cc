// Quantizers that other toolkits write as one operator: imported, they round to the grid that their documentation defines.
#include <cmath>

#include "absl/strings/match.h"
#include "frontends/onnx/importer.h"
#include "gtest/gtest.h"
#include "ir/evaluate.h"
#include "tests/qdq/compare.h"
#include "tests/qdq/model_maker.h"

namespace omkit {
namespace {

using testing::ModelMaker;

struct Grid {
  const char* name;
  // Adds the operator; the input is x[2, 4].
  std::string (*make)(ModelMaker& m, const std::string& x);
  float scale[4];  // per column
  float zero, low, high;
};

std::string Brevitas(ModelMaker& m, const std::string& x, const std::string& scale, float zero, float bits, int64_t is_signed, int64_t narrow) {
  const std::string y = m.Op("Quant", {x, scale, m.Float(zero), m.Float(bits)}, "onnx.brevitas");
  m.Set("signed", is_signed).Set("narrow", narrow).SetText("rounding_mode", "ROUND");
  return y;
}

std::string Nncf(ModelMaker& m, const std::string& x, const std::string& low, const std::string& high, int64_t levels) {
  const std::string y = m.Op("FakeQuantize", {x, low, high, low, high}, "org.openvinotoolkit");
  m.Set("levels", levels);
  return y;
}

const Grid kGrids[] = {
    {"brevitas_s8",
     [](ModelMaker& m, const std::string& x) { return Brevitas(m, x, m.Float(0.01f), 0, 8, 1, 0); },
     {0.01f, 0.01f, 0.01f, 0.01f},
     0,
     -128,
     127},
    {"brevitas_s4_narrow",
     [](ModelMaker& m, const std::string& x) { return Brevitas(m, x, m.Float(0.1f), 0, 4, 1, 1); },
     {0.1f, 0.1f, 0.1f, 0.1f},
     0,
     -7,
     7},
    {"brevitas_u6_per_column",
     [](ModelMaker& m, const std::string& x) {
       return Brevitas(m, x, m.Floats({1, 4}, {0.01f, 0.02f, 0.03f, 0.04f}), 20, 6, 0, 0);
     },
     {0.01f, 0.02f, 0.03f, 0.04f},
     20,
     0,
     63},
    {"nncf_u8",
     [](ModelMaker& m, const std::string& x) { return Nncf(m, x, m.Floats({1}, {-0.5f}), m.Floats({1}, {0.775f}), 256); },
     {0.005f, 0.005f, 0.005f, 0.005f},
     100,
     0,
     255},
    {"nncf_weights_of_255_levels",
     [](ModelMaker& m, const std::string& x) {
       return Nncf(m, x, m.Floats({1, 4}, {-1.27f, -0.635f, -0.254f, -0.127f}), m.Floats({1, 4}, {1.27f, 0.635f, 0.254f, 0.127f}), 255);
     },
     {0.01f, 0.005f, 0.002f, 0.001f},
     0,
     -127,
     127},
};

class FakeQuant : public ::testing::TestWithParam<Grid> {};

TEST_P(FakeQuant, RoundsToItsGrid) {
  const Grid& grid = GetParam();
  ModelMaker m;
  m.Import("onnx.brevitas", 1);
  m.Import("org.openvinotoolkit", 1);
  m.Output(grid.make(m, m.Input("x", {2, 4})));
  const auto graph = frontends::ImportOnnxBytes(m.model().SerializeAsString(), "model", "");
  ASSERT_TRUE(graph.ok()) << graph.status();
  for (uint32_t seed = 1; seed < 40; ++seed) {
    const std::vector<Tensor> inputs = testing::MadeInputs(**graph, -2, 2, seed);
    const auto outputs = ir::Interpret(**graph, inputs);
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    for (int i = 0; i < 8; ++i) {
      const float x = inputs[0].data<float>()[i], scale = grid.scale[i % 4];
      const float q = std::min(std::max(std::nearbyint(x / scale) + grid.zero, grid.low), grid.high);
      EXPECT_NEAR((*outputs)[0].data<float>()[i], (q - grid.zero) * scale, 1e-5) << x;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Grids, FakeQuant, ::testing::ValuesIn(kGrids), [](const auto& info) { return std::string(info.param.name); });

struct Refusal {
  const char* name;
  std::string (*make)(ModelMaker& m, const std::string& x);
  const char* message;
};

const Refusal kRefusals[] = {
    {"nine_bits", [](ModelMaker& m, const std::string& x) { return Brevitas(m, x, m.Float(0.1f), 0, 9, 1, 0); }, "bit width 9; INT8 needs"},
    {"no_level_at_zero", [](ModelMaker& m, const std::string& x) { return Nncf(m, x, m.Float(-1.0f), m.Float(1.0f), 256); },
     "has no level at 0, which INT8 needs"},
    {"moving_range", [](ModelMaker& m, const std::string& x) { return Nncf(m, x, x, m.Float(1.0f), 256); }, "input_low that is not constant"},
};

class FakeQuantRefusals : public ::testing::TestWithParam<Refusal> {};

TEST_P(FakeQuantRefusals, NameTheNodeAndTheReason) {
  ModelMaker m;
  m.Import("onnx.brevitas", 1);
  m.Import("org.openvinotoolkit", 1);
  m.Output(GetParam().make(m, m.Input("x", {2, 4})));
  const auto graph = frontends::ImportOnnxBytes(m.model().SerializeAsString(), "model", "");
  ASSERT_FALSE(graph.ok());
  EXPECT_TRUE(absl::StrContains(graph.status().message(), GetParam().message)) << graph.status();
  EXPECT_TRUE(absl::StrContains(graph.status().message(), "node '")) << graph.status();
}

INSTANTIATE_TEST_SUITE_P(Reasons, FakeQuantRefusals, ::testing::ValuesIn(kRefusals), [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace omkit
