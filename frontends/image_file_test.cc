#include "frontends/image_file.h"

#include <cstdio>
#include <cstdlib>
#include <random>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "gtest/gtest.h"
#include "jpeglib.h"
#include "png.h"

namespace omkit::frontends {
namespace {

Image Noise(int64_t width, int64_t height, unsigned seed) {
  Image image{width, height, std::vector<uint8_t>(static_cast<size_t>(width * height * 3))};
  std::mt19937 random(seed);
  for (uint8_t& value : image.rgb) value = static_cast<uint8_t>(random());
  return image;
}

// Slopes that survive chroma subsampling.
Image Slopes(int64_t width, int64_t height) {
  Image image{width, height, {}};
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      for (const int64_t v : {x * 255 / width, y * 255 / height, (x + y) * 255 / (width + height)}) image.rgb.push_back(static_cast<uint8_t>(v));
    }
  }
  return image;
}

struct JpegForm {
  int components = 3;
  J_COLOR_SPACE space = JCS_RGB;
  int sampling = 1;  // of luma
  bool progressive = false;
};

std::string EncodeJpeg(int64_t width, int64_t height, const std::vector<uint8_t>& samples, const JpegForm& form) {
  jpeg_compress_struct info;
  jpeg_error_mgr errors;
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* out = nullptr;
  unsigned long bytes = 0;  // NOLINT(google-runtime-int): libjpeg's type
  jpeg_mem_dest(&info, &out, &bytes);
  info.image_width = static_cast<JDIMENSION>(width);
  info.image_height = static_cast<JDIMENSION>(height);
  info.input_components = form.components;
  info.in_color_space = form.space;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, 100, TRUE);
  info.comp_info[0].h_samp_factor = info.comp_info[0].v_samp_factor = form.sampling;
  if (form.progressive) jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    auto* row = const_cast<JSAMPROW>(&samples[info.next_scanline * static_cast<size_t>(width * form.components)]);
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  std::string file(reinterpret_cast<char*>(out), bytes);
  std::free(out);
  return file;
}

int LargestDifference(const std::vector<uint8_t>& a, const std::vector<uint8_t>& b) {
  EXPECT_EQ(a.size(), b.size());
  int largest = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

TEST(ImageFile, PngKeepsEveryPixel) {
  for (const auto& [width, height] : std::vector<std::pair<int, int>>{{1, 1}, {3, 2}, {64, 1}, {1, 65}, {127, 33}}) {
    const Image image = Noise(width, height, 7);
    const std::string bytes = *EncodePng(image);
    EXPECT_EQ(bytes, *EncodePng(image));
    const absl::StatusOr<Image> read = DecodeImage(bytes);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->width, width);
    EXPECT_EQ(read->height, height);
    EXPECT_EQ(read->rgb, image.rgb);
  }
}

TEST(ImageFile, JpegFormsAreNearTheOriginal) {
  const Image image = Slopes(61, 47);
  for (const int sampling : {1, 2}) {
    for (const bool progressive : {false, true}) {
      const absl::StatusOr<Image> read = DecodeImage(EncodeJpeg(61, 47, image.rgb, {3, JCS_RGB, sampling, progressive}));
      ASSERT_TRUE(read.ok()) << read.status();
      EXPECT_LE(LargestDifference(read->rgb, image.rgb), sampling == 1 ? 3 : 12);
    }
  }
}

TEST(ImageFile, GreyAndInksBecomeRgb) {
  std::vector<uint8_t> grey, inks, from_inks;
  for (int i = 0; i < 16 * 16; ++i) {
    grey.push_back(static_cast<uint8_t>(i));
    for (const int light : {200, 100, 50, 128}) inks.push_back(static_cast<uint8_t>(light));
    for (const int value : {100, 50, 25}) from_inks.push_back(static_cast<uint8_t>(value));
  }
  const absl::StatusOr<Image> from_grey = DecodeImage(EncodeJpeg(16, 16, grey, {1, JCS_GRAYSCALE}));
  ASSERT_TRUE(from_grey.ok()) << from_grey.status();
  for (size_t i = 0; i < grey.size(); ++i) {
    EXPECT_NEAR(from_grey->rgb[3 * i], grey[i], 2);
    EXPECT_EQ(from_grey->rgb[3 * i], from_grey->rgb[3 * i + 2]);
  }
  const absl::StatusOr<Image> read = DecodeImage(EncodeJpeg(16, 16, inks, {4, JCS_CMYK}));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_LE(LargestDifference(read->rgb, from_inks), 2);
}

void AppendTo(png_structp png, png_bytep from, size_t bytes) {
  static_cast<std::string*>(png_get_io_ptr(png))->append(reinterpret_cast<char*>(from), bytes);
}

// One row of 8 pixels in the given PNG form.
std::string PngRow(int color, int depth, bool interlaced, std::vector<uint8_t> row) {
  std::string bytes;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(png, &bytes, AppendTo, nullptr);
  png_set_IHDR(png, info, 8, 1, depth, color, interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  const png_color palette[2] = {{1, 2, 3}, {250, 251, 252}};
  if (color == PNG_COLOR_TYPE_PALETTE) png_set_PLTE(png, info, palette, 2);
  png_write_info(png, info);
  png_bytep rows[1] = {row.data()};
  png_write_image(png, rows);
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return bytes;
}

TEST(ImageFile, AllPngFormsBecomeRgb) {
  const std::vector<uint8_t> ramp = {0, 36, 73, 109, 146, 182, 219, 255};
  std::vector<uint8_t> wide, with_alpha, rgba, expected, two_levels, colors;
  for (size_t i = 0; i < 8; ++i) {
    const uint8_t v = ramp[i], alpha = static_cast<uint8_t>(i * 30);
    for (const uint8_t b : {v, v}) wide.push_back(b);  // 257 * v
    for (const uint8_t b : {v, alpha}) with_alpha.push_back(b);
    for (const uint8_t b : {v, v, v, alpha}) rgba.push_back(b);
    for (const uint8_t b : {v, v, v}) expected.push_back(b);
    for (int c = 0; c < 3; ++c) two_levels.push_back(i % 2 ? 255 : 0);
    for (int c = 0; c < 3; ++c) colors.push_back(static_cast<uint8_t>(i % 2 ? 250 + c : 1 + c));
  }
  const struct {
    int color, depth;
    std::vector<uint8_t> row, rgb;
  } kForms[] = {
      {PNG_COLOR_TYPE_GRAY, 8, ramp, expected},          {PNG_COLOR_TYPE_GRAY, 16, wide, expected},
      {PNG_COLOR_TYPE_GRAY, 1, {0x55}, two_levels},      {PNG_COLOR_TYPE_GRAY_ALPHA, 8, with_alpha, expected},
      {PNG_COLOR_TYPE_RGB_ALPHA, 8, rgba, expected},     {PNG_COLOR_TYPE_PALETTE, 1, {0x55}, colors},
      {PNG_COLOR_TYPE_PALETTE, 2, {0x11, 0x11}, colors},
  };
  for (const auto& form : kForms) {
    for (const bool interlaced : {false, true}) {
      const absl::StatusOr<Image> read = DecodeImage(PngRow(form.color, form.depth, interlaced, form.row));
      ASSERT_TRUE(read.ok()) << read.status();
      EXPECT_EQ(read->rgb, form.rgb) << "color type " << form.color << " depth " << form.depth << " interlaced " << interlaced;
    }
  }
}

TEST(ImageFile, NoPartOfAPictureIsAPicture) {
  const Image image = Slopes(24, 17);
  for (const std::string& whole : {*EncodePng(image), EncodeJpeg(24, 17, image.rgb, {}), EncodeJpeg(24, 17, image.rgb, {3, JCS_RGB, 2, true})}) {
    ASSERT_TRUE(DecodeImage(whole).ok());
    for (size_t length = 0; length < whole.size(); ++length) {
      const absl::StatusOr<Image> read = DecodeImage(whole.substr(0, length));
      EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument) << length << " of " << whole.size() << " bytes";
    }
  }
}

TEST(ImageFile, DamageNeverCrashes) {
  const Image image = Slopes(24, 17);
  std::mt19937 random(1);
  for (const std::string& whole : {*EncodePng(image), EncodeJpeg(24, 17, image.rgb, {}), EncodeJpeg(24, 17, image.rgb, {3, JCS_RGB, 2, true})}) {
    for (int i = 0; i < 2000; ++i) {
      std::string bytes = whole;
      for (unsigned n = random() % 4 + 1; n > 0; --n) bytes[random() % bytes.size()] = static_cast<char>(random());
      const absl::StatusOr<Image> read = DecodeImage(bytes);
      if (read.ok()) EXPECT_EQ(read->rgb.size(), static_cast<size_t>(read->width * read->height * 3));
      else EXPECT_NE(read.status().message(), "");
    }
  }
}

// The size fields of a JPEG's frame header and of a PNG's (whose checksum has to be renewed).
TEST(ImageFile, HugePicturesAreRefused) {
  const Image image = Slopes(8, 8);
  std::string jpeg = EncodeJpeg(8, 8, image.rgb, {});
  const size_t frame = jpeg.find("\xff\xc0");
  ASSERT_NE(frame, jpeg.npos);
  for (size_t i = 5; i < 9; ++i) jpeg[frame + i] = '\xfe';
  EXPECT_EQ(DecodeImage(jpeg).status().code(), absl::StatusCode::kResourceExhausted) << DecodeImage(jpeg).status();
  std::string png = *EncodePng(image);
  for (const size_t i : {18, 22}) png[i] = '\x70';  // 28680 pixels
  EXPECT_FALSE(DecodeImage(png).ok());
  EXPECT_EQ(EncodePng({40000, 1, std::vector<uint8_t>(120000)}).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(EncodePng({2, 2, std::vector<uint8_t>(11)}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(EncodePng({0, 2, {}}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ImageFile, FilesAndNames) {
  const std::string path = ::testing::TempDir() + "/image_file_test.png";
  const Image image = Noise(5, 4, 3);
  ASSERT_TRUE(WritePngFile(path, image).ok());
  EXPECT_EQ(ReadImageFile(path)->rgb, image.rgb);
  ASSERT_TRUE(WriteFile(path, "GIF89a").ok());
  EXPECT_EQ(ReadImageFile(path).status().message(),
            absl::StrCat("'", path, "': no picture of a known format (JPEG, PNG, BMP, PNM, TIFF, WebP, JPEG 2000): it starts with 'GIF89a'"));
  std::remove(path.c_str());
  EXPECT_EQ(ReadImageFile(path).status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(IsImageFileName("a.JPG") && IsImageFileName("b.jpeg") && IsImageFileName("c.Png"));
  EXPECT_FALSE(IsImageFileName("a.bin") || IsImageFileName("jpg"));
}

struct SmallFile {
  const char* name;
  std::string bytes;
  int64_t width, height;
  std::vector<uint8_t> rgb;
};

void ExpectDecodes(const SmallFile& file) {
  EXPECT_TRUE(StartsAsImage(file.bytes)) << file.name;
  const absl::StatusOr<Image> read = DecodeImage(file.bytes);
  ASSERT_TRUE(read.ok()) << file.name << ": " << read.status();
  EXPECT_EQ(read->width, file.width) << file.name;
  EXPECT_EQ(read->height, file.height) << file.name;
  EXPECT_EQ(read->rgb, file.rgb) << file.name;
}

TEST(ImageFile, AllPnmFormsBecomeRgb) {
  const SmallFile files[] = {
      {"bitmap as text", "P1\n# black is 1\n3 1\n101\n", 3, 1, {0, 0, 0, 255, 255, 255, 0, 0, 0}},
      {"grey as text", "P2\n2 1 15\n0 10\n", 2, 1, {0, 0, 0, 170, 170, 170}},
      {"colours as text", "P3 1 2 255\n255 0 7\n1 2 3\n", 1, 2, {255, 0, 7, 1, 2, 3}},
      {"bitmap", std::string("P4\n3 2\n\xa0\x40", 9), 3, 2, {0, 0, 0, 255, 255, 255, 0, 0, 0, 255, 255, 255, 0, 0, 0, 255, 255, 255}},
      {"grey", std::string("P5\n2 1\n255\n\0\x80", 13), 2, 1, {0, 0, 0, 128, 128, 128}},
      {"grey of 16 bits", std::string("P5\n1 1\n65535\n\x80\0", 15), 1, 1, {128, 128, 128}},
      {"colours", std::string("P6\n1 1\n255\n\1\2\3", 14), 1, 1, {1, 2, 3}},
  };
  for (const SmallFile& file : files) {
    ExpectDecodes(file);
    EXPECT_TRUE(absl::IsInvalidArgument(DecodeImage(file.bytes.substr(0, file.bytes.size() - (file.bytes[1] < '4' ? 3 : 1))).status())) << file.name;
  }
  EXPECT_TRUE(absl::IsResourceExhausted(DecodeImage("P6\n32768 32768\n255\n").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(DecodeImage("P6\n0 1\n255\nabc").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(DecodeImage("P6\n1 1\n65536\nabcdef").status()));
}

std::string Little(int64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}

// A BITMAPINFOHEADER, what follows it, and the rows.
std::string Bmp(int64_t width, int64_t height, int bits, int compression, const std::string& table, const std::string& rows) {
  const std::string header = Little(40, 4) + Little(width, 4) + Little(height, 4) + Little(1, 2) + Little(bits, 2) + Little(compression, 4) +
                             std::string(12, '\0') + Little(0, 8);
  return "BM" + Little(0, 8) + Little(14 + static_cast<int64_t>(header.size() + table.size()), 4) + header + table + rows;
}

TEST(ImageFile, AllBmpFormsBecomeRgb) {
  const std::string two("\1\2\3\0\xfa\xfb\xfc\0", 8), pad("\0\0\0", 3);
  const SmallFile files[] = {
      {"24 bits, from the bottom up", Bmp(1, 2, 24, 0, "", "\1\2\3" + pad.substr(0, 1) + "\4\5\6" + pad.substr(0, 1)), 1, 2, {6, 5, 4, 3, 2, 1}},
      {"24 bits, from the top down", Bmp(1, -2, 24, 0, "", "\1\2\3" + pad.substr(0, 1) + "\4\5\6" + pad.substr(0, 1)), 1, 2, {3, 2, 1, 6, 5, 4}},
      {"1 bit", Bmp(3, 1, 1, 0, two, "\x40" + pad), 3, 1, {3, 2, 1, 0xfc, 0xfb, 0xfa, 3, 2, 1}},
      {"4 bits",
       Bmp(3, 1, 4, 0, two + std::string(56, '\0'), std::string("\x10\x10", 2) + pad.substr(0, 2)),
       3,
       1,
       {0xfc, 0xfb, 0xfa, 3, 2, 1, 0xfc, 0xfb, 0xfa}},
      {"8 bits", Bmp(2, 1, 8, 0, two + std::string(1016, '\0'), std::string("\1\0", 2) + pad.substr(0, 2)), 2, 1, {0xfc, 0xfb, 0xfa, 3, 2, 1}},
      {"15 bits", Bmp(1, 1, 16, 0, "", std::string("\x1f\x7c", 2) + pad.substr(0, 2)), 1, 1, {255, 0, 255}},
      {"16 bits with fields",
       Bmp(1, 1, 16, 3, Little(0xf800, 4) + Little(0x7e0, 4) + Little(0x1f, 4), std::string("\xe0\x07", 2) + pad.substr(0, 2)),
       1,
       1,
       {0, 255, 0}},
      {"32 bits", Bmp(1, 1, 32, 0, "", "\1\2\3\4"), 1, 1, {3, 2, 1}},
  };
  for (const SmallFile& file : files) {
    ExpectDecodes(file);
    EXPECT_TRUE(absl::IsInvalidArgument(DecodeImage(file.bytes.substr(0, file.bytes.size() - 1)).status())) << file.name;
  }
  EXPECT_TRUE(absl::IsInvalidArgument(DecodeImage(Bmp(8, 1, 8, 1, two, pad)).status()));  // run lengths
  EXPECT_TRUE(absl::IsResourceExhausted(DecodeImage(Bmp(40000, 1, 24, 0, "", pad)).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(DecodeImage(Bmp(-1, 1, 24, 0, "", pad)).status()));
}

}  // namespace
}  // namespace omkit::frontends
