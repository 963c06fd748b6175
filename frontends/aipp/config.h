// The AIPP configuration file (--insert_op_conf): text protobuf of CANN's message InsertNewOps, read, checked against the network, and
// written. Floor 3; what comes out is base/aipp.h's Stage, which passes/insert_aipp puts into the graph.
#ifndef OMKIT_FRONTENDS_AIPP_CONFIG_H_
#define OMKIT_FRONTENDS_AIPP_CONFIG_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/aipp.h"
#include "frontends/aipp/aipp_config.pb.h"

namespace omkit::frontends {

using AippConfig = aipp_config::InsertNewOps;

// Larger files are refused.
constexpr uint64_t kMaxAippConfigBytes = 1 << 20;

// INVALID_ARGUMENT "12:3: unknown field 'mean_chan_0'; did you mean 'mean_chn_0'?": the first error with its line and column.
absl::StatusOr<AippConfig> ParseAippConfig(absl::string_view text);
absl::StatusOr<AippConfig> ReadAippConfig(const std::string& path);

// What min_chn_* means in a file that gives no var_reci_chn_* and has values of the size of 255 * a standard deviation.
enum class MinMeaning {
  kUnsaid,    // strict: an error; otherwise kStd with a warning
  kSubtract,  // CANN's meaning
  kStd,       // (x - mean) / min
};

struct AippRules {
  bool strict = false;  // refuse what the ATC tool of CANN refuses
  MinMeaning min_meaning = MinMeaning::kUnsaid;
};

// One input of the network, for the rules that depend on it.
struct NetworkInput {
  std::string name;
  std::vector<int64_t> dims;  // N, C, H, W
};

struct ResolvedAipp {
  int input = 0;
  aipp::Stage stage;
};

// Completes what the file leaves open (0 for "as the network", default matrices) and checks everything. Warnings are whole texts of one or
// more lines. INVALID_ARGUMENT: the field, its value, and the rule.
absl::StatusOr<std::vector<ResolvedAipp>> ResolveAipp(const AippConfig& config, const std::vector<NetworkInput>& inputs, const AippRules& rules,
                                                      std::vector<std::string>* warnings);

// A block "aipp_op { ... }" with the values that differ from the defaults and with those that the format makes important. Fractional
// means go to min_chn_*, since CANN's mean_chn_* are integers.
std::string WriteAippConfig(const aipp::Stage& stage, int input = 0);

// A ready conversion.
struct Conversion {
  const char* name;
  aipp::Colours from, to;
  int32_t matrix[9];
  int32_t bias[3];
};
absl::Span<const Conversion> Conversions();
// nullptr when there is no row for the name (kGrey: whatever the name).
const Conversion* FindConversion(absl::string_view name, aipp::Colours from, aipp::Colours to);
// Turns csc_switch on. `reversed`: BGR instead of RGB, or YVU instead of YUV.
void UseConversion(const Conversion& conversion, bool reversed, aipp::Spec* spec);

}  // namespace omkit::frontends

#endif  // OMKIT_FRONTENDS_AIPP_CONFIG_H_
