// The files of a profile, with the names and columns that msprof gives them.
#ifndef OMKIT_RUNTIME_ACL_PROFILE_REPORT_H_
#define OMKIT_RUNTIME_ACL_PROFILE_REPORT_H_

#include <string>

#include "runtime/acl/profiling.h"

namespace omkit::acl {

// Makes <folder>/PROF_000001_<time>_<letters>/ with host/, device_0/ and mindstudio_profiler_output/ and writes op_summary, op_statistic,
// api_statistic, task_time, step_trace and msprof_tx CSVs and the timeline msprof_<time>.json. ACL_ERROR_WRITE_FILE.
aclError WriteReports(const Profile& profile, const std::string& folder);

}  // namespace omkit::acl

#endif  // OMKIT_RUNTIME_ACL_PROFILE_REPORT_H_
