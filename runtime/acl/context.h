// The process, its device and the contexts of threads: who has initialised what. Every exported function that needs the library started
// or a context asks here first.
#ifndef OMKIT_RUNTIME_ACL_CONTEXT_H_
#define OMKIT_RUNTIME_ACL_CONTEXT_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "acl/acl.h"
#include "runtime/acl/config.h"
#include "runtime/acl/slot_table.h"
#include "runtime/acl/stream.h"

namespace omkit::acl {

constexpr int32_t kDeviceCount = 1;

class Context {
 public:
  Context(int32_t device, bool is_default) : device_(device), is_default_(is_default) {}
  int32_t device() const { return device_; }
  bool is_default() const { return is_default_; }

  // `self` is the context's handle. nullptr when no handle is left.
  void* CreateStream(const void* self);
  std::shared_ptr<Stream> DefaultStream(const void* self);
  // Streams of this context that live, the default one included.
  std::vector<std::shared_ptr<Stream>> Streams();
  // Forgets a stream that was destroyed.
  void Forget(const void* stream);
  // Closes and ends all streams.
  void Close();

 private:
  const int32_t device_;
  const bool is_default_;
  std::mutex mutex_;
  std::shared_ptr<Stream> default_stream_;
  std::vector<void*> streams_;
};

using ContextTable = SlotTable<Context, HandleType::kContext>;

// The context of the calling thread.
struct CurrentContext {
  void* handle = nullptr;
  std::shared_ptr<Context> context;
};

// ACL_ERROR_UNINITIALIZE when aclInit was not called, or in a child after fork().
aclError NeedInit();
// NeedInit and a live context of this thread; ACL_ERROR_RT_CONTEXT_NULL otherwise.
aclError NeedContext(CurrentContext* current);
aclError NeedContext();
// ACL_ERROR_RT_PARAM_INVALID on a stream's thread, which must not wait for streams.
aclError NeedOtherThread();
// The stream behind a handle, or the current context's default stream for nullptr.
aclError UseStream(void* handle, std::shared_ptr<Stream>* stream);
// Appends a task; ACL_ERROR_RT_INVALID_HANDLE when the stream is being destroyed.
// `task_id` (may be null) receives its number.
aclError PushTask(const std::shared_ptr<Stream>& stream, Stream::Task task, uint32_t* task_id = nullptr);
// Waits for streams of a context and passes on the first error of their tasks.
aclError SynchronizeStreams(const std::vector<std::shared_ptr<Stream>>& streams, int32_t timeout_ms);

// The process: reference counted by aclInit. The callers hold no lock.
aclError InitializeProcess(const Config& config);
aclError FinalizeProcess(bool all_references, uint64_t* left);

aclError SetDevice(int32_t device);
aclError ResetDevice(int32_t device, bool force);
aclError CheckDevice(int32_t device);

aclError CreateContext(int32_t device, void** handle);
aclError DestroyContext(void* handle);
void SetCurrentContext(void* handle);

}  // namespace omkit::acl

#endif  // OMKIT_RUNTIME_ACL_CONTEXT_H_
