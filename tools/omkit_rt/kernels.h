// The kernels of the runtime without an operating system: a constant table, searched by name. Floor 5. The functions are the tiers'
// own (backends/kernels/tier.h); what differs is that constants are laid out in the caller's memory.
#ifndef OMKIT_TOOLS_OMKIT_RT_KERNELS_H_
#define OMKIT_TOOLS_OMKIT_RT_KERNELS_H_

#include <cstddef>
#include <cstdint>

#include "backends/kernels/tier.h"
#include "base/cpu.h"

namespace omkit::rt {

struct Kernel {
  const char* name;  // "conv_u8.avx2"
  Isa isa;
  void (*run)(const kernels::KernelArgs& args);
  uint32_t params_size;
  uint32_t least_operands, most_operands;
  uint32_t writes;  // bit i: operand i is written
  // nullptr: none. `params` has params_size bytes at any address.
  int64_t (*constants_bytes)(Isa isa, const void* params);
  const void* (*lay_out_constants)(Isa isa, const void* params, void* const* operands, void* memory);
  int64_t (*scratch_bytes)(const void* params);
};

// All rows, including those of tiers that this processor lacks.
const Kernel* Kernels(size_t* count);
// nullptr when the table has no such kernel or the processor lacks its tier.
const Kernel* FindKernel(const char* name, size_t length);
// True when the processor has the tier called so.
bool HasTier(const char* name, size_t length);

}  // namespace omkit::rt

#endif  // OMKIT_TOOLS_OMKIT_RT_KERNELS_H_
