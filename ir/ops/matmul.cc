// Matrix products.
//
// Dense (omkit's own): x[..., K] times w[N, K] transposed, optional bias[N], optional residual of the output's shape [..., N];
// attributes act_min and act_max and the quantized form as in conv.cc.
// Gemm, MatMul: as in ONNX, for float types and for integers of 32 and 64 bits. MatMul has an attribute of omkit's own, alpha (default 1):
// the factor of a float result. Two 8-bit operands with one scale each are multiplied as integers, see requantize.h.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/accumulator.h"
#include "ir/ops/broadcast.h"
#include "ir/ops/operand.h"
#include "ir/ops/requantize.h"

namespace omkit::ir {
namespace {

double Dot(const double* __restrict a, const double* __restrict b, int64_t n) {
  double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  int64_t i = 0;
  for (; i + 4 <= n; i += 4) {
    s0 += a[i] * b[i];
    s1 += a[i + 1] * b[i + 1];
    s2 += a[i + 2] * b[i + 2];
    s3 += a[i + 3] * b[i + 3];
  }
  for (; i < n; ++i) s0 += a[i] * b[i];
  return (s0 + s1) + (s2 + s3);
}

// c[m,n] += a[m,k] * b[k,n], all row-major. Integers wrap.
template <typename T>
void AddProduct(const T* a, const T* b, T* c, int64_t m, int64_t n, int64_t k) {
  using Wrap = std::conditional_t<std::is_integral_v<T>, uint64_t, T>;
  for (int64_t i = 0; i < m; ++i) {
    T* __restrict row = c + i * n;
    for (int64_t p = 0; p < k; ++p) {
      const T scale = a[i * k + p];
      const T* __restrict line = b + p * n;
      for (int64_t j = 0; j < n; ++j) {
        row[j] = static_cast<T>(static_cast<Wrap>(row[j]) + static_cast<Wrap>(scale) * static_cast<Wrap>(line[j]));
      }
    }
  }
}

template <typename T>
std::vector<T> Transposed(const std::vector<T>& a, int64_t rows, int64_t columns) {
  std::vector<T> t(a.size());
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) t[c * rows + r] = a[r * columns + c];
  }
  return t;
}

absl::Status CheckProductTypes(const InferContext& ctx, int count) {
  for (int i = 0; i < count; ++i) {
    if (!ctx.has_input(i)) continue;
    OMKIT_RETURN_IF_ERROR(ExpectNumeric(ctx, i));
    OMKIT_RETURN_IF_ERROR(ExpectSameDType(ctx, 0, i));
  }
  if (SizeOf(ValueDType(ctx, 0)) >= 4 || IsFloat(ValueDType(ctx, 0))) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("matrix products of ", Name(ctx.dtype(0)), " are not defined; quantized tensors need a scale"));
}

// Geometry of MatMul: a[batch..., m, k] times b[batch..., k, n], vectors promoted and the added 1 removed from `out`.
struct MatMulShape {
  Shape a_batch, b_batch, batch, out;
  int64_t m = 1, n = 1, k = 0;
};

absl::StatusOr<MatMulShape> ResolveMatMul(const Shape& a, const Shape& b) {
  if (a.rank() < 1 || b.rank() < 1) return absl::InvalidArgumentError("MatMul takes tensors of rank 1 or more");
  MatMulShape s;
  const absl::Span<const int64_t> da = a.dims();
  const absl::Span<const int64_t> db = b.dims();
  s.k = da.back();
  const int64_t kb = b.rank() == 1 ? db[0] : db[db.size() - 2];
  if (Conflict(s.k, kb)) {
    return absl::InvalidArgumentError(
        absl::StrCat("shapes ", a.ToString(), " and ", b.ToString(), ": the inner dimensions ", s.k, " and ", kb, " differ"));
  }
  if (a.rank() > 1) s.m = da[da.size() - 2];
  if (b.rank() > 1) s.n = db.back();
  if (a.rank() > 2) s.a_batch = Shape(da.first(da.size() - 2));
  if (b.rank() > 2) s.b_batch = Shape(db.first(db.size() - 2));
  OMKIT_ASSIGN_OR_RETURN(s.batch, BroadcastShapes(s.a_batch, s.b_batch));
  std::vector<int64_t> out = s.batch.vec();
  if (a.rank() > 1) out.push_back(s.m);
  if (b.rank() > 1) out.push_back(s.n);
  s.out = Shape(std::move(out));
  return s;
}

template <typename T>
std::vector<T> BatchedProduct(const MatMulShape& s, const std::vector<T>& a, const std::vector<T>& b) {
  std::vector<T> c(s.batch.elements() * s.m * s.n, T{});
  T* out = c.data();
  ForEachRow<2>(s.batch.dims(), {BroadcastStrides(s.a_batch, s.batch), BroadcastStrides(s.b_batch, s.batch)},
                [&](const auto& offsets, const auto& steps, int64_t count) {
                  for (int64_t i = 0; i < count; ++i) {
                    AddProduct(a.data() + (offsets[0] + i * steps[0]) * s.m * s.k, b.data() + (offsets[1] + i * steps[1]) * s.k * s.n, out, s.m, s.n,
                               s.k);
                    out += s.m * s.n;
                  }
                });
  return c;
}

// q - zero point of every element of a tensor with one scale.
std::vector<int64_t> ReadCentered(const Tensor& tensor) {
  const int32_t zero = tensor.type().quant.zero_point[0];
  std::vector<int64_t> values(tensor.elements());
  for (int64_t i = 0; i < tensor.elements(); ++i) values[i] = IntegerAt(tensor, i) - zero;
  return values;
}

absl::Status FinishProduct(const EvalContext& ctx, const std::vector<int64_t>& sums) {
  Tensor& out = ctx.output(0);
  const QuantParams& q = out.type().quant;
  const float multiplier = ProductMultiplier(ctx.input(0).type().quant, ctx.input(1).type().quant, ctx.attrs.Float("alpha", 1.0f), out.type());
  const QuantRange range = q.quantized() ? ClampRange(ctx.attrs, q, out.dtype()) : QuantRange{};
  for (size_t e = 0; e < sums.size(); ++e) {
    const auto acc = static_cast<int32_t>(sums[e]);
    if (acc != sums[e]) {
      return absl::OutOfRangeError(absl::StrCat("the integer sum ", sums[e], " does not fit int32: too many terms; keep this node in float"));
    }
    if (!q.quantized()) {
      out.mutable_data<float>()[e] = static_cast<float>(acc) * multiplier;
      continue;
    }
    const int32_t v = Requantize(acc, multiplier, q.zero_point[0], range.min, range.max);
    if (out.dtype() == DType::kUInt8) out.mutable_data<uint8_t>()[e] = static_cast<uint8_t>(v);
    else out.mutable_data<int8_t>()[e] = static_cast<int8_t>(v);
  }
  return absl::OkStatus();
}

struct GemmShape {
  int64_t m, n, k;
  bool trans_a, trans_b;
};

absl::StatusOr<GemmShape> ResolveGemm(const Attrs& attrs, const Shape& a, const Shape& b) {
  const bool ta = attrs.Int("transA", 0) != 0;
  const bool tb = attrs.Int("transB", 0) != 0;
  const int64_t ka = a.dim(ta ? 0 : 1);
  const int64_t kb = b.dim(tb ? 1 : 0);
  if (Conflict(ka, kb)) {
    return absl::InvalidArgumentError(absl::StrCat("A is ", a.ToString(), ta ? " (transposed)" : "", ", B is ", b.ToString(),
                                                   tb ? " (transposed)" : "", ": the inner dimensions ", ka, " and ", kb, " differ"));
  }
  return GemmShape{a.dim(ta ? 1 : 0), b.dim(tb ? 0 : 1), ka, ta, tb};
}

template <typename T>
void ScaleAndAdd(const EvalContext& ctx, const GemmShape& g, const std::vector<T>& c_values, std::vector<T>& y) {
  const auto alpha = static_cast<double>(ctx.attrs.Float("alpha", 1.0f));
  const auto beta = static_cast<double>(ctx.attrs.Float("beta", 1.0f));
  if (alpha != 1.0) {
    for (T& v : y) v = static_cast<T>(alpha * static_cast<double>(v));
  }
  if (!ctx.has_input(2)) return;
  T* out = y.data();
  const Shape shape = {g.m, g.n};
  ForEachRow<1>(shape.dims(), {BroadcastStrides(ctx.input(2).shape(), shape)}, [&](const auto& offsets, const auto& steps, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      const T c = c_values[offsets[0] + i * steps[0]];
      *out++ += beta == 1.0 ? c : static_cast<T>(beta * static_cast<double>(c));
    }
  });
}

template <typename T>
std::vector<T> GemmProduct(const EvalContext& ctx, const GemmShape& g, std::vector<T> a, std::vector<T> b, const std::vector<T>& c) {
  if (g.trans_a) a = Transposed(a, g.k, g.m);
  if (g.trans_b) b = Transposed(b, g.n, g.k);
  std::vector<T> y(g.m * g.n, T{});
  AddProduct(a.data(), b.data(), y.data(), g.m, g.n, g.k);
  ScaleAndAdd(ctx, g, c, y);
  return y;
}

}  // namespace

absl::Status InferDense(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 1, kMaxRank));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 1, 2, 2));
  std::vector<int64_t> dims = ctx.shape(0).vec();
  const Shape& w = ctx.shape(1);
  if (Conflict(dims.back(), w.dim(1))) {
    return absl::InvalidArgumentError(absl::StrCat("input rows have ", dims.back(), " elements but the weight takes ", w.dim(1)));
  }
  dims.back() = w.dim(0);
  return InferAccumulator(ctx, w.dim(0), Shape(std::move(dims)));
}

absl::Status EvalDense(const EvalContext& ctx) {
  const Shape& w_shape = ctx.input(1).shape();
  const int64_t n = w_shape.dim(0);
  const int64_t k = w_shape.dim(1);
  std::vector<double> sums(ctx.output(0).elements(), 0.0);
  const int64_t rows = n == 0 ? 0 : static_cast<int64_t>(sums.size()) / n;
  const std::vector<double> x = ReadActivation(ctx);
  const std::vector<double> w = ReadWeights(ctx);
  for (int64_t j = 0; j < n; ++j) {
    for (int64_t r = 0; r < rows; ++r) sums[r * n + j] = Dot(x.data() + r * k, w.data() + j * k, k);
  }
  return FinishAccumulators(ctx, sums, rows, n, 1);
}

absl::Status InferGemm(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 2, 2));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 1, 2, 2));
  OMKIT_RETURN_IF_ERROR(CheckProductTypes(ctx, 3));
  OMKIT_ASSIGN_OR_RETURN(const GemmShape g, ResolveGemm(ctx.attrs(), ctx.shape(0), ctx.shape(1)));
  const Shape out = {g.m, g.n};
  if (ctx.has_input(2) && !BroadcastsTo(ctx.shape(2), out)) {
    return absl::InvalidArgumentError(absl::StrCat("C of shape ", ctx.shape(2).ToString(), " does not broadcast to ", out.ToString()));
  }
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), out);
}

absl::Status EvalGemm(const EvalContext& ctx) {
  OMKIT_ASSIGN_OR_RETURN(const GemmShape g, ResolveGemm(ctx.attrs, ctx.input(0).shape(), ctx.input(1).shape()));
  if (IsFloat(ctx.output(0).dtype())) {
    const std::vector<double> c = ctx.has_input(2) ? ReadReals(ctx.input(2)) : std::vector<double>();
    WriteReals(GemmProduct(ctx, g, ReadReals(ctx.input(0)), ReadReals(ctx.input(1)), c), &ctx.output(0));
  } else {
    const std::vector<int64_t> c = ctx.has_input(2) ? ReadIntegers(ctx.input(2)) : std::vector<int64_t>();
    WriteIntegers(GemmProduct(ctx, g, ReadIntegers(ctx.input(0)), ReadIntegers(ctx.input(1)), c), &ctx.output(0));
  }
  return absl::OkStatus();
}

absl::Status InferMatMul(InferContext& ctx) {
  OMKIT_RETURN_IF_ERROR(CheckProductTypes(ctx, 2));
  OMKIT_ASSIGN_OR_RETURN(MatMulShape s, ResolveMatMul(ctx.shape(0), ctx.shape(1)));
  OMKIT_RETURN_IF_ERROR(ExpectPerTensorIfQuantized(ctx, 0));
  OMKIT_RETURN_IF_ERROR(ExpectPerTensorIfQuantized(ctx, 1));
  if (!IsFloat(ValueDType(ctx, 0)) && ctx.attrs().Has("alpha")) return absl::InvalidArgumentError("alpha is for float results");
  return SetOutputChecked(ctx, 0, ValueDType(ctx, 0), std::move(s.out));
}

absl::Status EvalMatMul(const EvalContext& ctx) {
  OMKIT_ASSIGN_OR_RETURN(const MatMulShape s, ResolveMatMul(ctx.input(0).shape(), ctx.input(1).shape()));
  const TensorType& out = ctx.output(0).type();
  if (IsInt8Activation(ctx.input(0).type()) && IsInt8Activation(ctx.input(1).type()) && (IsInt8Activation(out) || out.dtype == DType::kFloat32)) {
    return FinishProduct(ctx, BatchedProduct(s, ReadCentered(ctx.input(0)), ReadCentered(ctx.input(1))));
  }
  if (IsFloat(out.dtype) || out.quantized()) {
    std::vector<double> product = BatchedProduct(s, ReadReals(ctx.input(0)), ReadReals(ctx.input(1)));
    const double alpha = ctx.attrs.Float("alpha", 1.0f);
    for (double& v : product) v *= alpha;
    WriteReals(product, &ctx.output(0));
  } else {
    WriteIntegers(BatchedProduct(s, ReadIntegers(ctx.input(0)), ReadIntegers(ctx.input(1))), &ctx.output(0));
  }
  return absl::OkStatus();
}

}  // namespace omkit::ir
