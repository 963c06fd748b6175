#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"
#include "passes/constants.h"
#include "passes/fuse.h"

namespace omkit::passes {
namespace {

using ir::Graph;
using ir::kNoValue;
using ir::Node;
using ir::NodeId;
using ir::OpKind;
using ir::ValueId;

// y = scale * x + shift per channel.
struct ChannelAffine {
  std::vector<float> scale;
  std::vector<float> shift;
};

std::optional<ChannelAffine> BatchNormAffine(const Graph& graph, const Node& node, int64_t channels) {
  std::vector<float> p[4];
  for (int i = 0; i < 4; ++i) {
    std::optional<std::vector<float>> values = ChannelConstant(graph, node.inputs[i + 1], 1, 0, channels);
    if (!values) return std::nullopt;
    p[i] = *std::move(values);
  }
  const double epsilon = node.attrs.Float("epsilon", 1e-5f);
  ChannelAffine affine;
  for (int64_t c = 0; c < channels; ++c) {
    const double scale = p[0][c] / std::sqrt(static_cast<double>(p[3][c]) + epsilon);
    affine.scale.push_back(static_cast<float>(scale));
    affine.shift.push_back(static_cast<float>(p[1][c] - p[2][c] * scale));
  }
  return affine;
}

// The affine meaning of a node that reads `data`, when it has one.
std::optional<ChannelAffine> AffineOf(const Graph& graph, const Node& node, ValueId data, int channel_axis, int64_t channels) {
  if (node.op == OpKind::kBatchNormalization) {
    // Its channels are dimension 1, which a dense layer of rank 3 does not have its columns in.
    return node.inputs[0] == data && channel_axis == 1 ? BatchNormAffine(graph, node, channels) : std::nullopt;
  }
  if (node.op != OpKind::kMul && node.op != OpKind::kDiv && node.op != OpKind::kAdd && node.op != OpKind::kSub) return std::nullopt;
  if (node.attrs.Has("act_min") || node.attrs.Has("act_max")) return std::nullopt;
  const int other = OtherInput(node, data);
  if (other < 0 || graph.value(node.outputs[0]).type.shape != graph.value(data).type.shape) return std::nullopt;
  const int rank = graph.value(data).type.shape.rank();
  std::optional<std::vector<float>> c = ChannelConstant(graph, node.inputs[other], rank, channel_axis, channels);
  if (!c) return std::nullopt;
  ChannelAffine affine{std::vector<float>(channels, 1.0f), std::vector<float>(channels, 0.0f)};
  for (int64_t i = 0; i < channels; ++i) {
    switch (node.op) {
      case OpKind::kMul: affine.scale[i] = (*c)[i]; break;
      case OpKind::kDiv:
        if (other == 0 || (*c)[i] == 0) return std::nullopt;
        affine.scale[i] = 1.0f / (*c)[i];
        break;
      case OpKind::kAdd: affine.shift[i] = (*c)[i]; break;
      default:
        affine.shift[i] = other == 1 ? -(*c)[i] : (*c)[i];
        affine.scale[i] = other == 1 ? 1.0f : -1.0f;
        break;
    }
  }
  return affine;
}

bool TakesAffine(const Graph& graph, const Node& node) {
  if (node.op != OpKind::kConv && node.op != OpKind::kDense && node.op != OpKind::kConvTranspose) return false;
  if (node.attrs.Has("act_min") || node.attrs.Has("act_max") || node.inputs.size() > 3) return false;
  const Tensor* w = graph.ConstantInput(node, 1);
  const bool float_bias = node.inputs.size() < 3 || node.inputs[2] == kNoValue || graph.ConstantInput(node, 2) != nullptr;
  return w != nullptr && w->dtype() == DType::kFloat32 && float_bias;
}

int64_t OutputChannels(const Graph& graph, const Node& node, int* axis) {
  const Shape& out = graph.value(node.outputs[0]).type.shape;
  *axis = node.op == OpKind::kDense ? out.rank() - 1 : 1;
  return out.dim(*axis);
}

void FoldInto(Graph& graph, NodeId id, const ChannelAffine& affine) {
  const Node node = graph.node(id);
  const int64_t channels = static_cast<int64_t>(affine.scale.size());
  Tensor w = graph.ConstantInput(node, 1)->Clone();
  if (node.op == OpKind::kConvTranspose) {
    // w[C, M / group, ...]: output channel m belongs to group m / (M / group).
    const int64_t per_group = w.shape().dim(1);
    const int64_t in_per_group = w.shape().dim(0) / (channels / per_group);
    const int64_t taps = w.elements() / (w.shape().dim(0) * per_group);
    for (int64_t i = 0; i < w.elements(); ++i) {
      const int64_t c = i / (per_group * taps);
      const int64_t m = c / in_per_group * per_group + i / taps % per_group;
      w.mutable_data<float>()[i] *= affine.scale[m];
    }
  } else {
    const int64_t per_channel = w.elements() / channels;
    for (int64_t i = 0; i < w.elements(); ++i) w.mutable_data<float>()[i] *= affine.scale[i / per_channel];
  }
  const Tensor* old_bias = graph.ConstantInput(node, 2);
  std::vector<float> bias(channels, 0.0f);
  for (int64_t c = 0; c < channels; ++c) {
    bias[c] = affine.shift[c] + (old_bias == nullptr ? 0.0f : old_bias->data<float>()[c] * affine.scale[c]);
  }
  graph.SetInput(id, 1, graph.AddConstant(graph.value(node.inputs[1]).name, std::move(w)));
  graph.SetInput(id, 2, AddFloats(graph, absl::StrCat(node.name, ":bias"), Shape{channels}, bias));
}

void BatchNormToMulAdd(Graph& graph, NodeId id) {
  const Node node = graph.node(id);
  const Shape& shape = graph.value(node.inputs[0]).type.shape;
  if (shape.rank() < 2) return;
  std::optional<ChannelAffine> affine = BatchNormAffine(graph, node, shape.dim(1));
  if (!affine) return;
  std::vector<int64_t> dims(shape.rank(), 1);
  dims[1] = shape.dim(1);
  const ValueId scale = AddFloats(graph, absl::StrCat(node.name, ":scale"), Shape(dims), affine->scale);
  const ValueId shift = AddFloats(graph, absl::StrCat(node.name, ":shift"), Shape(dims), affine->shift);
  const NodeId mul = graph.AddNode(OpKind::kMul, absl::StrCat(node.name, ":mul"), {node.inputs[0], scale});
  graph.RemoveNode(id);
  graph.AddNodeInto(OpKind::kAdd, node.name, {graph.node(mul).outputs[0], shift}, {node.outputs[0]});
}

}  // namespace

Pass FuseBatchNorm() {
  return {"fuse_batch_norm", [](Graph& graph) -> absl::Status {
            OMKIT_ASSIGN_OR_RETURN(std::vector<NodeId> order, graph.TopologicalOrder());
            for (NodeId id : order) {
              if (!graph.alive(id) || !TakesAffine(graph, graph.node(id))) continue;
              while (true) {
                const ValueId result = graph.node(id).outputs[0];
                const Node* user = graph.OnlyUser(result);
                if (user == nullptr) break;
                int axis = 0;
                const int64_t channels = OutputChannels(graph, graph.node(id), &axis);
                std::optional<ChannelAffine> affine = AffineOf(graph, *user, result, axis, channels);
                if (!affine) break;
                FoldInto(graph, id, *affine);
                const ValueId folded = user->outputs[0];
                graph.RemoveNode(user->id);
                graph.ReplaceUses(folded, result);
              }
            }
            for (NodeId id : order) {
              if (graph.alive(id) && graph.node(id).op == OpKind::kBatchNormalization) BatchNormToMulAdd(graph, id);
            }
            graph.Sweep();
            return ir::InferGraph(graph);
          }};
}

}  // namespace omkit::passes
