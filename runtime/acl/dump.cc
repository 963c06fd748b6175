#include "runtime/acl/dump.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <mutex>
#include <vector>

#include "runtime/acl/errors.h"
#include "runtime/acl/npy.h"
#include "runtime/acl/op_list.h"

namespace omkit::acl {
namespace {

constexpr size_t kChunkBytes = size_t{1} << 20;

enum class State { kOff, kPrepared, kSetByInit };

struct Dumps {
  std::mutex mutex;
  State state = State::kOff;
  std::shared_ptr<const DumpConfig> config;  // null: nothing is dumped to files
  std::string started;                       // yyyymmddhhmmss, a folder of the path
  std::map<uint32_t, uint64_t> executions;   // dumped, by model
  DumpCallback callback = nullptr;
  std::mutex callback_mutex;
};

Dumps& TheDumps() {
  static Dumps* const dumps = new Dumps;
  return *dumps;
}

std::atomic<bool> may_dump{false};

// The dumps' mutex is held.
void UpdateFlag(const Dumps& dumps) { may_dump = dumps.state != State::kOff && (dumps.config != nullptr || dumps.callback != nullptr); }

std::string TimeNow() {
  const time_t now = time(nullptr);
  tm local{};
  localtime_r(&now, &local);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%d%H%M%S", &local);
  return text;
}

std::string FileName(std::string text) {
  for (char& c : text) {
    if (c == '/' || c == '\\' || c == '.' || static_cast<unsigned char>(c) < 0x21) c = '_';
  }
  return text.substr(0, 120);
}

bool MakeFolders(const std::string& path) {
  for (size_t at = path.find('/', 1);; at = path.find('/', at + 1)) {
    if (mkdir(path.substr(0, at).c_str(), 0750) != 0 && errno != EEXIST) return false;
    if (at == std::string::npos) return true;
  }
}

bool WriteDumpFile(const std::string& path, const std::string& bytes) {
  FILE* const file = std::fopen(path.c_str(), "we");
  if (file == nullptr) return false;
  const bool written = std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  return std::fclose(file) == 0 && written;
}

// Pieces of one file through the callback.
void SendChunks(DumpCallback callback, const std::string& name, const std::string& bytes) {
  Dumps& dumps = TheDumps();
  const size_t room = std::min(kChunkBytes, std::max<size_t>(bytes.size(), 1));
  const std::unique_ptr<char[]> memory(new char[sizeof(acldumpChunk) + room]());
  auto* const chunk = reinterpret_cast<acldumpChunk*>(memory.get());
  std::snprintf(chunk->fileName, sizeof chunk->fileName, "%s", name.c_str());
  const std::lock_guard<std::mutex> lock(dumps.callback_mutex);
  for (size_t at = 0; at < bytes.size(); at += kChunkBytes) {
    const size_t some = std::min(kChunkBytes, bytes.size() - at);
    chunk->bufLen = static_cast<uint32_t>(some);
    chunk->isLastChunk = at + some == bytes.size();
    chunk->offset = static_cast<int64_t>(at);
    std::memcpy(chunk->dataBuf, bytes.data() + at, some);
    if (callback(chunk, static_cast<int32_t>(sizeof(acldumpChunk) + some)) != 0) return;
  }
}

// One execution. Inputs of operators are kept from when they were made, because their memory may serve others by then.
class Watch : public runtime::StepObserver {
 public:
  Watch(const runtime::Plan& plan, const DumpConfig& config, const std::set<std::string>& wanted, std::string folder, DumpCallback callback,
        const RunPlace& place)
      : plan_(plan), config_(config), folder_(std::move(folder)), callback_(callback), place_(place), ops_(ListOps(plan)) {
    dumped_.resize(ops_.size());
    keep_.resize(plan.tensors.size());
    kept_.resize(plan.tensors.size());
    for (size_t i = 0; i < ops_.size(); ++i) {
      dumped_[i] = ops_[i].layer >= 0 && (wanted.empty() || wanted.count(ops_[i].name) > 0);
      if (!dumped_[i] || !config.inputs) continue;
      for (uint32_t tensor : plan.layers[ops_[i].layer].inputs) keep_[tensor] = true;
    }
  }

  void AfterStep(size_t step, const runtime::Memory& memory) override {
    while (next_ < ops_.size() && ops_[next_].last_step <= step) {
      EndOp(next_, memory);
      ++next_;
    }
  }

 private:
  void EndOp(size_t index, const runtime::Memory& memory) {
    const OpInfo& op = ops_[index];
    if (op.layer < 0) return;
    const runtime::Layer& layer = plan_.layers[op.layer];
    if (dumped_[index] && config_.inputs) {
      for (size_t i = 0; i < layer.inputs.size(); ++i) DumpInput(index, i, layer.inputs[i], memory);
    }
    for (size_t i = 0; i < layer.outputs.size(); ++i) {
      const uint32_t tensor = layer.outputs[i];
      const uint8_t* const data = memory.Find(plan_.tensors[tensor]);
      if (data == nullptr || (!keep_[tensor] && !(dumped_[index] && config_.outputs))) continue;
      std::string file = NpyFile(plan_.tensors[tensor], data);
      if (dumped_[index] && config_.outputs) Write(index, "output", i, tensor, file);
      if (keep_[tensor]) kept_[tensor] = std::move(file);
    }
  }

  void DumpInput(size_t index, size_t input, uint32_t tensor, const runtime::Memory& memory) {
    const runtime::TensorRecord& record = plan_.tensors[tensor];
    const bool lasting = record.in_memory && record.space != runtime::Space::kArena && record.space != runtime::Space::kOutput;
    if (kept_[tensor].empty() && lasting) kept_[tensor] = NpyFile(record, memory.Find(record));
    if (!kept_[tensor].empty()) Write(index, "input", input, tensor, kept_[tensor]);
  }

  void Write(size_t index, const char* direction, size_t number, uint32_t tensor, const std::string& file) {
    const OpInfo& op = ops_[index];
    const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    const std::string name = folder_ + "/" + FileName(op.type) + "." + FileName(op.name) + "." + std::to_string(index) + "." +
                             std::to_string(place_.stream_id) + "." + std::to_string(micros) + "." + direction + "." + std::to_string(number);
    Put(name + ".npy", file);
    const runtime::TensorRecord& record = plan_.tensors[tensor];
    if (record.scale == 0) return;
    char text[96];
    std::snprintf(text, sizeof text, "{\"scale\": %.9g, \"zero_point\": %d}\n", static_cast<double>(record.scale), record.zero_point);
    Put(name + ".json", text);
  }

  void Put(const std::string& path, const std::string& bytes) {
    if (callback_ != nullptr) {
      SendChunks(callback_, path, bytes);
    } else if (!WriteDumpFile(path, bytes) && !warned_) {
      warned_ = true;
      Log(ACL_ERROR, "dump: cannot write '%s': %s", path.c_str(), std::strerror(errno));
    }
  }

  const runtime::Plan& plan_;
  const DumpConfig config_;
  const std::string folder_;
  const DumpCallback callback_;
  const RunPlace place_;
  const std::vector<OpInfo> ops_;
  std::vector<bool> dumped_;       // by op
  std::vector<bool> keep_;         // by tensor: an input of a dumped op
  std::vector<std::string> kept_;  // by tensor: the file
  size_t next_ = 0;
  bool warned_ = false;
};

}  // namespace

aclError PrepareDump(bool by_init) {
  Dumps& dumps = TheDumps();
  const std::lock_guard<std::mutex> lock(dumps.mutex);
  if (dumps.state != State::kOff) return Fail(ACL_ERROR_DUMP_ALREADY_RUN, "dumps are prepared already");
  dumps.state = by_init ? State::kSetByInit : State::kPrepared;
  dumps.config = nullptr;
  dumps.executions.clear();
  UpdateFlag(dumps);
  return ACL_SUCCESS;
}

aclError SetDump(const DumpConfig& config) {
  Dumps& dumps = TheDumps();
  const std::lock_guard<std::mutex> lock(dumps.mutex);
  if (dumps.state == State::kOff) return Fail(ACL_ERROR_DUMP_NOT_RUN, "aclmdlInitDump was not called");
  const bool names_models = config.all_models || !config.models.empty();
  if (names_models && dumps.callback == nullptr) {
    if (!MakeFolders(config.path) || access(config.path.c_str(), W_OK | X_OK) != 0) {
      return Fail(ACL_ERROR_INVALID_DUMP_CONFIG, "\"dump_path\" '%.300s' cannot be written to: %s", config.path.c_str(), std::strerror(errno));
    }
  }
  dumps.config = names_models ? std::make_shared<const DumpConfig>(config) : nullptr;
  dumps.started = TimeNow();
  UpdateFlag(dumps);
  return ACL_SUCCESS;
}

aclError FinalizeDump() {
  Dumps& dumps = TheDumps();
  const std::lock_guard<std::mutex> lock(dumps.mutex);
  if (dumps.state != State::kPrepared) return Fail(ACL_ERROR_DUMP_NOT_RUN, "aclmdlInitDump was not called");
  dumps.state = State::kOff;
  dumps.config = nullptr;
  UpdateFlag(dumps);
  return ACL_SUCCESS;
}

void StopDumps() {
  Dumps& dumps = TheDumps();
  const std::lock_guard<std::mutex> lock(dumps.mutex);
  dumps.state = State::kOff;
  dumps.config = nullptr;
  dumps.callback = nullptr;
  UpdateFlag(dumps);
}

void SetDumpCallback(DumpCallback callback) {
  Dumps& dumps = TheDumps();
  const std::lock_guard<std::mutex> lock(dumps.mutex);
  dumps.callback = callback;
  if (dumps.started.empty()) dumps.started = TimeNow();
  UpdateFlag(dumps);
}

std::unique_ptr<runtime::StepObserver> WatchForDump(const LoadedModel& model, const runtime::Plan& plan, const RunPlace& place) {
  if (!may_dump.load(std::memory_order_relaxed)) return nullptr;
  Dumps& dumps = TheDumps();
  DumpConfig config;
  std::set<std::string> wanted;
  std::string folder;
  DumpCallback callback = nullptr;
  const std::string& name = model.info()->name;
  {
    const std::lock_guard<std::mutex> lock(dumps.mutex);
    if (dumps.state == State::kOff || (dumps.config == nullptr && dumps.callback == nullptr)) return nullptr;
    if (dumps.config != nullptr) {
      config = *dumps.config;
      const auto row = config.models.find(name);
      if (row == config.models.end() && !config.all_models) return nullptr;
      if (row != config.models.end()) wanted = row->second;
    }
    callback = dumps.callback;
    const uint64_t number = dumps.executions[model.info()->id]++;
    folder = config.path + (config.path.empty() ? "" : "/") + dumps.started + "/0/" + FileName(name) + "/" + std::to_string(model.info()->id) + "/" +
             std::to_string(number);
  }
  if (callback == nullptr && !MakeFolders(folder)) {
    Log(ACL_ERROR, "dump: cannot make '%s': %s", folder.c_str(), std::strerror(errno));
    return nullptr;
  }
  return std::make_unique<Watch>(plan, config, wanted, std::move(folder), callback, place);
}

}  // namespace omkit::acl
