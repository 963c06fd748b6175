// The graph every compile stage works on: frontends build it, passes rewrite it, backends lower it. Floor 2.
//
// SSA: a value has one producer (a node, a graph input, or a constant). Shapes and axes are always in ONNX order.
// Node names of the source file are kept for ever; nodes made by passes are named after the node they stem from.
// Not thread-safe while being changed.
#ifndef OMKIT_IR_GRAPH_H_
#define OMKIT_IR_GRAPH_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/tensor.h"
#include "ir/attrs.h"
#include "ir/op_kind.h"

namespace omkit::ir {

using ValueId = int32_t;
using NodeId = int32_t;
constexpr ValueId kNoValue = -1;  // an optional input that is absent
constexpr NodeId kNoNode = -1;

struct Value {
  std::string name;
  TensorType type;  // dtype kUndefined until shapes are inferred
  Tensor constant;  // defined() for constants
  NodeId producer = kNoNode;
  int producer_index = 0;  // which output of the producer
};

class Graph;

struct Node {
  NodeId id = kNoNode;
  OpKind op = OpKind::kIdentity;
  std::string name;
  Attrs attrs;
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  // Subgraphs of If, Loop and Scan (ir/ops/control.cc). A body sees nothing of the graph around it: what it reads from there is an input of
  // the node and of the body. Bodies are shared between clones and never change; to change one, give the node another.
  std::vector<std::shared_ptr<const Graph>> bodies;
};

struct Use {
  NodeId node;
  int input;
};

class Graph {
 public:
  std::string name;    // of the source model
  std::string source;  // file the graph came from, for messages
  int64_t source_opset = 0;

  // Queries. References stay valid until the next Add* call.
  const Node& node(NodeId id) const { return *nodes_[id]; }
  const Value& value(ValueId id) const { return *values_[id]; }
  bool alive(NodeId id) const { return id >= 0 && id < static_cast<NodeId>(nodes_.size()) && nodes_[id] != nullptr; }
  int num_values() const { return static_cast<int>(values_.size()); }
  // One above the highest node id ever given out; ids below it may be dead.
  int node_limit() const { return static_cast<int>(nodes_.size()); }
  const std::vector<ValueId>& inputs() const { return inputs_; }
  const std::vector<ValueId>& outputs() const { return outputs_; }
  bool IsConstant(ValueId id) const { return id != kNoValue && values_[id]->constant.defined(); }
  bool IsInput(ValueId id) const;
  bool IsOutput(ValueId id) const;
  // nullptr when the input is absent or not constant.
  const Tensor* ConstantInput(const Node& node, int i) const;
  // The producing node, or nullptr for inputs and constants.
  const Node* Producer(ValueId id) const;
  // Every (node, input) that reads the value, in node order.
  std::vector<Use> Uses(ValueId id) const;
  // The only reader, or nullptr when there are several, none, or the value is also a graph output.
  const Node* OnlyUser(ValueId id) const;
  // Live nodes, each after its producers; among ready nodes the lower id comes first. Fails on a cycle.
  absl::StatusOr<std::vector<NodeId>> TopologicalOrder() const;
  int CountNodes() const;

  // Mutators.
  ValueId AddInput(absl::string_view name, TensorType type);
  ValueId AddConstant(absl::string_view name, Tensor tensor);
  // A value without producer; give it one through AddNodeInto. For importers that meet names before definitions.
  ValueId AddValue(absl::string_view name);
  // Adds a node with `num_outputs` fresh values named after the node.
  NodeId AddNode(OpKind op, absl::string_view name, std::vector<ValueId> inputs, Attrs attrs = {}, int num_outputs = 1);
  // Adds a node that produces the given values; they must have no producer yet.
  NodeId AddNodeInto(OpKind op, absl::string_view name, std::vector<ValueId> inputs, std::vector<ValueId> outputs, Attrs attrs = {});
  void MarkOutput(ValueId id) { outputs_.push_back(id); }
  void SetOutput(int i, ValueId id) { outputs_[i] = id; }
  void SetType(ValueId id, TensorType type) { values_[id]->type = std::move(type); }
  void SetName(ValueId id, absl::string_view name) { values_[id]->name = std::string(name); }
  void SetConstant(ValueId id, Tensor tensor);
  void SetInput(NodeId node, int i, ValueId value);
  void SetAttr(NodeId node, absl::string_view name, Attr value) { nodes_[node]->attrs.Set(name, std::move(value)); }
  void EraseAttr(NodeId node, absl::string_view name) { nodes_[node]->attrs.Erase(name); }
  void SetOp(NodeId node, OpKind op) { nodes_[node]->op = op; }
  void SetBodies(NodeId node, std::vector<std::shared_ptr<const Graph>> bodies) { nodes_[node]->bodies = std::move(bodies); }
  // Every reader of `from`, graph outputs included, reads `to` afterwards. A graph output keeps its name: it moves to `to`.
  void ReplaceUses(ValueId from, ValueId to);
  // Like ReplaceUses but leaves the reader `except` alone.
  void ReplaceUsesExcept(ValueId from, ValueId to, NodeId except);
  void RemoveNode(NodeId id);
  // Takes the producer away from `node` output `i` and gives it a fresh value; returns the fresh value. Used to insert a node
  // between a producer and a value that must keep its identity (graph outputs).
  ValueId DetachOutput(NodeId node, int i, absl::string_view fresh_name);
  // Removes nodes none of whose outputs is read, transitively. Values keep their ids.
  void Sweep();

  // Constants are shared, structure is copied.
  std::unique_ptr<Graph> Clone() const;

 private:
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<std::unique_ptr<Value>> values_;
  std::vector<ValueId> inputs_;
  std::vector<ValueId> outputs_;
};

// "node 'layer3.conv2' (Conv)": the way every message names a node.
std::string Describe(const Node& node);

}  // namespace omkit::ir

#endif  // OMKIT_IR_GRAPH_H_
