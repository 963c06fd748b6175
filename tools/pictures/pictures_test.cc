// ImageDecoder in a process without codecs: through libomkit_pictures.so, in compiled models, with damaged pictures. The pictures are those
// of the ONNX project's node tests.
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/substitute.h"
#include "backends/compile.h"
#include "backends/run_side.h"
#include "base/picture_decoder.h"
#include "frontends/onnx/importer.h"
#include "frontends/onnx/text_model_testing.h"
#include "gtest/gtest.h"
#include "onnx/onnx-ml.pb.h"
#include "runtime/model.h"
#include "runtime/om_file.h"

namespace omkit {
namespace {

constexpr int kSide = 32;  // of the pictures, in pixels

std::string Runfile(absl::string_view path) { return absl::StrCat(std::getenv("TEST_SRCDIR"), "/", path); }

std::string Stored(absl::string_view test, absl::string_view file) {
  std::ifstream in(Runfile(absl::StrCat("onnx/onnx/backend/test/data/node/test_image_decoder_decode_", test, "/test_data_set_0/", file)),
                   std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  onnx::TensorProto tensor;
  EXPECT_TRUE(tensor.ParseFromString(bytes)) << test;
  return tensor.raw_data();
}

constexpr const char* kFormats[] = {"bmp_rgb", "jpeg2k_rgb", "jpeg_rgb", "png_rgb", "pnm_rgb", "tiff_rgb", "webp_rgb"};

class Pictures : public testing::Test {
 protected:
  void SetUp() override { setenv("OMKIT_PICTURES", Runfile("omkit/tools/pictures/libomkit_pictures.so").c_str(), 1); }
};

TEST_F(Pictures, WithoutTheLibraryTheMessageTellsWhereItWasLookedFor) {
  // In a process of its own: what was loaded stays loaded.
  EXPECT_EXIT(
      {
        setenv("OMKIT_PICTURES", "/nowhere/libomkit_pictures.so", 1);
        const auto picture = DecodePicture("anything");
        std::fprintf(stderr, "%s", picture.status().ToString().c_str());
        std::exit(absl::IsFailedPrecondition(picture.status()) ? 0 : 1);
      },
      testing::ExitedWithCode(0), "looked for: /nowhere/libomkit_pictures.so");
}

TEST_F(Pictures, TheLibraryReadsAllFormats) {
  for (const char* format : kFormats) {
    const auto picture = DecodePicture(Stored(format, "input_0.pb"));
    ASSERT_TRUE(picture.ok()) << format << ": " << picture.status();
    EXPECT_EQ(picture->width, kSide);
    EXPECT_EQ(picture->height, kSide);
    EXPECT_EQ(std::string(picture->rgb.begin(), picture->rgb.end()), Stored(format, "output_0.pb")) << format;
  }
  EXPECT_TRUE(absl::IsInvalidArgument(DecodePicture("GIF89a").status()));
}

// Whatever a damaged file says, the answer is a picture of a bounded size or an error.
TEST_F(Pictures, DamagedPicturesAreRefusedOrDecoded) {
  std::mt19937 random(1);
  for (const char* format : kFormats) {
    const std::string whole = Stored(format, "input_0.pb");
    for (int round = 0; round < 400; ++round) {
      std::string bytes = whole.substr(0, round % 8 == 0 ? random() % whole.size() : whole.size());
      for (unsigned flips = 1 + random() % 4; flips > 0 && !bytes.empty(); --flips) {
        // Headers are where sizes are.
        bytes[random() % (round % 2 == 0 ? std::min<size_t>(bytes.size(), 150) : bytes.size())] =
            static_cast<char>(random() % 3 == 0 ? 0xff : random());
      }
      const auto picture = DecodePicture(bytes);
      EXPECT_LE(picture.ok() ? picture->rgb.size() : 0, size_t{3} << 26) << format;
    }
  }
}

std::string Model(int64_t bytes, absl::string_view height) {
  return frontends::ModelBytesFromText(absl::Substitute(
      "ir_version: 9 opset_import { version: 20 } graph { name: 'g' "
      "input { name: 'x' type { tensor_type { elem_type: 2 shape { dim { dim_value: $0 } } } } } "
      "node { name: 'decode' op_type: 'ImageDecoder' input: 'x' output: 'p' attribute { name: 'pixel_format' type: STRING s: 'BGR' } } "
      "node { name: 'copy' op_type: 'Identity' input: 'p' output: 'y' } "
      "value_info { name: 'p' type { tensor_type { elem_type: 2 shape { dim { $1 } dim { dim_value: 32 } dim { dim_value: 3 } } } } } "
      "output { name: 'y' type { tensor_type { elem_type: 2 } } } }",
      bytes, height));
}

absl::StatusOr<runtime::ShapedProgram> CompileModel(int64_t bytes, absl::string_view height) {
  auto graph = frontends::ImportOnnxBytes(Model(bytes, height), "m.onnx", "");
  if (!graph.ok()) return graph.status();
  return Compile(*std::move(graph), {});
}

TEST_F(Pictures, ADeclaredSizeMakesAModelThatDecodesAtRunTime) {
  const std::string bmp = Stored("bmp_rgb", "input_0.pb"), expected = Stored("bmp_rgb", "output_0.pb");
  const int64_t room = static_cast<int64_t>(bmp.size()) + 100;
  auto program = CompileModel(room, "dim_value: 32");
  ASSERT_TRUE(program.ok()) << program.status();
  RegisterAllKernels();
  auto om = runtime::LoadedOmFrom(*std::move(program));
  ASSERT_TRUE(om.ok()) << om.status();
  const auto model = runtime::Model::Load(*std::move(om));
  ASSERT_TRUE(model.ok()) << model.status();
  std::string in = bmp, out(expected.size(), '\0');
  in.resize(room);
  const void* inputs[] = {in.data()};
  void* outputs[] = {out.data()};
  ASSERT_TRUE((*model)->Execute(inputs, outputs).ok());
  for (size_t i = 0; i + 3 <= out.size(); i += 3) std::swap(out[i], out[i + 2]);
  EXPECT_EQ(out, expected);

  in[22] = 31;  // BITMAPINFOHEADER.biHeight
  const absl::Status other = (*model)->Execute(inputs, outputs);
  EXPECT_TRUE(absl::IsInvalidArgument(other)) << other;
  EXPECT_NE(other.message().find("32x31"), other.message().npos) << other;
  in[0] = '?';
  EXPECT_TRUE(absl::IsInvalidArgument((*model)->Execute(inputs, outputs)));
}

TEST_F(Pictures, WithoutADeclaredSizeTheCompilerAsksForOne) {
  const auto program = CompileModel(100, "");
  EXPECT_TRUE(absl::IsUnimplemented(program.status())) << program.status();
  EXPECT_NE(program.status().message().find("Declare the size of the pictures"), absl::string_view::npos) << program.status();
}

}  // namespace
}  // namespace omkit
