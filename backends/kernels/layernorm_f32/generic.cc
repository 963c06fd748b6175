// Three passes over a row: mean, variance around it, result. Rows are taken several at a time, so that none waits for its own sums.
#include "backends/kernels/lanes_f32.h"
#include "backends/kernels/layernorm_f32/layernorm_f32.h"
#include "backends/kernels/rounder.h"
#include "backends/kernels/tier.h"

namespace omkit::kernels {
namespace {

#if defined(__AVX2__)
constexpr int kTogether = 4;
#else
constexpr int kTogether = 1;
#endif

struct Rows {
  const float* in;
  const float* gamma;
  const float* beta;
  void* out;
  int64_t first;
};

template <int kRows>
__attribute__((noinline)) void Normalize(const LayerNormF32Params& params, const Rows& rows, const Rounder& rounder) {
  const LayerNormF32Params p = params;
  const Rounder round = rounder;  // copies, which the stores of bytes cannot change
  const int64_t inner = p.inner, full = inner / kWidth * kWidth;
  const int tail = static_cast<int>(inner - full);
  const float count = static_cast<float>(inner);
  const float* in = rows.in + rows.first * inner;
  F32 mean[kRows], squares[kRows], scale[kRows];
  for (int r = 0; r < kRows; ++r) mean[r] = squares[r] = Set(0.0f);
  if (p.form != NormForm::kRms) {
    for (int64_t i = 0; i < full; i += kWidth) {
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) mean[r] = mean[r] + Load(in + r * inner + i);
    }
    for (int r = 0; r < kRows; ++r) {
      if (tail) mean[r] = mean[r] + LoadSome(in + r * inner + full, tail);
      mean[r] = Set(FoldSum(mean[r]) / count);
    }
  }
  for (int64_t i = 0; i < full; i += kWidth) {
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      const F32 x = Load(in + r * inner + i) - mean[r];
      squares[r] = Fma(x, x, squares[r]);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    if (tail) {
      const F32 x = Keep(LoadSome(in + r * inner + full, tail) - mean[r], tail, 0.0f);
      squares[r] = Fma(x, x, squares[r]);
    }
    scale[r] = Set(1.0f) / Sqrt(Set(FoldSum(squares[r]) / count + p.epsilon));
  }
  const bool per_row = p.form == NormForm::kInstance;
  for (int64_t i = 0; i < inner; i += kWidth) {
    const int lanes = i < full ? kWidth : tail;
    const F32 g = per_row ? Set(0.0f) : LoadSome(rows.gamma + i, lanes), b = per_row ? g : LoadSome(rows.beta + i, lanes);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      const int64_t at = (rows.first + r) * inner + i, channel = per_row ? (rows.first + r) % p.channels : 0;
      const F32 y = Fma((LoadSome(in + r * inner + i, lanes) - mean[r]) * scale[r], per_row ? Set(rows.gamma[channel]) : g,
                        per_row ? Set(rows.beta[channel]) : b);
      if (p.quantized) StoreSome(static_cast<uint8_t*>(rows.out) + at, round.Bytes(y), lanes);
      else StoreSome(static_cast<float*>(rows.out) + at, y, lanes);
    }
  }
}

}  // namespace

namespace OMKIT_TIER_NAMESPACE {

void LayerNormF32(const KernelArgs& args) {
  LayerNormF32Params p;
  LoadParams(args, &p);
  const Rounder rounder = MakeRounder(p.scale, p.zero_point);
  const Part part = SplitWork(p.rows, 1, args.thread, args.threads);
  Rows rows = {static_cast<const float*>(args.operands[0]), static_cast<const float*>(args.operands[1]), static_cast<const float*>(args.operands[2]),
               args.operands[3], part.begin};
  for (; rows.first + kTogether <= part.end; rows.first += kTogether) Normalize<kTogether>(p, rows, rounder);
  for (; rows.first < part.end; ++rows.first) Normalize<1>(p, rows, rounder);
}

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
