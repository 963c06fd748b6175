#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "backends/npu_int8/npu_int8.h"
#include "base/narrow.h"
#include "frontends/onnx/op_map.h"
#include "ir/op.h"
#include "ir/ops/body.h"
#include "tools/om/om.h"

namespace omkit::om {
namespace {

using frontends::OnnxOp;
using ir::OpKind;

// Passes turn these operators into others before kernels are chosen (passes/fuse.h, frontends/qdq).
OpKind Lowered(const OnnxOp& op) {
  switch (op.kind) {
    case OpKind::kBatchNormalization: return OpKind::kMul;
    case OpKind::kGemm: return OpKind::kDense;
    case OpKind::kQuantizeLinear: return OpKind::kQuantize;
    case OpKind::kDequantizeLinear: return OpKind::kDequantize;
    default: return op.kind;
  }
}

// Whether the first input may have this type: asked of shape inference, whose checks are the only place where types are written down.
bool TakesType(OpKind op, DType dtype) {
  const ir::OpDef& def = ir::Def(op);
  for (int rank : {4, 2, 3, 1, 0}) {
    ir::Graph graph;
    std::vector<ir::ValueId> inputs;
    const std::vector<int64_t> dims(rank, 4);
    for (int i = 0; i < std::max(def.min_inputs, 1); ++i)
      inputs.push_back(graph.AddInput(absl::StrCat("x", i), TensorType{dtype, Shape(dims), {}, Layout::kPlain}));
    const ir::NodeId id = graph.AddNode(op, "node", inputs, {}, def.min_outputs);
    const absl::Status status = ir::InferNode(graph, id);
    if (status.ok()) return true;
    const std::string text(status.message());
    const bool about_type = absl::StrContains(text, absl::StrCat("input 0 is ", Name(dtype), ", expected")) ||
                            absl::StrContains(text, absl::StrCat("is ", Name(dtype), ", which only Cast"));
    if (about_type) return false;
  }
  return true;
}

// "float, int, bool": classes of which every type is taken, single names otherwise.
std::string TypesOf(OpKind op) {
  const std::vector<std::pair<const char*, std::vector<DType>>> classes = {
      {"float", {DType::kFloat32, DType::kFloat16, DType::kBFloat16, DType::kFloat64}},
      {"int", {DType::kInt8, DType::kInt16, DType::kInt32, DType::kInt64}},
      {"uint", {DType::kUInt8, DType::kUInt16, DType::kUInt32, DType::kUInt64}},
      {"bool", {DType::kBool}},
      {"float8", {kFloat8E4M3FN, kFloat8E4M3FNUZ, kFloat8E5M2, kFloat8E5M2FNUZ}},
      {"4-bit", {kInt4, kUInt4, kFloat4E2M1}},
  };
  std::vector<std::string> parts;
  for (const auto& [name, types] : classes) {
    std::vector<std::string> taken;
    for (DType dtype : types) {
      if (TakesType(op, dtype)) taken.push_back(Name(dtype));
    }
    if (taken.size() == types.size()) parts.push_back(name);
    else parts.insert(parts.end(), taken.begin(), taken.end());
  }
  return absl::StrJoin(parts, " ");
}

struct Line {
  std::string name, domain, versions, types, reference, float_path, int8;
};

Line LineOf(absl::string_view domain, const OnnxOp& op) {
  const OpKind kind = Lowered(op);
  const npu_int8::OpSupport support = npu_int8::SupportOf(kind);
  Line line;
  line.name = op.name;
  line.domain = std::string(domain);
  line.versions = op.first_opset > 0 ? absl::StrCat(op.first_opset, "-", frontends::kMaxOpset) : "any";
  line.types = TypesOf(op.kind);
  // What an adapter makes of an operator has a meaning in ir/ops, which the reference backend runs; nested graphs it hands to its own steps.
  line.reference = ir::IsControl(kind) ? "nested program" : "interpreter";
  line.float_path = support.kernel ? "kernel" : ir::IsControl(kind) ? "nested program" : "reference";
  line.int8 = support.int8 ? "kernel" : "";
  return line;
}

}  // namespace

absl::Status Ops(bool markdown, std::ostream& out) {
  std::vector<Line> lines;
  for (const OnnxOp& op : frontends::OnnxOps()) lines.push_back(LineOf("", op));
  for (const frontends::ContribOp& row : frontends::ContribOps()) lines.push_back(LineOf(row.domain, row.op));
  std::sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) { return std::tie(a.domain, a.name) < std::tie(b.domain, b.name); });
  const Line head = {"operator", "domain", "opsets", "types of the first input", "reference", "npu float", "npu INT8"};
  if (markdown) {
    const auto row = [&](const Line& l) {
      out << "| " << absl::StrJoin({l.name, l.domain, l.versions, l.types, l.reference, l.float_path, l.int8}, " | ") << " |\n";
    };
    row(head);
    out << "| --- | --- | --- | --- | --- | --- | --- |\n";
    for (const Line& line : lines) row(line);
    return absl::OkStatus();
  }
  const auto row = [&](const Line& l) {
    out << absl::StrFormat("%-32s %-24s %-7s %-14s %-14s %-9s %s\n", l.name, l.domain, l.versions, l.reference, l.float_path, l.int8, l.types);
  };
  row(head);
  for (const Line& line : lines) row(line);
  out << "\nUnder npu, 'kernel' means one for every instruction set, 'reference' that the step runs on the reference backend's interpreter.\n";
  return absl::OkStatus();
}

}  // namespace omkit::om
