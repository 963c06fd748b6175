// The Python module `acl`: the AscendCL C API in pyACL's forms. Floor 5; each file adds one submodule, acl_module.cc puts them together.
//
// A function of the C API becomes a function in snake case. Handles and addresses are ints; results come first and the error code
// last, as a tuple when there are several. Nothing raises but wrong argument types. Calls that may wait or work for long let other
// Python threads run.
#ifndef OMKIT_TOOLS_PYTHON_ACL_ACL_MODULE_H_
#define OMKIT_TOOLS_PYTHON_ACL_ACL_MODULE_H_

#include <pybind11/pybind11.h>

#include <cstdint>

#include "acl/acl.h"

namespace omkit::pyacl {

namespace py = pybind11;

// What Python holds of a handle or an address.
using Address = uintptr_t;

template <typename T = void>
T* At(Address address) {
  return reinterpret_cast<T*>(address);  // NOLINT(performance-no-int-to-ptr)
}
inline Address AddressOf(const void* pointer) { return reinterpret_cast<Address>(pointer); }
// Names are bytes of a file: no exception for those that are not UTF-8.
inline py::object Text(const char* text) {
  if (text == nullptr) return py::str("");
  return py::reinterpret_steal<py::object>(PyUnicode_DecodeUTF8(text, static_cast<Py_ssize_t>(std::char_traits<char>::length(text)), "replace"));
}

// While it lives, other Python threads run.
using OthersRun = py::gil_scoped_release;

void AddRuntime(py::module_ m);      // acl.rt: devices, contexts, streams, events, callbacks, memory
void AddModel(py::module_ m);        // acl.mdl: loading and execution
void AddDescription(py::module_ m);  // acl.mdl: what a model's inputs and outputs are
void AddAipp(py::module_ m);         // acl.mdl: image preprocessing
void AddConfig(py::module_ m);       // acl.mdl: configuration handles
void AddProfiling(py::module_ m);    // acl.prof
void AddTensor(py::module_ m);       // acl: data buffers and tensor descriptions
void AddUtil(py::module_ m);         // acl.util: addresses and arrays, threads

}  // namespace omkit::pyacl

#endif  // OMKIT_TOOLS_PYTHON_ACL_ACL_MODULE_H_
