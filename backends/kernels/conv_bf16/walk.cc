// Packs the input of a chunk of output pixels once for each group of channels; then tiles of the chunk meet all panels of weights.
#include <cmath>
#include <limits>

#include "backends/kernels/conv_bf16/plan.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace omkit::kernels {
namespace {

constexpr int64_t kPanel = 16;

// While it lives, MXCSR makes multiply-adds find denormal operands and results to be zeros (FTZ and DAZ), and round to nearest.
class ZeroDenormals {
 public:
#if defined(__x86_64__)
  explicit ZeroDenormals(bool wanted) : wanted_(wanted), before_(_mm_getcsr()) {
    if (wanted_) _mm_setcsr(0x9FC0);
  }
  ~ZeroDenormals() {
    if (wanted_) _mm_setcsr(before_);
  }

 private:
  bool wanted_;
  unsigned before_;
#else
  explicit ZeroDenormals(bool /*wanted*/) {}
#endif
};

float FlushedBound(float x) { return std::fabs(x) < std::numeric_limits<float>::min() ? 0.0f : x; }

class Walk {
 public:
  Walk(const ConvBf16Code& code, const ConvBf16Plan& plan, const ConvF32Params& p, const KernelArgs& args)
      : code_(code), unit_(plan.unit), pixels_(plan.pixels), chunk_rows_(plan.chunk_rows), p_(p), packed_(static_cast<Cell*>(args.scratch)) {
    in_ = static_cast<const float*>(args.operands[0]) + p.in.offset - p.pad_top * p.in.strides[1] - p.pad_left * p.in.strides[2];
    weights_ = static_cast<const uint32_t*>(args.operands[1]);
    bias_ = static_cast<const float*>(args.operands[2]);
    out_ = static_cast<float*>(args.operands[3]) + p.out.offset;
    residual_ = p.has_residual ? static_cast<const float*>(args.operands[4]) + p.residual.offset : nullptr;
    ic_ = p.in.dims[3] / p.groups;
    oc_ = p.out.dims[3] / p.groups;
    panels_ = (oc_ + kPanel - 1) / kPanel;
    blocks_ = (panels_ + code.tile_panels - 1) / code.tile_panels;
    per_row_ = (pixels_.dims[2] + code.tile_pixels - 1) / code.tile_pixels;
    // Pieces of a row have equal numbers of tiles, but for the last one.
    const int64_t most = plan.chunk_columns >= pixels_.dims[2] ? per_row_ : plan.chunk_columns / code.tile_pixels;
    const int64_t pieces = (per_row_ + most - 1) / most;
    per_piece_ = (per_row_ + pieces - 1) / pieces;
    pieces_ = (per_row_ + per_piece_ - 1) / per_piece_;
    cells_ = unit_.pairs * code.cells_of_pair;
    d_.pixel_stride = (unit_.joined ? 1 : p.stride_w) * cells_;
    d_.taps_y = p.kernel_h;
    d_.taps_x = unit_.joined ? 1 : p.kernel_w;
    d_.step_x = p.dilation_w * cells_;
    d_.pairs = unit_.pairs;
    d_.panel_stride = d_.taps_y * d_.taps_x * unit_.pairs * kPanel;
    if (p.dilation_w == 1) {  // taps of a row follow each other in scratch
      d_.pairs *= d_.taps_x;
      d_.taps_x = 1;
    }
    d_.residual_stride = pixels_.residual[2];
    d_.out_stride = pixels_.out[2];
    d_.act_min = FlushedBound(p.act_min);
    d_.act_max = FlushedBound(p.act_max);
  }

  void Run(int thread, int threads) {
    const int64_t tiles = pixels_.dims[0] * pieces_ * pixels_.dims[1] * per_piece_;
    Part part{0, tiles};
    block_part_ = {0, p_.groups * blocks_};
    if (tiles >= 8 * threads || tiles >= block_part_.end) part = SplitWork(tiles, 1, thread, threads);
    else block_part_ = SplitWork(block_part_.end, 1, thread, threads);
    for (int64_t t = part.begin; t < part.end;) t += RunChunk(t, part.end - t);
  }

 private:
  // The first column of a tile: even, so that one tile of a row at most has an odd number of pixels.
  int64_t Column(int64_t tile) const {
    const int64_t width = pixels_.dims[2], column = 2 * ((width + 1) / 2 * tile / per_row_);
    return column < width ? column : width;
  }

  // Tiles are numbered [image][piece][row][tile of the piece]. Runs those of one chunk, from number `t` on and `most` at most; gives their number.
  int64_t RunChunk(int64_t t, int64_t most) {
    const int64_t first = t % per_piece_, height = pixels_.dims[1];
    const int64_t y = t / per_piece_ % height, piece = t / per_piece_ / height % pieces_, n = t / per_piece_ / height / pieces_;
    const int64_t tiles = per_piece_ - first < most ? per_piece_ - first : most;
    int64_t rows = 1, done = tiles;
    if (first == 0 && most >= per_piece_) {
      rows = most / per_piece_ < chunk_rows_ ? most / per_piece_ : chunk_rows_;
      if (rows > height - y) rows = height - y;
      done = rows * per_piece_;
    }
    const int64_t begin = piece * per_piece_ + first, end = begin + tiles < per_row_ ? begin + tiles : per_row_;
    if (begin >= end) return done;
    for (int64_t b = block_part_.begin, packed = -1; b < block_part_.end; ++b) {
      const int64_t group = b / blocks_;
      if (group != packed) Pack(n, y, rows, Column(begin), Column(end), packed = group);
      RunBlock(n, y, rows, begin, end, group, b % blocks_ * code_.tile_panels);
    }
    return done;
  }

  // The input of output rows y to y + rows and columns x to stop.
  void Pack(int64_t n, int64_t y, int64_t rows, int64_t x, int64_t stop, int64_t group) {
    const bool flat = p_.kernel_h == 1, one_row = rows == 1;
    const int64_t packed_rows = flat || one_row ? rows * p_.kernel_h : (rows - 1) * p_.stride_h + (p_.kernel_h - 1) * int64_t{p_.dilation_h} + 1;
    const int64_t units = unit_.joined ? stop - x : (stop - x - 1) * p_.stride_w + (p_.kernel_w - 1) * int64_t{p_.dilation_w} + 1;
    const int64_t pitch = units * cells_, row_stride = p_.in.strides[1];
    const int64_t step = flat ? pixels_.in[1] : one_row ? p_.dilation_h * row_stride : row_stride;
    row_pitch_ = flat ? pitch : p_.stride_h * pitch;
    d_.step_y = one_row ? pitch : p_.dilation_h * pitch;
    UnitSource source;
    source.from = in_ + n * pixels_.in[0] + y * pixels_.in[1] + x * pixels_.in[2] + group * ic_;
    source.stride = unit_.joined ? pixels_.in[2] : p_.in.strides[2];
    source.taps = unit_.joined ? p_.kernel_w : 1;
    source.tap_stride = p_.dilation_w * p_.in.strides[2];
    source.channels = ic_;
    for (int64_t r = 0; r < packed_rows; ++r, source.from += step) code_.pack(source, units, unit_.pairs, packed_ + r * pitch);
  }

  void RunBlock(int64_t n, int64_t y, int64_t rows, int64_t begin, int64_t end, int64_t group, int64_t panel) {
    const int64_t channel = group * oc_ + panel * kPanel, rest = oc_ - panel * kPanel, most = code_.tile_panels * kPanel;
    const int64_t left = Column(begin);
    d_.lanes = static_cast<int>(rest < most ? rest : most);
    d_.weights = weights_ + (group * panels_ + panel) * d_.panel_stride;
    d_.bias = bias_ + channel;
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t out = n * pixels_.out[0] + (y + r) * pixels_.out[1] + channel;
      const int64_t residual = n * pixels_.residual[0] + (y + r) * pixels_.residual[1] + channel;
      for (int64_t tile = begin; tile < end; ++tile) {
        const int64_t x = Column(tile);
        d_.pixels = static_cast<int>(Column(tile + 1) - x);
        d_.in = packed_ + r * row_pitch_ + (x - left) * d_.pixel_stride;
        d_.out = out_ + out + x * pixels_.out[2];
        d_.residual = residual_ ? residual_ + residual + x * pixels_.residual[2] : nullptr;
        code_.tile(d_);
      }
    }
  }

  const ConvBf16Code& code_;
  const Unit& unit_;
  const Pixels& pixels_;
  int64_t chunk_rows_;
  const ConvF32Params& p_;
  const float *in_, *bias_, *residual_;
  const uint32_t* weights_;
  float* out_;
  Cell* packed_;
  int64_t ic_, oc_, panels_, blocks_, cells_;  // cells of a unit
  int64_t per_row_, per_piece_, pieces_;       // tiles of a row and of a piece, pieces of a row
  int64_t row_pitch_ = 0;                      // cells from the input of one output row to that of the next
  Part block_part_{0, 0};
  TileArgs d_;
};

}  // namespace

void RunConvBf16(const ConvBf16Code& code, const ConvBf16Plan& plan, const KernelArgs& args) {
  ConvF32Params p;
  LoadParams(args, &p);
  if (p.out.dims[0] == 0 || p.out.dims[1] == 0 || p.out.dims[2] == 0 || p.out.dims[3] == 0) return;
  const ZeroDenormals zeros(code.uses_mxcsr);
  Walk(code, plan, p, args).Run(args.thread, args.threads);
}

}  // namespace omkit::kernels
