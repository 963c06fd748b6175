// The compile pipeline: an imported graph becomes a program for one chip. Floor 4. The list of passes in compile.cc is the compiler's
// table of contents.
#ifndef OMKIT_BACKENDS_COMPILE_H_
#define OMKIT_BACKENDS_COMPILE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "backends/quantize_graph.h"
#include "backends/runtime_shapes.h"
#include "backends/tune.h"
#include "ir/graph.h"
#include "passes/bfloat16.h"
#include "passes/insert_aipp.h"
#include "runtime/shapes.h"

namespace omkit {

enum class QuantType {
  kNone = 0,  // every operator in the model's own precision
  kInt8 = 1,  // post-training quantization with calibration data
};

struct CompileOptions {
  std::string soc_version = "host";                          // a row or alias of runtime/soc.h
  std::map<std::string, std::vector<int64_t>> input_shapes;  // -1: chosen at run time, when `choice` is not fixed
  ShapeChoice choice;
  QuantType quant_type = QuantType::kNone;
  QuantizeOptions quantize;  // with kInt8: samples or a recipe, and how
  // What AIPP does in front of the inputs, asked once input shapes are bound; may be empty. Calibration samples are what the network sees
  // behind it.
  std::function<absl::StatusOr<std::vector<passes::AippInput>>(const ir::Graph&)> aipp;
  // Layers that stay float and are to compute on bfloat16; `supported` is filled in. Also those that `quantize` leaves in float.
  passes::BFloat16Policy bfloat16;
  TuneOptions tune;                                      // fixed shapes only
  std::string command_line;                              // recorded in the manifest
  std::string source_hash;                               // of the model file, recorded in the manifest
  std::string dump_dir;                                  // when set: the graph after each pass
  std::function<void(const ir::Graph&)> on_final_graph;  // sees the graph before the last rewrites of the backend; may be empty
};

// Runs the pipeline. Errors name the stage, the node and the tensor. Deterministic: equal graphs, options and samples give equal
// programs.
absl::StatusOr<runtime::ShapedProgram> Compile(std::unique_ptr<ir::Graph> graph, const CompileOptions& options);

// The passes that every compilation starts with, up to the fused float graph.
absl::Status PrepareGraph(const CompileOptions& options, ir::Graph& graph);

}  // namespace omkit

#endif  // OMKIT_BACKENDS_COMPILE_H_
