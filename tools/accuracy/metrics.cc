#include "tools/accuracy/metrics.h"

#include <algorithm>
#include <cmath>

namespace omkit::accuracy {

void Closeness::Add(absl::Span<const float> want, absl::Span<const float> have) {
  double dot = 0, want2 = 0, have2 = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    const double w = want[i], h = have[i];
    dot += w * h;
    want2 += w * w;
    have2 += h * h;
    error_ += (w - h) * (w - h);
    shift_ += h - w;
    equal_ += w == h;
    max_abs_ = std::max(max_abs_, std::abs(w - h));
  }
  const double cosine = want2 > 0 && have2 > 0 ? dot / std::sqrt(want2 * have2) : want2 == have2 ? 1 : 0;
  signal_ += want2;
  values_ += static_cast<int64_t>(want.size());
  cosine_ += cosine;
  least_cosine_ = std::min(least_cosine_, cosine);
  ++samples_;
}

double Closeness::sqnr_db() const {
  constexpr double kMost = 200;
  if (error_ <= 0) return kMost;
  return signal_ > 0 ? std::min(kMost, 10 * std::log10(signal_ / error_)) : -kMost;
}

double Closeness::bias() const {
  if (values_ == 0 || signal_ <= 0) return 0;
  const double count = static_cast<double>(values_);
  return shift_ / count / std::sqrt(signal_ / count);
}

int RankOf(int label, absl::Span<const float> scores) {
  int rank = 0;
  for (int i = 0; i < static_cast<int>(scores.size()); ++i) rank += scores[i] > scores[label] || (scores[i] == scores[label] && i < label);
  return rank;
}

void Hits::Add(int rank) {
  ++seen;
  top1 += rank < 1;
  top5 += rank < 5;
}

}  // namespace omkit::accuracy
