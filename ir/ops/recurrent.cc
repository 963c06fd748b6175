// RNN, GRU and LSTM with all attributes of ONNX 22; computed in double.
//
// Inputs X, W, R, B, sequence_lens, initial_h and, for LSTM, initial_c and P (peepholes). Steps behind a sequence's length give zeros in Y
// and leave the state as it is; the reverse direction starts at the end of each sequence. activation_alpha and activation_beta are consumed
// by the functions that have such a parameter, in order. A clip of 0 (or none) clips nothing.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ir/op.h"
#include "ir/ops/operand.h"

namespace omkit::ir {
namespace {

enum class Cell { kRnn, kGru, kLstm };

int GatesOf(Cell cell) { return cell == Cell::kRnn ? 1 : cell == Cell::kGru ? 3 : 4; }

struct Activation {
  const char* name;
  int parameters;  // 1: alpha, 2: alpha and beta
  double alpha, beta;
  double (*fn)(double x, double alpha, double beta);
};

double Logistic(double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }

constexpr Activation kActivations[] = {
    {"affine", 2, 1, 0, [](double x, double a, double b) { return a * x + b; }},
    {"elu", 1, 1, 0, [](double x, double a, double) { return x < 0 ? a * std::expm1(x) : x; }},
    {"hardsigmoid", 2, 0.2, 0.5, [](double x, double a, double b) { return std::min(std::max(a * x + b, 0.0), 1.0); }},
    {"leakyrelu", 1, 0.01, 0, [](double x, double a, double) { return x < 0 ? a * x : x; }},
    {"relu", 0, 0, 0, [](double x, double, double) { return std::max(x, 0.0); }},
    {"scaledtanh", 2, 1, 1, [](double x, double a, double b) { return a * std::tanh(b * x); }},
    {"sigmoid", 0, 0, 0, [](double x, double, double) { return Logistic(x); }},
    {"softplus", 0, 0, 0, [](double x, double, double) { return std::max(x, 0.0) + std::log1p(std::exp(-std::fabs(x))); }},
    {"softsign", 0, 0, 0, [](double x, double, double) { return x / (1 + std::fabs(x)); }},
    {"tanh", 0, 0, 0, [](double x, double, double) { return std::tanh(x); }},
    {"thresholdedrelu", 1, 1, 0, [](double x, double a, double) { return x >= a ? x : 0; }},
};

// The functions f, g, h of each direction with their parameters.
absl::StatusOr<std::vector<Activation>> ReadActivations(const Attrs& attrs, Cell cell, int directions) {
  const int each = cell == Cell::kRnn ? 1 : cell == Cell::kGru ? 2 : 3;
  std::vector<std::string> names;
  if (const Attr* given = attrs.Find("activations"); given != nullptr) {
    if (const auto* list = std::get_if<std::vector<std::string>>(given)) names = *list;
  }
  if (names.empty()) {
    for (int d = 0; d < directions; ++d) {
      if (cell != Cell::kRnn) names.push_back("sigmoid");
      names.push_back("tanh");
      if (cell == Cell::kLstm) names.push_back("tanh");
    }
  }
  if (static_cast<int>(names.size()) != each * directions) {
    return absl::InvalidArgumentError(absl::StrCat("attribute activations has ", names.size(), " names, expected ", each * directions));
  }
  const std::vector<float> alpha = attrs.Floats("activation_alpha"), beta = attrs.Floats("activation_beta");
  size_t next_alpha = 0, next_beta = 0;
  std::vector<Activation> functions;
  for (const std::string& name : names) {
    const auto* found =
        std::find_if(std::begin(kActivations), std::end(kActivations), [&](const Activation& a) { return absl::AsciiStrToLower(name) == a.name; });
    if (found == std::end(kActivations)) return absl::InvalidArgumentError(absl::StrCat("attribute activations holds '", name, "'"));
    Activation f = *found;
    if (f.parameters >= 1 && next_alpha < alpha.size()) f.alpha = alpha[next_alpha++];
    if (f.parameters >= 2 && next_beta < beta.size()) f.beta = beta[next_beta++];
    functions.push_back(f);
  }
  return functions;
}

absl::StatusOr<int> DirectionsOf(const Attrs& attrs) {
  const std::string direction = attrs.String("direction", "forward");
  if (direction == "forward" || direction == "reverse") return 1;
  if (direction == "bidirectional") return 2;
  return absl::InvalidArgumentError(absl::StrCat("attribute direction is '", direction, "', allowed are forward, reverse and bidirectional"));
}

absl::Status ExpectShape(const InferContext& ctx, int i, const Shape& expected) {
  if (!ctx.has_input(i)) return absl::OkStatus();
  bool same = ctx.shape(i).rank() == expected.rank();
  for (int d = 0; same && d < expected.rank(); ++d) same = !Conflict(ctx.shape(i).dim(d), expected.dim(d));
  if (same) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("input ", i, " has shape ", ctx.shape(i).ToString(), ", expected ", expected.ToString()));
}

absl::Status InferRecurrent(InferContext& ctx, Cell cell) {
  for (int i = 0; i < ctx.num_inputs(); ++i) {
    if (!ctx.has_input(i)) continue;
    if (i == 4) {
      OMKIT_RETURN_IF_ERROR(ExpectInteger(ctx, 4));
      continue;
    }
    OMKIT_RETURN_IF_ERROR(ExpectFloat(ctx, i));
    OMKIT_RETURN_IF_ERROR(ExpectSameDType(ctx, 0, i));
  }
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 0, 3, 3));
  OMKIT_RETURN_IF_ERROR(ExpectRank(ctx, 2, 3, 3));
  OMKIT_ASSIGN_OR_RETURN(const int directions, DirectionsOf(ctx.attrs()));
  OMKIT_RETURN_IF_ERROR(ReadActivations(ctx.attrs(), cell, directions).status());
  const int64_t layout = ctx.attrs().Int("layout", 0);
  if (layout != 0 && layout != 1) return absl::InvalidArgumentError(absl::StrCat("attribute layout is ", layout, ", allowed are 0 and 1"));
  const float clip = ctx.attrs().Float("clip", 0.0f);
  if (!(clip >= 0)) return absl::InvalidArgumentError(absl::StrCat("attribute clip is ", clip));
  const int64_t time = ctx.shape(0).dim(layout == 0 ? 0 : 1);
  const int64_t batch = ctx.shape(0).dim(layout == 0 ? 1 : 0);
  const int64_t hidden = ctx.shape(2).dim(2);
  if (hidden == kUnknownDim) return absl::UnimplementedError("the hidden size is not known");
  constexpr int64_t kMaxHidden = int64_t{1} << 24;
  if (hidden < 1 || hidden > kMaxHidden || ctx.attrs().Int("hidden_size", hidden) != hidden) {
    return absl::InvalidArgumentError(
        absl::StrCat("attribute hidden_size is ", ctx.attrs().Int("hidden_size", hidden), " but R has shape ", ctx.shape(2).ToString()));
  }
  const int64_t gates = GatesOf(cell) * hidden;
  OMKIT_RETURN_IF_ERROR(ExpectShape(ctx, 1, {directions, gates, ctx.shape(0).dim(2)}));
  OMKIT_RETURN_IF_ERROR(ExpectShape(ctx, 2, {directions, gates, hidden}));
  OMKIT_RETURN_IF_ERROR(ExpectShape(ctx, 3, {directions, 2 * gates}));
  OMKIT_RETURN_IF_ERROR(ExpectShape(ctx, 4, {batch}));
  const Shape state = layout == 0 ? Shape{directions, batch, hidden} : Shape{batch, directions, hidden};
  OMKIT_RETURN_IF_ERROR(ExpectShape(ctx, 5, state));
  OMKIT_RETURN_IF_ERROR(ExpectShape(ctx, 6, state));
  OMKIT_RETURN_IF_ERROR(ExpectShape(ctx, 7, {directions, 3 * hidden}));
  const DType dtype = ValueDType(ctx, 0);
  for (int i = 1; i < ctx.num_outputs(); ++i) OMKIT_RETURN_IF_ERROR(SetOutputChecked(ctx, i, dtype, state));
  return SetOutputChecked(ctx, 0, dtype, layout == 0 ? Shape{time, directions, batch, hidden} : Shape{batch, time, directions, hidden});
}

// Everything one direction needs for one step of one sequence.
struct Direction {
  Cell cell;
  int64_t input = 0, hidden = 0;
  const double* w = nullptr;         // [gates * hidden, input]
  const double* r = nullptr;         // [gates * hidden, hidden]
  const double* bias = nullptr;      // W's, then R's
  const double* peephole = nullptr;  // input, output, forget
  const Activation* act = nullptr;   // f, g, h
  double clip = 0;
  bool linear_before_reset = false, input_forget = false;
  std::vector<double> from_x, from_h;

  double Apply(int which, double v) const {
    if (clip > 0) v = std::min(std::max(v, -clip), clip);
    return act[which].fn(v, act[which].alpha, act[which].beta);
  }

  // rows [first, last) of matrix * v + bias.
  static void Affine(const double* matrix, const double* v, const double* bias, int64_t first, int64_t last, int64_t columns, double* out) {
    for (int64_t i = first; i < last; ++i) {
      double sum = bias[i];
      for (int64_t k = 0; k < columns; ++k) sum += matrix[i * columns + k] * v[k];
      out[i] = sum;
    }
  }

  void Step(const double* x, double* h, double* c) {
    const int64_t gates = GatesOf(cell) * hidden;
    Affine(w, x, bias, 0, gates, input, from_x.data());
    const int64_t direct = cell == Cell::kGru && !linear_before_reset ? 2 * hidden : gates;
    Affine(r, h, bias + gates, 0, direct, hidden, from_h.data());
    if (cell == Cell::kRnn) StepRnn(h);
    else if (cell == Cell::kGru) StepGru(h);
    else StepLstm(h, c);
  }

  void StepRnn(double* h) {
    for (int64_t i = 0; i < hidden; ++i) h[i] = Apply(0, from_x[i] + from_h[i]);
  }

  void StepGru(double* h) {
    const int64_t n = hidden;
    std::vector<double> z(n), reset(n);
    for (int64_t i = 0; i < n; ++i) {
      z[i] = Apply(0, from_x[i] + from_h[i]);
      reset[i] = Apply(0, from_x[n + i] + from_h[n + i]);
    }
    if (linear_before_reset) {
      for (int64_t i = 0; i < n; ++i) from_h[2 * n + i] *= reset[i];
    } else {
      for (int64_t i = 0; i < n; ++i) reset[i] *= h[i];
      Affine(r, reset.data(), bias + 3 * n, 2 * n, 3 * n, n, from_h.data());
    }
    for (int64_t i = 0; i < n; ++i) h[i] = (1 - z[i]) * Apply(1, from_x[2 * n + i] + from_h[2 * n + i]) + z[i] * h[i];
  }

  void StepLstm(double* h, double* c) {
    const int64_t n = hidden;
    const auto gate = [&](int64_t g, int64_t i) { return from_x[g * n + i] + from_h[g * n + i]; };
    for (int64_t i = 0; i < n; ++i) {
      const double in = Apply(0, gate(0, i) + peephole[i] * c[i]);
      const double forget = input_forget ? 1 - in : Apply(0, gate(2, i) + peephole[2 * n + i] * c[i]);
      c[i] = forget * c[i] + in * Apply(1, gate(3, i));
      h[i] = Apply(0, gate(1, i) + peephole[n + i] * c[i]) * act[2].fn(c[i], act[2].alpha, act[2].beta);
    }
  }
};

// Input `i`, or `elements` zeros.
std::vector<double> ReadOr0(const EvalContext& ctx, int i, int64_t elements) {
  return ctx.has_input(i) ? ReadReals(ctx.input(i)) : std::vector<double>(elements, 0.0);
}

absl::Status EvalRecurrent(const EvalContext& ctx, Cell cell) {
  OMKIT_ASSIGN_OR_RETURN(const int directions, DirectionsOf(ctx.attrs));
  OMKIT_ASSIGN_OR_RETURN(const std::vector<Activation> functions, ReadActivations(ctx.attrs, cell, directions));
  const bool batch_first = ctx.attrs.Int("layout", 0) == 1;
  const Shape& shape = ctx.input(0).shape();
  const int64_t time = shape.dim(batch_first ? 1 : 0), batch = shape.dim(batch_first ? 0 : 1), input = shape.dim(2);
  const int64_t hidden = ctx.input(2).shape().dim(2);
  const int64_t gates = GatesOf(cell) * hidden;
  const int64_t states = directions * batch * hidden;
  const std::vector<double> x = ReadReals(ctx.input(0)), w = ReadReals(ctx.input(1)), r = ReadReals(ctx.input(2));
  const std::vector<double> bias = ReadOr0(ctx, 3, directions * 2 * gates), peephole = ReadOr0(ctx, 7, directions * 3 * hidden);
  std::vector<double> h = ReadOr0(ctx, 5, states), c = ReadOr0(ctx, 6, states);
  std::vector<int64_t> lengths(batch, time);
  if (ctx.has_input(4)) lengths = ReadIntegers(ctx.input(4));
  for (int64_t length : lengths) {
    if (length < 0 || length > time) return absl::InvalidArgumentError(absl::StrCat("sequence length ", length, " is outside [0, ", time, "]"));
  }
  std::vector<double> y(time * states, 0.0);
  for (int d = 0; d < directions; ++d) {
    Direction step{cell,
                   input,
                   hidden,
                   w.data() + d * gates * input,
                   r.data() + d * gates * hidden,
                   bias.data() + d * 2 * gates,
                   peephole.data() + d * 3 * hidden,
                   functions.data() + d * (functions.size() / directions),
                   ctx.attrs.Float("clip", 0.0f),
                   ctx.attrs.Int("linear_before_reset", 0) != 0,
                   ctx.attrs.Int("input_forget", 0) != 0,
                   std::vector<double>(gates),
                   std::vector<double>(gates)};
    const bool reverse = d == 1 || ctx.attrs.String("direction", "forward") == "reverse";
    for (int64_t b = 0; b < batch; ++b) {
      const int64_t state = (batch_first ? b * directions + d : d * batch + b) * hidden;
      for (int64_t n = 0; n < lengths[b]; ++n) {
        const int64_t t = reverse ? lengths[b] - 1 - n : n;
        step.Step(x.data() + (batch_first ? b * time + t : t * batch + b) * input, h.data() + state, c.data() + state);
        const int64_t row = batch_first ? (b * time + t) * directions + d : (t * directions + d) * batch + b;
        std::copy_n(h.data() + state, hidden, y.data() + row * hidden);
      }
    }
  }
  WriteReals(y, &ctx.output(0));
  if (ctx.num_outputs() > 1) WriteReals(h, &ctx.output(1));
  if (ctx.num_outputs() > 2) WriteReals(c, &ctx.output(2));
  return absl::OkStatus();
}

}  // namespace

absl::Status InferRNN(InferContext& ctx) { return InferRecurrent(ctx, Cell::kRnn); }
absl::Status EvalRNN(const EvalContext& ctx) { return EvalRecurrent(ctx, Cell::kRnn); }
absl::Status InferGRU(InferContext& ctx) { return InferRecurrent(ctx, Cell::kGru); }
absl::Status EvalGRU(const EvalContext& ctx) { return EvalRecurrent(ctx, Cell::kGru); }
absl::Status InferLSTM(InferContext& ctx) { return InferRecurrent(ctx, Cell::kLstm); }
absl::Status EvalLSTM(const EvalContext& ctx) { return EvalRecurrent(ctx, Cell::kLstm); }

}  // namespace omkit::ir
