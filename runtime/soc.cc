#include "runtime/soc.h"

#include <cstdlib>
#include <deque>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "base/status.h"

namespace omkit::runtime {
namespace {

constexpr SocRow kRows[] = {
#define SOC(name, isa, description) {name, Isa::isa, description},
#include "runtime/socs.inc"
};

constexpr const char* kAliases[] = {
#define ALIAS(name) name,
#include "runtime/socs.inc"
};

constexpr char kHost[] = "host";

// Rows point into `texts`.
struct AddedRows {
  absl::Mutex mutex;
  std::deque<std::string> texts ABSL_GUARDED_BY(mutex);
  std::vector<SocRow> rows ABSL_GUARDED_BY(mutex);
};

AddedRows& Added() {
  static auto* const added = new AddedRows;
  return *added;
}

bool IsAdded(absl::string_view name) {
  for (const SocRow& row : AddedSocRows()) {
    if (name == row.name) return true;
  }
  return false;
}

const SocRow& BestRow() {
  const SocRow* best = nullptr;
  for (const SocRow& row : kRows) {
    const bool npu = absl::string_view(row.name) != kReferenceSoc;
    if (npu && CpuSupports(row.isa) && (best == nullptr || row.isa >= best->isa)) best = &row;
  }
  return *best;  // npu-int8-generic runs everywhere
}

}  // namespace

absl::Span<const SocRow> SocRows() { return kRows; }

absl::Status AddSocRow(absl::string_view name, Isa isa, absl::string_view description) {
  if (FindSoc(name).ok()) return absl::AlreadyExistsError(absl::StrCat("soc_version '", name, "' is there already"));
  AddedRows& added = Added();
  absl::MutexLock lock(&added.mutex);
  added.texts.emplace_back(name);
  const char* const kept_name = added.texts.back().c_str();
  added.texts.emplace_back(description);
  added.rows.push_back({kept_name, isa, added.texts.back().c_str()});
  return absl::OkStatus();
}

std::vector<SocRow> AddedSocRows() {
  AddedRows& added = Added();
  absl::MutexLock lock(&added.mutex);
  return added.rows;
}

std::vector<std::string> SocAliases() { return {std::begin(kAliases), std::end(kAliases)}; }

bool IsSocAlias(absl::string_view name) {
  if (name == kHost) return true;
  for (const char* alias : kAliases) {
    if (name == alias) return true;
  }
  return false;
}

const SocRow& HostSoc() {
  static const SocRow& row = BestRow();
  return row;
}

absl::StatusOr<SocRow> FindSoc(absl::string_view name) {
  if (IsSocAlias(name)) return HostSoc();
  std::vector<std::string> known = {kHost};
  for (const SocRow& row : kRows) {
    if (name == row.name) return row;
    known.push_back(row.name);
  }
  for (const SocRow& row : AddedSocRows()) {
    if (name == row.name) return row;
    known.push_back(row.name);
  }
  known.insert(known.end(), std::begin(kAliases), std::end(kAliases));
  const std::string nearest = NearestName(name, known);
  return absl::InvalidArgumentError(absl::StrCat("unknown soc_version '", name.substr(0, 64), "'",
                                                 nearest.empty() ? "" : absl::StrCat(", did you mean '", nearest, "'?"),
                                                 " (known: ", absl::StrJoin(known, ", "), "; a plugin's chips are known once its file is found)"));
}

absl::StatusOr<SocRow> DeviceSoc() {
  const char* name = std::getenv("OMKIT_SOC");
  if (name == nullptr || *name == '\0') return HostSoc();
  absl::StatusOr<SocRow> row = FindSoc(name);
  if (!row.ok()) return Annotate(row.status(), "environment variable OMKIT_SOC");
  if (!CpuSupports(row->isa)) {
    return absl::FailedPreconditionError(absl::StrCat("environment variable OMKIT_SOC: this machine cannot run '", row->name, "', it lacks ",
                                                      IsaName(row->isa), "; its best row is '", HostSoc().name, "'"));
  }
  return row;
}

absl::Status CheckSoc(absl::string_view soc_version, absl::string_view isa_name, const SocRow& device) {
  Isa isa;
  if (!FindIsa(isa_name, &isa)) {
    return absl::InvalidArgumentError(absl::StrCat("the model's instruction set '", isa_name.substr(0, 64), "' is unknown"));
  }
  OMKIT_ASSIGN_OR_RETURN(const SocRow row, FindSoc(soc_version));
  const bool same_row = absl::string_view(row.name) == device.name;
  if (IsSocAlias(soc_version) || (!same_row && soc_version != kReferenceSoc && !IsAdded(soc_version))) {
    return absl::FailedPreconditionError(absl::StrCat("the model was compiled for soc_version '", soc_version, "' but this device is '", device.name,
                                                      "': compile it with --soc_version=", device.name,
                                                      CpuSupports(row.isa) ? absl::StrCat(", or set OMKIT_SOC=", row.name) : ""));
  }
  if (!CpuSupports(isa) || !CpuSupports(row.isa)) {
    return absl::FailedPreconditionError(absl::StrCat("the model was compiled for soc_version '", soc_version, "' with instruction set '", isa_name,
                                                      "' but this machine is '", HostSoc().name,
                                                      "': compile it with --soc_version=", HostSoc().name));
  }
  return absl::OkStatus();
}

}  // namespace omkit::runtime
