#include <cmath>
#include <cstring>
#include <limits>

#include "backends/kernels/quantize/quantize.h"
#include "backends/kernels/step_views.h"
#include "base/quant.h"
#include "gtest/gtest.h"

namespace omkit::kernels {
namespace {

std::vector<float> RandomFloats(Random& random, int64_t count, float scale) {
  const float special[] = {
      0.0f,   -0.0f, std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN(), 1e38f,
      -1e38f, 1e-40f};
  std::vector<float> values(count);
  for (float& v : values) {
    const int64_t kind = Pick(random, 0, 19);
    if (kind == 0) v = special[Pick(random, 0, 7)];
    else if (kind < 4) v = (static_cast<float>(Pick(random, -300, 300)) + 0.5f) * scale;
    else v = static_cast<float>(Pick(random, -40000, 40000)) / 130.0f * scale;
  }
  return values;
}

class QuantizeTest : public testing::TestWithParam<Isa> {
 protected:
  static void SetUpTestSuite() { RegisterQuantizeKernels(); }

  void CheckQuantize(const QuantizeParams& p, int64_t in_elements, int64_t out_elements, int threads, Random& random) {
    const std::vector<float> in = RandomFloats(random, in_elements, p.scale);
    const std::vector<uint8_t> out = RandomBytes(random, out_elements);
    StepRunner runner(QuantizeKernel(GetParam()), runtime::ParamBytes(p));
    runner.Add(runtime::Space::kInput, in);
    runner.Add(runtime::Space::kArena, out);
    ASSERT_EQ(runner.Run(threads), absl::OkStatus());
    std::vector<uint8_t> want = out;
    ForEach({&p.in, &p.out},
            [&](const auto&, const auto& at) { want[at[1]] = static_cast<uint8_t>(QuantizeValue(in[at[0]], p.scale, p.zero_point, 0, 255)); });
    ASSERT_EQ(runner.Bytes(1), want);
  }
};

TEST_P(QuantizeTest, EqualsQuantizeValueOnAnyViews) {
  Random random(71);
  for (int i = 0; i < 200; ++i) {
    const std::vector<int64_t> dims = RandomDims(random, 4000);
    QuantizeParams p = {};
    int64_t in_elements, out_elements;
    p.in = RandomView(random, dims, 4, true, &in_elements);
    p.out = RandomView(random, dims, 1, false, &out_elements);
    p.scale = i % 5 ? static_cast<float>(Pick(random, 1, 900)) * 1e-3f : 0.25f;
    p.zero_point = static_cast<int32_t>(Pick(random, 0, 255));
    ASSERT_NO_FATAL_FAILURE(CheckQuantize(p, in_elements, out_elements, 1 + i % 5, random)) << "case " << i;
  }
}

TEST_P(QuantizeTest, PlainImagesToChannelsLast) {
  Random random(72);
  for (int64_t channels : {1, 2, 3, 4, 5, 17, 64}) {
    for (int64_t stride : {channels, (channels + 3) / 4 * 4, channels + 70}) {
      for (int64_t width : {1, 7, 16, 33, 70}) {
        const int64_t nchw[4] = {2, channels, 3, width};
        QuantizeParams p = {DenseView(nchw, 4, 4), {}, 0.0171f, 114};
        p.out = p.in;
        p.out.element_size = 1;
        p.out.offset = (width + 3) * stride;
        p.out.strides[1] = 1;
        p.out.strides[3] = stride;
        p.out.strides[2] = (width + 2) * stride;
        p.out.strides[0] = 5 * p.out.strides[2];
        for (int threads : {1, 2, 5}) ASSERT_NO_FATAL_FAILURE(CheckQuantize(p, p.in.elements(), 2 * p.out.strides[0], threads, random));
      }
    }
  }
}

TEST_P(QuantizeTest, DequantizeEqualsDequantizeValue) {
  Random random(73);
  for (int i = 0; i < 200; ++i) {
    const std::vector<int64_t> dims = RandomDims(random, 4000);
    QuantizeParams p = {};
    int64_t in_elements, out_elements;
    p.in = RandomView(random, dims, 1, true, &in_elements);
    p.out = RandomView(random, dims, 4, false, &out_elements);
    p.scale = static_cast<float>(Pick(random, 1, 900)) * 1e-3f;
    p.zero_point = static_cast<int32_t>(Pick(random, 0, 255));
    const std::vector<uint8_t> in = RandomBytes(random, in_elements), out = RandomBytes(random, out_elements * 4);
    StepRunner runner(DequantizeKernel(GetParam()), runtime::ParamBytes(p));
    runner.Add(runtime::Space::kArena, in);
    runner.Add(runtime::Space::kOutput, out);
    ASSERT_EQ(runner.Run(1 + i % 5), absl::OkStatus());
    std::vector<uint8_t> want = out;
    ForEach({&p.in, &p.out}, [&](const auto&, const auto& at) {
      const float v = DequantizeValue(in[at[0]], p.scale, p.zero_point);
      std::memcpy(&want[at[1] * 4], &v, 4);
    });
    ASSERT_EQ(runner.Bytes(1), want) << "case " << i;
  }
}

TEST_P(QuantizeTest, RefusesBadScalesAndViews) {
  const int64_t dims[1] = {10};
  const QuantizeParams good = {DenseView(dims, 1, 4), DenseView(dims, 1, 1), 0.5f, 3};
  const auto verify = [&](auto damage) {
    QuantizeParams p = good;
    damage(&p);
    StepRunner runner(QuantizeKernel(GetParam()), runtime::ParamBytes(p));
    runner.Add(runtime::Space::kInput, std::vector<uint8_t>(40));
    runner.Add(runtime::Space::kArena, std::vector<uint8_t>(10));
    return runner.Verify().ok();
  };
  EXPECT_TRUE(verify([](QuantizeParams*) {}));
  EXPECT_FALSE(verify([](QuantizeParams* p) { p->scale = 0; }));
  EXPECT_FALSE(verify([](QuantizeParams* p) { p->scale = -1; }));
  EXPECT_FALSE(verify([](QuantizeParams* p) { p->scale = NAN; }));
  EXPECT_FALSE(verify([](QuantizeParams* p) { p->zero_point = 256; }));
  EXPECT_FALSE(verify([](QuantizeParams* p) { p->in.dims[0] = p->out.dims[0] = 11; }));
  EXPECT_FALSE(verify([](QuantizeParams* p) { p->out.element_size = 4; }));
}

INSTANTIATE_TEST_SUITE_P(Tiers, QuantizeTest, testing::ValuesIn(RunnableTiers()), [](const auto& info) { return std::string(IsaName(info.param)); });

}  // namespace
}  // namespace omkit::kernels
