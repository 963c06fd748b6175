#include "runtime/plugin/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/file.h"

namespace omkit::runtime {
namespace {

constexpr int kSecondsToAnswer = 20;
constexpr size_t kLongestAnswer = 4096;

int64_t Milliseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{1000} * now.tv_sec + now.tv_nsec / 1'000'000;
}

// The answer is the status's code in one byte, then its message.
[[noreturn]] void Child(int out, const std::function<absl::Status()>& load) {
  // The host's crash handlers, and a core file of the host's size, are not for a plugin's crash.
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS}) signal(number, SIG_DFL);
  const rlimit no_core = {0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  const absl::Status status = load();
  std::string answer(1, static_cast<char>(status.code()));
  answer.append(status.message().data(), std::min(status.message().size(), kLongestAnswer - 1));
  const ssize_t written = write(out, answer.data(), answer.size());
  _exit(written == static_cast<ssize_t>(answer.size()) ? 0 : 1);
}

// Reads to the end or to the deadline; false at the deadline.
bool ReadAnswer(int in, std::string* answer) {
  const int64_t deadline = Milliseconds() + 1000 * kSecondsToAnswer;
  for (;;) {
    pollfd waiting = {in, POLLIN, 0};
    const int64_t left = deadline - Milliseconds();
    if (left <= 0) return false;
    if (poll(&waiting, 1, static_cast<int>(left)) < 0 && errno != EINTR) return true;
    if (waiting.revents == 0) continue;
    char bytes[512];
    const ssize_t got = read(in, bytes, sizeof bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return true;
    answer->append(bytes, got);
    if (answer->size() >= kLongestAnswer) return true;
  }
}

absl::Status Died(int status, bool known) {
  constexpr char kWhile[] = " while the plugin was initialised (tried in a child process)";
  if (known && WIFSIGNALED(status)) return absl::FailedPreconditionError(absl::StrCat("crash, ", strsignal(WTERMSIG(status)), ",", kWhile));
  if (known && WIFEXITED(status))
    return absl::FailedPreconditionError(absl::StrCat("the process was ended with exit status ", WEXITSTATUS(status), kWhile));
  return absl::FailedPreconditionError(absl::StrCat("the process ended", kWhile));
}

}  // namespace

absl::Status ProbeInChild(const std::function<absl::Status()>& load) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus(errno, "make a pipe to try", "plugin");
  const pid_t child = fork();
  if (child < 0) {
    const int error = errno;
    close(ends[0]), close(ends[1]);
    return ErrnoStatus(error, "start a process to try", "plugin");
  }
  if (child == 0) {
    close(ends[0]);
    Child(ends[1], load);
  }
  close(ends[1]);
  std::string answer;
  const bool in_time = ReadAnswer(ends[0], &answer);
  close(ends[0]);
  if (!in_time) kill(child, SIGKILL);
  int status = 0;
  pid_t waited;
  do waited = waitpid(child, &status, 0);
  while (waited < 0 && errno == EINTR);
  if (!in_time) return absl::FailedPreconditionError(absl::StrCat("no answer of the plugin's initialisation within ", kSecondsToAnswer, " s"));
  if (answer.empty()) return Died(status, waited == child);
  return absl::Status(static_cast<absl::StatusCode>(answer[0]), answer.substr(1));
}

}  // namespace omkit::runtime
