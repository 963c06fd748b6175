#include <pybind11/stl.h>

#include <string>
#include <vector>

#include "tools/python/acl/acl_module.h"

namespace omkit::pyacl {
namespace {

void AddBuffer(py::module_ m) {
  m.def("create_data_buffer", [](Address data, size_t size) { return AddressOf(aclCreateDataBuffer(At(data), size)); });
  m.def("destroy_data_buffer", [](Address buffer) { return aclDestroyDataBuffer(At<aclDataBuffer>(buffer)); });
  m.def("update_data_buffer",
        [](Address buffer, Address data, size_t size) { return aclUpdateDataBuffer(At<aclDataBuffer>(buffer), At(data), size); });
  m.def("get_data_buffer_addr", [](Address buffer) { return AddressOf(aclGetDataBufferAddr(At<aclDataBuffer>(buffer))); });
  m.def("get_data_buffer_size", [](Address buffer) { return aclGetDataBufferSize(At<aclDataBuffer>(buffer)); });
  m.def("get_data_buffer_size_v2", [](Address buffer) { return aclGetDataBufferSizeV2(At<aclDataBuffer>(buffer)); });
}

}  // namespace

void AddTensor(py::module_ m) {
  AddBuffer(m);
  m.def("data_type_size", [](int type) { return aclDataTypeSize(static_cast<aclDataType>(type)); });
  m.def("create_tensor_desc", [](int type, const std::vector<int64_t>& dims, int format) {
    return AddressOf(aclCreateTensorDesc(static_cast<aclDataType>(type), static_cast<int>(dims.size()), dims.data(), static_cast<aclFormat>(format)));
  });
  m.def("destroy_tensor_desc", [](Address desc) { aclDestroyTensorDesc(At<aclTensorDesc>(desc)); });
  m.def("get_tensor_desc_type", [](Address desc) { return static_cast<int>(aclGetTensorDescType(At<aclTensorDesc>(desc))); });
  m.def("get_tensor_desc_format", [](Address desc) { return static_cast<int>(aclGetTensorDescFormat(At<aclTensorDesc>(desc))); });
  m.def("get_tensor_desc_size", [](Address desc) { return aclGetTensorDescSize(At<aclTensorDesc>(desc)); });
  m.def("get_tensor_desc_element_count", [](Address desc) { return aclGetTensorDescElementCount(At<aclTensorDesc>(desc)); });
  m.def("get_tensor_desc_num_dims", [](Address desc) { return aclGetTensorDescNumDims(At<aclTensorDesc>(desc)); });
  m.def("get_tensor_desc_dim", [](Address desc, size_t index) { return aclGetTensorDescDim(At<aclTensorDesc>(desc), index); });
  m.def("get_tensor_desc_dim_v2", [](Address desc, size_t index) {
    int64_t dim = -1;
    const aclError code = aclGetTensorDescDimV2(At<aclTensorDesc>(desc), index, &dim);
    return py::make_tuple(dim, code);
  });
  m.def("get_tensor_desc_name", [](Address desc) { return Text(aclGetTensorDescName(At<aclTensorDesc>(desc))); });
  m.def("set_tensor_desc_name", [](Address desc, const std::string& name) { aclSetTensorDescName(At<aclTensorDesc>(desc), name.c_str()); });
  m.def("set_tensor_format", [](Address desc, int format) { return aclSetTensorFormat(At<aclTensorDesc>(desc), static_cast<aclFormat>(format)); });
  m.def("set_tensor_shape", [](Address desc, const std::vector<int64_t>& dims) {
    return aclSetTensorShape(At<aclTensorDesc>(desc), static_cast<int>(dims.size()), dims.data());
  });
}

}  // namespace omkit::pyacl
