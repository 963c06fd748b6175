// Adapters of operators that move or select data, where later opsets turned attributes into inputs.
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "frontends/onnx/adapters.h"

namespace omkit::frontends::adapters {
namespace {

absl::Status ExactInputs(const OnnxNode& node, int count) {
  if (static_cast<int>(node.inputs.size()) == count) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("has ", node.inputs.size(), " inputs; opset ", node.opset, " has ", count));
}

absl::Status NeedInputs(const OnnxNode& node, int count) {
  for (int i = 0; i < count; ++i) {
    if (!node.has_input(i)) return absl::InvalidArgumentError(absl::StrCat("input ", i, " is required from this opset on but left out"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<int64_t>> TakeInts(OnnxNode& node, absl::string_view name) {
  if (!node.attrs.Has(name)) return absl::InvalidArgumentError(absl::StrCat("attribute '", name, "' is missing"));
  std::vector<int64_t> values = node.attrs.Ints(name);
  node.attrs.Erase(name);
  return values;
}

// A scalar of the element type of input 0; float32 while that is not known.
Tensor ScalarLikeInput(const OnnxNode& node, float value) {
  switch (node.dtype(0)) {
    case DType::kFloat16: return Tensor::Scalar<Float16>(ToFloat16(value));
    case DType::kBFloat16: return Tensor::Scalar<BFloat16>(ToBFloat16(value));
    case DType::kFloat64: return Tensor::Scalar<double>(value);
    default: return Tensor::Scalar<float>(value);
  }
}

}  // namespace

absl::Status Direct(OnnxNode& node) {
  node.Emit();
  return absl::OkStatus();
}

absl::Status AxesToInput(OnnxNode& node) {
  const bool unsqueeze = node.kind == ir::OpKind::kUnsqueeze;
  const int axes_input_since = unsqueeze || node.kind == ir::OpKind::kSqueeze || node.kind == ir::OpKind::kReduceSum ? 13 : 18;
  if (node.opset < axes_input_since) {
    OMKIT_RETURN_IF_ERROR(ExactInputs(node, 1));
    if (unsqueeze || node.attrs.Has("axes")) {
      OMKIT_ASSIGN_OR_RETURN(const std::vector<int64_t> axes, TakeInts(node, "axes"));
      node.SetInput(1, node.Constant("axes", axes));
    }
  }
  if (unsqueeze) OMKIT_RETURN_IF_ERROR(NeedInputs(node, 2));
  return Direct(node);
}

absl::Status Clip(OnnxNode& node) {
  if (node.opset < 11) {
    OMKIT_RETURN_IF_ERROR(ExactInputs(node, 1));
    const char* const names[] = {"min", "max"};
    for (int i = 0; i < 2; ++i) {
      if (!node.attrs.Has(names[i])) continue;
      node.SetInput(1 + i, node.Constant(names[i], ScalarLikeInput(node, node.attrs.Float(names[i], 0))));
      node.attrs.Erase(names[i]);
    }
  }
  return Direct(node);
}

absl::Status Slice(OnnxNode& node) {
  if (node.opset < 10) {
    OMKIT_RETURN_IF_ERROR(ExactInputs(node, 1));
    OMKIT_ASSIGN_OR_RETURN(const std::vector<int64_t> starts, TakeInts(node, "starts"));
    OMKIT_ASSIGN_OR_RETURN(const std::vector<int64_t> ends, TakeInts(node, "ends"));
    node.SetInput(1, node.Constant("starts", starts));
    node.SetInput(2, node.Constant("ends", ends));
    if (node.attrs.Has("axes")) {
      OMKIT_ASSIGN_OR_RETURN(const std::vector<int64_t> axes, TakeInts(node, "axes"));
      node.SetInput(3, node.Constant("axes", axes));
    }
  }
  OMKIT_RETURN_IF_ERROR(NeedInputs(node, 3));
  return Direct(node);
}

absl::Status Pad(OnnxNode& node) {
  if (node.opset < 11) {
    OMKIT_RETURN_IF_ERROR(ExactInputs(node, 1));
    OMKIT_ASSIGN_OR_RETURN(const std::vector<int64_t> pads, TakeInts(node, "pads"));
    node.SetInput(1, node.Constant("pads", pads));
    if (node.attrs.Has("value")) {
      node.SetInput(2, node.Constant("value", ScalarLikeInput(node, node.attrs.Float("value", 0))));
      node.attrs.Erase("value");
    }
  }
  OMKIT_RETURN_IF_ERROR(NeedInputs(node, 2));
  return Direct(node);
}

absl::Status Split(OnnxNode& node) {
  const int64_t outputs = static_cast<int64_t>(node.outputs.size());
  if (node.opset < 13) {
    OMKIT_RETURN_IF_ERROR(ExactInputs(node, 1));
    if (node.attrs.Has("split")) {
      OMKIT_ASSIGN_OR_RETURN(const std::vector<int64_t> sizes, TakeInts(node, "split"));
      node.SetInput(1, node.Constant("split", sizes));
    }
  }
  if (node.has_input(1)) {
    if (node.attrs.Has("num_outputs")) return absl::InvalidArgumentError("input 'split' and attribute 'num_outputs' exclude each other");
    return Direct(node);
  }
  const int64_t wanted = node.attrs.Int("num_outputs", outputs);
  if (wanted != outputs) {
    return absl::InvalidArgumentError(absl::StrCat("attribute 'num_outputs' is ", wanted, " but the node has ", outputs, " outputs"));
  }
  node.attrs.Set("num_outputs", outputs);
  return Direct(node);
}

absl::Status Scatter(OnnxNode& node) {
  if (node.opset >= 11) return absl::InvalidArgumentError("Scatter was replaced in opset 11; use ScatterElements");
  return Direct(node);
}

absl::Status TopK(OnnxNode& node) {
  if (node.opset < 10) {
    OMKIT_RETURN_IF_ERROR(ExactInputs(node, 1));
    if (!node.attrs.Has("k")) return absl::InvalidArgumentError("attribute 'k' is missing");
    const int64_t k[] = {node.attrs.Int("k", 0)};
    node.attrs.Erase("k");
    node.SetInput(1, node.Constant("k", k));
  }
  OMKIT_RETURN_IF_ERROR(NeedInputs(node, 2));
  return Direct(node);
}

absl::Status Resize(OnnxNode& node) {
  const bool upsample = node.op_type == "Upsample";
  if (upsample && node.opset >= 10) return absl::InvalidArgumentError("Upsample was removed in opset 10; use Resize");
  if (upsample && node.opset < 9) {
    OMKIT_RETURN_IF_ERROR(ExactInputs(node, 1));
    const std::vector<float> scales = node.attrs.Floats("scales");
    if (scales.empty()) return absl::InvalidArgumentError("attribute 'scales' is missing");
    node.attrs.Erase("scales");
    node.SetInput(1, node.Constant("scales", Tensor::Of<float>(Shape{static_cast<int64_t>(scales.size())}, scales)));
  }
  if (upsample || node.opset == 10) {
    OMKIT_RETURN_IF_ERROR(ExactInputs(node, 2));
    OMKIT_RETURN_IF_ERROR(NeedInputs(node, 2));
    node.inputs = {node.inputs[0], ir::kNoValue, node.inputs[1]};
    node.attrs.Set("coordinate_transformation_mode", std::string("asymmetric"));
    node.attrs.Set("nearest_mode", std::string("floor"));
  }
  for (int i = 1; i < static_cast<int>(node.inputs.size()); ++i) {
    const Tensor* tensor = node.constant(i);
    if (tensor != nullptr && tensor->elements() == 0) node.inputs[i] = ir::kNoValue;
  }
  if (node.has_input(2) == node.has_input(3)) return absl::InvalidArgumentError("exactly one of the inputs 'scales' and 'sizes' must be given");
  return Direct(node);
}

}  // namespace omkit::frontends::adapters
