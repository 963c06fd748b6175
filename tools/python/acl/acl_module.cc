#include "tools/python/acl/acl_module.h"

#include <string>

namespace omkit::pyacl {
namespace {

void AddLibrary(py::module_ m) {
  m.def(
      "init", [](const py::object& config) { return config.is_none() ? aclInit(nullptr) : aclInit(config.cast<std::string>().c_str()); },
      py::arg("config_path") = py::none());
  m.def("finalize", [] {
    const OthersRun others;
    return aclFinalize();
  });
  m.def("finalize_reference", [] {
    uint64_t left = 0;
    const aclError code = aclFinalizeReference(&left);
    return py::make_tuple(left, code);
  });
  m.def("get_soc_name", [](const py::args&) { return Text(aclrtGetSocName()); });
  m.def("get_recent_err_msg", [] { return Text(aclGetRecentErrMsg()); });
  m.def("app_log", [](int level, const std::string& function, const std::string& file, uint32_t line, const std::string& message) {
    aclAppLog(static_cast<aclLogLevel>(level), function.c_str(), file.c_str(), line, "%s", message.c_str());
  });
}

}  // namespace

PYBIND11_MODULE(acl, m) {
  m.doc() = "The AscendCL C API on this machine's CPU: acl.rt, acl.mdl, acl.prof, acl.util and the functions of acl itself.";
  AddLibrary(m);
  AddTensor(m);
  AddRuntime(m.def_submodule("rt", "devices, contexts, streams, events, callbacks and memory"));
  py::module_ mdl = m.def_submodule("mdl", "offline models");
  AddModel(mdl);
  AddDescription(mdl);
  AddAipp(mdl);
  AddConfig(mdl);
  AddProfiling(m.def_submodule("prof", "profiling"));
  AddUtil(m.def_submodule("util", "addresses and arrays, threads"));
}

}  // namespace omkit::pyacl
