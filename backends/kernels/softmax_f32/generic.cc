// Lanes run along the softmax axis when it is the innermost one, otherwise along the innermost axis.
#include "backends/kernels/rounder.h"
#include "backends/kernels/softmax_f32/softmax_f32.h"
#include "backends/kernels/tier.h"

namespace omkit::kernels {
namespace {

// One run of `count` elements along the axis.
struct Line {
  const float* in;
  float* out;
  int64_t count, in_stride, out_stride;
};

OMKIT_INLINE int LanesAt(int64_t i, int64_t count) { return count - i < kWidth ? static_cast<int>(count - i) : kWidth; }

// Lines of neighbouring elements that are computed together, so that no line waits for its own sums.
#if defined(__AVX2__)
constexpr int kTogether = 4;
#else
constexpr int kTogether = 1;
#endif

// body(first element, number of elements) over a line; the number is a constant but for the last.
struct AllLanes {
  constexpr operator int() const { return kWidth; }  // NOLINT(google-explicit-constructor)
};
template <typename Body>
OMKIT_INLINE void ForEachBlock(int64_t count, const Body& body) {
  int64_t i = 0;
  for (; i + kWidth <= count; i += kWidth) body(i, AllLanes());
  if (i < count) body(i, static_cast<int>(count - i));
}

// kDense: contiguous on both sides. kBytes writes its exponentials to lines[].out, its results to `bytes`.
template <int kLines, bool kDense, bool kBytes>
__attribute__((noinline)) void AlongAxis(const Line* lines, bool logarithm, const Rounder* rounder, uint8_t* const* bytes) {
  const int64_t count = lines[0].count, in_stride = kDense ? 1 : lines[0].in_stride, out_stride = kDense ? 1 : lines[0].out_stride;
  const float* in[kLines];
  float* out[kLines];
  F32 top[kLines], sum[kLines], total[kLines];
  for (int r = 0; r < kLines; ++r) {
    in[r] = lines[r].in;
    out[r] = lines[r].out;
    top[r] = Set(-kInfinity);
    sum[r] = Set(0.0f);
  }
  const auto read = [&](const float* from, int lanes) { return kDense ? LoadSome(from, lanes) : LoadStrided(from, in_stride, lanes); };
  const auto write = [&](float* to, F32 v, int lanes) { kDense ? StoreSome(to, v, lanes) : StoreStrided(to, out_stride, v, lanes); };
  ForEachBlock(count, [&](int64_t i, const auto& lanes) {
#pragma GCC unroll 4
    for (int r = 0; r < kLines; ++r) top[r] = Max(Keep(read(in[r] + i * in_stride, lanes), lanes, -kInfinity), top[r]);
  });
  for (int r = 0; r < kLines; ++r) top[r] = Set(FoldMax(top[r]));
  ForEachBlock(count, [&](int64_t i, const auto& lanes) {
#pragma GCC unroll 4
    for (int r = 0; r < kLines; ++r) {
      const F32 shifted = read(in[r] + i * in_stride, lanes) - top[r];
      const F32 e = ExpNonPositive(shifted);
      sum[r] = sum[r] + Keep(e, lanes, 0.0f);
      write(out[r] + i * out_stride, !kBytes && logarithm ? shifted : e, lanes);
    }
  });
  const Rounder round = kBytes ? *rounder : Rounder();  // a copy, which the stores of bytes cannot change
  for (int r = 0; r < kLines; ++r) total[r] = !kBytes && logarithm ? Log(Set(FoldSum(sum[r]))) : Set(1.0f) / Set(FoldSum(sum[r]));
  ForEachBlock(count, [&](int64_t i, const auto& lanes) {
#pragma GCC unroll 4
    for (int r = 0; r < kLines; ++r) {
      float* to = out[r] + i * out_stride;
      const F32 v = kDense ? LoadSome(to, lanes) : LoadStrided(to, out_stride, lanes);
      if constexpr (kBytes) StoreSome(bytes[r] + i, round.Bytes<true>(v * total[r]), lanes);
      else write(to, logarithm ? v - total[r] : v * total[r], lanes);
    }
  });
}

template <bool kBytes>
void RunLines(const Line* lines, int together, bool logarithm, const Rounder* rounder, uint8_t* const* bytes) {
  if (kBytes || (lines[0].in_stride == 1 && lines[0].out_stride == 1)) {
    together == kTogether ? AlongAxis<kTogether, true, kBytes>(lines, logarithm, rounder, bytes)
                          : AlongAxis<1, true, kBytes>(lines, logarithm, rounder, bytes);
    return;
  }
  for (int r = 0; r < together; ++r) AlongAxis<1, false, false>(lines + r, logarithm, nullptr, nullptr);
}

// `lanes` neighbours, `in_lane` and `out_lane` elements apart, each with its own softmax.
void AcrossAxis(const Line& l, int64_t in_lane, int64_t out_lane, int lanes, bool logarithm) {
  F32 max = Set(-kInfinity);
  for (int64_t i = 0; i < l.count; ++i) max = Max(LoadStrided(l.in + i * l.in_stride, in_lane, lanes), max);
  F32 sum = Set(0.0f);
  for (int64_t i = 0; i < l.count; ++i) {
    const F32 shifted = LoadStrided(l.in + i * l.in_stride, in_lane, lanes) - max;
    const F32 e = ExpNonPositive(shifted);
    sum = sum + e;
    StoreStrided(l.out + i * l.out_stride, out_lane, logarithm ? shifted : e, lanes);
  }
  const F32 log_sum = Log(sum);
  for (int64_t i = 0; i < l.count; ++i) {
    float* to = l.out + i * l.out_stride;
    const F32 v = LoadStrided(to, out_lane, lanes);
    StoreStrided(to, out_lane, logarithm ? v - log_sum : v / sum, lanes);
  }
}

}  // namespace

namespace OMKIT_TIER_NAMESPACE {

void SoftmaxF32(const KernelArgs& args) {
  SoftmaxF32Params p;
  LoadParams(args, &p);
  const float* in = static_cast<const float*>(args.operands[0]) + p.in.offset;
  float* out = static_cast<float*>(args.operands[1]) + p.out.offset;
  const int last = p.in.rank - 1;
  const bool along = p.axis == last;
  const int64_t columns = along ? 1 : p.in.dims[last];
  const int64_t blocks = (columns + kWidth - 1) / kWidth;
  int64_t rows = p.in.dims[p.axis] > 0 ? 1 : 0;
  for (int i = 0; i < last; ++i) rows *= i == p.axis ? 1 : p.in.dims[i];
  const Part part = SplitWork(rows * blocks, 1, args.thread, args.threads);
  const auto line_at = [&](int64_t row) {
    Line line = {in, out, p.in.dims[p.axis], p.in.strides[p.axis], p.out.strides[p.axis]};
    for (int i = last - 1; i >= 0; --i) {
      if (i == p.axis) continue;
      line.in += row % p.in.dims[i] * p.in.strides[i];
      line.out += row % p.in.dims[i] * p.out.strides[i];
      row /= p.in.dims[i];
    }
    return line;
  };
  if (p.quantized) {
    uint8_t* bytes = static_cast<uint8_t*>(args.operands[1]) + p.out.offset;
    const int64_t count = p.in.dims[p.axis], width = (count + kLanes - 1) / kLanes * kLanes;
    const Rounder rounder = MakeRounder(p.scale, p.zero_point);
    float* work = static_cast<float*>(args.scratch);
    for (int64_t at = part.begin; at < part.end;) {
      const int together = part.end - at >= kTogether ? kTogether : 1;
      Line lines[kTogether];
      uint8_t* to[kTogether];
      for (int r = 0; r < together; ++r) {
        lines[r] = line_at(at + r);
        to[r] = bytes + (lines[r].out - out);
        lines[r].out = work + r * width;
        lines[r].out_stride = 1;
      }
      RunLines<true>(lines, together, false, &rounder, to);
      at += together;
    }
    return;
  }
  if (along) {
    int64_t at = part.begin;
    for (; at + kTogether <= part.end; at += kTogether) {
      Line lines[kTogether];
      for (int r = 0; r < kTogether; ++r) lines[r] = line_at(at + r);
      RunLines<false>(lines, kTogether, p.log_softmax, nullptr, nullptr);
    }
    for (; at < part.end; ++at) {
      const Line line = line_at(at);
      RunLines<false>(&line, 1, p.log_softmax, nullptr, nullptr);
    }
    return;
  }
  for (int64_t at = part.begin; at < part.end; ++at) {
    const int64_t column = at % blocks * kWidth;
    Line line = line_at(at / blocks);
    line.in += column * p.in.strides[last];
    line.out += column * p.out.strides[last];
    AcrossAxis(line, p.in.strides[last], p.out.strides[last], LanesAt(column, columns), p.log_softmax);
  }
}

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
