// Exported functions: stamps and steps of the client in the timeline.
#include <atomic>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "acl/acl_prof.h"
#include "runtime/acl/context.h"
#include "runtime/acl/errors.h"
#include "runtime/acl/profiling.h"
#include "runtime/acl/slot_table.h"

namespace acl = omkit::acl;
using acl::AddStamp;
using acl::Enter;
using acl::EnterOr;
using acl::Fail;
using omkit::runtime::MonotonicNanoseconds;

namespace omkit::acl {
namespace {

constexpr size_t kLongestMessage = 127;

struct Stamp {
  std::mutex mutex;
  std::string message;
};
using StampTable = SlotTable<Stamp, HandleType::kStamp>;

struct StepInfo {
  std::atomic<int64_t> begin{0};
};
using StepInfoTable = SlotTable<StepInfo, HandleType::kStepInfo>;

struct OpenRange {
  std::string message;
  int64_t begin;
};
struct Ranges {
  std::mutex mutex;
  uint32_t last = 0;
  std::map<uint32_t, OpenRange> open;
};
Ranges& TheRanges() {
  static Ranges* const ranges = new Ranges;
  return *ranges;
}

thread_local std::vector<OpenRange> pushed;
constexpr size_t kDeepest = 1024;

// The message of a live stamp.
aclError UseStamp(const void* handle, std::string* message) {
  const std::shared_ptr<Stamp> stamp = StampTable::Get().Find(handle);
  if (stamp == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "%p is not a live stamp", handle);
  const std::lock_guard<std::mutex> lock(stamp->mutex);
  *message = stamp->message;
  return ACL_SUCCESS;
}

aclError CheckMessage(const char* message, size_t length) {
  if (message == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "msg is null");
  if (length == 0 || length > kLongestMessage) return Fail(ACL_ERROR_INVALID_PARAM, "the message has %zu characters; allowed are 1 to 127", length);
  return ACL_SUCCESS;
}

}  // namespace
}  // namespace omkit::acl

extern "C" {

void* aclprofCreateStamp(void) {
  return EnterOr<void*>(__func__, nullptr, [] {
    void* const handle = acl::StampTable::Get().Add(std::make_shared<acl::Stamp>());
    if (handle == nullptr) Fail(ACL_ERROR_RT_OVER_LIMIT, "too many stamps");
    return handle;
  });
}

void aclprofDestroyStamp(void* stamp) {
  Enter(__func__, [&]() -> aclError {
    if (stamp == nullptr || acl::StampTable::Get().Remove(stamp) != nullptr) return ACL_SUCCESS;
    return Fail(ACL_ERROR_INVALID_PARAM, "%p is not a live stamp", stamp);
  });
}

aclError aclprofSetStampTraceMessage(void* stamp, const char* msg, uint32_t msgLen) {
  return Enter(__func__, [&]() -> aclError {
    const std::shared_ptr<acl::Stamp> found = acl::StampTable::Get().Find(stamp);
    if (found == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "%p is not a live stamp", stamp);
    ACL_RETURN_IF_ERROR(acl::CheckMessage(msg, msgLen));
    const std::lock_guard<std::mutex> lock(found->mutex);
    found->message.assign(msg, strnlen(msg, msgLen));
    return ACL_SUCCESS;
  });
}

aclError aclprofMark(void* stamp) {
  return Enter(__func__, [&]() -> aclError {
    std::string message;
    ACL_RETURN_IF_ERROR(acl::UseStamp(stamp, &message));
    const int64_t now = MonotonicNanoseconds();
    if (acl::StampsWanted()) AddStamp("mark", message, {now, now});
    return ACL_SUCCESS;
  });
}

aclError aclprofMarkEx(const char* msg, size_t msgLen, aclrtStream stream) {
  return Enter(__func__, [&]() -> aclError {
    std::shared_ptr<acl::Stream> found;
    ACL_RETURN_IF_ERROR(acl::UseStream(stream, &found));
    ACL_RETURN_IF_ERROR(acl::CheckMessage(msg, msgLen));
    if (!acl::StampsWanted()) return ACL_SUCCESS;
    return acl::PushTask(found, {[message = std::string(msg, strnlen(msg, msgLen))]() -> aclError {
                                   const int64_t now = MonotonicNanoseconds();
                                   AddStamp("marker_ex", message, {now, now});
                                   return ACL_SUCCESS;
                                 },
                                 nullptr});
  });
}

aclError aclprofPush(void* stamp) {
  return Enter(__func__, [&]() -> aclError {
    std::string message;
    ACL_RETURN_IF_ERROR(acl::UseStamp(stamp, &message));
    if (acl::pushed.size() >= acl::kDeepest) return Fail(ACL_ERROR_RT_OVER_LIMIT, "%zu stamps are pushed already", acl::kDeepest);
    acl::pushed.push_back({std::move(message), MonotonicNanoseconds()});
    return ACL_SUCCESS;
  });
}

aclError aclprofPop(void) {
  return Enter(__func__, []() -> aclError {
    if (acl::pushed.empty()) return Fail(ACL_ERROR_INVALID_PARAM, "this thread has pushed no stamp");
    const acl::OpenRange range = std::move(acl::pushed.back());
    acl::pushed.pop_back();
    if (acl::StampsWanted()) AddStamp("push/pop", range.message, {range.begin, MonotonicNanoseconds()});
    return ACL_SUCCESS;
  });
}

aclError aclprofRangeStart(void* stamp, uint32_t* rangeId) {
  return Enter(__func__, [&]() -> aclError {
    if (rangeId == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "rangeId is null");
    std::string message;
    ACL_RETURN_IF_ERROR(acl::UseStamp(stamp, &message));
    acl::Ranges& ranges = acl::TheRanges();
    const std::lock_guard<std::mutex> lock(ranges.mutex);
    if (ranges.open.size() >= acl::kDeepest) return Fail(ACL_ERROR_RT_OVER_LIMIT, "%zu ranges are open already", acl::kDeepest);
    *rangeId = ++ranges.last;
    ranges.open[*rangeId] = {std::move(message), MonotonicNanoseconds()};
    return ACL_SUCCESS;
  });
}

aclError aclprofRangeStop(uint32_t rangeId) {
  return Enter(__func__, [&]() -> aclError {
    acl::Ranges& ranges = acl::TheRanges();
    const std::lock_guard<std::mutex> lock(ranges.mutex);
    const auto it = ranges.open.find(rangeId);
    if (it == ranges.open.end()) return Fail(ACL_ERROR_INVALID_PARAM, "no range %u is open", rangeId);
    if (acl::StampsWanted()) AddStamp("start/end", it->second.message, {it->second.begin, MonotonicNanoseconds()});
    ranges.open.erase(it);
    return ACL_SUCCESS;
  });
}

aclprofStepInfo* aclprofCreateStepInfo(void) {
  return EnterOr<aclprofStepInfo*>(__func__, nullptr, [] {
    void* const handle = acl::StepInfoTable::Get().Add(std::make_shared<acl::StepInfo>());
    if (handle == nullptr) Fail(ACL_ERROR_RT_OVER_LIMIT, "too many steps");
    return static_cast<aclprofStepInfo*>(handle);
  });
}

void aclprofDestroyStepInfo(aclprofStepInfo* stepinfo) {
  Enter(__func__, [&]() -> aclError {
    if (stepinfo == nullptr || acl::StepInfoTable::Get().Remove(stepinfo) != nullptr) return ACL_SUCCESS;
    return Fail(ACL_ERROR_INVALID_PARAM, "%p is not a live step", static_cast<void*>(stepinfo));
  });
}

aclError aclprofGetStepTimestamp(aclprofStepInfo* stepInfo, aclprofStepTag tag, aclrtStream stream) {
  return Enter(__func__, [&]() -> aclError {
    std::shared_ptr<acl::Stream> found;
    ACL_RETURN_IF_ERROR(acl::UseStream(stream, &found));
    const std::shared_ptr<acl::StepInfo> step = acl::StepInfoTable::Get().Find(stepInfo);
    if (step == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "%p is not a live step", static_cast<void*>(stepInfo));
    if (tag != ACL_STEP_START && tag != ACL_STEP_END) return Fail(ACL_ERROR_INVALID_PARAM, "tag is %d", static_cast<int>(tag));
    return acl::PushTask(found, {[step, tag]() -> aclError {
                                   const int64_t now = MonotonicNanoseconds();
                                   if (tag == ACL_STEP_START) step->begin = now;
                                   else if (const int64_t begin = step->begin; begin != 0) AddStamp("step", "step", {begin, now});
                                   return ACL_SUCCESS;
                                 },
                                 nullptr});
  });
}

}  // extern "C"
