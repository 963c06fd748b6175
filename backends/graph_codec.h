// A graph as bytes and back: what an offline model holds when its plans are made at run time. Floor 4, under bind.
#ifndef OMKIT_BACKENDS_GRAPH_CODEC_H_
#define OMKIT_BACKENDS_GRAPH_CODEC_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "backends/weight_pool.h"
#include "ir/graph.h"

namespace omkit {

// Constants go into `weights`. Equal graphs give equal bytes.
absl::StatusOr<std::string> EncodeGraph(const ir::Graph& graph, WeightPool* weights);

// Reads bytes that may be hostile. Constants are views into `weights`, which must outlive the graph and be 64-byte aligned. INVALID_ARGUMENT when
// the bytes are no graph or the graph breaks a rule of ir/verify.
absl::StatusOr<std::unique_ptr<ir::Graph>> DecodeGraph(absl::string_view bytes, const uint8_t* weights, uint64_t weights_size);

}  // namespace omkit

#endif  // OMKIT_BACKENDS_GRAPH_CODEC_H_
