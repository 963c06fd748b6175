// Calibration with picture files through a static AIPP configuration: the same network as with what AIPP makes of them in .bin files.
#include <stdlib.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "frontends/aipp/source_image.h"
#include "frontends/image_file.h"
#include "frontends/onnx/text_model_testing.h"
#include "gtest/gtest.h"
#include "tools/atc/aipp.h"
#include "tools/atc/atc.h"

namespace omkit::atc {
namespace {

constexpr char kConfig[] =
    "aipp_op { aipp_mode: static input_format: YUV420SP_U8 src_image_size_w: 16 src_image_size_h: 12 crop: true load_start_pos_w: 4 "
    "crop_size_w: 8 crop_size_h: 8 csc_switch: true min_chn_0: 127.5 min_chn_1: 127.5 min_chn_2: 127.5 var_reci_chn_0: 0.0078 "
    "var_reci_chn_1: 0.0078 var_reci_chn_2: 0.0078 }";

class AippSamplesTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/aipp_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    Write("net.onnx",
          frontends::ModelBytesFromText(
              "ir_version: 8 opset_import { version: 13 } graph { name: 'net' input { name: 'x' type { tensor_type { elem_type: 1 shape { "
              "dim { dim_value: 1 } dim { dim_value: 3 } dim { dim_value: 8 } dim { dim_value: 8 } } } } } output { name: 'y' } "
              "initializer { name: 'w' data_type: 1 dims: [2, 3, 1, 1] float_data: [1, -0.5, 0.25, 2, 1, -1] } "
              "node { name: 'conv' op_type: 'Conv' input: ['x', 'w'] output: 'y' } }"));
    Write("aipp.cfg", kConfig);
    ASSERT_EQ(mkdir(Path("pictures").c_str(), 0755), 0);
    ASSERT_EQ(mkdir(Path("values").c_str(), 0755), 0);
  }
  void TearDown() override { SetLogLevel(LogLevel::kWarning); }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  void Write(const std::string& name, const std::string& bytes) { std::ofstream(Path(name), std::ios::binary) << bytes; }
  std::string Read(const std::string& name) {
    std::ostringstream text;
    text << std::ifstream(Path(name), std::ios::binary).rdbuf();
    return text.str();
  }

  int Run(const std::string& samples, const std::string& recipe, const std::vector<std::string>& more) {
    std::vector<std::string> all = {"--framework=5",
                                    "--model=" + Path("net.onnx"),
                                    "--output=" + Path("net"),
                                    "--soc_version=host",
                                    "--quant_type=1",
                                    "--calibrate_tool_path=" + Path(samples),
                                    "--quant_recipe_out=" + Path(recipe)};
    all.insert(all.end(), more.begin(), more.end());
    std::ostringstream out, err;
    const int code = RunAtc(all, out, err);
    out_ = out.str() + err.str();
    return code;
  }

  std::string folder_, out_;
};

TEST_F(AippSamplesTest, PicturesGoThroughTheStage) {
  const auto config = frontends::ParseAippConfig(kConfig);
  ASSERT_TRUE(config.ok()) << config.status();
  std::vector<std::string> warnings;
  const auto stages = frontends::ResolveAipp(*config, {{"x", {1, 3, 8, 8}}}, {}, &warnings);
  ASSERT_TRUE(stages.ok()) << stages.status();
  for (int k = 0; k < 3; ++k) {
    frontends::Image picture{20, 14 + k, {}};  // not the source size: it is scaled
    for (int64_t i = 0; i < picture.width * picture.height * 3; ++i) picture.rgb.push_back(static_cast<uint8_t>((i * 7 + k * 31) % 251));
    ASSERT_TRUE(frontends::WritePngFile(Path(absl::StrCat("pictures/", k, ".png")), picture).ok());
    const auto values = frontends::BehindAipp((*stages)[0].stage, frontends::ToSource((*stages)[0].stage.spec, picture));
    ASSERT_TRUE(values.ok()) << values.status();
    ASSERT_EQ(values->shape(), Shape({1, 3, 8, 8}));
    Write(absl::StrCat("values/", k, ".bin"), std::string(static_cast<const char*>(values->raw()), values->bytes()));
  }
  ASSERT_EQ(Run("pictures", "from_pictures", {"--insert_op_conf=" + Path("aipp.cfg")}), 0) << out_;
  const std::string om = Read("net.om");
  ASSERT_EQ(Run("values", "from_values", {"--insert_op_conf=" + Path("aipp.cfg")}), 0) << out_;
  EXPECT_EQ(Read("from_pictures"), Read("from_values"));
  EXPECT_NE(Read("from_pictures"), "");
  EXPECT_EQ(om, Read("net.om"));
}

TEST_F(AippSamplesTest, PicturesWithoutAStaticStageAreAnError) {
  ASSERT_TRUE(frontends::WritePngFile(Path("pictures/a.png"), {2, 2, std::vector<uint8_t>(12, 7)}).ok());
  Write("dynamic.cfg", "aipp_op { aipp_mode: dynamic max_src_image_size: 1000 }");
  for (const std::vector<std::string>& more : {std::vector<std::string>{}, {"--insert_op_conf=" + Path("dynamic.cfg")}}) {
    EXPECT_EQ(Run("pictures", "recipe", more), 1);
    EXPECT_TRUE(absl::StrContains(out_, "is a picture; say how it becomes input 'x' with --calibrate_preprocess or a static AIPP configuration"))
        << out_;
  }
}

}  // namespace
}  // namespace omkit::atc
