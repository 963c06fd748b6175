// acl.mdl: parameters of dynamic AIPP, and what models say of their AIPP.
#include <memory>

#include "tools/python/acl/acl_module.h"

namespace omkit::pyacl {
namespace {

// Adds a function whose first argument is a parameter set and whose others are numbers as in C.
template <typename... Numbers>
void AddSetter(py::module_ m, const char* name, aclError (*set)(aclmdlAIPP*, Numbers...)) {
  m.def(name, [set](Address aipp, Numbers... numbers) { return set(At<aclmdlAIPP>(aipp), numbers...); });
}

void AddParameters(py::module_ m) {
  m.def("create_aipp", [](uint64_t batch) { return AddressOf(aclmdlCreateAIPP(batch)); });
  m.def("destroy_aipp", [](Address aipp) { return aclmdlDestroyAIPP(At<aclmdlAIPP>(aipp)); });
  m.def("get_aipp_data_size", [](uint64_t batch) {
    size_t size = 0;
    const aclError code = aclmdlGetAippDataSize(batch, &size);
    return py::make_tuple(size, code);
  });
  m.def("set_aipp_input_format",
        [](Address aipp, int format) { return aclmdlSetAIPPInputFormat(At<aclmdlAIPP>(aipp), static_cast<aclAippInputFormat>(format)); });
  AddSetter(m, "set_aipp_csc_params", &aclmdlSetAIPPCscParams);
  AddSetter(m, "set_aipp_rbuv_swap_switch", &aclmdlSetAIPPRbuvSwapSwitch);
  AddSetter(m, "set_aipp_ax_swap_switch", &aclmdlSetAIPPAxSwapSwitch);
  AddSetter(m, "set_aipp_src_image_size", &aclmdlSetAIPPSrcImageSize);
  AddSetter(m, "set_aipp_scf_params", &aclmdlSetAIPPScfParams);
  AddSetter(m, "set_aipp_crop_params", &aclmdlSetAIPPCropParams);
  AddSetter(m, "set_aipp_padding_params", &aclmdlSetAIPPPaddingParams);
  AddSetter(m, "set_aipp_dtc_pixel_mean", &aclmdlSetAIPPDtcPixelMean);
  AddSetter(m, "set_aipp_dtc_pixel_min", &aclmdlSetAIPPDtcPixelMin);
  AddSetter(m, "set_aipp_pixel_var_reci", &aclmdlSetAIPPPixelVarReci);
  m.def("set_input_aipp", [](uint32_t id, Address dataset, size_t index, Address aipp) {
    return aclmdlSetInputAIPP(id, At<aclmdlDataset>(dataset), index, At<aclmdlAIPP>(aipp));
  });
  m.def("set_aipp_by_input_index", [](uint32_t id, Address dataset, size_t index, Address aipp) {
    return aclmdlSetAIPPByInputIndex(id, At<aclmdlDataset>(dataset), index, At<aclmdlAIPP>(aipp));
  });
}

py::list Numbers(const aclmdlIODims& dims) {
  py::list list;
  for (size_t i = 0; i < dims.dimCount && i < ACL_MAX_DIM_CNT; ++i) list.append(dims.dims[i]);
  return list;
}

// The fields of the C struct by their names.
py::dict InfoDict(const aclAippInfo& info) {
  using namespace pybind11::literals;
  py::list shapes;
  for (size_t i = 0; i < info.shapeCount && i < ACL_MAX_SHAPE_COUNT; ++i) {
    const aclAippDims& d = info.outDims[i];
    shapes.append(py::dict("srcDims"_a = Numbers(d.srcDims), "srcSize"_a = d.srcSize, "aippOutdims"_a = Numbers(d.aippOutdims),
                           "aippOutSize"_a = d.aippOutSize));
  }
  py::dict dict("inputFormat"_a = static_cast<int>(info.inputFormat), "srcImageSizeW"_a = info.srcImageSizeW, "srcImageSizeH"_a = info.srcImageSizeH);
#define FIELD(name) dict[#name] = info.name
  // The switches are int8_t, which would become characters.
#define SWITCH(name) dict[#name] = static_cast<int>(info.name)
  SWITCH(cropSwitch), FIELD(loadStartPosW), FIELD(loadStartPosH), FIELD(cropSizeW), FIELD(cropSizeH);
  SWITCH(resizeSwitch), FIELD(resizeOutputW), FIELD(resizeOutputH);
  SWITCH(paddingSwitch), FIELD(leftPaddingSize), FIELD(rightPaddingSize), FIELD(topPaddingSize), FIELD(bottomPaddingSize);
  SWITCH(cscSwitch), SWITCH(rbuvSwapSwitch), SWITCH(axSwapSwitch), SWITCH(singleLineMode);
  FIELD(matrixR0C0), FIELD(matrixR0C1), FIELD(matrixR0C2), FIELD(matrixR1C0), FIELD(matrixR1C1), FIELD(matrixR1C2);
  FIELD(matrixR2C0), FIELD(matrixR2C1), FIELD(matrixR2C2), FIELD(outputBias0), FIELD(outputBias1), FIELD(outputBias2);
  FIELD(inputBias0), FIELD(inputBias1), FIELD(inputBias2), FIELD(meanChn0), FIELD(meanChn1), FIELD(meanChn2), FIELD(meanChn3);
  FIELD(minChn0), FIELD(minChn1), FIELD(minChn2), FIELD(minChn3);
  FIELD(varReciChn0), FIELD(varReciChn1), FIELD(varReciChn2), FIELD(varReciChn3);
  FIELD(srcDimNum), FIELD(shapeCount);
#undef SWITCH
#undef FIELD
  dict["srcFormat"] = static_cast<int>(info.srcFormat);
  dict["srcDatatype"] = static_cast<int>(info.srcDatatype);
  dict["outDims"] = shapes;
  return dict;
}

void AddQueries(py::module_ m) {
  m.def("get_aipp_type", [](uint32_t id, size_t index) {
    aclmdlInputAippType type = ACL_DATA_WITHOUT_AIPP;
    size_t attached = 0;
    const aclError code = aclmdlGetAippType(id, index, &type, &attached);
    return py::make_tuple(static_cast<int>(type), attached, code);
  });
  m.def("get_first_aipp_info", [](uint32_t id, size_t index) {
    const auto info = std::make_unique<aclAippInfo>();
    const aclError code = aclmdlGetFirstAippInfo(id, index, info.get());
    return py::make_tuple(code == ACL_SUCCESS ? InfoDict(*info) : py::dict(), code);
  });
}

}  // namespace

void AddAipp(py::module_ m) {
  AddParameters(m);
  AddQueries(m);
}

}  // namespace omkit::pyacl
