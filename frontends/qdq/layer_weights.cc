#include "frontends/qdq/layer_weights.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/status.h"

namespace omkit::frontends::qdq {
namespace {

bool Is8Bit(const Tensor& t) { return (t.dtype() == DType::kInt8 || t.dtype() == DType::kUInt8) && t.type().quantized(); }

// One channel of weights in the making.
struct Channel {
  std::vector<int16_t> values;
  double scale;
};

Channel Rescale(absl::Span<const int16_t> values, double factor, double scale) {
  Channel channel{std::vector<int16_t>(values.size()), scale * factor};
  for (size_t i = 0; i < values.size(); ++i) {
    channel.values[i] = static_cast<int16_t>(std::clamp(std::nearbyint(values[i] / factor), -127.0, 127.0));
  }
  return channel;
}

// Sum of squared differences to the given weights, in units of their step.
double SquaredError(absl::Span<const int16_t> values, const Channel& channel, double factor) {
  double sum = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const double d = values[i] - channel.values[i] * factor;
    sum += d * d;
  }
  return sum;
}

double RelativeError(absl::Span<const int16_t> values, double squared_error) {
  double energy = 0;
  for (int16_t v : values) energy += static_cast<double>(v) * v;
  return energy == 0 ? 0 : std::sqrt(squared_error / energy);
}

// Sums that the kernels form must stay inside int32: acc = sum(x * w) + (bias - zero * sum(w)).
bool FitsAccumulator(const Channel& channel, double bias, const QuantParams& x) {
  int64_t sum = 0, magnitude = 0;
  for (int16_t v : channel.values) {
    sum += v;
    magnitude += std::abs(v);
  }
  const double folded = std::abs(bias / (static_cast<double>(x.scale[0]) * channel.scale)) + std::abs(static_cast<double>(x.zero_point[0] * sum));
  return folded + 255.0 * static_cast<double>(magnitude) < std::numeric_limits<int32_t>::max() - 1.0;
}

bool IsWide(absl::Span<const int16_t> values) {
  return std::any_of(values.begin(), values.end(), [](int16_t v) { return v > 127 || v < -128; });
}

// int16 where some weight needs it.
absl::StatusOr<Tensor> Stored(const Shape& shape, const std::vector<Channel>& channels) {
  const bool wide = std::any_of(channels.begin(), channels.end(), [](const Channel& c) { return IsWide(c.values); });
  TensorType type{wide ? DType::kInt16 : DType::kInt8, shape, {}, Layout::kPlain};
  type.quant.axis = 0;
  type.quant.zero_point.assign(channels.size(), 0);
  for (const Channel& channel : channels) type.quant.scale.push_back(static_cast<float>(channel.scale));
  OMKIT_ASSIGN_OR_RETURN(Tensor weights, Tensor::Allocate(type));
  int64_t i = 0;
  for (const Channel& channel : channels) {
    for (const int16_t v : channel.values) {
      if (wide) weights.mutable_data<int16_t>()[i++] = v;
      else weights.mutable_data<int8_t>()[i++] = static_cast<int8_t>(v);
    }
  }
  return weights;
}

}  // namespace

std::optional<LayerWeights> ConvWeights(const Tensor& weights) {
  const QuantParams& q = weights.type().quant;
  if (!Is8Bit(weights) || weights.shape().rank() < 2 || weights.elements() == 0 || (!q.per_tensor() && q.axis != 0)) return std::nullopt;
  LayerWeights layer;
  layer.shape = weights.shape();
  const int64_t channels = layer.shape.dim(0);
  const int64_t count = weights.elements() / channels;
  layer.values.resize(weights.elements());
  for (int64_t c = 0; c < channels; ++c) {
    const size_t s = q.per_tensor() ? 0 : static_cast<size_t>(c);
    layer.scale.push_back(q.scale[s]);
    for (int64_t i = c * count; i < (c + 1) * count; ++i) layer.values[i] = static_cast<int16_t>(IntegerAt(weights, i) - q.zero_point[s]);
  }
  return layer;
}

std::optional<LayerWeights> MatrixWeights(const Tensor& weights, bool transposed) {
  if (!Is8Bit(weights) || weights.shape().rank() != 2) return std::nullopt;
  if (transposed) return ConvWeights(weights);
  const int64_t k = weights.shape().dim(0);
  const int64_t n = weights.shape().dim(1);
  TensorType type = weights.type();
  type.shape = Shape{n, k};
  if (type.quant.axis >= 0) {
    if (type.quant.axis != 1) return std::nullopt;
    type.quant.axis = 0;
  }
  auto turned = Tensor::Allocate(type);
  if (!turned.ok()) return std::nullopt;
  const auto* from = static_cast<const uint8_t*>(weights.raw());
  auto* to = static_cast<uint8_t*>(turned->mutable_raw());
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < k; ++j) to[i * k + j] = from[j * n + i];
  }
  return ConvWeights(*turned);
}

absl::StatusOr<QuantizedLayer> MakeQuantizedLayer(const LayerWeights& layer, const QuantParams& x, WeightFit* fit) {
  const int64_t channels = layer.channels();
  const int64_t count = layer.per_channel();
  QuantizedLayer result;
  std::vector<Channel> made;
  if (!layer.bias.empty()) {
    OMKIT_ASSIGN_OR_RETURN(result.bias, Tensor::Allocate(DType::kInt32, Shape{channels}));
  }
  for (int64_t c = 0; c < channels; ++c) {
    std::vector<int16_t> values(layer.values.begin() + c * count, layer.values.begin() + (c + 1) * count);
    const double bias = layer.bias.empty() ? 0.0 : layer.bias[c];
    double scale = layer.scale[c];
    if (!std::isfinite(scale) || !std::isfinite(bias))
      return absl::InvalidArgumentError(absl::StrCat("output channel ", c, " has a scale or bias that is not finite"));
    if (scale < 0) {
      for (int16_t& v : values) v = static_cast<int16_t>(-v);
      scale = -scale;
    }
    if (scale < std::numeric_limits<float>::min()) {
      // Only the bias is left: a step of a millionth of it.
      std::fill(values.begin(), values.end(), int16_t{0});
      scale = std::max(std::abs(bias) * 0x1p-20 / x.scale[0], 1e-30);
    }
    double error = 0;
    bool rescaled = false;
    Channel channel = {values, scale};
    for (double factor = 2; !FitsAccumulator(channel, bias, x); factor *= 2) {
      if (factor > 1e30)
        return absl::ResourceExhaustedError(absl::StrCat("output channel ", c, " sums ", count, " products, which may overflow int32"));
      channel = Rescale(values, factor, scale);
      error = SquaredError(values, channel, factor);
      rescaled = true;
    }
    if (IsWide(channel.values)) ++fit->wide_channels;
    if (rescaled) {
      ++fit->rescaled_channels;
      fit->worst_error = std::max(fit->worst_error, RelativeError(values, error));
    }
    const auto stored = static_cast<float>(channel.scale);
    if (!layer.bias.empty()) {
      result.bias.mutable_data<int32_t>()[c] = static_cast<int32_t>(std::nearbyint(bias / (static_cast<double>(x.scale[0]) * stored)));
    }
    made.push_back(std::move(channel));
  }
  OMKIT_ASSIGN_OR_RETURN(result.weights, Stored(layer.shape, made));
  return result;
}

}  // namespace omkit::frontends::qdq
