#include <string>

#include "tools/python/acl/acl_module.h"

namespace omkit::pyacl {
namespace {

// (model id, code) from one of the loading functions.
template <typename Load>
py::tuple Loaded(const Load& load) {
  uint32_t id = 0;
  aclError code = ACL_SUCCESS;
  {
    const OthersRun others;
    code = load(&id);
  }
  return py::make_tuple(id, code);
}

void AddLoading(py::module_ m) {
  m.def("load_from_file", [](const std::string& path) { return Loaded([&](uint32_t* id) { return aclmdlLoadFromFile(path.c_str(), id); }); });
  m.def("load_from_mem", [](Address model, size_t size) { return Loaded([&](uint32_t* id) { return aclmdlLoadFromMem(At(model), size, id); }); });
  m.def("load_from_file_with_mem", [](const std::string& path, Address work, size_t work_size, Address weights, size_t weights_size) {
    return Loaded([&](uint32_t* id) { return aclmdlLoadFromFileWithMem(path.c_str(), id, At(work), work_size, At(weights), weights_size); });
  });
  m.def("load_from_mem_with_mem", [](Address model, size_t size, Address work, size_t work_size, Address weights, size_t weights_size) {
    return Loaded([&](uint32_t* id) { return aclmdlLoadFromMemWithMem(At(model), size, id, At(work), work_size, At(weights), weights_size); });
  });
  m.def("unload", [](uint32_t id) {
    const OthersRun others;
    return aclmdlUnload(id);
  });
  m.def("query_size", [](const std::string& path) {
    size_t work = 0, weights = 0;
    const aclError code = aclmdlQuerySize(path.c_str(), &work, &weights);
    return py::make_tuple(work, weights, code);
  });
  m.def("query_size_from_mem", [](Address model, size_t size) {
    size_t work = 0, weights = 0;
    const aclError code = aclmdlQuerySizeFromMem(At(model), size, &work, &weights);
    return py::make_tuple(work, weights, code);
  });
}

void AddDataset(py::module_ m) {
  m.def("create_dataset", [] { return AddressOf(aclmdlCreateDataset()); });
  m.def("destroy_dataset", [](Address dataset) { return aclmdlDestroyDataset(At<aclmdlDataset>(dataset)); });
  m.def("add_dataset_buffer", [](Address dataset, Address buffer) {
    const aclError code = aclmdlAddDatasetBuffer(At<aclmdlDataset>(dataset), At<aclDataBuffer>(buffer));
    return py::make_tuple(dataset, code);
  });
  m.def("get_dataset_num_buffers", [](Address dataset) { return aclmdlGetDatasetNumBuffers(At<aclmdlDataset>(dataset)); });
  m.def("get_dataset_buffer", [](Address dataset, size_t index) { return AddressOf(aclmdlGetDatasetBuffer(At<aclmdlDataset>(dataset), index)); });
  m.def("set_dataset_tensor_desc", [](Address dataset, Address desc, size_t index) {
    const aclError code = aclmdlSetDatasetTensorDesc(At<aclmdlDataset>(dataset), At<aclTensorDesc>(desc), index);
    return py::make_tuple(dataset, code);
  });
  m.def("get_dataset_tensor_desc",
        [](Address dataset, size_t index) { return AddressOf(aclmdlGetDatasetTensorDesc(At<aclmdlDataset>(dataset), index)); });
}

// Reads {'dims': [...]} or {'dimCount': n, 'dims': [...]}; false when a number does not fit.
bool ReadDims(const py::dict& from, aclmdlIODims* dims) {
  const py::sequence list = from["dims"];
  const size_t count = from.contains("dimCount") ? from["dimCount"].cast<size_t>() : py::len(list);
  if (count > ACL_MAX_DIM_CNT || count > py::len(list)) return false;
  *dims = aclmdlIODims{};
  dims->dimCount = count;
  for (size_t i = 0; i < count; ++i) dims->dims[i] = list[i].cast<int64_t>();
  return true;
}

void AddGears(py::module_ m) {
  m.def("set_dynamic_batch_size", [](uint32_t id, Address dataset, size_t index, uint64_t batch) {
    return aclmdlSetDynamicBatchSize(id, At<aclmdlDataset>(dataset), index, batch);
  });
  m.def("set_dynamic_hw_size", [](uint32_t id, Address dataset, size_t index, uint64_t height, uint64_t width) {
    return aclmdlSetDynamicHWSize(id, At<aclmdlDataset>(dataset), index, height, width);
  });
  m.def("set_input_dynamic_dims", [](uint32_t id, Address dataset, size_t index, const py::dict& dims) {
    aclmdlIODims c_dims;
    if (!ReadDims(dims, &c_dims)) return ACL_ERROR_INVALID_PARAM;
    return aclmdlSetInputDynamicDims(id, At<aclmdlDataset>(dataset), index, &c_dims);
  });
}

}  // namespace

void AddModel(py::module_ m) {
  AddLoading(m);
  AddDataset(m);
  AddGears(m);
  m.def("execute", [](uint32_t id, Address inputs, Address outputs) {
    const OthersRun others;
    return aclmdlExecute(id, At<aclmdlDataset>(inputs), At<aclmdlDataset>(outputs));
  });
  m.def("execute_async", [](uint32_t id, Address inputs, Address outputs, Address stream) {
    const OthersRun others;
    return aclmdlExecuteAsync(id, At<aclmdlDataset>(inputs), At<aclmdlDataset>(outputs), At(stream));
  });
}

}  // namespace omkit::pyacl
