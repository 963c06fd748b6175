#include "frontends/calibration_data.h"

#include <sys/stat.h>

#include <cmath>
#include <fstream>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "frontends/image_file.h"
#include "frontends/npy.h"
#include "gtest/gtest.h"

namespace omkit::frontends {
namespace {

std::string Floats(const std::vector<float>& values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
}

std::string Npy(const std::string& dictionary, const std::string& values, int version = 1) {
  std::string header = dictionary + "\n";
  std::string length = {static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
  if (version > 1) length += std::string(2, '\0');
  return absl::StrCat("\x93NUMPY", std::string(1, static_cast<char>(version)), std::string(1, '\0'), length, header, values);
}

class CalibrationDataTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/calibration_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void Write(const std::string& name, const std::string& bytes) { std::ofstream(folder_ + "/" + name, std::ios::binary) << bytes; }
  void MakeFolder(const std::string& name) { ASSERT_EQ(mkdir((folder_ + "/" + name).c_str(), 0755), 0); }
  void AddInput(const std::string& name, DType dtype, Shape shape) { graph_.AddInput(name, TensorType{dtype, std::move(shape), {}, Layout::kPlain}); }
  void ExpectError(const std::string& message) {
    const auto data = CalibrationData::Open(folder_, graph_);
    ASSERT_FALSE(data.ok());
    EXPECT_TRUE(absl::StrContains(data.status().message(), message)) << data.status();
  }

  std::string folder_;
  ir::Graph graph_;
};

TEST_F(CalibrationDataTest, ReadsSamplesInByteOrderOfNames) {
  AddInput("x", DType::kFloat32, {1, 2});
  Write("b.bin", Floats({5, 6}));
  Write("a10.bin", Floats({3, 4}));
  Write("B.bin", Floats({1, 2}));
  Write("c.npy", Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }", Floats({7, 8})));
  Write("d.npy", Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", Floats({9, 10}), 2));
  Write("e.bin", Floats({11, 12, 13, 14}));
  Write("labels.txt", "not a sample");
  Write(".hidden.bin", "x");
  const auto data = CalibrationData::Open(folder_, graph_);
  ASSERT_TRUE(data.ok()) << data.status();
  ASSERT_EQ(data->size(), 7);
  for (int i = 0; i < 7; ++i) {
    const auto sample = data->Sample(i);
    ASSERT_TRUE(sample.ok()) << sample.status();
    ASSERT_EQ(sample->size(), 1u);
    EXPECT_EQ((*sample)[0].data<float>()[0], 2 * i + 1);
    EXPECT_EQ((*sample)[0].data<float>()[1], 2 * i + 2);
  }
  EXPECT_FALSE(data->Sample(7).ok());
  EXPECT_FALSE(data->Sample(-1).ok());
}

TEST_F(CalibrationDataTest, OneFolderPerInput) {
  AddInput("in/put:0", DType::kUInt8, {2});
  AddInput("second", DType::kInt64, {});
  MakeFolder("in_put_0");
  MakeFolder("second");
  Write("in_put_0/a.bin", "\1\2\3\4");
  Write("second/a.bin", std::string("\7\0\0\0\0\0\0\0\x8\0\0\0\0\0\0\0", 16));
  const auto data = CalibrationData::Open(folder_, graph_);
  ASSERT_TRUE(data.ok()) << data.status();
  ASSERT_EQ(data->size(), 2);
  const auto sample = data->Sample(1);
  ASSERT_TRUE(sample.ok()) << sample.status();
  EXPECT_EQ((*sample)[0].data<uint8_t>()[0], 3);
  EXPECT_EQ((*sample)[1].data<int64_t>()[0], 8);
}

TEST_F(CalibrationDataTest, EmptyAndMissingFoldersAreErrors) {
  AddInput("x", DType::kFloat32, {1, 2});
  ExpectError("no .bin or .npy files");
  Write("a.txt", "x");
  ExpectError("(1 other entries)");
  EXPECT_EQ(CalibrationData::Open(folder_ + "/none", graph_).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(CalibrationDataTest, AWrongSizeNamesFileBytesAndShape) {
  AddInput("x", DType::kFloat32, {1, 3, 2});
  Write("a.bin", std::string(23, 'x'));
  ExpectError("/a.bin' has 23 bytes of values but input 'x' needs float32 1x3x2 = 24 bytes per sample");
  Write("a.bin", std::string(6, 'x'));
  ExpectError("looks like 8-bit values");
  Write("a.bin", "");
  ExpectError("has 0 bytes");
}

TEST_F(CalibrationDataTest, AFileOfSingleItemsForABatchIsExplained) {
  AddInput("x", DType::kFloat32, {4, 2});
  Write("a.bin", std::string(8, '\0'));
  ExpectError("the model has batch 4, so a file must hold 4 items");
}

TEST_F(CalibrationDataTest, FoldersMustMatch) {
  AddInput("a", DType::kUInt8, {1});
  AddInput("b", DType::kUInt8, {1});
  MakeFolder("a");
  Write("a/1.bin", "x");
  ExpectError("folder 'b' for input 'b' is missing");
  MakeFolder("b");
  Write("b/2.bin", "x");
  ExpectError("different files; the first that both do not have is '1.bin'");
  Write("b/1.bin", "xy");
  Write("a/2.bin", "x");
  ExpectError("different numbers of samples");
}

TEST_F(CalibrationDataTest, NonFiniteValuesNameFileAndElement) {
  AddInput("x", DType::kFloat32, {2});
  Write("a.bin", Floats({0, 1, 2, std::nanf("")}));
  const auto data = CalibrationData::Open(folder_, graph_);
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_TRUE(data->Sample(0).ok());
  const absl::Status status = data->Sample(1).status();
  EXPECT_TRUE(absl::StrContains(status.message(), "/a.bin': element 3 is NaN or infinite")) << status;
}

TEST_F(CalibrationDataTest, AFileThatShrinksIsAnError) {
  AddInput("x", DType::kFloat32, {2});
  Write("a.bin", Floats({0, 1}));
  const auto data = CalibrationData::Open(folder_, graph_);
  ASSERT_TRUE(data.ok());
  Write("a.bin", Floats({0}));
  EXPECT_EQ(data->Sample(0).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(CalibrationDataTest, NpyOfAnotherTypeOrShapeIsRefused) {
  AddInput("x", DType::kFloat32, {1, 2});
  Write("a.npy", Npy("{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2), }", "ab"));
  ExpectError("/a.npy' holds uint8 1x2 but input 'x' needs float32 1x2");
  Write("a.npy", Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }", Floats({1, 2})));
  ExpectError("holds float32 2x1");
  Write("a.npy", Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }", Floats({1})));
  ExpectError("has 4 bytes of values");
}

TEST(NpyHeader, RefusesWhatItCannotRead) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "not a .npy file"},
      {"\x93NUMPY\1", "cut off"},
      {Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", "", 4), "version 4"},
      {Npy("{'fortran_order': False, 'shape': (2,)}", ""), "no field 'descr'"},
      {Npy("{'descr': '>f4', 'fortran_order': False, 'shape': (2,)}", ""), "element type '>f4'"},
      {Npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}", ""), "structured"},
      {Npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2,)}", ""), "Fortran"},
      {Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}", ""), "no dimension"},
      {Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999999999999,)}", ""), "no dimension"},
      {Npy("{'descr': '<f4', 'fortran_order': False, 'shape': 2}", ""), "no tuple"},
      {Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}", ""), "more than 8"},
      {"\x93NUMPY\2" + std::string("\0\xff\xff\xff\xff{}", 7), "cut off"},
  };
  for (const auto& [bytes, message] : cases) {
    const auto header = ParseNpyHeader(bytes);
    ASSERT_FALSE(header.ok()) << message;
    EXPECT_TRUE(absl::StrContains(header.status().message(), message)) << header.status();
  }
}

TEST_F(CalibrationDataTest, TakesOneFilePerInput) {
  AddInput("a", DType::kFloat32, {1, 2});
  AddInput("b", DType::kUInt8, {1, 1});
  Write("a.bin", Floats({1, 2, 3, 4}));
  Write("other.bin", "xy");
  const auto data = CalibrationData::Open(folder_ + "/a.bin," + folder_ + "/other.bin", graph_);
  ASSERT_TRUE(data.ok()) << data.status();
  ASSERT_EQ(data->size(), 2);
  const auto sample = data->Sample(1);
  ASSERT_TRUE(sample.ok()) << sample.status();
  EXPECT_EQ((*sample)[0].data<float>()[1], 4);
  EXPECT_EQ((*sample)[1].data<uint8_t>()[0], 'y');
  EXPECT_EQ(data->SampleName(1), "a#1");
  EXPECT_FALSE(CalibrationData::Open(folder_ + "/a.bin", graph_).ok());
  Write("other.bin", "xyz");
  EXPECT_FALSE(CalibrationData::Open(folder_ + "/a.bin," + folder_ + "/other.bin", graph_).ok());
}

TEST_F(CalibrationDataTest, ReadsPicturesWithAPreprocessing) {
  AddInput("x", DType::kFloat32, {1, 3, 2, 2});
  Image image{4, 4, {}};
  for (int i = 0; i < 16; ++i) image.rgb.insert(image.rgb.end(), {static_cast<uint8_t>(10 * i), 100, 200});
  ASSERT_TRUE(WritePngFile(folder_ + "/p.png", image).ok());
  ExpectError("--calibrate_preprocess");
  // The middle pixels are numbers 5, 6, 9 and 10.
  const auto data = CalibrationData::Open(folder_, graph_, "resize=none,crop=2,order=BGR,scale=1/10,mean=1,std=2");
  ASSERT_TRUE(data.ok()) << data.status();
  const auto sample = data->Sample(0);
  ASSERT_TRUE(sample.ok()) << sample.status();
  const float* x = (*sample)[0].data<float>();
  EXPECT_EQ(std::vector<float>(x, x + 12), std::vector<float>({9.5f, 9.5f, 9.5f, 9.5f, 4.5f, 4.5f, 4.5f, 4.5f, 2, 2.5f, 4, 4.5f}));
  // The shrunk picture keeps its mean.
  const auto shrunk = CalibrationData::Open(folder_, graph_, "resize=2x2");
  ASSERT_TRUE(shrunk.ok()) << shrunk.status();
  const auto small = shrunk->Sample(0);
  ASSERT_TRUE(small.ok()) << small.status();
  const float* y = (*small)[0].data<float>();
  EXPECT_NEAR((y[0] + y[1] + y[2] + y[3]) / 4, 75, 3);
  EXPECT_NEAR(y[4], 100, 1e-4);
  for (const auto& [text, message] : std::vector<std::pair<std::string, std::string>>{{"resise=2", "did you mean 'resize'?"},
                                                                                      {"order=YUV", "RGB, BGR or GRAY"},
                                                                                      {"mean=1;2", "one for each of 3 channels"},
                                                                                      {"std=0", "numbers"},
                                                                                      {"crop", "is not KEY=VALUE"}}) {
    const auto bad = CalibrationData::Open(folder_, graph_, text);
    ASSERT_FALSE(bad.ok()) << text;
    EXPECT_TRUE(absl::StrContains(bad.status().message(), message)) << bad.status();
  }
  const auto wrong_size = CalibrationData::Open(folder_, graph_, "resize=none");
  ASSERT_TRUE(wrong_size.ok());
  EXPECT_TRUE(absl::StrContains(wrong_size->Sample(0).status().message(), "needs 2x2")) << wrong_size->Sample(0).status();
}

}  // namespace
}  // namespace omkit::frontends
