// One table load per element; on arm64 sixteen elements at a time with the table in sixteen registers.
#include "backends/kernels/lut_u8/lut_u8.h"
#include "backends/kernels/nest.h"
#include "backends/kernels/tier.h"
#if defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace omkit::kernels {
namespace {

// Maps whole groups of contiguous elements from the first on; returns how many.
#if defined(__aarch64__)
int64_t MapGroups(const uint8_t* table, const uint8_t* from, uint8_t* to, int64_t count) {
  const uint8x16x4_t first = vld1q_u8_x4(table), second = vld1q_u8_x4(table + 64), third = vld1q_u8_x4(table + 128), last = vld1q_u8_x4(table + 192);
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    // An index outside a quarter's 64 entries leaves the result as it is.
    const uint8x16_t x = vld1q_u8(from + i);
    uint8x16_t y = vqtbl4q_u8(first, x);
    y = vqtbx4q_u8(y, second, veorq_u8(x, vdupq_n_u8(0x40)));
    y = vqtbx4q_u8(y, third, veorq_u8(x, vdupq_n_u8(0x80)));
    vst1q_u8(to + i, vqtbx4q_u8(y, last, veorq_u8(x, vdupq_n_u8(0xC0))));
  }
  return i;
}
#else
int64_t MapGroups(const uint8_t* /*table*/, const uint8_t* /*from*/, uint8_t* /*to*/, int64_t /*count*/) { return 0; }
#endif

}  // namespace

namespace OMKIT_TIER_NAMESPACE {

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
  ForRows(nest, 1, 64, args.thread, args.threads, [&](const int64_t* at, int64_t begin, int64_t end) {
    int64_t i = begin;
    if (in_stride == 1 && out_stride == 1) i += MapGroups(table, in + at[0] + begin, out + at[1] + begin, end - begin);
    for (; i < end; ++i) out[at[1] + i * out_stride] = table[in[at[0] + i * in_stride]];
  });
}

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
