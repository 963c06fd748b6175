#include "tools/omkit_rt/kernels.h"

#include <cstring>

#include "backends/kernels/binary_u8/binary_u8.h"
#include "backends/kernels/conv_u8/constants.h"
#include "backends/kernels/copy/copy.h"
#include "backends/kernels/dwconv_u8/constants.h"
#include "backends/kernels/lut_u8/lut_u8.h"
#include "backends/kernels/pool_u8/pool_u8.h"
#include "backends/kernels/quantize/quantize.h"
#include "backends/kernels/softmax_f32/softmax_f32.h"
#include "base/checked.h"
#include "base/cpu_tiers.h"
#include "tools/omkit_rt/kernels.inc"

namespace omkit::kernels {

#define DECLARE(tier, isa, code, name, Function, ...) \
  namespace code {                                    \
  void Function(const KernelArgs& args);              \
  }
#define OMKIT_TIER(tier, isa, plain) RT_KERNELS(DECLARE, tier, isa, plain)
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER
#undef DECLARE

}  // namespace omkit::kernels

namespace omkit::rt {
namespace {

using namespace kernels;  // NOLINT(google-build-using-namespace): the table's names

struct NoConstants {
  static constexpr int64_t (*Bytes)(Isa, const void*) = nullptr;
  static constexpr const void* (*LayOut)(Isa, const void*, void* const*, void*) = nullptr;
};

template <typename Params>
Params Read(const void* bytes) {
  Params params;
  std::memcpy(&params, bytes, sizeof params);
  return params;
}

struct ConvU8Constants {
  static int64_t Bytes(Isa isa, const void* params) { return ConvU8ConstantsBytes(isa, Read<ConvU8Params>(params)); }
  static const void* LayOut(Isa isa, const void* params, void* const* operands, void* memory) {
    return LayOutConvU8Constants(isa, Read<ConvU8Params>(params), operands, memory);
  }
};

struct DwConvU8Constants {
  static int64_t Bytes(Isa isa, const void* params) { return DwConvU8ConstantsBytes(isa, Read<DwConvU8Params>(params)); }
  static const void* LayOut(Isa isa, const void* params, void* const* operands, void* memory) {
    return LayOutDwConvU8Constants(isa, Read<DwConvU8Params>(params), operands, memory);
  }
};

// As in softmax_f32.cc; kernels_test compares them.
int64_t SoftmaxScratch(const void* params) {
  const SoftmaxF32Params p = Read<SoftmaxF32Params>(params);
  const bool axis_exists = p.axis >= 0 && p.axis < kMaxViewRank;
  return p.quantized && axis_exists ? RoundUp(p.in.dims[p.axis], 16) * 4 * static_cast<int64_t>(sizeof(float)) : 0;
}

constexpr Kernel kRows[] = {
#define ROW(tier, isa, code, name, Function, Params, least, most, writes, Constants, scratch) \
  {name "." #tier, isa, kernels::code::Function, sizeof(Params), least, most, writes, Constants::Bytes, Constants::LayOut, scratch},
#define OMKIT_TIER(tier, isa, plain) RT_KERNELS(ROW, tier, isa, plain)
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER
#undef ROW
};

constexpr struct {
  const char* name;
  Isa isa;
} kTiers[] = {
#define OMKIT_TIER(tier, isa, plain) {#tier, isa},
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER
};

bool Same(const char* text, const char* name, size_t length) {
  for (size_t i = 0; i < length; ++i) {
    if (text[i] == '\0' || text[i] != name[i]) return false;
  }
  return text[length] == '\0';
}

}  // namespace

const Kernel* Kernels(size_t* count) {
  *count = sizeof kRows / sizeof kRows[0];
  return kRows;
}

const Kernel* FindKernel(const char* name, size_t length) {
  for (const Kernel& row : kRows) {
    if (Same(row.name, name, length)) return (DetectIsas() & IsaBit(row.isa)) != 0 ? &row : nullptr;
  }
  return nullptr;
}

bool HasTier(const char* name, size_t length) {
  for (const auto& tier : kTiers) {
    if (Same(tier.name, name, length)) return (DetectIsas() & IsaBit(tier.isa)) != 0;
  }
  return false;
}

}  // namespace omkit::rt
