#include <string>
#include <vector>

#include "tools/python/acl/acl_module.h"

namespace omkit::pyacl {
namespace {

py::list DimsList(const aclmdlIODims& dims) {
  py::list list;
  for (size_t i = 0; i < dims.dimCount && i < ACL_MAX_DIM_CNT; ++i) list.append(dims.dims[i]);
  return list;
}

py::dict DimsDict(const aclmdlIODims& dims) {
  py::dict dict;
  dict["name"] = Text(dims.name);
  dict["dimCount"] = dims.dimCount;
  dict["dims"] = DimsList(dims);
  return dict;
}

// Adds a function (desc, index) -> (dims, code).
void AddDims(py::module_ m, const char* name, aclError (*get)(const aclmdlDesc*, size_t, aclmdlIODims*)) {
  m.def(name, [get](Address desc, size_t index) {
    aclmdlIODims dims = {};
    const aclError code = get(At<aclmdlDesc>(desc), index, &dims);
    return py::make_tuple(DimsDict(dims), code);
  });
}

void AddIndexByName(py::module_ m, const char* name, aclError (*get)(const aclmdlDesc*, const char*, size_t*)) {
  m.def(name, [get](Address desc, const std::string& tensor) {
    size_t index = 0;
    const aclError code = get(At<aclmdlDesc>(desc), tensor.c_str(), &index);
    return py::make_tuple(index, code);
  });
}

void AddGearQueries(py::module_ m) {
  m.def("get_dynamic_batch", [](Address desc) {
    aclmdlBatch batch = {};
    const aclError code = aclmdlGetDynamicBatch(At<aclmdlDesc>(desc), &batch);
    py::list list;
    for (size_t i = 0; i < batch.batchCount; ++i) list.append(batch.batch[i]);
    py::dict dict;
    dict["batchCount"] = batch.batchCount;
    dict["batch"] = list;
    return py::make_tuple(dict, code);
  });
  m.def("get_dynamic_hw", [](Address desc, int64_t index) {
    aclmdlHW hw = {};
    const aclError code = aclmdlGetDynamicHW(At<aclmdlDesc>(desc), static_cast<size_t>(index), &hw);
    py::list list;
    for (size_t i = 0; i < hw.hwCount; ++i) {
      py::list pair;
      pair.append(hw.hw[i][0]);
      pair.append(hw.hw[i][1]);
      list.append(pair);
    }
    py::dict dict;
    dict["hwCount"] = hw.hwCount;
    dict["hw"] = list;
    return py::make_tuple(dict, code);
  });
  m.def("get_input_dynamic_gear_count", [](Address desc, int64_t index) {
    size_t count = 0;
    const aclError code = aclmdlGetInputDynamicGearCount(At<aclmdlDesc>(desc), static_cast<size_t>(index), &count);
    return py::make_tuple(count, code);
  });
  m.def("get_input_dynamic_dims", [](Address desc, int64_t index, size_t count) {
    if (count > ACL_MAX_SHAPE_COUNT) return py::make_tuple(py::list(), ACL_ERROR_INVALID_PARAM);
    std::vector<aclmdlIODims> gears(count + 1);
    const aclError code = aclmdlGetInputDynamicDims(At<aclmdlDesc>(desc), static_cast<size_t>(index), gears.data(), count);
    py::list list;
    for (size_t i = 0; i < count; ++i) list.append(DimsDict(gears[i]));
    return py::make_tuple(list, code);
  });
}

}  // namespace

void AddDescription(py::module_ m) {
  m.def("create_desc", [] { return AddressOf(aclmdlCreateDesc()); });
  m.def("destroy_desc", [](Address desc) { return aclmdlDestroyDesc(At<aclmdlDesc>(desc)); });
  m.def("get_desc", [](Address desc, uint32_t id) { return aclmdlGetDesc(At<aclmdlDesc>(desc), id); });
  m.def("get_num_inputs", [](Address desc) { return aclmdlGetNumInputs(At<aclmdlDesc>(desc)); });
  m.def("get_num_outputs", [](Address desc) { return aclmdlGetNumOutputs(At<aclmdlDesc>(desc)); });
  m.def("get_input_size_by_index", [](Address desc, size_t index) { return aclmdlGetInputSizeByIndex(At<aclmdlDesc>(desc), index); });
  m.def("get_output_size_by_index", [](Address desc, size_t index) { return aclmdlGetOutputSizeByIndex(At<aclmdlDesc>(desc), index); });
  AddDims(m, "get_input_dims", &aclmdlGetInputDims);
  AddDims(m, "get_input_dims_v2", &aclmdlGetInputDimsV2);
  AddDims(m, "get_output_dims", &aclmdlGetOutputDims);
  AddDims(m, "get_cur_output_dims", &aclmdlGetCurOutputDims);
  m.def("get_input_name_by_index", [](Address desc, size_t index) { return Text(aclmdlGetInputNameByIndex(At<aclmdlDesc>(desc), index)); });
  m.def("get_output_name_by_index", [](Address desc, size_t index) { return Text(aclmdlGetOutputNameByIndex(At<aclmdlDesc>(desc), index)); });
  m.def("get_input_data_type", [](Address desc, size_t index) { return static_cast<int>(aclmdlGetInputDataType(At<aclmdlDesc>(desc), index)); });
  m.def("get_output_data_type", [](Address desc, size_t index) { return static_cast<int>(aclmdlGetOutputDataType(At<aclmdlDesc>(desc), index)); });
  m.def("get_input_format", [](Address desc, size_t index) { return static_cast<int>(aclmdlGetInputFormat(At<aclmdlDesc>(desc), index)); });
  m.def("get_output_format", [](Address desc, size_t index) { return static_cast<int>(aclmdlGetOutputFormat(At<aclmdlDesc>(desc), index)); });
  AddIndexByName(m, "get_input_index_by_name", &aclmdlGetInputIndexByName);
  AddIndexByName(m, "get_output_index_by_name", &aclmdlGetOutputIndexByName);
  AddGearQueries(m);
}

}  // namespace omkit::pyacl
