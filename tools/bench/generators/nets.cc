#include "tools/bench/generators/nets.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace omkit::bench {
namespace {

constexpr int64_t kClasses = 1000;
constexpr double kBranchEnd = 0.3;  // keeps the sum of a residual block in range
constexpr Nonlinearity kRelu = Nonlinearity::kRelu, kRelu6 = Nonlinearity::kRelu6, kSilu = Nonlinearity::kSilu, kNone = Nonlinearity::kNone;

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
    x = net.Concat({narrow, net.Conv(y, {fire.expand, 3, 1, -1, 1, kRelu})});
    if (fire.pool_after) x = net.MaxPool(x, 3, 2, 0, true);
  }
  net.Classify(net.Conv(x, {kClasses, 1, 1, -1, 1, kRelu}), kClasses);
}

// The nano size of YOLOv8 (Jocher et al., ultralytics/cfg/models/v8/yolov8.yaml), raw heads: decoding of boxes is left to the program.
Activation YoloConv(NetBuilder& net, const Activation& x, int64_t channels, int64_t kernel = 1, int64_t stride = 1) {
  return net.Conv(x, {channels, kernel, stride, -1, 1, kSilu});
}

// "C2f": a split of which one half passes through bottlenecks, and every intermediate result is kept.
Activation YoloBlock(NetBuilder& net, const Activation& x, int64_t channels, int bottlenecks, bool shortcut) {
  const auto halves = net.Halve(YoloConv(net, x, channels));
  std::vector<Activation> parts = {halves.first, halves.second};
  for (int i = 0; i < bottlenecks; ++i) {
    const Activation y = YoloConv(net, YoloConv(net, parts.back(), channels / 2, 3), channels / 2, 3);
    parts.push_back(shortcut ? net.Add(parts.back(), y) : y);
  }
  return YoloConv(net, net.Concat(parts), channels);
}

Activation YoloHead(NetBuilder& net, const Activation& x) {
  constexpr int64_t kBoxChannels = 64, kObjects = 80;
  const auto branch = [&](int64_t channels) {
    ConvSpec last = {channels};
    last.batch_norm = false;
    return net.Conv(YoloConv(net, YoloConv(net, x, channels, 3), channels, 3), last);
  };
  const Activation boxes = branch(kBoxChannels);
  return net.Concat({boxes, branch(kObjects)});
}

void YoloV8n(NetBuilder& net, Activation x) {
  x = YoloConv(net, YoloConv(net, x, 16, 3, 2), 32, 3, 2);
  x = YoloBlock(net, x, 32, 1, true);
  const Activation p3 = YoloBlock(net, YoloConv(net, x, 64, 3, 2), 64, 2, true);
  const Activation p4 = YoloBlock(net, YoloConv(net, p3, 128, 3, 2), 128, 2, true);
  x = YoloConv(net, YoloBlock(net, YoloConv(net, p4, 256, 3, 2), 256, 1, true), 128);
  std::vector<Activation> pooled = {x};
  for (int i = 0; i < 3; ++i) pooled.push_back(net.MaxPool(pooled.back(), 5, 1, 2, false));
  const Activation p5 = YoloConv(net, net.Concat(pooled), 256);
  const Activation h4 = YoloBlock(net, net.Concat({net.Upsample(p5), p4}), 128, 1, false);
  const Activation o3 = YoloBlock(net, net.Concat({net.Upsample(h4), p3}), 64, 1, false);
  const Activation o4 = YoloBlock(net, net.Concat({YoloConv(net, o3, 64, 3, 2), h4}), 128, 1, false);
  const Activation o5 = YoloBlock(net, net.Concat({YoloConv(net, o4, 128, 3, 2), p5}), 256, 1, false);
  const Activation near = YoloHead(net, o3), middle = YoloHead(net, o4);
  net.Detect({near, middle, YoloHead(net, o5)});
}

// The encoder of Devlin et al., "BERT", behind the embeddings.
void Bert(NetBuilder& net, Tokens x, int layers, int64_t heads) {
  for (int layer = 0; layer < layers; ++layer) {
    const Tokens q = net.Linear(x, x.width), k = net.Linear(x, x.width), v = net.Linear(x, x.width);
    x = net.LayerNorm(net.Add(x, net.Linear(net.Attention(q, k, v, heads), x.width)));
    x = net.LayerNorm(net.Add(x, net.Linear(net.Gelu(net.Linear(x, 4 * x.width)), x.width)));
  }
  net.Encode(x);
}

constexpr struct {
  const char* name;
  int64_t size;
  void (*build)(NetBuilder& net, int64_t batch, int64_t size);
} kNets[] = {
    {"resnet18", 224,
     [](NetBuilder& net, int64_t n, int64_t size) {
       ResNet(net, net.Input(n, size), {2, 2, 2, 2}, false);
     }},
    {"resnet50", 224,
     [](NetBuilder& net, int64_t n, int64_t size) {
       ResNet(net, net.Input(n, size), {3, 4, 6, 3}, true);
     }},
    {"mobilenet_v1", 224, [](NetBuilder& net, int64_t n, int64_t size) { MobileNetV1(net, net.Input(n, size)); }},
    {"mobilenet_v2", 224, [](NetBuilder& net, int64_t n, int64_t size) { MobileNetV2(net, net.Input(n, size)); }},
    {"squeezenet1_1", 224, [](NetBuilder& net, int64_t n, int64_t size) { SqueezeNet11(net, net.Input(n, size)); }},
    {"yolov8n", 640, [](NetBuilder& net, int64_t n, int64_t size) { YoloV8n(net, net.Input(n, size)); }},
    {"bert_base", 128, [](NetBuilder& net, int64_t n, int64_t size) { Bert(net, net.InputTokens(n, size, 768), 12, 12); }},
    {"minilm_l6", 128, [](NetBuilder& net, int64_t n, int64_t size) { Bert(net, net.InputTokens(n, size, 384), 6, 12); }},
};

}  // namespace

std::vector<std::string> NetNames() {
  std::vector<std::string> names;
  for (const auto& net : kNets) names.push_back(net.name);
  return names;
}

absl::StatusOr<NetBuilder> MakeNet(const std::string& name, const NetOptions& options) {
  if (options.size != 0 && (options.size < kLeastSize || options.size > kMostSize)) {
    return absl::InvalidArgumentError(absl::StrCat("size ", options.size, ": not from ", kLeastSize, " to ", kMostSize));
  }
  if (options.batch < 1) return absl::InvalidArgumentError(absl::StrCat("batch ", options.batch, ": not at least 1"));
  for (const auto& net : kNets) {
    if (name != net.name) continue;
    NetBuilder builder(name, options.seed);
    net.build(builder, options.batch, options.size == 0 ? net.size : options.size);
    return builder;
  }
  const std::string nearest = NearestName(name, NetNames());
  return absl::InvalidArgumentError(
      absl::StrCat("unknown network '", name, "'", nearest.empty() ? "" : absl::StrCat(", did you mean '", nearest, "'?")));
}

}  // namespace omkit::bench
