// acl.prof: profiling of executions into files, as msprof reads them.
#include <pybind11/stl.h>

#include <string>
#include <vector>

#include "acl/acl_prof.h"
#include "tools/python/acl/acl_module.h"

namespace omkit::pyacl {

void AddProfiling(py::module_ m) {
  m.def("init", [](const std::string& folder) { return aclprofInit(folder.c_str(), folder.size()); });
  m.def("finalize", [] {
    const OthersRun others;
    return aclprofFinalize();
  });
  // `events` is 0: there are none.
  m.def("create_config", [](std::vector<uint32_t> devices, int metrics, Address events, uint64_t data_types) {
    return AddressOf(aclprofCreateConfig(devices.data(), static_cast<uint32_t>(devices.size()), static_cast<aclprofAicoreMetrics>(metrics),
                                         At<aclprofAicoreEvents>(events), data_types));
  });
  m.def("destroy_config", [](Address config) { return aclprofDestroyConfig(At<aclprofConfig>(config)); });
  m.def("start", [](Address config) { return aclprofStart(At<aclprofConfig>(config)); });
  m.def("stop", [](Address config) { return aclprofStop(At<aclprofConfig>(config)); });
  m.def("set_config",
        [](int type, const std::string& value) { return aclprofSetConfig(static_cast<aclprofConfigType>(type), value.c_str(), value.size()); });
  m.def("create_stamp", [] { return AddressOf(aclprofCreateStamp()); });
  m.def("destroy_stamp", [](Address stamp) { aclprofDestroyStamp(At(stamp)); });
  m.def("set_stamp_trace_message", [](Address stamp, const std::string& message) {
    return aclprofSetStampTraceMessage(At(stamp), message.c_str(), static_cast<uint32_t>(message.size()));
  });
  m.def("mark", [](Address stamp) { return aclprofMark(At(stamp)); });
  m.def("push", [](Address stamp) { return aclprofPush(At(stamp)); });
  m.def("pop", &aclprofPop);
  m.def("range_start", [](Address stamp) {
    uint32_t range = 0;
    const aclError code = aclprofRangeStart(At(stamp), &range);
    return py::make_tuple(range, code);
  });
  m.def("range_stop", &aclprofRangeStop);
  m.def("create_step_info", [] { return AddressOf(aclprofCreateStepInfo()); });
  m.def("destroy_step_info", [](Address step) { aclprofDestroyStepInfo(At<aclprofStepInfo>(step)); });
  m.def("get_step_timestamp", [](Address step, int tag, Address stream) {
    return aclprofGetStepTimestamp(At<aclprofStepInfo>(step), static_cast<aclprofStepTag>(tag), At(stream));
  });
}

}  // namespace omkit::pyacl
