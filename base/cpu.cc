#include "base/cpu.h"

#include <cstdio>
#include <cstdlib>
#include <thread>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif
#if defined(__linux__)
#include <sched.h>
#endif

namespace omkit {
namespace {

constexpr struct {
  Isa isa;
  const char* name;
} kIsas[] = {
    {Isa::kGeneric, "generic"}, {Isa::kAvx2, "avx2"},       {Isa::kAvxVnni, "avxvnni"}, {Isa::kAvx512Vnni, "avx512vnni"},
    {Isa::kNeon, "neon"},       {Isa::kDotprod, "dotprod"}, {Isa::kI8mm, "i8mm"},
};

constexpr uint32_t Bit(Isa isa) { return 1u << static_cast<int>(isa); }

#if defined(__x86_64__)

struct Registers {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Registers Cpuid(uint32_t leaf, uint32_t subleaf) {
  Registers r;
  if (!__get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx)) return Registers();
  return r;
}

constexpr bool Has(uint32_t word, int bit) { return (word >> bit) & 1; }

// The register state that the operating system saves (Intel SDM volume 1, section 13.3).
uint64_t Xcr0() {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<uint64_t>(high) << 32) | low;
}

uint32_t DetectTiers() {
  uint32_t tiers = Bit(Isa::kGeneric);
  const Registers basic = Cpuid(1, 0);
  const bool os_xsave = Has(basic.ecx, 27);
  if (!os_xsave) return tiers;
  constexpr uint64_t kYmm = 0x6, kZmm = 0xE6;
  const uint64_t saved = Xcr0();
  const Registers extended = Cpuid(7, 0);
  const Registers extended1 = Cpuid(7, 1);
  const bool fma_f16c_avx = Has(basic.ecx, 12) && Has(basic.ecx, 29) && Has(basic.ecx, 28);
  if ((saved & kYmm) != kYmm || !fma_f16c_avx || !Has(extended.ebx, 5)) return tiers;
  tiers |= Bit(Isa::kAvx2);
  if (Has(extended1.eax, 4)) tiers |= Bit(Isa::kAvxVnni);
  const bool avx512_f_dq_bw_vl = Has(extended.ebx, 16) && Has(extended.ebx, 17) && Has(extended.ebx, 30) && Has(extended.ebx, 31);
  const bool vbmi_vnni = Has(extended.ecx, 1) && Has(extended.ecx, 11);
  if ((saved & kZmm) == kZmm && avx512_f_dq_bw_vl && vbmi_vnni) tiers |= Bit(Isa::kAvx512Vnni);
  return tiers;
}

#elif defined(__aarch64__)

uint32_t DetectTiers() {
  uint32_t tiers = Bit(Isa::kGeneric) | Bit(Isa::kNeon);
#if defined(__linux__)
  // Bits of the kernel's ABI: Documentation/arch/arm64/elf_hwcaps.rst (HWCAP_ASIMDDP, HWCAP2_I8MM).
  const bool dotprod = (getauxval(AT_HWCAP) >> 20) & 1;
  const bool i8mm = (getauxval(AT_HWCAP2) >> 13) & 1;
  if (dotprod) tiers |= Bit(Isa::kDotprod);
  if (dotprod && i8mm) tiers |= Bit(Isa::kI8mm);
#endif
  return tiers;
}

#else

uint32_t DetectTiers() { return Bit(Isa::kGeneric); }

#endif

uint32_t CappedTiers() {
  const uint32_t found = DetectTiers();
  const char* cap_name = std::getenv("OMKIT_ISA");
  if (cap_name == nullptr || *cap_name == '\0') return found;
  Isa cap;
  if (!FindIsa(cap_name, &cap) || !(found & Bit(cap))) {
    std::fprintf(stderr, "omkit: OMKIT_ISA=%s is ignored: this machine has no such tier\n", cap_name);
    return found;
  }
  return found & (Bit(cap) | (Bit(cap) - 1));
}

uint32_t Tiers() {
  static const uint32_t tiers = CappedTiers();
  return tiers;
}

}  // namespace

const char* IsaName(Isa isa) {
  for (const auto& row : kIsas) {
    if (row.isa == isa) return row.name;
  }
  return "unknown";
}

bool FindIsa(absl::string_view name, Isa* isa) {
  for (const auto& row : kIsas) {
    if (name == row.name) {
      *isa = row.isa;
      return true;
    }
  }
  return false;
}

bool CpuSupports(Isa isa) { return static_cast<int>(isa) < 32 && (Tiers() & Bit(isa)) != 0; }

Isa BestIsa() {
  Isa best = Isa::kGeneric;
  for (const auto& row : kIsas) {
    if (CpuSupports(row.isa)) best = row.isa;
  }
  return best;
}

int CpuCores() {
#if defined(__linux__)
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
#endif
  const unsigned cores = std::thread::hardware_concurrency();
  return cores > 0 ? static_cast<int>(cores) : 1;
}

}  // namespace omkit
