// Sixty-four elements at a time: the table sits in four registers, two permutations cover its halves and bit 7 picks one.
#include "backends/kernels/lut_u8/lut_u8.h"
#include "backends/kernels/nest.h"
#include "backends/kernels/tier.h"
#include "backends/kernels/x86.h"

namespace omkit::kernels::OMKIT_TIER_NAMESPACE {

void LutU8(const KernelArgs& args) {
  LutU8Params p;
  LoadParams(args, &p);
  const uint8_t* in = static_cast<const uint8_t*>(args.operands[0]);
  const uint8_t* table = static_cast<const uint8_t*>(args.operands[1]);
  uint8_t* out = static_cast<uint8_t*>(args.operands[2]);
  const View* const views[2] = {&p.in, &p.out};
  const Nest<2> nest = MakeNest<2>(views);
  const int row = nest.rank - 1;
  const int64_t in_stride = nest.strides[0][row], out_stride = nest.strides[1][row];
  __m512i t[4];
  for (int i = 0; i < 4; ++i) t[i] = _mm512_loadu_si512(table + 64 * i);
  ForRows(nest, 1, 64, args.thread, args.threads, [&](const int64_t* at, int64_t begin, int64_t end) {
    const uint8_t* from = in + at[0];
    uint8_t* to = out + at[1];
    int64_t i = begin;
    if (in_stride == 1 && out_stride == 1) {
      for (; i < end; i += 64) {
        const __mmask64 mask = end - i >= 64 ? ~0ull : (1ull << (end - i)) - 1;
        const __m512i x = _mm512_maskz_loadu_epi8(mask, from + i);
        const __m512i low = _mm512_permutex2var_epi8(t[0], x, t[1]), high = _mm512_permutex2var_epi8(t[2], x, t[3]);
        _mm512_mask_storeu_epi8(to + i, mask, _mm512_mask_blend_epi8(_mm512_movepi8_mask(x), low, high));
      }
    }
    for (; i < end; ++i) to[i * out_stride] = table[from[i * in_stride]];
  });
}

}  // namespace omkit::kernels::OMKIT_TIER_NAMESPACE
