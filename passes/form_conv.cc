#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/operand.h"
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
// without pads; a Slice crops them. Over one dimension the height below is 1.
struct Geometry {
  int spatial;  // dimensions: 1 or 2
  int64_t channels, out_channels, groups;
  int64_t stride_h, stride_w;
  int64_t kernel_h, kernel_w;  // of the ConvTranspose
  int64_t taps_h, taps_w;      // of the convolution
  int64_t maps_h, maps_w;      // the convolution's result
  int64_t pad_top, pad_left, out_h, out_w;

  int64_t places() const { return stride_h * stride_w; }
  int64_t out_each() const { return out_channels / groups; }
  bool crops() const { return out_h != stride_h * maps_h || out_w != stride_w * maps_w; }
};

// Nothing for three dimensions, with dilation, or where the output is larger than the full result.
std::optional<Geometry> GeometryOf(const Graph& graph, const Node& node) {
  const Shape& x = graph.value(node.inputs[0]).type.shape;
  const Shape& w = graph.value(node.inputs[1]).type.shape;
  const int spatial = x.rank() - 2;
  if ((spatial != 1 && spatial != 2) || w.rank() != x.rank() || !w.IsStatic() || w.elements() == 0) return std::nullopt;
  for (int d = 1; d < x.rank(); ++d) {
    if (x.dim(d) == kUnknownDim) return std::nullopt;  // sizes go into constants
  }
  const absl::StatusOr<ir::Window> window = ir::ResolveTransposedWindow(node.attrs, w.dims().subspan(2), x.dims().subspan(2));
  if (!window.ok() || window->dilation[1] != 1 || window->dilation[2] != 1) return std::nullopt;
  Geometry g;
  g.spatial = spatial;
  g.channels = x.dim(1);
  g.groups = node.attrs.Int("group", 1);
  g.out_channels = w.dim(1) * g.groups;
  g.stride_h = window->stride[1], g.stride_w = window->stride[2];
  g.kernel_h = window->kernel[1], g.kernel_w = window->kernel[2];
  g.taps_h = (g.kernel_h + g.stride_h - 1) / g.stride_h, g.taps_w = (g.kernel_w + g.stride_w - 1) / g.stride_w;
  g.maps_h = window->in[1] + g.taps_h - 1, g.maps_w = window->in[2] + g.taps_w - 1;
  g.pad_top = window->pad_begin[1], g.pad_left = window->pad_begin[2];
  g.out_h = window->out[1], g.out_w = window->out[2];
  if (g.pad_top < 0 || g.pad_left < 0 || g.pad_top + g.out_h > g.stride_h * g.maps_h || g.pad_left + g.out_w > g.stride_w * g.maps_w)
    return std::nullopt;
  return g;
}

// A constant made of another one's elements.
struct Spread {
  Shape shape;
  std::vector<int64_t> from;     // element -> the other's element; -1: real zero
  std::vector<int64_t> channel;  // entry of dimension 0 -> the other's entry of `axis`, for scales per channel
  int axis = 0;
};

// w[channels][out_channels / groups][kernel_h][kernel_w] as weights of a convolution whose channel m * places + i * stride_w + j makes channel m
// at place (i, j) of each block. Taps run backwards: the convolution looks up and left.
Spread SpreadOfWeights(const Geometry& g) {
  const int64_t in_each = g.channels / g.groups;
  Spread spread;
  spread.axis = 1;
  spread.shape =
      g.spatial == 2 ? Shape{g.out_channels * g.places(), in_each, g.taps_h, g.taps_w} : Shape{g.out_channels * g.places(), in_each, g.taps_w};
  spread.from.reserve(spread.shape.elements());
  for (int64_t m = 0; m < g.out_channels; ++m) {
    for (int64_t place = 0; place < g.places(); ++place) {
      spread.channel.push_back(m % g.out_each());
      for (int64_t c = 0; c < in_each; ++c) {
        const int64_t from = ((m / g.out_each() * in_each + c) * g.out_each() + m % g.out_each()) * g.kernel_h * g.kernel_w;
        for (int64_t a = 0; a < g.taps_h; ++a) {
          for (int64_t b = 0; b < g.taps_w; ++b) {
            const int64_t y = place / g.stride_w + g.stride_h * (g.taps_h - 1 - a), x = place % g.stride_w + g.stride_w * (g.taps_w - 1 - b);
            spread.from.push_back(y < g.kernel_h && x < g.kernel_w ? from + y * g.kernel_w + x : -1);
          }
        }
      }
    }
  }
  return spread;
}

Spread SpreadOfBias(const Geometry& g) {
  Spread spread;
  spread.shape = Shape{g.out_channels * g.places()};
  for (int64_t i = 0; i < spread.shape.dim(0); ++i) spread.from.push_back(i / g.places());
  spread.channel = spread.from;
  return spread;
}

// What a DequantizeLinear reads, when all of it is constant and its scales are one, or one per entry of `axis`.
struct Integers {
  Tensor values, scale, zero;  // zero may be undefined
};
std::optional<Integers> IntegersOf(const Graph& graph, ValueId value, int axis) {
  const Node* node = graph.Producer(value);
  if (node == nullptr || node->op != OpKind::kDequantizeLinear || node->attrs.Int("block_size", 0) != 0) return std::nullopt;
  const Tensor *values = graph.ConstantInput(*node, 0), *scale = graph.ConstantInput(*node, 1), *zero = graph.ConstantInput(*node, 2);
  const bool has_zero = node->inputs.size() > 2 && node->inputs[2] != ir::kNoValue;
  if (values == nullptr || scale == nullptr || scale->dtype() != DType::kFloat32 || has_zero != (zero != nullptr)) return std::nullopt;
  if (values->dtype() != DType::kInt8 && values->dtype() != DType::kUInt8 && values->dtype() != DType::kInt32) return std::nullopt;
  if (scale->elements() != 1) {
    const auto own = NormalizeAxis(node->attrs.Int("axis", 1), values->shape().rank());
    if (!own.ok() || *own != axis || scale->elements() != values->shape().dim(axis)) return std::nullopt;
  }
  if (zero != nullptr && zero->elements() != scale->elements()) return std::nullopt;
  return Integers{*values, *scale, zero == nullptr ? Tensor() : *zero};
}

bool IsFloatConstant(const Graph& graph, ValueId value) {
  return graph.IsConstant(value) && graph.value(value).constant.dtype() == DType::kFloat32 && !graph.value(value).type.quantized();
}

// The spread constant; behind a DequantizeLinear when the given one is. The form was checked before.
absl::StatusOr<ValueId> AddSpread(Graph& graph, const std::string& name, ValueId given, const Spread& spread) {
  if (IsFloatConstant(graph, given)) {
    const std::vector<float> values = FloatValues(graph.value(given).constant);
    std::vector<float> spread_values;
    for (int64_t i : spread.from) spread_values.push_back(i < 0 ? 0.0f : values[i]);
    return AddFloats(graph, graph.value(given).name, spread.shape, spread_values);
  }
  const std::optional<Integers> integers = IntegersOf(graph, given, spread.axis);
  if (!integers) return absl::InternalError("the constant lost its form");
  const bool one = integers->scale.elements() == 1;
  const std::vector<int64_t> values = ir::ReadIntegers(integers->values),
                             zeros = integers->zero.defined() ? ir::ReadIntegers(integers->zero) : std::vector<int64_t>(1);
  const auto zero_of = [&](int64_t channel) { return zeros.size() == 1 ? zeros[0] : zeros[channel]; };
  const int64_t each = spread.shape.elements() / spread.shape.dim(0);
  std::vector<int64_t> spread_values, spread_zeros;
  std::vector<float> scales;
  for (size_t i = 0; i < spread.from.size(); ++i)
    spread_values.push_back(spread.from[i] < 0 ? zero_of(spread.channel[i / each]) : values[spread.from[i]]);
  for (size_t c = 0; !one && c < spread.channel.size(); ++c) {
    scales.push_back(integers->scale.data<float>()[spread.channel[c]]);
    spread_zeros.push_back(zero_of(spread.channel[c]));
  }
  const auto add = [&](const char* suffix, DType dtype, const Shape& shape, const std::vector<int64_t>& numbers) -> absl::StatusOr<ValueId> {
    OMKIT_ASSIGN_OR_RETURN(Tensor t, Tensor::Allocate(dtype, shape));
    ir::WriteIntegers(numbers, &t);
    return graph.AddConstant(absl::StrCat(name, suffix), std::move(t));
  };
  std::vector<ValueId> inputs = {ir::kNoValue, ir::kNoValue};
  OMKIT_ASSIGN_OR_RETURN(inputs[0], add("", integers->values.dtype(), spread.shape, spread_values));
  const Shape channels{static_cast<int64_t>(scales.size())};
  inputs[1] =
      one ? graph.AddConstant(absl::StrCat(name, ":scale"), integers->scale) : AddFloats(graph, absl::StrCat(name, ":scale"), channels, scales);
  if (integers->zero.defined()) {
    if (one) spread_zeros = zeros;
    inputs.push_back(ir::kNoValue);
    OMKIT_ASSIGN_OR_RETURN(inputs[2], add(":zero", integers->zero.dtype(), one ? integers->zero.shape() : channels, spread_zeros));
  }
  ir::Attrs attrs;
  attrs.Set("axis", int64_t{0});
  const NodeId id = graph.AddNode(OpKind::kDequantizeLinear, absl::StrCat(name, ":dequantize"), inputs, attrs);
  OMKIT_RETURN_IF_ERROR(ir::InferNode(graph, id));
  return graph.node(id).outputs[0];
}

ir::Attrs ConvAttrs(const Geometry& g) {
  ir::Attrs attrs;
  attrs.Set("group", g.groups);
  if (g.spatial == 2) {
    attrs.Set("kernel_shape", std::vector<int64_t>{g.taps_h, g.taps_w});
    attrs.Set("strides", std::vector<int64_t>{1, 1});
    attrs.Set("pads", std::vector<int64_t>{g.taps_h - 1, g.taps_w - 1, g.taps_h - 1, g.taps_w - 1});
  } else {
    attrs.Set("kernel_shape", std::vector<int64_t>{g.taps_w});
    attrs.Set("strides", std::vector<int64_t>{1});
    attrs.Set("pads", std::vector<int64_t>{g.taps_w - 1, g.taps_w - 1});
  }
  return attrs;
}

ValueId AddIntegers(Graph& graph, const std::string& name, const std::vector<int64_t>& values) {
  return graph.AddConstant(name, Tensor::Of<int64_t>(Shape{static_cast<int64_t>(values.size())}, values));
}

absl::StatusOr<ValueId> AddOp(Graph& graph, OpKind op, const std::string& name, std::vector<ValueId> inputs, const ir::Attrs& attrs = {}) {
  const NodeId id = graph.AddNode(op, name, std::move(inputs), attrs);
  OMKIT_RETURN_IF_ERROR(ir::InferNode(graph, id));
  return graph.node(id).outputs[0];
}

// [N, channels * places, maps] with each block's places spread over it.
absl::StatusOr<ValueId> SpreadMaps(Graph& graph, const std::string& name, ValueId maps, const Geometry& g) {
  ir::Attrs attrs;
  if (g.spatial == 2 && g.stride_h == g.stride_w) {
    attrs.Set("blocksize", g.stride_h);
    attrs.Set("mode", std::string("CRD"));
    return AddOp(graph, OpKind::kDepthToSpace, absl::StrCat(name, ":spread"), {maps}, attrs);
  }
  const bool plane = g.spatial == 2;
  const std::vector<int64_t> apart = plane ? std::vector<int64_t>{0, g.out_channels, g.stride_h, g.stride_w, g.maps_h, g.maps_w}
                                           : std::vector<int64_t>{0, g.out_channels, g.stride_w, g.maps_w};
  const std::vector<int64_t> joined = plane ? std::vector<int64_t>{0, g.out_channels, g.stride_h * g.maps_h, g.stride_w * g.maps_w}
                                            : std::vector<int64_t>{0, g.out_channels, g.stride_w * g.maps_w};
  attrs.Set("perm", plane ? std::vector<int64_t>{0, 1, 4, 2, 5, 3} : std::vector<int64_t>{0, 1, 3, 2});
  OMKIT_ASSIGN_OR_RETURN(
      maps, AddOp(graph, OpKind::kReshape, absl::StrCat(name, ":places"), {maps, AddIntegers(graph, absl::StrCat(name, ":apart"), apart)}));
  OMKIT_ASSIGN_OR_RETURN(maps, AddOp(graph, OpKind::kTranspose, absl::StrCat(name, ":turn"), {maps}, attrs));
  return AddOp(graph, OpKind::kReshape, absl::StrCat(name, ":spread"), {maps, AddIntegers(graph, absl::StrCat(name, ":joined"), joined)});
}

absl::Status Decompose(Graph& graph, NodeId id, const Geometry& g) {
  const Node node = graph.node(id);
  std::vector<ValueId> inputs = {node.inputs[0], ir::kNoValue};
  OMKIT_ASSIGN_OR_RETURN(inputs[1], AddSpread(graph, absl::StrCat(node.name, ":weights"), node.inputs[1], SpreadOfWeights(g)));
  if (node.inputs.size() > 2 && node.inputs[2] != ir::kNoValue) {
    inputs.push_back(ir::kNoValue);
    OMKIT_ASSIGN_OR_RETURN(inputs[2], AddSpread(graph, absl::StrCat(node.name, ":bias"), node.inputs[2], SpreadOfBias(g)));
  }
  graph.RemoveNode(id);
  OMKIT_ASSIGN_OR_RETURN(ValueId last, AddOp(graph, OpKind::kConv, node.name, inputs, ConvAttrs(g)));
  OMKIT_ASSIGN_OR_RETURN(last, SpreadMaps(graph, node.name, last, g));
  if (g.crops()) {
    const bool plane = g.spatial == 2;
    const auto numbers = [&](const char* suffix, int64_t h, int64_t w) {
      return AddIntegers(graph, absl::StrCat(node.name, suffix), plane ? std::vector<int64_t>{h, w} : std::vector<int64_t>{w});
    };
    const ValueId starts = numbers(":starts", g.pad_top, g.pad_left), ends = numbers(":ends", g.pad_top + g.out_h, g.pad_left + g.out_w);
    const ValueId axes = AddIntegers(graph, absl::StrCat(node.name, ":axes"), plane ? std::vector<int64_t>{2, 3} : std::vector<int64_t>{2});
    OMKIT_ASSIGN_OR_RETURN(last, AddOp(graph, OpKind::kSlice, absl::StrCat(node.name, ":crop"), {last, starts, ends, axes}));
  }
  // The last node makes the old value.
  const Node made = *graph.Producer(last);
  graph.RemoveNode(made.id);
  return ir::InferNode(graph, graph.AddNodeInto(made.op, made.name, made.inputs, {node.outputs[0]}, made.attrs));
}

bool HasForm(const Graph& graph, ValueId value, int axis, WeightForm form) {
  return form == WeightForm::kFloat ? IsFloatConstant(graph, value) : IntegersOf(graph, value, axis).has_value();
}

}  // namespace

Pass FormConv(WeightForm form) {
  return {"form_conv", [form](Graph& graph) -> absl::Status {
            OMKIT_ASSIGN_OR_RETURN(const std::vector<NodeId> order, graph.TopologicalOrder());
            for (NodeId id : order) {
              const Node& node = graph.node(id);
              if (node.op != OpKind::kConvTranspose || !HasForm(graph, node.inputs[1], 1, form)) continue;
              const bool bias = node.inputs.size() > 2 && node.inputs[2] != ir::kNoValue;
              if (bias && !IsFloatConstant(graph, node.inputs[2]) && !HasForm(graph, node.inputs[2], 0, form)) continue;
              if (const std::optional<Geometry> g = GeometryOf(graph, node)) OMKIT_RETURN_IF_ERROR(Decompose(graph, id, *g));
            }
            return absl::OkStatus();
          }};
}

}  // namespace omkit::passes
