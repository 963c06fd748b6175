// Compiles a model and runs it on many samples beside the outputs of another runtime.
//
//   agreement MODEL.onnx SAMPLES OUTPUTS.bin [MIN_TOP1_AGREEMENT [LABELS [OFFSET]]]
//
// LABELS: the class of each sample, the last number of a line; OFFSET is added to it. Prints the top-1 accuracy of both then.
// SAMPLES: a folder of float32 tensors (one file per sample, in order of names) or one file of them; OUTPUTS.bin: the float32 output 0 of
// the other runtime for every sample. Prints the share of samples with the same top-1 and the relative error; exit status 1 below the limit.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "backends/compile.h"
#include "backends/run_side.h"
#include "frontends/onnx/importer.h"
#include "runtime/model.h"
#include "runtime/om_file.h"

namespace omkit {
namespace {

[[noreturn]] void Fail(const absl::Status& status) {
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(2);
}

std::string ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) Fail(absl::NotFoundError(path));
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// All samples behind one another.
std::string ReadSamples(const std::string& path) {
  if (!std::filesystem::is_directory(path)) return ReadAll(path);
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(path)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::string bytes;
  for (const std::string& file : files) bytes += ReadAll(file);
  return bytes;
}

std::unique_ptr<runtime::Model> CompileModel(const std::string& path) {
  RegisterAllKernels();
  auto graph = frontends::ImportOnnx(path);
  if (!graph.ok()) Fail(graph.status());
  CompileOptions options;
  for (ir::ValueId v : (*graph)->inputs()) {
    Shape shape = (*graph)->value(v).type.shape;
    for (int d = 0; d < shape.rank(); ++d) {
      if (shape.dim(d) == kUnknownDim) shape.set_dim(d, 1);
    }
    options.input_shapes[(*graph)->value(v).name] = shape.vec();
  }
  auto program = Compile(*std::move(graph), options);
  if (!program.ok()) Fail(program.status());
  int integer = 0, reference = 0;
  for (const runtime::Step& step : program->steps) {
    integer += step.kernel.find("_u8") != std::string::npos;
    reference += step.kernel.find("reference") != std::string::npos;
  }
  std::printf("%d steps, %d integer, %d reference\n", static_cast<int>(program->steps.size()), integer, reference);
  auto om = runtime::LoadedOmFrom(*program);
  if (!om.ok()) Fail(om.status());
  auto model = runtime::Model::Load(*std::move(om));
  if (!model.ok()) Fail(model.status());
  return *std::move(model);
}

int Top1(const float* y, int64_t n) { return static_cast<int>(std::max_element(y, y + n) - y); }

std::vector<int> ReadLabels(const std::string& path, int offset) {
  std::ifstream in(path);
  if (!in) Fail(absl::NotFoundError(path));
  std::vector<int> labels;
  for (std::string line; std::getline(in, line);) {
    if (!line.empty()) labels.push_back(std::atoi(line.c_str() + line.find_last_of(" \t") + 1) + offset);
  }
  return labels;
}

int Run(int argc, char** argv) {
  if (argc < 4) Fail(absl::InvalidArgumentError("usage: agreement MODEL.onnx SAMPLES OUTPUTS.bin [MIN_TOP1_AGREEMENT [LABELS [OFFSET]]]"));
  const std::unique_ptr<runtime::Model> model = CompileModel(argv[1]);
  const std::string samples = ReadSamples(argv[2]);
  const std::string outputs = ReadAll(argv[3]);
  const size_t in_bytes = model->inputs()[0].bytes;
  const size_t out_bytes = model->outputs()[0].bytes;
  const size_t count = std::min(samples.size() / in_bytes, outputs.size() / out_bytes);
  const int64_t classes = static_cast<int64_t>(out_bytes / sizeof(float));
  std::vector<float> mine(classes), theirs(classes);
  const std::vector<int> labels = argc > 5 ? ReadLabels(argv[5], argc > 6 ? std::atoi(argv[6]) : 0) : std::vector<int>(count, -1);
  if (labels.size() < count) Fail(absl::InvalidArgumentError("fewer labels than samples"));
  size_t same = 0, my_hits = 0, their_hits = 0;
  double error = 0, energy = 0;
  for (size_t i = 0; i < count; ++i) {
    const void* in[] = {samples.data() + i * in_bytes};
    void* out[] = {mine.data()};
    const absl::Status status = model->Execute(in, out);
    if (!status.ok()) Fail(status);
    std::memcpy(theirs.data(), outputs.data() + i * out_bytes, out_bytes);
    const int my_class = Top1(mine.data(), classes), their_class = Top1(theirs.data(), classes);
    same += my_class == their_class;
    my_hits += my_class == labels[i];
    their_hits += their_class == labels[i];
    for (int64_t k = 0; k < classes; ++k) {
      error += (mine[k] - theirs[k]) * (mine[k] - theirs[k]);
      energy += theirs[k] * theirs[k];
    }
  }
  const double agreement = count == 0 ? 0 : static_cast<double>(same) / static_cast<double>(count);
  std::printf("%zu samples, top-1 agreement %.4f, relative error %.4g\n", count, agreement, std::sqrt(error / (energy + 1e-30)));
  const double percent = count == 0 ? 0 : 100.0 / static_cast<double>(count);
  if (argc > 5)
    std::printf("top-1 %.2f %%, the other runtime %.2f %%\n", static_cast<double>(my_hits) * percent, static_cast<double>(their_hits) * percent);
  return argc > 4 && agreement < std::atof(argv[4]) ? 1 : 0;
}

}  // namespace
}  // namespace omkit

int main(int argc, char** argv) { return omkit::Run(argc, argv); }
