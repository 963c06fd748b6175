// isa_digest: what this machine makes of INT8 networks, as hashes that another machine's can be compared with.
//
//   isa_digest graphs N [FOLDER]   N random networks, compiled for every row and run on those that this machine has; the models into FOLDER
//   isa_digest run SOC OM...       offline models of row SOC, run on fixed inputs
//
// Lines: "program GRAPH SOC HASH" and "outputs GRAPH SOC HASH". Equal programs everywhere mean that it does not matter where a model is
// compiled; equal outputs for all SOCs mean that it does not matter where it runs.
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "backends/compile.h"
#include "backends/run_side.h"
#include "base/cpu.h"
#include "runtime/model.h"
#include "runtime/om_file.h"
#include "runtime/soc.h"
#include "tests/random_graph/random_graph.h"
#define XXH_INLINE_ALL
#include "xxhash.h"

namespace {

using omkit::runtime::IoDesc;
using omkit::runtime::Model;

[[noreturn]] void Stop(const absl::Status& status) {
  std::cerr << "isa_digest: " << status << "\n";
  std::exit(1);
}

std::string Hash(const std::string& bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return absl::StrFormat("%016x%016x", hash.high64, hash.low64);
}

// Floats in [-2, 2) for float inputs, any bytes for others; the same on every machine.
std::string FixedInput(const IoDesc& io) {
  std::string bytes(io.bytes, '\0');
  uint32_t state = 12345;
  const auto next = [&state] { return state = state * 1664525u + 1013904223u; };
  for (size_t at = 0; at + 4 <= bytes.size(); at += 4) {
    const uint32_t random = next();
    const float value = static_cast<float>(static_cast<int32_t>(random)) * 0x1p-30f;
    if (io.dtype == omkit::DType::kFloat32) std::memcpy(&bytes[at], &value, 4);
    else std::memcpy(&bytes[at], &random, 4);
  }
  return bytes;
}

std::string RunFixed(absl::StatusOr<std::unique_ptr<Model>> model) {
  if (!model.ok()) Stop(model.status());
  std::vector<std::string> inputs, outputs;
  std::vector<const void*> in;
  std::vector<void*> out;
  for (const IoDesc& io : (*model)->inputs()) inputs.push_back(FixedInput(io));
  for (const IoDesc& io : (*model)->outputs()) outputs.emplace_back(io.bytes, '\0');
  for (const std::string& bytes : inputs) in.push_back(bytes.data());
  for (std::string& bytes : outputs) out.push_back(bytes.data());
  const absl::Status status = (*model)->Execute(in, out);
  if (!status.ok()) Stop(status);
  std::string all;
  for (const std::string& bytes : outputs) all += bytes;
  return all;
}

omkit::runtime::Program CompileGraph(uint32_t seed, const std::string& soc) {
  using omkit::ir::Graph;
  omkit::CompileOptions options;
  options.soc_version = soc;
  options.quant_type = omkit::QuantType::kInt8;
  options.quantize.effort = omkit::QuantEffort::kFast;
  options.quantize.calibration = [seed](const Graph& g) -> absl::StatusOr<omkit::passes::CalibrationSource> {
    return omkit::passes::CalibrationSource{
        2, [&g, seed](int i) -> absl::StatusOr<std::vector<omkit::Tensor>> { return omkit::testing::RandomInputs(g, seed + 1000 + i); }};
  };
  auto program = omkit::Compile(omkit::testing::RandomGraph(seed), options);
  if (!program.ok()) Stop(program.status());
  return *std::move(program);
}

// `folder`: where the offline models go as well, to be compared byte by byte; none when empty.
void Graphs(int count, const std::string& folder) {
  for (int seed = 0; seed < count; ++seed) {
    for (const omkit::runtime::SocRow& row : omkit::runtime::SocRows()) {
      const omkit::runtime::Program program = CompileGraph(seed, row.name);
      const auto bytes = omkit::runtime::SerializeOm(program);
      if (!bytes.ok()) Stop(bytes.status());
      if (!folder.empty()) std::ofstream(absl::StrCat(folder, "/", seed, ".", row.name, ".om"), std::ios::binary) << *bytes;
      std::cout << "program " << seed << " " << row.name << " " << Hash(*bytes) << "\n";
      if (!omkit::CpuSupports(row.isa)) continue;
      omkit::runtime::ModelOptions options;
      options.check_soc = false;
      std::cout << "outputs " << seed << " " << row.name << " " << Hash(RunFixed(Model::Load(*omkit::runtime::LoadedOmFrom(program), options)))
                << "\n";
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  omkit::RegisterAllKernels();
  const std::string command = argc > 1 ? argv[1] : "";
  int count = 0;
  if (command == "graphs" && (argc == 3 || argc == 4) && absl::SimpleAtoi(argv[2], &count)) {
    Graphs(count, argc == 4 ? argv[3] : "");
    return 0;
  }
  if (command != "run" || argc < 4) return std::cerr << "usage: isa_digest graphs N [FOLDER] | isa_digest run SOC OM...\n", 2;
  for (int i = 3; i < argc; ++i) {
    const std::string path = argv[i];
    const std::string name = path.substr(path.rfind('/') + 1);
    std::cout << "outputs " << name << " " << argv[2] << " " << Hash(RunFixed(Model::Load(path))) << "\n";
  }
  return 0;
}
