// A client in the style of inference frameworks: RAII classes with custom deleters, a global environment object that is destroyed last (after
// main), worker threads that bind the context, output descriptions read from the dataset, half precision on the way in.   wrapper MODEL
#include <cmath>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "acl/acl.h"

namespace acl_wrapper {

class Error : public std::runtime_error {
 public:
  Error(const std::string& what, aclError code) : std::runtime_error(what + " " + std::to_string(code) + " " + Detail()) {}

 private:
  static std::string Detail() {
    const char* text = aclGetRecentErrMsg();
    return text != nullptr ? text : "";
  }
};

inline void Check(aclError code, const char* what) {
  if (code != ACL_SUCCESS) throw Error(what, code);
}
#define ACL_CALL(expression) ::acl_wrapper::Check((expression), #expression)

// Initialised once, whoever comes first; other libraries in the process may have done it already.
class Environment {
 public:
  static std::shared_ptr<Environment> Get() {
    static std::shared_ptr<Environment> instance(new Environment);
    return instance;
  }
  ~Environment() { (void)aclFinalize(); }

 private:
  Environment() {
    const aclError code = aclInit(nullptr);
    if (code != ACL_SUCCESS && code != ACL_ERROR_REPEAT_INITIALIZE) throw Error("aclInit", code);
    if (aclInit(nullptr) != ACL_ERROR_REPEAT_INITIALIZE) throw Error("second aclInit", code);
  }
};

struct DeviceDeleter {
  void operator()(void* memory) const { (void)aclrtFree(memory); }
};
using DeviceMemory = std::unique_ptr<void, DeviceDeleter>;

DeviceMemory Allocate(size_t size) {
  void* memory = nullptr;
  ACL_CALL(aclrtMalloc(&memory, size, ACL_MEM_MALLOC_HUGE_FIRST));
  return DeviceMemory(memory);
}

struct DescDeleter {
  void operator()(aclmdlDesc* desc) const { (void)aclmdlDestroyDesc(desc); }
};
struct DatasetDeleter {
  void operator()(aclmdlDataset* dataset) const { (void)aclmdlDestroyDataset(dataset); }
};
struct BufferDeleter {
  void operator()(aclDataBuffer* buffer) const { (void)aclDestroyDataBuffer(buffer); }
};

struct Tensor {
  std::string name;
  std::vector<int64_t> shape;
  aclDataType type;
  aclFormat format;
  DeviceMemory memory;
  std::unique_ptr<aclDataBuffer, BufferDeleter> buffer;
  size_t size;
};

class Model {
 public:
  Model(std::shared_ptr<Environment> environment, const std::string& path) : environment_(std::move(environment)), desc_(aclmdlCreateDesc()) {
    ACL_CALL(aclmdlLoadFromFile(path.c_str(), &id_));
    ACL_CALL(aclmdlGetDesc(desc_.get(), id_));
    inputs_set_.reset(aclmdlCreateDataset());
    outputs_set_.reset(aclmdlCreateDataset());
    for (size_t i = 0; i < aclmdlGetNumInputs(desc_.get()); ++i) inputs_.push_back(MakeInput(i));
    for (size_t i = 0; i < aclmdlGetNumOutputs(desc_.get()); ++i) outputs_.push_back(MakeOutput(i));
  }
  // The members go first here, the model last: buffers are destroyed while datasets still list them.
  ~Model() {
    inputs_.clear();
    outputs_.clear();
    (void)aclmdlUnload(id_);
  }

  std::vector<float> Run(const std::vector<float>& values) {
    Tensor& input = inputs_[0];
    if (values.size() * aclDataTypeSize(input.type) != input.size) throw std::runtime_error("wrong input size");
    ACL_CALL(aclrtMemcpy(input.memory.get(), input.size, values.data(), input.size, ACL_MEMCPY_HOST_TO_DEVICE));
    // Frameworks describe the inputs of every execution.
    aclTensorDesc* desc = aclCreateTensorDesc(input.type, static_cast<int>(input.shape.size()), input.shape.data(), input.format);
    ACL_CALL(aclmdlSetDatasetTensorDesc(inputs_set_.get(), desc, 0));
    aclDestroyTensorDesc(desc);
    ACL_CALL(aclmdlExecute(id_, inputs_set_.get(), outputs_set_.get()));
    aclTensorDesc* produced = aclmdlGetDatasetTensorDesc(outputs_set_.get(), 0);
    const size_t bytes = aclGetTensorDescSize(produced);
    aclmdlIODims dims;
    ACL_CALL(aclmdlGetCurOutputDims(desc_.get(), 0, &dims));
    if (dims.dimCount != aclGetTensorDescNumDims(produced)) throw std::runtime_error("the two descriptions of the output differ");
    std::vector<float> result(bytes / sizeof(float));
    ACL_CALL(aclrtMemcpy(result.data(), bytes, outputs_[0].memory.get(), bytes, ACL_MEMCPY_DEVICE_TO_HOST));
    return result;
  }
  size_t InputElements() const { return inputs_[0].size / aclDataTypeSize(inputs_[0].type); }

 private:
  Tensor MakeTensor(aclmdlDataset* dataset, const char* name, const aclmdlIODims& dims, aclDataType type, aclFormat format, size_t size) {
    Tensor tensor{name, std::vector<int64_t>(dims.dims, dims.dims + dims.dimCount), type, format, Allocate(size), nullptr, size};
    tensor.buffer.reset(aclCreateDataBuffer(tensor.memory.get(), size));
    ACL_CALL(aclmdlAddDatasetBuffer(dataset, tensor.buffer.get()));
    return tensor;
  }
  Tensor MakeInput(size_t i) {
    aclmdlIODims dims;
    ACL_CALL(aclmdlGetInputDims(desc_.get(), i, &dims));
    return MakeTensor(inputs_set_.get(), aclmdlGetInputNameByIndex(desc_.get(), i), dims, aclmdlGetInputDataType(desc_.get(), i),
                      aclmdlGetInputFormat(desc_.get(), i), aclmdlGetInputSizeByIndex(desc_.get(), i));
  }
  Tensor MakeOutput(size_t i) {
    aclmdlIODims dims;
    ACL_CALL(aclmdlGetOutputDims(desc_.get(), i, &dims));
    return MakeTensor(outputs_set_.get(), aclmdlGetOutputNameByIndex(desc_.get(), i), dims, aclmdlGetOutputDataType(desc_.get(), i),
                      aclmdlGetOutputFormat(desc_.get(), i), aclmdlGetOutputSizeByIndex(desc_.get(), i));
  }

  std::shared_ptr<Environment> environment_;
  uint32_t id_ = 0;
  std::unique_ptr<aclmdlDesc, DescDeleter> desc_;
  std::unique_ptr<aclmdlDataset, DatasetDeleter> inputs_set_;
  std::unique_ptr<aclmdlDataset, DatasetDeleter> outputs_set_;
  std::vector<Tensor> inputs_;
  std::vector<Tensor> outputs_;
};

}  // namespace acl_wrapper

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  try {
    const std::shared_ptr<acl_wrapper::Environment> environment = acl_wrapper::Environment::Get();
    ACL_CALL(aclrtSetDevice(0));
    aclrtContext context = nullptr;
    ACL_CALL(aclrtGetCurrentContext(&context));
    std::vector<float> expected;
    {
      acl_wrapper::Model model(environment, argv[1]);
      std::vector<float> values(model.InputElements());
      for (size_t i = 0; i < values.size(); ++i) values[i] = aclFloat16ToFloat(static_cast<aclFloat16>(0x3400 + i % 512));
      expected = model.Run(values);
      for (float value : expected) {
        if (std::isnan(value)) return 1;
      }
    }
    std::vector<std::thread> workers;
    std::vector<int> wrong(4, 0);
    for (int t = 0; t < 4; ++t) {
      workers.emplace_back([&, t] {
        try {
          ACL_CALL(aclrtSetCurrentContext(context));
          acl_wrapper::Model model(environment, argv[1]);
          std::vector<float> values(model.InputElements());
          for (size_t i = 0; i < values.size(); ++i) values[i] = aclFloat16ToFloat(static_cast<aclFloat16>(0x3400 + i % 512));
          for (int i = 0; i < 20; ++i) wrong[t] += model.Run(values) != expected;
        } catch (const std::exception& e) {
          fprintf(stderr, "%s\n", e.what());
          wrong[t] = 1000;
        }
      });
    }
    for (std::thread& worker : workers) worker.join();
    for (int count : wrong) {
      if (count != 0) return 1;
    }
    printf("4 workers agree on %zu values\n", expected.size());
    // No aclrtResetDevice: the environment finalizes after main.
    return 0;
  } catch (const std::exception& e) {
    fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
