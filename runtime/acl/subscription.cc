#include "runtime/acl/subscription.h"

#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <map>
#include <memory>
#include <mutex>

#include "runtime/acl/errors.h"
#include "runtime/acl/op_list.h"

namespace omkit::acl {
namespace {

constexpr int kPatienceMs = 100;
// A write of at most PIPE_BUF bytes into a pipe that poll finds writable does not block.
constexpr size_t kRecordsPerWrite = PIPE_BUF / sizeof(OpRecord);
static_assert(kRecordsPerWrite >= 1);

struct Subscriber {
  SubscribeConfig config;
  std::mutex mutex;       // one execution writes at a time
  uint64_t executor = 0;  // whose operators these are; 0: none yet
  std::vector<OpInfo> ops;
  std::vector<OpRecord> records;  // of one execution; all but the times stays
  uint64_t dropped = 0;
  bool broken = false;
};

struct Subscribers {
  std::mutex mutex;
  std::map<uint32_t, std::shared_ptr<Subscriber>> by_model;
};

Subscribers& TheSubscribers() {
  static Subscribers* const subscribers = new Subscribers;
  return *subscribers;
}

std::atomic<size_t> subscriber_count{0};

// A reader that closed the pipe must not end the process: SIGPIPE is held back and taken away again.
class WithoutSigpipe {
 public:
  WithoutSigpipe() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~WithoutSigpipe() {
    const timespec none{};
    if (!was_pending_) sigtimedwait(&pipe_, nullptr, &none);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  WithoutSigpipe(const WithoutSigpipe&) = delete;
  WithoutSigpipe& operator=(const WithoutSigpipe&) = delete;

 private:
  sigset_t pipe_;
  sigset_t before_;
  bool was_pending_ = false;
};

bool WriteRecords(int fd, const OpRecord* records, size_t count) {
  pollfd ready{fd, POLLOUT, 0};
  if (poll(&ready, 1, kPatienceMs) != 1 || (ready.revents & POLLOUT) == 0) return false;
  const size_t bytes = count * sizeof(OpRecord);
  ssize_t written = 0;
  do {
    written = write(fd, records, bytes);
  } while (written < 0 && errno == EINTR);
  return written == static_cast<ssize_t>(bytes);
}

// A model with several plans changes between them.
void Prepare(Subscriber* subscriber, const LoadedModel& model, const runtime::Executor& executor) {
  if (subscriber->executor == executor.id()) return;
  subscriber->executor = executor.id();
  subscriber->ops = ListOps(executor.plan());
  subscriber->records.resize(subscriber->ops.size());
  for (size_t i = 0; i < subscriber->ops.size(); ++i) {
    OpRecord& record = subscriber->records[i];
    std::memset(&record, 0, sizeof record);
    record.magic = kOpRecordMagic;
    record.model_id = model.info()->id;
    subscriber->ops[i].type.copy(record.type, sizeof record.type - 1);
    subscriber->ops[i].name.copy(record.name, sizeof record.name - 1);
  }
}

std::shared_ptr<Subscriber> FindSubscriber(uint32_t model_id) {
  Subscribers& subscribers = TheSubscribers();
  const std::lock_guard<std::mutex> lock(subscribers.mutex);
  const auto it = subscribers.by_model.find(model_id);
  return it != subscribers.by_model.end() ? it->second : nullptr;
}

}  // namespace

bool HasSubscriptions() { return subscriber_count.load(std::memory_order_relaxed) > 0; }

aclError Subscribe(uint32_t model_id, const SubscribeConfig& config) {
  const std::shared_ptr<LoadedModel> model = FindModel(model_id);
  if (model == nullptr) return ACL_ERROR_GE_EXEC_MODEL_ID_INVALID;
  auto subscriber = std::make_shared<Subscriber>();
  subscriber->config = config;
  Subscribers& subscribers = TheSubscribers();
  const std::lock_guard<std::mutex> lock(subscribers.mutex);
  if (!subscribers.by_model.emplace(model_id, std::move(subscriber)).second) {
    return Fail(ACL_ERROR_PROF_REPEAT_SUBSCRIBE, "model %u is subscribed already", model_id);
  }
  subscriber_count = subscribers.by_model.size();
  return ACL_SUCCESS;
}

aclError Unsubscribe(uint32_t model_id) {
  std::shared_ptr<Subscriber> subscriber;
  {
    Subscribers& subscribers = TheSubscribers();
    const std::lock_guard<std::mutex> lock(subscribers.mutex);
    const auto it = subscribers.by_model.find(model_id);
    if (it == subscribers.by_model.end()) return Fail(ACL_ERROR_INVALID_MODEL_ID, "model %u is not subscribed", model_id);
    subscriber = std::move(it->second);
    subscribers.by_model.erase(it);
    subscriber_count = subscribers.by_model.size();
  }
  const std::lock_guard<std::mutex> lock(subscriber->mutex);
  subscriber->broken = true;  // executions under way deliver nothing more
  if (subscriber->dropped > 0) {
    Log(ACL_WARNING, "subscription of model %u: %llu records were dropped because the pipe was full", model_id,
        static_cast<unsigned long long>(subscriber->dropped));
  }
  return ACL_SUCCESS;
}

void Deliver(const LoadedModel& model, const runtime::Executor& executor, const std::vector<runtime::StepTime>& times) {
  const std::shared_ptr<Subscriber> subscriber = FindSubscriber(model.info()->id);
  if (subscriber == nullptr) return;
  const std::lock_guard<std::mutex> lock(subscriber->mutex);
  if (subscriber->broken) return;
  Prepare(subscriber.get(), model, executor);
  if (subscriber->config.times) {
    for (size_t i = 0; i < subscriber->ops.size(); ++i) {
      subscriber->records[i].begin_ns = static_cast<uint64_t>(times[subscriber->ops[i].first_step].begin_ns);
      subscriber->records[i].end_ns = static_cast<uint64_t>(times[subscriber->ops[i].last_step].end_ns);
    }
  }
  const WithoutSigpipe guard;
  const size_t count = subscriber->records.size();
  for (size_t i = 0; i < count; i += kRecordsPerWrite) {
    const size_t some = std::min(kRecordsPerWrite, count - i);
    if (WriteRecords(subscriber->config.fd, &subscriber->records[i], some)) continue;
    subscriber->dropped += count - i;
    return;
  }
}

}  // namespace omkit::acl
