#include "frontends/onnx/external_data.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "frontends/onnx/tensor.h"
#include "gtest/gtest.h"

namespace omkit::frontends {
namespace {

using Keys = std::vector<std::pair<std::string, std::string>>;

onnx::TensorProto External(const Keys& keys, int64_t elements = 4) {
  onnx::TensorProto proto;
  proto.set_name("w");
  proto.set_data_type(onnx::TensorProto::UINT8);
  proto.add_dims(elements);
  proto.set_data_location(onnx::TensorProto::EXTERNAL);
  for (const auto& [key, value] : keys) {
    auto* entry = proto.add_external_data();
    entry->set_key(key);
    entry->set_value(value);
  }
  return proto;
}

class ExternalDataTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/external_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    outside_ = pattern;
    folder_ = outside_ + "/model";
    ASSERT_EQ(mkdir(folder_.c_str(), 0755), 0);
    ASSERT_EQ(mkdir((folder_ + "/sub").c_str(), 0755), 0);
    Write(folder_ + "/w.bin", "0123456789");
    Write(folder_ + "/sub/w.bin", "abcdef");
    Write(outside_ + "/secret.bin", "secret!!");
    ASSERT_EQ(symlink("../secret.bin", (folder_ + "/soft.bin").c_str()), 0);
    ASSERT_EQ(symlink("..", (folder_ + "/up").c_str()), 0);
    ASSERT_EQ(link((outside_ + "/secret.bin").c_str(), (folder_ + "/hard.bin").c_str()), 0);
    ASSERT_EQ(mkfifo((folder_ + "/pipe").c_str(), 0644), 0);
  }
  void Write(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

  std::string outside_, folder_;
};

TEST_F(ExternalDataTest, ReadsRanges) {
  ExternalFiles files(folder_);
  const std::pair<Keys, std::string> cases[] = {
      {{{"location", "w.bin"}}, "0123"},
      {{{"location", "w.bin"}, {"offset", "6"}}, "6789"},
      {{{"location", "w.bin"}, {"offset", "2"}, {"length", "4"}}, "2345"},
      {{{"location", "./sub//w.bin"}, {"offset", "2"}, {"checksum", "0"}}, "cdef"},
  };
  for (const auto& [keys, expected] : cases) {
    const auto tensor = FromTensorProto(External(keys), &files);
    ASSERT_TRUE(tensor.ok()) << tensor.status();
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(tensor->raw()), tensor->bytes()), expected);
  }
}

TEST_F(ExternalDataTest, RefusesEverythingElse) {
  const struct {
    Keys keys;
    const char* message;
  } cases[] = {
      {{}, "no location"},
      {{{"location", ""}}, "no location"},
      {{{"location", "../secret.bin"}}, "leaves the model's folder"},
      {{{"location", "sub/../../secret.bin"}}, "leaves the model's folder"},
      {{{"location", "sub/../w.bin"}}, "leaves the model's folder"},
      {{{"location", "/etc/passwd"}}, "is absolute"},
      {{{"location", "..\\secret.bin"}}, "backslash"},
      {{{"location", std::string("w.bin\0x", 7)}}, "NUL"},
      {{{"location", std::string(5000, 'a')}}, "longer than 4096"},
      {{{"location", "sub/"}}, "names no file"},
      {{{"location", "."}}, "names no file"},
      {{{"location", "sub"}}, "not a regular file"},
      {{{"location", "pipe"}}, "not a regular file"},
      {{{"location", "soft.bin"}}, "symbolic link"},
      {{{"location", "up/secret.bin"}}, "symbolic link"},
      {{{"location", "hard.bin"}}, "hard links"},
      {{{"location", "missing.bin"}}, "No such file"},
      {{{"location", "w.bin"}, {"offset", "7"}}, "4 bytes at offset 7 lie outside 'w.bin', which has 10 bytes"},
      {{{"location", "w.bin"}, {"offset", "18446744073709551615"}}, "lie outside"},
      {{{"location", "w.bin"}, {"offset", "18446744073709551616"}}, "not an unsigned 64-bit number"},
      {{{"location", "w.bin"}, {"offset", "-1"}}, "not an unsigned 64-bit number"},
      {{{"location", "w.bin"}, {"length", "5"}}, "length is 5 bytes but the tensor's shape and type need 4"},
      {{{"location", "w.bin"}, {"basepath", "/etc"}}, "unknown key 'basepath'"},
      {{{"location", "w.bin"}, {"location", "sub/w.bin"}}, "appears twice"},
  };
  ExternalFiles files(folder_);
  for (const auto& c : cases) {
    SCOPED_TRACE(c.message);
    const auto tensor = FromTensorProto(External(c.keys), &files);
    ASSERT_FALSE(tensor.ok());
    EXPECT_TRUE(absl::StrContains(tensor.status().message(), c.message)) << tensor.status();
    EXPECT_TRUE(absl::StartsWith(tensor.status().message(), "tensor 'w': ")) << tensor.status();
  }
}

TEST_F(ExternalDataTest, AHugeClaimIsRefusedBeforeItIsAllocated) {
  ExternalFiles files(folder_);
  EXPECT_FALSE(FromTensorProto(External({{"location", "w.bin"}}, int64_t{1} << 40), &files).ok());
}

TEST_F(ExternalDataTest, OverlappingTensorsAreBounded) {
  ExternalFiles files(folder_);
  const onnx::TensorProto all = External({{"location", "w.bin"}}, 10);
  int read = 0;
  while (read < 100 && FromTensorProto(all, &files).ok()) ++read;
  EXPECT_EQ(read, 4);
}

TEST(TensorProto, EveryElementTypeFromRawAndTypedData) {
  const struct {
    int type;
    std::string raw;
    const char* typed;  // field to put 1 into
  } cases[] = {
      {onnx::TensorProto::FLOAT, std::string("\0\0\x80\x3f", 4), "float"},
      {onnx::TensorProto::DOUBLE, std::string("\0\0\0\0\0\0\xf0\x3f", 8), "double"},
      {onnx::TensorProto::INT8, std::string("\1", 1), "int32"},
      {onnx::TensorProto::UINT8, std::string("\1", 1), "int32"},
      {onnx::TensorProto::INT16, std::string("\1\0", 2), "int32"},
      {onnx::TensorProto::UINT16, std::string("\1\0", 2), "int32"},
      {onnx::TensorProto::INT32, std::string("\1\0\0\0", 4), "int32"},
      {onnx::TensorProto::UINT32, std::string("\1\0\0\0", 4), "uint64"},
      {onnx::TensorProto::INT64, std::string("\1\0\0\0\0\0\0\0", 8), "int64"},
      {onnx::TensorProto::UINT64, std::string("\1\0\0\0\0\0\0\0", 8), "uint64"},
      {onnx::TensorProto::BOOL, std::string("\x7f", 1), "int32"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(OnnxDTypeName(c.type));
    onnx::TensorProto proto;
    proto.set_data_type(c.type);
    proto.add_dims(1);
    onnx::TensorProto typed = proto;
    proto.set_raw_data(c.raw);
    const std::string field = c.typed;
    if (field == "float") typed.add_float_data(1);
    if (field == "double") typed.add_double_data(1);
    if (field == "int32") typed.add_int32_data(1);
    if (field == "int64") typed.add_int64_data(1);
    if (field == "uint64") typed.add_uint64_data(1);
    for (const onnx::TensorProto& p : {proto, typed}) {
      const auto tensor = FromTensorProto(p, nullptr);
      ASSERT_TRUE(tensor.ok()) << tensor.status();
      EXPECT_EQ(RealAt(*tensor, 0), 1.0);
    }
  }
}

TEST(TensorProto, SixteenBitFloatsAreBitPatterns) {
  for (const auto& [type, bits] : {std::pair<int, int>{onnx::TensorProto::FLOAT16, 0x3c00}, {onnx::TensorProto::BFLOAT16, 0x3f80}}) {
    onnx::TensorProto proto;
    proto.set_data_type(type);
    proto.add_dims(1);
    proto.add_int32_data(bits);
    const auto tensor = FromTensorProto(proto, nullptr);
    ASSERT_TRUE(tensor.ok()) << tensor.status();
    EXPECT_EQ(RealAt(*tensor, 0), 1.0);
  }
}

}  // namespace
}  // namespace omkit::frontends
