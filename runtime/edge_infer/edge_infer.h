// EdgeInfer: an offline model as one C++ object with vectors of floats in and out. Header only, C++11, on top of the AscendCL C API; link
// with -lascendcl.
//
//   EdgeInfer net("net.om");
//   std::vector<float> scores;
//   if (!net.ok() || !net.Infer(pixels, scores)) std::cerr << net.error() << "\n";
//
// Nothing throws except memory running out in the vectors. Functions return false, or an empty vector, and error() then tells the cause.
// The object loads the model and allocates device memory once and reuses it. One object serves one thread at a time, any thread; objects
// are independent of each other.
#ifndef EDGE_INFER_H_
#define EDGE_INFER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "acl/acl.h"

class EdgeInfer {
 public:
  // Loads an offline model whose inputs and outputs are all float32. Look at ok() afterwards.
  explicit EdgeInfer(const std::string& model_path, int32_t device = 0) : device_(device) {
    const ContextScope scope;
    loaded_ = Open(model_path);
    if (!loaded_) Close();
  }
  ~EdgeInfer() {
    const ContextScope scope;
    Close();
  }
  EdgeInfer(const EdgeInfer&) = delete;
  EdgeInfer& operator=(const EdgeInfer&) = delete;

  // True when the model is loaded.
  bool ok() const { return loaded_; }
  // The cause of the last failure; empty when there was none.
  const std::string& error() const { return error_; }

  // Runs a model of one input. `input` has exactly the elements of GetInputShape(); `output` receives output 0, row-major.
  bool Infer(const std::vector<float>& input, std::vector<float>& output) {
    if (!loaded_) return false;
    if (inputs_.size() != 1) return Fail("the model has " + std::to_string(inputs_.size()) + " inputs; pass a list of vectors");
    const ContextScope scope;
    return Enter() && Send(0, input) && Execute() && Fetch(0, &output);
  }
  // Runs any model: one vector per input and output, in the model's order.
  bool Infer(const std::vector<std::vector<float> >& inputs, std::vector<std::vector<float> >& outputs) {
    if (!loaded_) return false;
    if (inputs.size() != inputs_.size()) {
      return Fail(std::to_string(inputs.size()) + " inputs given, the model has " + std::to_string(inputs_.size()));
    }
    const ContextScope scope;
    if (!Enter()) return false;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!Send(i, inputs[i])) return false;
    }
    if (!Execute()) return false;
    outputs.resize(outputs_.size());
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (!Fetch(i, &outputs[i])) return false;
    }
    return true;
  }

  size_t NumInputs() const { return inputs_.size(); }
  size_t NumOutputs() const { return outputs_.size(); }
  // Dimensions, for example {1, 3, 224, 224}; empty for an index that does not exist.
  std::vector<int64_t> GetInputShape(size_t index = 0) const { return index < inputs_.size() ? inputs_[index].shape : std::vector<int64_t>(); }
  std::vector<int64_t> GetOutputShape(size_t index = 0) const { return index < outputs_.size() ? outputs_[index].shape : std::vector<int64_t>(); }
  // "" for an index that does not exist.
  std::string GetInputName(size_t index = 0) const { return index < inputs_.size() ? inputs_[index].name : std::string(); }
  std::string GetOutputName(size_t index = 0) const { return index < outputs_.size() ? outputs_[index].name : std::string(); }

 private:
  struct Tensor {
    std::string name;
    std::vector<int64_t> shape;
    size_t bytes = 0;
    void* memory = nullptr;
    aclDataBuffer* buffer = nullptr;
  };

  // Gives the thread its context back at the end.
  class ContextScope {
   public:
    ContextScope() {
      if (aclrtGetCurrentContext(&before_) != ACL_SUCCESS) {
        before_ = nullptr;
        aclGetRecentErrMsg();
      }
    }
    ~ContextScope() {
      // It may have been the default context, gone with the last reset.
      if (before_ != nullptr && aclrtSetCurrentContext(before_) != ACL_SUCCESS) aclGetRecentErrMsg();
    }
    ContextScope(const ContextScope&) = delete;
    ContextScope& operator=(const ContextScope&) = delete;

   private:
    aclrtContext before_ = nullptr;
  };

  bool Fail(const std::string& cause) {
    error_ = path_ + ": " + cause;
    return false;
  }
  // True for success; otherwise takes the library's message.
  bool Check(aclError code, const char* action) {
    if (code == ACL_SUCCESS) return true;
    const char* message = aclGetRecentErrMsg();
    return Fail(std::string(action) + " failed: " + (message != nullptr ? std::string(message) : "error " + std::to_string(code)));
  }

  bool Open(const std::string& path) {
    path_ = path;
    const aclError init = aclInit(nullptr);
    if (init != ACL_ERROR_REPEAT_INITIALIZE && !Check(init, "aclInit")) return false;
    initialized_ = true;
    if (!Check(aclrtSetDevice(device_), "aclrtSetDevice")) return false;
    device_set_ = true;
    aclrtRunMode mode = ACL_HOST;
    if (!Check(aclrtGetCurrentContext(&context_), "aclrtGetCurrentContext") || !Check(aclrtGetRunMode(&mode), "aclrtGetRunMode")) return false;
    to_device_ = mode == ACL_HOST ? ACL_MEMCPY_HOST_TO_DEVICE : ACL_MEMCPY_DEVICE_TO_DEVICE;
    to_host_ = mode == ACL_HOST ? ACL_MEMCPY_DEVICE_TO_HOST : ACL_MEMCPY_DEVICE_TO_DEVICE;
    if (!Check(aclmdlLoadFromFile(path.c_str(), &model_), "aclmdlLoadFromFile")) return false;
    model_loaded_ = true;
    desc_ = aclmdlCreateDesc();
    if (desc_ == nullptr) return Check(ACL_ERROR_BAD_ALLOC, "aclmdlCreateDesc");
    return Check(aclmdlGetDesc(desc_, model_), "aclmdlGetDesc") && MakeTensors(true) && MakeTensors(false);
  }

  bool MakeTensors(bool input) {
    const size_t count = input ? aclmdlGetNumInputs(desc_) : aclmdlGetNumOutputs(desc_);
    std::vector<Tensor>& tensors = input ? inputs_ : outputs_;
    aclmdlDataset*& dataset = input ? input_set_ : output_set_;
    dataset = aclmdlCreateDataset();
    if (dataset == nullptr) return Check(ACL_ERROR_BAD_ALLOC, "aclmdlCreateDataset");
    tensors.reserve(count);
    for (size_t i = 0; i < count; ++i) {
      tensors.push_back(Tensor());
      if (!MakeTensor(input, i, &tensors.back())) return false;
      if (!Check(aclmdlAddDatasetBuffer(dataset, tensors.back().buffer), "aclmdlAddDatasetBuffer")) return false;
    }
    return true;
  }

  bool MakeTensor(bool input, size_t index, Tensor* tensor) {
    const char* name = input ? aclmdlGetInputNameByIndex(desc_, index) : aclmdlGetOutputNameByIndex(desc_, index);
    tensor->name = name != nullptr ? name : "";
    const aclDataType type = input ? aclmdlGetInputDataType(desc_, index) : aclmdlGetOutputDataType(desc_, index);
    if (type != ACL_FLOAT) {
      return Fail((input ? "input " : "output ") + std::to_string(index) + " '" + tensor->name + "' has aclDataType " + std::to_string(type) +
                  ", but EdgeInfer takes float32 (0) only; convert the model without other input or output types, or use the acl functions");
    }
    aclmdlIODims dims;
    if (!Check(input ? aclmdlGetInputDims(desc_, index, &dims) : aclmdlGetOutputDims(desc_, index, &dims), "asking for dimensions")) return false;
    tensor->shape.assign(dims.dims, dims.dims + dims.dimCount);
    tensor->bytes = input ? aclmdlGetInputSizeByIndex(desc_, index) : aclmdlGetOutputSizeByIndex(desc_, index);
    if (tensor->bytes > 0 && !Check(aclrtMalloc(&tensor->memory, tensor->bytes, ACL_MEM_MALLOC_HUGE_FIRST), "aclrtMalloc")) return false;
    tensor->buffer = aclCreateDataBuffer(tensor->memory, tensor->bytes);
    return tensor->buffer != nullptr || Check(ACL_ERROR_BAD_ALLOC, "aclCreateDataBuffer");
  }

  void Close() {
    if (context_ != nullptr) aclrtSetCurrentContext(context_);
    if (input_set_ != nullptr) aclmdlDestroyDataset(input_set_);
    if (output_set_ != nullptr) aclmdlDestroyDataset(output_set_);
    Release(&inputs_);
    Release(&outputs_);
    if (desc_ != nullptr) aclmdlDestroyDesc(desc_);
    if (model_loaded_) aclmdlUnload(model_);
    if (device_set_) aclrtResetDevice(device_);
    if (initialized_) aclFinalizeReference(nullptr);
    input_set_ = output_set_ = nullptr;
    desc_ = nullptr;
    context_ = nullptr;
    loaded_ = model_loaded_ = device_set_ = initialized_ = false;
  }

  static void Release(std::vector<Tensor>* tensors) {
    for (size_t i = 0; i < tensors->size(); ++i) {
      if ((*tensors)[i].buffer != nullptr) aclDestroyDataBuffer((*tensors)[i].buffer);
      if ((*tensors)[i].memory != nullptr) aclrtFree((*tensors)[i].memory);
    }
    tensors->clear();
  }

  bool Enter() { return Check(aclrtSetCurrentContext(context_), "aclrtSetCurrentContext"); }

  bool Send(size_t index, const std::vector<float>& values) {
    const Tensor& tensor = inputs_[index];
    const size_t bytes = values.size() * sizeof(float);
    if (bytes != tensor.bytes) {
      return Fail("input " + std::to_string(index) + " '" + tensor.name + "' takes " + std::to_string(tensor.bytes / sizeof(float)) +
                  " floats, but " + std::to_string(values.size()) + " are given");
    }
    return Check(aclrtMemcpy(tensor.memory, tensor.bytes, values.data(), bytes, to_device_), "copying an input");
  }

  bool Execute() { return Check(aclmdlExecute(model_, input_set_, output_set_), "aclmdlExecute"); }

  bool Fetch(size_t index, std::vector<float>* values) {
    if (index >= outputs_.size()) return Fail("the model has no output");
    const Tensor& tensor = outputs_[index];
    values->resize(tensor.bytes / sizeof(float));
    return Check(aclrtMemcpy(values->data(), tensor.bytes, tensor.memory, tensor.bytes, to_host_), "copying an output");
  }

  const int32_t device_;
  std::string path_;
  std::string error_;
  bool loaded_ = false;
  bool initialized_ = false;
  bool device_set_ = false;
  bool model_loaded_ = false;
  aclrtContext context_ = nullptr;
  aclrtMemcpyKind to_device_ = ACL_MEMCPY_HOST_TO_DEVICE;
  aclrtMemcpyKind to_host_ = ACL_MEMCPY_DEVICE_TO_HOST;
  uint32_t model_ = 0;
  aclmdlDesc* desc_ = nullptr;
  aclmdlDataset* input_set_ = nullptr;
  aclmdlDataset* output_set_ = nullptr;
  std::vector<Tensor> inputs_;
  std::vector<Tensor> outputs_;
};

#endif  // EDGE_INFER_H_
