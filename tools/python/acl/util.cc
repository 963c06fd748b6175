#include <pthread.h>
#include <pybind11/numpy.h>

#include <cstring>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "tools/python/acl/acl_module.h"

namespace omkit::pyacl {
namespace {

// Scripts write bytes_to_ptr(array.tobytes()) and use the address in the next line: the last few objects stay alive.
constexpr size_t kBytesKept = 16;

void AddArrays(py::module_ m) {
  m.def("numpy_to_ptr", [](const py::array& array) { return AddressOf(array.data()); });
  m.def("ptr_to_numpy", [](Address memory, const py::tuple& shape, int type) -> py::object {
    std::vector<py::ssize_t> dims;
    for (const py::handle dim : shape) dims.push_back(dim.cast<py::ssize_t>());
    // With a base object numpy does not copy; the memory stays the caller's.
    return py::array(py::dtype(type), dims, At(memory), py::capsule(At(memory), [](void*) {}));
  });
  m.def("bytes_to_ptr", [](const py::bytes& bytes) {
    static auto* const kept = new std::deque<py::bytes>();  // never destroyed: the interpreter may be gone by then
    kept->push_back(bytes);
    if (kept->size() > kBytesKept) kept->pop_front();
    return AddressOf(PyBytes_AS_STRING(bytes.ptr()));
  });
  m.def("ptr_to_bytes", [](Address memory, size_t size) { return py::bytes(At<const char>(memory), size); });
}

struct ThreadStart {
  py::object function;
  py::object argument;
};

void* RunThread(void* data) {
  const py::gil_scoped_acquire lock;
  const std::unique_ptr<ThreadStart> start(static_cast<ThreadStart*>(data));
  PyObject* result = PyObject_CallFunctionObjArgs(start->function.ptr(), start->argument.ptr(), nullptr);
  if (result == nullptr) PyErr_WriteUnraisable(start->function.ptr());
  Py_XDECREF(result);
  start->function = py::object();
  start->argument = py::object();
  return nullptr;
}

// Threads known to subscribe_report by their pthread id.
void AddThreads(py::module_ m) {
  m.def("start_thread", [](py::object function, py::object argument) {
    auto start = std::make_unique<ThreadStart>(ThreadStart{std::move(function), std::move(argument)});
    pthread_t thread = 0;
    if (pthread_create(&thread, nullptr, RunThread, start.get()) != 0) return py::make_tuple(0, ACL_ERROR_FAILURE);
    start.release();
    return py::make_tuple(static_cast<uint64_t>(thread), ACL_SUCCESS);
  });
  // Waits for the function to return.
  m.def("stop_thread", [](uint64_t thread) {
    const OthersRun others;
    return pthread_join(static_cast<pthread_t>(thread), nullptr) == 0 ? ACL_SUCCESS : ACL_ERROR_INVALID_PARAM;
  });
}

}  // namespace

void AddUtil(py::module_ m) {
  AddArrays(m);
  AddThreads(m);
}

}  // namespace omkit::pyacl
