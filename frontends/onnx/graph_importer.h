// One GraphProto into one ir::Graph: the model's main graph, and in turn the bodies of its If, Loop and Scan nodes. Floor 3, part of the
// ONNX importer.
#ifndef OMKIT_FRONTENDS_ONNX_GRAPH_IMPORTER_H_
#define OMKIT_FRONTENDS_ONNX_GRAPH_IMPORTER_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "frontends/onnx/external_data.h"
#include "frontends/onnx/op_map.h"
#include "frontends/onnx/unsupported.h"
#include "ir/graph.h"
#include "onnx/onnx-ml.pb.h"

namespace omkit::frontends {

// Subgraphs within subgraphs; exporters write three or four.
constexpr int kMaxGraphDepth = 16;

// What all graphs of one model share.
struct ModelContext {
  explicit ModelContext(const std::string& directory) : files(directory) {}

  ExternalFiles files;
  std::map<std::string, int64_t> opsets;  // by domain; "" is the default domain
  // Nodes that came out of a function with an opset of its own (inline_functions.h).
  absl::flat_hash_map<const onnx::NodeProto*, int64_t> opset_of_node;
  absl::flat_hash_map<const onnx::NodeProto*, std::string> name_of_node;
  UnsupportedNodes unsupported;

  // The version of the default domain that a node is written in.
  int64_t OpsetOf(const onnx::NodeProto& node) const;
};

bool IsDefaultDomain(absl::string_view domain);
absl::Status CheckName(absl::string_view what, const std::string& name);

// Gives every node of the graph and of its subgraphs a name that no other has: the file's own where it can stay, "<Op>_<index>" for nodes
// without one, "_2", "_3", ... behind repeated ones. INVALID_ARGUMENT for graphs nested deeper than kMaxGraphDepth.
absl::Status NameNodes(const onnx::GraphProto& graph, ModelContext& context);

// Adds the nodes whose operators omkit does not know to context.unsupported, those of subgraphs too.
void FindUnsupportedOps(const onnx::GraphProto& graph, ModelContext& context);

class GraphImporter {
 public:
  // `outer` is the graph around a body; its values that the body reads become inputs of the body, in the order of `captured`. Constants of
  // outer graphs become constants of the body instead.
  GraphImporter(onnx::GraphProto* proto, ModelContext* context, GraphImporter* outer, std::vector<std::string> captured);

  absl::StatusOr<std::unique_ptr<ir::Graph>> Run();

  // Names that a graph reads but does not define, each once, in the order of their first use.
  static std::vector<std::string> FreeNames(const onnx::GraphProto& graph);

 private:
  absl::Status AddInitializers();
  absl::Status AddInputs();
  absl::Status AddInput(const onnx::ValueInfoProto& info);
  absl::Status AddCaptured();
  absl::Status DeclareOutputsOfNodes();
  absl::Status CollectUses();
  absl::StatusOr<std::vector<int>> SortNodes() const;
  absl::Status AddNode(int index);
  Shape DeclaredShape(const std::string& value) const;
  absl::Status AddConstantNode(int index);
  absl::Status AddControlNode(int index, const OnnxOp& op, ir::Attrs attrs);
  absl::Status MarkOutputs();
  absl::Status Define(const std::string& name, ir::ValueId id);
  // A value by its ONNX name, from outer graphs too when it is a constant there; kNoValue when nothing defines it.
  ir::ValueId Find(const std::string& name);
  // Every name that the node reads, through its subgraphs as well.
  const std::vector<std::string>& ReadsOf(int index) const { return reads_[index]; }
  std::string Describe(int index) const;

  onnx::GraphProto& proto_;
  ModelContext& context_;
  GraphImporter* const outer_;
  const std::vector<std::string> captured_;
  std::unique_ptr<ir::Graph> graph_ = std::make_unique<ir::Graph>();
  std::vector<std::vector<std::string>> reads_;           // of each node
  absl::flat_hash_map<std::string, ir::ValueId> values_;  // by ONNX name
  absl::flat_hash_map<std::string, int> producers_;       // value name -> node index
  absl::flat_hash_set<std::string> used_;                 // value names that something reads
};

}  // namespace omkit::frontends

#endif  // OMKIT_FRONTENDS_ONNX_GRAPH_IMPORTER_H_
