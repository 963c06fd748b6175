#include "tools/bench/options.h"

#include <gtest/gtest.h>

namespace omkit::bench {
namespace {

TEST(Options, Defaults) {
  const absl::StatusOr<Options> options = ParseOptions({"--om", "a.om"});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->models, std::vector<std::string>{"a.om"});
  EXPECT_EQ(options->threads, std::vector<int>{1});
  EXPECT_EQ(options->loop, 100);
  EXPECT_EQ(options->seconds, 0);
  EXPECT_FALSE(options->layers);
}

TEST(Options, All) {
  const absl::StatusOr<Options> options = ParseOptions({"--om", "a.om", "--om=b.om", "--threads=2,1", "--batch=1,8", "--seconds", "0.5", "--burst=3",
                                                        "--layers", "--peak=466", "--peak-f32=116.5", "--json=r.json"});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->models, (std::vector<std::string>{"a.om", "b.om"}));
  EXPECT_EQ(options->threads, (std::vector<int>{2, 1}));
  EXPECT_EQ(options->batches, (std::vector<int>{1, 8}));
  EXPECT_EQ(options->seconds, 0.5);
  EXPECT_EQ(options->burst, 3);
  EXPECT_TRUE(options->layers);
  EXPECT_EQ(options->int8_peak, 466);
  EXPECT_EQ(options->f32_peak, 116.5);
  EXPECT_EQ(options->json, "r.json");
}

TEST(Options, WrongOnes) {
  const struct {
    std::vector<std::string> arguments;
    const char* message;
  } kRows[] = {
      {{}, "no model is given; bench needs --om FILE"},
      {{"a.om"}, "'a.om' is not a flag; models are given as --om a.om"},
      {{"--thread=2"}, "unknown flag '--thread', did you mean '--threads'?"},
      {{"--om=a", "--threads=1,0"}, "--threads=1,0: '0' is not a number from 1 to 256"},
      {{"--om=a", "--threads="}, "--threads=: '' is not a number from 1 to 256"},
      {{"--om=a", "--threads=2,2"}, "--threads=2,2: 2 is given twice"},
      {{"--om=a", "--batch=4,x"}, "--batch=4,x: 'x' is not a number from 1 to 1000000"},
      {{"--om=a", "--loop=0"}, "--loop=0: not a number from 1 to 100000000"},
      {{"--om=a", "--loop=1", "--loop=2"}, "--loop is given twice"},
      {{"--om=a", "--loop=1", "--seconds=2"}, "--loop and --seconds exclude each other"},
      {{"--om=a", "--seconds=nan"}, "--seconds=nan: not a number from 0.001 to 86400"},
      {{"--om=a", "--layers=1"}, "--layers takes no value"},
      {{"--om=a", "--json"}, "--json needs a value: FILE"},
  };
  for (const auto& row : kRows) {
    const absl::StatusOr<Options> options = ParseOptions(row.arguments);
    ASSERT_FALSE(options.ok()) << row.message;
    EXPECT_EQ(options.status().message(), row.message);
  }
}

TEST(Options, UsageNamesEveryFlag) {
  const std::string usage = Usage();
#define BENCH_FLAG(name, value, help) EXPECT_NE(usage.find("  --" name), std::string::npos) << name;
#include "tools/bench/bench_flags.inc"
}

}  // namespace
}  // namespace omkit::bench
