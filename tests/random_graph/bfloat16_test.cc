// Networks whose float layers compute on bfloat16: near the interpreter, which rounds the same operands, and the same bits on every tier.
#include "passes/bfloat16.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "backends/compile.h"
#include "backends/run_side.h"
#include "gtest/gtest.h"
#include "ir/evaluate.h"
#include "passes/pass.h"
#include "passes/shapes.h"
#include "runtime/model.h"
#include "runtime/om_file.h"
#include "runtime/shapes.h"
#include "runtime/soc.h"
#include "tests/random_graph/random_graph.h"

namespace omkit {
namespace {

using ir::Graph;

struct Compiled {
  runtime::ShapedProgram program;
  std::unique_ptr<Graph> graph;  // as lowered
};

std::vector<int64_t> DimsOf(uint32_t seed) {
  const std::unique_ptr<Graph> graph = testing::RandomGraph(seed);
  return graph->value(graph->inputs()[0]).type.shape.vec();
}

// FP32 with bfloat16 layers; `int8`: INT8 where that is possible, but for convolutions; `open`: the batch is chosen at run time.
absl::StatusOr<Compiled> CompileBFloat16(uint32_t seed, const std::string& soc, bool int8, bool open = false) {
  Compiled compiled;
  CompileOptions options;
  options.soc_version = soc;
  if (open) {
    std::vector<int64_t> dims = DimsOf(seed);
    options.choice.mode = runtime::ShapeMode::kBatchGears;
    options.choice.gears = {{dims[0]}, {dims[0] + 1}};
    dims[0] = -1;
    options.input_shapes = {{"input", dims}};
  }
  options.bfloat16.all = true;
  options.on_final_graph = [&](const Graph& g) { compiled.graph = g.Clone(); };
  if (int8) {
    options.quant_type = QuantType::kInt8;
    options.quantize.effort = QuantEffort::kFast;
    options.quantize.policy.skip_types = {"Conv"};
    options.quantize.calibration = [seed](const Graph& g) -> absl::StatusOr<passes::CalibrationSource> {
      passes::CalibrationSource source;
      source.count = 2;
      source.sample = [&g, seed](int i) -> absl::StatusOr<std::vector<Tensor>> { return testing::RandomInputs(g, seed + 1000 + i); };
      return source;
    };
  }
  auto program = Compile(testing::RandomGraph(seed), options);
  if (!program.ok()) return program.status();
  compiled.program = *std::move(program);
  return compiled;
}

std::vector<Tensor> Execute(const runtime::ShapedProgram& program, const std::vector<Tensor>& inputs, int threads) {
  runtime::ModelOptions options;
  options.threads = threads;
  options.check_soc = false;
  auto om = runtime::LoadedOmFrom(program);
  EXPECT_TRUE(om.ok()) << om.status();
  const auto model = runtime::Model::Load(*std::move(om), options);
  EXPECT_TRUE(model.ok()) << model.status();
  std::vector<Tensor> results;
  if (!model.ok()) return results;
  std::vector<const void*> in;
  std::vector<void*> out;
  for (const Tensor& t : inputs) in.push_back(t.raw());
  for (const runtime::IoDesc& io : (*model)->outputs()) results.push_back(*Tensor::Allocate(io.dtype, Shape(io.dims)));
  for (Tensor& t : results) out.push_back(t.mutable_raw());
  EXPECT_EQ((*model)->Execute(in, out), absl::OkStatus());
  return results;
}

// The largest difference, in parts of the largest element.
double Distance(const Tensor& a, const Tensor& b) {
  double worst = 0, largest = 1e-6;
  for (int64_t k = 0; k < b.elements(); ++k) {
    worst = std::max<double>(worst, std::abs(a.data<float>()[k] - b.data<float>()[k]));
    largest = std::max<double>(largest, std::abs(b.data<float>()[k]));
  }
  return worst / largest;
}

// A layer's input that lies between two bfloat16 values may go to the other one where kernel and interpreter differ in its last bits. INT8 layers
// behind it may go to the next step.
TEST(BFloat16, LayersAreNearTheInterpreterAndTheSameOnEveryTier) {
  RegisterAllKernels();
  int layers = 0, integers = 0, apart = 0;
  for (uint32_t seed = 0; seed < 80; ++seed) {
    SCOPED_TRACE(seed);
    const bool int8 = seed % 4 == 3;
    std::vector<Tensor> first;
    for (const runtime::SocRow& row : runtime::SocRows()) {
      if (row.name == std::string(runtime::kReferenceSoc) || !CpuSupports(row.isa)) continue;
      SCOPED_TRACE(row.name);
      const auto compiled = CompileBFloat16(seed, row.name, int8);
      ASSERT_TRUE(compiled.ok()) << compiled.status();
      const std::vector<Tensor> inputs = testing::RandomInputs(*compiled->graph, seed);
      const std::vector<Tensor> actual = Execute(compiled->program, inputs, 1 + static_cast<int>(seed % 3));
      if (first.empty()) {
        first = actual;
        const auto expected = ir::Interpret(*compiled->graph, inputs);
        ASSERT_TRUE(expected.ok()) << expected.status();
        for (size_t i = 0; i < actual.size(); ++i) EXPECT_LT(Distance(actual[i], (*expected)[i]), int8 ? 0.03 : 0.004);
        // Against the network in FP32: something was rounded, and not much.
        if (!int8) {
          const auto exact = ir::Interpret(*testing::RandomGraph(seed), inputs);
          ASSERT_TRUE(exact.ok()) << exact.status();
          for (size_t i = 0; i < actual.size(); ++i) {
            EXPECT_LT(Distance(actual[i], (*exact)[i]), 0.05);
            apart += Distance(actual[i], (*exact)[i]) > 1e-4;
          }
        }
      }
      for (size_t i = 0; i < actual.size(); ++i) ASSERT_EQ(std::memcmp(actual[i].raw(), first[i].raw(), first[i].bytes()), 0);
      for (const runtime::Step& step : compiled->program.steps) {
        layers += step.kernel.find("conv_bf16") != std::string::npos;
        integers += step.kernel.find("conv_u8") != std::string::npos;
      }
    }
  }
  EXPECT_GT(layers, 200);
  EXPECT_GT(integers, 10);
  EXPECT_GT(apart, 30);
}

// The same layers as with the shape that was fixed, beside INT8 ones as well.
TEST(BFloat16, ShapesMayBeChosenAtRunTime) {
  RegisterAllKernels();
  int layers = 0;
  for (uint32_t seed = 100; seed < 120; ++seed) {
    SCOPED_TRACE(seed);
    const bool int8 = seed % 2 == 1;
    const auto fixed = CompileBFloat16(seed, "host", int8), open = CompileBFloat16(seed, "host", int8, /*open=*/true);
    ASSERT_TRUE(fixed.ok()) << fixed.status();
    ASSERT_TRUE(open.ok()) << open.status();
    std::vector<std::string> kernels[2];
    for (const runtime::Step& step : fixed->program.steps) kernels[0].push_back(step.kernel);
    for (const runtime::Step& step : runtime::GearPlan(open->program, 0).steps) kernels[1].push_back(step.kernel);
    for (std::vector<std::string>& of_one : kernels) {
      of_one.erase(std::remove_if(of_one.begin(), of_one.end(), [](const std::string& k) { return k.find("conv_") == std::string::npos; }),
                   of_one.end());
    }
    EXPECT_EQ(kernels[0], kernels[1]);
    layers += static_cast<int>(
        std::count_if(kernels[1].begin(), kernels[1].end(), [](const std::string& k) { return k.find("bf16") != std::string::npos; }));
  }
  EXPECT_GT(layers, 40);
}

// Three layers in a row; which become bfloat16 is spelled by a letter for each.
TEST(BFloat16, ThePolicyChoosesLayers) {
  const struct {
    const char* what;
    passes::BFloat16Policy policy;
    const char* layers;
  } cases[] = {
      {"nothing", {}, ""},
      {"all", {true, {}, {}, {}, {}, {}}, "abc"},
      {"by name", {false, {"b"}, {}, {}, {}, {}}, "b"},
      {"kept by name", {true, {}, {"b"}, {}, {}, {}}, "ac"},
      {"the name wins", {true, {"b"}, {"b"}, {"Conv", "Gemm"}, {}, {}}, "b"},
      {"kept by type", {true, {}, {}, {"Conv"}, {}, {}}, "c"},
      {"grey behind nothing", {true, {}, {}, {}, {"Conv"}, {}}, "c"},
      {"grey behind one", {true, {"a"}, {}, {}, {"Conv", "MatMul", "Gemm"}, {}}, "abc"},
      {"grey behind what is kept", {true, {"a"}, {"b"}, {}, {"Conv", "Gemm"}, {}}, "a"},
  };
  for (const auto& c : cases) {
    Graph graph;
    const auto constant = [&](const char* name, Shape shape) {
      Tensor t = *Tensor::Allocate(DType::kFloat32, std::move(shape));
      std::fill_n(t.mutable_data<float>(), t.elements(), 1.001f);
      return graph.AddConstant(name, std::move(t));
    };
    const auto node = [&](ir::OpKind op, const char* name, std::vector<ir::ValueId> inputs) {
      return graph.node(graph.AddNode(op, name, std::move(inputs))).outputs[0];
    };
    const ir::ValueId x = graph.AddInput("x", {DType::kFloat32, {1, 3, 4, 4}, {}, Layout::kPlain});
    const ir::ValueId a = node(ir::OpKind::kConv, "a", {x, constant("wa", {5, 3, 1, 1})});
    const ir::ValueId b = node(ir::OpKind::kConv, "b", {node(ir::OpKind::kRelu, "relu", {a}), constant("wb", {4, 5, 1, 1})});
    graph.MarkOutput(node(ir::OpKind::kDense, "c", {b, constant("wc", {6, 4})}));
    ASSERT_EQ(passes::RunPasses({passes::InferShapes()}, {}, graph), absl::OkStatus());
    passes::BFloat16Policy policy = c.policy;
    policy.supported = [](const Graph&, const ir::Node&) { return true; };
    ASSERT_EQ(passes::RunPasses({passes::BFloat16Layers(policy)}, {}, graph), absl::OkStatus()) << c.what;
    std::string layers;
    for (ir::NodeId id = 0; id < static_cast<ir::NodeId>(graph.node_limit()); ++id) {
      if (passes::ComputesOnBFloat16(graph, graph.node(id))) layers += graph.node(id).name;
    }
    EXPECT_EQ(layers, c.layers) << c.what;
  }
}

}  // namespace
}  // namespace omkit
