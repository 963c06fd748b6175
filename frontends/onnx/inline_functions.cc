#include "frontends/onnx/inline_functions.h"

#include <algorithm>
#include <map>
#include <memory>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "frontends/onnx/quoted.h"

namespace omkit::frontends {
namespace {

using onnx::AttributeProto;
using onnx::FunctionProto;
using onnx::GraphProto;
using onnx::NodeProto;

// A node that still may be a call. `opset` is that of the function it came from; 0: the model's own.
struct Pending {
  std::unique_ptr<NodeProto> node;
  int depth = 0;
  int64_t opset = 0;
};

// Names of one call: formal inputs and outputs become the actual ones, everything else gets a prefix.
class Renaming {
 public:
  Renaming(const FunctionProto& function, const NodeProto& call, std::string prefix) : call_(call), function_(function), prefix_(std::move(prefix)) {
    for (int i = 0; i < function.input_size(); ++i) names_[function.input(i)] = i < call.input_size() ? call.input(i) : "";
    for (int i = 0; i < function.output_size(); ++i) {
      if (i < call.output_size() && !call.output(i).empty()) names_.emplace(function.output(i), call.output(i));
    }
  }

  std::string operator()(const std::string& name) const {
    if (name.empty()) return name;
    const auto found = names_.find(name);
    return found != names_.end() ? found->second : absl::StrCat(prefix_, "/", name);
  }

  absl::Status Apply(NodeProto* node) const {
    if (!node->name().empty()) node->set_name(absl::StrCat(prefix_, "/", node->name()));
    for (std::string& input : *node->mutable_input()) input = (*this)(input);
    for (std::string& output : *node->mutable_output()) output = (*this)(output);
    auto* attributes = node->mutable_attribute();
    for (int i = 0; i < attributes->size();) {
      AttributeProto& a = *attributes->Mutable(i);
      if (!a.ref_attr_name().empty()) {
        const AttributeProto* value = ValueOf(a.ref_attr_name());
        if (value == nullptr) {
          attributes->DeleteSubrange(i, 1);
          continue;
        }
        const std::string name = a.name();
        a = *value;
        a.set_name(name);
      } else if (a.has_g()) {
        OMKIT_RETURN_IF_ERROR(Apply(a.mutable_g()));
      }
      ++i;
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Apply(GraphProto* graph) const {
    for (auto& input : *graph->mutable_input()) input.set_name((*this)(input.name()));
    for (auto& output : *graph->mutable_output()) output.set_name((*this)(output.name()));
    for (auto& initializer : *graph->mutable_initializer()) initializer.set_name((*this)(initializer.name()));
    for (auto& node : *graph->mutable_node()) OMKIT_RETURN_IF_ERROR(Apply(&node));
    return absl::OkStatus();
  }

  // The call's attribute, else the function's default; nullptr: the reference stands for an absent attribute.
  const AttributeProto* ValueOf(const std::string& name) const {
    for (const auto* list : {&call_.attribute(), &function_.attribute_proto()}) {
      const auto found = std::find_if(list->begin(), list->end(), [&](const AttributeProto& a) { return a.name() == name; });
      if (found != list->end()) return &*found;
    }
    return nullptr;
  }

  const NodeProto& call_;
  const FunctionProto& function_;
  const std::string prefix_;
  std::map<std::string, std::string> names_;
};

class Inliner {
 public:
  Inliner(onnx::ModelProto* model, ModelContext& context) : context_(context) {
    for (const FunctionProto& f : model->functions()) functions_[{f.domain(), f.name(), f.overload()}] = &f;
  }

  absl::Status Expand(GraphProto* graph, int depth, int64_t opset) {
    if (depth > kMaxGraphDepth + kMaxFunctionDepth) return absl::InvalidArgumentError("subgraphs and functions are nested too deeply");
    std::vector<Pending> work;  // a stack: the next node is the last
    for (int i = graph->node_size() - 1; i >= 0; --i) {
      Pending item;
      item.node.reset(new NodeProto());
      item.node->Swap(graph->mutable_node(i));
      item.opset = opset;
      item.depth = depth;
      work.push_back(std::move(item));
    }
    graph->clear_node();
    while (!work.empty()) {
      Pending item = std::move(work.back());
      work.pop_back();
      if (++nodes_ > kMaxInlinedNodes) {
        return absl::ResourceExhaustedError(absl::StrCat("the model has more than ", kMaxInlinedNodes, " nodes once its functions are inlined"));
      }
      if (const FunctionProto* function = FunctionOf(*item.node, item.opset); function != nullptr) {
        OMKIT_RETURN_IF_ERROR(
            Annotate(Call(*function, item, &work), absl::StrCat("node ", Quoted(item.node->name()), " (", item.node->op_type(), ")")));
        continue;
      }
      for (AttributeProto& a : *item.node->mutable_attribute()) {
        if (a.has_g()) OMKIT_RETURN_IF_ERROR(Expand(a.mutable_g(), item.depth + 1, item.opset));
      }
      if (item.opset != 0) context_.opset_of_node[item.node.get()] = item.opset;
      graph->mutable_node()->AddAllocated(item.node.release());
    }
    return absl::OkStatus();
  }

 private:
  const FunctionProto* FunctionOf(const NodeProto& node, int64_t opset) const {
    const auto found = functions_.find({node.domain(), node.op_type(), node.overload()});
    if (found == functions_.end()) return nullptr;
    if (IsDefaultDomain(node.domain()) || FindOp(node.domain(), node.op_type(), opset != 0 ? opset : context_.OpsetOf(node)) != nullptr)
      return nullptr;
    return found->second;
  }

  // The function's nodes, renamed, onto the stack.
  absl::Status Call(const FunctionProto& function, const Pending& call, std::vector<Pending>* work) {
    const NodeProto& node = *call.node;
    if (call.depth >= kMaxFunctionDepth) {
      return absl::InvalidArgumentError(absl::StrCat("functions call each other more than ", kMaxFunctionDepth, " deep"));
    }
    if (node.input_size() > function.input_size() || node.output_size() > function.output_size()) {
      return absl::InvalidArgumentError(absl::StrCat("has ", node.input_size(), " inputs and ", node.output_size(), " outputs; the function has ",
                                                     function.input_size(), " and ", function.output_size()));
    }
    int64_t opset = 0;
    for (const auto& import : function.opset_import()) {
      if (IsDefaultDomain(import.domain())) opset = import.version();
    }
    if (opset < 0 || opset > kMaxOpset) return absl::UnimplementedError(absl::StrCat("the function imports opset ", opset));
    const Renaming rename(function, node,
                          absl::StrCat(node.name().empty() ? function.name() : node.name(), calls_ == 0 ? "" : absl::StrCat("#", calls_)));
    ++calls_;
    std::vector<Pending> body;
    const auto add = [&](const NodeProto& original) -> absl::Status {
      Pending item;
      item.node = std::make_unique<NodeProto>(original);
      item.depth = call.depth + 1;
      item.opset = opset;
      OMKIT_RETURN_IF_ERROR(rename.Apply(item.node.get()));
      body.push_back(std::move(item));
      return absl::OkStatus();
    };
    for (const NodeProto& inner : function.node()) OMKIT_RETURN_IF_ERROR(add(inner));
    // An output that is an input needs a node of its own.
    for (int i = 0; i < node.output_size(); ++i) {
      const auto& inputs = function.input();
      const auto same = std::find(inputs.begin(), inputs.end(), function.output(i));
      if (same == inputs.end() || node.output(i).empty()) continue;
      Pending item;
      item.node = std::make_unique<NodeProto>();
      item.node->set_op_type("Identity");
      item.node->add_input(rename(*same));
      item.node->add_output(node.output(i));
      body.push_back(std::move(item));
    }
    for (auto it = body.rbegin(); it != body.rend(); ++it) work->push_back(std::move(*it));
    return absl::OkStatus();
  }

  ModelContext& context_;
  std::map<std::tuple<std::string, std::string, std::string>, const FunctionProto*> functions_;
  int nodes_ = 0;
  int calls_ = 0;
};

}  // namespace

absl::Status InlineFunctions(onnx::ModelProto* model, ModelContext& context) {
  if (model->functions_size() == 0) return absl::OkStatus();
  return Inliner(model, context).Expand(model->mutable_graph(), 0, 0);
}

}  // namespace omkit::frontends
