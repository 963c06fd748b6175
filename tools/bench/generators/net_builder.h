// Writes ONNX networks layer by layer with made weights: the ground under nets.h. Floor 5.
//
// Shapes are exact, weights are not trained: normal with He's variance (He et al. 2015, 2 / fan_in; the last convolution of a residual
// branch gets less, so that activations keep their size), with a spread of scales between output channels as trained networks have.
// Batch normalization is folded, as exporters for inference do: every convolution has a bias.
#ifndef OMKIT_TOOLS_BENCH_GENERATORS_NET_BUILDER_H_
#define OMKIT_TOOLS_BENCH_GENERATORS_NET_BUILDER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "onnx/onnx-ml.pb.h"

namespace omkit::bench {

// One activation, NCHW.
struct Activation {
  std::string name;
  int64_t channels = 0, height = 0, width = 0;
};

enum class Nonlinearity { kNone, kRelu, kRelu6 };

struct ConvSpec {
  int64_t out_channels = 0;
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t pad = -1;  // on all sides; -1: kernel / 2
  int64_t groups = 1;
  Nonlinearity then = Nonlinearity::kNone;
  double variance = 0;  // of a weight times fan_in; 0: 2 before a nonlinearity, else 1
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
  Activation MaxPool(const Activation& x, int64_t kernel, int64_t stride, int64_t pad, bool ceil_mode);
  Activation Concat(const Activation& a, const Activation& b);
  // Ends the network in "logits" [batch, classes]: global average, then a fully connected layer unless the channels are the classes.
  void Classify(const Activation& x, int64_t classes);

  const onnx::ModelProto& model() const { return model_; }
  // Multiply-adds of convolutions and fully connected layers for one image.
  int64_t multiply_adds() const { return multiply_adds_; }
  int64_t parameters() const { return parameters_; }
  // The parameters that are biases of convolutions: as many as there are channels of batch normalization in the original.
  int64_t conv_biases() const { return conv_biases_; }

 private:
  onnx::NodeProto* Node(const std::string& op, const std::vector<std::string>& inputs);
  std::string Constant(const std::string& name, const std::vector<int64_t>& dims, const std::vector<float>& values);
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
