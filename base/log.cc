#include "base/log.h"

#include <atomic>
#include <cstdio>
#include <mutex>
#include <utility>

namespace omkit {
namespace {

std::atomic<LogLevel> level{LogLevel::kWarning};

struct Sink {
  std::mutex mutex;
  std::function<void(LogLevel, absl::string_view)> function;
};

// Never destroyed: messages may come from other static destructors.
Sink& GetSink() {
  static auto* const sink = new Sink;
  return *sink;
}

const char* Tag(LogLevel l) {
  switch (l) {
    case LogLevel::kDebug: return "DEBUG";
    case LogLevel::kInfo: return "INFO";
    case LogLevel::kWarning: return "WARNING";
    default: return "ERROR";
  }
}

}  // namespace

void SetLogLevel(LogLevel l) { level = l; }
LogLevel GetLogLevel() { return level; }

void Log(LogLevel l, absl::string_view text) {
  if (l < level.load() || l >= LogLevel::kSilent) return;
  Sink& sink = GetSink();
  const std::lock_guard<std::mutex> lock(sink.mutex);
  if (sink.function) {
    sink.function(l, text);
  } else {
    std::fprintf(stderr, "[%s] %.*s\n", Tag(l), static_cast<int>(text.size()), text.data());
  }
}

void SetLogSink(std::function<void(LogLevel, absl::string_view)> sink) {
  Sink& s = GetSink();
  const std::lock_guard<std::mutex> lock(s.mutex);
  s.function = std::move(sink);
}

}  // namespace omkit
