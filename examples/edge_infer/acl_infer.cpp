// The same program without the wrapper: one class over the AscendCL C API, with every call checked. It compiles unchanged for Ascend devices.
//
//   acl_infer MODEL.om INPUT.bin [INPUT.bin ...]
//
// One raw file for each run of a model with one input; prints the class of each (the largest of the float32 values of output 0).
//   g++ -std=c++11 -O2 acl_infer.cpp -I"$OMKIT_HOME/include" -L"$OMKIT_HOME/lib64" -lascendcl -o acl_infer
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "acl/acl.h"

class EdgeInfer {
 public:
  EdgeInfer() = default;
  ~EdgeInfer() { Cleanup(); }
  EdgeInfer(const EdgeInfer&) = delete;
  EdgeInfer& operator=(const EdgeInfer&) = delete;

  // Starts the library and takes the device. A process that has called aclInit already is fine.
  bool Init(int32_t device) {
    const aclError code = aclInit(nullptr);
    if (code != ACL_SUCCESS && code != ACL_ERROR_REPEAT_INITIALIZE) return Check(code, "aclInit");
    initialized_ = true;
    device_ = device;
    if (!Check(aclrtSetDevice(device), "aclrtSetDevice")) return false;
    device_set_ = true;
    if (!Check(aclrtCreateContext(&context_, device), "aclrtCreateContext")) return false;
    aclrtRunMode mode;
    if (!Check(aclrtGetRunMode(&mode), "aclrtGetRunMode")) return false;
    to_device_ = mode == ACL_HOST ? ACL_MEMCPY_HOST_TO_DEVICE : ACL_MEMCPY_DEVICE_TO_DEVICE;
    to_host_ = mode == ACL_HOST ? ACL_MEMCPY_DEVICE_TO_HOST : ACL_MEMCPY_DEVICE_TO_DEVICE;
    return true;
  }

  // Loads the model and allocates device memory for its inputs and outputs, once.
  bool Load(const std::string& path) {
    if (!Check(aclmdlLoadFromFile(path.c_str(), &model_), "aclmdlLoadFromFile")) return false;
    loaded_ = true;
    desc_ = aclmdlCreateDesc();
    if (desc_ == nullptr) return Check(ACL_ERROR_BAD_ALLOC, "aclmdlCreateDesc");
    if (!Check(aclmdlGetDesc(desc_, model_), "aclmdlGetDesc")) return false;
    inputs_ = aclmdlCreateDataset();
    outputs_ = aclmdlCreateDataset();
    if (inputs_ == nullptr || outputs_ == nullptr) return Check(ACL_ERROR_BAD_ALLOC, "aclmdlCreateDataset");
    for (size_t i = 0; i < aclmdlGetNumInputs(desc_); ++i) {
      if (!AddBuffer(inputs_, aclmdlGetInputSizeByIndex(desc_, i))) return false;
    }
    for (size_t i = 0; i < aclmdlGetNumOutputs(desc_); ++i) {
      if (!AddBuffer(outputs_, aclmdlGetOutputSizeByIndex(desc_, i))) return false;
    }
    return true;
  }

  size_t InputBytes() const { return desc_ == nullptr ? 0 : aclmdlGetInputSizeByIndex(desc_, 0); }

  // Input 0 in, output 0 out. `bytes` must be InputBytes().
  bool Infer(const void* data, size_t bytes, std::vector<float>* result) {
    if (!loaded_) return false;
    // The context belongs to a thread: a camera's thread is not the one that called Init.
    if (!Check(aclrtSetCurrentContext(context_), "aclrtSetCurrentContext")) return false;
    aclDataBuffer* input = aclmdlGetDatasetBuffer(inputs_, 0);
    aclDataBuffer* output = aclmdlGetDatasetBuffer(outputs_, 0);
    if (input == nullptr || output == nullptr || bytes != aclGetDataBufferSizeV2(input)) {
      std::fprintf(stderr, "acl_infer: %zu bytes given, the model takes %zu\n", bytes, InputBytes());
      return false;
    }
    if (!Check(aclrtMemcpy(aclGetDataBufferAddr(input), bytes, data, bytes, to_device_), "aclrtMemcpy to the device")) return false;
    if (!Check(aclmdlExecute(model_, inputs_, outputs_), "aclmdlExecute")) return false;
    const size_t size = aclGetDataBufferSizeV2(output);
    result->resize(size / sizeof(float));
    return Check(aclrtMemcpy(result->data(), size, aclGetDataBufferAddr(output), size, to_host_), "aclrtMemcpy to the host");
  }

  // Gives everything back, in the order opposite to its making. Safe after any failure and safe to call again.
  void Cleanup() {
    if (context_ != nullptr) aclrtSetCurrentContext(context_);
    Destroy(&inputs_);
    Destroy(&outputs_);
    if (desc_ != nullptr) aclmdlDestroyDesc(desc_);
    if (loaded_) aclmdlUnload(model_);
    if (context_ != nullptr) aclrtDestroyContext(context_);
    if (device_set_) aclrtResetDevice(device_);
    if (initialized_) aclFinalize();
    desc_ = nullptr;
    context_ = nullptr;
    loaded_ = device_set_ = initialized_ = false;
  }

 private:
  static bool Check(aclError code, const char* call) {
    if (code == ACL_SUCCESS) return true;
    const char* message = aclGetRecentErrMsg();
    std::fprintf(stderr, "acl_infer: %s failed with %d: %s\n", call, code, message == nullptr ? "no message" : message);
    return false;
  }

  // Device memory and the data buffer that names it, as the dataset's next entry.
  static bool AddBuffer(aclmdlDataset* dataset, size_t size) {
    void* memory = nullptr;
    if (!Check(aclrtMalloc(&memory, size, ACL_MEM_MALLOC_HUGE_FIRST), "aclrtMalloc")) return false;
    aclDataBuffer* buffer = aclCreateDataBuffer(memory, size);
    if (buffer != nullptr && Check(aclmdlAddDatasetBuffer(dataset, buffer), "aclmdlAddDatasetBuffer")) return true;
    if (buffer != nullptr) aclDestroyDataBuffer(buffer);
    aclrtFree(memory);
    return false;
  }

  // A dataset owns neither its buffers nor their memory.
  static void Destroy(aclmdlDataset** dataset) {
    if (*dataset == nullptr) return;
    for (size_t i = 0; i < aclmdlGetDatasetNumBuffers(*dataset); ++i) {
      aclDataBuffer* buffer = aclmdlGetDatasetBuffer(*dataset, i);
      aclrtFree(aclGetDataBufferAddr(buffer));
      aclDestroyDataBuffer(buffer);
    }
    aclmdlDestroyDataset(*dataset);
    *dataset = nullptr;
  }

  int32_t device_ = 0;
  bool initialized_ = false, device_set_ = false, loaded_ = false;
  aclrtContext context_ = nullptr;
  aclrtMemcpyKind to_device_ = ACL_MEMCPY_HOST_TO_DEVICE, to_host_ = ACL_MEMCPY_DEVICE_TO_HOST;
  uint32_t model_ = 0;
  aclmdlDesc* desc_ = nullptr;
  aclmdlDataset* inputs_ = nullptr;
  aclmdlDataset* outputs_ = nullptr;
};

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: acl_infer MODEL.om INPUT.bin [INPUT.bin ...]\n");
    return 2;
  }
  EdgeInfer net;
  if (!net.Init(0) || !net.Load(argv[1])) return 1;
  std::vector<char> data(net.InputBytes());
  std::vector<float> scores;
  for (int i = 2; i < argc; ++i) {
    std::ifstream file(argv[i], std::ios::binary);
    if (!file.read(data.data(), static_cast<std::streamsize>(data.size())) || file.peek() != EOF) {
      std::fprintf(stderr, "acl_infer: '%s' is not a file of %zu bytes\n", argv[i], data.size());
      return 1;
    }
    if (!net.Infer(data.data(), data.size(), &scores) || scores.empty()) return 1;
    std::printf("%s class %d\n", argv[i], static_cast<int>(std::max_element(scores.begin(), scores.end()) - scores.begin()));
  }
  return 0;
}
