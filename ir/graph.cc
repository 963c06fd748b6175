#include "ir/graph.h"

#include <algorithm>
#include <functional>
#include <queue>

#include "absl/strings/str_cat.h"

namespace omkit::ir {

bool Graph::IsInput(ValueId id) const { return std::find(inputs_.begin(), inputs_.end(), id) != inputs_.end(); }
bool Graph::IsOutput(ValueId id) const { return std::find(outputs_.begin(), outputs_.end(), id) != outputs_.end(); }

const Tensor* Graph::ConstantInput(const Node& node, int i) const {
  if (i >= static_cast<int>(node.inputs.size()) || !IsConstant(node.inputs[i])) return nullptr;
  return &values_[node.inputs[i]]->constant;
}

const Node* Graph::Producer(ValueId id) const {
  if (id == kNoValue || values_[id]->producer == kNoNode) return nullptr;
  return nodes_[values_[id]->producer].get();
}

std::vector<Use> Graph::Uses(ValueId id) const {
  std::vector<Use> uses;
  for (const auto& node : nodes_) {
    if (node == nullptr) continue;
    for (int i = 0; i < static_cast<int>(node->inputs.size()); ++i) {
      if (node->inputs[i] == id) uses.push_back({node->id, i});
    }
  }
  return uses;
}

const Node* Graph::OnlyUser(ValueId id) const {
  if (IsOutput(id)) return nullptr;
  const std::vector<Use> uses = Uses(id);
  return uses.size() == 1 ? nodes_[uses[0].node].get() : nullptr;
}

absl::StatusOr<std::vector<NodeId>> Graph::TopologicalOrder() const {
  std::vector<int> missing(nodes_.size(), 0);
  std::vector<std::vector<NodeId>> readers(nodes_.size());
  std::priority_queue<NodeId, std::vector<NodeId>, std::greater<NodeId>> ready;
  int live = 0;
  for (const auto& node : nodes_) {
    if (node == nullptr) continue;
    ++live;
    for (ValueId input : node->inputs) {
      const Node* producer = Producer(input);
      if (producer == nullptr) continue;
      ++missing[node->id];
      readers[producer->id].push_back(node->id);
    }
    if (missing[node->id] == 0) ready.push(node->id);
  }
  std::vector<NodeId> order;
  order.reserve(live);
  while (!ready.empty()) {
    const NodeId id = ready.top();
    ready.pop();
    order.push_back(id);
    for (NodeId reader : readers[id]) {
      if (--missing[reader] == 0) ready.push(reader);
    }
  }
  if (static_cast<int>(order.size()) != live) {
    for (const auto& node : nodes_) {
      if (node != nullptr && missing[node->id] > 0) {
        return absl::InvalidArgumentError(absl::StrCat(Describe(*node), " is part of a cycle"));
      }
    }
  }
  return order;
}

int Graph::CountNodes() const {
  return static_cast<int>(std::count_if(nodes_.begin(), nodes_.end(), [](const auto& n) { return n != nullptr; }));
}

ValueId Graph::AddValue(absl::string_view name) {
  auto value = std::make_unique<Value>();
  value->name = std::string(name);
  values_.push_back(std::move(value));
  return static_cast<ValueId>(values_.size()) - 1;
}

ValueId Graph::AddInput(absl::string_view name, TensorType type) {
  const ValueId id = AddValue(name);
  values_[id]->type = std::move(type);
  inputs_.push_back(id);
  return id;
}

ValueId Graph::AddConstant(absl::string_view name, Tensor tensor) {
  const ValueId id = AddValue(name);
  SetConstant(id, std::move(tensor));
  return id;
}

void Graph::SetConstant(ValueId id, Tensor tensor) {
  values_[id]->type = tensor.type();
  values_[id]->constant = std::move(tensor);
}

NodeId Graph::AddNode(OpKind op, absl::string_view name, std::vector<ValueId> inputs, Attrs attrs, int num_outputs) {
  std::vector<ValueId> outputs;
  for (int i = 0; i < num_outputs; ++i) outputs.push_back(AddValue(i == 0 ? std::string(name) : absl::StrCat(name, ":", i)));
  return AddNodeInto(op, name, std::move(inputs), std::move(outputs), std::move(attrs));
}

NodeId Graph::AddNodeInto(OpKind op, absl::string_view name, std::vector<ValueId> inputs, std::vector<ValueId> outputs, Attrs attrs) {
  auto node = std::make_unique<Node>();
  node->id = static_cast<NodeId>(nodes_.size());
  node->op = op;
  node->name = std::string(name);
  node->attrs = std::move(attrs);
  node->inputs = std::move(inputs);
  node->outputs = std::move(outputs);
  for (int i = 0; i < static_cast<int>(node->outputs.size()); ++i) {
    Value& value = *values_[node->outputs[i]];
    value.producer = node->id;
    value.producer_index = i;
  }
  nodes_.push_back(std::move(node));
  return nodes_.back()->id;
}

void Graph::SetInput(NodeId node, int i, ValueId value) {
  std::vector<ValueId>& inputs = nodes_[node]->inputs;
  if (i >= static_cast<int>(inputs.size())) inputs.resize(i + 1, kNoValue);
  inputs[i] = value;
}

void Graph::ReplaceUses(ValueId from, ValueId to) { ReplaceUsesExcept(from, to, kNoNode); }

void Graph::ReplaceUsesExcept(ValueId from, ValueId to, NodeId except) {
  for (const auto& node : nodes_) {
    if (node == nullptr || node->id == except) continue;
    std::replace(node->inputs.begin(), node->inputs.end(), from, to);
  }
  if (!IsOutput(from)) return;
  std::replace(outputs_.begin(), outputs_.end(), from, to);
  if (!IsInput(to) && !IsConstant(to)) std::swap(values_[from]->name, values_[to]->name);
}

void Graph::RemoveNode(NodeId id) {
  for (ValueId output : nodes_[id]->outputs) values_[output]->producer = kNoNode;
  nodes_[id] = nullptr;
}

ValueId Graph::DetachOutput(NodeId node, int i, absl::string_view fresh_name) {
  const ValueId old = nodes_[node]->outputs[i];
  const ValueId fresh = AddValue(fresh_name);
  values_[fresh]->type = values_[old]->type;
  values_[fresh]->producer = node;
  values_[fresh]->producer_index = i;
  values_[old]->producer = kNoNode;
  nodes_[node]->outputs[i] = fresh;
  return fresh;
}

void Graph::Sweep() {
  std::vector<int> readers(values_.size(), 0);
  for (const auto& node : nodes_) {
    if (node == nullptr) continue;
    for (ValueId input : node->inputs) {
      if (input != kNoValue) ++readers[input];
    }
  }
  for (ValueId output : outputs_) ++readers[output];
  auto dead = [&](const Node& node) { return std::all_of(node.outputs.begin(), node.outputs.end(), [&](ValueId v) { return readers[v] == 0; }); };
  std::vector<NodeId> work;
  for (const auto& node : nodes_) {
    if (node != nullptr && dead(*node)) work.push_back(node->id);
  }
  while (!work.empty()) {
    const NodeId id = work.back();
    work.pop_back();
    if (nodes_[id] == nullptr) continue;
    const std::vector<ValueId> inputs = nodes_[id]->inputs;
    RemoveNode(id);
    for (ValueId input : inputs) {
      if (input == kNoValue || --readers[input] > 0) continue;
      const Node* producer = Producer(input);
      if (producer != nullptr && dead(*producer)) work.push_back(producer->id);
    }
  }
}

std::unique_ptr<Graph> Graph::Clone() const {
  auto copy = std::make_unique<Graph>();
  copy->name = name;
  copy->source = source;
  copy->source_opset = source_opset;
  for (const auto& node : nodes_) copy->nodes_.push_back(node == nullptr ? nullptr : std::make_unique<Node>(*node));
  for (const auto& value : values_) copy->values_.push_back(std::make_unique<Value>(*value));
  copy->inputs_ = inputs_;
  copy->outputs_ = outputs_;
  return copy;
}

std::string Describe(const Node& node) { return absl::StrCat("node '", node.name, "' (", OpName(node.op), ")"); }

}  // namespace omkit::ir
