// The products of all x come first, a block of steps against each pair of weight panels; then step after step the products of h and the
// gates. Steps depend on each other and are short, so one thread does them all.
#include "backends/kernels/lanes_f32.h"
#include "backends/kernels/math_f32.h"
#include "backends/kernels/recurrent_f32/recurrent_f32.h"
#include "backends/kernels/tier.h"

namespace omkit::kernels {
namespace {

// out[r][n] = start[n] + sum over k of x[r][k] * w[k][n], for kRows rows and kPanels panels of 16 columns.
template <int kRows, int kPanels>
OMKIT_INLINE void Tile(const float* x, int64_t x_stride, int64_t depth, const float* w, int64_t w_stride, const float* start, float* out,
                       int64_t out_stride) {
  F32 sum[kRows][kPanels];
  for (int r = 0; r < kRows; ++r) {
    for (int j = 0; j < kPanels; ++j) sum[r][j] = start == nullptr ? Set(0.0f) : Load(start + j * kWidth);
  }
  for (int64_t k = 0; k < depth; ++k) {
    F32 panel[kPanels];
    for (int j = 0; j < kPanels; ++j) panel[j] = Load(w + k * w_stride + j * kWidth);
    for (int r = 0; r < kRows; ++r) {
      const F32 factor = Set(x[r * x_stride + k]);
      for (int j = 0; j < kPanels; ++j) sum[r][j] = Fma(factor, panel[j], sum[r][j]);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int j = 0; j < kPanels; ++j) Store(out + r * out_stride + j * kWidth, sum[r][j]);
  }
}

template <int kPanels>
OMKIT_INLINE void Rows(const float* x, int64_t x_stride, int64_t rows, int64_t depth, const float* w, int64_t w_stride, const float* start,
                       float* out, int64_t out_stride) {
  int64_t r = 0;
  for (; r + 4 <= rows; r += 4) Tile<4, kPanels>(x + r * x_stride, x_stride, depth, w, w_stride, start, out + r * out_stride, out_stride);
  for (; r < rows; ++r) Tile<1, kPanels>(x + r * x_stride, x_stride, depth, w, w_stride, start, out + r * out_stride, out_stride);
}

// Any number of rows; columns in multiples of 16. One row takes wide tiles, which hide the latency of the additions.
void Product(const float* x, int64_t x_stride, int64_t rows, int64_t depth, const float* w, int64_t w_stride, const float* start, float* out,
             int64_t out_stride, int64_t columns) {
  int64_t n = 0;
  const auto at = [&](int64_t column) { return start == nullptr ? nullptr : start + column; };
  for (; rows < 4 && n + 8 * kWidth <= columns; n += 8 * kWidth) Rows<8>(x, x_stride, rows, depth, w + n, w_stride, at(n), out + n, out_stride);
  for (; n + 2 * kWidth <= columns; n += 2 * kWidth) Rows<2>(x, x_stride, rows, depth, w + n, w_stride, at(n), out + n, out_stride);
  for (; n < columns; n += kWidth) Rows<1>(x, x_stride, rows, depth, w + n, w_stride, at(n), out + n, out_stride);
}

// One direction: where its constants and states lie.
struct Direction {
  RecurrentF32Params p;
  int64_t padded, row;
  const float *w, *r, *bias, *bias_h;
  float *from_x, *from_h, *h, *c, *reset;
};

// Rows of h and c are `padded` long; lanes behind `hidden` stay 0 because their weights are.
void StepLstm(const Direction& d, const float* x, int64_t b) {
  const float* g = d.from_h + b * d.row;
  float *h = d.h + b * d.padded, *c = d.c + b * d.padded;
  for (int64_t i = 0; i < d.padded; i += kWidth) {
    const auto gate = [&](int64_t k) { return Load(x + k * d.padded + i) + Load(g + k * d.padded + i); };
    const F32 in = Sigmoid(gate(0)), out = Sigmoid(gate(1)), forget = Sigmoid(gate(2)), fresh = Tanh(gate(3));
    const F32 cell = Fma(forget, Load(c + i), in * fresh);
    Store(c + i, cell);
    Store(h + i, out * Tanh(cell));
  }
}

void StepRnn(const Direction& d, const float* x, int64_t b) {
  const float* g = d.from_h + b * d.row;
  float* h = d.h + b * d.padded;
  for (int64_t i = 0; i < d.padded; i += kWidth) Store(h + i, Tanh(Load(x + i) + Load(g + i)));
}

// z, r and the candidate; without linear_before_reset the candidate's product waits for r.
void GruReset(const Direction& d, const float* x, int64_t b) {
  const float *g = d.from_h + b * d.row, *h = d.h + b * d.padded;
  float* reset = d.reset + b * d.padded;
  for (int64_t i = 0; i < d.padded; i += kWidth) {
    const F32 r = Sigmoid(Load(x + d.padded + i) + Load(g + d.padded + i));
    Store(reset + i, d.p.linear_before_reset ? r : r * Load(h + i));
  }
}

void GruUpdate(const Direction& d, const float* x, int64_t b) {
  const float *g = d.from_h + b * d.row, *reset = d.reset + b * d.padded;
  float* h = d.h + b * d.padded;
  for (int64_t i = 0; i < d.padded; i += kWidth) {
    const F32 z = Sigmoid(Load(x + i) + Load(g + i));
    const F32 from_h = Load(g + 2 * d.padded + i);
    const F32 sum = d.p.linear_before_reset ? Fma(Load(reset + i), from_h, Load(x + 2 * d.padded + i)) : Load(x + 2 * d.padded + i) + from_h;
    const F32 fresh = Tanh(sum);
    Store(h + i, Fma(z, Load(h + i) - fresh, fresh));
  }
}

void Step(const Direction& d, const float* x) {
  const RecurrentF32Params& p = d.p;
  const int64_t gru_first = p.cell == RecurrentCell::kGru && !p.linear_before_reset ? 2 * d.padded : d.row;
  Product(d.h, d.padded, p.batch, p.hidden, d.r, d.row, p.linear_before_reset ? d.bias_h : nullptr, d.from_h, d.row, gru_first);
  for (int64_t b = 0; b < p.batch; ++b) {
    const float* from_x = x + b * d.row;
    if (p.cell == RecurrentCell::kLstm) StepLstm(d, from_x, b);
    else if (p.cell == RecurrentCell::kRnn) StepRnn(d, from_x, b);
    else GruReset(d, from_x, b);
  }
  if (p.cell != RecurrentCell::kGru) return;
  if (!p.linear_before_reset) {
    Product(d.reset, d.padded, p.batch, p.hidden, d.r + 2 * d.padded, d.row, nullptr, d.from_h + 2 * d.padded, d.row, d.padded);
  }
  for (int64_t b = 0; b < p.batch; ++b) GruUpdate(d, x + b * d.row, b);
}

void LoadState(const float* from, int64_t batch, int64_t hidden, int64_t padded, float* to) {
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t i = 0; i < padded; ++i) to[b * padded + i] = i < hidden ? from[b * hidden + i] : 0.0f;
  }
}

void StoreState(const float* from, int64_t batch, int64_t hidden, int64_t padded, float* to) {
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t i = 0; i < hidden; ++i) to[b * hidden + i] = from[b * padded + i];
  }
}

}  // namespace

namespace OMKIT_TIER_NAMESPACE {

void RecurrentF32(const KernelArgs& args) {
  if (args.thread != 0) return;
  RecurrentF32Params p;
  LoadParams(args, &p);
  Direction d = {};
  d.p = p;
  d.padded = (p.hidden + kWidth - 1) / kWidth * kWidth;
  d.row = RecurrentGates(p.cell) * d.padded;
  d.from_x = static_cast<float*>(args.scratch);
  d.from_h = d.from_x + p.time * p.batch * d.row;
  d.h = d.from_h + p.batch * d.row;
  d.c = d.h + p.batch * d.padded;
  d.reset = d.c + p.batch * d.padded;
  const int64_t state = p.batch * p.hidden;
  const auto operand = [&](int i) { return static_cast<float*>(args.operands[i]); };
  for (int64_t k = 0; k < p.directions; ++k) {
    d.w = operand(1) + k * p.input * d.row;
    d.r = operand(2) + k * p.hidden * d.row;
    d.bias = operand(3) + k * d.row;
    d.bias_h = operand(4) + k * d.row;
    Product(operand(0), p.input, p.time * p.batch, p.input, d.w, d.row, d.bias, d.from_x, d.row, d.row);
    LoadState(operand(5) + k * state, p.batch, p.hidden, d.padded, d.h);
    if (p.cell == RecurrentCell::kLstm) LoadState(operand(6) + k * state, p.batch, p.hidden, d.padded, d.c);
    const bool backwards = k == 1 || p.reverse != 0;
    for (int64_t n = 0; n < p.time; ++n) {
      const int64_t t = backwards ? p.time - 1 - n : n;
      Step(d, d.from_x + t * p.batch * d.row);
      if (p.outputs & 1) StoreState(d.h, p.batch, p.hidden, d.padded, operand(7) + (t * p.directions + k) * state);
    }
    if (p.outputs & 2) StoreState(d.h, p.batch, p.hidden, d.padded, operand(8) + k * state);
    if (p.outputs & 4) StoreState(d.c, p.batch, p.hidden, d.padded, operand(9) + k * state);
  }
}

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
