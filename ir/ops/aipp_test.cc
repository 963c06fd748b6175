#include "base/aipp.h"

#include <cstring>

#include "base/aipp_testing.h"
#include "gtest/gtest.h"
#include "ir/ops/op_testing.h"

namespace omkit::ir {
namespace {

Tensor Images(Random& r, const aipp::Stage& stage) {
  Tensor t = *Tensor::Allocate(DType::kUInt8, Shape(aipp::SourceDims(stage)));
  for (int64_t i = 0; i < t.elements(); ++i) t.mutable_data<uint8_t>()[i] = static_cast<uint8_t>(r.Int(0, 255));
  return t;
}

aipp::Stage StageFor(const aipp::Spec& spec, int64_t batch) {
  const aipp::Size size = aipp::OutputSize(spec);
  return {false, 0, batch, spec.format == aipp::Format::kYuv400 ? 1 : 3, size.h, size.w, spec};
}

TEST(Aipp, EqualsTheModelInDoublePrecision) {
  Random r(1);
  aipp::RandomSpecs specs(2);
  for (int i = 0; i < 60; ++i) {
    const aipp::Stage stage = StageFor(specs.Next(true), r.Int(1, 2));
    const Tensor images = Images(r, stage);
    for (const bool pixels : {false, true}) {
      const auto out = RunOp(OpKind::kAipp, {images}, AttrsOf({{"stage", aipp::ToText(stage)}, {"pixels", int64_t{pixels}}}));
      ASSERT_TRUE(out.ok()) << out.status();
      int64_t at = 0;
      for (int64_t n = 0; n < stage.batch; ++n) {
        const aipp::Model model(stage.spec, images.data<uint8_t>() + n * aipp::SourceBytes(stage) / stage.batch);
        for (int c = 0; c < stage.channels; ++c) {
          for (int y = 0; y < stage.height; ++y) {
            for (int x = 0; x < stage.width; ++x, ++at) {
              if (!pixels) {
                ASSERT_EQ((*out)[0].data<float>()[at], model.Normalised(x, y, c)) << aipp::ToText(stage);
              } else if (model.Inside(x, y)) {
                ASSERT_EQ((*out)[0].data<uint8_t>()[at], model.Pixel(x, y, c)) << aipp::ToText(stage);
              }
            }
          }
        }
      }
    }
  }
}

// What is documented about the resize: real bilinear interpolation with aligned centres, up to one level.
TEST(Aipp, ResizeIsBilinearWithinOneLevel) {
  Random r(3);
  for (const auto& [w, h] : std::vector<std::pair<int, int>>{{16, 16}, {31, 20}, {100, 77}, {224, 18}, {7, 9}}) {
    aipp::Spec spec;
    spec.format = aipp::Format::kRgb888;
    spec.src_w = w, spec.src_h = h;
    spec.resize = 1, spec.resize_w = 37, spec.resize_h = 29;
    const aipp::Stage stage = StageFor(spec, 1);
    const Tensor images = Images(r, stage);
    const auto out = RunOp(OpKind::kAipp, {images}, AttrsOf({{"stage", aipp::ToText(stage)}}));
    ASSERT_TRUE(out.ok()) << out.status();
    aipp::Model model(spec, images.data<uint8_t>());
    model.fixed_point = false;
    for (int c = 0, at = 0; c < 3; ++c) {
      for (int y = 0; y < 29; ++y) {
        for (int x = 0; x < 37; ++x, ++at) ASSERT_NEAR((*out)[0].data<float>()[at], model.Resized(x, y, c), 0.75);
      }
    }
  }
}

TEST(Aipp, QuantizesWhatItWouldGiveAsFloat) {
  Random r(4);
  aipp::RandomSpecs specs(5);
  const QuantParams quant = QuantParams::PerTensor(0.0187f, 114);
  for (int i = 0; i < 20; ++i) {
    const aipp::Stage stage = StageFor(specs.Next(true), 1);
    const Tensor images = Images(r, stage);
    const Attrs attrs = AttrsOf({{"stage", aipp::ToText(stage)}});
    const auto real = RunOp(OpKind::kAipp, {images}, attrs);
    const auto bytes = RunOp(OpKind::kAipp, {images}, attrs, 1, {DType::kUInt8, {}, quant, Layout::kPlain});
    ASSERT_TRUE(real.ok() && bytes.ok()) << bytes.status();
    for (int64_t k = 0; k < (*real)[0].elements(); ++k) {
      ASSERT_EQ((*bytes)[0].data<uint8_t>()[k], QuantizeValue((*real)[0].data<float>()[k], 0.0187f, 114, 0, 255));
    }
  }
}

TEST(Aipp, DynamicParametersAreReadPerImage) {
  Random r(6);
  aipp::RandomSpecs specs(7);
  for (int i = 0; i < 20; ++i) {
    aipp::Spec spec = specs.Next(false);
    spec.padding_value = 0;
    for (int c = 0; c < 4; ++c) spec.min[c] = 0.25f * static_cast<float>(c), spec.var_reci[c] = 0.5f;
    aipp::Stage stage = StageFor(spec, 2);
    stage.dynamic = true;
    stage.max_src_image_size = 2 * aipp::ImageBytes(spec.format, spec.src_w, spec.src_h);
    aipp::Spec second = spec;
    for (float& m : second.mean) m = static_cast<float>(r.Int(0, 255));
    Tensor parameters = *Tensor::Allocate(DType::kUInt8, {static_cast<int64_t>(aipp::DynamicBytes(2))});
    const aipp::Spec both[2] = {spec, second};
    aipp::EncodeDynamic(both, parameters.mutable_data<uint8_t>());
    const Tensor images = Images(r, stage);
    const auto out = RunOp(OpKind::kAipp, {images, parameters}, AttrsOf({{"stage", aipp::ToText(stage)}}));
    ASSERT_TRUE(out.ok()) << out.status();
    const aipp::Model model(second, images.data<uint8_t>() + stage.max_src_image_size / 2);
    const int64_t half = (*out)[0].elements() / 2;
    EXPECT_EQ((*out)[0].data<float>()[half], model.Normalised(0, 0, 0));
    parameters.mutable_data<uint8_t>()[4] = 1;
    EXPECT_FALSE(RunOp(OpKind::kAipp, {images, parameters}, AttrsOf({{"stage", aipp::ToText(stage)}})).ok());
  }
}

}  // namespace
}  // namespace omkit::ir
