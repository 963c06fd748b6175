// How the kernels of one node run: with whose instructions, and in which blocks. What tuning chooses per node. Floor 4.
#ifndef OMKIT_BACKENDS_VARIANT_H_
#define OMKIT_BACKENDS_VARIANT_H_

#include <cstdint>
#include <map>
#include <string>
#include <tuple>

#include "absl/strings/string_view.h"
#include "base/cpu.h"

namespace omkit {

struct Variant {
  Isa isa = Isa::kGeneric;
  int32_t chunk_pixels = 0;  // kernels::ConvU8Params; 0: the kernel's own rule

  bool operator==(const Variant& other) const { return isa == other.isa && chunk_pixels == other.chunk_pixels; }
  bool operator<(const Variant& other) const { return std::tie(isa, chunk_pixels) < std::tie(other.isa, other.chunk_pixels); }
};

// "avx2"; with blocks "avx512vnni/112".
std::string VariantName(const Variant& variant);
// False when `name` is not the name of one.
bool FindVariant(absl::string_view name, Variant* variant);

// Nodes, by name, that do not run as the program's tier runs them by default.
using VariantOfNode = std::map<std::string, Variant>;

}  // namespace omkit

#endif  // OMKIT_BACKENDS_VARIANT_H_
