#include "frontends/amct/text_file.h"

#include <set>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/status.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/text_format.h"

namespace omkit::frontends {
namespace {

constexpr uint64_t kMostBytes = 4 << 20;
constexpr int kDeepest = 8;  // nested blocks

// Messages that `root` reaches, to look up the one that an error speaks of.
void Collect(const google::protobuf::Descriptor* root, std::set<const google::protobuf::Descriptor*>* all) {
  if (!all->insert(root).second) return;
  for (int i = 0; i < root->field_count(); ++i) {
    if (root->field(i)->message_type() != nullptr) Collect(root->field(i)->message_type(), all);
  }
}

// "Message type "omkit.amct.X" has no field named "y"." becomes words that help.
std::string Reworded(const std::string& message, const google::protobuf::Descriptor* root) {
  const std::vector<std::string> quoted = absl::StrSplit(message, '"');
  if (quoted.size() < 5 || quoted[2] != " has no field named ") return message;
  std::set<const google::protobuf::Descriptor*> all;
  Collect(root, &all);
  std::vector<std::string> known;
  for (const auto* type : all) {
    for (int i = 0; type->full_name() == quoted[1] && i < type->field_count(); ++i) known.push_back(type->field(i)->name());
  }
  const std::string near = NearestName(quoted[3], known);
  return absl::StrCat("unknown field '", quoted[3], "'",
                      near.empty() ? absl::StrCat("; known here: ", absl::StrJoin(known, ", ")) : absl::StrCat("; did you mean '", near, "'?"));
}

class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  explicit FirstError(const google::protobuf::Descriptor* root) : root_(root) {}
  void AddError(int line, google::protobuf::io::ColumnNumber column, const std::string& message) override {
    if (!text.empty()) return;
    text = line < 0 ? Reworded(message, root_) : absl::StrCat(line + 1, ":", column + 1, ": ", Reworded(message, root_));
  }
  std::string text;

 private:
  const google::protobuf::Descriptor* root_;
};

template <typename Message>
absl::StatusOr<Message> Parse(absl::string_view text) {
  Message message;
  FirstError error(Message::descriptor());
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  parser.SetRecursionLimit(kDeepest);
  google::protobuf::io::ArrayInputStream stream(text.data(), static_cast<int>(text.size()));
  if (parser.Parse(&stream, &message)) return message;
  return absl::InvalidArgumentError(error.text.empty() ? "is no text protobuf" : error.text);
}

template <typename Message>
absl::StatusOr<Message> Read(const std::string& path, absl::StatusOr<Message> (*parse)(absl::string_view)) {
  OMKIT_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMostBytes));
  absl::StatusOr<Message> message = parse(text);
  if (!message.ok()) return Annotate(message.status(), path);
  return message;
}

// Puts quotes around the bare value of a text field: `config_file: simple.cfg # comment`.
std::string Quoted(absl::string_view line, const std::set<std::string>& text_fields) {
  const size_t colon = line.find(':');
  if (colon == line.npos || text_fields.count(std::string(absl::StripAsciiWhitespace(line.substr(0, colon)))) == 0) return std::string(line);
  absl::string_view value = line.substr(colon + 1);
  value = absl::StripAsciiWhitespace(value.substr(0, value.find('#')));
  if (value.empty() || value[0] == '"' || value[0] == '\'') return std::string(line);
  return absl::StrCat(line.substr(0, colon + 1), " \"", absl::CEscape(value), "\"");
}

}  // namespace

absl::StatusOr<amct::AMCTConfig> ParseAmctConfig(absl::string_view text) { return Parse<amct::AMCTConfig>(text); }

absl::StatusOr<amct::ScaleOffsetRecord> ParseRecord(absl::string_view text) { return Parse<amct::ScaleOffsetRecord>(text); }

absl::StatusOr<amct::CompressionOptimizeConf> ParseCompressionConf(absl::string_view text) {
  std::set<std::string> text_fields;
  const google::protobuf::Descriptor* calibration = amct::Calibration::descriptor();
  for (int i = 0; i < calibration->field_count(); ++i) {
    if (calibration->field(i)->type() == google::protobuf::FieldDescriptor::TYPE_STRING) text_fields.insert(calibration->field(i)->name());
  }
  std::vector<std::string> lines;
  for (absl::string_view line : absl::StrSplit(text, '\n')) lines.push_back(Quoted(line, text_fields));
  return Parse<amct::CompressionOptimizeConf>(absl::StrJoin(lines, "\n"));
}

absl::StatusOr<amct::AMCTConfig> ReadAmctConfig(const std::string& path) { return Read(path, ParseAmctConfig); }
absl::StatusOr<amct::ScaleOffsetRecord> ReadRecord(const std::string& path) { return Read(path, ParseRecord); }
absl::StatusOr<amct::CompressionOptimizeConf> ReadCompressionConf(const std::string& path) { return Read(path, ParseCompressionConf); }

std::string SerializeRecord(const amct::ScaleOffsetRecord& record) {
  std::string text;
  google::protobuf::TextFormat::PrintToString(record, &text);
  return text;
}

}  // namespace omkit::frontends
