#include "tools/bench/bench.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>

#include "base/file.h"
#include "nlohmann/json.hpp"
#include "runtime/fake_kernels.h"
#include "runtime/om_file.h"
#include "tools/bench/report.h"

namespace omkit::bench {
namespace {

class BenchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    runtime::RegisterFakeKernels();
    std::string pattern = ::testing::TempDir() + "/bench_test_XXXXXX";
    ASSERT_NE(mkdtemp(&pattern[0]), nullptr);
    folder_ = pattern;
    for (const char* name : {"/a.om", "/b.om"}) ASSERT_TRUE(runtime::WriteOm(runtime::FakeProgram(), folder_ + name).ok());
  }
  void TearDown() override {
    for (const char* name : {"/a.om", "/b.om", "/r.json"}) remove((folder_ + name).c_str());
    remove(folder_.c_str());
  }
  std::string folder_;
};

TEST_F(BenchTest, MeasuresEveryModelWithEveryNumberOfThreads) {
  std::ostringstream out, err;
  const int code = RunBench({"--om", folder_ + "/a.om", "--om", folder_ + "/b.om", "--threads=1,2", "--loop=25", "--burst=4", "--layers",
                             "--peak=100", "--peak-f32=50", "--json", folder_ + "/r.json"},
                            out, err);
  ASSERT_EQ(code, 0) << err.str();
  const nlohmann::json json = nlohmann::json::parse(*ReadFile(folder_ + "/r.json"), nullptr, false);
  ASSERT_FALSE(json.is_discarded());
  EXPECT_EQ(json["peak_of_one_core"]["int8_gops"], 100);
  ASSERT_EQ(json["results"].size(), 4u);
  for (size_t i = 0; i < 4; ++i) {
    const nlohmann::json& result = json["results"][i];
    EXPECT_EQ(result["model"], folder_ + (i < 2 ? "/a.om" : "/b.om"));
    EXPECT_EQ(result["threads"], i % 2 + 1);
    EXPECT_EQ(result["executions"], 25);
    EXPECT_GT(result["min_ms"], 0);
    EXPECT_LE(result["min_ms"], result["p50_ms"]);
    EXPECT_LE(result["p50_ms"], result["p90_ms"]);
    EXPECT_LE(result["p90_ms"], result["p99_ms"]);
    EXPECT_LE(result["p99_ms"], result["max_ms"]);
    EXPECT_GT(result["load_ms"], 0);
    EXPECT_GT(result["peak_rss_bytes"], 100'000);
    EXPECT_EQ(result["weights_bytes"], 400);
    EXPECT_EQ(result["layers"].size(), runtime::FakeProgram().steps.size());
    EXPECT_EQ(result["layers"][0]["kernel"], "fake.add");
    EXPECT_GT(result["layers"][0]["min_us"], 0);
  }
  for (const char* part : {"p99 ms", "% peak", "fake.scale", "a.om, 2 threads"}) EXPECT_NE(out.str().find(part), std::string::npos) << out.str();
}

TEST_F(BenchTest, SecondsLimitTheTime) {
  std::ostringstream out, err;
  ASSERT_EQ(RunBench({"--om", folder_ + "/a.om", "--seconds=0.02", "--peak=1", "--peak-f32=1", "--json", folder_ + "/r.json"}, out, err), 0)
      << err.str();
  const nlohmann::json result = nlohmann::json::parse(*ReadFile(folder_ + "/r.json"), nullptr, false)["results"][0];
  EXPECT_GT(result["executions"], 1);
  EXPECT_LT(result["executions"].get<double>() * result["min_ms"].get<double>(), 1000);
}

// FakeProgram for batches of 10 and of kFakeElements items of one element.
runtime::ShapedProgram BatchProgram() {
  runtime::Plan small = runtime::FakeProgram();
  constexpr int64_t kItems = 10;
  constexpr uint64_t kBytes = kItems * sizeof(float);
  for (runtime::IoDesc* io : {&small.inputs[0], &small.outputs[0]}) io->dims = {kItems, 1}, io->bytes = kBytes;
  for (runtime::Step& step : small.steps) {
    auto params = runtime::ParamsOf<runtime::FakeParams>(step);
    params.n = kItems;
    step.params = runtime::ParamBytes(params);
    step.operations = 10;
    for (runtime::Operand& operand : step.operands) operand.size = kBytes;
  }
  runtime::ShapedProgram program = runtime::FakeProgram();
  for (runtime::IoDesc* io : {&program.inputs[0], &program.outputs[0]}) io->dims = {runtime::kFakeElements, 1};
  program.shapes.mode = runtime::ShapeMode::kBatchGears;
  program.shapes.dims = {{-1, 1}};
  program.shapes.largest = 1;
  for (std::vector<runtime::IoDesc>* inputs : {&small.inputs, &program.inputs}) inputs->push_back(runtime::GearInput(1));
  program.shapes.gears = {{{kItems}, small}, {{runtime::kFakeElements}, {}}};
  return program;
}

TEST_F(BenchTest, MeasuresEveryBatchSize) {
  ASSERT_TRUE(runtime::WriteOm(BatchProgram(), folder_ + "/a.om").ok());
  const struct {
    const char* batch;
    std::vector<int> expected;
  } cases[] = {{"", {100}}, {"--batch=10", {10}}, {"--batch=100,10", {100, 10}}};
  for (const auto& c : cases) {
    std::ostringstream out, err;
    std::vector<std::string> arguments = {"--om=" + folder_ + "/a.om",    "--loop=5", "--layers", "--peak=1", "--peak-f32=1",
                                          "--json=" + folder_ + "/r.json"};
    if (*c.batch != '\0') arguments.push_back(c.batch);
    ASSERT_EQ(RunBench(arguments, out, err), 0) << err.str();
    const nlohmann::json results = nlohmann::json::parse(*ReadFile(folder_ + "/r.json"), nullptr, false)["results"];
    ASSERT_EQ(results.size(), c.expected.size());
    for (size_t i = 0; i < results.size(); ++i) {
      EXPECT_EQ(results[i]["batch"], c.expected[i]);
      EXPECT_EQ(results[i]["operations"], c.expected[i] == 10 ? 30 : 3 * runtime::kFakeOperations);
      EXPECT_NEAR(results[i]["items_per_second"].get<double>(), results[i]["executions_per_second"].get<double>() * c.expected[i], 1e-3);
      EXPECT_NE(out.str().find("a.om, batch " + std::to_string(c.expected[i])), std::string::npos) << out.str();
    }
  }
}

TEST_F(BenchTest, RefusesBatchSizesThatAModelDoesNotHave) {
  ASSERT_TRUE(runtime::WriteOm(BatchProgram(), folder_ + "/a.om").ok());
  const struct {
    const char* file;
    const char* batch;
    const char* message;  // empty: accepted
  } cases[] = {
      {"/a.om", "--batch=10,11", "no batch size 11; it has 10, 100"},
      {"/b.om", "--batch=1", ""},
      {"/b.om", "--batch=2", "no batch size 2; compile it with atc --dynamic_batch_size"},
  };
  for (const auto& c : cases) {
    std::ostringstream out, err;
    const int code = RunBench({"--om=" + folder_ + c.file, c.batch, "--loop=1", "--peak=1", "--peak-f32=1"}, out, err);
    EXPECT_EQ(code, *c.message == '\0' ? 0 : 1) << c.batch;
    EXPECT_NE(err.str().find(c.message), std::string::npos) << err.str();
  }
}

TEST_F(BenchTest, ErrorsNameTheFile) {
  std::ostringstream out, err;
  EXPECT_EQ(RunBench({"--om", folder_ + "/none.om", "--peak=1", "--peak-f32=1"}, out, err), 1);
  EXPECT_NE(err.str().find("none.om"), std::string::npos) << err.str();
  EXPECT_EQ(RunBench({"--om", folder_ + "/a.om", "--brst=1"}, out, err), 2);
  EXPECT_NE(err.str().find("did you mean '--burst'?"), std::string::npos) << err.str();
}

TEST(Report, KernelsKnowTheirPeak) {
  Machine machine;
  machine.cores = 2;
  machine.peak = {400, 100, 200};
  EXPECT_EQ(PeakOf(machine, "conv_u8.avx2", 1), 400);
  EXPECT_EQ(PeakOf(machine, "dwconv_u8.avx2", 2), 800);
  EXPECT_EQ(PeakOf(machine, "conv_f32.avx2", 8), 200);
  EXPECT_EQ(PeakOf(machine, "conv_bf16.avx512vnni", 1), 200);
  EXPECT_EQ(PeakOf(machine, "copy.avx2", 1), 0);
}

TEST(Peak, BestTierIsMeasured) {
  const Isa isa = BestIsa();
  if (isa == Isa::kGeneric) GTEST_SKIP() << "skipped: the generic tier has no peak of its own";
  const Peak peak = MeasurePeak(isa);
  EXPECT_GT(peak.f32, 0.1);
  EXPECT_GT(peak.int8, peak.f32);
}

}  // namespace
}  // namespace omkit::bench
