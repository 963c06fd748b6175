#include "tools/msprof/msprof.h"

#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/status.h"

namespace omkit::msprof {
namespace {

constexpr char kFiles[] = "mindstudio_profiler_output";
constexpr int kShownTypes = 5;

void PrintHelp(std::ostream& out) {
  out << "usage: msprof [options] PROGRAM [ARGUMENTS]\n"
         "       msprof [options] --application=\"PROGRAM ARGUMENTS\"\n\n"
         "Runs a program that uses libascendcl and writes where its time went: op_summary_*.csv (each operator of each execution),\n"
         "op_statistic_*.csv (by operator type), api_statistic_*.csv, task_time_*.csv, step_trace_*.csv, and the timeline msprof_*.json for\n"
         "chrome://tracing or https://ui.perfetto.dev. The program need not be changed.\n\n"
         "  msprof --output=prof ./main net.om\n\noptions:\n";
#define MSPROF_FLAG(name, value, use, help) \
  if (*(help) != '\0') out << absl::StreamFormat("  --%-28s %s\n", absl::StrCat(name, "=", value), help);
#include "tools/msprof/msprof_flags.inc"
  out << "Options about units that a CPU does not have (--aic-metrics, --l2, --hccl, ...) are accepted and have no effect.\n";
}

std::set<std::string> Entries(const std::string& folder, absl::string_view prefix) {
  std::set<std::string> names;
  DIR* const dir = opendir(folder.c_str());
  if (dir == nullptr) return names;
  while (const dirent* entry = readdir(dir)) {
    if (absl::StartsWith(entry->d_name, prefix)) names.insert(entry->d_name);
  }
  closedir(dir);
  return names;
}

absl::Status MakeFolder(const std::string& path) {
  for (size_t at = path.find('/', 1);; at = path.find('/', at + 1)) {
    const std::string part = path.substr(0, at);
    if (!part.empty() && mkdir(part.c_str(), 0755) != 0 && errno != EEXIST) {
      return absl::InvalidArgumentError(absl::StrCat("cannot make '", part, "': ", std::strerror(errno)));
    }
    if (at == std::string::npos) break;
  }
  if (access(path.c_str(), W_OK | X_OK) != 0) return absl::InvalidArgumentError(absl::StrCat("cannot write to '", path, "'"));
  return absl::OkStatus();
}

absl::StatusOr<std::string> OutputFolder(const Options& options, bool by_application) {
  std::string folder = options.output;
  if (folder.empty() && by_application) {
    const size_t slash = options.program[0].rfind('/');
    folder = slash == std::string::npos ? "." : options.program[0].substr(0, slash + 1);
  }
  if (folder.empty()) folder = ".";
  OMKIT_RETURN_IF_ERROR(MakeFolder(folder));
  char* const whole = realpath(folder.c_str(), nullptr);
  if (whole == nullptr) return absl::InvalidArgumentError(absl::StrCat("'", folder, "': ", std::strerror(errno)));
  const std::string result = whole;
  std::free(whole);
  return result;
}

// Runs the program in this process's place; 127 as shells do when it cannot be run.
[[noreturn]] void Become(const Options& options, const std::string& folder) {
  setenv("OMKIT_PROFILE", folder.c_str(), 1);
  setenv("OMKIT_PROFILE_OPTIONS", options.record.c_str(), 1);
  for (const std::string& item : options.environment) {
    const size_t equal = item.find('=');
    setenv(item.substr(0, equal).c_str(), item.c_str() + equal + 1, 1);
  }
  std::vector<char*> words;
  for (const std::string& word : options.program) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  execvp(words[0], words.data());
  dprintf(STDERR_FILENO, "msprof: cannot run '%s': %s\n", words[0], std::strerror(errno));
  _exit(127);
}

int RunProgram(const Options& options, const std::string& folder) {
  // The program gets the terminal's signals too, and ends; this one waits for its files.
  struct sigaction ignore {};
  struct sigaction before {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGINT, &ignore, &before);
  const pid_t child = fork();
  if (child == 0) {
    sigaction(SIGINT, &before, nullptr);
    Become(options, folder);
  }
  int status = 0;
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  sigaction(SIGINT, &before, nullptr);
  if (child < 0) return 126;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// The first rows of op_statistic: where to look first.
void PrintStatistic(const std::string& files, std::ostream& out) {
  const std::set<std::string> names = Entries(files, "op_statistic_");
  if (names.empty()) return;
  std::ifstream csv(files + "/" + *names.begin());
  std::string line;
  std::getline(csv, line);
  if (!std::getline(csv, line)) return;
  out << absl::StreamFormat("  %-24s %-8s %10s %14s %8s\n", "operator type", "unit", "count", "total (us)", "share");
  for (int row = 0; row < kShownTypes && !line.empty(); ++row) {
    const std::vector<std::string> fields = absl::StrSplit(line, ',');
    if (fields.size() >= 9) {
      out << absl::StreamFormat("  %-24s %-8s %10s %14s %7s%%\n", fields[1], fields[2], fields[3], fields[4], fields[8]);
    }
    line.clear();
    std::getline(csv, line);
  }
}

int ListFiles(const std::string& folder, std::ostream& out, std::ostream& err) {
  const std::string files = absl::StrCat(folder, "/", kFiles);
  const std::set<std::string> names = Entries(files, "");
  if (names.size() <= 2) {
    err << "msprof: '" << folder << "' is not a PROF_ folder with results\n";
    return 1;
  }
  out << "[INFO] the results were written when the program ended:\n";
  for (const std::string& name : names) {
    if (name != "." && name != "..") out << files << "/" << name << "\n";
  }
  return 0;
}

}  // namespace

int RunMsprof(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err) {
  const absl::StatusOr<Options> options = ParseOptions(arguments);
  if (!options.ok()) {
    err << "msprof: " << options.status().message() << "\nmsprof --help explains the options\n";
    return 2;
  }
  if (options->help) {
    PrintHelp(out);
    return 0;
  }
  if (!options->export_folder.empty()) return ListFiles(options->export_folder, out, err);
  const bool by_application =
      std::any_of(arguments.begin(), arguments.end(), [](const std::string& a) { return absl::StartsWith(a, "--application"); });
  const absl::StatusOr<std::string> folder = OutputFolder(*options, by_application);
  if (!folder.ok()) {
    err << "msprof: --output: " << folder.status().message() << "\n";
    return 2;
  }
  const std::set<std::string> before = Entries(*folder, "PROF_");
  const int code = RunProgram(*options, *folder);
  int found = 0;
  for (const std::string& name : Entries(*folder, "PROF_")) {
    if (before.count(name) > 0) continue;
    ++found;
    const std::string files = absl::StrCat(*folder, "/", name, "/", kFiles);
    out << "[INFO] Process profiling data complete. Data is saved in " << files << "\n";
    PrintStatistic(files, out);
  }
  if (code != 0) err << "msprof: '" << options->program[0] << "' ended with status " << code << "\n";
  if (found == 0) err << "msprof: no profile was written: the program did not call aclInit of omkit's libascendcl, or was killed\n";
  return code != 0 ? code : (found == 0 ? 1 : 0);
}

}  // namespace omkit::msprof
