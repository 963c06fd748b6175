#include "tools/atc/model_info.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/om_file.h"
#include "tools/atc/errors.h"

namespace omkit::atc {
namespace {

// Text from the file, safe for a console.
std::string Entry(const runtime::Program& program, absl::string_view key) {
  for (const runtime::ManifestEntry& entry : program.manifest) {
    if (entry.key == key) return absl::Utf8SafeCEscape(entry.value);
  }
  return "";
}

// A number that the manifest leaves out when it is 0.
std::string Count(const runtime::Program& program, absl::string_view key) {
  const std::string number = Entry(program, key);
  return number.empty() ? "0" : number;
}

uint64_t SectionLength(const runtime::LoadedOm& om, runtime::OmSection section) {
  for (const runtime::OmSectionInfo& info : om.sections) {
    if (info.type == static_cast<uint32_t>(section)) return info.length;
  }
  return 0;
}

std::string Io(absl::string_view what, const std::vector<runtime::IoDesc>& list) {
  std::string text;
  for (size_t i = 0; i < list.size(); ++i) {
    absl::StrAppend(&text, what, " ", i, ":  name[", absl::Utf8SafeCEscape(list[i].name), "], type[", Name(list[i].dtype), "], shape[",
                    absl::StrJoin(list[i].dims, ","), "], format[", absl::Utf8SafeCEscape(list[i].format), "], size[", list[i].bytes, " B].\n");
  }
  return text;
}

}  // namespace

absl::StatusOr<std::string> ModelInfo(const std::string& om_path) {
  const absl::StatusOr<runtime::LoadedOm> om = runtime::LoadOm(om_path);
  if (!om.ok()) return WithCode(om.status(), Stage::kLoadOm, om_path);
  const runtime::Program& program = om->program;
  return absl::StrCat("============ Display Model Info start ============\n", "Original Atc command line: ", Entry(program, "command_line"), "\n",
                      "system   info: atc_version[", Entry(program, "producer"), "], soc_version[", absl::Utf8SafeCEscape(program.soc_version),
                      "], framework_type[5].\n", "resource info: memory_size[", program.arena_size, " B], weight_size[", om->weights_size,
                      " B], stream_num[1], event_num[0].\n", "om       info: modeldef_size[", SectionLength(*om, runtime::OmSection::kManifest),
                      " B], weight_data_size[", SectionLength(*om, runtime::OmSection::kWeights),
                      " B], tbe_kernels_size[0 B], cust_aicpu_kernel_store_size[0 B], task_info_size[", SectionLength(*om, runtime::OmSection::kPlan),
                      " B], so_store_size[0 B].\n", "model    info: isa[", absl::Utf8SafeCEscape(program.isa), "], steps[", program.steps.size(),
                      "], int8_steps[", Entry(program, "int8_steps"), "], bfloat16_layers[", Count(program, "bfloat16_layers"), "], quant_type[",
                      Entry(program, "quant_type"), "], source_model[", Entry(program, "source_model"), "], source_hash[",
                      Entry(program, "source_hash"), "].\n", Io("input", program.inputs), Io("output", program.outputs),
                      "============ Display Model Info end   ============\n");
}

}  // namespace omkit::atc
