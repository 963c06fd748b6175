// The law of the product: an INT8 network computes the same bits on every instruction set and thread count as in the interpreter.
#include <cmath>
#include <cstring>
#include <set>

#include "absl/strings/str_cat.h"
#include "backends/compile.h"
#include "backends/kernels/conv_u8/conv_u8.h"
#include "backends/run_side.h"
#include "gtest/gtest.h"
#include "ir/element_function.h"
#include "ir/evaluate.h"
#include "ir/op.h"
#include "runtime/model.h"
#include "runtime/soc.h"
#include "tests/random_graph/random_graph.h"

namespace omkit {
namespace {

using ir::Graph;
using ir::Node;
using ir::OpKind;
using ir::ValueId;

// Float functions that kernels approximate with polynomials: within a bound of the interpreter, not equal to it.
bool IsApproximated(const Graph& graph, const Node& node) {
  const TensorType& y = graph.value(node.outputs[0]).type;
  if (y.quantized()) return false;
  switch (node.op) {
    case OpKind::kDequantize:
    case OpKind::kAdd:
    case OpKind::kSub:
    case OpKind::kMul:
    case OpKind::kMaxPool:
    case OpKind::kRelu:
    case OpKind::kClip: return false;
    case OpKind::kConv:
    case OpKind::kDense: return !graph.value(node.inputs[0]).type.quantized();
    default: return !ir::Def(node.op).Is(ir::kMovement);
  }
}

// Float nodes that are one table of 8-bit values: exact.
std::set<ir::NodeId> InTables(const Graph& graph) {
  std::set<ir::NodeId> nodes;
  for (ir::NodeId id = 0; id < static_cast<ir::NodeId>(graph.node_limit()); ++id) {
    if (!graph.alive(id)) continue;
    const ir::ElementChain chain = ir::ElementChainAt(graph, graph.node(id));
    nodes.insert(chain.functions.begin(), chain.functions.end());
  }
  return nodes;
}

bool DependsOnApproximation(const Graph& graph, ValueId output) {
  const std::set<ir::NodeId> exact = InTables(graph);
  std::vector<ValueId> work = {output};
  std::set<ValueId> seen;
  while (!work.empty()) {
    const ValueId v = work.back();
    work.pop_back();
    if (v == ir::kNoValue || !seen.insert(v).second) continue;
    const Node* node = graph.Producer(v);
    if (node == nullptr) continue;
    if (exact.count(node->id) == 0 && IsApproximated(graph, *node)) return true;
    work.insert(work.end(), node->inputs.begin(), node->inputs.end());
  }
  return false;
}

struct Compiled {
  runtime::Program program;
  std::unique_ptr<Graph> graph;  // as lowered
};

absl::StatusOr<Compiled> CompileInt8(uint32_t seed, const std::string& soc, const passes::QuantizePolicy& policy = {}) {
  std::unique_ptr<Graph> graph = testing::RandomGraph(seed);
  Compiled compiled;
  CompileOptions options;
  options.soc_version = soc;
  options.quant_type = QuantType::kInt8;
  options.quantize.policy = policy;
  options.quantize.effort = QuantEffort::kFast;  // what is under test is the arithmetic, not the choice of ranges
  options.quantize.calibration = [&](const Graph& g) -> absl::StatusOr<passes::CalibrationSource> {
    passes::CalibrationSource source;
    source.count = 2;
    source.sample = [&g, seed](int i) -> absl::StatusOr<std::vector<Tensor>> { return testing::RandomInputs(g, seed + 1000 + i); };
    return source;
  };
  options.on_final_graph = [&](const Graph& g) { compiled.graph = g.Clone(); };
  auto program = Compile(std::move(graph), options);
  if (!program.ok()) return program.status();
  compiled.program = *std::move(program);
  return compiled;
}

absl::StatusOr<std::vector<Tensor>> RunProgram(const runtime::Program& program, const Graph& graph, const std::vector<Tensor>& inputs, int threads) {
  auto om = runtime::LoadedOmFrom(program);
  if (!om.ok()) return om.status();
  runtime::ModelOptions options;
  options.threads = threads;
  options.check_soc = false;
  auto model = runtime::Model::Load(*std::move(om), options);
  if (!model.ok()) return model.status();
  std::vector<Tensor> outputs;
  std::vector<const void*> in;
  std::vector<void*> out;
  for (const Tensor& t : inputs) in.push_back(t.raw());
  for (ValueId v : graph.outputs()) outputs.push_back(*Tensor::Allocate(graph.value(v).type));
  for (Tensor& t : outputs) out.push_back(t.mutable_raw());
  // The second run finds the memory that the first one left behind.
  for (int run = 0; run < 2; ++run) {
    absl::Status status = (*model)->Execute(in, out);
    if (!status.ok()) return status;
  }
  return outputs;
}

void ExpectNear(const Tensor& actual, const Tensor& expected) {
  for (int64_t k = 0; k < expected.elements(); ++k) {
    ASSERT_NEAR(actual.data<float>()[k], expected.data<float>()[k], 1e-5 + 1e-4 * std::abs(expected.data<float>()[k])) << "element " << k;
  }
}

TEST(Backend, Int8EqualsTheInterpreterOnEveryTierAndThreadCount) {
  constexpr uint32_t kGraphs = 520;
  RegisterAllKernels();
  std::vector<std::string> socs;
  for (const runtime::SocRow& row : runtime::SocRows()) {
    if (row.name != std::string(runtime::kReferenceSoc) && CpuSupports(row.isa)) socs.push_back(row.name);
  }
  int exact_graphs = 0, int8_nodes = 0;
  for (uint32_t seed = 0; seed < kGraphs; ++seed) {
    SCOPED_TRACE(seed);
    bool exact = true;
    for (const std::string& soc : socs) {
      SCOPED_TRACE(soc);
      const auto compiled = CompileInt8(seed, soc);
      ASSERT_TRUE(compiled.ok()) << compiled.status();
      const Graph& graph = *compiled->graph;
      const std::vector<Tensor> inputs = testing::RandomInputs(graph, seed);
      const auto expected = ir::Interpret(graph, inputs);
      ASSERT_TRUE(expected.ok()) << expected.status();
      for (int threads : {1, 2, 3}) {
        const auto actual = RunProgram(compiled->program, graph, inputs, threads);
        ASSERT_TRUE(actual.ok()) << actual.status();
        for (size_t i = 0; i < actual->size(); ++i) {
          SCOPED_TRACE(graph.value(graph.outputs()[i]).name);
          if (DependsOnApproximation(graph, graph.outputs()[i])) {
            exact = false;
            ExpectNear((*actual)[i], (*expected)[i]);
          } else {
            ASSERT_EQ(std::memcmp((*actual)[i].raw(), (*expected)[i].raw(), (*expected)[i].bytes()), 0);
          }
        }
      }
      for (const runtime::Step& step : compiled->program.steps) int8_nodes += step.kernel.find("conv_u8") != std::string::npos;
    }
    exact_graphs += exact;
  }
  EXPECT_GE(exact_graphs, 200) << "too few graphs are compared bit for bit";
  EXPECT_GT(int8_nodes, 1000);
}

// Layers of which some channels have weights beyond int8, as quantization-aware training with uint8 weights makes them.
TEST(Backend, WideChannelsEqualTheInterpreterOnEveryTier) {
  RegisterAllKernels();
  const auto quantized = [](DType dtype, Shape shape, float scale, int zero) {
    TensorType type{dtype, std::move(shape), {}, Layout::kPlain};
    type.quant = QuantParams::PerTensor(scale, zero);
    return type;
  };
  // [output channels, input channels / groups, height and width of the kernel], groups.
  const std::pair<Shape, int64_t> layers[] = {{{40, 3, 3, 3}, 1}, {{40, 1, 3, 3}, 40}, {{70, 40, 1, 1}, 1}, {{6, 35, 2, 2}, 2}};
  auto graph = std::make_unique<Graph>();
  const ValueId x = graph->AddInput("x", {DType::kFloat32, {2, 3, 9, 9}, {}, Layout::kPlain});
  ValueId y = graph->node(graph->AddNode(OpKind::kQuantize, "q", {x})).outputs[0];
  graph->SetType(y, quantized(DType::kUInt8, {2, 3, 9, 9}, 0.02f, 100));
  int size = 9, number = 0;
  for (const auto& [shape, groups] : layers) {
    Tensor w = *Tensor::Allocate([&, &shape = shape] {
      TensorType type{DType::kInt16, shape, {}, Layout::kPlain};
      type.quant = {std::vector<float>(shape.dim(0), 0.004f), std::vector<int32_t>(shape.dim(0), 0), 0};
      return type;
    }());
    for (int64_t i = 0; i < w.elements(); ++i) w.mutable_data<int16_t>()[i] = static_cast<int16_t>(i * 67 % 255 - 127);
    w.mutable_data<int16_t>()[1] = 255;
    w.mutable_data<int16_t>()[w.elements() - 1] = -203;
    ir::Attrs attrs;
    attrs.Set("group", groups);
    const std::string name = absl::StrCat("layer", number++);
    y = graph->node(graph->AddNode(OpKind::kConv, name, {y, graph->AddConstant(name + ":w", std::move(w))}, attrs)).outputs[0];
    size -= static_cast<int>(shape.dim(2)) - 1;
    graph->SetType(y, quantized(DType::kUInt8, {2, shape.dim(0), size, size}, 0.05f, 120));
  }
  graph->MarkOutput(graph->node(graph->AddNode(OpKind::kDequantize, "d", {y})).outputs[0]);
  ASSERT_TRUE(ir::InferGraph(*graph).ok());
  const std::vector<Tensor> inputs = testing::RandomInputs(*graph, 5);
  const auto expected = ir::Interpret(*graph, inputs);
  ASSERT_TRUE(expected.ok()) << expected.status();
  for (const runtime::SocRow& row : runtime::SocRows()) {
    if (!CpuSupports(row.isa)) continue;
    SCOPED_TRACE(row.name);
    CompileOptions options;
    options.soc_version = row.name;
    const auto program = Compile(graph->Clone(), options);
    ASSERT_TRUE(program.ok()) << program.status();
    int wide = 0;
    for (const runtime::Step& step : program->steps) {
      if (step.kernel.find("conv_u8") != std::string::npos) wide += runtime::ParamsOf<kernels::ConvU8Params>(step).remainders > 0;
    }
    EXPECT_EQ(wide, row.name == std::string(runtime::kReferenceSoc) ? 0 : 4);
    for (int threads : {1, 3}) {
      const auto actual = RunProgram(*program, *graph, inputs, threads);
      ASSERT_TRUE(actual.ok()) << actual.status();
      ASSERT_EQ(std::memcmp((*actual)[0].raw(), (*expected)[0].raw(), (*expected)[0].bytes()), 0);
    }
  }
}

// W8A16: convolutions and dense layers with int8 weights among float ones and, on every second seed, INT8 dense layers.
TEST(Backend, Int8WeightsAreNearTheInterpreterAndTheSameOnEveryTier) {
  constexpr uint32_t kGraphs = 60;
  RegisterAllKernels();
  int layers = 0;
  for (uint32_t seed = 0; seed < kGraphs; ++seed) {
    SCOPED_TRACE(seed);
    passes::QuantizePolicy policy;
    (seed % 2 == 0 ? policy.common : policy.by_type["Conv"]).weight_only = true;
    std::vector<Tensor> first;
    for (const runtime::SocRow& row : runtime::SocRows()) {
      if (row.name == std::string(runtime::kReferenceSoc) || !CpuSupports(row.isa)) continue;
      SCOPED_TRACE(row.name);
      const auto compiled = CompileInt8(seed, row.name, policy);
      ASSERT_TRUE(compiled.ok()) << compiled.status();
      const Graph& graph = *compiled->graph;
      const std::vector<Tensor> inputs = testing::RandomInputs(graph, seed);
      const auto expected = ir::Interpret(graph, inputs);
      ASSERT_TRUE(expected.ok()) << expected.status();
      const auto actual = RunProgram(compiled->program, graph, inputs, 1 + static_cast<int>(seed % 3));
      ASSERT_TRUE(actual.ok()) << actual.status();
      if (first.empty()) first = *actual;
      for (size_t i = 0; i < actual->size(); ++i) {
        if (seed % 2 == 0) ExpectNear((*actual)[i], (*expected)[i]);
        ASSERT_EQ(std::memcmp((*actual)[i].raw(), first[i].raw(), first[i].bytes()), 0);
      }
      for (const runtime::Step& step : compiled->program.steps) layers += step.kernel.find("conv_f32w8") != std::string::npos;
    }
  }
  EXPECT_GT(layers, 100);
}

// Conv -> HardSwish -> * 0.5 -> + 1 -> Conv, and a second reader of the first convolution.
TEST(Backend, AChainOfElementFunctionsIsOneTable) {
  RegisterAllKernels();
  auto graph = std::make_unique<Graph>();
  const ValueId x = graph->AddInput("x", {DType::kFloat32, {1, 4, 5, 5}, {}, Layout::kPlain});
  const auto op = [&](OpKind kind, const char* name, std::vector<ValueId> inputs) {
    return graph->node(graph->AddNode(kind, name, std::move(inputs))).outputs[0];
  };
  const auto constant = [&](const char* name, Shape shape, float scale) {
    Tensor t = *Tensor::Allocate(DType::kFloat32, std::move(shape));
    for (int64_t i = 0; i < t.elements(); ++i) t.mutable_data<float>()[i] = scale * static_cast<float>(t.elements() == 1 ? 1 : i % 5 - 2);
    return graph->AddConstant(name, std::move(t));
  };
  const ValueId a = op(OpKind::kConv, "a", {x, constant("wa", {4, 4, 1, 1}, 0.3f)});
  const ValueId b = op(OpKind::kHardSwish, "b", {a});
  const ValueId c = op(OpKind::kMul, "c", {constant("half", {1, 1, 1, 1}, 0.5f), b});
  const ValueId d = op(OpKind::kAdd, "d", {c, constant("one", {1}, 1.0f)});
  const ValueId e = op(OpKind::kConv, "e", {d, constant("we", {4, 4, 1, 1}, 0.2f)});
  const ValueId f = op(OpKind::kConv, "f", {a, constant("wf", {4, 4, 1, 1}, 0.1f)});
  graph->MarkOutput(e);
  graph->MarkOutput(f);
  std::unique_ptr<Graph> lowered;
  CompileOptions options;
  options.quant_type = QuantType::kInt8;
  options.quantize.effort = QuantEffort::kFast;
  options.quantize.calibration = [](const Graph& g) -> absl::StatusOr<passes::CalibrationSource> {
    return passes::CalibrationSource{2, [&g](int i) -> absl::StatusOr<std::vector<Tensor>> { return testing::RandomInputs(g, 7 + i); }};
  };
  options.on_final_graph = [&](const Graph& g) { lowered = g.Clone(); };
  const auto program = Compile(std::move(graph), options);
  ASSERT_TRUE(program.ok()) << program.status();
  int tables = 0, convolutions = 0, others = 0;
  for (const runtime::Step& step : program->steps) {
    tables += step.kernel.find("lut_u8") != std::string::npos;
    convolutions += step.kernel.find("conv_u8") != std::string::npos;
    others += step.kernel.find("binary") != std::string::npos || step.kernel.find("unary") != std::string::npos;
  }
  EXPECT_EQ(tables, 1);
  EXPECT_EQ(convolutions, 3);
  EXPECT_EQ(others, 0);
  const std::vector<Tensor> inputs = testing::RandomInputs(*lowered, 1);
  const auto expected = ir::Interpret(*lowered, inputs);
  ASSERT_TRUE(expected.ok()) << expected.status();
  const auto actual = RunProgram(*program, *lowered, inputs, 1);
  ASSERT_TRUE(actual.ok()) << actual.status();
  for (size_t i = 0; i < actual->size(); ++i) EXPECT_EQ(std::memcmp((*actual)[i].raw(), (*expected)[i].raw(), (*expected)[i].bytes()), 0) << i;
}

}  // namespace
}  // namespace omkit
