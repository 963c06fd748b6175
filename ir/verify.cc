#include "ir/verify.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"

namespace omkit::ir {
namespace {

template <typename... Parts>
absl::Status Broken(const Parts&... parts) {
  return absl::InternalError(absl::StrCat(parts...));
}

class Verifier {
 public:
  Verifier(const Graph& graph, VerifyTypes types) : graph_(graph), types_(types) {}

  absl::Status Run() {
    OMKIT_RETURN_IF_ERROR(CheckIds());
    auto order = graph_.TopologicalOrder();
    if (!order.ok()) return Broken(order.status().message());
    for (NodeId id : *order) OMKIT_RETURN_IF_ERROR(CheckNode(graph_.node(id)));
    for (ValueId id : graph_.inputs()) OMKIT_RETURN_IF_ERROR(CheckInput(id));
    for (ValueId id : graph_.outputs()) OMKIT_RETURN_IF_ERROR(CheckRead(id, "graph output"));
    return absl::OkStatus();
  }

 private:
  bool Exists(ValueId id) const { return id >= 0 && id < graph_.num_values(); }
  std::string Text(ValueId id) const { return absl::StrCat("value ", id, " ('", graph_.value(id).name, "')"); }

  // Before anything follows an id: TopologicalOrder looks up producers.
  absl::Status CheckIds() {
    for (ValueId id : graph_.inputs()) {
      if (!Exists(id)) return Broken("graph input ", id, " does not exist");
    }
    for (ValueId id : graph_.outputs()) {
      if (!Exists(id)) return Broken("graph output ", id, " does not exist");
    }
    for (NodeId n = 0; n < graph_.node_limit(); ++n) {
      if (!graph_.alive(n)) continue;
      const Node& node = graph_.node(n);
      if (node.id != n) return Broken(Describe(node), " is stored as node ", n, " but calls itself ", node.id);
      for (ValueId id : node.inputs) {
        if (id != kNoValue && !Exists(id)) return Broken(Describe(node), " reads value ", id, ", which does not exist");
      }
      for (ValueId id : node.outputs) {
        if (!Exists(id)) return Broken(Describe(node), " writes value ", id, ", which does not exist");
      }
    }
    for (ValueId id = 0; id < graph_.num_values(); ++id) {
      const NodeId producer = graph_.value(id).producer;
      if (producer != kNoNode && !graph_.alive(producer)) return Broken(Text(id), " names node ", producer, " as its producer, which was removed");
    }
    return absl::OkStatus();
  }

  absl::Status CheckNode(const Node& node) {
    const OpDef& def = Def(node.op);
    const int inputs = static_cast<int>(node.inputs.size());
    const int outputs = static_cast<int>(node.outputs.size());
    if (inputs < def.min_inputs || (def.max_inputs >= 0 && inputs > def.max_inputs)) return Broken(Describe(node), " has ", inputs, " inputs");
    if (outputs < def.min_outputs || (def.max_outputs >= 0 && outputs > def.max_outputs)) {
      return Broken(Describe(node), " has ", outputs, " outputs");
    }
    for (int i = 0; i < inputs; ++i) {
      if (node.inputs[i] == kNoValue) {
        if (i < def.min_inputs) return Broken(Describe(node), " lacks its input ", i);
        continue;
      }
      OMKIT_RETURN_IF_ERROR(CheckRead(node.inputs[i], absl::StrCat(Describe(node), " input ", i)));
    }
    for (int i = 0; i < outputs; ++i) OMKIT_RETURN_IF_ERROR(CheckWritten(node, i));
    // Types inside a body follow from the inputs it gets; they are not stored there.
    for (const auto& body : node.bodies) {
      if (body == nullptr) return Broken(Describe(node), " lacks a body");
      OMKIT_RETURN_IF_ERROR(Annotate(Verify(*body, VerifyTypes::kMayBeUnknown), absl::StrCat("body of ", Describe(node))));
    }
    return absl::OkStatus();
  }

  absl::Status CheckWritten(const Node& node, int i) {
    const ValueId id = node.outputs[i];
    const Value& value = graph_.value(id);
    if (!written_.insert(id).second) return Broken(Text(id), " is written twice, the second time by ", Describe(node));
    if (value.producer != node.id || value.producer_index != i) {
      return Broken(Text(id), " is output ", i, " of ", Describe(node), " but names node ", value.producer, " output ", value.producer_index);
    }
    if (value.constant.defined()) return Broken(Text(id), " is a constant but ", Describe(node), " writes it");
    return CheckType(id, absl::StrCat(Describe(node), " output ", i));
  }

  absl::Status CheckRead(ValueId id, const std::string& reader) {
    const Value& value = graph_.value(id);
    const bool is_input = std::find(graph_.inputs().begin(), graph_.inputs().end(), id) != graph_.inputs().end();
    if (value.producer == kNoNode && !value.constant.defined() && !is_input) {
      return Broken(reader, ": ", Text(id), " has no producer and is neither an input nor a constant");
    }
    if (value.constant.defined()) OMKIT_RETURN_IF_ERROR(CheckConstant(id));
    return CheckType(id, reader);
  }

  absl::Status CheckConstant(ValueId id) {
    const Value& value = graph_.value(id);
    const TensorType& held = value.constant.type();
    if (held.dtype == value.type.dtype && held.shape == value.type.shape && held.quant == value.type.quant) return absl::OkStatus();
    return Broken("constant ", Text(id), " holds ", held.ToString(), " but is declared ", value.type.ToString());
  }

  absl::Status CheckInput(ValueId id) {
    const Value& value = graph_.value(id);
    if (value.producer != kNoNode) return Broken("graph input ", Text(id), " has a producer");
    if (value.constant.defined()) return Broken("graph input ", Text(id), " is a constant");
    return CheckType(id, "graph input");
  }

  absl::Status CheckType(ValueId id, const std::string& place) {
    const TensorType& type = graph_.value(id).type;
    if (type.dtype == DType::kUndefined) {
      return types_ == VerifyTypes::kMayBeUnknown ? absl::OkStatus() : Broken(place, ": the type of ", Text(id), " is not known");
    }
    if (!IsValid(type.dtype)) return Broken(place, ": ", Text(id), " has no valid element type");
    std::vector<int64_t> dims = type.shape.vec();
    if (types_ != VerifyTypes::kStatic) std::replace(dims.begin(), dims.end(), kUnknownDim, int64_t{1});
    if (auto elements = CheckedElements(dims); !elements.ok()) return Broken(place, ": ", Text(id), ": ", elements.status().message());
    if (!type.quantized()) return absl::OkStatus();
    if (absl::Status s = ValidateQuantParams(type.quant, type.dtype); !s.ok()) return Broken(place, ": ", Text(id), ": ", s.message());
    if (!IsInteger(type.dtype)) return Broken(place, ": ", Text(id), " is quantized but of type ", Name(type.dtype));
    const int axis = type.quant.axis;
    if (axis < 0) return absl::OkStatus();
    const auto scales = static_cast<int64_t>(type.quant.scale.size());
    if (axis >= type.shape.rank() || (type.shape.dim(axis) != kUnknownDim && type.shape.dim(axis) != scales)) {
      return Broken(place, ": ", Text(id), " of shape ", type.shape.ToString(), " has ", scales, " scales on axis ", axis);
    }
    return absl::OkStatus();
  }

  const Graph& graph_;
  const VerifyTypes types_;
  std::set<ValueId> written_;
};

}  // namespace

absl::Status Verify(const Graph& graph, VerifyTypes types) { return Verifier(graph, types).Run(); }

}  // namespace omkit::ir
