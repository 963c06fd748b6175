// What a plugin may ask about a node.
#include "absl/strings/string_view.h"
#include "backends/plugin/handles.h"
#include "ir/ops/window.h"

namespace omkit::plugin {
namespace {

using ir::ValueId;

int32_t NodeInfo(const OmkitNode* node, OmkitNodeInfo* info) {
  if (node == nullptr) return OMKIT_INVALID;
  const ir::Node& n = *node->node;
  return Give({sizeof(OmkitNodeInfo), static_cast<uint32_t>(n.inputs.size()), static_cast<uint32_t>(n.outputs.size()), 0, n.name.c_str(),
               ir::OpName(n.op), node->soc_version},
              info);
}

int32_t Describe(const ir::Graph& graph, ValueId v, OmkitTensorInfo* info) {
  const ir::Value& value = graph.value(v);
  const TensorType& type = value.type;
  if (type.shape.rank() > OMKIT_MAX_RANK || !type.shape.IsStatic()) return OMKIT_UNSUPPORTED;
  OmkitTensorInfo answer = {};
  answer.dtype = static_cast<int32_t>(type.dtype);
  answer.name = value.name.c_str();
  answer.rank = type.shape.rank();
  for (int i = 0; i < type.shape.rank(); ++i) answer.dims[i] = type.shape.dim(i);
  answer.bytes = static_cast<uint64_t>(type.shape.elements()) * SizeOf(type.dtype);
  answer.is_constant = graph.IsConstant(v);
  answer.data = answer.is_constant ? value.constant.raw() : nullptr;
  answer.quant_count = static_cast<int32_t>(type.quant.scale.size());
  answer.quant_axis = type.quant.axis;
  answer.scales = type.quant.scale.data();
  answer.zero_points = type.quant.zero_point.data();
  return Give(answer, info);
}

int32_t InputInfo(const OmkitNode* node, uint32_t input, OmkitTensorInfo* info) {
  if (node == nullptr) return OMKIT_INVALID;
  if (input >= node->node->inputs.size() || node->node->inputs[input] == ir::kNoValue) return OMKIT_ABSENT;
  return Describe(*node->graph, node->node->inputs[input], info);
}

int32_t OutputInfo(const OmkitNode* node, uint32_t output, OmkitTensorInfo* info) {
  if (node == nullptr) return OMKIT_INVALID;
  if (output >= node->node->outputs.size()) return OMKIT_ABSENT;
  return Describe(*node->graph, node->node->outputs[output], info);
}

// The attribute when it is there and of type T, else nullptr.
template <typename T>
const T* FindAttr(const OmkitNode* node, const char* name) {
  if (node == nullptr || name == nullptr) return nullptr;
  const ir::Attr* attr = node->node->attrs.Find(name);
  return attr == nullptr ? nullptr : std::get_if<T>(attr);
}

template <typename T>
int32_t GetAttr(const OmkitNode* node, const char* name, T* value) {
  const T* found = FindAttr<T>(node, name);
  if (found == nullptr) return OMKIT_ABSENT;
  *value = *found;
  return OMKIT_OK;
}

template <typename T>
int32_t GetAttrs(const OmkitNode* node, const char* name, const T** values, uint64_t* count) {
  const auto* found = FindAttr<std::vector<T>>(node, name);
  if (found == nullptr) return OMKIT_ABSENT;
  *values = found->data();
  *count = found->size();
  return OMKIT_OK;
}

int32_t GetString(const OmkitNode* node, const char* name, const char** value) {
  const auto* found = FindAttr<std::string>(node, name);
  if (found == nullptr) return OMKIT_ABSENT;
  *value = found->c_str();
  return OMKIT_OK;
}

int32_t GetWindow(const OmkitNode* node, OmkitWindow* window) {
  if (node == nullptr) return OMKIT_INVALID;
  const ir::OpKind op = node->node->op;
  if (op != ir::OpKind::kConv && op != ir::OpKind::kAveragePool && op != ir::OpKind::kMaxPool) return OMKIT_ABSENT;
  const auto resolved = ir::WindowOf(*node->graph, *node->node);
  if (!resolved.ok()) return OMKIT_ABSENT;
  OmkitWindow answer = {};
  answer.rank = resolved->rank;
  const auto copy = [](const ir::Window::Dims& from, int64_t* to) { std::copy(from.begin(), from.end(), to); };
  copy(resolved->in, answer.in), copy(resolved->out, answer.out), copy(resolved->kernel, answer.kernel), copy(resolved->stride, answer.stride);
  copy(resolved->dilation, answer.dilation), copy(resolved->pad_begin, answer.pad_begin), copy(resolved->pad_end, answer.pad_end);
  return Give(answer, window);
}

int32_t FallbackSupportsInt8(const OmkitNode* node) {
  return node != nullptr && node->fallback != nullptr && node->fallback->SupportsInt8(*node->graph, *node->node) ? 1 : 0;
}

}  // namespace

void OfferNodes(OmkitHost* host) {
  host->node_info = NodeInfo;
  host->input_info = InputInfo;
  host->output_info = OutputInfo;
  host->attr_int = GetAttr<int64_t>;
  host->attr_float = GetAttr<float>;
  host->attr_string = GetString;
  host->attr_ints = GetAttrs<int64_t>;
  host->attr_floats = GetAttrs<float>;
  host->window = GetWindow;
  host->fallback_supports_int8 = FallbackSupportsInt8;
}

}  // namespace omkit::plugin
