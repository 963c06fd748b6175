#include <algorithm>
#include <map>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/shape.h"
#include "base/status.h"
#include "runtime/om_file.h"
#include "runtime/shapes.h"
#include "tools/om/om.h"

namespace omkit::om {
namespace {

using runtime::IoDesc;
using runtime::LoadedOm;
using runtime::Operand;
using runtime::Space;
using runtime::Step;

void PrintIo(const std::vector<IoDesc>& list, const char* kind, std::ostream& out) {
  for (size_t i = 0; i < list.size(); ++i) {
    const IoDesc& io = list[i];
    out << absl::StrFormat("%-6s %d  %-24s %-8s %-4s %-20s %12d bytes\n", kind, i, absl::Utf8SafeCHexEscape(io.name), Name(io.dtype), io.format,
                           Shape(io.dims).ToString(), io.bytes);
  }
}

std::string Describe(const Operand& o) {
  constexpr const char* kSpaces[] = {"arena", "weights", "input", "output"};
  const char* space = kSpaces[static_cast<int>(o.space)];
  const bool io = o.space == Space::kInput || o.space == Space::kOutput;
  const std::string name = io ? absl::StrFormat("%s%d", space, o.index) : space;
  return absl::StrFormat("%s[%d+%d]", name, o.offset, o.size);
}

void PrintSteps(const std::vector<Step>& steps, std::ostream& out) {
  out << "\n step kernel                         operator                     operations  node / memory [offset+bytes]\n";
  for (size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    out << absl::StrFormat("%5d %-30s %-22s %16d  %s\n", i, absl::Utf8SafeCHexEscape(step.kernel), absl::Utf8SafeCHexEscape(step.op), step.operations,
                           absl::Utf8SafeCHexEscape(step.node));
    const auto describe = [](std::string* text, const Operand& o) { *text += Describe(o); };
    out << std::string(6, ' ') << absl::StrJoin(step.operands, " ", describe) << "\n";
  }
}

void PrintKernelCounts(const std::vector<Step>& steps, std::ostream& out) {
  struct Count {
    int64_t steps = 0;
    double operations = 0;
  };
  std::map<std::string, Count> counts;
  for (const Step& step : steps) {
    Count& count = counts[step.kernel];
    ++count.steps;
    count.operations += static_cast<double>(step.operations);
  }
  out << "\nkernel                         steps       Mops\n";
  for (const auto& [kernel, count] : counts) {
    out << absl::StrFormat("%-30s %5d %10.3f\n", absl::Utf8SafeCHexEscape(kernel), count.steps, count.operations * 1e-6);
  }
}

// What a client may choose.
void PrintShapes(const runtime::ShapedProgram& program, std::ostream& out) {
  const runtime::RuntimeShapes& shapes = program.shapes;
  for (size_t i = 0; i < shapes.gears.size(); ++i) {
    const runtime::Plan& plan = runtime::GearPlan(program, i);
    out << absl::StrFormat("gear %-20s arena %12d bytes, %4d steps%s\n", absl::StrJoin(shapes.gears[i].values, ","), plan.arena_size, plan.steps.size(),
                           i == shapes.largest ? "  (largest)" : "");
  }
  for (size_t i = 0; i < shapes.ranges.size(); ++i) {
    std::string text;
    for (const runtime::DimRange& range : shapes.ranges[i]) {
      absl::StrAppend(&text, text.empty() ? "" : ",", range.least);
      if (range.most < 0) text += "~any";
      else if (range.most != range.least) absl::StrAppend(&text, "~", range.most);
    }
    out << absl::StrFormat("range of input %d: %s\n", i, text);
  }
}

}  // namespace

absl::Status Info(const std::string& path, std::ostream& out) {
  runtime::OmOptions options;
  options.limits.arena_size = ~uint64_t{0};
  OMKIT_ASSIGN_OR_RETURN(const LoadedOm om, runtime::LoadOm(path, options));
  const runtime::ShapedProgram& program = om.program;
  out << absl::StrFormat("model        %s\nsoc_version  %s\nisa          %s\nfile         %d bytes\n", absl::Utf8SafeCHexEscape(program.model_name),
                         program.soc_version, program.isa, om.file_size);
  for (const auto& section : om.sections) {
    out << absl::StrFormat("section      %-10s %12d bytes at %d%s\n", runtime::OmSectionName(section.type), section.length, section.offset,
                           section.required ? "" : " (optional)");
  }
  double operations = 0;
  for (const Step& step : program.steps) operations += static_cast<double>(step.operations);
  out << absl::StrFormat("weights      %d bytes\narena        %d bytes\nsteps        %d\noperations   %.3f M per execution\n\n", om.weights_size,
                         program.arena_size, program.steps.size(), operations * 1e-6);
  for (const runtime::ManifestEntry& entry : program.manifest) {
    out << absl::StrFormat("%s = %s\n", absl::Utf8SafeCHexEscape(entry.key), absl::Utf8SafeCHexEscape(entry.value));
  }
  out << "\n";
  PrintIo(program.inputs, "input", out);
  PrintIo(program.outputs, "output", out);
  PrintShapes(program, out);
  PrintKernelCounts(program.steps, out);
  PrintSteps(program.steps, out);
  return absl::OkStatus();
}

}  // namespace omkit::om
