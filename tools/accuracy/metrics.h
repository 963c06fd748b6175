// How close two results are: what accuracy adds up over samples. Floor 5.
#ifndef OMKIT_TOOLS_ACCURACY_METRICS_H_
#define OMKIT_TOOLS_ACCURACY_METRICS_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace omkit::accuracy {

class Closeness {
 public:
  // One sample. Results that are both zero count as equal.
  void Add(absl::Span<const float> want, absl::Span<const float> have);

  int samples() const { return samples_; }
  double mean_cosine() const { return samples_ > 0 ? cosine_ / samples_ : 1; }
  double least_cosine() const { return least_cosine_; }
  // 10 log10(sum y^2 / sum (y - y')^2), over all samples; at most 200.
  double sqnr_db() const;
  // sum (y - y')^2 / sum y^2
  double noise() const { return signal_ > 0 ? error_ / signal_ : error_; }
  double max_abs() const { return max_abs_; }
  // Part of all values that are equal: what counts for outputs of integers, which name classes.
  double agreement() const { return values_ > 0 ? static_cast<double>(equal_) / static_cast<double>(values_) : 1; }
  // Mean of have - want relative to the root mean square of want: a shift that all values share.
  double bias() const;

 private:
  int samples_ = 0;
  int64_t values_ = 0, equal_ = 0;
  double cosine_ = 0, least_cosine_ = 1, error_ = 0, signal_ = 0, max_abs_ = 0, shift_ = 0;
};

// The number of classes that rank before `label`: 0 is top-1. Of equal scores the lowest class ranks first.
int RankOf(int label, absl::Span<const float> scores);

struct Hits {
  int seen = 0, top1 = 0, top5 = 0;
  void Add(int rank);
  double top1_percent() const { return seen > 0 ? 100.0 * top1 / seen : 0; }
  double top5_percent() const { return seen > 0 ? 100.0 * top5 / seen : 0; }
};

}  // namespace omkit::accuracy

#endif  // OMKIT_TOOLS_ACCURACY_METRICS_H_
