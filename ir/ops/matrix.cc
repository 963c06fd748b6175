// Linear algebra and matrices beyond products, as in ONNX: CumSum, Det, Einsum, EyeLike, Trilu, ReverseSequence.
//
// EyeLike: attribute dtype is omkit's DType number (absent: the input's). Einsum: letters, '...' and broadcasting of its dimensions; the
// sum runs in double, for integers in wrapping 64 bits.
#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/checked.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/axis_split.h"
#include "ir/ops/broadcast.h"
#include "ir/ops/element.h"
#include "ir/ops/operand.h"

namespace omkit::ir {
namespace {

// An Einsum equation with a stride per label: the labels of the output first, then those that are summed.
struct EinsumPlan {
  std::vector<int64_t> sizes;
  int output_rank = 0;
  std::vector<std::vector<int64_t>> strides;  // [operand][label]
};

// Labels of one term: letters as they are; the dimensions of an ellipsis are 0..7, aligned to the right.
absl::StatusOr<std::string> TermLabels(absl::string_view term, int rank) {
  const size_t dots = term.find("...");
  std::string letters;
  std::string before;
  for (size_t i = 0; i < term.size(); ++i) {
    if (dots != absl::string_view::npos && i == dots) {
      before = letters;
      letters.clear();
      i += 2;
      continue;
    }
    if (!std::isalpha(static_cast<unsigned char>(term[i]))) {
      return absl::InvalidArgumentError(absl::StrCat("equation term '", term, "' holds more than letters and one ellipsis"));
    }
    letters += term[i];
  }
  if (dots == absl::string_view::npos) return letters;
  const int hidden = rank - static_cast<int>(before.size() + letters.size());
  if (hidden < 0) return absl::InvalidArgumentError(absl::StrCat("equation term '", term, "' has more labels than the ", rank, " dimensions"));
  for (int k = 0; k < hidden; ++k) before += static_cast<char>(kMaxRank - hidden + k);
  return before + letters;
}

// Labels of the output when the equation has no arrow: the ellipsis, then letters that appear once, in alphabetical order.
std::string ImplicitOutput(const std::vector<std::string>& terms) {
  std::map<char, int> counts;
  for (const std::string& term : terms) {
    for (char c : term) ++counts[c];
  }
  std::string out;
  for (const auto& [label, count] : counts) {
    if (label < kMaxRank || count == 1) out += label;
  }
  return out;
}

absl::StatusOr<EinsumPlan> PlanEinsum(const Attrs& attrs, const std::vector<const Shape*>& shapes) {
  std::string equation = attrs.String("equation", "");
  equation.erase(std::remove(equation.begin(), equation.end(), ' '), equation.end());
  const std::vector<std::string> sides = absl::StrSplit(equation, "->");
  const std::vector<std::string> terms = absl::StrSplit(sides[0], ',');
  if (sides.size() > 2 || terms.size() != shapes.size()) {
    return absl::InvalidArgumentError(absl::StrCat("equation '", equation, "' does not fit ", shapes.size(), " inputs"));
  }
  std::vector<std::string> labels;
  std::map<char, int64_t> sizes;
  for (size_t t = 0; t < terms.size(); ++t) {
    OMKIT_ASSIGN_OR_RETURN(const std::string term, TermLabels(terms[t], shapes[t]->rank()));
    if (static_cast<int>(term.size()) != shapes[t]->rank()) {
      return absl::InvalidArgumentError(absl::StrCat("equation term '", terms[t], "' does not fit input ", t, " of shape ", shapes[t]->ToString()));
    }
    for (size_t d = 0; d < term.size(); ++d) {
      const int64_t dim = shapes[t]->dim(static_cast<int>(d));
      int64_t& size = sizes.try_emplace(term[d], dim).first->second;
      if (dim == size || dim == 1) continue;
      if (size != 1 && size != kUnknownDim && dim != kUnknownDim) {
        return absl::InvalidArgumentError(absl::StrCat("equation '", equation, "': one label stands for dimensions of ", size, " and ", dim));
      }
      if (size == 1 || dim != kUnknownDim) size = dim;
    }
    labels.push_back(term);
  }
  std::string order = ImplicitOutput(labels);
  if (sides.size() == 2) {
    int hidden = 0;
    for (const auto& [label, size] : sizes) hidden += label < kMaxRank ? 1 : 0;
    const bool dots = sides[1].find("...") != std::string::npos;
    const int letters = static_cast<int>(sides[1].size()) - (dots ? 3 : 0);
    OMKIT_ASSIGN_OR_RETURN(order, TermLabels(sides[1], letters + hidden));
  }
  EinsumPlan plan;
  plan.output_rank = static_cast<int>(order.size());
  if (plan.output_rank > kMaxRank) return absl::InvalidArgumentError(absl::StrCat("the result would have rank ", plan.output_rank));
  for (size_t i = 0; i < order.size(); ++i) {
    if (sizes.count(order[i]) == 0 || order.find(order[i], i + 1) != std::string::npos) {
      return absl::InvalidArgumentError(absl::StrCat("equation '", equation, "': an output label is unknown or repeated"));
    }
  }
  for (const auto& [label, size] : sizes) {
    if (order.find(label) == std::string::npos) order += label;
  }
  CheckedSize work = 1;
  for (char c : order) {
    plan.sizes.push_back(sizes[c]);
    work = work * (sizes[c] == kUnknownDim ? 1 : sizes[c]);
  }
  if (!work.FitsIn(int64_t{1} << 40)) return absl::InvalidArgumentError(absl::StrCat("equation '", equation, "' takes more than 2^40 products"));
  for (size_t t = 0; t < labels.size(); ++t) {
    const std::vector<int64_t> strides = shapes[t]->Strides();
    std::vector<int64_t> mine(order.size(), 0);
    for (size_t d = 0; d < labels[t].size(); ++d) {
      if (shapes[t]->dim(static_cast<int>(d)) != 1) mine[order.find(labels[t][d])] += strides[d];
    }
    plan.strides.push_back(std::move(mine));
  }
  return plan;
}

template <typename Acc>
Acc Product(Acc a, Acc b) {
  if constexpr (std::is_integral_v<Acc>) return static_cast<Acc>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  else return a * b;
}
template <typename Acc>
Acc Sum(Acc a, Acc b) {
  if constexpr (std::is_integral_v<Acc>) return static_cast<Acc>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  else return a + b;
}

// Visits every combination of labels in row-major order; the output moves with the first `output_rank` of them.
template <typename Acc>
void RunEinsum(const EinsumPlan& plan, const std::vector<std::vector<Acc>>& x, std::vector<Acc>& y) {
  const int labels = static_cast<int>(plan.sizes.size());
  const size_t operands = x.size();
  for (int64_t size : plan.sizes) {
    if (size == 0) return;
  }
  int64_t summed = 1;
  for (int l = plan.output_rank; l < labels; ++l) summed *= plan.sizes[l];
  std::vector<int64_t> index(labels, 0), at(operands, 0);
  for (Acc& out : y) {
    Acc sum = 0;
    for (int64_t n = 0; n < summed; ++n) {
      Acc product = x[0][at[0]];
      for (size_t t = 1; t < operands; ++t) product = Product(product, x[t][at[t]]);
      sum = Sum(sum, product);
      for (int l = labels - 1; l >= 0; --l) {
        const bool carry = ++index[l] == plan.sizes[l];
        if (carry) index[l] = 0;
        for (size_t t = 0; t < operands; ++t) at[t] += plan.strides[t][l] * (carry ? 1 - plan.sizes[l] : 1);
        if (!carry) break;
      }
    }
    out = sum;
  }
}

double Determinant(double* a, int64_t n) {
  double det = 1;
  for (int64_t c = 0; c < n; ++c) {
    int64_t pivot = c;
    for (int64_t r = c + 1; r < n; ++r) {
      if (std::fabs(a[r * n + c]) > std::fabs(a[pivot * n + c])) pivot = r;
    }
    if (a[pivot * n + c] == 0) return 0;
    if (pivot != c) {
      std::swap_ranges(a + c * n, a + (c + 1) * n, a + pivot * n);
      det = -det;
    }
    det *= a[c * n + c];
    for (int64_t r = c + 1; r < n; ++r) {
      const double factor = a[r * n + c] / a[c * n + c];
      for (int64_t k = c; k < n; ++k) a[r * n + k] -= factor * a[c * n + k];
    }
  }
  return det;
}

template <typename Acc>
void CumulativeSum(std::vector<Acc>& x, const AxisSplit& s, bool exclusive, bool reverse) {
  for (int64_t o = 0; o < s.outer; ++o) {
    for (int64_t i = 0; i < s.inner; ++i) {
      Acc sum = 0;
      for (int64_t n = 0; n < s.size; ++n) {
        Acc& v = x[(o * s.size + (reverse ? s.size - 1 - n : n)) * s.inner + i];
        const Acc next = Sum(sum, v);
        v = exclusive ? sum : next;
        sum = next;
      }
    }
  }
}

struct SequenceAxes {
  int batch, time;
};
absl::StatusOr<SequenceAxes> ReadSequenceAxes(const Attrs& attrs) {
  const int64_t batch = attrs.Int("batch_axis", 1);
  const int64_t time = attrs.Int("time_axis", 0);
  if ((batch == 0 && time == 1) || (batch == 1 && time == 0)) return SequenceAxes{static_cast<int>(batch), static_cast<int>(time)};
  return absl::InvalidArgumentError(absl::StrCat("attributes batch_axis ", batch, " and time_axis ", time, " must be 0 and 1 or 1 and 0"));
}

}  // namespace

absl::Status InferEinsum(InferContext& ctx) {
  std::vector<const Shape*> shapes;
  for (int i = 0; i < ctx.num_inputs(); ++i) {
    if (!ctx.has_input(i)) return absl::InvalidArgumentError(absl::StrCat("input ", i, " is missing"));
    OMKIT_RETURN_IF_ERROR(ExpectNumeric(ctx, i));
    OMKIT_RETURN_IF_ERROR(ExpectSameDType(ctx, 0, i));
    shapes.push_back(&ctx.shape(i));
  }
  OMKIT_ASSIGN_OR_RETURN(const EinsumPlan plan, PlanEinsum(ctx.attrs(), shapes));
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), Shape(std::vector<int64_t>(plan.sizes.begin(), plan.sizes.begin() + plan.output_rank)));
}

absl::Status EvalEinsum(const EvalContext& ctx) {
  std::vector<const Shape*> shapes;
  for (const Tensor* t : ctx.inputs) shapes.push_back(&t->shape());
  OMKIT_ASSIGN_OR_RETURN(const EinsumPlan plan, PlanEinsum(ctx.attrs, shapes));
  if (IsFloat(ctx.input(0).dtype())) {
    std::vector<std::vector<double>> x;
    for (const Tensor* t : ctx.inputs) x.push_back(ReadReals(*t));
    std::vector<double> y(ctx.output(0).elements(), 0.0);
    RunEinsum(plan, x, y);
    WriteReals(y, &ctx.output(0));
  } else {
    std::vector<std::vector<int64_t>> x;
    for (const Tensor* t : ctx.inputs) x.push_back(ReadIntegers(*t));
    std::vector<int64_t> y(ctx.output(0).elements(), 0);
    RunEinsum(plan, x, y);
    WriteIntegers(y, &ctx.output(0));
  }
  return absl::OkStatus();
}

absl::Status InferCumSum(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectNumeric(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 1, kMaxRank));
  OMKIT_RETURN_IF_ERROR(ExpectInteger(ctx, 1));
  OMKIT_RETURN_IF_ERROR(ExpectScalar(ctx, 1));
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), ctx.shape(0));
}

absl::Status EvalCumSum(const EvalContext& ctx) {
  const Tensor& x = ctx.input(0);
  OMKIT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(IntegerAt(ctx.input(1), 0), x.shape().rank()));
  const bool exclusive = ctx.attrs.Int("exclusive", 0) != 0;
  const bool reverse = ctx.attrs.Int("reverse", 0) != 0;
  const AxisSplit s = SplitAt(x.shape(), axis);
  if (IsFloat(x.dtype())) {
    std::vector<double> values = ReadReals(x);
    CumulativeSum(values, s, exclusive, reverse);
    WriteReals(values, &ctx.output(0));
  } else {
    std::vector<int64_t> values = ReadIntegers(x);
    CumulativeSum(values, s, exclusive, reverse);
    WriteIntegers(values, &ctx.output(0));
  }
  return absl::OkStatus();
}

absl::Status InferDet(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 2, kMaxRank));
  const Shape& x = ctx.shape(0);
  if (Conflict(x.dim(x.rank() - 1), x.dim(x.rank() - 2))) {
    return absl::InvalidArgumentError(absl::StrCat("input 0 of shape ", x.ToString(), " does not hold square matrices"));
  }
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), Shape(x.dims().subspan(0, x.rank() - 2)));
}

absl::Status EvalDet(const EvalContext& ctx) {
  std::vector<double> x = ReadReals(ctx.input(0));
  const int64_t n = ctx.input(0).shape().dim(ctx.input(0).shape().rank() - 1);
  std::vector<double> y(ctx.output(0).elements());
  for (size_t i = 0; i < y.size(); ++i) y[i] = Determinant(x.data() + static_cast<int64_t>(i) * n * n, n);
  WriteReals(y, &ctx.output(0));
  return absl::OkStatus();
}

absl::Status InferEyeLike(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 2, 2));
  const int64_t number = ctx.attrs().Int("dtype", static_cast<int64_t>(ValueDType(ctx, 0)));
  if (number < 1 || number > 255 || !IsValid(static_cast<DType>(number))) {
    return absl::InvalidArgumentError(absl::StrCat("attribute dtype is ", number, ", which is no element type"));
  }
  return SetOutputChecked(ctx, 0, static_cast<DType>(number), ctx.shape(0));
}

absl::Status EvalEyeLike(const EvalContext& ctx) {
  const int64_t rows = ctx.output(0).shape().dim(0);
  const int64_t columns = ctx.output(0).shape().dim(1);
  const int64_t k = ctx.attrs.Int("k", 0);
  std::vector<double> y(rows * columns, 0.0);
  if (k > -rows && k < columns) {
    for (int64_t r = std::max<int64_t>(0, -k); r < rows && r + k < columns; ++r) y[r * columns + r + k] = 1;
  }
  WriteReals(y, &ctx.output(0));
  return absl::OkStatus();
}

absl::Status InferTrilu(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectValidQuant(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 2, kMaxRank));
  if (ctx.has_input(1)) {
    OMKIT_RETURN_IF_ERROR(ExpectInteger(ctx, 1));
    OMKIT_RETURN_IF_ERROR(ExpectScalar(ctx, 1));
  }
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), ctx.shape(0));
}

absl::Status EvalTrilu(const EvalContext& ctx) {
  const Tensor& x = ctx.input(0);
  const Shape& shape = x.shape();
  const int64_t rows = shape.dim(shape.rank() - 2);
  const int64_t columns = shape.dim(shape.rank() - 1);
  const bool upper = ctx.attrs.Int("upper", 1) != 0;
  int64_t k = ctx.has_input(1) ? IntegerAt(ctx.input(1), 0) : 0;
  // Beyond the matrix every k means the same.
  k = std::min(std::max(k, -rows - 1), columns + 1);
  const size_t size = SizeOf(x.dtype());
  const auto* in = static_cast<const uint8_t*>(x.raw());
  auto* out = static_cast<uint8_t*>(ctx.output(0).mutable_raw());
  std::memset(out, 0, x.bytes());
  for (int64_t row = 0; columns > 0 && row < x.elements() / columns; ++row) {
    const int64_t edge = row % rows + k;
    const int64_t first = upper ? std::min(std::max<int64_t>(edge, 0), columns) : 0;
    const int64_t last = upper ? columns : std::min(std::max<int64_t>(edge + 1, 0), columns);
    std::memcpy(out + (row * columns + first) * size, in + (row * columns + first) * size, (last - first) * size);
  }
  return absl::OkStatus();
}

absl::Status InferReverseSequence(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectValidQuant(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 2, kMaxRank));
  OMKIT_RETURN_IF_ERROR(ExpectInteger(ctx, 1));
  OMKIT_ASSIGN_OR_RETURN(const SequenceAxes axes, ReadSequenceAxes(ctx.attrs()));
  OMKIT_RETURN_IF_ERROR(ExpectVector(ctx, 1, ctx.shape(0).dim(axes.batch)));
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), ctx.shape(0));
}

absl::Status EvalReverseSequence(const EvalContext& ctx) {
  const Tensor& x = ctx.input(0);
  OMKIT_ASSIGN_OR_RETURN(const SequenceAxes axes, ReadSequenceAxes(ctx.attrs));
  const int64_t batch = x.shape().dim(axes.batch);
  const int64_t time = x.shape().dim(axes.time);
  const std::vector<int64_t> strides = x.shape().Strides();
  const int64_t slice = strides[1] * static_cast<int64_t>(SizeOf(x.dtype()));
  const auto at = [&](int64_t b, int64_t t) { return (axes.batch == 0 ? b * time + t : t * batch + b) * slice; };
  for (int64_t b = 0; b < batch; ++b) {
    const int64_t length = IntegerAt(ctx.input(1), b);
    if (length < 0 || length > time) return absl::InvalidArgumentError(absl::StrCat("sequence length ", length, " is outside [0, ", time, "]"));
    for (int64_t t = 0; t < time; ++t) {
      std::memcpy(static_cast<uint8_t*>(ctx.output(0).mutable_raw()) + at(b, t),
                  static_cast<const uint8_t*>(x.raw()) + at(b, t < length ? length - 1 - t : t), slice);
    }
  }
  return absl::OkStatus();
}

}  // namespace omkit::ir
