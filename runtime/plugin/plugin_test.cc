#include "runtime/plugin/plugin.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "runtime/kernel.h"
#include "runtime/model.h"
#include "runtime/om_file.h"
#include "runtime/plugin/step_params.h"
#include "runtime/soc.h"

namespace omkit::runtime {
namespace {

std::string Plugin(const char* fault) { return absl::StrCat("runtime/plugin/testing/", fault, ".so"); }

void Good() {
  const PluginSet set = LoadPlugins({Plugin("none")}, RunOnlyHost());
  ASSERT_TRUE(set.refused.empty()) << set.refused[0].reason;
  ASSERT_EQ(set.loaded.size(), 1u);
}

TEST(Plugin, EachFaultIsRefusedWithFileAndReason) {
  std::ofstream("text.so") << "not an ELF file";
  std::ofstream("empty.so");
  std::ofstream("cut.so") << "\177ELF";
  const struct {
    std::string file;
    const char* reason;
  } rows[] = {
      {Plugin("version"), "version 2 of the plugin interface, this omkit has version 1"},
      {Plugin("constructor"), "crash, Aborted"},
      {Plugin("entry"), "crash, Segmentation fault"},
      {Plugin("exit"), "exit status 3"},
      {Plugin("soc"), "soc_version 'npu-int8-generic' is taken"},
      {Plugin("symbol"), "no symbol omkit_plugin_entry"},
      {Plugin("unresolved"), "omkit_nowhere_defined"},
      {Plugin("null"), "returned NULL"},
      {Plugin("kernel"), "no name of the form 'good.<kernel>'"},
      {Plugin("size"), "struct_size of 16 bytes"},
      {"text.so", "not a shared object"},
      {"empty.so", "not a shared object"},
      {"cut.so", "cannot be loaded"},
      {"missing.so", "No such file"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.file);
    const size_t kernels = KernelNames().size();
    const PluginSet set = LoadPlugins({row.file}, RunOnlyHost());
    ASSERT_EQ(set.refused.size(), 1u);
    const absl::string_view message = set.refused[0].reason.message();
    EXPECT_NE(message.find(row.file), absl::string_view::npos) << message;
    EXPECT_NE(message.find(row.reason), absl::string_view::npos) << message;
    EXPECT_EQ(KernelNames().size(), kernels);
  }
  // The host goes on: the next plugin works.
  Good();
}

TEST(Plugin, ASecondOneWithTheSameNamesIsRefused) {
  Good();
  const PluginSet set = LoadPlugins({Plugin("none"), Plugin("params")}, RunOnlyHost());
  EXPECT_EQ(set.loaded.size(), 1u);
  ASSERT_EQ(set.refused.size(), 1u);
  EXPECT_NE(set.refused[0].reason.message().find("'good-chip' is taken"), absl::string_view::npos) << set.refused[0].reason;
}

TEST(Plugin, ItsChipIsKnownAndRunsOnThisDevice) {
  Good();
  ASSERT_TRUE(FindSoc("good-chip").ok());
  EXPECT_TRUE(CheckSoc("good-chip", "generic", HostSoc()).ok());
  EXPECT_EQ(AddSocRow("good-chip", Isa::kGeneric, "").code(), absl::StatusCode::kAlreadyExists);
}

Program AddProgram(int32_t add, uint32_t params_version) {
  Program program;
  program.model_name = "add";
  program.soc_version = "good-chip";
  program.isa = "generic";
  program.inputs = {{"x", DType::kUInt8, {8}, "ND", 8}};
  program.outputs = {{"y", DType::kUInt8, {8}, "ND", 8}};
  Step step;
  step.kernel = "good.add";
  step.node = "node";
  step.op = "Add";
  step.params = WithParamsVersion(params_version, &add, sizeof add);
  step.operands = {{Space::kOutput, 0, 0, 8}, {Space::kInput, 0, 0, 8}};
  program.steps = {step};
  return program;
}

absl::StatusOr<std::unique_ptr<Model>> Load(Program program) {
  absl::StatusOr<LoadedOm> om = LoadedOmFrom(std::move(program));
  if (!om.ok()) return om.status();
  return Model::Load(*std::move(om));
}

TEST(Plugin, RunsItsSteps) {
  Good();
  auto model = Load(AddProgram(3, 1));
  ASSERT_TRUE(model.ok()) << model.status();
  const uint8_t in[8] = {0, 1, 2, 3, 4, 5, 6, 255};
  uint8_t out[8];
  ASSERT_TRUE((*model)->Execute({in}, {out}).ok());
  EXPECT_EQ(out[0], 3);
  EXPECT_EQ(out[7], 2);
}

TEST(Plugin, AFailedStepNamesTheNode) {
  Good();
  auto model = Load(AddProgram(99, 1));
  ASSERT_TRUE(model.ok()) << model.status();
  uint8_t in[8] = {}, out[8];
  const absl::Status status = (*model)->Execute({in}, {out});
  EXPECT_NE(status.message().find("99 is too much"), absl::string_view::npos) << status;
  EXPECT_NE(status.message().find("'node'"), absl::string_view::npos) << status;
}

TEST(Plugin, StepsOfAnotherParameterVersionAreRefused) {
  Good();
  const absl::Status status = Load(AddProgram(3, 2)).status();
  EXPECT_NE(status.message().find("version 2 of its parameters, the plugin reads version 1"), absl::string_view::npos) << status;
}

TEST(Plugin, HostileStepsAreRefused) {
  Good();
  Program bare = AddProgram(3, 1);
  bare.steps[0].params = "xy";
  EXPECT_NE(Load(bare).status().message().find("no step of a plugin"), absl::string_view::npos);
  Program long_params = AddProgram(3, 1);
  long_params.steps[0].params += "x";
  EXPECT_NE(Load(long_params).status().message().find("not a step of good.add"), absl::string_view::npos);
  Program writes_input = AddProgram(3, 1);
  writes_input.steps[0].operands[0] = {Space::kInput, 0, 0, 8};
  EXPECT_NE(Load(writes_input).status().message().find("lies in an input"), absl::string_view::npos);
}

TEST(Plugin, FoldersAndTheEnvironmentAreSearched) {
  mkdir("folder", 0777);
  for (const char* name : {"folder/b.so", "folder/a.so", "folder/readme.txt"}) std::ofstream(name) << "x";
  setenv("OMKIT_PLUGIN_PATH", "here.so:folder", 1);
  const std::vector<std::string> files = PluginFiles("first.so");
  unsetenv("OMKIT_PLUGIN_PATH");
  EXPECT_EQ(files, (std::vector<std::string>{"first.so", "here.so", "folder/a.so", "folder/b.so"}));
}

}  // namespace
}  // namespace omkit::runtime
