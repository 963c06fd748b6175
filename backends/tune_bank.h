// What tuning has measured on one kind of machine, kept in a text file so that later compilations agree without measuring. Floor 4.
//
//   omkit_tune_bank 2
//   5f3c... conv_u8 avx2=31250 avx512vnni=18990 avx512vnni/112=18640     key of the work, kernel family, least nanoseconds
#ifndef OMKIT_BACKENDS_TUNE_BANK_H_
#define OMKIT_BACKENDS_TUNE_BANK_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backends/variant.h"
#include "base/cpu.h"

namespace omkit {

struct TunedWork {
  std::string kernel;                   // family, for readers of the file
  std::map<Variant, int64_t> least_ns;  // one thread
};

// Sorted by key: equal contents give equal files.
using TuneBank = std::map<std::string, TunedWork>;

// "<folder>/<processor>-<isa>.tune" for this machine.
std::string TuneBankPath(const std::string& folder, Isa isa);
// An empty bank when there is no such file; INVALID_ARGUMENT with file and line for one that is not a bank.
absl::StatusOr<TuneBank> ReadTuneBank(const std::string& path);
// Makes the folder where it is missing.
absl::Status WriteTuneBank(const TuneBank& bank, const std::string& path);

}  // namespace omkit

#endif  // OMKIT_BACKENDS_TUNE_BANK_H_
