// The command line of atc as text: names, forms and allowed values. What the values mean is decided in options.h. Floor 5.
#ifndef OMKIT_TOOLS_ATC_FLAGS_H_
#define OMKIT_TOOLS_ATC_FLAGS_H_

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace omkit::atc {

enum class FlagType { kString, kInt, kBool };
enum class FlagStatus { kImplemented, kNoEffect, kRejected };

struct FlagRow {
  const char* group;
  const char* name;
  FlagType type;
  const char* default_value;
  const char* values;  // '|' separated; "" allows any
  FlagStatus status;
  const char* help;
};

// The rows of atc_flags.inc in order.
absl::Span<const FlagRow> FlagRows();

class Flags {
 public:
  // The arguments behind the program's name. Accepted forms: --name=value, --name value, -name=value, and '-' for '_' inside names; a
  // Bool flag takes its value only behind '=' and is true without one. The last of repeated flags counts. -h, --h and --help end the
  // parsing. Errors in the command line's form (unknown flag, missing argument, bare word) are those for which `usage_error` is filled
  // with the line that belongs on stderr; values outside a flag's set have a code of errors.h.
  static absl::StatusOr<Flags> Parse(absl::Span<const std::string> arguments, std::string* usage_error);

  bool help() const { return help_; }
  // True when the flag was on the command line.
  bool Given(absl::string_view name) const { return given_.count(std::string(name)) > 0; }
  // The value, or the default of the flag's row. Bool flags give "true" or "false".
  std::string Get(absl::string_view name) const;
  int GetInt(absl::string_view name) const;
  // The arguments as they were typed, in order, without those flags.
  std::string TypedWithout(const std::set<std::string>& names) const;

 private:
  absl::Status Set(const FlagRow& row, const std::string& value);

  std::map<std::string, std::string> given_;
  std::vector<std::pair<std::string, std::string>> typed_;  // name, text
  bool help_ = false;
};

// The text of --help: how to compile a model, then every flag by group.
std::string HelpText();

}  // namespace omkit::atc

#endif  // OMKIT_TOOLS_ATC_FLAGS_H_
