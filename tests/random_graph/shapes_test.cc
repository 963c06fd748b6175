// Shapes chosen at run time: in every gear, and for any shape inside a range, a network computes what the interpreter computes for that shape.
#include "runtime/shapes.h"

#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "backends/bind.h"
#include "backends/compile.h"
#include "backends/range_plans.h"
#include "backends/run_side.h"
#include "gtest/gtest.h"
#include "ir/evaluate.h"
#include "runtime/model.h"
#include "runtime/om_file.h"
#include "tests/random_graph/random_graph.h"

namespace omkit {
namespace {

using runtime::ShapeMode;

struct Compiled {
  std::unique_ptr<runtime::Model> model;
  std::unique_ptr<ir::Graph> graph;  // as lowered, with open dimensions
};

// Compiles to INT8 and goes through a file, so that what is stored is what runs.
absl::StatusOr<Compiled> CompileOpen(uint32_t seed, const std::vector<int64_t>& dims, const ShapeChoice& choice, QuantType quant_type) {
  Compiled compiled;
  CompileOptions options;
  options.soc_version = "host";
  options.quant_type = quant_type;
  options.input_shapes = {{"input", dims}};
  options.choice = choice;
  options.quantize.calibration = [seed](const ir::Graph& g) -> absl::StatusOr<passes::CalibrationSource> {
    passes::CalibrationSource source;
    source.count = 2;
    source.sample = [&g, seed](int i) -> absl::StatusOr<std::vector<Tensor>> { return testing::RandomInputs(g, seed + 1000 + i); };
    return source;
  };
  options.on_final_graph = [&](const ir::Graph& g) { compiled.graph = g.Clone(); };
  auto program = Compile(testing::RandomGraph(seed), options);
  if (!program.ok()) return program.status();
  RegisterAllKernels();
  RegisterRangePlans();
  const auto bytes = runtime::SerializeOm(*program);
  if (!bytes.ok()) return bytes.status();
  auto om = runtime::LoadOmFromMemory(bytes->data(), bytes->size());
  if (!om.ok()) return om.status();
  auto model = runtime::Model::Load(*std::move(om));
  if (!model.ok()) return model.status();
  compiled.model = *std::move(model);
  return compiled;
}

void ExpectSameAsInterpreter(const Compiled& compiled, const runtime::Executor& executor, const InputDims& dims, uint32_t seed) {
  const auto bound = BindGraph(*compiled.graph, dims);
  ASSERT_TRUE(bound.ok()) << bound.status();
  const std::vector<Tensor> inputs = testing::RandomInputs(**bound, seed);
  const auto expected = ir::Interpret(**bound, inputs);
  ASSERT_TRUE(expected.ok()) << expected.status();
  std::vector<const void*> in = {inputs[0].raw()};
  in.resize(executor.plan().inputs.size());
  std::vector<std::vector<float>> results;
  std::vector<void*> out;
  for (const runtime::IoDesc& io : executor.plan().outputs) results.emplace_back(io.bytes / sizeof(float) + 1);
  for (std::vector<float>& result : results) out.push_back(result.data());
  const absl::Status status = compiled.model->Execute(executor, in, out);
  ASSERT_TRUE(status.ok()) << status;
  for (size_t o = 0; o < expected->size(); ++o) {
    const Tensor& want = (*expected)[o];
    ASSERT_EQ(executor.plan().outputs[o].dims, want.shape().vec());
    for (int64_t i = 0; i < want.elements(); ++i) {
      ASSERT_NEAR(results[o][i], want.data<float>()[i], 1e-5 + 1e-4 * std::abs(want.data<float>()[i])) << "output " << o << ", element " << i;
    }
  }
}

std::vector<int64_t> FixedDims(uint32_t seed) {
  const auto graph = testing::RandomGraph(seed);
  return graph->value(graph->inputs()[0]).type.shape.vec();
}

TEST(RandomShapes, EveryBatchGear) {
  for (uint32_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    std::vector<int64_t> dims = FixedDims(seed);
    dims[0] = -1;
    ShapeChoice choice;
    choice.mode = ShapeMode::kBatchGears;
    choice.gears = {{1}, {3}, {2}};
    const auto compiled = CompileOpen(seed, dims, choice, seed % 2 == 0 ? QuantType::kInt8 : QuantType::kNone);
    ASSERT_TRUE(compiled.ok()) << compiled.status();
    for (size_t gear = 0; gear < 3; ++gear) {
      dims[0] = choice.gears[gear][0];
      ExpectSameAsInterpreter(*compiled, compiled->model->gear(gear), {dims}, seed + 7);
    }
  }
}

// Branches of a random network may fit together at its own size only: such networks are passed over, and most must remain.
TEST(RandomShapes, AnyImageSizeOfARange) {
  int bound = 0;
  for (uint32_t seed = 20; seed < 32; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    const std::vector<int64_t> fixed = FixedDims(seed);
    ShapeChoice choice;
    choice.mode = ShapeMode::kRanges;
    choice.ranges["input"] = {{1, 4}, {fixed[1], fixed[1]}, {4, 64}, {4, -1}};
    choice.hint["input"] = fixed;
    const auto compiled = CompileOpen(seed, {-1, fixed[1], -1, -1}, choice, seed % 2 == 0 ? QuantType::kInt8 : QuantType::kNone);
    ASSERT_TRUE(compiled.ok()) << compiled.status();
    for (const std::vector<int64_t>& dims : {fixed, {fixed[0] + 1, fixed[1], fixed[2] + 8, fixed[3] + 4}, {1, fixed[1], 24, 20}, fixed}) {
      const auto executor = compiled->model->Bind({dims});
      if (!executor.ok()) {
        EXPECT_NE(dims, fixed) << executor.status();
        EXPECT_EQ(executor.status().code(), absl::StatusCode::kInvalidArgument) << executor.status();
        continue;
      }
      ++bound;
      ExpectSameAsInterpreter(*compiled, **executor, {dims}, seed + 7);
    }
  }
  EXPECT_GE(bound, 36);
}

}  // namespace
}  // namespace omkit
