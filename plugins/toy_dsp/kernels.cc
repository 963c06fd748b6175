// The run side of the toy DSP: three kernels.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <initializer_list>

#include "plugins/toy_dsp/chip.h"

namespace toy_dsp {
namespace {

// ---- Checks of data that may come from a hostile file ----

template <typename Params>
bool Read(const OmkitStep* step, Params* params) {
  if (step->params_size != sizeof(Params)) return false;
  std::memcpy(params, step->params, sizeof(Params));
  return true;
}

// The product of the factors when each is in [1, limit] and it stays below 2^40, else -1.
int64_t Product(std::initializer_list<int64_t> factors) {
  constexpr int64_t kMost = int64_t{1} << 40;
  int64_t product = 1;
  for (int64_t factor : factors) {
    if (factor < 1 || factor > kMost || product > kMost / factor) return -1;
    product *= factor;
  }
  return product;
}

int32_t CheckBytes(const OmkitStep* step, uint32_t operand, const char* what, int64_t bytes, OmkitError* error) {
  if (operand >= step->operand_count) return Fail(error, OMKIT_INVALID, "%u operands, %s is missing", step->operand_count, what);
  if (bytes >= 0 && step->operands[operand].size >= static_cast<uint64_t>(bytes)) return OMKIT_OK;
  return Fail(error, OMKIT_INVALID, "%s has %llu bytes, %lld are needed", what, static_cast<unsigned long long>(step->operands[operand].size),
              static_cast<long long>(bytes));
}

struct Part {
  int64_t begin, end;
};
Part PartOf(const OmkitRun* run, int64_t count) { return {count * run->thread / run->threads, count * (run->thread + 1) / run->threads}; }

int32_t ExponentOf(const void* image) {
  int32_t exponent;
  std::memcpy(&exponent, image, sizeof exponent);
  // An image is written by load before it is read; clamping keeps ldexp's argument sane whatever a file holds.
  return std::min(std::max(exponent, -400), 400);
}
const int16_t* MantissasOf(const void* image) { return reinterpret_cast<const int16_t*>(static_cast<const char*>(image) + kImageHeader); }

float FloatAt(const void* data, int64_t i) {  // buffers of callers may be unaligned
  float value;
  std::memcpy(&value, static_cast<const char*>(data) + i * 4, sizeof value);
  return value;
}
void StoreFloat(void* data, int64_t i, float value) { std::memcpy(static_cast<char*>(data) + i * 4, &value, sizeof value); }

float Clamp(double value, float low, float high) {
  const auto v = static_cast<float>(value);
  return v < low ? low : v > high ? high : v;
}

// ---- load: float to image ----

int32_t VerifyLoad(const OmkitStep* step, OmkitError* error) {
  LoadParams p;
  if (!Read(step, &p)) return Fail(error, OMKIT_INVALID, "%llu parameter bytes", static_cast<unsigned long long>(step->params_size));
  const int64_t count = Product({p.count});
  if (count < 0) return Fail(error, OMKIT_INVALID, "%lld elements", static_cast<long long>(p.count));
  const int32_t image = CheckBytes(step, 0, "the image", kImageHeader + count * 2, error);
  return image != OMKIT_OK ? image : CheckBytes(step, 1, "the tensor", count * 4, error);
}

int32_t RunLoad(const OmkitStep* step, const OmkitRun* run, OmkitError* error) {
  const auto& p = *static_cast<const LoadParams*>(step->params);
  const void* const in = run->operands[1];
  // Each thread finds the exponent for itself: no thread may wait for another inside a step.
  float largest = 0, poison = 0;
  for (int64_t i = 0; i < p.count; ++i) {
    const float v = FloatAt(in, i);
    largest = std::max(largest, std::fabs(v));
    poison += v - v;  // not 0 for NaN and infinity
  }
  if (poison != 0) return Fail(error, OMKIT_FAILED, "the tensor holds NaN or infinity, which 16-bit integers cannot");
  const int32_t exponent = ExponentFor(largest);
  if (run->thread == 0) std::memcpy(run->operands[0], &exponent, sizeof exponent);
  const float inverse_unit = std::ldexp(1.0f, -exponent);
  auto* const out = reinterpret_cast<int16_t*>(static_cast<char*>(run->operands[0]) + kImageHeader);
  const Part part = PartOf(run, p.count);
  for (int64_t i = part.begin; i < part.end; ++i) out[i] = ToMantissa(FloatAt(in, i), inverse_unit);
  return OMKIT_OK;
}

// ---- conv: Conv and Dense ----

int32_t VerifyConv(const OmkitStep* step, OmkitError* error) {
  ConvParams p;
  if (!Read(step, &p)) return Fail(error, OMKIT_INVALID, "%llu parameter bytes", static_cast<unsigned long long>(step->params_size));
  constexpr int64_t kMostStep = 1 << 16;
  for (int64_t value : {p.kernel_height, p.kernel_width, p.stride_height, p.stride_width, p.dilation_height, p.dilation_width, p.group}) {
    if (value < 1 || value > kMostStep)
      return Fail(error, OMKIT_INVALID, "a kernel, stride, dilation or group of %lld", static_cast<long long>(value));
  }
  const int64_t in = Product({p.batch, p.in_channels, p.in_height, p.in_width});
  const int64_t out = Product({p.batch, p.out_channels, p.out_height, p.out_width});
  const int64_t weights = Product({p.out_channels + kLanes * p.group, p.in_channels, p.kernel_height + 1, p.kernel_width + 1});
  const bool pads = p.pad_top >= 0 && p.pad_top <= kMostStep && p.pad_left >= 0 && p.pad_left <= kMostStep;
  if (in < 0 || out < 0 || weights < 0 || !pads) return Fail(error, OMKIT_INVALID, "the tensors' sizes are out of range");
  if (p.in_channels % p.group != 0 || p.out_channels % p.group != 0)
    return Fail(error, OMKIT_INVALID, "%lld channels in %lld groups", static_cast<long long>(p.in_channels), static_cast<long long>(p.group));
  const struct {
    const char* what;
    int64_t bytes;
  } operands[] = {{"the result", out * 4},           {"the image", kImageHeader + in * 2}, {"the weights", PackedSize(p) * 2},
                  {"exponents", p.out_channels * 4}, {"the bias", p.out_channels * 4},     {"the residual", out * 4}};
  for (uint32_t i = 0; i < (p.has_residual != 0 ? 6u : 5u); ++i) {
    const int32_t code = CheckBytes(step, i, operands[i].what, operands[i].bytes, error);
    if (code != OMKIT_OK) return code;
  }
  return OMKIT_OK;
}

// One patch of the image: what the kernel sees from one place.
int64_t ConvScratch(const OmkitStep* step) {
  ConvParams p;
  return Read(step, &p) ? ReductionOf(p) * 2 : -1;
}

void GatherPatch(const ConvParams& p, const int16_t* image, int64_t oh, int64_t ow, int16_t* patch) {
  for (int64_t c = 0; c < p.in_channels / p.group; ++c) {
    for (int64_t kh = 0; kh < p.kernel_height; ++kh) {
      const int64_t ih = oh * p.stride_height - p.pad_top + kh * p.dilation_height;
      for (int64_t kw = 0; kw < p.kernel_width; ++kw) {
        const int64_t iw = ow * p.stride_width - p.pad_left + kw * p.dilation_width;
        const bool inside = ih >= 0 && ih < p.in_height && iw >= 0 && iw < p.in_width;
        *patch++ = inside ? image[(c * p.in_height + ih) * p.in_width + iw] : int16_t{0};
      }
    }
  }
}

// The chip's inner loop: four output channels, two products per step.
void MultiplyAccumulate(const int16_t* weights, const int16_t* patch, int64_t reduction, int64_t* acc) {
  for (int64_t k = 0; k < reduction; k += kPair) {
    for (int m = 0; m < kLanes; ++m) {
      const int16_t* w = weights + (k / kPair * kLanes + m) * kPair;
      // Each product fits 32 bits; two of the most negative mantissas, which only a hostile file holds, do not.
      acc[m] += int64_t{w[0] * patch[k]} + w[1] * patch[k + 1];
    }
  }
}

int32_t RunConv(const OmkitStep* step, const OmkitRun* run, OmkitError*) {
  const auto& p = *static_cast<const ConvParams*>(step->params);
  const int64_t reduction = ReductionOf(p), in_group = p.in_channels / p.group, out_group = p.out_channels / p.group;
  const int64_t blocks = RoundUp(out_group, kLanes) / kLanes;
  const int32_t x_exponent = ExponentOf(run->operands[1]);
  const auto* weights = static_cast<const int16_t*>(run->operands[2]);
  const auto* exponents = static_cast<const int32_t*>(run->operands[3]);
  const auto* bias = static_cast<const float*>(run->operands[4]);
  auto* const patch = static_cast<int16_t*>(run->scratch);
  patch[reduction - 1] = 0;
  const Part rows = PartOf(run, p.batch * p.out_height);
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    const int64_t n = row / p.out_height, oh = row % p.out_height;
    for (int64_t g = 0; g < p.group; ++g) {
      const int16_t* image = MantissasOf(run->operands[1]) + (n * p.in_channels + g * in_group) * p.in_height * p.in_width;
      for (int64_t ow = 0; ow < p.out_width; ++ow) {
        GatherPatch(p, image, oh, ow, patch);
        for (int64_t b = 0; b < blocks; ++b) {
          int64_t acc[kLanes] = {};
          MultiplyAccumulate(weights + (g * blocks + b) * kLanes * reduction, patch, reduction, acc);
          for (int64_t m = 0; m < std::min<int64_t>(kLanes, out_group - b * kLanes); ++m) {
            const int64_t channel = g * out_group + b * kLanes + m;
            const int64_t at = ((n * p.out_channels + channel) * p.out_height + oh) * p.out_width + ow;
            double v = std::ldexp(static_cast<double>(acc[m]), x_exponent + std::min(std::max(exponents[channel], -400), 400)) + bias[channel];
            if (p.has_residual != 0) v += FloatAt(run->operands[5], at);
            StoreFloat(run->operands[0], at, Clamp(v, p.act_min, p.act_max));
          }
        }
      }
    }
  }
  return OMKIT_OK;
}

// ---- add ----

int32_t VerifyAdd(const OmkitStep* step, OmkitError* error) {
  AddParams p;
  if (!Read(step, &p)) return Fail(error, OMKIT_INVALID, "%llu parameter bytes", static_cast<unsigned long long>(step->params_size));
  if (Product({p.count}) < 0 || Product({p.b_count}) < 0 || Product({p.inner}) < 0)
    return Fail(error, OMKIT_INVALID, "the tensors' sizes are out of range");
  const int32_t out = CheckBytes(step, 0, "the result", p.count * 4, error);
  if (out != OMKIT_OK) return out;
  const int32_t a = CheckBytes(step, 1, "image a", kImageHeader + p.count * 2, error);
  return a != OMKIT_OK ? a : CheckBytes(step, 2, "image b", kImageHeader + p.b_count * 2, error);
}

int32_t RunAdd(const OmkitStep* step, const OmkitRun* run, OmkitError*) {
  const auto& p = *static_cast<const AddParams*>(step->params);
  const double a_unit = std::ldexp(1.0, ExponentOf(run->operands[1])), b_unit = std::ldexp(1.0, ExponentOf(run->operands[2]));
  const int16_t* const a = MantissasOf(run->operands[1]);
  const int16_t* const b = MantissasOf(run->operands[2]);
  const Part part = PartOf(run, p.count);
  for (int64_t i = part.begin; i < part.end; ++i)
    StoreFloat(run->operands[0], i, Clamp(a[i] * a_unit + b[i / p.inner % p.b_count] * b_unit, p.act_min, p.act_max));
  return OMKIT_OK;
}

}  // namespace

const OmkitKernel kKernels[] = {
    {sizeof(OmkitKernel), kParamsVersion, kLoad, 1u << 0, 0, VerifyLoad, nullptr, nullptr, nullptr, RunLoad},
    {sizeof(OmkitKernel), kParamsVersion, kConv, 1u << 0, 0, VerifyConv, ConvScratch, nullptr, nullptr, RunConv},
    {sizeof(OmkitKernel), kParamsVersion, kAdd, 1u << 0, 0, VerifyAdd, nullptr, nullptr, nullptr, RunAdd},
};
const uint32_t kKernelCount = sizeof kKernels / sizeof *kKernels;

}  // namespace toy_dsp
