// A client in the style of the classification samples: a process object, a model object that manages its own memory, C++11, error codes up
// through bools, and cleaning up in destructors.   sample_process MODEL INPUT.bin...
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "acl/acl.h"

#define ERROR_LOG(...) (fprintf(stderr, "[ERROR] " __VA_ARGS__), fprintf(stderr, "\n"))
#define INFO_LOG(...) (fprintf(stdout, "[INFO] " __VA_ARGS__), fprintf(stdout, "\n"))

static bool g_isDevice = false;

class Utils {
 public:
  static void* ReadBinFile(const std::string& fileName, uint32_t& fileSize) {
    std::ifstream binFile(fileName, std::ifstream::binary);
    if (!binFile.is_open()) return nullptr;
    binFile.seekg(0, binFile.end);
    fileSize = static_cast<uint32_t>(binFile.tellg());
    binFile.seekg(0, binFile.beg);
    void* data = nullptr;
    const aclError ret = g_isDevice ? aclrtMalloc(&data, fileSize, ACL_MEM_MALLOC_NORMAL_ONLY) : aclrtMallocHost(&data, fileSize);
    if (ret != ACL_SUCCESS) return nullptr;
    binFile.read(static_cast<char*>(data), fileSize);
    return data;
  }

  static void* GetDeviceBufferOfFile(const std::string& fileName, uint32_t& fileSize) {
    void* hostData = ReadBinFile(fileName, fileSize);
    if (hostData == nullptr || g_isDevice) return hostData;
    void* deviceData = nullptr;
    if (aclrtMalloc(&deviceData, fileSize, ACL_MEM_MALLOC_NORMAL_ONLY) != ACL_SUCCESS) return nullptr;
    const aclError ret = aclrtMemcpy(deviceData, fileSize, hostData, fileSize, ACL_MEMCPY_HOST_TO_DEVICE);
    (void)aclrtFreeHost(hostData);
    return ret == ACL_SUCCESS ? deviceData : nullptr;
  }
};

class ModelProcess {
 public:
  ModelProcess() = default;
  ~ModelProcess() {
    Unload();
    DestroyDesc();
    DestroyInput();
    DestroyOutput();
  }

  bool LoadModelFromFileWithMem(const char* modelPath) {
    if (loadFlag_) return false;
    aclError ret = aclmdlQuerySize(modelPath, &modelMemSize_, &modelWeightSize_);
    if (ret != ACL_ERROR_NONE) {
      ERROR_LOG("query model failed, model file is %s: %s", modelPath, aclGetRecentErrMsg());
      return false;
    }
    // Some models need no weights; a buffer of a few bytes keeps the pointer valid.
    if (aclrtMalloc(&modelMemPtr_, modelMemSize_, ACL_MEM_MALLOC_HUGE_FIRST) != ACL_ERROR_NONE) return false;
    if (aclrtMalloc(&modelWeightPtr_, modelWeightSize_ + 1, ACL_MEM_MALLOC_HUGE_FIRST) != ACL_ERROR_NONE) return false;
    ret = aclmdlLoadFromFileWithMem(modelPath, &modelId_, modelMemPtr_, modelMemSize_, modelWeightPtr_, modelWeightSize_);
    if (ret != ACL_ERROR_NONE) {
      ERROR_LOG("load model from file failed, errorCode is %d", static_cast<int32_t>(ret));
      return false;
    }
    loadFlag_ = true;
    INFO_LOG("load model %s success", modelPath);
    return true;
  }

  bool CreateDesc() {
    modelDesc_ = aclmdlCreateDesc();
    return modelDesc_ != nullptr && aclmdlGetDesc(modelDesc_, modelId_) == ACL_ERROR_NONE;
  }

  void PrintDesc() const {
    for (size_t i = 0; i < aclmdlGetNumInputs(modelDesc_); ++i) {
      aclmdlIODims dims;
      if (aclmdlGetInputDims(modelDesc_, i, &dims) != ACL_SUCCESS) continue;
      std::string text;
      for (size_t d = 0; d < dims.dimCount; ++d) text += (d ? "x" : "") + std::to_string(dims.dims[d]);
      INFO_LOG("input %zu %s %s format %d type %d", i, aclmdlGetInputNameByIndex(modelDesc_, i), text.c_str(),
               static_cast<int>(aclmdlGetInputFormat(modelDesc_, i)), static_cast<int>(aclmdlGetInputDataType(modelDesc_, i)));
    }
  }

  bool CreateInput(void* inputDataBuffer, size_t bufferSize) {
    input_ = aclmdlCreateDataset();
    aclDataBuffer* inputData = aclCreateDataBuffer(inputDataBuffer, bufferSize);
    if (input_ == nullptr || inputData == nullptr) return false;
    return aclmdlAddDatasetBuffer(input_, inputData) == ACL_ERROR_NONE;
  }

  bool CreateOutput() {
    output_ = aclmdlCreateDataset();
    const size_t outputSize = aclmdlGetNumOutputs(modelDesc_);
    for (size_t i = 0; i < outputSize; ++i) {
      const size_t buffer_size = aclmdlGetOutputSizeByIndex(modelDesc_, i);
      void* outputBuffer = nullptr;
      if (aclrtMalloc(&outputBuffer, buffer_size, ACL_MEM_MALLOC_NORMAL_ONLY) != ACL_ERROR_NONE) return false;
      if (aclrtMemset(outputBuffer, buffer_size, 0, buffer_size) != ACL_ERROR_NONE) return false;
      aclDataBuffer* outputData = aclCreateDataBuffer(outputBuffer, buffer_size);
      if (aclmdlAddDatasetBuffer(output_, outputData) != ACL_ERROR_NONE) return false;
    }
    return true;
  }

  bool Execute() { return aclmdlExecute(modelId_, input_, output_) == ACL_ERROR_NONE; }

  void OutputModelResult() const {
    for (size_t i = 0; i < aclmdlGetDatasetNumBuffers(output_); ++i) {
      aclDataBuffer* dataBuffer = aclmdlGetDatasetBuffer(output_, i);
      void* data = aclGetDataBufferAddr(dataBuffer);
      const uint32_t len = static_cast<uint32_t>(aclGetDataBufferSizeV2(dataBuffer));
      void* outHostData = nullptr;
      float* outData = static_cast<float*>(data);
      if (!g_isDevice) {
        if (aclrtMallocHost(&outHostData, len) != ACL_ERROR_NONE) return;
        if (aclrtMemcpy(outHostData, len, data, len, ACL_MEMCPY_DEVICE_TO_HOST) != ACL_ERROR_NONE) return;
        outData = static_cast<float*>(outHostData);
      }
      std::map<float, unsigned int, std::greater<float> > resultMap;
      for (unsigned int j = 0; j < len / sizeof(float); ++j) resultMap[outData[j]] = j;
      INFO_LOG("top 1: index[%u] value[%f]", resultMap.begin()->second, static_cast<double>(resultMap.begin()->first));
      if (!g_isDevice) (void)aclrtFreeHost(outHostData);
    }
  }

  void DestroyInput() {
    if (input_ == nullptr) return;
    for (size_t i = 0; i < aclmdlGetDatasetNumBuffers(input_); ++i) (void)aclDestroyDataBuffer(aclmdlGetDatasetBuffer(input_, i));
    (void)aclmdlDestroyDataset(input_);
    input_ = nullptr;
  }

 private:
  void Unload() {
    if (!loadFlag_) return;
    if (aclmdlUnload(modelId_) != ACL_ERROR_NONE) ERROR_LOG("unload model failed");
    if (modelMemPtr_ != nullptr) (void)aclrtFree(modelMemPtr_);
    if (modelWeightPtr_ != nullptr) (void)aclrtFree(modelWeightPtr_);
    loadFlag_ = false;
  }
  void DestroyDesc() {
    if (modelDesc_ != nullptr) (void)aclmdlDestroyDesc(modelDesc_);
    modelDesc_ = nullptr;
  }
  void DestroyOutput() {
    if (output_ == nullptr) return;
    for (size_t i = 0; i < aclmdlGetDatasetNumBuffers(output_); ++i) {
      aclDataBuffer* dataBuffer = aclmdlGetDatasetBuffer(output_, i);
      (void)aclrtFree(aclGetDataBufferAddr(dataBuffer));
      (void)aclDestroyDataBuffer(dataBuffer);
    }
    (void)aclmdlDestroyDataset(output_);
    output_ = nullptr;
  }

  uint32_t modelId_ = 0;
  size_t modelMemSize_ = 0;
  size_t modelWeightSize_ = 0;
  void* modelMemPtr_ = nullptr;
  void* modelWeightPtr_ = nullptr;
  bool loadFlag_ = false;
  aclmdlDesc* modelDesc_ = nullptr;
  aclmdlDataset* input_ = nullptr;
  aclmdlDataset* output_ = nullptr;
};

class SampleProcess {
 public:
  ~SampleProcess() { DestroyResource(); }

  bool InitResource() {
    if (aclInit("") != ACL_ERROR_NONE && aclInit(nullptr) != ACL_ERROR_NONE) return false;
    uint32_t count = 0;
    if (aclrtGetDeviceCount(&count) != ACL_ERROR_NONE || count == 0) return false;
    if (aclrtSetDevice(deviceId_) != ACL_ERROR_NONE) return false;
    if (aclrtCreateContext(&context_, deviceId_) != ACL_ERROR_NONE) return false;
    if (aclrtCreateStream(&stream_) != ACL_ERROR_NONE) return false;
    aclrtRunMode runMode;
    if (aclrtGetRunMode(&runMode) != ACL_ERROR_NONE) return false;
    g_isDevice = (runMode == ACL_DEVICE);
    return true;
  }

  bool Process(const char* model, const std::vector<std::string>& files) {
    ModelProcess modelProcess;
    if (!modelProcess.LoadModelFromFileWithMem(model) || !modelProcess.CreateDesc() || !modelProcess.CreateOutput()) return false;
    modelProcess.PrintDesc();
    for (const std::string& file : files) {
      uint32_t devBufferSize = 0;
      void* picDevBuffer = Utils::GetDeviceBufferOfFile(file, devBufferSize);
      if (picDevBuffer == nullptr || !modelProcess.CreateInput(picDevBuffer, devBufferSize) || !modelProcess.Execute()) {
        ERROR_LOG("%s: %s", file.c_str(), aclGetRecentErrMsg());
        return false;
      }
      modelProcess.OutputModelResult();
      (void)aclrtFree(picDevBuffer);
      modelProcess.DestroyInput();
    }
    return true;
  }

 private:
  void DestroyResource() {
    if (stream_ != nullptr && aclrtDestroyStream(stream_) != ACL_ERROR_NONE) ERROR_LOG("destroy stream failed");
    if (context_ != nullptr && aclrtDestroyContext(context_) != ACL_ERROR_NONE) ERROR_LOG("destroy context failed");
    if (aclrtResetDevice(deviceId_) != ACL_ERROR_NONE) ERROR_LOG("reset device failed");
    if (aclFinalize() != ACL_ERROR_NONE) ERROR_LOG("finalize acl failed");
  }

  int32_t deviceId_ = 0;
  aclrtContext context_ = nullptr;
  aclrtStream stream_ = nullptr;
};

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  SampleProcess process;
  if (!process.InitResource()) {
    ERROR_LOG("init resource failed: %s", aclGetRecentErrMsg());
    return 1;
  }
  return process.Process(argv[1], std::vector<std::string>(argv + 2, argv + argc)) ? 0 : 1;
}
