#include <algorithm>
#include <functional>
#include <limits>
#include <optional>

#include "absl/strings/str_cat.h"
#include "backends/kernels/conv_bf16/conv_bf16.h"
#include "backends/kernels/conv_f32/conv_f32.h"
#include "backends/kernels/conv_u8/conv_u8.h"
#include "backends/kernels/dwconv_f32/dwconv_f32.h"
#include "backends/kernels/dwconv_u8/dwconv_u8.h"
#include "backends/npu_int8/lower.h"
#include "backends/npu_int8/types.h"
#include "base/checked.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/requantize.h"
#include "ir/ops/window.h"

namespace omkit::npu_int8 {
namespace {

using ir::Graph;
using ir::Node;

// Channels to which the float kernels' bias tables are padded.
constexpr int64_t kChannelPad = 64;

// A convolution or dense layer in the terms both kernels share; dense layers are images of one row.
struct Layer {
  Place in, out, residual;
  std::optional<TableBehind> table;
  bool has_residual = false;
  int64_t oc = 0, ic_per_group = 0, groups = 1;
  int64_t kernel_h = 1, kernel_w = 1, stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1, pad_top = 0, pad_left = 0;
  int64_t pixels = 0;

  bool depthwise() const { return groups == oc && ic_per_group == 1 && groups > 1; }
  int64_t operations() const { return 2 * pixels * oc * ic_per_group * kernel_h * kernel_w; }
};

template <typename Params>
Params WindowParams(const Layer& layer) {
  Params p{};
  p.in = Nhwc(layer.in);
  p.out = Nhwc(layer.out);
  if (layer.has_residual) p.residual = Nhwc(layer.residual);
  p.kernel_h = static_cast<int32_t>(layer.kernel_h);
  p.kernel_w = static_cast<int32_t>(layer.kernel_w);
  p.stride_h = static_cast<int32_t>(layer.stride_h);
  p.stride_w = static_cast<int32_t>(layer.stride_w);
  p.dilation_h = static_cast<int32_t>(layer.dilation_h);
  p.dilation_w = static_cast<int32_t>(layer.dilation_w);
  p.pad_top = static_cast<int32_t>(layer.pad_top);
  p.pad_left = static_cast<int32_t>(layer.pad_left);
  p.groups = static_cast<int32_t>(layer.groups);
  p.has_residual = layer.has_residual ? 1 : 0;
  return p;
}

// The kernels fold the input's zero point into the bias: acc = sum(x * w) + (b - zx * sum(w)). Both sums must stay inside int32.
absl::StatusOr<std::vector<int32_t>> FoldedBias(const Tensor& w, const Tensor* bias, int32_t zero_point, int64_t oc) {
  std::vector<int32_t> folded(oc, 0);
  const int64_t count = w.elements() / oc;
  for (int64_t c = 0; c < oc; ++c) {
    int64_t sum = 0, magnitude = 0;
    for (int64_t i = 0; i < count; ++i) {
      const int64_t v = IntegerAt(w, c * count + i);
      sum += v;
      magnitude += std::abs(v);
    }
    const int64_t value = (bias == nullptr ? 0 : bias->data<int32_t>()[c]) - zero_point * sum;
    if (std::abs(value) + 255 * magnitude > std::numeric_limits<int32_t>::max()) {
      return absl::UnimplementedError(
          absl::StrCat("output channel ", c, " may overflow its int32 accumulator (", count, " products, folded bias ", value, ")"));
    }
    folded[c] = static_cast<int32_t>(value);
  }
  return folded;
}

// The layer's weights as arrays of int8 whose sum they are; all but a few models have one.
std::vector<std::vector<int8_t>> WeightArrays(const Tensor& w, Isa isa) {
  const int least = kernels::LeastWeight(isa);
  if (w.dtype() == DType::kInt16) return kernels::SplitWeights(w.data<int16_t>(), w.elements(), least);
  const int8_t *values = w.data<int8_t>(), *end = values + w.elements();
  if (std::all_of(values, end, [&](int8_t v) { return v >= least; })) return {std::vector<int8_t>(values, end)};
  return kernels::SplitWeights(std::vector<int16_t>(values, end).data(), w.elements(), least);
}

// w[oc][channels][kernel_h][kernel_w] as [oc][kernel_w * channels][kernel_h].
std::vector<int8_t> JoinKernelRows(const std::vector<int8_t>& w, const Layer& layer) {
  const int64_t channels = layer.ic_per_group, run = layer.kernel_w * channels;
  std::vector<int8_t> joined(w.size());
  for (int64_t o = 0; o < layer.oc; ++o) {
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t y = 0; y < layer.kernel_h; ++y) {
        for (int64_t x = 0; x < layer.kernel_w; ++x) {
          joined[(o * run + x * channels + c) * layer.kernel_h + y] = w[((o * channels + c) * layer.kernel_h + y) * layer.kernel_w + x];
        }
      }
    }
  }
  return joined;
}

// A kernel row over an image without space between pixels is one tap with kernel_w * channels channels: the window of a pixel simply
// reaches into its neighbours.
void JoinKernelRows(std::vector<std::vector<int8_t>>& arrays, Layer& layer) {
  for (std::vector<int8_t>& array : arrays) array = JoinKernelRows(array, layer);
  const int64_t run = layer.kernel_w * layer.ic_per_group;
  kernels::View& view = layer.in.view;
  view.offset -= layer.pad_left * view.strides[3];
  view.dims[1] = run;
  view.strides[1] = 1;
  view.dims[3] = (layer.out.view.dims[3] - 1) * layer.stride_w + 1;
  layer.ic_per_group = run;
  layer.kernel_w = 1;
  layer.pad_left = 0;
}

std::vector<uint8_t> PackWeights(Isa isa, const Layer& layer, const std::vector<int8_t>& w) {
  if (layer.depthwise()) return kernels::PackDwConvU8Weights(w.data(), layer.oc, layer.kernel_h, layer.kernel_w);
  return kernels::PackConvU8Weights(isa, w.data(), layer.oc, layer.ic_per_group, layer.kernel_h, layer.kernel_w, layer.groups);
}

// What the arrays behind the first add; ConvU8Params::remainders is `steps`.
kernels::ConvU8Remainders PackRemainders(Isa isa, const Layer& layer, const std::vector<std::vector<int8_t>>& arrays) {
  if (!layer.depthwise()) {
    return kernels::PackConvU8Remainders(isa, arrays, layer.oc, layer.ic_per_group, layer.kernel_h, layer.kernel_w, layer.groups);
  }
  kernels::ConvU8Remainders made = {{}, static_cast<int32_t>(arrays.size()) - 1};
  for (size_t i = 1; i < arrays.size(); ++i) {
    const std::vector<uint8_t> packed = PackWeights(isa, layer, arrays[i]);
    made.packed.insert(made.packed.end(), packed.begin(), packed.end());
  }
  return made;
}

// The function of one element behind an INT8 layer, where the kernel looks its results up.
absl::StatusOr<std::optional<TableBehind>> TableOf(const Node& node, const Layer& layer, ProgramBuilder& builder) {
  const bool reads = IsU8(builder.type(node.inputs[0])) && IsU8(builder.type(node.outputs[0])) && !layer.depthwise() &&
                     kernels::ConvU8ReadsTable(builder.isa(), layer.ic_per_group, layer.groups);
  return reads ? TakeTableBehind(node.outputs[0], builder) : std::optional<TableBehind>();
}

absl::Status LowerU8(const Node& node, Layer layer, ProgramBuilder& builder) {
  const TensorType& x = builder.type(node.inputs[0]);
  const TensorType& y = builder.type(node.outputs[0]);
  const Tensor& w = *builder.graph().ConstantInput(node, 1);
  const Tensor* bias = builder.graph().ConstantInput(node, 2);
  const int64_t operations = layer.operations();
  std::vector<std::vector<int8_t>> arrays = WeightArrays(w, builder.isa());
  if (ReadsRowRuns(builder.graph(), node)) JoinKernelRows(arrays, layer);
  auto params = WindowParams<kernels::ConvU8Params>(layer);
  const bool float_output = IsF32(y);
  const float out_scale = float_output ? 1.0f : y.quant.scale[0];
  params.float_output = float_output ? 1 : 0;
  params.chunk_pixels = layer.depthwise() ? 0 : builder.chunk_pixels();
  const ir::RealRange real = ir::ClampRealRange(node.attrs);
  params.act_min = real.min;
  params.act_max = real.max;
  if (!float_output) {
    const QuantRange clamp = ir::ClampRange(node.attrs, y.quant, y.dtype);
    params.out_zero = y.quant.zero_point[0];
    params.clamp_min = clamp.min;
    params.clamp_max = clamp.max;
  }
  if (layer.has_residual) {
    const QuantParams& r = builder.type(node.inputs[3]).quant;
    params.residual_zero = r.zero_point[0];
    params.residual_multiplier = ir::ResidualMultiplier(r, out_scale);
  }
  OMKIT_ASSIGN_OR_RETURN(const std::vector<int32_t> folded, FoldedBias(w, bias, x.quant.zero_point[0], layer.oc));
  const std::vector<float> multipliers = ir::AccumulatorMultipliers(x.quant, w.type().quant, out_scale, layer.oc);
  const Isa isa = builder.isa();
  if (arrays.size() == 1 && kernels::ConvU8GathersTails(isa, layer.ic_per_group, layer.kernel_h, layer.kernel_w, layer.groups)) {
    params.gathers_tails = 1;
    arrays[0] = kernels::GatherConvU8Tails(arrays[0].data(), layer.oc, layer.ic_per_group, layer.kernel_h);
    layer.ic_per_group = kernels::ConvU8TailedChannels(layer.ic_per_group, layer.kernel_h);
    layer.kernel_h = 1;
  }
  std::vector<BlockId> operands = {layer.in.block, builder.AddWeights(PackWeights(isa, layer, arrays[0])), builder.AddWeights(folded),
                                   builder.AddWeights(multipliers), layer.out.block};
  if (layer.has_residual) operands.push_back(layer.residual.block);
  if (layer.table) {
    params.has_table = 1;
    operands.push_back(builder.AddWeights(layer.table->table.data(), layer.table->table.size()));
  }
  if (arrays.size() > 1) {
    const kernels::ConvU8Remainders more = PackRemainders(isa, layer, arrays);
    params.remainders = more.steps;
    operands.push_back(builder.AddWeights(more.packed));
  }
  builder.AddStep(node, layer.depthwise() ? kernels::DwConvU8Kernel(isa) : kernels::ConvU8Kernel(isa), params, operands, operations);
  return absl::OkStatus();
}

// A value per output channel as the float kernels read it.
std::vector<float> ChannelTable(int64_t channels, const std::function<float(int64_t)>& value) {
  std::vector<float> table(RoundUp(channels, kChannelPad), 0.0f);
  for (int64_t c = 0; c < channels; ++c) table[c] = value(c);
  return table;
}

float WeightScale(const Tensor& w, int64_t channel) { return w.type().quant.scale[w.type().quant.per_tensor() ? 0 : channel]; }

// int8 weights as floats: depthwise kernels know no others, and these are few.
std::vector<float> RealWeights(const Tensor& w, int64_t channels) {
  std::vector<float> reals(w.elements());
  const int64_t count = w.elements() / channels;
  for (int64_t i = 0; i < w.elements(); ++i) reals[i] = static_cast<float>(w.data<int8_t>()[i]) * WeightScale(w, i / count);
  return reals;
}

absl::Status LowerF32(const Node& node, const Layer& layer, ProgramBuilder& builder) {
  const Tensor& w = *builder.graph().ConstantInput(node, 1);
  const Tensor* bias = builder.graph().ConstantInput(node, 2);
  auto params = WindowParams<kernels::ConvF32Params>(layer);
  const ir::RealRange real = ir::ClampRealRange(node.attrs);
  params.act_min = real.min;
  params.act_max = real.max;
  const Isa isa = builder.isa();
  const bool int8_weights = w.dtype() == DType::kInt8;
  std::string kernel = kernels::ConvF32Kernel(isa);
  std::vector<uint8_t> packed;
  if (layer.depthwise()) {
    const std::vector<float> widened = int8_weights ? RealWeights(w, layer.oc) : std::vector<float>();
    packed = kernels::PackDwConvF32Weights(isa, int8_weights ? widened.data() : w.data<float>(), layer.oc, layer.kernel_h, layer.kernel_w);
    kernel = kernels::DwConvF32Kernel(isa);
  } else if (w.dtype() == DType::kBFloat16) {
    std::vector<uint16_t> bits(w.elements());
    std::transform(w.data<BFloat16>(), w.data<BFloat16>() + w.elements(), bits.begin(), [](BFloat16 value) { return value.bits; });
    packed = kernels::PackConvBf16Weights(bits.data(), layer.oc, layer.ic_per_group, layer.kernel_h, layer.kernel_w, layer.groups);
    kernel = kernels::ConvBf16Kernel(isa);
  } else if (int8_weights) {
    packed = kernels::PackConvF32W8Weights(isa, w.data<int8_t>(), layer.oc, layer.ic_per_group, layer.kernel_h, layer.kernel_w, layer.groups);
    kernel = kernels::ConvF32W8Kernel(isa);
  } else {
    packed = kernels::PackConvF32Weights(isa, w.data<float>(), layer.oc, layer.ic_per_group, layer.kernel_h, layer.kernel_w, layer.groups);
  }
  const std::vector<float> biases = ChannelTable(layer.oc, [&](int64_t c) { return bias == nullptr ? 0.0f : bias->data<float>()[c]; });
  std::vector<BlockId> operands = {layer.in.block, builder.AddWeights(packed), builder.AddWeights(biases), layer.out.block};
  if (int8_weights && !layer.depthwise()) {
    operands.push_back(builder.AddWeights(ChannelTable(layer.oc, [&](int64_t c) { return WeightScale(w, c); })));
  }
  if (layer.has_residual) operands.push_back(layer.residual.block);
  builder.AddStep(node, kernel, params, operands, layer.operations());
  return absl::OkStatus();
}

bool IsSymmetric(const TensorType& w, DType dtype) {
  const std::vector<int32_t>& zero = w.quant.zero_point;
  return w.dtype == dtype && w.quantized() && std::all_of(zero.begin(), zero.end(), [](int32_t z) { return z == 0; });
}

bool IsDepthwise(const Node& node, const Tensor& w) { return node.attrs.Int("group", 1) > 1 && w.shape().dim(1) == 1; }

// Bias and residual of a float layer.
bool SupportsFloatOperands(const Graph& graph, const Node& node) {
  const bool constant = !HasInput(node, 2) || (graph.ConstantInput(node, 2) != nullptr && IsF32(InputType(graph, node, 2)));
  return constant && (!HasInput(node, 3) || IsF32(InputType(graph, node, 3))) && IsF32(OutputType(graph, node));
}

// Weights, bias and residual of the forms the kernels know.
bool SupportsOperands(const Graph& graph, const Node& node) {
  const TensorType& x = InputType(graph, node, 0);
  const TensorType& y = OutputType(graph, node);
  const Tensor* w = graph.ConstantInput(node, 1);
  if (w == nullptr || w->elements() == 0 || !FitsView(x) || !FitsView(y)) return false;
  if (HasInput(node, 2) && graph.ConstantInput(node, 2) == nullptr) return false;
  const bool residual = HasInput(node, 3);
  if (IsF32(x)) {
    const bool bfloat16 = w->dtype() == DType::kBFloat16 && !IsDepthwise(node, *w);
    return (IsF32(w->type()) || bfloat16 || IsSymmetric(w->type(), DType::kInt8)) && SupportsFloatOperands(graph, node);
  }
  if (!IsU8(x) || !(IsSymmetric(w->type(), DType::kInt8) || IsSymmetric(w->type(), DType::kInt16)) || !(IsU8(y) || IsF32(y))) return false;
  if (HasInput(node, 2) && graph.ConstantInput(node, 2)->dtype() != DType::kInt32) return false;
  return !residual || IsU8(InputType(graph, node, 3));
}

absl::Status LowerLayer(const Node& node, const Layer& layer, ProgramBuilder& builder) {
  return IsF32(builder.type(node.inputs[0])) ? LowerF32(node, layer, builder) : LowerU8(node, layer, builder);
}

// Where the layer writes its result: in the caller's buffer if it can.
Place OutputImage(const Node& node, const Layer& layer, ProgramBuilder& builder) {
  const ir::ValueId result = layer.table ? layer.table->result : node.outputs[0];
  const bool from_u8 = IsU8(builder.type(node.inputs[0])), to_float = IsF32(builder.type(result));
  const bool planes = from_u8 && to_float && !layer.has_residual && !layer.depthwise() &&
                      kernels::ConvU8WritesPlanes(builder.isa(), layer.ic_per_group, layer.groups);
  const std::optional<Place> place = to_float ? builder.PlaceInOutput(result, planes) : std::nullopt;
  return place ? *place : builder.NewImage(result);
}

}  // namespace

bool SupportsConv(const Graph& graph, const Node& node) {
  return InputType(graph, node, 0).shape.rank() == 4 && SupportsOperands(graph, node) && ir::WindowOf(graph, node).ok();
}

bool SupportsBFloat16(const Graph& graph, const Node& node) {
  const TensorType& x = InputType(graph, node, 0);
  const Tensor* w = graph.ConstantInput(node, 1);
  const int rank = x.shape.rank();
  const bool layer = node.op == ir::OpKind::kConv ? rank == 4 : node.op == ir::OpKind::kDense && rank >= 1 && rank <= kernels::kMaxViewRank;
  return layer && w != nullptr && w->elements() > 0 && IsF32(x) && IsF32(w->type()) && !IsDepthwise(node, *w) && SupportsFloatOperands(graph, node);
}

bool SupportsDense(const Graph& graph, const Node& node) {
  const int rank = InputType(graph, node, 0).shape.rank();
  return rank >= 1 && SupportsOperands(graph, node);
}

absl::Status LowerConv(const Node& node, ProgramBuilder& builder) {
  OMKIT_ASSIGN_OR_RETURN(const ir::Window window, ir::WindowOf(builder.graph(), node));
  const Shape& w = builder.type(node.inputs[1]).shape;
  Layer layer;
  layer.oc = w.dim(0);
  layer.ic_per_group = w.dim(1);
  layer.groups = node.attrs.Int("group", 1);
  layer.kernel_h = window.kernel[1];
  layer.kernel_w = window.kernel[2];
  layer.stride_h = window.stride[1];
  layer.stride_w = window.stride[2];
  layer.dilation_h = window.dilation[1];
  layer.dilation_w = window.dilation[2];
  layer.pad_top = window.pad_begin[1];
  layer.pad_left = window.pad_begin[2];
  layer.pixels = builder.type(node.outputs[0]).shape.dim(0) * window.out_size();
  const Halo halo = HaloOf(builder.graph(), node);
  OMKIT_ASSIGN_OR_RETURN(layer.in, ReadsRowRuns(builder.graph(), node) ? builder.RowRuns(node.inputs[0], halo) : builder.Image(node.inputs[0], halo));
  layer.has_residual = HasInput(node, 3);
  if (layer.has_residual) {
    OMKIT_ASSIGN_OR_RETURN(layer.residual, builder.Image(node.inputs[3], {}));
  }
  OMKIT_ASSIGN_OR_RETURN(layer.table, TableOf(node, layer, builder));
  layer.out = OutputImage(node, layer, builder);
  return LowerLayer(node, layer, builder);
}

absl::Status LowerDense(const Node& node, ProgramBuilder& builder) {
  const Shape& w = builder.type(node.inputs[1]).shape;
  Layer layer;
  layer.oc = w.dim(0);
  layer.ic_per_group = w.dim(1);
  OMKIT_ASSIGN_OR_RETURN(layer.in, builder.Rows(node.inputs[0]));
  layer.has_residual = HasInput(node, 3);
  if (layer.has_residual) {
    OMKIT_ASSIGN_OR_RETURN(layer.residual, builder.Rows(node.inputs[3]));
  }
  OMKIT_ASSIGN_OR_RETURN(layer.table, TableOf(node, layer, builder));
  const ir::ValueId result = layer.table ? layer.table->result : node.outputs[0];
  builder.NewPlain(result);
  OMKIT_ASSIGN_OR_RETURN(layer.out, builder.RowsOf(result));
  layer.pixels = layer.out.view.dims[3];
  return LowerLayer(node, layer, builder);
}

}  // namespace omkit::npu_int8
