// Walks output pixels in tiles of one row (rows are merged where strides allow) and channels in panels of 16. A chunk of tiles
// whose input stays in the second-level cache meets all panels before the next chunk starts.
#include "backends/kernels/conv_f32/conv_f32.h"
#include "backends/kernels/conv_f32/pixels.h"
#include "backends/kernels/dot_tile.h"
#include "backends/kernels/tier.h"

namespace omkit::kernels {
namespace {

constexpr int64_t kChunkBytes = 192 << 10;

// `Weight` is float, or int8_t with a scale for each output channel.
template <typename Weight>
class Conv {
 public:
  Conv(const ConvF32Params& p, const KernelArgs& args)
      : p_(p), pixels_(MergedPixels(p)), per_row_((pixels_.dims[2] + kTilePixels - 1) / kTilePixels) {
    in_ = static_cast<const float*>(args.operands[0]) + p.in.offset - p.pad_top * p.in.strides[1] - p.pad_left * p.in.strides[2];
    weights_ = static_cast<const Weight*>(args.operands[1]);
    bias_ = static_cast<const float*>(args.operands[2]);
    out_ = static_cast<float*>(args.operands[3]) + p.out.offset;
    scales_ = kScaled ? static_cast<const float*>(args.operands[4]) : nullptr;
    residual_ = p.has_residual ? static_cast<const float*>(args.operands[kScaled ? 5 : 4]) + p.residual.offset : nullptr;
    ic_ = p.in.dims[3] / p.groups;
    oc_ = p.out.dims[3] / p.groups;
    panels_ = (oc_ + kWidth - 1) / kWidth;
    d_.pixel_stride = pixels_.in[2];
    d_.taps_y = p.kernel_h;
    d_.step_y = p.dilation_h * p.in.strides[1];
    d_.taps_x = p.kernel_w;
    d_.step_x = p.dilation_w * p.in.strides[2];
    d_.depth = ic_;
    if (d_.step_x == ic_) {  // taps of a row follow each other in memory
      d_.taps_x = 1;
      d_.depth = ic_ * p.kernel_w;
    }
    d_.panel_stride = ic_ * p.kernel_h * p.kernel_w * kWidth;
    d_.scales = nullptr;
    d_.residual_stride = pixels_.residual[2];
    d_.out_stride = pixels_.out[2];
    d_.scale = 1.0f;
    d_.act_min = p.act_min;
    d_.act_max = p.act_max;
  }

  void Run(int thread, int threads) {
    const int64_t tiles = pixels_.dims[0] * pixels_.dims[1] * per_row_;
    const int64_t blocks = (panels_ + kTilePanels - 1) / kTilePanels;
    Part tile_part{0, tiles}, block_part{0, p_.groups * blocks};
    if (tiles >= 8 * threads || tiles >= block_part.end) tile_part = SplitWork(tiles, 1, thread, threads);
    else block_part = SplitWork(block_part.end, 1, thread, threads);
    const int64_t tile_bytes = kTilePixels * d_.pixel_stride * static_cast<int64_t>(sizeof(float));
    int64_t chunk = kChunkBytes / (tile_bytes > 0 ? tile_bytes : 1);
    if (chunk < 4) chunk = 4;
    for (int64_t t = tile_part.begin; t < tile_part.end; t += chunk) {
      const int64_t end = t + chunk < tile_part.end ? t + chunk : tile_part.end;
      for (int64_t b = block_part.begin; b < block_part.end; ++b) RunBlock(b / blocks, b % blocks * kTilePanels, t, end);
    }
  }

 private:
  static constexpr bool kScaled = sizeof(Weight) == 1;

  void RunBlock(int64_t group, int64_t panel, int64_t begin, int64_t end) {
    const int64_t channel = group * oc_ + panel * kWidth;
    const int64_t rest = oc_ - panel * kWidth;
    const int panels = rest > kWidth && kTilePanels > 1 ? kTilePanels : 1;
    d_.lanes = static_cast<int>(rest < panels * kWidth ? rest : panels * kWidth);
    d_.weights = weights_ + (group * panels_ + panel) * d_.panel_stride;
    d_.bias = bias_ + channel;
    if (kScaled) d_.scales = scales_ + channel;
    for (int64_t t = begin; t < end; ++t) {
      const int64_t row = t / per_row_, part = t % per_row_;
      const int64_t n = row / pixels_.dims[1], y = row % pixels_.dims[1];
      const int64_t x = pixels_.dims[2] * part / per_row_, stop = pixels_.dims[2] * (part + 1) / per_row_;
      d_.in = in_ + n * pixels_.in[0] + y * pixels_.in[1] + x * pixels_.in[2] + group * ic_;
      d_.out = out_ + n * pixels_.out[0] + y * pixels_.out[1] + x * pixels_.out[2] + channel;
      d_.residual = residual_ ? residual_ + n * pixels_.residual[0] + y * pixels_.residual[1] + x * pixels_.residual[2] + channel : nullptr;
      RunDotTile(d_, static_cast<int>(stop - x), panels);
    }
  }

  const ConvF32Params& p_;
  Pixels pixels_;
  int64_t per_row_;  // tiles of a row, all but equally wide
  const float *in_, *bias_, *scales_, *residual_;
  const Weight* weights_;
  float* out_;
  int64_t ic_, oc_, panels_;
  DotArgs<Weight> d_;
};

template <typename Weight>
void RunConv(const KernelArgs& args) {
  ConvF32Params p;
  LoadParams(args, &p);
  if (p.out.dims[0] == 0 || p.out.dims[1] == 0 || p.out.dims[2] == 0 || p.out.dims[3] == 0) return;
  Conv<Weight>(p, args).Run(args.thread, args.threads);
}

}  // namespace

namespace OMKIT_TIER_NAMESPACE {

void ConvF32(const KernelArgs& args) { RunConv<float>(args); }
void ConvF32W8(const KernelArgs& args) { RunConv<int8_t>(args); }

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
