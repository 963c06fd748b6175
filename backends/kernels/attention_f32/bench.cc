// Attention of 12 heads of 64 and of 4 heads of 32: in one step, and as two products with a softmax between.
#include <benchmark/benchmark.h>

#include <limits>

#include "backends/kernels/attention_f32/attention_f32.h"
#include "backends/kernels/matmul_f32/matmul_f32.h"
#include "backends/kernels/softmax_f32/softmax_f32.h"
#include "backends/kernels/step_runner.h"

namespace omkit::kernels {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

struct Sizes {
  explicit Sizes(const benchmark::State& state) : heads(state.range(0)), size(state.range(1)), tokens(state.range(2)) {}
  int64_t heads, size, tokens;
  // Heads lie inside tokens, as a projection leaves them.
  View Operand() const {
    const int64_t dims[] = {1, heads, tokens, size};
    View view = DenseView(dims, 4, 4);
    view.strides[1] = size;
    view.strides[2] = heads * size;
    return view;
  }
  std::vector<float> Values() const {
    std::vector<float> values(heads * tokens * size);
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i * 7919 % 1000) * 0.002f - 1.0f;
    return values;
  }
};

void Fused(benchmark::State& state) {
  RegisterAttentionF32Kernels();
  const Sizes s(state);
  AttentionF32Params p = {};
  p.q = p.k = p.v = s.Operand();
  const int64_t out[] = {1, s.heads, s.tokens, s.size};
  p.out = DenseView(out, 4, 4);
  p.scale = 0.125f;
  StepRunner runner(AttentionF32Kernel(BestIsa()), runtime::ParamBytes(p));
  for (int i = 0; i < 4; ++i) runner.Add(runtime::Space::kArena, s.Values());
  if (!runner.Prepare().ok()) return state.SkipWithError("refused");
  for (auto _ : state) runner.RunPrepared(0, 1);
  state.SetItemsProcessed(state.iterations() * s.heads * s.tokens * s.tokens);
}

void InThreeSteps(benchmark::State& state) {
  RegisterMatMulF32Kernels();
  RegisterSoftmaxF32Kernels();
  const Sizes s(state);
  const int64_t dims[] = {1, s.heads, s.tokens, s.tokens}, out[] = {1, s.heads, s.tokens, s.size};
  const View scores = DenseView(dims, 4, 4);
  View turned = s.Operand();
  std::swap(turned.dims[2], turned.dims[3]);
  std::swap(turned.strides[2], turned.strides[3]);
  StepRunner first(MatMulF32Kernel(BestIsa()), runtime::ParamBytes(MatMulF32Params{s.Operand(), turned, scores, 0.125f, -kInf, kInf}));
  StepRunner softmax(SoftmaxF32Kernel(BestIsa()), runtime::ParamBytes(SoftmaxF32Params{scores, scores, 3, 0, 0, 0, 0}));
  StepRunner second(MatMulF32Kernel(BestIsa()), runtime::ParamBytes(MatMulF32Params{scores, s.Operand(), DenseView(out, 4, 4), 1, -kInf, kInf}));
  const std::vector<float> values(scores.elements(), 0.1f);
  first.Add(runtime::Space::kArena, s.Values());
  first.Add(runtime::Space::kArena, s.Values());
  first.Add(runtime::Space::kArena, values);
  softmax.Add(runtime::Space::kArena, values);
  softmax.Add(runtime::Space::kArena, values);
  second.Add(runtime::Space::kArena, values);
  second.Add(runtime::Space::kArena, s.Values());
  second.Add(runtime::Space::kArena, s.Values());
  if (!first.Prepare().ok() || !softmax.Prepare().ok() || !second.Prepare().ok()) return state.SkipWithError("refused");
  for (auto _ : state) {
    first.RunPrepared(0, 1);
    softmax.RunPrepared(0, 1);
    second.RunPrepared(0, 1);
  }
  state.SetItemsProcessed(state.iterations() * scores.elements());
}

void Shapes(benchmark::internal::Benchmark* b) {
  b->Args({12, 64, 50})->Args({12, 64, 128})->Args({12, 64, 197})->Args({4, 32, 512})->Args({4, 32, 64})->Args({4, 64, 1500});
}
BENCHMARK(Fused)->Apply(Shapes);
BENCHMARK(InThreeSteps)->Apply(Shapes);

}  // namespace
}  // namespace omkit::kernels
