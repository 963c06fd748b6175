#include "tools/bench/generators/nets.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace omkit::bench {
namespace {

constexpr int64_t kClasses = 1000;
constexpr double kBranchEnd = 0.3;  // keeps the sum of a residual block in range
constexpr Nonlinearity kRelu = Nonlinearity::kRelu, kRelu6 = Nonlinearity::kRelu6, kNone = Nonlinearity::kNone;

// He et al., "Deep Residual Learning for Image Recognition", table 1.
void ResNet(NetBuilder& net, Activation x, const int (&blocks)[4], bool bottleneck) {
  x = net.MaxPool(net.Conv(x, {64, 7, 2, -1, 1, kRelu}), 3, 2, 1, false);
  for (int stage = 0; stage < 4; ++stage) {
    const int64_t width = int64_t{64} << stage, out = bottleneck ? 4 * width : width;
    for (int block = 0; block < blocks[stage]; ++block) {
      const int64_t stride = block == 0 && stage > 0 ? 2 : 1;
      Activation y;
      if (bottleneck) {
        y = net.Conv(x, {width, 1, 1, -1, 1, kRelu});
        y = net.Conv(y, {width, 3, stride, -1, 1, kRelu});
        y = net.Conv(y, {out, 1, 1, -1, 1, kNone, kBranchEnd});
      } else {
        y = net.Conv(x, {width, 3, stride, -1, 1, kRelu});
        y = net.Conv(y, {out, 3, 1, -1, 1, kNone, kBranchEnd});
      }
      if (stride != 1 || x.channels != out) x = net.Conv(x, {out, 1, stride});
      x = net.Relu(net.Add(y, x));
    }
  }
  net.Classify(x, kClasses);
}

void ResNet18(NetBuilder& net, const Activation& x) { ResNet(net, x, {2, 2, 2, 2}, false); }
void ResNet50(NetBuilder& net, const Activation& x) { ResNet(net, x, {3, 4, 6, 3}, true); }

// Howard et al., "MobileNets", table 1.
void MobileNetV1(NetBuilder& net, Activation x) {
  constexpr struct {
    int64_t out_channels, stride;
  } kBlocks[] = {{64, 1}, {128, 2}, {128, 1}, {256, 2}, {256, 1}, {512, 2}, {512, 1}, {512, 1}, {512, 1}, {512, 1}, {512, 1}, {1024, 2}, {1024, 1}};
  x = net.Conv(x, {32, 3, 2, -1, 1, kRelu});
  for (const auto& block : kBlocks) {
    x = net.Conv(x, {x.channels, 3, block.stride, -1, x.channels, kRelu});
    x = net.Conv(x, {block.out_channels, 1, 1, -1, 1, kRelu});
  }
  net.Classify(x, kClasses);
}

// Sandler et al., "MobileNetV2", table 2.
void MobileNetV2(NetBuilder& net, Activation x) {
  constexpr struct {
    int64_t expansion, out_channels, repeat, stride;
  } kStages[] = {{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
  x = net.Conv(x, {32, 3, 2, -1, 1, kRelu6});
  for (const auto& stage : kStages) {
    for (int64_t i = 0; i < stage.repeat; ++i) {
      const int64_t stride = i == 0 ? stage.stride : 1, expanded = x.channels * stage.expansion;
      Activation y = stage.expansion == 1 ? x : net.Conv(x, {expanded, 1, 1, -1, 1, kRelu6});
      y = net.Conv(y, {expanded, 3, stride, -1, expanded, kRelu6});
      y = net.Conv(y, {stage.out_channels, 1});
      x = stride == 1 && x.channels == stage.out_channels ? net.Add(x, y) : y;
    }
  }
  net.Classify(net.Conv(x, {1280, 1, 1, -1, 1, kRelu6}), kClasses);
}

// Iandola et al., "SqueezeNet", with the pooling and the first layer of version 1.1.
void SqueezeNet11(NetBuilder& net, Activation x) {
  constexpr struct {
    int64_t squeeze, expand;
    bool pool_after;
  } kFires[] = {{16, 64, false},  {16, 64, true},   {32, 128, false}, {32, 128, true},
                {48, 192, false}, {48, 192, false}, {64, 256, false}, {64, 256, false}};
  x = net.MaxPool(net.Conv(x, {64, 3, 2, 0, 1, kRelu}), 3, 2, 0, true);
  for (const auto& fire : kFires) {
    const Activation y = net.Conv(x, {fire.squeeze, 1, 1, -1, 1, kRelu});
    const Activation narrow = net.Conv(y, {fire.expand, 1, 1, -1, 1, kRelu});
    x = net.Concat(narrow, net.Conv(y, {fire.expand, 3, 1, -1, 1, kRelu}));
    if (fire.pool_after) x = net.MaxPool(x, 3, 2, 0, true);
  }
  net.Classify(net.Conv(x, {kClasses, 1, 1, -1, 1, kRelu}), kClasses);
}

constexpr struct {
  const char* name;
  void (*build)(NetBuilder& net, Activation input);
} kNets[] = {
    {"resnet18", [](NetBuilder& net, Activation x) { ResNet18(net, x); }},
    {"resnet50", [](NetBuilder& net, Activation x) { ResNet50(net, x); }},
    {"mobilenet_v1", MobileNetV1},
    {"mobilenet_v2", MobileNetV2},
    {"squeezenet1_1", SqueezeNet11},
};

}  // namespace

std::vector<std::string> NetNames() {
  std::vector<std::string> names;
  for (const auto& net : kNets) names.push_back(net.name);
  return names;
}

absl::StatusOr<NetBuilder> MakeNet(const std::string& name, const NetOptions& options) {
  if (options.size < kLeastSize || options.size > kMostSize) {
    return absl::InvalidArgumentError(absl::StrCat("size ", options.size, ": not from ", kLeastSize, " to ", kMostSize));
  }
  if (options.batch < 1) return absl::InvalidArgumentError(absl::StrCat("batch ", options.batch, ": not at least 1"));
  for (const auto& net : kNets) {
    if (name != net.name) continue;
    NetBuilder builder(name, options.seed);
    net.build(builder, builder.Input(options.batch, options.size));
    return builder;
  }
  const std::string nearest = NearestName(name, NetNames());
  return absl::InvalidArgumentError(
      absl::StrCat("unknown network '", name, "'", nearest.empty() ? "" : absl::StrCat(", did you mean '", nearest, "'?")));
}

}  // namespace omkit::bench
