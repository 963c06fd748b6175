#include "tests/qdq/own_quantization.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "ir/evaluate.h"
#include "ir/op.h"
#include "tests/qdq/compare.h"

namespace omkit::testing {
namespace {

using ir::Graph;
using ir::Node;
using ir::NodeId;
using ir::OpKind;
using ir::ValueId;

struct Range {
  float low = 0, high = 0;
};

class Exporter {
 public:
  Exporter(const Graph& graph, uint32_t seed) : graph_(graph.Clone()), state_(seed * 2654435761u + 99991u) {}

  std::unique_ptr<Graph> Run(const std::map<ValueId, Range>& ranges) {
    const std::vector<NodeId> order = Order(*graph_);
    const std::vector<ValueId> inputs = graph_->inputs();
    for (ValueId v : inputs) QuantizeActivation(v, ranges.at(v), QuantParams());
    for (NodeId id : order) {
      QuantizeWeights(id);
      const Node node = graph_->node(id);
      for (ValueId v : node.outputs) {
        const bool moves = ir::Def(node.op).Is(ir::kMovement) || node.op == OpKind::kMaxPool;
        const auto own = params_.find(node.inputs[0]);
        if (BeforeActivation(v) ? OneIn(6) : !OneIn(7)) {
          QuantizeActivation(v, ranges.at(v), moves && own != params_.end() && !OneIn(3) ? own->second : QuantParams());
        }
      }
    }
    const absl::Status status = ir::InferGraph(*graph_);
    EXPECT_TRUE(status.ok()) << status;
    return std::move(graph_);
  }

 private:
  bool OneIn(uint32_t n) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 17;
    state_ ^= state_ << 5;
    return (state_ >> 3) % n == 0;
  }

  bool BeforeActivation(ValueId v) const {
    const Node* user = graph_->OnlyUser(v);
    return user != nullptr &&
           (user->op == OpKind::kRelu || user->op == OpKind::kClip || user->op == OpKind::kSigmoid || user->op == OpKind::kLeakyRelu);
  }

  // Inputs 0 to 2 of a linear node. `integer` decides the zero point's type.
  std::vector<ValueId> LinearInputs(ValueId data, const std::string& name, const QuantParams& params, DType integer) {
    const auto n = static_cast<int64_t>(params.scale.size());
    const Shape shape = params.axis >= 0 ? Shape{n} : OneIn(3) ? Shape{1} : Shape{};
    std::vector<ValueId> inputs = {data, graph_->AddConstant(name + "_scale", Tensor::Of<float>(shape, params.scale))};
    const bool zero = std::all_of(params.zero_point.begin(), params.zero_point.end(), [](int32_t z) { return z == 0; });
    const bool quantizes = graph_->value(data).type.dtype == DType::kFloat32;
    if (zero && OneIn(2) && (!quantizes || integer == DType::kUInt8)) return inputs;
    Tensor t = *Tensor::Allocate(integer, shape);
    for (int64_t i = 0; i < n; ++i) {
      if (integer == DType::kInt32) t.mutable_data<int32_t>()[i] = params.zero_point[i];
      else t.mutable_data<uint8_t>()[i] = static_cast<uint8_t>(params.zero_point[i]);
    }
    inputs.push_back(graph_->AddConstant(name + "_zero_point", std::move(t)));
    return inputs;
  }

  ir::Attrs Axis(const QuantParams& params) {
    ir::Attrs attrs;
    if (params.axis >= 0) attrs.Set("axis", int64_t{params.axis});
    return attrs;
  }

  void QuantizeActivation(ValueId v, Range range, QuantParams params) {
    const std::string name = graph_->value(v).name;
    DType integer = DType::kUInt8;
    if (!params.quantized()) {
      params = ChooseAsymmetricU8(range.low, range.high);
      if (OneIn(3)) params.zero_point[0] -= 128;
    }
    if (params.zero_point[0] < 0 || OneIn(9)) integer = DType::kInt8;
    if (integer == DType::kInt8 && params.zero_point[0] > 127) integer = DType::kUInt8;
    const NodeId q = graph_->AddNode(OpKind::kQuantizeLinear, name + "_q", LinearInputs(v, name + "_q", params, integer));
    const ValueId quantized = graph_->node(q).outputs[0];
    graph_->SetType(quantized, TensorType{integer, graph_->value(v).type.shape, {}, Layout::kPlain});
    if (LinearOf(q).size() < 3 && integer != DType::kUInt8) GTEST_FAIL() << "an int8 quantizer without zero point";
    const int copies = OneIn(5) ? 2 : 1;
    ValueId real = ir::kNoValue;
    for (int i = 0; i < copies; ++i) {
      std::vector<ValueId> inputs = graph_->node(q).inputs;
      inputs[0] = quantized;
      const NodeId dq = graph_->AddNode(OpKind::kDequantizeLinear, absl::StrCat(name, "_dq", i), inputs);
      real = graph_->node(dq).outputs[0];
      graph_->SetType(real, graph_->value(v).type);
    }
    graph_->ReplaceUsesExcept(v, real, q);
    params_[real] = params;
  }

  const std::vector<ValueId>& LinearOf(NodeId id) const { return graph_->node(id).inputs; }

  // Puts a DequantizeLinear of `integers` in the place of input `i`.
  void Dequantize(NodeId id, int i, Tensor integers, const QuantParams& params) {
    const std::string name = absl::StrCat(graph_->node(id).name, "_", i, "_dq");
    const DType dtype = integers.dtype();
    const ValueId c = graph_->AddConstant(name + "_integers", std::move(integers));
    const NodeId dq = graph_->AddNode(OpKind::kDequantizeLinear, name, LinearInputs(c, name, params, dtype), Axis(params));
    graph_->SetInput(id, i, graph_->node(dq).outputs[0]);
  }

  void QuantizeWeights(NodeId id) {
    const Node node = graph_->node(id);
    const bool conv = node.op == OpKind::kConv;
    if ((!conv && node.op != OpKind::kGemm) || OneIn(15)) return;
    const Tensor w = *graph_->ConstantInput(node, 1);
    const int64_t channels = w.shape().dim(0);  // Gemm of the generator has transB
    const int64_t count = w.elements() / channels;
    float most = 1e-6f;
    for (float x : w.values<float>()) most = std::max(most, std::abs(x));
    QuantParams params = QuantParams::PerTensor(most / 127.0f, 0);
    const int style = OneIn(3) ? 0 : OneIn(2) ? 1 : 2;
    if (style == 0) {
      params = QuantParams();
      params.axis = 0;
      params.zero_point.assign(channels, 0);
      for (int64_t c = 0; c < channels; ++c) {
        float amax = 1e-6f;
        for (int64_t i = 0; i < count; ++i) amax = std::max(amax, std::abs(w.data<float>()[c * count + i]));
        params.scale.push_back(amax / 127.0f);
      }
    }
    if (style == 1) params.zero_point[0] = 128;
    const DType dtype = style == 1 ? DType::kUInt8 : DType::kInt8;
    if (style == 2) {
      const NodeId q =
          graph_->AddNode(OpKind::kQuantizeLinear, node.name + "_w_q", LinearInputs(node.inputs[1], node.name + "_w_q", params, DType::kUInt8));
      // Without its own type the zero point would be uint8.
      graph_->SetInput(q, 2, graph_->AddConstant(node.name + "_w_zero", Tensor::Of<int8_t>(graph_->value(LinearOf(q)[1]).type.shape, {int8_t{0}})));
      std::vector<ValueId> inputs = LinearOf(q);
      inputs[0] = graph_->node(q).outputs[0];
      const NodeId dq = graph_->AddNode(OpKind::kDequantizeLinear, node.name + "_w_dq", inputs);
      graph_->SetInput(id, 1, graph_->node(dq).outputs[0]);
    } else {
      Tensor t = *Tensor::Allocate(dtype, w.shape());
      for (int64_t i = 0; i < w.elements(); ++i) {
        const size_t s = params.axis < 0 ? 0 : static_cast<size_t>(i / count);
        const int v = QuantizeValue(w.data<float>()[i], params.scale[s], 0, -127, 127) + params.zero_point[s];
        t.mutable_data<uint8_t>()[i] = static_cast<uint8_t>(v);
      }
      Dequantize(id, 1, std::move(t), params);
    }
    const auto x = params_.find(node.inputs[0]);
    if (x != params_.end() && node.inputs.size() > 2) QuantizeBias(id, x->second, params);
  }

  void QuantizeBias(NodeId id, const QuantParams& x, const QuantParams& w) {
    if (OneIn(2)) return;
    const Tensor bias = *graph_->ConstantInput(graph_->node(id), 2);
    QuantParams params = w;
    params.zero_point.assign(w.scale.size(), 0);
    for (float& s : params.scale) s *= x.scale[0];
    if (OneIn(3)) params = QuantParams::PerTensor(1e-6f, 0);
    Tensor t = *Tensor::Allocate(DType::kInt32, bias.shape());
    for (int64_t c = 0; c < bias.elements(); ++c) {
      const float s = params.scale[params.axis < 0 ? 0 : c];
      t.mutable_data<int32_t>()[c] = static_cast<int32_t>(std::lrintf(bias.data<float>()[c] / s));
    }
    Dequantize(id, 2, std::move(t), params);
  }

  std::unique_ptr<Graph> graph_;
  uint32_t state_;
  std::map<ValueId, QuantParams> params_;  // of dequantized values
};

}  // namespace

std::unique_ptr<Graph> WithOwnQuantization(const Graph& graph, const std::vector<Tensor>& inputs, uint32_t seed) {
  std::vector<ValueId> watched = graph.inputs();
  for (NodeId id : Order(graph)) {
    for (ValueId v : graph.node(id).outputs) watched.push_back(v);
  }
  std::map<ValueId, Range> ranges;
  auto interpreter = ir::MakeInterpreter(graph, watched);
  EXPECT_TRUE(interpreter.ok()) << interpreter.status();
  const absl::Status status = (*interpreter)->Run(inputs, [&](ValueId v, const Tensor& t) {
    Range& r = ranges[v];
    for (float x : t.values<float>()) r = {std::min(r.low, x), std::max(r.high, x)};
  });
  EXPECT_TRUE(status.ok()) << status;
  return Exporter(graph, seed).Run(ranges);
}

}  // namespace omkit::testing
