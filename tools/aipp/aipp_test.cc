#include "tools/aipp/aipp.h"

#include <cstdlib>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "gtest/gtest.h"

namespace omkit::aipp_tool {
namespace {

struct Outcome {
  int status;
  std::string out, err;
};

Outcome Tool(std::vector<std::string> arguments) {
  std::ostringstream out, err;
  const int status = RunAippTool(arguments, out, err);
  return {status, out.str(), err.str()};
}

std::string Temporary(const std::string& name) { return ::testing::TempDir() + "/aipp_tool_" + name; }

frontends::Image Slopes(int64_t width, int64_t height) {
  frontends::Image image{width, height, {}};
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      for (const int64_t v : {40 + x * 120 / width, 60 + y * 120 / height, int64_t{100}}) image.rgb.push_back(static_cast<uint8_t>(v));
    }
  }
  return image;
}

TEST(AippTool, TellsWhatIsWrong) {
  const struct {
    std::vector<std::string> arguments;
    int status;
    const char* words;
  } kFaults[] = {
      {{}, 2, "aipp make"},
      {{"mak"}, 2, "did you mean 'make'"},
      {{"make", "--sorce=nv12:8x8"}, 2, "did you mean --source"},
      {{"make", "nv12"}, 2, "is no flag"},
      {{"make", "--source"}, 2, "needs a value"},
      {{"make", "--source=nv12:8x8", "--source=nv12:8x8"}, 2, "given twice"},
      {{"make", "--source=nv12:8x8"}, 1, "--network"},
      {{"make", "--source=nv13:8x8", "--network=8x8"}, 1, "nv12"},
      {{"make", "--source=nv12", "--network=8x8"}, 1, "nv12:1920x1080"},
      {{"make", "--source=nv12:7x8", "--network=7x8"}, 1, "must be even"},
      {{"make", "--source=nv12:64x64", "--network=rgbx:64x64"}, 1, "one of rgb, bgr"},
      {{"make", "--source=nv12:64x64", "--network=64"}, 1, "rgb:224x224"},
      {{"make", "--source=nv12:64x64", "--crop=66x64", "--network=32x32"}, 1, "more than src_image_size_w"},
      {{"make", "--source=nv12:64x64", "--crop=1", "--network=32x32"}, 1, "WxH+X+Y"},
      {{"make", "--source=rgb:64x64", "--network=64x64", "--mean=1,2"}, 1, "1 or 3 numbers"},
      {{"make", "--source=rgb:64x64", "--network=64x64", "--mean=120", "--std=0.2"}, 1, "same units"},
      {{"make", "--source=rgb:64x64", "--network=64x64", "--std=0"}, 1, "above 0"},
      {{"make", "--source=grey:64x64", "--network=rgb:64x64"}, 1, "no colours"},
      {{"make", "--source=nv12:64x64", "--network=64x64", "--csc=bt2020"}, 1, "jpeg, bt601"},
      {{"make", "--source=rgb:64x64", "--network=200x64", "--pad=0"}, 1, "0 to 32 pixels"},
      {{"preview", "--conf=x.cfg"}, 1, "--image"},
      {{"preview", "--conf=/nowhere/x.cfg", "--image=a", "--output=b"}, 1, "/nowhere/x.cfg"},
  };
  for (const auto& fault : kFaults) {
    const Outcome outcome = Tool(fault.arguments);
    EXPECT_EQ(outcome.status, fault.status) << absl::StrCat(fault.words, "\n", outcome.err);
    EXPECT_TRUE(absl::StrContains(outcome.err, fault.words)) << fault.words << "\n" << outcome.err;
  }
  EXPECT_TRUE(absl::StrContains(Tool({"help"}).out, "--source=FORMAT:WxH"));
}

TEST(AippTool, MakesWhatTheWordsSay) {
  const Outcome made = Tool({"make", "--source=nv21:1920x1080", "--crop=1080x1080", "--network=bgr:224x224", "--mean=0.485,0.456,0.406",
                             "--std=0.229,0.224,0.225", "--csc=bt709"});
  ASSERT_EQ(made.status, 0) << made.err;
  for (const char* line :
       {"input_format: YUV420SP_U8", "rbuv_swap_switch: true", "load_start_pos_w: 420", "crop_size_w: 1080", "csc_switch: true", "matrix_r0c1: 541",
        "matrix_r2c2: 459", "input_bias_0: 16", "resize: true", "resize_output_w: 224", "min_chn_0: 123.675", "var_reci_chn_0: 0.017124"}) {
    EXPECT_TRUE(absl::StrContains(made.out, line)) << line << "\n" << made.out;
  }
  EXPECT_TRUE(absl::StrContains(made.err, "reserved on Ascend"));
  EXPECT_TRUE(absl::StrContains(made.err, "3110400 bytes"));
  const auto config = frontends::ParseAippConfig(made.out);
  ASSERT_TRUE(config.ok()) << config.status();
  std::vector<std::string> warnings;
  EXPECT_TRUE(frontends::ResolveAipp(*config, {{"x", {1, 3, 224, 224}}}, {}, &warnings).ok());
}

// A picture goes into each source form and comes back as it was, up to the chroma that pixels share.
TEST(AippTool, EverySourceFormHoldsThePicture) {
  const frontends::Image picture = Slopes(32, 16);
  for (const char* source : {"nv12", "nv21", "yuyv", "nv16", "nv61", "ayuv", "yuva", "rgb", "bgr", "xrgb", "rgbx", "xbgr", "bgrx"}) {
    for (const char* csc : {"bt601", "jpeg", "bt709", "bt709_wide"}) {
      std::ostringstream notes;
      const auto stage = MakeStage({{"source", absl::StrCat(source, ":32x16")}, {"network", "rgb:32x16"}, {"csc", csc}}, notes);
      ASSERT_TRUE(stage.ok()) << stage.status();
      const frontends::Image back = frontends::FromSource(stage->spec, frontends::ToSource(stage->spec, picture));
      ASSERT_EQ(back.rgb.size(), picture.rgb.size());
      int largest = 0;
      for (size_t i = 0; i < back.rgb.size(); ++i) largest = std::max(largest, std::abs(back.rgb[i] - picture.rgb[i]));
      EXPECT_LE(largest, 8) << source << " " << csc;
    }
  }
}

TEST(AippTool, PreviewShowsSourceAndResult) {
  const std::string conf = Temporary("a.cfg"), image = Temporary("a.png"), seen = Temporary("seen.png"), raw = Temporary("raw.bin");
  ASSERT_TRUE(frontends::WritePngFile(image, Slopes(96, 64)).ok());
  ASSERT_EQ(Tool({"make", "--source=nv12:64x64", "--crop=48x48", "--network=rgb:32x32", "--mean=127.5", "--std=127.5", "--output", conf}).status, 0);
  const Outcome outcome = Tool({"preview", "--conf", conf, "--image", image, "--output", seen, "--raw", raw});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  for (const char* words : {"scaled to the source size 64x64", "crop       48 x 48 at (8, 8)", "resize     48 x 48 -> 32 x 32",
                            "channel 0 = (x - 127.5) * 0.00784314", "become -1..1", "network    3 x 32 x 32"}) {
    EXPECT_TRUE(absl::StrContains(outcome.out, words)) << words << "\n" << outcome.out;
  }
  const auto png = frontends::ReadImageFile(seen);
  ASSERT_TRUE(png.ok()) << png.status();
  EXPECT_EQ(png->width, 64 + 8 + 64);
  EXPECT_EQ(png->height, 64);
  EXPECT_EQ(ReadFile(raw)->size(), 4u * 3 * 32 * 32);
  // The raw frame gives the same input as the picture that it was made of.
  std::ostringstream notes;
  const auto stage = MakeStage({{"source", "nv12:64x64"}, {"crop", "48x48"}, {"network", "rgb:32x32"}, {"mean", "127.5"}, {"std", "127.5"}}, notes);
  const std::vector<uint8_t> frame = frontends::ToSource(stage->spec, Slopes(96, 64));
  const std::string nv12 = Temporary("a.nv12"), again = Temporary("again.bin");
  ASSERT_TRUE(WriteFile(nv12, absl::string_view(reinterpret_cast<const char*>(frame.data()), frame.size())).ok());
  ASSERT_EQ(Tool({"preview", "--conf", conf, "--image", nv12, "--output", seen, "--raw", again}).status, 0);
  EXPECT_EQ(*ReadFile(raw), *ReadFile(again));
  for (const std::string& path : {conf, image, seen, raw, nv12, again}) std::remove(path.c_str());
}

}  // namespace
}  // namespace omkit::aipp_tool
