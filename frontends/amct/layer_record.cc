#include "frontends/amct/layer_record.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace omkit::frontends {
namespace {

constexpr int kSigned = 128;  // omkit's activations are uint8, AMCT's int8

absl::Status CheckScale(const char* what, float scale) {
  if (std::isfinite(scale) && std::isnormal(scale) && scale > 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(what, " is ", scale, "; a finite, normal, positive number is needed"));
}

}  // namespace

absl::StatusOr<amct::ScaleOffsetRecord> RecordOf(const ir::Graph& graph) {
  OMKIT_ASSIGN_OR_RETURN(const std::vector<ir::NodeId> order, graph.TopologicalOrder());
  amct::ScaleOffsetRecord record;
  for (ir::NodeId id : order) {
    const ir::Node& node = graph.node(id);
    if (node.op != ir::OpKind::kConv && node.op != ir::OpKind::kDense) continue;
    const TensorType& x = graph.value(node.inputs[0]).type;
    const TensorType& w = graph.value(node.inputs[1]).type;
    if (!x.quantized() || !w.quantized()) continue;
    amct::MapFiledEntry* entry = record.add_record();
    entry->set_key(node.name);
    amct::SingleLayerRecord* layer = entry->mutable_value();
    layer->set_scale_d(x.quant.scale[0]);
    layer->set_offset_d(x.quant.zero_point[0] - (x.dtype == DType::kUInt8 ? kSigned : 0));
    for (const float scale : w.quant.scale) {
      layer->add_scale_w(scale);
      layer->add_offset_w(0);
    }
    layer->set_dst_type("INT8");
  }
  return record;
}

absl::StatusOr<DataRange> RangeOf(const amct::SingleLayerRecord& record) {
  if (!record.has_scale_d()) return absl::InvalidArgumentError("scale_d is missing");
  OMKIT_RETURN_IF_ERROR(CheckScale("scale_d", record.scale_d()));
  const int offset = record.offset_d();
  if (offset < -128 || offset > 127) return absl::InvalidArgumentError(absl::StrCat("offset_d is ", offset, ", outside [-128, 127]"));
  for (const float scale : record.scale_w()) OMKIT_RETURN_IF_ERROR(CheckScale("scale_w", scale));
  for (const int o : record.offset_w()) {
    if (o != 0) return absl::InvalidArgumentError(absl::StrCat("offset_w is ", o, "; weights are symmetric, so it must be 0"));
  }
  for (const std::string& type : {record.dst_type(), record.act_type(), record.wts_type()}) {
    if (!type.empty() && type != "INT8") return absl::InvalidArgumentError(absl::StrCat("type ", type, "; only INT8 is supported"));
  }
  return DataRange{static_cast<float>(-128 - offset) * record.scale_d(), static_cast<float>(127 - offset) * record.scale_d()};
}

}  // namespace omkit::frontends
