#include "backends/kernels/conv_u8/reference.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/checked.h"
#include "base/quant.h"

namespace omkit::kernels {
namespace {

int64_t Choose(Random& random, int64_t fixed, int64_t min, int64_t max) { return fixed ? fixed : Pick(random, min, max); }

void ChooseShape(Random& random, const ConvChoice& choice, ConvCase* c, int64_t* in_elements, int64_t* out_elements, int64_t* residual_elements) {
  ConvU8Params& p = c->params;
  const int64_t n = Choose(random, choice.batch, 1, 2), h = Choose(random, choice.height, 1, 11), w = Choose(random, choice.width, 1, 19);
  const int64_t kernel = Choose(random, choice.kernel, 1, 5);
  p.kernel_h = static_cast<int32_t>(kernel);
  p.kernel_w = static_cast<int32_t>(choice.kernel ? kernel : Pick(random, 1, 5));
  p.stride_h = static_cast<int32_t>(Choose(random, choice.stride, 1, 3));
  p.stride_w = choice.stride ? p.stride_h : static_cast<int32_t>(Pick(random, 1, 3));
  p.dilation_h = choice.dense || Pick(random, 0, 3) ? 1 : 2;
  p.dilation_w = choice.dense || Pick(random, 0, 3) ? 1 : 2;
  p.pad_top = choice.dense ? (p.kernel_h - 1) / 2 : static_cast<int32_t>(Pick(random, 0, p.kernel_h - 1));
  p.pad_left = choice.dense ? (p.kernel_w - 1) / 2 : static_cast<int32_t>(Pick(random, 0, p.kernel_w - 1));
  const int64_t reach_h = (p.kernel_h - 1) * p.dilation_h, reach_w = (p.kernel_w - 1) * p.dilation_w;
  int64_t pad_bottom = choice.dense ? p.kernel_h - 1 - p.pad_top : Pick(random, 0, p.kernel_h - 1);
  int64_t pad_right = choice.dense ? p.kernel_w - 1 - p.pad_left : Pick(random, 0, p.kernel_w - 1);
  if (h + p.pad_top + pad_bottom <= reach_h) pad_bottom = reach_h + 1 - h - p.pad_top;
  if (w + p.pad_left + pad_right <= reach_w) pad_right = reach_w + 1 - w - p.pad_left;
  const int64_t oh = (h + p.pad_top + pad_bottom - reach_h - 1) / p.stride_h + 1, ow = (w + p.pad_left + pad_right - reach_w - 1) / p.stride_w + 1;
  int64_t groups = choice.groups ? choice.groups : Pick(random, 0, 3) ? 1 : Pick(random, 2, 4);
  int64_t ic = Choose(random, choice.in_channels, 1, choice.depthwise ? 130 : 40) * (choice.depthwise ? 1 : groups);
  int64_t oc = Choose(random, choice.out_channels, 1, Pick(random, 0, 1) ? 130 : 20) * groups;
  if (choice.depthwise) groups = oc = ic;
  p.groups = static_cast<int32_t>(groups);
  const int64_t gap = choice.dense ? 0 : Pick(random, 0, 1) * Pick(random, 1, 70);
  const int64_t to_four = RoundUp(ic + gap, 4) - ic;
  p.in = ImageView(n, h, w, ic, to_four, p.pad_top, pad_bottom, p.pad_left, pad_right, choice.dense ? 0 : Pick(random, 0, 5), 1, in_elements);
  p.out = ImageView(n, oh, ow, oc, choice.dense ? 0 : Pick(random, 0, 1) * Pick(random, 1, 9), 0, 0, 0, 0, choice.dense ? 0 : Pick(random, 0, 9),
                    p.float_output ? 4 : 1, out_elements);
  p.residual = ImageView(n, oh, ow, oc, choice.dense ? 0 : Pick(random, 0, 1) * Pick(random, 1, 9), 0, 0, 0, 0, 0, 1, residual_elements);
}

}  // namespace

ConvCase RandomConvCase(Random& random, const ConvChoice& choice) {
  ConvCase c;
  ConvU8Params& p = c.params;
  p = {};
  p.float_output = !choice.dense && Pick(random, 0, 4) == 0;
  p.has_residual = !choice.dense && Pick(random, 0, 2) == 0;
  int64_t in_elements, out_elements, residual_elements;
  ChooseShape(random, choice, &c, &in_elements, &out_elements, &residual_elements);
  p.out_zero = static_cast<int32_t>(Pick(random, 0, 255));
  p.clamp_min = choice.dense || Pick(random, 0, 1) ? 0 : static_cast<int32_t>(Pick(random, 0, 255));
  p.clamp_max = choice.dense || Pick(random, 0, 1) ? 255 : static_cast<int32_t>(Pick(random, p.clamp_min, 255));
  p.residual_zero = static_cast<int32_t>(Pick(random, 0, 255));
  p.residual_multiplier = static_cast<float>(Pick(random, 1, 1000)) / 700.0f;
  p.act_min = Pick(random, 0, 1) ? -std::numeric_limits<float>::infinity() : 0.0f;
  p.act_max = Pick(random, 0, 1) ? std::numeric_limits<float>::infinity() : 6.0f;
  const int64_t ic = p.in.dims[3] / p.groups, oc = p.out.dims[3], taps = p.kernel_h * p.kernel_w;
  c.input = RandomBytes(random, in_elements);
  c.weights.resize(oc * ic * taps);
  for (int8_t& w : c.weights) w = static_cast<int8_t>(Pick(random, -127, 127));
  if (Pick(random, 0, 3) == 0) {
    for (uint8_t& x : c.input) x = Pick(random, 0, 15) ? 255 : 0;
    for (int8_t& w : c.weights) w = Pick(random, 0, 15) ? -127 : 127;
  }
  c.bias.assign(oc, 0);
  c.multiplier.assign(oc, 0.0f);
  for (int64_t i = 0; i < oc; ++i) {
    c.bias[i] = static_cast<int32_t>(Pick(random, -20000, 20000));
    c.multiplier[i] = static_cast<float>(Pick(random, 50, 1500)) * 2e-5f / std::sqrt(static_cast<float>(ic * taps));
    // Multiples of a power of two make exact halves common.
    if (Pick(random, 0, 7) == 0) c.multiplier[i] = 1.0f / 128;
    // An output that was nearly constant in calibration has a tiny scale: products leave the integers, results saturate.
    if (Pick(random, 0, 15) == 0) c.multiplier[i] = 3e6f;
  }
  c.output = RandomBytes(random, out_elements * (p.float_output ? 4 : 1));
  c.residual = RandomBytes(random, residual_elements);
  return c;
}

void MakeLeast(Random& random, Isa isa, ConvCase* c) {
  const bool all = Pick(random, 0, 3) == 0;
  for (int8_t& w : c->weights) w = all || Pick(random, 0, 3) == 0 ? static_cast<int8_t>(LeastWeight(isa)) : w;
  if (all) std::fill(c->input.begin(), c->input.end(), uint8_t{255});
}

void MakeWide(Random& random, ConvCase* c) {
  const auto count = static_cast<int64_t>(c->weights.size()), of_channel = count / c->params.out.dims[3];
  const int64_t largest = Pick(random, 0, 3) ? 254 : Pick(random, 128, 2000);
  c->wide.assign(c->weights.begin(), c->weights.end());
  const auto widen = [&](int64_t i) { c->wide[i] = static_cast<int16_t>(Pick(random, -largest, largest)); };
  const int64_t how = Pick(random, 0, 3), channel = Pick(random, 0, c->params.out.dims[3] - 1);
  if (how == 0) {
    for (int64_t i = 0; i < count; ++i) widen(i);
  } else if (how == 1) {
    for (int64_t i = channel * of_channel; i < (channel + 1) * of_channel; ++i) widen(i);
  } else {
    for (int64_t left = Pick(random, 1, 5); left > 0; --left) widen(Pick(random, 0, count - 1));
  }
  c->wide[Pick(random, 0, count - 1)] = static_cast<int16_t>(Pick(random, 0, 1) ? -128 : largest);
  c->weights = SplitWeights(c->wide.data(), count)[0];
}

std::vector<uint8_t> ReferenceConv(const ConvCase& c) {
  const ConvU8Params& p = c.params;
  std::vector<uint8_t> out = c.output;
  const int64_t ic = p.in.dims[3] / p.groups, oc = p.out.dims[3], per_group = oc / p.groups;
  for (int64_t n = 0; n < p.out.dims[0]; ++n) {
    for (int64_t y = 0; y < p.out.dims[1]; ++y) {
      for (int64_t x = 0; x < p.out.dims[2]; ++x) {
        for (int64_t o = 0; o < oc; ++o) {
          int32_t acc = c.bias[o];
          for (int64_t i = 0; i < ic; ++i) {
            for (int64_t ky = 0; ky < p.kernel_h; ++ky) {
              for (int64_t kx = 0; kx < p.kernel_w; ++kx) {
                const int64_t iy = y * p.stride_h + ky * p.dilation_h - p.pad_top, ix = x * p.stride_w + kx * p.dilation_w - p.pad_left;
                const int64_t at = ((o * ic + i) * p.kernel_h + ky) * p.kernel_w + kx;
                acc += c.input[At(p.in, n, iy, ix, o / per_group * ic + i)] * (c.wide.empty() ? c.weights[at] : c.wide[at]);
              }
            }
          }
          const int32_t residual = p.has_residual ? c.residual[At(p.residual, n, y, x, o)] - p.residual_zero : 0;
          const int64_t at = At(p.out, n, y, x, o);
          if (p.float_output) {
            float v = static_cast<float>(acc) * c.multiplier[o];
            if (p.has_residual) v = v + static_cast<float>(residual) * p.residual_multiplier;
            v = v < p.act_min ? p.act_min : v;
            v = v > p.act_max ? p.act_max : v;
            std::memcpy(&out[at * 4], &v, 4);
          } else if (p.has_residual) {
            out[at] =
                static_cast<uint8_t>(RequantizeAdd(acc, c.multiplier[o], residual, p.residual_multiplier, p.out_zero, p.clamp_min, p.clamp_max));
          } else {
            out[at] = static_cast<uint8_t>(Requantize(acc, c.multiplier[o], p.out_zero, p.clamp_min, p.clamp_max));
          }
          if (p.has_table) out[at] = c.table[out[at]];
        }
      }
    }
  }
  return out;
}

void AddOperands(const ConvCase& c, const std::vector<uint8_t>& packed, StepRunner* runner, const std::vector<uint8_t>& remainders) {
  runner->Add(runtime::Space::kArena, c.input);
  runner->Add(runtime::Space::kWeights, packed);
  runner->Add(runtime::Space::kWeights, c.bias);
  runner->Add(runtime::Space::kWeights, c.multiplier);
  runner->Add(runtime::Space::kArena, c.output);
  if (c.params.has_residual) runner->Add(runtime::Space::kArena, c.residual);
  if (c.params.has_table) runner->Add(runtime::Space::kWeights, c.table);
  if (!remainders.empty()) runner->Add(runtime::Space::kWeights, remainders);
}

}  // namespace omkit::kernels
