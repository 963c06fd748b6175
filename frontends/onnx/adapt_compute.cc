// Adapters of operators that compute.
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "frontends/onnx/adapters.h"
#include "frontends/onnx/tensor.h"

namespace omkit::frontends::adapters {
namespace {

// Replaces an ONNX type number in attribute `name` by the number of omkit's DType.
absl::Status TypeNumber(OnnxNode& node, const char* name) {
  if (!node.attrs.Has(name)) return absl::OkStatus();
  const int64_t to = node.attrs.Int(name, 0);
  if (to < 0 || to > 1000) return absl::InvalidArgumentError(absl::StrCat("attribute '", name, "' is ", to, ", which is no element type"));
  absl::StatusOr<DType> dtype = FromOnnxDType(static_cast<int>(to));
  if (!dtype.ok()) return Annotate(dtype.status(), absl::StrCat("attribute '", name, "'"));
  node.attrs.Set(name, static_cast<int64_t>(*dtype));
  return absl::OkStatus();
}

ir::Attrs CastTo(DType dtype) {
  ir::Attrs attrs;
  attrs.Set("to", static_cast<int64_t>(dtype));
  return attrs;
}

// Input `i` less its zero point (input `i + 2`), as float64.
ir::ValueId Centered(OnnxNode& node, int i, const char* name) {
  const ir::ValueId x = node.EmitBefore(ir::OpKind::kCast, absl::StrCat(name, "_real"), {node.inputs[i]}, CastTo(DType::kFloat64));
  if (!node.has_input(i + 2)) return x;
  ir::ValueId zero = node.EmitBefore(ir::OpKind::kCast, absl::StrCat(name, "_zero"), {node.inputs[i + 2]}, CastTo(DType::kFloat64));
  // Zero points of rows stand before a matrix's last dimension.
  if (i == 0 && node.kind == ir::OpKind::kMatMul && node.rank(2) == 1) {
    const int64_t last[] = {-1};
    zero = node.EmitBefore(ir::OpKind::kUnsqueeze, absl::StrCat(name, "_column"), {zero, node.Constant(absl::StrCat(name, "_axis"), last)});
  }
  return node.EmitBefore(ir::OpKind::kSub, absl::StrCat(name, "_centered"), {x, zero});
}

// The node on float64 operands, cast to int32.
absl::Status EmitInteger(OnnxNode& node) {
  const std::vector<ir::ValueId> outputs = node.outputs;
  const ir::ValueId a = Centered(node, 0, "a"), b = Centered(node, 1, "b");
  node.inputs = {a, b};
  node.outputs = {node.graph->AddValue(absl::StrCat(node.name, "/sum"))};
  node.Emit();
  TryInfer(*node.graph,
           node.graph->AddNodeInto(ir::OpKind::kCast, absl::StrCat(node.name, "/int32"), {node.outputs[0]}, outputs, CastTo(DType::kInt32)));
  return absl::OkStatus();
}

}  // namespace

absl::Status ConvInteger(OnnxNode& node) {
  const Tensor* zero = node.constant(3);
  if (node.has_input(3) && (zero == nullptr || zero->elements() != 1)) {
    return absl::UnimplementedError("a w_zero_point that is not one constant number");
  }
  return EmitInteger(node);
}

absl::Status MatMulInteger(OnnxNode& node) { return EmitInteger(node); }

absl::Status DynamicQuantizeLinear(OnnxNode& node) {
  using ir::OpKind;
  ir::Attrs scalar;
  scalar.Set("keepdims", int64_t{0});
  const ir::ValueId x = node.inputs[0];
  const ir::ValueId zero = node.Constant("zero", Tensor::Scalar<float>(0));
  const ir::ValueId one = node.Constant("one", Tensor::Scalar<float>(1));
  const ir::ValueId levels = node.Constant("levels", Tensor::Scalar<float>(255));
  const ir::ValueId high = node.EmitBefore(OpKind::kMax, "high", {node.EmitBefore(OpKind::kReduceMax, "max", {x}, scalar), zero});
  const ir::ValueId low = node.EmitBefore(OpKind::kMin, "low", {node.EmitBefore(OpKind::kReduceMin, "min", {x}, scalar), zero});
  const ir::ValueId range = node.EmitBefore(OpKind::kSub, "range", {high, low});
  const ir::ValueId flat = node.EmitBefore(OpKind::kEqual, "flat", {range, zero});
  const ir::ValueId some_range = node.EmitBefore(OpKind::kWhere, "some_range", {flat, one, range});
  ir::Graph& graph = *node.graph;
  TryInfer(graph, graph.AddNodeInto(OpKind::kDiv, absl::StrCat(node.name, "/scale"), {some_range, levels}, {node.outputs[1]}));
  const ir::ValueId at = node.EmitBefore(OpKind::kSub, "at", {zero, node.EmitBefore(OpKind::kDiv, "steps", {low, node.outputs[1]})});
  const ir::ValueId rounded = node.EmitBefore(OpKind::kRound, "rounded", {node.EmitBefore(OpKind::kClip, "clipped", {at, zero, levels})});
  TryInfer(graph, graph.AddNodeInto(OpKind::kCast, absl::StrCat(node.name, "/zero_point"), {rounded}, {node.outputs[2]}, CastTo(DType::kUInt8)));
  node.inputs = {x, node.outputs[1], node.outputs[2]};
  node.outputs.resize(1);
  return Direct(node);
}

absl::Status Softmax(OnnxNode& node) {
  const int64_t axis = node.attrs.Int("axis", node.opset < 13 ? 1 : -1);
  node.attrs.Set("axis", axis);
  if (node.opset >= 13 || axis == -1 || axis == node.rank(0) - 1) return Direct(node);
  ir::Attrs at_axis;
  at_axis.Set("axis", axis);
  const ir::ValueId shape = node.EmitBefore(ir::OpKind::kShape, "shape", {node.inputs[0]});
  const ir::ValueId flat = node.EmitBefore(ir::OpKind::kFlatten, "flatten", {node.inputs[0]}, at_axis);
  const std::vector<ir::ValueId> outputs = node.outputs;
  node.inputs = {flat};
  node.outputs = {node.graph->AddValue(absl::StrCat(node.name, "/flat"))};
  node.attrs.Set("axis", int64_t{-1});
  node.Emit();
  TryInfer(*node.graph, node.graph->AddNodeInto(ir::OpKind::kReshape, absl::StrCat(node.name, "/reshape"), {node.outputs[0], shape}, outputs));
  return absl::OkStatus();
}

// Statistics of the batch instead of the given ones, which move towards them: running = batch * (1 - momentum) + given * momentum.
absl::Status TrainBatchNormalization(OnnxNode& node) {
  using ir::OpKind;
  const int rank = node.rank(0);
  if (rank < 2) return absl::UnimplementedError("training_mode=1 of an input whose rank is not known");
  std::vector<int64_t> axes = {0};
  for (int d = 2; d < rank; ++d) axes.push_back(d);
  ir::Attrs keep;
  keep.Set("keepdims", int64_t{1});
  const ir::ValueId reduced = node.Constant("axes", axes);
  const ir::ValueId mean = node.EmitBefore(OpKind::kReduceMean, "batch_mean", {node.inputs[0], reduced}, keep);
  const ir::ValueId centered = node.EmitBefore(OpKind::kSub, "centered", {node.inputs[0], mean});
  const ir::ValueId square = node.EmitBefore(OpKind::kMul, "square", {centered, centered});
  const ir::ValueId variance = node.EmitBefore(OpKind::kReduceMean, "batch_var", {square, reduced}, keep);
  const float momentum = node.attrs.Float("momentum", 0.9f);
  const ir::ValueId flat_mean = node.EmitBefore(OpKind::kSqueeze, "mean", {mean, reduced}),
                    flat_var = node.EmitBefore(OpKind::kSqueeze, "var", {variance, reduced});
  const ir::ValueId old_part = node.Constant("momentum", Tensor::Scalar<float>(momentum)),
                    new_part = node.Constant("rest", Tensor::Scalar<float>(1 - momentum));
  for (int i = 1; i < static_cast<int>(node.outputs.size()); ++i) {
    if (!node.output_used[i]) continue;
    if (i > 2) return absl::UnimplementedError(absl::StrCat("output ", i, " is used"));
    const ir::ValueId old = node.EmitBefore(OpKind::kMul, absl::StrCat("old", i), {node.inputs[2 + i], old_part});
    const ir::ValueId fresh = node.EmitBefore(OpKind::kMul, absl::StrCat("new", i), {i == 1 ? flat_mean : flat_var, new_part});
    TryInfer(*node.graph, node.graph->AddNodeInto(OpKind::kAdd, absl::StrCat(node.name, "/running", i), {old, fresh}, {node.outputs[i]}));
  }
  node.inputs[3] = flat_mean;
  node.inputs[4] = flat_var;
  node.outputs.resize(1);
  return absl::OkStatus();
}

absl::Status BatchNormalization(OnnxNode& node) {
  const bool training = node.attrs.Int("training_mode", 0) != 0 || (node.opset < 7 && node.attrs.Int("is_test", 0) == 0);
  if (node.attrs.Int("spatial", 1) != 1) return absl::UnimplementedError("spatial=0 (statistics per element)");
  if (training) OMKIT_RETURN_IF_ERROR(TrainBatchNormalization(node));
  else OMKIT_RETURN_IF_ERROR(node.KeepOutputs(1));
  for (const char* name : {"training_mode", "spatial", "momentum", "is_test"}) node.attrs.Erase(name);
  return Direct(node);
}

absl::Status RMSNormalization(OnnxNode& node) { return LayerNormalization(node); }

absl::Status RoiAlign(OnnxNode& node) {
  if (node.opset < 16) node.attrs.Set("coordinate_transformation_mode", std::string("output_half_pixel"));
  return Direct(node);
}

absl::Status TfIdfVectorizer(OnnxNode& node) {
  if (node.attrs.Has("pool_strings")) return absl::UnimplementedError("strings");
  return Direct(node);
}

absl::Status LayerNormalization(OnnxNode& node) {
  while (node.outputs.size() > 1 && !node.output_used[node.outputs.size() - 1]) node.outputs.pop_back();
  if (node.attrs.Int("stash_type", 1) != 1) return absl::UnimplementedError("stash_type other than 1 (FLOAT)");
  node.attrs.Erase("stash_type");
  return Direct(node);
}

absl::Status Dropout(OnnxNode& node) {
  if (node.opset < 7 && node.attrs.Int("is_test", 0) == 0) return absl::UnimplementedError("is_test=0; export the network for inference");
  if (node.opset < 12 && node.inputs.size() > 1) return absl::InvalidArgumentError("inputs 'ratio' and 'training_mode' came with opset 12");
  if (node.has_input(2)) {
    const Tensor* training = node.constant(2);
    if (training == nullptr || training->dtype() != DType::kBool || training->elements() != 1 || IntegerAt(*training, 0) != 0) {
      return absl::UnimplementedError("training_mode that is not a constant false; export the network for inference");
    }
  }
  if (node.outputs.size() > 1 && node.output_used[1]) {
    if (node.opset < 10) return absl::UnimplementedError("the mask output of this opset is used");
    const ir::ValueId shape = node.EmitBefore(ir::OpKind::kShape, "shape", {node.inputs[0]});
    ir::Attrs value;
    value.Set("value", Tensor::Of<bool>(Shape{1}, {true}));
    TryInfer(*node.graph, node.graph->AddNodeInto(ir::OpKind::kConstantOfShape, absl::StrCat(node.name, "/mask"), {shape}, {node.outputs[1]}, value));
  }
  node.outputs.resize(1);
  node.inputs.resize(1);
  node.attrs = {};
  return Direct(node);
}

absl::Status Variadic(OnnxNode& node) {
  const bool mean = node.op_type == "Mean";
  const std::vector<ir::ValueId> terms = node.inputs;
  for (ir::ValueId term : terms) {
    if (term == ir::kNoValue) return absl::InvalidArgumentError("an input is left out");
  }
  if (terms.size() == 1) {
    node.kind = ir::OpKind::kIdentity;
    return Direct(node);
  }
  ir::ValueId sum = terms[0];
  for (size_t i = 1; i + 1 < terms.size(); ++i) sum = node.EmitBefore(ir::OpKind::kAdd, absl::StrCat("add", i), {sum, terms[i]});
  if (!mean) {
    node.inputs = {sum, terms.back()};
    return Direct(node);
  }
  const double count = static_cast<double>(terms.size());
  Tensor divisor = Tensor::Scalar<float>(static_cast<float>(count));
  if (node.dtype(0) == DType::kFloat64) divisor = Tensor::Scalar<double>(count);
  if (node.dtype(0) == DType::kFloat16) divisor = Tensor::Scalar<Float16>(ToFloat16(static_cast<float>(count)));
  if (node.dtype(0) == DType::kBFloat16) divisor = Tensor::Scalar<BFloat16>(ToBFloat16(static_cast<float>(count)));
  sum = node.EmitBefore(ir::OpKind::kAdd, "sum", {sum, terms.back()});
  node.kind = ir::OpKind::kDiv;
  node.inputs = {sum, node.Constant("count", divisor)};
  return Direct(node);
}

absl::Status Cast(OnnxNode& node) {
  if (!node.attrs.Has("to")) return absl::InvalidArgumentError("attribute 'to' is missing");
  node.attrs.Erase("round_mode");
  OMKIT_RETURN_IF_ERROR(TypeNumber(node, "to"));
  return Direct(node);
}

absl::Status EyeLike(OnnxNode& node) {
  OMKIT_RETURN_IF_ERROR(TypeNumber(node, "dtype"));
  return Direct(node);
}

absl::Status SignalWindow(OnnxNode& node) {
  OMKIT_RETURN_IF_ERROR(TypeNumber(node, "output_datatype"));
  return Direct(node);
}

absl::Status GroupNormalization(OnnxNode& node) {
  if (node.attrs.Int("stash_type", 1) != 1) return absl::UnimplementedError("stash_type other than 1 (FLOAT)");
  node.attrs.Erase("stash_type");
  return Direct(node);
}

absl::Status DFT(OnnxNode& node) {
  if (node.opset >= 20) return Direct(node);
  if (node.inputs.size() > 2) return absl::InvalidArgumentError("input 'axis' came with opset 20");
  node.SetInput(2, node.Constant("axis", Tensor::Scalar<int64_t>(node.attrs.Int("axis", 1))));
  node.attrs.Erase("axis");
  return Direct(node);
}

absl::Status CastLike(OnnxNode& node) {
  if (node.dtype(1) == DType::kUndefined) return absl::UnimplementedError("the type of input 1 is not known; use Cast");
  node.attrs.Set("to", static_cast<int64_t>(node.dtype(1)));
  node.attrs.Erase("round_mode");
  node.inputs.resize(1);
  return Direct(node);
}

absl::Status QuantizeLinear(OnnxNode& node) {
  for (const char* name : {"output_dtype", "precision"}) {
    if (node.attrs.Int(name, 0) == 0) node.attrs.Erase(name);
    OMKIT_RETURN_IF_ERROR(TypeNumber(node, name));
  }
  if (node.attrs.Int("block_size", 0) == 0) node.attrs.Erase("block_size");
  if (node.kind == ir::OpKind::kDequantizeLinear || !node.attrs.Has("output_dtype")) return Direct(node);
  const auto dtype = static_cast<DType>(node.attrs.Int("output_dtype", 0));
  if (node.has_input(2)) {
    if (node.dtype(2) == dtype || node.dtype(2) == DType::kUndefined) return Direct(node);
    return absl::InvalidArgumentError(absl::StrCat("attribute 'output_dtype' is ", Name(dtype), " but the zero point is ", Name(node.dtype(2))));
  }
  // A zero point says the same, and is what frontends/qdq reads.
  const Tensor* scale = node.constant(1);
  if (scale == nullptr) return Direct(node);
  OMKIT_ASSIGN_OR_RETURN(Tensor zero_point, Tensor::Allocate(dtype, scale->shape()));
  node.SetInput(2, node.Constant("zero_point", std::move(zero_point)));
  node.attrs.Erase("output_dtype");
  return Direct(node);
}

}  // namespace omkit::frontends::adapters
