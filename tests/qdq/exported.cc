// INT8 networks written as ONNX, beside ONNX Runtime on the same inputs:
//
//   exported calibrated DIR                 random networks after calibration: DIR/<seed>.onnx, DIR/<seed>.<input>.bin, DIR/<seed>.<k>.expected
//   exported own DIR                        random networks with a quantization of their own: as above
//   exported model FILE SAMPLES DIR NAME    FILE after calibration with the folder SAMPLES, its results on the first of them: as above
//   exported check DIR [SHARE]              holds DIR/<name>/output_<k>.bin of ONNX Runtime against the expected files
//
// One step of an output is the 255th part of its range over the samples, or its own scale where the network rounds it. `check` prints the
// share of elements further apart than one step; exit status 1 when it is above SHARE (0 when left out).
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "backends/compile.h"
#include "backends/run_side.h"
#include "frontends/calibration_data.h"
#include "frontends/onnx/exporter.h"
#include "frontends/onnx/importer.h"
#include "runtime/model.h"
#include "runtime/om_file.h"
#include "tests/qdq/own_quantization.h"
#include "tests/random_graph/random_graph.h"

namespace omkit {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void Fail(const std::string& text) {
  std::fprintf(stderr, "%s\n", text.c_str());
  std::exit(2);
}

template <typename T>
T Checked(absl::StatusOr<T> value) {
  if (!value.ok()) Fail(value.status().ToString());
  return *std::move(value);
}

void WriteAll(const std::string& path, const std::string& bytes) {
  std::ofstream out(path, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!out.flush()) Fail("cannot write " + path);
}

std::string ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) Fail("cannot read " + path);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::string BytesOf(const Tensor& t) { return {static_cast<const char*>(t.raw()), t.bytes()}; }

// Compiles, exports to DIR/NAME.onnx, and writes inputs and results of all samples, one behind another.
void Export(std::unique_ptr<ir::Graph> graph, CompileOptions options, const std::vector<std::vector<Tensor>>& samples, const std::string& stem) {
  absl::Status exported;
  float step = 0;  // of outputs that the network rounds
  options.on_final_graph = [&](const ir::Graph& g) {
    exported = frontends::WriteOnnx(g, {}, stem + ".onnx");
    for (ir::ValueId v : g.outputs()) {
      const ir::Node* last = g.Producer(v);
      const bool rounded = last != nullptr && last->op == ir::OpKind::kDequantize;
      step = std::max(step, rounded ? g.value(last->inputs[0]).type.quant.scale[0] : 0.0f);
    }
  };
  const runtime::Program program = Checked(Compile(std::move(graph), options));
  if (!exported.ok()) Fail(exported.ToString());
  const auto model = Checked(runtime::Model::Load(Checked(runtime::LoadedOmFrom(program))));
  std::map<std::string, std::string> files;
  for (const auto& sample : samples) {
    std::vector<const void*> in;
    std::vector<void*> out;
    std::vector<std::string> results;
    for (size_t i = 0; i < sample.size(); ++i) {
      in.push_back(sample[i].raw());
      files[absl::StrCat(stem, ".", program.inputs[i].name, ".bin")] += BytesOf(sample[i]);
    }
    for (const auto& o : model->outputs()) results.emplace_back(o.bytes, '\0');
    for (std::string& r : results) out.push_back(r.data());
    const absl::Status status = model->Execute(in, out);
    if (!status.ok()) Fail(status.ToString());
    for (size_t k = 0; k < results.size(); ++k) files[absl::StrCat(stem, ".", k, ".expected")] += results[k];
  }
  for (const auto& [path, bytes] : files) WriteAll(path, bytes);
  WriteAll(stem + ".step", std::string(reinterpret_cast<const char*>(&step), sizeof(step)));
}

void Random(bool calibrate, const std::string& dir) {
  constexpr uint32_t kGraphs = 14;
  for (uint32_t seed = 0; seed < kGraphs; ++seed) {
    std::unique_ptr<ir::Graph> graph = testing::RandomGraph(seed);
    std::vector<std::vector<Tensor>> samples;
    for (uint32_t i = 0; i < 4; ++i) samples.push_back(testing::RandomInputs(*graph, seed * 10 + i));
    CompileOptions options;
    if (calibrate) {
      options.quant_type = QuantType::kInt8;
      options.quantize.effort = QuantEffort::kFast;
      options.quantize.calibration = [&](const ir::Graph&) -> absl::StatusOr<passes::CalibrationSource> {
        return passes::CalibrationSource{4, [&](int i) -> absl::StatusOr<std::vector<Tensor>> { return samples[i]; }};
      };
    } else {
      graph = testing::WithOwnQuantization(*graph, samples[0], seed);
    }
    Export(std::move(graph), options, samples, absl::StrCat(dir, "/", seed));
  }
}

void Model(const std::string& file, const std::string& folder, const std::string& stem) {
  auto graph = Checked(frontends::ImportOnnx(file));
  CompileOptions options;
  for (ir::ValueId v : graph->inputs()) {
    Shape shape = graph->value(v).type.shape;
    for (int d = 0; d < shape.rank(); ++d) {
      if (shape.dim(d) == kUnknownDim) shape.set_dim(d, 1);
    }
    options.input_shapes[graph->value(v).name] = shape.vec();
  }
  options.quant_type = QuantType::kInt8;
  std::vector<std::vector<Tensor>> samples;
  options.quantize.effort = QuantEffort::kFast;
  options.quantize.calibration = [&](const ir::Graph& g) -> absl::StatusOr<passes::CalibrationSource> {
    auto opened = frontends::CalibrationData::Open(folder, g);
    if (!opened.ok()) return opened.status();
    auto data = std::make_shared<frontends::CalibrationData>(*std::move(opened));
    return passes::CalibrationSource{std::min(data->size(), 32), [data](int i) { return data->Sample(i); }};
  };
  const std::unique_ptr<ir::Graph> bound = graph->Clone();
  for (ir::ValueId v : bound->inputs()) {
    TensorType type = bound->value(v).type;
    type.shape = Shape(options.input_shapes[bound->value(v).name]);
    bound->SetType(v, type);
  }
  const auto data = Checked(frontends::CalibrationData::Open(folder, *bound));
  for (int i = 0; i < std::min(data.size(), 16); ++i) samples.push_back(Checked(data.Sample(i)));
  Export(std::move(graph), options, samples, stem);
}

bool Check(const std::string& dir, double share) {
  std::set<std::string> stems;
  for (const auto& entry : fs::directory_iterator(dir)) {
    if (entry.path().extension() == ".onnx") stems.insert(entry.path().parent_path() / entry.path().stem());
  }
  size_t elements = 0, beyond = 0, networks = 0;
  double worst_of_all = 0;
  for (const std::string& stem : stems) {
    float own_step;
    const std::string step_bytes = ReadAll(stem + ".step");
    std::memcpy(&own_step, step_bytes.data(), sizeof(own_step));
    for (int k = 0; fs::exists(absl::StrCat(stem, ".", k, ".expected")); ++k) {
      const std::string mine = ReadAll(absl::StrCat(stem, ".", k, ".expected")), theirs = ReadAll(absl::StrCat(stem, "/output_", k, ".bin"));
      if (mine.size() != theirs.size() || mine.empty()) Fail(stem + ": sizes of the outputs differ");
      std::vector<float> a(mine.size() / sizeof(float)), b(a.size());
      std::memcpy(a.data(), mine.data(), mine.size());
      std::memcpy(b.data(), theirs.data(), mine.size());
      const auto [low, high] = std::minmax_element(b.begin(), b.end());
      const double step = std::max({double{own_step}, (double{*high} - *low) / 255, 1e-6});
      double worst = 0;
      size_t out = 0;
      for (size_t i = 0; i < a.size(); ++i) {
        const double d = std::abs(double{a[i]} - b[i]) / step;
        worst = std::max(worst, d);
        out += d > 1.001;
      }
      elements += a.size();
      beyond += out;
      ++networks;
      worst_of_all = std::max(worst_of_all, worst);
      std::printf("%-40s output %d: %zu of %zu elements beyond one step, at most %.3f steps of %.3g\n", fs::path(stem).filename().c_str(), k, out,
                  a.size(), worst, step);
    }
  }
  const double part = elements == 0 ? 1 : static_cast<double>(beyond) / static_cast<double>(elements);
  std::printf("%zu outputs: %.4f %% of %zu elements beyond one step, at most %.3f steps\n", networks, 100 * part, elements, worst_of_all);
  return networks > 0 && part <= share;
}

int Run(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  RegisterAllKernels();
  if ((mode == "calibrated" || mode == "own") && argc == 3) Random(mode == "calibrated", argv[2]);
  else if (mode == "model" && argc == 6) Model(argv[2], argv[3], absl::StrCat(argv[4], "/", argv[5]));
  else if (mode == "check" && argc >= 3) return Check(argv[2], argc > 3 ? std::atof(argv[3]) : 0) ? 0 : 1;
  else Fail("usage: exported calibrated|own DIR | model FILE SAMPLES DIR NAME | check DIR [SHARE]");
  return 0;
}

}  // namespace
}  // namespace omkit

int main(int argc, char** argv) { return omkit::Run(argc, argv); }
