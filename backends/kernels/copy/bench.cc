// Speed of copy on one thread, per tier: layout changes, channel slices and halos.
#include <string>

#include "backends/kernels/copy/copy.h"
#include "backends/kernels/step_runner.h"
#include "benchmark/benchmark.h"

namespace omkit::kernels {
namespace {

struct Case {
  const char* name;
  int element_size;
  bool transpose, fill;
};
const Case kCases[] = {
    {"slice_u8", 1, false, false},
    {"transpose_u8", 1, true, false},
    {"transpose_f32", 4, true, false},
    {"halo_u8", 1, false, true},
};

void Run(benchmark::State& state, Isa isa, const Case& c) {
  Random random(1);
  const int64_t dims[4] = {1, 58, 58, 96};
  CopyParams p = {DenseView(dims, 4, c.element_size), DenseView(dims, 4, c.element_size)};
  if (c.transpose) {
    const int64_t strides[4] = {96 * 58 * 58, 58, 1, 58 * 58};
    for (int i = 0; i < 4; ++i) p.in.strides[i] = strides[i];
  }
  const FillParams fill = {p.out, 7, {0, 1, 1}, {1, 57, 57}};
  StepRunner runner(c.fill ? FillKernel(isa) : CopyKernel(isa), c.fill ? runtime::ParamBytes(fill) : runtime::ParamBytes(p));
  const std::vector<uint8_t> bytes = RandomBytes(random, p.out.elements() * c.element_size);
  for (int i = 0; i < (c.fill ? 1 : 2); ++i) runner.Add(runtime::Space::kArena, bytes);
  if (!runner.Prepare().ok()) return state.SkipWithError("refused");
  for (auto _ : state) runner.RunPrepared(0, 1);
  state.SetItemsProcessed(state.iterations() * p.out.elements());
}

const bool kRegistered = [] {
  RegisterCopyKernels();
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
