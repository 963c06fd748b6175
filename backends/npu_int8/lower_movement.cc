#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "backends/kernels/copy/copy.h"
#include "backends/kernels/gather/gather.h"
#include "backends/kernels/resize/resize.h"
#include "backends/npu_int8/lower.h"
#include "backends/npu_int8/types.h"
#include "base/status.h"
#include "ir/op.h"

namespace omkit::npu_int8 {
namespace {

using ir::Graph;
using ir::Node;
using ir::ValueId;
using kernels::View;

// Movement on bytes is right when quantization does not change on the way.
bool SameParams(const Graph& graph, const Node& node) {
  const TensorType& x = InputType(graph, node, 0);
  for (ValueId v : node.outputs) {
    if (graph.value(v).type.quant != x.quant || graph.value(v).type.dtype != x.dtype) return false;
  }
  return true;
}

bool Movable(const Graph& graph, const Node& node) {
  const TensorType& x = InputType(graph, node, 0);
  return FitsView(x) && FitsView(OutputType(graph, node)) && SameParams(graph, node);
}

absl::Status AddCopy(const Node& node, const Place& from, View from_view, const Place& to, View to_view, ProgramBuilder& builder) {
  kernels::CopyParams params{from_view, to_view};
  if (!CollapseViews({&params.in, &params.out})) return absl::UnimplementedError("too many separate dimensions to copy");
  builder.AddStep(node, kernels::CopyKernel(builder.isa()), params, {from.block, to.block});
  return absl::OkStatus();
}

View DenseViewOf(const TensorType& type, int64_t offset) {
  View view = kernels::DenseView(type.shape.vec().data(), type.shape.rank(), static_cast<int>(SizeOf(type.dtype)));
  view.offset = offset;
  return view;
}

// Starts and steps per axis of a Slice whose parameters are constant; starts are clamped as ONNX Slice 13 says.
struct Window {
  std::vector<int64_t> start, step;
};

absl::StatusOr<Window> SliceWindow(const Graph& graph, const Node& node) {
  const Shape& shape = InputType(graph, node, 0).shape;
  Window window{std::vector<int64_t>(shape.rank(), 0), std::vector<int64_t>(shape.rank(), 1)};
  OMKIT_ASSIGN_OR_RETURN(const std::vector<int64_t> starts, IntegerValues(*graph.ConstantInput(node, 1)));
  std::vector<int64_t> axes(starts.size());
  for (size_t i = 0; i < axes.size(); ++i) axes[i] = static_cast<int64_t>(i);
  if (HasInput(node, 3)) {
    OMKIT_ASSIGN_OR_RETURN(axes, IntegerValues(*graph.ConstantInput(node, 3)));
  }
  std::vector<int64_t> steps(starts.size(), 1);
  if (HasInput(node, 4)) {
    OMKIT_ASSIGN_OR_RETURN(steps, IntegerValues(*graph.ConstantInput(node, 4)));
  }
  for (size_t i = 0; i < starts.size(); ++i) {
    OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(axes[i], shape.rank()));
    const int64_t dim = shape.dim(axis);
    const int64_t start = starts[i] < 0 ? starts[i] + dim : starts[i];
    window.step[axis] = steps[i];
    window.start[axis] = steps[i] > 0 ? std::clamp<int64_t>(start, 0, dim) : std::clamp<int64_t>(start, 0, dim - 1);
  }
  return window;
}

bool ConstantInputsFrom(const Graph& graph, const Node& node, int first) {
  for (int i = first; i < static_cast<int>(node.inputs.size()); ++i) {
    if (HasInput(node, i) && graph.ConstantInput(node, i) == nullptr) return false;
  }
  return true;
}

}  // namespace

bool SupportsReshape(const Graph& graph, const Node& node) { return Movable(graph, node); }

absl::Status LowerReshape(const Node& node, ProgramBuilder& builder) {
  Place out;
  OMKIT_ASSIGN_OR_RETURN(const Place as_is, builder.At(node.inputs[0]));
  if (!IsDense(as_is.view) && ReshapeView(as_is.view, builder.type(node.outputs[0]).shape, &out.view)) {
    out.block = as_is.block;
    builder.Bind(node.outputs[0], out);
    return absl::OkStatus();
  }
  OMKIT_ASSIGN_OR_RETURN(const Place in, builder.Plain(node.inputs[0]));
  out.block = in.block;
  out.view = DenseViewOf(builder.type(node.outputs[0]), in.view.offset);
  builder.Bind(node.outputs[0], out);
  return absl::OkStatus();
}

bool SupportsTranspose(const Graph& graph, const Node& node) { return Movable(graph, node); }

absl::Status LowerTranspose(const Node& node, ProgramBuilder& builder) {
  OMKIT_ASSIGN_OR_RETURN(const Place in, builder.At(node.inputs[0]));
  std::vector<int64_t> perm = node.attrs.Ints("perm");
  if (perm.empty()) {
    for (int i = in.view.rank - 1; i >= 0; --i) perm.push_back(i);
  }
  Place out;
  out.block = in.block;
  out.view = in.view;
  for (int i = 0; i < in.view.rank; ++i) {
    out.view.dims[i] = in.view.dims[perm[i]];
    out.view.strides[i] = in.view.strides[perm[i]];
  }
  builder.Bind(node.outputs[0], out);
  return absl::OkStatus();
}

bool SupportsConcat(const Graph& graph, const Node& node) {
  const TensorType& y = OutputType(graph, node);
  if (!FitsView(y)) return false;
  for (ValueId v : node.inputs) {
    const TensorType& x = graph.value(v).type;
    if (x.dtype != y.dtype || x.quant != y.quant || x.shape.rank() > kernels::kMaxViewRank) return false;
  }
  return true;
}

absl::Status LowerConcat(const Node& node, ProgramBuilder& builder) {
  OMKIT_ASSIGN_OR_RETURN(const Place first, builder.At(node.inputs[0]));
  const Place out = builder.NewLike(node.outputs[0], first);
  OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(node.attrs.Int("axis", 0), out.view.rank));
  View part = out.view;
  for (ValueId v : node.inputs) {
    const int64_t length = builder.type(v).shape.dim(axis);
    part.dims[axis] = length;
    if (builder.type(v).shape.elements() > 0) {
      OMKIT_ASSIGN_OR_RETURN(const Place in, builder.At(v));
      const bool made_in_place = in.block == out.block && in.view.offset == part.offset;
      if (!made_in_place) OMKIT_RETURN_IF_ERROR(AddCopy(node, in, in.view, out, part, builder));
    }
    part.offset += length * part.strides[axis];
  }
  return absl::OkStatus();
}

bool SupportsSlice(const Graph& graph, const Node& node) {
  return Movable(graph, node) && ConstantInputsFrom(graph, node, 1) && SliceWindow(graph, node).ok();
}

absl::Status LowerSlice(const Node& node, ProgramBuilder& builder) {
  OMKIT_ASSIGN_OR_RETURN(const Window window, SliceWindow(builder.graph(), node));
  OMKIT_ASSIGN_OR_RETURN(const Place in, builder.At(node.inputs[0]));
  Place out;
  out.block = in.block;
  out.view = in.view;
  for (int i = 0; i < in.view.rank; ++i) {
    out.view.offset += window.start[i] * in.view.strides[i];
    out.view.strides[i] = in.view.strides[i] * window.step[i];
    out.view.dims[i] = builder.type(node.outputs[0]).shape.dim(i);
  }
  builder.Bind(node.outputs[0], out);
  return absl::OkStatus();
}

bool SupportsSplit(const Graph& graph, const Node& node) {
  for (ValueId v : node.outputs) {
    if (!FitsView(graph.value(v).type)) return false;
  }
  return Movable(graph, node);
}

absl::Status LowerSplit(const Node& node, ProgramBuilder& builder) {
  OMKIT_ASSIGN_OR_RETURN(const Place in, builder.At(node.inputs[0]));
  OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(node.attrs.Int("axis", 0), in.view.rank));
  Place part;
  part.block = in.block;
  part.view = in.view;
  if (axis == 1) part.halo = in.halo;
  for (ValueId v : node.outputs) {
    const int64_t length = builder.type(v).shape.dim(axis);
    part.view.dims[axis] = length;
    builder.Bind(v, part);
    part.view.offset += length * part.view.strides[axis];
  }
  return absl::OkStatus();
}

bool SupportsPad(const Graph& graph, const Node& node) {
  if (!Movable(graph, node) || !ConstantInputsFrom(graph, node, 1) || HasInput(node, 3)) return false;
  if (node.attrs.String("mode", "constant") != "constant" || InputType(graph, node, 0).shape.rank() > 4) return false;
  const Tensor& pads = *graph.ConstantInput(node, 1);
  for (int64_t i = 0; i < pads.elements(); ++i) {
    if (IntegerAt(pads, i) < 0) return false;
  }
  return true;
}

absl::Status LowerPad(const Node& node, ProgramBuilder& builder) {
  const TensorType& type = builder.type(node.outputs[0]);
  OMKIT_ASSIGN_OR_RETURN(const Place in, builder.At(node.inputs[0]));
  const Place out = builder.NewLike(node.outputs[0], in);
  const int rank = type.shape.rank();
  OMKIT_ASSIGN_OR_RETURN(const std::vector<int64_t> pads, IntegerValues(*builder.graph().ConstantInput(node, 1)));

  kernels::FillParams fill{};
  fill.out = out.view;
  if (type.quantized()) {
    const QuantParams& q = type.quant;
    const QuantRange range = RangeOf(type.dtype);
    const float value = HasInput(node, 2) ? static_cast<float>(RealAt(*builder.graph().ConstantInput(node, 2), 0)) : 0.0f;
    fill.value = static_cast<uint8_t>(QuantizeValue(value, q.scale[0], q.zero_point[0], range.min, range.max));
  } else if (HasInput(node, 2)) {
    const Tensor& value = *builder.graph().ConstantInput(node, 2);
    std::memcpy(&fill.value, value.raw(), SizeOf(value.dtype()));
  }
  builder.AddStep(node, kernels::FillKernel(builder.isa()), fill, {out.block});
  View inner = out.view;
  for (int i = 0; i < rank; ++i) {
    inner.offset += pads[i] * out.view.strides[i];
    inner.dims[i] = in.view.dims[i];
  }
  return AddCopy(node, in, in.view, out, inner, builder);
}

bool SupportsExpand(const Graph& graph, const Node& node) { return Movable(graph, node); }

absl::Status LowerExpand(const Node& node, ProgramBuilder& builder) {
  OMKIT_ASSIGN_OR_RETURN(const Place in, builder.At(node.inputs[0]));
  Place out;
  out.block = in.block;
  out.view = BroadcastView(in, builder.type(node.outputs[0]).shape);
  builder.Bind(node.outputs[0], out);
  return absl::OkStatus();
}

bool SupportsGather(const Graph& graph, const Node& node) {
  const TensorType& indices = InputType(graph, node, 1);
  // Runtime indices stay with the reference, which reports one that is out of range.
  return Movable(graph, node) && graph.ConstantInput(node, 1) != nullptr && (indices.dtype == DType::kInt64 || indices.dtype == DType::kInt32) &&
         indices.shape.elements() > 0;
}

absl::Status LowerGather(const Node& node, ProgramBuilder& builder) {
  const Tensor& indices = *builder.graph().ConstantInput(node, 1);
  const TensorType& x = builder.type(node.inputs[0]);
  OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(node.attrs.Int("axis", 0), x.shape.rank()));
  const int64_t length = x.shape.dim(axis);
  for (int64_t i = 0; i < indices.elements(); ++i) {
    const int64_t index = IntegerAt(indices, i);
    if (index < -length || index >= length)
      return absl::InvalidArgumentError(absl::StrCat("index ", index, " is outside axis ", axis, " of length ", length));
  }
  OMKIT_ASSIGN_OR_RETURN(const Place in, builder.At(node.inputs[0]));
  if (indices.elements() == 1) {
    // One slice is a window, not a copy.
    const int64_t index = IntegerAt(indices, 0) < 0 ? IntegerAt(indices, 0) + length : IntegerAt(indices, 0);
    Place out;
    out.block = in.block;
    out.view.element_size = in.view.element_size;
    out.view.offset = in.view.offset + index * in.view.strides[axis];
    for (int i = 0; i < in.view.rank; ++i) {
      const int repeats = i == axis ? indices.shape().rank() : 1;
      for (int k = 0; k < repeats; ++k) {
        out.view.dims[out.view.rank] = i == axis ? 1 : in.view.dims[i];
        out.view.strides[out.view.rank] = i == axis ? 0 : in.view.strides[i];
        ++out.view.rank;
      }
    }
    builder.Bind(node.outputs[0], out);
    return absl::OkStatus();
  }
  OMKIT_ASSIGN_OR_RETURN(const Place whole, builder.WholeBlock(node.inputs[0]));
  kernels::GatherParams params{
      1, length, 1, indices.elements(), static_cast<int32_t>(SizeOf(x.dtype)), static_cast<int32_t>(SizeOf(indices.dtype()))};
  for (int i = 0; i < x.shape.rank(); ++i) {
    if (i < axis) params.outer *= x.shape.dim(i);
    if (i > axis) params.inner *= x.shape.dim(i);
  }
  const Place out = builder.NewPlain(node.outputs[0]);
  builder.AddStep(node, kernels::GatherKernel(builder.isa()), params, {whole.block, builder.AddWeights(indices.raw(), indices.bytes()), out.block});
  return absl::OkStatus();
}

namespace {

// An image of `blocks` x `blocks` places per pixel, and the same elements with one channel per place, as views of equal dims
// [N, C, place row, place column, H, W].
View ByPlace(const View& spread, int64_t blocks) {
  View view = spread;
  view.rank = 6;
  const int64_t dims[] = {spread.dims[0], spread.dims[1], blocks, blocks, spread.dims[2] / blocks, spread.dims[3] / blocks};
  const int64_t strides[] = {spread.strides[0], spread.strides[1],          spread.strides[2],
                             spread.strides[3], spread.strides[2] * blocks, spread.strides[3] * blocks};
  std::copy(dims, dims + 6, view.dims);
  std::copy(strides, strides + 6, view.strides);
  return view;
}
View ByChannel(const View& deep, int64_t blocks, bool channels_first) {
  View view = deep;
  view.rank = 6;
  const int64_t channels = deep.dims[1] / (blocks * blocks), step = deep.strides[1];
  const int64_t place = channels_first ? step : step * channels;
  const int64_t dims[] = {deep.dims[0], channels, blocks, blocks, deep.dims[2], deep.dims[3]};
  const int64_t strides[] = {deep.strides[0], channels_first ? step * blocks * blocks : step, place * blocks, place, deep.strides[2],
                             deep.strides[3]};
  std::copy(dims, dims + 6, view.dims);
  std::copy(strides, strides + 6, view.strides);
  return view;
}

}  // namespace

bool SupportsDepthToSpace(const Graph& graph, const Node& node) { return Movable(graph, node); }

absl::Status LowerDepthToSpace(const Node& node, ProgramBuilder& builder) {
  const int64_t blocks = node.attrs.Int("blocksize", 1);
  OMKIT_ASSIGN_OR_RETURN(const Place in, builder.At(node.inputs[0]));
  const Place out = builder.NewLike(node.outputs[0], in);
  return AddCopy(node, in, ByChannel(in.view, blocks, node.attrs.String("mode", "DCR") == "CRD"), out, ByPlace(out.view, blocks), builder);
}

absl::Status LowerSpaceToDepth(const Node& node, ProgramBuilder& builder) {
  const int64_t blocks = node.attrs.Int("blocksize", 1);
  OMKIT_ASSIGN_OR_RETURN(const Place in, builder.At(node.inputs[0]));
  const Place out = builder.NewLike(node.outputs[0], in);
  return AddCopy(node, in, ByPlace(in.view, blocks), out, ByChannel(out.view, blocks, false), builder);
}

namespace {

// Where the samples of one axis come from, read off the operator's reference meaning: a ramp resized along that axis alone gives the
// (fractional) source coordinate of every output.
absl::StatusOr<std::vector<double>> SourceCoordinates(const Graph& graph, const Node& node, int axis) {
  const Shape& in = InputType(graph, node, 0).shape;
  const Shape& out = OutputType(graph, node).shape;
  OMKIT_ASSIGN_OR_RETURN(Tensor ramp, Tensor::Allocate(DType::kFloat32, in));
  OMKIT_ASSIGN_OR_RETURN(Tensor resized, Tensor::Allocate(DType::kFloat32, out));
  const std::vector<int64_t> in_strides = in.Strides();
  for (int64_t i = 0; i < ramp.elements(); ++i) ramp.mutable_data<float>()[i] = static_cast<float>(i / in_strides[axis] % in.dim(axis));
  std::vector<const Tensor*> inputs = {&ramp};
  for (int i = 1; i < static_cast<int>(node.inputs.size()); ++i) inputs.push_back(graph.ConstantInput(node, i));
  std::vector<Tensor*> outputs = {&resized};
  OMKIT_RETURN_IF_ERROR(ir::EvalOp(node.op, {node.attrs, inputs, outputs}));
  std::vector<double> coordinates;
  const int64_t stride = out.Strides()[axis];
  for (int64_t i = 0; i < out.dim(axis); ++i) coordinates.push_back(resized.data<float>()[i * stride]);
  return coordinates;
}

kernels::ResizeQuant QuantOf(const TensorType& type) {
  return type.quantized() ? kernels::ResizeQuant{type.quant.scale[0], type.quant.zero_point[0]} : kernels::ResizeQuant{1.0f, 0};
}

// The Quantize to bytes that alone reads the node's result.
const Node* QuantizeBehind(const Graph& graph, const Node& node) {
  const Node* user = graph.OnlyUser(node.outputs[0]);
  return user != nullptr && user->op == ir::OpKind::kQuantize && IsU8(OutputType(graph, *user)) && !graph.IsOutput(user->outputs[0]) ? user : nullptr;
}

}  // namespace

bool SupportsResize(const Graph& graph, const Node& node) {
  const TensorType& x = InputType(graph, node, 0);
  const std::string mode = node.attrs.String("mode", "nearest");
  if (!Movable(graph, node) || !ConstantInputsFrom(graph, node, 1) || x.shape.rank() != 4) return false;
  if (node.attrs.Int("antialias", 0) != 0 || node.attrs.String("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize") return false;
  const Shape& y = OutputType(graph, node).shape;
  const bool spatial_only = x.shape.dim(0) == y.dim(0) && x.shape.dim(1) == y.dim(1);
  return mode == "nearest" || (mode == "linear" && spatial_only && IsF32(x));
}

absl::Status LowerResize(const Node& node, ProgramBuilder& builder) {
  const Shape& x = builder.type(node.inputs[0]).shape;
  const Shape& y = builder.type(node.outputs[0]).shape;
  const bool linear = node.attrs.String("mode", "nearest") == "linear";
  const Node* dequantize = DequantizeInside(builder.graph(), node);
  const Node* quantize = linear ? QuantizeBehind(builder.graph(), node) : nullptr;
  const ValueId source = dequantize != nullptr ? dequantize->inputs[0] : node.inputs[0];
  const ValueId target = quantize != nullptr ? quantize->outputs[0] : node.outputs[0];
  OMKIT_ASSIGN_OR_RETURN(const Place in, builder.At(source));
  const Place out = builder.NewLike(target, in);
  std::vector<BlockId> operands = {in.block, out.block};
  if (!linear) {
    const std::vector<int> order = PhysicalOrder(out.view);
    kernels::ResizeNearestParams params{Permuted(in.view, order), Permuted(out.view, order), 0};
    for (size_t i = 0; i < order.size(); ++i) {
      const int axis = order[i];
      if (x.dim(axis) == y.dim(axis)) continue;
      OMKIT_ASSIGN_OR_RETURN(const std::vector<double> coordinates, SourceCoordinates(builder.graph(), node, axis));
      std::vector<int32_t> table;
      for (double c : coordinates) table.push_back(static_cast<int32_t>(std::lround(c)));
      operands.push_back(builder.AddWeights(table));
      params.axes |= 1u << i;
    }
    if (params.axes == 0) return AddCopy(node, in, in.view, out, out.view, builder);
    builder.AddStep(node, kernels::ResizeNearestKernel(builder.isa()), params, operands);
    return absl::OkStatus();
  }
  for (int axis = 2; axis < 4; ++axis) {
    OMKIT_ASSIGN_OR_RETURN(const std::vector<double> coordinates, SourceCoordinates(builder.graph(), node, axis));
    const size_t n = coordinates.size();
    std::vector<uint32_t> table(3 * n);
    for (size_t i = 0; i < n; ++i) {
      const auto last = static_cast<int32_t>(x.dim(axis) - 1);
      const int32_t low = std::clamp(static_cast<int32_t>(std::floor(coordinates[i])), 0, last);
      const int32_t high = std::min(low + 1, last);
      const auto weight = static_cast<float>(std::clamp(coordinates[i] - low, 0.0, 1.0));
      std::memcpy(&table[i], &low, sizeof low);
      std::memcpy(&table[n + i], &high, sizeof high);
      std::memcpy(&table[2 * n + i], &weight, sizeof weight);
    }
    operands.push_back(builder.AddWeights(table));
  }
  const std::vector<int> order = PhysicalOrder(out.view);
  const auto position = [&](int axis) { return static_cast<int>(std::find(order.begin(), order.end(), axis) - order.begin()); };
  const kernels::ResizeLinearParams params{Permuted(in.view, order),      Permuted(out.view, order),    position(2), position(3),
                                           QuantOf(builder.type(source)), QuantOf(builder.type(target))};
  if (params.axis_y > params.axis_x) return absl::InternalError("columns lie further apart than rows");
  builder.AddStep(node, kernels::ResizeLinearKernel(builder.isa()), params, operands);
  return absl::OkStatus();
}

}  // namespace omkit::npu_int8
