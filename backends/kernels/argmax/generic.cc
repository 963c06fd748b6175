// Along a contiguous axis sixteen elements are compared at a time; elsewhere element by element.
#include "backends/kernels/argmax/argmax.h"
#include "backends/kernels/lanes.h"
#include "backends/kernels/lanes_f32.h"
#include "backends/kernels/tier.h"

namespace omkit::kernels {
namespace {

constexpr float kInfinity = __builtin_inff();
// Indices are compared as floats, exact up to here.
constexpr int64_t kLongestLine = int64_t{1} << 24;

template <typename T>
int64_t BestOfElements(const T* in, int64_t count, int64_t stride, float sign, bool last) {
  int64_t best = 0;
  float top = static_cast<float>(in[0]) * sign;
  for (int64_t i = 1; i < count; ++i) {
    const float v = static_cast<float>(in[i * stride]) * sign;
    if (v > top || (last && v == top) || (top != top && v == v)) {
      top = v;
      best = i;
    }
  }
  return best;
}

OMKIT_INLINE F32 LoadReals(const float* from, int lanes) { return LoadSome(from, lanes); }
OMKIT_INLINE F32 LoadReals(const uint8_t* from, int lanes) {
  const LanesF32 v = ToFloat(Widen(LoadSome<LanesU8>(from, lanes)));
  F32 real;
  __builtin_memcpy(&real, &v, sizeof real);
  return real;
}

// The top first, then the first or last index that has it. A NaN equals nothing; a line of NaN alone gives 0.
template <typename T>
int64_t BestOfLine(const T* in, int64_t count, float sign, bool last, F32 steps) {
  // The last run overlaps the one before it, so that lanes are whole wherever the line is long enough.
  const bool whole = count >= kWidth;
  const int lanes = whole ? kWidth : static_cast<int>(count);
  const F32 signs = Set(sign);
  F32 top = Set(-kInfinity);
  for (int64_t begin = 0; begin < count; begin += kWidth) {
    const int64_t i = whole && begin + kWidth > count ? count - kWidth : begin;
    top = Max(Keep(LoadReals(in + i, lanes) * signs, lanes, -kInfinity), top);
  }
  top = Set(FoldMax(top));
  // Negated when the first index is wanted: the greatest wins.
  const float direction = last ? 1.0f : -1.0f;
  F32 best = Set(-kInfinity);
  for (int64_t begin = 0; begin < count; begin += kWidth) {
    const int64_t i = whole && begin + kWidth > count ? count - kWidth : begin;
    const F32 index = (Set(static_cast<float>(i)) + steps) * Set(direction);
    const Mask equal = Keep(LoadReals(in + i, lanes) * signs, lanes, __builtin_nanf("")) == top;
    best = Max(Select(equal, index, Set(-kInfinity)), best);
  }
  const float found = FoldMax(best);
  return found == -kInfinity ? 0 : static_cast<int64_t>(found * direction);
}

template <typename T>
void Run(const ArgMaxParams& p, const KernelArgs& args) {
  alignas(64) float numbers[kWidth];
  for (int i = 0; i < kWidth; ++i) numbers[i] = static_cast<float>(i);
  const F32 steps = Load(numbers);
  const int64_t count = p.in.dims[p.axis], stride = p.in.strides[p.axis];
  const float sign = p.minimum ? -1.0f : 1.0f;
  const bool line = stride == 1 && count <= kLongestLine;
  const Part part = SplitWork(p.out.elements(), 1, args.thread, args.threads);
  for (int64_t at = part.begin; at < part.end; ++at) {
    const T* in = static_cast<const T*>(args.operands[0]) + p.in.offset;
    char* out = static_cast<char*>(args.operands[1]) + p.out.offset * 8;
    int64_t rest = at;
    for (int i = p.out.rank - 1; i >= 0; --i) {
      if (p.out.dims[i] == 1) continue;
      const int64_t index = rest % p.out.dims[i];
      in += index * p.in.strides[i];
      out += index * p.out.strides[i] * 8;
      rest /= p.out.dims[i];
    }
    const int64_t index = line ? BestOfLine(in, count, sign, p.select_last, steps) : BestOfElements(in, count, stride, sign, p.select_last);
    __builtin_memcpy(out, &index, sizeof index);
  }
}

}  // namespace

namespace OMKIT_TIER_NAMESPACE {

void ArgMax(const KernelArgs& args) {
  ArgMaxParams p;
  LoadParams(args, &p);
  p.in.element_size == 1 ? Run<uint8_t>(p, args) : Run<float>(p, args);
}

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
