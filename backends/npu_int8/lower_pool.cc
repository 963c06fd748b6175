#include "backends/kernels/pool_f32/pool_f32.h"
#include "backends/kernels/pool_u8/pool_u8.h"
#include "backends/npu_int8/lower.h"
#include "backends/npu_int8/types.h"
#include "base/status.h"
#include "ir/ops/window.h"

namespace omkit::npu_int8 {
namespace {

using ir::Graph;
using ir::Node;
using ir::OpKind;

bool IsGlobal(const Node& node) { return node.op == OpKind::kGlobalAveragePool || node.op == OpKind::kGlobalMaxPool; }
bool IsAverage(const Node& node) { return node.op == OpKind::kGlobalAveragePool || node.op == OpKind::kAveragePool; }

template <typename Params>
absl::StatusOr<Params> WindowParams(const Node& node, const ProgramBuilder& builder, const Place& in, const Place& out) {
  Params p{};
  p.in = Nhwc(in);
  p.out = Nhwc(out);
  p.kernel_h = static_cast<int32_t>(p.in.dims[1]);
  p.kernel_w = static_cast<int32_t>(p.in.dims[2]);
  p.stride_h = p.stride_w = p.dilation_h = p.dilation_w = 1;
  if (!IsGlobal(node)) {
    OMKIT_ASSIGN_OR_RETURN(const ir::Window window, ir::WindowOf(builder.graph(), node));
    p.kernel_h = static_cast<int32_t>(window.kernel[1]);
    p.kernel_w = static_cast<int32_t>(window.kernel[2]);
    p.stride_h = static_cast<int32_t>(window.stride[1]);
    p.stride_w = static_cast<int32_t>(window.stride[2]);
    p.dilation_h = static_cast<int32_t>(window.dilation[1]);
    p.dilation_w = static_cast<int32_t>(window.dilation[2]);
    p.pad_top = static_cast<int32_t>(window.pad_begin[1]);
    p.pad_left = static_cast<int32_t>(window.pad_begin[2]);
    p.pad_bottom = static_cast<int32_t>(window.pad_end[1]);
    p.pad_right = static_cast<int32_t>(window.pad_end[2]);
  }
  p.average = IsAverage(node) ? 1 : 0;
  p.count_include_pad = static_cast<int32_t>(node.attrs.Int("count_include_pad", 0) != 0);
  return p;
}

}  // namespace

bool SupportsPool(const Graph& graph, const Node& node) {
  const TensorType& x = InputType(graph, node, 0);
  const TensorType& y = OutputType(graph, node);
  if (node.outputs.size() > 1 || x.shape.rank() != 4 || !FitsView(x) || !FitsView(y)) return false;
  if (!IsGlobal(node) && !ir::WindowOf(graph, node).ok()) return false;
  if (IsF32(x)) return IsF32(y);
  return IsU8(x) && IsU8(y) && (IsAverage(node) || x.quant == y.quant);
}

absl::Status LowerPool(const Node& node, ProgramBuilder& builder) {
  OMKIT_ASSIGN_OR_RETURN(const Place in, builder.Image(node.inputs[0], {}));
  const Place out = builder.NewImage(node.outputs[0]);
  const TensorType& x = builder.type(node.inputs[0]);
  if (IsF32(x)) {
    OMKIT_ASSIGN_OR_RETURN(const auto params, WindowParams<kernels::PoolF32Params>(node, builder, in, out));
    builder.AddStep(node, kernels::PoolF32Kernel(builder.isa()), params, {in.block, out.block});
    return absl::OkStatus();
  }
  const TensorType& y = builder.type(node.outputs[0]);
  OMKIT_ASSIGN_OR_RETURN(auto params, WindowParams<kernels::PoolU8Params>(node, builder, in, out));
  params.in_zero = x.quant.zero_point[0];
  params.out_zero = y.quant.zero_point[0];
  params.in_scale = x.quant.scale[0];
  params.out_scale = y.quant.scale[0];
  builder.AddStep(node, kernels::PoolU8Kernel(builder.isa()), params, {in.block, out.block});
  return absl::OkStatus();
}

}  // namespace omkit::npu_int8
