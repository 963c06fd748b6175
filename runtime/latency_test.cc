#include "runtime/latency.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace omkit::runtime {
namespace {

std::vector<int64_t> OneTo(int64_t n) {
  std::vector<int64_t> values(n);
  std::iota(values.begin(), values.end(), 1);
  return values;
}

TEST(Latency, PercentilesAreNearestRank) {
  // The textbook example of the nearest-rank method: 15, 20, 35, 40, 50.
  const std::vector<int64_t> sorted = {15, 20, 35, 40, 50};
  EXPECT_EQ(Percentile(sorted, 0), 15);
  EXPECT_EQ(Percentile(sorted, 5), 15);
  EXPECT_EQ(Percentile(sorted, 30), 20);
  EXPECT_EQ(Percentile(sorted, 40), 20);
  EXPECT_EQ(Percentile(sorted, 50), 35);
  EXPECT_EQ(Percentile(sorted, 100), 50);
  for (int n : {1, 2, 3, 7, 10, 99, 100, 101, 1000}) {
    const std::vector<int64_t> values = OneTo(n);
    for (int percent = 1; percent <= 100; ++percent) EXPECT_EQ(Percentile(values, percent), (n * percent + 99) / 100) << n << " " << percent;
  }
}

TEST(Latency, SummaryDoesNotDependOnTheOrder) {
  std::vector<int64_t> values = OneTo(200);
  std::reverse(values.begin(), values.end());
  std::swap(values[3], values[77]);
  const LatencyStatistics s = Summarize(values);
  EXPECT_EQ(s.executions, 200);
  EXPECT_EQ(s.least, 1);
  EXPECT_EQ(s.p50, 100);
  EXPECT_EQ(s.p90, 180);
  EXPECT_EQ(s.p99, 198);
  EXPECT_EQ(s.most, 200);
  EXPECT_DOUBLE_EQ(s.mean, 100.5);
  EXPECT_DOUBLE_EQ(s.throughput(), 1e9 / 100.5);
}

TEST(Latency, EmptyListIsAllZero) {
  const LatencyStatistics s = Summarize({});
  EXPECT_EQ(s.executions, 0);
  EXPECT_EQ(s.most, 0);
  EXPECT_EQ(s.throughput(), 0);
}

}  // namespace
}  // namespace omkit::runtime
