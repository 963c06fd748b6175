// A histogram of float values that needs one pass, fixed memory, and no knowledge of their range. Floor 3, part of calibration statistics.
//
// Bins are [i * 2^e, (i + 1) * 2^e) around 0, with the least e at which all values fit into kBins bins on each side. A value outside
// makes e grow: neighbouring bins are added in pairs, which is what the values would have been counted into with the larger e from the
// start. So the result is a function of the set of values alone: not of their order, of how they were cut into blocks, or of the
// merges of partial histograms on the way.
#ifndef OMKIT_PASSES_HISTOGRAM_H_
#define OMKIT_PASSES_HISTOGRAM_H_

#include <cstdint>
#include <vector>

namespace omkit::passes {

class Histogram {
 public:
  static constexpr int kBins = 4096;  // on each side of 0
  // Exponents of bin widths. Values below the narrowest bin share it.
  static constexpr int kLeastExponent = -100;
  static constexpr int kMostExponent = 116;  // kBins of them end at 2^128

  Histogram() : counts_(2 * kBins, 0) {}

  // What a block of values looks like as a whole.
  struct Extremes {
    float min = 0;
    float max = 0;
    int64_t zeros = 0;
    bool finite = true;
  };
  static Extremes ExtremesOf(const float* values, int64_t count);

  // `extremes` are those of the block; they must be finite.
  void Add(const float* values, int64_t count, const Extremes& extremes);
  void Merge(const Histogram& other);

  int exponent() const { return exponent_; }
  double width() const;  // of a bin
  // Counts of bins first_bin() ... first_bin() + counts().size() - 1.
  static constexpr int first_bin() { return -kBins; }
  const std::vector<uint64_t>& counts() const { return counts_; }
  uint64_t zeros() const { return zeros_; }  // values equal to 0; they are counted in bin 0 too
  uint64_t total() const;
  // Extremes of all values so far; 0 and 0 when there are none.
  float min() const { return min_; }
  float max() const { return max_; }

  // Sets everything, for readers of files. False when the parts contradict each other.
  bool Restore(int exponent, float min, float max, uint64_t zeros, std::vector<uint64_t> counts);

  friend bool operator==(const Histogram& a, const Histogram& b) {
    return a.exponent_ == b.exponent_ && a.min_ == b.min_ && a.max_ == b.max_ && a.zeros_ == b.zeros_ && a.counts_ == b.counts_;
  }

 private:
  void Include(float min, float max);
  void WidenTo(int exponent);

  int exponent_ = kLeastExponent;
  float min_ = 0;
  float max_ = 0;
  bool any_ = false;
  uint64_t zeros_ = 0;
  std::vector<uint64_t> counts_;
};

}  // namespace omkit::passes

#endif  // OMKIT_PASSES_HISTOGRAM_H_
