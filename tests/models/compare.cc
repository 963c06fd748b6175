// Compares an offline model with outputs that ONNX Runtime wrote (tests/oracle).
//
//   compare outputs MODEL.om REF_DIR RTOL ATOL       one sample: REF_DIR holds meta.json, input_<k>.bin and output_<k>.bin. Of a model whose
//                                                    shapes are chosen at run time, the gear or plan for these inputs is run
//   compare batch MODEL.om RTOL ATOL REF_DIR...      the references' inputs behind one another, along dimension 0, in one run
//   compare same A.om B.om REF_DIR...                A on the references' inputs behind one another, B on one after the other: the same bits
//   compare steps MODEL.om REF_DIR RTOL ATOL IN=OUT...   the steps of ort_run.mjs --steps --write-inputs; input IN of a step is output OUT of
//                                                    this model's own step before
//   compare samples MODEL.om SAMPLES REF LABELS OFFSET   many samples: SAMPLES/*.bin against REF/*.bin of the first output; LABELS has
//                                                    lines "stem class", OFFSET is added to a class; prints top-1 of both and the cosine
// Exit status 1 when `outputs`, `batch` or `steps` finds an element beyond the tolerance, or `same` finds a difference.
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

struct Difference {
  double absolute = 0;
  double ratio = 0;  // of the tolerance
};

// Of two outputs of equal size; numbers other than float32 must be equal.
Difference Compare(omkit::DType dtype, const std::string& actual, const std::string& reference, double rtol, double atol) {
  Difference worst;
  if (dtype != omkit::DType::kFloat32) return {0, actual == reference ? 0 : INFINITY};
  for (size_t i = 0; i < actual.size() / sizeof(float); ++i) {
    const double d = std::abs(static_cast<double>(Floats(actual)[i]) - Floats(reference)[i]);
    const double ratio = d / (atol + rtol * std::abs(Floats(reference)[i]));
    worst.absolute = std::max(worst.absolute, d);
    worst.ratio = std::isnan(ratio) ? INFINITY : std::max(worst.ratio, ratio);
  }
  return worst;
}

// The samples behind one another along dimension 0, with the inputs that the model takes.
Sample ReadBatch(const Model& model, const std::vector<std::string>& dirs) {
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
  return all;
}

int CompareModels(Model& batched, Model& single, const std::vector<std::string>& dirs) {
  const Sample all = ReadBatch(batched, dirs);
  std::vector<std::string> expected(batched.outputs().size());
  for (const std::string& dir : dirs) {
    const Sample sample = ReadBatch(single, {dir});
    const std::vector<std::string> outputs = Execute(single, sample.inputs, sample.dims);
    for (size_t i = 0; i < expected.size(); ++i) expected[i] += outputs[i];
  }
  const bool same = Execute(batched, all.inputs, all.dims) == expected;
  std::cout << "  outputs are " << (same ? "the same bits" : "different") << "\n";
  return same ? 0 : 1;
}

int CompareOutputs(Model& model, const std::vector<std::string>& dirs, double rtol, double atol) {
  const Sample all = ReadBatch(model, dirs);
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
    const Difference worst = Compare(io->dtype, actual, reference, rtol, atol);
    std::cout << "  " << name << ": max abs difference " << worst.absolute << ", " << worst.ratio << " of the tolerance";
    if (io->dtype == omkit::DType::kFloat32) std::cout << ", cosine " << Cosine(actual, reference);
    std::cout << "\n";
    failures += worst.ratio > 1;
  }
  return failures == 0 ? 0 : 1;
}

template <typename Ios>
size_t IndexOf(const Ios& ios, const std::string& name) {
  const auto io = std::find_if(ios.begin(), ios.end(), [&](const auto& i) { return i.name == name; });
  if (io != ios.end()) return io - ios.begin();
  std::cerr << "the model has no tensor '" << name << "'\n";
  std::exit(2);
}

// A recurrent network through its steps, the state being the model's own.
int CompareSteps(Model& model, const std::string& dir, double rtol, double atol, const std::vector<std::string>& states) {
  const auto meta = nlohmann::json::parse(ReadAll(dir + "/meta.json"));
  std::map<size_t, size_t> source;  // state input -> output
  for (const std::string& state : states) {
    const size_t equals = state.find('=');
    source[IndexOf(model.inputs(), state.substr(0, equals))] = IndexOf(model.outputs(), state.substr(equals + 1));
  }
  std::vector<std::string> folders(model.inputs().size());
  for (size_t k = 0; k < meta["inputs"].size(); ++k)
    folders[IndexOf(model.inputs(), meta["inputs"][k]["name"])] = "/input_" + std::to_string(k) + "/";
  std::vector<Difference> worst(model.outputs().size());
  std::vector<std::string> outputs;
  for (const std::string stem : meta["samples"]) {
    std::vector<std::string> inputs;
    for (size_t i = 0; i < folders.size(); ++i) {
      const bool carried = !outputs.empty() && source.count(i) != 0;
      inputs.push_back(carried ? outputs[source[i]] : ReadAll(dir + folders[i] + stem + ".bin"));
    }
    outputs = Execute(model, inputs);
    for (size_t k = 0; k < meta["outputs"].size(); ++k) {
      const size_t o = IndexOf(model.outputs(), meta["outputs"][k]["name"]);
      const std::string reference = ReadAll(dir + "/output_" + std::to_string(k) + "/" + stem + ".bin");
      if (outputs[o].size() != reference.size()) {
        std::cout << "  " << model.outputs()[o].name << ": " << outputs[o].size() << " bytes, expected " << reference.size() << "\n";
        return 1;
      }
      const Difference d = Compare(model.outputs()[o].dtype, outputs[o], reference, rtol, atol);
      if (d.ratio > 1 && worst[o].ratio <= 1) std::cout << "  " << model.outputs()[o].name << ": beyond the tolerance from step " << stem << " on\n";
      worst[o] = {std::max(worst[o].absolute, d.absolute), std::max(worst[o].ratio, d.ratio)};
    }
  }
  bool within = true;
  for (size_t o = 0; o < worst.size(); ++o) {
    std::cout << "  " << model.outputs()[o].name << ": " << meta["samples"].size() << " steps, max abs difference " << worst[o].absolute << ", "
              << worst[o].ratio << " of the tolerance\n";
    within = within && worst[o].ratio <= 1;
  }
  return within ? 0 : 1;
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
  if (mode == "same" && argc >= 5) return CompareModels(*LoadModel(argv[2]), *LoadModel(argv[3]), {argv + 4, argv + argc});
  if (mode == "steps" && argc >= 6) {
    return CompareSteps(*LoadModel(argv[2]), argv[3], std::atof(argv[4]), std::atof(argv[5]), {argv + 6, argv + argc});
  }
  if (mode == "samples" && argc == 7) return CompareSamples(*LoadModel(argv[2]), argv[3], argv[4], argv[5], std::atoi(argv[6]));
  std::cerr << "usage: compare outputs|batch|same|steps|samples ...\n";
  return 2;
}
