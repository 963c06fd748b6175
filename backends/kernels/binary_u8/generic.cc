// Sixteen elements at a time along rows where each operand is either contiguous or one repeated element; with 512-bit registers, sixty-four
// where all are contiguous.
#include "backends/kernels/binary_u8/binary_u8.h"
#include "backends/kernels/lanes.h"
#include "backends/kernels/nest.h"
#include "backends/kernels/tier.h"
#if defined(__AVX512BW__)
#include "backends/kernels/x86.h"
#endif

namespace omkit::kernels {
namespace {

template <BinaryU8Op kOp>
OMKIT_INLINE LanesU8 Apply(const LanesU8& a, const LanesU8& b, const BinaryU8Params& p, const Rounding& rounding) {
  const LanesS32 x = Widen(a) - Splat(p.a_zero), y = Widen(b) - Splat(p.b_zero);
  if constexpr (kOp == BinaryU8Op::kMul) return Round(ToFloat(x * y) * Splat(p.a_multiplier), rounding);
  const LanesF32 left = ToFloat(x) * Splat(p.a_multiplier), right = ToFloat(y) * Splat(p.b_multiplier);
  if constexpr (kOp == BinaryU8Op::kSub) return Round(left - right, rounding);
  return Round(left + right, rounding);
}

OMKIT_INLINE LanesU8 Gather(const uint8_t* from, int64_t stride, int count) {
  if (stride == 1) return LoadSome<LanesU8>(from, count);
  LanesU8 lanes = {};
  if (stride == 0) return lanes + *from;
  for (int i = 0; i < count; ++i) lanes[i] = from[i * stride];
  return lanes;
}

#if defined(__AVX512BW__)
// float(q - zero) of sixty-four bytes, in the order in which packing four registers of words twice restores them. Words under the exponent of
// 2^23 are the floats 2^23 + q; the difference is exact.
OMKIT_INLINE void WidenToFloats(__m512i q, int32_t zero_point, __m512 (&to)[4]) {
  const __m512i zeros = _mm512_setzero_si512(), exponent = _mm512_set1_epi16(0x4b00);
  const __m512 base = _mm512_set1_ps(8388608.0f + static_cast<float>(zero_point));
  const __m512i words[2] = {_mm512_unpacklo_epi8(q, zeros), _mm512_unpackhi_epi8(q, zeros)};
  for (int i = 0; i < 2; ++i) {
    to[2 * i] = _mm512_sub_ps(_mm512_castsi512_ps(_mm512_unpacklo_epi16(words[i], exponent)), base);
    to[2 * i + 1] = _mm512_sub_ps(_mm512_castsi512_ps(_mm512_unpackhi_epi16(words[i], exponent)), base);
  }
}

// Whether no result leaves int32 before it is clamped.
bool StaysInInt32(const BinaryU8Params& p) {
  const float left = __builtin_fabsf(p.a_multiplier), right = __builtin_fabsf(p.b_multiplier);
  return p.op == BinaryU8Op::kMul ? left < 16000.0f : left < 4000000.0f && right < 4000000.0f;
}

// Whole registers of [begin, end); returns where they end.
template <BinaryU8Op kOp>
int64_t RunWhole(const uint8_t* x, const uint8_t* y, uint8_t* z, int64_t begin, int64_t end, const BinaryU8Params& p) {
  const __m512 a_multiplier = _mm512_set1_ps(p.a_multiplier), b_multiplier = _mm512_set1_ps(p.b_multiplier);
  const __m512i zero_point = _mm512_set1_epi16(static_cast<int16_t>(p.out_zero));
  const __m512i lo = _mm512_set1_epi8(static_cast<char>(p.clamp_min)), hi = _mm512_set1_epi8(static_cast<char>(p.clamp_max));
  int64_t i = begin;
  for (; i + 64 <= end; i += 64) {
    __m512 a[4], b[4];
    WidenToFloats(_mm512_loadu_si512(x + i), p.a_zero, a);
    WidenToFloats(_mm512_loadu_si512(y + i), p.b_zero, b);
    __m512i q[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      __m512 v;
      if constexpr (kOp == BinaryU8Op::kMul) v = _mm512_mul_ps(_mm512_mul_ps(a[j], b[j]), a_multiplier);
      else if constexpr (kOp == BinaryU8Op::kSub) v = _mm512_sub_ps(_mm512_mul_ps(a[j], a_multiplier), _mm512_mul_ps(b[j], b_multiplier));
      else v = _mm512_add_ps(_mm512_mul_ps(a[j], a_multiplier), _mm512_mul_ps(b[j], b_multiplier));
      q[j] = _mm512_cvtps_epi32(v);
    }
    const __m512i first = _mm512_adds_epi16(_mm512_packs_epi32(q[0], q[1]), zero_point);
    const __m512i second = _mm512_adds_epi16(_mm512_packs_epi32(q[2], q[3]), zero_point);
    _mm512_storeu_si512(z + i, _mm512_min_epu8(_mm512_max_epu8(_mm512_packus_epi16(first, second), lo), hi));
  }
  return i;
}
#else
bool StaysInInt32(const BinaryU8Params&) { return false; }
template <BinaryU8Op kOp>
int64_t RunWhole(const uint8_t*, const uint8_t*, uint8_t*, int64_t begin, int64_t, const BinaryU8Params&) {
  return begin;
}
#endif

template <BinaryU8Op kOp>
void Run(const BinaryU8Params& p, const KernelArgs& args) {
  const uint8_t* a = static_cast<const uint8_t*>(args.operands[0]);
  const uint8_t* b = static_cast<const uint8_t*>(args.operands[1]);
  uint8_t* out = static_cast<uint8_t*>(args.operands[2]);
  const View* const views[3] = {&p.a, &p.b, &p.out};
  const Nest<3> nest = MakeNest<3>(views);
  const int row = nest.rank - 1;
  const int64_t sa = nest.strides[0][row], sb = nest.strides[1][row], so = nest.strides[2][row];
  const Rounding rounding = MakeRounding(p.out_zero, p.clamp_min, p.clamp_max);
  const bool stays = StaysInInt32(p);
  ForRows(nest, 1, 64, args.thread, args.threads, [&](const int64_t* at, int64_t begin, int64_t end) {
    const uint8_t *x = a + at[0], *y = b + at[1];
    uint8_t* z = out + at[2];
    int64_t i = begin;
    if (sa == 1 && sb == 1 && so == 1) {
      if (stays) i = RunWhole<kOp>(x, y, z, begin, end, p);
      for (; i + kLanes <= end; i += kLanes) {
        StoreSome(z + i, Apply<kOp>(Load<LanesU8>(x + i), Load<LanesU8>(y + i), p, rounding), kLanes);
      }
    }
    for (; i < end; i += kLanes) {
      const int count = end - i < kLanes ? static_cast<int>(end - i) : kLanes;
      const LanesU8 q = Apply<kOp>(Gather(x + i * sa, sa, count), Gather(y + i * sb, sb, count), p, rounding);
      if (so == 1) StoreSome(z + i, q, count);
      else
        for (int j = 0; j < count; ++j) z[(i + j) * so] = q[j];
    }
  });
}

}  // namespace

namespace OMKIT_TIER_NAMESPACE {

void BinaryU8(const KernelArgs& args) {
  BinaryU8Params p;
  LoadParams(args, &p);
  switch (p.op) {
    case BinaryU8Op::kAdd: return Run<BinaryU8Op::kAdd>(p, args);
    case BinaryU8Op::kSub: return Run<BinaryU8Op::kSub>(p, args);
    default: return Run<BinaryU8Op::kMul>(p, args);
  }
}

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
