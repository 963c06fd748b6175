// A started library with the tiny model loaded, and the buffers of one execution: for tests of the C API.
#ifndef OMKIT_TESTS_ACL_CLIENTS_FIXTURE_H_
#define OMKIT_TESTS_ACL_CLIENTS_FIXTURE_H_

#include <fstream>
#include <string>

#include "acl/acl.h"
#include "gtest/gtest.h"
#include "tests/acl_clients/tiny_model.h"

namespace omkit {

inline std::string TempPath(const std::string& name) { return testing::TempDir() + "/" + name; }

inline void WriteFile(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

inline std::string Message() {
  const char* message = aclGetRecentErrMsg();
  return message != nullptr ? message : "";
}

// Input x[i] = i and output of the tiny model on the device, in datasets.
struct Io {
  explicit Io(size_t in_bytes = kTinyBytes, size_t out_bytes = kTinyBytes) {
    if (in_bytes > 0) {
      EXPECT_EQ(aclrtMalloc(&in, in_bytes, ACL_MEM_MALLOC_HUGE_FIRST), ACL_SUCCESS);
    }
    if (out_bytes > 0) {
      EXPECT_EQ(aclrtMalloc(&out, out_bytes, ACL_MEM_MALLOC_NORMAL_ONLY), ACL_SUCCESS);
    }
    for (size_t i = 0; i < in_bytes / 4; ++i) static_cast<float*>(in)[i] = static_cast<float>(i);
    in_buffer = aclCreateDataBuffer(in, in_bytes);
    out_buffer = aclCreateDataBuffer(out, out_bytes);
    EXPECT_EQ(aclmdlAddDatasetBuffer(inputs, in_buffer), ACL_SUCCESS);
    EXPECT_EQ(aclmdlAddDatasetBuffer(outputs, out_buffer), ACL_SUCCESS);
  }
  ~Io() {
    EXPECT_EQ(aclmdlDestroyDataset(inputs), ACL_SUCCESS);
    EXPECT_EQ(aclmdlDestroyDataset(outputs), ACL_SUCCESS);
    EXPECT_EQ(aclDestroyDataBuffer(in_buffer), ACL_SUCCESS);
    EXPECT_EQ(aclDestroyDataBuffer(out_buffer), ACL_SUCCESS);
    if (in != nullptr) aclrtFree(in);
    if (out != nullptr) aclrtFree(out);
  }
  Io(const Io&) = delete;
  Io& operator=(const Io&) = delete;
  float y(int i) const { return static_cast<const float*>(out)[i]; }
  void* in = nullptr;
  void* out = nullptr;
  aclmdlDataset* inputs = aclmdlCreateDataset();
  aclmdlDataset* outputs = aclmdlCreateDataset();
  aclDataBuffer* in_buffer = nullptr;
  aclDataBuffer* out_buffer = nullptr;
};

// The test's file must hand RegisterTinyKernels to acl::SetKernelRegistration.
class AclTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(aclInit(nullptr), ACL_SUCCESS);
    ASSERT_EQ(aclrtSetDevice(0), ACL_SUCCESS);
    path_ = TempPath("tiny.om");
    ASSERT_TRUE(WriteTinyModel(path_, TinyProgram()));
    ASSERT_EQ(aclmdlLoadFromFile(path_.c_str(), &model_), ACL_SUCCESS) << Message();
  }
  void TearDown() override {
    EXPECT_EQ(aclmdlUnload(model_), ACL_SUCCESS);
    EXPECT_EQ(aclrtResetDevice(0), ACL_SUCCESS);
    EXPECT_EQ(aclFinalize(), ACL_SUCCESS);
  }
  std::string path_;
  uint32_t model_ = 0;
};

}  // namespace omkit

#endif  // OMKIT_TESTS_ACL_CLIENTS_FIXTURE_H_
