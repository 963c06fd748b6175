// Compares an offline model with outputs that ONNX Runtime wrote (tests/oracle).
//
//   compare outputs MODEL.om REF_DIR RTOL ATOL       one sample: REF_DIR holds meta.json, input_<k>.bin and output_<k>.bin
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

#include "backends/run_side.h"
#include "base/file.h"
#include "nlohmann/json.hpp"
#include "runtime/model.h"

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
  auto model = Model::Load(path);
  if (!model.ok()) {
    std::cerr << model.status() << "\n";
    std::exit(2);
  }
  return *std::move(model);
}

std::vector<std::string> Execute(Model& model, const std::vector<std::string>& inputs) {
  std::vector<const void*> in;
  std::vector<std::string> outputs;
  std::vector<void*> out;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (i >= model.inputs().size() || inputs[i].size() != model.inputs()[i].bytes) {
      std::cerr << "input " << i << " has " << inputs[i].size() << " bytes\n";
      std::exit(2);
    }
    in.push_back(inputs[i].data());
  }
  for (const auto& io : model.outputs()) outputs.emplace_back(io.bytes, '\0');
  for (std::string& o : outputs) out.push_back(o.data());
  const absl::Status status = model.Execute(in, out);
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

int CompareOutputs(Model& model, const std::string& dir, double rtol, double atol) {
  const auto meta = nlohmann::json::parse(ReadAll(dir + "/meta.json"));
  std::map<std::string, std::string> by_name;
  for (const auto& input : meta["inputs"]) by_name[input["name"]] = ReadAll(dir + "/" + std::string(input["file"]));
  std::vector<std::string> inputs;
  for (const auto& io : model.inputs()) inputs.push_back(by_name[io.name]);
  const std::vector<std::string> outputs = Execute(model, inputs);
  int failures = 0;
  for (const auto& expected : meta["outputs"]) {
    const std::string name = expected["name"];
    const auto io = std::find_if(model.outputs().begin(), model.outputs().end(), [&](const auto& o) { return o.name == name; });
    if (io == model.outputs().end()) {
      std::cout << "  no output " << name << "\n";
      ++failures;
      continue;
    }
    const std::string& actual = outputs[io - model.outputs().begin()];
    const std::string reference = ReadAll(dir + "/" + std::string(expected["file"]));
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
    return CompareOutputs(*LoadModel(argv[2]), argv[3], std::atof(argv[4]), std::atof(argv[5]));
  }
  if (mode == "samples" && argc == 7) return CompareSamples(*LoadModel(argv[2]), argv[3], argv[4], argv[5], std::atoi(argv[6]));
  std::cerr << "usage: compare outputs|samples ...\n";
  return 2;
}
