// The timeline of a profile in Chrome trace format: one more file of profile_report.
#ifndef OMKIT_RUNTIME_ACL_TIMELINE_H_
#define OMKIT_RUNTIME_ACL_TIMELINE_H_

#include <string>

#include "runtime/acl/profiling.h"

namespace omkit::acl {

// False when the file cannot be written. Processes: "CANN" with the calls of the API by thread, "Ascend Hardware" with executions and their
// operators by the thread that ran them, "MsTx" with stamps.
bool WriteTimeline(const Profile& profile, const std::string& path);

}  // namespace omkit::acl

#endif  // OMKIT_RUNTIME_ACL_TIMELINE_H_
