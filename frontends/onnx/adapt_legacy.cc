// Adapters of forms that opset 7 did away with, and of training forms.
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "frontends/onnx/adapters.h"

namespace omkit::frontends::adapters {
namespace {

// `v` with `count` dimensions of size 1 behind its `rank` own ones.
ir::ValueId WithTrailingOnes(OnnxNode& node, ir::ValueId v, int rank, int count, absl::string_view suffix) {
  std::vector<int64_t> axes;
  for (int i = 0; i < count; ++i) axes.push_back(rank + i);
  return node.EmitBefore(ir::OpKind::kUnsqueeze, suffix, {v, node.Constant(absl::StrCat(suffix, "_axes"), axes)});
}

}  // namespace

absl::Status LegacyBroadcast(OnnxNode& node) {
  const bool aligned = node.opset < 7 && node.attrs.Int("broadcast", 0) != 0 && node.attrs.Has("axis");
  if (aligned) {
    const int a = node.rank(0), b = node.rank(1);
    if (a < 0 || b < 0) return absl::UnimplementedError("attribute axis with operands whose ranks are not known");
    int64_t axis = node.attrs.Int("axis", 0);
    if (axis < 0) axis += a;
    if (axis < 0 || axis + b > a) return absl::InvalidArgumentError(absl::StrCat("attribute 'axis' is ", axis, " for ranks ", a, " and ", b));
    const int trailing = a - b - static_cast<int>(axis);
    if (trailing > 0) node.inputs[1] = WithTrailingOnes(node, node.inputs[1], b, trailing, "aligned");
  }
  node.attrs.Erase("axis");
  node.attrs.Erase("broadcast");
  return Direct(node);
}

absl::Status PRelu(OnnxNode& node) {
  const int rank = node.rank(0);
  if (node.opset < 7 && rank > 2 && node.rank(1) == 1) node.inputs[1] = WithTrailingOnes(node, node.inputs[1], 1, rank - 2, "slope");
  return Direct(node);
}

absl::Status Gemm(OnnxNode& node) {
  node.attrs.Erase("broadcast");
  return Direct(node);
}

}  // namespace omkit::frontends::adapters
