// A real network, quantized: every INT8 tensor inside it is the same on the kernels of each instruction set as in the interpreter.
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>

#include "backends/compile.h"
#include "backends/evaluator.h"
#include "frontends/frontend.h"
#include "gtest/gtest.h"
#include "ir/op.h"
#include "runtime/soc.h"

namespace omkit {
namespace {

std::string SharedModel(const std::string& name) {
  const char* shared = std::getenv("OMKIT_SHARED");
  const std::filesystem::path root = shared != nullptr ? shared : std::filesystem::canonical("bazelw").parent_path().parent_path() / "shared";
  return (root / "models" / name).string();
}

Tensor Noise(const TensorType& type, uint32_t seed) {
  Tensor t = *Tensor::Allocate(type);
  uint32_t s = seed;
  for (int64_t i = 0; i < t.elements(); ++i) {
    s = s * 1664525u + 1013904223u;
    t.mutable_data<float>()[i] = static_cast<float>(-1.0 + 2.0 * ((s >> 8) / 16777216.0));
  }
  return t;
}

class BitExact : public ::testing::TestWithParam<const char*> {};

TEST_P(BitExact, EveryInt8Tensor) {
  const std::string path = SharedModel(GetParam());
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "skipped: no " << path;
  auto imported = frontends::Import(5, {path});
  ASSERT_TRUE(imported.ok()) << imported.status();
  std::unique_ptr<ir::Graph> graph;
  CompileOptions options;
  options.quant_type = QuantType::kInt8;
  options.quantize.effort = QuantEffort::kFast;  // what is under test is the arithmetic, not the choice of ranges
  options.quantize.calibration = [](const ir::Graph& g) -> absl::StatusOr<passes::CalibrationSource> {
    return passes::CalibrationSource{
        2, [&g](int i) -> absl::StatusOr<std::vector<Tensor>> { return std::vector<Tensor>{Noise(g.value(g.inputs()[0]).type, 11 + i)}; }};
  };
  options.on_final_graph = [&](const ir::Graph& g) { graph = g.Clone(); };
  const auto program = Compile(*std::move(imported), options);
  ASSERT_TRUE(program.ok()) << program.status();

  std::vector<ir::ValueId> watched;
  for (ir::ValueId v = 0; v < graph->num_values(); ++v) {
    if (graph->value(v).type.quantized() && !graph->IsConstant(v) && graph->Producer(v) != nullptr) watched.push_back(v);
  }
  ASSERT_GT(watched.size(), 5u);
  const std::vector<Tensor> inputs = {Noise(graph->value(graph->inputs()[0]).type, 99)};
  std::map<ir::ValueId, Tensor> expected;
  auto interpreter = ir::MakeInterpreter(*graph, watched);
  ASSERT_TRUE(interpreter.ok());
  ASSERT_TRUE((*interpreter)->Run(inputs, [&](ir::ValueId v, const Tensor& t) { expected[v] = t.Clone(); }).ok());
  for (const runtime::SocRow& row : runtime::SocRows()) {
    if (!CpuSupports(row.isa) || row.name == std::string(runtime::kReferenceSoc)) continue;
    SCOPED_TRACE(row.name);
    auto evaluator = BackendEvaluators(row.name)(*graph, watched);
    ASSERT_TRUE(evaluator.ok()) << evaluator.status();
    size_t compared = 0;
    const absl::Status run = (*evaluator)->Run(inputs, [&](ir::ValueId v, const Tensor& t) {
      if (!t.type().quantized()) return;
      ++compared;
      EXPECT_EQ(std::memcmp(t.raw(), expected.at(v).raw(), t.bytes()), 0) << graph->value(v).name;
    });
    ASSERT_TRUE(run.ok()) << run;
    EXPECT_EQ(compared, watched.size());
  }
}

INSTANTIATE_TEST_SUITE_P(Models, BitExact,
                         ::testing::Values("mobilenet_v2_224_fp32.onnx", "mobilenet_v1_025_128_fp32.onnx", "kws_dscnn_fp32.onnx",
                                           "cifar10_resnet8_fp32.onnx", "yunet_n_320.onnx", "ultraface_rfb320.onnx"));

}  // namespace
}  // namespace omkit
