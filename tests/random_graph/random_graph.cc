#include "tests/random_graph/random_graph.h"

#include <cmath>
#include <cstdlib>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "ir/op.h"

namespace omkit::testing {
namespace {

using ir::Attrs;
using ir::Graph;
using ir::kNoValue;
using ir::OpKind;
using ir::ValueId;

// The same numbers on every machine and standard library.
class Random {
 public:
  explicit Random(uint32_t seed) : state_(seed * 2654435761u + 12345u) {}
  uint32_t Next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 17;
    state_ ^= state_ << 5;
    return state_;
  }
  // In [low, high].
  int64_t Int(int64_t low, int64_t high) { return low + static_cast<int64_t>(Next() % static_cast<uint32_t>(high - low + 1)); }
  bool OneIn(int n) { return Int(1, n) == 1; }
  // In [low, high).
  float Uniform(float low, float high) { return low + (high - low) * static_cast<float>(Next() >> 8) * 0x1p-24f; }

 private:
  uint32_t state_;
};

class Generator {
 public:
  explicit Generator(uint32_t seed) : random_(seed), graph_(std::make_unique<Graph>()) {}

  std::unique_ptr<Graph> Run() {
    graph_->name = "random";
    graph_->source = "random";
    const Shape shape{random_.OneIn(4) ? 2 : 1, random_.Int(1, 20), random_.Int(5, 19), random_.Int(5, 19)};
    Keep(graph_->AddInput("input", TensorType{DType::kFloat32, shape, {}, Layout::kPlain}));
    ValueId x = Convolution(values_.back(), false);
    const int64_t steps = random_.Int(2, 7);
    for (int64_t i = 0; i < steps; ++i) x = Step(x);
    Finish(x);
    return std::move(graph_);
  }

 private:
  const Shape& ShapeOf(ValueId v) const { return graph_->value(v).type.shape; }
  std::string Name(const char* what) { return absl::StrCat(what, "_", count_++); }

  ValueId Keep(ValueId v) {
    values_.push_back(v);
    return v;
  }

  ValueId Add(OpKind op, std::vector<ValueId> inputs, Attrs attrs = {}) {
    const ir::NodeId id = graph_->AddNode(op, Name(ir::OpName(op)), std::move(inputs), std::move(attrs));
    const absl::Status status = ir::InferNode(*graph_, id);
    if (!status.ok()) {
      std::cerr << "random graph: " << status << "\n";
      std::abort();
    }
    return Keep(graph_->node(id).outputs[0]);
  }

  ValueId Floats(Shape shape, float low, float high) {
    Tensor t = *Tensor::Allocate(DType::kFloat32, std::move(shape));
    for (int64_t i = 0; i < t.elements(); ++i) t.mutable_data<float>()[i] = random_.Uniform(low, high);
    return graph_->AddConstant(Name("constant"), std::move(t));
  }
  ValueId Ints(const std::vector<int64_t>& values) {
    return graph_->AddConstant(Name("constant"), Tensor::Of<int64_t>(Shape{static_cast<int64_t>(values.size())}, values));
  }

  ValueId Activation(ValueId x) {
    switch (random_.Int(0, 9)) {
      case 0:
      case 1:
      case 2: return Add(OpKind::kRelu, {x});
      case 3:
        return Add(OpKind::kClip,
                   {x, graph_->AddConstant(Name("low"), Tensor::Scalar(0.0f)), graph_->AddConstant(Name("high"), Tensor::Scalar(1.5f))});
      case 4: return Add(OpKind::kLeakyRelu, {x});
      case 5: return Add(OpKind::kSigmoid, {x});
      case 6: return Add(OpKind::kMul, {x, Add(OpKind::kSigmoid, {x})});
      case 7: return Add(OpKind::kHardSwish, {x});
      default: return x;
    }
  }

  ValueId Convolution(ValueId x, bool same_shape) {
    const Shape shape = ShapeOf(x);
    const int64_t c = shape.dim(1);
    const bool depthwise = random_.OneIn(3);
    int64_t groups = depthwise ? c : 1;
    if (!depthwise && c % 2 == 0 && random_.OneIn(5)) groups = 2;
    int64_t oc = depthwise || same_shape ? c : random_.Int(1, 40);
    oc = (oc + groups - 1) / groups * groups;
    const int64_t sizes[] = {1, 1, 3, 3, 3, 5, 2};
    int64_t k[2], stride[2], dilation[2], pads[4];
    for (int d = 0; d < 2; ++d) {
      const int64_t size = shape.dim(2 + d);
      k[d] = std::min(sizes[random_.Int(0, 6)], size);
      if (same_shape) k[d] |= 1;
      dilation[d] = k[d] > 1 && random_.OneIn(5) ? 2 : 1;
      stride[d] = !same_shape && random_.OneIn(3) ? 2 : 1;
      const int64_t extent = (k[d] - 1) * dilation[d] + 1;
      pads[d] = same_shape ? extent / 2 : random_.Int(0, extent - 1);
      pads[2 + d] = same_shape ? extent / 2 : random_.Int(0, extent - 1);
      if (size + pads[d] + pads[2 + d] < extent) pads[d] = extent;
    }
    Attrs attrs;
    attrs.Set("group", groups);
    attrs.Set("strides", std::vector<int64_t>{stride[0], stride[1]});
    attrs.Set("dilations", std::vector<int64_t>{dilation[0], dilation[1]});
    attrs.Set("pads", std::vector<int64_t>{pads[0], pads[1], pads[2], pads[3]});
    const float spread = 1.5f / std::sqrt(static_cast<float>(c / groups * k[0] * k[1]));
    std::vector<ValueId> inputs = {x, Floats(Shape{oc, c / groups, k[0], k[1]}, -spread, spread)};
    if (!random_.OneIn(4)) inputs.push_back(Floats(Shape{oc}, -0.5f, 0.5f));
    return Add(OpKind::kConv, inputs, attrs);
  }

  ValueId Pool(ValueId x) {
    const Shape& shape = ShapeOf(x);
    Attrs attrs;
    const int64_t k = std::min<int64_t>({random_.Int(2, 3), shape.dim(2), shape.dim(3)});
    attrs.Set("kernel_shape", std::vector<int64_t>{k, k});
    attrs.Set("strides", std::vector<int64_t>{random_.Int(1, 2), random_.Int(1, 2)});
    const int64_t p = random_.Int(0, k - 1);
    attrs.Set("pads", std::vector<int64_t>{p, 0, p, random_.Int(0, k - 1)});
    if (random_.OneIn(3)) attrs.Set("count_include_pad", int64_t{1});
    const bool average = random_.OneIn(2);
    if (!average) attrs.Erase("count_include_pad");
    return Add(average ? OpKind::kAveragePool : OpKind::kMaxPool, {x}, attrs);
  }

  // Squeeze-and-excitation: a product with one factor per channel.
  ValueId Excite(ValueId x) {
    const int64_t c = ShapeOf(x).dim(1);
    const ValueId mean = Add(OpKind::kGlobalAveragePool, {x});
    const ValueId w = Floats(Shape{c, c, 1, 1}, -1.0f, 1.0f);
    return Add(OpKind::kMul, {x, Add(OpKind::kSigmoid, {Add(OpKind::kConv, {mean, w})})});
  }

  // An earlier value with the same batch and image size, and with the same channels when asked; kNoValue when there is none.
  ValueId Earlier(ValueId x, bool same_channels) {
    const Shape& shape = ShapeOf(x);
    for (int tries = 0; tries < 8; ++tries) {
      const ValueId v = values_[random_.Int(0, static_cast<int64_t>(values_.size()) - 1)];
      const Shape& other = ShapeOf(v);
      if (v == x || other.rank() != 4 || other.dim(2) != shape.dim(2) || other.dim(3) != shape.dim(3)) continue;
      if (!same_channels || other.dim(1) == shape.dim(1)) return v;
    }
    return kNoValue;
  }

  ValueId Step(ValueId x) {
    const Shape shape = ShapeOf(x);
    switch (random_.Int(0, 11)) {
      case 0: return Pool(x);
      case 1: {
        const ValueId other = Earlier(x, true);
        return other == kNoValue ? Activation(Convolution(x, false)) : Activation(Add(random_.OneIn(4) ? OpKind::kSub : OpKind::kAdd, {x, other}));
      }
      case 2: {
        const ValueId y = Convolution(x, true);
        return ShapeOf(y) == shape ? Activation(Add(OpKind::kAdd, {random_.OneIn(2) ? x : y, random_.OneIn(2) ? y : x})) : y;
      }
      case 3: {
        const ValueId other = Earlier(x, false);
        if (other == kNoValue) return Activation(Convolution(x, false));
        Attrs attrs;
        attrs.Set("axis", int64_t{1});
        return Add(OpKind::kConcat, {x, other}, attrs);
      }
      case 4: return Excite(x);
      case 5: {
        if (shape.dim(1) < 2) return Activation(Convolution(x, false));
        const int64_t begin = random_.Int(0, shape.dim(1) - 2);
        return Add(OpKind::kSlice, {x, Ints({begin}), Ints({random_.Int(begin + 1, shape.dim(1))}), Ints({1})});
      }
      case 6: return Add(OpKind::kPad, {x, Ints({0, 0, random_.Int(0, 1), random_.Int(0, 2), 0, 0, random_.Int(0, 2), 1})});
      case 7: {
        if (shape.dim(2) * shape.dim(3) > 200) return Pool(x);
        Attrs attrs;
        attrs.Set("coordinate_transformation_mode", std::string("asymmetric"));
        attrs.Set("nearest_mode", std::string("floor"));
        const ValueId scales = graph_->AddConstant(Name("scales"), Tensor::Of<float>(Shape{4}, {1.0f, 1.0f, 2.0f, 2.0f}));
        return Add(OpKind::kResize, {x, kNoValue, scales}, attrs);
      }
      default: return Activation(Convolution(x, false));
    }
  }

  void Finish(ValueId x) {
    if (random_.OneIn(2)) {
      const ValueId flat = Add(OpKind::kFlatten, {Add(OpKind::kGlobalAveragePool, {x})});
      Attrs attrs;
      attrs.Set("transB", int64_t{1});
      const int64_t classes = random_.Int(1, 30);
      const ValueId logits = Add(OpKind::kGemm, {flat, Floats(Shape{classes, ShapeOf(flat).dim(1)}, -1, 1), Floats(Shape{classes}, -1, 1)}, attrs);
      graph_->MarkOutput(random_.OneIn(2) ? Add(OpKind::kSoftmax, {logits}) : logits);
    } else {
      graph_->MarkOutput(x);
    }
    // A second reader outside the network keeps some tensors visible in float.
    if (random_.OneIn(3)) {
      const ValueId inner = values_[random_.Int(1, static_cast<int64_t>(values_.size()) - 1)];
      if (!graph_->IsOutput(inner)) graph_->MarkOutput(inner);
    }
  }

  Random random_;
  std::unique_ptr<Graph> graph_;
  std::vector<ValueId> values_;
  int count_ = 0;
};

}  // namespace

std::unique_ptr<Graph> RandomGraph(uint32_t seed) { return Generator(seed).Run(); }

std::vector<Tensor> RandomInputs(const Graph& graph, uint32_t seed) {
  Random random(seed ^ 0x5bd1e995u);
  std::vector<Tensor> inputs;
  for (ValueId v : graph.inputs()) {
    Tensor t = *Tensor::Allocate(graph.value(v).type);
    for (int64_t i = 0; i < t.elements(); ++i) t.mutable_data<float>()[i] = random.Uniform(-2, 3);
    inputs.push_back(std::move(t));
  }
  return inputs;
}

}  // namespace omkit::testing
