#include "passes/calibrate.h"

#include <cmath>
#include <limits>

#include "absl/strings/match.h"
#include "base/quant.h"
#include "gtest/gtest.h"

namespace omkit::passes {
namespace {

double MeanSquaredError(const std::vector<float>& values, ValueRange range) {
  const QuantParams q = ChooseAsymmetricU8(range.min, range.max);
  double sum = 0;
  for (float v : values) {
    const double d = DequantizeValue(QuantizeValue(v, q.scale[0], q.zero_point[0], 0, 255), q.scale[0], q.zero_point[0]) - v;
    sum += d * d;
  }
  return sum / static_cast<double>(values.size());
}

Histogram Of(const std::vector<float>& values) {
  Histogram h;
  h.range = {0, 0};
  for (float v : values) h.range = {std::min(h.range.min, v), std::max(h.range.max, v)};
  h.counts.assign(2048, 0);
  h.Add(values.data(), static_cast<int64_t>(values.size()));
  return h;
}

std::vector<float> Gaussian(int n, bool relu) {
  std::vector<float> values;
  uint32_t state = 7;
  for (int i = 0; i < n; ++i) {
    float sum = 0;
    for (int k = 0; k < 12; ++k) {
      state = state * 1664525u + 1013904223u;
      sum += static_cast<float>(state >> 8) * 0x1p-24f;
    }
    values.push_back(relu ? std::max(0.0f, sum - 6) : sum - 6);
  }
  return values;
}

TEST(ChooseRange, IsNeverWorseThanMinMax) {
  for (bool relu : {false, true}) {
    for (float outlier : {0.0f, 8.0f, 30.0f, 300.0f}) {
      std::vector<float> values = Gaussian(20000, relu);
      values.push_back(outlier);
      const Histogram h = Of(values);
      const ValueRange chosen = ChooseRange(h);
      EXPECT_LE(MeanSquaredError(values, chosen), 1.02 * MeanSquaredError(values, h.range)) << relu << " " << outlier;
      EXPECT_GE(chosen.min, h.range.min);
      EXPECT_LE(chosen.max, h.range.max);
    }
  }
}

TEST(ChooseRange, IsCloseToTheBestOfAFineSearch) {
  for (float outlier : {0.0f, 12.0f, 40.0f, 400.0f}) {
    std::vector<float> values = Gaussian(50000, true);
    values.push_back(outlier);
    const Histogram h = Of(values);
    double best = MeanSquaredError(values, h.range);
    for (int step = 1; step < 100; ++step) best = std::min(best, MeanSquaredError(values, {0.0f, h.range.max * 0.01f * static_cast<float>(step)}));
    EXPECT_LE(MeanSquaredError(values, ChooseRange(h)), 1.05 * best) << outlier;
  }
}

TEST(ChooseRange, TakesDegenerateHistograms) {
  for (const std::vector<float>& values : {std::vector<float>{0.0f}, {3.0f, 3.0f}, {-2.0f}, {1e-30f, -1e-30f}, {3e38f, -3e38f}}) {
    const ValueRange r = ChooseRange(Of(values));
    EXPECT_TRUE(std::isfinite(r.min) && std::isfinite(r.max));
    EXPECT_LE(r.min, r.max);
  }
}

TEST(Quant, AsymmetricParametersHoldZeroExactly) {
  for (float lo : {-1000.0f, -1.0f, -1e-5f, 0.0f, 0.5f}) {
    for (float hi : {-0.5f, 0.0f, 1e-6f, 0.3f, 7.0f, 1e6f}) {
      const QuantParams q = ChooseAsymmetricU8(lo, hi);
      EXPECT_TRUE(ValidateQuantParams(q, DType::kUInt8).ok()) << lo << " " << hi;
      EXPECT_EQ(QuantizeValue(0.0f, q.scale[0], q.zero_point[0], 0, 255), q.zero_point[0]);
      // Rounding the zero point moves the range by half a step at most.
      const float half = 0.5001f * q.scale[0];
      EXPECT_LE(DequantizeValue(0, q.scale[0], q.zero_point[0]), std::min(lo, 0.0f) + half) << lo << " " << hi;
      EXPECT_GE(DequantizeValue(255, q.scale[0], q.zero_point[0]), std::max(hi, 0.0f) - half) << lo << " " << hi;
      EXPECT_LE(q.scale[0] * 255, 1.0001f * std::max(std::max(hi, 0.0f) - std::min(lo, 0.0f), 8e-4f)) << lo << " " << hi;
    }
  }
}

class ConstantEvaluator : public ir::Evaluator {
 public:
  explicit ConstantEvaluator(ir::ValueId value) : value_(value) {}
  absl::Status Run(absl::Span<const Tensor> inputs, const ir::ObserveFn& observe) override {
    observe(value_, inputs[0]);
    return absl::OkStatus();
  }

 private:
  ir::ValueId value_;
};

TEST(Calibrate, NamesTheTensorAndSampleThatIsNotFinite) {
  ir::Graph graph;
  const ir::ValueId x = graph.AddInput("x", {DType::kFloat32, Shape{2}, {}, Layout::kPlain});
  const auto factory = [&](const ir::Graph&, absl::Span<const ir::ValueId>) -> absl::StatusOr<std::unique_ptr<ir::Evaluator>> {
    return std::unique_ptr<ir::Evaluator>(new ConstantEvaluator(x));
  };
  CalibrationSource source;
  source.count = 3;
  source.sample = [](int i) -> absl::StatusOr<std::vector<Tensor>> {
    const float bad = i == 2 ? std::numeric_limits<float>::quiet_NaN() : 1.0f;
    return std::vector<Tensor>{Tensor::Of<float>(Shape{2}, {0.5f, bad})};
  };
  const auto result = Calibrate(graph, {x}, source, factory, [](double) {});
  ASSERT_FALSE(result.ok());
  EXPECT_TRUE(absl::StrContains(result.status().message(), "'x'")) << result.status();
  EXPECT_TRUE(absl::StrContains(result.status().message(), "sample 2")) << result.status();
  source.count = 2;
  const auto good = Calibrate(graph, {x}, source, factory, [](double) {});
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(good->observed.at(x).max, 1.0f);
  source.count = 0;
  EXPECT_FALSE(Calibrate(graph, {x}, source, factory, [](double) {}).ok());
}

}  // namespace
}  // namespace omkit::passes
