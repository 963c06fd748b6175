// A sum of real numbers that does not depend on their order: fixed point in 128 bits. Floor 3, part of calibration statistics.
#ifndef OMKIT_PASSES_EXACT_SUM_H_
#define OMKIT_PASSES_EXACT_SUM_H_

#include <cmath>
#include <string>

#include "absl/strings/string_view.h"

namespace omkit::passes {

// Unit 2^-60: each term is rounded to it once, then integers are added. Terms are clamped to +-2^50 and the sum to +-2^66, so that no
// data make it wrap; the clamp is far outside what an INT8 network can hold.
class ExactSum {
 public:
  void Add(double term) {
    term = term < -kMostTerm ? -kMostTerm : term > kMostTerm ? kMostTerm : term;
    AddUnits(static_cast<__int128>(std::nearbyint(term * kUnitsPerOne)));
  }
  void Merge(const ExactSum& other) { AddUnits(other.units_); }
  double value() const { return static_cast<double>(units_) / kUnitsPerOne; }

  // Decimal digits of the number of units.
  std::string ToString() const;
  // False when `text` is no such number.
  bool Parse(absl::string_view text);

  friend bool operator==(const ExactSum& a, const ExactSum& b) { return a.units_ == b.units_; }

 private:
  static constexpr double kUnitsPerOne = 1152921504606846976.0;  // 2^60
  static constexpr double kMostTerm = 1125899906842624.0;        // 2^50
  void AddUnits(__int128 units) {
    constexpr __int128 kMost = static_cast<__int128>(1) << 126;
    units_ += units;  // both below 2^126 in magnitude
    units_ = units_ > kMost ? kMost : units_ < -kMost ? -kMost : units_;
  }

  __int128 units_ = 0;
};

}  // namespace omkit::passes

#endif  // OMKIT_PASSES_EXACT_SUM_H_
