// one_layer LAYER TIER RUNS: runs one layer on the kernel of one tier, on one thread, and prints its multiply-adds. count.sh runs it in an
// emulator that logs every instruction. Floor 5.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "backends/kernels/conv_u8/conv_u8.h"
#include "backends/kernels/dwconv_u8/dwconv_u8.h"
#include "backends/kernels/matmul_u8/matmul_u8.h"
#include "backends/kernels/step_runner.h"
#include "backends/kernels/view.h"
#include "base/cpu.h"
#include "runtime/program.h"

namespace omkit {
namespace {

using kernels::ConvU8Params;
using kernels::ImageView;
using kernels::MatMulU8Params;
using kernels::StepRunner;
using runtime::Space;

struct Layer {
  const char* name;
  enum Kind { kConv, kDepthwise, kMatMul } kind;
  int64_t kernel, stride, in, out, size;  // matmul: [size, in] times [in, out]
};
const Layer kLayers[] = {
    {"first", Layer::kConv, 3, 2, 3, 32, 32},           {"pointwise", Layer::kConv, 1, 1, 64, 96, 14},
    {"pointwise24", Layer::kConv, 1, 1, 96, 24, 14},    {"conv3x3", Layer::kConv, 3, 1, 64, 64, 7},
    {"depthwise", Layer::kDepthwise, 3, 1, 96, 96, 14}, {"depthwise_s2", Layer::kDepthwise, 3, 2, 96, 96, 14},
    {"matmul", Layer::kMatMul, 1, 1, 64, 96, 96},
};

// Multiply-adds of the layer.
int64_t ConvWork(const Layer& l) {
  const int64_t size = (l.size - 1) / l.stride + 1;
  return size * size * l.kernel * l.kernel * l.out * (l.kind == Layer::kDepthwise ? 1 : l.in);
}

// Runs the step once for each of `runs`; false: refused.
bool RunStep(StepRunner* runner, int runs) {
  if (const absl::Status status = runner->Prepare(); !status.ok()) {
    std::fprintf(stderr, "%s\n", status.ToString().c_str());
    return false;
  }
  for (int i = 0; i < runs; ++i) runner->RunPrepared(0, 1);
  return true;
}

bool RunConv(const Layer& l, Isa isa, int runs) {
  ConvU8Params p = {};
  int64_t in = 0, out = 0;
  const int64_t pad = l.kernel / 2, size = (l.size - 1) / l.stride + 1;
  p.in = ImageView(1, l.size, l.size, l.in, (4 - l.in % 4) % 4, pad, pad, pad, pad, 0, 1, &in);
  p.out = ImageView(1, size, size, l.out, 0, 0, 0, 0, 0, 0, 1, &out);
  p.residual = p.out;
  p.kernel_h = p.kernel_w = static_cast<int32_t>(l.kernel);
  p.stride_h = p.stride_w = static_cast<int32_t>(l.stride);
  p.dilation_h = p.dilation_w = 1;
  p.pad_top = p.pad_left = static_cast<int32_t>(pad);
  const bool depthwise = l.kind == Layer::kDepthwise;
  p.groups = static_cast<int32_t>(depthwise ? l.in : 1);
  p.clamp_max = 255;
  const std::vector<int8_t> w(l.out * (depthwise ? 1 : l.in) * l.kernel * l.kernel, 3);
  StepRunner runner(depthwise ? kernels::DwConvU8Kernel(isa) : kernels::ConvU8Kernel(isa), runtime::ParamBytes(p));
  runner.Add(Space::kArena, std::vector<uint8_t>(in, 7));
  runner.Add(Space::kWeights, depthwise ? kernels::PackDwConvU8Weights(w.data(), l.in, l.kernel, l.kernel)
                                        : kernels::PackConvU8Weights(isa, w.data(), l.out, l.in, l.kernel, l.kernel, 1));
  runner.Add(Space::kWeights, std::vector<int32_t>(l.out, 1));
  runner.Add(Space::kWeights, std::vector<float>(l.out, 0.01f));
  runner.Add(Space::kArena, std::vector<uint8_t>(out));
  return RunStep(&runner, runs);
}

bool RunMatMul(const Layer& l, Isa isa, int runs) {
  MatMulU8Params p = {};
  const int64_t a[] = {l.size, l.in}, b[] = {l.in, l.out}, out[] = {l.size, l.out};
  p.a = kernels::DenseView(a, 2, 1);
  p.b = kernels::DenseView(b, 2, 1);
  p.out = kernels::DenseView(out, 2, 1);
  p.a_zero = p.b_zero = 120;
  p.multiplier = 0.01f;
  p.clamp_max = 255;
  StepRunner runner(kernels::MatMulU8Kernel(isa), runtime::ParamBytes(p));
  runner.Add(Space::kArena, std::vector<uint8_t>(l.size * l.in, 7));
  runner.Add(Space::kArena, std::vector<uint8_t>(l.in * l.out, 9));
  runner.Add(Space::kArena, std::vector<uint8_t>(l.size * l.out));
  return RunStep(&runner, runs);
}

int Main(int argc, char** argv) {
  Isa isa;
  if (argc == 4 && FindIsa(argv[2], &isa)) {
    kernels::RegisterConvU8Kernels();
    kernels::RegisterDwConvU8Kernels();
    kernels::RegisterMatMulU8Kernels();
    const int runs = std::atoi(argv[3]);
    for (const Layer& l : kLayers) {
      if (std::string(l.name) != argv[1]) continue;
      const bool matmul = l.kind == Layer::kMatMul;
      if (!(matmul ? RunMatMul(l, isa, runs) : RunConv(l, isa, runs))) return 1;
      std::printf("%lld\n", static_cast<long long>(matmul ? l.size * l.in * l.out : ConvWork(l)));
      return 0;
    }
  }
  std::fprintf(stderr, "usage: one_layer LAYER TIER RUNS, LAYER being one of\n");
  for (const Layer& l : kLayers) std::fprintf(stderr, "  %s\n", l.name);
  return 2;
}

}  // namespace
}  // namespace omkit

int main(int argc, char** argv) { return omkit::Main(argc, argv); }
