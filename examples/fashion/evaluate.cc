// Compares two offline models of the Fashion-MNIST network, FP32 and INT8, on labelled images: accuracy, closeness of
// the logits, sizes and latency on one thread. A client of the AscendCL C API like any other: it includes acl/acl.h and
// nothing else of omkit.
//
//   evaluate --onnx=FILE --fp32=FILE.om --int8=FILE.om --images=eval.bin --labels=labels.txt [--max_drop=0.5]
//
// Exit status: 0 within the limits printed below the table, 1 outside, 2 when it could not be measured.
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "acl/acl.h"

namespace {

constexpr size_t kPixels = 28 * 28;  // float32 each
constexpr size_t kClasses = 10;
constexpr int kWarmUps = 50;
constexpr double kLeastCosine = 0.99;
// Of the ONNX file. Int8 is a quarter; a bias, a multiplier and padding per channel come on top, and weigh most in a
// network this small.
constexpr double kMostWeights = 0.30;

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "evaluate: %s\n", what.c_str());
  std::exit(2);
}

void Check(aclError error, const std::string& what) {
  if (error == ACL_SUCCESS) return;
  const char* message = aclGetRecentErrMsg();
  Fail(what + " gave error " + std::to_string(error) + (message != nullptr ? std::string(": ") + message : ""));
}

// One loaded model with its device buffers.
class Model {
 public:
  explicit Model(const std::string& path) {
    Check(aclmdlLoadFromFile(path.c_str(), &id_), "aclmdlLoadFromFile(" + path + ")");
    aclmdlDesc* desc = aclmdlCreateDesc();
    Check(aclmdlGetDesc(desc, id_), "aclmdlGetDesc");
    const bool fits = aclmdlGetNumInputs(desc) == 1 && aclmdlGetInputSizeByIndex(desc, 0) == kPixels * sizeof(float) &&
                      aclmdlGetNumOutputs(desc) == 1 && aclmdlGetOutputSizeByIndex(desc, 0) == kClasses * sizeof(float);
    if (!fits) Fail(path + " does not have one input float32[1,1,28,28] and one output float32[1,10]");
    Check(aclmdlDestroyDesc(desc), "aclmdlDestroyDesc");
    input_ = Attach(inputs_, kPixels * sizeof(float));
    output_ = Attach(outputs_, kClasses * sizeof(float));
  }

  ~Model() {
    for (aclmdlDataset* dataset : {inputs_, outputs_}) {
      aclDataBuffer* buffer = aclmdlGetDatasetBuffer(dataset, 0);
      aclrtFree(aclGetDataBufferAddr(buffer));
      aclDestroyDataBuffer(buffer);
      aclmdlDestroyDataset(dataset);
    }
    aclmdlUnload(id_);
  }
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  // Writes kClasses logits and returns the microseconds of aclmdlExecute.
  double Run(const float* image, float* logits) {
    Check(aclrtMemcpy(input_, kPixels * sizeof(float), image, kPixels * sizeof(float), ACL_MEMCPY_HOST_TO_DEVICE),
          "aclrtMemcpy");
    const auto begin = std::chrono::steady_clock::now();
    Check(aclmdlExecute(id_, inputs_, outputs_), "aclmdlExecute");
    const std::chrono::duration<double, std::micro> time = std::chrono::steady_clock::now() - begin;
    Check(aclrtMemcpy(logits, kClasses * sizeof(float), output_, kClasses * sizeof(float), ACL_MEMCPY_DEVICE_TO_HOST),
          "aclrtMemcpy");
    return time.count();
  }

 private:
  static void* Attach(aclmdlDataset* dataset, size_t size) {
    void* memory = nullptr;
    Check(aclrtMalloc(&memory, size, ACL_MEM_MALLOC_HUGE_FIRST), "aclrtMalloc");
    Check(aclmdlAddDatasetBuffer(dataset, aclCreateDataBuffer(memory, size)), "aclmdlAddDatasetBuffer");
    return memory;
  }

  uint32_t id_ = 0;
  aclmdlDataset* inputs_ = aclmdlCreateDataset();
  aclmdlDataset* outputs_ = aclmdlCreateDataset();
  void* input_ = nullptr;
  void* output_ = nullptr;
};

struct Result {
  std::vector<float> logits;   // kClasses per image
  std::vector<double> micros;  // per image
  double top1 = 0;             // percent
};

int Best(const float* logits) { return static_cast<int>(std::max_element(logits, logits + kClasses) - logits); }

double Percent(size_t part, size_t whole) { return 100.0 * static_cast<double>(part) / static_cast<double>(whole); }

// The models take turns, so that a slow moment of the machine meets all of them.
std::vector<Result> Measure(const std::vector<Model*>& models, const std::vector<float>& images,
                            const std::vector<int>& labels) {
  std::vector<Result> results(models.size());
  std::vector<size_t> right(models.size());
  float logits[kClasses];
  for (Model* model : models) {
    for (int i = 0; i < kWarmUps; ++i) model->Run(images.data(), logits);
  }
  for (size_t i = 0; i < labels.size(); ++i) {
    for (size_t m = 0; m < models.size(); ++m) {
      results[m].micros.push_back(models[m]->Run(&images[i * kPixels], logits));
      results[m].logits.insert(results[m].logits.end(), logits, logits + kClasses);
      right[m] += Best(logits) == labels[i];
    }
  }
  for (size_t m = 0; m < models.size(); ++m) results[m].top1 = Percent(right[m], labels.size());
  return results;
}

double Cosine(const float* a, const float* b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < kClasses; ++i) {
    ab += static_cast<double>(a[i]) * b[i];
    aa += static_cast<double>(a[i]) * a[i];
    bb += static_cast<double>(b[i]) * b[i];
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0;
}

double Quantile(std::vector<double> values, double q) {
  const size_t rank = static_cast<size_t>(q * static_cast<double>(values.size() - 1) + 0.5);
  std::nth_element(values.begin(), values.begin() + rank, values.end());
  return values[rank];
}

double FileSize(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) Fail("cannot read " + path);
  return static_cast<double>(info.st_size);
}

double WeightsSize(const std::string& path) {
  size_t work = 0, weights = 0;
  Check(aclmdlQuerySize(path.c_str(), &work, &weights), "aclmdlQuerySize(" + path + ")");
  return static_cast<double>(weights);
}

void PrintRow(const char* what, const char* format, double fp32, double int8, const std::string& compared) {
  char cells[2][32];
  std::snprintf(cells[0], sizeof cells[0], format, fp32);
  std::snprintf(cells[1], sizeof cells[1], format, int8);
  std::printf("  %-30s %14s %14s   %s\n", what, cells[0], cells[1], compared.c_str());
}

std::string Text(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

bool Require(bool holds, const char* what, double measured, const char* relation, double limit) {
  std::printf("  %-8s %s: %.4g, must be %s %.4g\n", holds ? "ok" : "FAILED", what, measured, relation, limit);
  return holds;
}

struct Arguments {
  std::string onnx, fp32, int8, images, labels;
  double max_drop = 0.5;
};

Arguments Parse(int argc, char** argv) {
  Arguments arguments;
  std::string max_drop = "0.5";
  const std::pair<const char*, std::string*> flags[] = {
      {"--onnx=", &arguments.onnx},     {"--fp32=", &arguments.fp32},     {"--int8=", &arguments.int8},
      {"--images=", &arguments.images}, {"--labels=", &arguments.labels}, {"--max_drop=", &max_drop}};
  for (int i = 1; i < argc; ++i) {
    const auto* flag = std::find_if(std::begin(flags), std::end(flags),
                                    [&](auto& f) { return std::strncmp(argv[i], f.first, std::strlen(f.first)) == 0; });
    if (flag == std::end(flags)) Fail(std::string("unknown argument ") + argv[i]);
    *flag->second = argv[i] + std::strlen(flag->first);
  }
  for (const auto& flag : flags) {
    if (flag.second->empty()) Fail(std::string("needs ") + flag.first + "...");
  }
  char* end = nullptr;
  arguments.max_drop = std::strtod(max_drop.c_str(), &end);
  if (*end != '\0' || !(arguments.max_drop >= 0))
    Fail("--max_drop=" + max_drop + " is not a number of percentage points");
  return arguments;
}

std::vector<float> ReadImages(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file || bytes.empty() || bytes.size() % (kPixels * sizeof(float)) != 0)
    Fail(path + " does not hold float32[1,28,28] images");
  std::vector<float> images(bytes.size() / sizeof(float));
  std::memcpy(images.data(), bytes.data(), bytes.size());
  return images;
}

std::vector<int> ReadLabels(const std::string& path, size_t count) {
  std::ifstream file(path);
  const std::vector<int> labels{std::istream_iterator<int>(file), std::istream_iterator<int>()};
  if (labels.size() != count)
    Fail(path + " has " + std::to_string(labels.size()) + " labels for " + std::to_string(count) + " images");
  return labels;
}

// Prints the table and the limits; true when all hold.
bool Report(const Arguments& arguments, const Result& fp32, const Result& int8) {
  const size_t count = fp32.micros.size();
  size_t agree = 0;
  double cosine = 0;
  for (size_t i = 0; i < count; ++i) {
    const float* a = &fp32.logits[i * kClasses];
    const float* b = &int8.logits[i * kClasses];
    agree += Best(a) == Best(b);
    cosine += Cosine(a, b) / static_cast<double>(count);
  }
  const double onnx_size = FileSize(arguments.onnx);
  const double om_size[] = {FileSize(arguments.fp32), FileSize(arguments.int8)};
  const double weights[] = {WeightsSize(arguments.fp32), WeightsSize(arguments.int8)};
  const double median[] = {Quantile(fp32.micros, 0.5), Quantile(int8.micros, 0.5)};
  const double p90[] = {Quantile(fp32.micros, 0.9), Quantile(int8.micros, 0.9)};
  const double drop = fp32.top1 - int8.top1;

  std::printf("\nFashion-MNIST, %zu test images, batch 1, one thread of %s\n\n", count, aclrtGetSocName());
  std::printf("  %-30s %14s %14s   %s\n", "", "FP32", "INT8", "INT8 against FP32");
  PrintRow("top-1 accuracy", "%.2f %%", fp32.top1, int8.top1, Text("%+.2f points", -drop));
  PrintRow("offline model", "%.0f bytes", om_size[0], om_size[1], Text("%.1f %%", 100 * om_size[1] / om_size[0]));
  PrintRow("  its weights", "%.0f bytes", weights[0], weights[1], Text("%.1f %%", 100 * weights[1] / weights[0]));
  PrintRow("latency, median", "%.1f us", median[0], median[1], Text("%.2f times as fast", median[0] / median[1]));
  PrintRow("latency, 90th percentile", "%.1f us", p90[0], p90[1], Text("%.2f times as fast", p90[0] / p90[1]));
  std::printf("  %-30s %29.2f %%   of the images get the same class\n", "agreement", Percent(agree, count));
  std::printf("  %-30s %31.6f   mean over the images\n", "cosine of the logits", cosine);
  std::printf("  %-30s %25.0f bytes   the FP32 network it all came from\n\n", "ONNX file", onnx_size);

  bool ok = Require(drop <= arguments.max_drop, "loss of top-1 accuracy, points", drop, "<=", arguments.max_drop);
  ok &= Require(cosine > kLeastCosine, "cosine of the logits", cosine, ">", kLeastCosine);
  ok &= Require(weights[1] <= kMostWeights * onnx_size, "INT8 weights, part of the ONNX file", weights[1] / onnx_size,
                "<=", kMostWeights);
  return ok;
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = Parse(argc, argv);
  const std::vector<float> images = ReadImages(arguments.images);
  const std::vector<int> labels = ReadLabels(arguments.labels, images.size() / kPixels);
  setenv("OMKIT_NUM_THREADS", "1", 1);
  Check(aclInit(nullptr), "aclInit");
  Check(aclrtSetDevice(0), "aclrtSetDevice");
  bool ok = false;
  {
    Model fp32(arguments.fp32), int8(arguments.int8);
    const std::vector<Result> results = Measure({&fp32, &int8}, images, labels);
    ok = Report(arguments, results[0], results[1]);
  }
  Check(aclrtResetDevice(0), "aclrtResetDevice");
  Check(aclFinalize(), "aclFinalize");
  return ok ? 0 : 1;
}
