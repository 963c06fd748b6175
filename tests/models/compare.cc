// Compares an offline model with outputs that ONNX Runtime wrote (tests/oracle).
//
//   compare outputs MODEL.om REF_DIR RTOL ATOL       one sample: REF_DIR holds meta.json, input_<k>.bin and output_<k>.bin. Of a model whose
//                                                    shapes are chosen at run time, the gear or plan for these inputs is run
//   compare batch MODEL.om RTOL ATOL REF_DIR...      the references' inputs behind one another, along dimension 0, in one run
//   compare samples MODEL.om SAMPLES REF LABELS OFFSET   many samples: SAMPLES/*.bin against REF/*.bin of the first output; LABELS has
//                                                    lines "stem class", OFFSET is added to a class; prints top-1 of both and the cosine
// Exit status 1 when `outputs` finds an element beyond the tolerance.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>

#include "backends/range_plans.h"
#include "backends/run_side.h"
#include "base/file.h"
#include "nlohmann/json.hpp"
#include "runtime/model.h"
#include "runtime/shapes.h"

namespace {

using omkit::runtime::Model;

std::string ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    std::cerr << "cannot read " << path << "\n";
    std::exit(2);
  }
  return {std::istreambuf_iterator<char>(in), {}};
}

std::unique_ptr<Model> LoadModel(const std::string& path) {
  omkit::RegisterAllKernels();
  omkit::RegisterRangePlans();
  auto model = Model::Load(path);
  if (!model.ok()) {
    std::cerr << model.status() << "\n";
    std::exit(2);
  }
  return *std::move(model);
}

using Dims = std::vector<std::vector<int64_t>>;

// What runs with these shapes of the data inputs.
std::shared_ptr<const omkit::runtime::Executor> Choose(Model& model, const Dims& dims) {
  const omkit::runtime::RuntimeShapes& shapes = model.program().shapes;
  if (shapes.mode == omkit::runtime::ShapeMode::kRanges) {
    auto bound = model.Bind(dims);
    if (bound.ok()) return *bound;
    std::cerr << bound.status() << "\n";
    std::exit(2);
  }
  for (size_t i = 0; i < shapes.gears.size(); ++i) {
    if (*omkit::runtime::GearDims(shapes.mode, shapes.dims, shapes.gears[i].values) != dims) continue;
    return {std::shared_ptr<void>(), &model.gear(i)};
  }
  if (shapes.gears.empty()) return {std::shared_ptr<void>(), &model.main()};
  std::cerr << "the model has no gear for these shapes\n";
  std::exit(2);
}

std::vector<std::string> Execute(Model& model, const std::vector<std::string>& inputs, const Dims& dims = {}) {
  std::vector<const void*> in;
  const auto executor = Choose(model, dims);
  const omkit::runtime::Plan& plan = executor->plan();
  std::vector<std::string> outputs;
  std::vector<void*> out;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (i >= plan.inputs.size() || inputs[i].size() != plan.inputs[i].bytes) {
      std::cerr << "input " << i << " has " << inputs[i].size() << " bytes\n";
      std::exit(2);
    }
    in.push_back(inputs[i].data());
  }
  in.resize(plan.inputs.size());  // the input that sets the gear
  for (const auto& io : plan.outputs) outputs.emplace_back(io.bytes, '\0');
  for (std::string& o : outputs) out.push_back(o.data());
  const absl::Status status = model.Execute(*executor, in, out);
  if (!status.ok()) {
    std::cerr << status << "\n";
    std::exit(2);
  }
  return outputs;
}

const float* Floats(const std::string& bytes) { return reinterpret_cast<const float*>(bytes.data()); }

double Cosine(const std::string& a, const std::string& b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size() / sizeof(float); ++i) {
    const double x = Floats(a)[i], y = Floats(b)[i];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return ab / std::sqrt(aa * bb);
}

struct Sample {
  std::vector<std::string> inputs;
  Dims dims;
  std::map<std::string, std::string> outputs;  // by name
};

// `names`: the model's data inputs.
Sample ReadSample(const std::string& dir, const std::vector<std::string>& names) {
  const auto meta = nlohmann::json::parse(ReadAll(dir + "/meta.json"));
  Sample sample;
  for (const std::string& name : names) {
    for (const auto& input : meta["inputs"]) {
      if (input["name"] != name) continue;
      sample.inputs.push_back(ReadAll(dir + "/" + std::string(input["file"])));
      sample.dims.push_back(input["dims"].get<std::vector<int64_t>>());
    }
  }
  for (const auto& output : meta["outputs"]) sample.outputs[output["name"]] = ReadAll(dir + "/" + std::string(output["file"]));
  return sample;
}

// One run of the samples behind one another along dimension 0.
int CompareOutputs(Model& model, const std::vector<std::string>& dirs, double rtol, double atol) {
  std::vector<std::string> names;
  for (const auto& io : model.inputs()) {
    if (io.name != omkit::runtime::kGearInput) names.push_back(io.name);
  }
  Sample all = ReadSample(dirs[0], names);
  for (size_t i = 1; i < dirs.size(); ++i) {
    const Sample next = ReadSample(dirs[i], names);
    for (size_t k = 0; k < all.inputs.size(); ++k) all.inputs[k] += next.inputs[k], all.dims[k][0] += next.dims[k][0];
    for (auto& [name, bytes] : all.outputs) bytes += next.outputs.at(name);
  }
  const std::vector<std::string> outputs = Execute(model, all.inputs, all.dims);
  int failures = 0;
  for (const auto& [name, reference] : all.outputs) {
    const auto io = std::find_if(model.outputs().begin(), model.outputs().end(), [&, &name = name](const auto& o) { return o.name == name; });
    if (io == model.outputs().end()) {
      std::cout << "  no output " << name << "\n";
      ++failures;
      continue;
    }
    const std::string& actual = outputs[io - model.outputs().begin()];
    if (actual.size() != reference.size()) {
      std::cout << "  " << name << ": " << actual.size() << " bytes, expected " << reference.size() << "\n";
      ++failures;
      continue;
    }
    if (io->dtype != omkit::DType::kFloat32) {
      size_t differ = 0;
      for (size_t i = 0; i < actual.size(); ++i) differ += actual[i] != reference[i];
      std::cout << "  " << name << ": " << differ << " bytes differ\n";
      failures += differ != 0;
      continue;
    }
    double worst = 0, worst_ratio = 0;
    for (size_t i = 0; i < actual.size() / sizeof(float); ++i) {
      const double d = std::abs(static_cast<double>(Floats(actual)[i]) - Floats(reference)[i]);
      const double ratio = d / (atol + rtol * std::abs(Floats(reference)[i]));
      worst = std::max(worst, d);
      worst_ratio = std::isnan(ratio) ? INFINITY : std::max(worst_ratio, ratio);
    }
    std::cout << "  " << name << ": max abs difference " << worst << ", " << worst_ratio << " of the tolerance, cosine " << Cosine(actual, reference)
              << "\n";
    failures += worst_ratio > 1;
  }
  return failures == 0 ? 0 : 1;
}

size_t ArgMax(const std::string& bytes) {
  const float* values = Floats(bytes);
  return std::max_element(values, values + bytes.size() / sizeof(float)) - values;
}

int CompareSamples(Model& model, const std::string& samples, const std::string& reference, const std::string& labels, int offset) {
  std::map<std::string, size_t> label;
  std::ifstream in(labels);
  for (std::string stem, value; in >> stem >> value;) label[stem] = std::atoi(value.c_str()) + offset;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(samples)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  int count = 0, ours = 0, theirs = 0, same = 0;
  double cosine = 0;
  for (const auto& file : files) {
    const std::string stem = file.stem().string();
    if (file.extension() != ".bin" || label.find(stem) == label.end()) continue;
    const std::string output = Execute(model, {ReadAll(file.string())})[0];
    const std::string expected = ReadAll(reference + "/" + file.filename().string());
    ++count;
    ours += ArgMax(output) == label[stem];
    theirs += ArgMax(expected) == label[stem];
    same += ArgMax(output) == ArgMax(expected);
    cosine += Cosine(output, expected);
  }
  if (count == 0) {
    std::cerr << "no samples in " << samples << "\n";
    return 2;
  }
  std::cout << "samples " << count << " top1 " << 100.0 * ours / count << " reference " << 100.0 * theirs / count << " agreement "
            << 100.0 * same / count << " cosine " << cosine / count << "\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  if (mode == "outputs" && argc == 6) {
    return CompareOutputs(*LoadModel(argv[2]), {argv[3]}, std::atof(argv[4]), std::atof(argv[5]));
  }
  if (mode == "batch" && argc >= 6) {
    return CompareOutputs(*LoadModel(argv[2]), {argv + 5, argv + argc}, std::atof(argv[3]), std::atof(argv[4]));
  }
  if (mode == "samples" && argc == 7) return CompareSamples(*LoadModel(argv[2]), argv[3], argv[4], argv[5], std::atoi(argv[6]));
  std::cerr << "usage: compare outputs|batch|samples ...\n";
  return 2;
}
