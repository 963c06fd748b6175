#include <cstring>

#include "backends/kernels/aipp/aipp.h"
#include "backends/kernels/step_runner.h"
#include "base/aipp.h"
#include "base/aipp_testing.h"
#include "base/quant.h"
#include "gtest/gtest.h"

namespace omkit::kernels {
namespace {

using aipp::RandomSpecs;
using aipp::Spec;

// An output view of random layout: channels first or last, close or spread.
View OutputView(RandomSpecs& random, const int64_t (&dims)[4], int element_size, int64_t* elements) {
  View v;
  v.rank = 4;
  v.element_size = element_size;
  std::copy(dims, dims + 4, v.dims);
  const int layout = random.Int(0, 4);
  const int64_t halo = random.Int(0, 2);
  const int64_t pixel = layout == 0 ? 1 : layout == 1 ? dims[3] : layout < 4 ? 4 : dims[3] + random.Int(0, 9);
  v.strides[3] = layout == 0 ? dims[1] * dims[2] : 1;
  v.strides[2] = pixel;
  v.strides[1] = layout == 0 ? dims[2] : (dims[2] + 2 * halo) * pixel;
  v.strides[0] = layout == 0 ? dims[1] * dims[2] * dims[3] : (dims[1] + 2 * halo) * v.strides[1];
  v.offset = layout == 0 ? 0 : halo * v.strides[1] + halo * pixel;
  *elements = dims[0] * v.strides[0] + (layout == 0 ? 0 : 4);
  return v;
}

std::vector<uint8_t> Noise(RandomSpecs& random, int64_t size) {
  std::vector<uint8_t> bytes(static_cast<size_t>(size));
  for (uint8_t& b : bytes) b = static_cast<uint8_t>(random.Int(0, 5) == 0 ? 255 * random.Int(0, 1) : random.Int(0, 255));
  return bytes;
}

// Writes what the model says for one image into `want`.
void Expect(const AippParams& p, const Spec& spec, const uint8_t* image, int64_t n, std::vector<uint8_t>* want) {
  const aipp::Model model(spec, image);
  for (int64_t y = 0; y < p.out.dims[1]; ++y) {
    for (int64_t x = 0; x < p.out.dims[2]; ++x) {
      for (int64_t c = 0; c < p.out.dims[3]; ++c) {
        const int ix = static_cast<int>(x), iy = static_cast<int>(y), ic = static_cast<int>(c);
        const float value = model.Normalised(ix, iy, ic);
        uint8_t* to = want->data() + At(p.out, n, y, x, c) * p.out.element_size;
        if (p.output == AippOutput::kFloat) std::memcpy(to, &value, 4);
        else if (p.output == AippOutput::kU8) *to = static_cast<uint8_t>(QuantizeValue(value, p.scale, p.zero_point, 0, 255));
        else *to = static_cast<uint8_t>(model.Inside(ix, iy) ? model.Pixel(ix, iy, ic) : std::lrint(std::min(std::max(value, 0.0f), 255.0f)));
      }
    }
  }
}

AippParams RandomParams(RandomSpecs& random, const Spec& spec, int64_t batch, int64_t* out_elements) {
  AippParams p = {};
  p.spec = spec;
  p.output = static_cast<AippOutput>(random.Int(0, 2));
  p.scale = static_cast<float>(random.Int(1, 90)) / 1000;
  p.zero_point = random.Int(0, 255);
  if (random.Int(0, 4) == 0) p.scale = spec.var_reci[0] > 0 ? spec.var_reci[0] : 1.0f;
  const aipp::Size size = aipp::OutputSize(spec);
  const int64_t dims[4] = {batch, size.h, size.w, spec.format == aipp::Format::kYuv400 ? 1 : 3};
  p.out = OutputView(random, dims, p.output == AippOutput::kFloat ? 4 : 1, out_elements);
  return p;
}

class AippTest : public testing::TestWithParam<Isa> {
 protected:
  static void SetUpTestSuite() { RegisterAippKernels(); }
};

TEST_P(AippTest, EqualsTheModelBitForBit) {
  RandomSpecs random(81);
  for (int i = 0; i < 160; ++i) {
    const Spec spec = random.Next(true);
    ASSERT_EQ(aipp::Check(spec), absl::OkStatus());
    const int64_t batch = random.Int(1, 2);
    int64_t elements;
    const AippParams p = RandomParams(random, spec, batch, &elements);
    const int64_t bytes = aipp::ImageBytes(spec.format, spec.src_w, spec.src_h);
    const std::vector<uint8_t> images = Noise(random, batch * bytes), before = Noise(random, elements * p.out.element_size);
    StepRunner runner(AippKernel(GetParam(), false), runtime::ParamBytes(p));
    runner.Add(runtime::Space::kInput, images);
    runner.Add(runtime::Space::kArena, before);
    ASSERT_EQ(runner.Run(1 + i % 4), absl::OkStatus()) << "case " << i;
    std::vector<uint8_t> want = before;
    for (int64_t n = 0; n < batch; ++n) Expect(p, spec, images.data() + n * bytes, n, &want);
    ASSERT_EQ(runner.Bytes(1), want) << "case " << i << ": " << aipp::ToText({false, 0, batch, p.out.dims[3], p.out.dims[1], p.out.dims[2], spec});
  }
}

// Wide downscales leave the reach of the tiers' windows; the spare byte may be written.
TEST_P(AippTest, EveryRatioOfWidths) {
  RandomSpecs random(82);
  for (int i = 0; i < 60; ++i) {
    Spec spec;
    spec.format = i % 3 == 0 ? aipp::Format::kYuv422sp : aipp::Format::kYuv420sp;
    spec.src_w = 2 * random.Int(8, 600);
    spec.src_h = 2 * random.Int(8, 12);
    spec.rbuv_swap = i % 2;
    spec.resize = 1;
    spec.resize_w = random.Int(std::max(16, spec.src_w / 16 + 1), std::min(1200, spec.src_w * 2));
    spec.resize_h = 16;
    AippParams p = {};
    p.spec = spec;
    p.output = AippOutput::kPixels;
    p.spare_byte = 1;
    p.out = {4, 1, 0, {1, 16, spec.resize_w, 3}, {64 * spec.resize_w, 4 * spec.resize_w, 4, 1}};
    const std::vector<uint8_t> image = Noise(random, aipp::ImageBytes(spec.format, spec.src_w, spec.src_h));
    StepRunner runner(AippKernel(GetParam(), false), runtime::ParamBytes(p));
    runner.Add(runtime::Space::kInput, image);
    runner.Add(runtime::Space::kArena, std::vector<uint8_t>(64 * spec.resize_w));
    ASSERT_EQ(runner.Run(1), absl::OkStatus());
    std::vector<uint8_t> want(64 * spec.resize_w);
    Expect(p, spec, image.data(), 0, &want);
    std::vector<uint8_t> got = runner.Bytes(1);
    for (size_t k = 3; k < got.size(); k += 4) got[k] = 0;
    ASSERT_EQ(got, want) << spec.src_w << " to " << spec.resize_w;
  }
}

TEST_P(AippTest, DynamicParametersPerImage) {
  RandomSpecs random(83);
  for (int i = 0; i < 60; ++i) {
    const Spec first = random.Next(false);
    const aipp::Size size = aipp::OutputSize(first);
    const int batch = random.Int(1, 3);
    // The images share the head; the rest is each one's own, as long as the result has one size.
    std::vector<Spec> specs;
    for (int n = 0; n < batch; ++n) {
      Spec s = first;
      if (s.crop && s.format == aipp::Format::kRgb888) s.crop_x = random.Int(0, s.src_w - s.crop_w);
      for (int c = 0; c < 4; ++c) s.mean[c] = static_cast<float>(random.Int(0, 255)), s.min[c] = static_cast<float>(random.Int(0, 15)) / 8;
      for (int c = 0; c < 4; ++c) s.var_reci[c] = static_cast<float>(random.Int(-20, 20)) / 1024;
      s.padding_value = 0;  // has no place in the parameters
      specs.push_back(s);
    }
    int64_t elements;
    AippParams p = RandomParams(random, Spec{}, batch, &elements);
    const int64_t dims[4] = {batch, size.h, size.w, first.format == aipp::Format::kYuv400 ? 1 : 3};
    p.out = OutputView(random, dims, p.out.element_size, &elements);
    p.dynamic = 1;
    const int64_t bytes = aipp::ImageBytes(first.format, first.src_w, first.src_h);
    p.max_src_image_size = batch * bytes + random.Int(0, 100);
    const std::vector<uint8_t> images = Noise(random, p.max_src_image_size), before = Noise(random, elements * p.out.element_size);
    std::vector<uint8_t> parameters(aipp::DynamicBytes(batch));
    aipp::EncodeDynamic(specs, parameters.data());
    StepRunner runner(AippKernel(GetParam(), true), runtime::ParamBytes(p));
    runner.Add(runtime::Space::kInput, images);
    runner.Add(runtime::Space::kInput, parameters);
    runner.Add(runtime::Space::kArena, before);
    ASSERT_EQ(runner.Run(1 + i % 4), absl::OkStatus()) << "case " << i;
    std::vector<uint8_t> want = before;
    for (int n = 0; n < batch; ++n) Expect(p, specs[n], images.data() + n * bytes, n, &want);
    ASSERT_EQ(runner.Bytes(2), want) << "case " << i;
  }
}

// Parameters are a client's bytes: whatever they are, the kernel stays inside its operands.
TEST_P(AippTest, DynamicParametersMayBeAnything) {
  RandomSpecs random(84);
  Spec spec;
  spec.format = aipp::Format::kYuv420sp;
  spec.src_w = 20;
  spec.src_h = 12;
  AippParams p = {};
  p.dynamic = 1;
  p.output = AippOutput::kPixels;
  p.max_src_image_size = 20 * 12 * 3 / 2;
  p.out = {4, 1, 0, {1, 12, 20, 3}, {720, 60, 3, 1}};
  std::vector<uint8_t> good(aipp::DynamicBytes(1));
  aipp::EncodeDynamic({&spec, 1}, good.data());
  for (int i = 0; i < 1000; ++i) {
    std::vector<uint8_t> parameters = good;
    for (int n = random.Int(1, 4); n > 0; --n)
      parameters[random.Int(0, 150)] = static_cast<uint8_t>(random.Coin() ? random.Int(0, 40) : random.Int(0, 255));
    StepRunner runner(AippKernel(GetParam(), true), runtime::ParamBytes(p));
    runner.Add(runtime::Space::kInput, std::vector<uint8_t>(360));
    runner.Add(runtime::Space::kInput, parameters);
    runner.Add(runtime::Space::kArena, std::vector<uint8_t>(720));
    ASSERT_EQ(runner.Run(1), absl::OkStatus());
  }
}

TEST_P(AippTest, RefusesStepsThatWouldLeaveTheirOperands) {
  Spec spec;
  spec.format = aipp::Format::kRgb888;
  spec.src_w = spec.src_h = 16;
  AippParams good = {};
  good.spec = spec;
  good.output = AippOutput::kU8;
  good.scale = 0.5f;
  good.out = {4, 1, 0, {1, 16, 16, 3}, {768, 48, 3, 1}};
  const auto verify = [&](auto damage) {
    AippParams p = good;
    damage(&p);
    StepRunner runner(AippKernel(GetParam(), false), runtime::ParamBytes(p));
    runner.Add(runtime::Space::kInput, std::vector<uint8_t>(768));
    runner.Add(runtime::Space::kArena, std::vector<uint8_t>(768));
    return runner.Verify().ok();
  };
  EXPECT_TRUE(verify([](AippParams*) {}));
  EXPECT_FALSE(verify([](AippParams* p) { p->spec.format = static_cast<aipp::Format>(5); }));
  EXPECT_FALSE(verify([](AippParams* p) { p->spec.src_w = 17; }));
  EXPECT_FALSE(verify([](AippParams* p) { p->spec.src_w = INT32_MAX; }));
  EXPECT_FALSE(verify([](AippParams* p) { p->spec.crop = 1; }));
  EXPECT_FALSE(verify([](AippParams* p) { p->spec.padding = 1, p->spec.pad_left = 1; }));
  EXPECT_FALSE(verify([](AippParams* p) { p->spec.mean[3] = NAN; }));
  EXPECT_FALSE(verify([](AippParams* p) { p->out.dims[1] = 17; }));
  EXPECT_FALSE(verify([](AippParams* p) { p->out.dims[3] = 4; }));
  EXPECT_FALSE(verify([](AippParams* p) { p->out.offset = 1; }));
  EXPECT_FALSE(verify([](AippParams* p) { p->spare_byte = 1; }));
  EXPECT_FALSE(verify([](AippParams* p) { p->scale = 0; }));
  EXPECT_FALSE(verify([](AippParams* p) { p->zero_point = 256; }));
  EXPECT_FALSE(verify([](AippParams* p) { p->output = static_cast<AippOutput>(3); }));
  EXPECT_FALSE(verify([](AippParams* p) { p->dynamic = 1; }));
}

INSTANTIATE_TEST_SUITE_P(Tiers, AippTest, testing::ValuesIn(RunnableTiers()), [](const auto& info) { return std::string(IsaName(info.param)); });

}  // namespace
}  // namespace omkit::kernels
