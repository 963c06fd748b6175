#include "passes/shape_values.h"

#include <algorithm>

#include "base/checked.h"
#include "base/shape.h"
#include "ir/op.h"

namespace omkit::passes {
namespace {

using ir::Node;
using ir::OpKind;
using ir::ValueId;

constexpr int64_t kMostElements = 64;  // longer ones are not shapes

std::optional<std::vector<int64_t>> Integers(const ir::Graph& graph, const Node& node, int input) {
  const Tensor* t = graph.ConstantInput(node, input);
  if (t == nullptr || t->elements() > kMostElements || (t->dtype() != DType::kInt64 && t->dtype() != DType::kInt32)) return std::nullopt;
  auto values = IntegerValues(*t);
  if (!values.ok()) return std::nullopt;
  return *std::move(values);
}

}  // namespace

std::pair<ValueId, int64_t> ShapeValues::Origin(ValueId v, int64_t dim) const {
  for (int steps = 0; steps < 1000; ++steps) {
    const Node* producer = graph_.Producer(v);
    if (producer == nullptr || producer->inputs.empty() || producer->inputs[0] == ir::kNoValue) break;
    const ValueId in = producer->inputs[0];
    const bool unary = ir::Def(producer->op).Is(ir::kUnary) || producer->op == OpKind::kIdentity;
    // The batch of an image goes through these unchanged.
    const bool batch =
        dim == 0 && (producer->op == OpKind::kConv || producer->op == OpKind::kMaxPool || producer->op == OpKind::kAveragePool ||
                     producer->op == OpKind::kGlobalAveragePool || producer->op == OpKind::kBatchNormalization || producer->op == OpKind::kFlatten);
    if (!unary && !(batch && producer->outputs[0] == v)) break;
    if (producer->op == OpKind::kFlatten && producer->attrs.Int("axis", 1) != 1) break;
    v = in;
  }
  return {v, dim};
}

std::optional<ShapeValues::Elements> ShapeValues::Find(ValueId v) const {
  if (v == ir::kNoValue) return std::nullopt;
  if (!graph_.IsConstant(v)) {
    const auto it = known_.find(v);
    if (it == known_.end()) return std::nullopt;
    return it->second;
  }
  const Tensor& t = graph_.value(v).constant;
  if (t.elements() > kMostElements || (t.dtype() != DType::kInt64 && t.dtype() != DType::kInt32) || t.shape().rank() > 1) return std::nullopt;
  const auto values = IntegerValues(t);
  if (!values.ok()) return std::nullopt;
  Elements elements;
  for (int64_t value : *values) elements.push_back({Element::kNumber, value, ir::kNoValue});
  return elements;
}

ShapeValues::Elements ShapeValues::OfShape(const Node& node) const {
  const ValueId v = node.inputs[0];
  const Shape& shape = graph_.value(v).type.shape;
  const auto clamp = [&](int64_t axis) { return std::clamp<int64_t>(axis < 0 ? axis + shape.rank() : axis, 0, shape.rank()); };
  Elements elements;
  for (int64_t d = clamp(node.attrs.Int("start", 0)), end = clamp(node.attrs.Int("end", shape.rank())); d < end; ++d) {
    const int64_t size = shape.dim(static_cast<int>(d));
    if (size != kUnknownDim) {
      elements.push_back({Element::kNumber, size, ir::kNoValue});
    } else {
      const auto [origin, dim] = Origin(v, d);
      elements.push_back({Element::kDim, dim, origin});
    }
  }
  return elements;
}

std::optional<ShapeValues::Elements> ShapeValues::Gathered(const Node& node) const {
  const std::optional<Elements> data = Find(node.inputs[0]);
  const auto indices = Integers(graph_, node, 1);
  if (!data || !indices) return std::nullopt;
  Elements result;
  for (int64_t i : *indices) {
    if (i < 0) i += static_cast<int64_t>(data->size());
    if (i < 0 || i >= static_cast<int64_t>(data->size())) return std::nullopt;
    result.push_back((*data)[i]);
  }
  return result;
}

std::optional<ShapeValues::Elements> ShapeValues::Sliced(const Node& node) const {
  const std::optional<Elements> data = Find(node.inputs[0]);
  const auto starts = Integers(graph_, node, 1), ends = Integers(graph_, node, 2);
  if (!data || !starts || !ends || starts->size() != 1 || ends->size() != 1) return std::nullopt;
  if (node.inputs.size() > 4 && node.inputs[4] != ir::kNoValue) {
    const auto steps = Integers(graph_, node, 4);
    if (!steps || *steps != std::vector<int64_t>{1}) return std::nullopt;
  }
  const auto size = static_cast<int64_t>(data->size());
  const auto clamp = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + size : at, 0, size); };
  const int64_t begin = clamp((*starts)[0]), end = clamp((*ends)[0]);
  if (begin >= end) return Elements();
  return Elements(data->begin() + begin, data->begin() + end);
}

std::optional<ShapeValues::Elements> ShapeValues::Concatenated(const Node& node) const {
  Elements result;
  for (ValueId v : node.inputs) {
    const std::optional<Elements> part = Find(v);
    if (!part || graph_.value(v).type.shape.rank() != 1) return std::nullopt;
    result.insert(result.end(), part->begin(), part->end());
  }
  if (static_cast<int64_t>(result.size()) > kMostElements) return std::nullopt;
  return result;
}

// Numbers are calculated, whatever holds an open dimension is open.
std::optional<ShapeValues::Elements> ShapeValues::Calculated(const Node& node) const {
  const std::optional<Elements> a = Find(node.inputs[0]), b = Find(node.inputs[1]);
  if (!a || !b || a->empty() || b->empty()) return std::nullopt;
  const size_t size = std::max(a->size(), b->size());
  if ((a->size() != size && a->size() != 1) || (b->size() != size && b->size() != 1)) return std::nullopt;
  Elements result(size);
  for (size_t i = 0; i < size; ++i) {
    const Element &x = (*a)[a->size() == 1 ? 0 : i], &y = (*b)[b->size() == 1 ? 0 : i];
    if (x.kind != Element::kNumber || y.kind != Element::kNumber) continue;
    int64_t value = 0;
    const bool overflow = node.op == OpKind::kAdd   ? __builtin_add_overflow(x.number, y.number, &value)
                          : node.op == OpKind::kSub ? __builtin_sub_overflow(x.number, y.number, &value)
                                                    : __builtin_mul_overflow(x.number, y.number, &value);
    if (!overflow) result[i] = {Element::kNumber, value, ir::kNoValue};
  }
  return result;
}

std::optional<ShapeValues::Elements> ShapeValues::Compute(const Node& node) const {
  switch (node.op) {
    case OpKind::kShape: return OfShape(node);
    case OpKind::kGather: return Gathered(node);
    case OpKind::kSlice: return Sliced(node);
    case OpKind::kConcat: return Concatenated(node);
    case OpKind::kAdd:
    case OpKind::kSub:
    case OpKind::kMul: return Calculated(node);
    case OpKind::kCast: {
      const DType to = graph_.value(node.outputs[0]).type.dtype;
      if (to != DType::kInt64 && to != DType::kInt32) return std::nullopt;
      return Find(node.inputs[0]);
    }
    case OpKind::kIdentity:
    case OpKind::kSqueeze:
    case OpKind::kUnsqueeze:
    case OpKind::kReshape: return Find(node.inputs[0]);
    default: return std::nullopt;
  }
}

void ShapeValues::Visit(const Node& node) {
  if (node.outputs.size() != 1 || graph_.value(node.outputs[0]).type.shape.rank() > 1) return;
  if (std::optional<Elements> elements = Compute(node)) known_[node.outputs[0]] = *std::move(elements);
}

std::optional<std::vector<int64_t>> ShapeValues::Target(const Node& node) const {
  const std::optional<Elements> target = Find(node.inputs[1]);
  if (!target) return std::nullopt;
  const Shape& data = graph_.value(node.inputs[0]).type.shape;
  std::vector<int64_t> dims;
  int64_t open_dims = std::count(data.vec().begin(), data.vec().end(), kUnknownDim);
  for (size_t i = 0; i < target->size(); ++i) {
    const Element& e = (*target)[i];
    const int64_t here = static_cast<int>(i) < data.rank() ? data.dim(static_cast<int>(i)) : 0;
    const bool copies = e.kind == Element::kNumber ? e.number == 0
                                                   : e.kind == Element::kDim && here == kUnknownDim &&
                                                         Origin(node.inputs[0], static_cast<int64_t>(i)) == std::make_pair(e.of, e.number);
    if (copies) {
      dims.push_back(here == kUnknownDim ? 0 : here);
      open_dims -= here == kUnknownDim;
    } else {
      dims.push_back(e.kind == Element::kNumber ? e.number : -1);
    }
  }
  // A network that was exported for one batch size names it: with the batch open it can only mean the batch.
  const bool fixed = std::all_of(dims.begin(), dims.end(), [](int64_t d) { return d > 0; });
  if (fixed && !dims.empty() && open_dims == 1 && data.dim(0) == kUnknownDim) {
    CheckedSize rest = 1, item = 1;
    for (int d = 1; d < data.rank(); ++d) rest = rest * data.dim(d);
    for (size_t d = 1; d < dims.size(); ++d) item = item * dims[d];
    if (rest.ok() && item.ok() && rest.value() == item.value()) dims[0] = 0;
    return dims;
  }
  if (std::count(dims.begin(), dims.end(), -1) != 1 || open_dims != 0) return dims;
  // Every open dimension is taken over, so the rest tells the last element.
  CheckedSize have = 1, given = 1;
  for (int64_t d : data.vec()) have = have * (d == kUnknownDim ? 1 : d);
  for (int64_t d : dims) given = given * (d == -1 || d == 0 ? 1 : d);
  if (!have.ok() || !given.ok() || given.value() <= 0 || have.value() % given.value() != 0) return dims;
  *std::find(dims.begin(), dims.end(), -1) = have.value() / given.value();
  return dims;
}

void ShapeValues::FixReshape(ir::NodeId id, ir::Graph& graph) {
  const Node& node = graph.node(id);
  if (node.op != OpKind::kReshape || node.attrs.Int("allowzero", 0) != 0 || graph.value(node.inputs[0]).type.shape.IsStatic()) return;
  const std::optional<std::vector<int64_t>> dims = Target(node);
  if (!dims || std::count(dims->begin(), dims->end(), -1) > 1) return;
  const std::string name = node.name;
  const auto rank = static_cast<int64_t>(dims->size());
  graph.SetInput(id, 1, graph.AddConstant(name + ":shape", Tensor::Of<int64_t>(Shape{rank}, *dims)));
}

}  // namespace omkit::passes
