#include "backends/tune_bank.h"

#include <sys/stat.h>

#include <cerrno>
#include <fstream>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/status.h"

namespace omkit {
namespace {

constexpr char kFirstLine[] = "omkit_tune_bank 2";
constexpr uint64_t kMostBytes = uint64_t{64} << 20;

// What the kernel says of the processor, as a file name.
std::string Processor() {
  std::ifstream in("/proc/cpuinfo");
  std::string line, name;
  while (std::getline(in, line)) {
    for (const char* field : {"model name", "CPU implementer", "CPU part"}) {
      if (absl::StartsWith(line, field)) absl::StrAppend(&name, name.empty() ? "" : "-", absl::StripAsciiWhitespace(line.substr(line.find(':') + 1)));
    }
    if (line.empty() && !name.empty()) break;
  }
  for (char& c : name) c = absl::ascii_isalnum(static_cast<unsigned char>(c)) ? absl::ascii_tolower(static_cast<unsigned char>(c)) : '-';
  return name.empty() ? "processor" : name;
}

absl::Status ReadLine(absl::string_view line, TuneBank* bank) {
  const std::vector<absl::string_view> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
  if (words.size() < 3) return absl::InvalidArgumentError("expected a key, a kernel and times");
  TunedWork work;
  work.kernel = std::string(words[1]);
  for (size_t i = 2; i < words.size(); ++i) {
    const std::pair<absl::string_view, absl::string_view> time = absl::StrSplit(words[i], absl::MaxSplits('=', 1));
    Variant variant;
    int64_t ns = 0;
    if (!FindVariant(time.first, &variant) || !absl::SimpleAtoi(time.second, &ns) || ns < 0) {
      return absl::InvalidArgumentError(absl::StrCat("'", words[i], "' is not <tier>=<nanoseconds> or <tier>/<pixels>=<nanoseconds>"));
    }
    work.least_ns[variant] = ns;
  }
  (*bank)[std::string(words[0])] = std::move(work);
  return absl::OkStatus();
}

absl::Status MakeFolders(const std::string& path) {
  for (size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
    const std::string folder = path.substr(0, at);
    if (mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST) return ErrnoStatus(errno, "cannot make the folder", folder);
  }
  return absl::OkStatus();
}

}  // namespace

std::string TuneBankPath(const std::string& folder, Isa isa) { return absl::StrCat(folder, "/", Processor(), "-", IsaName(isa), ".tune"); }

absl::StatusOr<TuneBank> ReadTuneBank(const std::string& path) {
  TuneBank bank;
  const absl::StatusOr<std::string> text = ReadFile(path, kMostBytes);
  if (absl::IsNotFound(text.status())) return bank;
  OMKIT_RETURN_IF_ERROR(text.status());
  int number = 0;
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    ++number;
    if (number == 1 && line != kFirstLine) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, " is not a tuning bank of this release: its first line is not '", kFirstLine, "'. Remove the file to measure anew."));
    }
    if (number == 1 || line.empty()) continue;
    OMKIT_RETURN_IF_ERROR(Annotate(ReadLine(line, &bank), absl::StrCat(path, ":", number)));
  }
  return bank;
}

absl::Status WriteTuneBank(const TuneBank& bank, const std::string& path) {
  OMKIT_RETURN_IF_ERROR(MakeFolders(path));
  OMKIT_ASSIGN_OR_RETURN(AtomicWriter writer, AtomicWriter::Create(path));
  std::string text = absl::StrCat(kFirstLine, "\n");
  for (const auto& [key, work] : bank) {
    absl::StrAppend(&text, key, " ", work.kernel);
    for (const auto& [variant, ns] : work.least_ns) absl::StrAppend(&text, " ", VariantName(variant), "=", ns);
    text += '\n';
  }
  OMKIT_RETURN_IF_ERROR(writer.Append(text));
  return writer.Commit();
}

}  // namespace omkit
