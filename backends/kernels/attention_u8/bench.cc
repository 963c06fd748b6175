// INT8 attention of 12 heads of 32 (MiniLM) and of 64 (BERT): in one step, and as two products with a softmax between.
#include <benchmark/benchmark.h>

#include <limits>

#include "backends/kernels/attention_u8/attention_u8.h"
#include "backends/kernels/matmul_u8/matmul_u8.h"
#include "backends/kernels/softmax_f32/softmax_f32.h"
#include "backends/kernels/step_runner.h"

namespace omkit::kernels {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kScoreMultiplier = 4e-5f, kShareScale = 1.0f / 4000, kOutMultiplier = 1e-4f;
constexpr int32_t kZero = 120;

struct Sizes {
  explicit Sizes(const benchmark::State& state) : heads(state.range(0)), size(state.range(1)), tokens(state.range(2)) {}
  int64_t heads, size, tokens;
  // Heads lie inside tokens, as a projection leaves them.
  View Operand() const {
    const int64_t dims[] = {1, heads, tokens, size};
    View view = DenseView(dims, 4, 1);
    view.strides[1] = size;
    view.strides[2] = heads * size;
    return view;
  }
  std::vector<uint8_t> Bytes() const {
    std::vector<uint8_t> values(heads * tokens * size);
    uint32_t s = 1;
    for (uint8_t& x : values) x = static_cast<uint8_t>((s = s * 1664525 + 1013904223) >> 24);
    return values;
  }
};

// With a mask of bytes over the keys (2), of floats (1), or none.
void Fused(benchmark::State& state) {
  RegisterAttentionU8Kernels();
  const Sizes s(state);
  AttentionU8Params p = {};
  p.q = p.k = p.v = p.out = s.Operand();
  p.q_zero = p.k_zero = p.v_zero = kZero;
  p.score_multiplier = kScoreMultiplier;
  p.share_scale = kShareScale;
  p.out_multiplier = kOutMultiplier;
  p.out_zero = kZero;
  p.clamp_max = 255;
  p.masking = static_cast<ScoreMask>(state.range(3));
  const int64_t mask[] = {1, s.heads, s.tokens, s.tokens};
  p.mask = DenseView(mask, 4, p.masking == ScoreMask::kVisible ? 1 : 4);
  p.mask.strides[1] = p.mask.strides[2] = 0;
  p.low = -10000.0f;
  StepRunner runner(AttentionU8Kernel(BestIsa()), runtime::ParamBytes(p));
  for (int i = 0; i < 4; ++i) runner.Add(runtime::Space::kArena, s.Bytes());
  if (p.masking != ScoreMask::kNone) runner.Add(runtime::Space::kArena, std::vector<float>(s.tokens));
  if (!runner.Prepare().ok()) return state.SkipWithError("refused");
  for (auto _ : state) runner.RunPrepared(0, 1);
  state.SetItemsProcessed(state.iterations() * s.heads * s.tokens * s.tokens);
}

void InThreeSteps(benchmark::State& state) {
  RegisterMatMulU8Kernels();
  RegisterSoftmaxF32Kernels();
  const Sizes s(state);
  const int64_t dims[] = {1, s.heads, s.tokens, s.tokens};
  const View scores = DenseView(dims, 4, 4), shares = DenseView(dims, 4, 1);
  View turned = s.Operand();
  std::swap(turned.dims[2], turned.dims[3]);
  std::swap(turned.strides[2], turned.strides[3]);
  const MatMulU8Params by_keys = {s.Operand(), turned, scores, kZero, kZero, kScoreMultiplier, 1, 0, 0, 255, -kInf, kInf};
  const MatMulU8Params by_values = {shares, s.Operand(), s.Operand(), 0, kZero, kOutMultiplier, 0, kZero, 0, 255, -kInf, kInf};
  StepRunner first(MatMulU8Kernel(BestIsa()), runtime::ParamBytes(by_keys));
  StepRunner softmax(SoftmaxF32Kernel(BestIsa()), runtime::ParamBytes(SoftmaxF32Params{scores, shares, 3, 0, 1, kShareScale, 0}));
  StepRunner second(MatMulU8Kernel(BestIsa()), runtime::ParamBytes(by_values));
  first.Add(runtime::Space::kArena, s.Bytes());
  first.Add(runtime::Space::kArena, s.Bytes());
  first.Add(runtime::Space::kArena, std::vector<float>(scores.elements()));
  softmax.Add(runtime::Space::kArena, std::vector<float>(scores.elements(), 0.1f));
  softmax.Add(runtime::Space::kArena, std::vector<uint8_t>(shares.elements()));
  second.Add(runtime::Space::kArena, std::vector<uint8_t>(shares.elements(), 31));
  second.Add(runtime::Space::kArena, s.Bytes());
  second.Add(runtime::Space::kArena, s.Bytes());
  if (!first.Prepare().ok() || !softmax.Prepare().ok() || !second.Prepare().ok()) return state.SkipWithError("refused");
  for (auto _ : state) {
    first.RunPrepared(0, 1);
    softmax.RunPrepared(0, 1);
    second.RunPrepared(0, 1);
  }
  state.SetItemsProcessed(state.iterations() * scores.elements());
}

void Shapes(benchmark::internal::Benchmark* b) {
  for (const int64_t size : {32, 64}) b->Args({12, size, 128, 0});
  b->Args({12, 64, 197, 0})->Args({8, 64, 1500, 0});
}
BENCHMARK(Fused)->Apply(Shapes)->Args({12, 32, 128, 1})->Args({12, 32, 128, 2});
BENCHMARK(InThreeSteps)->Apply(Shapes);

}  // namespace
}  // namespace omkit::kernels
