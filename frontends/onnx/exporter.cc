#include "frontends/onnx/exporter.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/status.h"
#include "frontends/onnx/op_map.h"
#include "frontends/onnx/to_proto.h"
#include "ir/op.h"
#include "ir/ops/operand.h"
#include "ir/ops/requantize.h"

namespace omkit::frontends {
namespace {

using ir::kNoValue;
using ir::Node;
using ir::NodeId;
using ir::OpKind;
using ir::ValueId;

constexpr int64_t kAxesAreInputsOfReductions = 18;
constexpr int64_t kSplitHasNumOutputs = 18;

bool IsReduction(OpKind op) { return absl::string_view(ir::OpName(op)).substr(0, 6) == "Reduce"; }

// The opset from which on the operator has every attribute that the node carries.
int64_t OpsetOf(const Node& node) {
  const OnnxOp* row = FindOnnxOp(ir::OpName(node.op), kMaxOpset);
  if (row == nullptr || node.op == OpKind::kSwish) return 0;  // Swish is written as Mul and Sigmoid
  int64_t opset = row->first_opset;
  for (absl::string_view word : absl::StrSplit(row->attributes, ' ', absl::SkipEmpty())) {
    const std::vector<std::string> parts = absl::StrSplit(word, absl::MaxSplits('>', 1));
    int64_t since = 0;
    if (parts.size() == 2 && absl::SimpleAtoi(parts[1], &since) && node.attrs.Has(parts[0].substr(0, parts[0].find(':')))) {
      opset = std::max(opset, since);
    }
  }
  if (node.op == OpKind::kPad && node.inputs.size() > 3) opset = std::max(opset, int64_t{18});
  return opset;
}

// One operator behind another: the first input is the result so far.
struct Follower {
  const char* op;
  std::vector<std::string> others;
};

class Exporter {
 public:
  Exporter(const ir::Graph& graph, const ExportOptions& options) : graph_(graph), options_(options) {}

  absl::StatusOr<onnx::ModelProto> Run() {
    OMKIT_ASSIGN_OR_RETURN(const std::vector<NodeId> order, graph_.TopologicalOrder());
    opset_ = options_.opset;
    for (NodeId id : order) {
      // Split carries num_outputs in this graph; below its opset the sizes are written out.
      if (graph_.node(id).op != OpKind::kSplit) opset_ = std::max(opset_, OpsetOf(graph_.node(id)));
    }
    proto_.set_name(graph_.name.empty() ? "omkit" : graph_.name);
    for (ValueId v : graph_.outputs()) taken_.insert(graph_.value(v).name);
    OMKIT_RETURN_IF_ERROR(Inputs());
    for (NodeId id : order) OMKIT_RETURN_IF_ERROR(Annotate(Export(graph_.node(id)), Describe(graph_.node(id))));
    OMKIT_RETURN_IF_ERROR(Outputs());
    onnx::ModelProto model;
    model.set_ir_version(opset_ < 19 ? 8 : opset_ < 21 ? 9 : 10);
    model.set_producer_name("omkit");
    auto* import = model.add_opset_import();
    import->set_domain("");
    import->set_version(opset_);
    *model.mutable_graph() = std::move(proto_);
    return model;
  }

 private:
  const TensorType& Type(ValueId v) const { return graph_.value(v).type; }
  bool ascend() const { return options_.style == QuantStyle::kAscend; }

  std::string Fresh(const std::string& base) {
    std::string name = base.empty() ? "value" : base;
    for (int i = 2; !taken_.insert(name).second; ++i) name = absl::StrCat(base, "_", i);
    return name;
  }

  absl::Status Declare(onnx::ValueInfoProto* info, const std::string& name, const TensorType& type) {
    info->set_name(name);
    auto* tensor = info->mutable_type()->mutable_tensor_type();
    OMKIT_ASSIGN_OR_RETURN(const int dtype, ToOnnxDType(type.dtype));
    tensor->set_elem_type(dtype);
    tensor->mutable_shape();
    for (int d = 0; d < type.shape.rank(); ++d) {
      auto* dim = tensor->mutable_shape()->add_dim();
      if (type.shape.dim(d) >= 0) dim->set_dim_value(type.shape.dim(d));
    }
    return absl::OkStatus();
  }

  absl::Status Inputs() {
    for (ValueId v : graph_.inputs()) {
      const std::string name = graph_.IsOutput(v) ? Fresh(absl::StrCat(graph_.value(v).name, "_input")) : Fresh(graph_.value(v).name);
      OMKIT_RETURN_IF_ERROR(Declare(proto_.add_input(), name, Type(v)));
      (Type(v).quantized() ? integers_ : reals_)[v] = name;
    }
    return absl::OkStatus();
  }

  absl::Status Outputs() {
    for (ValueId v : graph_.outputs()) {
      const std::string& name = graph_.value(v).name;
      OMKIT_RETURN_IF_ERROR(Declare(proto_.add_output(), name, Type(v)));
      const std::string have = Type(v).quantized() ? integers_[v] : Real(v);
      if (have != name) Emit("Identity", absl::StrCat(name, "_identity"), {have}, name);
    }
    return failure_;
  }

  onnx::NodeProto* Emit(const std::string& op, const std::string& node_name, const std::vector<std::string>& inputs, const std::string& output) {
    onnx::NodeProto* node = proto_.add_node();
    node->set_op_type(op);
    std::string name = node_name;
    for (int i = 2; !node_names_.insert(name).second; ++i) name = absl::StrCat(node_name, "_", i);
    node->set_name(name);
    for (const std::string& v : inputs) node->add_input(v);
    node->add_output(output);
    return node;
  }

  template <typename T>
  std::string Constant(const std::string& name, const Shape& shape, const std::vector<T>& values) {
    return Constant(name, Tensor::Of<T>(shape, values));
  }
  std::string Constant(const std::string& name, const Tensor& tensor) {
    const std::string fresh = Fresh(name);
    absl::StatusOr<onnx::TensorProto> proto = ToTensorProto(tensor, fresh);
    if (proto.ok()) *proto_.add_initializer() = *std::move(proto);
    else if (failure_.ok()) failure_ = Annotate(proto.status(), absl::StrCat("constant '", name, "'"));
    return fresh;
  }

  // Scale and zero point as inputs of a linear node.
  std::vector<std::string> LinearInputs(const std::string& data, const std::string& name, const QuantParams& q, DType dtype) {
    const Shape shape = q.axis < 0 ? Shape{} : Shape{static_cast<int64_t>(q.scale.size())};
    std::vector<std::string> inputs = {data, Constant(absl::StrCat(name, "_scale"), shape, q.scale)};
    if (dtype == DType::kInt32) return inputs;
    auto zero = Tensor::Allocate(dtype, shape);
    if (!zero.ok()) return inputs;
    for (size_t i = 0; i < q.zero_point.size(); ++i) {
      if (SizeOf(dtype) == 1) zero->mutable_data<uint8_t>()[i] = static_cast<uint8_t>(q.zero_point[i]);
      else zero->mutable_data<uint16_t>()[i] = static_cast<uint16_t>(q.zero_point[i]);
    }
    inputs.push_back(Constant(absl::StrCat(name, "_zero_point"), *zero));
    return inputs;
  }

  std::string EmitLinear(const char* op, const std::string& data, const std::string& name, const QuantParams& q, DType dtype,
                         const std::string& out) {
    onnx::NodeProto* node = Emit(op, absl::StrCat(name, "_", op), LinearInputs(data, name, q, dtype), out);
    if (q.axis >= 0) {
      onnx::AttributeProto* axis = node->add_attribute();
      axis->set_name("axis");
      axis->set_type(onnx::AttributeProto::INT);
      axis->set_i(q.axis);
    }
    return out;
  }

  // An integer constant dequantized. Weights of 9 bits (int16) are written as uint8 around zero points of their own, which every opset has.
  std::string DequantizedConstant(const std::string& name, const Tensor& given, const QuantParams& params) {
    QuantParams q = params;
    const Tensor integers = given.dtype() == DType::kInt16 ? Unsigned(given, &q) : given;
    const std::string value = Constant(absl::StrCat(name, "_quantized"), integers);
    return EmitLinear("DequantizeLinear", value, name, q, integers.dtype(), Fresh(absl::StrCat(name, "_dequantized")));
  }

  static Tensor Unsigned(const Tensor& w, QuantParams* q) {
    Tensor bytes = *Tensor::Allocate(DType::kUInt8, w.shape());
    const ir::SliceIndex slice(w.shape(), *q);
    for (int64_t i = 0; i < w.elements(); ++i) q->zero_point[slice(i)] = std::max(q->zero_point[slice(i)], -int32_t{w.data<int16_t>()[i]});
    for (int64_t i = 0; i < w.elements(); ++i) {
      bytes.mutable_data<uint8_t>()[i] = static_cast<uint8_t>(std::min(255, w.data<int16_t>()[i] + q->zero_point[slice(i)]));
    }
    return bytes;
  }

  // The float tensor that the value is or stands for; made at the first use.
  std::string Real(ValueId v) {
    if (v == kNoValue) return "";
    const auto known = reals_.find(v);
    if (known != reals_.end()) return known->second;
    const ir::Value& value = graph_.value(v);
    if (graph_.IsConstant(v)) {
      return reals_[v] =
                 value.type.quantized() ? DequantizedConstant(value.name, value.constant, value.type.quant) : Constant(value.name, value.constant);
    }
    if (ascend() && floats_.count(v) != 0) return reals_[v] = AscendReal(v);
    return reals_[v] = EmitLinear("DequantizeLinear", integers_[v], value.name, value.type.quant, value.type.dtype,
                                  Fresh(absl::StrCat(value.name, "_DequantizeLinear_Output")));
  }

  // The name under which a node writes the float result of value `v`.
  std::string ResultName(ValueId v) {
    const std::string& name = graph_.value(v).name;
    if (!graph_.IsOutput(v) || !given_.insert(v).second) return Fresh(name);
    return Type(v).quantized() ? Fresh(absl::StrCat(name, "_real")) : name;
  }

  // Called when the float result of `v` exists under `name`.
  void Finish(ValueId v, const std::string& name) {
    const TensorType& type = Type(v);
    if (!type.quantized()) {
      reals_[v] = name;
      return;
    }
    if (ascend()) floats_[v] = name;
    if (ascend() && !graph_.IsOutput(v)) return;
    const std::string& own = graph_.value(v).name;
    const std::string q = graph_.IsOutput(v) ? own : Fresh(absl::StrCat(own, "_QuantizeLinear_Output"));
    integers_[v] = EmitLinear("QuantizeLinear", name, own, type.quant, type.dtype, q);
  }

  // `first` with its followers; the last of them writes the result.
  absl::Status Chain(const Node& node, const std::string& first, const std::vector<std::string>& inputs, const ir::Attrs& attrs,
                     const std::vector<Follower>& followers) {
    const std::string result = ResultName(node.outputs[0]);
    std::string value = followers.empty() ? result : Fresh(absl::StrCat(graph_.value(node.outputs[0]).name, "_", first));
    onnx::NodeProto* made = Emit(first, node.name, inputs, value);
    OMKIT_RETURN_IF_ERROR(SetAttributes(attrs, made));
    for (size_t i = 0; i < followers.size(); ++i) {
      std::vector<std::string> operands = {value};
      operands.insert(operands.end(), followers[i].others.begin(), followers[i].others.end());
      value = i + 1 == followers.size() ? result : Fresh(absl::StrCat(graph_.value(node.outputs[0]).name, "_", followers[i].op));
      Emit(followers[i].op, absl::StrCat(node.name, "_", followers[i].op), operands, value);
    }
    Finish(node.outputs[0], value);
    return failure_;
  }

  absl::Status SetAttributes(const ir::Attrs& attrs, onnx::NodeProto* node) {
    for (const auto& [name, attr] : attrs.map()) {
      OMKIT_ASSIGN_OR_RETURN(*node->add_attribute(), ToAttributeProto(name, attr));
    }
    return absl::OkStatus();
  }

  void AddClamp(const Node& node, std::vector<Follower>* followers) {
    const ir::RealRange range = ir::ClampRealRange(node.attrs);
    if (!std::isfinite(range.min) && !std::isfinite(range.max)) return;
    if (range.min == 0 && !std::isfinite(range.max)) {
      followers->push_back({"Relu", {}});
      return;
    }
    const auto bound = [&](const char* name, float value) {
      return std::isfinite(value) ? Constant(absl::StrCat(node.name, "_", name), Shape{}, std::vector<float>{value}) : std::string();
    };
    followers->push_back({"Clip", {bound("min", range.min), bound("max", range.max)}});
  }

  absl::Status Export(const Node& node);
  absl::Status Layer(const Node& node);
  absl::Status Plain(const Node& node);
  std::string LayerWeights(const Node& node, bool turned);
  std::string LayerBias(const Node& node);
  std::string AscendQuantized(ValueId v);
  std::string AscendReal(ValueId v);
  void SetAscendAttributes(float scale, const TensorType& type, onnx::NodeProto* node);
  std::string DequantScale(const Node& node);

  const ir::Graph& graph_;
  const ExportOptions& options_;
  int64_t opset_ = 0;
  onnx::GraphProto proto_;
  absl::Status failure_;
  absl::flat_hash_set<std::string> taken_, node_names_;
  absl::flat_hash_set<ValueId> given_;       // model outputs whose name is in use
  std::map<ValueId, std::string> reals_;     // float tensors by value
  std::map<ValueId, std::string> integers_;  // quantized tensors by value
  // Ascend style only: what AscendQuant reads and makes, by value.
  std::map<ValueId, std::string> floats_, ascend_;
};

Tensor Turned(const Tensor& w) {
  const int64_t n = w.shape().dim(0), k = w.shape().dim(1);
  const size_t size = SizeOf(w.dtype());
  Tensor turned = *Tensor::Allocate(w.dtype(), Shape{k, n});
  const auto* from = static_cast<const char*>(w.raw());
  auto* to = static_cast<char*>(turned.mutable_raw());
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < k; ++j) std::memcpy(to + (j * n + i) * size, from + (i * k + j) * size, size);
  }
  return turned;
}

Tensor Widened(const Tensor& bfloat16) {
  Tensor real = *Tensor::Allocate(DType::kFloat32, bfloat16.shape());
  for (int64_t i = 0; i < real.elements(); ++i) real.mutable_data<float>()[i] = FromBFloat16(bfloat16.data<BFloat16>()[i]);
  return real;
}

// The weights, turned from [N, K] to [K, N] for MatMul; integers of INT8 layers as such in the Ascend style, bfloat16 of float32 layers widened.
std::string Exporter::LayerWeights(const Node& node, bool turned) {
  const Tensor* w = graph_.ConstantInput(node, 1);
  if (w == nullptr) return Real(node.inputs[1]);
  const std::string& name = graph_.value(node.inputs[1]).name;
  const bool integers = w->type().quantized();
  const bool deployed = ascend() && Type(node.inputs[0]).quantized();
  const bool rounded = w->dtype() == DType::kBFloat16 && Type(node.inputs[0]).dtype == DType::kFloat32;
  if (!turned && !rounded && !(integers && deployed)) return Real(node.inputs[1]);
  const Tensor real = rounded ? Widened(*w) : *w, stored = turned ? Turned(real) : real;
  if (!integers || deployed) return Constant(name, stored);
  QuantParams q = w->type().quant;
  if (q.axis >= 0) q.axis = 1 - q.axis;
  return DequantizedConstant(name, stored, q);
}

std::string Exporter::LayerBias(const Node& node) {
  if (node.inputs.size() < 3 || node.inputs[2] == kNoValue) return "";
  const Tensor* bias = graph_.ConstantInput(node, 2);
  if (bias == nullptr || bias->dtype() != DType::kInt32) return Real(node.inputs[2]);
  const std::string& name = graph_.value(node.inputs[2]).name;
  if (ascend()) return Constant(name, *bias);
  const float x = Type(node.inputs[0]).quant.scale[0];
  const QuantParams& w = Type(node.inputs[1]).quant;
  QuantParams q;
  q.axis = 0;
  for (int64_t c = 0; c < bias->elements(); ++c) {
    q.scale.push_back(static_cast<float>(static_cast<double>(x) * w.scale[w.axis < 0 ? 0 : c]));
    q.zero_point.push_back(0);
  }
  return DequantizedConstant(name, *bias, q);
}

void Exporter::SetAscendAttributes(float scale, const TensorType& type, onnx::NodeProto* node) {
  ir::Attrs attrs;
  attrs.Set("scale", scale);
  attrs.Set("offset", static_cast<float>(type.quant.zero_point[0] - (type.dtype == DType::kUInt8 ? 128 : 0)));
  attrs.Set("sqrt_mode", int64_t{0});
  if (node->op_type() == "AscendQuant") {
    attrs.Set("dst_type", std::string("INT8"));
    attrs.Set("round_mode", std::string("Round"));
  }
  SetAttributes(attrs, node).IgnoreError();  // only tensors can fail
}

// AscendQuant of the value's reals to int8: scale is the reciprocal of the step.
std::string Exporter::AscendQuantized(ValueId v) {
  std::string& known = ascend_[v];
  if (!known.empty()) return known;
  const std::string& name = graph_.value(v).name;
  const std::string real = floats_.count(v) != 0 ? floats_[v] : Real(v);
  known = Fresh(absl::StrCat(name, "_AscendQuant_Output"));
  SetAscendAttributes(1.0f / Type(v).quant.scale[0], Type(v), Emit("AscendQuant", absl::StrCat(name, "_AscendQuant"), {real}, known));
  return known;
}

// What operators on floats read of a quantized value.
std::string Exporter::AscendReal(ValueId v) {
  const std::string& name = graph_.value(v).name;
  const std::string integers = AscendQuantized(v);
  const std::string real = Fresh(absl::StrCat(name, "_AscendAntiQuant_Output"));
  SetAscendAttributes(Type(v).quant.scale[0], Type(v), Emit("AscendAntiQuant", absl::StrCat(name, "_AscendAntiQuant"), {integers}, real));
  return real;
}

// scale_x * scale_w per output channel: float32 patterns in the low halves of uint64.
std::string Exporter::DequantScale(const Node& node) {
  const QuantParams& w = Type(node.inputs[1]).quant;
  const std::vector<float> scales = ir::AccumulatorMultipliers(Type(node.inputs[0]).quant, w, 1.0f, Type(node.inputs[1]).shape.dim(0));
  std::vector<uint64_t> words;
  for (const float scale : scales) {
    uint32_t bits;
    std::memcpy(&bits, &scale, sizeof(bits));
    words.push_back(bits);
  }
  return Constant(absl::StrCat(node.name, "_deq_scale"), Shape{static_cast<int64_t>(words.size())}, words);
}

absl::Status Exporter::Layer(const Node& node) {
  const bool dense = node.op == OpKind::kDense;
  const bool integer = Type(node.inputs[0]).quantized() && graph_.ConstantInput(node, 1) != nullptr && Type(node.inputs[1]).quantized();
  const bool gemm = dense && Type(node.inputs[0]).shape.rank() == 2;
  const bool turned = dense && !gemm;
  ir::Attrs attrs;
  if (!dense) attrs = node.attrs;
  attrs.Erase("act_min");
  attrs.Erase("act_max");
  if (gemm) attrs.Set("transB", int64_t{1});
  std::vector<std::string> inputs = {integer && ascend() ? AscendQuantized(node.inputs[0]) : Real(node.inputs[0]), LayerWeights(node, turned)};
  std::vector<Follower> followers;
  const std::string bias = LayerBias(node);
  if (!bias.empty() && turned) followers.push_back({"Add", {bias}});
  else if (!bias.empty()) inputs.push_back(bias);
  if (integer && ascend()) followers.push_back({"AscendDequant", {DequantScale(node)}});  // its attributes have their defaults
  if (node.inputs.size() > 3 && node.inputs[3] != kNoValue) followers.push_back({"Add", {Real(node.inputs[3])}});
  AddClamp(node, &followers);
  return Chain(node, !dense ? "Conv" : gemm ? "Gemm" : "MatMul", inputs, attrs, followers);
}

// An operator that ONNX has under the same name.
absl::Status Exporter::Plain(const Node& node) {
  const std::string op = ir::OpName(node.op);
  if (FindOnnxOp(op, kMaxOpset) == nullptr) return absl::UnimplementedError("ONNX's default domain has no such operator");
  ir::Attrs attrs = node.attrs;
  attrs.Erase("act_min");
  attrs.Erase("act_max");
  if (node.op == OpKind::kImageDecoder) {
    attrs.Erase("height");
    attrs.Erase("width");
  }
  std::vector<std::string> inputs;
  for (ValueId v : node.inputs) inputs.push_back(Real(v));
  for (const char* name : {"to", "dtype", "output_datatype", "output_dtype", "precision"}) {
    if (!attrs.Has(name)) continue;
    OMKIT_ASSIGN_OR_RETURN(const int type, ToOnnxDType(static_cast<DType>(attrs.Int(name, 0))));
    attrs.Set(name, static_cast<int64_t>(type));
  }
  if (IsReduction(node.op) && node.op != OpKind::kReduceSum && opset_ < kAxesAreInputsOfReductions && inputs.size() > 1) {
    const Tensor* axes = graph_.ConstantInput(node, 1);
    if (axes == nullptr && node.inputs[1] != kNoValue) return absl::UnimplementedError("axes that are not constant need opset 18");
    inputs.resize(1);
    if (axes != nullptr) {
      OMKIT_ASSIGN_OR_RETURN(std::vector<int64_t> values, IntegerValues(*axes));
      attrs.Set("axes", std::move(values));
    }
  }
  if (node.op == OpKind::kSplit && opset_ < kSplitHasNumOutputs && attrs.Has("num_outputs")) {
    attrs.Erase("num_outputs");
    const int axis = static_cast<int>(attrs.Int("axis", 0));
    std::vector<int64_t> sizes;
    for (ValueId v : node.outputs) sizes.push_back(Type(v).shape.dim(axis < 0 ? axis + Type(v).shape.rank() : axis));
    inputs.resize(1);
    inputs.push_back(Constant(absl::StrCat(node.name, "_split"), Shape{static_cast<int64_t>(sizes.size())}, sizes));
  }
  if (node.outputs.size() == 1) {
    std::vector<Follower> followers;
    if (node.op == OpKind::kMatMul && attrs.Has("alpha")) {
      followers.push_back({"Mul", {Constant(absl::StrCat(node.name, "_alpha"), Shape{}, std::vector<float>{attrs.Float("alpha", 1.0f)})}});
      attrs.Erase("alpha");
    }
    AddClamp(node, &followers);
    return Chain(node, op, inputs, attrs, followers);
  }
  std::vector<std::string> results;
  for (ValueId v : node.outputs) results.push_back(v == kNoValue ? "" : ResultName(v));
  onnx::NodeProto* made = Emit(op, node.name, inputs, results[0]);
  for (size_t i = 1; i < results.size(); ++i) made->add_output(results[i]);
  OMKIT_RETURN_IF_ERROR(SetAttributes(attrs, made));
  for (size_t i = 0; i < results.size(); ++i) {
    if (node.outputs[i] != kNoValue) Finish(node.outputs[i], results[i]);
  }
  return failure_;
}

absl::Status Exporter::Export(const Node& node) {
  switch (node.op) {
    case OpKind::kConv:
    case OpKind::kDense: return Layer(node);
    case OpKind::kQuantize: {
      const std::string real = Real(node.inputs[0]);
      Finish(node.outputs[0], real);
      return failure_;
    }
    case OpKind::kDequantize: {
      const std::string real = Real(node.inputs[0]);
      if (graph_.IsOutput(node.outputs[0])) return Chain(node, "Identity", {real}, {}, {});
      reals_[node.outputs[0]] = real;
      return failure_;
    }
    case OpKind::kSwish: {
      const std::string x = Real(node.inputs[0]);
      std::string argument = x;
      if (node.attrs.Has("alpha") && node.attrs.Float("alpha", 1.0f) != 1.0f) {
        const std::string alpha = Constant(absl::StrCat(node.name, "_alpha"), Shape{}, std::vector<float>{node.attrs.Float("alpha", 1.0f)});
        argument = Fresh(absl::StrCat(graph_.value(node.outputs[0]).name, "_scaled"));
        Emit("Mul", absl::StrCat(node.name, "_scale"), {x, alpha}, argument);
      }
      return Chain(node, "Sigmoid", {argument}, {}, {{"Mul", {x}}});
    }
    default: return Plain(node);
  }
}

}  // namespace

absl::StatusOr<onnx::ModelProto> ExportOnnx(const ir::Graph& graph, const ExportOptions& options) { return Exporter(graph, options).Run(); }

absl::Status WriteOnnx(const ir::Graph& graph, const ExportOptions& options, const std::string& path) {
  OMKIT_ASSIGN_OR_RETURN(const onnx::ModelProto model, ExportOnnx(graph, options));
  if (model.ByteSizeLong() > static_cast<size_t>(std::numeric_limits<int>::max())) {
    return absl::ResourceExhaustedError(absl::StrCat(path, ": the model has ", model.ByteSizeLong(), " bytes; ONNX files end at 2 GB"));
  }
  OMKIT_ASSIGN_OR_RETURN(AtomicWriter writer, AtomicWriter::Create(path));
  OMKIT_RETURN_IF_ERROR(writer.Append(model.SerializeAsString()));
  return writer.Commit();
}

}  // namespace omkit::frontends
