#include "tools/om/om.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>

#include "backends/run_side.h"
#include "base/file.h"
#include "runtime/fake_kernels.h"
#include "runtime/kernel.h"
#include "runtime/om_file.h"

namespace omkit::om {
namespace {

using runtime::FakeProgram;
using runtime::kFakeElements;

struct Result {
  int code;
  std::string out, err;
};

Result Om(std::vector<std::string> arguments) {
  std::ostringstream out, err;
  const int code = RunOm(arguments, out, err);
  return {code, out.str(), err.str()};
}

class OmTest : public ::testing::Test {
 protected:
  void SetUp() override {
    runtime::RegisterFakeKernels();
    std::string pattern = ::testing::TempDir() + "/om_test_XXXXXX";
    ASSERT_NE(mkdtemp(&pattern[0]), nullptr);
    folder_ = pattern;
    model_ = folder_ + "/fake.om";
    ASSERT_TRUE(runtime::WriteOm(FakeProgram(), model_).ok());
  }
  void TearDown() override {
    for (const char* name : {"/fake.om", "/x.bin", "/out/output_0.bin"}) remove((folder_ + name).c_str());
    remove((folder_ + "/out").c_str());
    remove(folder_.c_str());
  }
  std::string folder_, model_;
};

void ExpectContains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text << "\nlacks: " << part;
}

TEST_F(OmTest, HelpNamesAllFlags) {
  const Result result = Om({"help"});
  EXPECT_EQ(result.code, 0);
  for (const char* part : {"om info FILE", "om run FILE", "om compare FILE REFERENCE", "om backends", "--plugin_path", "--input FILE,...",
                           "--output DIR", "--loop N", "--warmup N", "--threads N", "--profile"}) {
    ExpectContains(result.out, part);
  }
  EXPECT_EQ(Om({"run", "--help"}).out, result.out);
  EXPECT_EQ(Om({}).code, 2);
}

TEST_F(OmTest, WrongCommandLines) {
  const struct {
    std::vector<std::string> arguments;
    const char* message;
  } kRows[] = {
      {{"inof", "a.om"}, "unknown command 'inof', did you mean 'info'?"},
      {{"run", "a.om", "--thread=2"}, "unknown flag 'thread', did you mean 'threads'?"},
      {{"run"}, "om run needs one offline model, 0 given"},
      {{"info", "a.om", "b.om"}, "om info needs one offline model, 2 given"},
      {{"info", "a.om", "--loop=3"}, "om info has no flag --loop"},
      {{"run", "a.om", "--loop"}, "--loop needs a value: N"},
      {{"run", "a.om", "--loop=0"}, "--loop=0: not a number from 1 to 1000000000"},
      {{"run", "a.om", "--loop=1", "--loop", "2"}, "--loop is given twice"},
      {{"run", "a.om", "--threads=x"}, "--threads=x: not a number from 1 to 256"},
      {{"compare", "a.om"}, "om compare needs two offline models, 1 given"},
      {{"compare", "a.om", "b.om"}, "om compare needs --samples DIR"},
      {{"compare", "a.om", "b.om", "--samples=d", "--min-cosine=2"}, "--min-cosine=2: not a number from 0 to 1"},
      {{"backends", "a.om"}, "om backends needs no file, 1 given"},
      {{"backends", "--loop=2"}, "om backends has no flag --loop"},
      {{"run", "a.om", "--profile=yes"}, "--profile takes no value"},
  };
  for (const auto& row : kRows) {
    const Result result = Om(row.arguments);
    EXPECT_EQ(result.code, 2) << row.message;
    ExpectContains(result.err, row.message);
  }
}

TEST_F(OmTest, InfoPrintsWhatTheFileHolds) {
  const Result result = Om({"info", model_});
  EXPECT_EQ(result.code, 0) << result.err;
  for (const char* part :
       {"model        fake", "soc_version  cpu-reference", "isa          generic", "weights      400 bytes", "arena        896 bytes",
        "producer = test", "float32", "1x100", "fake.scale", "arena[448+400]", "input0[0+400]", "output0[0+400]", "weights[0+400]", "add2"}) {
    ExpectContains(result.out, part);
  }
}

TEST_F(OmTest, ComparesTwoModels) {
  ASSERT_EQ(mkdir((folder_ + "/samples").c_str(), 0777), 0);
  const std::string sample = folder_ + "/samples/x.bin";
  ASSERT_TRUE(WriteFile(sample, std::string(kFakeElements * 4, '\1')).ok());
  const Result same = Om({"compare", model_, model_, "--samples", folder_ + "/samples", "--min-cosine=1", "--min-same-class=1"});
  EXPECT_EQ(same.code, 0) << same.err;
  ExpectContains(same.out, "least 1.000000");
  // The scaled model against one that scales to the opposite sign.
  runtime::Program program = FakeProgram();
  float* const weights = reinterpret_cast<float*>(program.weights.data());
  for (size_t i = 0; i < program.weights.size() / 4; ++i) weights[i] = -weights[i];
  const std::string other = folder_ + "/other.om";
  ASSERT_TRUE(runtime::WriteOm(program, other).ok());
  const Result different = Om({"compare", other, model_, "--samples", folder_ + "/samples", "--min-cosine=0.9999"});
  EXPECT_EQ(different.code, 1) << different.out;
  ExpectContains(different.err, "asked for is 0.9999");
  ExpectContains(Om({"compare", model_, model_, "--samples", folder_}).err, "has no samples");
  ASSERT_TRUE(WriteFile(sample, "short").ok());
  ExpectContains(Om({"compare", model_, model_, "--samples", folder_ + "/samples"}).err, "x.bin' has 5 bytes");
  remove(sample.c_str());
  remove(other.c_str());
  rmdir((folder_ + "/samples").c_str());
}

TEST_F(OmTest, BackendsAreListed) {
  const Result result = Om({"backends"});
  EXPECT_EQ(result.code, 0) << result.err;
  for (const char* part : {"npu_int8 (part of omkit)", "npu-int8-generic", "reference (part of omkit)", "cpu-reference"})
    ExpectContains(result.out, part);
  const Result refused = Om({"backends", "--plugin_path=" + model_});
  EXPECT_EQ(refused.code, 1);
  ExpectContains(refused.out, "npu-int8-generic");
  ExpectContains(refused.err, "not a shared object");
}

TEST_F(OmTest, BrokenFilesAreNamed) {
  EXPECT_EQ(Om({"info", folder_ + "/none.om"}).code, 1);
  ExpectContains(Om({"run", folder_ + "/none.om"}).err, "none.om': No such file");
  std::string bytes = *ReadFile(model_);
  bytes[bytes.size() / 2] ^= 1;
  ASSERT_TRUE(WriteFile(model_, bytes).ok());
  ExpectContains(Om({"info", model_}).err, "damaged");
}

TEST_F(OmTest, RunWritesOutputs) {
  std::vector<float> x(kFakeElements);
  for (int64_t i = 0; i < kFakeElements; ++i) x[i] = static_cast<float>(i * i % 17);
  const std::string input(reinterpret_cast<const char*>(x.data()), x.size() * sizeof(float));
  ASSERT_TRUE(WriteFile(folder_ + "/x.bin", input).ok());
  const Result result =
      Om({"run", model_, "--input", folder_ + "/x.bin", "--output=" + folder_ + "/out", "--loop=5", "--warmup=1", "--threads=2", "--profile"});
  ASSERT_EQ(result.code, 0) << result.err;
  for (const char* part : {"2 threads", "p99", "executions per second", "fake.add", "scale"}) ExpectContains(result.out, part);
  const std::vector<float> y = runtime::FakeResult(x);
  EXPECT_EQ(*ReadFile(folder_ + "/out/output_0.bin"), std::string(reinterpret_cast<const char*>(y.data()), y.size() * sizeof(float)));
}

TEST_F(OmTest, RunChecksItsInputs) {
  ASSERT_TRUE(WriteFile(folder_ + "/x.bin", "short").ok());
  ExpectContains(Om({"run", model_, "--input", folder_ + "/x.bin"}).err, "input 0 'x' is float32 1x100 = 400 bytes");
  ExpectContains(Om({"run", model_, "--input=a,b"}).err, "--input names 2 files, the model has 1 inputs");
  ExpectContains(Om({"run", model_}).out, "zeros (no --input)");
}

// Without it the loader cannot refuse a step that writes to constants. reference.op and control.run look at their operands' spaces themselves.
TEST(Kernels, SayWhatTheyWrite) {
  RegisterAllKernels();
  EXPECT_GT(runtime::KernelNames().size(), 20u);
  for (const std::string& name : runtime::KernelNames()) {
    if (name == "reference.op" || name == "control.run" || name == "fake.fail") continue;
    EXPECT_NE(runtime::FindKernel(name)->writes, 0u) << name;
  }
}

}  // namespace
}  // namespace omkit::om
