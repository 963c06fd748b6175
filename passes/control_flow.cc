#include "passes/control_flow.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/body.h"

namespace omkit::passes {
namespace {

using ir::Graph;
using ir::kNoValue;
using ir::Node;
using ir::NodeId;
using ir::OpKind;
using ir::ValueId;

// Copies of body nodes: below the first number a loop is always written out, above the second never.
constexpr int64_t kFewNodes = 256;
constexpr int64_t kMostNodes = 100'000;

ValueId Int64s(Graph& graph, const std::string& name, const std::vector<int64_t>& values, bool scalar = false) {
  const Shape shape = scalar ? Shape{} : Shape{static_cast<int64_t>(values.size())};
  return graph.AddConstant(name, Tensor::Of<int64_t>(shape, values));
}

ValueId Emit(Graph& graph, OpKind op, const std::string& name, std::vector<ValueId> inputs, const char* attribute = nullptr, int64_t value = 0) {
  ir::Attrs attrs;
  if (attribute != nullptr) attrs.Set(attribute, value);
  return graph.node(graph.AddNode(op, name, std::move(inputs), std::move(attrs))).outputs[0];
}

// Gives the outputs of a removed node new producers.
void Replace(Graph& graph, const Node& gone, const std::vector<ValueId>& values) {
  for (size_t i = 0; i < gone.outputs.size(); ++i) {
    graph.AddNodeInto(OpKind::kIdentity, i == 0 ? gone.name : absl::StrCat(gone.name, ":", i), {values[i]}, {gone.outputs[i]});
  }
}

// One value per iteration becomes one value with a new axis.
ValueId StackOf(Graph& graph, const std::string& name, const std::vector<ValueId>& parts, int64_t axis) {
  std::vector<ValueId> rows;
  const ValueId axes = Int64s(graph, absl::StrCat(name, "/axes"), {axis});
  for (size_t i = 0; i < parts.size(); ++i) rows.push_back(Emit(graph, OpKind::kUnsqueeze, absl::StrCat(name, "/row", i), {parts[i], axes}));
  return Emit(graph, OpKind::kConcat, absl::StrCat(name, "/rows"), rows, "axis", axis);
}

bool HasStaticOutputs(Graph& graph, NodeId id) {
  if (!ir::InferNode(graph, id).ok()) return false;
  const std::vector<ValueId>& outputs = graph.node(id).outputs;
  return std::all_of(outputs.begin(), outputs.end(), [&](ValueId v) { return graph.value(v).type.shape.IsStatic(); });
}

bool IsTrue(const Tensor* t) { return t != nullptr && t->dtype() == DType::kBool && t->elements() == 1 && IntegerAt(*t, 0) != 0; }

absl::StatusOr<bool> ExpandIf(Graph& graph, const Node& node) {
  const Tensor* condition = graph.ConstantInput(node, 0);
  if (condition == nullptr || condition->dtype() != DType::kBool || condition->elements() != 1) return false;
  const Graph& body = *node.bodies[IntegerAt(*condition, 0) != 0 ? 0 : 1];
  graph.RemoveNode(node.id);
  Replace(graph, node, InlineBody(graph, body, absl::MakeConstSpan(node.inputs).subspan(1), ""));
  return true;
}

// -1 when the number of iterations is not known.
int64_t TripsOf(const Graph& graph, const Node& node) {
  const Graph& body = *node.bodies[0];
  const Tensor* trips = graph.ConstantInput(node, 0);
  if (trips == nullptr || trips->dtype() != DType::kInt64 || trips->elements() != 1) return -1;
  if (node.inputs[1] != kNoValue && !IsTrue(graph.ConstantInput(node, 1))) return -1;
  const ValueId again = body.outputs()[0];
  if (again != body.inputs()[1] && !(body.IsConstant(again) && IsTrue(&body.value(again).constant))) return -1;
  return IntegerAt(*trips, 0);
}

bool WorthWritingOut(Graph& graph, const Node& node, int64_t iterations) {
  if (iterations < 1 || iterations > kMostNodes) return false;
  const int64_t nodes = iterations * std::max(node.bodies[0]->CountNodes(), 1);
  return nodes <= kFewNodes || (nodes <= kMostNodes && !HasStaticOutputs(graph, node.id));
}

absl::StatusOr<bool> ExpandLoop(Graph& graph, const Node& node) {
  const int64_t trips = TripsOf(graph, node);
  if (!WorthWritingOut(graph, node, trips)) return false;
  const Graph& body = *node.bodies[0];
  const auto states = static_cast<size_t>(node.attrs.Int("states", 0));
  const auto scalar = [&](int input) { return body.value(body.inputs()[input]).type.shape.rank() == 0; };
  std::vector<ValueId> current(node.inputs.begin() + 2, node.inputs.end());
  std::vector<std::vector<ValueId>> rows(node.outputs.size() - states);
  graph.RemoveNode(node.id);
  const ValueId condition = graph.AddConstant(absl::StrCat(node.name, "/cond"), Tensor::Of<bool>(scalar(1) ? Shape{} : Shape{1}, {true}));
  for (int64_t i = 0; i < trips; ++i) {
    std::vector<ValueId> inputs = {Int64s(graph, absl::StrCat(node.name, "/iteration", i), {i}, scalar(0)), condition};
    inputs.insert(inputs.end(), current.begin(), current.end());
    const std::vector<ValueId> outputs = InlineBody(graph, body, inputs, absl::StrCat("#", i));
    std::copy_n(outputs.begin() + 1, states, current.begin());
    for (size_t s = 0; s < rows.size(); ++s) rows[s].push_back(outputs[1 + states + s]);
  }
  std::vector<ValueId> results(current.begin(), current.begin() + static_cast<int64_t>(states));
  for (size_t s = 0; s < rows.size(); ++s) results.push_back(StackOf(graph, absl::StrCat(node.name, "/scan", s), rows[s], 0));
  Replace(graph, node, results);
  return true;
}

absl::StatusOr<bool> ExpandScan(Graph& graph, const Node& node) {
  OMKIT_ASSIGN_OR_RETURN(const ir::ScanForm form,
                         ir::ReadScanForm(node.attrs, static_cast<int>(node.inputs.size()), static_cast<int>(node.outputs.size())));
  const Shape& sequence = graph.value(node.inputs[form.states]).type.shape;
  OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(form.input_axes[0], sequence.rank()));
  const int64_t length = sequence.dim(axis);
  if (length == kUnknownDim || !WorthWritingOut(graph, node, length)) return false;
  graph.RemoveNode(node.id);
  std::vector<ValueId> current(node.inputs.begin(), node.inputs.begin() + form.states);
  std::vector<std::vector<ValueId>> rows(form.scan_outputs);
  for (int64_t t = 0; t < length; ++t) {
    std::vector<ValueId> inputs = current;
    for (int s = 0; s < form.scans; ++s) {
      const int64_t at = form.input_directions[s] == 0 ? t : length - 1 - t;
      const std::string name = absl::StrCat(node.name, "/slice", s, "#", t);
      inputs.push_back(Emit(graph, OpKind::kGather, name, {node.inputs[form.states + s], Int64s(graph, absl::StrCat(name, "/index"), {at}, true)},
                            "axis", form.input_axes[s]));
    }
    inputs.insert(inputs.end(), node.inputs.begin() + form.states + form.scans, node.inputs.end());
    const std::vector<ValueId> outputs = InlineBody(graph, *node.bodies[0], inputs, absl::StrCat("#", t));
    std::copy_n(outputs.begin(), form.states, current.begin());
    for (int s = 0; s < form.scan_outputs; ++s) rows[s].push_back(outputs[form.states + s]);
  }
  std::vector<ValueId> results = current;
  for (int s = 0; s < form.scan_outputs; ++s) {
    if (form.output_directions[s] != 0) std::reverse(rows[s].begin(), rows[s].end());
    results.push_back(StackOf(graph, absl::StrCat(node.name, "/scan", s), rows[s], form.output_axes[s]));
  }
  Replace(graph, node, results);
  return true;
}

// Which node input a body input takes its type from; -1: the iteration number or the condition of a Loop.
int SourceOf(const Node& node, int body_input) {
  if (node.op == OpKind::kIf) return body_input + 1;
  return node.op == OpKind::kLoop && body_input < 2 ? -1 : body_input;
}

TensorType TypeOfInput(const Graph& graph, const Node& node, const Graph& body, int i) {
  const int source = SourceOf(node, i);
  if (source < 0) {
    const TensorType& declared = body.value(body.inputs()[i]).type;
    const bool vector = declared.dtype != DType::kUndefined && declared.shape.rank() == 1;
    return TensorType{i == 0 ? DType::kInt64 : DType::kBool, vector ? Shape{1} : Shape{}, {}, Layout::kPlain};
  }
  TensorType type = graph.value(node.inputs[source]).type;
  if (node.op != OpKind::kScan) return type;
  const auto form = ir::ReadScanForm(node.attrs, static_cast<int>(node.inputs.size()), static_cast<int>(node.outputs.size()));
  const int scan = form.ok() ? i - form->states : -1;
  if (scan < 0 || scan >= form->scans) return type;
  std::vector<int64_t> dims = type.shape.vec();
  const auto axis = NormalizeAxis(form->input_axes[scan], type.shape.rank());
  if (axis.ok()) dims.erase(dims.begin() + *axis);
  type.shape = Shape(std::move(dims));
  return type;
}

// Inputs from the graph around, which are the same in every iteration.
int FirstCaptured(const Node& node) {
  const auto states = static_cast<int>(node.attrs.Int("states", 0));
  if (node.op == OpKind::kIf) return 1;
  return node.op == OpKind::kLoop ? 2 + states : states + static_cast<int>(node.attrs.Int("num_scan_inputs", 0));
}

bool IsMoved(const Graph& graph, const Node& node, int source) { return source >= FirstCaptured(node) && graph.IsConstant(node.inputs[source]); }

absl::StatusOr<std::shared_ptr<const Graph>> Prepared(const Graph& graph, const Node& node, const Graph& body,
                                                      const std::function<absl::Status(Graph&)>& prepare) {
  auto fresh = std::make_shared<Graph>();
  fresh->name = absl::StrCat(node.name, "/", body.name);
  fresh->source = graph.source;
  fresh->source_opset = graph.source_opset;
  std::vector<ValueId> inputs;
  for (int i = 0; i < static_cast<int>(body.inputs().size()); ++i) {
    const std::string& name = body.value(body.inputs()[i]).name;
    const int source = SourceOf(node, i);
    if (source >= 0 && IsMoved(graph, node, source)) inputs.push_back(fresh->AddConstant(name, graph.value(node.inputs[source]).constant));
    else inputs.push_back(fresh->AddInput(name, TypeOfInput(graph, node, body, i)));
  }
  int o = 0;
  for (ValueId v : InlineBody(*fresh, body, inputs, "")) {
    // Outputs are values of their own, whatever they stand for inside.
    fresh->MarkOutput(Emit(*fresh, OpKind::kIdentity, absl::StrCat(fresh->name, "/out", o++), {v}));
  }
  OMKIT_RETURN_IF_ERROR(prepare(*fresh));
  for (ValueId v : fresh->outputs()) {
    if (!fresh->value(v).type.shape.IsStatic()) return absl::UnimplementedError("a result has no static shape");
  }
  return std::shared_ptr<const Graph>(std::move(fresh));
}

// A branch of the node's types that computes nothing.
absl::StatusOr<std::shared_ptr<const Graph>> Placeholder(const Graph& graph, const Node& node) {
  auto body = std::make_shared<Graph>();
  body->name = absl::StrCat(node.name, "/unusable");
  for (int i = 1; i < static_cast<int>(node.inputs.size()); ++i) {
    if (!IsMoved(graph, node, i)) body->AddInput(absl::StrCat("in", i), graph.value(node.inputs[i]).type);
  }
  for (size_t o = 0; o < node.outputs.size(); ++o) {
    OMKIT_ASSIGN_OR_RETURN(Tensor zeros, Tensor::Allocate(graph.value(node.outputs[o]).type));
    const ValueId zero = body->AddConstant(absl::StrCat("zero", o), std::move(zeros));
    const ValueId out = Emit(*body, OpKind::kIdentity, absl::StrCat("out", o), {zero});
    body->SetType(out, graph.value(node.outputs[o]).type);
    body->MarkOutput(out);
  }
  return std::shared_ptr<const Graph>(std::move(body));
}

absl::Status PrepareNode(Graph& graph, NodeId id, const std::function<absl::Status(Graph&)>& prepare) {
  const Node node = graph.node(id);
  std::vector<std::shared_ptr<const Graph>> bodies;
  ir::Attrs attrs = node.attrs;
  for (const auto& body : node.bodies) {
    auto prepared = Prepared(graph, node, *body, prepare);
    // A branch that does not fit the shapes makes way for one that says so when it is taken.
    if (absl::IsInvalidArgument(prepared.status()) && node.op == OpKind::kIf && !attrs.Has("unusable_branch")) {
      attrs.Set("unusable_branch", static_cast<int64_t>(bodies.size()));
      attrs.Set("unusable_why",
                absl::StrCat(bodies.empty() ? "then" : "else", "_branch does not fit the model's shapes: ", prepared.status().message()));
      Log(LogLevel::kWarning, absl::StrCat(Describe(node), ": ", attrs.String("unusable_why", "")));
      prepared = Placeholder(graph, node);
    }
    if (!prepared.ok()) {
      Log(LogLevel::kInfo, absl::StrCat(Describe(node), " runs on the interpreter: ", prepared.status().message()));
      return absl::OkStatus();
    }
    bodies.push_back(*std::move(prepared));
  }
  std::vector<ValueId> inputs;
  for (int i = 0; i < static_cast<int>(node.inputs.size()); ++i) {
    if (!IsMoved(graph, node, i)) inputs.push_back(node.inputs[i]);
  }
  graph.RemoveNode(id);
  graph.SetBodies(graph.AddNodeInto(node.op, node.name, std::move(inputs), node.outputs, std::move(attrs)), std::move(bodies));
  return absl::OkStatus();
}

}  // namespace

std::vector<ValueId> InlineBody(Graph& graph, const Graph& body, absl::Span<const ValueId> inputs, absl::string_view suffix) {
  std::vector<ValueId> at(body.num_values(), kNoValue);
  for (size_t i = 0; i < body.inputs().size(); ++i) at[body.inputs()[i]] = inputs[i];
  const auto find = [&](ValueId v) {
    if (v != kNoValue && at[v] == kNoValue && body.IsConstant(v)) at[v] = graph.AddConstant(body.value(v).name, body.value(v).constant);
    return v == kNoValue ? kNoValue : at[v];
  };
  const auto order = body.TopologicalOrder();
  for (NodeId id : order.ok() ? *order : std::vector<NodeId>()) {
    const Node& node = body.node(id);
    std::vector<ValueId> from, to;
    for (ValueId v : node.inputs) from.push_back(find(v));
    for (ValueId v : node.outputs) {
      at[v] = graph.AddValue(absl::StrCat(body.value(v).name, suffix));
      // Only parameters of quantization are facts; shapes are inferred anew.
      if (body.value(v).type.quantized()) graph.SetType(at[v], body.value(v).type);
      to.push_back(at[v]);
    }
    const NodeId copy = graph.AddNodeInto(node.op, absl::StrCat(node.name, suffix), std::move(from), std::move(to), node.attrs);
    graph.SetBodies(copy, node.bodies);
  }
  std::vector<ValueId> outputs;
  for (ValueId v : body.outputs()) outputs.push_back(find(v));
  return outputs;
}

absl::StatusOr<bool> ExpandControl(Graph& graph, NodeId id) {
  const Node node = graph.node(id);
  OMKIT_RETURN_IF_ERROR(ir::CheckControl(node));
  switch (node.op) {
    case OpKind::kIf: return ExpandIf(graph, node);
    case OpKind::kLoop: return ExpandLoop(graph, node);
    case OpKind::kScan: return ExpandScan(graph, node);
    default: return false;
  }
}

Pass PrepareBodies(std::function<absl::Status(Graph&)> prepare) {
  return {"prepare_bodies", [prepare = std::move(prepare)](Graph& graph) -> absl::Status {
            for (NodeId id = 0, end = graph.node_limit(); id < end; ++id) {
              if (graph.alive(id) && ir::IsControl(graph.node(id).op)) OMKIT_RETURN_IF_ERROR(PrepareNode(graph, id, prepare));
            }
            return absl::OkStatus();
          }};
}

}  // namespace omkit::passes
