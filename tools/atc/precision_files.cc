#include "tools/atc/precision_files.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/status.h"
#include "ir/op_kind.h"
#include "nlohmann/json.hpp"
#include "tools/atc/errors.h"

namespace omkit::atc {
namespace {

using Json = nlohmann::json;
using ir::Graph;
using ir::Node;

constexpr size_t kMostBytes = 16 << 20;

// The ONNX types that a type's name stands for.
std::vector<std::string> OnnxTypes(const std::string& type) {
  static const auto* const kRows = new std::map<std::string, std::string>{
#define OMKIT_OP_TYPE(cann, onnx) {cann, onnx},
#include "tools/atc/op_types.inc"
  };
  const auto row = kRows->find(type);
  if (row == kRows->end()) return {type};
  return absl::StrSplit(row->second, '|');
}

std::string DidYouMean(absl::string_view name, const std::vector<std::string>& known) {
  const std::string near = NearestName(name, known);
  return near.empty() ? "" : absl::StrCat("; did you mean '", near, "'?");
}

const std::vector<std::string>& AllTypes() {
  static const auto* const kTypes = new std::vector<std::string>{
#define OMKIT_OP(name, ...) #name,
#include "ir/ops/ops.inc"
#undef OMKIT_OP
  };
  return *kTypes;
}

// A text file line by line, without comments and empty lines. `read` gives an empty string or what is wrong.
template <typename Read>
absl::Status ForEachLine(const std::string& path, const char* flag, bool comments, Read read) {
  const absl::StatusOr<std::string> text = ReadFile(path, kMostBytes);
  if (!text.ok()) return Error(ErrorCode::E13001, {path, std::string(text.status().message())});
  int number = 0;
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || (comments && (line[0] == '#' || line[0] == ';'))) continue;
    const std::string wrong = read(line);
    if (!wrong.empty()) return Error(ErrorCode::E10001, {path, absl::StrCat("--", flag), absl::StrCat("Line ", number, ": ", wrong)});
  }
  return absl::OkStatus();
}

// The nodes that a line means: a node's name, or "OpType::X" for all nodes of a type. Gives what is wrong, or nothing.
std::string FindNodes(const Graph& graph, absl::string_view name, std::vector<const Node*>* found) {
  absl::string_view type = name;
  const bool by_type = absl::ConsumePrefix(&type, "OpType::");
  const std::vector<std::string> types = by_type ? OnnxTypes(std::string(type)) : std::vector<std::string>();
  std::vector<std::string> known;
  for (ir::NodeId id = 0; id < static_cast<ir::NodeId>(graph.node_limit()); ++id) {
    if (!graph.alive(id)) continue;
    const Node& node = graph.node(id);
    const std::string op = ir::OpName(node.op);
    if (by_type ? std::find(types.begin(), types.end(), op) != types.end() : name == node.name) found->push_back(&node);
    known.push_back(by_type ? absl::StrCat("OpType::", op) : node.name);
  }
  if (!found->empty()) return "";
  return absl::StrCat("the model has no node '", name, "'", DidYouMean(name, known));
}

absl::Status ReadKeepDtype(const std::string& path, const Graph& graph, PrecisionLists* lists) {
  return ForEachLine(path, "keep_dtype", /*comments=*/false, [&](absl::string_view line) {
    std::vector<const Node*> nodes;
    std::string wrong = FindNodes(graph, line, &nodes);
    for (const Node* node : nodes) lists->float_nodes.insert(node->name);
    return wrong;
  });
}

// What a list of data types asks for.
enum class Precision { kOpen, kFloat, kBFloat16, kInt8, kMixed };

// Types of 32 and 64 bit integers and of booleans are not a choice of precision: kOpen.
std::string ReadDtypes(absl::string_view text, size_t most, const char* what, std::vector<Precision>* precisions) {
  static const auto* const kTypes =
      new std::map<std::string, Precision>{{"float16", Precision::kFloat},     {"float32", Precision::kFloat}, {"float", Precision::kFloat},
                                           {"bfloat16", Precision::kBFloat16}, {"int8", Precision::kInt8},     {"uint8", Precision::kInt8},
                                           {"int32", Precision::kOpen},        {"int64", Precision::kOpen},    {"bool", Precision::kOpen}};
  const std::vector<absl::string_view> words = absl::StrSplit(text, ',', absl::SkipEmpty());
  if (words.empty()) return absl::StrCat(what, " names no data type");
  if (words.size() > most) return absl::StrCat(what, " names ", words.size(), " data types, the node has ", most);
  for (absl::string_view word : words) {
    const auto type = kTypes->find(std::string(absl::StripAsciiWhitespace(word)));
    if (type == kTypes->end()) {
      std::vector<std::string> known;
      for (const auto& row : *kTypes) known.push_back(row.first);
      return absl::StrCat("'", word, "' is no data type of this chip: it computes in int8, bfloat16 or float32, for which float16 stands",
                          DidYouMean(word, known));
    }
    precisions->push_back(type->second);
  }
  return "";
}

// What all of them say: bfloat16 among other floats, such as a bias of float32, is a float type.
Precision Common(const std::vector<Precision>& precisions) {
  Precision common = Precision::kOpen;
  for (Precision precision : precisions) {
    if (precision == Precision::kBFloat16) precision = Precision::kFloat;
    if (precision == Precision::kOpen || precision == common) continue;
    common = common == Precision::kOpen ? precision : Precision::kMixed;
  }
  return common;
}

bool IsMatrix(const std::string& type) { return type == "Conv" || type == "Gemm" || type == "MatMul"; }

// bfloat16 for what is multiplied; if that is not said, for the result.
bool AsksForBFloat16(const Node& node, const std::vector<Precision>& in, const std::vector<Precision>& out) {
  if (!IsMatrix(ir::OpName(node.op))) return false;
  if (in.empty()) return !out.empty() && out[0] == Precision::kBFloat16;
  return in[0] == Precision::kBFloat16 && (in.size() < 2 || in[1] == Precision::kBFloat16);
}

// Float activations, int8 weights and a float result.
bool AsksForW8A16(const Node& node, const std::vector<Precision>& in, Precision out) {
  const auto is_float = [](Precision precision) { return precision == Precision::kFloat || precision == Precision::kBFloat16; };
  if (!IsMatrix(ir::OpName(node.op)) || in.size() < 2 || !is_float(in[0]) || in[1] != Precision::kInt8) return false;
  return out != Precision::kInt8 && (in.size() < 3 || in[2] != Precision::kInt8);
}

// Cuts "name::InputDtype:a,b,OutputDtype:c" into its three parts.
std::string CutCustom(absl::string_view line, std::string* name, std::string* inputs, std::string* outputs) {
  constexpr absl::string_view kInputs = "InputDtype:", kOutputs = "OutputDtype:";
  const size_t in = line.find(kInputs), out = line.find(kOutputs);
  const size_t first = std::min(in, out);
  if (first == absl::string_view::npos || (out != absl::string_view::npos && in != absl::string_view::npos && out < in)) {
    return "a line is 'NODE::InputDtype:T,...,OutputDtype:T,...' or 'OpType::TYPE:InputDtype:T,...,OutputDtype:T,...'";
  }
  *name = std::string(absl::StripTrailingAsciiWhitespace(line.substr(0, first)));
  while (!name->empty() && name->back() == ':') name->pop_back();
  if (name->empty()) return "it names no node";
  if (in != absl::string_view::npos)
    *inputs = std::string(line.substr(in + kInputs.size(), out == absl::string_view::npos ? out : out - in - kInputs.size()));
  if (out != absl::string_view::npos) *outputs = std::string(line.substr(out + kOutputs.size()));
  return "";
}

std::string ReadCustom(absl::string_view line, const Graph& graph, PrecisionLists* lists) {
  std::string name, inputs, outputs;
  std::string wrong = CutCustom(line, &name, &inputs, &outputs);
  std::vector<const Node*> nodes;
  if (wrong.empty()) wrong = FindNodes(graph, name, &nodes);
  for (size_t i = 0; i < nodes.size() && wrong.empty(); ++i) {
    const Node& node = *nodes[i];
    std::vector<Precision> each_in, each_out;
    if (!inputs.empty()) wrong = ReadDtypes(inputs, node.inputs.size(), "InputDtype", &each_in);
    if (wrong.empty() && !outputs.empty()) wrong = ReadDtypes(outputs, node.outputs.size(), "OutputDtype", &each_out);
    if (!wrong.empty()) break;
    Precision in = Common(each_in), out = Common(each_out);
    for (std::set<std::string>* nodes_of_one : {&lists->int8_nodes, &lists->w8a16_nodes, &lists->bfloat16_nodes}) nodes_of_one->erase(node.name);
    if (AsksForW8A16(node, each_in, out)) {
      lists->w8a16_nodes.insert(node.name);
      lists->float_nodes.erase(node.name);
      continue;
    }
    if (in == Precision::kOpen) in = out;
    if (out == Precision::kOpen) out = in;
    if (in == Precision::kMixed || out == Precision::kMixed || in != out) {
      return absl::StrCat("node '", node.name,
                          "': this chip computes a node in INT8 or in float, from its inputs to its outputs; name one of them for all");
    }
    if (in == Precision::kInt8) lists->int8_nodes.insert(node.name);
    if (in == Precision::kFloat) lists->float_nodes.insert(node.name);
    if (in == Precision::kFloat && AsksForBFloat16(node, each_in, each_out)) lists->bfloat16_nodes.insert(node.name);
  }
  return wrong;
}

// What a mode of --op_precision_mode means for a node: kOpen where INT8 is allowed.
std::string ReadOpMode(const std::string& mode, Precision* precision) {
  static const auto* const kModes = new std::map<std::string, Precision>{{"high_precision", Precision::kFloat},
                                                                         {"keep_fp16", Precision::kFloat},
                                                                         {"enable_float_32_execution", Precision::kFloat},
                                                                         {"enable_hi_float_32_execution", Precision::kFloat},
                                                                         {"high_performance", Precision::kOpen},
                                                                         {"super_performance", Precision::kOpen}};
  if (mode == "support_out_of_bound_index")
    return "support_out_of_bound_index has no meaning here: an index outside its tensor is an error of the execution";
  const auto row = kModes->find(mode);
  if (row != kModes->end()) {
    *precision = row->second;
    return "";
  }
  std::vector<std::string> known;
  for (const auto& entry : *kModes) known.push_back(entry.first);
  return absl::StrCat("unknown mode '", mode, "'", DidYouMean(mode, known));
}

absl::Status ReadOpPrecision(const std::string& path, const Graph& graph, PrecisionLists* lists) {
  std::map<std::string, Precision> by_type, by_node;  // by name of a node
  std::map<std::string, Precision>* section = nullptr;
  OMKIT_RETURN_IF_ERROR(ForEachLine(path, "op_precision_mode", /*comments=*/true, [&](absl::string_view line) -> std::string {
    if (line[0] == '[') {
      section = line == "[ByOpType]" ? &by_type : line == "[ByNodeName]" ? &by_node : nullptr;
      return section != nullptr ? "" : absl::StrCat("unknown section ", line, "; the sections are [ByOpType] and [ByNodeName]");
    }
    const size_t equals = line.rfind('=');
    if (section == nullptr || equals == absl::string_view::npos) return "a line is 'NAME=MODE' behind [ByOpType] or [ByNodeName]";
    const absl::string_view name = absl::StripAsciiWhitespace(line.substr(0, equals));
    Precision precision = Precision::kOpen;
    std::string wrong = ReadOpMode(std::string(absl::StripAsciiWhitespace(line.substr(equals + 1))), &precision);
    std::vector<const Node*> nodes;
    if (wrong.empty()) wrong = FindNodes(graph, section == &by_type ? absl::StrCat("OpType::", name) : name, &nodes);
    for (const Node* node : nodes) (*section)[node->name] = precision;
    return wrong;
  }));
  for (const auto& entry : by_type) by_node.insert(entry);  // a node's own line wins
  for (const auto& [name, precision] : by_node) {
    if (precision == Precision::kFloat) lists->float_nodes.insert(name);
  }
  return absl::OkStatus();
}

// The keys of an object.
std::string CheckKeys(const Json& object, const std::string& where, const std::vector<std::string>& known) {
  if (!object.is_object()) return absl::StrCat(where, " is not an object");
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) return absl::StrCat(where, ": unknown key '", key, "'", DidYouMean(key, known));
  }
  return "";
}

std::string ReadTypes(const Json& list, const std::string& where, std::set<std::string>* types) {
  if (!list.is_array()) return absl::StrCat(where, " is not a list of operator types");
  for (const Json& item : list) {
    if (!item.is_string()) return absl::StrCat(where, " is not a list of operator types");
    for (const std::string& type : OnnxTypes(item.get<std::string>())) {
      ir::OpKind op;
      if (!ir::FindOp(type, &op)) return absl::StrCat(where, ": unknown operator type '", type, "'", DidYouMean(type, AllTypes()));
      types->insert(type);
    }
  }
  return "";
}

// Without changes the white list holds the matrix operators, the grey list all others, and what has no INT8 kernel stays float anyway.
std::string ReadMixlist(const Json& json, PrecisionLists* lists) {
  std::set<std::string> types[2][2];  // [black, white][to-remove, to-add]
  const std::vector<std::string> kLists = {"black-list", "white-list"}, kChanges = {"to-remove", "to-add"};
  std::string wrong = CheckKeys(json, "top level", kLists);
  for (int list = 0; list < 2 && wrong.empty(); ++list) {
    if (!json.contains(kLists[list])) continue;
    const Json& object = json[kLists[list]];
    wrong = CheckKeys(object, kLists[list], kChanges);
    for (int change = 0; change < 2 && wrong.empty(); ++change) {
      if (object.contains(kChanges[change])) {
        wrong = ReadTypes(object[kChanges[change]], absl::StrCat(kLists[list], " ", kChanges[change]), &types[list][change]);
      }
    }
  }
  if (!wrong.empty()) return wrong;
  for (const std::string& type : types[1][0]) {
    if (IsMatrix(type)) lists->grey_types.insert(type);
  }
  for (const std::string& type : types[0][1]) {
    if (types[1][1].count(type) != 0) return absl::StrCat("type ", type, " is added to both lists");
    lists->float_types.insert(type);
  }
  for (const std::string& type : types[1][1]) {
    lists->white_types.insert(type);
    lists->grey_types.erase(type);
  }
  return "";
}

}  // namespace

absl::Status ReadPrecisionFiles(const PrecisionFiles& files, const Graph& graph, PrecisionLists* lists) {
  if (!files.mixlist.empty()) {
    const absl::StatusOr<std::string> text = ReadFile(files.mixlist, kMostBytes);
    if (!text.ok()) return Error(ErrorCode::E13001, {files.mixlist, std::string(text.status().message())});
    const Json json = Json::parse(text->begin(), text->end(), nullptr, /*allow_exceptions=*/false);
    const std::string wrong = json.is_discarded() ? "it is not JSON" : ReadMixlist(json, lists);
    if (!wrong.empty()) return Error(ErrorCode::E13005, {files.mixlist, wrong});
  }
  if (!files.op_precision.empty()) OMKIT_RETURN_IF_ERROR(ReadOpPrecision(files.op_precision, graph, lists));
  if (!files.keep_dtype.empty()) OMKIT_RETURN_IF_ERROR(ReadKeepDtype(files.keep_dtype, graph, lists));
  if (files.customize_dtypes.empty()) return absl::OkStatus();
  return ForEachLine(files.customize_dtypes, "customize_dtypes", /*comments=*/false,
                     [&](absl::string_view line) { return ReadCustom(line, graph, lists); });
}

}  // namespace omkit::atc
