#include "passes/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "absl/strings/match.h"
#include "base/quant.h"
#include "gtest/gtest.h"
#include "passes/choose_range.h"
#include "passes/statistics_file.h"

namespace omkit::passes {
namespace {

class Random {
 public:
  explicit Random(uint32_t seed) : state_(seed) {}
  uint32_t Next() { return state_ = state_ * 1664525u + 1013904223u; }
  float Uniform() { return static_cast<float>(Next() >> 8) * 0x1p-24f; }
  float Gaussian() {
    float sum = 0;
    for (int k = 0; k < 12; ++k) sum += Uniform();
    return sum - 6;
  }

 private:
  uint32_t state_;
};

Histogram Of(const std::vector<float>& values, size_t block) {
  Histogram h;
  for (size_t i = 0; i < values.size(); i += block) {
    const int64_t count = static_cast<int64_t>(std::min(block, values.size() - i));
    h.Add(values.data() + i, count, Histogram::ExtremesOf(values.data() + i, count));
  }
  return h;
}

// Values of many magnitudes, so that the histogram has to widen often.
std::vector<float> Wild(uint32_t seed) {
  Random random(seed);
  std::vector<float> values = {0.0f, -0.0f, 1e-30f, -1e-38f, std::numeric_limits<float>::denorm_min(), -4.0f, 4.0f, 4096.0f, -4096.0f};
  for (int i = 0; i < 3000; ++i) values.push_back(std::ldexp(random.Gaussian(), static_cast<int>(random.Next() >> 28) - 8));
  return values;
}

TEST(Histogram, DependsOnTheValuesAlone) {
  for (uint32_t seed : {1u, 2u, 3u}) {
    std::vector<float> values = Wild(seed);
    const Histogram whole = Of(values, values.size());
    EXPECT_EQ(whole.total(), values.size());
    EXPECT_EQ(whole.zeros(), 2u);
    std::sort(values.begin(), values.end());
    EXPECT_TRUE(Of(values, 1) == whole);
    std::reverse(values.begin(), values.end());
    EXPECT_TRUE(Of(values, 7) == whole);
    Histogram merged = Of({values.begin(), values.begin() + 1000}, 100);
    merged.Merge(Of({values.begin() + 1000, values.end()}, 33));
    merged.Merge(Histogram());
    EXPECT_TRUE(merged == whole);
  }
}

TEST(Histogram, CountsEveryValueIntoItsBin) {
  for (uint32_t seed : {4u, 5u}) {
    const std::vector<float> values = Wild(seed);
    const Histogram h = Of(values, 11);
    std::vector<uint64_t> expected(2 * Histogram::kBins, 0);
    for (float v : values) ++expected[static_cast<int>(std::floor(static_cast<double>(v) / h.width())) - Histogram::first_bin()];
    EXPECT_EQ(h.counts(), expected);
    EXPECT_EQ(h.min(), *std::min_element(values.begin(), values.end()));
    EXPECT_EQ(h.max(), *std::max_element(values.begin(), values.end()));
    // No narrower bins would do.
    EXPECT_TRUE(h.max() >= Histogram::kBins * h.width() / 2 || h.min() < -Histogram::kBins * h.width() / 2);
  }
}

TEST(Histogram, FindsWhatIsNotFinite) {
  for (float bad : {NAN, INFINITY, -INFINITY}) {
    for (size_t at : {0u, 5u, 40u}) {
      std::vector<float> values(41, 1.0f);
      values[at] = bad;
      EXPECT_FALSE(Histogram::ExtremesOf(values.data(), 41).finite);
    }
  }
}

TEST(ExactSum, DoesNotDependOnOrder) {
  std::vector<double> terms;
  Random random(9);
  for (int i = 0; i < 500; ++i) terms.push_back(std::ldexp(random.Gaussian(), static_cast<int>(random.Next() >> 27) - 16));
  auto sum = [](const std::vector<double>& values) {
    ExactSum s;
    for (double v : values) s.Add(v);
    return s;
  };
  const ExactSum forward = sum(terms);
  EXPECT_NEAR(forward.value(), std::accumulate(terms.begin(), terms.end(), 0.0), 1e-9);
  std::reverse(terms.begin(), terms.end());
  EXPECT_TRUE(sum(terms) == forward);
  ExactSum parsed;
  ASSERT_TRUE(parsed.Parse(forward.ToString()));
  EXPECT_TRUE(parsed == forward);
  for (const char* text : {"", "-", "1x", "123456789012345678901234567890123456789"}) EXPECT_FALSE(parsed.Parse(text)) << text;
}

// A graph without operators between its one input and output would do, but Relu gives two tensors.
std::unique_ptr<ir::Graph> ReluGraph(int64_t batch) {
  auto graph = std::make_unique<ir::Graph>();
  const TensorType type{DType::kFloat32, Shape{batch, 3, 4, 5}, {}, Layout::kPlain};
  const ir::ValueId x = graph->AddInput("x", type);
  const ir::NodeId relu = graph->AddNode(ir::OpKind::kRelu, "relu", {x});
  graph->SetType(graph->node(relu).outputs[0], type);
  graph->SetName(graph->node(relu).outputs[0], "y");
  graph->MarkOutput(graph->node(relu).outputs[0]);
  return graph;
}

std::vector<float> Item(int number) {
  Random random(100 + number);
  std::vector<float> values(60);
  for (float& v : values) v = random.Gaussian() * static_cast<float>(1 + number % 5);
  return values;
}

// Statistics of the items in the given order, `batch` of them at a time.
absl::StatusOr<Statistics> CollectItems(const std::vector<int>& items, int64_t batch, int threads = 1, Statistics start = {}) {
  const auto graph = ReluGraph(batch);
  CalibrationSource source{static_cast<int>(items.size() / batch), [&](int i) -> absl::StatusOr<std::vector<Tensor>> {
                             std::vector<float> values;
                             for (int64_t b = 0; b < batch; ++b) {
                               const std::vector<float> item = Item(items[i * batch + b]);
                               values.insert(values.end(), item.begin(), item.end());
                             }
                             return std::vector<Tensor>{Tensor::Of<float>(Shape{batch, 3, 4, 5}, values)};
                           }};
  const absl::Status status =
      Collect(*graph, {graph->inputs()[0], graph->outputs()[0]}, source, ir::MakeInterpreter, {threads, {}, {}, 64}, &start);
  if (!status.ok()) return status;
  return start;
}

TEST(Statistics, DoNotDependOnOrderBatchThreadsShardsOrInterruption) {
  const std::vector<int> items = {0, 1, 2, 3, 4, 5, 6, 7};
  const auto whole = CollectItems(items, 1);
  ASSERT_TRUE(whole.ok()) << whole.status();
  const std::string file = SerializeStatistics(*whole);
  EXPECT_EQ(SerializeStatistics(*CollectItems({7, 2, 5, 0, 1, 6, 3, 4}, 1, 3)), file);
  // Shards, merged in another order.
  Statistics merged = *CollectItems({5, 1, 7}, 1);
  ASSERT_TRUE(Merge(*CollectItems({0, 2, 3, 4, 6}, 1), &merged).ok());
  EXPECT_EQ(SerializeStatistics(merged), file);
  // Half of them were done before, through a file.
  const auto read = ParseStatistics(SerializeStatistics(*CollectItems({2, 6, 7}, 1)));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(SerializeStatistics(*CollectItems(items, 1, 1, *read)), file);
  // Batches: the samples are others, the tensors are the same.
  Statistics batched = *CollectItems(items, 4);
  batched.samples = whole->samples;
  EXPECT_EQ(SerializeStatistics(batched), file);
  EXPECT_EQ(whole->tensors.at("y").items, 8u);
  EXPECT_EQ(whole->tensors.at("y").channels.size(), 3u);
}

TEST(Statistics, NameTensorAndSampleOfNaN) {
  const auto graph = ReluGraph(1);
  CalibrationSource source{3, [](int i) -> absl::StatusOr<std::vector<Tensor>> {
                             std::vector<float> values(60, 1.0f);
                             if (i == 2) values[17] = NAN;
                             return std::vector<Tensor>{Tensor::Of<float>(Shape{1, 3, 4, 5}, values)};
                           }};
  Statistics statistics;
  const absl::Status status = Collect(*graph, {graph->inputs()[0]}, source, ir::MakeInterpreter, {}, &statistics);
  EXPECT_TRUE(absl::StrContains(status.message(), "'x'") && absl::StrContains(status.message(), "sample 2")) << status;
}

TEST(Statistics, RefusesDamagedFiles) {
  const std::string good = SerializeStatistics(*CollectItems({1, 2}, 1));
  EXPECT_FALSE(ParseStatistics(good.substr(0, good.size() / 2)).ok());
  EXPECT_FALSE(ParseStatistics("{}").ok());
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"\"zeros\":", "\"zeroes\":"}, {"\"bins\":[[", "\"bins\":[[99999999,1],["}, {"\"items\":", "\"items\":-"}, {"\"exponent\":", "\"exponent\":1"},
           {"\"omkit_calibration_statistics\":1", "\"omkit_calibration_statistics\":2"}, {"\"sum\":[\"", "\"sum\":[\"x"}}) {
    std::string bad = good;
    const size_t at = bad.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    bad.replace(at, from.size(), to);
    EXPECT_FALSE(ParseStatistics(bad).ok()) << to;
  }
}

double MeanSquaredError(const std::vector<float>& values, ValueRange range) {
  const QuantParams q = ChooseAsymmetricU8(range.min, range.max);
  double sum = 0;
  for (float v : values) {
    const double d = DequantizeValue(QuantizeValue(v, q.scale[0], q.zero_point[0], 0, 255), q.scale[0], q.zero_point[0]) - v;
    sum += d * d;
  }
  return sum / static_cast<double>(values.size());
}

TensorStatistics StatisticsOf(const std::vector<float>& values) {
  TensorStatistics t;
  t.histogram = Of(values, 1000);
  t.items = 1;
  t.item_min.Add(t.histogram.min());
  t.item_max.Add(t.histogram.max());
  return t;
}

std::vector<float> Gaussians(int n, bool relu, float outlier) {
  Random random(7);
  std::vector<float> values;
  for (int i = 0; i < n; ++i) values.push_back(relu ? std::max(0.0f, random.Gaussian()) : random.Gaussian());
  values.push_back(outlier);
  return values;
}

TEST(ChooseRange, LeastSquaresIsNeverWorseThanAnyMethod) {
  for (bool relu : {false, true}) {
    for (float outlier : {0.0f, 8.0f, 30.0f, 300.0f}) {
      const std::vector<float> values = Gaussians(20000, relu, outlier);
      const TensorStatistics t = StatisticsOf(values);
      RangeConfig config;
      config.method = RangeMethod::kMse;
      const double least = MeanSquaredError(values, ChooseRange(t, config));
      EXPECT_NEAR(least, QuantizationError(t.histogram, ChooseRange(t, config)), 0.05 * least);
      for (RangeMethod method : RangeMethods()) {
        config.method = method;
        const ValueRange range = ChooseRange(t, config);
        EXPECT_LE(least, 1.03 * MeanSquaredError(values, range)) << Name(method) << " " << relu << " " << outlier;
        EXPECT_LE(range.min, 0);
        EXPECT_GE(range.max, 0);
      }
    }
  }
}

TEST(ChooseRange, MethodsDoWhatTheyAreNamedFor) {
  const std::vector<float> values = Gaussians(200000, true, 50.0f);
  const TensorStatistics t = StatisticsOf(values);
  auto range = [&](RangeMethod method) {
    RangeConfig config;
    config.method = method;
    return ChooseRange(t, config);
  };
  EXPECT_EQ(range(RangeMethod::kMinMax).max, 50.0f);
  // One of 200,001 values is cut by 99.999 %, none by AMCT's 99.9999 %.
  EXPECT_LT(range(RangeMethod::kPercentile).max, 6.0f);
  EXPECT_LE(range(RangeMethod::kIfmr).max, 1.3f * 50.0f);
  // Entropy looks at the bulk and lets an outlier go.
  EXPECT_LT(range(RangeMethod::kKl).max, 10.0f);
  EXPECT_GT(range(RangeMethod::kKl).max, 2.5f);
  EXPECT_NEAR(range(RangeMethod::kHfmg).max, range(RangeMethod::kMse).max, 2.0f);
  RangeConfig symmetric;
  symmetric.method = RangeMethod::kMinMax;
  symmetric.symmetric = true;
  const ValueRange s = ChooseRange(t, symmetric);
  EXPECT_EQ(ChooseAsymmetricU8(s.min, s.max).zero_point[0], 128);
  EXPECT_NEAR(ChooseAsymmetricU8(s.min, s.max).scale[0], 50.0f / 127, 1e-6);
}

TEST(ChooseRange, KnowsItsMethodsByName) {
  for (RangeMethod method : RangeMethods()) EXPECT_EQ(*RangeMethodByName(Name(method)), method);
  EXPECT_FALSE(RangeMethodByName("entropy").ok());
}

}  // namespace
}  // namespace omkit::passes
