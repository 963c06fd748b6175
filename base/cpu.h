// Instruction set tiers, and what this machine can run. Floor 1. One SoC row and one set of kernel rows exists per tier.
#ifndef OMKIT_BASE_CPU_H_
#define OMKIT_BASE_CPU_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace omkit {

enum class Isa : uint8_t {
  kGeneric = 0,     // portable C++; the only tier of a CPU that is neither x86-64 nor arm64
  kAvx2 = 1,        // AVX2 + FMA + F16C
  kAvxVnni = 2,     // kAvx2 + AVX-VNNI (256-bit VPDPBUSD, VEX)
  kAvx512Vnni = 3,  // AVX512 F/BW/VL/DQ + VNNI + VBMI
  kNeon = 4,        // arm64 baseline
  kDotprod = 5,     // kNeon + SDOT/UDOT
  kI8mm = 6,        // kDotprod + USDOT/USMMLA
};

// "generic", "avx2", "avxvnni", "avx512vnni", "neon", "dotprod", "i8mm".
const char* IsaName(Isa isa);
bool FindIsa(absl::string_view name, Isa* isa);
// True when this machine (and its operating system) can execute the tier. The environment variable OMKIT_ISA=<name>, read once,
// hides the tiers above the one it names, so that tests and comparisons can run the others.
bool CpuSupports(Isa isa);
// The best tier of this machine.
Isa BestIsa();
// Cores that this process may run on, at least 1.
int CpuCores();

}  // namespace omkit

#endif  // OMKIT_BASE_CPU_H_
