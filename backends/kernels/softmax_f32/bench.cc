// Softmax of attention: 12 heads of 128 tokens, in float and rounded to bytes.
#include <benchmark/benchmark.h>

#include "backends/kernels/softmax_f32/softmax_f32.h"
#include "backends/kernels/step_runner.h"

namespace omkit::kernels {
namespace {

void Attention(benchmark::State& state) {
  RegisterSoftmaxF32Kernels();
  const int64_t dims[2] = {12 * 128, state.range(0)}, count = dims[0] * dims[1];
  const bool quantized = state.range(1) != 0;
  const SoftmaxF32Params p = {DenseView(dims, 2, 4), DenseView(dims, 2, quantized ? 1 : 4), 1, 0, quantized, 1.0f / 255, 0};
  std::vector<float> in(count);
  for (int64_t i = 0; i < count; ++i) in[i] = static_cast<float>(i * 7919 % 1000) * 0.01f - 5.0f;
  StepRunner runner(SoftmaxF32Kernel(BestIsa()), runtime::ParamBytes(p));
  runner.Add(runtime::Space::kArena, in);
  runner.Add(runtime::Space::kArena, std::vector<uint8_t>(count * (quantized ? 1 : 4)));
  if (!runner.Prepare().ok()) return state.SkipWithError("refused");
  for (auto _ : state) runner.RunPrepared(0, 1);
  state.SetItemsProcessed(state.iterations() * count);
}
BENCHMARK(Attention)->Args({128, 0})->Args({128, 1})->Args({130, 0})->Args({130, 1});

}  // namespace
}  // namespace omkit::kernels
