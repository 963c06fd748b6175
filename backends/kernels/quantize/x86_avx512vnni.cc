// Plain images of up to four channels to channels-last pixels of four bytes, or of two or three channels to pixels without space between them:
// sixteen pixels are quantized per channel and meet in one register of dwords. Everything else is generic.h.
#include "backends/kernels/nest.h"
#include "backends/kernels/quantize/generic.h"
#include "backends/kernels/quantize/quantize.h"
#include "backends/kernels/tier.h"
#include "backends/kernels/x86.h"

namespace omkit::kernels {
namespace {

struct Quantizer {
  __m512 scale, lo, hi;
  __m512i zero_point;
};

OMKIT_INLINE __m512i QuantizeLanes(const Quantizer& q, __m512 x) {
  const __m512 v = _mm512_div_ps(x, q.scale);
  const __m512 number = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(v, v, _CMP_ORD_Q), v);
  const __m512 clamped = _mm512_min_ps(q.hi, _mm512_max_ps(q.lo, number));
  return _mm512_add_epi32(_mm512_cvtps_epi32(clamped), q.zero_point);
}

// The dimension along which the input is contiguous, or -1 when the views are not of this file's kind. The innermost dimension of the
// nest is the channels.
int PixelDim(const Nest<2>& nest) {
  const int row = nest.rank - 1;
  if (row < 1 || nest.dims[row] > 4 || nest.strides[1][row] != 1) return -1;
  for (int i = 0; i < row; ++i) {
    const int64_t pixel = nest.strides[1][i];
    if (nest.strides[0][i] == 1 && (pixel == 4 || (pixel == nest.dims[row] && pixel > 1))) return i;
  }
  return -1;
}

void QuantizePixels(const QuantizeParams& p, const Nest<2>& nest, const KernelArgs& args) {
  const float* in = static_cast<const float*>(args.operands[0]);
  uint8_t* out = static_cast<uint8_t*>(args.operands[1]);
  const int row = nest.rank - 1;
  const int64_t channels = nest.dims[row], plane = nest.strides[0][row], pixel = nest.strides[1][row - 1];
  const Quantizer q = {_mm512_set1_ps(p.scale), _mm512_set1_ps(static_cast<float>(-p.zero_point)),
                       _mm512_set1_ps(static_cast<float>(255 - p.zero_point)), _mm512_set1_epi32(p.zero_point)};
  const __mmask64 bytes = pixel == channels ? ~0ull : 0x1111111111111111ull * ((1ull << channels) - 1);
  uint8_t source[64] = {};  // of each byte among the dwords
  for (int64_t i = 0; i < 16 * pixel; ++i) source[i] = static_cast<uint8_t>(i / pixel * 4 + i % pixel);
  const __m512i order = _mm512_loadu_si512(source);
  ForRows(nest, 2, 64, args.thread, args.threads, [&](const int64_t* at, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += 16) {
      const int n = end - i < 16 ? static_cast<int>(end - i) : 16;
      const __mmask16 lanes = static_cast<__mmask16>((1u << n) - 1);
      __m512i pixels = _mm512_setzero_si512();
      for (int64_t c = channels - 1; c >= 0; --c) {
        const __m512 x = _mm512_maskz_loadu_ps(lanes, in + at[0] + i + c * plane);
        pixels = _mm512_or_si512(_mm512_slli_epi32(pixels, 8), QuantizeLanes(q, x));
      }
      const __mmask64 existing = n * pixel == 64 ? ~0ull : (1ull << (n * pixel)) - 1;
      _mm512_mask_storeu_epi8(out + at[1] + i * pixel, bytes & existing, _mm512_permutexvar_epi8(order, pixels));
    }
  });
}

}  // namespace

namespace OMKIT_TIER_NAMESPACE {

void Quantize(const KernelArgs& args) {
  QuantizeParams p;
  LoadParams(args, &p);
  const View* const views[2] = {&p.in, &p.out};
  Nest<2> nest = MakeNest<2>(views);
  const int pixel = PixelDim(nest);
  if (pixel < 0) return Run<ToU8>(args);
  SwapDims(&nest, pixel, nest.rank - 2);
  QuantizePixels(p, nest, args);
}

void Dequantize(const KernelArgs& args) { Run<ToF32>(args); }

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
