// Every exported function with every wrong argument, without a context, before aclInit and after aclFinalize: the documented code and no
// crash. The calls are generated from function_rows; a function of the headers without a row fails.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "acl/acl.h"
#include "acl/acl_op.h"
#include "acl/acl_prof.h"
#include "gtest/gtest.h"
#include "runtime/acl/kernels_hook.h"
#include "tests/acl_clients/function_rows.h"
#include "tests/acl_clients/tiny_model.h"

namespace omkit {
namespace {

std::vector<std::string> headers;
const bool kHook = acl::SetKernelRegistration(&RegisterTinyKernels);

constexpr size_t kObjects = static_cast<size_t>(Object::kCount);
using Objects = std::array<uint64_t, kObjects>;

uint64_t Bits(const void* pointer) { return reinterpret_cast<uint64_t>(pointer); }
uint64_t& At(Objects& objects, Object object) { return objects[static_cast<size_t>(object)]; }

// Exception information lives during a callback only, so that there is no live one here.
Objects MakeObjects(uint32_t model, bool with_context) {
  Objects objects{};
  const int64_t dims[4] = {1, 4, 4, 4};
  At(objects, Object::kTensor) = Bits(aclCreateTensorDesc(ACL_FLOAT, 4, dims, ACL_FORMAT_NCHW));
  aclmdlDataset* dataset = aclmdlCreateDataset();
  At(objects, Object::kDataset) = Bits(dataset);
  aclmdlDesc* desc = aclmdlCreateDesc();
  At(objects, Object::kDesc) = Bits(desc);
  At(objects, Object::kLoadConfig) = Bits(aclmdlCreateConfigHandle());
  At(objects, Object::kExecConfig) = Bits(aclmdlCreateExecConfigHandle());
  uint32_t device = 0;
  At(objects, Object::kProfConfig) = Bits(aclprofCreateConfig(&device, 1, ACL_AICORE_NONE, nullptr, ACL_PROF_TASK_TIME));
  int fd = 1;
  At(objects, Object::kSubscribeConfig) = Bits(aclprofCreateSubscribeConfig(1, ACL_AICORE_NONE, &fd));
  At(objects, Object::kStepInfo) = Bits(aclprofCreateStepInfo());
  At(objects, Object::kStamp) = Bits(aclprofCreateStamp());
  At(objects, Object::kAipp) = Bits(aclmdlCreateAIPP(1));
  void* memory = nullptr;
  if (with_context) {
    EXPECT_EQ(aclrtMalloc(&memory, 64, ACL_MEM_MALLOC_HUGE_FIRST), ACL_SUCCESS);
    void* handle = nullptr;
    EXPECT_EQ(aclrtCreateStream(&handle), ACL_SUCCESS);
    At(objects, Object::kStream) = Bits(handle);
    EXPECT_EQ(aclrtCreateEvent(&handle), ACL_SUCCESS);
    At(objects, Object::kEvent) = Bits(handle);
    void* current = nullptr;
    EXPECT_EQ(aclrtGetCurrentContext(&current), ACL_SUCCESS);
    EXPECT_EQ(aclrtCreateContext(&handle, 0), ACL_SUCCESS);
    At(objects, Object::kContext) = Bits(handle);
    EXPECT_EQ(aclrtSetCurrentContext(current), ACL_SUCCESS);
    aclTensorDesc* tensor = reinterpret_cast<aclTensorDesc*>(At(objects, Object::kTensor));
    aclopHandle* op = nullptr;
    EXPECT_EQ(aclopCreateHandleForCast(tensor, tensor, 0, &op), ACL_SUCCESS);
    At(objects, Object::kOpHandle) = Bits(op);
    EXPECT_EQ(aclmdlGetDesc(desc, model), ACL_SUCCESS);
  }
  At(objects, Object::kDevice) = Bits(memory);
  aclDataBuffer* buffer = aclCreateDataBuffer(memory, 64);
  At(objects, Object::kBuffer) = Bits(buffer);
  EXPECT_EQ(aclmdlAddDatasetBuffer(dataset, buffer), ACL_SUCCESS);
  At(objects, Object::kModel) = model;
  aclGetRecentErrMsg();
  return objects;
}

void Destroy(Objects& objects) {
  aclDestroyDataBuffer(reinterpret_cast<aclDataBuffer*>(At(objects, Object::kBuffer)));
  aclDestroyTensorDesc(reinterpret_cast<aclTensorDesc*>(At(objects, Object::kTensor)));
  aclmdlDestroyDataset(reinterpret_cast<aclmdlDataset*>(At(objects, Object::kDataset)));
  aclmdlDestroyDesc(reinterpret_cast<aclmdlDesc*>(At(objects, Object::kDesc)));
  aclmdlDestroyConfigHandle(reinterpret_cast<aclmdlConfigHandle*>(At(objects, Object::kLoadConfig)));
  aclmdlDestroyExecConfigHandle(reinterpret_cast<aclmdlExecConfigHandle*>(At(objects, Object::kExecConfig)));
  aclprofDestroyConfig(reinterpret_cast<aclprofConfig*>(At(objects, Object::kProfConfig)));
  aclprofDestroySubscribeConfig(reinterpret_cast<aclprofSubscribeConfig*>(At(objects, Object::kSubscribeConfig)));
  aclprofDestroyStepInfo(reinterpret_cast<aclprofStepInfo*>(At(objects, Object::kStepInfo)));
  aclprofDestroyStamp(reinterpret_cast<void*>(At(objects, Object::kStamp)));
  aclmdlDestroyAIPP(reinterpret_cast<aclmdlAIPP*>(At(objects, Object::kAipp)));
  if (At(objects, Object::kStream) == 0) return;
  aclopDestroyHandle(reinterpret_cast<aclopHandle*>(At(objects, Object::kOpHandle)));
  aclrtDestroyStream(reinterpret_cast<void*>(At(objects, Object::kStream)));
  aclrtDestroyEvent(reinterpret_cast<void*>(At(objects, Object::kEvent)));
  aclrtDestroyContext(reinterpret_cast<void*>(At(objects, Object::kContext)));
  aclrtFree(reinterpret_cast<void*>(At(objects, Object::kDevice)));
}

std::vector<Value> ValidArguments(const FunctionRow& row, Objects& objects) {
  std::vector<Value> values;
  for (const Arg& arg : row.args) {
    Value value = arg.value;
    if (arg.object != Object::kNone) value.bits = At(objects, arg.object);
    values.push_back(value);
  }
  return values;
}

class ArgumentsTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(aclInit(nullptr), ACL_SUCCESS);
    ASSERT_EQ(aclrtSetDevice(0), ACL_SUCCESS);
    const std::string path = testing::TempDir() + "/arguments.om";
    ASSERT_TRUE(WriteTinyModel(path, TinyProgram()));
    ASSERT_EQ(aclmdlLoadFromFile(path.c_str(), &model_), ACL_SUCCESS);
    dead_ = MakeObjects(model_, true);
    Destroy(dead_);
    live_ = MakeObjects(model_, true);
  }
  void TearDown() override {
    Destroy(live_);
    EXPECT_EQ(aclFinalize(), ACL_SUCCESS);
  }
  uint32_t model_ = 0;
  Objects dead_{};
  Objects live_{};
};

TEST(TableTest, EveryFunctionOfTheHeadersHasOneRow) {
  std::set<std::string> declared;
  for (const std::string& path : headers) {
    std::ifstream file(path);
    ASSERT_TRUE(file.is_open()) << path;
    const std::string text(std::istreambuf_iterator<char>(file), {});
    const std::regex pattern("(^|\n)ACL_FUNC_VISIBILITY[^;(]*\\b(acl\\w+)\\(");
    for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it) declared.insert((*it)[2]);
  }
  ASSERT_GT(declared.size(), 200u);
  std::set<std::string> rows;
  for (const FunctionRow& row : FunctionRows()) EXPECT_TRUE(rows.insert(row.name).second) << row.name << " has two rows";
  std::vector<std::string> missing;
  std::set_difference(declared.begin(), declared.end(), rows.begin(), rows.end(), std::back_inserter(missing));
  for (const std::string& name : missing) ADD_FAILURE() << name << " has no row in tests/acl_clients/function_rows.cc";
  for (const std::string& name : rows) EXPECT_TRUE(declared.count(name) == 1) << name << " is not declared";
}

TEST_F(ArgumentsTest, WrongValues) {
  int calls = 0;
  for (const FunctionRow& row : FunctionRows()) {
    if (row.name == "aclInit") continue;
    for (size_t i = 0; i < row.args.size(); ++i) {
      for (const Wrong& wrong : row.args[i].wrong) {
        std::vector<Value> values = ValidArguments(row, live_);
        values[i].bits = wrong.bits;
        EXPECT_EQ(row.call(values), wrong.code) << row.name << ", argument " << i << " " << wrong.what;
        ++calls;
      }
    }
  }
  EXPECT_GT(calls, 200);
}

TEST_F(ArgumentsTest, FreedForeignAndWronglyTypedHandles) {
  int calls = 0;
  for (const FunctionRow& row : FunctionRows()) {
    for (size_t i = 0; i < row.args.size(); ++i) {
      const Arg& arg = row.args[i];
      if (!arg.handle) continue;
      std::vector<uint64_t> bad = {Bits(&calls), 1, ~uint64_t{0}, Bits(headers.data()) | 1};
      for (const Object other : {Object::kBuffer, Object::kEvent, Object::kStream}) {
        if (other != arg.object) bad.push_back(At(live_, other));
      }
      if (At(dead_, arg.object) != 0) bad.push_back(At(dead_, arg.object));
      for (uint64_t bits : bad) {
        std::vector<Value> values = ValidArguments(row, live_);
        values[i].bits = bits;
        EXPECT_EQ(row.call(values), arg.dead_code) << row.name << ", argument " << i << " is " << std::hex << bits;
        ++calls;
      }
    }
  }
  EXPECT_GT(calls, 500);
}

TEST_F(ArgumentsTest, NotProvided) {
  int rows = 0;
  for (const FunctionRow& row : FunctionRows()) {
    if (row.supported) continue;
    EXPECT_EQ(row.call(std::vector<Value>(row.args.size())), ACL_ERROR_API_NOT_SUPPORT) << row.name;
    ++rows;
  }
  EXPECT_GT(rows, 20);
}

TEST_F(ArgumentsTest, NoContext) {
  std::thread([&] {
    for (const FunctionRow& row : FunctionRows()) {
      if (row.needs != Needs::kContext) continue;
      EXPECT_EQ(row.call(ValidArguments(row, live_)), ACL_ERROR_RT_CONTEXT_NULL) << row.name;
      EXPECT_NE(aclGetRecentErrMsg(), nullptr) << row.name;
    }
  }).join();
}

void ExpectNotInitialized(Objects objects) {
  for (const FunctionRow& row : FunctionRows()) {
    if (row.needs == Needs::kNothing) continue;
    EXPECT_EQ(row.call(ValidArguments(row, objects)), ACL_ERROR_UNINITIALIZE) << row.name;
    EXPECT_NE(aclGetRecentErrMsg(), nullptr) << row.name;
  }
}

TEST(StateTest, BeforeInit) {
  Objects objects = MakeObjects(0, false);
  ExpectNotInitialized(objects);
  Destroy(objects);
}

TEST(StateTest, AfterFinalize) {
  ASSERT_EQ(aclInit(nullptr), ACL_SUCCESS);
  ASSERT_EQ(aclrtSetDevice(0), ACL_SUCCESS);
  const std::string path = testing::TempDir() + "/state.om";
  ASSERT_TRUE(WriteTinyModel(path, TinyProgram()));
  uint32_t model = 0;
  ASSERT_EQ(aclmdlLoadFromFile(path.c_str(), &model), ACL_SUCCESS);
  Objects objects = MakeObjects(model, true);
  ASSERT_EQ(aclFinalize(), ACL_SUCCESS);
  ExpectNotInitialized(objects);
  // Memory outlives the library, handles of streams and models do not.
  void* const memory = reinterpret_cast<void*>(At(objects, Object::kDevice));
  std::memset(memory, 1, 64);
  EXPECT_EQ(aclrtFree(memory), ACL_SUCCESS);
  ASSERT_EQ(aclInit(nullptr), ACL_SUCCESS);
  ASSERT_EQ(aclrtSetDevice(0), ACL_SUCCESS);
  EXPECT_EQ(aclrtDestroyStream(reinterpret_cast<void*>(At(objects, Object::kStream))), ACL_ERROR_RT_INVALID_HANDLE);
  EXPECT_EQ(aclmdlUnload(model), static_cast<aclError>(ACL_ERROR_GE_EXEC_MODEL_ID_INVALID));
  EXPECT_EQ(aclFinalize(), ACL_SUCCESS);
}

}  // namespace
}  // namespace omkit

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  omkit::headers.assign(argv + 1, argv + argc);
  return RUN_ALL_TESTS();
}
