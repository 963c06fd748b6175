// Attention and RotaryEmbedding of ONNX 23; computed in double.
//
// Attention: Q, K, V as [batch, heads, length, size] or [batch, length, heads * size] (then attributes q_num_heads and kv_num_heads tell the
// heads); inputs attn_mask, past_key, past_value; outputs Y, present_key, present_value, qk_matmul_output. Scores are
// Q K^T * scale, through softcap, plus the mask: the order of the corrected standard (onnx pull requests 7867 and 7913, which apply to opset 23
// too; released texts up to onnx 1.21 have mask and softcap the other way round). Query head h reads key head h / (q_heads / kv_heads). A causal
// query i sees the keys up to position past length + i. qk_matmul_output_mode: 0 the product, 1 after softcap, 2 with the mask added, 3 after
// Softmax. A mask shorter than the keys is padded with "masked out". A query that sees nothing gives zeros (onnx pull request 8068).
// RotaryEmbedding: X in the same two forms; caches [batch, length, half] or, with position_ids, [positions, half].
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/broadcast.h"
#include "ir/ops/operand.h"

namespace omkit::ir {
namespace {

constexpr double kMasked = -std::numeric_limits<double>::infinity();

// One of Q, K, V, X in either form, read as [batch, heads, length, size].
struct Heads {
  int64_t batch = 0, heads = 0, length = 0, size = 0;
  bool flat = false;  // [batch, length, heads * size]
  int64_t At(int64_t b, int64_t h, int64_t t) const { return flat ? ((b * length + t) * heads + h) * size : ((b * heads + h) * length + t) * size; }
};

absl::StatusOr<Heads> HeadsOf(const Shape& shape, int64_t heads, const char* attribute) {
  Heads h;
  h.batch = shape.dim(0);
  h.flat = shape.rank() == 3;
  if (!h.flat) {
    h.heads = shape.dim(1), h.length = shape.dim(2), h.size = shape.dim(3);
    return h;
  }
  if (heads < 1 || (shape.dim(2) != kUnknownDim && shape.dim(2) % heads != 0)) {
    return absl::InvalidArgumentError(absl::StrCat("attribute ", attribute, " is ", heads, " for ", shape.dim(2), " columns"));
  }
  h.heads = heads, h.length = shape.dim(1);
  h.size = shape.dim(2) == kUnknownDim ? kUnknownDim : shape.dim(2) / heads;
  return h;
}

int64_t Plus(int64_t a, int64_t b) { return a == kUnknownDim || b == kUnknownDim ? kUnknownDim : a + b; }

struct AttentionForm {
  Heads q, k, v;
  int64_t past = 0;
  int64_t total() const { return Plus(past, k.length); }
};

template <typename ShapeAt, typename Has>
absl::StatusOr<AttentionForm> ReadForm(const Attrs& attrs, const ShapeAt& shape, const Has& has) {
  AttentionForm form;
  const int64_t kv_heads = attrs.Int("kv_num_heads", 0);
  OMKIT_ASSIGN_OR_RETURN(form.q, HeadsOf(shape(0), attrs.Int("q_num_heads", 0), "q_num_heads"));
  OMKIT_ASSIGN_OR_RETURN(form.k, HeadsOf(shape(1), kv_heads, "kv_num_heads"));
  OMKIT_ASSIGN_OR_RETURN(form.v, HeadsOf(shape(2), kv_heads, "kv_num_heads"));
  if (has(4)) form.past = shape(4).dim(2);
  return form;
}

absl::Status CheckForm(const AttentionForm& f) {
  const bool fits = !Conflict(f.q.batch, f.k.batch) && !Conflict(f.k.batch, f.v.batch) && !Conflict(f.k.heads, f.v.heads) &&
                    !Conflict(f.k.length, f.v.length) && !Conflict(f.q.size, f.k.size);
  const bool groups = f.q.heads == kUnknownDim || f.k.heads == kUnknownDim || (f.k.heads > 0 && f.q.heads % f.k.heads == 0);
  if (fits && groups) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("Q has ", f.q.heads, " heads of ", f.q.size, ", K ", f.k.heads, " of ", f.k.size, " and length ",
                                                 f.k.length, ", V ", f.v.heads, " of length ", f.v.length));
}

absl::Status CheckPast(const InferContext& ctx, int i, const Heads& like) {
  if (!ctx.has_input(i)) return absl::OkStatus();
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, i, 4, 4));
  OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, i));
  OMKIT_RETURN_IF_ERROR(ExpectSameDType(ctx, i, i - 3));
  const Shape& s = ctx.shape(i);
  if (!Conflict(s.dim(0), like.batch) && !Conflict(s.dim(1), like.heads) && !Conflict(s.dim(3), like.size)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("input ", i, " has shape ", s.ToString(), ", which does not fit the new keys and values"));
}

// Additive mask [batch, heads, queries, keys] for one row of scores.
struct Mask {
  std::vector<double> values;  // empty: none
  std::vector<int64_t> strides;
  int64_t columns = 0;
  double At(int64_t b, int64_t h, int64_t i, int64_t j) const {
    if (values.empty()) return 0;
    return j >= columns ? kMasked : values[b * strides[0] + h * strides[1] + i * strides[2] + j * strides[3]];
  }
};

Mask ReadMask(const EvalContext& ctx, const AttentionForm& form) {
  Mask mask;
  if (!ctx.has_input(3)) return mask;
  const Tensor& t = ctx.input(3);
  mask.values = ReadReals(t);
  if (t.dtype() == DType::kBool) {
    for (double& v : mask.values) v = v != 0 ? 0 : kMasked;
  }
  std::vector<int64_t> dims = {form.q.batch, form.q.heads, form.q.length, form.total()};
  const int64_t last = t.shape().dim(t.shape().rank() - 1);
  mask.columns = last == 1 ? form.total() : last;
  dims[3] = mask.columns;
  mask.strides = BroadcastStrides(t.shape(), Shape(dims));
  return mask;
}

// past and new rows of one side, [batch, heads, total, size].
std::vector<double> Present(const EvalContext& ctx, int input, const Heads& h, int64_t past) {
  const std::vector<double> fresh = ReadReals(ctx.input(input));
  std::vector<double> old;
  if (past > 0) old = ReadReals(ctx.input(input + 3));
  std::vector<double> all(h.batch * h.heads * (past + h.length) * h.size);
  double* to = all.data();
  for (int64_t b = 0; b < h.batch; ++b) {
    for (int64_t n = 0; n < h.heads; ++n) {
      to = std::copy_n(old.data() + (b * h.heads + n) * past * h.size, past * h.size, to);
      for (int64_t t = 0; t < h.length; ++t) to = std::copy_n(fresh.data() + h.At(b, n, t), h.size, to);
    }
  }
  return all;
}

void SoftmaxRow(double* row, int64_t n) {
  const double peak = *std::max_element(row, row + n);
  // A row that sees nothing has no weights to give.
  if (peak == kMasked) {
    std::fill_n(row, n, std::numeric_limits<double>::quiet_NaN());
    return;
  }
  double sum = 0;
  for (int64_t j = 0; j < n; ++j) sum += row[j] = std::exp(row[j] - peak);
  for (int64_t j = 0; j < n; ++j) row[j] /= sum;
}

// Rounds to the operands' type where the standard's steps would.
double RoundTo(DType dtype, double v) {
  if (dtype == DType::kFloat16) return FromFloat16(ToFloat16(static_cast<float>(v)));
  return dtype == DType::kBFloat16 ? FromBFloat16(ToBFloat16(static_cast<float>(v))) : v;
}

}  // namespace

absl::Status InferAttention(InferContext& ctx) {
  for (int i = 0; i < 3; ++i) {
    OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, i));
    OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, i, 3, 4));
    if (ctx.shape(i).rank() != ctx.shape(0).rank()) return absl::InvalidArgumentError("Q, K and V must have one rank");
  }
  OMKIT_RETURN_IF_ERROR(ExpectSameDType(ctx, 0, 1));
  if (ctx.has_input(4) != ctx.has_input(5)) return absl::InvalidArgumentError("past_key and past_value go together");
  OMKIT_ASSIGN_OR_RETURN(const AttentionForm form, ReadForm(
                                                       ctx.attrs(),
                                                       [&](int i) {
                                                         return ctx.shape(i).rank() < 3 ? Shape{0, 0, 0, 0} : ctx.shape(i);
                                                       },
                                                       [&](int i) { return ctx.has_input(i) && ctx.shape(i).rank() == 4; }));
  OMKIT_RETURN_IF_ERROR(CheckForm(form));
  OMKIT_RETURN_IF_ERROR(CheckPast(ctx, 4, form.k));
  OMKIT_RETURN_IF_ERROR(CheckPast(ctx, 5, form.v));
  if (ctx.has_input(5) && Conflict(ctx.shape(4).dim(2), ctx.shape(5).dim(2)))
    return absl::InvalidArgumentError("past_key and past_value differ in length");
  const int64_t mode = ctx.attrs().Int("qk_matmul_output_mode", 0);
  if (mode < 0 || mode > 3) return absl::InvalidArgumentError(absl::StrCat("attribute qk_matmul_output_mode is ", mode, ", allowed are 0 to 3"));
  const Shape scores{form.q.batch, form.q.heads, form.q.length, form.total()};
  if (ctx.has_input(3)) {
    OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 3, 2, 4));
    if (ctx.dtype(3) != DType::kBool) OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, 3));
    Shape mask = ctx.shape(3);
    const int last = mask.rank() - 1;
    if (mask.dim(last) != kUnknownDim && scores.dim(3) != kUnknownDim && mask.dim(last) < scores.dim(3)) mask.set_dim(last, scores.dim(3));
    if (mask.IsStatic() && scores.IsStatic() && !BroadcastsTo(mask, scores)) {
      return absl::InvalidArgumentError(absl::StrCat("attn_mask ", ctx.shape(3).ToString(), " does not broadcast to ", scores.ToString()));
    }
  }
  const bool flat = form.q.flat;
  const int64_t columns = form.q.heads == kUnknownDim || form.v.size == kUnknownDim ? kUnknownDim : form.q.heads * form.v.size;
  const Shape y = flat ? Shape{form.q.batch, form.q.length, columns} : Shape{form.q.batch, form.q.heads, form.q.length, form.v.size};
  OMKIT_RETURN_IF_ERROR(SetOutputChecked(ctx, 0, ValueDType(ctx, 0), y));
  if (ctx.num_outputs() > 1)
    OMKIT_RETURN_IF_ERROR(SetOutputChecked(ctx, 1, ValueDType(ctx, 1), Shape{form.k.batch, form.k.heads, form.total(), form.k.size}));
  if (ctx.num_outputs() > 2)
    OMKIT_RETURN_IF_ERROR(SetOutputChecked(ctx, 2, ValueDType(ctx, 2), Shape{form.v.batch, form.v.heads, form.total(), form.v.size}));
  if (ctx.num_outputs() > 3) OMKIT_RETURN_IF_ERROR(SetOutputChecked(ctx, 3, ValueDType(ctx, 0), scores));
  return absl::OkStatus();
}

absl::Status EvalAttention(const EvalContext& ctx) {
  OMKIT_ASSIGN_OR_RETURN(const AttentionForm f, ReadForm(
                                                    ctx.attrs, [&](int i) { return ctx.input(i).shape(); }, [&](int i) { return ctx.has_input(i); }));
  const std::vector<double> q = ReadReals(ctx.input(0));
  const std::vector<double> k = Present(ctx, 1, f.k, f.past), v = Present(ctx, 2, f.v, f.past);
  const Mask mask = ReadMask(ctx, f);
  const DType dtype = ctx.input(0).dtype();
  const double scale = ctx.attrs.Float("scale", 0) != 0 ? ctx.attrs.Float("scale", 0) : 1 / std::sqrt(static_cast<double>(f.q.size));
  const double root = RoundTo(dtype, std::sqrt(std::fabs(scale)));
  const double softcap = ctx.attrs.Float("softcap", 0);
  const bool causal = ctx.attrs.Int("is_causal", 0) != 0;
  const int64_t mode = ctx.attrs.Int("qk_matmul_output_mode", 0), total = f.total(), group = f.q.heads / f.k.heads;
  std::vector<double> y(ctx.output(0).elements());
  std::vector<double> shown(ctx.num_outputs() > 3 ? ctx.output(3).elements() : 0);
  Heads out = f.q;
  out.size = f.v.size;
  std::vector<double> row(total);
  for (int64_t b = 0; b < f.q.batch; ++b) {
    for (int64_t h = 0; h < f.q.heads; ++h) {
      const double* keys = k.data() + (b * f.k.heads + h / group) * total * f.k.size;
      const double* values = v.data() + (b * f.v.heads + h / group) * total * f.v.size;
      for (int64_t i = 0; i < f.q.length; ++i) {
        const double* query = q.data() + f.q.At(b, h, i);
        double* show = shown.empty() ? nullptr : shown.data() + ((b * f.q.heads + h) * f.q.length + i) * total;
        for (int64_t j = 0; j < total; ++j) {
          double sum = 0;
          for (int64_t c = 0; c < f.q.size; ++c) sum += RoundTo(dtype, query[c] * root) * RoundTo(dtype, keys[j * f.k.size + c] * root);
          row[j] = scale < 0 ? -sum : sum;
        }
        if (show != nullptr && mode == 0) std::copy(row.begin(), row.end(), show);
        if (softcap != 0) {
          for (double& x : row) x = softcap * std::tanh(x / softcap);
        }
        if (show != nullptr && mode == 1) std::copy(row.begin(), row.end(), show);
        for (int64_t j = 0; j < total; ++j) row[j] += causal && j > f.past + i ? kMasked : mask.At(b, h, i, j);
        if (show != nullptr && mode == 2) std::copy(row.begin(), row.end(), show);
        const bool sees = std::any_of(row.begin(), row.end(), [](double x) { return x != kMasked; });
        if (total > 0) SoftmaxRow(row.data(), total);
        if (show != nullptr && mode == 3) std::copy(row.begin(), row.end(), show);
        if (!sees) continue;
        double* result = y.data() + out.At(b, h, i);
        for (int64_t j = 0; j < total; ++j) {
          for (int64_t c = 0; c < f.v.size; ++c) result[c] += row[j] * values[j * f.v.size + c];
        }
      }
    }
  }
  WriteReals(y, &ctx.output(0));
  if (ctx.num_outputs() > 1) WriteReals(k, &ctx.output(1));
  if (ctx.num_outputs() > 2) WriteReals(v, &ctx.output(2));
  if (ctx.num_outputs() > 3) WriteReals(shown, &ctx.output(3));
  return absl::OkStatus();
}

absl::Status InferRotaryEmbedding(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 3, 4));
  for (int i = 0; i < 3; ++i) OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, i));
  OMKIT_ASSIGN_OR_RETURN(const Heads x, HeadsOf(ctx.shape(0), ctx.attrs().Int("num_heads", 0), "num_heads"));
  int64_t rotated = ctx.attrs().Int("rotary_embedding_dim", 0);
  if (rotated == 0) rotated = x.size;
  if (rotated != kUnknownDim && (rotated < 2 || rotated % 2 != 0 || (x.size != kUnknownDim && rotated > x.size))) {
    return absl::InvalidArgumentError(absl::StrCat(rotated, " of ", x.size, " columns cannot be rotated"));
  }
  const bool positions = ctx.has_input(3);
  if (positions) {
    OMKIT_RETURN_IF_ERROR(ExpectInteger(ctx, 3));
    OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 3, 2, 2));
    if (Conflict(ctx.shape(3).dim(0), x.batch) || Conflict(ctx.shape(3).dim(1), x.length)) {
      return absl::InvalidArgumentError(absl::StrCat("position_ids has shape ", ctx.shape(3).ToString()));
    }
  }
  for (int i : {1, 2}) {
    OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, i, positions ? 2 : 3, positions ? 2 : 3));
    const Shape& cache = ctx.shape(i);
    const bool fits = positions ? true : !Conflict(cache.dim(0), x.batch) && !Conflict(cache.dim(1), x.length);
    if (!fits || Conflict(cache.dim(cache.rank() - 1), rotated == kUnknownDim ? kUnknownDim : rotated / 2)) {
      return absl::InvalidArgumentError(absl::StrCat("input ", i, " has shape ", cache.ToString(), " for ", rotated, " rotated columns"));
    }
    if (positions && Conflict(cache.dim(0), ctx.shape(3 - i).dim(0))) return absl::InvalidArgumentError("cos_cache and sin_cache differ in length");
  }
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), ctx.shape(0));
}

absl::Status EvalRotaryEmbedding(const EvalContext& ctx) {
  OMKIT_ASSIGN_OR_RETURN(const Heads x, HeadsOf(ctx.input(0).shape(), ctx.attrs.Int("num_heads", 0), "num_heads"));
  const int64_t half = ctx.input(1).shape().dim(ctx.input(1).shape().rank() - 1);
  const int64_t rotated = ctx.attrs.Int("rotary_embedding_dim", 0) == 0 ? x.size : ctx.attrs.Int("rotary_embedding_dim", 0);
  if (rotated != 2 * half) return absl::InvalidArgumentError(absl::StrCat("the caches hold ", half, " angles for ", rotated, " rotated columns"));
  const bool interleaved = ctx.attrs.Int("interleaved", 0) != 0;
  const std::vector<double> in = ReadReals(ctx.input(0)), cosine = ReadReals(ctx.input(1)), sine = ReadReals(ctx.input(2));
  std::vector<double> y = in;
  for (int64_t b = 0; b < x.batch; ++b) {
    for (int64_t t = 0; t < x.length; ++t) {
      int64_t position = b * x.length + t;
      if (ctx.has_input(3)) {
        position = IntegerAt(ctx.input(3), position);
        if (position < 0 || position >= ctx.input(1).shape().dim(0))
          return absl::InvalidArgumentError(absl::StrCat("position ", position, " lies outside the caches"));
      }
      for (int64_t h = 0; h < x.heads; ++h) {
        const int64_t at = x.At(b, h, t);
        for (int64_t c = 0; c < half; ++c) {
          const int64_t first = at + (interleaved ? 2 * c : c), second = at + (interleaved ? 2 * c + 1 : half + c);
          const double cos = cosine[position * half + c], sin = sine[position * half + c];
          y[first] = cos * in[first] - sin * in[second];
          y[second] = sin * in[first] + cos * in[second];
        }
      }
    }
  }
  WriteReals(y, &ctx.output(0));
  return absl::OkStatus();
}

}  // namespace omkit::ir
