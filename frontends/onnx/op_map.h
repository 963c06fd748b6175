// What omkit imports of ONNX: one row of onnx_ops.inc per operator of the default domain, one of contrib_ops.inc per operator of another
// domain, and the check of a node against its row. Floor 3.
//
// An adapter turns one checked node into graph nodes in the canonical form of ir/ops/ops.inc, which is the newest ONNX form:
// attributes that later opsets turned into inputs become constant inputs, removed operators become their successors.
#ifndef OMKIT_FRONTENDS_ONNX_OP_MAP_H_
#define OMKIT_FRONTENDS_ONNX_OP_MAP_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "frontends/onnx/external_data.h"
#include "ir/graph.h"
#include "onnx/onnx-ml.pb.h"

namespace omkit::frontends {

constexpr int64_t kMinOpset = 1;
constexpr int64_t kMaxOpset = 25;
constexpr int64_t kMinIrVersion = 3;
constexpr int64_t kMaxIrVersion = 13;

// A node on its way into the graph. Arity and attribute types match the row; adapters edit it in place.
struct OnnxNode {
  std::string name;  // unique in the graph
  std::string op_type;
  int64_t opset = 0;
  ir::OpKind kind = ir::OpKind::kIdentity;
  ir::Attrs attrs;
  std::vector<ir::ValueId> inputs;   // kNoValue for an input left out
  std::vector<ir::ValueId> outputs;  // values without producer yet
  std::vector<bool> output_used;     // read by a node or a graph output
  Shape declared;                    // of output 0, for ImageDecoder alone, whose result nothing else tells the shape of; else rank 0
  ir::Graph* graph = nullptr;

  // Adds the node itself as it stands now.
  void Emit();
  // Adds an auxiliary node named "<name>/<suffix>" with one fresh value, infers its type where possible, and returns the value.
  ir::ValueId EmitBefore(ir::OpKind op, absl::string_view suffix, std::vector<ir::ValueId> op_inputs, ir::Attrs op_attrs = {});
  // Adds a constant named "<name>/<suffix>" of int64 numbers, rank 1.
  ir::ValueId Constant(absl::string_view suffix, absl::Span<const int64_t> values);
  ir::ValueId Constant(absl::string_view suffix, Tensor tensor);

  bool has_input(int i) const { return i < static_cast<int>(inputs.size()) && inputs[i] != ir::kNoValue; }
  // nullptr when the input is absent or not a constant.
  const Tensor* constant(int i) const;
  // kUndefined and -1 while the type is not known at import time.
  DType dtype(int i) const;
  int rank(int i) const;
  // Sets input i, padding with absent ones.
  void SetInput(int i, ir::ValueId value);
  // Drops the outputs from `keep` on; UNIMPLEMENTED when one of them is read.
  absl::Status KeepOutputs(int keep);
};

// Infers the type of a node's outputs where its inputs allow it; adapters use ranks and element types that are known this way.
// Failure leaves the outputs undefined: the compile stages infer again once shapes are bound, and report.
void TryInfer(ir::Graph& graph, ir::NodeId id);

using Adapter = absl::Status (*)(OnnxNode& node);

struct OnnxOp {
  const char* name;
  int first_opset;  // the oldest version of the operator whose form the adapter knows
  ir::OpKind kind;
  Adapter adapt;
  int min_inputs, max_inputs;
  int min_outputs, max_outputs;
  const char* attributes;  // see onnx_ops.inc
};

// Rows of the default domain.
absl::Span<const OnnxOp> OnnxOps();
// nullptr when there is no row or the operator came with a later opset.
const OnnxOp* FindOnnxOp(absl::string_view name, int64_t opset);

// An operator that is none of ONNX's; its versions are not told apart.
struct ContribOp {
  const char* domain;
  OnnxOp op;
};
absl::Span<const ContribOp> ContribOps();
// The row of any domain; "" and "ai.onnx" are the default one.
const OnnxOp* FindOp(absl::string_view domain, absl::string_view name, int64_t opset);

// Attributes of `proto` checked against the row: unknown name (with the nearest known one), wrong type, duplicates, references to
// function attributes. Subgraphs (type g) are checked and left to the caller. Messages do not name the node; the caller does.
absl::StatusOr<ir::Attrs> ReadAttributes(const onnx::NodeProto& proto, const OnnxOp& op, int64_t opset, ExternalFiles* files);
absl::Status CheckArity(const onnx::NodeProto& proto, const OnnxOp& op);

}  // namespace omkit::frontends

#endif  // OMKIT_FRONTENDS_ONNX_OP_MAP_H_
