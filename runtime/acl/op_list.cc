#include "runtime/acl/op_list.h"

#include <algorithm>
#include <cctype>

#include "base/dtype.h"

namespace omkit::acl {
namespace {

// "FLOAT", "FLOAT16", "UINT8": what the aclDataType names say.
std::string TypeText(DType dtype) {
  if (dtype == DType::kFloat32) return "FLOAT";
  if (dtype == DType::kFloat64) return "DOUBLE";
  if (dtype == DType::kBFloat16) return "BF16";
  std::string text = Name(dtype);
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

OpTensors Describe(const runtime::Plan& plan, const std::vector<uint32_t>& list) {
  OpTensors text;
  for (size_t i = 0; i < list.size(); ++i) {
    const runtime::TensorRecord& tensor = plan.tensors[list[i]];
    if (i > 0) {
      text.shapes += ';';
      text.types += ';';
      text.formats += ';';
    }
    for (size_t d = 0; d < tensor.dims.size(); ++d) text.shapes += (d > 0 ? "," : "") + std::to_string(tensor.dims[d]);
    text.types += TypeText(tensor.dtype);
    text.formats += tensor.dims.size() == 4 ? "NCHW" : "ND";
  }
  return text;
}

// The step that does the work gives the operator its name.
OpInfo MakeOp(const runtime::Plan& plan, size_t first, size_t last) {
  size_t main = last;
  for (size_t i = first; i <= last; ++i) {
    if (plan.steps[i].operations > plan.steps[main].operations) main = i;
  }
  OpInfo op;
  op.name = plan.steps[main].node;
  op.type = plan.steps[main].op;
  op.task_type = plan.steps[main].kernel.rfind("reference.", 0) == 0 ? "AI_CPU" : "AI_CORE";
  op.first_step = first;
  op.last_step = last;
  return op;
}

}  // namespace

std::vector<OpInfo> ListOps(const runtime::Plan& plan) {
  std::vector<OpInfo> ops;
  size_t next = 0;
  const auto singles = [&](size_t end) {
    for (; next < end; ++next) ops.push_back(MakeOp(plan, next, next));
  };
  for (size_t i = 0; i < plan.layers.size(); ++i) {
    const runtime::Layer& layer = plan.layers[i];
    singles(layer.first_step);
    if (layer.last_step < next) continue;
    ops.push_back(MakeOp(plan, next, layer.last_step));
    ops.back().layer = static_cast<int32_t>(i);
    ops.back().inputs = Describe(plan, layer.inputs);
    ops.back().outputs = Describe(plan, layer.outputs);
    next = layer.last_step + 1;
  }
  singles(plan.steps.size());
  return ops;
}

}  // namespace omkit::acl
