// Bytes that a convolution gathers in front of its products: the last ones of kernel rows (ConvU8GathersTails), with VPERMI2B. Floor 4. Internal
// linkage only.
#ifndef OMKIT_BACKENDS_KERNELS_CONV_U8_X86_TAILS_H_
#define OMKIT_BACKENDS_KERNELS_CONV_U8_X86_TAILS_H_

#include "backends/kernels/conv_u8/tiles.h"
#include "backends/kernels/tier.h"
#include "backends/kernels/x86.h"

namespace omkit::kernels {
namespace {

// The last bytes of the kernel rows of every pixel: 4 * steps bytes each, row after row.
class Tails {
 public:
  explicit Tails(const ConvU8Params& p)
      : rows_(p.gathers_tails ? p.kernel_h : 0),
        tail_(p.in.dims[3] - 1),
        row_step_(p.in.strides[1] * p.dilation_h),
        pixel_step_(p.in.strides[2] * p.stride_w),
        bytes_(rows_ > 4 ? 8 : 4) {
    if (rows_ == 0) return;
    uint8_t at[64];
    for (int64_t i = 0; i < 64; ++i) at[i] = static_cast<uint8_t>(i / bytes_ * pixel_step_);
    at_ = _mm512_loadu_si512(at);
  }

  void Gather(const Pixels& pixels, int count) {
    if (rows_ == 0) return;
    // A register has this many pixels, when they come from at most two registers.
    const int most = static_cast<int>((64 / bytes_ - 1) * pixel_step_ < 128 ? 64 / bytes_ : 1);
    for (int i = 0; i < count;) {
      int n = most;
      while (n > 1 && (i + n > count || pixels.in[i + n - 1] - pixels.in[i] != (n - 1) * pixel_step_)) n /= 2;
      _mm512_storeu_si512(tails_ + i * bytes_, GatherSome(pixels.in[i] + tail_, n));
      i += n;
    }
    for (int i = 0; i < kListPadding; ++i) __builtin_memcpy(tails_ + (count + i) * bytes_, tails_ + (count - 1) * bytes_, bytes_);
  }
  Block Behind(const Block& block, const Pixels& pixels) const {
    Block b = block;
    b.tails = tails_;
    b.first_in = pixels.in;
    return b;
  }

 private:
  __m512i GatherSome(const uint8_t* from, int n) const {
    const int64_t span = (n - 1) * pixel_step_ + 1;
    const __mmask64 low = span >= 64 ? ~0ull : (1ull << span) - 1, high = span > 64 ? ~0ull >> (128 - span) : 0;
    const __mmask64 first_row = bytes_ == 4 ? 0x1111111111111111ull : 0x0101010101010101ull;
    __m512i all = _mm512_setzero_si512();
    for (int64_t y = 0; y < rows_; ++y, from += row_step_) {
      const __m512i a = _mm512_maskz_loadu_epi8(low, from), b = _mm512_maskz_loadu_epi8(high, from + 64);
      all = _mm512_or_si512(all, _mm512_maskz_permutex2var_epi8(first_row << y, a, at_, b));
    }
    return all;
  }

  const int64_t rows_, tail_, row_step_, pixel_step_, bytes_;
  __m512i at_ = _mm512_setzero_si512();
  uint8_t tails_[(kChunk + kListPadding) * 8 + 64];
};

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_CONV_U8_X86_TAILS_H_
