#include "runtime/plugin/plugin.h"

#include <dirent.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "base/cpu.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own_file.h"
#include "base/status.h"
#include "runtime/plugin/kernels.h"
#include "runtime/plugin/probe.h"
#include "runtime/soc.h"

namespace omkit::runtime {
namespace {

bool IsFolder(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

void AddFolder(const std::string& folder, std::vector<std::string>* files) {
  DIR* const dir = opendir(folder.c_str());
  if (dir == nullptr) return;
  std::vector<std::string> found;
  while (const dirent* entry = readdir(dir)) {
    if (absl::EndsWith(entry->d_name, ".so")) found.push_back(absl::StrCat(folder, "/", entry->d_name));
  }
  closedir(dir);
  std::sort(found.begin(), found.end());
  files->insert(files->end(), found.begin(), found.end());
}

void AddPath(absl::string_view path, std::vector<std::string>* files) {
  for (const absl::string_view entry : absl::StrSplit(path, ':', absl::SkipEmpty())) {
    const std::string file(entry);
    if (IsFolder(file)) AddFolder(file, files);
    else files->push_back(file);
  }
}

absl::Status CheckIsSharedObject(const std::string& path) {
  OMKIT_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path));
  const absl::string_view head(reinterpret_cast<const char*>(file.data()), std::min<size_t>(file.size(), 4));
  if (head == absl::string_view("\177ELF", 4)) return absl::OkStatus();
  return absl::FailedPreconditionError("not a shared object (no ELF file)");
}

absl::StatusOr<const OmkitPlugin*> LoadTable(const std::string& path, const OmkitHost& host) {
  void* const handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* reason = dlerror();
    return absl::FailedPreconditionError(absl::StrCat("cannot be loaded: ", reason == nullptr ? "no reason given" : reason));
  }
  const auto entry = reinterpret_cast<OmkitPluginEntry>(dlsym(handle, "omkit_plugin_entry"));
  if (entry == nullptr) return absl::FailedPreconditionError("it has no symbol omkit_plugin_entry: no plugin of omkit");
  const OmkitPlugin* const table = entry(&host);
  OMKIT_RETURN_IF_ERROR(CheckPlugin(table));
  return table;
}

absl::Status Register(const OmkitPlugin& plugin) {
  OMKIT_RETURN_IF_ERROR(RegisterPluginKernels(plugin));
  for (uint32_t i = 0; i < plugin.soc_count; ++i) {
    const OmkitSoc& soc = EntryAt(plugin.socs, i);
    Isa isa = Isa::kGeneric;
    FindIsa(soc.isa, &isa);
    OMKIT_RETURN_IF_ERROR(AddSocRow(soc.soc_version, isa, soc.description));
  }
  return absl::OkStatus();
}

absl::StatusOr<const OmkitPlugin*> LoadOne(const std::string& path, const OmkitHost& host) {
  OMKIT_RETURN_IF_ERROR(CheckIsSharedObject(path));
  const char* const probe = std::getenv("OMKIT_PLUGIN_PROBE");
  if (probe == nullptr || absl::string_view(probe) != "0") OMKIT_RETURN_IF_ERROR(ProbeInChild([&] { return LoadTable(path, host).status(); }));
  OMKIT_ASSIGN_OR_RETURN(const OmkitPlugin* const table, LoadTable(path, host));
  OMKIT_RETURN_IF_ERROR(Register(*table));
  return table;
}

void LogFromPlugin(int32_t level, const char* text) {
  if (text == nullptr || level < OMKIT_LOG_DEBUG || level > OMKIT_LOG_ERROR) return;
  Log(static_cast<LogLevel>(level), text);
}

}  // namespace

std::vector<std::string> PluginFiles(absl::string_view plugin_path) {
  std::vector<std::string> files;
  AddPath(plugin_path, &files);
  const char* const environment = std::getenv("OMKIT_PLUGIN_PATH");
  if (environment != nullptr) AddPath(environment, &files);
  const std::string own = OwnFile();
  const size_t folder = own.rfind('/');
  const size_t parent = folder == std::string::npos || folder == 0 ? std::string::npos : own.rfind('/', folder - 1);
  if (parent != std::string::npos) AddFolder(absl::StrCat(own.substr(0, parent), "/plugins"), &files);
  return files;
}

const OmkitHost& RunOnlyHost() {
  static const OmkitHost* const host = [] {
    auto* const table = new OmkitHost{};
    table->struct_size = sizeof(OmkitHost);
    table->abi_version = OMKIT_PLUGIN_ABI_VERSION;
    table->version = "1.0.0";
    table->log = LogFromPlugin;
    return table;
  }();
  return *host;
}

PluginSet LoadPlugins(const std::vector<std::string>& files, const OmkitHost& host) {
  static absl::Mutex* const mutex = new absl::Mutex;
  static auto* const loaded = new std::vector<LoadedPlugin>;
  absl::MutexLock lock(mutex);
  PluginSet set;
  for (const std::string& file : files) {
    char resolved[PATH_MAX];
    const std::string path = realpath(file.c_str(), resolved) != nullptr ? resolved : file;
    if (std::any_of(loaded->begin(), loaded->end(), [&](const LoadedPlugin& p) { return p.path == path; })) continue;
    const absl::StatusOr<const OmkitPlugin*> table = LoadOne(path, host);
    if (table.ok()) loaded->push_back({path, *table});
    else set.refused.push_back({path, Annotate(table.status(), absl::StrCat("plugin '", path, "'"))});
  }
  set.loaded = *loaded;
  return set;
}

}  // namespace omkit::runtime
