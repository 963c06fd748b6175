#include <algorithm>

#include "absl/strings/str_cat.h"
#include "backends/control/control.h"
#include "backends/control/form.h"
#include "base/status.h"
#include "ir/ops/body.h"
#include "runtime/om_file.h"

namespace omkit::control {
namespace {

using ir::Graph;
using ir::Node;
using ir::OpKind;

uint64_t BytesOf(const TensorType& type) { return static_cast<uint64_t>(type.shape.elements()) * SizeOf(type.dtype); }

bool Present(const Node& node, int i) { return i < static_cast<int>(node.inputs.size()) && node.inputs[i] != ir::kNoValue; }

// Every value of the body has a static type, and its interface has the node's types: passes/control_flow.h brings bodies to this form.
bool IsStatic(const Graph& body) {
  const auto order = body.TopologicalOrder();
  if (!order.ok()) return false;
  const auto fixed = [&](ir::ValueId v) {
    const TensorType& type = body.value(v).type;
    return type.dtype != DType::kUndefined && type.shape.IsStatic();
  };
  for (ir::NodeId id : *order) {
    const Node& node = body.node(id);
    if (!std::all_of(node.outputs.begin(), node.outputs.end(), fixed)) return false;
  }
  return std::all_of(body.inputs().begin(), body.inputs().end(), fixed) && std::all_of(body.outputs().begin(), body.outputs().end(), fixed);
}

bool SameType(const TensorType& a, const TensorType& b) { return a.dtype == b.dtype && a.shape == b.shape && a.quant == b.quant; }

// Body output `i` and node output `o` without the sequence axis.
bool IsSliceOf(const TensorType& slice, const TensorType& whole, int64_t length) {
  std::vector<int64_t> dims = slice.shape.vec();
  dims.insert(dims.begin(), length);
  return slice.dtype == whole.dtype && whole.shape == Shape(dims) && !slice.quantized() && !whole.quantized();
}

class TypeCheck {
 public:
  TypeCheck(const Graph& graph, const Node& node) : graph_(graph), node_(node) {}
  const TensorType& In(int i) const { return graph_.value(node_.inputs[i]).type; }
  const TensorType& Out(int i) const { return graph_.value(node_.outputs[i]).type; }
  const TensorType& BodyIn(int b, int i) const { return node_.bodies[b]->value(node_.bodies[b]->inputs()[i]).type; }
  const TensorType& BodyOut(int b, int i) const { return node_.bodies[b]->value(node_.bodies[b]->outputs()[i]).type; }

 private:
  const Graph& graph_;
  const Node& node_;
};

bool SupportsIf(const Graph& graph, const Node& node) {
  const TypeCheck types(graph, node);
  if (types.In(0).shape.elements() != 1) return false;
  for (int b = 0; b < 2; ++b) {
    for (int i = 1; i < static_cast<int>(node.inputs.size()); ++i) {
      if (!SameType(types.In(i), types.BodyIn(b, i - 1))) return false;
    }
    for (int o = 0; o < static_cast<int>(node.outputs.size()); ++o) {
      if (!SameType(types.Out(o), types.BodyOut(b, o))) return false;
    }
  }
  return true;
}

bool SupportsLoop(const Graph& graph, const Node& node) {
  const TypeCheck types(graph, node);
  const int states = static_cast<int>(node.attrs.Int("states", 0));
  if (types.BodyIn(0, 0).dtype != DType::kInt64 || types.BodyIn(0, 0).shape.elements() != 1) return false;
  if (types.BodyIn(0, 1).dtype != DType::kBool || types.BodyIn(0, 1).shape.elements() != 1 || types.BodyOut(0, 0).shape.elements() != 1) return false;
  for (int i = 2; i < static_cast<int>(node.inputs.size()); ++i) {
    if (!SameType(types.In(i), types.BodyIn(0, i))) return false;
  }
  for (int o = 0; o < static_cast<int>(node.outputs.size()); ++o) {
    const TensorType& body = types.BodyOut(0, 1 + o);
    if (o < states ? !SameType(types.Out(o), body) || !SameType(types.In(2 + o), body)
                   : types.Out(o).shape.rank() < 1 || !IsSliceOf(body, types.Out(o), types.Out(o).shape.dim(0))) {
      return false;
    }
  }
  return true;
}

bool SupportsScan(const Graph& graph, const Node& node) {
  const TypeCheck types(graph, node);
  const auto form = ir::ReadScanForm(node.attrs, static_cast<int>(node.inputs.size()), static_cast<int>(node.outputs.size()));
  if (!form.ok()) return false;
  for (int s = 0; s < form->scans; ++s) {
    const TensorType& whole = types.In(form->states + s);
    if (form->input_axes[s] != 0 || !IsSliceOf(types.BodyIn(0, form->states + s), whole, types.In(form->states).shape.dim(0))) return false;
  }
  for (int i = 0; i < static_cast<int>(node.inputs.size()); ++i) {
    if ((i < form->states || i >= form->states + form->scans) && !SameType(types.In(i), types.BodyIn(0, i))) return false;
  }
  for (int o = 0; o < static_cast<int>(node.outputs.size()); ++o) {
    if (o < form->states
            ? !SameType(types.Out(o), types.BodyOut(0, o)) || !SameType(types.In(o), types.BodyOut(0, o))
            : form->output_axes[o - form->states] != 0 || !IsSliceOf(types.BodyOut(0, o), types.Out(o), types.In(form->states).shape.dim(0))) {
      return false;
    }
  }
  return true;
}

Form FormOf(const Graph& graph, const Node& node) {
  Form form;
  form.kind = node.op == OpKind::kIf ? Kind::kIf : node.op == OpKind::kLoop ? Kind::kLoop : Kind::kScan;
  form.states = node.attrs.Int("states", 0);
  form.unusable = node.attrs.Int("unusable_branch", -1);
  if (form.kind == Kind::kLoop) {
    form.has_trips = Present(node, 0);
    form.has_condition = Present(node, 1);
    if (form.states < static_cast<int64_t>(node.outputs.size())) form.length = graph.value(node.outputs[form.states]).type.shape.dim(0);
  }
  if (form.kind == Kind::kScan) {
    const ir::ScanForm scan = *ir::ReadScanForm(node.attrs, static_cast<int>(node.inputs.size()), static_cast<int>(node.outputs.size()));
    form.scans = scan.scans;
    form.length = graph.value(node.inputs[scan.states]).type.shape.dim(0);
    for (size_t i = 0; i < scan.input_directions.size(); ++i) form.reversed_inputs |= static_cast<uint64_t>(scan.input_directions[i]) << i;
    for (size_t i = 0; i < scan.output_directions.size(); ++i) form.reversed_outputs |= static_cast<uint64_t>(scan.output_directions[i]) << i;
  }
  for (ir::ValueId v : node.inputs) {
    if (v != ir::kNoValue) form.inputs.push_back(BytesOf(graph.value(v).type));
  }
  for (ir::ValueId v : node.outputs) form.outputs.push_back(BytesOf(graph.value(v).type));
  return form;
}

class Control : public Backend {
 public:
  const char* name() const override { return "control"; }

  bool Supports(const Graph& graph, const Node& node) const override {
    if (!ir::IsControl(node.op)) return false;
    for (const auto& body : node.bodies) {
      if (!IsStatic(*body)) return false;
    }
    constexpr size_t kMostScans = 64;
    if (node.op == OpKind::kIf) return SupportsIf(graph, node);
    if (node.outputs.size() > kMostScans || node.inputs.size() > kMostScans) return false;
    return node.op == OpKind::kLoop ? SupportsLoop(graph, node) : SupportsScan(graph, node);
  }
  bool SupportsInt8(const Graph&, const Node&) const override { return false; }

  absl::Status Lower(const Node& node, ProgramBuilder& builder) const override {
    std::vector<BlockId> operands;
    for (const auto& body : node.bodies) {
      OMKIT_ASSIGN_OR_RETURN(const runtime::Program program, builder.Nested(*body));
      OMKIT_ASSIGN_OR_RETURN(const std::string om, runtime::SerializeOm(program));
      operands.push_back(builder.AddWeights(om.data(), om.size()));
    }
    for (ir::ValueId v : node.inputs) {
      if (v == ir::kNoValue) continue;
      OMKIT_ASSIGN_OR_RETURN(const Place place, builder.WholeBlock(v));
      operands.push_back(place.block);
    }
    for (ir::ValueId v : node.outputs) operands.push_back(builder.NewPlain(v).block);
    builder.AddStepBytes(node.name, ir::OpName(node.op), kKernel, EncodeForm(FormOf(builder.graph(), node)), std::move(operands), 0);
    return absl::OkStatus();
  }
};

}  // namespace

const Backend& ControlBackend() {
  static const auto* const backend = new Control;
  return *backend;
}

}  // namespace omkit::control
