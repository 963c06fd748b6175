// How a plugin's pass sees and rewrites the network.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "backends/plugin/handles.h"
#include "ir/op.h"

namespace omkit::plugin {
namespace {

using ir::ValueId;

void Refresh(OmkitGraph* graph) {
  if (!graph->order.empty()) return;
  const absl::StatusOr<std::vector<ir::NodeId>> order = graph->graph->TopologicalOrder();
  if (!order.ok()) return;
  for (ir::NodeId id : *order) graph->order.push_back({graph->graph, &graph->graph->node(id), nullptr, nullptr});
}

bool IsValue(const OmkitGraph* graph, OmkitValue v) { return v >= 0 && v < graph->graph->num_values(); }

uint32_t NodeCount(OmkitGraph* graph) {
  Refresh(graph);
  return static_cast<uint32_t>(graph->order.size());
}

const OmkitNode* NodeAt(OmkitGraph* graph, uint32_t index) {
  Refresh(graph);
  return index < graph->order.size() ? &graph->order[index] : nullptr;
}

OmkitValue NodeInput(const OmkitNode* node, uint32_t input) { return input < node->node->inputs.size() ? node->node->inputs[input] : ir::kNoValue; }
OmkitValue NodeOutput(const OmkitNode* node, uint32_t output) {
  return output < node->node->outputs.size() ? node->node->outputs[output] : ir::kNoValue;
}

int32_t AddConstant(OmkitGraph* graph, const char* name, int32_t dtype, const int64_t* dims, int32_t rank, const void* data, OmkitValue* value) {
  if (rank < 0 || rank > OMKIT_MAX_RANK || !IsValid(static_cast<DType>(dtype)) || name == nullptr) return OMKIT_INVALID;
  absl::StatusOr<Tensor> tensor = Tensor::Allocate(static_cast<DType>(dtype), Shape(std::vector<int64_t>(dims, dims + rank)));
  if (!tensor.ok()) return OMKIT_INVALID;
  if (tensor->bytes() > 0) std::memcpy(tensor->mutable_raw(), data, tensor->bytes());
  *value = graph->graph->AddConstant(name, *std::move(tensor));
  graph->order.clear();
  return OMKIT_OK;
}

int32_t AddNode(OmkitGraph* graph, const char* op, const char* name, const OmkitValue* inputs, uint32_t input_count, OmkitValue* output) {
  ir::OpKind kind;
  if (op == nullptr || name == nullptr || !ir::FindOp(op, &kind)) return OMKIT_INVALID;
  const std::vector<ValueId> values(inputs, inputs + input_count);
  const bool known = std::all_of(values.begin(), values.end(), [&](ValueId v) { return v == ir::kNoValue || IsValue(graph, v); });
  if (!known) return OMKIT_INVALID;
  const ir::NodeId id = graph->graph->AddNode(kind, name, values);
  *output = graph->graph->node(id).outputs[0];
  graph->order.clear();
  return OMKIT_OK;
}

int32_t SetAttr(OmkitGraph* graph, OmkitValue node_output, const char* name, ir::Attr value) {
  if (!IsValue(graph, node_output) || name == nullptr) return OMKIT_INVALID;
  const ir::Node* producer = graph->graph->Producer(node_output);
  if (producer == nullptr) return OMKIT_INVALID;
  graph->graph->SetAttr(producer->id, name, std::move(value));
  return OMKIT_OK;
}

int32_t SetInt(OmkitGraph* graph, OmkitValue v, const char* name, int64_t value) { return SetAttr(graph, v, name, value); }
int32_t SetFloat(OmkitGraph* graph, OmkitValue v, const char* name, float value) { return SetAttr(graph, v, name, value); }
int32_t SetInts(OmkitGraph* graph, OmkitValue v, const char* name, const int64_t* values, uint64_t count) {
  return SetAttr(graph, v, name, std::vector<int64_t>(values, values + count));
}

int32_t ReplaceUses(OmkitGraph* graph, OmkitValue from, OmkitValue to) {
  if (!IsValue(graph, from) || !IsValue(graph, to)) return OMKIT_INVALID;
  graph->graph->ReplaceUses(from, to);
  graph->order.clear();
  return OMKIT_OK;
}

}  // namespace

void OfferGraph(OmkitHost* host) {
  host->graph_node_count = NodeCount;
  host->graph_node = NodeAt;
  host->node_input = NodeInput;
  host->node_output = NodeOutput;
  host->graph_add_constant = AddConstant;
  host->graph_add_node = AddNode;
  host->graph_set_attr_int = SetInt;
  host->graph_set_attr_float = SetFloat;
  host->graph_set_attr_ints = SetInts;
  host->graph_replace_uses = ReplaceUses;
}

}  // namespace omkit::plugin
