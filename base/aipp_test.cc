#include "base/aipp.h"

#include <cmath>

#include "base/aipp_testing.h"
#include "gtest/gtest.h"

namespace omkit::aipp {
namespace {

TEST(Aipp, SizesOfImages) {
  // Bytes per image of the guide's table.
  EXPECT_EQ(ImageBytes(Format::kYuv420sp, 1920, 1080), 1920 * 1080 * 3 / 2);
  EXPECT_EQ(ImageBytes(Format::kXrgb8888, 224, 224), 224 * 224 * 4);
  EXPECT_EQ(ImageBytes(Format::kRgb888, 224, 224), 224 * 224 * 3);
  EXPECT_EQ(ImageBytes(Format::kYuv400, 224, 224), 224 * 224);
  EXPECT_EQ(ImageBytes(Format::kAyuv444, 8, 2), 64);
  EXPECT_EQ(ImageBytes(Format::kYuyv, 8, 3), 48);
  EXPECT_EQ(ImageBytes(Format::kYuv422sp, 8, 3), 48);
  Stage stage;
  stage.batch = 2;
  stage.spec.format = Format::kYuv420sp;
  stage.spec.src_w = 1920;
  stage.spec.src_h = 1080;
  EXPECT_EQ(SourceDims(stage), (std::vector<int64_t>{2, 1620, 1920, 1}));
  stage.spec.format = Format::kXrgb8888;
  EXPECT_EQ(SourceDims(stage), (std::vector<int64_t>{2, 1080, 1920, 4}));
}

TEST(Aipp, TapsAreTheRealPositionsRounded) {
  for (int in : {1, 2, 3, 16, 37, 1280}) {
    for (int out : {16, 17, 31, 224, 416}) {
      const std::vector<Tap> taps = ResizeTaps(in, out);
      for (int i = 0; i < out; ++i) {
        const double position = std::min(std::max((i + 0.5) * in / out - 0.5, 0.0), in - 1.0);
        EXPECT_NEAR(taps[i].first + taps[i].weight / 2048.0, position, 0.5 / 2048 + 1e-9);
        EXPECT_TRUE(taps[i].first >= 0 && taps[i].next < in && taps[i].weight >= 0 && taps[i].weight < kResizeOne);
        EXPECT_EQ(taps[i].next, std::min(taps[i].first + 1, in - 1));
      }
    }
  }
}

TEST(Aipp, TextTravels) {
  RandomSpecs random(92);
  for (int i = 0; i < 300; ++i) {
    Stage stage;
    stage.spec = random.Next(true);
    stage.batch = random.Int(1, 4);
    stage.channels = stage.spec.format == Format::kYuv400 ? 1 : 3;
    stage.width = OutputSize(stage.spec).w;
    stage.height = OutputSize(stage.spec).h;
    const std::string text = ToText(stage);
    const absl::StatusOr<Stage> read = FromText(text);
    ASSERT_EQ(read.status(), absl::OkStatus()) << text;
    EXPECT_EQ(ToText(*read), text);
    // Cut anywhere, it is refused or still makes sense.
    FromText(text.substr(0, static_cast<size_t>(random.Int(0, static_cast<int>(text.size()))))).IgnoreError();
  }
  for (const char* bad :
       {"", "x", "aipp_mode: static", "network: 1x3x8", "aipp_mode: static network: 1x3x8x8 input_format: RAW10",
        "aipp_mode: dynamic network: 1x3x8x8 max_src_image_size: 0", "aipp_mode: dynamic network: 200x3x8x8 max_src_image_size: 100",
        "aipp_mode: static network: 1x3x9999999999x9999999999 input_format: RGB888_U8 src_image_size_w: 8 src_image_size_h: 8"}) {
    EXPECT_FALSE(FromText(bad).ok()) << bad;
  }
}

// The byte positions of dynamic_aipp.h.
TEST(Aipp, DynamicBytesLieWhereCannPutsThem) {
  Spec s;
  s.format = Format::kXrgb8888;
  s.csc = 1, s.rbuv_swap = 1, s.ax_swap = 1;
  s.src_w = 0x01020304, s.src_h = 0x05060708;
  for (int i = 0; i < 9; ++i) s.matrix[i] = -100 - i;
  for (int i = 0; i < 3; ++i) s.out_bias[i] = 10 + i, s.in_bias[i] = 20 + i;
  s.crop = 1, s.padding = 1;
  s.crop_x = 2, s.crop_y = 4, s.crop_w = 6, s.crop_h = 8;
  s.pad_top = 1, s.pad_bottom = 2, s.pad_left = 3, s.pad_right = 4;
  for (int i = 0; i < 4; ++i) s.mean[i] = static_cast<float>(100 + i), s.min[i] = 0.5f, s.var_reci[i] = 2;
  const Spec images[2] = {s, s};
  std::vector<uint8_t> bytes(DynamicBytes(2));
  ASSERT_EQ(bytes.size(), 64u + 2 * 96);
  EncodeDynamic(images, bytes.data());
  const std::vector<uint8_t> head(bytes.begin(), bytes.begin() + 5);
  EXPECT_EQ(head, (std::vector<uint8_t>{2, 1, 1, 1, 2}));
  EXPECT_EQ(bytes[8], 4);
  EXPECT_EQ(bytes[15], 5);
  EXPECT_EQ(static_cast<int8_t>(bytes[16]), -100);
  EXPECT_EQ(static_cast<int8_t>(bytes[32]), -108);
  EXPECT_EQ(bytes[40], 10);
  EXPECT_EQ(bytes[45], 22);
  const uint8_t* item = bytes.data() + 64 + 96;
  EXPECT_EQ(item[0], 1);
  EXPECT_EQ(item[1], 0);
  EXPECT_EQ(item[2], 1);
  EXPECT_EQ(item[8], 2);
  EXPECT_EQ(item[20], 8);
  EXPECT_EQ(item[40], 1);
  EXPECT_EQ(item[44], 2);
  EXPECT_EQ(item[48], 3);
  EXPECT_EQ(item[52], 4);
  EXPECT_EQ(item[56], 100);
  EXPECT_EQ(item[62], 103);
  EXPECT_EQ(item[65], 0x38);  // 0.5 as binary16 is 0x3800
  EXPECT_EQ(item[73], 0x40);  // 2 is 0x4000
  const Spec read = DecodeDynamic(bytes.data(), 1);
  EXPECT_EQ(read.matrix[8], -108);
  EXPECT_EQ(read.in_bias[2], 22);
  EXPECT_EQ(read.pad_right, 4);
  EXPECT_EQ(read.var_reci[3], 2);
}

TEST(Aipp, DynamicImagesAreChecked) {
  Stage stage;
  stage.dynamic = true;
  stage.batch = 1, stage.channels = 3, stage.height = 8, stage.width = 8;
  stage.max_src_image_size = 16 * 16 * 3 / 2;
  Spec good;
  good.format = Format::kYuv420sp;
  good.src_w = good.src_h = 16;
  good.crop = 1, good.crop_w = good.crop_h = 8;
  const auto check = [&](auto damage) {
    Spec s = good;
    damage(&s);
    std::vector<uint8_t> bytes(DynamicBytes(1));
    EncodeDynamic({&s, 1}, bytes.data());
    return DynamicImage(stage, bytes.data(), 0).ok();
  };
  EXPECT_TRUE(check([](Spec*) {}));
  EXPECT_FALSE(check([](Spec* s) { s->format = Format::kUndefined; }));
  EXPECT_FALSE(check([](Spec* s) { s->src_w = 0; }));
  EXPECT_FALSE(check([](Spec* s) { s->src_w = 18; }));
  EXPECT_FALSE(check([](Spec* s) { s->crop_x = 10; }));
  EXPECT_FALSE(check([](Spec* s) { s->crop_x = 1; }));
  EXPECT_FALSE(check([](Spec* s) { s->crop_w = 6; }));
  EXPECT_FALSE(check([](Spec* s) { s->resize = 1; }));
  EXPECT_FALSE(check([](Spec* s) { s->padding = 1, s->pad_top = 33; }));
  EXPECT_FALSE(check([](Spec* s) { s->format = Format::kYuv400; }));
  const std::vector<uint8_t> unset(DynamicBytes(1));
  EXPECT_EQ(DynamicImage(stage, unset.data(), 0).status().message(), "the AIPP parameters have not been set");
}

}  // namespace
}  // namespace omkit::aipp
