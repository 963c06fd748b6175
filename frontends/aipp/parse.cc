#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/file.h"
#include "base/status.h"
#include "frontends/aipp/config.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/text_format.h"

namespace omkit::frontends {
namespace {

std::vector<std::string> FieldNames(const google::protobuf::Descriptor& message) {
  std::vector<std::string> names;
  for (int i = 0; i < message.field_count(); ++i) names.push_back(message.field(i)->name());
  return names;
}

std::string Hint(absl::string_view name, const std::vector<std::string>& known) {
  const std::string nearest = NearestName(name, known);
  return nearest.empty() ? "" : absl::StrCat("; did you mean '", nearest, "'?");
}

// "Message type "..." has no field named "x"." becomes words that help.
std::string Reworded(const std::string& message) {
  constexpr char kUnknown[] = "has no field named \"";
  const size_t at = message.find(kUnknown);
  if (at == std::string::npos) {
    return absl::StrReplaceAll(message, {{absl::StrCat(aipp_config::AippOpParams::descriptor()->full_name(), "."), ""}});
  }
  std::string name = message.substr(at + sizeof kUnknown - 1);
  name = name.substr(0, name.find('"'));
  const bool outermost = absl::StrContains(message, aipp_config::InsertNewOps::descriptor()->full_name());
  const auto& scope = outermost ? *aipp_config::InsertNewOps::descriptor() : *aipp_config::AippOpParams::descriptor();
  return absl::StrCat("unknown field '", name, "'", Hint(name, FieldNames(scope)), outermost ? " (fields stand inside aipp_op { ... })" : "");
}

class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, google::protobuf::io::ColumnNumber column, const std::string& message) override {
    if (!text.empty()) return;
    text = line < 0 ? Reworded(message) : absl::StrCat(line + 1, ":", column + 1, ": ", Reworded(message));
  }
  std::string text;
};

}  // namespace

absl::StatusOr<AippConfig> ParseAippConfig(absl::string_view text) {
  AippConfig config;
  FirstError error;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  parser.SetRecursionLimit(4);
  google::protobuf::io::ArrayInputStream stream(text.data(), static_cast<int>(text.size()));
  if (!parser.Parse(&stream, &config)) return absl::InvalidArgumentError(error.text.empty() ? "not a text protobuf" : error.text);
  if (config.aipp_op().empty()) return absl::InvalidArgumentError("no block aipp_op { ... }");
  return config;
}

absl::StatusOr<AippConfig> ReadAippConfig(const std::string& path) {
  OMKIT_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxAippConfigBytes));
  return ParseAippConfig(text);
}

}  // namespace omkit::frontends
