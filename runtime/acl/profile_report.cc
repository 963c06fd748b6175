#include "runtime/acl/profile_report.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>

#include "runtime/acl/errors.h"
#include "runtime/acl/timeline.h"
#include "runtime/profiler.h"
#include "runtime/soc.h"

namespace omkit::acl {
namespace {

// One CSV file: rows of fields, quoted where a comma, quote or line end asks for it.
class Csv {
 public:
  Csv(const std::string& path, const char* header) : file_(std::fopen(path.c_str(), "we")) {
    if (file_ != nullptr) std::fprintf(file_, "%s\n", header);
  }
  ~Csv() {
    if (file_ != nullptr) std::fclose(file_);
  }
  Csv(const Csv&) = delete;
  Csv& operator=(const Csv&) = delete;

  Csv& Text(const std::string& text) {
    Separate();
    if (file_ == nullptr) return *this;
    if (text.find_first_of(",\"\r\n") == std::string::npos) {
      std::fputs(text.c_str(), file_);
      return *this;
    }
    std::fputc('"', file_);
    for (char c : text) {
      if (c == '"') std::fputc('"', file_);
      std::fputc(c, file_);
    }
    std::fputc('"', file_);
    return *this;
  }
  Csv& Format(const char* format, ...) __attribute__((format(printf, 2, 3))) {
    Separate();
    if (file_ == nullptr) return *this;
    va_list args;
    va_start(args, format);
    std::vfprintf(file_, format, args);
    va_end(args);
    return *this;
  }
  void EndRow() {
    if (file_ != nullptr) std::fputc('\n', file_);
    first_ = true;
  }
  // Closes; false when something could not be written.
  bool Close() {
    if (file_ == nullptr) return false;
    const bool good = std::ferror(file_) == 0;
    const bool closed = std::fclose(file_) == 0;
    file_ = nullptr;
    return good && closed;
  }

 private:
  void Separate() {
    if (!first_ && file_ != nullptr) std::fputc(',', file_);
    first_ = false;
  }
  FILE* file_;
  bool first_ = true;
};

double Us(int64_t ns) { return static_cast<double>(ns) / 1e3; }

constexpr char kOpSummaryHeader[] =
    "Device_id,Model Name,Model ID,Task ID,Stream ID,Infer ID,Op Name,OP Type,OP State,Task Type,Task Start Time(us),Task Duration(us),"
    "Task Wait Time(us),Block Dim,Mix Block Dim,HF32 Eligible,Input Shapes,Input Data Types,Input Formats,Output Shapes,Output Data Types,"
    "Output Formats,Context ID,aicore_time(us),aic_total_cycles,aic_mac_time(us),aic_mac_ratio,aic_scalar_time(us),aiv_time(us)";

// "\"1,3;2\"" like the real tool; N/A when not known.
void Tensors(Csv* csv, const OpTensors& tensors, bool known) {
  for (const std::string* text : {&tensors.shapes, &tensors.types, &tensors.formats}) csv->Text(known ? *text : "N/A");
}

bool WriteOpSummary(const Profile& profile, const std::string& path) {
  Csv csv(path, kOpSummaryHeader);
  for (const ProfiledExecution& execution : profile.executions) {
    const ProfiledModel& model = profile.models[execution.model];
    for (size_t i = 0; i < model.ops.size(); ++i) {
      const OpInfo& op = model.ops[i];
      const TimeSpan& time = profile.op_times[execution.first_op + i];
      const int64_t wait = i == 0 ? 0 : std::max<int64_t>(0, time.begin - profile.op_times[execution.first_op + i - 1].end);
      csv.Format("0").Text(model.name).Format("%u", model.id).Format("%zu", i).Format("%u", execution.stream_id);
      csv.Format("%llu", static_cast<unsigned long long>(execution.number)).Text(op.name).Text(op.type).Format("static").Text(op.task_type);
      csv.Format("%.3f", Us(time.begin)).Format("%.3f", Us(time.end - time.begin)).Format("%.3f", Us(wait));
      csv.Format("%d", model.threads).Format("0").Format("NO");
      Tensors(&csv, op.inputs, op.layer >= 0);
      Tensors(&csv, op.outputs, op.layer >= 0);
      csv.Format("N/A").Format("%.3f", Us(time.end - time.begin));
      for (int n = 0; n < 5; ++n) csv.Format("N/A");
      csv.EndRow();
    }
  }
  return csv.Close();
}

bool WriteOpStatistic(const Profile& profile, const std::string& path) {
  struct Row {
    std::string type;
    const char* core;
    runtime::StepStatistics sum;
  };
  std::vector<Row> rows;
  int64_t total = 0;
  for (const ProfiledModel& model : profile.models) {
    for (size_t i = 0; i < model.ops.size(); ++i) {
      const OpInfo& op = model.ops[i];
      const runtime::StepStatistics& one = model.statistics[i];
      auto row = std::find_if(rows.begin(), rows.end(), [&](const Row& r) { return r.type == op.type && std::strcmp(r.core, op.task_type) == 0; });
      if (row == rows.end()) row = rows.insert(row, {op.type, op.task_type, {}});
      row->sum.least_ns = row->sum.executions == 0 ? one.least_ns : std::min(row->sum.least_ns, one.least_ns);
      row->sum.most_ns = std::max(row->sum.most_ns, one.most_ns);
      row->sum.total_ns += one.total_ns;
      row->sum.executions += one.executions;
      total += one.total_ns;
    }
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.sum.total_ns > b.sum.total_ns; });
  Csv csv(path, "Device_id,OP Type,Core Type,Count,Total Time(us),Min Time(us),Avg Time(us),Max Time(us),Ratio(%)");
  for (const Row& row : rows) {
    const double count = static_cast<double>(std::max<int64_t>(1, row.sum.executions));
    csv.Format("0").Text(row.type).Text(row.core).Format("%lld", static_cast<long long>(row.sum.executions)).Format("%.3f", Us(row.sum.total_ns));
    csv.Format("%.3f", Us(row.sum.least_ns)).Format("%.3f", Us(row.sum.total_ns) / count).Format("%.3f", Us(row.sum.most_ns));
    csv.Format("%.3f", total > 0 ? 100.0 * static_cast<double>(row.sum.total_ns) / static_cast<double>(total) : 0.0).EndRow();
  }
  return csv.Close();
}

bool WriteApiStatistic(const Profile& profile, const std::string& path) {
  Csv csv(path, "Device_id,Level,API Name,Time(us),Count,Avg(us),Min(us),Max(us),Variance");
  for (const auto& [name, s] : profile.call_statistics) {
    const double count = static_cast<double>(s.count);
    const double mean = s.total / count;
    csv.Format("host").Format("ascendcl").Text(name).Format("%.3f", s.total).Format("%lld", static_cast<long long>(s.count)).Format("%.3f", mean);
    csv.Format("%.3f", s.least).Format("%.3f", s.most).Format("%.3f", std::max(0.0, s.squares / count - mean * mean)).EndRow();
  }
  return csv.Close();
}

bool WriteTaskTime(const Profile& profile, const std::string& path) {
  Csv csv(path, "Device_id,kernel_name,kernel_type,stream_id,task_id,task_time(us),task_start(us),task_stop(us)");
  for (const ProfiledExecution& execution : profile.executions) {
    const ProfiledModel& model = profile.models[execution.model];
    for (size_t i = 0; i < model.ops.size(); ++i) {
      const TimeSpan& time = profile.op_times[execution.first_op + i];
      csv.Format("0").Text(model.ops[i].name).Text(model.ops[i].task_type).Format("%u", execution.stream_id).Format("%zu", i);
      csv.Format("%.3f", Us(time.end - time.begin)).Format("%.3f", Us(time.begin)).Format("%.3f", Us(time.end)).EndRow();
    }
  }
  return csv.Close();
}

bool WriteStepTrace(const Profile& profile, const std::string& path) {
  Csv csv(path,
          "Device_id,Iteration ID,FP Start(us),BP End(us),Iteration End(us),Iteration Time(us),FP to BP Time(us),Iteration Refresh(us),"
          "Data Aug Bound(us),Model ID");
  std::vector<int64_t> last_end(profile.models.size(), 0);
  for (const ProfiledExecution& execution : profile.executions) {
    const ProfiledModel& model = profile.models[execution.model];
    if (model.ops.empty()) continue;
    const int64_t begin = profile.op_times[execution.first_op].begin;
    const int64_t end = profile.op_times[execution.first_op + model.ops.size() - 1].end;
    int64_t& last = last_end[execution.model];
    csv.Format("0").Format("%llu", static_cast<unsigned long long>(execution.number)).Format("%.3f", Us(begin)).Format("N/A");
    csv.Format("%.3f", Us(end)).Format("%.3f", Us(end - begin)).Format("N/A").Format("N/A");
    if (last == 0 || begin < last) csv.Format("N/A");
    else csv.Format("%.3f", Us(begin - last));
    csv.Format("%u", model.id).EndRow();
    last = end;
  }
  for (const ProfiledStamp& stamp : profile.stamps) {
    if (std::strcmp(stamp.kind, "step") != 0) continue;
    csv.Format("0").Text(stamp.message).Format("%.3f", Us(stamp.time.begin)).Format("N/A").Format("%.3f", Us(stamp.time.end));
    csv.Format("%.3f", Us(stamp.time.end - stamp.time.begin)).Format("N/A").Format("N/A").Format("N/A").Format("N/A").EndRow();
  }
  return csv.Close();
}

bool WriteStamps(const Profile& profile, const std::string& path) {
  Csv csv(path, "Device_id,pid,tid,category,event_type,payload_type,payload_value,Start_time(us),End_time(us),message_type,message");
  for (const ProfiledStamp& stamp : profile.stamps) {
    csv.Format("host").Format("%d", static_cast<int>(getpid())).Format("%u", stamp.thread_id).Format("0").Text(stamp.kind).Format("0").Format("0");
    csv.Format("%.3f", Us(stamp.time.begin)).Format("%.3f", Us(stamp.time.end)).Format("0").Text(stamp.message).EndRow();
  }
  return csv.Close();
}

constexpr char kReadme[] =
    "op_summary      one row for each operator of each execution\n"
    "op_statistic    time by operator type\n"
    "api_statistic   time by function of the API\n"
    "task_time       begin and end of each operator\n"
    "step_trace      one row for each execution of a model\n"
    "msprof_tx       stamps of the program\n"
    "msprof_*.json   timeline; open it in chrome://tracing or https://ui.perfetto.dev\n"
    "Times are microseconds of CLOCK_MONOTONIC. AI_CORE: compiled kernels; AI_CPU: operators that the interpreter runs.\n";

bool WriteText(const std::string& path, const std::string& text) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "we"), [](FILE* f) { return f != nullptr ? std::fclose(f) : 0; });
  return file != nullptr && std::fwrite(text.data(), 1, text.size(), file.get()) == text.size() && std::fflush(file.get()) == 0;
}

// 16 capital letters that differ between sessions.
std::string Letters() {
  uint64_t state = static_cast<uint64_t>(runtime::MonotonicNanoseconds()) * 0x9E3779B97F4A7C15u + static_cast<uint64_t>(getpid());
  std::string letters;
  for (int i = 0; i < 16; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    letters += static_cast<char>('A' + (state >> 33) % 26);
  }
  return letters;
}

std::string HostInfo() {
  const absl::StatusOr<runtime::SocRow> soc = runtime::DeviceSoc();
  return "{\"pid\": " + std::to_string(getpid()) + ", \"device\": \"" + (soc.ok() ? soc->name : "unknown") + "\", \"clock\": \"CLOCK_MONOTONIC\"}\n";
}

}  // namespace

aclError WriteReports(const Profile& profile, const std::string& folder) {
  const auto now = std::chrono::system_clock::now();
  const time_t seconds = std::chrono::system_clock::to_time_t(now);
  tm local{};
  localtime_r(&seconds, &local);
  char stamp[32];
  std::strftime(stamp, sizeof stamp, "%Y%m%d%H%M%S", &local);
  char millis[8];
  std::snprintf(millis, sizeof millis, "%03d",
                static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000));
  const std::string root = folder + "/PROF_000001_" + stamp + millis + "_" + Letters();
  const std::string output = root + "/mindstudio_profiler_output";
  for (const std::string& made : {root, root + "/host", root + "/device_0", output}) {
    if (mkdir(made.c_str(), 0750) != 0) return Fail(ACL_ERROR_WRITE_FILE, "cannot make '%.300s': %s", made.c_str(), std::strerror(errno));
  }
  const auto path = [&](const char* name, const char* ending) { return output + "/" + name + "_" + stamp + ending; };
  bool good = WriteOpSummary(profile, path("op_summary", ".csv"));
  good = WriteOpStatistic(profile, path("op_statistic", ".csv")) && good;
  good = WriteApiStatistic(profile, path("api_statistic", ".csv")) && good;
  good = WriteTaskTime(profile, path("task_time", ".csv")) && good;
  good = WriteStepTrace(profile, path("step_trace", ".csv")) && good;
  if (!profile.stamps.empty()) good = WriteStamps(profile, path("msprof_tx", ".csv")) && good;
  good = WriteTimeline(profile, path("msprof", ".json")) && good;
  good = WriteText(output + "/README.txt", kReadme) && WriteText(root + "/host/info.json", HostInfo()) && good;
  if (!good) return Fail(ACL_ERROR_WRITE_FILE, "not all files of '%.300s' could be written", output.c_str());
  Log(ACL_INFO, "profile written to %s", output.c_str());
  return ACL_SUCCESS;
}

}  // namespace omkit::acl
