#include "frontends/aipp/config.h"

#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/aipp_testing.h"
#include "gtest/gtest.h"

namespace omkit::frontends {
namespace {

using aipp::Colours;
using aipp::Format;

const std::vector<NetworkInput>& OneInput() {
  static const auto* const inputs = new std::vector<NetworkInput>{{"image", {1, 3, 224, 224}}};
  return *inputs;
}

struct Outcome {
  absl::Status status;
  std::vector<ResolvedAipp> stages;
  std::string warnings;
};

Outcome Resolve(absl::string_view text, const AippRules& rules = {}, const std::vector<NetworkInput>& inputs = OneInput()) {
  Outcome outcome;
  const absl::StatusOr<AippConfig> config = ParseAippConfig(text);
  outcome.status = config.status();
  if (!config.ok()) return outcome;
  std::vector<std::string> warnings;
  const auto stages = ResolveAipp(*config, inputs, rules, &warnings);
  outcome.status = stages.status();
  if (stages.ok()) outcome.stages = *stages;
  for (const std::string& w : warnings) absl::StrAppend(&outcome.warnings, w, "\n");
  return outcome;
}

std::string Op(absl::string_view fields) { return absl::StrCat("aipp_op { aipp_mode: static ", fields, " }"); }

TEST(AippConfig, EveryFaultHasItsMessage) {
  const std::string rgb = "input_format: RGB888_U8 ", nv12 = "input_format: YUV420SP_U8 ";
  const std::string hd = nv12 + "src_image_size_w: 1920 src_image_size_h: 1080 ";
  const std::string crop = hd + "crop: true crop_size_w: 224 crop_size_h: 224 ";
  const struct {
    std::string text, words;
  } kFaults[] = {
      {"", "no block aipp_op"},
      {"aipp_op {", "1:10"},
      {"aipp_op { aipp_mode: static\n mean_chan_0: 1 }", "2:"},
      {Op("mean_chan_0: 1"), "unknown field 'mean_chan_0'; did you mean 'mean_chn_0'"},
      {Op("min_chn0: 1"), "min_chn_0"},
      {"input_format: RGB888_U8", "fields stand inside aipp_op"},
      {Op("input_format: RGB888"), "RGB888"},
      {Op("aipp_mode: static"), "specified multiple times"},
      {Op("crop: maybe"), "maybe"},
      {Op("src_image_size_w: 2147483648"), "2147483648"},
      {Op("src_image_size_w: 1.5"), "1.5"},
      {Op("related_input_rank: -1"), "-"},
      {"aipp_op { " + rgb + "}", "aipp_mode must be configured as static or dynamic"},
      {Op(""), "input_format must be configured"},
      {Op("input_format: RAW10"), "input_format RAW10 is not supported; supported: YUV420SP_U8"},
      {Op("input_format: NC1HWC0DI_FP16"), "not supported"},
      {Op(rgb + "related_input_rank: 1"), "related_input_rank is 1, but the model has 1 inputs"},
      {Op(rgb + "related_input_name: 'imag'"), "did you mean 'image'"},
      {Op(rgb) + Op(rgb), "Cannot insert aipp to the same position!"},
      {Op(rgb + "input_edge_idx: 1"), "input_edge_idx is 1"},
      {Op(rgb + "support_rotation: true"), "support_rotation"},
      {Op(rgb + "single_line_mode: 1"), "single_line_mode"},
      {Op(rgb + "cpadding_value: 1"), "cpadding_value"},
      {Op(rgb + "raw_rgbir_to_f16_n: 2"), "raw_rgbir_to_f16_n"},
      {Op(rgb + "src_image_size_w: 225 src_image_size_h: 224"), "must be equal to src_image_size_w 225"},
      {Op(rgb + "src_image_size_w: 224"), "src_image_size_h 0"},
      {Op(rgb + "crop: true crop_size_w: 224 crop_size_h: 224"), "src_image_size_w and src_image_size_h must be configured with crop"},
      {Op(nv12 + "src_image_size_w: 1921 src_image_size_h: 1080 crop: true"), "src_image_size_w is 1921, but must be even for YUV420SP_U8"},
      {Op(nv12 + "src_image_size_w: 1920 src_image_size_h: 1081 crop: true"), "src_image_size_h is 1081, but must be even"},
      {Op(nv12 + "src_image_size_w: 4098 src_image_size_h: 1080 crop: true"), "src_image_size_w is 4098, but must be in [2,4096]"},
      {Op(nv12 + "src_image_size_w: -2 src_image_size_h: 1080 crop: true"), "src_image_size_w is -2"},
      {Op(crop + "load_start_pos_w: 3"), "load_start_pos_w is 3, but must be even"},
      {Op(crop + "load_start_pos_h: 3"), "load_start_pos_h is 3, but must be even"},
      {Op(crop + "load_start_pos_w: 1700"), "load_start_pos_w 1700 + crop_size_w 224 is more than src_image_size_w 1920"},
      {Op(crop + "load_start_pos_h: 858"), "more than src_image_size_h 1080"},
      {Op(crop + "load_start_pos_h: 2147483646"), "load_start_pos_h is 2147483646"},
      {Op(crop + "load_start_pos_w: -2"), "load_start_pos_w is -2"},
      {Op(hd + "crop: true crop_size_w: 223 crop_size_h: 224"), "crop_size_w is 223, but must be even"},
      {Op(hd + "crop: true crop_size_w: 226 crop_size_h: 224"), "AIPP makes images of 226x224"},
      {Op(hd + "crop: true crop_size_w: 5000 crop_size_h: 224"), "crop_size_w is 5000"},
      {Op(hd + "resize: true resize_output_w: 2000 resize_output_h: 224"), "resize_output_w is 2000, but must be in [16,1920]"},
      {Op(hd + "resize: true resize_output_w: 224 resize_output_h: 8"), "resize_output_h is 8"},
      {Op(hd + "crop: true crop_size_w: 10 crop_size_h: 224 resize: true"), "the ratio must be in [1/16,16]"},
      {Op(hd + "resize: true resize_output_w: 225 resize_output_h: 224"), "AIPP makes images of 225x224"},
      {Op(crop + "padding: true left_padding_size: 33"), "left_padding_size is 33, but must be in [0,32]"},
      {Op(crop + "padding: true top_padding_size: -1"), "top_padding_size is -1"},
      {Op(crop + "padding: true padding_value: nan"), "padding_value is nan"},
      {Op(crop + "padding: true left_padding_size: 1"), "AIPP makes images of 225x224"},
      {Op(rgb + "mean_chn_0: nan"), "mean_chn_0 is nan"},
      {Op(rgb + "mean_chn_0: 256"), "mean_chn_0 is 256, but must be in [0,255]"},
      {Op(rgb + "mean_chn_3: -1"), "mean_chn_3 is -1"},
      {Op(rgb + "min_chn_1: inf"), "min_chn_1 is inf"},
      {Op(rgb + "var_reci_chn_2: 1e9"), "var_reci_chn_2 is 1e+09"},
      {Op(rgb + "var_reci_chn_0: 1 var_reci_chn_0: 2"), "The parameter var_reci_chn_0 cannot be configured repeatedly"},
      {Op(rgb + "matrix_r0c0: 1 matrix_r0c0: 1"), "The parameter matrix_r0c0 cannot be configured repeatedly"},
      {Op(rgb + "csc_switch: true matrix_r0c0: 40000"), "matrix_r0c0 is 40000"},
      {Op(rgb + "csc_switch: true output_bias_1: 256"), "output_bias_1 is 256"},
      {Op("input_format: YUV400_U8 csc_switch: true"), "YUV400_U8 has no colours"},
      {Op("input_format: YUV400_U8"), "AIPP makes 1 channels of YUV400_U8, but the network takes 3"},
      {"aipp_op { aipp_mode: dynamic }", "max_src_image_size must be configured and be greater than 0"},
  };
  for (const auto& fault : kFaults) {
    const Outcome outcome = Resolve(fault.text);
    EXPECT_FALSE(outcome.status.ok()) << fault.text;
    EXPECT_TRUE(absl::StrContains(outcome.status.message(), fault.words)) << fault.text << "\n  " << outcome.status.message();
  }
}

TEST(AippConfig, WhatStrictModeRefuses) {
  const std::string rgb = "input_format: RGB888_U8 ";
  const std::pair<std::string, std::string> kFaults[] = {
      {Op(rgb + "mean_chn_0: 123.675"), "not an integer"},
      {Op(rgb + "src_image_size_w: 640 src_image_size_h: 480 resize: true"), "resize only support Hi3796CV300ES and Hi3796CV300CS"},
      {Op(rgb + "related_input_name: 'image'"), "Caffe"},
      {Op(rgb + "mean_chn_0: 124 mean_chn_1: 116 mean_chn_2: 104 min_chn_0: 58.4 min_chn_1: 57.1 min_chn_2: 57.4"), "--aipp_min_chn=subtract"},
  };
  for (const auto& [text, words] : kFaults) {
    const Outcome strict = Resolve(text, {true, MinMeaning::kUnsaid});
    EXPECT_TRUE(absl::StrContains(strict.status.message(), words)) << text << "\n  " << strict.status;
    EXPECT_EQ(Resolve(text).status, absl::OkStatus()) << text;
  }
}

TEST(AippConfig, DefaultsComeFromTheNetworkAndFromCann) {
  const Outcome rgb = Resolve("# a comment\naipp_op { aipp_mode: static input_format: RGB888_U8 csc_switch: 1 }");
  ASSERT_EQ(rgb.status, absl::OkStatus());
  const aipp::Spec& s = rgb.stages[0].stage.spec;
  EXPECT_EQ(s.src_w, 224);
  EXPECT_EQ(s.matrix[1], 129);
  EXPECT_EQ(s.matrix[8], -18);
  EXPECT_EQ(s.out_bias[0], 16);
  EXPECT_EQ(s.var_reci[2], 1);
  const Outcome yuv =
      Resolve(Op("input_format: YUV420SP_U8 csc_switch: true matrix_r1c1: -99 src_image_size_w: 640 src_image_size_h: 480 crop: true"));
  ASSERT_EQ(yuv.status, absl::OkStatus());
  const aipp::Spec& y = yuv.stages[0].stage.spec;
  EXPECT_EQ(y.crop_w, 224);
  // BGR: r0 = (298, 516, 0), r2 = (298, 0, 409).
  EXPECT_EQ(y.matrix[1], 516);
  EXPECT_EQ(y.matrix[4], -99);
  EXPECT_EQ(y.matrix[8], 409);
  EXPECT_EQ(y.in_bias[0], 16);
  EXPECT_EQ(y.in_bias[2], 128);
}

// The configuration that this product's users have.
constexpr char kUsersFile[] = R"(
aipp_op {
  aipp_mode: static
  related_input_rank: 0
  input_format: YUV420SP_U8
  src_image_size_w: 1920
  src_image_size_h: 1080
  crop: true
  load_start_pos_w: 420
  load_start_pos_h: 0
  crop_size_w: 1080
  crop_size_h: 1080
  resize: true
  resize_output_w: 224
  resize_output_h: 224
  mean_chn_0: 123.675
  mean_chn_1: 116.28
  mean_chn_2: 103.53
  min_chn_0: 58.395
  min_chn_1: 57.12
  min_chn_2: 57.375
}
)";

TEST(AippConfig, TheUsersFileWorks) {
  const Outcome outcome = Resolve(kUsersFile);
  ASSERT_EQ(outcome.status, absl::OkStatus());
  const aipp::Spec& s = outcome.stages[0].stage.spec;
  EXPECT_FLOAT_EQ(s.mean[0], 123.675f);
  EXPECT_EQ(s.min[0], 0);
  EXPECT_FLOAT_EQ(s.var_reci[0], 1 / 58.395f);
  for (const char* words : {"min_chn_0 is 58.395", "var_reci_chn_0: 0.017124", "not an integer", "reserved", "without csc_switch", "matrix_r0c2: 409",
                            "csc_switch: true", "matrix_r0c1: 0", "input_bias_0: 16"}) {
    EXPECT_TRUE(absl::StrContains(outcome.warnings, words)) << words << " in\n" << outcome.warnings;
  }
  const Outcome subtract = Resolve(kUsersFile, {false, MinMeaning::kSubtract});
  EXPECT_FLOAT_EQ(subtract.stages[0].stage.spec.min[0], 58.395f);
  EXPECT_EQ(subtract.stages[0].stage.spec.var_reci[0], 1);
  EXPECT_FALSE(absl::StrContains(subtract.warnings, "standard dev"));
  const Outcome std = Resolve(kUsersFile, {false, MinMeaning::kStd});
  EXPECT_FLOAT_EQ(std.stages[0].stage.spec.var_reci[2], 1 / 57.375f);
  EXPECT_FALSE(absl::StrContains(std.warnings, "standard dev"));
}

// Fractions of a mean, and a whole mean, in min_chn are CANN's own style.
TEST(AippConfig, MinWithAnotherMeaningIsLeftAlone) {
  const std::string rgb = "input_format: RGB888_U8 ";
  for (const std::string& fields :
       {rgb + "mean_chn_0: 123 min_chn_0: 0.675 mean_chn_1: 116 min_chn_1: 0.28 mean_chn_2: 103 min_chn_2: 0.53",
        rgb + "min_chn_0: 123.675 min_chn_1: 116.28 min_chn_2: 103.53",
        rgb + "mean_chn_0: 100 mean_chn_1: 100 mean_chn_2: 100 min_chn_0: 58 min_chn_1: 57 min_chn_2: 57 var_reci_chn_0: 0.5"}) {
    const Outcome outcome = Resolve(Op(fields));
    ASSERT_EQ(outcome.status, absl::OkStatus());
    EXPECT_EQ(outcome.warnings, "") << fields;
    EXPECT_NE(outcome.stages[0].stage.spec.min[0], 0);
  }
}

TEST(AippConfig, SeveralInputs) {
  const std::vector<NetworkInput> inputs = {{"left", {1, 3, 8, 8}}, {"right", {2, 3, 16, 16}}, {"scale", {1}}};
  const Outcome both = Resolve(absl::StrCat(Op("input_format: RGB888_U8 related_input_rank: 1"), Op("input_format: XRGB8888_U8")), {}, inputs);
  ASSERT_EQ(both.status, absl::OkStatus());
  EXPECT_EQ(both.stages[0].input, 1);
  EXPECT_EQ(both.stages[0].stage.batch, 2);
  EXPECT_EQ(both.stages[1].stage.spec.src_w, 8);
  EXPECT_EQ(Resolve(Op("input_format: RGB888_U8 related_input_name: 'right'"), {}, inputs).stages[0].input, 1);
  EXPECT_FALSE(Resolve(Op("input_format: RGB888_U8 related_input_rank: 2"), {}, inputs).status.ok());
  EXPECT_FALSE(
      Resolve(absl::StrCat(Op("input_format: RGB888_U8 related_input_name: 'left'"), Op("input_format: RGB888_U8 related_input_rank: 1")), {}, inputs)
          .status.ok());
}

TEST(AippConfig, WhatIsWrittenIsRead) {
  aipp::RandomSpecs random(91);
  for (int i = 0; i < 300; ++i) {
    aipp::Stage stage;
    stage.spec = random.Next(true);
    for (float& m : stage.spec.mean) m = m > 100 && i % 2 == 0 ? m + 0.25f : m;
    for (float& m : stage.spec.min) m = 0;
    stage.batch = 1;
    stage.channels = stage.spec.format == Format::kYuv400 ? 1 : 3;
    if (aipp::Check(stage.spec) != absl::OkStatus()) continue;
    stage.width = aipp::OutputSize(stage.spec).w;
    stage.height = aipp::OutputSize(stage.spec).h;
    const Outcome outcome = Resolve(WriteAippConfig(stage), {false, MinMeaning::kSubtract}, {{"x", {1, stage.channels, stage.height, stage.width}}});
    ASSERT_EQ(outcome.status, absl::OkStatus()) << WriteAippConfig(stage);
    ASSERT_EQ(WriteAippConfig(outcome.stages[0].stage), WriteAippConfig(stage));
    const aipp::Spec& got = outcome.stages[0].stage.spec;
    for (int c = 0; c < 4; ++c) EXPECT_EQ(got.mean[c] + got.min[c], stage.spec.mean[c]);
  }
}

// The published matrices against the real-valued formulas of the standards.
TEST(AippConversions, FollowTheirStandards) {
  const struct {
    const char* name;
    double kr, kb;
    bool narrow;
  } kStandards[] = {
      {"jpeg", 0.299, 0.114, false}, {"bt601", 0.299, 0.114, true}, {"bt709", 0.2126, 0.0722, true}, {"bt709_wide", 0.2126, 0.0722, false}};
  for (const auto& standard : kStandards) {
    const double kg = 1 - standard.kr - standard.kb;
    const double luma = standard.narrow ? 255.0 / 219 : 1, chroma = standard.narrow ? 255.0 / 224 : 1;
    const Conversion* to_rgb = FindConversion(standard.name, Colours::kYuv, Colours::kRgb);
    ASSERT_NE(to_rgb, nullptr);
    const double vr = 2 * (1 - standard.kr) * chroma, ub = 2 * (1 - standard.kb) * chroma;
    const double want[9] = {luma, 0, vr, luma, -standard.kb / kg * ub, -standard.kr / kg * vr, luma, ub, 0};
    for (int i = 0; i < 9; ++i) EXPECT_NEAR(to_rgb->matrix[i], 256 * want[i], 1.0) << standard.name << " to RGB " << i;
    EXPECT_EQ(to_rgb->bias[0], standard.narrow ? 16 : 0);
    const Conversion* to_yuv = FindConversion(standard.name, Colours::kRgb, Colours::kYuv);
    ASSERT_NE(to_yuv, nullptr);
    const double y[3] = {standard.kr / luma, kg / luma, standard.kb / luma};
    const double weights[3] = {standard.kr, kg, standard.kb};
    for (int c = 0; c < 3; ++c) {
      EXPECT_NEAR(to_yuv->matrix[c], 256 * y[c], 1.0) << standard.name;
      EXPECT_NEAR(to_yuv->matrix[3 + c], 256 * ((c == 2) - weights[c]) / (2 * (1 - standard.kb) * chroma), 1.0) << standard.name;
      EXPECT_NEAR(to_yuv->matrix[6 + c], 256 * ((c == 0) - weights[c]) / (2 * (1 - standard.kr) * chroma), 1.0) << standard.name;
    }
  }
}

TEST(AippConversions, ReversedAndGrey) {
  aipp::Spec bgr, yvu;
  bgr.format = Format::kYuv420sp;
  UseConversion(*FindConversion("jpeg", Colours::kYuv, Colours::kRgb), true, &bgr);
  EXPECT_EQ(bgr.matrix[1], 454);
  EXPECT_EQ(bgr.matrix[8], 359);
  UseConversion(*FindConversion("bt601", Colours::kRgb, Colours::kYuv), true, &yvu);
  EXPECT_EQ(yvu.matrix[3], 112);
  EXPECT_EQ(yvu.matrix[8], 112);
  EXPECT_EQ(FindConversion("anything", Colours::kYuv, Colours::kGrey)->matrix[0], 256);
  EXPECT_EQ(FindConversion("anything", Colours::kRgb, Colours::kGrey)->matrix[1], 150);
  EXPECT_EQ(FindConversion("bt2020", Colours::kYuv, Colours::kRgb), nullptr);
}

TEST(AippConfig, DamageNeverCrashes) {
  std::mt19937 random(1);
  const std::string whole = kUsersFile;
  for (int i = 0; i < 2000; ++i) {
    std::string text = whole;
    for (unsigned n = random() % 5 + 1; n > 0; --n) text[random() % text.size()] = static_cast<char>(random() % 127);
    Resolve(text);
  }
  std::string deep;
  for (int i = 0; i < 10000; ++i) deep += "aipp_op {";
  EXPECT_FALSE(Resolve(deep).status.ok());
}

}  // namespace
}  // namespace omkit::frontends
