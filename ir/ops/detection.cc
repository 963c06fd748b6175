// Operators behind detectors, as in ONNX: NonMaxSuppression. The number of selected boxes depends on values: it is known (and the node
// folds away) when every input is a constant.
#include <algorithm>
#include <array>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/operand.h"

namespace omkit::ir {
namespace {

struct Box {
  double y1, x1, y2, x2;
  double Area() const { return (y2 - y1) * (x2 - x1); }
};

// Corners in any order, or center and size with center_point_box.
Box BoxAt(const double* v, bool center) {
  if (center) return {v[1] - v[3] / 2, v[0] - v[2] / 2, v[1] + v[3] / 2, v[0] + v[2] / 2};
  return {std::min(v[0], v[2]), std::min(v[1], v[3]), std::max(v[0], v[2]), std::max(v[1], v[3])};
}

double IntersectionOverUnion(const Box& a, const Box& b) {
  const double height = std::min(a.y2, b.y2) - std::max(a.y1, b.y1), width = std::min(a.x2, b.x2) - std::max(a.x1, b.x1);
  if (!(height > 0 && width > 0)) return 0;
  const double both = height * width, all = a.Area() + b.Area() - both;
  return all > 0 ? both / all : 0;
}

using Selected = std::vector<std::array<int64_t, 3>>;

double ScalarOr(const Tensor* t, double fallback) { return t == nullptr || t->elements() < 1 ? fallback : RealAt(*t, 0); }

// Inputs as in ONNX; nullptr for one left out.
Selected SelectBoxes(const Attrs& attrs, const std::array<const Tensor*, 5>& inputs) {
  const Tensor& scores_tensor = *inputs[1];
  const int64_t batches = scores_tensor.shape().dim(0), classes = scores_tensor.shape().dim(1), count = scores_tensor.shape().dim(2);
  const std::vector<double> boxes = ReadReals(*inputs[0]), scores = ReadReals(scores_tensor);
  const int64_t limit = static_cast<int64_t>(std::min(std::max(ScalarOr(inputs[2], 0), 0.0), 1e15));
  const double overlap = ScalarOr(inputs[3], 0), threshold = ScalarOr(inputs[4], -std::numeric_limits<double>::infinity());
  const bool center = attrs.Int("center_point_box", 0) != 0;
  Selected selected;
  for (int64_t row = 0; row < batches * classes; ++row) {
    std::vector<int64_t> order;
    for (int64_t i = 0; i < count; ++i) {
      if (scores[row * count + i] > threshold) order.push_back(i);
    }
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return scores[row * count + a] > scores[row * count + b]; });
    std::vector<Box> kept;
    for (int64_t i : order) {
      if (static_cast<int64_t>(kept.size()) >= limit) break;
      const Box box = BoxAt(boxes.data() + (row / classes * count + i) * 4, center);
      const bool covered = std::any_of(kept.begin(), kept.end(), [&](const Box& k) { return IntersectionOverUnion(box, k) > overlap; });
      if (covered) continue;
      kept.push_back(box);
      selected.push_back({row / classes, row % classes, i});
    }
  }
  return selected;
}

}  // namespace

absl::Status InferNonMaxSuppression(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, 1));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 3, 3));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 1, 3, 3));
  if (ctx.has_input(2)) OMKIT_RETURN_IF_ERROR(ExpectInteger(ctx, 2));
  for (int i : {3, 4}) {
    if (ctx.has_input(i)) OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, i));
  }
  const Shape& boxes = ctx.shape(0);
  const Shape& scores = ctx.shape(1);
  if (Conflict(boxes.dim(2), 4) || Conflict(boxes.dim(0), scores.dim(0)) || Conflict(boxes.dim(1), scores.dim(2))) {
    return absl::InvalidArgumentError(absl::StrCat("boxes have shape ", boxes.ToString(), ", scores ", scores.ToString()));
  }
  std::array<const Tensor*, 5> inputs{};
  bool known = true;
  for (int i = 0; i < ctx.num_inputs(); ++i) {
    inputs[i] = ctx.constant(i);
    known = known && (!ctx.has_input(i) || inputs[i] != nullptr);
  }
  return SetOutputChecked(ctx, 0, DType::kInt64, {known ? static_cast<int64_t>(SelectBoxes(ctx.attrs(), inputs).size()) : kUnknownDim, 3});
}

absl::Status EvalNonMaxSuppression(const EvalContext& ctx) {
  std::array<const Tensor*, 5> inputs{};
  for (int i = 0; i < ctx.num_inputs(); ++i) inputs[i] = ctx.has_input(i) ? &ctx.input(i) : nullptr;
  const Selected selected = SelectBoxes(ctx.attrs, inputs);
  if (ctx.output(0).shape().dim(0) != static_cast<int64_t>(selected.size())) {
    return absl::InvalidArgumentError("the number of boxes differs from the one the shape was inferred with");
  }
  for (size_t i = 0; i < selected.size(); ++i) {
    for (int k = 0; k < 3; ++k) ctx.output(0).mutable_data<int64_t>()[i * 3 + k] = selected[i][k];
  }
  return absl::OkStatus();
}

}  // namespace omkit::ir
