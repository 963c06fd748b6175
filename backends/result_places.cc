// Where results are made: with the halo that their readers need, inside the concatenation that reads them, or in the caller's buffer.
#include <algorithm>
#include <optional>
#include <vector>

#include "backends/program_builder.h"
#include "ir/op.h"

namespace omkit {

using ir::ValueId;
using kernels::View;

namespace {

// True for a Concat or Split of images along their channels.
bool JoinsChannels(const ir::Graph& graph, const ir::Node& node, ir::OpKind op) {
  const int64_t axis = node.attrs.Int("axis", 0);
  return node.op == op && (axis == 1 || axis == -3) && graph.value(node.inputs[0]).type.shape.rank() == 4;
}

bool SameElements(const TensorType& a, const TensorType& b) { return a.dtype == b.dtype && a.quant == b.quant; }

}  // namespace

Halo ProgramBuilder::NeededHalo(ValueId v) const {
  Halo halo;
  for (const ir::Use& use : graph_.Uses(v)) {
    const ir::Node& node = graph_.node(use.node);
    if (node.op == ir::OpKind::kConv && use.input == 0) halo = Union(halo, HaloOf(graph_, node));
    // The parts are views of the value, with its halo.
    if (!JoinsChannels(graph_, node, ir::OpKind::kSplit) || use.input != 0) continue;
    for (const ValueId part : node.outputs) {
      for (const ir::Use& reader : graph_.Uses(part)) {
        if (graph_.node(reader.node).op == ir::OpKind::kConv && reader.input == 0) halo = Union(halo, HaloOf(graph_, graph_.node(reader.node)));
      }
    }
  }
  return halo;
}

// What a concatenation needs so that everything made inside it can be read there.
Halo ProgramBuilder::HaloWithOperands(const ir::Node& concat) const {
  const ValueId whole = concat.outputs[0];
  Halo halo = NeededHalo(whole);
  for (const ValueId operand : concat.inputs) {
    if (SameElements(type(operand), type(whole))) halo = Union(halo, NeededHalo(operand));
  }
  return halo;
}

// The concatenation that reads the value, or all parts of the value one behind the other, and the first operand it takes from it.
std::optional<ir::Use> ProgramBuilder::ConcatOf(ValueId v) const {
  const auto once = [&](const ir::Node& concat, ValueId operand) { return std::count(concat.inputs.begin(), concat.inputs.end(), operand) == 1; };
  for (const ir::Use& use : graph_.Uses(v)) {
    const ir::Node& node = graph_.node(use.node);
    if (JoinsChannels(graph_, node, ir::OpKind::kConcat) && once(node, v)) return use;
    if (!JoinsChannels(graph_, node, ir::OpKind::kSplit) || use.input != 0) continue;
    for (const ir::Use& reader : graph_.Uses(node.outputs[0])) {
      const ir::Node& concat = graph_.node(reader.node);
      const int parts = static_cast<int>(node.outputs.size());
      if (!JoinsChannels(graph_, concat, ir::OpKind::kConcat) || reader.input + parts > static_cast<int>(concat.inputs.size())) continue;
      bool whole = true;
      for (int i = 0; i < parts; ++i) whole = whole && concat.inputs[reader.input + i] == node.outputs[i] && once(concat, node.outputs[i]);
      if (whole) return reader;
    }
  }
  return std::nullopt;
}

// A value that a concatenation along the channels reads is made where the concatenation's result will lie, so that nothing is copied.
std::optional<Place> ProgramBuilder::PlaceInConcat(ValueId v) {
  if (type(v).shape.rank() != 4) return std::nullopt;
  const std::optional<ir::Use> use = ConcatOf(v);
  if (!use) return std::nullopt;
  const ir::Node& concat = graph_.node(use->node);
  const ValueId whole = concat.outputs[0];
  if (graph_.IsOutput(whole) || !SameElements(type(whole), type(v))) return std::nullopt;
  if (places_.find(whole) == places_.end()) {
    // Concatenations of concatenations nest; a file decides how deep.
    constexpr int kDeepest = 16;
    if (concat_depth_ == kDeepest) return std::nullopt;
    ++concat_depth_;
    NewImage(whole);
    --concat_depth_;
  }
  Place part = places_[whole];
  const bool channels_last = part.view.strides[1] == 1;
  if (!channels_last || !part.halo.Covers(NeededHalo(v))) return std::nullopt;
  for (int i = 0; i < use->input; ++i) part.view.offset += type(concat.inputs[i]).shape.dim(1);
  part.view.dims[1] = type(v).shape.dim(1);
  return part;
}

Place ProgramBuilder::NewImage(ValueId v) {
  // The result of a concatenation has its place from its first operand on.
  const auto reserved = places_.find(v);
  if (reserved != places_.end()) return reserved->second;
  if (const std::optional<Place> part = PlaceInConcat(v)) {
    places_[v] = *part;
    return *part;
  }
  const ir::Node* user = graph_.OnlyUser(v);
  const bool runs = user != nullptr && ReadsRowRuns(graph_, *user);
  const ir::Node* producer = graph_.Producer(v);
  const bool joined = producer != nullptr && JoinsChannels(graph_, *producer, ir::OpKind::kConcat);
  const Place place = ImagePlace(type(v), joined ? HaloWithOperands(*producer) : NeededHalo(v), runs ? type(v).shape.dim(1) : PixelStride(type(v)));
  FillHalo(graph_.value(v).name, type(v), place);
  places_[v] = place;
  return place;
}

namespace {

bool IsReshape(ir::OpKind op) {
  return op == ir::OpKind::kReshape || op == ir::OpKind::kFlatten || op == ir::OpKind::kSqueeze || op == ir::OpKind::kUnsqueeze;
}

// Where operand `v` of a reshape or a concatenation lies when the result lies at `result`.
bool OperandView(const ir::Graph& graph, const ir::Node& node, ValueId v, const View& result, View* view) {
  const Shape& shape = graph.value(v).type.shape;
  if (IsReshape(node.op)) return ReshapeView(result, shape, view);
  *view = result;
  const int64_t given = node.attrs.Int("axis", 0), axis = given < 0 ? given + shape.rank() : given;
  if (axis < 0 || axis >= shape.rank() || result.rank != shape.rank()) return false;
  for (const ValueId operand : node.inputs) {
    if (operand == v) break;
    view->offset += graph.value(operand).type.shape.dim(static_cast<int>(axis)) * result.strides[axis];
  }
  view->dims[axis] = shape.dim(static_cast<int>(axis));
  return true;
}

}  // namespace

std::optional<Place> ProgramBuilder::PlaceInOutput(ValueId v, bool planes) {
  // A file decides how long this is.
  constexpr size_t kLongest = 16;
  std::vector<ValueId> way = {v};
  std::vector<const ir::Node*> nodes;
  while (!graph_.IsOutput(way.back())) {
    const ir::Node* user = graph_.OnlyUser(way.back());
    const bool moves = user != nullptr && (IsReshape(user->op) || user->op == ir::OpKind::kConcat) && BackendTakes(*user);
    if (!moves || way.size() == kLongest || !SameElements(type(user->outputs[0]), type(v))) return std::nullopt;
    nodes.push_back(user);
    way.push_back(user->outputs[0]);
  }
  const TensorType& output = type(way.back());
  if (!graph_.Uses(way.back()).empty() || output.shape.elements() == 0 || output.shape.rank() > kernels::kMaxViewRank) return std::nullopt;
  std::vector<View> views(way.size());
  views.back() = PlainView(output);
  for (size_t i = nodes.size(); i-- > 0;) {
    if (!OperandView(graph_, *nodes[i], way[i], views[i + 1], &views[i])) return std::nullopt;
  }
  const View& image = views[0];
  if (image.rank != 4 || !(image.strides[1] == 1 || image.dims[1] == 1 || (planes && image.strides[3] == 1))) return std::nullopt;
  BlockId block = -1;
  for (size_t i = 0; i < graph_.outputs().size() && block < 0; ++i) {
    if (graph_.outputs()[i] == way.back()) block = static_cast<BlockId>(graph_.inputs().size() + i);
  }
  for (size_t i = 0; i < way.size(); ++i) {
    const auto known = places_.find(way[i]);
    if (known != places_.end() && !(known->second.block == block && known->second.view.offset == views[i].offset)) return std::nullopt;
  }
  for (size_t i = 0; i < way.size(); ++i) places_[way[i]] = Place{block, views[i], {}};
  return places_[v];
}

Place ProgramBuilder::NewLike(ValueId v, const Place& model) {
  if (places_.find(v) != places_.end()) return places_[v];
  const bool image = model.view.rank == 4 && type(v).shape.rank() == 4 && !IsDense(model.view) && !graph_.IsOutput(v) &&
                     (model.view.strides[1] == 1 || model.view.dims[1] == 1);
  return image ? NewImage(v) : NewPlain(v);
}

}  // namespace omkit
