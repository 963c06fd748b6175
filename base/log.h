// Messages to the person at the console. Floor 1. Library code logs sparingly: errors travel as absl::Status.
#ifndef OMKIT_BASE_LOG_H_
#define OMKIT_BASE_LOG_H_

#include <functional>

#include "absl/strings/string_view.h"

namespace omkit {

enum class LogLevel { kDebug = 0, kInfo = 1, kWarning = 2, kError = 3, kSilent = 4 };

// Messages below `level` are dropped; kWarning until set.
void SetLogLevel(LogLevel level);
LogLevel GetLogLevel();

// Writes "[INFO] text" to standard error, one whole line at a time. Thread-safe.
void Log(LogLevel level, absl::string_view text);

// Sends messages that pass the level to `sink` instead of standard error; an empty function restores it. For tests and hosts.
void SetLogSink(std::function<void(LogLevel, absl::string_view)> sink);

}  // namespace omkit

#endif  // OMKIT_BASE_LOG_H_
