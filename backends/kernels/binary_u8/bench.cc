// Speed of binary_u8 on one thread, per tier: residual adds and per-channel products.
#include <string>

#include "backends/kernels/binary_u8/binary_u8.h"
#include "backends/kernels/step_runner.h"
#include "benchmark/benchmark.h"

namespace omkit::kernels {
namespace {

struct Case {
  const char* name;
  BinaryU8Op op;
  bool per_channel;
};
const Case kCases[] = {
    {"add_256x56x56", BinaryU8Op::kAdd, false},
    {"mul_256x56x56_by_channel", BinaryU8Op::kMul, true},
};

void Run(benchmark::State& state, Isa isa, const Case& c) {
  Random random(1);
  const int64_t dims[4] = {1, 56, 56, 256};
  BinaryU8Params p = {DenseView(dims, 4, 1), DenseView(dims, 4, 1), DenseView(dims, 4, 1), c.op, 3, 128, 5, 0.4f, 0.7f, 0, 255};
  if (c.per_channel) p.b.strides[0] = p.b.strides[1] = p.b.strides[2] = 0;
  StepRunner runner(BinaryU8Kernel(isa), runtime::ParamBytes(p));
  for (int i = 0; i < 3; ++i) runner.Add(runtime::Space::kArena, RandomBytes(random, p.out.elements()));
  if (!runner.Prepare().ok()) return state.SkipWithError("refused");
  for (auto _ : state) runner.RunPrepared(0, 1);
  state.SetItemsProcessed(state.iterations() * p.out.elements());
}

const bool kRegistered = [] {
  RegisterBinaryU8Kernels();
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
