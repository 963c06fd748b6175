// The graph inside offline models that take ranges of shapes: it comes back as it was, and hostile bytes give a status or a plan that
// passes the verifiers, never a crash. OMKIT_MUTATIONS=<n> for long runs.
#include "backends/graph_codec.h"

#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "backends/bind.h"
#include "backends/compile.h"
#include "backends/run_side.h"
#include "gtest/gtest.h"
#include "runtime/soc.h"
#include "runtime/verify_program.h"
#include "tests/random_graph/random_graph.h"

namespace omkit {
namespace {

// A quantized network with open batch and image size, as the compiler stores it.
std::unique_ptr<ir::Graph> OpenGraph(uint32_t seed) {
  std::unique_ptr<ir::Graph> result;
  std::unique_ptr<ir::Graph> graph = testing::RandomGraph(seed);
  const std::vector<int64_t> fixed = graph->value(graph->inputs()[0]).type.shape.vec();
  CompileOptions options;
  options.quant_type = seed % 2 == 0 ? QuantType::kInt8 : QuantType::kNone;
  options.input_shapes["input"] = {-1, fixed[1], -1, -1};
  options.choice.mode = runtime::ShapeMode::kRanges;
  options.choice.hint["input"] = fixed;
  options.quantize.calibration = [seed](const ir::Graph& g) -> absl::StatusOr<passes::CalibrationSource> {
    return passes::CalibrationSource{1, [&g, seed](int) -> absl::StatusOr<std::vector<Tensor>> { return testing::RandomInputs(g, seed); }};
  };
  options.on_final_graph = [&](const ir::Graph& g) { result = g.Clone(); };
  const auto program = Compile(std::move(graph), options);
  EXPECT_TRUE(program.ok()) << program.status();
  return result;
}

TEST(GraphCodec, RoundTrip) {
  for (uint32_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    const std::unique_ptr<ir::Graph> graph = OpenGraph(seed);
    ASSERT_NE(graph, nullptr);
    WeightPool weights;
    const auto bytes = EncodeGraph(*graph, &weights);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    const auto decoded = DecodeGraph(*bytes, weights.data(), weights.size());
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    // Numbers of values differ, so the two are compared once they have been through the codec.
    WeightPool again;
    EXPECT_EQ(*EncodeGraph(**decoded, &again), *bytes);
    ASSERT_EQ(again.size(), weights.size());
    EXPECT_EQ(std::memcmp(again.data(), weights.data(), weights.size()), 0);
  }
}

TEST(GraphCodec, HostileBytes) {
  RegisterAllKernels();
  const char* wanted = std::getenv("OMKIT_MUTATIONS");
  const int mutations = wanted != nullptr ? std::atoi(wanted) : 300;
  int lowered = 0;
  for (uint32_t seed = 1; seed <= 4; ++seed) {
    const std::unique_ptr<ir::Graph> graph = OpenGraph(seed);
    ASSERT_NE(graph, nullptr);
    WeightPool weights;
    const std::string good = *EncodeGraph(*graph, &weights);
    const int64_t channels = graph->value(graph->inputs()[0]).type.shape.dim(1);
    uint32_t random = seed;
    const auto next = [&random] { return (random = random * 1664525u + 1013904223u) >> 8; };
    for (int i = 0; i < mutations; ++i) {
      std::string bytes = good;
      for (uint32_t k = 0; k <= next() % 2; ++k) {
        static constexpr int32_t kNumbers[] = {0, 1, -1, 2, 3, 255, 1 << 30, -5};
        const size_t at = next() % (bytes.size() - 4);
        if (next() % 2 == 0) bytes[at] = static_cast<char>(next());
        else std::memcpy(&bytes[at / 4 * 4], &kNumbers[next() % 8], 4);
      }
      const auto decoded = DecodeGraph(bytes, weights.data(), weights.size());
      if (!decoded.ok() || (*decoded)->inputs().size() != 1) continue;
      WeightPool pool;
      const auto plan = LowerBound(**decoded, {{1, channels, 14, 14}}, runtime::HostSoc(), &pool);
      if (!plan.ok()) continue;
      ++lowered;
      // Either may find something; both must come back.
      runtime::VerifyPlan(*plan, pool.size()).IgnoreError();
      runtime::VerifyKernels(*plan).IgnoreError();
    }
  }
  EXPECT_GT(lowered, 4 * mutations / 20) << "too few mutations reach the lowering";
}

}  // namespace
}  // namespace omkit
