#include "tools/atc/flags.h"

#include <fstream>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tools/atc/errors.h"
#include "tools/atc/input_shape.h"
#include "tools/atc/options.h"
#include "tools/atc/precision_files.h"

namespace omkit::atc {
namespace {

using Arguments = std::vector<std::string>;

absl::StatusOr<Flags> Parse(const Arguments& arguments) {
  std::string usage;
  return Flags::Parse(arguments, &usage);
}

TEST(Flags, TableIsConsistent) {
  std::set<std::string> names;
  for (const FlagRow& row : FlagRows()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_NE(row.help[0], '\0') << row.name;
    if (row.values[0] != '\0' && row.default_value[0] != '\0') {
      EXPECT_TRUE(absl::StrContains(absl::StrCat("|", row.values, "|"), absl::StrCat("|", row.default_value, "|"))) << row.name;
    }
    EXPECT_EQ(Parse({})->Get(row.name), row.default_value) << row.name;
  }
  EXPECT_GE(names.size(), 85u);
}

TEST(Flags, AcceptsEveryForm) {
  const Arguments forms[] = {
      {"--input_shape=x:1,2"}, {"--input_shape", "x:1,2"}, {"-input_shape=x:1,2"}, {"--input-shape=x:1,2"}, {"-input-shape", "x:1,2"}};
  for (const Arguments& form : forms) {
    const auto flags = Parse(form);
    ASSERT_TRUE(flags.ok()) << form[0] << flags.status();
    EXPECT_EQ(flags->Get("input_shape"), "x:1,2");
    EXPECT_TRUE(flags->Given("input_shape"));
    EXPECT_FALSE(flags->Given("model"));
  }
  EXPECT_EQ(Parse({"--mode=0", "--mode=6"})->GetInt("mode"), 6);
  EXPECT_EQ(Parse({"--mode=06"})->GetInt("mode"), 6);
  EXPECT_EQ(Parse({"--model="})->Get("model"), "");
  EXPECT_EQ(Parse({"--model=a=b"})->Get("model"), "a=b");
  EXPECT_EQ(Parse({"--enable_single_stream"})->Get("enable_single_stream"), "true");
  for (const char* yes : {"1", "t", "TRUE", "y", "Yes"})
    EXPECT_EQ(Parse({absl::StrCat("--enable_single_stream=", yes)})->Get("enable_single_stream"), "true");
  for (const char* no : {"0", "f", "False", "n", "NO"})
    EXPECT_EQ(Parse({absl::StrCat("--enable_single_stream=", no)})->Get("enable_single_stream"), "false");
  for (const char* help : {"-h", "--h", "--help"}) EXPECT_TRUE(Parse({help, "--nonsense"})->help());
}

TEST(Flags, RefusesABrokenCommandLine) {
  const struct {
    Arguments arguments;
    const char* usage;
  } cases[] = {
      {{"--modell=x"}, "ERROR: unknown command line flag 'modell'; did you mean '--model'?"},
      {{"--soc-versio=x"}, "ERROR: unknown command line flag 'soc_versio'; did you mean '--soc_version'?"},
      {{"--model"}, "ERROR: flag '--model' is missing its argument; flag description: model file to compile; required with mode 0"},
      {{"word"}, "ERROR: Non-option parameter: word"},
      {{"--mode=0", "-"}, "ERROR: Non-option parameter: -"},
      {{"--"}, "ERROR: Non-option parameter: --"},
  };
  for (const auto& c : cases) {
    std::string usage;
    EXPECT_FALSE(Flags::Parse(c.arguments, &usage).ok());
    EXPECT_EQ(usage, c.usage);
  }
}

struct CodeCase {
  Arguments arguments;
  const char* code;
  const char* message;
};

TEST(Flags, RefusesValuesOutsideTheSet) {
  const CodeCase cases[] = {
      {{"--mode=2"}, "E10001", "Value 2 for parameter --mode is invalid. Reason: The value must be 0, 1, 3, 5, 6, 7, 30"},
      {{"--mode=-1"}, "E10003", "Value -1 for parameter --mode is invalid"},
      {{"--mode=99999999999"}, "E10003", "Value 99999999999"},
      {{"--framework=x"}, "E10003", "framework"},
      {{"--framework=4"}, "E10001", "--framework"},
      {{"--log=verbose"}, "E10001", "debug, info, warning, error, null"},
      {{"--input_format=NHWC"}, "E10001", "NCHW, NCDHW, ND"},
      {{"--enable_single_stream=perhaps"}, "E10005", "must be either true or false"},
      {{"--core_type=GPU"}, "E10001", "AiCore, VectorCore"},
      {{"--quant_type=2"}, "E10001", "--quant_type"},
      {{"--precision_mode=fp16"}, "E10001", "force_fp16"},
      {{"--auto_tune_mode=RL"}, "E10001", "off, fast, full"},
  };
  for (const CodeCase& c : cases) {
    const auto flags = Parse(c.arguments);
    ASSERT_FALSE(flags.ok()) << c.arguments[0];
    EXPECT_EQ(CodeOf(flags.status()), c.code) << flags.status();
    EXPECT_TRUE(absl::StrContains(flags.status().message(), c.message)) << flags.status();
  }
}

Arguments Complete(const Arguments& more) {
  Arguments all = {"--model=m.onnx", "--framework=5", "--output=" + testing::TempDir() + "/m", "--soc_version=host"};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

// Shapes in the form of --input_shape.
std::string Written(const InputShapes& shapes) {
  std::string text;
  for (const InputShape& shape : shapes) {
    absl::StrAppend(&text, text.empty() ? "" : ";", shape.name, ":");
    for (size_t d = 0; d < shape.dims.size(); ++d) {
      const runtime::DimRange& range = shape.dims[d];
      if (d > 0) text += ",";
      if (shape.written_open[d]) text += "-1";
      else absl::StrAppend(&text, range.least, IsFixed(range) ? "" : absl::StrCat("~", range.most));
    }
  }
  return text;
}

TEST(Options, ReadsACompleteCommandLine) {
  const auto flags =
      Parse(Complete({"--input_shape=x:1,3,8,8;y:", "--quant_type=1", "--calibrate_tool_path=data", "--log_level=error", "--output_type=FP32"}));
  ASSERT_TRUE(flags.ok());
  const auto options = MakeOptions(*flags);
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->mode, Mode::kCompile);
  EXPECT_EQ(options->model, "m.onnx");
  EXPECT_EQ(options->output, testing::TempDir() + "/m.om");
  EXPECT_EQ(options->log, LogLevel::kError);
  EXPECT_EQ(options->calibration_folder, "data");
  EXPECT_TRUE(options->int8);
  EXPECT_TRUE(options->fp32_outputs);
  EXPECT_EQ(Written(options->input_shapes), "x:1,3,8,8;y:");
}

TEST(Options, RefusesWhatIsMissingOrNotSupported) {
  const CodeCase cases[] = {
      {{"--framework=5"}, "E10054", "The required parameter --model for ATC is empty"},
      {{"--model=m"}, "E10007", "--framework is required. The value must be 0(Caffe) or 1(MindSpore) or 3(TensorFlow) or 5(Onnx)."},
      {{"--model=m", "--framework=5"}, "E10054", "--output"},
      {{"--model=m", "--framework=5", "--output=out/"}, "E10022", "Path out/ for parameter --output does not include the file name."},
      {{"--model=m", "--framework=5", "--output=/nonexistent/m"}, "E10001", "Cannot write to folder '/nonexistent/'"},
      {{"--model=m", "--framework=5", "--output=m"}, "E10054", "--soc_version"},
      {Complete({"--soc_version=Ascend31"}), "E10001", "Value Ascend31 for parameter --soc_version"},
      {Complete({"--mode=1"}), "E10055", "--mode=1 is not supported"},
      {Complete({"--insert_op_conf="}), "E10004", "insert_op_conf"},
      {Complete({"--aipp_min_chn=std"}), "E10057", "aipp_min_chn"},
      {Complete({"--compression_optimize_conf=c.cfg", "--calibrate_tool_path=x", "--quant_type=1"}), "E10056", "--compression_optimize_conf"},
      {Complete({"--enable_compress_weight=true"}), "E10055", "--enable_compress_weight"},
      {Complete({"--external_weight=1"}), "E10055", "--external_weight=1"},
      {Complete({"--output_type=FP16"}), "E10055", "--output_type=FP16"},
      {Complete({"--precision_mode=force_fp32", "--precision_mode_v2=fp16"}), "E10056", "--precision_mode and --precision_mode_v2"},
      {Complete({"--log=info", "--log_level=error"}), "E10056", "--log"},
      {Complete({"--calibrate_tool_path=d"}), "E10057", "calibrate_tool_path"},
      {Complete({"--quant_type=1", "--calibrate_tool_path="}), "E10004", "calibrate_tool_path"},
      {Complete({"--deterministic=1", "--deterministic_level=0"}), "E10001", "both"},
      {{"--mode=6"}, "E10004", "Value for --om is empty."},
      {{"--mode=6", "--om=a.om", "--framework=5"}, "E10056", "--framework"},
  };
  for (const CodeCase& c : cases) {
    const auto flags = Parse(c.arguments);
    ASSERT_TRUE(flags.ok()) << flags.status();
    const auto options = MakeOptions(*flags);
    ASSERT_FALSE(options.ok()) << c.message;
    EXPECT_EQ(CodeOf(options.status()), c.code) << options.status();
    EXPECT_TRUE(absl::StrContains(options.status().message(), c.message)) << options.status();
  }
}

TEST(Options, DefaultsOfUnsupportedFlagsAndKnobsWithoutEffectAreAccepted) {
  Arguments all = Complete({});
  for (const FlagRow& row : FlagRows()) {
    const bool defaulted = row.default_value[0] != '\0';
    if (row.status == FlagStatus::kRejected && defaulted) all.push_back(absl::StrCat("--", row.name, "=", row.default_value));
    const bool exclusive = std::string(row.name) == "precision_mode_v2";
    if (row.status == FlagStatus::kNoEffect && defaulted && !exclusive) all.push_back(absl::StrCat("--", row.name, "=", row.default_value));
  }
  const auto flags = Parse(all);
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_TRUE(MakeOptions(*flags).ok()) << MakeOptions(*flags).status();
}

TEST(Options, FlagsWithoutEffectAreLogged) {
  std::vector<std::string> lines;
  SetLogSink([&](LogLevel, absl::string_view text) { lines.emplace_back(text); });
  const auto flags = Parse(Complete({"--log=info", "--core_type=VectorCore", "--weight=w"}));
  EXPECT_TRUE(MakeOptions(*flags).ok());
  SetLogSink({});
  SetLogLevel(LogLevel::kWarning);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0], "--weight=w has no effect: weight file of a Caffe model");
  EXPECT_EQ(lines[1], "--core_type=VectorCore has no effect: kind of core");
}

TEST(InputShape, Grammar) {
  for (const std::string text : {"", "data:1,3,224,224", "a:b:0:1,2;c:3", "scalar:", "x:-1,3,1~4;y:2~-1", ":-1,2;:3"}) {
    const auto shapes = ParseInputShape(text[0] == ':' ? "-1,2;3" : text);
    ASSERT_TRUE(shapes.ok()) << shapes.status();
    EXPECT_EQ(Written(*shapes), text);
  }
  EXPECT_EQ(Written(*ParseInputShape("a:b:0:1, 2;c: 3 ; d : 1 ~ 2 , -1")), "a:b:0:1,2;c:3;d:1~2,-1");
  const std::pair<const char*, const char*> errors[] = {
      {"1,2,3", "E10002"},
      {":1,2", "E10002"},
      {";", "E10002"},
      {"x:1.5", "E10002"},
      {"x:1,,2", "E10002"},
      {"x:a", "E10002"},
      {"x:1;x:2", "E10002"},
      {"x:-1;2", "E10002"},
      {"x:4~1", "E10002"},
      {"x:1~b", "E10002"},
      {"x:1.5~2", "E10002"},
      {"x:0", "E10011"},
      {"x:-2", "E10011"},
      {"x:0~3", "E10011"},
      {"x:99999999999999", "E10011"},
      {"x:1,1,1,1,1,1,1,1,1", "E10002"},
  };
  for (const auto& [text, code] : errors) {
    const auto shapes = ParseInputShape(text);
    ASSERT_FALSE(shapes.ok()) << text;
    EXPECT_EQ(CodeOf(shapes.status()), code) << text << ": " << shapes.status();
  }
}

TEST(InputShape, RangesAndHints) {
  EXPECT_EQ(Written(*ParseInputShapeRange("in1:[8~20,3,5,-1];in2:[5,3~9,10,-1]")), "in1:8~20,3,5,-1;in2:5,3~9,10,-1");
  EXPECT_EQ(Written(*ParseInputShapeRange("[8~20,3],[5]")), ":8~20,3;:5");
  for (const char* text : {"in1", "in1:8~20", "in1:[8~20", "in1:[a]", "in1:[1];[2]", "in1:[1];in1:[2]", ":[1]", "in1:[9~8]", ";"}) {
    const auto shapes = ParseInputShapeRange(text);
    ASSERT_FALSE(shapes.ok()) << text;
    EXPECT_EQ(CodeOf(shapes.status()), "E10048") << text;
  }
  EXPECT_EQ(Written(*ParseInputHintShape("1:[4];0:[1,3]")), ":1,3;:4");
  for (const char* text : {"x:[1]", "[1]", "0:1", "0:[-1]", "0:[1~2]", "0:[1];0:[2]", "-1:[2]"}) {
    const auto shapes = ParseInputHintShape(text);
    ASSERT_FALSE(shapes.ok()) << text;
    EXPECT_EQ(CodeOf(shapes.status()), "E10003") << text;
  }
}

TEST(InputShape, IsHeldAgainstTheModel) {
  ir::Graph graph;
  graph.AddInput("data", TensorType{DType::kFloat32, {-1, 3, 8, 8}, {}, Layout::kPlain});
  const auto match = [&](const std::string& text) { return MatchInputs(*ParseInputShape(text), graph, "input_shape").status(); };
  EXPECT_TRUE(match("data:1,3,8,8").ok());
  EXPECT_TRUE(match("data:1~4,-1,4~8,8").ok());
  EXPECT_EQ(MatchInputs(*ParseInputShape("-1,3,8,8"), graph, "input_shape")->front().name, "data");
  EXPECT_EQ(CodeOf(match("")), "E11005");
  EXPECT_EQ(CodeOf(match("data:1,3")), "E10049");
  EXPECT_EQ(CodeOf(match("data:1,3,9~10,8")), "E10050");
  EXPECT_EQ(CodeOf(match("-1,3,8,8;-1")), "E10002");
  const absl::Status unknown = match("dta:1");
  EXPECT_EQ(CodeOf(unknown), "E10016");
  EXPECT_TRUE(absl::StrContains(unknown.message(), "Did you mean 'data'?")) << unknown;
}

TEST(Gears, FlagsAreChecked) {
  const struct {
    Arguments flags;
    const char* code;
  } cases[] = {
      {{"--dynamic_batch_size=1,2,4", "--input_shape=x:-1,3;y:-1"}, ""},
      {{"--dynamic_batch_size=1,2,4", "--input_shape=x:-1,3;scalar:"}, ""},
      {{"--dynamic_batch_size=1;2", "--input_shape=x:-1,3"}, "E10003"},
      {{"--dynamic_batch_size=1,x", "--input_shape=x:-1,3"}, "E10003"},
      {{"--dynamic_batch_size=1,,2", "--input_shape=x:-1,3"}, "E10003"},
      {{"--dynamic_batch_size=1", "--input_shape=x:-1,3"}, "E10035"},
      {{"--dynamic_batch_size=1,2,1", "--input_shape=x:-1,3"}, "E10039"},
      {{"--dynamic_batch_size=0,2", "--input_shape=x:-1,3"}, "E10038"},
      {{"--dynamic_batch_size=1,9999999999", "--input_shape=x:-1,3"}, "E10038"},
      {{"--dynamic_batch_size=1,2", "--input_shape=x:1,-1"}, "E10018"},
      {{"--dynamic_batch_size=1,2", "--input_shape=x:1,3"}, "E10031"},
      {{"--dynamic_batch_size=1,2"}, "E10031"},
      {{"--dynamic_batch_size=1,2", "--input_shape=x:1~2,3"}, "E10040"},
      {{"--dynamic_batch_size=1,2", "--input_shape=x:-1,3", "--dynamic_dims=1;2"}, "E10009"},
      {{"--dynamic_batch_size=1,2", "--input_shape=x:-1,3", "--input_shape_range=x:[-1,3]"}, "E10009"},
      {{"--dynamic_batch_size=1,2", "--input_shape=x:-1,3", "--input_hint_shape=0:[1,3]"}, "E10056"},
      {{"--dynamic_image_size=8,8;16,24", "--input_shape=x:1,3,-1,-1;y:1,4,-1,-1;z:7"}, ""},
      {{"--dynamic_image_size=8,8;16", "--input_shape=x:1,3,-1,-1"}, "E10020"},
      {{"--dynamic_image_size=8,8,8;16,16,16", "--input_shape=x:1,3,-1,-1"}, "E10020"},
      {{"--dynamic_image_size=8,a;16,16", "--input_shape=x:1,3,-1,-1"}, "E10020"},
      {{"--dynamic_image_size=8,8;8,8", "--input_shape=x:1,3,-1,-1"}, "E10039"},
      {{"--dynamic_image_size=8,8;16,16", "--input_shape=x:-1,3,-1,-1"}, "E10019"},
      {{"--dynamic_image_size=8,8;16,16", "--input_shape=x:1,3,-1,8"}, "E10019"},
      {{"--dynamic_image_size=8,8;16,16", "--input_shape=x:-1,-1"}, "E10019"},
      {{"--dynamic_image_size=8,8;16,16", "--input_shape=x:1,3,8,8"}, "E10040"},
      {{"--dynamic_image_size=8,8;16,16", "--input_shape=x:1,3,-1,-1", "--input_format=ND"}, "E10001"},
      {{"--dynamic_dims=20,20,1,1;40,40,2,2", "--input_shape=data:1,1,40,-1;label:1,-1;mask:-1,-1", "--input_format=ND"}, ""},
      {{"--dynamic_dims=20,20;40,40", "--input_shape=data:1,-1", "--input_format=ND"}, "E10003"},
      {{"--dynamic_dims=20;40,40", "--input_shape=data:1,-1", "--input_format=ND"}, "E10037"},
      {{"--dynamic_dims=20;x", "--input_shape=data:1,-1", "--input_format=ND"}, "E10001"},
      {{"--dynamic_dims=20;40", "--input_shape=data:1,-1"}, "E10001"},
      {{"--dynamic_dims=20;40", "--input_shape=data:1,4", "--input_format=ND"}, "E10040"},
      {{"--dynamic_dims=20;40", "--input_shape=data:1,1~4", "--input_format=ND"}, "E10040"},
  };
  for (const auto& c : cases) {
    const auto flags = Parse(Complete(c.flags));
    ASSERT_TRUE(flags.ok()) << flags.status();
    const auto options = MakeOptions(*flags);
    if (c.code[0] == '\0') {
      EXPECT_TRUE(options.ok()) << options.status();
    } else {
      EXPECT_EQ(CodeOf(options.status()), c.code) << c.flags[0] << ": " << options.status();
    }
  }
  std::string many = "--dynamic_batch_size=1";
  for (int i = 2; i <= 101; ++i) absl::StrAppend(&many, ",", i);
  EXPECT_EQ(CodeOf(MakeOptions(*Parse(Complete({many, "--input_shape=x:-1,3"}))).status()), "E10036");
}

TEST(KeptNodes, NamesAndTypes) {
  ir::Graph graph;
  const ir::ValueId x = graph.AddInput("x", TensorType{DType::kFloat32, {1}, {}, Layout::kPlain});
  graph.AddNode(ir::OpKind::kRelu, "r1", {x});
  graph.AddNode(ir::OpKind::kRelu, "r2", {x});
  graph.AddNode(ir::OpKind::kTanh, "tanh", {x});
  const std::string path = testing::TempDir() + "/keep.txt";
  std::ofstream(path) << "tanh\r\n\n  OpType::Relu\n";
  PrecisionFiles files;
  files.keep_dtype = path;
  PrecisionLists lists;
  ASSERT_TRUE(ReadPrecisionFiles(files, graph, &lists).ok());
  EXPECT_EQ(lists.float_nodes, (std::set<std::string>{"r1", "r2", "tanh"}));
  std::ofstream(path) << "r1\ntanj\n";
  const absl::Status status = ReadPrecisionFiles(files, graph, &lists);
  EXPECT_EQ(CodeOf(status), "E10001");
  EXPECT_TRUE(absl::StrContains(status.message(), "Line 2: the model has no node 'tanj'; did you mean 'tanh'?")) << status;
  files.keep_dtype = "/nonexistent";
  EXPECT_EQ(CodeOf(ReadPrecisionFiles(files, graph, &lists)), "E13001");
}

TEST(Errors, StatusesOfLowerFloorsGetCodes) {
  const absl::Status bad = absl::InvalidArgumentError("net.onnx: node 'a' (Conv): wrong.");
  EXPECT_EQ(CodeOf(WithCode(bad, Stage::kImport, "net.onnx")), "E13005");
  EXPECT_EQ(WithCode(bad, Stage::kImport, "net.onnx").message(), "Failed to parse file net.onnx. Reason: node 'a' (Conv): wrong.");
  EXPECT_EQ(CodeOf(WithCode(absl::NotFoundError("cannot open net.onnx"), Stage::kImport, "net.onnx")), "E10410");
  EXPECT_EQ(CodeOf(WithCode(absl::NotFoundError("external data: cannot open 'w.bin'"), Stage::kImport, "net.onnx")), "E13005");
  EXPECT_EQ(CodeOf(WithCode(absl::UnimplementedError("GRU"), Stage::kImport, "net.onnx")), "E16002");
  EXPECT_EQ(CodeOf(WithCode(absl::UnimplementedError("x"), Stage::kCompile, "net.onnx")), "E10055");
  EXPECT_EQ(CodeOf(WithCode(absl::InternalError("x"), Stage::kCompile, "net.onnx")), "E19999");
  EXPECT_EQ(CodeOf(WithCode(absl::ResourceExhaustedError("x"), Stage::kWrite, "net.om")), "E13004");
  EXPECT_EQ(CodeOf(WithCode(bad, Stage::kCalibrationData, "dir")), "E10001");
  EXPECT_TRUE(WithCode(absl::OkStatus(), Stage::kWrite, "x").ok());
  EXPECT_EQ(FormatError(Error(ErrorCode::E10054, {"--model"}), 7, "now").substr(0, 62),
            "[PID: 7] now Invalid_Argument(E10054): The required parameter ");
}

TEST(Help, ListsEveryFlag) {
  const std::string help = HelpText();
  for (const FlagRow& row : FlagRows()) {
    EXPECT_TRUE(absl::StrContains(help, absl::StrCat("--", row.name))) << row.name;
  }
}

}  // namespace
}  // namespace omkit::atc
