// Compares offline models of the Fashion-MNIST network on labelled images: accuracy, closeness of the logits, sizes and
// latency on one thread. A client of the AscendCL C API like any other: it includes acl/acl.h and nothing else of
// omkit.
//
//   evaluate --onnx=FILE --images=eval.bin --labels=labels.txt [--max_drop=0.5] NAME=FILE.om NAME=FILE.om ...
//
// The first model is the float one that the others are compared with; --onnx is the file it was compiled from. Exit
// status: 0 when the others keep the limits printed below the table, 1 when one does not, 2 when it could not be
// measured.
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
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
constexpr double kMostWeights = 0.27;

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
    Check(aclrtMemcpy(input_, kPixels * sizeof(float), image, kPixels * sizeof(float), ACL_MEMCPY_HOST_TO_DEVICE), "aclrtMemcpy");
    const auto begin = std::chrono::steady_clock::now();
    Check(aclmdlExecute(id_, inputs_, outputs_), "aclmdlExecute");
    const std::chrono::duration<double, std::micro> time = std::chrono::steady_clock::now() - begin;
    Check(aclrtMemcpy(logits, kClasses * sizeof(float), output_, kClasses * sizeof(float), ACL_MEMCPY_DEVICE_TO_HOST), "aclrtMemcpy");
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
  std::string name;
  std::string file;
  std::vector<float> logits;   // kClasses per image
  std::vector<double> micros;  // per image
  double top1 = 0;             // percent
};

int Best(const float* logits) { return static_cast<int>(std::max_element(logits, logits + kClasses) - logits); }

double Percent(size_t part, size_t whole) { return 100.0 * static_cast<double>(part) / static_cast<double>(whole); }

// The models take turns, so that a slow moment of the machine meets all of them. Fills logits, micros and top1.
void Measure(const std::vector<float>& images, const std::vector<int>& labels, std::vector<Result>* results) {
  std::vector<std::unique_ptr<Model>> models;
  std::vector<size_t> right(results->size());
  float logits[kClasses];
  for (const Result& result : *results) {
    models.push_back(std::make_unique<Model>(result.file));
    for (int i = 0; i < kWarmUps; ++i) models.back()->Run(images.data(), logits);
  }
  for (size_t i = 0; i < labels.size(); ++i) {
    for (size_t m = 0; m < models.size(); ++m) {
      Result& result = (*results)[m];
      result.micros.push_back(models[m]->Run(&images[i * kPixels], logits));
      result.logits.insert(result.logits.end(), logits, logits + kClasses);
      right[m] += Best(logits) == labels[i];
    }
  }
  for (size_t m = 0; m < models.size(); ++m) (*results)[m].top1 = Percent(right[m], labels.size());
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

// One number per model; NaN leaves the cell empty.
void PrintRow(const char* what, const char* format, const std::vector<double>& values) {
  std::printf("  %-28s", what);
  for (double value : values) {
    char cell[32];
    std::snprintf(cell, sizeof cell, format, value);
    std::printf("%16s", std::isnan(value) ? "" : cell);
  }
  std::printf("\n");
}

bool Require(bool holds, const std::string& model, const char* what, double measured, const char* relation, double limit) {
  std::printf("  %-8s %s: %s %.4g, must be %s %.4g\n", holds ? "ok" : "FAILED", model.c_str(), what, measured, relation, limit);
  return holds;
}

struct Arguments {
  std::string onnx, images, labels;
  double max_drop = 0.5;  // percentage points
  std::vector<Result> models;
};

Arguments Parse(int argc, char** argv) {
  Arguments arguments;
  std::string max_drop = "0.5";
  const std::pair<std::string, std::string*> flags[] = {
      {"--onnx", &arguments.onnx}, {"--images", &arguments.images}, {"--labels", &arguments.labels}, {"--max_drop", &max_drop}};
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const size_t equals = argument.find('=');
    if (equals == std::string::npos || equals + 1 == argument.size()) Fail("'" + argument + "' is not of the form NAME=VALUE");
    const std::string name = argument.substr(0, equals), value = argument.substr(equals + 1);
    const auto* flag = std::find_if(std::begin(flags), std::end(flags), [&](const auto& f) { return f.first == name; });
    if (flag != std::end(flags)) {
      *flag->second = value;
    } else if (name[0] != '-') {
      arguments.models.push_back({name, value, {}, {}, 0});
    } else {
      Fail("unknown flag " + name);
    }
  }
  for (const auto& flag : flags) {
    if (flag.second->empty()) Fail("needs " + flag.first + "=...");
  }
  if (arguments.models.size() < 2) Fail("needs two models or more, as NAME=FILE.om");
  char* end = nullptr;
  arguments.max_drop = std::strtod(max_drop.c_str(), &end);
  if (*end != '\0' || !(arguments.max_drop >= 0)) Fail("--max_drop=" + max_drop + " is not a number of percentage points");
  return arguments;
}

std::vector<float> ReadImages(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file || bytes.empty() || bytes.size() % (kPixels * sizeof(float)) != 0) Fail(path + " does not hold float32[1,28,28] images");
  std::vector<float> images(bytes.size() / sizeof(float));
  std::memcpy(images.data(), bytes.data(), bytes.size());
  return images;
}

std::vector<int> ReadLabels(const std::string& path, size_t count) {
  std::ifstream file(path);
  const std::vector<int> labels{std::istream_iterator<int>(file), std::istream_iterator<int>()};
  if (labels.size() != count) Fail(path + " has " + std::to_string(labels.size()) + " labels for " + std::to_string(count) + " images");
  return labels;
}

// Mean cosine similarity of the logits, and the percentage of images that get the same class.
std::pair<double, double> Compare(const Result& a, const Result& b) {
  const size_t count = a.micros.size();
  size_t same = 0;
  double cosine = 0;
  for (size_t i = 0; i < count; ++i) {
    const float* x = &a.logits[i * kClasses];
    const float* y = &b.logits[i * kClasses];
    same += Best(x) == Best(y);
    cosine += Cosine(x, y);
  }
  return {cosine / static_cast<double>(count), Percent(same, count)};
}

// Prints the table and the limits; true when all hold.
bool Report(const Arguments& arguments) {
  const Result& base = arguments.models[0];
  const double onnx_size = FileSize(arguments.onnx);
  std::vector<double> top1, gain, same, cosine, file, weights, part, median, p90, speed;
  for (const Result& model : arguments.models) {
    const bool other = &model != &base;
    const auto [mean_cosine, same_class] = Compare(base, model);
    top1.push_back(model.top1);
    gain.push_back(other ? model.top1 - base.top1 : std::nan(""));
    same.push_back(other ? same_class : std::nan(""));
    cosine.push_back(other ? mean_cosine : std::nan(""));
    file.push_back(FileSize(model.file));
    weights.push_back(WeightsSize(model.file));
    part.push_back(100 * weights.back() / onnx_size);
    median.push_back(Quantile(model.micros, 0.5));
    p90.push_back(Quantile(model.micros, 0.9));
    speed.push_back(other ? median[0] / median.back() : std::nan(""));
  }

  std::printf("\nFashion-MNIST, %zu test images, batch 1, one thread of %s; ONNX file of %.0f bytes\n\n  %-28s", base.micros.size(),
              aclrtGetSocName(), onnx_size, "");
  for (const Result& model : arguments.models) std::printf("%16s", model.name.c_str());
  std::printf("\n");
  PrintRow("top-1 accuracy", "%.2f %%", top1);
  PrintRow(("  against " + base.name).c_str(), "%+.2f points", gain);
  PrintRow(("same class as " + base.name).c_str(), "%.2f %%", same);
  PrintRow(("cosine with " + base.name + " logits").c_str(), "%.6f", cosine);
  PrintRow("offline model", "%.0f bytes", file);
  PrintRow("  its weights", "%.0f bytes", weights);
  PrintRow("  part of the ONNX file", "%.1f %%", part);
  PrintRow("latency, median", "%.1f us", median);
  PrintRow("latency, 90th percentile", "%.1f us", p90);
  PrintRow(("times as fast as " + base.name).c_str(), "%.2f", speed);
  std::printf("\n");

  bool ok = true;
  for (size_t m = 1; m < arguments.models.size(); ++m) {
    const std::string& name = arguments.models[m].name;
    ok &= Require(-gain[m] <= arguments.max_drop, name, "points of top-1 accuracy lost", -gain[m], "<=", arguments.max_drop);
    ok &= Require(cosine[m] > kLeastCosine, name, "cosine of the logits", cosine[m], ">", kLeastCosine);
    ok &= Require(weights[m] <= kMostWeights * onnx_size, name, "weights, part of the ONNX file", weights[m] / onnx_size, "<=", kMostWeights);
  }
  return ok;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments = Parse(argc, argv);
  const std::vector<float> images = ReadImages(arguments.images);
  const std::vector<int> labels = ReadLabels(arguments.labels, images.size() / kPixels);
  setenv("OMKIT_NUM_THREADS", "1", 1);
  Check(aclInit(nullptr), "aclInit");
  Check(aclrtSetDevice(0), "aclrtSetDevice");
  Measure(images, labels, &arguments.models);
  const bool ok = Report(arguments);
  Check(aclrtResetDevice(0), "aclrtResetDevice");
  Check(aclFinalize(), "aclFinalize");
  return ok ? 0 : 1;
}
