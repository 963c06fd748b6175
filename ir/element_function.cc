#include "ir/element_function.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "ir/op.h"

namespace omkit::ir {
namespace {

bool IsU8PerTensor(const TensorType& type) { return type.dtype == DType::kUInt8 && type.quant.per_tensor(); }

bool IsScalar(const Graph& graph, ValueId v) {
  return v != kNoValue && graph.IsConstant(v) && graph.value(v).constant.elements() == 1 && graph.value(v).type.dtype == DType::kFloat32;
}

bool IsArithmetic(OpKind op) {
  return op == OpKind::kAdd || op == OpKind::kSub || op == OpKind::kMul || op == OpKind::kDiv || op == OpKind::kMax || op == OpKind::kMin;
}

}  // namespace

int ElementOperand(const Graph& graph, const Node& node) {
  if (node.outputs.size() != 1 || node.inputs.empty() || graph.value(node.outputs[0]).type.dtype != DType::kFloat32) return -1;
  const int inputs = static_cast<int>(node.inputs.size());
  int variable = -1;
  if (Def(node.op).Is(kUnary)) {
    for (int i = 1; i < inputs; ++i) {
      if (node.inputs[i] != kNoValue && !graph.IsConstant(node.inputs[i])) return -1;
    }
    variable = 0;
  } else if (IsArithmetic(node.op) && inputs == 2) {
    for (int i = 0; i < 2; ++i) {
      if (IsScalar(graph, node.inputs[1 - i]) && !IsScalar(graph, node.inputs[i])) variable = i;
    }
  }
  if (variable < 0 || node.inputs[variable] == kNoValue || graph.IsConstant(node.inputs[variable])) return -1;
  const TensorType& x = graph.value(node.inputs[variable]).type;
  return x.dtype == DType::kFloat32 && x.shape == graph.value(node.outputs[0]).type.shape ? variable : -1;
}

ElementChain ElementChainAt(const Graph& graph, const Node& dequantize) {
  ElementChain chain;
  if (dequantize.op != OpKind::kDequantize || !IsU8PerTensor(graph.value(dequantize.inputs[0]).type)) return chain;
  chain.dequantize = dequantize.id;
  for (ValueId v = dequantize.outputs[0];;) {
    const Node* reader = graph.IsOutput(v) ? nullptr : graph.OnlyUser(v);
    if (reader == nullptr) return {};
    if (reader->op == OpKind::kQuantize) {
      if (chain.functions.empty() || !IsU8PerTensor(graph.value(reader->outputs[0]).type)) return {};
      chain.quantize = reader->id;
      return chain;
    }
    const int operand = ElementOperand(graph, *reader);
    if (operand < 0 || reader->inputs[operand] != v) return {};
    chain.functions.push_back(reader->id);
    v = reader->outputs[0];
  }
}

absl::StatusOr<std::array<uint8_t, 256>> TableOf(const Graph& graph, const ElementChain& chain) {
  const Shape kAll{256};
  TensorType type = graph.value(graph.node(chain.dequantize).inputs[0]).type;
  type.shape = kAll;
  OMKIT_ASSIGN_OR_RETURN(Tensor x, Tensor::Allocate(type));
  for (int i = 0; i < 256; ++i) x.mutable_data<uint8_t>()[i] = static_cast<uint8_t>(i);
  std::vector<NodeId> nodes = {chain.dequantize};
  nodes.insert(nodes.end(), chain.functions.begin(), chain.functions.end());
  nodes.push_back(chain.quantize);
  for (const NodeId id : nodes) {
    const Node& node = graph.node(id);
    const int operand = std::max(0, ElementOperand(graph, node));
    std::vector<Tensor> constants;
    constants.reserve(node.inputs.size());
    std::vector<const Tensor*> inputs;
    for (int i = 0; i < static_cast<int>(node.inputs.size()); ++i) {
      const Tensor* constant = i == operand ? nullptr : graph.ConstantInput(node, i);
      if (constant != nullptr) {
        // Scalars of any rank.
        constants.push_back(*constant);
        if (constant->elements() == 1) constants.back().mutable_type()->shape = Shape{};
      }
      inputs.push_back(i == operand ? &x : constant != nullptr ? &constants.back() : nullptr);
    }
    type = graph.value(node.outputs[0]).type;
    type.shape = kAll;
    OMKIT_ASSIGN_OR_RETURN(Tensor y, Tensor::Allocate(type));
    const std::vector<Tensor*> outputs = {&y};
    OMKIT_RETURN_IF_ERROR(EvalOp(node.op, {node.attrs, inputs, outputs}));
    x = std::move(y);
  }
  std::array<uint8_t, 256> table;
  std::copy(x.data<uint8_t>(), x.data<uint8_t>() + 256, table.begin());
  return table;
}

}  // namespace omkit::ir
