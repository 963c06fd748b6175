#include "tools/bench/generators/net_builder.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace omkit::bench {
namespace {

constexpr int kOpset = 17;
constexpr int kIrVersion = 8;

void SetInt(onnx::NodeProto* node, const char* name, int64_t value) {
  onnx::AttributeProto* attribute = node->add_attribute();
  attribute->set_name(name);
  attribute->set_type(onnx::AttributeProto::INT);
  attribute->set_i(value);
}

void SetInts(onnx::NodeProto* node, const char* name, const std::vector<int64_t>& values) {
  onnx::AttributeProto* attribute = node->add_attribute();
  attribute->set_name(name);
  attribute->set_type(onnx::AttributeProto::INTS);
  for (int64_t value : values) attribute->add_ints(value);
}

void SetString(onnx::NodeProto* node, const char* name, const char* value) {
  onnx::AttributeProto* attribute = node->add_attribute();
  attribute->set_name(name);
  attribute->set_type(onnx::AttributeProto::STRING);
  attribute->set_s(value);
}

void Describe(onnx::ValueInfoProto* value, const std::string& name, const std::vector<int64_t>& dims) {
  value->set_name(name);
  onnx::TypeProto::Tensor* type = value->mutable_type()->mutable_tensor_type();
  type->set_elem_type(onnx::TensorProto::FLOAT);
  for (int64_t dim : dims) type->mutable_shape()->add_dim()->set_dim_value(dim);
}

int64_t Window(int64_t size, int64_t kernel, int64_t stride, int64_t pad, bool ceil_mode) {
  return (size + 2 * pad - kernel + (ceil_mode ? stride - 1 : 0)) / stride + 1;
}

}  // namespace

NetBuilder::NetBuilder(const std::string& name, uint64_t seed) : random_(seed) {
  model_.set_ir_version(kIrVersion);
  model_.set_producer_name("omkit bench");
  model_.add_opset_import()->set_version(kOpset);
  model_.mutable_graph()->set_name(name);
}

// The sum of twelve uniform numbers: normal enough, and free of libm, which differs between machines.
double NetBuilder::Normal() {
  double sum = -6;
  for (int draw = 0; draw < 3; ++draw) {
    // SplitMix64 (Steele, Lea, Flood 2014).
    uint64_t z = random_ += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    for (int part = 0; part < 4; ++part) sum += (static_cast<double>((z >> (16 * part)) & 0xFFFF) + 0.5) / 65536;
  }
  return sum;
}

onnx::NodeProto* NetBuilder::Node(const std::string& op, const std::vector<std::string>& inputs) {
  onnx::NodeProto* node = model_.mutable_graph()->add_node();
  node->set_op_type(op);
  node->set_name(absl::StrCat(absl::AsciiStrToLower(op), "_", model_.graph().node_size()));
  for (const std::string& input : inputs) node->add_input(input);
  node->add_output(node->name());
  return node;
}

std::string NetBuilder::Constant(const std::string& name, const std::vector<int64_t>& dims, const std::vector<float>& values) {
  onnx::TensorProto* tensor = model_.mutable_graph()->add_initializer();
  tensor->set_name(name);
  tensor->set_data_type(onnx::TensorProto::FLOAT);
  for (int64_t dim : dims) tensor->add_dims(dim);
  std::string bytes(values.size() * sizeof(float), '\0');
  for (size_t i = 0; i < values.size(); ++i) {
    uint32_t bits;
    std::memcpy(&bits, &values[i], sizeof bits);
    for (int byte = 0; byte < 4; ++byte) bytes[4 * i + byte] = static_cast<char>(bits >> (8 * byte));  // little-endian, as the format has it
  }
  tensor->set_raw_data(std::move(bytes));
  return name;
}

std::string NetBuilder::Constant(const std::string& name, const std::vector<int64_t>& values) {
  onnx::TensorProto* tensor = model_.mutable_graph()->add_initializer();
  tensor->set_name(name);
  tensor->set_data_type(onnx::TensorProto::INT64);
  tensor->add_dims(static_cast<int64_t>(values.size()));
  for (int64_t value : values) tensor->add_int64_data(value);
  return name;
}

std::string NetBuilder::Weights(const std::string& name, const std::vector<int64_t>& dims, double variance) {
  int64_t fan_in = 1;
  for (size_t i = 1; i < dims.size(); ++i) fan_in *= dims[i];
  std::vector<float> values(dims[0] * fan_in);
  const double deviation = std::sqrt(variance / static_cast<double>(fan_in));
  for (int64_t row = 0; row < dims[0]; ++row) {
    const double scale = deviation * std::max(0.25, 1 + 0.25 * Normal());
    for (int64_t i = 0; i < fan_in; ++i) values[row * fan_in + i] = static_cast<float>(scale * Normal());
  }
  parameters_ += static_cast<int64_t>(values.size());
  return Constant(name, dims, values);
}

std::string NetBuilder::Biases(const std::string& name, int64_t count, double deviation) {
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(deviation * Normal());
  parameters_ += count;
  return Constant(name, {count}, values);
}

Activation NetBuilder::Input(int64_t batch, int64_t size) {
  batch_ = batch;
  Describe(model_.mutable_graph()->add_input(), "input", {batch, 3, size, size});
  return {"input", 3, size, size};
}

Activation NetBuilder::Conv(const Activation& x, const ConvSpec& spec) {
  const int64_t pad = spec.pad < 0 ? spec.kernel / 2 : spec.pad;
  const int64_t in_channels = x.channels / spec.groups;
  const double variance = spec.variance > 0 ? spec.variance : spec.then == Nonlinearity::kNone ? 1 : 2;
  onnx::NodeProto* node = Node("Conv", {x.name});
  node->add_input(Weights(node->name() + ".weight", {spec.out_channels, in_channels, spec.kernel, spec.kernel}, variance));
  node->add_input(Biases(node->name() + ".bias", spec.out_channels, 0.1));
  SetInts(node, "kernel_shape", {spec.kernel, spec.kernel});
  SetInts(node, "strides", {spec.stride, spec.stride});
  SetInts(node, "pads", {pad, pad, pad, pad});
  SetInt(node, "group", spec.groups);
  if (spec.batch_norm) conv_biases_ += spec.out_channels;
  Activation y = {node->name(), spec.out_channels, Window(x.height, spec.kernel, spec.stride, pad, false),
                  Window(x.width, spec.kernel, spec.stride, pad, false)};
  multiply_adds_ += y.channels * y.height * y.width * in_channels * spec.kernel * spec.kernel;
  if (spec.then == Nonlinearity::kRelu) return Relu(y);
  if (spec.then == Nonlinearity::kSilu) return Silu(y);
  if (spec.then == Nonlinearity::kRelu6) {
    onnx::NodeProto* clip = Node("Clip", {y.name});
    clip->add_input(Constant(clip->name() + ".min", {}, {0}));
    clip->add_input(Constant(clip->name() + ".max", {}, {6}));
    y.name = clip->name();
  }
  return y;
}

Activation NetBuilder::Relu(const Activation& x) { return {Node("Relu", {x.name})->name(), x.channels, x.height, x.width}; }

Activation NetBuilder::Silu(const Activation& x) {
  return {Node("Mul", {x.name, Node("Sigmoid", {x.name})->output(0)})->name(), x.channels, x.height, x.width};
}

Activation NetBuilder::Add(const Activation& a, const Activation& b) {
  return {Node("Add", {a.name, b.name})->name(), a.channels, a.height, a.width};
}

Activation NetBuilder::MaxPool(const Activation& x, int64_t kernel, int64_t stride, int64_t pad, bool ceil_mode) {
  onnx::NodeProto* node = Node("MaxPool", {x.name});
  SetInts(node, "kernel_shape", {kernel, kernel});
  SetInts(node, "strides", {stride, stride});
  SetInts(node, "pads", {pad, pad, pad, pad});
  SetInt(node, "ceil_mode", ceil_mode);
  return {node->name(), x.channels, Window(x.height, kernel, stride, pad, ceil_mode), Window(x.width, kernel, stride, pad, ceil_mode)};
}

Activation NetBuilder::Concat(const std::vector<Activation>& parts) {
  onnx::NodeProto* node = Node("Concat", {});
  Activation y = {node->name(), 0, parts[0].height, parts[0].width};
  for (const Activation& part : parts) {
    node->add_input(part.name);
    y.channels += part.channels;
  }
  SetInt(node, "axis", 1);
  return y;
}

std::pair<Activation, Activation> NetBuilder::Halve(const Activation& x) {
  onnx::NodeProto* node = Node("Split", {x.name});
  const int64_t half = x.channels / 2;
  node->add_input(Constant(node->name() + ".split", std::vector<int64_t>{half, x.channels - half}));
  node->add_output(node->name() + ".1");
  SetInt(node, "axis", 1);
  return {{node->output(0), half, x.height, x.width}, {node->output(1), x.channels - half, x.height, x.width}};
}

Activation NetBuilder::Upsample(const Activation& x) {
  onnx::NodeProto* node = Node("Resize", {x.name, ""});
  node->add_input(Constant(node->name() + ".scales", {4}, {1, 1, 2, 2}));
  SetString(node, "mode", "nearest");
  SetString(node, "coordinate_transformation_mode", "asymmetric");
  SetString(node, "nearest_mode", "floor");
  return {node->name(), x.channels, 2 * x.height, 2 * x.width};
}

void NetBuilder::Output(const std::string& value, const std::string& name, const std::vector<int64_t>& dims) {
  for (onnx::NodeProto& node : *model_.mutable_graph()->mutable_node()) {
    for (std::string& output : *node.mutable_output()) {
      if (output == value) output = name;
    }
  }
  Describe(model_.mutable_graph()->add_output(), name, dims);
}

void NetBuilder::Classify(const Activation& x, int64_t classes) {
  const std::string pooled = Node("GlobalAveragePool", {x.name})->name();
  onnx::NodeProto* last = Node("Flatten", {pooled});
  SetInt(last, "axis", 1);
  if (x.channels != classes) {
    last = Node("Gemm", {last->name()});
    last->add_input(Weights(last->name() + ".weight", {classes, x.channels}, 1));
    last->add_input(Biases(last->name() + ".bias", classes, 0.01));
    SetInt(last, "transB", 1);
    multiply_adds_ += classes * x.channels;
  }
  Output(last->name(), "logits", {batch_, classes});
}

void NetBuilder::Detect(const std::vector<Activation>& maps) {
  std::vector<std::string> rows;
  int64_t pixels = 0;
  for (const Activation& map : maps) {
    onnx::NodeProto* node = Node("Reshape", {map.name});
    node->add_input(Constant(node->name() + ".shape", std::vector<int64_t>{batch_, map.channels, map.height * map.width}));
    rows.push_back(node->name());
    pixels += map.height * map.width;
  }
  onnx::NodeProto* all = Node("Concat", rows);
  SetInt(all, "axis", 2);
  Output(all->name(), "boxes", {batch_, maps[0].channels, pixels});
}

}  // namespace omkit::bench
