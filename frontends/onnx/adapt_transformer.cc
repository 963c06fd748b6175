// Adapters of the operators that ONNX added for transformers.
//
// TensorScatter (24) writes `update` into a cache of keys or values: element s of `axis` goes to position write_indices[b] + s, in mode circular
// modulo the length of the cache. Attention's nonpad_kv_seqlen (24) tells how many keys of such a cache are real, sample by sample: the others
// are masked out, and a causal query i sees the keys up to position nonpad_kv_seqlen[b] - (number of queries) + i.
#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "frontends/onnx/adapters.h"

namespace omkit::frontends::adapters {
namespace {

using ir::OpKind;
using ir::ValueId;

// kUnknownDim while the shape is not known at import time.
int64_t DimOf(const OnnxNode& node, int input, int dim) {
  return node.rank(input) > dim ? node.graph->value(node.inputs[input]).type.shape.dim(dim) : kUnknownDim;
}

ValueId ReshapeTo(OnnxNode& node, const char* name, ValueId x, const std::vector<int64_t>& dims) {
  return node.EmitBefore(OpKind::kReshape, name, {x, node.Constant(absl::StrCat(name, "_shape"), dims)});
}

// The size of a dimension, as a scalar of int64.
ValueId SizeOf(OnnxNode& node, const char* name, int input, int dim) {
  const int64_t known = DimOf(node, input, dim);
  if (known != kUnknownDim) return node.Constant(name, Tensor::Scalar<int64_t>(known));
  const ValueId shape = node.EmitBefore(OpKind::kShape, absl::StrCat(name, "_of"), {node.inputs[input]});
  return node.EmitBefore(OpKind::kGather, name, {shape, node.Constant(absl::StrCat(name, "_at"), Tensor::Scalar<int64_t>(dim))});
}

// from, from + 1, ..., to - 1 in a shape of `rank` dimensions of which `dim` alone is not 1.
ValueId Positions(OnnxNode& node, const char* name, ValueId from, ValueId to, int rank, int dim) {
  const ValueId step = node.Constant(absl::StrCat(name, "_step"), Tensor::Scalar<int64_t>(1));
  const ValueId range = node.EmitBefore(OpKind::kRange, absl::StrCat(name, "_range"), {from, to, step});
  std::vector<int64_t> dims(rank, 1);
  dims[dim] = -1;
  return ReshapeTo(node, name, range, dims);
}

// A mask shorter than the keys, its missing columns masked out. One whose length is not known yet is taken to fit.
absl::Status PadMask(OnnxNode& node, bool boolean, int64_t total) {
  const int rank = node.rank(3);
  const int64_t columns = DimOf(node, 3, rank - 1);
  if (columns == total || columns == 1 || columns == kUnknownDim || total == kUnknownDim) return absl::OkStatus();
  if (columns > total) return absl::InvalidArgumentError(absl::StrCat("attn_mask has ", columns, " columns for ", total, " keys"));
  std::vector<int64_t> pads(2 * rank, 0);
  pads.back() = total - columns;
  const Tensor hidden = boolean ? Tensor::Scalar<bool>(false) : Tensor::Scalar<float>(-INFINITY);
  node.inputs[3] = node.EmitBefore(OpKind::kPad, "mask_padded", {node.inputs[3], node.Constant("mask_pads", pads), node.Constant("hidden", hidden)});
  return absl::OkStatus();
}

absl::Status MaskPaddedKeys(OnnxNode& node) {
  if (node.has_input(4) || node.has_input(5)) return absl::InvalidArgumentError("nonpad_kv_seqlen does not go together with past_key and past_value");
  if (node.rank(0) < 3) return absl::UnimplementedError("the rank of Q must be known at import time");
  const int along = node.rank(0) == 3 ? 1 : 2;
  const ValueId zero = node.Constant("zero", Tensor::Scalar<int64_t>(0)), keys = SizeOf(node, "keys", 1, along);
  const ValueId lengths = ReshapeTo(node, "kv_lengths", node.inputs[6], {-1, 1, 1, 1});
  const ValueId key = Positions(node, "key_positions", zero, keys, 4, 3);
  ValueId seen = node.EmitBefore(OpKind::kLess, "real_keys", {key, lengths});
  if (node.attrs.Int("is_causal", 0) != 0) {
    const ValueId first = node.EmitBefore(OpKind::kNeg, "first_query", {SizeOf(node, "queries", 0, along)});
    const ValueId query = Positions(node, "query_positions", first, zero, 4, 2);
    const ValueId last = node.EmitBefore(OpKind::kAdd, "last_keys", {lengths, query});
    const ValueId causal = node.EmitBefore(OpKind::kLessOrEqual, "causal_keys", {key, last});
    seen = node.EmitBefore(OpKind::kAnd, "seen_keys", {seen, causal});
    node.attrs.Erase("is_causal");
  }
  if (node.has_input(3)) {
    const DType dtype = node.dtype(3);
    if (dtype != DType::kBool && dtype != DType::kFloat32)
      return absl::UnimplementedError("nonpad_kv_seqlen beside a mask that is not bool or float32");
    OMKIT_RETURN_IF_ERROR(PadMask(node, dtype == DType::kBool, DimOf(node, 1, along)));
    if (dtype == DType::kBool) seen = node.EmitBefore(OpKind::kAnd, "seen", {seen, node.inputs[3]});
    else seen = node.EmitBefore(OpKind::kWhere, "seen", {seen, node.inputs[3], node.Constant("masked_out", Tensor::Scalar<float>(-INFINITY))});
  }
  node.SetInput(3, seen);
  node.inputs.resize(4);
  return absl::OkStatus();
}

}  // namespace

absl::Status Attention(OnnxNode& node) {
  while (node.outputs.size() > 1 && !node.output_used[node.outputs.size() - 1]) node.outputs.pop_back();
  node.attrs.Erase("softmax_precision");
  if (node.inputs.size() > 6) {
    if (node.opset < 24) return absl::InvalidArgumentError("input nonpad_kv_seqlen came with opset 24");
    if (node.has_input(6)) OMKIT_RETURN_IF_ERROR(MaskPaddedKeys(node));
    else node.inputs.resize(6);
  }
  return Direct(node);
}

absl::Status TensorScatter(OnnxNode& node) {
  const int rank = node.rank(1);
  const std::string mode = node.attrs.String("mode", "linear");
  if (mode != "linear" && mode != "circular") return absl::InvalidArgumentError(absl::StrCat("mode '", mode, "' is neither linear nor circular"));
  if (rank < 2) return absl::UnimplementedError("the shape of input 1 must be known at import time");
  const int64_t given = node.attrs.Int("axis", -2), axis = given < 0 ? given + rank : given;
  if (axis < 1 || axis >= rank) return absl::InvalidArgumentError(absl::StrCat("axis ", given, " is none of the ", rank, " behind the batch"));
  const int dim = static_cast<int>(axis);
  ValueId at = Positions(node, "positions", node.Constant("zero", Tensor::Scalar<int64_t>(0)), SizeOf(node, "elements", 1, dim), rank, dim);
  if (node.has_input(2)) {
    std::vector<int64_t> column(rank, 1);
    column[0] = -1;
    at = node.EmitBefore(OpKind::kAdd, "targets", {ReshapeTo(node, "starts", node.inputs[2], column), at});
  }
  if (mode == "circular") at = node.EmitBefore(OpKind::kMod, "wrapped", {at, SizeOf(node, "length", 0, dim)});
  const ValueId shape = node.EmitBefore(OpKind::kShape, "shape", {node.inputs[1]});
  const ValueId everywhere = node.EmitBefore(OpKind::kExpand, "everywhere", {at, shape});
  node.inputs = {node.inputs[0], everywhere, node.inputs[1]};
  node.attrs = {};
  node.attrs.Set("axis", axis);
  return Direct(node);
}

}  // namespace omkit::frontends::adapters
