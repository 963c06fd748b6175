// One table load per element.
#include "backends/kernels/lut_u8/lut_u8.h"
#include "backends/kernels/nest.h"
#include "backends/kernels/tier.h"

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
  ForRows(nest, 1, 64, args.thread, args.threads, [&](const int64_t* at, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) out[at[1] + i * out_stride] = table[in[at[0] + i * in_stride]];
  });
}

}  // namespace omkit::kernels::OMKIT_TIER_NAMESPACE
