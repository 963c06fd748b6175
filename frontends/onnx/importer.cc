#include "frontends/onnx/importer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <queue>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "frontends/onnx/dynamic_quantization.h"
#include "frontends/onnx/op_map.h"
#include "frontends/onnx/quoted.h"
#include "frontends/onnx/tensor.h"
#include "frontends/onnx/unsupported.h"
#include "google/protobuf/io/zero_copy_stream_impl.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "onnx/onnx-ml.pb.h"

namespace omkit::frontends {
namespace {

constexpr size_t kMaxNameBytes = 64 * 1024;

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

std::string DescribeProto(const onnx::NodeProto& node, const std::string& name) {
  return absl::StrCat("node ", Quoted(name), " (", absl::string_view(node.op_type()).substr(0, 100), ")");
}

class Importer {
 public:
  Importer(onnx::ModelProto* model, const std::string& directory)
      : model_(*model), has_graph_(model->has_graph()), proto_(*model->mutable_graph()), files_(directory) {}

  absl::StatusOr<std::unique_ptr<ir::Graph>> Run() {
    OMKIT_RETURN_IF_ERROR(CheckHeader());
    OMKIT_RETURN_IF_ERROR(NameNodes());
    OMKIT_RETURN_IF_ERROR(FindUnsupportedOps());
    OMKIT_RETURN_IF_ERROR(AddInitializers());
    OMKIT_RETURN_IF_ERROR(AddInputs());
    OMKIT_RETURN_IF_ERROR(DeclareOutputsOfNodes());
    OMKIT_RETURN_IF_ERROR(CollectUses());
    OMKIT_ASSIGN_OR_RETURN(const std::vector<int> order, SortNodes());
    for (const int i : order) OMKIT_RETURN_IF_ERROR(AddNode(i));
    OMKIT_RETURN_IF_ERROR(unsupported_.ToStatus(opset_));
    OMKIT_RETURN_IF_ERROR(MarkOutputs());
    return std::move(graph_);
  }

 private:
  absl::Status CheckHeader();
  absl::Status NameNodes();
  absl::Status FindUnsupportedOps();
  absl::Status AddInitializers();
  absl::Status AddInputs();
  absl::Status AddInput(const onnx::ValueInfoProto& info);
  absl::Status DeclareOutputsOfNodes();
  absl::Status CollectUses();
  absl::StatusOr<std::vector<int>> SortNodes() const;
  absl::Status AddNode(int index);
  absl::Status AddConstantNode(int index);
  absl::Status MarkOutputs();
  absl::Status Define(const std::string& name, ir::ValueId id);

  onnx::ModelProto& model_;
  const bool has_graph_;
  onnx::GraphProto& proto_;
  ExternalFiles files_;
  std::unique_ptr<ir::Graph> graph_ = std::make_unique<ir::Graph>();
  int64_t opset_ = 0;
  std::vector<std::string> names_;                        // of the nodes
  absl::flat_hash_map<std::string, ir::ValueId> values_;  // by ONNX name
  absl::flat_hash_map<std::string, int> producers_;       // value name -> node index
  absl::flat_hash_set<std::string> used_;                 // value names that something reads
  UnsupportedNodes unsupported_;
};

absl::Status Importer::CheckHeader() {
  if (!model_.has_ir_version() && !has_graph_) return absl::InvalidArgumentError("is not an ONNX model: it has no IR version and no graph");
  const int64_t ir_version = model_.ir_version();
  if (ir_version < 1) return absl::InvalidArgumentError(absl::StrCat("IR version ", ir_version, " does not exist"));
  if (ir_version < 3 || ir_version > 11) {
    return absl::UnimplementedError(absl::StrCat("IR version ", ir_version, " is not supported; supported: 3 to 11"));
  }
  if (!has_graph_) return absl::InvalidArgumentError("ONNX model has no graph");
  for (const auto& import : model_.opset_import()) {
    if (!IsDefaultDomain(import.domain())) continue;
    if (opset_ != 0 && opset_ != import.version()) {
      return absl::InvalidArgumentError(absl::StrCat("the default domain is imported twice, as opset ", opset_, " and ", import.version()));
    }
    opset_ = import.version();
    if (opset_ < 1) return absl::InvalidArgumentError(absl::StrCat("opset ", opset_, " does not exist"));
    if (opset_ < kMinOpset || opset_ > kMaxOpset) {
      return absl::UnimplementedError(absl::StrCat("opset ", opset_, " is not supported; supported: ", kMinOpset, " to ", kMaxOpset,
                                                   ". Export the network again with a supported opset"));
    }
  }
  if (proto_.node_size() == 0) return absl::InvalidArgumentError("the graph has no nodes");
  const bool needs_opset = std::any_of(proto_.node().begin(), proto_.node().end(), [](const auto& node) { return IsDefaultDomain(node.domain()); });
  if (opset_ == 0 && needs_opset) return absl::InvalidArgumentError("the model imports no opset of the default domain");
  if (proto_.output_size() == 0) return absl::InvalidArgumentError("the graph has no outputs");
  if (proto_.sparse_initializer_size() > 0) return absl::UnimplementedError("sparse initializers are not supported");
  OMKIT_RETURN_IF_ERROR(CheckName("graph", proto_.name()));
  graph_->name = proto_.name();
  graph_->source_opset = opset_;
  return absl::OkStatus();
}

absl::Status Importer::NameNodes() {
  absl::flat_hash_set<std::string> taken;
  for (const auto& node : proto_.node()) {
    OMKIT_RETURN_IF_ERROR(CheckName("node", node.name()));
    OMKIT_RETURN_IF_ERROR(CheckName("operator", node.op_type()));
    if (!node.name().empty()) taken.insert(node.name());
  }
  absl::flat_hash_set<std::string> given;
  absl::flat_hash_map<std::string, int> next_suffix;
  for (int i = 0; i < proto_.node_size(); ++i) {
    const std::string& original = proto_.node(i).name();
    std::string name = original.empty() ? absl::StrCat(proto_.node(i).op_type(), "_", i) : original;
    const std::string base = name;
    int& suffix = next_suffix.try_emplace(base, 2).first->second;
    bool fresh = original.empty() ? taken.insert(name).second : given.insert(name).second;
    while (!fresh) {
      name = absl::StrCat(base, "_", suffix++);
      fresh = taken.insert(name).second;
    }
    names_.push_back(std::move(name));
  }
  return absl::OkStatus();
}

absl::Status Importer::FindUnsupportedOps() {
  for (int i = 0; i < proto_.node_size(); ++i) {
    const auto& node = proto_.node(i);
    const bool constant = IsDefaultDomain(node.domain()) && node.op_type() == "Constant";
    const bool known = constant || FindOp(node.domain(), node.op_type(), opset_) != nullptr;
    if (!known) unsupported_.Add(names_[i], node.op_type(), node.domain(), "");
  }
  return unsupported_.ToStatus(opset_);
}

absl::Status Importer::Define(const std::string& name, ir::ValueId id) {
  OMKIT_RETURN_IF_ERROR(CheckName("value", name));
  if (!values_.emplace(name, id).second) {
    return absl::InvalidArgumentError(absl::StrCat("value ", Quoted(name), " is defined more than once"));
  }
  return absl::OkStatus();
}

absl::Status Importer::AddInitializers() {
  for (auto& initializer : *proto_.mutable_initializer()) {
    if (initializer.name().empty()) return absl::InvalidArgumentError("an initializer has no name");
    absl::StatusOr<Tensor> tensor = FromTensorProto(initializer, &files_);
    if (!tensor.ok()) return Annotate(tensor.status(), "initializer");
    // The copy in the protobuf is not needed any more; large models must not be held twice.
    if (initializer.has_raw_data()) delete initializer.release_raw_data();
    OMKIT_RETURN_IF_ERROR(Define(initializer.name(), graph_->AddConstant(initializer.name(), *std::move(tensor))));
  }
  return absl::OkStatus();
}

absl::Status Importer::AddInput(const onnx::ValueInfoProto& info) {
  if (!info.type().has_tensor_type()) return absl::UnimplementedError("is not a tensor");
  const auto& type = info.type().tensor_type();
  OMKIT_ASSIGN_OR_RETURN(const DType dtype, FromOnnxDType(type.elem_type()));
  if (!type.has_shape()) return absl::UnimplementedError("has no shape, so its rank is unknown; export the network with a shape for each input");
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

absl::Status Importer::AddInputs() {
  absl::flat_hash_set<std::string> seen;
  for (const auto& info : proto_.input()) {
    if (info.name().empty()) return absl::InvalidArgumentError("a graph input has no name");
    if (!seen.insert(info.name()).second) {
      return absl::InvalidArgumentError(absl::StrCat("graph input ", Quoted(info.name()), " is listed twice"));
    }
    if (values_.contains(info.name())) continue;  // a weight, listed as an input up to IR version 3
    const absl::Status status = AddInput(info);
    if (!status.ok()) return Annotate(status, absl::StrCat("graph input ", Quoted(info.name())));
  }
  return absl::OkStatus();
}

absl::Status Importer::DeclareOutputsOfNodes() {
  for (int i = 0; i < proto_.node_size(); ++i) {
    for (const std::string& output : proto_.node(i).output()) {
      if (output.empty()) continue;
      const absl::Status status = Define(output, graph_->AddValue(output));
      if (!status.ok()) return Annotate(status, DescribeProto(proto_.node(i), names_[i]));
      producers_[output] = i;
    }
  }
  return absl::OkStatus();
}

absl::Status Importer::CollectUses() {
  for (int i = 0; i < proto_.node_size(); ++i) {
    for (const std::string& input : proto_.node(i).input()) {
      if (input.empty()) continue;
      if (!values_.contains(input)) {
        return absl::InvalidArgumentError(
            absl::StrCat(DescribeProto(proto_.node(i), names_[i]), " reads ", Quoted(input), ", which no node, input or initializer defines"));
      }
      used_.insert(input);
    }
  }
  for (const auto& output : proto_.output()) {
    if (!values_.contains(output.name())) {
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
absl::StatusOr<std::vector<int>> Importer::SortNodes() const {
  const int count = proto_.node_size();
  std::vector<int> missing(count, 0);
  std::vector<std::vector<int>> readers(count);
  for (int i = 0; i < count; ++i) {
    for (const std::string& input : proto_.node(i).input()) {
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
  return absl::InvalidArgumentError(absl::StrCat(DescribeProto(proto_.node(stuck), names_[stuck]), " is part of or behind a cycle"));
}

absl::Status Importer::AddConstantNode(int index) {
  const auto& node = proto_.node(index);
  if (node.input_size() != 0 || node.output_size() != 1 || node.attribute_size() != 1) {
    return absl::InvalidArgumentError("a Constant has no inputs, one output and one attribute");
  }
  const auto& a = node.attribute(0);
  static constexpr OnnxOp kConstant = {
      "Constant", 7, ir::OpKind::kIdentity, nullptr, 0, 0, 1, 1, "value:t value_float:f>12 value_floats:fs>12 value_int:i>12 value_ints:is>12"};
  if (a.name() == "value_string" || a.name() == "value_strings" || a.name() == "sparse_value") {
    return absl::UnimplementedError(absl::StrCat("attribute '", a.name(), "'"));
  }
  OMKIT_ASSIGN_OR_RETURN(const ir::Attrs attrs, ReadAttributes(node, kConstant, opset_, &files_));
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

absl::Status Importer::AddNode(int index) {
  const auto& proto = proto_.node(index);
  const auto annotate = [&](const absl::Status& status) { return Annotate(status, DescribeProto(proto, names_[index])); };
  if (IsDefaultDomain(proto.domain()) && proto.op_type() == "Constant") return annotate(AddConstantNode(index));
  const OnnxOp& op = *FindOp(proto.domain(), proto.op_type(), opset_);
  const absl::Status arity = CheckArity(proto, op);
  if (!arity.ok()) return annotate(arity);
  absl::StatusOr<ir::Attrs> attrs = ReadAttributes(proto, op, opset_, &files_);
  if (!attrs.ok()) return annotate(attrs.status());

  OnnxNode node;
  node.name = names_[index];
  node.op_type = proto.op_type();
  node.opset = opset_;
  node.kind = op.kind;
  node.attrs = *std::move(attrs);
  node.graph = graph_.get();
  for (const std::string& input : proto.input()) node.inputs.push_back(input.empty() ? ir::kNoValue : values_[input]);
  for (const std::string& output : proto.output()) {
    node.outputs.push_back(output.empty() ? graph_->AddValue(absl::StrCat(node.name, ":", node.outputs.size())) : values_[output]);
    node.output_used.push_back(!output.empty() && used_.contains(output));
  }
  const absl::Status adapted = op.adapt(node);
  if (absl::IsUnimplemented(adapted)) {
    unsupported_.Add(node.name, proto.op_type(), proto.domain(), adapted.message());
    return absl::OkStatus();
  }
  return annotate(adapted);
}

absl::Status Importer::MarkOutputs() {
  absl::flat_hash_set<std::string> seen;
  for (const auto& output : proto_.output()) {
    if (!seen.insert(output.name()).second) {
      return absl::InvalidArgumentError(absl::StrCat("graph output ", Quoted(output.name()), " is listed twice"));
    }
    graph_->MarkOutput(values_[output.name()]);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<ir::Graph>> ImportModel(onnx::ModelProto* model, const std::string& source, const std::string& directory) {
  if (model->has_graph()) JoinDynamicQuantization(model);
  absl::StatusOr<std::unique_ptr<ir::Graph>> graph = Importer(model, directory).Run();
  if (!graph.ok()) return Annotate(graph.status(), source);
  (*graph)->source = source;
  return graph;
}

absl::Status NotAModel(const std::string& source) {
  return absl::InvalidArgumentError(absl::StrCat(source, ": is not an ONNX model (its protobuf encoding is broken, cut off or nested too deeply)"));
}

absl::Status FileError(const std::string& path, int error) {
  const std::string text = absl::StrCat("cannot open ", path, ": ", std::strerror(error));
  return error == ENOENT ? absl::NotFoundError(text) : absl::InvalidArgumentError(text);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ir::Graph>> ImportOnnxBytes(absl::string_view bytes, const std::string& source_name,
                                                           const std::string& directory_for_external_data) {
  onnx::ModelProto model;
  if (bytes.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
    return absl::InvalidArgumentError(absl::StrCat(source_name, ": is larger than 2 GB; store the weights as external data"));
  }
  if (!model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return NotAModel(source_name);
  return ImportModel(&model, source_name, directory_for_external_data);
}

absl::StatusOr<std::unique_ptr<ir::Graph>> ImportOnnx(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return FileError(path, errno);
  struct stat info;
  const bool regular = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
  if (!regular || info.st_size > std::numeric_limits<int>::max()) {
    close(fd);
    return absl::InvalidArgumentError(
        absl::StrCat(path, regular ? ": is larger than 2 GB; store the weights as external data" : ": is not a regular file"));
  }
  onnx::ModelProto model;
  bool parsed;
  {
    google::protobuf::io::FileInputStream stream(fd);
    stream.SetCloseOnDelete(true);
    parsed = model.ParseFromZeroCopyStream(&stream) && stream.GetErrno() == 0;
  }
  if (!parsed) return NotAModel(path);
  const size_t slash = path.rfind('/');
  return ImportModel(&model, path, slash == std::string::npos ? "." : path.substr(0, slash + 1));
}

}  // namespace omkit::frontends
