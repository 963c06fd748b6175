// Profiles, subscriptions, stamps and dumps of the C API.
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "acl/acl.h"
#include "acl/acl_prof.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "runtime/acl/kernels_hook.h"
#include "tests/acl_clients/fixture.h"

namespace omkit {
namespace {

const bool kHook = acl::SetKernelRegistration(&RegisterTinyKernels);
using Json = nlohmann::json;

std::string FreshFolder(const std::string& name) {
  const std::string path = TempPath(name);
  EXPECT_EQ(std::system(("rm -rf '" + path + "' && mkdir -p '" + path + "'").c_str()), 0);
  return path;
}

// All files below a folder, by name without the folder.
std::map<std::string, std::string> Files(const std::string& folder, const std::string& below = "") {
  std::map<std::string, std::string> files;
  DIR* const dir = opendir((folder + "/" + below).c_str());
  while (const dirent* entry = dir != nullptr ? readdir(dir) : nullptr) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    const std::string inside = below.empty() ? name : below + "/" + name;
    if (entry->d_type == DT_DIR) {
      const auto more = Files(folder, inside);
      files.insert(more.begin(), more.end());
    } else {
      std::ifstream file(folder + "/" + inside, std::ios::binary);
      files[inside] = std::string(std::istreambuf_iterator<char>(file), {});
    }
  }
  if (dir != nullptr) closedir(dir);
  return files;
}

// The content of the only file whose name has `part` in it.
std::string Content(const std::map<std::string, std::string>& files, const std::string& part) {
  std::string content;
  int found = 0;
  for (const auto& [name, bytes] : files) {
    if (name.find(part) == std::string::npos) continue;
    content = bytes;
    ++found;
  }
  EXPECT_EQ(found, 1) << part;
  return content;
}

aclprofConfig* MakeConfig(uint64_t bits) {
  uint32_t device = 0;
  return aclprofCreateConfig(&device, 1, ACL_AICORE_PIPE_UTILIZATION, nullptr, bits);
}

TEST_F(AclTest, ProfileBetweenStartAndStop) {
  const std::string folder = FreshFolder("prof");
  aclprofConfig* config = MakeConfig(ACL_PROF_ACL_API | ACL_PROF_TASK_TIME | ACL_PROF_MSPROFTX);
  ASSERT_NE(config, nullptr);
  EXPECT_EQ(aclprofStart(config), ACL_ERROR_PROF_NOT_RUN);
  EXPECT_EQ(aclprofFinalize(), ACL_ERROR_PROF_NOT_RUN);
  EXPECT_EQ(aclprofInit("/nonexistent", 12), ACL_ERROR_INVALID_FILE);
  EXPECT_EQ(aclprofInit(folder.c_str(), folder.size() + 1), ACL_ERROR_INVALID_PARAM);
  ASSERT_EQ(aclprofInit(folder.c_str(), folder.size()), ACL_SUCCESS) << Message();
  EXPECT_EQ(aclprofInit(folder.c_str(), folder.size()), ACL_ERROR_PROF_ALREADY_RUN);
  EXPECT_EQ(aclprofSetConfig(ACL_PROF_STORAGE_LIMIT, "100MB", 5), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclprofSetConfig(ACL_PROF_STORAGE_LIMIT, "300MB", 5), ACL_SUCCESS);
  Io io;
  EXPECT_EQ(aclmdlExecute(model_, io.inputs, io.outputs), ACL_SUCCESS);  // not recorded yet
  EXPECT_EQ(aclprofStart(config), ACL_SUCCESS);
  EXPECT_EQ(aclmdlExecute(model_, io.inputs, io.outputs), ACL_SUCCESS);
  aclrtStream stream = nullptr;
  ASSERT_EQ(aclrtCreateStream(&stream), ACL_SUCCESS);
  void* stamp = aclprofCreateStamp();
  EXPECT_EQ(aclprofSetStampTraceMessage(stamp, "load, \"frame\"", 13), ACL_SUCCESS);
  EXPECT_EQ(aclprofSetStampTraceMessage(stamp, "x", 128), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclprofMark(stamp), ACL_SUCCESS);
  EXPECT_EQ(aclprofPush(stamp), ACL_SUCCESS);
  EXPECT_EQ(aclprofPop(), ACL_SUCCESS);
  EXPECT_EQ(aclprofPop(), ACL_ERROR_INVALID_PARAM);
  uint32_t range = 0;
  EXPECT_EQ(aclprofRangeStart(stamp, &range), ACL_SUCCESS);
  std::thread([&] { EXPECT_EQ(aclprofRangeStop(range), ACL_SUCCESS); }).join();
  EXPECT_EQ(aclprofRangeStop(range), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclprofMarkEx("on the stream", 13, stream), ACL_SUCCESS);
  aclprofDestroyStamp(stamp);
  EXPECT_EQ(aclprofMark(stamp), ACL_ERROR_INVALID_PARAM);
  aclprofStepInfo* step = aclprofCreateStepInfo();
  EXPECT_EQ(aclprofGetStepTimestamp(step, ACL_STEP_START, stream), ACL_SUCCESS);
  EXPECT_EQ(aclmdlExecuteAsync(model_, io.inputs, io.outputs, stream), ACL_SUCCESS);
  EXPECT_EQ(aclprofGetStepTimestamp(step, ACL_STEP_END, stream), ACL_SUCCESS);
  EXPECT_EQ(aclrtDestroyStream(stream), ACL_SUCCESS);
  aclprofDestroyStepInfo(step);
  EXPECT_EQ(aclprofStop(config), ACL_SUCCESS);
  EXPECT_EQ(aclprofStop(config), ACL_ERROR_PROF_NOT_RUN);
  EXPECT_EQ(aclmdlExecute(model_, io.inputs, io.outputs), ACL_SUCCESS);  // not recorded any more
  EXPECT_EQ(aclprofFinalize(), ACL_SUCCESS) << Message();
  EXPECT_EQ(aclprofDestroyConfig(config), ACL_SUCCESS);
  EXPECT_EQ(aclprofDestroyConfig(config), ACL_ERROR_INVALID_PARAM);

  const auto files = Files(folder);
  const std::string summary = Content(files, "op_summary_");
  EXPECT_EQ(std::count(summary.begin(), summary.end(), '\n'), 3) << summary;
  EXPECT_NE(summary.find(",scale,Mul,static,AI_CORE,"), std::string::npos) << summary;
  EXPECT_NE(summary.find("\"1,4,4,4\",FLOAT,NCHW"), std::string::npos) << summary;
  EXPECT_NE(Content(files, "api_statistic_").find("host,ascendcl,aclmdlExecuteAsync,"), std::string::npos);
  const std::string stamps = Content(files, "msprof_tx_");
  for (const char* part : {",mark,", ",push/pop,", ",start/end,", ",marker_ex,", "\"load, \"\"frame\"\"\"", "on the stream"}) {
    EXPECT_NE(stamps.find(part), std::string::npos) << part << stamps;
  }
  const std::string steps = Content(files, "step_trace_");
  EXPECT_EQ(std::count(steps.begin(), steps.end(), '\n'), 4) << steps;
  const Json timeline = Json::parse(Content(files, "output/msprof_2"), nullptr, false);
  ASSERT_TRUE(timeline.is_array());
  EXPECT_TRUE(std::any_of(timeline.begin(), timeline.end(), [](const Json& e) { return e["name"] == "load, \"frame\""; }));
}

TEST_F(AclTest, ProfilingConfigurationsAreChecked) {
  uint32_t devices[2] = {0, 1};
  EXPECT_EQ(aclprofCreateConfig(nullptr, 1, ACL_AICORE_NONE, nullptr, ACL_PROF_TASK_TIME), nullptr);
  EXPECT_EQ(aclprofCreateConfig(devices, 2, ACL_AICORE_NONE, nullptr, ACL_PROF_TASK_TIME), nullptr);
  EXPECT_EQ(aclprofCreateConfig(devices + 1, 1, ACL_AICORE_NONE, nullptr, ACL_PROF_TASK_TIME), nullptr);
  EXPECT_EQ(aclprofCreateConfig(devices, 1, static_cast<aclprofAicoreMetrics>(77), nullptr, ACL_PROF_TASK_TIME), nullptr);
  EXPECT_EQ(aclprofCreateConfig(devices, 1, ACL_AICORE_NONE, reinterpret_cast<aclprofAicoreEvents*>(devices), ACL_PROF_TASK_TIME), nullptr);
  EXPECT_EQ(aclprofCreateConfig(devices, 1, ACL_AICORE_NONE, nullptr, 0), nullptr);
  EXPECT_EQ(aclprofCreateConfig(devices, 1, ACL_AICORE_NONE, nullptr, uint64_t{1} << 60), nullptr);
}

TEST(RecordLifeTest, AclJsonProfilesUntilFinalize) {
  const std::string folder = FreshFolder("json_prof");
  const std::string config = TempPath("prof.json"), path = TempPath("prof.om");
  WriteFile(config, Json({{"profiler", {{"switch", "on"}, {"output", folder}, {"task_time", "l1"}, {"ascendcl", "off"}}}}).dump());
  ASSERT_TRUE(WriteTinyModel(path, TinyProgram()));
  ASSERT_EQ(aclInit(config.c_str()), ACL_SUCCESS) << Message();
  ASSERT_EQ(aclrtSetDevice(0), ACL_SUCCESS);
  uint32_t id = 0;
  ASSERT_EQ(aclmdlLoadFromFile(path.c_str(), &id), ACL_SUCCESS);
  {
    Io io;
    for (int i = 0; i < 5; ++i) EXPECT_EQ(aclmdlExecute(id, io.inputs, io.outputs), ACL_SUCCESS);
  }
  EXPECT_EQ(aclprofInit(folder.c_str(), folder.size()), ACL_ERROR_PROF_ALREADY_RUN);
  EXPECT_EQ(aclFinalize(), ACL_SUCCESS);
  const auto files = Files(folder);
  const std::string statistic = Content(files, "op_statistic_");
  EXPECT_NE(statistic.find("0,Mul,AI_CORE,5,"), std::string::npos) << statistic;
}

TEST_F(AclTest, SubscriptionsDeliverOperators) {
  int pipes[2];
  ASSERT_EQ(pipe(pipes), 0);
  EXPECT_EQ(aclprofCreateSubscribeConfig(1, ACL_AICORE_NONE, nullptr), nullptr);
  aclprofSubscribeConfig* config = aclprofCreateSubscribeConfig(1, ACL_AICORE_NONE, &pipes[1]);
  EXPECT_EQ(aclprofModelSubscribe(model_ + 1, config), static_cast<aclError>(ACL_ERROR_GE_EXEC_MODEL_ID_INVALID));
  ASSERT_EQ(aclprofModelSubscribe(model_, config), ACL_SUCCESS);
  EXPECT_EQ(aclprofModelSubscribe(model_, config), ACL_ERROR_PROF_REPEAT_SUBSCRIBE);
  const std::string folder = FreshFolder("conflict");
  EXPECT_EQ(aclprofInit(folder.c_str(), folder.size()), ACL_ERROR_PROF_API_CONFLICT);
  Io io;
  for (int i = 0; i < 2; ++i) EXPECT_EQ(aclmdlExecute(model_, io.inputs, io.outputs), ACL_SUCCESS);
  size_t size = 0;
  ASSERT_EQ(aclprofGetOpDescSize(&size), ACL_SUCCESS);
  std::vector<char> bytes(2 * size + 1);
  // At an odd address: a client may read to anywhere.
  ASSERT_EQ(read(pipes[0], bytes.data() + 1, 2 * size), static_cast<ssize_t>(2 * size));
  const void* info = bytes.data() + 1;
  uint32_t number = 0;
  EXPECT_EQ(aclprofGetOpNum(info, 2 * size, &number), ACL_SUCCESS);
  EXPECT_EQ(number, 2u);
  size_t length = 0;
  char text[ACL_PROF_MAX_OP_NAME_LEN];
  for (uint32_t i = 0; i < number; ++i) {
    EXPECT_EQ(aclprofGetOpTypeLen(info, 2 * size, i, &length), ACL_SUCCESS);
    EXPECT_EQ(length, 4u);
    EXPECT_EQ(aclprofGetOpType(info, 2 * size, i, text, 3), ACL_ERROR_INVALID_PARAM);
    EXPECT_EQ(aclprofGetOpType(info, 2 * size, i, text, length), ACL_SUCCESS);
    EXPECT_STREQ(text, "Mul");
    EXPECT_EQ(aclprofGetOpNameLen(info, 2 * size, i, &length), ACL_SUCCESS);
    EXPECT_EQ(aclprofGetOpName(info, 2 * size, i, text, sizeof text), ACL_SUCCESS);
    EXPECT_STREQ(text, "scale");
    EXPECT_GT(aclprofGetOpStart(info, 2 * size, i), 0u);
    EXPECT_EQ(aclprofGetOpStart(info, 2 * size, i) + aclprofGetOpDuration(info, 2 * size, i), aclprofGetOpEnd(info, 2 * size, i));
    EXPECT_EQ(aclprofGetModelId(info, 2 * size, i), model_);
  }
  EXPECT_LE(aclprofGetOpEnd(info, 2 * size, 0), aclprofGetOpStart(info, 2 * size, 1));
  EXPECT_EQ(aclprofGetOpStart(info, 2 * size, 2), 0u);
  EXPECT_EQ(aclprofGetOpNum(info, 2 * size - 1, &number), ACL_ERROR_INVALID_PARAM);
  std::memset(bytes.data(), 0, bytes.size());
  EXPECT_EQ(aclprofGetOpNum(info, 2 * size, &number), ACL_ERROR_INVALID_PARAM);
  // A reader that goes away neither stops executions nor ends the process.
  close(pipes[0]);
  EXPECT_EQ(aclmdlExecute(model_, io.inputs, io.outputs), ACL_SUCCESS);
  EXPECT_EQ(aclprofModelUnSubscribe(model_), ACL_SUCCESS);
  EXPECT_EQ(aclprofModelUnSubscribe(model_), ACL_ERROR_INVALID_MODEL_ID);
  EXPECT_EQ(aclprofDestroySubscribeConfig(config), ACL_SUCCESS);
  close(pipes[1]);
}

// The floats of an .npy file; checks its header.
std::vector<float> Floats(const std::string& npy) {
  EXPECT_EQ(npy.compare(0, 6, "\x93NUMPY"), 0);
  EXPECT_NE(npy.find("'descr': '<f4', 'fortran_order': False, 'shape': (1,4,4,4,), }"), std::string::npos);
  EXPECT_EQ(npy.size(), 128u + kTinyBytes);
  std::vector<float> values(kTinyElements);
  std::memcpy(values.data(), npy.data() + npy.size() - kTinyBytes, kTinyBytes);
  return values;
}

TEST_F(AclTest, DumpsOfLayers) {
  const std::string folder = FreshFolder("dump");
  const std::string config = TempPath("dump.json");
  const Json section = {{"dump_list", {{{"model_name", "tiny"}, {"layer", {"scale"}}}}}, {"dump_path", folder}, {"dump_mode", "all"}};
  WriteFile(config, Json({{"dump", section}}).dump());
  EXPECT_EQ(aclmdlSetDump(config.c_str()), ACL_ERROR_DUMP_NOT_RUN);
  EXPECT_EQ(aclmdlFinalizeDump(), ACL_ERROR_DUMP_NOT_RUN);
  EXPECT_EQ(aclmdlInitDump(), ACL_SUCCESS);
  EXPECT_EQ(aclmdlInitDump(), ACL_ERROR_DUMP_ALREADY_RUN);
  Io io;
  EXPECT_EQ(aclmdlExecute(model_, io.inputs, io.outputs), ACL_SUCCESS);
  EXPECT_TRUE(Files(folder).empty());
  ASSERT_EQ(aclmdlSetDump(config.c_str()), ACL_SUCCESS) << Message();
  for (int i = 0; i < 2; ++i) EXPECT_EQ(aclmdlExecute(model_, io.inputs, io.outputs), ACL_SUCCESS);
  EXPECT_EQ(aclmdlFinalizeDump(), ACL_SUCCESS);
  EXPECT_EQ(aclmdlExecute(model_, io.inputs, io.outputs), ACL_SUCCESS);
  const auto files = Files(folder);
  EXPECT_EQ(files.size(), 4u);
  const std::string place = "/0/tiny/" + std::to_string(model_);
  for (const char* execution : {"/0/", "/1/"}) {
    for (const auto& [name, bytes] : files) {
      if (name.find(place + execution + "Mul.scale.0.0.") == std::string::npos) continue;
      const bool output = name.find(".output.0.npy") != std::string::npos;
      EXPECT_TRUE(output || name.find(".input.0.npy") != std::string::npos) << name;
      const std::vector<float> values = Floats(bytes);
      for (int i = 0; i < kTinyElements; ++i) EXPECT_EQ(values[i], output ? io.y(i) : static_cast<float>(i));
    }
  }

  WriteFile(config, "{\"dump\": {\"dump_list\": [{\"model_name\": \"other\"}], \"dump_path\": \"" + folder + "/more\"}}");
  EXPECT_EQ(aclmdlInitDump(), ACL_SUCCESS);
  EXPECT_EQ(aclmdlSetDump(config.c_str()), ACL_SUCCESS);
  EXPECT_EQ(aclmdlExecute(model_, io.inputs, io.outputs), ACL_SUCCESS);
  EXPECT_EQ(aclmdlFinalizeDump(), ACL_SUCCESS);
  EXPECT_EQ(Files(folder).size(), 4u);
}

std::string received;
std::atomic<int> last_chunks{0};
int32_t Receive(const acldumpChunk* chunk, int32_t length) {
  EXPECT_EQ(length, static_cast<int32_t>(sizeof(acldumpChunk) + chunk->bufLen));
  EXPECT_EQ(chunk->offset, static_cast<int64_t>(received.size()));
  EXPECT_NE(std::strstr(chunk->fileName, "Mul.scale.0."), nullptr) << chunk->fileName;
  received.append(reinterpret_cast<const char*>(chunk->dataBuf), chunk->bufLen);
  last_chunks += chunk->isLastChunk;
  return 0;
}

TEST_F(AclTest, DumpsThroughACallback) {
  static_assert(sizeof(acldumpChunk) == 4096 + 4 + 4 + 8 + 8, "fileName, bufLen, isLastChunk, offset, flag and its padding");
  EXPECT_EQ(acldumpRegCallback(nullptr, 0), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(acldumpRegCallback(&Receive, 1), ACL_ERROR_INVALID_PARAM);
  EXPECT_EQ(aclmdlInitDump(), ACL_SUCCESS);
  EXPECT_EQ(acldumpRegCallback(&Receive, 0), ACL_SUCCESS);
  Io io;
  received.clear();
  last_chunks = 0;
  EXPECT_EQ(aclmdlExecute(model_, io.inputs, io.outputs), ACL_SUCCESS);
  EXPECT_EQ(last_chunks, 1);
  EXPECT_EQ(Floats(received)[3], 6.5f);
  acldumpUnregCallback();
  EXPECT_EQ(aclmdlExecute(model_, io.inputs, io.outputs), ACL_SUCCESS);
  EXPECT_EQ(last_chunks, 1);
  EXPECT_EQ(aclmdlFinalizeDump(), ACL_SUCCESS);
}

TEST(RecordLifeTest, AclJsonDumpsFromTheBeginning) {
  const std::string folder = FreshFolder("json_dump");
  const std::string config = TempPath("dump_init.json"), path = TempPath("dump.om");
  WriteFile(config, "{\"dump\": {\"dump_op_switch\": \"on\", \"dump_path\": \"" + folder + "\"}}");
  ASSERT_TRUE(WriteTinyModel(path, TinyProgram()));
  ASSERT_EQ(aclInit(config.c_str()), ACL_SUCCESS) << Message();
  ASSERT_EQ(aclrtSetDevice(0), ACL_SUCCESS);
  EXPECT_EQ(aclmdlInitDump(), ACL_ERROR_DUMP_ALREADY_RUN);
  EXPECT_EQ(aclmdlFinalizeDump(), ACL_ERROR_DUMP_NOT_RUN);
  uint32_t id = 0;
  ASSERT_EQ(aclmdlLoadFromFile(path.c_str(), &id), ACL_SUCCESS);
  {
    Io io;
    EXPECT_EQ(aclmdlExecute(id, io.inputs, io.outputs), ACL_SUCCESS);
  }
  EXPECT_EQ(aclFinalize(), ACL_SUCCESS);
  EXPECT_EQ(Files(folder).size(), 1u);
  EXPECT_EQ(Floats(Files(folder).begin()->second)[0], kTinyBias);
}

}  // namespace
}  // namespace omkit
