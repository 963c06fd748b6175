// Streams, events and callback threads: a stream is a queue of tasks with a thread of its own, which starts with the first task.
#ifndef OMKIT_RUNTIME_ACL_STREAM_H_
#define OMKIT_RUNTIME_ACL_STREAM_H_

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "acl/acl.h"
#include "runtime/acl/slot_table.h"

namespace omkit::acl {

// Waits on `condition` until done() or `timeout_ms` has passed (-1: for ever). False when the time has passed.
template <typename Done>
bool WaitFor(std::condition_variable& condition, std::unique_lock<std::mutex>& lock, int32_t timeout_ms, Done done) {
  if (timeout_ms < 0) {
    condition.wait(lock, done);
    return true;
  }
  return condition.wait_for(lock, std::chrono::milliseconds(timeout_ms), done);
}

class Event {
 public:
  // A number for one recording, made when it is queued; Complete or Drop follows on the stream's thread.
  uint64_t Queue();
  void Complete(uint64_t recording);
  void Drop(uint64_t recording);
  void Reset();
  // Number of the last queued recording; 0: never recorded.
  uint64_t last_queued();
  bool Happened();
  // False when the time has passed.
  bool Wait(uint64_t recording, int32_t timeout_ms);
  // False when the last recording has not happened.
  bool Time(std::chrono::steady_clock::time_point* time);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t queued_ = 0;
  uint64_t ended_ = 0;     // recordings up to here have happened or were dropped
  uint64_t happened_ = 0;  // the last that happened since Reset; 0: none
  std::chrono::steady_clock::time_point time_;
};

// The callbacks one thread has promised to process.
class CallbackQueue {
 public:
  struct Item {
    aclrtCallback fn;
    void* user_data;
    bool done = false;
  };
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::shared_ptr<Item>> items;
  int streams = 0;  // subscribed; 0: the queue is closed
};

// What an aclrtExceptionInfo points to.
struct ExceptionInfo {
  uint32_t task_id;
  uint32_t stream_id;
  uint32_t thread_id;
  uint32_t device_id;
  aclError error;
};

// Called on the stream's thread when a task fails.
using TaskFailure = void (*)(const ExceptionInfo& info);

class Stream {
 public:
  Stream(uint32_t id, const void* context) : id_(id), context_(context) {}
  ~Stream();

  struct Task {
    std::function<aclError()> run;
    std::function<void()> drop;  // instead of run, when the stream is aborted or destroyed by force; may be empty
    bool waited = false;         // its caller waits and returns the error itself: no error of the stream's, but the failure handler still hears of it
    bool aborted = false;
  };

  uint32_t id() const { return id_; }
  // Handle of the context it belongs to.
  const void* context() const { return context_; }
  // True on the thread of any stream, where waiting for a stream could wait for itself.
  static bool OnStreamThread();
  // Number of the task that runs on this stream's thread; 0 elsewhere.
  static uint32_t CurrentTask();

  // Appends a task and gives its number. False when the stream is closing.
  bool Push(Task task, uint32_t* task_id);
  // False when the time has passed. `error` and `message`: of the first failed task since the last call.
  bool Synchronize(int32_t timeout_ms, aclError* error, std::string* message);
  // Waits for one task; false when the time has passed.
  bool WaitForTask(uint32_t task_id, int32_t timeout_ms);
  bool Idle();
  // Drops the tasks that have not begun.
  void Abort();
  // No more tasks; runs (or drops) the rest and ends the thread. Not on a stream's thread.
  void Close(bool drop_tasks);

  std::shared_ptr<CallbackQueue> callbacks();
  // False when another queue is set; nullptr takes it away.
  bool SetCallbacks(std::shared_ptr<CallbackQueue> queue);
  // Puts an item into the queue; with `block` waits until it was processed or the stream closes.
  void PostCallback(const std::shared_ptr<CallbackQueue>& queue, std::shared_ptr<CallbackQueue::Item> item, bool block);

  static void SetFailureHandler(TaskFailure handler);

 private:
  void Work();
  void RunTask(Task* task, uint32_t task_id);

  const uint32_t id_;
  const void* const context_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;
  uint32_t queued_ = 0;    // tasks pushed
  uint32_t finished_ = 0;  // tasks ended
  bool closing_ = false;
  bool dropping_ = false;
  bool release_callback_ = false;  // the task that runs must not wait for its callback any more
  aclError error_ = ACL_SUCCESS;
  std::string message_;
  std::shared_ptr<CallbackQueue> callbacks_;
  std::thread thread_;
};

using StreamTable = SlotTable<Stream, HandleType::kStream>;
using EventTable = SlotTable<Event, HandleType::kEvent>;
using ExceptionTable = SlotTable<ExceptionInfo, HandleType::kException>;

}  // namespace omkit::acl

#endif  // OMKIT_RUNTIME_ACL_STREAM_H_
