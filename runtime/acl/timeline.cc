#include "runtime/acl/timeline.h"

#include <cstdio>
#include <set>

namespace omkit::acl {
namespace {

enum Process : int { kCann = 1, kHardware = 2, kStamps = 3 };

std::string Escaped(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      escaped += '\\';
      escaped += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char code[8];
      std::snprintf(code, sizeof code, "\\u%04x", c);
      escaped += code;
    } else {
      escaped += c;
    }
  }
  return escaped;
}

class Writer {
 public:
  explicit Writer(FILE* file) : file_(file) { std::fputs("[\n", file_); }
  void Name(int process, const char* name) {
    Separate();
    std::fprintf(file_, "{\"name\": \"process_name\", \"ph\": \"M\", \"pid\": %d, \"tid\": 0, \"args\": {\"name\": \"%s\"}}", process, name);
    Separate();
    std::fprintf(file_, "{\"name\": \"process_sort_index\", \"ph\": \"M\", \"pid\": %d, \"tid\": 0, \"args\": {\"sort_index\": %d}}", process,
                 process);
  }
  void NameThread(int process, uint32_t thread) {
    Separate();
    std::fprintf(file_, "{\"name\": \"thread_name\", \"ph\": \"M\", \"pid\": %d, \"tid\": %u, \"args\": {\"name\": \"Thread %u\"}}", process, thread,
                 thread);
  }
  // `arguments` is the inside of a JSON object.
  void Event(int process, uint32_t thread, const std::string& name, const TimeSpan& time, const std::string& arguments) {
    Separate();
    std::fprintf(file_, "{\"name\": \"%s\", \"ph\": \"X\", \"pid\": %d, \"tid\": %u, \"ts\": %.3f, \"dur\": %.3f, \"args\": {%s}}",
                 Escaped(name).c_str(), process, thread, static_cast<double>(time.begin) / 1e3, static_cast<double>(time.end - time.begin) / 1e3,
                 arguments.c_str());
  }
  void End() { std::fputs("\n]\n", file_); }

 private:
  void Separate() {
    if (!first_) std::fputs(",\n", file_);
    first_ = false;
  }
  FILE* file_;
  bool first_ = true;
};

std::string Numbers(std::initializer_list<std::pair<const char*, uint64_t>> fields) {
  std::string text;
  for (const auto& [name, value] : fields) text += (text.empty() ? "\"" : ", \"") + std::string(name) + "\": " + std::to_string(value);
  return text;
}

void WriteExecutions(const Profile& profile, Writer* writer) {
  for (const ProfiledExecution& execution : profile.executions) {
    const ProfiledModel& model = profile.models[execution.model];
    if (model.ops.empty()) continue;
    const TimeSpan whole{profile.op_times[execution.first_op].begin, profile.op_times[execution.first_op + model.ops.size() - 1].end};
    const std::string place = Numbers({{"Model Id", model.id}, {"Infer Id", execution.number}, {"Stream Id", execution.stream_id}});
    writer->Event(kHardware, execution.thread_id, "Model " + model.name, whole, place);
    for (size_t i = 0; i < model.ops.size(); ++i) {
      const OpInfo& op = model.ops[i];
      writer->Event(
          kHardware, execution.thread_id, op.name, profile.op_times[execution.first_op + i],
          place + ", " + Numbers({{"Task Id", i}}) + ", \"OP Type\": \"" + Escaped(op.type) + "\", \"Task Type\": \"" + op.task_type + "\"");
    }
  }
}

}  // namespace

bool WriteTimeline(const Profile& profile, const std::string& path) {
  FILE* const file = std::fopen(path.c_str(), "we");
  if (file == nullptr) return false;
  Writer writer(file);
  writer.Name(kCann, "CANN");
  writer.Name(kHardware, "Ascend Hardware");
  std::set<std::pair<int, uint32_t>> threads;
  for (const ApiCall& call : profile.calls) threads.emplace(kCann, call.thread_id);
  for (const ProfiledExecution& execution : profile.executions) threads.emplace(kHardware, execution.thread_id);
  for (const ProfiledStamp& stamp : profile.stamps) threads.emplace(kStamps, stamp.thread_id);
  if (!profile.stamps.empty()) writer.Name(kStamps, "MsTx");
  for (const auto& [process, thread] : threads) writer.NameThread(process, thread);
  for (const ApiCall& call : profile.calls) {
    writer.Event(kCann, call.thread_id, std::string("AscendCL@") + call.name, call.time, "\"Level\": \"ascendcl\"");
  }
  WriteExecutions(profile, &writer);
  for (const ProfiledStamp& stamp : profile.stamps) {
    writer.Event(kStamps, stamp.thread_id, stamp.message.empty() ? stamp.kind : stamp.message, stamp.time,
                 std::string("\"kind\": \"") + stamp.kind + "\"");
  }
  writer.End();
  const bool good = std::ferror(file) == 0;
  return std::fclose(file) == 0 && good;
}

}  // namespace omkit::acl
