#include "tests/backend_conformance/operators.h"

#include <cmath>
#include <cstdlib>
#include <functional>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "ir/op.h"

namespace omkit::conformance {
namespace {

using ir::Attrs;
using ir::kNoValue;
using ir::OpKind;
using ir::ValueId;

// Builds one network; values of constants are a fixed wave, so that no case depends on a random generator.
class Net {
 public:
  Net() : graph_(std::make_unique<ir::Graph>()) { graph_->name = graph_->source = "operator"; }

  ValueId In(Shape shape) { return graph_->AddInput(Name("input"), TensorType{DType::kFloat32, std::move(shape), {}, Layout::kPlain}); }
  ValueId Const(Shape shape, float amplitude = 0.5f) {
    Tensor t = *Tensor::Allocate(DType::kFloat32, std::move(shape));
    for (int64_t i = 0; i < t.elements(); ++i) t.mutable_data<float>()[i] = amplitude * std::sin(static_cast<float>(7 * i + 3));
    return graph_->AddConstant(Name("constant"), std::move(t));
  }
  ValueId Ints(const std::vector<int64_t>& values) {
    return graph_->AddConstant(Name("constant"), Tensor::Of<int64_t>(Shape{static_cast<int64_t>(values.size())}, values));
  }
  ValueId Scalar(float value) { return graph_->AddConstant(Name("constant"), Tensor::Scalar(value)); }
  ValueId Add(OpKind op, std::vector<ValueId> inputs, const std::vector<std::pair<const char*, ir::Attr>>& attributes = {}) {
    Attrs attrs;
    for (const auto& [name, value] : attributes) attrs.Set(name, value);
    const ir::NodeId id = graph_->AddNode(op, Name(ir::OpName(op)), std::move(inputs), std::move(attrs));
    const absl::Status status = ir::InferNode(*graph_, id);
    if (!status.ok()) {
      std::cerr << "operator case: " << status << "\n";
      std::abort();
    }
    return graph_->node(id).outputs[0];
  }
  std::unique_ptr<ir::Graph> Finish(ValueId output) {
    graph_->MarkOutput(output);
    return std::move(graph_);
  }

 private:
  std::string Name(const char* what) { return absl::StrCat(what, "_", count_++); }
  std::unique_ptr<ir::Graph> graph_;
  int count_ = 0;
};

using Ints = std::vector<int64_t>;

struct Row {
  const char* name;
  ValueId (*build)(Net&);
};

ValueId ConvOf(Net& n, ValueId x, Shape weight, int64_t group, Ints strides, Ints dilations, Ints pads) {
  const int64_t channels = weight.dim(0);
  return n.Add(OpKind::kConv, {x, n.Const(std::move(weight)), n.Const(Shape{channels})},
               {{"group", group}, {"strides", strides}, {"dilations", dilations}, {"pads", pads}});
}

const Row kRows[] = {
    {"conv 1x1 over 64 channels",
     [](Net& n) {
       return ConvOf(n, n.In({1, 64, 5, 7}), {48, 64, 1, 1}, 1, {1, 1}, {1, 1}, {0, 0, 0, 0});
     }},
    {"conv 3x3 over an image of 3 channels",
     [](Net& n) {
       return ConvOf(n, n.In({1, 3, 17, 15}), {16, 3, 3, 3}, 1, {2, 2}, {1, 1}, {1, 1, 1, 1});
     }},
    {"conv of 4 groups, dilated",
     [](Net& n) {
       return ConvOf(n, n.In({2, 8, 12, 9}), {12, 2, 3, 2}, 4, {1, 2}, {2, 3}, {2, 3, 2, 0});
     }},
    {"depthwise conv 5x3 with residual and clamp",
     [](Net& n) {
       const ValueId x = n.In({1, 10, 9, 9});
       const ValueId y = ConvOf(n, x, {10, 1, 5, 3}, 10, {1, 1}, {1, 1}, {2, 1, 2, 1});
       return n.Add(OpKind::kClip, {n.Add(OpKind::kAdd, {y, x}), n.Scalar(0), n.Scalar(1)});
     }},
    {"conv of one dimension",
     [](Net& n) {
       return ConvOf(n, n.In({1, 6, 33}), {8, 6, 5}, 1, {2}, {1}, {2, 1});
     }},
    {"conv of one pixel",
     [](Net& n) {
       return ConvOf(n, n.In({1, 7, 1, 1}), {5, 7, 1, 1}, 1, {1, 1}, {1, 1}, {0, 0, 0, 0});
     }},
    {"dense with bias and relu",
     [](Net& n) {
       const ValueId y = n.Add(OpKind::kGemm, {n.In({5, 37}), n.Const({11, 37}), n.Const({11})}, {{"transB", int64_t{1}}});
       return n.Add(OpKind::kRelu, {y});
     }},
    {"matrix product by a constant, rank 3",
     [](Net& n) {
       return n.Add(OpKind::kMatMul, {n.In({2, 9, 24}), n.Const({24, 10})});
     }},
    {"matrix product of two inputs",
     [](Net& n) {
       return n.Add(OpKind::kMatMul, {n.In({2, 6, 8}), n.In({2, 8, 5})});
     }},
    {"add and subtract a constant of each channel",
     [](Net& n) {
       const ValueId x = n.Add(OpKind::kAdd, {n.In({2, 6, 5, 4}), n.Const({6, 1, 1})});
       return n.Add(OpKind::kSub, {x, n.Const({1, 6, 1, 1})});
     }},
    {"add and subtract a number",
     [](Net& n) {
       return n.Add(OpKind::kSub, {n.Add(OpKind::kAdd, {n.In({3, 7}), n.Scalar(0.25f)}), n.Scalar(1.5f)});
     }},
    {"add tensors that broadcast into each other",
     [](Net& n) {
       return n.Add(OpKind::kAdd, {n.In({2, 1, 5}), n.In({3, 1})});
     }},
    {"multiply and divide",
     [](Net& n) {
       return n.Add(OpKind::kDiv, {n.Add(OpKind::kMul, {n.In({4, 9}), n.In({4, 9})}), n.Scalar(3.0f)});
     }},
    {"elementwise functions",
     [](Net& n) {
       return n.Add(OpKind::kTanh, {n.Add(OpKind::kSigmoid, {n.Add(OpKind::kGelu, {n.In({2, 33})})})});
     }},
    {"softmax along the last dimension",
     [](Net& n) {
       return n.Add(OpKind::kSoftmax, {n.In({6, 13})});
     }},
    {"layer normalization",
     [](Net& n) {
       return n.Add(OpKind::kLayerNormalization, {n.In({4, 18}), n.Const({18}), n.Const({18})});
     }},
    {"max pool and average pool with pads",
     [](Net& n) {
       const ValueId y =
           n.Add(OpKind::kMaxPool, {n.In({1, 5, 11, 10})}, {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}});
       return n.Add(OpKind::kAveragePool, {y}, {{"kernel_shape", Ints{2, 3}}, {"pads", Ints{0, 1, 1, 1}}});
     }},
    {"global pools",
     [](Net& n) {
       return n.Add(OpKind::kGlobalMaxPool, {n.In({2, 9, 6, 5})});
     }},
    {"transpose, reshape, concatenate",
     [](Net& n) {
       const ValueId t = n.Add(OpKind::kTranspose, {n.In({2, 3, 4, 5})}, {{"perm", Ints{0, 2, 3, 1}}});
       const ValueId r = n.Add(OpKind::kReshape, {t, n.Ints({2, 60})});
       return n.Add(OpKind::kConcat, {r, n.In({2, 4})}, {{"axis", int64_t{1}}});
     }},
    {"mean and largest index",
     [](Net& n) {
       return n.Add(OpKind::kArgMax, {n.Add(OpKind::kReduceMean, {n.In({3, 4, 5}), n.Ints({2})})}, {{"axis", int64_t{1}}});
     }},
    {"an operator that only the reference has",
     [](Net& n) {
       return n.Add(OpKind::kCumSum, {n.In({3, 8}), n.Ints({1})});
     }},
    {"nothing to compute: an empty batch",
     [](Net& n) {
       return n.Add(OpKind::kRelu, {n.Add(OpKind::kAdd, {n.In({0, 4}), n.Const({4})})});
     }},
};

}  // namespace

std::vector<OperatorCase> OperatorCases() {
  std::vector<OperatorCase> cases;
  for (const Row& row : kRows) {
    Net net;
    const ValueId output = row.build(net);
    cases.push_back({row.name, net.Finish(output)});
  }
  return cases;
}

}  // namespace omkit::conformance
