#include "runtime/acl/errors.h"

#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "runtime/profiler.h"

namespace omkit::acl {

namespace {

thread_local const char* current_function = "";

std::atomic<CallObserver> call_observer{nullptr};

constexpr size_t kMessageBytes = 2048;

struct Messages {
  char last[kMessageBytes] = "";
  char taken[kMessageBytes] = "";
};

thread_local Messages thread_messages;
Messages process_messages;
std::mutex process_mutex;
bool process_wide = false;

struct Row {
  aclError code;
  const char* name;
  const char* remedy;
};

constexpr aclError RowCode(int64_t code) { return static_cast<aclError>(code); }

const Row* FindRow(aclError code) {
  static const Row rows[] = {
#define CODE(name, remedy) {RowCode(ACL_ERROR_##name), #name, remedy},
#include "runtime/acl/acl_errors.inc"
  };
  for (const Row& row : rows) {
    if (row.code == code) return &row;
  }
  return nullptr;
}

aclError FailStatus(const absl::Status& status, bool loading) {
  if (status.ok()) return ACL_SUCCESS;
  aclError code = ACL_ERROR_INTERNAL_ERROR;
  switch (status.code()) {
#define STATUS(status, load, execute)                                                   \
  case absl::StatusCode::status:                                                        \
    code = RowCode(loading ? int64_t{ACL_ERROR_##load} : int64_t{ACL_ERROR_##execute}); \
    break;
#include "runtime/acl/acl_errors.inc"
    default: break;
  }
  const absl::string_view text = status.message();
  return Fail(code, "%.*s", static_cast<int>(text.size()), text.data());
}

aclLogLevel LogThreshold() {
  static const int level = [] {
    const char* value = std::getenv("ASCEND_GLOBAL_LOG_LEVEL");
    return value != nullptr && value[0] >= '0' && value[0] <= '4' && value[1] == '\0' ? value[0] - '0' : int{ACL_WARNING};
  }();
  return static_cast<aclLogLevel>(level);
}

}  // namespace

void SetCallObserver(CallObserver observer) { call_observer = observer; }

FunctionScope::FunctionScope(const char* name) : name_(name), outer_(current_function) {
  current_function = name;
  if (outer_[0] == '\0' && call_observer.load(std::memory_order_relaxed) != nullptr) begin_ = runtime::MonotonicNanoseconds();
}

FunctionScope::~FunctionScope() {
  current_function = outer_;
  if (begin_ == 0) return;
  const CallObserver observer = call_observer;
  if (observer == nullptr) return;
  try {
    observer(name_, begin_, runtime::MonotonicNanoseconds());
  } catch (const std::bad_alloc&) {
    // The call is not recorded.
  }
}

const char* CodeName(aclError code) {
  const Row* row = FindRow(code);
  return row != nullptr ? row->name : "";
}

const char* CodeRemedy(aclError code) {
  const Row* row = FindRow(code);
  return row != nullptr ? row->remedy : "";
}

void PutMessage(const char* message) {
  if (process_wide) {
    const std::lock_guard<std::mutex> lock(process_mutex);
    std::snprintf(process_messages.last, kMessageBytes, "%s", message);
  } else {
    std::snprintf(thread_messages.last, kMessageBytes, "%s", message);
  }
}

aclError Fail(aclError code, const char* format, ...) {
  char cause[kMessageBytes - 512];
  va_list args;
  va_start(args, format);
  std::vsnprintf(cause, sizeof cause, format, args);
  va_end(args);
  char text[kMessageBytes];
  std::snprintf(text, sizeof text, "[E%d %s] %s: %s. What to do: %s.", code, CodeName(code), current_function, cause, CodeRemedy(code));
  PutMessage(text);
  return code;
}

aclError FailLoading(const absl::Status& status) { return FailStatus(status, true); }
aclError FailExecuting(const absl::Status& status) { return FailStatus(status, false); }

const char* TakeMessage() {
  Messages& to = thread_messages;
  if (process_wide) {
    const std::lock_guard<std::mutex> lock(process_mutex);
    std::memcpy(to.taken, process_messages.last, kMessageBytes);
    process_messages.last[0] = '\0';
  } else {
    std::memcpy(to.taken, to.last, kMessageBytes);
    to.last[0] = '\0';
  }
  return to.taken[0] != '\0' ? to.taken : nullptr;
}

const char* PeekMessage() { return process_wide ? process_messages.last : thread_messages.last; }

void SetProcessMessages(bool on) { process_wide = on; }

bool LogEnabled(aclLogLevel level) { return level >= LogThreshold(); }

void Log(aclLogLevel level, const char* format, ...) {
  if (!LogEnabled(level)) return;
  static const char* const names[] = {"debug", "info", "warning", "error"};
  char text[kMessageBytes];
  va_list args;
  va_start(args, format);
  std::vsnprintf(text, sizeof text, format, args);
  va_end(args);
  std::fprintf(stderr, "acl: %s: %s\n", names[level & 3], text);
}

}  // namespace omkit::acl
