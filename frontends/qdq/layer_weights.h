// The numbers of one convolution or dense layer while quantization is absorbed: integer weights around zero with one scale per output
// channel, and a real bias. Per-channel arithmetic behind the layer only changes scales and bias. Floor 3, private to frontends/qdq.
#ifndef OMKIT_FRONTENDS_QDQ_LAYER_WEIGHTS_H_
#define OMKIT_FRONTENDS_QDQ_LAYER_WEIGHTS_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "base/tensor.h"

namespace omkit::frontends::qdq {

struct LayerWeights {
  Shape shape;                  // [output channels, ...]
  std::vector<int16_t> values;  // q - zero point: -255 to 255
  std::vector<double> scale;    // per output channel; any sign, 0 when a factor was 0
  std::vector<double> bias;     // real, per output channel; empty when there is none

  int64_t channels() const { return shape.dim(0); }
  int64_t per_channel() const { return channels() == 0 ? 0 : static_cast<int64_t>(values.size()) / channels(); }
};

// What happened to the weights.
struct WeightFit {
  int64_t wide_channels = 0;      // with weights outside [-127, 127], kept
  int64_t rescaled_channels = 0;  // whose sums would not stay inside int32
  double worst_error = 0;         // largest relative error (root of the sum of squares) of such a channel
};

// Weights of a convolution as they are, or of a matrix product from [K, N] (transposed: [N, K]). Empty when the constant is not 8-bit or
// its scales do not run along the output channels.
std::optional<LayerWeights> ConvWeights(const Tensor& weights);
std::optional<LayerWeights> MatrixWeights(const Tensor& weights, bool transposed);

struct QuantizedLayer {
  Tensor weights;  // int8 in [-127, 127], or int16 where some channels need it; zero point 0, scales along axis 0
  Tensor bias;     // int32 with scale x_scale * scale[c]; undefined when there is none
};

// Weights keep their integers, also those beyond int8: backends multiply what is left of them once more. Only a channel whose accumulator could
// leave int32, because of a long sum or a large bias, gets a larger scale; RESOURCE_EXHAUSTED when none helps.
absl::StatusOr<QuantizedLayer> MakeQuantizedLayer(const LayerWeights& layer, const QuantParams& x, WeightFit* fit);

}  // namespace omkit::frontends::qdq

#endif  // OMKIT_FRONTENDS_QDQ_LAYER_WEIGHTS_H_
