// Speed of pool_u8 on one thread, per tier: the pools of MobileNetV2 and ResNet-50.
#include <string>

#include "backends/kernels/pool_u8/pool_u8.h"
#include "backends/kernels/step_runner.h"
#include "benchmark/benchmark.h"

namespace omkit::kernels {
namespace {

struct Case {
  const char* name;
  int64_t channels, size;
  int32_t kernel, stride, pad, average;
};
const Case kCases[] = {
    {"max_3x3s2_64x112x112", 64, 112, 3, 2, 1, 0},
    {"max_5x5s1_128x20x20", 128, 20, 5, 1, 2, 0},
    {"global_average_1280x7x7", 1280, 7, 7, 1, 0, 1},
    {"global_average_2048x7x7", 2048, 7, 7, 1, 0, 1},
};

void Run(benchmark::State& state, Isa isa, const Case& c) {
  Random random(1);
  PoolU8Params p = {};
  p.kernel_h = p.kernel_w = c.kernel;
  p.stride_h = p.stride_w = c.stride;
  p.dilation_h = p.dilation_w = 1;
  p.pad_top = p.pad_left = p.pad_bottom = p.pad_right = c.pad;
  p.average = c.average;
  p.in_scale = p.out_scale = 0.1f;
  const int64_t out_size = (c.size + 2 * c.pad - c.kernel) / c.stride + 1;
  int64_t in_elements, out_elements;
  p.in = ImageView(1, c.size, c.size, c.channels, 0, 0, 0, 0, 0, 0, 1, &in_elements);
  p.out = ImageView(1, out_size, out_size, c.channels, 0, 0, 0, 0, 0, 0, 1, &out_elements);
  StepRunner runner(PoolU8Kernel(isa), runtime::ParamBytes(p));
  runner.Add(runtime::Space::kArena, RandomBytes(random, in_elements));
  runner.Add(runtime::Space::kArena, RandomBytes(random, out_elements));
  if (!runner.Prepare().ok()) return state.SkipWithError("refused");
  for (auto _ : state) runner.RunPrepared(0, 1);
  state.SetItemsProcessed(state.iterations() * out_elements);
}

const bool kRegistered = [] {
  RegisterPoolU8Kernels();
  for (Isa isa : RunnableTiers()) {
    for (const Case& c : kCases) {
      benchmark::RegisterBenchmark((std::string(IsaName(isa)) + "/" + c.name).c_str(), [isa, &c](benchmark::State& state) {
        Run(state, isa, c);
      })->Unit(benchmark::kMicrosecond);
    }
  }
  return true;
}();

}  // namespace
}  // namespace omkit::kernels
