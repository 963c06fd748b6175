// The networks that bench generates: true shapes, made weights, so that speed can be measured without trained models. Floor 5.
#ifndef OMKIT_TOOLS_BENCH_GENERATORS_NETS_H_
#define OMKIT_TOOLS_BENCH_GENERATORS_NETS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/bench/generators/net_builder.h"

namespace omkit::bench {

struct NetOptions {
  int64_t size = 0;   // height and width of the image, or tokens of the sequence, kLeastSize to kMostSize; 0: the network's usual size
  int64_t batch = 1;  // at least 1
  uint64_t seed = 7;
};
constexpr int64_t kLeastSize = 32;
constexpr int64_t kMostSize = 4096;

// "resnet18", "resnet50" (v1.5: the stride is in the 3x3), "mobilenet_v1", "mobilenet_v2", "squeezenet1_1" at 224x224 with 1000 classes;
// "yolov8n" at 640x640 with raw heads; "bert_base", "minilm_l6": encoders of 128 tokens behind the embeddings.
std::vector<std::string> NetNames();

// INVALID_ARGUMENT for an unknown name, with the nearest one, or options out of range.
absl::StatusOr<NetBuilder> MakeNet(const std::string& name, const NetOptions& options);

}  // namespace omkit::bench

#endif  // OMKIT_TOOLS_BENCH_GENERATORS_NETS_H_
