// The chips that programs are compiled for and that this machine can stand for. Floor 2: the compiler names one in a program, the
// loader compares it with the device, aclrtGetSocName reports it. The rows are in socs.inc.
#ifndef OMKIT_RUNTIME_SOC_H_
#define OMKIT_RUNTIME_SOC_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/cpu.h"

namespace omkit::runtime {

struct SocRow {
  const char* name;  // the value of --soc_version and Program::soc_version
  Isa isa;           // tier that the machine must support
  const char* description;
};

// All rows of omkit itself, in the order of socs.inc.
absl::Span<const SocRow> SocRows();
// Adds a chip that a plugin brings; the name and the description are copied. ALREADY_EXISTS when it is a row, an alias or "host".
// Thread-safe.
absl::Status AddSocRow(absl::string_view name, Isa isa, absl::string_view description);
// The added rows in their order; they live for ever.
std::vector<SocRow> AddedSocRows();
// Names of other vendors' chips that are accepted instead of "host".
std::vector<std::string> SocAliases();
// "host" or one of SocAliases(): the name stands for HostSoc(), not for a row of its own.
bool IsSocAlias(absl::string_view name);

// The row called `name`; an alias gives HostSoc(). INVALID_ARGUMENT with the nearest name and all names otherwise.
absl::StatusOr<SocRow> FindSoc(absl::string_view name);
// The best NPU INT8 row that this machine can run. The row lives for ever.
const SocRow& HostSoc();
// The row of the device that models are loaded on: the environment variable OMKIT_SOC (a row's name or an alias) or HostSoc().
// INVALID_ARGUMENT when OMKIT_SOC is unknown, FAILED_PRECONDITION when this machine cannot run it.
absl::StatusOr<SocRow> DeviceSoc();

// The row that every device runs besides its own.
constexpr char kReferenceSoc[] = "cpu-reference";

// OK when a program of `soc_version` packed for tier `isa` runs on `device`: its row is the device's, cpu-reference or a
// plugin's, and this machine supports both tiers. FAILED_PRECONDITION names both chips and what to do; INVALID_ARGUMENT for names that do not exist.
absl::Status CheckSoc(absl::string_view soc_version, absl::string_view isa, const SocRow& device);

}  // namespace omkit::runtime

#endif  // OMKIT_RUNTIME_SOC_H_
