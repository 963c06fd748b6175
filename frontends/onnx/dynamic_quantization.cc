#include "frontends/onnx/dynamic_quantization.h"

#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"

namespace omkit::frontends {
namespace {

using onnx::GraphProto;
using onnx::NodeProto;
using onnx::TensorProto;

bool Is(const NodeProto* node, const char* op) {
  return node != nullptr && node->op_type() == op && (node->domain().empty() || node->domain() == "ai.onnx");
}

int64_t Elements(const TensorProto& t) {
  int64_t n = 1;
  for (const int64_t d : t.dims()) n = d < 0 || d > (int64_t{1} << 24) || n > (int64_t{1} << 32) ? int64_t{1} << 33 : n * d;
  return n;
}

struct Layer {
  NodeProto* product = nullptr;  // MatMulInteger or ConvInteger
  const NodeProto* quantize = nullptr;
  const NodeProto* cast = nullptr;
  const NodeProto* scale = nullptr;  // Mul behind the cast
  std::string weight_scale;
};

class Joiner {
 public:
  explicit Joiner(onnx::ModelProto* model) : graph_(*model->mutable_graph()) {
    for (const auto& import : model->opset_import()) {
      if (import.domain().empty() || import.domain() == "ai.onnx") opset_ = import.version();
    }
    for (NodeProto& node : *graph_.mutable_node()) {
      for (const std::string& v : node.output()) producers_[v] = &node;
      for (const std::string& v : node.input()) ++uses_[v];
      for (const std::string& v : node.input()) readers_[v] = &node;
    }
    for (const auto& v : graph_.output()) uses_[v.name()] += 2;
    for (const TensorProto& t : graph_.initializer()) constants_[t.name()] = &t;
  }

  int Run() {
    std::vector<Layer> layers;
    for (NodeProto& node : *graph_.mutable_node()) {
      Layer layer;
      if (Match(node, &layer)) layers.push_back(layer);
    }
    std::set<const NodeProto*> taken;
    for (const Layer& layer : layers) {
      taken.insert(layer.cast);
      taken.insert(layer.scale);
    }
    std::vector<NodeProto> fresh;
    for (const Layer& layer : layers) Rewrite(layer, &fresh);
    if (layers.empty()) return 0;
    google::protobuf::RepeatedPtrField<NodeProto> kept;
    for (NodeProto& node : *graph_.mutable_node()) {
      if (taken.count(&node) == 0) kept.Add()->Swap(&node);
    }
    for (NodeProto& node : fresh) kept.Add()->Swap(&node);
    graph_.mutable_node()->Swap(&kept);
    return static_cast<int>(layers.size());
  }

 private:
  const NodeProto* Producer(const std::string& value) const {
    const auto it = producers_.find(value);
    return it == producers_.end() ? nullptr : it->second;
  }
  const NodeProto* OnlyReader(const std::string& value) const {
    const auto uses = uses_.find(value);
    return uses == uses_.end() || uses->second != 1 ? nullptr : readers_.at(value);
  }
  const TensorProto* Constant(const std::string& value) const {
    const auto it = constants_.find(value);
    return it == constants_.end() ? nullptr : it->second;
  }

  bool Match(NodeProto& node, Layer* layer) const {
    if ((!Is(&node, "MatMulInteger") && !Is(&node, "ConvInteger")) || node.input_size() < 3 || node.output_size() != 1) return false;
    layer->product = &node;
    const NodeProto* d = layer->quantize = Producer(node.input(0));
    if (!Is(d, "DynamicQuantizeLinear") || d->output_size() != 3 || node.input(0) != d->output(0) || node.input(2) != d->output(2)) return false;
    layer->cast = OnlyReader(node.output(0));
    if (!Is(layer->cast, "Cast") || layer->cast->output_size() != 1 || layer->cast->attribute_size() != 1 ||
        layer->cast->attribute(0).i() != TensorProto::FLOAT) {
      return false;
    }
    layer->scale = OnlyReader(layer->cast->output(0));
    if (!Is(layer->scale, "Mul") || layer->scale->input_size() != 2 || layer->scale->output_size() != 1) return false;
    const NodeProto* scales = Producer(layer->scale->input(layer->scale->input(0) == layer->cast->output(0) ? 1 : 0));
    if (!Is(scales, "Mul") || scales->input_size() != 2) return false;
    const int mine = scales->input(0) == d->output(1) ? 0 : 1;
    if (scales->input(mine) != d->output(1)) return false;
    layer->weight_scale = scales->input(1 - mine);
    return WeightsFit(node, Constant(layer->weight_scale));
  }

  // Scales and zero points that DequantizeLinear takes: one, or one per output channel for both.
  bool WeightsFit(const NodeProto& node, const TensorProto* scale) const {
    if (Constant(node.input(1)) == nullptr || scale == nullptr || scale->dims_size() > 1) return false;
    // DequantizeLinear has several scales from opset 13 on.
    if (Elements(*scale) != 1 && opset_ < 13) return false;
    if (node.input_size() < 4 || node.input(3).empty()) return true;
    const TensorProto* zero = Constant(node.input(3));
    return zero != nullptr && zero->dims_size() <= 1 && Elements(*zero) == Elements(*scale);
  }

  std::string Fresh(const std::string& base) {
    std::string name = base;
    for (int i = 2; producers_.count(name) != 0 || uses_.count(name) != 0 || constants_.count(name) != 0; ++i) name = absl::StrCat(base, "_", i);
    producers_[name] = nullptr;
    return name;
  }

  // `axis` is that of several scales.
  std::string Dequantize(const std::string& what, const std::vector<std::string>& inputs, int64_t axis, std::vector<NodeProto>* fresh) {
    NodeProto& node = fresh->emplace_back();
    node.set_op_type("DequantizeLinear");
    node.set_name(Fresh(what));
    for (const std::string& v : inputs) node.add_input(v);
    node.add_output(node.name());
    if (Constant(inputs[1]) == nullptr || Elements(*Constant(inputs[1])) == 1) return node.output(0);
    onnx::AttributeProto& a = *node.add_attribute();
    a.set_name("axis");
    a.set_type(onnx::AttributeProto::INT);
    a.set_i(axis);
    return node.output(0);
  }

  void Rewrite(const Layer& layer, std::vector<NodeProto>* fresh) {
    NodeProto& node = *layer.product;
    const NodeProto& d = *layer.quantize;
    const bool conv = node.op_type() == "ConvInteger";
    std::string& x = reals_[d.output(0)];
    if (x.empty()) x = Dequantize(absl::StrCat(d.output(0), ":real"), {d.output(0), d.output(1), d.output(2)}, 1, fresh);
    std::vector<std::string> weights = {node.input(1), layer.weight_scale};
    if (node.input_size() > 3 && !node.input(3).empty()) weights.push_back(node.input(3));
    const std::string w = Dequantize(absl::StrCat(node.input(1), ":real"), weights, conv ? 0 : -1, fresh);
    node.set_op_type(conv ? "Conv" : "MatMul");
    node.clear_input();
    node.add_input(x);
    node.add_input(w);
    node.set_output(0, layer.scale->output(0));
  }

  GraphProto& graph_;
  int64_t opset_ = 0;
  absl::flat_hash_map<std::string, NodeProto*> producers_;
  absl::flat_hash_map<std::string, NodeProto*> readers_;
  absl::flat_hash_map<std::string, int> uses_;
  absl::flat_hash_map<std::string, const TensorProto*> constants_;
  absl::flat_hash_map<std::string, std::string> reals_;
};

}  // namespace

int JoinDynamicQuantization(onnx::ModelProto* model) { return Joiner(model).Run(); }

}  // namespace omkit::frontends
