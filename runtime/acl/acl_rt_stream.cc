// Exported functions: streams, events, callbacks, exception information.
#include <pthread.h>

#include <atomic>
#include <string>
#include <unordered_map>

#include "runtime/acl/context.h"
#include "runtime/acl/errors.h"
#include "runtime/acl/stream.h"

namespace acl = omkit::acl;
using acl::CallbackQueue;
using acl::Enter;
using acl::Event;
using acl::EventTable;
using acl::ExceptionTable;
using acl::Fail;
using acl::Stream;
using acl::StreamTable;
using acl::UseStream;

namespace omkit::acl {
namespace {

constexpr uint32_t kEventFlags = ACL_EVENT_SYNC | ACL_EVENT_CAPTURE_STREAM_PROGRESS | ACL_EVENT_TIME_LINE;
constexpr uint32_t kStreamFlags = ACL_STREAM_FAST_LAUNCH | ACL_STREAM_FAST_SYNC | ACL_STREAM_PERSISTENT | ACL_STREAM_HUGE | ACL_STREAM_CPU_SCHEDULE;

aclError UseEvent(aclrtEvent handle, std::shared_ptr<Event>* event) {
  ACL_RETURN_IF_ERROR(NeedContext());
  if (handle == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "event is null");
  *event = EventTable::Get().Find(handle);
  if (*event == nullptr) return Fail(ACL_ERROR_RT_INVALID_HANDLE, "%p is not a live event", handle);
  return ACL_SUCCESS;
}

// The queues of all callback threads.
struct CallbackThreads {
  std::mutex mutex;
  std::unordered_map<uint64_t, std::shared_ptr<CallbackQueue>> queues;
};

CallbackThreads& TheCallbackThreads() {
  static CallbackThreads* const threads = new CallbackThreads;
  return *threads;
}

bool Open(const std::shared_ptr<CallbackQueue>& queue) {
  const std::lock_guard<std::mutex> lock(queue->mutex);
  return queue->streams > 0;
}

std::atomic<aclrtExceptionInfoCallback> exception_callback{nullptr};

void CallExceptionCallback(const ExceptionInfo& info) {
  const aclrtExceptionInfoCallback callback = exception_callback;
  if (callback == nullptr) return;
  Enter("exception callback", [&]() -> aclError {
    void* const handle = ExceptionTable::Get().Add(std::make_shared<ExceptionInfo>(info));
    callback(static_cast<aclrtExceptionInfo*>(handle));
    ExceptionTable::Get().Remove(handle);
    return ACL_SUCCESS;
  });
}

template <typename Field>
uint32_t FromException(const char* function, const aclrtExceptionInfo* info, Field field) {
  return EnterOr<uint32_t>(function, 0xFFFFFFFFu, [&]() -> uint32_t {
    const std::shared_ptr<ExceptionInfo> found = ExceptionTable::Get().Find(info);
    if (found != nullptr) return static_cast<uint32_t>((*found).*field);
    Fail(ACL_ERROR_INVALID_PARAM, "%p is not a live exception info", static_cast<const void*>(info));
    return 0xFFFFFFFFu;
  });
}

aclError DestroyStream(aclrtStream handle, bool force) {
  CurrentContext current;
  ACL_RETURN_IF_ERROR(NeedContext(&current));
  if (handle == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "stream is null; the default stream ends with its context");
  ACL_RETURN_IF_ERROR(NeedOtherThread());
  std::shared_ptr<Stream> stream;
  ACL_RETURN_IF_ERROR(UseStream(handle, &stream));
  if (StreamTable::Get().Remove(handle) == nullptr) return Fail(ACL_ERROR_RT_INVALID_HANDLE, "%p was destroyed meanwhile", handle);
  current.context->Forget(handle);
  stream->Close(force);
  return ACL_SUCCESS;
}

}  // namespace
}  // namespace omkit::acl

extern "C" {

aclError aclrtCreateStreamWithConfig(aclrtStream* stream, uint32_t, uint32_t flag) {
  return Enter(__func__, [&]() -> aclError {
    acl::CurrentContext current;
    ACL_RETURN_IF_ERROR(acl::NeedContext(&current));
    if (stream == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "stream is null");
    if ((flag & ~acl::kStreamFlags) != 0) return Fail(ACL_ERROR_INVALID_PARAM, "unknown stream flags 0x%x", flag & ~acl::kStreamFlags);
    void* const handle = current.context->CreateStream(current.handle);
    if (handle == nullptr) return Fail(ACL_ERROR_RT_NO_STREAM_RESOURCE, "too many streams");
    *stream = handle;
    return ACL_SUCCESS;
  });
}

aclError aclrtCreateStream(aclrtStream* stream) {
  const acl::FunctionScope scope(__func__);
  return aclrtCreateStreamWithConfig(stream, 0, 0);
}

aclError aclrtDestroyStream(aclrtStream stream) {
  return Enter(__func__, [&] { return acl::DestroyStream(stream, false); });
}

aclError aclrtDestroyStreamForce(aclrtStream stream) {
  return Enter(__func__, [&] { return acl::DestroyStream(stream, true); });
}

aclError aclrtSynchronizeStreamWithTimeout(aclrtStream stream, int32_t timeout) {
  return Enter(__func__, [&]() -> aclError {
    std::shared_ptr<Stream> found;
    ACL_RETURN_IF_ERROR(UseStream(stream, &found));
    return acl::SynchronizeStreams({found}, timeout);
  });
}

aclError aclrtSynchronizeStream(aclrtStream stream) {
  const acl::FunctionScope scope(__func__);
  return aclrtSynchronizeStreamWithTimeout(stream, -1);
}

aclError aclrtStreamAbort(aclrtStream stream) {
  return Enter(__func__, [&]() -> aclError {
    std::shared_ptr<Stream> found;
    ACL_RETURN_IF_ERROR(UseStream(stream, &found));
    found->Abort();
    return ACL_SUCCESS;
  });
}

aclError aclrtStreamQuery(aclrtStream stream, aclrtStreamStatus* status) {
  return Enter(__func__, [&]() -> aclError {
    std::shared_ptr<Stream> found;
    ACL_RETURN_IF_ERROR(UseStream(stream, &found));
    if (status == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "status is null");
    *status = found->Idle() ? ACL_STREAM_STATUS_COMPLETE : ACL_STREAM_STATUS_NOT_READY;
    return ACL_SUCCESS;
  });
}

aclError aclrtStreamWaitEvent(aclrtStream stream, aclrtEvent event) {
  return Enter(__func__, [&]() -> aclError {
    std::shared_ptr<Event> found_event;
    std::shared_ptr<Stream> found_stream;
    ACL_RETURN_IF_ERROR(acl::UseEvent(event, &found_event));
    ACL_RETURN_IF_ERROR(UseStream(stream, &found_stream));
    const uint64_t recording = found_event->last_queued();
    return acl::PushTask(found_stream, {[found_event, recording] {
                                          found_event->Wait(recording, -1);
                                          return ACL_SUCCESS;
                                        },
                                        nullptr});
  });
}

aclError aclrtCreateEventWithFlag(aclrtEvent* event, uint32_t flag) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedContext());
    if (event == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "event is null");
    if ((flag & ~acl::kEventFlags) != 0) return Fail(ACL_ERROR_INVALID_PARAM, "unknown event flags 0x%x", flag & ~acl::kEventFlags);
    *event = EventTable::Get().Add(std::make_shared<Event>());
    if (*event == nullptr) return Fail(ACL_ERROR_RT_OVER_LIMIT, "too many events");
    return ACL_SUCCESS;
  });
}

aclError aclrtCreateEvent(aclrtEvent* event) {
  const acl::FunctionScope scope(__func__);
  return aclrtCreateEventWithFlag(event, 0);
}

aclError aclrtDestroyEvent(aclrtEvent event) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedInit());
    if (event == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "event is null");
    if (EventTable::Get().Remove(event) == nullptr) return Fail(ACL_ERROR_RT_INVALID_HANDLE, "%p is not a live event", event);
    return ACL_SUCCESS;
  });
}

aclError aclrtRecordEvent(aclrtEvent event, aclrtStream stream) {
  return Enter(__func__, [&]() -> aclError {
    std::shared_ptr<Event> found_event;
    std::shared_ptr<Stream> found_stream;
    ACL_RETURN_IF_ERROR(acl::UseEvent(event, &found_event));
    ACL_RETURN_IF_ERROR(UseStream(stream, &found_stream));
    const uint64_t recording = found_event->Queue();
    const aclError error = acl::PushTask(found_stream, {[found_event, recording] {
                                                          found_event->Complete(recording);
                                                          return ACL_SUCCESS;
                                                        },
                                                        [found_event, recording] { found_event->Drop(recording); }});
    if (error != ACL_SUCCESS) found_event->Drop(recording);
    return error;
  });
}

aclError aclrtResetEvent(aclrtEvent event, aclrtStream stream) {
  return Enter(__func__, [&]() -> aclError {
    std::shared_ptr<Event> found_event;
    std::shared_ptr<Stream> found_stream;
    ACL_RETURN_IF_ERROR(acl::UseEvent(event, &found_event));
    ACL_RETURN_IF_ERROR(UseStream(stream, &found_stream));
    return acl::PushTask(found_stream, {[found_event] {
                                          found_event->Reset();
                                          return ACL_SUCCESS;
                                        },
                                        nullptr});
  });
}

aclError aclrtQueryEvent(aclrtEvent event, aclrtEventStatus* status) {
  return Enter(__func__, [&]() -> aclError {
    std::shared_ptr<Event> found;
    ACL_RETURN_IF_ERROR(acl::UseEvent(event, &found));
    if (status == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "status is null");
    *status = found->Happened() ? ACL_EVENT_STATUS_COMPLETE : ACL_EVENT_STATUS_NOT_READY;
    return ACL_SUCCESS;
  });
}

aclError aclrtQueryEventStatus(aclrtEvent event, aclrtEventRecordedStatus* status) {
  return Enter(__func__, [&]() -> aclError {
    std::shared_ptr<Event> found;
    ACL_RETURN_IF_ERROR(acl::UseEvent(event, &found));
    if (status == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "status is null");
    *status = found->Happened() ? ACL_EVENT_RECORDED_STATUS_COMPLETE : ACL_EVENT_RECORDED_STATUS_NOT_READY;
    return ACL_SUCCESS;
  });
}

aclError aclrtSynchronizeEventWithTimeout(aclrtEvent event, int32_t timeout) {
  return Enter(__func__, [&]() -> aclError {
    std::shared_ptr<Event> found;
    ACL_RETURN_IF_ERROR(acl::UseEvent(event, &found));
    if (timeout < -1) return Fail(ACL_ERROR_RT_PARAM_INVALID, "timeout is %d; -1 waits for ever", timeout);
    ACL_RETURN_IF_ERROR(acl::NeedOtherThread());
    if (found->Wait(found->last_queued(), timeout)) return ACL_SUCCESS;
    return Fail(ACL_ERROR_RT_WAIT_TIMEOUT, "the event has not happened after %d ms", timeout);
  });
}

aclError aclrtSynchronizeEvent(aclrtEvent event) {
  const acl::FunctionScope scope(__func__);
  return aclrtSynchronizeEventWithTimeout(event, -1);
}

aclError aclrtEventElapsedTime(float* ms, aclrtEvent startEvent, aclrtEvent endEvent) {
  return Enter(__func__, [&]() -> aclError {
    std::shared_ptr<Event> start;
    std::shared_ptr<Event> end;
    ACL_RETURN_IF_ERROR(acl::UseEvent(startEvent, &start));
    ACL_RETURN_IF_ERROR(acl::UseEvent(endEvent, &end));
    if (ms == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "ms is null");
    std::chrono::steady_clock::time_point from;
    std::chrono::steady_clock::time_point to;
    if (!start->Time(&from) || !end->Time(&to)) return Fail(ACL_ERROR_RT_EVENT_TIMESTAMP_INVALID, "an event has not happened yet");
    if (to < from) return Fail(ACL_ERROR_RT_EVENT_TIMESTAMP_REVERSAL, "the end event happened before the start event");
    *ms = std::chrono::duration<float, std::milli>(to - from).count();
    return ACL_SUCCESS;
  });
}

aclError aclrtSubscribeReport(uint64_t threadId, aclrtStream stream) {
  return Enter(__func__, [&]() -> aclError {
    std::shared_ptr<Stream> found;
    ACL_RETURN_IF_ERROR(UseStream(stream, &found));
    acl::CallbackThreads& threads = acl::TheCallbackThreads();
    const std::lock_guard<std::mutex> lock(threads.mutex);
    std::shared_ptr<CallbackQueue>& queue = threads.queues[threadId];
    if (queue == nullptr) queue = std::make_shared<CallbackQueue>();
    if (found->SetCallbacks(queue)) return ACL_SUCCESS;
    return Fail(ACL_ERROR_RT_STREAM_SUBSCRIBE, "stream %u already has a callback thread", found->id());
  });
}

aclError aclrtUnSubscribeReport(uint64_t threadId, aclrtStream stream) {
  return Enter(__func__, [&]() -> aclError {
    std::shared_ptr<Stream> found;
    ACL_RETURN_IF_ERROR(UseStream(stream, &found));
    acl::CallbackThreads& threads = acl::TheCallbackThreads();
    const std::lock_guard<std::mutex> lock(threads.mutex);
    const auto it = threads.queues.find(threadId);
    const std::shared_ptr<CallbackQueue> queue = found->callbacks();
    if (queue == nullptr || it == threads.queues.end() || it->second != queue) {
      return Fail(ACL_ERROR_RT_THREAD_SUBSCRIBE, "thread %llu is not the callback thread of stream %u", static_cast<unsigned long long>(threadId),
                  found->id());
    }
    found->SetCallbacks(nullptr);
    if (!acl::Open(queue)) threads.queues.erase(it);
    return ACL_SUCCESS;
  });
}

aclError aclrtLaunchCallback(aclrtCallback fn, void* userData, aclrtCallbackBlockType blockType, aclrtStream stream) {
  return Enter(__func__, [&]() -> aclError {
    std::shared_ptr<Stream> found;
    ACL_RETURN_IF_ERROR(UseStream(stream, &found));
    if (fn == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "fn is null");
    if (blockType != ACL_CALLBACK_NO_BLOCK && blockType != ACL_CALLBACK_BLOCK) {
      return Fail(ACL_ERROR_INVALID_PARAM, "blockType is %d", static_cast<int>(blockType));
    }
    const std::shared_ptr<CallbackQueue> queue = found->callbacks();
    if (queue == nullptr) return Fail(ACL_ERROR_RT_STREAM_NO_CB_REG, "stream %u has no callback thread", found->id());
    auto item = std::make_shared<CallbackQueue::Item>(CallbackQueue::Item{fn, userData});
    Stream* const raw = found.get();  // its own task: the stream outlives it
    const bool block = blockType == ACL_CALLBACK_BLOCK;
    return acl::PushTask(found, {[raw, queue, item, block] {
                                   raw->PostCallback(queue, item, block);
                                   return ACL_SUCCESS;
                                 },
                                 nullptr});
  });
}

aclError aclrtProcessReport(int32_t timeout) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedInit());
    if (timeout < -1) return Fail(ACL_ERROR_INVALID_PARAM, "timeout is %d; -1 waits for ever", timeout);
    std::shared_ptr<CallbackQueue> queue;
    {
      acl::CallbackThreads& threads = acl::TheCallbackThreads();
      const std::lock_guard<std::mutex> lock(threads.mutex);
      const auto it = threads.queues.find(static_cast<uint64_t>(pthread_self()));
      if (it != threads.queues.end() && acl::Open(it->second)) queue = it->second;
    }
    if (queue == nullptr) return Fail(ACL_ERROR_RT_THREAD_SUBSCRIBE, "this thread is not subscribed to a stream");
    std::unique_lock<std::mutex> lock(queue->mutex);
    const bool due = acl::WaitFor(queue->changed, lock, timeout, [&] { return !queue->items.empty() || queue->streams == 0; });
    if (!due) return Fail(ACL_ERROR_RT_REPORT_TIMEOUT, "no callback became due within %d ms", timeout);
    while (!queue->items.empty()) {
      const std::shared_ptr<CallbackQueue::Item> item = queue->items.front();
      queue->items.pop_front();
      lock.unlock();
      item->fn(item->user_data);
      lock.lock();
      item->done = true;
      queue->changed.notify_all();
    }
    return ACL_SUCCESS;
  });
}

aclError aclrtLaunchHostFunc(aclrtStream stream, aclrtHostFunc fn, void* args) {
  return Enter(__func__, [&]() -> aclError {
    std::shared_ptr<Stream> found;
    ACL_RETURN_IF_ERROR(UseStream(stream, &found));
    if (fn == nullptr) return Fail(ACL_ERROR_INVALID_PARAM, "fn is null");
    return acl::PushTask(found, {[fn, args] {
                                   fn(args);
                                   return ACL_SUCCESS;
                                 },
                                 nullptr});
  });
}

aclError aclrtSetExceptionInfoCallback(aclrtExceptionInfoCallback callback) {
  return Enter(__func__, [&]() -> aclError {
    ACL_RETURN_IF_ERROR(acl::NeedInit());
    acl::exception_callback = callback;
    Stream::SetFailureHandler(callback != nullptr ? &acl::CallExceptionCallback : nullptr);
    return ACL_SUCCESS;
  });
}

uint32_t aclrtGetTaskIdFromExceptionInfo(const aclrtExceptionInfo* info) { return acl::FromException(__func__, info, &acl::ExceptionInfo::task_id); }
uint32_t aclrtGetStreamIdFromExceptionInfo(const aclrtExceptionInfo* info) {
  return acl::FromException(__func__, info, &acl::ExceptionInfo::stream_id);
}
uint32_t aclrtGetThreadIdFromExceptionInfo(const aclrtExceptionInfo* info) {
  return acl::FromException(__func__, info, &acl::ExceptionInfo::thread_id);
}
uint32_t aclrtGetDeviceIdFromExceptionInfo(const aclrtExceptionInfo* info) {
  return acl::FromException(__func__, info, &acl::ExceptionInfo::device_id);
}
uint32_t aclrtGetErrorCodeFromExceptionInfo(const aclrtExceptionInfo* info) { return acl::FromException(__func__, info, &acl::ExceptionInfo::error); }

}  // extern "C"
