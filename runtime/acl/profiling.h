// Recording of what runs and how long: executions step by step, calls of the API, stamps of the client. One session per process, begun by
// aclprofInit, by the "profiler" section of aclInit's file, or by the msprof program through the environment.
#ifndef OMKIT_RUNTIME_ACL_PROFILING_H_
#define OMKIT_RUNTIME_ACL_PROFILING_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "acl/acl.h"
#include "acl/acl_prof.h"
#include "runtime/acl/model.h"
#include "runtime/acl/op_list.h"
#include "runtime/profiler.h"

namespace omkit::acl {

// All times are nanoseconds of CLOCK_MONOTONIC.
struct TimeSpan {
  int64_t begin = 0;
  int64_t end = 0;
};

// A model, or one plan of a model with several.
struct ProfiledModel {
  uint32_t id = 0;
  uint64_t executor = 0;  // runtime::Executor::id
  std::string name;
  int threads = 1;
  std::vector<OpInfo> ops;
  uint64_t executions = 0;
  std::vector<runtime::StepStatistics> statistics;  // by op, of all executions
};

struct ProfiledExecution {
  size_t model = 0;  // into Profile::models
  uint64_t number = 0;
  uint32_t stream_id = 0;
  uint32_t task_id = 0;
  uint32_t thread_id = 0;
  size_t first_op = 0;  // into Profile::op_times, one for each op of the model
};

struct ApiCall {
  const char* name = nullptr;
  uint32_t thread_id = 0;
  TimeSpan time;
};

struct ApiStatistic {
  int64_t count = 0;
  double total = 0;  // microseconds from here on
  double squares = 0;
  double least = 0;
  double most = 0;
};

struct ProfiledStamp {
  const char* kind = "";  // "mark", "marker_ex", "push/pop", "start/end", "step"
  std::string message;
  uint32_t thread_id = 0;
  TimeSpan time;
};

struct Profile {
  std::vector<ProfiledModel> models;
  std::vector<ProfiledExecution> executions;
  std::vector<TimeSpan> op_times;
  std::vector<ApiCall> calls;
  std::map<std::string, ApiStatistic> call_statistics;
  std::vector<ProfiledStamp> stamps;
  uint64_t left_out = 0;  // records that the storage limit left out; statistics count them
};

enum class ProfileSource { kApi, kConfig, kTool };

struct ProfileOptions {
  uint64_t bits = ACL_PROF_ACL_API | ACL_PROF_TASK_TIME;  // recorded from the beginning; kApi: by aclprofStart
  uint64_t storage_bytes = uint64_t{200} << 20;
};

// Begins a session whose files go to a folder below `folder`. ACL_ERROR_PROF_ALREADY_RUN, ACL_ERROR_INVALID_FILE.
aclError BeginProfile(const std::string& folder, ProfileSource source, const ProfileOptions& options);
// Ends the session and writes the files. ACL_ERROR_PROF_NOT_RUN when none of this source runs.
aclError EndProfile(ProfileSource source);
bool ProfileRuns();
bool ProfileRunsFor(ProfileSource source);
// kApi: adds and takes back bits; each configuration counts.
aclError StartRecording(uint64_t bits);
aclError StopRecording(uint64_t bits);
aclError SetStorageLimit(uint64_t bytes);

// Begins the session that the msprof program asks for: OMKIT_PROFILE is the folder, OMKIT_PROFILE_OPTIONS "ascendcl=on,task-time=on,...".
aclError BeginToolProfile();
// Sets an option as msprof and acl.json spell it ('-' and '_' alike): ascendcl, task_time, msproftx, storage_limit; names of units that a CPU
// does not have are accepted. False: `why` tells.
bool SetProfileOption(const std::string& name, const std::string& value, ProfileOptions* options, std::string* why);

// True while the steps of some model are recorded or delivered; one load.
bool StepsWanted();
// After an execution: one time per step.
void AddExecution(const LoadedModel& model, const runtime::Executor& executor, const RunPlace& place, const std::vector<runtime::StepTime>& times);
bool StampsWanted();
void AddStamp(const char* kind, const std::string& message, TimeSpan time);

}  // namespace omkit::acl

#endif  // OMKIT_RUNTIME_ACL_PROFILING_H_
