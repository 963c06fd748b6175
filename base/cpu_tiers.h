// Which tiers the processor and its operating system have. Floor 1, plain code: no environment variables, no allocation.
#ifndef OMKIT_BASE_CPU_TIERS_H_
#define OMKIT_BASE_CPU_TIERS_H_

#include <cstdint>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

#include "base/cpu.h"

namespace omkit {

// A set of tiers has one bit for each.
constexpr uint32_t IsaBit(Isa isa) { return 1u << static_cast<int>(isa); }

#if defined(__x86_64__)

struct Registers {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

inline Registers Cpuid(uint32_t leaf, uint32_t subleaf) {
  Registers r;
  if (!__get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx)) return Registers();
  return r;
}

constexpr bool Has(uint32_t word, int bit) { return (word >> bit) & 1; }

// The register state that the operating system saves (Intel SDM volume 1, section 13.3).
inline uint64_t Xcr0() {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<uint64_t>(high) << 32) | low;
}

inline uint32_t DetectIsas() {
  uint32_t tiers = IsaBit(Isa::kGeneric);
  const Registers basic = Cpuid(1, 0);
  const bool os_xsave = Has(basic.ecx, 27);
  if (!os_xsave) return tiers;
  constexpr uint64_t kYmm = 0x6, kZmm = 0xE6;
  const uint64_t saved = Xcr0();
  const Registers extended = Cpuid(7, 0);
  const Registers extended1 = Cpuid(7, 1);
  const bool fma_f16c_avx = Has(basic.ecx, 12) && Has(basic.ecx, 29) && Has(basic.ecx, 28);
  if ((saved & kYmm) != kYmm || !fma_f16c_avx || !Has(extended.ebx, 5)) return tiers;
  tiers |= IsaBit(Isa::kAvx2);
  if (Has(extended1.eax, 4)) tiers |= IsaBit(Isa::kAvxVnni);
  const bool avx512_f_dq_bw_vl = Has(extended.ebx, 16) && Has(extended.ebx, 17) && Has(extended.ebx, 30) && Has(extended.ebx, 31);
  const bool vbmi_vnni = Has(extended.ecx, 1) && Has(extended.ecx, 11);
  if ((saved & kZmm) == kZmm && avx512_f_dq_bw_vl && vbmi_vnni) tiers |= IsaBit(Isa::kAvx512Vnni);
  return tiers;
}

#elif defined(__aarch64__)

inline uint32_t DetectIsas() {
  uint32_t tiers = IsaBit(Isa::kGeneric) | IsaBit(Isa::kNeon);
#if defined(__linux__)
  // Bits of the kernel's ABI: Documentation/arch/arm64/elf_hwcaps.rst (HWCAP_ASIMDDP, HWCAP2_I8MM).
  const bool dotprod = (getauxval(AT_HWCAP) >> 20) & 1;
  const bool i8mm = (getauxval(AT_HWCAP2) >> 13) & 1;
  if (dotprod) tiers |= IsaBit(Isa::kDotprod);
  if (dotprod && i8mm) tiers |= IsaBit(Isa::kI8mm);
#endif
  return tiers;
}

#else

inline uint32_t DetectIsas() { return IsaBit(Isa::kGeneric); }

#endif

}  // namespace omkit

#endif  // OMKIT_BASE_CPU_TIERS_H_
