// Random networks with a quantization of their own: absorbed, they equal the model's arithmetic within one step per requantization, and
// compiled, they compute the interpreter's bits.
#include <cstring>

#include "backends/compile.h"
#include "backends/run_side.h"
#include "base/log.h"
#include "frontends/qdq/absorb.h"
#include "gtest/gtest.h"
#include "ir/evaluate.h"
#include "ir/op.h"
#include "passes/fuse.h"
#include "passes/shapes.h"
#include "runtime/model.h"
#include "runtime/om_file.h"
#include "tests/qdq/compare.h"
#include "tests/qdq/own_quantization.h"
#include "tests/random_graph/random_graph.h"

namespace omkit {
namespace {

using ir::Graph;
using ir::OpKind;
using ir::ValueId;

std::unique_ptr<Graph> RandomModel(uint32_t seed) {
  const std::unique_ptr<Graph> plain = testing::RandomGraph(seed);
  return testing::WithOwnQuantization(*plain, testing::RandomInputs(*plain, seed), seed);
}

TEST(RandomQdq, EqualsTheModelsOwnArithmeticWithinOneStep) {
  constexpr uint32_t kGraphs = 300;
  int64_t elements = 0, unequal = 0;
  int tensors = 0, layers = 0, integer_layers = 0;
  for (uint32_t seed = 0; seed < kGraphs; ++seed) {
    SCOPED_TRACE(seed);
    const std::unique_ptr<Graph> model = RandomModel(seed);
    const absl::Status prepared = passes::RunPasses({passes::InferShapes(), passes::Simplify()}, {}, *model);
    ASSERT_TRUE(prepared.ok()) << prepared;
    const std::unique_ptr<Graph> absorbed = model->Clone();
    const auto done = frontends::AbsorbQdq(*absorbed);
    ASSERT_TRUE(done.ok()) << done.status();
    ASSERT_TRUE(*done);
    const testing::Difference d = testing::Compare(*model, *absorbed, testing::RandomInputs(*model, seed));
    EXPECT_LE(d.largest, 1) << d.where;
    EXPECT_LE(d.output_error, 0.02);
    elements += d.elements;
    unequal += d.unequal;
    tensors += d.tensors;
    for (ir::NodeId id : testing::Order(*absorbed)) {
      const ir::Node& node = absorbed->node(id);
      if (node.op != OpKind::kConv && node.op != OpKind::kDense && node.op != OpKind::kGemm) continue;
      ++layers;
      integer_layers += absorbed->value(node.inputs[0]).type.quantized();
    }
  }
  std::printf("%d tensors, %lld of %lld elements unequal, %d of %d layers integer\n", tensors, static_cast<long long>(unequal),
              static_cast<long long>(elements), integer_layers, layers);
  EXPECT_LT(static_cast<double>(unequal), 0.01 * static_cast<double>(elements));
  EXPECT_GT(tensors, 5 * kGraphs);
  EXPECT_GT(integer_layers, layers * 7 / 10);
}

// Float functions that kernels approximate make results near, not equal.
bool IsInteger(const Graph& graph) {
  for (ir::NodeId id : testing::Order(graph)) {
    const ir::Node& node = graph.node(id);
    const bool border = node.op == OpKind::kQuantize || node.op == OpKind::kDequantize;
    const bool layer = node.op == OpKind::kConv || node.op == OpKind::kDense;
    const bool exact = border || ir::Def(node.op).Is(ir::kMovement) || (layer && graph.value(node.inputs[0]).type.quantized());
    if (!exact && !graph.value(node.outputs[0]).type.quantized()) return false;
  }
  return true;
}

TEST(RandomQdq, CompiledModelsComputeTheInterpretersBits) {
  constexpr uint32_t kGraphs = 150;
  RegisterAllKernels();
  int exact = 0, reference_steps = 0;
  for (uint32_t seed = 0; seed < kGraphs; ++seed) {
    SCOPED_TRACE(seed);
    std::unique_ptr<Graph> final_graph;
    CompileOptions options;
    options.on_final_graph = [&](const Graph& g) { final_graph = g.Clone(); };
    const auto program = Compile(RandomModel(seed), options);
    ASSERT_TRUE(program.ok()) << program.status();
    auto om = runtime::LoadedOmFrom(*program);
    ASSERT_TRUE(om.ok()) << om.status();
    auto model = runtime::Model::Load(*std::move(om));
    ASSERT_TRUE(model.ok()) << model.status();
    const std::vector<Tensor> inputs = testing::RandomInputs(*final_graph, seed);
    const auto expected = ir::Interpret(*final_graph, inputs);
    ASSERT_TRUE(expected.ok()) << expected.status();
    std::vector<Tensor> outputs;
    std::vector<const void*> in;
    std::vector<void*> out;
    for (const Tensor& t : inputs) in.push_back(t.raw());
    for (ValueId v : final_graph->outputs()) outputs.push_back(*Tensor::Allocate(final_graph->value(v).type));
    for (Tensor& t : outputs) out.push_back(t.mutable_raw());
    const absl::Status status = (*model)->Execute(in, out);
    ASSERT_TRUE(status.ok()) << status;
    for (const runtime::Step& step : program->steps) reference_steps += step.kernel.find("reference") != std::string::npos;
    if (!IsInteger(*final_graph)) continue;
    ++exact;
    for (size_t i = 0; i < outputs.size(); ++i)
      ASSERT_EQ(std::memcmp(outputs[i].raw(), (*expected)[i].raw(), outputs[i].bytes()), 0) << "output " << i;
  }
  std::printf("%d of %d models wholly integer, %d reference steps\n", exact, static_cast<int>(kGraphs), reference_steps);
  EXPECT_GT(exact, 20);
  EXPECT_LE(reference_steps, 5);
}

TEST(RandomQdq, KeepsItsQuantizationWhenInt8IsAskedFor) {
  RegisterAllKernels();
  std::string warning;
  SetLogSink([&](LogLevel level, absl::string_view text) {
    if (level == LogLevel::kWarning) warning += std::string(text);
  });
  CompileOptions options;
  options.quant_type = QuantType::kInt8;
  const auto asked = Compile(RandomModel(3), options);
  SetLogSink({});
  const auto plain = Compile(RandomModel(3), {});
  ASSERT_TRUE(asked.ok() && plain.ok()) << asked.status() << plain.status();
  EXPECT_NE(warning.find("the model carries its own quantization"), std::string::npos) << warning;
  EXPECT_EQ(asked->steps.size(), plain->steps.size());
}

}  // namespace
}  // namespace omkit
