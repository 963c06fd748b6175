#include "ir/text.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "ir/op.h"

namespace omkit::ir {
namespace {

constexpr int64_t kMaxShownElements = 8;

// The values of a small integer or float constant: axes, shapes, scales.
std::string ShowElements(const Tensor& tensor) {
  if (tensor.elements() > kMaxShownElements || tensor.type().quantized()) return "";
  std::vector<std::string> parts;
  for (int64_t i = 0; i < tensor.elements(); ++i) {
    parts.push_back(IsFloat(tensor.dtype()) ? absl::StrCat(RealAt(tensor, i)) : absl::StrCat(IntegerAt(tensor, i)));
  }
  return absl::StrCat(" = {", absl::StrJoin(parts, ","), "}");
}

struct AttrText {
  std::string operator()(int64_t v) const { return absl::StrCat(v); }
  std::string operator()(float v) const { return absl::StrCat(v); }
  std::string operator()(const std::string& v) const { return absl::StrCat("\"", absl::CEscape(v), "\""); }
  std::string operator()(const std::vector<int64_t>& v) const { return absl::StrCat("[", absl::StrJoin(v, ","), "]"); }
  std::string operator()(const std::vector<float>& v) const { return absl::StrCat("[", absl::StrJoin(v, ","), "]"); }
  std::string operator()(const std::vector<std::string>& v) const {
    std::vector<std::string> quoted;
    for (const std::string& s : v) quoted.push_back((*this)(s));
    return absl::StrCat("[", absl::StrJoin(quoted, ","), "]");
  }
  std::string operator()(const Tensor& v) const { return absl::StrCat("<", v.type().ToString(), ShowElements(v), ">"); }
};

std::string NameOf(const Graph& graph, ValueId id) {
  if (id < 0 || id >= graph.num_values()) return "-";
  const std::string name = absl::CEscape(graph.value(id).name);
  return name.empty() ? absl::StrCat("%", id) : name;
}

std::string OperandText(const Graph& graph, ValueId id) {
  if (id == kNoValue || !graph.IsConstant(id)) return NameOf(graph, id);
  const Tensor& t = graph.value(id).constant;
  return absl::StrCat(NameOf(graph, id), " [", t.type().ToString(), ShowElements(t), "]");
}

std::string TypedText(const Graph& graph, ValueId id) {
  if (id == kNoValue) return "-";
  const TensorType& type = graph.value(id).type;
  const char* layout = type.layout == Layout::kChannelsLast ? " channels-last" : "";
  return absl::StrCat(NameOf(graph, id), ": ", type.dtype == DType::kUndefined ? "?" : type.ToString(), layout);
}

}  // namespace

std::string ToText(const Graph& graph, const Node& node) {
  std::vector<std::string> inputs, outputs, attrs;
  for (ValueId id : node.inputs) inputs.push_back(OperandText(graph, id));
  for (ValueId id : node.outputs) outputs.push_back(TypedText(graph, id));
  for (const auto& [name, value] : node.attrs.map()) attrs.push_back(absl::StrCat(name, "=", std::visit(AttrText(), value)));
  std::string line = absl::StrCat("node   '", absl::CEscape(node.name), "' ", OpName(node.op), "(", absl::StrJoin(inputs, ", "), ") -> ",
                                  absl::StrJoin(outputs, ", "));
  if (!attrs.empty()) absl::StrAppend(&line, " {", absl::StrJoin(attrs, ", "), "}");
  for (const auto& body : node.bodies) {
    absl::StrAppend(&line, "\n  body ", absl::StrReplaceAll(absl::StripTrailingAsciiWhitespace(ToText(*body)), {{"\n", "\n    "}}));
  }
  return line;
}

std::string ToText(const Graph& graph) {
  std::string text = absl::StrCat("graph '", absl::CEscape(graph.name), "' (", absl::CEscape(graph.source), ", opset ", graph.source_opset, ")\n");
  for (ValueId id : graph.inputs()) absl::StrAppend(&text, "input  ", TypedText(graph, id), "\n");
  std::vector<NodeId> order;
  if (auto sorted = graph.TopologicalOrder(); sorted.ok()) {
    order = *std::move(sorted);
  } else {
    absl::StrAppend(&text, "cyclic ", sorted.status().message(), "\n");
    for (NodeId id = 0; id < graph.node_limit(); ++id) {
      if (graph.alive(id)) order.push_back(id);
    }
  }
  for (NodeId id : order) absl::StrAppend(&text, ToText(graph, graph.node(id)), "\n");
  for (ValueId id : graph.outputs()) {
    absl::StrAppend(&text, "output ", NameOf(graph, id), graph.IsConstant(id) ? " (constant)" : "", "\n");
  }
  return text;
}

}  // namespace omkit::ir
