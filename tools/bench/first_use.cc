#include "tools/bench/first_use.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"
#include "runtime/model.h"
#include "runtime/profiler.h"
#include "runtime/verified_files.h"
#include "tools/bench/buffers.h"

namespace omkit::bench {
namespace {

constexpr int kChildren = 3;

int64_t PeakRss() {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(fopen("/proc/self/status", "re"), fclose);
  char line[256];
  long long kilobytes = 0;
  while (file != nullptr && fgets(line, sizeof line, file.get()) != nullptr) {
    if (sscanf(line, "VmHWM: %lld kB", &kilobytes) == 1) return kilobytes * 1024;
  }
  return 0;
}

absl::StatusOr<FirstUse> UseOnce(const std::string& path, int threads) {
  FirstUse use;
  // The process that this one was forked from has loaded the file.
  runtime::ForgetVerifiedFiles();
  runtime::ModelOptions options;
  options.threads = threads;
  const int64_t begin = runtime::MonotonicNanoseconds();
  OMKIT_ASSIGN_OR_RETURN(const std::unique_ptr<runtime::Model> model, runtime::Model::Load(path, options));
  use.load_ns = runtime::MonotonicNanoseconds() - begin;
  OMKIT_ASSIGN_OR_RETURN(const Buffers buffers, Buffers::Make(*model));
  OMKIT_RETURN_IF_ERROR(model->Execute(buffers.inputs(), buffers.outputs()));
  use.peak_rss_bytes = PeakRss();
  return use;
}

absl::StatusOr<FirstUse> InChild(const std::string& path, int threads) {
  int ends[2];
  if (pipe(ends) != 0) return ErrnoStatus(errno, "pipe for", path);
  const pid_t child = fork();
  if (child < 0) {
    const int error = errno;
    close(ends[0]);
    close(ends[1]);
    return ErrnoStatus(error, "start a process for", path);
  }
  if (child == 0) {
    const absl::StatusOr<FirstUse> use = UseOnce(path, threads);
    const bool written = use.ok() && write(ends[1], &*use, sizeof *use) == sizeof *use;
    _exit(written ? 0 : 1);
  }
  close(ends[1]);
  FirstUse use;
  const bool complete = read(ends[0], &use, sizeof use) == sizeof use;
  close(ends[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  if (complete) return use;
  return absl::InternalError(WIFSIGNALED(status)
                                 ? absl::StrCat("the process that loads and executes the model once was ended by signal ", WTERMSIG(status))
                                 : "the process that loads and executes the model once failed");
}

}  // namespace

absl::StatusOr<FirstUse> MeasureFirstUse(const std::string& path, int threads) {
  std::vector<int64_t> load_ns;
  FirstUse result;
  for (int i = 0; i < kChildren; ++i) {
    OMKIT_ASSIGN_OR_RETURN(const FirstUse use, InChild(path, threads));
    load_ns.push_back(use.load_ns);
    result.peak_rss_bytes = std::max(result.peak_rss_bytes, use.peak_rss_bytes);
  }
  std::sort(load_ns.begin(), load_ns.end());
  result.load_ns = load_ns[kChildren / 2];
  return result;
}

}  // namespace omkit::bench
