// TreeEnsemble of ai.onnx.ml 5 on [N, F]: sums, averages, least or greatest of what the leaves that a row reaches vote for each target.
//
// Two attributes are omkit's own, for the operators that ended with ai.onnx.ml 5: base_values (floats), added per target before
// post_transform; and leaf_ends (ints), where leaf i has the votes from leaf_ends[i - 1] to before leaf_ends[i] of leaf_targetids and
// leaf_weights instead of the one vote i. A target without a vote is 0, as in ONNX Runtime.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/operand.h"

namespace omkit::ir {
namespace {

using Ints = std::vector<int64_t>;

enum Mode : uint8_t { kLeq, kLt, kGte, kGt, kEq, kNeq, kMember };
enum Transform : int64_t { kNone, kSoftmax, kLogistic, kSoftmaxZero, kProbit };
enum Aggregate : int64_t { kAverage, kSum, kMin, kMax };

constexpr int64_t kMostTargets = int64_t{1} << 20;

// Views of a node's attributes.
struct Forest {
  const Ints *features = nullptr, *on_true = nullptr, *on_false = nullptr, *true_is_leaf = nullptr, *false_is_leaf = nullptr;
  const Ints *missing = nullptr, *roots = nullptr, *targets = nullptr, *ends = nullptr;      // missing and ends may be absent
  const Tensor *splits = nullptr, *modes = nullptr, *weights = nullptr, *members = nullptr;  // members may be absent
  std::vector<float> base;
  int64_t num_targets = 0, transform = kNone, aggregate = kSum;

  int64_t nodes() const { return static_cast<int64_t>(features->size()); }
  int64_t leaves() const { return static_cast<int64_t>(ends != nullptr ? ends->size() : targets->size()); }
};

template <typename T>
const T* FindAs(const Attrs& attrs, absl::string_view name) {
  const Attr* attr = attrs.Find(name);
  return attr == nullptr ? nullptr : std::get_if<T>(attr);
}

absl::Status Fail(absl::string_view attribute, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("attribute ", attribute, " ", what));
}

absl::StatusOr<Forest> ReadForest(const Attrs& attrs) {
  Forest f;
  const std::pair<const char*, const Ints**> lists[] = {
      {"nodes_featureids", &f.features},    {"nodes_truenodeids", &f.on_true},      {"nodes_falsenodeids", &f.on_false},
      {"nodes_trueleafs", &f.true_is_leaf}, {"nodes_falseleafs", &f.false_is_leaf}, {"tree_roots", &f.roots},
      {"leaf_targetids", &f.targets},
  };
  for (const auto& [name, list] : lists) {
    *list = FindAs<Ints>(attrs, name);
    if (*list == nullptr) return Fail(name, "is missing");
  }
  const std::pair<const char*, const Tensor**> tensors[] = {{"nodes_splits", &f.splits}, {"nodes_modes", &f.modes}, {"leaf_weights", &f.weights}};
  for (const auto& [name, tensor] : tensors) {
    *tensor = FindAs<Tensor>(attrs, name);
    if (*tensor == nullptr) return Fail(name, "is missing");
  }
  f.missing = FindAs<Ints>(attrs, "nodes_missing_value_tracks_true");
  if (f.missing != nullptr && f.missing->empty()) f.missing = nullptr;
  f.ends = FindAs<Ints>(attrs, "leaf_ends");
  f.members = FindAs<Tensor>(attrs, "membership_values");
  f.base = attrs.Floats("base_values");
  f.num_targets = attrs.Int("n_targets", 1);
  f.transform = attrs.Int("post_transform", kNone);
  f.aggregate = attrs.Int("aggregate_function", kSum);
  return f;
}

absl::Status CheckSizes(const Forest& f, DType dtype) {
  const int64_t n = f.nodes();
  const std::pair<const char*, const Ints*> lists[] = {
      {"nodes_truenodeids", f.on_true},
      {"nodes_falsenodeids", f.on_false},
      {"nodes_trueleafs", f.true_is_leaf},
      {"nodes_falseleafs", f.false_is_leaf},
      {"nodes_missing_value_tracks_true", f.missing},
  };
  for (const auto& [name, list] : lists) {
    if (list != nullptr && static_cast<int64_t>(list->size()) != n)
      return Fail(name, absl::StrCat("has ", list->size(), " entries for ", n, " nodes"));
  }
  if (f.splits->elements() != n) return Fail("nodes_splits", absl::StrCat("has ", f.splits->elements(), " entries for ", n, " nodes"));
  if (f.modes->elements() != n) return Fail("nodes_modes", absl::StrCat("has ", f.modes->elements(), " entries for ", n, " nodes"));
  if (f.modes->dtype() != DType::kUInt8) return Fail("nodes_modes", "is not uint8");
  if (f.weights->elements() != static_cast<int64_t>(f.targets->size())) {
    return Fail("leaf_weights", absl::StrCat("has ", f.weights->elements(), " entries, leaf_targetids ", f.targets->size()));
  }
  const std::pair<const char*, const Tensor*> tensors[] = {{"nodes_splits", f.splits}, {"leaf_weights", f.weights}, {"membership_values", f.members}};
  for (const auto& [name, tensor] : tensors) {
    if (tensor != nullptr && tensor->dtype() != dtype) {
      return Fail(name, absl::StrCat("has type ", Name(tensor->dtype()), ", the input ", Name(dtype)));
    }
  }
  if (f.roots->empty()) return Fail("tree_roots", "is empty");
  if (f.num_targets < 1 || f.num_targets > kMostTargets) return Fail("n_targets", absl::StrCat("is ", f.num_targets));
  if (f.transform < kNone || f.transform > kProbit) return Fail("post_transform", absl::StrCat("is ", f.transform, "; it is 0 to 4"));
  if (f.aggregate < kAverage || f.aggregate > kMax) return Fail("aggregate_function", absl::StrCat("is ", f.aggregate, "; it is 0 to 3"));
  if (!f.base.empty() && static_cast<int64_t>(f.base.size()) != f.num_targets) {
    return Fail("base_values", absl::StrCat("has ", f.base.size(), " entries for ", f.num_targets, " targets"));
  }
  return absl::OkStatus();
}

absl::Status CheckVotes(const Forest& f) {
  for (int64_t t : *f.targets) {
    if (t < 0 || t >= f.num_targets) return Fail("leaf_targetids", absl::StrCat("holds ", t, ", there are ", f.num_targets, " targets"));
  }
  if (f.ends == nullptr) return absl::OkStatus();
  int64_t begin = 0;
  for (int64_t end : *f.ends) {
    if (end < begin) return Fail("leaf_ends", "decreases");
    begin = end;
  }
  if (begin > static_cast<int64_t>(f.targets->size())) return Fail("leaf_ends", absl::StrCat("reaches ", begin, " of ", f.targets->size(), " votes"));
  return absl::OkStatus();
}

absl::Status CheckNodes(const Forest& f, int64_t features) {
  const int64_t n = f.nodes();
  int64_t sets = 0;
  for (int64_t i = 0; i < n; ++i) {
    const uint8_t mode = f.modes->data<uint8_t>()[i];
    if (mode > kMember) return Fail("nodes_modes", absl::StrCat("holds ", static_cast<int>(mode), "; it is 0 to 6"));
    sets += mode == kMember;
    const int64_t feature = (*f.features)[i];
    if (feature < 0 || (features != kUnknownDim && feature >= features)) {
      return Fail("nodes_featureids", absl::StrCat("holds ", feature, ", the input has ", features, " features"));
    }
    for (const bool truth : {true, false}) {
      const int64_t next = (truth ? *f.on_true : *f.on_false)[i], limit = (truth ? *f.true_is_leaf : *f.false_is_leaf)[i] != 0 ? f.leaves() : n;
      if (next < 0 || next >= limit) {
        return Fail(truth ? "nodes_truenodeids" : "nodes_falsenodeids", absl::StrCat("holds ", next, " at node ", i, "; there are ", limit));
      }
    }
  }
  int64_t ended = 0;
  if (f.members != nullptr) {
    for (int64_t i = 0; i < f.members->elements(); ++i) ended += std::isnan(RealAt(*f.members, i)) ? 1 : 0;
  }
  if (ended != sets)
    return Fail("membership_values", absl::StrCat("has ", ended, " sets that end with NaN for ", sets, " nodes of mode BRANCH_MEMBER"));
  return absl::OkStatus();
}

// A row must not walk in a circle.
absl::Status CheckPaths(const Forest& f) {
  enum : uint8_t { kNew, kOpen, kDone };
  std::vector<uint8_t> seen(f.nodes(), kNew);
  std::vector<int64_t> path;
  for (int64_t root : *f.roots) {
    if (root < 0 || root >= f.nodes()) return Fail("tree_roots", absl::StrCat("holds ", root, ", there are ", f.nodes(), " nodes"));
    path.assign(1, root);
    while (!path.empty()) {
      const int64_t at = path.back();
      if (seen[at] != kNew) {
        seen[at] = kDone;
        path.pop_back();
        continue;
      }
      seen[at] = kOpen;
      for (const bool truth : {true, false}) {
        if ((truth ? *f.true_is_leaf : *f.false_is_leaf)[at] != 0) continue;
        const int64_t next = (truth ? *f.on_true : *f.on_false)[at];
        if (seen[next] == kOpen) return absl::InvalidArgumentError(absl::StrCat("node ", next, " of the trees is below itself"));
        if (seen[next] == kNew) path.push_back(next);
      }
    }
  }
  return absl::OkStatus();
}

// [begin, end) in membership_values of each node of mode BRANCH_MEMBER; empty without such nodes.
std::vector<std::pair<int64_t, int64_t>> MemberRanges(const Forest& f) {
  std::vector<std::pair<int64_t, int64_t>> ranges;
  if (f.members == nullptr || f.members->elements() == 0) return ranges;
  ranges.resize(f.nodes());
  int64_t begin = 0;
  for (int64_t i = 0; i < f.nodes(); ++i) {
    if (f.modes->data<uint8_t>()[i] != kMember) continue;
    int64_t end = begin;
    while (!std::isnan(RealAt(*f.members, end))) ++end;
    ranges[i] = {begin, end};
    begin = end + 1;
  }
  return ranges;
}

template <typename T>
bool Holds(const Forest& f, int64_t node, T value, const std::vector<std::pair<int64_t, int64_t>>& sets) {
  if (std::isnan(value) && f.missing != nullptr && (*f.missing)[node] != 0) return true;
  const T split = f.splits->data<T>()[node];
  switch (f.modes->data<uint8_t>()[node]) {
    case kLeq: return value <= split;
    case kLt: return value < split;
    case kGte: return value >= split;
    case kGt: return value > split;
    case kEq: return value == split;
    case kNeq: return value != split;
    default: break;
  }
  const T* members = f.members->data<T>();
  return std::find(members + sets[node].first, members + sets[node].second, value) != members + sets[node].second;
}

struct Votes {
  std::vector<double> value;
  std::vector<uint8_t> any;
};

void Count(const Forest& f, int64_t target, double weight, Votes& votes) {
  double& value = votes.value[target];
  if (f.aggregate == kSum || f.aggregate == kAverage) value += weight;
  else if (votes.any[target] == 0) value = weight;
  else value = f.aggregate == kMin ? std::min(value, weight) : std::max(value, weight);
  votes.any[target] = 1;
}

// Winitzki's approximation of the inverse error function, which ONNX's reference and ONNX Runtime use.
double Probit(double p) {
  const double x = 2 * p - 1, log = std::log((1 - x) * (1 + x));
  const double a = 2 / (3.14159 * 0.147) + 0.5 * log;
  return (x < 0 ? -1.41421356 : 1.41421356) * std::sqrt(std::sqrt(a * a - log / 0.147) - a);
}

void Softmax(double* y, int64_t n, bool keep_zeros) {
  const double top = *std::max_element(y, y + n);
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    y[i] = keep_zeros && std::fabs(y[i]) <= 1e-7 ? y[i] * std::exp(-top) : std::exp(y[i] - top);
    sum += y[i];
  }
  for (int64_t i = 0; i < n; ++i) y[i] /= sum;
}

void Finish(const Forest& f, double* y) {
  for (int64_t t = 0; t < f.num_targets; ++t) {
    if (f.aggregate == kAverage) y[t] /= static_cast<double>(f.roots->size());
    if (!f.base.empty()) y[t] += f.base[t];
    if (f.transform == kLogistic) y[t] = 1 / (1 + std::exp(-y[t]));
    if (f.transform == kProbit) y[t] = Probit(y[t]);
  }
  if (f.transform == kSoftmax || f.transform == kSoftmaxZero) Softmax(y, f.num_targets, f.transform == kSoftmaxZero);
}

template <typename T>
std::vector<double> EvalRows(const Forest& f, const Tensor& x) {
  const auto sets = MemberRanges(f);
  const int64_t rows = x.shape().dim(0), features = x.shape().dim(1);
  std::vector<double> y;
  y.reserve(rows * f.num_targets);
  Votes votes;
  for (int64_t r = 0; r < rows; ++r) {
    const T* row = x.data<T>() + r * features;
    votes.value.assign(f.num_targets, 0);
    votes.any.assign(f.num_targets, 0);
    for (int64_t root : *f.roots) {
      int64_t at = root;
      for (bool leaf = false; !leaf;) {
        const bool truth = Holds<T>(f, at, row[(*f.features)[at]], sets);
        leaf = (truth ? *f.true_is_leaf : *f.false_is_leaf)[at] != 0;
        at = (truth ? *f.on_true : *f.on_false)[at];
      }
      const int64_t begin = f.ends == nullptr ? at : at == 0 ? 0 : (*f.ends)[at - 1], end = f.ends == nullptr ? at + 1 : (*f.ends)[at];
      for (int64_t v = begin; v < end; ++v) Count(f, (*f.targets)[v], f.weights->data<T>()[v], votes);
    }
    Finish(f, votes.value.data());
    y.insert(y.end(), votes.value.begin(), votes.value.end());
  }
  return y;
}

absl::StatusOr<Tensor> AsFloat32(const Tensor& from) {
  OMKIT_ASSIGN_OR_RETURN(Tensor to, Tensor::Allocate(DType::kFloat32, from.shape()));
  for (int64_t i = 0; i < from.elements(); ++i) to.mutable_data<float>()[i] = static_cast<float>(RealAt(from, i));
  return to;
}

absl::StatusOr<std::vector<double>> EvalHalfRows(Forest f, const Tensor& half) {
  OMKIT_ASSIGN_OR_RETURN(const Tensor x, AsFloat32(half));
  OMKIT_ASSIGN_OR_RETURN(const Tensor splits, AsFloat32(*f.splits));
  OMKIT_ASSIGN_OR_RETURN(const Tensor weights, AsFloat32(*f.weights));
  Tensor members;
  if (f.members != nullptr) {
    OMKIT_ASSIGN_OR_RETURN(members, AsFloat32(*f.members));
    f.members = &members;
  }
  f.splits = &splits;
  f.weights = &weights;
  return EvalRows<float>(f, x);
}

}  // namespace

absl::Status InferTreeEnsemble(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 2, 2));
  OMKIT_ASSIGN_OR_RETURN(const Forest f, ReadForest(ctx.attrs()));
  OMKIT_RETURN_IF_ERROR(CheckSizes(f, ValueDType(ctx, 0)));
  OMKIT_RETURN_IF_ERROR(CheckVotes(f));
  OMKIT_RETURN_IF_ERROR(CheckNodes(f, ctx.shape(0).dim(1)));
  OMKIT_RETURN_IF_ERROR(CheckPaths(f));
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), {ctx.shape(0).dim(0), f.num_targets});
}

absl::Status EvalTreeEnsemble(const EvalContext& ctx) {
  const Tensor& x = ctx.input(0);
  OMKIT_ASSIGN_OR_RETURN(const Forest f, ReadForest(ctx.attrs));
  std::vector<double> y;
  if (x.dtype() == DType::kFloat64) {
    y = EvalRows<double>(f, x);
  } else if (x.dtype() == DType::kFloat32) {
    y = EvalRows<float>(f, x);
  } else {
    OMKIT_ASSIGN_OR_RETURN(y, EvalHalfRows(f, x));
  }
  WriteReals(y, &ctx.output(0));
  return absl::OkStatus();
}

}  // namespace omkit::ir
