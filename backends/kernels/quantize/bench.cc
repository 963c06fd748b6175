// Speed of quantize on one thread, per tier: images in and logits out.
#include <string>

#include "backends/kernels/quantize/quantize.h"
#include "backends/kernels/step_runner.h"
#include "benchmark/benchmark.h"

namespace omkit::kernels {
namespace {

struct Case {
  const char* name;
  int64_t channels, size, pixel_stride;
  bool dequantize;
};
const Case kCases[] = {
    {"plain_3x224x224_to_channels_last", 3, 224, 4, false},
    {"plain_3x224x224_to_dense_channels_last", 3, 224, 3, false},
    {"plain_64x56x56_to_channels_last", 64, 56, 64, false},
    {"dequantize_64x56x56_to_plain", 64, 56, 64, true},
};

void Run(benchmark::State& state, Isa isa, const Case& c) {
  Random random(1);
  const int64_t dims[4] = {1, c.channels, c.size, c.size};
  const View plain = DenseView(dims, 4, 4);
  View last = plain;
  last.element_size = 1;
  last.strides[1] = 1;
  last.strides[3] = c.pixel_stride;
  last.strides[2] = c.size * c.pixel_stride;
  const std::vector<float> floats(plain.elements(), 1.5f);
  const std::vector<uint8_t> bytes = RandomBytes(random, c.size * last.strides[2]);
  const QuantizeParams p = c.dequantize ? QuantizeParams{last, plain, 0.02f, 114} : QuantizeParams{plain, last, 0.02f, 114};
  StepRunner runner(c.dequantize ? DequantizeKernel(isa) : QuantizeKernel(isa), runtime::ParamBytes(p));
  if (c.dequantize) runner.Add(runtime::Space::kArena, bytes);
  runner.Add(runtime::Space::kArena, floats);
  if (!c.dequantize) runner.Add(runtime::Space::kArena, bytes);
  if (!runner.Prepare().ok()) return state.SkipWithError("refused");
  for (auto _ : state) runner.RunPrepared(0, 1);
  state.SetItemsProcessed(state.iterations() * plain.elements());
}

const bool kRegistered = [] {
  RegisterQuantizeKernels();
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
