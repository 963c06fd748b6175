// One line on the console that tells how far a long task is and when it will be done. Floor 1.
#ifndef OMKIT_BASE_PROGRESS_H_
#define OMKIT_BASE_PROGRESS_H_

#include <chrono>
#include <cstdio>
#include <string>

#include "absl/strings/string_view.h"

namespace omkit {

// Redraws its line in place at most ten times a second, and only when the stream is a terminal: otherwise it writes nothing.
// For one thread.
class Progress {
 public:
  explicit Progress(std::string title, std::FILE* stream = stderr);
  // Ends the line if one was drawn.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  bool shown() const { return shown_; }
  // `done` from 0 to 1; values outside are clamped, 1 ends the line.
  void Update(double done);

 private:
  void EndLine();

  const std::string title_;
  std::FILE* const stream_;
  const bool shown_;
  bool open_ = false;  // a line is drawn and not ended
  const std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point drawn_{};
};

// "calibration:  40 % [########            ] 12 s left"; without the time while it cannot be told.
std::string ProgressLine(absl::string_view title, double done, double elapsed_seconds);

}  // namespace omkit

#endif  // OMKIT_BASE_PROGRESS_H_
