#include "backends/program_builder.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "absl/strings/str_cat.h"
#include "backends/kernels/copy/copy.h"
#include "base/checked.h"
#include "base/log.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/window.h"
#include "runtime/memory_plan.h"

namespace omkit {
namespace {

using ir::kNoValue;
using ir::ValueId;
using kernels::View;
using runtime::Space;

constexpr int64_t kAlignment = 64;

}  // namespace

ProgramBuilder::ProgramBuilder(const ir::Graph& graph, Isa isa, WeightPool* pool)
    : graph_(graph), isa_(isa), variant_{isa}, others_{isa}, pool_(pool != nullptr ? pool : &own_pool_) {
  for (size_t i = 0; i < graph.inputs().size(); ++i) {
    const ValueId v = graph.inputs()[i];
    const uint64_t bytes = type(v).shape.elements() * SizeOf(type(v).dtype);
    Place place;
    place.block = AddBlock(Space::kInput, static_cast<uint32_t>(i), bytes);
    place.view = PlainView(type(v));
    places_[v] = place;
  }
  for (size_t i = 0; i < graph.outputs().size(); ++i) {
    const TensorType& t = type(graph.outputs()[i]);
    AddBlock(Space::kOutput, static_cast<uint32_t>(i), t.shape.elements() * SizeOf(t.dtype));
  }
}

BlockId ProgramBuilder::AddBlock(Space space, uint32_t index, uint64_t size) {
  if (space == Space::kArena) size = RoundUp(std::max<uint64_t>(size, 1), kAlignment);
  blocks_.push_back({space, index, 0, size, -1, -1});
  return static_cast<BlockId>(blocks_.size()) - 1;
}

BlockId ProgramBuilder::AddWeights(const void* data, size_t size) {
  const uint64_t offset = pool_->Add(data, size);
  const auto [it, fresh] = weight_blocks_.emplace(std::make_pair(offset, size), -1);
  if (fresh) {
    it->second = AddBlock(Space::kWeights, 0, size);
    blocks_[it->second].offset = offset;
  }
  return it->second;
}

absl::StatusOr<Place> ProgramBuilder::At(ValueId v) {
  auto it = places_.find(v);
  if (it != places_.end()) return it->second;
  if (!graph_.IsConstant(v)) return absl::InternalError(absl::StrCat("value '", graph_.value(v).name, "' is read before it is placed"));
  const Tensor& t = graph_.value(v).constant;
  Place place;
  place.block = AddWeights(t.raw(), t.bytes());
  place.view = PlainView(t.type());
  places_[v] = place;
  return place;
}

absl::StatusOr<Place> ProgramBuilder::CopyInto(ValueId v, const Place& from, Place to) {
  kernels::CopyParams params{from.view, to.view};
  if (!CollapseViews({&params.in, &params.out})) {
    return absl::UnimplementedError(absl::StrCat("value '", graph_.value(v).name, "' has too many separate dimensions to copy"));
  }
  AddStepBytes(graph_.value(v).name, "Copy", kernels::CopyKernel(isa()), runtime::ParamBytes(params), {from.block, to.block}, 0);
  return to;
}

absl::StatusOr<Place> ProgramBuilder::Plain(ValueId v) {
  OMKIT_ASSIGN_OR_RETURN(const Place place, At(v));
  if (IsDense(place.view)) return place;
  auto copy = plain_copies_.find(v);
  if (copy != plain_copies_.end()) return copy->second;
  Place to;
  to.view = PlainView(type(v));
  to.block = AddBlock(Space::kArena, 0, to.view.elements() * SizeOf(type(v).dtype));
  OMKIT_ASSIGN_OR_RETURN(plain_copies_[v], CopyInto(v, place, to));
  return plain_copies_[v];
}

absl::StatusOr<Place> ProgramBuilder::WholeBlock(ValueId v) {
  OMKIT_ASSIGN_OR_RETURN(Place place, Plain(v));
  if (place.view.offset == 0) return place;
  auto copy = plain_copies_.find(v);
  if (copy != plain_copies_.end()) return copy->second;
  Place to;
  to.view = PlainView(type(v));
  to.block = AddBlock(Space::kArena, 0, to.view.elements() * SizeOf(type(v).dtype));
  OMKIT_ASSIGN_OR_RETURN(plain_copies_[v], CopyInto(v, place, to));
  return plain_copies_[v];
}

absl::StatusOr<Place> ProgramBuilder::Image(ValueId v, const Halo& need) {
  OMKIT_ASSIGN_OR_RETURN(const Place place, At(v));
  const int64_t unit = place.view.element_size == 1 ? 4 : 1;
  Place direct = place;
  if (direct.halo.empty()) {
    // Strides along dimensions of size 1 mean nothing: give them the values of a channels-last image.
    View& view = direct.view;
    if (view.dims[1] == 1) view.strides[1] = 1;
    if (view.dims[3] == 1) view.strides[3] = RoundUp(view.dims[1], unit);
    if (view.dims[2] == 1) view.strides[2] = view.dims[3] * view.strides[3];
    if (view.dims[0] == 1) view.strides[0] = view.dims[2] * view.strides[2];
  }
  const View& view = direct.view;
  const bool channels_last = view.strides[1] == 1;
  const bool whole_groups = view.strides[0] % unit == 0 && view.strides[2] % unit == 0 && view.strides[3] % unit == 0;
  // Reading a group of four bytes at the last pixel needs memory behind it: arena blocks have it.
  const bool readable = view.dims[1] % unit == 0 || blocks_[place.block].space == Space::kArena;
  if (channels_last && whole_groups && readable && direct.halo.Covers(need)) return direct;
  auto copy = image_copies_.find(v);
  if (copy != image_copies_.end() && copy->second.halo.Covers(need)) return copy->second;
  const Place to = ImagePlace(type(v), Union(need, NeededHalo(v)), PixelStride(type(v)));
  FillHalo(graph_.value(v).name, type(v), to);
  OMKIT_ASSIGN_OR_RETURN(image_copies_[v], CopyInto(v, place, to));
  return image_copies_[v];
}

absl::StatusOr<Place> ProgramBuilder::Rows(ValueId v) {
  const TensorType& t = type(v);
  const int64_t columns = t.shape.dim(t.shape.rank() - 1);
  const int64_t rows = columns == 0 ? 0 : t.shape.elements() / columns;
  const int64_t stride = SizeOf(t.dtype) == 1 ? RoundUp(columns, 4) : columns;
  const TensorType as_image{t.dtype, Shape{1, columns, 1, rows}, t.quant, Layout::kChannelsLast};
  OMKIT_ASSIGN_OR_RETURN(Place place, At(v));
  const bool own_memory = blocks_[place.block].space == Space::kArena;
  const bool direct = IsDense(place.view) && (stride == columns || (rows == 1 && own_memory));
  View from = PlainView(as_image);
  from.strides[1] = 1;
  from.strides[3] = columns;
  from.strides[0] = from.strides[2] = rows * columns;
  if (direct) {
    from.offset = place.view.offset;
    from.strides[3] = stride;
    from.strides[0] = from.strides[2] = rows * stride;
    place.view = from;
    place.halo = {};
    return place;
  }
  auto copy = row_copies_.find(v);
  if (copy != row_copies_.end()) return copy->second;
  OMKIT_ASSIGN_OR_RETURN(Place plain, Plain(v));
  from.offset = plain.view.offset;
  plain.view = from;
  OMKIT_ASSIGN_OR_RETURN(row_copies_[v], CopyInto(v, plain, ImagePlace(as_image, {}, PixelStride(as_image))));
  return row_copies_[v];
}

absl::StatusOr<Place> ProgramBuilder::RowsOf(ValueId v) {
  OMKIT_ASSIGN_OR_RETURN(Place place, At(v));
  if (!IsDense(place.view)) return absl::InternalError(absl::StrCat("value '", graph_.value(v).name, "' is not dense"));
  const Shape& shape = type(v).shape;
  const int64_t columns = shape.dim(shape.rank() - 1);
  const int64_t rows = shape.elements() / columns;
  View view;
  view.rank = 4;
  view.element_size = place.view.element_size;
  view.offset = place.view.offset;
  const int64_t dims[] = {1, columns, 1, rows};
  const int64_t strides[] = {rows * columns, 1, rows * columns, columns};
  std::copy(dims, dims + 4, view.dims);
  std::copy(strides, strides + 4, view.strides);
  place.view = view;
  return place;
}

Place ProgramBuilder::NewPlain(ValueId v) {
  Place place;
  place.view = PlainView(type(v));
  for (size_t i = 0; i < graph_.outputs().size(); ++i) {
    if (graph_.outputs()[i] != v) continue;
    place.block = static_cast<BlockId>(graph_.inputs().size() + i);
    places_[v] = place;
    return place;
  }
  place.block = AddBlock(Space::kArena, 0, place.view.elements() * SizeOf(type(v).dtype));
  places_[v] = place;
  return place;
}

absl::StatusOr<Place> ProgramBuilder::RowRuns(ValueId v, const Halo& need) {
  OMKIT_ASSIGN_OR_RETURN(const Place place, At(v));
  const View& view = place.view;
  const bool runs = (view.strides[1] == 1 || view.dims[1] == 1) && view.strides[3] == view.dims[1];
  if (runs && blocks_[place.block].space == Space::kArena && place.halo.Covers(need)) return place;
  const Place to = ImagePlace(type(v), need, type(v).shape.dim(1));
  FillHalo(graph_.value(v).name, type(v), to);
  return CopyInto(v, place, to);
}

Place ProgramBuilder::ImagePlace(const TensorType& t, const Halo& halo, int64_t pixel) {
  const int64_t n = t.shape.dim(0), c = t.shape.dim(1), h = t.shape.dim(2), w = t.shape.dim(3);
  Place place;
  place.halo = halo;
  View& view = place.view;
  view.rank = 4;
  view.element_size = static_cast<int32_t>(SizeOf(t.dtype));
  const int64_t row = (w + halo.left + halo.right) * pixel;
  const int64_t image = (h + halo.top + halo.bottom) * row;
  const int64_t dims[] = {n, c, h, w};
  const int64_t strides[] = {image, 1, row, pixel};
  std::copy(dims, dims + 4, view.dims);
  std::copy(strides, strides + 4, view.strides);
  view.offset = halo.top * row + halo.left * pixel;
  // The last group of four channels may reach behind the image.
  constexpr int64_t kGroup = 4;
  place.block = AddBlock(Space::kArena, 0, n * image * SizeOf(t.dtype) + kGroup);
  return place;
}

void ProgramBuilder::FillHalo(const std::string& name, const TensorType& t, const Place& place) {
  if (place.halo.empty()) return;
  const Halo& halo = place.halo;
  kernels::FillParams params{};
  params.out = Nhwc(place);
  params.out.offset -= halo.top * params.out.strides[1] + halo.left * params.out.strides[2];
  params.out.dims[1] += halo.top + halo.bottom;
  params.out.dims[2] += halo.left + halo.right;
  params.out.dims[3] = params.out.strides[2];
  params.value = t.quantized() ? static_cast<uint8_t>(t.quant.zero_point[0]) : 0;
  const int64_t begin[] = {0, halo.top, halo.left};
  const int64_t end[] = {t.shape.dim(0), halo.top + t.shape.dim(2), halo.left + t.shape.dim(3)};
  std::copy(begin, begin + 3, params.skip_begin);
  std::copy(end, end + 3, params.skip_end);
  AddStepBytes(name, "Fill", kernels::FillKernel(isa()), runtime::ParamBytes(params), {place.block}, 0);
}

void ProgramBuilder::AddStepBytes(const std::string& node, const std::string& op, std::string kernel, std::string params,
                                  std::vector<BlockId> operands, int64_t operations) {
  const int index = static_cast<int>(steps_.size());
  for (BlockId b : operands) {
    if (blocks_[b].first_step < 0) blocks_[b].first_step = index;
    blocks_[b].last_step = index;
  }
  PendingStep pending;
  pending.step.kernel = std::move(kernel);
  pending.step.node = node;
  pending.step.op = op;
  pending.step.params = std::move(params);
  pending.step.operations = operations;
  pending.blocks = std::move(operands);
  steps_.push_back(std::move(pending));
}

void ProgramBuilder::BeginLayer(const ir::Node& node) {
  const auto named = variants_.find(node.name);
  variant_ = named == variants_.end() ? others_ : named->second;
}

void ProgramBuilder::EndLayer(const ir::Node& node) {
  variant_ = others_;
  if (steps_.size() == layered_steps_) return;
  PendingLayer pending;
  pending.layer.first_step = static_cast<uint32_t>(layered_steps_);
  pending.layer.last_step = static_cast<uint32_t>(steps_.size() - 1);
  for (ValueId v : node.inputs) {
    if (v != kNoValue) pending.inputs.push_back(v);
  }
  for (ValueId v : node.outputs) {
    if (v != kNoValue) pending.outputs.push_back(v);
  }
  pending.outputs.insert(pending.outputs.end(), made_.begin(), made_.end());
  made_.clear();
  layers_.push_back(std::move(pending));
  layered_steps_ = steps_.size();
}

runtime::TensorRecord ProgramBuilder::Record(ValueId v) const {
  runtime::TensorRecord record;
  const TensorType& t = type(v);
  record.name = graph_.value(v).name;
  record.dtype = t.dtype;
  record.dims = t.shape.vec();
  if (t.quant.per_tensor()) {
    record.scale = t.quant.scale[0];
    record.zero_point = t.quant.zero_point[0];
  }
  const auto place = places_.find(v);
  if (place == places_.end() || graph_.IsConstant(v)) return record;
  const View& view = place->second.view;
  const Block& block = blocks_[place->second.block];
  if (!std::equal(record.dims.begin(), record.dims.end(), view.dims, view.dims + view.rank)) return record;
  record.in_memory = block.space != Space::kArena || block.first_step >= 0;
  record.space = block.space;
  record.index = block.index;
  record.offset = block.offset + view.offset * view.element_size;
  if (!IsDense(view)) record.strides.assign(view.strides, view.strides + view.rank);
  return record;
}

void ProgramBuilder::AddLayers(runtime::Program* program) const {
  std::map<ValueId, uint32_t> known;
  const auto index = [&](ValueId v) {
    const auto [it, fresh] = known.emplace(v, static_cast<uint32_t>(program->tensors.size()));
    if (fresh) program->tensors.push_back(Record(v));
    return it->second;
  };
  for (const PendingLayer& pending : layers_) {
    runtime::Layer layer = pending.layer;
    for (ValueId v : pending.inputs) layer.inputs.push_back(index(v));
    for (ValueId v : pending.outputs) layer.outputs.push_back(index(v));
    program->layers.push_back(std::move(layer));
  }
}

absl::StatusOr<runtime::Program> ProgramBuilder::Finish() {
  for (size_t i = 0; i < graph_.outputs().size(); ++i) {
    const ValueId v = graph_.outputs()[i];
    OMKIT_ASSIGN_OR_RETURN(const Place place, At(v));
    const auto target = static_cast<BlockId>(graph_.inputs().size() + i);
    if (place.block == target && IsDense(place.view)) continue;
    Place to;
    to.block = target;
    to.view = PlainView(type(v));
    OMKIT_RETURN_IF_ERROR(CopyInto(v, place, to).status());
  }
  std::vector<runtime::MemoryBlock> arena;
  std::vector<BlockId> arena_ids;
  for (size_t b = 0; b < blocks_.size(); ++b) {
    if (blocks_[b].space != Space::kArena || blocks_[b].first_step < 0) continue;
    arena.push_back({blocks_[b].size, blocks_[b].first_step, blocks_[b].last_step});
    arena_ids.push_back(static_cast<BlockId>(b));
  }
  OMKIT_ASSIGN_OR_RETURN(const runtime::MemoryPlan plan, runtime::PlanMemory(arena));
  for (size_t i = 0; i < arena_ids.size(); ++i) blocks_[arena_ids[i]].offset = plan.offsets[i];
  Log(LogLevel::kDebug, absl::StrCat("working memory: ", plan.total, " bytes; ", plan.lower_bound, " are live at once"));

  runtime::Program program;
  program.model_name = graph_.name;
  program.isa = IsaName(isa_);
  program.arena_size = plan.total;
  program.weights = own_pool_.Take();
  for (PendingStep& pending : steps_) {
    for (BlockId b : pending.blocks) pending.step.operands.push_back({blocks_[b].space, blocks_[b].index, blocks_[b].offset, blocks_[b].size});
    program.steps.push_back(std::move(pending.step));
  }
  AddLayers(&program);
  const auto describe = [&](ValueId v) {
    runtime::IoDesc io;
    io.name = graph_.value(v).name;
    io.dtype = type(v).dtype;
    io.dims = type(v).shape.vec();
    io.format = io.dims.size() == 4 ? "NCHW" : "ND";
    io.bytes = type(v).shape.elements() * SizeOf(type(v).dtype);
    return io;
  };
  for (ValueId v : graph_.inputs()) program.inputs.push_back(describe(v));
  for (ValueId v : graph_.outputs()) program.outputs.push_back(describe(v));
  return program;
}

}  // namespace omkit
