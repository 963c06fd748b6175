#include "backends/graph_codec.h"

#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/graph_generated.h"
#include "backends/reference/node_codec.h"
#include "base/checked.h"
#include "base/status.h"
#include "flatbuffers/flatbuffers.h"
#include "ir/verify.h"

namespace omkit {
namespace {

using flatbuffers::Offset;
using ir::Graph;
using ir::Node;
using ir::ValueId;

constexpr uint64_t kAlignment = 64;

class Encoder {
 public:
  Encoder(const Graph& graph, WeightPool* weights) : graph_(graph), weights_(weights) {}

  absl::StatusOr<std::string> Run() {
    OMKIT_ASSIGN_OR_RETURN(const std::vector<ir::NodeId> order, graph_.TopologicalOrder());
    for (ValueId v : graph_.inputs()) AddValue(v);
    std::vector<Offset<graph_fbs::Node>> nodes;
    for (ir::NodeId id : order) nodes.push_back(AddNode(graph_.node(id)));
    std::vector<int32_t> outputs;
    for (ValueId v : graph_.outputs()) outputs.push_back(AddValue(v));
    const auto name = builder_.CreateString(graph_.name);
    const auto value_rows = builder_.CreateVector(values_);
    const auto output_rows = builder_.CreateVector(outputs);
    const auto node_rows = builder_.CreateVector(nodes);
    builder_.Finish(graph_fbs::CreateGraph(builder_, name, value_rows, static_cast<uint32_t>(graph_.inputs().size()), output_rows, node_rows));
    return std::string(reinterpret_cast<const char*>(builder_.GetBufferPointer()), builder_.GetSize());
  }

 private:
  int32_t AddValue(ValueId v) {
    if (v == ir::kNoValue) return -1;
    const auto [it, fresh] = numbers_.emplace(v, static_cast<int32_t>(values_.size()));
    if (!fresh) return it->second;
    const ir::Value& value = graph_.value(v);
    const TensorType& type = value.type;
    const bool constant = graph_.IsConstant(v);
    const uint64_t offset = constant ? weights_->Add(value.constant.raw(), value.constant.bytes()) : 0;
    const auto name = builder_.CreateString(value.name);
    // The shapes of results follow from those of the inputs.
    const bool known = constant || graph_.IsInput(v);
    const Offset<flatbuffers::Vector<int64_t>> dims = known ? builder_.CreateVector(type.shape.vec()) : 0;
    const Offset<flatbuffers::Vector<float>> scale = type.quantized() ? builder_.CreateVector(type.quant.scale) : 0;
    const Offset<flatbuffers::Vector<int32_t>> zero_point = type.quantized() ? builder_.CreateVector(type.quant.zero_point) : 0;
    values_.push_back(graph_fbs::CreateValue(builder_, name, static_cast<uint8_t>(type.dtype), static_cast<uint8_t>(type.layout), dims, scale,
                                             zero_point, type.quant.axis, constant, offset));
    return it->second;
  }

  Offset<graph_fbs::Node> AddNode(const Node& node) {
    std::vector<int32_t> inputs, outputs;
    for (ValueId v : node.inputs) inputs.push_back(AddValue(v));
    for (ValueId v : node.outputs) outputs.push_back(AddValue(v));
    reference::NodeSpec spec;
    spec.op = node.op;
    spec.attrs = node.attrs;
    const std::string bytes = reference::EncodeNode(spec);
    const auto name = builder_.CreateString(node.name);
    const auto op = builder_.CreateVector(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
    const auto input_rows = builder_.CreateVector(inputs);
    const auto output_rows = builder_.CreateVector(outputs);
    return graph_fbs::CreateNode(builder_, name, op, input_rows, output_rows);
  }

  const Graph& graph_;
  WeightPool* weights_;
  flatbuffers::FlatBufferBuilder builder_;
  std::map<ValueId, int32_t> numbers_;
  std::vector<Offset<graph_fbs::Value>> values_;
};

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("graph: ", parts...));
}

// A vector's elements may be unaligned.
template <typename T>
std::vector<T> Copy(const flatbuffers::Vector<T>* from) {
  std::vector<T> to(from == nullptr ? 0 : from->size());
  if (!to.empty()) std::memcpy(to.data(), from->Data(), to.size() * sizeof(T));
  return to;
}

class Decoder {
 public:
  Decoder(const graph_fbs::Graph& from, const uint8_t* weights, uint64_t weights_size)
      : from_(from), weights_(weights), weights_size_(weights_size), graph_(std::make_unique<Graph>()) {}

  absl::StatusOr<std::unique_ptr<Graph>> Run() {
    graph_->name = from_.name()->str();
    const size_t count = from_.values()->size();
    if (from_.inputs() > count) return Invalid(from_.inputs(), " inputs of ", count, " values");
    for (size_t i = 0; i < count; ++i) OMKIT_RETURN_IF_ERROR(Annotate(AddValue(i), absl::StrCat("graph: value ", i)));
    for (const graph_fbs::Node* node : *from_.nodes()) OMKIT_RETURN_IF_ERROR(Annotate(AddNode(*node), "graph"));
    for (int32_t v : Copy(from_.outputs())) {
      if (v < 0 || static_cast<size_t>(v) >= count) return Invalid("output value ", v, " of ", count);
      graph_->MarkOutput(ids_[v]);
    }
    if (absl::Status s = ir::Verify(*graph_); !s.ok()) return Invalid(s.message());
    return std::move(graph_);
  }

 private:
  absl::Status AddValue(size_t i) {
    const graph_fbs::Value& value = *from_.values()->Get(static_cast<flatbuffers::uoffset_t>(i));
    const bool input = i < from_.inputs();
    TensorType type;
    type.dtype = static_cast<DType>(value.dtype());
    type.shape = Shape(Copy(value.dims()));
    type.quant = {Copy(value.scale()), Copy(value.zero_point()), value.axis()};
    type.layout = static_cast<Layout>(value.layout());
    const bool undefined = type.dtype == DType::kUndefined && !input && !value.constant();
    if (!undefined && !IsValid(type.dtype)) return Invalid("unknown dtype ", static_cast<int>(value.dtype()));
    if (type.layout != Layout::kPlain && type.layout != Layout::kChannelsLast) return Invalid("unknown layout");
    if (type.shape.rank() > kMaxRank) return Invalid(type.shape.rank(), " dimensions");
    OMKIT_RETURN_IF_ERROR(CheckQuantization(type, value.constant()));
    const std::string name = value.name()->str();
    if (value.constant()) {
      if (input) return Invalid("input '", name, "' is a constant");
      return AddConstant(name, std::move(type), value.offset());
    }
    for (int64_t d : type.shape.vec()) {
      if (d < kUnknownDim) return Invalid("dimension ", d);
    }
    if (input) {
      ids_.push_back(graph_->AddInput(name, std::move(type)));
    } else {
      ids_.push_back(graph_->AddValue(name));
      graph_->SetType(ids_.back(), std::move(type));
    }
    owned_.push_back(input);
    return absl::OkStatus();
  }

  static absl::Status CheckQuantization(const TensorType& type, bool constant) {
    if (!type.quantized()) return type.quant.zero_point.empty() && type.quant.axis == -1 ? absl::OkStatus() : Invalid("half a quantization");
    OMKIT_RETURN_IF_ERROR(ValidateQuantParams(type.quant, type.dtype));
    const int axis = type.quant.axis;
    if (axis == -1 && type.quant.scale.size() == 1) return absl::OkStatus();
    if (!constant || axis < 0 || axis >= type.shape.rank() || type.shape.dim(axis) != static_cast<int64_t>(type.quant.scale.size())) {
      return Invalid(type.quant.scale.size(), " scales along axis ", axis);
    }
    return absl::OkStatus();
  }

  absl::Status AddConstant(const std::string& name, TensorType type, uint64_t offset) {
    OMKIT_ASSIGN_OR_RETURN(const int64_t elements, CheckedElements(type.shape.dims()));
    const CheckedSize bytes = CheckedSize(elements) * static_cast<int64_t>(SizeOf(type.dtype));
    if (offset % kAlignment != 0 || offset > weights_size_ || !bytes.FitsIn(static_cast<int64_t>(weights_size_ - offset))) {
      return Invalid("constant '", name, "' at ", offset, " lies outside the weights of ", weights_size_, " bytes");
    }
    static uint8_t nothing[kAlignment];
    uint8_t* data = weights_size_ == 0 ? nothing : const_cast<uint8_t*>(weights_) + offset;  // never written
    ids_.push_back(graph_->AddConstant(name, Tensor::View(std::move(type), data)));
    owned_.push_back(true);
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<ValueId>> Values(const flatbuffers::Vector<int32_t>* list, bool results) {
    std::vector<ValueId> values;
    for (int32_t v : Copy(list)) {
      if (v == -1 && !results) {
        values.push_back(ir::kNoValue);
        continue;
      }
      if (v < 0 || static_cast<size_t>(v) >= ids_.size()) return Invalid("value ", v, " of ", ids_.size());
      // Also keeps the graph free of cycles: whatever is read has been made.
      if (owned_[v] == results) return Invalid("value ", v, results ? " is made twice" : " is read before it is made");
      if (results) owned_[v] = true;
      values.push_back(ids_[v]);
    }
    return values;
  }

  absl::Status AddNode(const graph_fbs::Node& node) {
    const absl::string_view bytes(reinterpret_cast<const char*>(node.op()->data()), node.op()->size());
    OMKIT_ASSIGN_OR_RETURN(reference::NodeSpec spec, reference::DecodeNode(bytes));
    OMKIT_ASSIGN_OR_RETURN(std::vector<ValueId> inputs, Values(node.inputs(), false));
    OMKIT_ASSIGN_OR_RETURN(std::vector<ValueId> outputs, Values(node.outputs(), true));
    graph_->AddNodeInto(spec.op, node.name()->str(), std::move(inputs), std::move(outputs), std::move(spec.attrs));
    return absl::OkStatus();
  }

  const graph_fbs::Graph& from_;
  const uint8_t* weights_;
  uint64_t weights_size_;
  std::unique_ptr<Graph> graph_;
  std::vector<ValueId> ids_;
  std::vector<bool> owned_;  // inputs, constants, and results of nodes so far
};

}  // namespace

absl::StatusOr<std::string> EncodeGraph(const Graph& graph, WeightPool* weights) { return Encoder(graph, weights).Run(); }

absl::StatusOr<std::unique_ptr<Graph>> DecodeGraph(absl::string_view bytes, const uint8_t* weights, uint64_t weights_size) {
  constexpr int kMostDepth = 8;
  constexpr int kMostTables = 4'000'000;
  flatbuffers::Verifier verifier(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(), kMostDepth, kMostTables);
  if (!verifier.VerifyBuffer<graph_fbs::Graph>(nullptr)) return absl::InvalidArgumentError("graph: not a valid FlatBuffer");
  return Decoder(*flatbuffers::GetRoot<graph_fbs::Graph>(bytes.data()), weights, weights_size).Run();
}

}  // namespace omkit
