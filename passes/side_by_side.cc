#include "passes/side_by_side.h"

#include <map>
#include <memory>
#include <utility>

#include "base/quant.h"
#include "base/status.h"

namespace omkit::passes {
namespace {

using ir::Graph;
using ir::kNoValue;
using ir::Node;
using ir::NodeId;
using ir::ValueId;

// The values of one graph during the walk, per sample.
class Side {
 public:
  Side(const Graph& graph, const std::vector<NodeId>& order, const std::vector<std::vector<Tensor>>& samples, const ir::EvaluatorFactory& evaluators)
      : graph_(graph), samples_(samples.size()), evaluators_(evaluators), readers_(graph.num_values(), 0) {
    for (NodeId id : order) {
      for (ValueId v : graph.node(id).inputs) {
        if (v != kNoValue && !graph.IsConstant(v)) ++readers_[v];
      }
    }
    for (size_t i = 0; i < graph.inputs().size(); ++i) {
      std::vector<Tensor>& values = values_[graph.inputs()[i]];
      for (const std::vector<Tensor>& sample : samples) values.push_back(sample[i].WithType(graph.value(graph.inputs()[i]).type));
    }
  }

  absl::Status Run(NodeId id) {
    const Node& node = graph_.node(id);
    inputs_.assign(samples_, {});
    for (size_t s = 0; s < samples_; ++s) {
      for (ValueId v : node.inputs) inputs_[s].push_back(v == kNoValue || graph_.IsConstant(v) ? Tensor() : values_.at(v)[s]);
    }
    OMKIT_ASSIGN_OR_RETURN(const auto outputs, RunNode(graph_, id, inputs_, evaluators_));
    for (size_t k = 0; k < node.outputs.size(); ++k) {
      std::vector<Tensor>& values = values_[node.outputs[k]];
      values.clear();
      for (size_t s = 0; s < samples_; ++s) values.push_back(outputs[s][k]);
    }
    return absl::OkStatus();
  }

  // Of the last run.
  const std::vector<std::vector<Tensor>>& inputs() const { return inputs_; }

  // After the node's last run: forgets what nobody reads any more.
  void Release(NodeId id) {
    inputs_.clear();
    for (ValueId v : graph_.node(id).inputs) {
      // Constants may be newer than the count.
      if (v != kNoValue && !graph_.IsConstant(v) && --readers_[v] == 0) values_.erase(v);
    }
    for (ValueId v : graph_.node(id).outputs) {
      if (readers_[v] == 0) values_.erase(v);
    }
  }

  const std::vector<Tensor>& At(ValueId v) const { return values_.at(v); }

 private:
  const Graph& graph_;
  const size_t samples_;
  const ir::EvaluatorFactory& evaluators_;
  std::vector<int> readers_;
  std::map<ValueId, std::vector<Tensor>> values_;
  std::vector<std::vector<Tensor>> inputs_;
};

bool HasDataInput(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  return !node.inputs.empty() && node.inputs[0] != kNoValue && !graph.IsConstant(node.inputs[0]);
}

}  // namespace

absl::StatusOr<std::vector<std::vector<Tensor>>> RunNode(const Graph& graph, NodeId id, const std::vector<std::vector<Tensor>>& inputs,
                                                         const ir::EvaluatorFactory& evaluators) {
  const Node& node = graph.node(id);
  Graph alone;
  std::map<ValueId, ValueId> placed;
  std::vector<int> fed;  // inputs of the node that become inputs of the graph
  std::vector<ValueId> operands;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const ValueId v = node.inputs[i];
    if (v == kNoValue) {
      operands.push_back(kNoValue);
      continue;
    }
    auto [entry, fresh] = placed.try_emplace(v, kNoValue);
    if (fresh && graph.IsConstant(v)) {
      entry->second = alone.AddConstant(graph.value(v).name, graph.value(v).constant);
    } else if (fresh) {
      entry->second = alone.AddInput(graph.value(v).name, graph.value(v).type);
      fed.push_back(static_cast<int>(i));
    }
    operands.push_back(entry->second);
  }
  const NodeId copy = alone.AddNode(node.op, node.name, operands, node.attrs, static_cast<int>(node.outputs.size()));
  std::map<ValueId, size_t> output_index;
  for (size_t k = 0; k < node.outputs.size(); ++k) {
    const ValueId v = alone.node(copy).outputs[k];
    alone.SetType(v, graph.value(node.outputs[k]).type);
    alone.MarkOutput(v);
    output_index[v] = k;
  }
  OMKIT_ASSIGN_OR_RETURN(const std::unique_ptr<ir::Evaluator> evaluator, evaluators(alone, {}));
  std::vector<std::vector<Tensor>> outputs;
  for (const std::vector<Tensor>& sample : inputs) {
    std::vector<Tensor> feed;
    for (int i : fed) feed.push_back(sample[i]);
    outputs.emplace_back(node.outputs.size());
    OMKIT_RETURN_IF_ERROR(evaluator->Run(feed, [&](ValueId v, const Tensor& t) {
      const auto index = output_index.find(v);
      if (index != output_index.end()) outputs.back()[index->second] = t.Clone();
    }));
    for (size_t k = 0; k < node.outputs.size(); ++k) outputs.back()[k] = outputs.back()[k].WithType(graph.value(node.outputs[k]).type);
  }
  return outputs;
}

absl::Status RunSideBySide(const Graph& original, const Graph& quantized, const std::vector<std::vector<Tensor>>& samples,
                           const ir::EvaluatorFactory& evaluators, const VisitLayer& visit) {
  OMKIT_ASSIGN_OR_RETURN(const std::vector<NodeId> order, quantized.TopologicalOrder());
  OMKIT_ASSIGN_OR_RETURN(const std::vector<NodeId> float_order, original.TopologicalOrder());
  Side floats(original, float_order, samples, evaluators);
  Side integers(quantized, order, samples, evaluators);
  for (NodeId id : order) {
    OMKIT_RETURN_IF_ERROR(integers.Run(id));
    if (original.alive(id) && original.node(id).op == quantized.node(id).op) {
      OMKIT_RETURN_IF_ERROR(floats.Run(id));
      for (bool again = HasDataInput(quantized, id); again;) {
        const Node& node = quantized.node(id);
        const Node& twin = original.node(id);
        OMKIT_ASSIGN_OR_RETURN(again, visit({id, floats.inputs(), integers.inputs(), floats.At(twin.outputs[0]), integers.At(node.outputs[0])}));
        if (again) OMKIT_RETURN_IF_ERROR(integers.Run(id));
      }
      floats.Release(id);
    }
    integers.Release(id);
  }
  return absl::OkStatus();
}

std::vector<float> RealValues(const Tensor& tensor) {
  std::vector<float> values(tensor.elements());
  const QuantParams& q = tensor.type().quant;
  if (tensor.dtype() == DType::kUInt8 && q.per_tensor()) {
    const uint8_t* x = tensor.data<uint8_t>();
    for (size_t i = 0; i < values.size(); ++i) values[i] = DequantizeValue(x[i], q.scale[0], q.zero_point[0]);
  } else if (tensor.dtype() == DType::kFloat32) {
    values.assign(tensor.data<float>(), tensor.data<float>() + tensor.elements());
  } else {
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(RealAt(tensor, static_cast<int64_t>(i)));
  }
  return values;
}

}  // namespace omkit::passes
