#include "tools/bench/peak.h"

#include <algorithm>
#include <cstdint>

#include "runtime/profiler.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace omkit::bench {
namespace {

constexpr int64_t kRounds = 100'000;
constexpr int kBursts = 30;
constexpr int kChains = 12;  // hides a latency of 4 to 6 cycles at two instructions per cycle

// A function that runs kRounds times one group of instructions on each of kChains registers. In `text`, %0 is the chain, %1 scratch, %2 and
// %3 are operands; OMKIT_DO is the assembler statement for it.
#define OMKIT_LOOP(name, target, Type, zero, text)                                                                                             \
  target void name() {                                                                                                                         \
    Type a = zero, b = zero, t = zero;                                                                                                         \
    Type c0 = zero, c1 = zero, c2 = zero, c3 = zero, c4 = zero, c5 = zero, c6 = zero, c7 = zero, c8 = zero, c9 = zero, c10 = zero, c11 = zero; \
    for (int64_t i = 0; i < kRounds; ++i) {                                                                                                    \
      OMKIT_DO(text, c0)                                                                                                                       \
      OMKIT_DO(text, c1)                                                                                                                       \
      OMKIT_DO(text, c2) OMKIT_DO(text, c3) OMKIT_DO(text, c4) OMKIT_DO(text, c5) OMKIT_DO(text, c6) OMKIT_DO(text, c7) OMKIT_DO(text, c8)     \
          OMKIT_DO(text, c9) OMKIT_DO(text, c10) OMKIT_DO(text, c11)                                                                           \
    }                                                                                                                                          \
  }

struct Row {
  Isa isa;
  void (*int8)();
  double int8_operations;  // of one group
  void (*f32)();
  double f32_operations;
};

#if defined(__x86_64__)
#define OMKIT_DO(text, c) __asm__ volatile(text : "+v"(c), "=&v"(t) : "v"(a), "v"(b));
#define OMKIT_YMM __attribute__((target("avx2,fma")))
#define OMKIT_ZMM __attribute__((target("avx512f")))
OMKIT_LOOP(DotZmm, OMKIT_ZMM, __m512i, _mm512_setzero_si512(), "vpdpbusd %2, %3, %0")
OMKIT_LOOP(FmaZmm, OMKIT_ZMM, __m512, _mm512_setzero_ps(), "vfmadd231ps %2, %3, %0")
OMKIT_LOOP(DotPairsZmm, OMKIT_ZMM, __m512, _mm512_setzero_ps(), "vdpbf16ps %2, %3, %0")
#undef OMKIT_DO
#define OMKIT_DO(text, c) __asm__ volatile(text : "+x"(c), "=&x"(t) : "x"(a), "x"(b));
OMKIT_LOOP(DotYmm, OMKIT_YMM, __m256i, _mm256_setzero_si256(), "%{vex%} vpdpbusd %2, %3, %0")
OMKIT_LOOP(MaddYmm, OMKIT_YMM, __m256i, _mm256_setzero_si256(), "vpmaddubsw %2, %3, %1\n\tvpmaddwd %2, %1, %1\n\tvpaddd %1, %0, %0")
OMKIT_LOOP(FmaYmm, OMKIT_YMM, __m256, _mm256_setzero_ps(), "vfmadd231ps %2, %3, %0")
constexpr Row kRows[] = {
    {Isa::kAvx512Vnni, DotZmm, 128, FmaZmm, 32},
    {Isa::kAvxVnni, DotYmm, 64, FmaYmm, 16},
    {Isa::kAvx2, MaddYmm, 64, FmaYmm, 16},
};
#elif defined(__aarch64__)
#define OMKIT_DO(text, c) __asm__ volatile(text : "+w"(c), "=&w"(t) : "w"(a), "w"(b));
OMKIT_LOOP(Usmmla, __attribute__((target("arch=armv8.2-a+i8mm"))), int32x4_t, vdupq_n_s32(0), "usmmla %0.4s, %2.16b, %3.16b")
OMKIT_LOOP(Sdot, __attribute__((target("arch=armv8.2-a+dotprod"))), int32x4_t, vdupq_n_s32(0), "sdot %0.4s, %2.16b, %3.16b")
OMKIT_LOOP(Smlal, , int32x4_t, vdupq_n_s32(0), "smull %1.8h, %2.8b, %3.8b\n\tsmlal2 %1.8h, %2.16b, %3.16b\n\tsadalp %0.4s, %1.8h")
OMKIT_LOOP(Fmla, , float32x4_t, vdupq_n_f32(0), "fmla %0.4s, %2.4s, %3.4s")
constexpr Row kRows[] = {
    {Isa::kI8mm, Usmmla, 64, Fmla, 8},
    {Isa::kDotprod, Sdot, 32, Fmla, 8},
    {Isa::kNeon, Smlal, 32, Fmla, 8},
};
#else
constexpr Row kRows[] = {{Isa::kGeneric, nullptr, 0, nullptr, 0}};
#endif

double BestRate(void (*loop)(), double operations) {
  if (loop == nullptr) return 0;
  int64_t least = INT64_MAX;
  for (int i = 0; i < kBursts; ++i) {
    const int64_t begin = runtime::MonotonicNanoseconds();
    loop();
    least = std::min(least, runtime::MonotonicNanoseconds() - begin);
  }
  return operations * static_cast<double>(kRounds * kChains) / static_cast<double>(std::max<int64_t>(least, 1));
}

}  // namespace

Peak MeasurePeak(Isa isa) {
  for (const Row& row : kRows) {
    if (row.isa != isa) continue;
    Peak peak = {BestRate(row.int8, row.int8_operations), BestRate(row.f32, row.f32_operations), 0};
    peak.bf16 = peak.f32;
#if defined(__x86_64__)
    if (isa == Isa::kAvx512Vnni && __builtin_cpu_supports("avx512bf16")) peak.bf16 = BestRate(DotPairsZmm, 64);
#endif
    return peak;
  }
  return {};
}

}  // namespace omkit::bench
