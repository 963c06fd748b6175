// Every operator on random operands and attributes, most of them senseless: inference may refuse, but what it accepts must evaluate to a
// result or an error. Run under the sanitizers this is the proof that Infer checks everything Eval relies on.
#include <cmath>
#include <cstdio>

#include "base/picture_decoder.h"
#include "gtest/gtest.h"
#include "ir/ops/op_testing.h"

namespace omkit::ir {
namespace {

constexpr int64_t kLargestOutput = 1 << 16;

DType RandomDType(Random& r) {
  constexpr DType kOften[] = {DType::kFloat32, DType::kInt64, DType::kUInt8, DType::kInt8};
  return r.Int(0, 9) < 7 ? kOften[r.Int(0, 9) < 7 ? 0 : r.Int(0, 3)] : static_cast<DType>(r.Int(1, 13));
}

Shape RandomShape(Random& r, int rank) {
  Ints dims;
  for (int d = 0; d < rank; ++d) dims.push_back(r.Int(0, 20) == 0 ? 0 : r.Int(1, 5));
  return Shape(dims);
}

Tensor RandomTensor(Random& r, DType dtype, Shape shape) {
  Tensor t = *Tensor::Allocate(dtype, std::move(shape));
  for (int64_t i = 0; i < t.elements(); ++i) {
    const int64_t small = r.Int(-3, 6);
    DispatchDType(dtype, [&](auto zero) {
      using T = decltype(zero);
      if constexpr (std::is_arithmetic_v<T>) t.mutable_data<T>()[i] = static_cast<T>(small);
      else t.mutable_data<T>()[i].bits = static_cast<uint16_t>(r.Int(0, 65535));
    });
  }
  return t;
}

void MaybeQuantize(Random& r, Tensor& t) {
  if (SizeOf(t.dtype()) != 1 || t.dtype() == DType::kBool || r.Int(0, 3) == 0) return;
  QuantParams q = QuantParams::PerTensor(0.5f, 3);
  if (t.shape().rank() > 0 && r.Int(0, 3) == 0) {
    q.axis = static_cast<int>(r.Int(0, t.shape().rank() - 1));
    q.scale.assign(t.shape().dim(q.axis), 0.25f);
    q.zero_point.assign(q.scale.size(), 1);
    if (q.scale.empty()) return;
  }
  t.mutable_type()->quant = q;
}

Ints RandomInts(Random& r, int64_t low, int64_t high) {
  Ints v(r.Int(0, 6));
  for (int64_t& i : v) i = r.Int(0, 40) == 0 ? (r.Coin() ? INT64_MAX : INT64_MIN) : r.Int(low, high);
  return v;
}

Attrs RandomAttrs(Random& r) {
  Attrs attrs;
  for (const char* name : {"kernel_shape", "strides", "dilations", "pads", "output_padding", "output_shape", "perm", "axes"}) {
    if (r.Int(0, 3) == 0) attrs.Set(name, RandomInts(r, r.Int(-1, 0), 3));
  }
  for (const char* name : {"axis",
                           "group",
                           "keepdims",
                           "ceil_mode",
                           "count_include_pad",
                           "storage_order",
                           "blocksize",
                           "to",
                           "start",
                           "end",
                           "num_outputs",
                           "fmod",
                           "antialias",
                           "exclude_outside",
                           "allowzero",
                           "noop_with_empty_axes",
                           "transA",
                           "transB",
                           "batch_dims",
                           "batch_axis",
                           "time_axis",
                           "layout",
                           "k",
                           "upper",
                           "exclusive",
                           "reverse",
                           "sorted",
                           "largest",
                           "num_groups",
                           "size",
                           "p",
                           "align_corners",
                           "onesided",
                           "inverse",
                           "periodic",
                           "ignore_index"}) {
    if (r.Int(0, 2) == 0) attrs.Set(name, r.Int(0, 60) == 0 ? (r.Coin() ? INT64_MAX : INT64_MIN) : r.Int(-2, 4));
  }
  const auto choose = [&](const char* name, std::initializer_list<const char*> values) {
    if (r.Coin()) attrs.Set(name, std::string(*(values.begin() + r.Int(0, static_cast<int64_t>(values.size()) - 1))));
  };
  choose("auto_pad", {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"});
  choose("mode", {"constant", "reflect", "edge", "wrap", "nearest", "linear", "cubic", "DCR", "CRD"});
  choose("coordinate_transformation_mode", {"half_pixel", "align_corners", "asymmetric", "tf_crop_and_resize", "pytorch_half_pixel"});
  choose("direction", {"LEFT", "RIGHT", "forward", "reverse", "bidirectional"});
  choose("equation", {"i", "ii->i", "ij,jk->ik", "...i->...", "ij,ij", "...ij,...jk->...ik"});
  choose("reduction", {"none", "add", "mul", "max", "min", "sum", "mean"});
  choose("padding_mode", {"zeros", "border", "reflection"});
  if (r.Int(0, 3) == 0) attrs.Set("act_max", 2.0f);
  return attrs;
}

std::vector<Tensor> RandomInputs(Random& r, const OpDef& def) {
  const int most = def.max_inputs < 0 ? def.min_inputs + 2 : def.max_inputs;
  const int count = static_cast<int>(r.Int(def.min_inputs, most));
  const DType dtype = RandomDType(r);
  const int rank = static_cast<int>(r.Int(0, 5));
  const Shape common = RandomShape(r, rank);
  std::vector<Tensor> inputs;
  for (int i = 0; i < count; ++i) {
    if (i >= def.min_inputs && r.Int(0, 4) == 0) {
      inputs.push_back(Tensor());
      continue;
    }
    // Axes, shapes and pads are vectors of int64; weights and channels follow the first operand.
    const int64_t kind = i == 0 ? 4 : r.Int(0, 5);
    Tensor t;
    if (kind == 0) t = Vector64(RandomInts(r, -3, 4));
    else if (kind == 1 && rank > 1) t = RandomTensor(r, dtype, {common.dim(1)});
    else if (kind == 2) t = RandomTensor(r, RandomDType(r), RandomShape(r, static_cast<int>(r.Int(0, 5))));
    else if (kind == 3) t = RandomTensor(r, dtype, {});
    else t = RandomTensor(r, dtype, common);
    MaybeQuantize(r, t);
    inputs.push_back(std::move(t));
  }
  return inputs;
}

// Operators whose operands must fit each other too closely for chance: operands that fit, sometimes one of them replaced.
struct Fitting {
  OpKind op;
  std::vector<Shape> floats;
  std::vector<Ints> integers;  // behind the floats
  Attrs attrs;
};

const std::vector<Fitting>& FittingOperands() {
  static const auto* const table = new std::vector<Fitting>{
      {OpKind::kRNN, {{2, 1, 3}, {1, 2, 3}, {1, 2, 2}}, {}, {}},
      {OpKind::kGRU, {{2, 1, 3}, {1, 6, 3}, {1, 6, 2}, {1, 12}}, {}, {}},
      {OpKind::kLSTM, {{2, 1, 3}, {1, 8, 3}, {1, 8, 2}, {1, 16}}, {{2}}, {}},
      {OpKind::kMaxUnpool, {{1, 1, 4}}, {}, AttrsOf({{"kernel_shape", Ints{2}}, {"strides", Ints{2}}})},
      {OpKind::kGroupNormalization, {{1, 4, 3}, {4}, {4}}, {}, AttrsOf({{"num_groups", int64_t{2}}})},
      {OpKind::kAffineGrid, {{1, 2, 3}}, {{1, 1, 3, 4}}, {}},
      {OpKind::kCol2Im, {{1, 4, 4}}, {{3, 3}, {2, 2}}, {}},
      {OpKind::kRotaryEmbedding, {{1, 2, 3, 4}, {1, 3, 2}, {1, 3, 2}}, {}, {}},
      {OpKind::kDeformConv, {{1, 2, 4, 4}, {2, 2, 2, 2}, {1, 8, 3, 3}}, {}, {}},
      {OpKind::kRoiAlign,
       {{1, 1, 4, 4}, {2, 4}},
       {{0, 0}},
       AttrsOf({{"mode", std::string("avg")}, {"coordinate_transformation_mode", std::string("half_pixel")}, {"output_height", int64_t{2}}})},
  };
  return *table;
}

// Trees of up to four branches, which may be circles or lead nowhere.
Attrs RandomTrees(Random& r) {
  const int64_t nodes = r.Int(1, 4), leaves = r.Int(1, 4);
  const auto ints = [&](int64_t count, int64_t low, int64_t high) {
    Ints v(count);
    for (int64_t& i : v) i = r.Int(0, 60) == 0 ? INT64_MIN : r.Int(low, high);
    return v;
  };
  Attrs attrs;
  Tensor modes = *Tensor::Allocate(DType::kUInt8, {nodes}), members = RandomTensor(r, DType::kFloat32, {r.Int(1, 4)});
  for (int64_t i = 0; i < nodes; ++i) modes.mutable_data<uint8_t>()[i] = static_cast<uint8_t>(r.Int(0, 6));
  members.mutable_data<float>()[members.elements() - 1] = std::nanf("");
  attrs.Set("nodes_modes", modes);
  attrs.Set("nodes_splits", RandomTensor(r, DType::kFloat32, {nodes}));
  attrs.Set("leaf_weights", RandomTensor(r, DType::kFloat32, {leaves}));
  if (r.Coin()) attrs.Set("membership_values", members);
  attrs.Set("nodes_featureids", ints(nodes, 0, 1));
  for (const char* name : {"nodes_truenodeids", "nodes_falsenodeids"}) attrs.Set(name, ints(nodes, 0, 3));
  for (const char* name : {"nodes_trueleafs", "nodes_falseleafs"}) attrs.Set(name, ints(nodes, 0, 1));
  if (r.Coin()) attrs.Set("nodes_missing_value_tracks_true", ints(nodes, 0, 1));
  attrs.Set("tree_roots", ints(r.Int(0, 2), 0, 1));
  attrs.Set("leaf_targetids", ints(leaves, 0, 1));
  if (r.Int(0, 3) == 0) attrs.Set("leaf_ends", ints(r.Int(1, 4), 0, 4));
  attrs.Set("n_targets", r.Int(1, 3));
  attrs.Set("post_transform", r.Int(0, 4));
  attrs.Set("aggregate_function", r.Int(0, 3));
  return attrs;
}

// Stands in for the codecs: every third number of bytes is no picture.
absl::StatusOr<Picture> SizeOfBytes(absl::string_view bytes) {
  if (bytes.size() % 3 == 0) return absl::InvalidArgumentError("no picture");
  const auto width = static_cast<int64_t>(bytes.size());
  return Picture{width, 2, std::vector<uint8_t>(static_cast<size_t>(width * 6))};
}

void Fit(Random& r, OpKind op, std::vector<Tensor>* inputs, Attrs* attrs) {
  if (op == OpKind::kAipp) {
    *inputs = {RandomTensor(r, DType::kUInt8, {1, 24, 16, 1})};
    attrs->Set("stage", "aipp_mode: static network: 1x3x16x16 input_format: YUV420SP_U8 src_image_size_w: 16 src_image_size_h: 16");
    return;
  }
  if (op == OpKind::kTreeEnsemble) {
    *inputs = {RandomTensor(r, DType::kFloat32, {r.Int(0, 3), r.Int(1, 3)})};
    *attrs = RandomTrees(r);
    return;
  }
  if (op == OpKind::kImageDecoder) {
    SetPictureDecoder(SizeOfBytes);
    *inputs = {RandomTensor(r, DType::kUInt8, {r.Int(0, 5)})};
    attrs->Set("pixel_format", std::string(r.Coin() ? "BGR" : "Grayscale"));
    if (r.Coin()) attrs->Set("height", int64_t{2}), attrs->Set("width", r.Int(-2, 4));
    return;
  }
  if (op == OpKind::kMelWeightMatrix) {
    *inputs = {Vector64({r.Int(1, 5)}), Vector64({r.Int(0, 20)}), Vector64({r.Int(-1, 8000)}), Floats({}, {0.0f}), Floats({}, {4000.0f})};
    return;
  }
  if (op == OpKind::kSTFT) {
    *inputs = {RandomTensor(r, DType::kFloat32, {1, 8, r.Int(1, 2)}), Vector64({r.Int(-1, 3)}), Tensor(), Vector64({r.Int(0, 9)})};
    return;
  }
  for (const Fitting& f : FittingOperands()) {
    if (f.op != op) continue;
    inputs->clear();
    for (const Shape& shape : f.floats) inputs->push_back(RandomTensor(r, DType::kFloat32, shape));
    for (const Ints& values : f.integers) inputs->push_back(Vector64(values));
    // The indices of MaxUnpool have the shape of its values.
    if (op == OpKind::kMaxUnpool) inputs->push_back(RandomTensor(r, DType::kInt64, f.floats[0]));
    if (r.Int(0, 3) == 0) (*inputs)[r.Int(0, static_cast<int64_t>(inputs->size()) - 1)] = Vector64(RandomInts(r, -3, 4));
    *attrs = r.Coin() ? f.attrs : RandomAttrs(r);
    for (const auto& [name, value] : f.attrs.map()) attrs->Set(name, value);
  }
}

// True when inference accepted the node; evaluation has then run, with whatever outcome.
bool Try(OpKind op, const std::vector<Tensor>& inputs, const Attrs& attrs, int num_outputs, bool quantize) {
  Graph graph;
  std::vector<ValueId> ids;
  for (const Tensor& t : inputs) ids.push_back(t.defined() ? graph.AddConstant("in", t) : kNoValue);
  const NodeId id = graph.AddNode(op, "node", ids, attrs, num_outputs);
  if (quantize) graph.SetType(graph.node(id).outputs[0], {DType::kUInt8, {}, QuantParams::PerTensor(0.5f, 2), Layout::kPlain});
  if (!InferNode(graph, id).ok()) return false;
  std::vector<Tensor> results;
  for (ValueId v : graph.node(id).outputs) {
    const TensorType& type = graph.value(v).type;
    if (!type.shape.IsStatic() || type.shape.elements() > kLargestOutput) return false;
    results.push_back(*Tensor::Allocate(type));
  }
  std::vector<const Tensor*> from;
  for (const Tensor& t : inputs) from.push_back(t.defined() ? &t : nullptr);
  std::vector<Tensor*> to;
  for (Tensor& t : results) to.push_back(&t);
  EvalOp(op, {attrs, from, to}).IgnoreError();
  return true;
}

TEST(Operators, SurviveRandomOperands) {
  constexpr int kRounds = 1500;
  Random r(1);
  int never = 0;
  for (size_t i = 0; i < AllOps().size(); ++i) {
    const OpDef& def = AllOps()[i];
    int accepted = 0;
    for (int round = 0; round < kRounds; ++round) {
      const int outputs = static_cast<int>(r.Int(def.min_outputs, def.max_outputs < 0 ? 3 : def.max_outputs));
      std::vector<Tensor> inputs = RandomInputs(r, def);
      Attrs attrs = RandomAttrs(r);
      if (r.Coin()) Fit(r, static_cast<OpKind>(i), &inputs, &attrs);
      accepted += Try(static_cast<OpKind>(i), inputs, attrs, outputs, r.Int(0, 2) == 0);
    }
    if (accepted == 0) {
      ++never;
      std::printf("never accepted: %s\n", def.name);
    }
  }
  // The generator has to reach evaluation for nearly every operator, or it tests nothing.
  EXPECT_LE(never, 4);
}

}  // namespace
}  // namespace omkit::ir
