// Three passes over a row: mean, variance around it, result.
#include "backends/kernels/lanes_f32.h"
#include "backends/kernels/layernorm_f32/layernorm_f32.h"
#include "backends/kernels/tier.h"

namespace omkit::kernels {
namespace OMKIT_TIER_NAMESPACE {

void LayerNormF32(const KernelArgs& args) {
  LayerNormF32Params p;
  LoadParams(args, &p);
  const float* gamma = static_cast<const float*>(args.operands[1]);
  const float* beta = static_cast<const float*>(args.operands[2]);
  const float count = static_cast<float>(p.inner);
  const Part part = SplitWork(p.rows, 1, args.thread, args.threads);
  for (int64_t r = part.begin; r < part.end; ++r) {
    const float* in = static_cast<const float*>(args.operands[0]) + r * p.inner;
    float* out = static_cast<float*>(args.operands[3]) + r * p.inner;
    const int64_t full = p.inner / kWidth * kWidth;
    const int tail = static_cast<int>(p.inner - full);
    F32 mean = Set(0.0f);
    if (p.form != NormForm::kRms) {
      F32 sum = Set(0.0f);
      for (int64_t i = 0; i < full; i += kWidth) sum = sum + Load(in + i);
      if (tail) sum = sum + LoadSome(in + full, tail);
      mean = Set(FoldSum(sum) / count);
    }
    F32 squares = Set(0.0f);
    for (int64_t i = 0; i < full; i += kWidth) {
      const F32 x = Load(in + i) - mean;
      squares = Fma(x, x, squares);
    }
    if (tail) {
      const F32 x = Keep(LoadSome(in + full, tail) - mean, tail, 0.0f);
      squares = Fma(x, x, squares);
    }
    const F32 scale = Set(1.0f) / Sqrt(Set(FoldSum(squares) / count + p.epsilon));
    const bool per_row = p.form == NormForm::kInstance;
    const int64_t channel = per_row ? r % p.channels : 0;
    for (int64_t i = 0; i < p.inner; i += kWidth) {
      const int lanes = i < full ? kWidth : tail;
      const F32 g = per_row ? Set(gamma[channel]) : LoadSome(gamma + i, lanes);
      const F32 b = per_row ? Set(beta[channel]) : LoadSome(beta + i, lanes);
      StoreSome(out + i, Fma((LoadSome(in + i, lanes) - mean) * scale, g, b), lanes);
    }
  }
}

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
