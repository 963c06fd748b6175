#include <algorithm>

#include "backends/aipp/aipp.h"
#include "backends/kernels/aipp/aipp.h"
#include "base/aipp.h"
#include "base/status.h"
#include "ir/op.h"

namespace omkit::aipp {
namespace {

using ir::OpKind;

// Convolutions read images; everything else reads rows.
bool ReadByConv(const ir::Graph& graph, ir::ValueId v) {
  const std::vector<ir::Use> uses = graph.Uses(v);
  return std::any_of(uses.begin(), uses.end(), [&](const ir::Use& use) { return graph.node(use.node).op == OpKind::kConv; });
}

// Three channels in four bytes, when the fourth is not another operand's of a concatenation.
bool HasSpareByte(const ir::Graph& graph, ir::ValueId v, const Place& place) {
  const std::vector<ir::Use> uses = graph.Uses(v);
  const bool joined = std::any_of(uses.begin(), uses.end(), [&](const ir::Use& use) { return graph.node(use.node).op == OpKind::kConcat; });
  return !joined && place.view.element_size == 1 && place.view.dims[1] == 3 && place.view.strides[1] == 1 && place.view.strides[3] == 4;
}

class Aipp : public Backend {
 public:
  const char* name() const override { return "aipp"; }

  bool Supports(const ir::Graph& graph, const ir::Node& node) const override {
    if (node.op != OpKind::kAipp) return false;
    const TensorType& y = graph.value(node.outputs[0]).type;
    return y.dtype == DType::kFloat32 || (y.dtype == DType::kUInt8 && (!y.quantized() || y.quant.per_tensor()));
  }

  bool SupportsInt8(const ir::Graph&, const ir::Node&) const override { return false; }

  absl::Status Lower(const ir::Node& node, ProgramBuilder& builder) const override {
    OMKIT_ASSIGN_OR_RETURN(const Stage stage, FromText(node.attrs.String("stage", "")));
    const ir::ValueId v = node.outputs[0];
    const TensorType& y = builder.type(v);
    const bool image = !builder.graph().IsOutput(v) && (y.quantized() || ReadByConv(builder.graph(), v));
    const Place out = image ? builder.NewImage(v) : builder.NewPlain(v);
    kernels::AippParams params{};
    params.out = Nhwc(out);
    params.spec = stage.spec;
    params.dynamic = stage.dynamic ? 1 : 0;
    params.max_src_image_size = stage.max_src_image_size;
    params.output = y.dtype == DType::kFloat32 ? kernels::AippOutput::kFloat
                    : y.quantized()            ? kernels::AippOutput::kU8
                                               : kernels::AippOutput::kPixels;
    if (y.quantized()) {
      params.scale = y.quant.scale[0];
      params.zero_point = y.quant.zero_point[0];
    }
    params.spare_byte = HasSpareByte(builder.graph(), v, out) ? 1 : 0;
    std::vector<BlockId> operands;
    for (const ir::ValueId input : node.inputs) {
      OMKIT_ASSIGN_OR_RETURN(const Place place, builder.WholeBlock(input));
      operands.push_back(place.block);
    }
    operands.push_back(out.block);
    builder.AddStep(node, kernels::AippKernel(builder.isa(), stage.dynamic), params, operands);
    return absl::OkStatus();
  }
};

}  // namespace

const Backend& AippBackend() {
  static const auto* const backend = new Aipp;
  return *backend;
}

}  // namespace omkit::aipp
