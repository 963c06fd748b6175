// Writes ONNX networks layer by layer with made weights: the ground under nets.h. Floor 5.
//
// Shapes are exact, weights are not trained: normal with He's variance (He et al. 2015, 2 / fan_in; the last convolution of a residual
// branch gets less, so that activations keep their size), with a spread of scales between output channels as trained networks have.
// Batch normalization is folded, as exporters for inference do: every convolution has a bias.
#ifndef OMKIT_TOOLS_BENCH_GENERATORS_NET_BUILDER_H_
#define OMKIT_TOOLS_BENCH_GENERATORS_NET_BUILDER_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "onnx/onnx-ml.pb.h"

namespace omkit::bench {

// One activation, NCHW.
struct Activation {
  std::string name;
  int64_t channels = 0, height = 0, width = 0;
};

// A sequence of vectors, [batch, count, width].
struct Tokens {
  std::string name;
  int64_t count = 0, width = 0;
};

enum class Nonlinearity { kNone, kRelu, kRelu6, kSilu };

struct ConvSpec {
  int64_t out_channels = 0;
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t pad = -1;  // on all sides; -1: kernel / 2
  int64_t groups = 1;
  Nonlinearity then = Nonlinearity::kNone;
  double variance = 0;     // of a weight times fan_in; 0: 2 before a nonlinearity, else 1
  bool batch_norm = true;  // the bias stems from a folded batch normalization
};

class NetBuilder {
 public:
  // Weights depend on `seed` alone, on every machine.
  NetBuilder(const std::string& name, uint64_t seed);

  // float32 [batch, 3, size, size], called "input".
  Activation Input(int64_t batch, int64_t size);
  Activation Conv(const Activation& x, const ConvSpec& spec);
  Activation Relu(const Activation& x);
  Activation Add(const Activation& a, const Activation& b);
  Activation Silu(const Activation& x);
  Activation MaxPool(const Activation& x, int64_t kernel, int64_t stride, int64_t pad, bool ceil_mode);
  Activation Concat(const std::vector<Activation>& parts);
  // The two halves of the channels.
  std::pair<Activation, Activation> Halve(const Activation& x);
  // Twice the height and width, nearest neighbour.
  Activation Upsample(const Activation& x);
  // Ends the network in "logits" [batch, classes]: global average, then a fully connected layer unless the channels are the classes.
  void Classify(const Activation& x, int64_t classes);
  // Ends the network in "boxes" [batch, channels, all pixels]: the maps side by side.
  void Detect(const std::vector<Activation>& maps);

  // float32 [batch, count, width], called "input".
  Tokens InputTokens(int64_t batch, int64_t count, int64_t width);
  // MatMul and Add of a bias, as exporters write a linear layer on sequences.
  Tokens Linear(const Tokens& x, int64_t width, double variance = 1);
  // x * 0.5 * (1 + erf(x / sqrt 2)), decomposed as exporters write it.
  Tokens Gelu(const Tokens& x);
  Tokens LayerNorm(const Tokens& x);
  Tokens Add(const Tokens& a, const Tokens& b);
  // Scaled dot-product attention of `heads` heads, decomposed into MatMul, Div, Softmax, MatMul and the moves around them.
  Tokens Attention(const Tokens& q, const Tokens& k, const Tokens& v, int64_t heads);
  // Ends the network in "hidden" [batch, count, width].
  void Encode(const Tokens& x);

  const onnx::ModelProto& model() const { return model_; }
  // Multiply-adds of convolutions, fully connected layers and matrix products for one image or sequence.
  int64_t multiply_adds() const { return multiply_adds_; }
  int64_t parameters() const { return parameters_; }
  // The parameters that are biases of convolutions with batch normalization in the original.
  int64_t conv_biases() const { return conv_biases_; }

 private:
  onnx::NodeProto* Node(const std::string& op, const std::vector<std::string>& inputs);
  std::string Constant(const std::string& name, const std::vector<int64_t>& dims, const std::vector<float>& values);
  std::string Constant(const std::string& name, const std::vector<int64_t>& values);
  std::string Scalar(const std::string& name, float value) { return Constant(name, {}, {value}); }
  // Ends the network in a value of that name.
  void Output(const std::string& value, const std::string& name, const std::vector<int64_t>& dims);
  std::string Weights(const std::string& name, const std::vector<int64_t>& dims, double variance);
  std::string Biases(const std::string& name, int64_t count, double deviation);
  double Normal();

  onnx::ModelProto model_;
  uint64_t random_;
  int64_t batch_ = 1;
  int64_t multiply_adds_ = 0, parameters_ = 0, conv_biases_ = 0;
};

}  // namespace omkit::bench

#endif  // OMKIT_TOOLS_BENCH_GENERATORS_NET_BUILDER_H_
