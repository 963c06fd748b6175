// The layers of networks on sequences.
#include <cmath>

#include "tools/bench/generators/net_builder.h"

namespace omkit::bench {
namespace {

void SetAttribute(onnx::NodeProto* node, const char* name, int64_t value) {
  onnx::AttributeProto* attribute = node->add_attribute();
  attribute->set_name(name);
  attribute->set_type(onnx::AttributeProto::INT);
  attribute->set_i(value);
}

void SetOrder(onnx::NodeProto* node, const std::vector<int64_t>& order) {
  onnx::AttributeProto* attribute = node->add_attribute();
  attribute->set_name("perm");
  attribute->set_type(onnx::AttributeProto::INTS);
  for (int64_t axis : order) attribute->add_ints(axis);
}

}  // namespace

Tokens NetBuilder::InputTokens(int64_t batch, int64_t count, int64_t width) {
  batch_ = batch;
  onnx::ValueInfoProto* input = model_.mutable_graph()->add_input();
  input->set_name("input");
  onnx::TypeProto::Tensor* type = input->mutable_type()->mutable_tensor_type();
  type->set_elem_type(onnx::TensorProto::FLOAT);
  for (int64_t dim : {batch, count, width}) type->mutable_shape()->add_dim()->set_dim_value(dim);
  return {"input", count, width};
}

Tokens NetBuilder::Linear(const Tokens& x, int64_t width, double variance) {
  onnx::NodeProto* product = Node("MatMul", {x.name});
  const std::string name = product->name();
  // MatMul takes the weights as [inputs, outputs]; the variance is by inputs all the same.
  product->add_input(Weights(name + ".weight", {x.width, width}, variance * static_cast<double>(width) / static_cast<double>(x.width)));
  multiply_adds_ += x.count * x.width * width;
  const std::string bias = Biases(name + ".bias", width, 0.02);
  return {Node("Add", {bias, name})->name(), x.count, width};
}

Tokens NetBuilder::Gelu(const Tokens& x) {
  const std::string root = Scalar(x.name + ".root2", std::sqrt(2.0F)), one = Scalar(x.name + ".one", 1), half = Scalar(x.name + ".half", 0.5F);
  const std::string erf = Node("Erf", {Node("Div", {x.name, root})->name()})->name();
  const std::string sum = Node("Add", {erf, one})->name();
  return {Node("Mul", {Node("Mul", {x.name, sum})->name(), half})->name(), x.count, x.width};
}

Tokens NetBuilder::LayerNorm(const Tokens& x) {
  onnx::NodeProto* node = Node("LayerNormalization", {x.name});
  std::vector<float> gain(x.width);
  for (float& value : gain) value = static_cast<float>(1 + 0.1 * Normal());
  parameters_ += x.width;
  node->add_input(Constant(node->name() + ".gain", {x.width}, gain));
  node->add_input(Biases(node->name() + ".bias", x.width, 0.02));
  SetAttribute(node, "axis", -1);
  return {node->name(), x.count, x.width};
}

Tokens NetBuilder::Add(const Tokens& a, const Tokens& b) { return {Node("Add", {a.name, b.name})->name(), a.count, a.width}; }

Tokens NetBuilder::Attention(const Tokens& q, const Tokens& k, const Tokens& v, int64_t heads) {
  const int64_t depth = q.width / heads;
  const std::string by_head = Constant(q.name + ".heads", std::vector<int64_t>{batch_, q.count, heads, depth});
  const auto split = [&](const Tokens& x, const std::vector<int64_t>& order) {
    onnx::NodeProto* node = Node("Transpose", {Node("Reshape", {x.name, by_head})->name()});
    SetOrder(node, order);
    return node->name();
  };
  const std::string scores = Node("MatMul", {split(q, {0, 2, 1, 3}), split(k, {0, 2, 3, 1})})->name();
  const std::string scale = Scalar(q.name + ".scale", std::sqrt(static_cast<float>(depth)));
  onnx::NodeProto* share = Node("Softmax", {Node("Div", {scores, scale})->name()});
  SetAttribute(share, "axis", -1);
  onnx::NodeProto* back = Node("Transpose", {Node("MatMul", {share->name(), split(v, {0, 2, 1, 3})})->name()});
  SetOrder(back, {0, 2, 1, 3});
  multiply_adds_ += 2 * q.count * q.count * q.width;
  const std::string joined = Constant(q.name + ".joined", std::vector<int64_t>{batch_, q.count, q.width});
  return {Node("Reshape", {back->name(), joined})->name(), q.count, q.width};
}

void NetBuilder::Encode(const Tokens& x) { Output(x.name, "hidden", {batch_, x.count, x.width}); }

}  // namespace omkit::bench
