#include "runtime/acl/profiling.h"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "absl/strings/str_split.h"
#include "base/status.h"
#include "runtime/acl/errors.h"
#include "runtime/acl/profile_report.h"
#include "runtime/acl/subscription.h"

namespace omkit::acl {
namespace {

constexpr uint64_t kStepBits = ACL_PROF_TASK_TIME | ACL_PROF_TASK_TIME_L0 | ACL_PROF_TASK_TIME_L2;
constexpr uint64_t kStampBits = ACL_PROF_MSPROFTX;
constexpr uint64_t kLeastStorage = uint64_t{200} << 20;
// About what a row takes in the files.
constexpr uint64_t kBytesOfRow = 256;

struct Session {
  std::mutex mutex;
  bool runs = false;
  ProfileSource source = ProfileSource::kApi;
  std::string folder;
  uint64_t rows_left = 0;
  std::map<uint64_t, int> started;  // bits of configurations -> how often started
  Profile profile;
};

Session& TheSession() {
  static Session* const session = new Session;
  return *session;
}

std::atomic<uint64_t> recorded_bits{0};

uint32_t ThreadId() {
  thread_local const uint32_t id = static_cast<uint32_t>(syscall(SYS_gettid));
  return id;
}

// True when one more row fits; otherwise it is counted as left out. The session's mutex is held.
bool TakeRows(Session* session, uint64_t rows) {
  if (session->rows_left < rows) {
    session->profile.left_out += rows;
    return false;
  }
  session->rows_left -= rows;
  return true;
}

// Functions that only read or change small objects are too many to be of interest.
bool WorthRecording(const char* name) {
  for (const char* part : {"Get", "DataBuffer", "TensorDesc", "Dataset", "aclprof", "Desc", "task", "callback"}) {
    if (std::strstr(name, part) != nullptr) return false;
  }
  return true;
}

void AddCall(const char* name, int64_t begin, int64_t end) {
  if (!WorthRecording(name)) return;
  Session& session = TheSession();
  const std::lock_guard<std::mutex> lock(session.mutex);
  if (!session.runs) return;
  ApiStatistic& statistic = session.profile.call_statistics[name];
  const double us = static_cast<double>(end - begin) / 1e3;
  statistic.least = statistic.count == 0 ? us : std::min(statistic.least, us);
  statistic.most = std::max(statistic.most, us);
  statistic.total += us;
  statistic.squares += us * us;
  ++statistic.count;
  if (TakeRows(&session, 1)) session.profile.calls.push_back({name, ThreadId(), {begin, end}});
}

// The session's mutex is held.
void Apply(Session* session) {
  uint64_t bits = 0;
  for (const auto& [config, count] : session->started) bits |= count > 0 ? config : 0;
  recorded_bits = bits;
  SetCallObserver((bits & ACL_PROF_ACL_API) != 0 ? &AddCall : nullptr);
}

size_t FindProfiledModel(Session* session, const LoadedModel& model, const runtime::Executor& executor) {
  std::vector<ProfiledModel>& models = session->profile.models;
  for (size_t i = 0; i < models.size(); ++i) {
    if (models[i].executor == executor.id()) return i;
  }
  ProfiledModel added;
  added.id = model.info()->id;
  added.executor = executor.id();
  added.name = model.info()->name;
  added.threads = model.model().threads();
  added.ops = ListOps(executor.plan());
  added.statistics.resize(added.ops.size());
  models.push_back(std::move(added));
  return models.size() - 1;
}

void Count(runtime::StepStatistics* statistic, int64_t ns) {
  statistic->least_ns = statistic->executions == 0 ? ns : std::min(statistic->least_ns, ns);
  statistic->most_ns = std::max(statistic->most_ns, ns);
  statistic->total_ns += ns;
  ++statistic->executions;
}

// A program that ends without aclFinalize gets its files all the same.
void WriteAtExit() {
  for (const ProfileSource source : {ProfileSource::kTool, ProfileSource::kConfig}) {
    if (ProfileRunsFor(source)) EndProfile(source);
  }
}

bool ParseSize(const std::string& text, uint64_t* bytes) {
  char* end = nullptr;
  const unsigned long long megabytes = std::strtoull(text.c_str(), &end, 10);
  if (end == text.c_str() || std::strcmp(end, "MB") != 0 || megabytes > (uint64_t{1} << 24)) return false;
  *bytes = static_cast<uint64_t>(megabytes) << 20;
  return *bytes >= kLeastStorage;
}

}  // namespace

aclError BeginProfile(const std::string& folder, ProfileSource source, const ProfileOptions& options) {
  struct stat status;
  if (stat(folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) return Fail(ACL_ERROR_INVALID_FILE, "'%.300s' is not a folder", folder.c_str());
  if (access(folder.c_str(), W_OK | X_OK) != 0) return Fail(ACL_ERROR_INVALID_FILE, "the folder '%.300s' cannot be written to", folder.c_str());
  Session& session = TheSession();
  const std::lock_guard<std::mutex> lock(session.mutex);
  if (session.runs) return Fail(ACL_ERROR_PROF_ALREADY_RUN, "profiling runs already");
  if (source == ProfileSource::kApi && HasSubscriptions()) return Fail(ACL_ERROR_PROF_API_CONFLICT, "a model is subscribed");
  session.runs = true;
  session.source = source;
  session.folder = folder;
  session.rows_left = options.storage_bytes / kBytesOfRow;
  session.profile = Profile();
  session.started.clear();
  if (source != ProfileSource::kApi) {
    session.started[options.bits] = 1;
    static const int once = std::atexit(&WriteAtExit);
    static_cast<void>(once);
  }
  Apply(&session);
  return ACL_SUCCESS;
}

aclError EndProfile(ProfileSource source) {
  Session& session = TheSession();
  Profile profile;
  std::string folder;
  {
    const std::lock_guard<std::mutex> lock(session.mutex);
    if (!session.runs || session.source != source) return Fail(ACL_ERROR_PROF_NOT_RUN, "profiling does not run");
    session.runs = false;
    session.started.clear();
    Apply(&session);
    profile = std::move(session.profile);
    session.profile = Profile();
    folder = session.folder;
  }
  if (profile.left_out > 0) {
    Log(ACL_WARNING, "profiling: %llu records are left out of the timeline and op_summary because of the storage limit",
        static_cast<unsigned long long>(profile.left_out));
  }
  return WriteReports(profile, folder);
}

bool ProfileRuns() {
  Session& session = TheSession();
  const std::lock_guard<std::mutex> lock(session.mutex);
  return session.runs;
}

bool ProfileRunsFor(ProfileSource source) {
  Session& session = TheSession();
  const std::lock_guard<std::mutex> lock(session.mutex);
  return session.runs && session.source == source;
}

aclError StartRecording(uint64_t bits) {
  Session& session = TheSession();
  const std::lock_guard<std::mutex> lock(session.mutex);
  if (!session.runs || session.source != ProfileSource::kApi) return Fail(ACL_ERROR_PROF_NOT_RUN, "aclprofInit was not called");
  ++session.started[bits];
  Apply(&session);
  return ACL_SUCCESS;
}

aclError StopRecording(uint64_t bits) {
  Session& session = TheSession();
  const std::lock_guard<std::mutex> lock(session.mutex);
  const auto it = session.started.find(bits);
  if (!session.runs || session.source != ProfileSource::kApi || it == session.started.end() || it->second == 0) {
    return Fail(ACL_ERROR_PROF_NOT_RUN, "this configuration was not started");
  }
  --it->second;
  Apply(&session);
  return ACL_SUCCESS;
}

aclError SetStorageLimit(uint64_t bytes) {
  Session& session = TheSession();
  const std::lock_guard<std::mutex> lock(session.mutex);
  if (!session.runs) return Fail(ACL_ERROR_PROF_NOT_RUN, "aclprofInit was not called");
  session.rows_left = bytes / kBytesOfRow;
  return ACL_SUCCESS;
}

bool SetProfileOption(const std::string& spelled, const std::string& value, ProfileOptions* options, std::string* why) {
  std::string name = spelled;
  std::replace(name.begin(), name.end(), '-', '_');
  const bool off = value == "off";
  const auto set = [&](uint64_t bits) { options->bits = off ? options->bits & ~bits : options->bits | bits; };
  const auto known = [&](std::initializer_list<const char*> values) {
    if (std::find(values.begin(), values.end(), value) != values.end()) return true;
    *why = "'" + spelled + "' is '" + value + "'";
    return false;
  };
  if (name == "ascendcl" || name == "runtime_api" || name == "msproftx") {
    if (!known({"on", "off"})) return false;
    if (name != "runtime_api") set(name == "ascendcl" ? ACL_PROF_ACL_API : kStampBits);
    return true;
  }
  if (name == "task_time") {
    if (!known({"on", "off", "l0", "l1", "l2", "l3"})) return false;
    set(ACL_PROF_TASK_TIME);
    return true;
  }
  if (name == "storage_limit") {
    if (ParseSize(value, &options->storage_bytes)) return true;
    *why = "'" + spelled + "' is '" + value + "'; it must be '200MB' or more";
    return false;
  }
  const std::vector<std::string> accepted = {"aic_metrics", "aic_mode",   "aic_freq",      "aicpu",     "ai_core",         "l2",
                                             "hccl",        "ge_api",     "task_memory",   "host_sys",  "host_sys_usage",  "host_sys_pid",
                                             "sys_devices", "sys_period", "llc_profiling", "task_tsfw", "model_execution", "dvpp_profiling"};
  if (std::find(accepted.begin(), accepted.end(), name) != accepted.end()) return true;
  std::vector<std::string> names = accepted;
  for (const char* own : {"ascendcl", "runtime_api", "msproftx", "task_time", "storage_limit"}) names.push_back(own);
  const std::string nearest = NearestName(name, names);
  *why = "unknown option '" + spelled + "'" + (nearest.empty() ? "" : ", did you mean '" + nearest + "'?");
  return false;
}

aclError BeginToolProfile() {
  const char* folder = std::getenv("OMKIT_PROFILE");
  if (folder == nullptr || *folder == '\0') return ACL_SUCCESS;
  ProfileOptions options;
  const char* list = std::getenv("OMKIT_PROFILE_OPTIONS");
  for (const absl::string_view item : absl::StrSplit(list != nullptr ? list : "", ',', absl::SkipEmpty())) {
    const std::pair<std::string, std::string> pair = absl::StrSplit(item, absl::MaxSplits('=', 1));
    std::string why;
    if (!SetProfileOption(pair.first, pair.second, &options, &why)) {
      return Fail(ACL_ERROR_INVALID_PROFILING_CONFIG, "OMKIT_PROFILE_OPTIONS: %s", why.c_str());
    }
  }
  return BeginProfile(folder, ProfileSource::kTool, options);
}

bool StepsWanted() { return (recorded_bits.load(std::memory_order_relaxed) & kStepBits) != 0 || HasSubscriptions(); }
bool StampsWanted() { return (recorded_bits.load(std::memory_order_relaxed) & kStampBits) != 0; }

void AddExecution(const LoadedModel& model, const runtime::Executor& executor, const RunPlace& place, const std::vector<runtime::StepTime>& times) {
  if (HasSubscriptions()) Deliver(model, executor, times);
  if ((recorded_bits.load(std::memory_order_relaxed) & kStepBits) == 0) return;
  Session& session = TheSession();
  const std::lock_guard<std::mutex> lock(session.mutex);
  if (!session.runs) return;
  const size_t index = FindProfiledModel(&session, model, executor);
  ProfiledModel& profiled = session.profile.models[index];
  ++profiled.executions;
  const bool keep = TakeRows(&session, profiled.ops.size());
  if (keep) {
    session.profile.executions.push_back({index, profiled.executions, place.stream_id, place.task_id, ThreadId(), session.profile.op_times.size()});
  }
  for (size_t i = 0; i < profiled.ops.size(); ++i) {
    const OpInfo& op = profiled.ops[i];
    const TimeSpan span{times[op.first_step].begin_ns, times[op.last_step].end_ns};
    Count(&profiled.statistics[i], span.end - span.begin);
    if (keep) session.profile.op_times.push_back(span);
  }
}

void AddStamp(const char* kind, const std::string& message, TimeSpan time) {
  Session& session = TheSession();
  const std::lock_guard<std::mutex> lock(session.mutex);
  if (session.runs && TakeRows(&session, 1)) session.profile.stamps.push_back({kind, message, ThreadId(), time});
}

}  // namespace omkit::acl
