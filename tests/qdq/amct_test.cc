// The command line of amct from files to files: what it writes, that atc's compiler takes it, and what its errors say.
#include "tools/amct/amct.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "backends/compile.h"
#include "backends/run_side.h"
#include "frontends/onnx/importer.h"
#include "gtest/gtest.h"
#include "ir/evaluate.h"
#include "ir/op.h"
#include "tests/qdq/compare.h"
#include "tests/qdq/model_maker.h"
#include "tools/atc/atc.h"

namespace omkit::amct_tool {
namespace {

class AmctTest : public ::testing::Test {
 protected:
  void SetUp() override {
    RegisterAllKernels();
    dir_ = absl::StrCat(::testing::TempDir(), "/amct_", ::testing::UnitTest::GetInstance()->current_test_info()->name());
    mkdir(dir_.c_str(), 0755);
    mkdir(Path("data").c_str(), 0755);
    testing::ModelMaker m;
    std::string x = m.Input("x", {1, 4, 6, 6});
    x = Named(m, "first", m.Op("Conv", {x, m.RandomFloats({8, 4, 3, 3}, -0.3f, 0.3f), m.RandomFloats({8}, -0.1f, 0.1f)}));
    x = m.Op("Relu", {x});
    x = Named(m, "second", m.Op("Conv", {x, m.RandomFloats({8, 8, 1, 1}, -0.3f, 0.3f)}));
    x = m.Op("Flatten", {x});
    Named(m, "last", m.Op("Gemm", {x, m.RandomFloats({5, 128}, -0.2f, 0.2f)}));
    m.Set("transB", 1);
    m.Output(m.graph().node(m.graph().node_size() - 1).output(0));
    Write("net.onnx", m.model().SerializeAsString());
    const auto graph = frontends::ImportOnnx(Path("net.onnx"));
    ASSERT_TRUE(graph.ok()) << graph.status();
    for (uint32_t i = 0; i < 6; ++i) {
      samples_.push_back(testing::MadeInputs(**graph, -1, 1, i + 1));
      Write(absl::StrCat("data/", i, ".bin"), std::string(static_cast<const char*>(samples_[i][0].raw()), samples_[i][0].bytes()));
    }
  }

  static std::string Named(testing::ModelMaker& m, const char* name, const std::string& output) {
    m.graph().mutable_node(m.graph().node_size() - 1)->set_name(name);
    return output;
  }
  std::string Path(const std::string& name) const { return dir_ + "/" + name; }
  void Write(const std::string& name, const std::string& text) const { std::ofstream(Path(name), std::ios::binary) << text; }
  std::string Read(const std::string& name) const {
    std::ifstream in(Path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }

  int Run(const std::string& command, std::vector<std::string> more) {
    std::vector<std::string> arguments = {command, "--model=" + Path("net.onnx"), "--save_path", Path("q")};
    if (command == "calibration") arguments.push_back("--data_dir=" + Path("data"));
    arguments.insert(arguments.end(), more.begin(), more.end());
    std::ostringstream out, err;
    const int code = RunAmct(arguments, out, err);
    text_ = out.str() + err.str();
    return code;
  }

  // Compiles without quant_type; counts INT8 layers; returns the outputs for the first sample.
  std::vector<float> Compiled(const std::string& model, int layers) {
    auto graph = frontends::ImportOnnx(Path(model));
    EXPECT_TRUE(graph.ok()) << graph.status();
    if (!graph.ok()) return {};
    std::unique_ptr<ir::Graph> last;
    CompileOptions options;
    options.on_final_graph = [&](const ir::Graph& g) { last = g.Clone(); };
    const auto program = Compile(*std::move(graph), options);
    EXPECT_TRUE(program.ok()) << program.status();
    int integer = 0;
    weights_only_ = 0;
    for (ir::NodeId id : testing::Order(*last)) {
      const ir::Node& node = last->node(id);
      if (node.op != ir::OpKind::kConv && node.op != ir::OpKind::kDense) continue;
      const bool activation = last->value(node.inputs[0]).type.quantized();
      integer += activation;
      weights_only_ += !activation && last->value(node.inputs[1]).type.quantized();
    }
    EXPECT_EQ(integer, layers) << model;
    const auto y = ir::Interpret(*last, samples_[0]);
    EXPECT_TRUE(y.ok()) << y.status();
    return {(*y)[0].data<float>(), (*y)[0].data<float>() + (*y)[0].elements()};
  }

  std::string dir_, text_;
  int weights_only_ = 0;  // layers of the last compiled model that have int8 weights and float activations
  std::vector<std::vector<Tensor>> samples_;
};

TEST_F(AmctTest, CalibrationWritesModelsThatAgree) {
  ASSERT_EQ(Run("calibration", {"--data_types=float32"}), 0) << text_;
  EXPECT_TRUE(absl::StrContains(text_, "3 layers quantized with 6 batches")) << text_;
  const std::vector<float> real = Compiled("net.onnx", 0), fake = Compiled("q_fake_quant_model.onnx", 3), deploy = Compiled("q_deploy_model.onnx", 3);
  ASSERT_EQ(real.size(), 5);
  ASSERT_EQ(fake.size(), 5);
  ASSERT_EQ(deploy.size(), 5);
  for (int i = 0; i < 5; ++i) {
    EXPECT_NEAR(fake[i], deploy[i], 1e-3);
    EXPECT_NEAR(fake[i], real[i], 0.05);
  }
}

TEST_F(AmctTest, TheRecordGivesTheSameModelsAndCanBeEdited) {
  ASSERT_EQ(Run("calibration", {}), 0) << text_;
  const std::string deploy = Read("q_deploy_model.onnx"), fake = Read("q_fake_quant_model.onnx"), record = Read("q_record.txt");
  EXPECT_NE(deploy, "");
  Write("q_deploy_model.onnx", "");
  ASSERT_EQ(Run("save_model", {"--record_file=" + Path("q_record.txt")}), 0) << text_;
  EXPECT_EQ(Compiled("q_deploy_model.onnx", 3).size(), 5);
  // Without its last layer.
  Write("part.txt", record.substr(0, record.rfind("record {")));
  ASSERT_EQ(Run("save_model", {"--record_file=" + Path("part.txt")}), 0) << text_;
  Compiled("q_deploy_model.onnx", 2);
  Write("bad.txt", absl::StrReplaceAll(record, {{"\"second\"", "\"secnd\""}}));
  EXPECT_EQ(Run("save_model", {"--record_file=" + Path("bad.txt")}), 1);
  EXPECT_TRUE(absl::StrContains(text_, "the model has no layer 'secnd' to quantize")) << text_;
}

TEST_F(AmctTest, TheConfigurationIsFollowed) {
  Write("c.cfg", "batch_num: 2 activation_offset: false skip_layers: \"second\"\ncommon_config { hfmg_quantize { num_of_bins: 2048 } }");
  ASSERT_EQ(Run("calibration", {"--calibration_config=" + Path("c.cfg")}), 0) << text_;
  EXPECT_TRUE(absl::StrContains(text_, "2 layers quantized with 2 batches")) << text_;
  EXPECT_FALSE(absl::StrContains(Read("q_record.txt"), "\"second\""));
  EXPECT_TRUE(absl::StrContains(Read("q_record.txt"), "offset_d: 0")) << Read("q_record.txt");
}

// weight_compress_only: int8 weights, activations in float, in the models that come out as well.
TEST_F(AmctTest, WeightsAloneAreQuantized) {
  Write("c.cfg", "override_layer_configs { layer_name: \"second\" calibration_config { weight_compress_only: true } }");
  ASSERT_EQ(Run("calibration", {"--calibration_config=" + Path("c.cfg")}), 0) << text_;
  EXPECT_TRUE(absl::StrContains(text_, "2 layers quantized")) << text_;
  EXPECT_FALSE(absl::StrContains(Read("q_record.txt"), "\"second\""));
  const std::vector<float> fake = Compiled("q_fake_quant_model.onnx", 2);
  EXPECT_EQ(weights_only_, 1);
  const std::vector<float> deploy = Compiled("q_deploy_model.onnx", 2);
  EXPECT_EQ(weights_only_, 1);
  ASSERT_EQ(fake.size(), deploy.size());
  for (size_t i = 0; i < fake.size(); ++i) EXPECT_NEAR(deploy[i], fake[i], 1e-3) << i;
}

TEST_F(AmctTest, ErrorsSayWhatToDo) {
  struct Case {
    const char* config;
    const char* message;
  };
  const Case cases[] = {
      {"skip_layers: \"secnd\"", "skip_layers: the model has no layer 'secnd'; did you mean 'second'?"},
      {"skip_layer_types: \"Cov\"", "skip_layer_types: the model has no layer type 'Cov'; did you mean 'Conv'?"},
      {"common_config { ada_quantize { } }", "common_config: ada_quantize is not supported; omkit rounds weights"},
      {"common_config { ifmr_quantize { max_percentile: 0.4 } }", "max_percentile is 0.4; it must lie in (0.5, 1]"},
      {"override_layer_configs { layer_name: \"first\" calibration_config { hfmg_quantize { num_of_bins: 7 } } }",
       "override_layer_configs 'first': num_of_bins is 7"},
      {"common_config { dmq_balancer { migration_strength: 0.9 } }", "migration_strength is 0.9; it must lie in [0.2, 0.8]"},
      {"do_fusion: false", "batch normalization is always folded"},
      {"batch_num: 99", "batch_num is 99, but the data are 6 batches"},
      {"bach_num: 1", "unknown field 'bach_num'; did you mean 'batch_num'?"},
  };
  for (const Case& c : cases) {
    Write("c.cfg", c.config);
    EXPECT_EQ(Run("calibration", {"--calibration_config=" + Path("c.cfg")}), 1) << c.config;
    EXPECT_TRUE(absl::StrContains(text_, c.message)) << text_;
  }
  EXPECT_EQ(Run("calibration", {"--batchnum=1"}), 2);
  EXPECT_TRUE(absl::StrContains(text_, "did you mean --batch_num?")) << text_;
  Write("data/7.bin", "short");
  EXPECT_EQ(Run("calibration", {}), 1);
  EXPECT_TRUE(absl::StrContains(text_, "7.bin has 5 bytes, which is no whole number of samples of input 'x'")) << text_;
}

// atc's own way in: the same configuration, all samples in one file.
class CompressionTest : public AmctTest {
 protected:
  int Atc(const std::string& conf, std::vector<std::string> more = {}) {
    Write("compress.cfg", conf);
    std::vector<std::string> arguments = {"--model=" + Path("net.onnx"),
                                          "--framework=5",
                                          "--output=" + Path("net"),
                                          "--soc_version=host",
                                          "--compression_optimize_conf=" + Path("compress.cfg"),
                                          "--display_model_info=1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    std::ostringstream out, err;
    const int code = atc::RunAtc(arguments, out, err);
    text_ = out.str() + err.str();
    return code;
  }
  std::string AllInOne() const {
    std::string all;
    for (int i = 0; i < 6; ++i) all += Read(absl::StrCat("data/", i, ".bin"));
    return all;
  }
};

TEST_F(CompressionTest, QuantizesWithItsDataAndConfiguration) {
  Write("all.bin", AllInOne());
  Write("simple.cfg", "skip_layers: \"second\"");
  const std::string conf = absl::StrCat("calibration: {\n  input_data_dir: ", Path("all.bin"),
                                        "\n  input_shape: x:6,4,6,6\n  config_file: ", Path("simple.cfg"), "\n  infer_soc: Ascend310P3\n}\n");
  ASSERT_EQ(Atc(conf, {"--export_fake_quant=" + Path("fake.onnx")}), 0) << text_;
  Compiled("fake.onnx", 2);
  Write("simple.cfg", "batch_num: 2");
  EXPECT_EQ(Atc(conf), 1);
  EXPECT_TRUE(absl::StrContains(text_, "batch_num 2 means 12 samples, but")) << text_;
}

TEST_F(CompressionTest, ErrorsNameTheField) {
  Write("all.bin", AllInOne());
  EXPECT_EQ(Atc("calibration: {\n  input_data_dirs: x\n}"), 1);
  EXPECT_TRUE(absl::StrContains(text_, "compress.cfg: 2:")) << text_;
  EXPECT_TRUE(absl::StrContains(text_, "did you mean 'input_data_dir'?")) << text_;
  EXPECT_EQ(Atc("enable_first_layer_quantization: false"), 1);
  EXPECT_TRUE(absl::StrContains(text_, "no block calibration")) << text_;
  EXPECT_EQ(Atc(absl::StrCat("calibration: {\n  input_data_dir: ", Path("all.bin"), "\n  input_shape: x:6,4,6,7\n}")), 1);
  EXPECT_TRUE(absl::StrContains(text_, "only the first dimension may differ")) << text_;
  EXPECT_EQ(Atc(absl::StrCat("calibration: {\n  input_data_dir: ", Path("none.bin"), "\n  input_shape: x:6,4,6,6\n}")), 1);
  EXPECT_TRUE(absl::StrContains(text_, "none.bin")) << text_;
}

}  // namespace
}  // namespace omkit::amct_tool
