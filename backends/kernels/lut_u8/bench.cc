// Speed of lut_u8 on one thread, per tier: dense and channel-strided images.
#include <string>

#include "backends/kernels/lut_u8/lut_u8.h"
#include "backends/kernels/step_runner.h"
#include "benchmark/benchmark.h"

namespace omkit::kernels {
namespace {

struct Case {
  const char* name;
  int64_t channels, gap;
};
const Case kCases[] = {{"dense_64x80x80", 64, 0}, {"strided_64x80x80", 64, 32}};

void Run(benchmark::State& state, Isa isa, const Case& c) {
  Random random(1);
  LutU8Params p;
  int64_t elements;
  p.in = p.out = ImageView(1, 80, 80, c.channels, c.gap, 0, 0, 0, 0, 0, 1, &elements);
  StepRunner runner(LutU8Kernel(isa), runtime::ParamBytes(p));
  runner.Add(runtime::Space::kArena, RandomBytes(random, elements));
  runner.Add(runtime::Space::kWeights, RandomBytes(random, 256));
  runner.Add(runtime::Space::kArena, RandomBytes(random, elements));
  if (!runner.Prepare().ok()) return state.SkipWithError("refused");
  for (auto _ : state) runner.RunPrepared(0, 1);
  state.SetItemsProcessed(state.iterations() * p.out.elements());
}

const bool kRegistered = [] {
  RegisterLutU8Kernels();
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
