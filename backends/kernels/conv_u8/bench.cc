// Speed of conv_u8 on layers of MobileNetV2 and ResNet-50, one thread, per tier.
#include <string>

#include "backends/kernels/conv_u8/conv_u8.h"
#include "backends/kernels/conv_u8/reference.h"
#include "base/checked.h"
#include "benchmark/benchmark.h"

namespace omkit::kernels {
namespace {

struct Layer {
  int64_t kernel, stride, in_channels, out_channels, size;  // size: height and width of the input
};
const Layer kLayers[] = {
    {3, 2, 3, 32, 224},
    {1, 1, 32, 16, 112},
    {1, 1, 16, 96, 112},
    {1, 1, 96, 24, 56},
    {1, 1, 24, 144, 56},
    {1, 1, 144, 24, 56},
    {1, 1, 144, 32, 28},
    {1, 1, 32, 192, 28},
    {1, 1, 192, 32, 28},
    {1, 1, 192, 64, 14},
    {1, 1, 64, 384, 14},
    {1, 1, 384, 64, 14},
    {1, 1, 384, 96, 14},
    {1, 1, 96, 576, 14},
    {1, 1, 576, 96, 14},
    {1, 1, 576, 160, 7},
    {1, 1, 160, 960, 7},
    {1, 1, 960, 160, 7},
    {1, 1, 960, 320, 7},
    {1, 1, 320, 1280, 7},
    {1, 1, 1280, 1000, 1},
    {7, 2, 3, 64, 224},
    {1, 1, 64, 64, 56},
    {3, 1, 64, 64, 56},
    {1, 1, 64, 256, 56},
    {1, 1, 256, 64, 56},
    {3, 2, 128, 128, 56},
    {3, 1, 128, 128, 28},
    {1, 1, 512, 128, 28},
    {3, 1, 256, 256, 14},
    {1, 1, 256, 1024, 14},
    {3, 1, 512, 512, 7},
    {1, 1, 2048, 512, 7},
    {1, 2, 1024, 2048, 14},
    // The same as above on pictures that stay in the first levels of the cache: docs/performance.md, strips.
    {1, 1, 32, 16, 28},
    {1, 1, 16, 96, 28},
    {1, 1, 24, 144, 28},
    {1, 1, 144, 24, 28},
};

void Run(benchmark::State& state, Isa isa, const Layer& layer) {
  Random random(1);
  ConvChoice choice;
  choice.kernel = layer.kernel;
  choice.stride = layer.stride;
  choice.in_channels = layer.in_channels;
  choice.out_channels = layer.out_channels;
  choice.height = choice.width = layer.size;
  choice.groups = choice.batch = 1;
  choice.dense = true;
  ConvCase c = RandomConvCase(random, choice);
  c.multiplier.assign(c.multiplier.size(), 1.0f / 512);  // as trained networks have them, none that saturates
  // Operands end at a page; multiples of 64 bytes therefore begin at a cache line, as in an arena.
  c.input.resize(RoundUp(static_cast<int64_t>(c.input.size()), 64));
  c.output.resize(RoundUp(static_cast<int64_t>(c.output.size()), 64));
  StepRunner runner(ConvU8Kernel(isa), runtime::ParamBytes(c.params));
  AddOperands(c, PackConvU8Weights(isa, c.weights.data(), layer.out_channels, layer.in_channels, layer.kernel, layer.kernel, 1), &runner);
  if (!runner.Prepare().ok()) return state.SkipWithError("refused");
  for (auto _ : state) runner.RunPrepared(0, 1);
  const View& out = c.params.out;
  const double operations = 2.0 * static_cast<double>(out.elements()) * static_cast<double>(layer.kernel * layer.kernel * layer.in_channels);
  state.counters["GOPS"] = benchmark::Counter(operations * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

const bool kRegistered = [] {
  RegisterConvU8Kernels();
  for (Isa isa : RunnableTiers()) {
    for (const Layer& l : kLayers) {
      const std::string name = std::string(IsaName(isa)) + "/" + std::to_string(l.kernel) + "x" + std::to_string(l.kernel) + "s" +
                               std::to_string(l.stride) + "/" + std::to_string(l.in_channels) + "to" + std::to_string(l.out_channels) + "/" +
                               std::to_string(l.size);
      benchmark::RegisterBenchmark(name.c_str(), [isa, &l](benchmark::State& state) { Run(state, isa, l); })->Unit(benchmark::kMicrosecond);
    }
  }
  return true;
}();

}  // namespace
}  // namespace omkit::kernels
