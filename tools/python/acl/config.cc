// acl.mdl: configuration handles, of loading and of execution.
#include <string>

#include "tools/python/acl/acl_module.h"

namespace omkit::pyacl {
namespace {

// The bytes that the C function takes for an attribute: of a number of the attribute's type, or of a text.
struct Value {
  int32_t number = 0;
  size_t size_or_address = 0;
  std::string text;
  const char* pointer = nullptr;
  const void* data = nullptr;
  size_t size = 0;
};

void UseInt32(const py::object& from, Value* value) {
  value->number = from.cast<int32_t>();
  value->data = &value->number;
  value->size = sizeof value->number;
}
// Sizes, and addresses, which Python holds as numbers.
void UseSize(const py::object& from, Value* value) {
  value->size_or_address = from.cast<size_t>();
  value->data = &value->size_or_address;
  value->size = sizeof value->size_or_address;
}
void UsePath(const py::object& from, Value* value) {
  value->text = from.cast<std::string>();
  value->pointer = value->text.c_str();
  value->data = &value->pointer;
  value->size = sizeof value->pointer;
}

void AddLoadConfig(py::module_ m) {
  m.def("create_config_handle", [] { return AddressOf(aclmdlCreateConfigHandle()); });
  m.def("destroy_config_handle", [](Address handle) { return aclmdlDestroyConfigHandle(At<aclmdlConfigHandle>(handle)); });
  m.def("set_config_opt", [](Address handle, int attribute, const py::object& from) {
    Value value;
    if (py::isinstance<py::str>(from)) UsePath(from, &value);
    else if (attribute == ACL_MDL_PRIORITY_INT32) UseInt32(from, &value);
    else UseSize(from, &value);
    return aclmdlSetConfigOpt(At<aclmdlConfigHandle>(handle), static_cast<aclmdlConfigAttr>(attribute), value.data, value.size);
  });
  m.def("load_with_config", [](Address handle) {
    uint32_t id = 0;
    aclError code = ACL_SUCCESS;
    {
      const OthersRun others;
      code = aclmdlLoadWithConfig(At<aclmdlConfigHandle>(handle), &id);
    }
    return py::make_tuple(id, code);
  });
}

void AddExecConfig(py::module_ m) {
  m.def("create_exec_config_handle", [] { return AddressOf(aclmdlCreateExecConfigHandle()); });
  m.def("destroy_exec_config_handle", [](Address handle) { return aclmdlDestroyExecConfigHandle(At<aclmdlExecConfigHandle>(handle)); });
  m.def("set_exec_config_opt", [](Address handle, int attribute, const py::object& from) {
    Value value;
    if (attribute == ACL_MDL_STREAM_SYNC_TIMEOUT || attribute == ACL_MDL_EVENT_SYNC_TIMEOUT) UseInt32(from, &value);
    else UseSize(from, &value);
    return aclmdlSetExecConfigOpt(At<aclmdlExecConfigHandle>(handle), static_cast<aclmdlExecConfigAttr>(attribute), value.data, value.size);
  });
  m.def("execute_v2", [](uint32_t id, Address inputs, Address outputs, Address stream, Address handle) {
    const OthersRun others;
    return aclmdlExecuteV2(id, At<aclmdlDataset>(inputs), At<aclmdlDataset>(outputs), At(stream), At<aclmdlExecConfigHandle>(handle));
  });
  m.def("execute_async_v2", [](uint32_t id, Address inputs, Address outputs, Address stream, Address handle) {
    const OthersRun others;
    return aclmdlExecuteAsyncV2(id, At<aclmdlDataset>(inputs), At<aclmdlDataset>(outputs), At(stream), At<aclmdlExecConfigHandle>(handle));
  });
}

}  // namespace

void AddConfig(py::module_ m) {
  AddLoadConfig(m);
  AddExecConfig(m);
}

}  // namespace omkit::pyacl
