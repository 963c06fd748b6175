// Speed of conv_f32, conv_bf16 and dwconv_f32 on layers of MobileNetV2 and ResNet-50, one thread, per tier.
#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "backends/kernels/conv_bf16/conv_bf16.h"
#include "backends/kernels/conv_f32/conv_f32.h"
#include "backends/kernels/dwconv_f32/dwconv_f32.h"
#include "backends/kernels/step_runner.h"
#include "base/checked.h"
#include "benchmark/benchmark.h"

namespace omkit::kernels {
namespace {

struct Layer {
  int64_t kernel, stride, in_channels, out_channels, size;  // size: height and width of the input; out_channels 0: depthwise
};
const Layer kLayers[] = {
    {3, 2, 3, 32, 224},     {1, 1, 32, 16, 112},  {1, 1, 16, 96, 112},  {1, 1, 96, 24, 56},    {1, 1, 24, 144, 56},  {1, 1, 192, 64, 14},
    {1, 1, 64, 384, 14},    {1, 1, 384, 64, 14},  {1, 1, 160, 960, 7},  {1, 1, 960, 320, 7},   {1, 1, 320, 1280, 7}, {1, 1, 1280, 1000, 1},
    {7, 2, 3, 64, 224},     {1, 1, 64, 64, 56},   {3, 1, 64, 64, 56},   {1, 1, 64, 256, 56},   {1, 1, 256, 64, 56},  {3, 2, 128, 128, 56},
    {3, 1, 128, 128, 28},   {1, 1, 512, 128, 28}, {3, 1, 256, 256, 14}, {1, 1, 256, 1024, 14}, {3, 1, 512, 512, 7},  {1, 1, 2048, 512, 7},
    {1, 2, 1024, 2048, 14}, {3, 1, 32, 0, 112},   {3, 2, 96, 0, 112},   {3, 1, 144, 0, 56},    {3, 1, 384, 0, 14},   {3, 1, 960, 0, 7},
};

enum class Weights { kFloat, kInt8, kBFloat16 };

std::string Kernel(Isa isa, bool depthwise, Weights form) {
  if (depthwise) return DwConvF32Kernel(isa);
  return form == Weights::kInt8 ? ConvF32W8Kernel(isa) : form == Weights::kBFloat16 ? ConvBf16Kernel(isa) : ConvF32Kernel(isa);
}

std::vector<uint8_t> Pack(Isa isa, const Layer& l, Weights form) {
  const int64_t count = std::max<int64_t>(l.out_channels, 1) * l.in_channels * l.kernel * l.kernel;
  if (form == Weights::kInt8) {
    return PackConvF32W8Weights(isa, std::vector<int8_t>(count, 3).data(), l.out_channels, l.in_channels, l.kernel, l.kernel, 1);
  }
  if (form == Weights::kBFloat16) {
    return PackConvBf16Weights(std::vector<uint16_t>(count, 0x3C24).data(), l.out_channels, l.in_channels, l.kernel, l.kernel, 1);
  }
  const std::vector<float> weights(count, 0.01f);
  if (l.out_channels == 0) return PackDwConvF32Weights(isa, weights.data(), l.in_channels, l.kernel, l.kernel);
  return PackConvF32Weights(isa, weights.data(), l.out_channels, l.in_channels, l.kernel, l.kernel, 1);
}

void Run(benchmark::State& state, Isa isa, const Layer& l, Weights form) {
  Random random(1);
  const bool depthwise = l.out_channels == 0;
  const int64_t oc = depthwise ? l.in_channels : l.out_channels, pad = l.kernel / 2, out = (l.size + 2 * pad - l.kernel) / l.stride + 1;
  ConvF32Params p = {};
  int64_t elements;
  p.in = ImageView(1, l.size, l.size, l.in_channels, 0, pad, pad, pad, pad, 0, 4, &elements);
  const std::vector<float> in(elements, 0.5f), bias(RoundUp(oc, 64));
  const int64_t dims[4] = {1, out, out, oc};
  p.out = DenseView(dims, 4, 4);
  p.kernel_h = p.kernel_w = static_cast<int32_t>(l.kernel);
  p.stride_h = p.stride_w = static_cast<int32_t>(l.stride);
  p.dilation_h = p.dilation_w = 1;
  p.pad_top = p.pad_left = static_cast<int32_t>(pad);
  p.groups = depthwise ? static_cast<int32_t>(oc) : 1;
  p.act_min = 0.0f;
  p.act_max = std::numeric_limits<float>::infinity();
  StepRunner runner(Kernel(isa, depthwise, form), runtime::ParamBytes(p));
  runner.Add(runtime::Space::kArena, in);
  runner.Add(runtime::Space::kWeights, Pack(isa, l, form));
  runner.Add(runtime::Space::kWeights, bias);
  runner.Add(runtime::Space::kArena, std::vector<float>(p.out.elements()));
  if (form == Weights::kInt8) runner.Add(runtime::Space::kWeights, std::vector<float>(RoundUp(oc, 64), 0.01f));
  if (!runner.Prepare().ok()) return state.SkipWithError("refused");
  for (auto _ : state) runner.RunPrepared(0, 1);
  const double depth = static_cast<double>(l.kernel * l.kernel * (depthwise ? 1 : l.in_channels));
  state.counters["GFLOPS"] = benchmark::Counter(2e-9 * static_cast<double>(p.out.elements()) * depth, benchmark::Counter::kIsIterationInvariantRate);
}

const bool kRegistered = [] {
  RegisterConvF32Kernels();
  RegisterDwConvF32Kernels();
  RegisterConvBf16Kernels();
  for (Isa isa : RunnableTiers()) {
    for (const Layer& l : kLayers) {
      const std::string shape =
          l.out_channels ? std::to_string(l.in_channels) + "to" + std::to_string(l.out_channels) : "depthwise" + std::to_string(l.in_channels);
      const std::string layer =
          std::to_string(l.kernel) + "x" + std::to_string(l.kernel) + "s" + std::to_string(l.stride) + "/" + shape + "/" + std::to_string(l.size);
      for (const auto& [form, label] :
           {std::pair(Weights::kFloat, "/"), std::pair(Weights::kInt8, "/w8/"), std::pair(Weights::kBFloat16, "/bf16/")}) {
        if (form != Weights::kFloat && l.out_channels == 0) continue;
        benchmark::RegisterBenchmark(absl::StrCat(IsaName(isa), label, layer).c_str(), [isa, &l, form = form](benchmark::State& state) {
          Run(state, isa, l, form);
        })->Unit(benchmark::kMicrosecond);
      }
    }
  }
  return true;
}();

}  // namespace
}  // namespace omkit::kernels
