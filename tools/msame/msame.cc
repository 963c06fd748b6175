// msame: runs an offline model on files through the C API, with the options that scripts for Ascend devices give. Floor 5.
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "acl/acl.h"
#include "tools/msame/options.h"

namespace omkit::msame {
namespace {

template <typename... Arguments>
bool Error(const char* format, const Arguments&... arguments) {
  std::fprintf(stderr, "[ERROR] ");
  std::fprintf(stderr, format, arguments...);
  std::fprintf(stderr, "\n");
  return false;
}

bool Check(aclError code, const char* call) {
  if (code == ACL_SUCCESS) return true;
  const char* message = aclGetRecentErrMsg();
  return Error("%s failed with %d: %s", call, code, message == nullptr ? "" : message);
}

bool IsFolder(const std::string& path) {
  struct stat status;
  return stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

bool MakeFolder(const std::string& path) {
  for (size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) mkdir(path.substr(0, at).c_str(), 0777);
  return mkdir(path.c_str(), 0777) == 0 || errno == EEXIST || Error("cannot make folder '%s': %s", path.c_str(), std::strerror(errno));
}

bool ReadBytes(const std::string& path, std::string* bytes) {
  std::ifstream file(path, std::ios::binary);
  if (!file || IsFolder(path)) return Error("cannot read '%s'", path.c_str());
  bytes->assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  return true;
}

std::string Stem(const std::string& path) {
  const std::string name = path.substr(path.rfind('/') + 1);
  return name.substr(0, name.rfind('.'));
}

// Names of the .bin and .raw files of a folder, sorted.
std::vector<std::string> FilesOf(const std::string& folder) {
  std::vector<std::string> names;
  DIR* directory = opendir(folder.c_str());
  while (const dirent* entry = directory == nullptr ? nullptr : readdir(directory)) {
    const std::string name = entry->d_name, suffix = name.substr(name.rfind('.') == std::string::npos ? name.size() : name.rfind('.'));
    if (suffix == ".bin" || suffix == ".raw") names.push_back(name);
  }
  if (directory != nullptr) closedir(directory);
  std::sort(names.begin(), names.end());
  return names;
}

// One entry per execution: a file for each input. One empty entry stands for zeros.
bool ListInputs(const Options& options, size_t inputs, std::vector<std::vector<std::string>>* runs) {
  if (options.input.empty()) {
    runs->emplace_back();
    return true;
  }
  if (options.input.size() != inputs) return Error("--input names %zu entries, the model has %zu inputs", options.input.size(), inputs);
  if (!IsFolder(options.input[0])) {
    runs->push_back(options.input);
    return true;
  }
  const std::vector<std::string> names = FilesOf(options.input[0]);
  if (names.empty()) return Error("'%s' holds no .bin or .raw file", options.input[0].c_str());
  for (const std::string& folder : options.input) {
    if (FilesOf(folder) != names) return Error("'%s' and '%s' hold files of different names", options.input[0].c_str(), folder.c_str());
  }
  for (const std::string& name : names) {
    runs->emplace_back();
    for (const std::string& folder : options.input) runs->back().push_back(folder + "/" + name);
  }
  return true;
}

// The file for aclInit that switches profiling or dumps on.
bool WriteConfig(const Options& options, std::string* path) {
  if (!options.profiler && !options.dump) return true;
  if (!MakeFolder(options.output)) return false;
  *path = options.output + "/acl.json";
  std::ofstream file(*path);
  if (options.profiler) {
    file << "{\"profiler\": {\"switch\": \"on\", \"output\": \"" << options.output
         << "\", \"aic_metrics\": \"PipeUtilization\", \"aicpu\": \"on\"}}\n";
  } else {
    file << "{\"dump\": {\"dump_list\": [], \"dump_op_switch\": \"on\", \"dump_path\": \"" << options.output << "\", \"dump_mode\": \"all\"}}\n";
  }
  return static_cast<bool>(file.flush()) || Error("cannot write '%s'", path->c_str());
}

// A model with a buffer for each input and output; everything is given back at the end.
class Runner {
 public:
  ~Runner();
  bool Open(const Options& options, const std::string& config);
  bool SetShapes(const Options& options);
  bool Send(const std::vector<std::string>& files);
  bool Execute(double* ms);
  bool Write(const std::string& prefix, bool text) const;
  size_t data_inputs() const { return gear_ == kNoGear ? inputs_.size() : inputs_.size() - 1; }

 private:
  static constexpr size_t kNoGear = static_cast<size_t>(-1);
  bool AddBuffer(aclmdlDataset* dataset, size_t size, std::vector<aclDataBuffer*>* buffers);
  bool AddOutputs(const Options& options);
  void Print() const;
  bool InOrder(const NamedDims& named, std::vector<std::vector<int64_t>>* dims) const;
  std::vector<int64_t> OutputDims(size_t index) const;
  bool WriteText(const std::string& path, size_t index, const std::string& bytes) const;

  bool initialized_ = false, loaded_ = false, open_shapes_ = false;
  int device_ = -1;
  uint32_t model_ = 0;
  aclmdlDesc* desc_ = nullptr;
  aclmdlDataset *input_set_ = nullptr, *output_set_ = nullptr;
  std::vector<aclDataBuffer*> inputs_, outputs_;
  size_t gear_ = kNoGear;
};

Runner::~Runner() {
  for (const auto* buffers : {&inputs_, &outputs_}) {
    for (aclDataBuffer* buffer : *buffers) {
      aclrtFree(aclGetDataBufferAddr(buffer));
      aclDestroyDataBuffer(buffer);
    }
  }
  if (input_set_ != nullptr) aclmdlDestroyDataset(input_set_);
  if (output_set_ != nullptr) aclmdlDestroyDataset(output_set_);
  if (desc_ != nullptr) aclmdlDestroyDesc(desc_);
  if (loaded_) aclmdlUnload(model_);
  if (device_ >= 0) aclrtResetDevice(device_);
  if (initialized_) aclFinalize();
}

bool Runner::AddBuffer(aclmdlDataset* dataset, size_t size, std::vector<aclDataBuffer*>* buffers) {
  void* memory = nullptr;
  if (!Check(aclrtMalloc(&memory, std::max<size_t>(size, 1), ACL_MEM_MALLOC_NORMAL_ONLY), "aclrtMalloc")) return false;
  if (!Check(aclrtMemset(memory, std::max<size_t>(size, 1), 0, std::max<size_t>(size, 1)), "aclrtMemset")) return false;
  aclDataBuffer* buffer = aclCreateDataBuffer(memory, size);
  buffers->push_back(buffer);
  return Check(aclmdlAddDatasetBuffer(dataset, buffer), "aclmdlAddDatasetBuffer");
}

bool Runner::AddOutputs(const Options& options) {
  const size_t count = aclmdlGetNumOutputs(desc_);
  if (!options.output_sizes.empty() && options.output_sizes.size() != count) {
    return Error("--outputSize names %zu sizes, the model has %zu outputs", options.output_sizes.size(), count);
  }
  for (size_t i = 0; i < count; ++i) {
    const size_t size = options.output_sizes.empty() ? aclmdlGetOutputSizeByIndex(desc_, i) : static_cast<size_t>(options.output_sizes[i]);
    if (!AddBuffer(output_set_, size, &outputs_)) return false;
  }
  return true;
}

void Runner::Print() const {
  for (const bool input : {true, false}) {
    const size_t count = input ? aclmdlGetNumInputs(desc_) : aclmdlGetNumOutputs(desc_);
    for (size_t i = 0; i < count; ++i) {
      aclmdlIODims dims = {};
      (input ? aclmdlGetInputDims : aclmdlGetOutputDims)(desc_, i, &dims);
      std::string shape;
      for (size_t d = 0; d < dims.dimCount; ++d) shape += (d == 0 ? "" : ",") + std::to_string(dims.dims[d]);
      std::printf("[INFO] %s %zu '%s' shape %s type %d size %zu\n", input ? "input" : "output", i, dims.name, shape.c_str(),
                  (input ? aclmdlGetInputDataType : aclmdlGetOutputDataType)(desc_, i),
                  (input ? aclmdlGetInputSizeByIndex : aclmdlGetOutputSizeByIndex)(desc_, i));
    }
  }
}

bool Runner::Open(const Options& options, const std::string& config) {
  if (!Check(aclInit(config.empty() ? nullptr : config.c_str()), "aclInit")) return false;
  initialized_ = true;
  if (!Check(aclrtSetDevice(options.device), "aclrtSetDevice")) return false;
  device_ = options.device;
  if (!Check(aclmdlLoadFromFile(options.model.c_str(), &model_), "aclmdlLoadFromFile")) return false;
  loaded_ = true;
  std::printf("[INFO] load model %s success\n", options.model.c_str());
  desc_ = aclmdlCreateDesc();
  if (!Check(aclmdlGetDesc(desc_, model_), "aclmdlGetDesc")) return false;
  if (options.debug) Print();
  input_set_ = aclmdlCreateDataset();
  output_set_ = aclmdlCreateDataset();
  for (size_t i = 0; i < aclmdlGetNumInputs(desc_); ++i) {
    const char* name = aclmdlGetInputNameByIndex(desc_, i);
    if (name != nullptr && std::strcmp(name, ACL_DYNAMIC_TENSOR_NAME) == 0) gear_ = i;
    size_t size = aclmdlGetInputSizeByIndex(desc_, i);
    if (size == 0 && i < options.shapes.size()) {  // open dimensions
      size = aclDataTypeSize(aclmdlGetInputDataType(desc_, i));
      std::vector<std::vector<int64_t>> shapes;
      if (!InOrder(options.shapes, &shapes)) return false;
      for (const int64_t d : shapes[i]) size *= static_cast<size_t>(d);
    }
    if (!AddBuffer(input_set_, size, &inputs_)) return false;
  }
  return AddOutputs(options);
}

bool Runner::InOrder(const NamedDims& named, std::vector<std::vector<int64_t>>* dims) const {
  for (size_t i = 0; i < aclmdlGetNumInputs(desc_); ++i) {
    const std::string name = aclmdlGetInputNameByIndex(desc_, i);
    if (name == ACL_DYNAMIC_TENSOR_NAME) continue;
    const auto it = std::find_if(named.begin(), named.end(), [&](const auto& entry) { return entry.first == name; });
    if (it == named.end()) return Error("the dimensions of input '%s' are not given", name.c_str());
    dims->push_back(it->second);
  }
  return dims->size() == named.size() || Error("dimensions are given for %zu inputs, the model has %zu", named.size(), dims->size());
}

bool Runner::SetShapes(const Options& options) {
  const bool gears = options.batch > 0 || !options.hw.empty() || !options.gear_dims.empty();
  if (gears && gear_ == kNoGear) return Error("the model has no gears: compile it with --dynamic_batch_size, --dynamic_image_size or --dynamic_dims");
  if (options.batch > 0) return Check(aclmdlSetDynamicBatchSize(model_, input_set_, gear_, static_cast<uint64_t>(options.batch)), "--dymBatch");
  if (!options.hw.empty()) {
    return Check(aclmdlSetDynamicHWSize(model_, input_set_, gear_, static_cast<uint64_t>(options.hw[0]), static_cast<uint64_t>(options.hw[1])),
                 "--dymHW");
  }
  std::vector<std::vector<int64_t>> shapes;
  if (!options.gear_dims.empty()) {
    if (!InOrder(options.gear_dims, &shapes)) return false;
    aclmdlIODims dims = {};
    for (const auto& shape : shapes) {
      for (const int64_t d : shape) {
        if (dims.dimCount < ACL_MAX_DIM_CNT) dims.dims[dims.dimCount++] = d;
      }
    }
    return Check(aclmdlSetInputDynamicDims(model_, input_set_, gear_, &dims), "--dymDims");
  }
  if (options.shapes.empty()) return gear_ == kNoGear || Error("the model has gears: give --dymBatch, --dymHW or --dymDims");
  open_shapes_ = true;
  if (!InOrder(options.shapes, &shapes)) return false;
  for (size_t i = 0; i < shapes.size(); ++i) {
    aclTensorDesc* desc = aclCreateTensorDesc(aclmdlGetInputDataType(desc_, i), static_cast<int>(shapes[i].size()), shapes[i].data(), ACL_FORMAT_ND);
    const aclError code = aclmdlSetDatasetTensorDesc(input_set_, desc, i);
    aclDestroyTensorDesc(desc);
    if (!Check(code, "--dymShape")) return false;
  }
  return true;
}

bool Runner::Send(const std::vector<std::string>& files) {
  for (size_t i = 0, slot = 0; i < files.size(); ++i, ++slot) {
    if (slot == gear_) ++slot;
    std::string bytes;
    if (!ReadBytes(files[i], &bytes)) return false;
    void* memory = aclGetDataBufferAddr(inputs_[slot]);
    const size_t size = aclGetDataBufferSizeV2(inputs_[slot]);
    if (bytes.size() > size || (gear_ == kNoGear && bytes.size() != size)) {
      return Error("'%s' has %zu bytes, input %zu takes %zu", files[i].c_str(), bytes.size(), slot, size);
    }
    if (!Check(aclrtMemcpy(memory, size, bytes.data(), bytes.size(), ACL_MEMCPY_HOST_TO_DEVICE), "aclrtMemcpy")) return false;
  }
  return true;
}

bool Runner::Execute(double* ms) {
  const auto begin = std::chrono::steady_clock::now();
  if (!Check(aclmdlExecute(model_, input_set_, output_set_), "aclmdlExecute")) return false;
  *ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  return true;
}

std::vector<int64_t> Runner::OutputDims(size_t index) const {
  std::vector<int64_t> dims;
  if (open_shapes_) {
    const aclTensorDesc* desc = aclmdlGetDatasetTensorDesc(output_set_, index);
    for (size_t d = 0; desc != nullptr && d < aclGetTensorDescNumDims(desc); ++d) dims.push_back(aclGetTensorDescDim(desc, d));
    return dims;
  }
  aclmdlIODims found = {};
  if (aclmdlGetCurOutputDims(desc_, index, &found) == ACL_SUCCESS) dims.assign(found.dims, found.dims + found.dimCount);
  return dims;
}

// Values separated by blanks, one row per last dimension.
bool Runner::WriteText(const std::string& path, size_t index, const std::string& bytes) const {
  const aclDataType type = aclmdlGetOutputDataType(desc_, index);
  const std::vector<int64_t> dims = OutputDims(index);
  const size_t element = std::max<size_t>(aclDataTypeSize(type), 1), row = dims.empty() ? 1 : static_cast<size_t>(std::max<int64_t>(dims.back(), 1));
  std::ofstream file(path);
  file.precision(9);
  for (size_t i = 0; i < bytes.size() / element; ++i) {
    const char* at = bytes.data() + i * element;
    const auto as = [&](auto value) {
      std::memcpy(&value, at, sizeof value);
      return +value;
    };
    switch (type) {
      case ACL_FLOAT: file << as(float{}); break;
      case ACL_DOUBLE: file << as(double{}); break;
      case ACL_FLOAT16: file << aclFloat16ToFloat(as(aclFloat16{})); break;
      case ACL_INT8: file << as(int8_t{}); break;
      case ACL_UINT8:
      case ACL_BOOL: file << as(uint8_t{}); break;
      case ACL_INT16: file << as(int16_t{}); break;
      case ACL_UINT16: file << as(uint16_t{}); break;
      case ACL_INT32: file << as(int32_t{}); break;
      case ACL_UINT32: file << as(uint32_t{}); break;
      case ACL_INT64: file << as(int64_t{}); break;
      case ACL_UINT64: file << as(uint64_t{}); break;
      default: return Error("output %zu: aclDataType %d has no text form; use --outfmt BIN", index, type);
    }
    file << ((i + 1) % row == 0 ? "\n" : " ");
  }
  return static_cast<bool>(file.flush()) || Error("cannot write '%s'", path.c_str());
}

bool Runner::Write(const std::string& prefix, bool text) const {
  for (size_t i = 0; i < outputs_.size(); ++i) {
    size_t size = aclDataTypeSize(aclmdlGetOutputDataType(desc_, i));
    for (const int64_t d : OutputDims(i)) size *= static_cast<size_t>(std::max<int64_t>(d, 0));
    std::string bytes(std::min(size, aclGetDataBufferSizeV2(outputs_[i])), '\0');
    if (!bytes.empty() &&
        !Check(aclrtMemcpy(&bytes[0], bytes.size(), aclGetDataBufferAddr(outputs_[i]), bytes.size(), ACL_MEMCPY_DEVICE_TO_HOST), "aclrtMemcpy")) {
      return false;
    }
    const std::string path = prefix + "_output_" + std::to_string(i) + (text ? ".txt" : ".bin");
    if (text) {
      if (!WriteText(path, i, bytes)) return false;
    } else if (!std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size())).flush()) {
      return Error("cannot write '%s'", path.c_str());
    }
  }
  return true;
}

std::string Now() {
  const std::time_t now = std::time(nullptr);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%d_%H%M%S", std::localtime(&now));
  return text;
}

double Mean(const std::vector<double>& times, size_t from) {
  double sum = 0;
  for (size_t i = from; i < times.size(); ++i) sum += times[i];
  return times.size() > from ? sum / static_cast<double>(times.size() - from) : 0;
}

bool Run(const Options& options) {
  std::string config;
  if (!WriteConfig(options, &config)) return false;
  Runner runner;
  if (!runner.Open(options, config) || !runner.SetShapes(options)) return false;
  std::vector<std::vector<std::string>> runs;
  if (!ListInputs(options, runner.data_inputs(), &runs)) return false;
  const std::string folder = options.output.empty() ? "" : options.output + "/" + Now();
  if (!folder.empty() && !MakeFolder(folder)) return false;
  std::vector<double> times;
  for (const std::vector<std::string>& files : runs) {
    if (!runner.Send(files)) return false;
    for (int i = 0; i < options.loop; ++i) {
      times.emplace_back();
      if (!runner.Execute(&times.back())) return false;
      std::printf("[INFO] Inference time: %.3fms\n", times.back());
    }
    // Several executions are told apart by the name of their first input.
    const std::string name = Stem(options.model) + (runs.size() > 1 ? "_" + Stem(files[0]) : "");
    if (!folder.empty() && !runner.Write(folder + "/" + name, options.text)) return false;
  }
  std::printf("[INFO] Inference average time : %.2f ms\n", Mean(times, 0));
  if (times.size() > 1) std::printf("[INFO] Inference average time without first time: %.2f ms\n", Mean(times, 1));
  if (!folder.empty()) std::printf("[INFO] outputs are in %s\n", folder.c_str());
  return true;
}

}  // namespace
}  // namespace omkit::msame

int main(int argc, char** argv) {
  omkit::msame::Options options;
  std::string error;
  if (!omkit::msame::ParseOptions(argc, argv, &options, &error)) {
    std::fprintf(stderr, "[ERROR] %s\nTry msame --help\n", error.c_str());
    return 2;
  }
  if (options.help) {
    std::fputs(omkit::msame::Usage().c_str(), stdout);
    return 0;
  }
  return omkit::msame::Run(options) ? 0 : 1;
}
