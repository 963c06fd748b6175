#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/window.h"
#include "passes/constants.h"
#include "passes/fuse.h"

namespace omkit::passes {
namespace {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::OpKind;
using ir::ValueId;

// A ConvTranspose of stride s is s * s convolutions, one for each place of an output pixel inside a block of s x s:
//   y[s i + r] = sum over j of x[i - j] w[r + s j]
// They read the same pixels, so they are one convolution with s * s times the channels, whose results DepthToSpace spreads. Computed
// without pads; a Slice crops them.
struct Geometry {
  int64_t channels, out_channels, groups, stride;
  int64_t kernel_h, kernel_w;  // of the ConvTranspose
  int64_t taps_h, taps_w;      // of the convolution
  int64_t pad_top, pad_left, out_h, out_w;
};

// Nothing where stride differs between the axes, with dilation, or where the output is larger than the full result.
std::optional<Geometry> GeometryOf(const Graph& graph, const Node& node) {
  const Shape& x = graph.value(node.inputs[0]).type.shape;
  const Tensor* w = graph.ConstantInput(node, 1);
  if (x.rank() != 4 || w == nullptr || w->dtype() != DType::kFloat32 || w->type().quantized() || w->elements() == 0) return std::nullopt;
  if (x.dim(1) == kUnknownDim || x.dim(2) == kUnknownDim || x.dim(3) == kUnknownDim) return std::nullopt;  // sizes go into constants
  const absl::StatusOr<ir::Window> window = ir::ResolveTransposedWindow(node.attrs, w->shape().dims().subspan(2), x.dims().subspan(2));
  if (!window.ok() || window->stride[1] != window->stride[2] || window->dilation[1] != 1 || window->dilation[2] != 1) return std::nullopt;
  const int64_t groups = node.attrs.Int("group", 1), s = window->stride[1];
  Geometry g = {x.dim(1),
                w->shape().dim(1) * groups,
                groups,
                s,
                window->kernel[1],
                window->kernel[2],
                0,
                0,
                window->pad_begin[1],
                window->pad_begin[2],
                window->out[1],
                window->out[2]};
  g.taps_h = (g.kernel_h + s - 1) / s;
  g.taps_w = (g.kernel_w + s - 1) / s;
  const int64_t full_h = s * (x.dim(2) + g.taps_h - 1), full_w = s * (x.dim(3) + g.taps_w - 1);
  if (g.pad_top < 0 || g.pad_left < 0 || g.pad_top + g.out_h > full_h || g.pad_left + g.out_w > full_w) return std::nullopt;
  return g;
}

// w[channels][out_channels / groups][kernel_h][kernel_w] as weights of a convolution whose channel m * s * s + i * s + j makes channel m
// at place (i, j) of each block. Taps run backwards: the convolution looks up and left.
std::vector<float> SpreadWeights(const Geometry& g, const float* w) {
  const int64_t in_each = g.channels / g.groups, out_each = g.out_channels / g.groups, s = g.stride;
  std::vector<float> spread;
  spread.reserve(g.out_channels * s * s * in_each * g.taps_h * g.taps_w);
  for (int64_t m = 0; m < g.out_channels; ++m) {
    for (int64_t place = 0; place < s * s; ++place) {
      for (int64_t c = 0; c < in_each; ++c) {
        const float* from = w + ((m / out_each * in_each + c) * out_each + m % out_each) * g.kernel_h * g.kernel_w;
        for (int64_t a = 0; a < g.taps_h; ++a) {
          for (int64_t b = 0; b < g.taps_w; ++b) {
            const int64_t y = place / s + s * (g.taps_h - 1 - a), x = place % s + s * (g.taps_w - 1 - b);
            spread.push_back(y < g.kernel_h && x < g.kernel_w ? from[y * g.kernel_w + x] : 0.0f);
          }
        }
      }
    }
  }
  return spread;
}

ir::Attrs ConvAttrs(const Geometry& g) {
  ir::Attrs attrs;
  attrs.Set("group", g.groups);
  attrs.Set("kernel_shape", std::vector<int64_t>{g.taps_h, g.taps_w});
  attrs.Set("strides", std::vector<int64_t>{1, 1});
  attrs.Set("pads", std::vector<int64_t>{g.taps_h - 1, g.taps_w - 1, g.taps_h - 1, g.taps_w - 1});
  return attrs;
}

absl::StatusOr<ValueId> AddIntegers(Graph& graph, const std::string& name, const std::vector<int64_t>& values) {
  OMKIT_ASSIGN_OR_RETURN(Tensor t, Tensor::Allocate(DType::kInt64, Shape{static_cast<int64_t>(values.size())}));
  std::copy(values.begin(), values.end(), t.mutable_data<int64_t>());
  return graph.AddConstant(name, std::move(t));
}

absl::Status Decompose(Graph& graph, NodeId id, const Geometry& g) {
  const Node node = graph.node(id);
  const ValueId out = node.outputs[0];
  const int64_t places = g.stride * g.stride;
  std::vector<ValueId> inputs = {node.inputs[0]};
  inputs.push_back(AddFloats(graph, graph.value(node.inputs[1]).name, {g.out_channels * places, g.channels / g.groups, g.taps_h, g.taps_w},
                             SpreadWeights(g, graph.ConstantInput(node, 1)->data<float>())));
  if (const Tensor* bias = graph.ConstantInput(node, 2)) {
    std::vector<float> repeated;
    for (float b : FloatValues(*bias)) repeated.insert(repeated.end(), places, b);
    inputs.push_back(AddFloats(graph, graph.value(node.inputs[2]).name, {g.out_channels * places}, repeated));
  }
  const Shape& x = graph.value(node.inputs[0]).type.shape;
  const bool crops = g.out_h != g.stride * (x.dim(2) + g.taps_h - 1) || g.out_w != g.stride * (x.dim(3) + g.taps_w - 1);
  ir::Attrs spread;
  spread.Set("blocksize", g.stride);
  spread.Set("mode", std::string("CRD"));
  graph.RemoveNode(id);
  const NodeId conv = graph.AddNode(OpKind::kConv, node.name, inputs, ConvAttrs(g));
  const ValueId maps = graph.node(conv).outputs[0];
  std::vector<NodeId> made = {conv};
  if (!crops) {
    made.push_back(graph.AddNodeInto(OpKind::kDepthToSpace, absl::StrCat(node.name, ":spread"), {maps}, {out}, spread));
  } else {
    made.push_back(graph.AddNode(OpKind::kDepthToSpace, absl::StrCat(node.name, ":spread"), {maps}, spread));
    const ValueId whole = graph.node(made.back()).outputs[0];
    OMKIT_ASSIGN_OR_RETURN(const ValueId starts, AddIntegers(graph, absl::StrCat(node.name, ":starts"), {g.pad_top, g.pad_left}));
    OMKIT_ASSIGN_OR_RETURN(const ValueId ends, AddIntegers(graph, absl::StrCat(node.name, ":ends"), {g.pad_top + g.out_h, g.pad_left + g.out_w}));
    OMKIT_ASSIGN_OR_RETURN(const ValueId axes, AddIntegers(graph, absl::StrCat(node.name, ":axes"), {2, 3}));
    made.push_back(graph.AddNodeInto(OpKind::kSlice, absl::StrCat(node.name, ":crop"), {whole, starts, ends, axes}, {out}));
  }
  for (NodeId m : made) OMKIT_RETURN_IF_ERROR(ir::InferNode(graph, m));
  return absl::OkStatus();
}

}  // namespace

Pass FormConv() {
  return {"form_conv", [](Graph& graph) -> absl::Status {
            OMKIT_ASSIGN_OR_RETURN(const std::vector<NodeId> order, graph.TopologicalOrder());
            for (NodeId id : order) {
              const Node& node = graph.node(id);
              if (node.op != OpKind::kConvTranspose) continue;
              const bool bias = node.inputs.size() > 2 && node.inputs[2] != ir::kNoValue;
              if (bias && (graph.ConstantInput(node, 2) == nullptr || graph.ConstantInput(node, 2)->dtype() != DType::kFloat32)) continue;
              if (const std::optional<Geometry> g = GeometryOf(graph, node)) OMKIT_RETURN_IF_ERROR(Decompose(graph, id, *g));
            }
            return absl::OkStatus();
          }};
}

}  // namespace omkit::passes
