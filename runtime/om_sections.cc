#include "runtime/om_sections.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "flatbuffers/flatbuffers.h"
#include "runtime/om_generated.h"

namespace omkit::runtime {
namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;
template <typename T>
using OffsetVector = flatbuffers::Vector<Offset<T>>;

std::string Finished(const FlatBufferBuilder& builder) {
  return std::string(reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize());
}

Offset<OffsetVector<fbs::Io>> WriteIoList(FlatBufferBuilder* builder, const std::vector<IoDesc>& list) {
  std::vector<Offset<fbs::Io>> rows;
  for (const IoDesc& io : list) {
    const auto name = builder->CreateString(io.name);
    const auto dims = builder->CreateVector(io.dims);
    const auto format = builder->CreateSharedString(io.format);
    rows.push_back(fbs::CreateIo(*builder, name, static_cast<uint8_t>(io.dtype), dims, format, io.bytes));
  }
  return builder->CreateVector(rows);
}

// In the section of gears, whose plans repeat them, names are stored once.
enum class Names { kOwn, kShared };

Offset<flatbuffers::String> WriteName(FlatBufferBuilder* builder, const std::string& name, Names names) {
  return names == Names::kShared ? builder->CreateSharedString(name) : builder->CreateString(name);
}

Offset<fbs::Step> WriteStep(FlatBufferBuilder* builder, const Step& step, Names names) {
  std::vector<fbs::Operand> operands;
  for (const Operand& o : step.operands) operands.emplace_back(static_cast<uint8_t>(o.space), o.index, o.offset, o.size);
  const auto kernel = builder->CreateSharedString(step.kernel);
  const auto node = WriteName(builder, step.node, names);
  const auto op = builder->CreateSharedString(step.op);
  const auto params = builder->CreateVector(reinterpret_cast<const uint8_t*>(step.params.data()), step.params.size());
  const auto operand_rows = builder->CreateVectorOfStructs(operands);
  return fbs::CreateStep(*builder, kernel, node, op, params, operand_rows, step.operations);
}

Offset<fbs::Tensor> WriteTensor(FlatBufferBuilder* builder, const TensorRecord& tensor, Names names) {
  const auto name = WriteName(builder, tensor.name, names);
  const auto dims = builder->CreateVector(tensor.dims);
  const Offset<flatbuffers::Vector<int64_t>> strides = tensor.strides.empty() ? 0 : builder->CreateVector(tensor.strides);
  return fbs::CreateTensor(*builder, name, static_cast<uint8_t>(tensor.dtype), dims, strides, tensor.in_memory, static_cast<uint8_t>(tensor.space),
                           tensor.index, tensor.offset, tensor.scale, tensor.zero_point);
}

Offset<fbs::Layer> WriteLayer(FlatBufferBuilder* builder, const Layer& layer) {
  const auto inputs = builder->CreateVector(layer.inputs);
  const auto outputs = builder->CreateVector(layer.outputs);
  return fbs::CreateLayer(*builder, layer.first_step, layer.last_step, inputs, outputs);
}

Offset<fbs::Plan> WritePlan(FlatBufferBuilder* builder, const Plan& plan, Names names) {
  const auto inputs = WriteIoList(builder, plan.inputs);
  const auto outputs = WriteIoList(builder, plan.outputs);
  std::vector<Offset<fbs::Step>> steps;
  for (const Step& step : plan.steps) steps.push_back(WriteStep(builder, step, names));
  const auto rows = builder->CreateVector(steps);
  std::vector<Offset<fbs::Tensor>> tensors;
  for (const TensorRecord& tensor : plan.tensors) tensors.push_back(WriteTensor(builder, tensor, names));
  const auto tensor_rows = builder->CreateVector(tensors);
  std::vector<Offset<fbs::Layer>> layers;
  for (const Layer& layer : plan.layers) layers.push_back(WriteLayer(builder, layer));
  const auto layer_rows = builder->CreateVector(layers);
  return fbs::CreatePlan(*builder, plan.arena_size, inputs, outputs, rows, tensor_rows, layer_rows);
}

// What parsing may still allocate: a hostile buffer can point at one large string from many places.
class Budget {
 public:
  explicit Budget(size_t buffer_size, size_t times = 8) : left_(times * buffer_size + 65536) {}
  bool Take(size_t bytes) {
    if (bytes > left_) return false;
    left_ -= bytes;
    return true;
  }
  bool Copy(const flatbuffers::String* from, std::string* to) {
    if (!Take(from->size())) return false;
    to->assign(from->data(), from->size());
    return true;
  }

 private:
  size_t left_;
};

absl::Status OverBudget(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(what, ": the same bytes are referred to from too many places"));
}

template <typename Root>
absl::StatusOr<const Root*> Verified(absl::string_view bytes, absl::string_view what) {
  constexpr int kMostDepth = 8;
  constexpr int kMostTables = 4'000'000;
  flatbuffers::Verifier verifier(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(), kMostDepth, kMostTables);
  if (!verifier.VerifyBuffer<Root>(nullptr)) return absl::InvalidArgumentError(absl::StrCat(what, ": not a valid FlatBuffer"));
  return flatbuffers::GetRoot<Root>(bytes.data());
}

bool ReadIo(const fbs::Io& from, Budget* budget, IoDesc* to) {
  to->dtype = static_cast<DType>(from.dtype());
  to->bytes = from.bytes();
  if (!budget->Take(from.dims()->size() * sizeof(int64_t))) return false;
  to->dims.resize(from.dims()->size());
  if (!to->dims.empty()) std::memcpy(to->dims.data(), from.dims()->Data(), to->dims.size() * sizeof(int64_t));
  return budget->Copy(from.name(), &to->name) && budget->Copy(from.format(), &to->format);
}

bool ReadIoList(const OffsetVector<fbs::Io>& from, Budget* budget, std::vector<IoDesc>* to) {
  if (!budget->Take(from.size() * sizeof(IoDesc))) return false;
  to->resize(from.size());
  for (size_t i = 0; i < to->size(); ++i) {
    if (!ReadIo(*from.Get(i), budget, &(*to)[i])) return false;
  }
  return true;
}

bool ReadStep(const fbs::Step& from, Budget* budget, Step* to) {
  if (!budget->Copy(from.kernel(), &to->kernel) || !budget->Copy(from.node(), &to->node) || !budget->Copy(from.op(), &to->op)) return false;
  if (!budget->Take(from.params()->size()) || !budget->Take(from.operands()->size() * sizeof(Operand))) return false;
  to->params.assign(reinterpret_cast<const char*>(from.params()->data()), from.params()->size());
  to->operands.reserve(from.operands()->size());
  for (size_t i = 0; i < from.operands()->size(); ++i) {
    fbs::Operand o;  // copied: the verifier does not check the alignment of a vector's elements
    std::memcpy(&o, from.operands()->Data() + i * sizeof o, sizeof o);
    to->operands.push_back({static_cast<Space>(o.space()), o.index(), o.offset(), o.size()});
  }
  to->operations = from.operations();
  return true;
}

bool ReadSteps(const OffsetVector<fbs::Step>& from, Budget* budget, std::vector<Step>* to) {
  if (!budget->Take(from.size() * sizeof(Step))) return false;
  to->resize(from.size());
  for (size_t i = 0; i < to->size(); ++i) {
    if (!ReadStep(*from.Get(i), budget, &(*to)[i])) return false;
  }
  return true;
}

template <typename T>
bool ReadNumbers(const flatbuffers::Vector<T>* from, Budget* budget, std::vector<T>* to) {
  if (from == nullptr) return true;
  if (!budget->Take(from->size() * sizeof(T))) return false;
  to->resize(from->size());
  if (!to->empty()) std::memcpy(to->data(), from->Data(), to->size() * sizeof(T));
  return true;
}

bool ReadTensor(const fbs::Tensor& from, Budget* budget, TensorRecord* to) {
  to->dtype = static_cast<DType>(from.dtype());
  to->in_memory = from.in_memory();
  to->space = static_cast<Space>(from.space());
  to->index = from.index();
  to->offset = from.offset();
  to->scale = from.scale();
  to->zero_point = from.zero_point();
  return budget->Copy(from.name(), &to->name) && ReadNumbers(from.dims(), budget, &to->dims) && ReadNumbers(from.strides(), budget, &to->strides);
}

bool ReadLayer(const fbs::Layer& from, Budget* budget, Layer* to) {
  to->first_step = from.first_step();
  to->last_step = from.last_step();
  return ReadNumbers(from.inputs(), budget, &to->inputs) && ReadNumbers(from.outputs(), budget, &to->outputs);
}

template <typename Row, typename T, typename Read>
bool ReadRows(const OffsetVector<Row>* from, Budget* budget, std::vector<T>* to, Read read) {
  if (from == nullptr) return true;
  if (!budget->Take(from->size() * sizeof(T))) return false;
  to->resize(from->size());
  for (size_t i = 0; i < to->size(); ++i) {
    if (!read(*from->Get(i), budget, &(*to)[i])) return false;
  }
  return true;
}

bool ReadPlan(const fbs::Plan& from, Budget* budget, Plan* to) {
  to->arena_size = from.arena_size();
  return ReadIoList(*from.inputs(), budget, &to->inputs) && ReadIoList(*from.outputs(), budget, &to->outputs) &&
         ReadSteps(*from.steps(), budget, &to->steps) && ReadRows(from.tensors(), budget, &to->tensors, ReadTensor) &&
         ReadRows(from.layers(), budget, &to->layers, ReadLayer);
}

bool ReadInputDims(const fbs::InputDims& from, Budget* budget, std::vector<int64_t>* dims, std::vector<DimRange>* ranges) {
  if (!ReadNumbers(from.dims(), budget, dims)) return false;
  if (from.ranges() == nullptr) return true;
  if (!budget->Take(from.ranges()->size() * sizeof(DimRange))) return false;
  for (size_t i = 0; i < from.ranges()->size(); ++i) {
    fbs::Range range;  // copied like operands
    std::memcpy(&range, from.ranges()->Data() + i * sizeof range, sizeof range);
    ranges->push_back({range.least(), range.most()});
  }
  return true;
}

}  // namespace

std::string SerializeManifest(const Program& program) {
  FlatBufferBuilder builder;
  std::vector<Offset<fbs::Entry>> entries;
  for (const ManifestEntry& entry : program.manifest) {
    const auto key = builder.CreateString(entry.key);
    const auto value = builder.CreateString(entry.value);
    entries.push_back(fbs::CreateEntry(builder, key, value));
  }
  const auto model_name = builder.CreateString(program.model_name);
  const auto soc_version = builder.CreateString(program.soc_version);
  const auto isa = builder.CreateString(program.isa);
  const auto rows = builder.CreateVector(entries);
  builder.Finish(fbs::CreateManifest(builder, model_name, soc_version, isa, rows));
  return Finished(builder);
}

std::string SerializePlan(const Plan& plan) {
  FlatBufferBuilder builder;
  builder.Finish(WritePlan(&builder, plan, Names::kOwn));
  return Finished(builder);
}

std::string SerializeShapes(const RuntimeShapes& shapes) {
  FlatBufferBuilder builder;
  std::vector<Offset<fbs::InputDims>> inputs;
  for (size_t i = 0; i < shapes.dims.size(); ++i) {
    const auto dims = builder.CreateVector(shapes.dims[i]);
    std::vector<fbs::Range> ranges;
    if (i < shapes.ranges.size()) {
      for (const DimRange& range : shapes.ranges[i]) ranges.emplace_back(range.least, range.most);
    }
    const auto range_rows = builder.CreateVectorOfStructs(ranges);
    inputs.push_back(fbs::CreateInputDims(builder, dims, range_rows));
  }
  const auto input_rows = builder.CreateVector(inputs);
  std::vector<Offset<fbs::Gear>> gears;
  for (size_t i = 0; i < shapes.gears.size(); ++i) {
    const auto values = builder.CreateVector(shapes.gears[i].values);
    const Offset<fbs::Plan> plan = i == shapes.largest ? 0 : WritePlan(&builder, shapes.gears[i].plan, Names::kShared);
    gears.push_back(fbs::CreateGear(builder, values, plan));
  }
  const auto gear_rows = builder.CreateVector(gears);
  builder.Finish(fbs::CreateShapes(builder, static_cast<uint8_t>(shapes.mode), input_rows, gear_rows));
  return Finished(builder);
}

absl::Status ParseManifest(absl::string_view bytes, Program* program) {
  OMKIT_ASSIGN_OR_RETURN(const fbs::Manifest* manifest, Verified<fbs::Manifest>(bytes, "manifest"));
  Budget budget(bytes.size());
  bool fits = budget.Copy(manifest->model_name(), &program->model_name) && budget.Copy(manifest->soc_version(), &program->soc_version) &&
              budget.Copy(manifest->isa(), &program->isa) && budget.Take(manifest->entries()->size() * sizeof(ManifestEntry));
  if (!fits) return OverBudget("manifest");
  for (const fbs::Entry* entry : *manifest->entries()) {
    program->manifest.emplace_back();
    fits = budget.Copy(entry->key(), &program->manifest.back().key) && budget.Copy(entry->value(), &program->manifest.back().value);
    if (!fits) return OverBudget("manifest");
  }
  return absl::OkStatus();
}

absl::Status ParsePlan(absl::string_view bytes, Plan* plan) {
  OMKIT_ASSIGN_OR_RETURN(const fbs::Plan* read, Verified<fbs::Plan>(bytes, "plan"));
  Budget budget(bytes.size());
  return ReadPlan(*read, &budget, plan) ? absl::OkStatus() : OverBudget("plan");
}

absl::Status ParseShapes(absl::string_view bytes, RuntimeShapes* shapes) {
  OMKIT_ASSIGN_OR_RETURN(const fbs::Shapes* read, Verified<fbs::Shapes>(bytes, "shapes"));
  constexpr size_t kTimes = 16;  // gears share names
  Budget budget(bytes.size(), kTimes);
  shapes->mode = static_cast<ShapeMode>(read->mode());
  for (const fbs::InputDims* input : *read->inputs()) {
    shapes->dims.emplace_back();
    shapes->ranges.emplace_back();
    if (!ReadInputDims(*input, &budget, &shapes->dims.back(), &shapes->ranges.back())) return OverBudget("shapes");
  }
  if (shapes->mode != ShapeMode::kRanges) shapes->ranges.clear();
  size_t own = 0;
  for (const fbs::Gear* gear : *read->gears()) {
    shapes->gears.emplace_back();
    if (gear->plan() == nullptr) {
      shapes->largest = static_cast<uint32_t>(shapes->gears.size() - 1);
      ++own;
    }
    const bool fits = budget.Take(sizeof(Gear)) && ReadNumbers(gear->values(), &budget, &shapes->gears.back().values) &&
                      (gear->plan() == nullptr || ReadPlan(*gear->plan(), &budget, &shapes->gears.back().plan));
    if (!fits) return OverBudget("shapes");
  }
  if (own != (shapes->gears.empty() ? 0 : 1)) return absl::InvalidArgumentError(absl::StrCat("shapes: ", own, " gears have no plan, one must"));
  return absl::OkStatus();
}

}  // namespace omkit::runtime
