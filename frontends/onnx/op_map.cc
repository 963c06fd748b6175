#include "frontends/onnx/op_map.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "frontends/onnx/adapters.h"
#include "frontends/onnx/quoted.h"
#include "frontends/onnx/tensor.h"
#include "ir/op.h"
#include "ir/ops/body.h"

namespace omkit::frontends {
namespace {

constexpr OnnxOp kOps[] = {
#define OMKIT_ONNX(name, first, kind, adapter, min_in, max_in, min_out, max_out, attrs) \
  {#name, first, ir::OpKind::k##kind, adapters::adapter, min_in, max_in, min_out, max_out, attrs},
#include "frontends/onnx/onnx_ops.inc"
#undef OMKIT_ONNX
};

constexpr ContribOp kContribOps[] = {
#define OMKIT_CONTRIB(domain, name, kind, adapter, min_in, max_in, min_out, max_out, attrs) \
  {domain, {#name, 0, ir::OpKind::k##kind, adapters::adapter, min_in, max_in, min_out, max_out, attrs}},
#include "frontends/onnx/contrib_ops.inc"
#undef OMKIT_CONTRIB
};

struct AttributeSpec {
  std::string name;
  std::string type;
};

// The attributes the operator has at this opset.
std::vector<AttributeSpec> SpecsAt(const OnnxOp& op, int64_t opset) {
  std::vector<AttributeSpec> specs;
  for (absl::string_view word : absl::StrSplit(op.attributes, ' ', absl::SkipEmpty())) {
    const size_t colon = word.find(':');
    const size_t limit = word.find_first_of("<>");
    int64_t number = 0;
    if (limit != word.npos && absl::SimpleAtoi(word.substr(limit + 1), &number)) {
      if (word[limit] == '<' ? opset >= number : opset < number) continue;
    }
    specs.push_back({std::string(word.substr(0, colon)), std::string(word.substr(colon + 1, limit == word.npos ? limit : limit - colon - 1))});
  }
  return specs;
}

absl::string_view TypeText(absl::string_view type) {
  if (type == "i") return "INT";
  if (type == "f") return "FLOAT";
  if (type == "s") return "STRING";
  if (type == "is") return "INTS";
  if (type == "fs") return "FLOATS";
  if (type == "ss") return "STRINGS";
  if (type == "g") return "GRAPH";
  return "TENSOR";
}

absl::StatusOr<ir::Attr> Convert(const onnx::AttributeProto& a, absl::string_view type, ExternalFiles* files) {
  using onnx::AttributeProto;
  const std::string actual = AttributeProto::AttributeType_Name(a.type());
  if (actual != TypeText(type)) {
    return absl::InvalidArgumentError(absl::StrCat("has type ", actual, " instead of ", TypeText(type)));
  }
  switch (a.type()) {
    case AttributeProto::INT: return ir::Attr(static_cast<int64_t>(a.i()));
    case AttributeProto::FLOAT:
      if (std::isnan(a.f())) return absl::InvalidArgumentError("is not a number (NaN)");
      return ir::Attr(a.f());
    case AttributeProto::STRING: return ir::Attr(a.s());
    case AttributeProto::INTS: return ir::Attr(std::vector<int64_t>(a.ints().begin(), a.ints().end()));
    case AttributeProto::STRINGS: return ir::Attr(std::vector<std::string>(a.strings().begin(), a.strings().end()));
    case AttributeProto::FLOATS: return ir::Attr(std::vector<float>(a.floats().begin(), a.floats().end()));
    default: break;
  }
  OMKIT_ASSIGN_OR_RETURN(Tensor tensor, FromTensorProto(a.t(), files));
  return ir::Attr(std::move(tensor));
}

absl::Status UnknownAttribute(const std::string& name, const std::vector<AttributeSpec>& specs, int64_t opset) {
  std::vector<std::string> known;
  for (const AttributeSpec& spec : specs) known.push_back(spec.name);
  const std::string near = NearestName(name, known);
  return absl::InvalidArgumentError(
      absl::StrCat("unknown attribute ", Quoted(name), " in opset ", opset, near.empty() ? "" : absl::StrCat("; did you mean '", near, "'?")));
}

}  // namespace

absl::Span<const OnnxOp> OnnxOps() { return kOps; }

const OnnxOp* FindOnnxOp(absl::string_view name, int64_t opset) {
  for (const OnnxOp& op : kOps) {
    if (op.name == name) return opset >= op.first_opset ? &op : nullptr;
  }
  return nullptr;
}

absl::Span<const ContribOp> ContribOps() { return kContribOps; }

const OnnxOp* FindOp(absl::string_view domain, absl::string_view name, int64_t opset) {
  const bool default_domain = domain.empty() || domain == "ai.onnx";
  for (const ContribOp& row : kContribOps) {
    if (row.domain == (default_domain ? "" : domain) && row.op.name == name) return &row.op;
  }
  return default_domain ? FindOnnxOp(name, opset) : nullptr;
}

absl::StatusOr<ir::Attrs> ReadAttributes(const onnx::NodeProto& proto, const OnnxOp& op, int64_t opset, ExternalFiles* files) {
  const std::vector<AttributeSpec> specs = SpecsAt(op, opset);
  ir::Attrs attrs;
  for (const onnx::AttributeProto& a : proto.attribute()) {
    const auto spec = std::find_if(specs.begin(), specs.end(), [&](const AttributeSpec& s) { return s.name == a.name(); });
    if (spec == specs.end()) return UnknownAttribute(a.name(), specs, opset);
    if (attrs.Has(a.name())) return absl::InvalidArgumentError(absl::StrCat("attribute ", Quoted(a.name()), " appears twice"));
    if (!a.ref_attr_name().empty()) {
      return absl::InvalidArgumentError(absl::StrCat("attribute ", Quoted(a.name()), " refers to a function attribute outside a function"));
    }
    if (spec->type == "g") {
      if (a.type() == onnx::AttributeProto::GRAPH && a.has_g()) continue;
      return absl::InvalidArgumentError(absl::StrCat("attribute ", Quoted(a.name()), " is no graph"));
    }
    absl::StatusOr<ir::Attr> value = Convert(a, spec->type, files);
    if (!value.ok()) return Annotate(value.status(), absl::StrCat("attribute ", Quoted(a.name())));
    attrs.Set(a.name(), *std::move(value));
  }
  return attrs;
}

absl::Status CheckArity(const onnx::NodeProto& proto, const OnnxOp& op) {
  const auto check = [](absl::string_view what, int count, int min, int max) -> absl::Status {
    if (count >= min && (max < 0 || count <= max)) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("has ", count, " ", what, "; expected ", min,
                                                   max == min ? ""
                                                   : max < 0  ? " or more"
                                                              : absl::StrCat(" to ", max)));
  };
  OMKIT_RETURN_IF_ERROR(check("inputs", proto.input_size(), op.min_inputs, op.max_inputs));
  OMKIT_RETURN_IF_ERROR(check("outputs", proto.output_size(), op.min_outputs, op.max_outputs));
  // Operators that join any number of inputs need all of them; Loop and Scan may leave some out.
  const int required = ir::IsControl(op.kind) ? 0 : op.max_inputs < 0 ? proto.input_size() : op.min_inputs;
  for (int i = 0; i < required; ++i) {
    if (proto.input(i).empty()) return absl::InvalidArgumentError(absl::StrCat("input ", i, " is required but left out"));
  }
  return absl::OkStatus();
}

void TryInfer(ir::Graph& graph, ir::NodeId id) {
  for (ir::ValueId input : graph.node(id).inputs) {
    if (input != ir::kNoValue && graph.value(input).type.dtype == DType::kUndefined) return;
  }
  ir::InferNode(graph, id).IgnoreError();
}

void OnnxNode::Emit() {
  while (!inputs.empty() && inputs.back() == ir::kNoValue) inputs.pop_back();
  TryInfer(*graph, graph->AddNodeInto(kind, name, inputs, outputs, attrs));
}

ir::ValueId OnnxNode::EmitBefore(ir::OpKind op, absl::string_view suffix, std::vector<ir::ValueId> op_inputs, ir::Attrs op_attrs) {
  const ir::NodeId id = graph->AddNode(op, absl::StrCat(name, "/", suffix), std::move(op_inputs), std::move(op_attrs));
  TryInfer(*graph, id);
  return graph->node(id).outputs[0];
}

ir::ValueId OnnxNode::Constant(absl::string_view suffix, Tensor tensor) {
  return graph->AddConstant(absl::StrCat(name, "/", suffix), std::move(tensor));
}

ir::ValueId OnnxNode::Constant(absl::string_view suffix, absl::Span<const int64_t> values) {
  return Constant(suffix, Tensor::Of<int64_t>(Shape{static_cast<int64_t>(values.size())}, values));
}

const Tensor* OnnxNode::constant(int i) const { return has_input(i) && graph->IsConstant(inputs[i]) ? &graph->value(inputs[i]).constant : nullptr; }

DType OnnxNode::dtype(int i) const { return has_input(i) ? graph->value(inputs[i]).type.dtype : DType::kUndefined; }

int OnnxNode::rank(int i) const { return dtype(i) == DType::kUndefined ? -1 : graph->value(inputs[i]).type.shape.rank(); }

void OnnxNode::SetInput(int i, ir::ValueId value) {
  if (i >= static_cast<int>(inputs.size())) inputs.resize(i + 1, ir::kNoValue);
  inputs[i] = value;
}

absl::Status OnnxNode::KeepOutputs(int keep) {
  for (int i = keep; i < static_cast<int>(outputs.size()); ++i) {
    if (output_used[i]) return absl::UnimplementedError(absl::StrCat("output ", i, " is used; only the first ", keep, " can be computed"));
  }
  if (static_cast<int>(outputs.size()) > keep) outputs.resize(keep);
  return absl::OkStatus();
}

}  // namespace omkit::frontends
