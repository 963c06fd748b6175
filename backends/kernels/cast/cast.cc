#include "backends/kernels/cast/cast.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "backends/kernels/nest.h"
#include "backends/kernels/registration.h"
#include "base/status.h"

namespace omkit::kernels {

namespace {

// Elements converted at a time: from the source type to the widest type of its kind, then to the target type.
constexpr int kBlock = 256;

bool Supported(DType dtype) { return IsValid(dtype) && dtype != DType::kFloat64 && dtype != DType::kUInt64; }

absl::Status Verify(const runtime::Step& step) {
  OMKIT_RETURN_IF_ERROR(VerifyStepShape(step, sizeof(CastParams), 2, 2));
  const CastParams p = runtime::ParamsOf<CastParams>(step);
  for (DType dtype : {p.from, p.to}) {
    if (!Supported(dtype)) return absl::InvalidArgumentError(absl::StrCat("cast does not support type ", Name(dtype)));
  }
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("input", p.in, static_cast<int32_t>(SizeOf(p.from)), step.operands[0]));
  OMKIT_RETURN_IF_ERROR(VerifyOperandView("output", p.out, static_cast<int32_t>(SizeOf(p.to)), step.operands[1]));
  return VerifySameDims("input and output", p.in, p.out);
}

template <typename T>
float FloatOf(T v) {
  if constexpr (std::is_same_v<T, Float16>) return FromFloat16(v);
  else if constexpr (std::is_same_v<T, BFloat16>) return FromBFloat16(v);
  else return static_cast<float>(v);
}

template <typename T, typename Wide>
void LoadBlock(const char* in, int64_t stride, int count, Wide* wide) {
  for (int i = 0; i < count; ++i) {
    if constexpr (std::is_same_v<T, bool>) {
      wide[i] = static_cast<Wide>(in[i * stride] != 0);
    } else {
      T v;
      std::memcpy(&v, in + i * stride * static_cast<int64_t>(sizeof v), sizeof v);
      if constexpr (std::is_same_v<Wide, float>) wide[i] = FloatOf(v);
      else wide[i] = static_cast<Wide>(v);
    }
  }
}

template <typename T>
T Convert(float v) {
  if constexpr (std::is_same_v<T, float>) return v;
  else if constexpr (std::is_same_v<T, Float16>) return ToFloat16(v);
  else if constexpr (std::is_same_v<T, BFloat16>) return ToBFloat16(v);
  else if constexpr (std::is_same_v<T, bool>) return v != 0.0f;
  else {
    if (!(v == v)) return 0;
    const float lo = static_cast<float>(std::numeric_limits<T>::min()), hi = static_cast<float>(std::numeric_limits<T>::max());
    if (v <= lo) return std::numeric_limits<T>::min();
    return v >= hi ? std::numeric_limits<T>::max() : static_cast<T>(v);
  }
}
template <typename T>
T Convert(int64_t v) {
  if constexpr (std::is_same_v<T, float>) return static_cast<float>(v);
  else if constexpr (std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>) return Convert<T>(static_cast<float>(v));
  else if constexpr (std::is_same_v<T, bool>) return v != 0;
  else return static_cast<T>(v);
}

template <typename T, typename Wide>
void StoreBlock(const Wide* wide, char* out, int64_t stride, int count) {
  for (int i = 0; i < count; ++i) {
    const T v = Convert<T>(wide[i]);
    std::memcpy(out + i * stride * static_cast<int64_t>(sizeof v), &v, sizeof v);
  }
}

template <typename Wide>
void CastBlock(const CastParams& p, const char* in, int64_t in_stride, char* out, int64_t out_stride, int count) {
  Wide wide[kBlock];
  DispatchDType(p.from, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_same_v<Wide, float> || std::is_integral_v<T>) LoadBlock<T>(in, in_stride, count, wide);
  });
  DispatchDType(p.to, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (!std::is_same_v<T, double>) StoreBlock<T>(wide, out, out_stride, count);
  });
}

void Run(const KernelArgs& args) {
  CastParams p;
  LoadParams(args, &p);
  const View* const views[2] = {&p.in, &p.out};
  const Nest<2> nest = MakeNest<2>(views);
  const int64_t si = nest.strides[0][nest.rank - 1], so = nest.strides[1][nest.rank - 1];
  ForRows(nest, 1, kBlock, args.thread, args.threads, [&](const int64_t* at, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += kBlock) {
      const int count = static_cast<int>(std::min<int64_t>(kBlock, end - i));
      const char* in = static_cast<const char*>(args.operands[0]) + (at[0] + i * si) * p.in.element_size;
      char* out = static_cast<char*>(args.operands[1]) + (at[1] + i * so) * p.out.element_size;
      if (IsFloat(p.from)) CastBlock<float>(p, in, si, out, so, count);
      else CastBlock<int64_t>(p, in, si, out, so, count);
    }
  });
}

const runtime::KernelDef kRows[] = {
#define OMKIT_TIER(tier, isa, plain) {"cast." #tier, Verify, nullptr, nullptr, RunTier<Run>, 1u << 1},
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER
};

}  // namespace

std::string CastKernel(Isa isa) { return absl::StrCat("cast.", IsaName(isa)); }
void RegisterCastKernels() { RegisterRows(kRows); }

}  // namespace omkit::kernels
