#include "backends/variant.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace omkit {

std::string VariantName(const Variant& variant) {
  return variant.chunk_pixels == 0 ? IsaName(variant.isa) : absl::StrCat(IsaName(variant.isa), "/", variant.chunk_pixels);
}

bool FindVariant(absl::string_view name, Variant* variant) {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(name, absl::MaxSplits('/', 1));
  int32_t chunk = 0;
  if (parts.first.size() != name.size() && (!absl::SimpleAtoi(parts.second, &chunk) || chunk <= 0)) return false;
  variant->chunk_pixels = chunk;
  return FindIsa(parts.first, &variant->isa);
}

}  // namespace omkit
