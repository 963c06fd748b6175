#include "runtime/verify_program.h"

#include <algorithm>
#include <set>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/checked.h"
#include "base/shape.h"
#include "base/status.h"
#include "runtime/kernel.h"

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

absl::Status VerifyIo(const IoDesc& io) {
  if (!IsValid(io.dtype)) return Invalid("unknown dtype ", static_cast<int>(io.dtype));
  OMKIT_ASSIGN_OR_RETURN(const int64_t elements, CheckedElements(io.dims));
  const CheckedSize bytes = CheckedSize(elements) * static_cast<int64_t>(SizeOf(io.dtype));
  if (!bytes.ok() || static_cast<uint64_t>(bytes.value()) != io.bytes) {
    return Invalid(io.bytes, " bytes, but ", Name(io.dtype), " ", Shape(io.dims).ToString(), " has ", bytes.value());
  }
  if (io.format != "NCHW" && io.format != "NHWC" && io.format != "ND") return Invalid("unknown format ", Shown(io.format));
  return absl::OkStatus();
}

absl::Status VerifyIoList(const std::vector<IoDesc>& list, absl::string_view kind) {
  if (list.size() > kMostInputs) return Invalid(list.size(), " ", kind, "s, limit ", kMostInputs);
  std::set<absl::string_view> names;
  for (size_t i = 0; i < list.size(); ++i) {
    OMKIT_RETURN_IF_ERROR(VerifyName(list[i].name, absl::StrCat("the name of ", kind, " ", i)));
    const std::string label = absl::StrCat(kind, " ", i, " ", Shown(list[i].name));
    if (!names.insert(list[i].name).second) return Invalid(label, ": the name is used twice");
    OMKIT_RETURN_IF_ERROR(Annotate(VerifyIo(list[i]), label));
  }
  return absl::OkStatus();
}

// Bytes of a memory space, and its name.
absl::Status MeasureSpace(const Program& program, uint64_t weights_size, const Operand& operand, uint64_t* size, const char** name) {
  uint64_t space_size = 0;
  const char* space = "";
  switch (operand.space) {
    case Space::kArena: space = "the arena", space_size = program.arena_size; break;
    case Space::kWeights: space = "the weights", space_size = weights_size; break;
    case Space::kInput:
    case Space::kOutput: {
      const bool input = operand.space == Space::kInput;
      const std::vector<IoDesc>& list = input ? program.inputs : program.outputs;
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

absl::Status VerifyOperand(const Program& program, uint64_t weights_size, const Operand& operand) {
  uint64_t space_size = 0;
  const char* space = "";
  OMKIT_RETURN_IF_ERROR(MeasureSpace(program, weights_size, operand, &space_size, &space));
  const bool planned = operand.space == Space::kArena || operand.space == Space::kWeights;
  if (planned && operand.index != 0) return Invalid("index ", operand.index, " in ", space);
  if (planned && operand.offset % kOffsetUnit != 0) return Invalid("offset ", operand.offset, " is not a multiple of ", kOffsetUnit);
  if (operand.offset > space_size || operand.size > space_size - operand.offset) {
    return Invalid("bytes [", operand.offset, ", +", operand.size, ") lie outside ", space, " of ", space_size, " bytes");
  }
  return absl::OkStatus();
}

absl::Status VerifyStep(const Program& program, uint64_t weights_size, const Step& step) {
  OMKIT_RETURN_IF_ERROR(VerifyName(step.kernel, "the kernel's name"));
  OMKIT_RETURN_IF_ERROR(VerifyText(step.node, "the node's name"));
  OMKIT_RETURN_IF_ERROR(VerifyText(step.op, "the operator's name"));
  const size_t longest = std::max(step.kernel.size(), step.op.size());
  if (longest > kLongestKernelName) return Invalid("a kernel or operator name of ", longest, " bytes, limit ", kLongestKernelName);
  if (step.params.size() > kLargestParams) return Invalid(step.params.size(), " bytes of parameters, limit ", kLargestParams);
  if (step.operands.size() > kMostOperands) return Invalid(step.operands.size(), " operands, limit ", kMostOperands);
  if (step.operations < 0) return Invalid("operation count ", step.operations, " is negative");
  for (size_t i = 0; i < step.operands.size(); ++i) {
    OMKIT_RETURN_IF_ERROR(Annotate(VerifyOperand(program, weights_size, step.operands[i]), absl::StrCat("operand ", i)));
  }
  return absl::OkStatus();
}

// A record is followed by dumps, so all its elements must lie inside its space.
absl::Status VerifyRecord(const Program& program, uint64_t weights_size, const TensorRecord& record) {
  OMKIT_RETURN_IF_ERROR(VerifyText(record.name, "the name"));
  if (!IsValid(record.dtype)) return Invalid("unknown dtype ", static_cast<int>(record.dtype));
  OMKIT_ASSIGN_OR_RETURN(const int64_t elements, CheckedElements(record.dims));
  if (!record.strides.empty() && record.strides.size() != record.dims.size()) {
    return Invalid(record.strides.size(), " strides for ", record.dims.size(), " dimensions");
  }
  if (!record.in_memory) return absl::OkStatus();
  uint64_t space_size = 0;
  const char* space = "";
  OMKIT_RETURN_IF_ERROR(MeasureSpace(program, weights_size, {record.space, record.index, 0, 0}, &space_size, &space));
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

absl::Status VerifyLayers(const Program& program) {
  uint32_t before = 0;
  for (size_t i = 0; i < program.layers.size(); ++i) {
    const Layer& layer = program.layers[i];
    if (layer.first_step > layer.last_step || layer.last_step >= program.steps.size() || layer.last_step < before) {
      return Invalid("layer ", i, ": steps ", layer.first_step, " to ", layer.last_step, " of ", program.steps.size(), " are out of order");
    }
    before = layer.last_step;
    for (const std::vector<uint32_t>* list : {&layer.inputs, &layer.outputs}) {
      for (uint32_t tensor : *list) {
        if (tensor >= program.tensors.size()) return Invalid("layer ", i, ": tensor ", tensor, " of ", program.tensors.size());
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

}  // namespace

std::string StepLabel(const Program& program, size_t step) {
  const Step& s = program.steps[step];
  return absl::StrCat("step ", step, " (node ", Shown(s.node), ", ", absl::CHexEscape(s.op.substr(0, kLongestShown)), ", kernel ",
                      absl::CHexEscape(s.kernel.substr(0, kLongestShown)), ")");
}

absl::Status VerifyProgram(const Program& program, uint64_t weights_size, const ProgramLimits& limits) {
  OMKIT_RETURN_IF_ERROR(VerifyManifest(program));
  OMKIT_RETURN_IF_ERROR(VerifyIoList(program.inputs, "input"));
  OMKIT_RETURN_IF_ERROR(VerifyIoList(program.outputs, "output"));
  if (program.arena_size > limits.arena_size) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the model needs ", program.arena_size, " bytes of working memory, the limit is ", limits.arena_size));
  }
  for (size_t i = 0; i < program.steps.size(); ++i) {
    if (absl::Status s = VerifyStep(program, weights_size, program.steps[i]); !s.ok()) return Annotate(s, StepLabel(program, i));
  }
  for (size_t i = 0; i < program.tensors.size(); ++i) {
    OMKIT_RETURN_IF_ERROR(Annotate(VerifyRecord(program, weights_size, program.tensors[i]), absl::StrCat("tensor record ", i)));
  }
  return VerifyLayers(program);
}

absl::Status VerifyKernels(const Program& program) {
  for (size_t i = 0; i < program.steps.size(); ++i) {
    if (absl::Status s = VerifyStepKernel(program.steps[i]); !s.ok()) return Annotate(s, StepLabel(program, i));
  }
  return absl::OkStatus();
}

}  // namespace omkit::runtime
