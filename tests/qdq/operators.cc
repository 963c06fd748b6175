// Operators of quantizers beside ONNX Runtime:
//
//   operators write DIR    writes DIR/<name>.onnx and the inputs DIR/<name>.<input>.bin
//   operators check DIR    compiles each model, runs it on those inputs and holds it against ONNX Runtime's DIR/<name>/output_<k>.bin
//
// Exit status 1 when an element differs by more than one step of the output.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include "backends/compile.h"
#include "backends/run_side.h"
#include "frontends/onnx/importer.h"
#include "runtime/model.h"
#include "runtime/om_file.h"
#include "tests/qdq/operator_models.h"

namespace omkit {
namespace {

using testing::OperatorModel;

[[noreturn]] void Fail(const std::string& text) {
  std::fprintf(stderr, "%s\n", text.c_str());
  std::exit(2);
}

void WriteAll(const std::string& path, const void* data, size_t bytes) {
  std::ofstream out(path, std::ios::binary);
  out.write(static_cast<const char*>(data), static_cast<std::streamsize>(bytes));
  if (!out.flush()) Fail("cannot write " + path);
}

std::string ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) Fail("cannot read " + path);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::string Bytes(const OperatorModel& row) {
  testing::ModelMaker maker(row.opset);
  row.make(maker);
  return maker.model().SerializeAsString();
}

void Write(const std::string& dir) {
  uint32_t s = 11;
  for (const OperatorModel& row : testing::OperatorModels()) {
    const std::string bytes = Bytes(row);
    WriteAll(dir + "/" + row.name + ".onnx", bytes.data(), bytes.size());
    const auto graph = frontends::ImportOnnxBytes(bytes, row.name, "");
    if (!graph.ok()) Fail(graph.status().ToString());
    for (ir::ValueId v : (*graph)->inputs()) {
      const ir::Value& value = (*graph)->value(v);
      std::vector<float> x(value.type.shape.elements());
      for (float& e : x) {
        s = s * 1664525u + 1013904223u;
        e = static_cast<float>((s >> 8) / 8388608.0 - 1.0);
      }
      WriteAll(dir + "/" + row.name + "." + value.name + ".bin", x.data(), x.size() * sizeof(float));
    }
  }
}

// False when the model does not keep to its row.
bool Check(const std::string& dir, const OperatorModel& row) {
  const std::string path = dir + "/" + row.name;
  auto graph = frontends::ImportOnnx(path + ".onnx");
  if (!graph.ok()) Fail(graph.status().ToString());
  const auto program = Compile(*std::move(graph), {});
  if (!program.ok()) Fail(program.status().ToString());
  int floats = 0;
  for (const runtime::Step& step : program->steps) {
    const auto is = [&](const char* what) { return step.kernel.find(what) != std::string::npos; };
    floats += !is("u8") && !is("quantize") && !is("copy") && !is("fill");
  }
  auto om = runtime::LoadedOmFrom(*program);
  if (!om.ok()) Fail(om.status().ToString());
  const auto model = runtime::Model::Load(*std::move(om));
  if (!model.ok()) Fail(model.status().ToString());
  std::vector<std::string> data, results;
  for (const auto& input : program->inputs) data.push_back(ReadAll(path + "." + input.name + ".bin"));
  for (const auto& output : (*model)->outputs()) results.emplace_back(output.bytes, '\0');
  std::vector<const void*> in;
  std::vector<void*> out;
  for (std::string& d : data) in.push_back(d.data());
  for (std::string& r : results) out.push_back(r.data());
  const absl::Status status = (*model)->Execute(in, out);
  if (!status.ok()) Fail(status.ToString());
  double worst = 0, most = 0;
  for (size_t k = 0; k < results.size(); ++k) {
    const std::string expected = ReadAll(path + "/output_" + std::to_string(k) + ".bin");
    if (expected.size() != results[k].size()) Fail(path + ": sizes of the outputs differ");
    std::vector<float> a(expected.size() / sizeof(float)), b(a.size());
    std::memcpy(a.data(), expected.data(), expected.size());
    std::memcpy(b.data(), results[k].data(), expected.size());
    for (size_t i = 0; i < a.size(); ++i) {
      worst = std::max(worst, a[i] == b[i] ? 0.0 : std::abs(double{a[i]} - b[i]));
      most = std::max(most, std::abs(double{a[i]}));
    }
  }
  const bool near = worst <= row.step * 1.001, as_planned = !row.integer || floats == 0;
  std::printf("%-28s largest difference %-11.4g = %.3f steps, of %.3g; %d steps, %d not INT8%s\n", row.name, worst, worst / row.step, most,
              static_cast<int>(program->steps.size()), floats, near && as_planned && most > 0 ? "" : "  FAILED");
  for (const runtime::Step& step : program->steps) {
    if (!as_planned) std::printf("    %s\n", step.kernel.c_str());
  }
  return near && as_planned && most > 0;
}

int Run(int argc, char** argv) {
  if (argc != 3) Fail("usage: operators write|check DIR");
  if (std::string(argv[1]) == "write") {
    Write(argv[2]);
    return 0;
  }
  RegisterAllKernels();
  bool good = true;
  for (const OperatorModel& row : testing::OperatorModels()) good &= Check(argv[2], row);
  return good ? 0 : 1;
}

}  // namespace
}  // namespace omkit

int main(int argc, char** argv) { return omkit::Run(argc, argv); }
