// What a plugin's table must look like before anything of it is used.
#include <cmath>
#include <cstring>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/cpu.h"
#include "base/status.h"
#include "runtime/kernel.h"
#include "runtime/plugin/plugin.h"
#include "runtime/soc.h"

namespace omkit::runtime {
namespace {

constexpr size_t kLongestName = 128;
constexpr uint32_t kMostEntries = 4096;

template <typename... Parts>
absl::Status Refuse(const Parts&... parts) {
  return absl::FailedPreconditionError(absl::StrCat(parts...));
}

bool IsName(const char* name, absl::string_view allowed) {
  if (name == nullptr || *name == '\0' || std::strlen(name) > kLongestName) return false;
  for (const char* c = name; *c != '\0'; ++c) {
    const bool plain = (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9');
    if (!plain && !absl::StrContains(allowed, *c) && !(*c >= 'A' && *c <= 'Z' && absl::StrContains(allowed, 'A'))) return false;
  }
  return true;
}

// An array's first entry tells how large entries are.
template <typename T>
absl::Status CheckArray(const T* array, uint32_t count, const char* what) {
  if (count == 0) return absl::OkStatus();
  if (count > kMostEntries) return Refuse("it has ", count, " ", what, "s, limit ", kMostEntries);
  if (array == nullptr) return Refuse("it has ", count, " ", what, "s at a null address");
  if (array->struct_size < sizeof(T) || array->struct_size % alignof(T) != 0)
    return Refuse("its ", what, "s have a struct_size of ", array->struct_size, " bytes, expected at least ", sizeof(T));
  for (uint32_t i = 1; i < count; ++i) {
    if (EntryAt(array, i).struct_size != array->struct_size) return Refuse(what, " ", i, " has another struct_size than ", what, " 0");
  }
  return absl::OkStatus();
}

absl::Status CheckSocs(const OmkitPlugin& plugin) {
  OMKIT_RETURN_IF_ERROR(CheckArray(plugin.socs, plugin.soc_count, "chip"));
  if (plugin.soc_count == 0) return Refuse("it has no chip (soc_count is 0)");
  std::set<std::string> names;
  for (uint32_t i = 0; i < plugin.soc_count; ++i) {
    const OmkitSoc& soc = EntryAt(plugin.socs, i);
    if (!IsName(soc.soc_version, "A-_.")) return Refuse("chip ", i, ": its soc_version is not made of letters, digits, '-', '_' and '.'");
    if (FindSoc(soc.soc_version).ok() || !names.insert(soc.soc_version).second)
      return Refuse("soc_version '", soc.soc_version, "' is taken: another backend has it");
    Isa isa;
    if (soc.isa == nullptr || !FindIsa(soc.isa, &isa)) return Refuse("chip '", soc.soc_version, "': unknown instruction set");
    if (!(soc.float_tolerance >= 0 && soc.float_tolerance < 1)) return Refuse("chip '", soc.soc_version, "': float_tolerance is not in [0, 1)");
    if (soc.description == nullptr) return Refuse("chip '", soc.soc_version, "' has no description");
  }
  return absl::OkStatus();
}

absl::Status CheckKernels(const OmkitPlugin& plugin) {
  OMKIT_RETURN_IF_ERROR(CheckArray(plugin.kernels, plugin.kernel_count, "kernel"));
  std::set<std::string> names;
  const std::string prefix = absl::StrCat(plugin.name, ".");
  for (uint32_t i = 0; i < plugin.kernel_count; ++i) {
    const OmkitKernel& kernel = EntryAt(plugin.kernels, i);
    if (!IsName(kernel.name, "A-_.") || !absl::StartsWith(kernel.name, prefix))
      return Refuse("kernel ", i, " has no name of the form '", prefix, "<kernel>'");
    if (FindKernel(kernel.name) != nullptr || !names.insert(kernel.name).second) return Refuse("kernel '", kernel.name, "' is there already");
    if (kernel.verify == nullptr || kernel.run == nullptr) return Refuse("kernel '", kernel.name, "' lacks verify or run");
  }
  return absl::OkStatus();
}

absl::Status CheckCompiler(const OmkitCompiler& compiler) {
  if (compiler.struct_size < sizeof(OmkitCompiler)) return Refuse("its compile side has a struct_size of ", compiler.struct_size, " bytes");
  if (compiler.supports == nullptr || compiler.lower == nullptr) return Refuse("its compile side lacks supports or lower");
  OMKIT_RETURN_IF_ERROR(CheckArray(compiler.passes, compiler.pass_count, "pass"));
  for (uint32_t i = 0; i < compiler.pass_count; ++i) {
    const OmkitPass& pass = EntryAt(compiler.passes, i);
    if (!IsName(pass.name, "_") || pass.run == nullptr) return Refuse("pass ", i, " lacks a name of lower-case letters, digits and '_', or run");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckPlugin(const OmkitPlugin* plugin) {
  if (plugin == nullptr) return Refuse("omkit_plugin_entry returned NULL: the plugin does not serve this host");
  if (plugin->abi_version != OMKIT_PLUGIN_ABI_VERSION) {
    return Refuse("it was built for version ", plugin->abi_version, " of the plugin interface, this omkit has version ", OMKIT_PLUGIN_ABI_VERSION,
                  ": build it against this omkit's omkit/plugin.h");
  }
  if (plugin->struct_size < sizeof(OmkitPlugin))
    return Refuse("its table has a struct_size of ", plugin->struct_size, " bytes, expected at least ", sizeof(OmkitPlugin));
  if (!IsName(plugin->name, "_")) return Refuse("its name is not made of lower-case letters, digits and '_'");
  if (plugin->version == nullptr) return Refuse("it has no version");
  OMKIT_RETURN_IF_ERROR(CheckSocs(*plugin));
  OMKIT_RETURN_IF_ERROR(CheckKernels(*plugin));
  return plugin->compiler == nullptr ? absl::OkStatus() : CheckCompiler(*plugin->compiler);
}

}  // namespace omkit::runtime
