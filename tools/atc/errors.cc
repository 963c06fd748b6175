#include "tools/atc/errors.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

namespace omkit::atc {
namespace {

constexpr char kPayload[] = "omkit.atc.code";

struct Row {
  const char* code;
  const char* title;
  const char* text;
};

constexpr Row kRows[] = {
#define OMKIT_ATC_ERROR(code, title, text) {#code, title, text},
#include "tools/atc/atc_errors.inc"
#undef OMKIT_ATC_ERROR
};

const Row& RowOf(const absl::Status& status) {
  if (const auto payload = status.GetPayload(kPayload)) {
    for (const Row& row : kRows) {
      if (*payload == row.code) return row;
    }
  }
  return kRows[static_cast<int>(ErrorCode::E19999)];
}

// The catalogue text names the file and ends the sentence itself.
std::string Reason(const absl::Status& status, const std::string& subject) {
  std::string text(absl::StripPrefix(status.message(), absl::StrCat(subject, ": ")));
  while (!text.empty() && text.back() == '.') text.pop_back();
  return text;
}

ErrorCode CodeFor(Stage stage, absl::StatusCode code) {
  if (code == absl::StatusCode::kInternal || code == absl::StatusCode::kUnknown) return ErrorCode::E19999;
  switch (stage) {
    case Stage::kImport:
      if (code == absl::StatusCode::kNotFound) return ErrorCode::E10410;
      if (code == absl::StatusCode::kUnimplemented) return ErrorCode::E16002;
      if (code == absl::StatusCode::kResourceExhausted) return ErrorCode::E13023;
      return ErrorCode::E13005;
    case Stage::kCalibrationData: return ErrorCode::E10001;
    case Stage::kCompile:
      if (code == absl::StatusCode::kUnimplemented) return ErrorCode::E10055;
      if (code == absl::StatusCode::kResourceExhausted) return ErrorCode::E13023;
      return ErrorCode::E10059;
    case Stage::kWrite: return ErrorCode::E13004;
    case Stage::kLoadOm: return code == absl::StatusCode::kNotFound ? ErrorCode::E10410 : ErrorCode::E10041;
  }
  return ErrorCode::E19999;
}

}  // namespace

absl::Status Error(ErrorCode code, const std::vector<std::string>& arguments) {
  const Row& row = kRows[static_cast<int>(code)];
  std::string message;
  size_t next = 0;
  for (absl::string_view rest = row.text; !rest.empty();) {
    const size_t at = rest.find("%s");
    absl::StrAppend(&message, rest.substr(0, at));
    if (at == rest.npos) break;
    if (next < arguments.size()) absl::StrAppend(&message, arguments[next++]);
    rest.remove_prefix(at + 2);
  }
  absl::Status status = absl::InvalidArgumentError(message);
  status.SetPayload(kPayload, absl::Cord(row.code));
  return status;
}

absl::Status WithCode(const absl::Status& status, Stage stage, const std::string& subject) {
  if (status.ok() || status.GetPayload(kPayload)) return status;
  const ErrorCode code = CodeFor(stage, status.code());
  const std::string reason = Reason(status, subject);
  switch (code) {
    case ErrorCode::E10410: return reason.find(subject) == std::string::npos ? Error(ErrorCode::E13005, {subject, reason}) : Error(code, {subject});
    case ErrorCode::E10001: return Error(code, {subject, "--calibrate_tool_path", reason});
    case ErrorCode::E10059: return Error(code, {absl::StrCat("Compiling ", subject), reason});
    case ErrorCode::E10055:
    case ErrorCode::E13023:
    case ErrorCode::E19999: return Error(code, {reason});
    default: return Error(code, {subject, reason});
  }
}

std::string CodeOf(const absl::Status& status) { return RowOf(status).code; }

std::string FormatError(const absl::Status& status, int pid, absl::string_view time) {
  const Row& row = RowOf(status);
  return absl::StrCat("[PID: ", pid, "] ", time, " ", row.title, "(", row.code, "): ", absl::StrReplaceAll(status.message(), {{"\n", "\n        "}}),
                      "\n");
}

}  // namespace omkit::atc
