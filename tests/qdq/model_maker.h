// Small ONNX models for tests, node by node, as the generated protobuf classes hold them.
#ifndef OMKIT_TESTS_QDQ_MODEL_MAKER_H_
#define OMKIT_TESTS_QDQ_MODEL_MAKER_H_

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "onnx/onnx-ml.pb.h"

namespace omkit::testing {

class ModelMaker {
 public:
  explicit ModelMaker(int64_t opset = 13) {
    model_.set_ir_version(8);
    model_.mutable_graph()->set_name("made");
    Import("", opset);
    Import("com.microsoft", 1);
  }

  onnx::ModelProto& model() { return model_; }
  onnx::GraphProto& graph() { return *model_.mutable_graph(); }

  void Import(const std::string& domain, int64_t version) {
    auto* import = model_.add_opset_import();
    import->set_domain(domain);
    import->set_version(version);
  }

  std::string Input(const std::string& name, const std::vector<int64_t>& dims, int type = onnx::TensorProto::FLOAT) {
    Declare(graph().add_input(), name, dims, type);
    return name;
  }
  void Output(const std::string& name, int type = onnx::TensorProto::FLOAT) {
    graph().add_output()->set_name(name);
    graph().mutable_output(graph().output_size() - 1)->mutable_type()->mutable_tensor_type()->set_elem_type(type);
  }

  std::string Floats(const std::vector<int64_t>& dims, const std::vector<float>& values) {
    onnx::TensorProto& t = Constant(dims, onnx::TensorProto::FLOAT);
    t.set_raw_data(values.data(), values.size() * sizeof(float));
    return t.name();
  }
  std::string Float(float value) { return Floats({}, {value}); }
  // `type`: INT8, UINT8, INT32 or INT64.
  std::string Integers(const std::vector<int64_t>& dims, const std::vector<int64_t>& values, int type) {
    onnx::TensorProto& t = Constant(dims, type);
    for (const int64_t v : values) {
      if (type == onnx::TensorProto::INT64) t.add_int64_data(v);
      else t.add_int32_data(static_cast<int32_t>(v));
    }
    return t.name();
  }
  std::string Zero(int64_t zero, int type) { return Integers({}, {zero}, type); }
  // Made numbers in [low, high].
  std::string RandomIntegers(const std::vector<int64_t>& dims, int64_t low, int64_t high, int type) {
    std::vector<int64_t> values(Elements(dims));
    for (int64_t& v : values) v = low + static_cast<int64_t>(Next() * static_cast<double>(high - low + 1));
    return Integers(dims, values, type);
  }
  std::string RandomFloats(const std::vector<int64_t>& dims, float low, float high) {
    std::vector<float> values(Elements(dims));
    for (float& v : values) v = low + static_cast<float>(Next()) * (high - low);
    return Floats(dims, values);
  }

  // Adds a node and returns its output 0; `outputs` fresh names.
  std::string Op(const std::string& op, const std::vector<std::string>& inputs, const std::string& domain = "", int outputs = 1) {
    onnx::NodeProto* node = graph().add_node();
    node->set_op_type(op);
    node->set_domain(domain);
    node->set_name(absl::StrCat(op, "_", graph().node_size()));
    for (const std::string& input : inputs) node->add_input(input);
    for (int i = 0; i < outputs; ++i) node->add_output(absl::StrCat(node->name(), "_out", i));
    return node->output(0);
  }
  std::string Ms(const std::string& op, const std::vector<std::string>& inputs) { return Op(op, inputs, "com.microsoft"); }
  // Output `i` of the newest node.
  std::string Out(int i) { return graph().node(graph().node_size() - 1).output(i); }

  // Attributes of the newest node.
  ModelMaker& Set(const std::string& name, int64_t value) {
    Attribute(name, onnx::AttributeProto::INT).set_i(value);
    return *this;
  }
  ModelMaker& SetFloat(const std::string& name, float value) {
    Attribute(name, onnx::AttributeProto::FLOAT).set_f(value);
    return *this;
  }
  ModelMaker& SetText(const std::string& name, const std::string& value) {
    Attribute(name, onnx::AttributeProto::STRING).set_s(value);
    return *this;
  }
  ModelMaker& SetInts(const std::string& name, const std::vector<int64_t>& values) {
    onnx::AttributeProto& a = Attribute(name, onnx::AttributeProto::INTS);
    for (const int64_t v : values) a.add_ints(v);
    return *this;
  }

 private:
  static size_t Elements(const std::vector<int64_t>& dims) {
    size_t n = 1;
    for (const int64_t d : dims) n *= static_cast<size_t>(d);
    return n;
  }
  double Next() {
    state_ = state_ * 1664525u + 1013904223u;
    return (state_ >> 8) / 16777216.0;
  }
  static void Declare(onnx::ValueInfoProto* info, const std::string& name, const std::vector<int64_t>& dims, int type) {
    info->set_name(name);
    auto* tensor = info->mutable_type()->mutable_tensor_type();
    tensor->set_elem_type(type);
    tensor->mutable_shape();
    for (const int64_t d : dims) tensor->mutable_shape()->add_dim()->set_dim_value(d);
  }
  onnx::TensorProto& Constant(const std::vector<int64_t>& dims, int type) {
    onnx::TensorProto* t = graph().add_initializer();
    t->set_name(absl::StrCat("constant_", graph().initializer_size()));
    t->set_data_type(type);
    for (const int64_t d : dims) t->add_dims(d);
    return *t;
  }
  onnx::AttributeProto& Attribute(const std::string& name, onnx::AttributeProto::AttributeType type) {
    onnx::AttributeProto* a = graph().mutable_node(graph().node_size() - 1)->add_attribute();
    a->set_name(name);
    a->set_type(type);
    return *a;
  }

  onnx::ModelProto model_;
  uint32_t state_ = 7;
};

}  // namespace omkit::testing

#endif  // OMKIT_TESTS_QDQ_MODEL_MAKER_H_
