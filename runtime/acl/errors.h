// Errors at the border to C: every exported function runs inside Enter, so that no exception leaves it, and every failure goes through
// Fail, so that aclGetRecentErrMsg can tell code, function, cause and remedy. The codes are rows of acl_errors.inc.
#ifndef OMKIT_RUNTIME_ACL_ERRORS_H_
#define OMKIT_RUNTIME_ACL_ERRORS_H_

#include <cstdint>
#include <new>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "acl/acl.h"

namespace omkit::acl {

// Keeps the message of this thread (or of the process, see SetProcessMessages) and returns `code`. Does not allocate.
aclError Fail(aclError code, const char* format, ...) __attribute__((format(printf, 2, 3)));
// The codes of the STATUS rows. OK gives ACL_SUCCESS.
aclError FailLoading(const absl::Status& status);
aclError FailExecuting(const absl::Status& status);
// "RT_CONTEXT_NULL" for 107002; "" for codes without a row.
const char* CodeName(aclError code);
const char* CodeRemedy(aclError code);

// The message and forgets it; nullptr when there is none. Valid until the thread's next call.
const char* TakeMessage();
// The message without forgetting it, "" when there is none: for tasks that fail on a stream's thread.
const char* PeekMessage();
// Makes `message` this thread's message.
void PutMessage(const char* message);
// One message for all threads instead of one each.
void SetProcessMessages(bool on);

// Prints to standard error when `level` reaches ASCEND_GLOBAL_LOG_LEVEL.
void Log(aclLogLevel level, const char* format, ...) __attribute__((format(printf, 2, 3)));
bool LogEnabled(aclLogLevel level);

// Called at the end of each exported function that a client called, with nanoseconds of CLOCK_MONOTONIC; nullptr switches it off.
using CallObserver = void (*)(const char* function, int64_t begin, int64_t end);
void SetCallObserver(CallObserver observer);

// The exported function that this thread is in, for messages and for the observer.
class FunctionScope {
 public:
  explicit FunctionScope(const char* name);
  ~FunctionScope();
  FunctionScope(const FunctionScope&) = delete;
  FunctionScope& operator=(const FunctionScope&) = delete;

 private:
  const char* const name_;
  const char* const outer_;
  int64_t begin_ = 0;  // 0: not observed
};

// Runs fn(); an exception becomes an error and `failed` is returned.
template <typename T, typename Fn>
T EnterOr(const char* function, T failed, Fn&& fn) noexcept {
  const FunctionScope scope(function);
  try {
    return fn();
  } catch (const std::bad_alloc&) {
    Fail(ACL_ERROR_BAD_ALLOC, "out of memory");
  } catch (const std::system_error& e) {
    Fail(ACL_ERROR_RT_NO_STREAM_RESOURCE, "the system refused a thread: %s", e.what());
  } catch (...) {
    Fail(ACL_ERROR_INTERNAL_ERROR, "unexpected exception");
  }
  return failed;
}

// The same for functions that return aclError.
template <typename Fn>
aclError Enter(const char* function, Fn&& fn) noexcept {
  const FunctionScope scope(function);
  try {
    return fn();
  } catch (const std::bad_alloc&) {
    return Fail(ACL_ERROR_BAD_ALLOC, "out of memory");
  } catch (const std::system_error& e) {
    return Fail(ACL_ERROR_RT_NO_STREAM_RESOURCE, "the system refused a thread: %s", e.what());
  } catch (...) {
    return Fail(ACL_ERROR_INTERNAL_ERROR, "unexpected exception");
  }
}

}  // namespace omkit::acl

#define ACL_RETURN_IF_ERROR(expr)                                                   \
  do {                                                                              \
    if (const aclError acl_code = (expr); acl_code != ACL_SUCCESS) return acl_code; \
  } while (false)

#endif  // OMKIT_RUNTIME_ACL_ERRORS_H_
