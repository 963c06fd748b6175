// Which nodes become INT8, and which compute on bfloat16, under the flags that choose precisions: --precision_mode(_v2), --modify_mixlist,
// --op_precision_mode, --keep_dtype,
// --customize_dtypes.
#include <stdlib.h>

#include <fstream>
#include <set>
#include <sstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/log.h"
#include "frontends/onnx/text_model_testing.h"
#include "gtest/gtest.h"
#include "passes/recipe.h"
#include "tools/atc/atc.h"

namespace omkit::atc {
namespace {

// x[1,2,4,4] -> conv1 -> act (Sigmoid) -> pool (AveragePool) -> conv2 -> tail (Hardmax, which has no INT8 kernel).
std::string Model() {
  std::string text =
      "ir_version: 8 opset_import { version: 13 } graph { name: 'net' input { name: 'x' type { tensor_type { elem_type: 1 shape { "
      "dim { dim_value: 1 } dim { dim_value: 2 } dim { dim_value: 4 } dim { dim_value: 4 } } } } } output { name: 'y' } ";
  for (const char* w : {"w1", "w2"}) {
    absl::StrAppend(&text, "initializer { name: '", w, "' data_type: 1 dims: [2, 2, 1, 1] float_data: [1, -0.5, 0.25, 2] } ");
  }
  absl::StrAppend(
      &text, "node { name: 'conv1' op_type: 'Conv' input: ['x', 'w1'] output: 'a' } node { name: 'act' op_type: 'Sigmoid' input: 'a' output: 'b' } ",
      "node { name: 'pool' op_type: 'AveragePool' input: 'b' output: 'c' attribute { name: 'kernel_shape' type: INTS ints: [2, 2] } } ",
      "node { name: 'conv2' op_type: 'Conv' input: ['c', 'w2'] output: 'd' } node { name: 'tail' op_type: 'Hardmax' input: 'd' output: 'y' } }");
  return frontends::ModelBytesFromText(text);
}

using Arguments = std::vector<std::string>;

class PrecisionTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/precision_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    Write("net.onnx", Model());
    std::vector<float> sample(32);
    for (int i = 0; i < 32; ++i) sample[i] = static_cast<float>(i % 7) - 3.0f;
    Write("x.bin", std::string(reinterpret_cast<const char*>(sample.data()), sample.size() * sizeof(float)));
  }
  void TearDown() override { SetLogLevel(LogLevel::kWarning); }

  void Write(const std::string& name, const std::string& bytes) { std::ofstream(Path(name), std::ios::binary) << bytes; }
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }

  // An argument "--flag=@TEXT" stands for a file with that text. Gives the exit status, and what was printed in out_.
  int Run(const Arguments& arguments) {
    Arguments all = {"--framework=5", "--model=" + Path("net.onnx"), "--output=" + Path("net"), "--soc_version=host"};
    for (const std::string& argument : arguments) {
      const size_t file = argument.find("=@");
      all.push_back(file == std::string::npos ? argument : absl::StrCat(argument.substr(0, file), "=", Path(absl::StrCat("file", all.size()))));
      if (file != std::string::npos) Write(absl::StrCat("file", all.size() - 1), argument.substr(file + 2));
    }
    std::ostringstream out, err;
    const int code = RunAtc(all, out, err);
    out_ = out.str() + err.str();
    return code;
  }

  int RunInt8(Arguments arguments) {
    for (const std::string& more : {std::string("--quant_type=1"), "--calibrate_tool_path=" + Path("x.bin"), std::string("--quant_effort=fast"),
                                    "--quant_recipe_out=" + Path("recipe"), std::string("--display_model_info=1")}) {
      arguments.push_back(more);
    }
    return Run(arguments);
  }

  // The nodes that the recipe quantizes, sorted; behind ';' those with int8 weights only.
  std::string Int8Nodes() {
    std::ostringstream text;
    text << std::ifstream(Path("recipe")).rdbuf();
    const auto recipe = passes::ParseRecipe(text.str());
    if (!recipe.ok()) return std::string(recipe.status().message());
    std::set<std::string> names, weights_only;
    for (const auto& [name, node] : recipe->nodes) {
      if (node.precision == passes::Precision::kInt8) names.insert(name);
      if (node.precision == passes::Precision::kW8A16) weights_only.insert(name);
    }
    return absl::StrCat(absl::StrJoin(names, " "), weights_only.empty() ? "" : "; ", absl::StrJoin(weights_only, " "));
  }

  std::string BFloat16Layers() const { return out_.substr(out_.find("bfloat16_layers["), 18); }
  // "int8_steps[N]" of the model information that was printed.
  std::string Steps() const { return out_.substr(out_.find("int8_steps["), 13); }

  std::string folder_, out_;
};

TEST_F(PrecisionTest, DecidesWhatBecomesInt8) {
  const char kMixed[] = "--precision_mode=allow_mix_precision";
  const struct {
    Arguments arguments;
    const char* int8;
  } cases[] = {
      {{}, "act conv1 conv2 pool"},
      {{kMixed}, "act conv1 conv2 pool"},
      {{"--precision_mode=force_fp16"}, "act conv1 conv2 pool"},
      {{"--precision_mode_v2=mixed_bfloat16"}, "act conv1 conv2 pool"},
      {{"--precision_mode=allow_fp32_to_fp16"}, "conv1 conv2"},
      {{"--precision_mode=force_fp32"}, "conv1 conv2"},
      {{"--precision_mode_v2=cube_fp16in_fp32out"}, "conv1 conv2"},
      // Black is float, and what follows it; white leads; grey follows.
      {{kMixed, "--modify_mixlist=@{\"black-list\": {\"to-add\": [\"Sigmoid\"]}}"}, "conv1 conv2"},
      {{kMixed, "--modify_mixlist=@{\"black-list\": {\"to-add\": [\"Sigmoid\"]}, \"white-list\": {\"to-add\": [\"AveragePool\"]}}"},
       "conv1 conv2 pool"},
      {{"--precision_mode_v2=mixed_float16", "--modify_mixlist=@{\"white-list\": {\"to-remove\": [\"Conv2D\"]}}"}, ""},
      {{kMixed, "--modify_mixlist=@{\"white-list\": {\"to-remove\": [\"Conv\"], \"to-add\": [\"Sigmoid\"]}}"}, "act conv2 pool"},
      {{"--op_precision_mode=@[ByOpType]\nConv=high_precision\n# a comment\n"}, ""},
      {{"--op_precision_mode=@[ByOpType]\nConv2D=high_precision\n[ByNodeName]\nconv2 = high_performance\n"}, "conv2"},
      {{"--op_precision_mode=@[ByNodeName]\nact=enable_float_32_execution\n"}, "conv1 conv2"},
      {{"--keep_dtype=@conv1\n"}, "conv2"},
      {{"--keep_dtype=@OpType::Pooling\n"}, "conv1 conv2"},
      {{"--customize_dtypes=@conv1::InputDtype:float16,float16,OutputDtype:float16\n"}, "conv2"},
      {{"--customize_dtypes=@OpType::Sigmoid:InputDtype:float32,OutputDtype:float32\n"}, "conv1 conv2"},
      // Beats the others, and leads.
      {{"--keep_dtype=@OpType::Conv\n", "--customize_dtypes=@conv1::InputDtype:int8,int8,OutputDtype:int8\n"}, "conv1"},
      {{"--keep_dtype=@conv1\n", "--customize_dtypes=@OpType::Sigmoid:InputDtype:int8,OutputDtype:int8"}, "act conv2 pool"},
      // Float inputs and int8 weights.
      {{"--customize_dtypes=@conv1::InputDtype:float16,int8,OutputDtype:float16\n"}, "conv2; conv1"},
      {{"--customize_dtypes=@OpType::Conv:InputDtype:float32,int8"}, "; conv1 conv2"},
      {{"--customize_dtypes=@OpType::Conv:InputDtype:float32,int8\nconv2::InputDtype:float32\n"}, "; conv1"},
      {{"--precision_mode=force_fp32", "--customize_dtypes=@act::InputDtype:int8,OutputDtype:int8"}, "act conv1 conv2"},
  };
  for (const auto& c : cases) {
    ASSERT_EQ(RunInt8(c.arguments), 0) << absl::StrJoin(c.arguments, " ") << "\n" << out_;
    const std::string steps = Steps();
    EXPECT_EQ(Int8Nodes(), c.int8) << absl::StrJoin(c.arguments, " ");
    // The recipe says it all: it makes the same network without the flags.
    ASSERT_EQ(Run({"--quant_type=1", "--quant_recipe=" + Path("recipe"), "--display_model_info=1"}), 0) << out_;
    EXPECT_EQ(Steps(), steps) << absl::StrJoin(c.arguments, " ");
  }
}

TEST_F(PrecisionTest, ErrorsSayWhatToDo) {
  const struct {
    Arguments arguments;
    const char* message;
  } cases[] = {
      {{"--precision_mode=must_keep_origin_dtype"},
       "(E10056): Cannot configure both parameters --quant_type=1 and --precision_mode=must_keep_origin_dtype"},
      {{"--precision_mode_v2=origin"}, "--precision_mode_v2=origin"},
      {{"--precision_mode_v2=mixed_hif8"}, "this chip has no hifloat8 numbers"},
      {{"--modify_mixlist=@{}"}, "it needs --precision_mode=allow_mix_precision"},
      {{"--precision_mode=allow_mix_precision", "--modify_mixlist=@{"}, "it is not JSON"},
      {{"--precision_mode=allow_mix_precision", "--modify_mixlist=@{\"blacklist\": {}}"}, "unknown key 'blacklist'; did you mean 'black-list'?"},
      {{"--precision_mode=allow_mix_precision", "--modify_mixlist=@{\"black-list\": {\"to-add\": [\"Sigmoidd\"]}}"},
       "black-list to-add: unknown operator type 'Sigmoidd'; did you mean 'Sigmoid'?"},
      {{"--precision_mode=allow_mix_precision", "--modify_mixlist=@{\"white-list\": {\"to-add\": [\"Hardmax\"]}}"},
       "operators of type Hardmax are to run in INT8, but this chip has no INT8 kernel for them"},
      {{"--precision_mode=allow_mix_precision",
        "--modify_mixlist=@{\"white-list\": {\"to-add\": [\"Conv\"]}, \"black-list\": {\"to-add\": [\"Conv\"]}}"},
       "type Conv is added to both lists"},
      {{"--op_precision_mode=@conv1=high_precision"}, "Line 1: a line is 'NAME=MODE' behind [ByOpType] or [ByNodeName]"},
      {{"--op_precision_mode=@[ByName]"}, "unknown section [ByName]"},
      {{"--op_precision_mode=@[ByNodeName]\nconv1=high_precison"}, "Line 2: unknown mode 'high_precison'; did you mean 'high_precision'?"},
      {{"--op_precision_mode=@[ByNodeName]\nconv1=support_out_of_bound_index"}, "has no meaning here"},
      {{"--op_precision_mode=@[ByNodeName]\nconv3=high_precision"}, "the model has no node 'conv3'; did you mean 'conv"},
      {{"--keep_dtype=@OpType::Convv"}, "the model has no node 'OpType::Convv'; did you mean 'OpType::Conv'?"},
      {{"--keep_dtype=/nonexistent"}, "(E13001): Failed to open file /nonexistent"},
      {{"--keep_dtype="}, "(E10004): Value for --keep_dtype is empty."},
      {{"--customize_dtypes=@conv1:float16"}, "Line 1: a line is 'NODE::InputDtype:T"},
      {{"--customize_dtypes=@conv1::InputDtype:float61"}, "'float61' is no data type of this chip"},
      {{"--customize_dtypes=@conv1::InputDtype:int8,int8,int32,int8"}, "InputDtype names 4 data types, the node has 2"},
      {{"--customize_dtypes=@conv1::InputDtype:int8,float16"}, "node 'conv1': this chip computes a node in INT8 or in float"},
      {{"--customize_dtypes=@conv1::InputDtype:float16,OutputDtype:int8"}, "node 'conv1': this chip computes a node in INT8 or in float"},
      {{"--customize_dtypes=@conv1::InputDtype:float16,int8,OutputDtype:int8"}, "node 'conv1': this chip computes a node in INT8 or in float"},
      {{"--customize_dtypes=@tail::InputDtype:int8,OutputDtype:int8"}, "is to run in INT8, but this chip has no INT8 kernel for it"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(RunInt8(c.arguments), 1) << c.message;
    EXPECT_TRUE(absl::StrContains(out_, c.message)) << c.message << "\n" << out_;
  }
}

// The metric of a command that counts the float layers in the offline model's recipe: as many layers as the target asks for become float.
TEST_F(PrecisionTest, ACommandsNumberIsTheTarget) {
  const std::string count = "sh -c 'grep -ao precision.:.float {om} | wc -l'";
  const auto run = [&](const std::string& target, const std::string& metric) {
    return Run({"--quant_type=1", "--calibrate_tool_path=" + Path("x.bin"), "--quant_recipe_out=" + Path("recipe"),
                "--accuracy_target=metric>=" + target, "--accuracy_metric=" + metric});
  };
  ASSERT_EQ(run("0", count), 0) << out_;
  EXPECT_EQ(Int8Nodes(), "act conv1 conv2 pool");
  ASSERT_EQ(run("1", count), 0) << out_;
  EXPECT_LT(Int8Nodes().size(), std::string("act conv1 conv2 pool").size());
  EXPECT_EQ(run("1", "echo no number # {om}"), 1);
  EXPECT_TRUE(absl::StrContains(out_, "printed no number")) << out_;
  EXPECT_EQ(run("1", "sh -c 'exit 3' # {om}"), 1);
  EXPECT_TRUE(absl::StrContains(out_, "ended with status")) << out_;
}

TEST_F(PrecisionTest, WithoutInt8EverythingIsFloat) {
  EXPECT_EQ(Run({"--precision_mode=must_keep_origin_dtype", "--keep_dtype=@conv1\n",
                 "--customize_dtypes=@conv2::InputDtype:float16,OutputDtype:float16\n", "--op_precision_mode=@[ByNodeName]\nact=high_precision\n"}),
            0)
      << out_;
  EXPECT_EQ(Run({"--customize_dtypes=@conv2::InputDtype:int8,OutputDtype:int8\n"}), 1);
  EXPECT_TRUE(absl::StrContains(out_, "(E10057): --customize_dtypes with int8 and --quant_type=1 can only be used together.")) << out_;
  EXPECT_EQ(Run({"--keep_dtype=@conv9\n"}), 1);
  EXPECT_TRUE(absl::StrContains(out_, "the model has no node 'conv9'")) << out_;
}

// The model's layers are conv1 and conv2, behind the sigmoid that INT8 takes along.
TEST_F(PrecisionTest, DecidesWhatComputesOnBFloat16) {
  const char kMode[] = "--precision_mode=allow_mix_precision_bf16";
  const struct {
    Arguments arguments;
    const char *floats, *beside_int8;  // bfloat16 layers without and with --quant_type=1
  } cases[] = {
      {{}, "0", "0"},
      {{"--precision_mode=allow_mix_precision"}, "0", "0"},
      {{kMode}, "2", "0"},
      {{"--precision_mode_v2=mixed_bfloat16"}, "2", "0"},
      {{kMode, "--keep_dtype=@conv1\n"}, "1", "0"},
      {{kMode, "--op_precision_mode=@[ByOpType]\nConv2D=high_precision\n"}, "0", "0"},
      {{kMode, "--modify_mixlist=@{\"black-list\": {\"to-add\": [\"Conv\"]}}"}, "0", "0"},
      {{kMode, "--modify_mixlist=@{\"white-list\": {\"to-remove\": [\"Conv\"]}}"}, "0", "0"},
      {{"--customize_dtypes=@conv2::InputDtype:bfloat16,bfloat16,OutputDtype:bfloat16\n"}, "1", "1"},
      {{"--customize_dtypes=@OpType::Conv:InputDtype:bfloat16,OutputDtype:float32\n"}, "2", "2"},
      {{"--customize_dtypes=@OpType::Conv:OutputDtype:bfloat16\nconv1::InputDtype:float32"}, "1", "1"},
      {{kMode, "--customize_dtypes=@conv1::InputDtype:float32\n"}, "1", "0"},
      {{kMode, "--keep_dtype=@conv1\n", "--customize_dtypes=@conv1::InputDtype:bfloat16,bfloat16\n"}, "2", "1"},
  };
  for (const auto& c : cases) {
    const std::string what = absl::StrJoin(c.arguments, " ");
    Arguments floats = c.arguments;
    floats.push_back("--display_model_info=1");
    ASSERT_EQ(Run(floats), 0) << what << "\n" << out_;
    EXPECT_EQ(BFloat16Layers(), absl::StrCat("bfloat16_layers[", c.floats, "]")) << what;
    ASSERT_EQ(RunInt8(c.arguments), 0) << what << "\n" << out_;
    EXPECT_EQ(BFloat16Layers(), absl::StrCat("bfloat16_layers[", c.beside_int8, "]")) << what;
    // The recipe says which, without the flags.
    ASSERT_EQ(Run({"--quant_type=1", "--quant_recipe=" + Path("recipe"), "--display_model_info=1"}), 0) << out_;
    EXPECT_EQ(BFloat16Layers(), absl::StrCat("bfloat16_layers[", c.beside_int8, "]")) << what;
  }
}

// Exported, such layers are float32 ones with rounded weights, and compile as such.
TEST_F(PrecisionTest, BFloat16LayersAreExportedAsFloat32) {
  ASSERT_EQ(Run({"--precision_mode=allow_mix_precision_bf16", "--export_fake_quant=" + Path("rounded.onnx"), "--display_model_info=1"}), 0) << out_;
  EXPECT_EQ(BFloat16Layers(), "bfloat16_layers[2]");
  ASSERT_EQ(Run({"--model=" + Path("rounded.onnx"), "--display_model_info=1"}), 0) << out_;
  EXPECT_EQ(BFloat16Layers(), "bfloat16_layers[0]");
}

// The reference computes in the types that it finds.
TEST_F(PrecisionTest, ALayerWithoutBFloat16KernelStaysInFloat32WithAWarning) {
  std::string warnings;
  SetLogSink([&](LogLevel level, absl::string_view text) {
    if (level == LogLevel::kWarning) absl::StrAppend(&warnings, text, "\n");
  });
  EXPECT_EQ(Run({"--log=warning", "--soc_version=cpu-reference", "--customize_dtypes=@conv1::InputDtype:bfloat16,bfloat16"}), 0) << out_;
  SetLogSink({});
  EXPECT_TRUE(absl::StrContains(warnings, "'conv1' (Conv) has no bfloat16 kernel on this chip and stays in float32")) << warnings;
}

TEST_F(PrecisionTest, AModelsOwnQuantizationIsKeptWithAWarning) {
  Write("net.onnx", frontends::ModelBytesFromText(
                        "ir_version: 8 opset_import { version: 13 } graph { name: 'net' input { name: 'x' type { tensor_type { elem_type: 1 shape { "
                        "dim { dim_value: 4 } } } } } output { name: 'y' } initializer { name: 's' data_type: 1 float_data: 0.5 } "
                        "initializer { name: 'z' data_type: 2 int32_data: 128 } "
                        "node { name: 'q' op_type: 'QuantizeLinear' input: ['x', 's', 'z'] output: 'a' } "
                        "node { name: 'd' op_type: 'DequantizeLinear' input: ['a', 's', 'z'] output: 'b' } "
                        "node { name: 'r' op_type: 'Relu' input: 'b' output: 'y' } }"));
  std::string warnings;
  SetLogSink([&](LogLevel level, absl::string_view text) {
    if (level == LogLevel::kWarning) absl::StrAppend(&warnings, text, "\n");
  });
  EXPECT_EQ(Run({"--log=warning"}), 0) << out_;
  EXPECT_FALSE(absl::StrContains(warnings, "--keep_dtype")) << warnings;
  EXPECT_EQ(Run({"--log=warning", "--keep_dtype=@r\n"}), 0) << out_;
  SetLogSink({});
  EXPECT_TRUE(absl::StrContains(warnings, "own quantization, which is kept: --keep_dtype")) << warnings;
}

}  // namespace
}  // namespace omkit::atc
