#include <memory>

#include "tools/python/acl/acl_module.h"

namespace omkit::pyacl {
namespace {

void AddDevice(py::module_ m) {
  m.def("set_device", &aclrtSetDevice);
  m.def("reset_device", [](int32_t device) {
    const OthersRun others;
    return aclrtResetDevice(device);
  });
  m.def("get_device", [] {
    int32_t device = 0;
    const aclError code = aclrtGetDevice(&device);
    return py::make_tuple(device, code);
  });
  m.def("get_device_count", [] {
    uint32_t count = 0;
    const aclError code = aclrtGetDeviceCount(&count);
    return py::make_tuple(count, code);
  });
  m.def("get_run_mode", [] {
    aclrtRunMode mode = ACL_HOST;
    const aclError code = aclrtGetRunMode(&mode);
    return py::make_tuple(static_cast<int>(mode), code);
  });
  m.def("get_version", [] {
    int32_t major = 0, minor = 0, patch = 0;
    const aclError code = aclrtGetVersion(&major, &minor, &patch);
    return py::make_tuple(major, minor, patch, code);
  });
  m.def("synchronize_device", [] {
    const OthersRun others;
    return aclrtSynchronizeDevice();
  });
  m.def("create_context", [](int32_t device) {
    aclrtContext context = nullptr;
    const aclError code = aclrtCreateContext(&context, device);
    return py::make_tuple(AddressOf(context), code);
  });
  m.def("destroy_context", [](Address context) {
    const OthersRun others;
    return aclrtDestroyContext(At(context));
  });
  m.def("set_context", [](Address context) { return aclrtSetCurrentContext(At(context)); });
  m.def("get_context", [](const py::args&) {
    aclrtContext context = nullptr;
    const aclError code = aclrtGetCurrentContext(&context);
    return py::make_tuple(AddressOf(context), code);
  });
}

void AddStream(py::module_ m) {
  m.def("create_stream", [] {
    aclrtStream stream = nullptr;
    const aclError code = aclrtCreateStream(&stream);
    return py::make_tuple(AddressOf(stream), code);
  });
  m.def("destroy_stream", [](Address stream) {
    const OthersRun others;
    return aclrtDestroyStream(At(stream));
  });
  m.def("synchronize_stream", [](Address stream) {
    const OthersRun others;
    return aclrtSynchronizeStream(At(stream));
  });
  m.def("stream_wait_event", [](Address stream, Address event) { return aclrtStreamWaitEvent(At(stream), At(event)); });
  m.def("create_event", [] {
    aclrtEvent event = nullptr;
    const aclError code = aclrtCreateEvent(&event);
    return py::make_tuple(AddressOf(event), code);
  });
  m.def("destroy_event", [](Address event) { return aclrtDestroyEvent(At(event)); });
  m.def("record_event", [](Address event, Address stream) { return aclrtRecordEvent(At(event), At(stream)); });
  m.def("reset_event", [](Address event, Address stream) { return aclrtResetEvent(At(event), At(stream)); });
  m.def("query_event", [](Address event) {
    aclrtEventStatus status = ACL_EVENT_STATUS_NOT_READY;
    const aclError code = aclrtQueryEvent(At(event), &status);
    return py::make_tuple(static_cast<int>(status), code);
  });
  m.def("query_event_status", [](Address event) {
    aclrtEventRecordedStatus status = ACL_EVENT_RECORDED_STATUS_NOT_READY;
    const aclError code = aclrtQueryEventStatus(At(event), &status);
    return py::make_tuple(static_cast<int>(status), code);
  });
  m.def("synchronize_event", [](Address event) {
    const OthersRun others;
    return aclrtSynchronizeEvent(At(event));
  });
  m.def("event_elapsed_time", [](Address start, Address end) {
    float ms = 0;
    const aclError code = aclrtEventElapsedTime(&ms, At(start), At(end));
    return py::make_tuple(ms, code);
  });
}

// A Python function and its argument on their way through a stream.
struct Callback {
  py::object function;
  py::object argument;
};

// Called by aclrtProcessReport, in whichever thread waits there without the interpreter's lock. What the function raises is printed, as
// there is no caller who could catch it.
void RunCallback(void* data) {
  const py::gil_scoped_acquire lock;
  const std::unique_ptr<Callback> callback(static_cast<Callback*>(data));
  PyObject* result = PyObject_CallFunctionObjArgs(callback->function.ptr(), callback->argument.ptr(), nullptr);
  if (result == nullptr) PyErr_WriteUnraisable(callback->function.ptr());
  Py_XDECREF(result);
}

void AddCallbacks(py::module_ m) {
  m.def("subscribe_report", [](uint64_t thread, Address stream) { return aclrtSubscribeReport(thread, At(stream)); });
  m.def("unsubscribe_report", [](uint64_t thread, Address stream) {
    const OthersRun others;
    return aclrtUnSubscribeReport(thread, At(stream));
  });
  m.def("launch_callback", [](py::object function, py::object argument, int block_type, Address stream) {
    auto callback = std::make_unique<Callback>(Callback{std::move(function), std::move(argument)});
    const aclError code = aclrtLaunchCallback(RunCallback, callback.get(), static_cast<aclrtCallbackBlockType>(block_type), At(stream));
    if (code == ACL_SUCCESS) callback.release();
    return code;
  });
  m.def("process_report", [](int32_t timeout) {
    const OthersRun others;
    return aclrtProcessReport(timeout);
  });
}

// (address, code) from one of the functions that allocate.
template <typename Allocate>
py::tuple Allocated(const Allocate& allocate) {
  void* memory = nullptr;
  aclError code = ACL_SUCCESS;
  {
    const OthersRun others;
    code = allocate(&memory);
  }
  return py::make_tuple(AddressOf(memory), code);
}

void AddMemory(py::module_ m) {
  m.def("malloc", [](size_t size, int policy) {
    return Allocated([&](void** memory) { return aclrtMalloc(memory, size, static_cast<aclrtMemMallocPolicy>(policy)); });
  });
  m.def("malloc_cached", [](size_t size, int policy) {
    return Allocated([&](void** memory) { return aclrtMallocCached(memory, size, static_cast<aclrtMemMallocPolicy>(policy)); });
  });
  m.def("malloc_host", [](size_t size) { return Allocated([&](void** memory) { return aclrtMallocHost(memory, size); }); });
  m.def("free", [](Address memory) {
    const OthersRun others;
    return aclrtFree(At(memory));
  });
  m.def("free_host", [](Address memory) { return aclrtFreeHost(At(memory)); });
  m.def("mem_flush", [](Address memory, size_t size) { return aclrtMemFlush(At(memory), size); });
  m.def("mem_invalidate", [](Address memory, size_t size) { return aclrtMemInvalidate(At(memory), size); });
  m.def("memcpy", [](Address to, size_t most, Address from, size_t count, int kind) {
    const OthersRun others;
    return aclrtMemcpy(At(to), most, At(from), count, static_cast<aclrtMemcpyKind>(kind));
  });
  m.def("memcpy_async", [](Address to, size_t most, Address from, size_t count, int kind, Address stream) {
    return aclrtMemcpyAsync(At(to), most, At(from), count, static_cast<aclrtMemcpyKind>(kind), At(stream));
  });
  m.def("memset", [](Address memory, size_t most, int32_t value, size_t count) {
    const OthersRun others;
    return aclrtMemset(At(memory), most, value, count);
  });
  m.def("memset_async", [](Address memory, size_t most, int32_t value, size_t count, Address stream) {
    return aclrtMemsetAsync(At(memory), most, value, count, At(stream));
  });
  m.def("get_mem_info", [](int attribute) {
    size_t free = 0, total = 0;
    const aclError code = aclrtGetMemInfo(static_cast<aclrtMemAttr>(attribute), &free, &total);
    return py::make_tuple(free, total, code);
  });
}

}  // namespace

void AddRuntime(py::module_ m) {
  AddDevice(m);
  AddStream(m);
  AddCallbacks(m);
  AddMemory(m);
}

}  // namespace omkit::pyacl
