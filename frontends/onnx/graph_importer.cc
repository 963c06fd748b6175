#include "frontends/onnx/graph_importer.h"

#include <algorithm>
#include <queue>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "frontends/onnx/quoted.h"
#include "frontends/onnx/tensor.h"
#include "ir/op.h"
#include "ir/ops/body.h"

namespace omkit::frontends {
namespace {

constexpr size_t kMaxNameBytes = 64 * 1024;

struct Naming {
  absl::flat_hash_set<std::string> taken, given;
  absl::flat_hash_map<std::string, int> next_suffix;
};

absl::Status CollectNames(const onnx::GraphProto& graph, int depth, Naming& naming) {
  if (depth > kMaxGraphDepth) return absl::InvalidArgumentError(absl::StrCat("subgraphs are nested more than ", kMaxGraphDepth, " deep"));
  for (const auto& node : graph.node()) {
    OMKIT_RETURN_IF_ERROR(CheckName("node", node.name()));
    OMKIT_RETURN_IF_ERROR(CheckName("operator", node.op_type()));
    if (!node.name().empty()) naming.taken.insert(node.name());
    for (const auto& a : node.attribute()) {
      if (a.has_g()) OMKIT_RETURN_IF_ERROR(CollectNames(a.g(), depth + 1, naming));
    }
  }
  return absl::OkStatus();
}

void GiveNames(const onnx::GraphProto& graph, Naming& naming, ModelContext& context) {
  for (int i = 0; i < graph.node_size(); ++i) {
    const std::string& original = graph.node(i).name();
    std::string name = original.empty() ? absl::StrCat(graph.node(i).op_type(), "_", i) : original;
    const std::string base = name;
    int& suffix = naming.next_suffix.try_emplace(base, 2).first->second;
    bool fresh = original.empty() ? naming.taken.insert(name).second : naming.given.insert(name).second;
    while (!fresh) {
      name = absl::StrCat(base, "_", suffix++);
      fresh = naming.taken.insert(name).second;
    }
    context.name_of_node[&graph.node(i)] = std::move(name);
    for (const auto& a : graph.node(i).attribute()) {
      if (a.has_g()) GiveNames(a.g(), naming, context);
    }
  }
}

void CollectFree(const onnx::GraphProto& graph, absl::flat_hash_set<std::string>* seen, std::vector<std::string>* free) {
  absl::flat_hash_set<std::string> defined;
  for (const auto& input : graph.input()) defined.insert(input.name());
  for (const auto& initializer : graph.initializer()) defined.insert(initializer.name());
  for (const auto& node : graph.node()) defined.insert(node.output().begin(), node.output().end());
  const auto read = [&](const std::string& name) {
    if (!name.empty() && !defined.contains(name) && seen->insert(name).second) free->push_back(name);
  };
  for (const auto& node : graph.node()) {
    for (const std::string& input : node.input()) read(input);
    for (const auto& a : node.attribute()) {
      if (!a.has_g()) continue;
      for (const std::string& name : GraphImporter::FreeNames(a.g())) read(name);
    }
  }
  for (const auto& output : graph.output()) read(output.name());
}

const onnx::GraphProto* BodyOf(const onnx::NodeProto& node, absl::string_view name) {
  for (const auto& a : node.attribute()) {
    if (a.name() == name && a.has_g()) return &a.g();
  }
  return nullptr;
}

// Scan of opset 8 scans each batch entry by itself: sequence lengths in front of the inputs, a batch dimension in front of everything.
absl::Status EmitBatchedScan(ir::Graph& graph, const std::string& name, std::vector<ir::ValueId> inputs, std::vector<ir::ValueId> outputs,
                             ir::Attrs attrs, size_t captured, std::vector<std::shared_ptr<const ir::Graph>> bodies) {
  using ir::OpKind;
  constexpr int64_t kMostBatches = 64;
  if (inputs.size() < 2) return absl::InvalidArgumentError("has nothing to scan");
  if (inputs[0] != ir::kNoValue) return absl::UnimplementedError("input sequence_lens");
  inputs.erase(inputs.begin());
  const auto absent = std::find(inputs.begin(), inputs.end(), ir::kNoValue);
  if (absent != inputs.end()) return absl::InvalidArgumentError(absl::StrCat("lacks its input ", absent - inputs.begin() + 1));
  attrs.Set("states", attrs.Int("states", 1) - 1);
  if (attrs.Has("directions")) attrs.Set("scan_input_directions", attrs.Ints("directions"));
  attrs.Erase("directions");
  const TensorType& first = graph.value(inputs[0]).type;
  const int64_t batches = first.dtype == DType::kUndefined || first.shape.rank() == 0 ? kUnknownDim : first.shape.dim(0);
  if (batches < 1 || batches > kMostBatches) return absl::UnimplementedError("the batch size is not known, or larger than 64");
  ir::Attrs axis;
  axis.Set("axis", int64_t{0});
  const auto add = [&](OpKind op, const std::string& label, std::vector<ir::ValueId> in, const ir::Attrs& with) {
    const ir::NodeId id = graph.AddNode(op, label, std::move(in), with);
    TryInfer(graph, id);
    return graph.node(id).outputs[0];
  };
  const ir::ValueId axes = graph.AddConstant(absl::StrCat(name, "/axes"), Tensor::Of<int64_t>(Shape{1}, {0}));
  std::vector<std::vector<ir::ValueId>> rows(outputs.size());
  for (int64_t b = 0; b < batches; ++b) {
    const std::string label = absl::StrCat(name, "#", b);
    const ir::ValueId index = graph.AddConstant(absl::StrCat(label, "/index"), Tensor::Scalar<int64_t>(b));
    std::vector<ir::ValueId> in = inputs;
    for (size_t i = 0; i + captured < in.size(); ++i) in[i] = add(OpKind::kGather, absl::StrCat(label, "/in", i), {inputs[i], index}, axis);
    const ir::NodeId id = graph.AddNode(OpKind::kScan, label, std::move(in), attrs, static_cast<int>(outputs.size()));
    graph.SetBodies(id, bodies);
    TryInfer(graph, id);
    const std::vector<ir::ValueId> made = graph.node(id).outputs;
    for (size_t o = 0; o < made.size(); ++o) rows[o].push_back(add(OpKind::kUnsqueeze, absl::StrCat(label, "/out", o), {made[o], axes}, {}));
  }
  for (size_t o = 0; o < outputs.size(); ++o) {
    TryInfer(graph, graph.AddNodeInto(OpKind::kConcat, absl::StrCat(name, "/out", o), rows[o], {outputs[o]}, axis));
  }
  return absl::OkStatus();
}

}  // namespace

bool IsDefaultDomain(absl::string_view domain) { return domain.empty() || domain == "ai.onnx"; }

absl::Status CheckName(absl::string_view what, const std::string& name) {
  if (name.size() > kMaxNameBytes) return absl::InvalidArgumentError(absl::StrCat(what, " name ", Quoted(name), " is too long"));
  for (const char c : name) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      return absl::InvalidArgumentError(absl::StrCat(what, " name ", Quoted(name), " contains a control character"));
    }
  }
  return absl::OkStatus();
}

int64_t ModelContext::OpsetOf(const onnx::NodeProto& node) const {
  const auto own = opset_of_node.find(&node);
  if (own != opset_of_node.end()) return own->second;
  const auto model = opsets.find("");
  return model == opsets.end() ? 0 : model->second;
}

absl::Status NameNodes(const onnx::GraphProto& graph, ModelContext& context) {
  Naming naming;
  OMKIT_RETURN_IF_ERROR(CollectNames(graph, 0, naming));
  GiveNames(graph, naming, context);
  return absl::OkStatus();
}

void FindUnsupportedOps(const onnx::GraphProto& graph, ModelContext& context) {
  for (const auto& node : graph.node()) {
    const int64_t opset = context.OpsetOf(node);
    const bool constant = IsDefaultDomain(node.domain()) && node.op_type() == "Constant";
    if (!constant && FindOp(node.domain(), node.op_type(), opset) == nullptr) {
      context.unsupported.Add(context.name_of_node[&node], node.op_type(), node.domain(), opset, "");
    }
    for (const auto& a : node.attribute()) {
      if (a.has_g()) FindUnsupportedOps(a.g(), context);
    }
  }
}

std::vector<std::string> GraphImporter::FreeNames(const onnx::GraphProto& graph) {
  absl::flat_hash_set<std::string> seen;
  std::vector<std::string> free;
  CollectFree(graph, &seen, &free);
  return free;
}

GraphImporter::GraphImporter(onnx::GraphProto* proto, ModelContext* context, GraphImporter* outer, std::vector<std::string> captured)
    : proto_(*proto), context_(*context), outer_(outer), captured_(std::move(captured)) {
  for (const auto& node : proto_.node()) {
    std::vector<std::string> reads;
    for (const std::string& input : node.input()) {
      if (!input.empty()) reads.push_back(input);
    }
    for (const auto& a : node.attribute()) {
      if (!a.has_g()) continue;
      for (std::string& name : FreeNames(a.g())) reads.push_back(std::move(name));
    }
    reads_.push_back(std::move(reads));
  }
}

absl::StatusOr<std::unique_ptr<ir::Graph>> GraphImporter::Run() {
  if (proto_.sparse_initializer_size() > 0) return absl::UnimplementedError("sparse initializers are not supported");
  OMKIT_RETURN_IF_ERROR(CheckName("graph", proto_.name()));
  graph_->name = proto_.name();
  OMKIT_RETURN_IF_ERROR(AddInitializers());
  OMKIT_RETURN_IF_ERROR(AddInputs());
  OMKIT_RETURN_IF_ERROR(AddCaptured());
  OMKIT_RETURN_IF_ERROR(DeclareOutputsOfNodes());
  OMKIT_RETURN_IF_ERROR(CollectUses());
  OMKIT_ASSIGN_OR_RETURN(const std::vector<int> order, SortNodes());
  for (const int i : order) OMKIT_RETURN_IF_ERROR(AddNode(i));
  OMKIT_RETURN_IF_ERROR(MarkOutputs());
  return std::move(graph_);
}

std::string GraphImporter::Describe(int index) const {
  const auto& node = proto_.node(index);
  return absl::StrCat("node ", Quoted(context_.name_of_node[&node]), " (", absl::string_view(node.op_type()).substr(0, 100), ")");
}

absl::Status GraphImporter::Define(const std::string& name, ir::ValueId id) {
  OMKIT_RETURN_IF_ERROR(CheckName("value", name));
  if (!values_.emplace(name, id).second) {
    return absl::InvalidArgumentError(absl::StrCat("value ", Quoted(name), " is defined more than once"));
  }
  return absl::OkStatus();
}

ir::ValueId GraphImporter::Find(const std::string& name) {
  const auto found = values_.find(name);
  if (found != values_.end()) return found->second;
  if (outer_ == nullptr) return ir::kNoValue;
  const ir::ValueId outside = outer_->Find(name);
  if (outside == ir::kNoValue || !outer_->graph_->IsConstant(outside)) return ir::kNoValue;
  const ir::ValueId copy = graph_->AddConstant(name, outer_->graph_->value(outside).constant);
  values_[name] = copy;
  return copy;
}

absl::Status GraphImporter::AddInitializers() {
  for (auto& initializer : *proto_.mutable_initializer()) {
    if (initializer.name().empty()) return absl::InvalidArgumentError("an initializer has no name");
    absl::StatusOr<Tensor> tensor = FromTensorProto(initializer, &context_.files);
    if (!tensor.ok()) return Annotate(tensor.status(), "initializer");
    // The copy in the protobuf is not needed any more; large models must not be held twice.
    if (initializer.has_raw_data()) delete initializer.release_raw_data();
    OMKIT_RETURN_IF_ERROR(Define(initializer.name(), graph_->AddConstant(initializer.name(), *std::move(tensor))));
  }
  return absl::OkStatus();
}

absl::Status GraphImporter::AddInput(const onnx::ValueInfoProto& info) {
  // Types of a body's inputs follow from what it is given.
  if (outer_ != nullptr && !info.has_type()) return Define(info.name(), graph_->AddInput(info.name(), TensorType()));
  if (!info.type().has_tensor_type()) return absl::UnimplementedError("is not a tensor");
  const auto& type = info.type().tensor_type();
  OMKIT_ASSIGN_OR_RETURN(const DType dtype, FromOnnxDType(type.elem_type()));
  if (!type.has_shape()) {
    if (outer_ != nullptr) return Define(info.name(), graph_->AddInput(info.name(), TensorType()));
    return absl::UnimplementedError("has no shape, so its rank is unknown; export the network with a shape for each input");
  }
  if (type.shape().dim_size() > kMaxRank) {
    return absl::InvalidArgumentError(absl::StrCat("has ", type.shape().dim_size(), " dimensions; the limit is ", kMaxRank));
  }
  std::vector<int64_t> dims;
  for (const auto& dim : type.shape().dim()) {
    const int64_t value = dim.has_dim_value() ? dim.dim_value() : kUnknownDim;
    if (value < kUnknownDim || value > (int64_t{1} << 40)) {
      return absl::InvalidArgumentError(absl::StrCat("has dimension ", value, "; expected 0 to 2^40, or unknown"));
    }
    dims.push_back(value);
  }
  return Define(info.name(), graph_->AddInput(info.name(), TensorType{dtype, Shape(std::move(dims)), {}, Layout::kPlain}));
}

absl::Status GraphImporter::AddInputs() {
  absl::flat_hash_set<std::string> seen;
  for (const auto& info : proto_.input()) {
    if (info.name().empty()) return absl::InvalidArgumentError("a graph input has no name");
    if (!seen.insert(info.name()).second) {
      return absl::InvalidArgumentError(absl::StrCat("graph input ", Quoted(info.name()), " is listed twice"));
    }
    if (outer_ == nullptr && values_.contains(info.name())) continue;  // a weight, listed as an input up to IR version 3
    const absl::Status status = AddInput(info);
    if (!status.ok()) return Annotate(status, absl::StrCat("graph input ", Quoted(info.name())));
  }
  return absl::OkStatus();
}

absl::Status GraphImporter::AddCaptured() {
  for (const std::string& name : captured_) {
    const TensorType type = outer_->graph_->value(outer_->Find(name)).type;
    OMKIT_RETURN_IF_ERROR(Define(name, graph_->AddInput(name, type)));
  }
  return absl::OkStatus();
}

absl::Status GraphImporter::DeclareOutputsOfNodes() {
  for (int i = 0; i < proto_.node_size(); ++i) {
    for (const std::string& output : proto_.node(i).output()) {
      if (output.empty()) continue;
      const absl::Status status = Define(output, graph_->AddValue(output));
      if (!status.ok()) return Annotate(status, Describe(i));
      producers_[output] = i;
    }
  }
  return absl::OkStatus();
}

absl::Status GraphImporter::CollectUses() {
  for (int i = 0; i < proto_.node_size(); ++i) {
    for (const std::string& input : ReadsOf(i)) {
      if (Find(input) == ir::kNoValue) {
        return absl::InvalidArgumentError(absl::StrCat(Describe(i), " reads ", Quoted(input), ", which no node, input or initializer defines"));
      }
      used_.insert(input);
    }
  }
  for (const auto& output : proto_.output()) {
    if (Find(output.name()) == ir::kNoValue) {
      return absl::InvalidArgumentError(absl::StrCat("graph output ", Quoted(output.name()), " is not defined by any node, input or initializer"));
    }
    if (output.has_type() && output.type().value_case() != onnx::TypeProto::VALUE_NOT_SET && !output.type().has_tensor_type()) {
      return absl::UnimplementedError(absl::StrCat("graph output ", Quoted(output.name()), " is not a tensor"));
    }
    used_.insert(output.name());
  }
  return absl::OkStatus();
}

// Nodes after their producers; among ready nodes the order of the file.
absl::StatusOr<std::vector<int>> GraphImporter::SortNodes() const {
  const int count = proto_.node_size();
  std::vector<int> missing(count, 0);
  std::vector<std::vector<int>> readers(count);
  for (int i = 0; i < count; ++i) {
    for (const std::string& input : ReadsOf(i)) {
      const auto producer = producers_.find(input);
      if (producer == producers_.end()) continue;
      ++missing[i];
      readers[producer->second].push_back(i);
    }
  }
  std::priority_queue<int, std::vector<int>, std::greater<int>> ready;
  for (int i = 0; i < count; ++i) {
    if (missing[i] == 0) ready.push(i);
  }
  std::vector<int> order;
  while (!ready.empty()) {
    order.push_back(ready.top());
    ready.pop();
    for (const int reader : readers[order.back()]) {
      if (--missing[reader] == 0) ready.push(reader);
    }
  }
  if (static_cast<int>(order.size()) == count) return order;
  const int stuck = static_cast<int>(std::find_if(missing.begin(), missing.end(), [](int m) { return m > 0; }) - missing.begin());
  return absl::InvalidArgumentError(absl::StrCat(Describe(stuck), " is part of or behind a cycle"));
}

absl::Status GraphImporter::AddConstantNode(int index) {
  const auto& node = proto_.node(index);
  if (node.input_size() != 0 || node.output_size() != 1 || node.attribute_size() != 1) {
    return absl::InvalidArgumentError("a Constant has no inputs, one output and one attribute");
  }
  const auto& a = node.attribute(0);
  static constexpr OnnxOp kConstant = {
      "Constant", 1, ir::OpKind::kIdentity, nullptr, 0, 0, 1, 1, "value:t value_float:f>12 value_floats:fs>12 value_int:i>12 value_ints:is>12"};
  if (a.name() == "value_string" || a.name() == "value_strings" || a.name() == "sparse_value") {
    return absl::UnimplementedError(absl::StrCat("attribute '", a.name(), "'"));
  }
  OMKIT_ASSIGN_OR_RETURN(const ir::Attrs attrs, ReadAttributes(node, kConstant, context_.OpsetOf(node), &context_.files));
  const ir::Attr& attr = *attrs.Find(a.name());
  Tensor tensor;
  if (const auto* t = std::get_if<Tensor>(&attr)) tensor = *t;
  else if (const auto* f = std::get_if<float>(&attr)) tensor = Tensor::Scalar<float>(*f);
  else if (const auto* i = std::get_if<int64_t>(&attr)) tensor = Tensor::Scalar<int64_t>(*i);
  else if (const auto* fs = std::get_if<std::vector<float>>(&attr)) tensor = Tensor::Of<float>(Shape{static_cast<int64_t>(fs->size())}, *fs);
  else if (const auto* is = std::get_if<std::vector<int64_t>>(&attr)) tensor = Tensor::Of<int64_t>(Shape{static_cast<int64_t>(is->size())}, *is);
  if (!node.output(0).empty()) graph_->SetConstant(values_[node.output(0)], std::move(tensor));
  return absl::OkStatus();
}

// If, Loop and Scan: the bodies' free names become inputs behind the standard's own.
absl::Status GraphImporter::AddControlNode(int index, const OnnxOp& op, ir::Attrs attrs) {
  auto& proto = *proto_.mutable_node(index);
  const std::string& name = context_.name_of_node[&proto];
  const bool branches = op.kind == ir::OpKind::kIf;
  std::vector<std::string> captured;
  absl::flat_hash_set<std::string> seen;
  for (const char* body : {branches ? "then_branch" : "body", "else_branch"}) {
    const onnx::GraphProto* graph = BodyOf(proto, body);
    if (graph == nullptr && (branches || body == std::string("body")))
      return absl::InvalidArgumentError(absl::StrCat("attribute '", body, "' is missing"));
    if (graph == nullptr) continue;
    for (std::string& free : FreeNames(*graph)) {
      if (!graph_->IsConstant(Find(free)) && seen.insert(free).second) captured.push_back(std::move(free));
    }
  }
  std::vector<ir::ValueId> inputs, outputs;
  for (const std::string& input : proto.input()) inputs.push_back(input.empty() ? ir::kNoValue : Find(input));
  if (op.kind == ir::OpKind::kLoop) {
    attrs.Set("states", static_cast<int64_t>(inputs.size()) - 2);
  } else if (op.kind == ir::OpKind::kScan) {
    attrs.Set("states", static_cast<int64_t>(inputs.size()) - attrs.Int("num_scan_inputs", 0));
  }
  for (const std::string& free : captured) inputs.push_back(Find(free));
  std::vector<std::shared_ptr<const ir::Graph>> bodies;
  for (auto& a : *proto.mutable_attribute()) {
    if (!a.has_g()) continue;
    auto body = GraphImporter(a.mutable_g(), &context_, this, captured).Run();
    if (!body.ok()) return Annotate(body.status(), absl::StrCat("attribute ", Quoted(a.name())));
    // then_branch first, whatever the order of the file.
    bodies.insert(a.name() == "then_branch" ? bodies.begin() : bodies.end(), *std::move(body));
  }
  for (const std::string& output : proto.output()) {
    outputs.push_back(output.empty() ? graph_->AddValue(absl::StrCat(name, ":", outputs.size())) : values_[output]);
  }
  if (op.kind == ir::OpKind::kScan && context_.OpsetOf(proto) < 9) {
    return EmitBatchedScan(*graph_, name, std::move(inputs), std::move(outputs), std::move(attrs), captured.size(), std::move(bodies));
  }
  const ir::NodeId id = graph_->AddNodeInto(op.kind, name, std::move(inputs), std::move(outputs), std::move(attrs));
  graph_->SetBodies(id, std::move(bodies));
  TryInfer(*graph_, id);
  return absl::OkStatus();
}

// Unknown dimensions for what the model leaves open; rank 0 when it says nothing.
Shape GraphImporter::DeclaredShape(const std::string& value) const {
  for (const auto* infos : {&proto_.value_info(), &proto_.output()}) {
    for (const auto& info : *infos) {
      if (info.name() != value || !info.type().tensor_type().has_shape() || info.type().tensor_type().shape().dim_size() > kMaxRank) continue;
      std::vector<int64_t> dims;
      for (const auto& dim : info.type().tensor_type().shape().dim()) dims.push_back(dim.has_dim_value() ? dim.dim_value() : kUnknownDim);
      return Shape(std::move(dims));
    }
  }
  return Shape();
}

absl::Status GraphImporter::AddNode(int index) {
  const auto& proto = proto_.node(index);
  const auto annotate = [&](const absl::Status& status) { return Annotate(status, Describe(index)); };
  if (proto.op_type() == "Constant" && IsDefaultDomain(proto.domain())) return annotate(AddConstantNode(index));
  const int64_t opset = context_.OpsetOf(proto);
  const OnnxOp& op = *FindOp(proto.domain(), proto.op_type(), opset);
  const absl::Status arity = CheckArity(proto, op);
  if (!arity.ok()) return annotate(arity);
  absl::StatusOr<ir::Attrs> attrs = ReadAttributes(proto, op, opset, &context_.files);
  if (!attrs.ok()) return annotate(attrs.status());
  if (ir::IsControl(op.kind)) {
    const absl::Status added = AddControlNode(index, op, *std::move(attrs));
    if (!absl::IsUnimplemented(added)) return annotate(added);
    context_.unsupported.Add(context_.name_of_node[&proto], proto.op_type(), proto.domain(), opset, added.message());
    return absl::OkStatus();
  }

  OnnxNode node;
  node.name = context_.name_of_node[&proto];
  node.op_type = proto.op_type();
  node.opset = opset;
  node.kind = op.kind;
  node.attrs = *std::move(attrs);
  node.graph = graph_.get();
  for (const std::string& input : proto.input()) node.inputs.push_back(input.empty() ? ir::kNoValue : Find(input));
  for (const std::string& output : proto.output()) {
    node.outputs.push_back(output.empty() ? graph_->AddValue(absl::StrCat(node.name, ":", node.outputs.size())) : values_[output]);
    node.output_used.push_back(!output.empty() && used_.contains(output));
  }
  if (op.kind == ir::OpKind::kImageDecoder) node.declared = DeclaredShape(proto.output(0));
  const absl::Status adapted = op.adapt(node);
  if (absl::IsUnimplemented(adapted)) {
    context_.unsupported.Add(node.name, proto.op_type(), proto.domain(), opset, adapted.message());
    return absl::OkStatus();
  }
  return annotate(adapted);
}

absl::Status GraphImporter::MarkOutputs() {
  absl::flat_hash_set<std::string> seen;
  for (const auto& output : proto_.output()) {
    if (outer_ == nullptr && !seen.insert(output.name()).second) {
      return absl::InvalidArgumentError(absl::StrCat("graph output ", Quoted(output.name()), " is listed twice"));
    }
    graph_->MarkOutput(Find(output.name()));
  }
  return absl::OkStatus();
}

}  // namespace omkit::frontends
