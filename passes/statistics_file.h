// Calibration statistics as a file: one JSON document in ASCII that is the same bytes for the same statistics. Floor 3.
//
//   {"omkit_calibration_statistics": 1, "model_hash": "...", "samples": ["<16 hex digits>", ...],
//    "tensors": {"<name>": {"items": n, "item_min": "<units of 2^-60>", "item_max": "...", "min": x, "max": x, "zeros": n,
//                           "exponent": e, "bins": [[first bin, count, count, ...], ...],
//                           "channels": {"min": [...], "max": [...], "sum": ["..."], "squares": ["..."]}}}}
//
// Keys and samples are sorted, bins without values are left out. Statistics of shards, merged in any order, give the file of the whole.
#ifndef OMKIT_PASSES_STATISTICS_FILE_H_
#define OMKIT_PASSES_STATISTICS_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "passes/statistics.h"

namespace omkit::passes {

std::string SerializeStatistics(const Statistics& statistics);
// INVALID_ARGUMENT names the key that is missing or does not hold what it must.
absl::StatusOr<Statistics> ParseStatistics(absl::string_view text);

// `path` is named in errors.
absl::StatusOr<Statistics> ReadStatistics(const std::string& path);
absl::Status WriteStatistics(const Statistics& statistics, const std::string& path);

}  // namespace omkit::passes

#endif  // OMKIT_PASSES_STATISTICS_FILE_H_
