// Lanes run along the innermost axis: across outputs when it is kept, else lane i takes elements i mod 16 of every run and the
// lanes are folded in a fixed tree.
#include "backends/kernels/math_f32.h"
#include "backends/kernels/reduce_f32/reduce_f32.h"
#include "backends/kernels/tier.h"

namespace omkit::kernels {
namespace {

using K = ReduceF32;

// A set of axes, outermost first, walked in row-major order.
struct Axes {
  int rank = 0;
  int64_t dims[kMaxViewRank], in[kMaxViewRank], out[kMaxViewRank];

  OMKIT_INLINE void Add(int64_t dim, int64_t in_stride, int64_t out_stride) {
    dims[rank] = dim;
    in[rank] = in_stride;
    out[rank++] = out_stride;
  }
};

template <typename Visit>
OMKIT_INLINE void Walk(const Axes& axes, int64_t begin, int64_t end, const Visit& visit) {
  int64_t index[kMaxViewRank], in = 0, out = 0, rest = begin;
  for (int i = axes.rank - 1; i >= 0; --i) {
    index[i] = rest % axes.dims[i];
    rest /= axes.dims[i];
    in += index[i] * axes.in[i];
    out += index[i] * axes.out[i];
  }
  for (int64_t at = begin; at < end; ++at) {
    visit(in, out);
    for (int i = axes.rank - 1; i >= 0; --i) {
      in += axes.in[i];
      out += axes.out[i];
      if (++index[i] < axes.dims[i]) break;
      in -= axes.dims[i] * axes.in[i];
      out -= axes.dims[i] * axes.out[i];
      index[i] = 0;
    }
  }
}

template <K kKind>
OMKIT_INLINE float Start() {
  if constexpr (kKind == K::kMax) return -kInfinity;
  if constexpr (kKind == K::kMin) return kInfinity;
  if constexpr (kKind == K::kProd) return 1.0f;
  return 0.0f;
}
template <K kKind>
OMKIT_INLINE F32 Accumulate(F32 acc, F32 x, F32 shift) {
  if constexpr (kKind == K::kMax) return Max(x, acc);
  if constexpr (kKind == K::kMin) return Min(x, acc);
  if constexpr (kKind == K::kProd) return acc * x;
  if constexpr (kKind == K::kL1) return acc + Abs(x);
  if constexpr (kKind == K::kL2 || kKind == K::kSumSquare) return Fma(x, x, acc);
  if constexpr (kKind == K::kLogSumExp) return acc + Exp(x - shift);
  return acc + x;
}
template <K kKind>
OMKIT_INLINE float Combine(F32 x) {
  if constexpr (kKind == K::kMax) return FoldMax(x);
  if constexpr (kKind == K::kMin) return Fold(x, [](float a, float b) { return a < b ? a : b; });
  if constexpr (kKind == K::kProd) return Fold(x, [](float a, float b) { return a * b; });
  return FoldSum(x);
}
template <K kKind>
OMKIT_INLINE F32 Finish(F32 acc, float count, F32 shift) {
  if constexpr (kKind == K::kMean) return acc / Set(count);
  if constexpr (kKind == K::kL2) return Sqrt(acc);
  if constexpr (kKind == K::kLogSum) return Log(acc);
  if constexpr (kKind == K::kLogSumExp) return Log(acc) + shift;
  return acc;
}

struct Job {
  Axes reduced;            // all reduced axes, or all but the innermost when lanes run along it
  int64_t runs;            // number of elements of `reduced`
  bool along;              // lanes run along the innermost axis, which is reduced
  int64_t length, stride;  // of a run along the innermost axis; length 1 when lanes run across outputs
  int64_t lane_out;        // between neighbouring outputs
  float count;             // of reduced elements
};

// Out of line: this has more uses than it takes time.
__attribute__((noinline)) void Gather(const float* from, int64_t stride, int lanes, float* to) { Store(to, LoadStrided(from, stride, lanes)); }

template <bool kDense>
OMKIT_INLINE F32 LoadLanes(const float* from, int64_t stride, int lanes) {
  if (kDense) return LoadSome(from, lanes);
  alignas(64) float gathered[kWidth];
  Gather(from, stride, lanes, gathered);
  return Load(gathered);
}

// kDense: the stride is 1.
template <K kKind, bool kDense>
OMKIT_INLINE F32 AcrossOutputs(const Job& job, const float* in, int lanes, F32 shift) {
  F32 acc = Set(Start<kKind>());
  Walk(job.reduced, 0, job.runs, [&](int64_t at, int64_t) { acc = Accumulate<kKind>(acc, LoadLanes<kDense>(in + at, job.stride, lanes), shift); });
  return acc;
}

template <K kKind, bool kDense>
OMKIT_INLINE F32 AlongRuns(const Job& job, const float* in, F32 shift) {
  F32 acc = Set(Start<kKind>());
  Walk(job.reduced, 0, job.runs, [&](int64_t at, int64_t) {
    const float* run = in + at;
    int64_t i = 0;
    for (; i + kWidth <= job.length; i += kWidth) acc = Accumulate<kKind>(acc, LoadLanes<kDense>(run + i * job.stride, job.stride, kWidth), shift);
    if (i < job.length) {
      const int lanes = static_cast<int>(job.length - i);
      const F32 next = Accumulate<kKind>(acc, LoadLanes<kDense>(run + i * job.stride, job.stride, lanes), shift);
      acc = KeepFirst(next, acc, lanes);
    }
  });
  return Set(Combine<kKind>(acc));
}

// e^(x - max) cannot overflow; an infinite maximum is the result itself.
OMKIT_INLINE F32 ShiftOf(F32 max) { return Select(Abs(max) < Set(kInfinity), max, Set(0.0f)); }

// One output when lanes run along the innermost axis, else `lanes` neighbouring ones.
template <K kKind, bool kDense>
OMKIT_INLINE F32 Result(const Job& job, const float* in, int lanes) {
  F32 shift = Set(0.0f);
  if (job.along) {
    if constexpr (kKind == K::kLogSumExp) shift = ShiftOf(AlongRuns<K::kMax, kDense>(job, in, shift));
    return Finish<kKind>(AlongRuns<kKind, kDense>(job, in, shift), job.count, shift);
  }
  if constexpr (kKind == K::kLogSumExp) shift = ShiftOf(AcrossOutputs<K::kMax, kDense>(job, in, lanes, shift));
  return Finish<kKind>(AcrossOutputs<kKind, kDense>(job, in, lanes, shift), job.count, shift);
}
template <K kKind>
void Reduce(const Job& job, const float* in, float* out, int lanes) {
  const F32 result = job.stride == 1 ? Result<kKind, true>(job, in, lanes) : Result<kKind, false>(job, in, lanes);
  StoreStrided(out, job.lane_out, result, lanes);
}

void Run(const ReduceF32Params& p, const KernelArgs& args, void (*reduce)(const Job&, const float*, float*, int)) {
  const float* in = static_cast<const float*>(args.operands[0]) + p.in.offset;
  float* out = static_cast<float*>(args.operands[1]) + p.out.offset;
  const int last = p.in.rank - 1;
  const bool along = p.axes >> last & 1;
  const int64_t columns = p.in.dims[last];
  Job job = {{}, 1, along, along ? columns : 1, p.in.strides[last], p.out.strides[last], 1.0f};
  Axes kept;
  int64_t items = 1, count = 1;
  for (int i = 0; i <= last; ++i) {
    const bool reduced = p.axes >> i & 1;
    if (reduced) count *= p.in.dims[i];
    if (i == last) break;
    if (reduced) {
      job.reduced.Add(p.in.dims[i], p.in.strides[i], 0);
      job.runs *= p.in.dims[i];
    } else {
      kept.Add(p.in.dims[i], p.in.strides[i], p.out.strides[i]);
      items *= p.in.dims[i];
    }
  }
  job.count = static_cast<float>(count);
  if (!along) {
    kept.Add((columns + kWidth - 1) / kWidth, job.stride * kWidth, job.lane_out * kWidth);
    items *= kept.dims[kept.rank - 1];
  }
  const Part part = SplitWork(items, 1, args.thread, args.threads);
  if (part.begin >= part.end) return;
  const int64_t blocks = along ? 1 : kept.dims[kept.rank - 1];
  int64_t item = part.begin;
  Walk(kept, part.begin, part.end, [&](int64_t from, int64_t to) {
    const int64_t left = along ? 1 : columns - item++ % blocks * kWidth;
    reduce(job, in + from, out + to, left < kWidth ? static_cast<int>(left) : kWidth);
  });
}

}  // namespace

namespace OMKIT_TIER_NAMESPACE {

void ReduceF32(const KernelArgs& args) {
  ReduceF32Params p;
  LoadParams(args, &p);
  switch (p.kind) {
    case K::kSum: return Run(p, args, Reduce<K::kSum>);
    case K::kMean: return Run(p, args, Reduce<K::kMean>);
    case K::kMax: return Run(p, args, Reduce<K::kMax>);
    case K::kMin: return Run(p, args, Reduce<K::kMin>);
    case K::kL1: return Run(p, args, Reduce<K::kL1>);
    case K::kL2: return Run(p, args, Reduce<K::kL2>);
    case K::kSumSquare: return Run(p, args, Reduce<K::kSumSquare>);
    case K::kProd: return Run(p, args, Reduce<K::kProd>);
    case K::kLogSum: return Run(p, args, Reduce<K::kLogSum>);
    case K::kLogSumExp: return Run(p, args, Reduce<K::kLogSumExp>);
  }
}

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
