#include "passes/exact_sum.h"

#include <algorithm>

namespace omkit::passes {

std::string ExactSum::ToString() const {
  if (units_ == 0) return "0";
  std::string digits;
  for (__int128 rest = units_ < 0 ? -units_ : units_; rest != 0; rest /= 10) digits.push_back(static_cast<char>('0' + static_cast<int>(rest % 10)));
  if (units_ < 0) digits.push_back('-');
  std::reverse(digits.begin(), digits.end());
  return digits;
}

bool ExactSum::Parse(absl::string_view text) {
  const bool negative = !text.empty() && text[0] == '-';
  if (negative) text.remove_prefix(1);
  constexpr size_t kMostDigits = 38;  // 10^38 < 2^127
  if (text.empty() || text.size() > kMostDigits) return false;
  __int128 units = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    units = units * 10 + (c - '0');
  }
  units_ = 0;
  AddUnits(negative ? -units : units);
  return true;
}

}  // namespace omkit::passes
