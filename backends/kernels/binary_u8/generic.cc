// Sixteen elements at a time along rows where each operand is either contiguous or one repeated element.
#include "backends/kernels/binary_u8/binary_u8.h"
#include "backends/kernels/lanes.h"
#include "backends/kernels/nest.h"
#include "backends/kernels/tier.h"

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
  ForRows(nest, 1, 64, args.thread, args.threads, [&](const int64_t* at, int64_t begin, int64_t end) {
    const uint8_t *x = a + at[0], *y = b + at[1];
    uint8_t* z = out + at[2];
    int64_t i = begin;
    if (sa == 1 && sb == 1 && so == 1) {
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
