#include "tools/atc/atc.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/log.h"
#include "frontends/onnx/text_model_testing.h"
#include "gtest/gtest.h"
#include "runtime/om_file.h"

namespace omkit::atc {
namespace {

// x[N,4] -> Gemm -> Relu -> y[N,2]; N is open unless `batch` is given.
std::string Model(const std::string& batch) {
  return frontends::ModelBytesFromText(
      absl::StrCat("ir_version: 8 opset_import { version: 13 } graph { name: 'net' "
                   "input { name: 'x' type { tensor_type { elem_type: 1 shape { dim { ",
                   batch,
                   " } dim { dim_value: 4 } } } } } output { name: 'y' } "
                   "initializer { name: 'w' data_type: 1 dims: 4 dims: 2 float_data: [1, -1, 2, -2, 3, -3, 4, -4] } "
                   "initializer { name: 'b' data_type: 1 dims: 2 float_data: [0.5, 0.25] } "
                   "node { name: 'fc' op_type: 'Gemm' input: 'x' input: 'w' input: 'b' output: 'h' } "
                   "node { name: 'act' op_type: 'Relu' input: 'h' output: 'y' } }"));
}

struct Result {
  int code;
  std::string out, err;
};

class AtcTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/atc_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    Write("fixed.onnx", Model("dim_value: 1"));
    Write("open.onnx", Model("dim_param: 'N'"));
    ASSERT_EQ(mkdir((folder_ + "/samples").c_str(), 0755), 0);
    for (int i = 0; i < 4; ++i) {
      const float values[4] = {1.0f * i, -2.0f, 0.5f * i, 3.0f};
      Write(absl::StrCat("samples/", i, ".bin"), std::string(reinterpret_cast<const char*>(values), sizeof values));
    }
  }
  void TearDown() override { SetLogLevel(LogLevel::kWarning); }

  void Write(const std::string& name, const std::string& bytes) { std::ofstream(Path(name), std::ios::binary) << bytes; }
  std::string Read(const std::string& name) {
    std::ostringstream text;
    text << std::ifstream(Path(name), std::ios::binary).rdbuf();
    return text.str();
  }
  std::string Path(const std::string& name) { return folder_ + "/" + name; }
  int Files() {
    int count = 0;
    DIR* dir = opendir(folder_.c_str());
    while (readdir(dir) != nullptr) ++count;
    closedir(dir);
    return count;
  }

  Result Run(const std::vector<std::string>& arguments) {
    std::ostringstream out, err;
    const int code = RunAtc(arguments, out, err);
    return {code, out.str(), err.str()};
  }
  Result Compile(const std::string& model, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"--framework=5", "--model=" + Path(model), "--output=" + Path("net"), "--soc_version=cpu-reference"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run(arguments);
  }
  void ExpectFailure(const Result& result, const std::string& code, const std::string& message) {
    EXPECT_NE(result.code, 0);
    EXPECT_TRUE(absl::StartsWith(result.out, "ATC start working now, please wait for a moment.\n")) << result.out;
    EXPECT_TRUE(absl::StrContains(result.out, absl::StrCat("...\n", kFailure, "\n[PID: "))) << result.out;
    EXPECT_TRUE(absl::StrContains(result.out, absl::StrCat("(", code, "): "))) << result.out;
    EXPECT_TRUE(absl::StrContains(result.out, message)) << result.out;
    EXPECT_EQ(Read("net.om"), "") << "a failure must write nothing";
  }

  std::string folder_;
};

TEST_F(AtcTest, CompilesWithTheConsoleProtocol) {
  const Result result = Compile("fixed.onnx");
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out, "ATC start working now, please wait for a moment.\n...\nATC run success, welcome to the next use.\n");
  EXPECT_EQ(result.err, "");
  const auto om = runtime::LoadOm(Path("net.om"));
  ASSERT_TRUE(om.ok()) << om.status();
  EXPECT_EQ(om->program.soc_version, "cpu-reference");
  ASSERT_EQ(om->program.inputs.size(), 1u);
  EXPECT_EQ(om->program.inputs[0].name, "x");
  EXPECT_EQ(om->program.inputs[0].dims, (std::vector<int64_t>{1, 4}));
  EXPECT_EQ(om->program.outputs[0].dims, (std::vector<int64_t>{1, 2}));
}

TEST_F(AtcTest, TheSameCommandGivesTheSameBytes) {
  ASSERT_EQ(Compile("fixed.onnx", {"--quant_type=1", "--calibrate_tool_path=" + Path("samples")}).code, 0);
  const std::string first = Read("net.om");
  ASSERT_EQ(Compile("fixed.onnx", {"--quant_type=1", "--calibrate_tool_path=" + Path("samples")}).code, 0);
  EXPECT_EQ(first, Read("net.om"));
}

TEST_F(AtcTest, TheRecipeGivesTheSameBytesWithoutSamples) {
  ASSERT_EQ(Compile("fixed.onnx", {"--quant_type=1", "--calibrate_tool_path=" + Path("samples"), "--quant_recipe_out=" + Path("recipe.json")}).code, 0);
  const std::string first = Read("net.om");
  ASSERT_NE(first, "");
  unlink(Path("net.om").c_str());
  const Result again = Compile("fixed.onnx", {"--quant_type=1", "--quant_recipe=" + Path("recipe.json")});
  EXPECT_EQ(again.code, 0) << again.out;
  EXPECT_EQ(first, Read("net.om"));
  Write("recipe.json", "{\"omkit_recipe\": 1, \"tensor\": {}}");
  unlink(Path("net.om").c_str());
  ExpectFailure(Compile("fixed.onnx", {"--quant_type=1", "--quant_recipe=" + Path("recipe.json")}), "E13005", "did you mean 'tensors'?");
}

TEST_F(AtcTest, SamplesInAnyOrderFileOrShardGiveTheSameBytes) {
  const std::vector<std::string> flags = {"--quant_type=1", "--calibrate_statistics_out=" + Path("whole.json"), "--calibrate_tool_path=" + Path("samples")};
  ASSERT_EQ(Compile("fixed.onnx", flags).code, 0);
  const std::string om = Read("net.om");
  // Reversed names, and then one file with all.
  ASSERT_EQ(mkdir(Path("reversed").c_str(), 0755), 0);
  ASSERT_EQ(mkdir(Path("one").c_str(), 0755), 0);
  std::string all;
  for (int i = 0; i < 4; ++i) {
    Write(absl::StrCat("reversed/", 9 - i, ".bin"), Read(absl::StrCat("samples/", i, ".bin")));
    all += Read(absl::StrCat("samples/", i, ".bin"));
  }
  Write("one/all.bin", all);
  for (const char* folder : {"reversed", "one"}) {
    ASSERT_EQ(Compile("fixed.onnx", {"--quant_type=1", "--calibrate_tool_path=" + Path(folder)}).code, 0);
    EXPECT_EQ(om, Read("net.om")) << folder;
  }
  // Shards: nothing but statistics is written, and merged they compile to what the whole compiles to.
  unlink(Path("net.om").c_str());
  const std::vector<std::string> collect = {"--framework=5", "--model=" + Path("fixed.onnx"), "--soc_version=cpu-reference", "--quant_type=1",
                                            "--calibrate_tool_path=" + Path("samples")};
  for (const char* shard : {"0/2", "1/2"}) {
    std::vector<std::string> arguments = collect;
    arguments.push_back(absl::StrCat("--calibrate_shard=", shard));
    arguments.push_back(absl::StrCat("--calibrate_statistics_out=", Path(absl::StrCat("part", shard[0] - '0', ".json"))));
    EXPECT_EQ(Run(arguments).code, 0);
  }
  EXPECT_EQ(Read("net.om"), "");
  ASSERT_EQ(Compile("fixed.onnx", {"--quant_type=1", "--calibrate_statistics=" + Path("whole.json")}).code, 0);
  const std::string from_whole = Read("net.om");
  const Result merged = Compile("fixed.onnx", {"--quant_type=1", "--calibrate_statistics=" + Path("part1.json") + "," + Path("part0.json"),
                                               "--calibrate_statistics_out=" + Path("merged.json")});
  EXPECT_EQ(merged.code, 0) << merged.out;
  EXPECT_EQ(from_whole, Read("net.om"));
  EXPECT_EQ(Read("whole.json"), Read("merged.json"));
}

TEST_F(AtcTest, Int8WithCalibrationSamples) {
  const Result result =
      Compile("fixed.onnx", {"--quant_type=1", "--calibrate_tool_path=" + Path("samples"), "--soc_version=host", "--display_model_info=1"});
  EXPECT_EQ(result.code, 0) << result.out;
  EXPECT_TRUE(absl::StrContains(result.out, "quant_type[1]")) << result.out;
  EXPECT_FALSE(absl::StrContains(result.out, "int8_steps[0]")) << result.out;
  EXPECT_TRUE(absl::StrContains(result.out, "soc_version host stands for ")) << result.out;
}

TEST_F(AtcTest, InputShapeBindsOpenDimensions) {
  ExpectFailure(Compile("open.onnx"), "E11005", "The shape is not defined by using --input_shape for input x.");
  ExpectFailure(Compile("open.onnx", {"--input_shape=z:1,4"}), "E10016", "The model's inputs are: x.");
  ExpectFailure(Compile("open.onnx", {"--input_shape=x:1,4,4"}), "E10049", "Dimension count 3");
  ExpectFailure(Compile("open.onnx", {"--input_shape=x:3,5"}), "E10059", "x");
  EXPECT_EQ(Compile("open.onnx", {"--input_shape=x:3,4"}).code, 0);
  EXPECT_EQ(runtime::LoadOm(Path("net.om"))->program.inputs[0].dims, (std::vector<int64_t>{3, 4}));
}

TEST_F(AtcTest, GearsShareTheirWeights) {
  const std::string calibration = "--calibrate_tool_path=" + Path("samples");
  for (const std::vector<std::string>& precision : {std::vector<std::string>{}, {"--quant_type=1", calibration, "--soc_version=host"}}) {
    std::vector<std::string> fixed = {"--input_shape=x:4,4"}, gears = {"--input_shape=x:-1,4", "--dynamic_batch_size=1,4,2"};
    if (!precision.empty()) fixed[0] = "--input_shape=x:1,4";  // a sample holds one row; gears take such samples too
    fixed.insert(fixed.end(), precision.begin(), precision.end());
    gears.insert(gears.end(), precision.begin(), precision.end());
    Result result = Compile("open.onnx", fixed);
    ASSERT_EQ(result.code, 0) << result.out;
    const runtime::LoadedOm one = *runtime::LoadOm(Path("net.om"));
    result = Compile("open.onnx", gears);
    ASSERT_EQ(result.code, 0) << result.out;
    const runtime::LoadedOm om = *runtime::LoadOm(Path("net.om"));
    EXPECT_EQ(om.weights_size, one.weights_size);
    const runtime::RuntimeShapes& shapes = om.program.shapes;
    EXPECT_EQ(shapes.mode, runtime::ShapeMode::kBatchGears);
    ASSERT_EQ(shapes.gears.size(), 3u);
    EXPECT_EQ(shapes.largest, 1u);
    EXPECT_EQ(shapes.dims, (std::vector<std::vector<int64_t>>{{-1, 4}}));
    EXPECT_EQ(om.program.inputs[0].dims, (std::vector<int64_t>{4, 4}));
    EXPECT_EQ(shapes.gears[2].plan.outputs[0].dims, (std::vector<int64_t>{2, 2}));
    ASSERT_EQ(om.program.inputs.size(), 2u);
    EXPECT_EQ(om.program.inputs[1].name, "ascend_mbatch_shape_data");
  }
  std::remove(Path("net.om").c_str());
  ExpectFailure(Compile("missing.onnx", {"--input_shape=x:-1,4", "--dynamic_batch_size=1"}), "E10035",
                "has 1 profiles, which is less than the minimum 2.");
  ExpectFailure(Compile("open.onnx", {"--input_shape=x:-1,5", "--dynamic_batch_size=1,2"}), "E10059", "x");
  ExpectFailure(Compile("open.onnx", {"--input_shape=z:-1,4", "--dynamic_batch_size=1,2"}), "E10016", "z");
}

TEST_F(AtcTest, AippNeedsOneShape) {
  Write("image.onnx",
        frontends::ModelBytesFromText(
            "ir_version: 8 opset_import { version: 13 } graph { name: 'net' input { name: 'x' type { tensor_type { elem_type: 1 shape { "
            "dim { dim_value: 1 } dim { dim_value: 3 } dim { dim_param: 'H' } dim { dim_param: 'W' } } } } } output { name: 'y' } "
            "node { name: 'act' op_type: 'Relu' input: 'x' output: 'y' } }"));
  const std::vector<std::string> image = {"--input_shape=x:1,3,-1,-1", "--dynamic_image_size=16,16;32,16"};
  const std::vector<std::string> dims = {"--input_shape=x:1,3,-1,-1", "--dynamic_dims=16,16;32,16", "--input_format=ND"};
  const std::vector<std::string> range = {"--input_shape=x:1,3,16~32,16"};
  const struct {
    const char* aipp;
    std::vector<std::string> shapes;
    const char *code, *text;
  } kCases[] = {
      {"crop: true", image, "E10052", "When --dynamic_image_size is set, crop and padding cannot be set to 'true'"},
      {"padding: 1", image, "E10052", "crop and padding"},
      {"src_image_size_w: 16", image, "E10052", "src_image_size_w and src_image_size_h must be set to '0'"},
      {"src_image_size_h: 16", image, "E10052", "src_image_size_w and src_image_size_h must be set to '0'"},
      {"", image, "E10055", "compile one model for each shape"},
      {"", range, "E10055", "compile one model for each shape"},
      {"", dims, "E10001", "/aipp.cfg for parameter --ins"},
  };
  for (const auto& c : kCases) {
    Write("aipp.cfg", absl::StrCat("aipp_op { aipp_mode: static input_format: RGB888_U8 ", c.aipp, " }"));
    std::vector<std::string> flags = c.shapes;
    flags.push_back("--insert_op_conf=" + Path("aipp.cfg"));
    ExpectFailure(Compile("image.onnx", flags), c.code, c.text);
  }
  Write("aipp.cfg", "aipp_op { aipp_mode: static input_format: RGB888_U8 }");
  EXPECT_EQ(Compile("image.onnx", {"--input_shape=x:1,3,16,16", "--insert_op_conf=" + Path("aipp.cfg")}).code, 0);
}

TEST_F(AtcTest, RangesKeepTheGraph) {
  const Result result = Compile("open.onnx", {"--input_shape=x:1~8,4"});
  ASSERT_EQ(result.code, 0) << result.out;
  const runtime::LoadedOm om = *runtime::LoadOm(Path("net.om"));
  EXPECT_EQ(om.program.shapes.mode, runtime::ShapeMode::kRanges);
  EXPECT_EQ(om.program.inputs[0].dims, (std::vector<int64_t>{-1, 4}));
  EXPECT_EQ(om.program.inputs[0].bytes, 0u);
  EXPECT_EQ(om.program.shapes.ranges[0][0].most, 8);
  EXPECT_EQ(Compile("open.onnx", {"--input_shape_range=x:[-1,4]"}).code, 0);
  std::remove(Path("net.om").c_str());
  ExpectFailure(Compile("open.onnx", {"--input_shape_range=x:-1,4"}), "E10048", "brackets");
  // Samples need a shape: the range's end, or the hint.
  const std::vector<std::string> int8 = {"--quant_type=1", "--calibrate_tool_path=" + Path("samples"), "--soc_version=host"};
  std::vector<std::string> open = {"--input_shape=x:-1,4"};
  open.insert(open.end(), int8.begin(), int8.end());
  ExpectFailure(Compile("open.onnx", open), "E10059", "--input_hint_shape");
  open.push_back("--input_hint_shape=0:[1,4]");
  EXPECT_EQ(Compile("open.onnx", open).code, 0);
}

TEST_F(AtcTest, FailuresHaveCodesAndWriteNothing) {
  const int files = Files();
  ExpectFailure(Compile("missing.onnx"), "E10410", "missing.onnx does not exist");
  Write("broken.onnx", "this is no model");
  ExpectFailure(Compile("broken.onnx"), "E13005", "is not an ONNX model");
  Write("strings.onnx", frontends::ModelBytesFromText(
                         "ir_version: 8 opset_import { version: 13 } graph { input { name: 'x' type { tensor_type { elem_type: 1 shape { } } } } "
                         "output { name: 'y' } node { name: 'g' op_type: 'StringNormalizer' input: 'x' output: 'y' } }"));
  ExpectFailure(Compile("strings.onnx"), "E16002", "\n          node 'g': StringNormalizer, domain 'ai.onnx', opset 13");
  ExpectFailure(Run({"--framework=3", "--model=m.pb", "--output=" + Path("net"), "--soc_version=host"}), "E10001", "TensorFlow");
  ExpectFailure(Compile("fixed.onnx", {"--quant_type=1"}), "E10058", "--calibrate_tool_path");
  ExpectFailure(Compile("fixed.onnx", {"--quant_type=1", "--calibrate_tool_path=" + Path("nowhere")}), "E10001", "cannot open folder");
  Write("samples/9.bin", "123");
  ExpectFailure(Compile("fixed.onnx", {"--quant_type=1", "--calibrate_tool_path=" + Path("samples")}), "E10001", "9.bin' has 3 bytes");
  EXPECT_EQ(Files(), files + 2);  // broken.onnx, strings.onnx
}

TEST_F(AtcTest, AFailureKeepsTheOldOutput) {
  ASSERT_EQ(Compile("fixed.onnx").code, 0);
  const std::string before = Read("net.om");
  EXPECT_NE(Compile("missing.onnx").code, 0);
  EXPECT_EQ(Read("net.om"), before);
}

TEST_F(AtcTest, ABrokenCommandLineIsToldOnStderr) {
  const Result result = Run({"--modl=x"});
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(result.err, "ERROR: unknown command line flag 'modl'; did you mean '--mode'?\n");
  EXPECT_EQ(result.out, absl::StrCat("ATC start working now, please wait for a moment.\n...\n", kFailure, "\n"));
}

TEST_F(AtcTest, ShowsAnOfflineModel) {
  ASSERT_EQ(Compile("fixed.onnx").code, 0);
  const Result result = Run({"--mode=6", "--om=" + Path("net.om")});
  EXPECT_EQ(result.code, 0);
  for (const std::string line : {"============ Display Model Info start ============\n",
                                 "Original Atc command line: atc --framework=5 --model=", "], soc_version[cpu-reference], framework_type[5].\n",
                                 "resource info: memory_size[", "om       info: modeldef_size[",
                                 "input 0:  name[x], type[float32], shape[1,4], format[", "============ Display Model Info end   ============\n"}) {
    EXPECT_TRUE(absl::StrContains(result.out, line)) << line << "\n" << result.out;
  }
  Write("bad.om", "not a model");
  const Result bad = Run({"--mode=6", "--om=" + Path("bad.om")});
  EXPECT_EQ(bad.code, 1);
  EXPECT_TRUE(absl::StrContains(bad.out, "(E10041): Failed to load the model from ")) << bad.out;
}

TEST_F(AtcTest, HelpSucceedsAndTeaches) {
  const Result result = Run({"--help"});
  EXPECT_EQ(result.code, 0);
  EXPECT_TRUE(absl::StrContains(result.out, "--calibrate_tool_path=samples")) << result.out;
}

TEST_F(AtcTest, KeptNodesStayInFloat) {
  Write("keep.txt", "OpType::Gemm\n");
  const Result result = Compile("fixed.onnx", {"--quant_type=1", "--calibrate_tool_path=" + Path("samples"), "--soc_version=host",
                                               "--keep_dtype=" + Path("keep.txt"), "--display_model_info=1"});
  EXPECT_EQ(result.code, 0) << result.out;
  EXPECT_TRUE(absl::StrContains(result.out, "int8_steps[0]")) << result.out;
}

}  // namespace
}  // namespace omkit::atc
