// The table of all exported functions: what each one needs, its arguments with valid values, and the code for each wrong one. arguments_test
// turns it into calls.
#ifndef OMKIT_TESTS_ACL_CLIENTS_FUNCTION_ROWS_H_
#define OMKIT_TESTS_ACL_CLIENTS_FUNCTION_ROWS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "acl/acl.h"

namespace omkit {

// Live objects that arguments name; the test makes them.
enum class Object {
  kNone,
  kBuffer,
  kTensor,
  kDataset,
  kDesc,
  kContext,
  kStream,
  kEvent,
  kException,
  kLoadConfig,
  kExecConfig,
  kOpHandle,
  kProfConfig,
  kSubscribeConfig,
  kStepInfo,
  kStamp,
  kAipp,
  kModel,   // a number
  kDevice,  // 64 bytes of device memory
  kCount,
};

struct Value {
  uint64_t bits = 0;
  double real = 0;
};

struct Wrong {
  std::string what;
  uint64_t bits;
  aclError code;
};

struct Arg {
  Object object = Object::kNone;  // valid: the live one; else `value`
  Value value;
  std::vector<Wrong> wrong;
  bool handle = false;  // also wrong: freed, foreign and wrongly typed handles
  aclError dead_code = 0;
};

enum class Needs { kNothing, kInit, kContext };

struct FunctionRow {
  std::string name;
  Needs needs;
  bool supported;  // false: every call gives ACL_ERROR_API_NOT_SUPPORT
  std::vector<Arg> args;
  std::function<aclError(const std::vector<Value>&)> call;
};

const std::vector<FunctionRow>& FunctionRows();

template <typename T>
T To(const Value& value) {
  if constexpr (std::is_pointer_v<T>) return reinterpret_cast<T>(value.bits);
  else if constexpr (std::is_floating_point_v<T>) return static_cast<T>(value.real);
  else return static_cast<T>(value.bits);
}

// A failed call of a function without a code: the fallback value and a message stand for ACL_ERROR_INVALID_PARAM.
template <typename R, typename... A, size_t... I>
aclError CallWith(R (*function)(A...), const R* fallback, const std::vector<Value>& values, std::index_sequence<I...>) {
  if constexpr (std::is_same_v<R, aclError>) {
    return fallback == nullptr ? function(To<A>(values[I])...) : ACL_ERROR_INTERNAL_ERROR;
  } else {
    aclGetRecentErrMsg();
    const R result = function(To<A>(values[I])...);
    return aclGetRecentErrMsg() != nullptr && result == *fallback ? ACL_ERROR_INVALID_PARAM : ACL_SUCCESS;
  }
}

template <typename... A, size_t... I>
aclError CallVoid(void (*function)(A...), const std::vector<Value>& values, std::index_sequence<I...>) {
  aclGetRecentErrMsg();
  function(To<A>(values[I])...);
  return aclGetRecentErrMsg() != nullptr ? ACL_ERROR_INVALID_PARAM : ACL_SUCCESS;
}

}  // namespace omkit

#endif  // OMKIT_TESTS_ACL_CLIENTS_FUNCTION_ROWS_H_
