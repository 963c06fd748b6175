#include "base/cpu.h"

#include <cstdio>
#include <cstdlib>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

#include "base/cpu_tiers.h"

namespace omkit {
namespace {

constexpr struct {
  Isa isa;
  const char* name;
} kIsas[] = {
    {Isa::kGeneric, "generic"}, {Isa::kAvx2, "avx2"},       {Isa::kAvxVnni, "avxvnni"}, {Isa::kAvx512Vnni, "avx512vnni"},
    {Isa::kNeon, "neon"},       {Isa::kDotprod, "dotprod"}, {Isa::kI8mm, "i8mm"},
};

uint32_t CappedTiers() {
  const uint32_t found = DetectIsas();
  const char* cap_name = std::getenv("OMKIT_ISA");
  if (cap_name == nullptr || *cap_name == '\0') return found;
  Isa cap;
  if (!FindIsa(cap_name, &cap) || !(found & IsaBit(cap))) {
    std::fprintf(stderr, "omkit: OMKIT_ISA=%s is ignored: this machine has no such tier\n", cap_name);
    return found;
  }
  return found & (IsaBit(cap) | (IsaBit(cap) - 1));
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

bool CpuSupports(Isa isa) { return static_cast<int>(isa) < 32 && (Tiers() & IsaBit(isa)) != 0; }

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
