#include "runtime/acl/stream.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <utility>

#include "runtime/acl/errors.h"

namespace omkit::acl {
namespace {

std::atomic<TaskFailure> failure_handler{nullptr};
thread_local bool on_stream_thread = false;
thread_local uint32_t current_task = 0;

}  // namespace

uint64_t Event::Queue() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return ++queued_;
}

void Event::Complete(uint64_t recording) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (recording > ended_) {
    ended_ = recording;
    happened_ = recording;
    time_ = std::chrono::steady_clock::now();
  }
  changed_.notify_all();
}

void Event::Drop(uint64_t recording) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (recording > ended_) ended_ = recording;
  changed_.notify_all();
}

void Event::Reset() {
  const std::lock_guard<std::mutex> lock(mutex_);
  happened_ = 0;
}

uint64_t Event::last_queued() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return queued_;
}

bool Event::Happened() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return happened_ != 0 && ended_ >= queued_;
}

bool Event::Wait(uint64_t recording, int32_t timeout_ms) {
  std::unique_lock<std::mutex> lock(mutex_);
  return WaitFor(changed_, lock, timeout_ms, [&] { return ended_ >= recording; });
}

bool Event::Time(std::chrono::steady_clock::time_point* time) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (happened_ == 0 || ended_ < queued_) return false;
  *time = time_;
  return true;
}

Stream::~Stream() { Close(true); }

bool Stream::OnStreamThread() { return on_stream_thread; }
uint32_t Stream::CurrentTask() { return current_task; }

bool Stream::Push(Task task, uint32_t* task_id) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (closing_) return false;
  if (!thread_.joinable()) {
    thread_ = std::thread([this] { Work(); });
  }
  tasks_.push_back(std::move(task));
  const uint32_t id = ++queued_;
  if (task_id != nullptr) *task_id = id;
  changed_.notify_all();
  return true;
}

void Stream::RunTask(Task* task, uint32_t task_id) {
  current_task = task_id;
  const aclError error = Enter("stream task", [&] { return task->run(); });
  if (error == ACL_SUCCESS) return;
  if (!task->waited) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (error_ == ACL_SUCCESS) {
      error_ = error;
      try {
        message_ = PeekMessage();
      } catch (const std::bad_alloc&) {
        message_.clear();
      }
    }
  }
  if (const TaskFailure handler = failure_handler.load()) {
    handler({task_id, id_, static_cast<uint32_t>(syscall(SYS_gettid)), 0, error});
  }
}

void Stream::Work() {
  on_stream_thread = true;
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return closing_ || !tasks_.empty(); });
    if (tasks_.empty()) return;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    const uint32_t task_id = finished_ + 1;
    const bool drop = dropping_ || task.aborted;
    release_callback_ = false;
    lock.unlock();
    if (drop) {
      if (task.drop) task.drop();
    } else {
      RunTask(&task, task_id);
    }
    task = Task();
    lock.lock();
    ++finished_;
    changed_.notify_all();
  }
}

bool Stream::Synchronize(int32_t timeout_ms, aclError* error, std::string* message) {
  std::unique_lock<std::mutex> lock(mutex_);
  const uint32_t target = queued_;
  if (!WaitFor(changed_, lock, timeout_ms, [&] { return static_cast<int32_t>(finished_ - target) >= 0; })) return false;
  *error = error_;
  *message = std::move(message_);
  error_ = ACL_SUCCESS;
  message_.clear();
  return true;
}

bool Stream::WaitForTask(uint32_t task_id, int32_t timeout_ms) {
  std::unique_lock<std::mutex> lock(mutex_);
  return WaitFor(changed_, lock, timeout_ms, [&] { return static_cast<int32_t>(finished_ - task_id) >= 0; });
}

void Stream::Abort() {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (Task& task : tasks_) task.aborted = true;
  release_callback_ = true;
  if (callbacks_ != nullptr) {
    const std::lock_guard<std::mutex> callbacks_lock(callbacks_->mutex);
    callbacks_->changed.notify_all();
  }
}

bool Stream::Idle() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return finished_ == queued_;
}

void Stream::Close(bool drop_tasks) {
  std::thread thread;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    closing_ = true;
    dropping_ = dropping_ || drop_tasks;
    changed_.notify_all();
    if (callbacks_ != nullptr) {
      const std::lock_guard<std::mutex> callbacks_lock(callbacks_->mutex);
      callbacks_->changed.notify_all();
    }
    thread = std::move(thread_);
  }
  if (thread.joinable()) thread.join();
  SetCallbacks(nullptr);
}

std::shared_ptr<CallbackQueue> Stream::callbacks() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return callbacks_;
}

bool Stream::SetCallbacks(std::shared_ptr<CallbackQueue> queue) {
  std::shared_ptr<CallbackQueue> old;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (queue != nullptr && callbacks_ != nullptr) return false;
    old = std::exchange(callbacks_, queue);
  }
  if (queue != nullptr) {
    const std::lock_guard<std::mutex> lock(queue->mutex);
    ++queue->streams;
  }
  if (old != nullptr) {
    const std::lock_guard<std::mutex> lock(old->mutex);
    if (--old->streams == 0) old->items.clear();
    old->changed.notify_all();
  }
  return true;
}

void Stream::PostCallback(const std::shared_ptr<CallbackQueue>& queue, std::shared_ptr<CallbackQueue::Item> item, bool block) {
  std::unique_lock<std::mutex> lock(queue->mutex);
  if (queue->streams == 0) return;
  queue->items.push_back(item);
  queue->changed.notify_all();
  const auto ended = [&] {
    const std::lock_guard<std::mutex> stream_lock(mutex_);
    return closing_ || release_callback_;
  };
  while (block && !item->done && queue->streams > 0) {
    lock.unlock();
    const bool stop = ended();
    lock.lock();
    if (stop) return;
    queue->changed.wait_for(lock, std::chrono::milliseconds(20));
  }
}

void Stream::SetFailureHandler(TaskFailure handler) { failure_handler = handler; }

}  // namespace omkit::acl
