// TfIdfVectorizer of ONNX 9 on integers: counts n-grams of a pool, with gaps of up to max_skip_count elements.
#include <map>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/operand.h"

namespace omkit::ir {
namespace {

struct NgramPool {
  int64_t shortest, longest, skips, columns = 0;
  std::map<std::vector<int64_t>, int64_t> column_of;  // n-gram -> output column
};

absl::StatusOr<NgramPool> ReadPool(const Attrs& attrs) {
  NgramPool pool;
  pool.shortest = attrs.Int("min_gram_length", 1);
  pool.longest = attrs.Int("max_gram_length", 1);
  pool.skips = attrs.Int("max_skip_count", 0);
  const std::vector<int64_t> counts = attrs.Ints("ngram_counts"), columns = attrs.Ints("ngram_indexes"), items = attrs.Ints("pool_int64s");
  if (pool.shortest < 1 || pool.longest < pool.shortest || pool.skips < 0 || pool.longest > 64 || pool.skips > 1 << 20) {
    return absl::InvalidArgumentError(absl::StrCat("n-grams of ", pool.shortest, " to ", pool.longest, " with up to ", pool.skips, " skips"));
  }
  const std::string mode = attrs.String("mode", "TF");
  if (mode != "TF" && mode != "IDF" && mode != "TFIDF") return absl::InvalidArgumentError(absl::StrCat("attribute mode is '", mode, "'"));
  const auto size = static_cast<int64_t>(items.size());
  size_t next = 0;
  for (size_t n = 1; n <= counts.size(); ++n) {
    const int64_t begin = counts[n - 1], end = n < counts.size() ? counts[n] : size;
    if (begin < 0 || end < begin || end > size || (end - begin) % static_cast<int64_t>(n) != 0) {
      return absl::InvalidArgumentError(absl::StrCat("ngram_counts gives ", n, "-grams from ", begin, " to ", end, " of a pool of ", size));
    }
    for (int64_t at = begin; at < end; at += static_cast<int64_t>(n)) {
      if (next >= columns.size()) return absl::InvalidArgumentError(absl::StrCat("ngram_indexes has only ", columns.size(), " entries"));
      pool.column_of[{items.begin() + at, items.begin() + at + static_cast<int64_t>(n)}] = columns[next++];
    }
  }
  for (int64_t c : columns) {
    if (c < 0 || c > 1 << 26) return absl::InvalidArgumentError(absl::StrCat("ngram_indexes holds ", c));
    pool.columns = std::max(pool.columns, c + 1);
  }
  const std::vector<float> weights = attrs.Floats("weights");
  if (!weights.empty() && weights.size() != columns.size())
    return absl::InvalidArgumentError(absl::StrCat(weights.size(), " weights for ", columns.size(), " n-grams"));
  return pool;
}

void CountRow(const NgramPool& pool, const std::vector<int64_t>& row, double* counts) {
  const auto length = static_cast<int64_t>(row.size());
  // Single elements have no gaps.
  for (int64_t n = pool.shortest; n <= pool.longest; ++n) {
    for (int64_t skip = 0; skip <= (n == 1 ? 0 : pool.skips); ++skip) {
      for (int64_t start = 0; start + (n - 1) * (skip + 1) < length; ++start) {
        std::vector<int64_t> gram;
        for (int64_t k = 0; k < n; ++k) gram.push_back(row[start + k * (skip + 1)]);
        const auto found = pool.column_of.find(gram);
        if (found != pool.column_of.end()) counts[found->second] += 1;
      }
    }
  }
}

}  // namespace

absl::Status InferTfIdfVectorizer(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectInteger(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 1, 2));
  OMKIT_ASSIGN_OR_RETURN(const NgramPool pool, ReadPool(ctx.attrs()));
  const Shape& x = ctx.shape(0);
  return SetOutputChecked(ctx, 0, DType::kFloat32, x.rank() == 1 ? Shape{pool.columns} : Shape{x.dim(0), pool.columns});
}

absl::Status EvalTfIdfVectorizer(const EvalContext& ctx) {
  OMKIT_ASSIGN_OR_RETURN(const NgramPool pool, ReadPool(ctx.attrs));
  const Shape& shape = ctx.input(0).shape();
  const int64_t rows = shape.rank() == 1 ? 1 : shape.dim(0), length = shape.dim(shape.rank() - 1);
  const std::vector<int64_t> items = ReadIntegers(ctx.input(0));
  std::vector<double> y(rows * pool.columns);
  for (int64_t r = 0; r < rows; ++r) CountRow(pool, {items.begin() + r * length, items.begin() + (r + 1) * length}, y.data() + r * pool.columns);
  const std::string mode = ctx.attrs.String("mode", "TF");
  if (mode != "TF") {
    // Weights belong to n-grams; several may share a column, which then has the last one's.
    std::vector<double> weight(pool.columns, 1.0);
    const std::vector<float> weights = ctx.attrs.Floats("weights");
    const std::vector<int64_t> columns = ctx.attrs.Ints("ngram_indexes");
    for (size_t i = 0; i < weights.size(); ++i) weight[columns[i]] = weights[i];
    for (size_t i = 0; i < y.size(); ++i) y[i] = (mode == "IDF" && y[i] > 0 ? 1 : y[i]) * weight[i % pool.columns];
  }
  WriteReals(y, &ctx.output(0));
  return absl::OkStatus();
}

}  // namespace omkit::ir
