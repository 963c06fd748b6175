#include "runtime/verify_program.h"

#include <algorithm>
#include <set>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "base/checked.h"
#include "base/shape.h"
#include "base/status.h"
#include "runtime/kernel.h"
#include "runtime/shapes.h"

namespace omkit::runtime {
namespace {

constexpr size_t kLongestName = 65535;
constexpr size_t kLongestKernelName = 128;  // also of an operator: they are stored once and copied into every step
constexpr size_t kMostInputs = 4096;
constexpr size_t kMostOperands = 4096;
constexpr size_t kLargestParams = 1 << 20;
constexpr uint64_t kOffsetUnit = 64;
constexpr size_t kLongestShown = 128;

std::string Shown(absl::string_view name) {
  return absl::StrCat("'", absl::CHexEscape(name.substr(0, kLongestShown)), name.size() > kLongestShown ? "..." : "", "'");
}

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

// Bytes of the UTF-8 sequence at the start of `text`; 0 when there is none (RFC 3629: no overlong forms, surrogates or > U+10FFFF).
size_t Utf8Length(absl::string_view text) {
  const auto byte = [&](size_t i) -> uint32_t { return i < text.size() ? static_cast<uint8_t>(text[i]) : 0; };
  const auto follows = [&](size_t i) { return (byte(i) & 0xC0) == 0x80; };
  const uint32_t first = byte(0), second = byte(1);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF && follows(1)) return 2;
  if (first >= 0xE0 && first <= 0xEF && follows(1) && follows(2)) {
    const bool overlong = first == 0xE0 && second < 0xA0, surrogate = first == 0xED && second >= 0xA0;
    return overlong || surrogate ? 0 : 3;
  }
  if (first >= 0xF0 && first <= 0xF4 && follows(1) && follows(2) && follows(3)) {
    const bool overlong = first == 0xF0 && second < 0x90, too_large = first == 0xF4 && second >= 0x90;
    return overlong || too_large ? 0 : 4;
  }
  return 0;
}

absl::Status VerifyText(absl::string_view text, absl::string_view what) {
  if (text.size() > kLongestName) return Invalid(what, " has ", text.size(), " bytes, limit ", kLongestName);
  for (size_t at = 0; at < text.size();) {
    const size_t length = text[at] == '\0' ? 0 : Utf8Length(text.substr(at));
    if (length == 0) return Invalid(what, " ", Shown(text), " is not UTF-8 text without NUL (byte ", at, ")");
    at += length;
  }
  return absl::OkStatus();
}

absl::Status VerifyName(absl::string_view name, absl::string_view what) {
  if (name.empty()) return Invalid(what, " is empty");
  return VerifyText(name, what);
}

absl::Status VerifyManifest(const Program& program) {
  OMKIT_RETURN_IF_ERROR(VerifyText(program.model_name, "the model's name"));
  OMKIT_RETURN_IF_ERROR(VerifyName(program.soc_version, "soc_version"));
  OMKIT_RETURN_IF_ERROR(VerifyName(program.isa, "the instruction set"));
  const std::string* before = nullptr;
  for (const ManifestEntry& entry : program.manifest) {
    OMKIT_RETURN_IF_ERROR(VerifyName(entry.key, "a manifest key"));
    if (entry.value.find('\0') != std::string::npos) return Invalid("manifest entry ", Shown(entry.key), ": the value holds a NUL");
    if (before != nullptr && entry.key <= *before) return Invalid("manifest keys ", Shown(*before), ", ", Shown(entry.key), " are not sorted");
    before = &entry.key;
  }
  return absl::OkStatus();
}

// `open`: dims may be -1, and there are no bytes then.
absl::Status VerifyIo(const IoDesc& io, bool open) {
  if (!IsValid(io.dtype)) return Invalid("unknown dtype ", static_cast<int>(io.dtype));
  if (io.format != "NCHW" && io.format != "NHWC" && io.format != "ND") return Invalid("unknown format ", Shown(io.format));
  if (open && std::count(io.dims.begin(), io.dims.end(), -1) > 0) {
    if (io.dims.size() > kMaxRank) return Invalid(io.dims.size(), " dimensions, limit ", kMaxRank);
    if (*std::min_element(io.dims.begin(), io.dims.end()) < -1) return Invalid("a dimension below -1");
    if (io.bytes != 0) return Invalid(io.bytes, " bytes for an open shape");
    return absl::OkStatus();
  }
  OMKIT_ASSIGN_OR_RETURN(const int64_t elements, CheckedElements(io.dims));
  const CheckedSize bytes = CheckedSize(elements) * static_cast<int64_t>(SizeOf(io.dtype));
  if (!bytes.ok() || static_cast<uint64_t>(bytes.value()) != io.bytes) {
    return Invalid(io.bytes, " bytes, but ", Name(io.dtype), " ", Shape(io.dims).ToString(), " has ", bytes.value());
  }
  return absl::OkStatus();
}

absl::Status VerifyIoList(const std::vector<IoDesc>& list, absl::string_view kind, bool open) {
  if (list.size() > kMostInputs) return Invalid(list.size(), " ", kind, "s, limit ", kMostInputs);
  std::set<absl::string_view> names;
  for (size_t i = 0; i < list.size(); ++i) {
    OMKIT_RETURN_IF_ERROR(VerifyName(list[i].name, absl::StrCat("the name of ", kind, " ", i)));
    const std::string label = absl::StrCat(kind, " ", i, " ", Shown(list[i].name));
    if (!names.insert(list[i].name).second) return Invalid(label, ": the name is used twice");
    OMKIT_RETURN_IF_ERROR(Annotate(VerifyIo(list[i], open), label));
  }
  return absl::OkStatus();
}

// Bytes of a memory space, and its name.
absl::Status MeasureSpace(const Plan& plan, uint64_t weights_size, const Operand& operand, uint64_t* size, const char** name) {
  uint64_t space_size = 0;
  const char* space = "";
  switch (operand.space) {
    case Space::kArena: space = "the arena", space_size = plan.arena_size; break;
    case Space::kWeights: space = "the weights", space_size = weights_size; break;
    case Space::kInput:
    case Space::kOutput: {
      const bool input = operand.space == Space::kInput;
      const std::vector<IoDesc>& list = input ? plan.inputs : plan.outputs;
      space = input ? "the input" : "the output";
      if (operand.index >= list.size()) return Invalid("index ", operand.index, " of ", list.size(), " ", space + 4, "s");
      space_size = list[operand.index].bytes;
      break;
    }
    default: return Invalid("unknown memory space ", static_cast<int>(operand.space));
  }
  *size = space_size;
  *name = space;
  return absl::OkStatus();
}

absl::Status VerifyOperand(const Plan& plan, uint64_t weights_size, const Operand& operand) {
  uint64_t space_size = 0;
  const char* space = "";
  OMKIT_RETURN_IF_ERROR(MeasureSpace(plan, weights_size, operand, &space_size, &space));
  const bool planned = operand.space == Space::kArena || operand.space == Space::kWeights;
  if (planned && operand.index != 0) return Invalid("index ", operand.index, " in ", space);
  if (planned && operand.offset % kOffsetUnit != 0) return Invalid("offset ", operand.offset, " is not a multiple of ", kOffsetUnit);
  if (operand.offset > space_size || operand.size > space_size - operand.offset) {
    return Invalid("bytes [", operand.offset, ", +", operand.size, ") lie outside ", space, " of ", space_size, " bytes");
  }
  return absl::OkStatus();
}

absl::Status VerifyStep(const Plan& plan, uint64_t weights_size, const Step& step) {
  OMKIT_RETURN_IF_ERROR(VerifyName(step.kernel, "the kernel's name"));
  OMKIT_RETURN_IF_ERROR(VerifyText(step.node, "the node's name"));
  OMKIT_RETURN_IF_ERROR(VerifyText(step.op, "the operator's name"));
  const size_t longest = std::max(step.kernel.size(), step.op.size());
  if (longest > kLongestKernelName) return Invalid("a kernel or operator name of ", longest, " bytes, limit ", kLongestKernelName);
  if (step.params.size() > kLargestParams) return Invalid(step.params.size(), " bytes of parameters, limit ", kLargestParams);
  if (step.operands.size() > kMostOperands) return Invalid(step.operands.size(), " operands, limit ", kMostOperands);
  if (step.operations < 0) return Invalid("operation count ", step.operations, " is negative");
  for (size_t i = 0; i < step.operands.size(); ++i) {
    OMKIT_RETURN_IF_ERROR(Annotate(VerifyOperand(plan, weights_size, step.operands[i]), absl::StrCat("operand ", i)));
  }
  return absl::OkStatus();
}

// A record is followed by dumps, so all its elements must lie inside its space.
absl::Status VerifyRecord(const Plan& plan, uint64_t weights_size, const TensorRecord& record) {
  OMKIT_RETURN_IF_ERROR(VerifyText(record.name, "the name"));
  if (!IsValid(record.dtype)) return Invalid("unknown dtype ", static_cast<int>(record.dtype));
  OMKIT_ASSIGN_OR_RETURN(const int64_t elements, CheckedElements(record.dims));
  if (!record.strides.empty() && record.strides.size() != record.dims.size()) {
    return Invalid(record.strides.size(), " strides for ", record.dims.size(), " dimensions");
  }
  if (!record.in_memory) return absl::OkStatus();
  uint64_t space_size = 0;
  const char* space = "";
  OMKIT_RETURN_IF_ERROR(MeasureSpace(plan, weights_size, {record.space, record.index, 0, 0}, &space_size, &space));
  if (elements == 0) return absl::OkStatus();
  CheckedSize last = elements - 1;
  if (!record.strides.empty()) {
    last = 0;
    for (size_t i = 0; i < record.dims.size(); ++i) last = last + CheckedSize(record.dims[i] - 1) * record.strides[i];
  }
  const CheckedSize bytes = (last + 1) * static_cast<int64_t>(SizeOf(record.dtype));
  if (record.offset > space_size || !bytes.FitsIn(static_cast<int64_t>(std::min<uint64_t>(space_size - record.offset, INT64_MAX)))) {
    return Invalid("its elements from byte ", record.offset, " lie outside ", space, " of ", space_size, " bytes");
  }
  return absl::OkStatus();
}

absl::Status VerifyLayers(const Plan& plan) {
  uint32_t before = 0;
  for (size_t i = 0; i < plan.layers.size(); ++i) {
    const Layer& layer = plan.layers[i];
    if (layer.first_step > layer.last_step || layer.last_step >= plan.steps.size() || layer.last_step < before) {
      return Invalid("layer ", i, ": steps ", layer.first_step, " to ", layer.last_step, " of ", plan.steps.size(), " are out of order");
    }
    before = layer.last_step;
    for (const std::vector<uint32_t>* list : {&layer.inputs, &layer.outputs}) {
      for (uint32_t tensor : *list) {
        if (tensor >= plan.tensors.size()) return Invalid("layer ", i, ": tensor ", tensor, " of ", plan.tensors.size());
      }
    }
  }
  return absl::OkStatus();
}

absl::Status VerifyStepKernel(const Step& step) {
  const KernelDef* kernel = FindKernel(step.kernel);
  if (kernel == nullptr) {
    const std::string nearest = NearestName(step.kernel, KernelNames());
    return Invalid("no kernel ", Shown(step.kernel), " on this device", nearest.empty() ? "" : absl::StrCat(", nearest is '", nearest, "'"));
  }
  for (size_t i = 0; i < step.operands.size() && i < 32; ++i) {
    const Space space = step.operands[i].space;
    const bool constant = space == Space::kWeights || space == Space::kInput;
    if (constant && (kernel->writes >> i & 1))
      return Invalid("operand ", i, " is written but lies in ", space == Space::kInput ? "an input" : "the weights");
  }
  return kernel->verify(step);
}

absl::Status VerifyPlanOf(const Plan& plan, uint64_t weights_size, const ProgramLimits& limits, bool open) {
  OMKIT_RETURN_IF_ERROR(VerifyIoList(plan.inputs, "input", open));
  OMKIT_RETURN_IF_ERROR(VerifyIoList(plan.outputs, "output", open));
  if (plan.arena_size > limits.arena_size) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the model needs ", plan.arena_size, " bytes of working memory, the limit is ", limits.arena_size));
  }
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    if (absl::Status s = VerifyStep(plan, weights_size, plan.steps[i]); !s.ok()) return Annotate(s, StepLabel(plan, i));
  }
  for (size_t i = 0; i < plan.tensors.size(); ++i) {
    OMKIT_RETURN_IF_ERROR(Annotate(VerifyRecord(plan, weights_size, plan.tensors[i]), absl::StrCat("tensor record ", i)));
  }
  return VerifyLayers(plan);
}

// Whoever binds datasets to a gear relies on this: only the dims of inputs and outputs differ between plans.
absl::Status VerifySameIo(const std::vector<IoDesc>& list, const std::vector<IoDesc>& base, absl::string_view kind) {
  if (list.size() != base.size()) return Invalid(list.size(), " ", kind, "s, the largest gear has ", base.size());
  for (size_t i = 0; i < list.size(); ++i) {
    const IoDesc &io = list[i], &known = base[i];
    if (io.name != known.name || io.dtype != known.dtype || io.format != known.format || io.dims.size() != known.dims.size()) {
      return Invalid(kind, " ", i, " ", Shown(io.name), " differs from that of the largest gear");
    }
  }
  return absl::OkStatus();
}

absl::Status VerifyGear(const ShapedProgram& program, size_t gear) {
  const RuntimeShapes& shapes = program.shapes;
  const Plan& plan = GearPlan(program, gear);
  OMKIT_ASSIGN_OR_RETURN(const std::vector<std::vector<int64_t>> dims, GearDims(shapes.mode, shapes.dims, shapes.gears[gear].values));
  OMKIT_RETURN_IF_ERROR(VerifySameIo(plan.inputs, program.inputs, "input"));
  OMKIT_RETURN_IF_ERROR(VerifySameIo(plan.outputs, program.outputs, "output"));
  for (size_t i = 0; i < dims.size(); ++i) {
    if (plan.inputs[i].dims != dims[i]) return Invalid("input ", i, " ", Shown(plan.inputs[i].name), " has another shape than the gear");
  }
  return absl::OkStatus();
}

absl::Status VerifyRanges(const ShapedProgram& program) {
  const RuntimeShapes& shapes = program.shapes;
  if (!program.steps.empty() || program.arena_size != 0) return Invalid("a model that takes ranges has steps");
  if (shapes.ranges.size() != shapes.dims.size()) return Invalid(shapes.ranges.size(), " ranges for ", shapes.dims.size(), " inputs");
  if (shapes.dims.size() != program.inputs.size()) return Invalid("shapes of ", shapes.dims.size(), " of ", program.inputs.size(), " inputs");
  for (size_t i = 0; i < shapes.dims.size(); ++i) {
    if (shapes.dims[i] != program.inputs[i].dims || shapes.ranges[i].size() != shapes.dims[i].size()) return Invalid("input ", i, " has other dims");
    for (size_t d = 0; d < shapes.dims[i].size(); ++d) {
      const DimRange& range = shapes.ranges[i][d];
      const bool fixed = range.least == range.most;
      if (range.least < 0 || (range.most < range.least && range.most != -1) || shapes.dims[i][d] != (fixed ? range.least : -1)) {
        return Invalid("input ", i, ", dimension ", d, ": range ", range.least, " to ", range.most, " for ", shapes.dims[i][d]);
      }
    }
  }
  return absl::OkStatus();
}

absl::Status VerifyShapes(const ShapedProgram& program) {
  const RuntimeShapes& shapes = program.shapes;
  const bool gears = HasGears(shapes.mode), ranges = shapes.mode == ShapeMode::kRanges;
  if (shapes.mode > ShapeMode::kRanges) return Invalid("unknown mode ", static_cast<int>(shapes.mode));
  if (gears == shapes.gears.empty()) return Invalid(shapes.gears.size(), " gears in mode ", static_cast<int>(shapes.mode));
  if (ranges == shapes.graph.empty()) return Invalid("a graph of ", shapes.graph.size(), " bytes in mode ", static_cast<int>(shapes.mode));
  if (ranges) return VerifyRanges(program);
  if (!shapes.ranges.empty()) return Invalid("ranges in mode ", static_cast<int>(shapes.mode));
  if (!gears) return shapes.dims.empty() ? absl::OkStatus() : Invalid("dims in a fixed model");
  if (shapes.gears.size() < kFewestGears || shapes.gears.size() > kMostGears) {
    return Invalid(shapes.gears.size(), " gears; allowed are ", kFewestGears, " to ", kMostGears);
  }
  if (shapes.largest >= shapes.gears.size()) return Invalid("largest gear ", shapes.largest, " of ", shapes.gears.size());
  if (shapes.dims.size() >= program.inputs.size()) return Invalid("shapes of ", shapes.dims.size(), " inputs, and no input for the gear");
  for (size_t i = 0; i < program.inputs.size(); ++i) {
    const bool last = i + 1 == program.inputs.size();
    if ((program.inputs[i].name == kGearInput) != last) return Invalid("the input ", kGearInput, " is not the last one");
  }
  const size_t width = GearWidth(shapes.mode, shapes.dims);
  const IoDesc &have = program.inputs.back(), want = GearInput(width);
  if (have.dtype != want.dtype || have.dims != want.dims) return Invalid("the input ", kGearInput, " does not hold ", width, " int32");
  std::set<std::vector<int64_t>> seen;
  for (const Gear& gear : shapes.gears) {
    if (!seen.insert(gear.values).second) return Invalid("gear ", absl::StrJoin(gear.values, ","), " is there twice");
  }
  return absl::OkStatus();
}

}  // namespace

std::string StepLabel(const Plan& plan, size_t step) {
  const Step& s = plan.steps[step];
  return absl::StrCat("step ", step, " (node ", Shown(s.node), ", ", absl::CHexEscape(s.op.substr(0, kLongestShown)), ", kernel ",
                      absl::CHexEscape(s.kernel.substr(0, kLongestShown)), ")");
}

absl::Status VerifyPlan(const Plan& plan, uint64_t weights_size, const ProgramLimits& limits) {
  return VerifyPlanOf(plan, weights_size, limits, false);
}

absl::Status VerifyProgram(const ShapedProgram& program, uint64_t weights_size, const ProgramLimits& limits) {
  OMKIT_RETURN_IF_ERROR(VerifyManifest(program));
  OMKIT_RETURN_IF_ERROR(VerifyPlanOf(program, weights_size, limits, program.shapes.mode == ShapeMode::kRanges));
  OMKIT_RETURN_IF_ERROR(Annotate(VerifyShapes(program), "shapes"));
  for (size_t i = 0; i < program.shapes.gears.size(); ++i) {
    const Plan& plan = GearPlan(program, i);
    const std::string label = absl::StrCat("gear ", absl::StrJoin(program.shapes.gears[i].values, ","));
    if (i != program.shapes.largest) OMKIT_RETURN_IF_ERROR(Annotate(VerifyPlanOf(plan, weights_size, limits, false), label));
    OMKIT_RETURN_IF_ERROR(Annotate(VerifyGear(program, i), label));
  }
  return absl::OkStatus();
}

absl::Status VerifyKernels(const Plan& plan) {
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    if (absl::Status s = VerifyStepKernel(plan.steps[i]); !s.ok()) return Annotate(s, StepLabel(plan, i));
  }
  return absl::OkStatus();
}

}  // namespace omkit::runtime
