#include "passes/histogram.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace omkit::passes {
namespace {

constexpr int kLanes = 16;

// The least exponent whose bins hold the value.
int ExponentFor(float value) {
  if (value == 0) return Histogram::kLeastExponent;
  int exponent = std::ilogb(value) + 1 - 12;  // 2^12 bins
  // The bin of -2^k is the first below it: [-2^k, ...), so a negative power of two needs no more than its magnitude.
  if (value < 0 && std::ldexp(-1.0, std::ilogb(value)) == static_cast<double>(value)) --exponent;
  return std::max(exponent, Histogram::kLeastExponent);
}
static_assert(Histogram::kBins == 1 << 12);

}  // namespace

Histogram::Extremes Histogram::ExtremesOf(const float* values, int64_t count) {
  Extremes extremes;
  if (count == 0) return extremes;
  float lo[kLanes], hi[kLanes], poison[kLanes];
  int32_t zeros[kLanes];
  std::fill(lo, lo + kLanes, values[0]);
  std::fill(hi, hi + kLanes, values[0]);
  std::fill(poison, poison + kLanes, 0.0f);
  std::fill(zeros, zeros + kLanes, 0);
  // x - x is 0 for finite x and NaN otherwise, and NaN survives the sum.
  auto take = [&](float x, int lane) {
    lo[lane] = x < lo[lane] ? x : lo[lane];
    hi[lane] = x > hi[lane] ? x : hi[lane];
    poison[lane] += x - x;
    zeros[lane] += x == 0.0f;
  };
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) take(values[i + lane], lane);
    // 32-bit lanes hold 2^31 zeros, that is blocks of 2^35 values.
  }
  for (; i < count; ++i) take(values[i], 0);
  extremes.min = *std::min_element(lo, lo + kLanes) + 0.0f;  // -0 becomes 0: which of the two came first must not show
  extremes.max = *std::max_element(hi, hi + kLanes) + 0.0f;
  extremes.zeros = std::accumulate(zeros, zeros + kLanes, int64_t{0});
  extremes.finite = std::accumulate(poison, poison + kLanes, 0.0f) == 0;
  return extremes;
}

void Histogram::Include(float min, float max) {
  min_ = any_ ? std::min(min_, min) : min;
  max_ = any_ ? std::max(max_, max) : max;
  any_ = true;
  WidenTo(std::max(ExponentFor(min_), ExponentFor(max_)));
}

void Histogram::WidenTo(int exponent) {
  if (exponent <= exponent_) return;
  const int shift = exponent - exponent_;
  exponent_ = exponent;
  std::vector<uint64_t> counts(counts_.size(), 0);
  for (int i = 0; i < 2 * kBins; ++i) {
    if (counts_[i] == 0) continue;
    const int bin = i - kBins;
    counts[(shift >= 14 ? (bin < 0 ? -1 : 0) : bin >> shift) + kBins] += counts_[i];
  }
  counts_ = std::move(counts);
}

void Histogram::Add(const float* values, int64_t count, const Extremes& extremes) {
  if (count == 0) return;
  Include(extremes.min, extremes.max);
  zeros_ += static_cast<uint64_t>(extremes.zeros);
  // Multiplication by a power of two is exact; what underflows belongs to bin 0 or -1 in any case.
  const float inverse = static_cast<float>(std::ldexp(1.0, -exponent_));
  uint64_t* zero = counts_.data() + kBins;
  if (extremes.min >= 0) {
    for (int64_t i = 0; i < count; ++i) ++zero[static_cast<int>(values[i] * inverse)];
    return;
  }
  for (int64_t i = 0; i < count; ++i) {
    const float scaled = values[i] * inverse;
    const int cut = static_cast<int>(scaled);
    // Floor; a negative value whose product rounds to -0 lies in bin -1 all the same.
    ++zero[cut - (static_cast<float>(cut) > scaled || (values[i] < 0 && scaled == 0))];
  }
}

void Histogram::Merge(const Histogram& other) {
  if (!other.any_) return;
  Include(other.min_, other.max_);
  zeros_ += other.zeros_;
  Histogram wide = other;
  wide.WidenTo(exponent_);
  for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += wide.counts_[i];
}

double Histogram::width() const { return std::ldexp(1.0, exponent_); }

uint64_t Histogram::total() const { return std::accumulate(counts_.begin(), counts_.end(), uint64_t{0}); }

bool Histogram::Restore(int exponent, float min, float max, uint64_t zeros, std::vector<uint64_t> counts) {
  if (counts.size() != 2 * kBins || !std::isfinite(min) || !std::isfinite(max) || min > max || zeros > counts[kBins]) return false;
  if (exponent != std::max(ExponentFor(min), ExponentFor(max))) return false;
  exponent_ = exponent;
  min_ = min;
  max_ = max;
  zeros_ = zeros;
  counts_ = std::move(counts);
  any_ = total() > 0;
  return any_;
}

}  // namespace omkit::passes
