// Checks of the addresses that clients pass: is the range live, long enough, and of the right kind?
#ifndef OMKIT_RUNTIME_ACL_MEMORY_CHECK_H_
#define OMKIT_RUNTIME_ACL_MEMORY_CHECK_H_

#include <cstddef>
#include <memory>

#include "acl/acl.h"
#include "runtime/acl/memory.h"

namespace omkit::acl {

enum class Expect : uint8_t { kAny, kHost, kDevice };

// OK when [address, address + size) can be used, and then `pin` keeps device memory mapped while it is held. Memory that this library
// did not allocate cannot be checked; where device memory is expected it is an error under OMKIT_STRICT=1. `what` is for the message.
// ACL_ERROR_RT_PARAM_INVALID: null, freed or too short; ACL_ERROR_RT_INVALID_MEMORY_TYPE: the wrong kind (strict).
aclError CheckRange(const char* what, const void* address, size_t size, Expect expect, std::shared_ptr<const Allocation>* pin);

// Device memory as aclrtMalloc gives it; the error is recorded.
aclError AllocateDevice(void** address, size_t size, size_t alignment, size_t slack, bool huge_pages);

}  // namespace omkit::acl

#endif  // OMKIT_RUNTIME_ACL_MEMORY_CHECK_H_
