#include "base/progress.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace omkit {
namespace {

std::string TimeLeft(double seconds) {
  const int64_t whole = static_cast<int64_t>(seconds + 0.5);
  if (whole < 60) return absl::StrCat(whole, " s left");
  if (whole < 3600) return absl::StrFormat("%d min %02d s left", whole / 60, whole % 60);
  return absl::StrFormat("%d h %02d min left", whole / 3600, whole / 60 % 60);
}

}  // namespace

std::string ProgressLine(absl::string_view title, double done, double elapsed_seconds) {
  constexpr int kWidth = 20;
  // Before that the speed of the first samples says little.
  constexpr double kLeastDone = 0.01, kLeastSeconds = 1;
  done = std::min(std::max(done, 0.0), 1.0);
  const int filled = static_cast<int>(done * kWidth);
  std::string line =
      absl::StrFormat("%s: %3d %% [%s%s]", title, static_cast<int>(done * 100), std::string(filled, '#'), std::string(kWidth - filled, ' '));
  if (done >= kLeastDone && done < 1 && elapsed_seconds >= kLeastSeconds) {
    absl::StrAppend(&line, " ", TimeLeft(elapsed_seconds / done - elapsed_seconds));
  }
  return line;
}

Progress::Progress(std::string title, std::FILE* stream)
    : title_(std::move(title)), stream_(stream), shown_(isatty(fileno(stream)) == 1), start_(std::chrono::steady_clock::now()) {}

Progress::~Progress() { EndLine(); }

void Progress::Update(double done) {
  if (!shown_) return;
  const auto now = std::chrono::steady_clock::now();
  const bool finished = done >= 1;
  if (!finished && open_ && now - drawn_ < std::chrono::milliseconds(100)) return;
  drawn_ = now;
  open_ = true;
  // ESC [ K clears what a longer line before has left.
  std::fprintf(stream_, "\r%s\x1b[K", ProgressLine(title_, done, std::chrono::duration<double>(now - start_).count()).c_str());
  if (finished) EndLine();
  std::fflush(stream_);
}

void Progress::EndLine() {
  if (open_) std::fputc('\n', stream_);
  open_ = false;
}

}  // namespace omkit
