// Speed of dwconv_u8 on the depthwise layers of MobileNetV2 and on 5x5 layers, one thread, per tier.
#include <string>

#include "backends/kernels/conv_u8/reference.h"
#include "backends/kernels/dwconv_u8/dwconv_u8.h"
#include "base/checked.h"
#include "benchmark/benchmark.h"

namespace omkit::kernels {
namespace {

struct Layer {
  int64_t kernel, stride, channels, size;
};
const Layer kLayers[] = {
    {3, 1, 32, 112}, {3, 2, 96, 112}, {3, 1, 144, 56}, {3, 2, 144, 56}, {3, 1, 192, 28}, {3, 2, 192, 28}, {3, 1, 384, 14},
    {3, 1, 576, 14}, {3, 2, 576, 14}, {3, 1, 960, 7},  {5, 1, 240, 28}, {5, 2, 240, 28}, {5, 1, 672, 14},
};

void Run(benchmark::State& state, Isa isa, const Layer& layer) {
  Random random(1);
  ConvChoice choice;
  choice.kernel = layer.kernel;
  choice.stride = layer.stride;
  choice.in_channels = layer.channels;
  choice.height = choice.width = layer.size;
  choice.batch = 1;
  choice.depthwise = choice.dense = true;
  ConvCase c = RandomConvCase(random, choice);
  c.multiplier.assign(c.multiplier.size(), 1.0f / 512);  // as trained networks have them, none that saturates
  // Operands end at a page; multiples of 64 bytes therefore begin at a cache line, as in an arena.
  c.input.resize(RoundUp(static_cast<int64_t>(c.input.size()), 64));
  c.output.resize(RoundUp(static_cast<int64_t>(c.output.size()), 64));
  StepRunner runner(DwConvU8Kernel(isa), runtime::ParamBytes(c.params));
  AddOperands(c, PackDwConvU8Weights(c.weights.data(), layer.channels, layer.kernel, layer.kernel), &runner);
  if (!runner.Prepare().ok()) return state.SkipWithError("refused");
  for (auto _ : state) runner.RunPrepared(0, 1);
  const double operations = 2.0 * static_cast<double>(c.params.out.elements()) * static_cast<double>(layer.kernel * layer.kernel);
  state.counters["GOPS"] = benchmark::Counter(operations * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

const bool kRegistered = [] {
  RegisterDwConvU8Kernels();
  for (Isa isa : RunnableTiers()) {
    for (const Layer& l : kLayers) {
      const std::string name = std::string(IsaName(isa)) + "/" + std::to_string(l.kernel) + "x" + std::to_string(l.kernel) + "s" +
                               std::to_string(l.stride) + "/" + std::to_string(l.channels) + "/" + std::to_string(l.size);
      benchmark::RegisterBenchmark(name.c_str(), [isa, &l](benchmark::State& state) { Run(state, isa, l); })->Unit(benchmark::kMicrosecond);
    }
  }
  return true;
}();

}  // namespace
}  // namespace omkit::kernels
