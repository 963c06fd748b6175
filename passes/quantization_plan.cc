#include "passes/quantization_plan.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/element_function.h"
#include "ir/op.h"

namespace omkit::passes {
namespace {

using ir::Graph;
using ir::kNoValue;
using ir::Node;
using ir::NodeId;
using ir::OpKind;
using ir::ValueId;

// What runs in INT8 wherever it stands, and may leave a float result.
bool IsCompute(OpKind op) { return op == OpKind::kConv || op == OpKind::kDense || op == OpKind::kMatMul; }

bool IsFloatValue(const Graph& graph, ValueId v) { return v != kNoValue && graph.value(v).type.dtype == DType::kFloat32; }

bool IsOfOneOf(const Node& node, const std::set<std::string>& types) {
  return std::any_of(types.begin(), types.end(), [&](const std::string& type) { return IsOfType(node, type); });
}

class Planner {
 public:
  Planner(const Graph& graph, std::vector<NodeId> order, const QuantizePolicy& policy)
      : graph_(graph), order_(std::move(order)), policy_(policy), users_(graph.num_values()) {
    for (NodeId id : order_) {
      const Node& node = graph.node(id);
      for (int i = 0; i < static_cast<int>(node.inputs.size()); ++i) {
        if (node.inputs[i] != kNoValue) users_[node.inputs[i]].push_back({id, i});
      }
    }
    plan_.int8_node.assign(order_.empty() ? 0 : *std::max_element(order_.begin(), order_.end()) + 1, false);
    plan_.w8a16_node = plan_.int8_node;
    plan_.group.assign(graph.num_values(), -1);
    plan_.chain.assign(plan_.int8_node.size(), ir::kNoNode);
  }

  absl::StatusOr<QuantizationPlan> Run() {
    for (NodeId id : order_) {
      plan_.int8_node[id] = IsCandidate(graph_.node(id));
      plan_.w8a16_node[id] = IsWeightOnly(graph_.node(id));
    }
    bool changed = true;
    while (changed) {
      changed = false;
      for (NodeId id : order_) {
        if (!plan_.int8_node[id] || Holds(graph_.node(id))) continue;
        plan_.int8_node[id] = false;
        changed = true;
      }
    }
    OMKIT_RETURN_IF_ERROR(CheckDemands());
    JoinChains();
    CollectValues();
    return std::move(plan_);
  }

 private:
  bool Demanded(const Node& node) const { return policy_.int8_nodes.count(node.name) != 0; }

  bool Passed(const Node& node) const { return policy_.skip_nodes.count(node.name) != 0 || IsOfOneOf(node, policy_.skip_types); }

  bool IsWeightOnly(const Node& node) const {
    const bool asked = policy_.w8a16_nodes.count(node.name) != 0 || (ConfigOf(policy_, node).weight_only && !Passed(node));
    return asked && !Demanded(node) && policy_.weight_only && policy_.weight_only(graph_, node);
  }

  bool Skipped(const Node& node) const {
    if (Demanded(node)) return false;
    if (policy_.w8a16_nodes.count(node.name) != 0 || ConfigOf(policy_, node).weight_only) return true;
    if (Passed(node)) return true;
    return policy_.only_matrix && !IsCompute(node.op) && !ir::Def(node.op).Is(ir::kMovement);
  }

  // INT8 even where its data comes from float operators.
  bool Leads(const Node& node) const { return IsLed(policy_, node) || (IsCompute(node.op) && !IsOfOneOf(node, policy_.grey_types)); }

  bool IsCandidate(const Node& node) const {
    if (Skipped(node) || !policy_.supported(graph_, node)) return false;
    for (int i = 0; i < DataInputs(node); ++i) {
      if (i < static_cast<int>(node.inputs.size()) && node.inputs[i] != kNoValue && !IsFloatValue(graph_, node.inputs[i])) return false;
    }
    return IsFloatValue(graph_, node.outputs[0]);
  }

  bool Holds(const Node& node) const {
    if (Leads(node)) return true;
    for (int i = 0; i < DataInputs(node); ++i) {
      const ValueId v = node.inputs[i];
      if (v == kNoValue || graph_.IsConstant(v)) continue;
      const Node* producer = graph_.Producer(v);
      const bool from_int8 = producer != nullptr && plan_.int8_node[producer->id];
      const bool movable_input = producer == nullptr && KeepsQuantization(node.op);
      if (!from_int8 && !movable_input) return false;
    }
    return IsCompute(node.op) || std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId v) { return ReadAsInt8(v); });
  }

  // What was asked for by name or type, and cannot be.
  absl::Status CheckDemands() const {
    std::map<std::string, bool> possible;
    for (NodeId id : order_) {
      const Node& node = graph_.node(id);
      if (Demanded(node) && !plan_.int8_node[id]) {
        return absl::InvalidArgumentError(absl::StrCat(Describe(node), " is to run in INT8, but this chip has no INT8 kernel for it"));
      }
      if (policy_.w8a16_nodes.count(node.name) != 0 && !plan_.w8a16_node[id]) {
        return absl::InvalidArgumentError(
            absl::StrCat(Describe(node), " is to run with int8 weights and float activations (w8a16), but this chip has no kernel for that"));
      }
      for (const std::string& type : policy_.white_types) {
        if (IsOfType(node, type)) possible[type] |= policy_.supported(graph_, node);
      }
    }
    for (const auto& [type, supported] : possible) {
      if (!supported)
        return absl::InvalidArgumentError(absl::StrCat("operators of type ", type, " are to run in INT8, but this chip has no INT8 kernel for them"));
    }
    return absl::OkStatus();
  }

  bool ReadAsInt8(ValueId v) const {
    return std::any_of(users_[v].begin(), users_[v].end(), [&](const ir::Use& use) {
      const Node& node = graph_.node(use.node);
      const bool residual = (node.op == OpKind::kConv || node.op == OpKind::kDense) && use.input == 3;
      return plan_.int8_node[use.node] && (use.input < DataInputs(node) || residual);
    });
  }

  // The INT8 element function that alone reads what this one makes; nullptr when there is none, or when that tensor has settings of its own.
  const Node* NextInChain(const Node& node) const {
    if (!plan_.int8_node[node.id] || ir::ElementOperand(graph_, node) < 0) return nullptr;
    const ValueId v = node.outputs[0];
    const Node* next = graph_.IsOutput(v) ? nullptr : graph_.OnlyUser(v);
    if (next == nullptr || !plan_.int8_node[next->id]) return nullptr;
    const int operand = ir::ElementOperand(graph_, *next);
    const bool linked = operand >= 0 && next->inputs[operand] == v && policy_.by_operand.count({next->name, operand}) == 0;
    return linked ? next : nullptr;
  }

  void JoinChains() {
    between_.assign(graph_.num_values(), false);
    for (NodeId id : order_) {
      const Node* next = NextInChain(graph_.node(id));
      if (next == nullptr) continue;
      if (plan_.chain[id] == ir::kNoNode) plan_.chain[id] = id;
      plan_.chain[next->id] = plan_.chain[id];
      between_[graph_.node(id).outputs[0]] = true;
    }
  }

  int Root(ValueId v) {
    while (plan_.group[v] != v) v = plan_.group[v] = plan_.group[plan_.group[v]];
    return v;
  }
  void Join(ValueId a, ValueId b) {
    const int ra = Root(a);
    const int rb = Root(b);
    plan_.group[std::max(ra, rb)] = std::min(ra, rb);
  }

  void AddValue(ValueId v) {
    if (!IsFloatValue(graph_, v) || graph_.IsConstant(v) || plan_.group[v] >= 0 || between_[v]) return;
    plan_.group[v] = v;
    plan_.values.push_back(v);
  }

  void CollectValues() {
    for (ValueId v : graph_.inputs()) {
      if (ReadAsInt8(v)) AddValue(v);
    }
    for (NodeId id : order_) {
      const Node& node = graph_.node(id);
      const bool whole = plan_.int8_node[id] && !IsCompute(node.op);
      for (ValueId v : node.outputs) {
        if (whole || ReadAsInt8(v)) AddValue(v);
      }
    }
    for (NodeId id : order_) {
      const Node& node = graph_.node(id);
      // Concat is left out: its inputs may be requantized when their ranges differ too much.
      if (!plan_.int8_node[id] || !KeepsQuantization(node.op) || node.op == OpKind::kConcat) continue;
      for (ValueId v : node.outputs) Join(node.inputs[0], v);
    }
    for (ValueId v : plan_.values) plan_.group[v] = Root(v);
  }

  const Graph& graph_;
  std::vector<NodeId> order_;
  const QuantizePolicy& policy_;
  std::vector<std::vector<ir::Use>> users_;
  std::vector<bool> between_;  // by ValueId: inside a chain
  QuantizationPlan plan_;
};

}  // namespace

bool KeepsQuantization(OpKind op) {
  const ir::OpDef& def = ir::Def(op);
  return def.Is(ir::kMovement) || op == OpKind::kMaxPool || op == OpKind::kGlobalMaxPool || op == OpKind::kReduceMax || op == OpKind::kReduceMin ||
         op == OpKind::kResize;
}

int DataInputs(const Node& node) {
  switch (node.op) {
    case OpKind::kAdd:
    case OpKind::kSub:
    case OpKind::kMul:
    case OpKind::kMatMul: return 2;
    case OpKind::kConcat: return static_cast<int>(node.inputs.size());
    default: return 1;
  }
}

bool IsOfType(const Node& node, const std::string& type) {
  return type == ir::OpName(node.op) || (node.op == OpKind::kDense && (type == "Gemm" || type == "MatMul"));
}

bool IsLed(const QuantizePolicy& policy, const Node& node) { return policy.int8_nodes.count(node.name) != 0 || IsOfOneOf(node, policy.white_types); }

const LayerConfig& ConfigOf(const QuantizePolicy& policy, const Node& node) {
  const auto by_node = policy.by_node.find(node.name);
  if (by_node != policy.by_node.end()) return by_node->second;
  for (const auto& [type, config] : policy.by_type) {
    if (IsOfType(node, type)) return config;
  }
  return policy.common;
}

RangeConfig ConfigOf(const QuantizePolicy& policy, const Graph& graph, ValueId value) {
  const std::vector<ir::Use> uses = graph.Uses(value);
  for (const ir::Use& use : uses) {
    const auto by_operand = policy.by_operand.find({graph.node(use.node).name, use.input});
    if (by_operand != policy.by_operand.end()) return by_operand->second;
  }
  for (const ir::Use& use : uses) {
    const LayerConfig& config = ConfigOf(policy, graph.node(use.node));
    if (&config != &policy.common) return config.activation;
  }
  return policy.common.activation;
}

absl::StatusOr<QuantizationPlan> PlanQuantization(const Graph& graph, const QuantizePolicy& policy) {
  OMKIT_ASSIGN_OR_RETURN(std::vector<NodeId> order, graph.TopologicalOrder());
  return Planner(graph, std::move(order), policy).Run();
}

}  // namespace omkit::passes
