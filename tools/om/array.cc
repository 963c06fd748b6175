#include "tools/om/array.h"

#include <cstring>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "backends/run_side.h"
#include "base/file.h"
#include "base/status.h"
#include "runtime/arena.h"
#include "runtime/model.h"
#include "tools/omkit_rt/omkit_rt.h"

namespace omkit::om {
namespace {

// "out/my-net.h" -> "my_net"
std::string Identifier(absl::string_view path) {
  absl::string_view stem = path.substr(path.rfind('/') + 1);
  stem = stem.substr(0, stem.rfind('.'));
  std::string name;
  for (const char c : stem) name += absl::ascii_isalnum(c) ? c : '_';
  return name.empty() || absl::ascii_isdigit(name[0]) ? "net_" + name : name;
}

absl::StatusOr<size_t> RtMemory(const std::string& model, const std::string& bytes) {
  OMKIT_ASSIGN_OR_RETURN(const runtime::Arena aligned, runtime::Arena::Allocate(bytes.size(), "the model"));
  std::memcpy(aligned.data(), bytes.data(), bytes.size());
  size_t memory = 0;
  omkit_rt_failure failure = {};
  const omkit_rt_status status = omkit_rt_memory_size(aligned.data(), bytes.size(), &memory, &failure);
  if (status == OMKIT_RT_OK) return memory;
  const absl::string_view subject(failure.subject == nullptr ? "" : failure.subject, failure.subject_length);
  return absl::FailedPreconditionError(absl::StrCat(model, ": libomkit_rt cannot run it: ", failure.reason, subject.empty() ? "" : ": ",
                                                    absl::Utf8SafeCHexEscape(subject),
                                                    "; compile the network to INT8 with fixed shapes, or use libascendcl"));
}

void AppendSizes(const std::string& name, const char* side, const std::vector<runtime::IoDesc>& list, std::string* text) {
  for (size_t i = 0; i < list.size(); ++i) absl::StrAppend(text, "  ", name, "_", side, "_", i, "_size = ", list[i].bytes, ",\n");
}

std::string ArrayText(const std::string& name, const std::string& bytes) {
  std::string text = absl::StrCat("static const unsigned char ", name, "[] __attribute__((aligned(64))) = {");
  text.reserve(bytes.size() * 4 + 4096);
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i % 32 == 0) text += "\n";
    absl::StrAppend(&text, static_cast<int>(static_cast<unsigned char>(bytes[i])), ",");
  }
  return text + "\n};\n";
}

}  // namespace

absl::Status WriteArray(const std::string& model, const std::string& output, std::ostream& out) {
  OMKIT_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(model));
  RegisterAllKernels();
  runtime::ModelOptions options;
  options.threads = 1;
  options.check_soc = false;
  OMKIT_ASSIGN_OR_RETURN(const std::unique_ptr<runtime::Model> loaded, runtime::Model::Load(model, options));
  OMKIT_ASSIGN_OR_RETURN(const size_t memory, RtMemory(model, bytes));
  const std::string name = Identifier(output), guard = absl::AsciiStrToUpper(absl::StrCat("OMKIT_ARRAY_", name, "_H_"));
  std::string text = absl::StrCat("/* An offline model for ", loaded->program().soc_version,
                                  ", written by om array. Run it with omkit_rt.h. */\n#ifndef ", guard, "\n#define ", guard, "\n\nenum {\n  ", name,
                                  "_size = ", bytes.size(), ",\n  ", name, "_memory_size = ", memory, ", /* of the block for omkit_rt_load */\n");
  AppendSizes(name, "input", loaded->inputs(), &text);
  AppendSizes(name, "output", loaded->outputs(), &text);
  absl::StrAppend(&text, "};\n\n", ArrayText(name, bytes), "\n#endif /* ", guard, " */\n");
  OMKIT_RETURN_IF_ERROR(WriteFile(output, text));
  out << absl::StrFormat("wrote %s: model %d bytes, memory %d bytes\n", output, bytes.size(), memory);
  return absl::OkStatus();
}

}  // namespace omkit::om
