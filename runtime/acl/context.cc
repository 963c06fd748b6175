#include "runtime/acl/context.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>

#include "runtime/acl/dump.h"
#include "runtime/acl/errors.h"
#include "runtime/acl/model.h"
#include "runtime/acl/profiling.h"

namespace omkit::acl {
namespace {

struct Process {
  std::mutex mutex;
  uint64_t references = 0;  // aclInit calls not taken back
  uint64_t device_sets = 0;
  void* default_context = nullptr;
  Config config;
};

Process& TheProcess() {
  static Process* const process = new Process;
  return *process;
}

std::atomic<bool> initialized{false};
std::atomic<bool> forked{false};
std::atomic<int32_t> default_device{-1};
std::atomic<uint32_t> next_stream_id{0};
thread_local void* current_context = nullptr;

void WatchForks() {
  static const int once = pthread_atfork(nullptr, nullptr, [] { forked = true; });
  static_cast<void>(once);
}

// Milliseconds left until `end`; -1 stays -1.
int32_t Left(int32_t timeout_ms, std::chrono::steady_clock::time_point end) {
  if (timeout_ms < 0) return -1;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
  return static_cast<int32_t>(std::max<int64_t>(0, left));
}

// Dumps and profiles that aclInit's file or msprof ask for. msprof's profile goes on over aclFinalize until the process ends.
aclError StartRecorders(const Config& config) {
  if (config.dumps) {
    ACL_RETURN_IF_ERROR(PrepareDump(true));
    if (const aclError error = SetDump(config.dump); error != ACL_SUCCESS) {
      StopDumps();
      return error;
    }
  }
  aclError error = ProfileRunsFor(ProfileSource::kTool) ? ACL_SUCCESS : BeginToolProfile();
  if (error == ACL_SUCCESS && config.profiles && !ProfileRunsFor(ProfileSource::kTool)) {
    error = BeginProfile(config.profile_folder, ProfileSource::kConfig, config.profile);
    if (error == ACL_ERROR_INVALID_FILE) error = Fail(ACL_ERROR_INVALID_PROFILING_CONFIG, "'profiler': \"output\" must be a folder to write to");
  }
  if (error != ACL_SUCCESS) StopDumps();
  return error;
}

void CloseContext(void* handle) {
  if (const std::shared_ptr<Context> context = ContextTable::Get().Remove(handle)) context->Close();
}

// The default context; made when it does not live. Call with the process's mutex held.
aclError DefaultContext(Process* process, int32_t device) {
  if (process->default_context != nullptr && ContextTable::Get().Find(process->default_context) != nullptr) return ACL_SUCCESS;
  process->default_context = ContextTable::Get().Add(std::make_shared<Context>(device, true));
  if (process->default_context == nullptr) return Fail(ACL_ERROR_RT_OVER_LIMIT, "too many contexts");
  return ACL_SUCCESS;
}

}  // namespace

void* Context::CreateStream(const void* self) {
  auto stream = std::make_shared<Stream>(next_stream_id++, self);
  const std::lock_guard<std::mutex> lock(mutex_);
  streams_.reserve(streams_.size() + 1);
  void* const handle = StreamTable::Get().Add(std::move(stream));
  if (handle != nullptr) streams_.push_back(handle);
  return handle;
}

void Context::Forget(const void* stream) {
  const std::lock_guard<std::mutex> lock(mutex_);
  streams_.erase(std::remove(streams_.begin(), streams_.end(), stream), streams_.end());
}

std::shared_ptr<Stream> Context::DefaultStream(const void* self) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (default_stream_ == nullptr) default_stream_ = std::make_shared<Stream>(next_stream_id++, self);
  return default_stream_;
}

std::vector<std::shared_ptr<Stream>> Context::Streams() {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<std::shared_ptr<Stream>> streams;
  if (default_stream_ != nullptr) streams.push_back(default_stream_);
  for (void* handle : streams_) {
    if (auto stream = StreamTable::Get().Find(handle)) streams.push_back(std::move(stream));
  }
  return streams;
}

void Context::Close() {
  const std::vector<std::shared_ptr<Stream>> streams = Streams();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (void* handle : streams_) StreamTable::Get().Remove(handle);
    streams_.clear();
  }
  for (const auto& stream : streams) stream->Close(false);
}

aclError NeedInit() {
  if (forked) return Fail(ACL_ERROR_UNINITIALIZE, "this process is a fork of one that used the library; start programs instead of forking");
  if (!initialized) return Fail(ACL_ERROR_UNINITIALIZE, "the library is not initialised");
  return ACL_SUCCESS;
}

aclError NeedContext(CurrentContext* current) {
  ACL_RETURN_IF_ERROR(NeedInit());
  current->handle = current_context;
  current->context = ContextTable::Get().Find(current_context);
  if (current->context != nullptr) return ACL_SUCCESS;
  if (default_device >= 0 && current_context == nullptr) {
    Process& process = TheProcess();
    const std::lock_guard<std::mutex> lock(process.mutex);
    ACL_RETURN_IF_ERROR(DefaultContext(&process, default_device));
    current_context = current->handle = process.default_context;
    current->context = ContextTable::Get().Find(current_context);
    if (current->context != nullptr) return ACL_SUCCESS;
  }
  if (current_context != nullptr) return Fail(ACL_ERROR_RT_CONTEXT_NULL, "the context of this thread was destroyed");
  return Fail(ACL_ERROR_RT_CONTEXT_NULL, "this thread has no context");
}

aclError NeedContext() {
  CurrentContext current;
  return NeedContext(&current);
}

aclError NeedOtherThread() {
  if (Stream::OnStreamThread()) return Fail(ACL_ERROR_RT_PARAM_INVALID, "a function that runs on a stream must not wait for streams");
  return ACL_SUCCESS;
}

aclError UseStream(aclrtStream handle, std::shared_ptr<Stream>* stream) {
  CurrentContext current;
  ACL_RETURN_IF_ERROR(NeedContext(&current));
  if (handle == nullptr) {
    *stream = current.context->DefaultStream(current.handle);
    return ACL_SUCCESS;
  }
  *stream = StreamTable::Get().Find(handle);
  if (*stream == nullptr) return Fail(ACL_ERROR_RT_INVALID_HANDLE, "%p is not a live stream", handle);
  if ((*stream)->context() != current.handle) return Fail(ACL_ERROR_RT_STREAM_CONTEXT, "stream %u belongs to another context", (*stream)->id());
  return ACL_SUCCESS;
}

aclError PushTask(const std::shared_ptr<Stream>& stream, Stream::Task task, uint32_t* task_id) {
  if (stream->Push(std::move(task), task_id)) return ACL_SUCCESS;
  return Fail(ACL_ERROR_RT_INVALID_HANDLE, "stream %u is being destroyed", stream->id());
}

aclError SynchronizeStreams(const std::vector<std::shared_ptr<Stream>>& streams, int32_t timeout_ms) {
  if (timeout_ms < -1) return Fail(ACL_ERROR_RT_PARAM_INVALID, "timeout is %d; -1 waits for ever", timeout_ms);
  ACL_RETURN_IF_ERROR(NeedOtherThread());
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(std::max(0, timeout_ms));
  aclError first = ACL_SUCCESS;
  std::string first_message;
  for (const auto& stream : streams) {
    aclError error = ACL_SUCCESS;
    std::string message;
    if (!stream->Synchronize(Left(timeout_ms, end), &error, &message)) {
      return Fail(ACL_ERROR_RT_WAIT_TIMEOUT, "stream %u has not finished after %d ms", stream->id(), timeout_ms);
    }
    if (error != ACL_SUCCESS && first == ACL_SUCCESS) {
      first = error;
      first_message = std::move(message);
    }
  }
  if (first != ACL_SUCCESS) PutMessage(first_message.c_str());
  return first;
}

aclError InitializeProcess(const Config& config) {
  WatchForks();
  Process& process = TheProcess();
  const std::lock_guard<std::mutex> lock(process.mutex);
  if (process.references++ > 0) {
    return Fail(ACL_ERROR_REPEAT_INITIALIZE, "already initialised (%llu times now)", static_cast<unsigned long long>(process.references));
  }
  // The library does not start when what the file asks for cannot be done.
  if (const aclError error = StartRecorders(config); error != ACL_SUCCESS) {
    process.references = 0;
    return error;
  }
  process.config = config;
  SetProcessMessages(config.process_messages);
  default_device = config.default_device;
  initialized = true;
  return ACL_SUCCESS;
}

aclError FinalizeProcess(bool all_references, uint64_t* left) {
  if (forked) return ACL_SUCCESS;
  ACL_RETURN_IF_ERROR(NeedOtherThread());
  Process& process = TheProcess();
  {
    const std::lock_guard<std::mutex> lock(process.mutex);
    if (process.references == 0) return Fail(ACL_ERROR_REPEAT_FINALIZE, "the library is not initialised");
    process.references = all_references ? 0 : process.references - 1;
    if (left != nullptr) *left = process.references;
    if (process.references > 0) return ACL_SUCCESS;
    initialized = false;
    default_device = -1;
    process.default_context = nullptr;
    process.device_sets = 0;
  }
  for (const auto& context : ContextTable::Get().RemoveAll()) context->Close();
  EventTable::Get().RemoveAll();
  UnloadAllModels();
  StopDumps();
  aclError written = ACL_SUCCESS;
  for (const ProfileSource source : {ProfileSource::kApi, ProfileSource::kConfig}) {
    if (ProfileRunsFor(source)) written = EndProfile(source);
  }
  Stream::SetFailureHandler(nullptr);
  SetProcessMessages(false);
  return written;
}

aclError CheckDevice(int32_t device) {
  if (device >= 0 && device < kDeviceCount) return ACL_SUCCESS;
  return Fail(ACL_ERROR_RT_INVALID_DEVICEID, "device %d does not exist; there is device 0 only", device);
}

aclError SetDevice(int32_t device) {
  Process& process = TheProcess();
  const std::lock_guard<std::mutex> lock(process.mutex);
  ACL_RETURN_IF_ERROR(DefaultContext(&process, device));
  ++process.device_sets;
  current_context = process.default_context;
  return ACL_SUCCESS;
}

aclError ResetDevice(int32_t device, bool force) {
  ACL_RETURN_IF_ERROR(NeedOtherThread());
  Process& process = TheProcess();
  void* handle = nullptr;
  {
    const std::lock_guard<std::mutex> lock(process.mutex);
    if (process.default_context == nullptr) return Fail(ACL_ERROR_RT_INVALID_DEVICEID, "device %d was not set", device);
    handle = process.default_context;
    if (force || process.device_sets <= 1) {
      process.device_sets = 0;
      process.default_context = nullptr;
    } else {
      --process.device_sets;
      handle = nullptr;
    }
  }
  if (handle == nullptr) return ACL_SUCCESS;
  if (current_context == handle) current_context = nullptr;
  CloseContext(handle);
  return ACL_SUCCESS;
}

aclError CreateContext(int32_t device, void** handle) {
  *handle = ContextTable::Get().Add(std::make_shared<Context>(device, false));
  if (*handle == nullptr) return Fail(ACL_ERROR_RT_OVER_LIMIT, "too many contexts");
  current_context = *handle;
  return ACL_SUCCESS;
}

aclError DestroyContext(void* handle) {
  const std::shared_ptr<Context> context = ContextTable::Get().Find(handle);
  if (context == nullptr) return Fail(ACL_ERROR_RT_INVALID_HANDLE, "%p is not a live context", handle);
  if (context->is_default()) return Fail(ACL_ERROR_RT_PARAM_INVALID, "the default context belongs to the device; aclrtResetDevice destroys it");
  ACL_RETURN_IF_ERROR(NeedOtherThread());
  if (current_context == handle) current_context = nullptr;
  CloseContext(handle);
  return ACL_SUCCESS;
}

void SetCurrentContext(void* handle) { current_context = handle; }

}  // namespace omkit::acl
