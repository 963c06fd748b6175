// What a kernel source sees when it is compiled once per tier: plain arguments and a static split of work. Floor 4.
//
// Sources compiled for a tier may use only plain structs and functions of internal linkage: an inline function of a shared
// header that the compiler leaves out of line could be the copy the linker keeps for the portable build.
#ifndef OMKIT_BACKENDS_KERNELS_TIER_H_
#define OMKIT_BACKENDS_KERNELS_TIER_H_

#include <cstdint>

#define OMKIT_INLINE inline __attribute__((always_inline))

namespace omkit::kernels {

// runtime::KernelContext with the step's parameter bytes.
struct KernelArgs {
  const void* params;
  void* const* operands;
  void* scratch;
  const void* state;
  int thread;
  int threads;
};

namespace {

struct Part {
  int64_t begin;
  int64_t end;
};

// The part of [0, count) that belongs to `thread`, in whole units.
[[maybe_unused]] OMKIT_INLINE Part SplitWork(int64_t count, int64_t unit, int thread, int threads) {
  const int64_t units = (count + unit - 1) / unit;
  const int64_t begin = units * thread / threads * unit;
  const int64_t end = units * (thread + 1) / threads * unit;
  return {begin < count ? begin : count, end < count ? end : count};
}

template <typename Params>
OMKIT_INLINE void LoadParams(const KernelArgs& args, Params* params) {
  __builtin_memcpy(params, args.params, sizeof(Params));
}

// Four bytes at any address.
[[maybe_unused]] OMKIT_INLINE int32_t LoadDword(const uint8_t* from) {
  int32_t value;
  __builtin_memcpy(&value, from, sizeof value);
  return value;
}

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_TIER_H_
