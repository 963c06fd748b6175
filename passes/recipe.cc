#include "passes/recipe.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "nlohmann/json.hpp"

namespace omkit::passes {
namespace {

using Json = nlohmann::json;

constexpr char kVersionKey[] = "omkit_recipe";
constexpr int kVersion = 1;
// Weights are moved by at most this many steps, so that a byte holds run and step.
constexpr int kMostSteps = 3;

// Steps as bytes of run lengths: a byte below 249 passes over that many zeros; 249 + k is the step -kMostSteps + k, without zero.
std::string PackSteps(const std::vector<int8_t>& steps) {
  std::string bytes;
  int zeros = 0;
  for (const int8_t step : steps) {
    if (step == 0 && ++zeros < 248) continue;
    if (zeros > 0) bytes.push_back(static_cast<char>(zeros));
    zeros = 0;
    if (step != 0) bytes.push_back(static_cast<char>(249 + step + kMostSteps));
  }
  if (zeros > 0) bytes.push_back(static_cast<char>(zeros));
  return absl::Base64Escape(bytes);
}

bool UnpackSteps(const std::string& text, std::vector<int8_t>* steps) {
  constexpr size_t kMostWeights = size_t{1} << 31;
  std::string bytes;
  if (!absl::Base64Unescape(text, &bytes)) return false;
  for (const char c : bytes) {
    const int byte = static_cast<uint8_t>(c);
    if (byte < 249) steps->resize(steps->size() + byte, 0);
    else steps->push_back(static_cast<int8_t>(byte - 249 - kMostSteps));
    if (steps->size() > kMostWeights || byte == 249 + kMostSteps) return false;
  }
  return true;
}

std::string Dump(const Json& json) { return json.dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace); }

constexpr std::pair<const char*, Precision> kPrecisions[] = {
    {"int8", Precision::kInt8}, {"w8a16", Precision::kW8A16}, {"bfloat16", Precision::kBFloat16}, {"float", Precision::kFloat}};

bool ReadPrecision(const Json& json, Precision* precision) {
  for (const auto& [name, value] : kPrecisions) {
    if (json != name) continue;
    *precision = value;
    return true;
  }
  return false;
}

Json NodeToJson(const NodeRecipe& node) {
  Json json = {{"precision", kPrecisions[static_cast<int>(node.precision)].first}};
  if (node.leads) json["leads"] = true;
  if (!node.channel_wise) json["weights"] = "per_tensor";
  if (!node.bias.empty()) json["bias"] = node.bias;
  if (!node.rounding.empty()) json["rounding"] = PackSteps(node.rounding);
  return json;
}

template <typename Map, typename ToJson>
void AppendMap(const char* key, const Map& map, bool lines, ToJson to_json, std::string* text) {
  absl::StrAppend(text, lines ? ",\n" : ",", Dump(key), lines ? ": {" : ":{");
  const char* separator = lines ? "\n  " : "";
  for (const auto& [name, value] : map) {
    absl::StrAppend(text, separator, Dump(name), lines ? ": " : ":", Dump(to_json(value)));
    separator = lines ? ",\n  " : ",";
  }
  absl::StrAppend(text, lines && !map.empty() ? "\n}" : "}");
}

absl::Status Wrong(absl::string_view where, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("quantization recipe: ", where, ": ", what));
}

absl::Status CheckKeys(const Json& object, const std::string& where, const std::vector<std::string>& known) {
  if (!object.is_object()) return Wrong(where, "is not an object");
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const std::string near = NearestName(key, known);
    return Wrong(where, absl::StrCat("unknown key '", key, "'", near.empty() ? "" : absl::StrCat("; did you mean '", near, "'?")));
  }
  return absl::OkStatus();
}

bool ReadFloat(const Json& json, float* value) {
  if (!json.is_number()) return false;
  *value = static_cast<float>(json.get<double>());
  return std::isfinite(*value);
}

bool ReadFloats(const Json& json, std::vector<float>* values) {
  if (!json.is_array()) return false;
  for (const Json& item : json) {
    values->push_back(0);
    if (!ReadFloat(item, &values->back())) return false;
  }
  return true;
}

absl::Status ReadTensor(const std::string& where, const Json& json, TensorRecipe* tensor) {
  OMKIT_RETURN_IF_ERROR(CheckKeys(json, where, {"min", "max", "method"}));
  if (!json.contains("min") || !json.contains("max") || !ReadFloat(json["min"], &tensor->range.min) || !ReadFloat(json["max"], &tensor->range.max) ||
      tensor->range.min > tensor->range.max) {
    return Wrong(where, "needs finite numbers 'min' and 'max', min <= max");
  }
  if (json.contains("method") && json["method"].is_string()) tensor->method = json["method"].get<std::string>();
  return absl::OkStatus();
}

absl::Status ReadNode(const std::string& where, const Json& json, NodeRecipe* node) {
  OMKIT_RETURN_IF_ERROR(CheckKeys(json, where, {"precision", "leads", "weights", "bias", "rounding"}));
  if (json.contains("precision") && !ReadPrecision(json["precision"], &node->precision)) {
    return Wrong(where, "'precision' is \"int8\", \"w8a16\", \"bfloat16\" or \"float\"");
  }
  if (json.contains("leads")) {
    if (!json["leads"].is_boolean()) return Wrong(where, "'leads' is true or false");
    node->leads = json["leads"];
  }
  if (json.contains("weights")) {
    node->channel_wise = json["weights"] == "per_channel";
    if (!node->channel_wise && json["weights"] != "per_tensor") return Wrong(where, "'weights' is \"per_channel\" or \"per_tensor\"");
  }
  if (json.contains("bias") && !ReadFloats(json["bias"], &node->bias)) return Wrong(where, "'bias' is a list of finite numbers");
  if (json.contains("rounding") && (!json["rounding"].is_string() || !UnpackSteps(json["rounding"].get<std::string>(), &node->rounding))) {
    return Wrong(where, "'rounding' is not what this program writes");
  }
  return absl::OkStatus();
}

}  // namespace

std::string SerializeRecipe(const Recipe& recipe, bool lines) {
  std::string text = absl::StrCat("{", Dump(kVersionKey), lines ? ": " : ":", kVersion, lines ? ",\n" : ",", Dump("model_hash"), lines ? ": " : ":",
                                  Dump(recipe.model_hash));
  const auto tensor = [](const TensorRecipe& t) { return Json{{"min", t.range.min}, {"max", t.range.max}, {"method", t.method}}; };
  AppendMap("tensors", recipe.tensors, lines, tensor, &text);
  AppendMap("nodes", recipe.nodes, lines, NodeToJson, &text);
  AppendMap(
      "equalize", recipe.equalize, lines, [](const std::vector<float>& factors) { return Json(factors); }, &text);
  absl::StrAppend(&text, lines ? "\n}\n" : "}");
  return text;
}

absl::StatusOr<Recipe> ParseRecipe(absl::string_view text) {
  const Json json = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return Wrong("file", "is not JSON");
  OMKIT_RETURN_IF_ERROR(CheckKeys(json, "top level", {kVersionKey, "model_hash", "tensors", "nodes", "equalize"}));
  if (!json.contains(kVersionKey) || json[kVersionKey] != kVersion) return Wrong("top level", absl::StrCat("'", kVersionKey, "' must be ", kVersion));
  Recipe recipe;
  if (json.contains("model_hash") && json["model_hash"].is_string()) recipe.model_hash = json["model_hash"].get<std::string>();
  for (const char* key : {"tensors", "nodes", "equalize"}) {
    if (json.contains(key) && !json[key].is_object()) return Wrong(key, "is not an object");
  }
  const Json none = Json::object();
  const auto part = [&](const char* key) -> const Json& { return json.contains(key) ? json.at(key) : none; };
  for (const auto& [name, value] : part("tensors").items()) {
    OMKIT_RETURN_IF_ERROR(ReadTensor(absl::StrCat("tensor '", name, "'"), value, &recipe.tensors[name]));
  }
  for (const auto& [name, value] : part("nodes").items()) {
    OMKIT_RETURN_IF_ERROR(ReadNode(absl::StrCat("node '", name, "'"), value, &recipe.nodes[name]));
  }
  for (const auto& [name, value] : part("equalize").items()) {
    if (!ReadFloats(value, &recipe.equalize[name])) return Wrong(absl::StrCat("equalize '", name, "'"), "is a list of finite numbers");
    for (const float factor : recipe.equalize[name]) {
      if (!(factor > 0)) return Wrong(absl::StrCat("equalize '", name, "'"), "factors must be positive");
    }
  }
  return recipe;
}

absl::StatusOr<QuantizationPlan> PlanOf(const Recipe& recipe, const ir::Graph& graph, const QuantizePolicy& policy) {
  QuantizePolicy narrowed = policy;
  for (const auto& [name, node] : recipe.nodes) {
    if (node.precision >= Precision::kBFloat16) narrowed.skip_nodes.insert(name);
    else if (node.precision == Precision::kW8A16) narrowed.w8a16_nodes.insert(name);
    else if (node.leads) narrowed.int8_nodes.insert(name);
  }
  return PlanQuantization(graph, narrowed);
}

Recipe MakeRecipe(const ir::Graph& graph, const QuantizationPlan& plan, const QuantizePolicy& policy, const Statistics& statistics,
                  RangeMethod method) {
  Recipe recipe;
  recipe.model_hash = statistics.model_hash;
  for (ir::ValueId v : plan.values) {
    RangeConfig config = ConfigOf(policy, graph, v);
    if (config.method == RangeMethod::kAuto) config.method = method;
    const auto found = statistics.tensors.find(graph.value(v).name);
    if (found == statistics.tensors.end()) continue;
    recipe.tensors[graph.value(v).name] = {ChooseRange(found->second, config), Name(config.method)};
  }
  for (ir::NodeId id = 0; id < static_cast<ir::NodeId>(graph.node_limit()); ++id) {
    if (!graph.alive(id) || !policy.supported(graph, graph.node(id))) continue;
    const ir::Node& node = graph.node(id);
    const auto among = [&](const std::vector<bool>& nodes) { return id < static_cast<ir::NodeId>(nodes.size()) && nodes[id]; };
    const bool int8 = among(plan.int8_node);
    const Precision precision = int8 ? Precision::kInt8 : among(plan.w8a16_node) ? Precision::kW8A16 : Precision::kFloat;
    const bool fresh = recipe.nodes.count(node.name) == 0;
    NodeRecipe& entry = recipe.nodes[node.name];
    entry.precision = fresh ? precision : std::min(entry.precision, precision);  // nodes of one name share their entry
    entry.leads |= int8 && IsLed(policy, node);
    entry.channel_wise = ConfigOf(policy, node).channel_wise;
  }
  return recipe;
}

}  // namespace omkit::passes
