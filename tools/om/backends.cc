#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "backends/run_side.h"
#include "base/cpu.h"
#include "runtime/plugin/plugin.h"
#include "runtime/soc.h"
#include "tools/om/om.h"

namespace omkit::om {
namespace {

void PrintChip(absl::string_view name, Isa isa, absl::string_view description, std::ostream& out) {
  out << absl::StrFormat("  %-22s %s%s\n", name, description, CpuSupports(isa) ? "" : " (not on this machine)");
}

}  // namespace

absl::Status Backends(const std::string& plugin_path, std::ostream& out) {
  RegisterAllKernels();
  const runtime::PluginSet plugins = runtime::LoadPlugins(runtime::PluginFiles(plugin_path), runtime::RunOnlyHost());
  out << "npu_int8 (part of omkit)\n";
  for (const runtime::SocRow& row : runtime::SocRows()) {
    if (row.name != absl::string_view(runtime::kReferenceSoc)) PrintChip(row.name, row.isa, row.description, out);
  }
  out << "reference (part of omkit)\n";
  for (const runtime::SocRow& row : runtime::SocRows()) {
    if (row.name == absl::string_view(runtime::kReferenceSoc)) PrintChip(row.name, row.isa, row.description, out);
  }
  for (const runtime::LoadedPlugin& plugin : plugins.loaded) {
    const OmkitPlugin& table = *plugin.table;
    out << absl::StrFormat("%s %s (plugin %s%s)\n", table.name, table.version, plugin.path, table.compiler == nullptr ? ", runs models only" : "");
    for (uint32_t i = 0; i < table.soc_count; ++i) {
      const OmkitSoc& soc = runtime::EntryAt(table.socs, i);
      Isa isa = Isa::kGeneric;
      FindIsa(soc.isa, &isa);
      PrintChip(soc.soc_version, isa, soc.description, out);
    }
  }
  if (plugins.refused.empty()) return absl::OkStatus();
  std::string refused;
  for (const runtime::RefusedPlugin& plugin : plugins.refused) absl::StrAppend(&refused, refused.empty() ? "" : "\n", plugin.reason.message());
  return absl::FailedPreconditionError(refused);
}

}  // namespace omkit::om
