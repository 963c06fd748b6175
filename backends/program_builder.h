// Collects the steps and the memory of a program while backends lower nodes into it. Floor 4.
//
// Every value gets a Place: a block of memory and a view of it in ONNX dimension order. How elements lie in memory is the view's
// strides: row-major, channels-last with a halo, or a window into another value's block, so that reshapes, slices and most
// transposes cost nothing. Readers ask for the form they need (Plain, Image) and get a copy step only when the place differs.
#ifndef OMKIT_BACKENDS_PROGRAM_BUILDER_H_
#define OMKIT_BACKENDS_PROGRAM_BUILDER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/place.h"
#include "backends/variant.h"
#include "backends/weight_pool.h"
#include "base/cpu.h"
#include "ir/graph.h"
#include "runtime/program.h"

namespace omkit {

class ProgramBuilder {
 public:
  // The graph must have static shapes and outlive the builder. Weights go into `pool`, which several builders may share; without one, into
  // the program.
  ProgramBuilder(const ir::Graph& graph, Isa isa, WeightPool* pool = nullptr);

  const ir::Graph& graph() const { return graph_; }
  // Whose kernels the node that is being lowered shall use: the program's tier, or another one that its machine has too.
  Isa isa() const { return variant_.isa; }
  // Of the convolution that is being lowered: pixels per pass over its weights; 0: the kernel's own rule.
  int32_t chunk_pixels() const { return variant_.chunk_pixels; }
  // How the nodes that `variants` does not name shall run (default: on the program's tier), and those that it names.
  void SetVariants(const Variant& others, VariantOfNode variants) {
    variant_ = others_ = others;
    variants_ = std::move(variants);
  }
  const TensorType& type(ir::ValueId v) const { return graph_.value(v).type; }

  // True once the value has a place.
  bool Placed(ir::ValueId v) const { return places_.find(v) != places_.end(); }
  // Where a value lies. Constants are put into the weights, row-major, when first asked for.
  absl::StatusOr<Place> At(ir::ValueId v);
  // Row-major and dense.
  absl::StatusOr<Place> Plain(ir::ValueId v);
  // Plain and from the first byte of its block: for kernels that know no views.
  absl::StatusOr<Place> WholeBlock(ir::ValueId v);
  // Rank 4, channels contiguous, pixel stride a multiple of 4 bytes, with at least the halo `need`.
  absl::StatusOr<Place> Image(ir::ValueId v, const Halo& need);
  // Channels-last without space between pixels: what a convolution that ReadsRowRuns wants.
  absl::StatusOr<Place> RowRuns(ir::ValueId v, const Halo& need);
  // A matrix [rows, columns] of the value's last dimension, as an image of one row: row stride a multiple of 4 bytes.
  absl::StatusOr<Place> Rows(ir::ValueId v);

  // The same image form of a value that was just given a plain place, for writing: the row stride is the number of columns.
  absl::StatusOr<Place> RowsOf(ir::ValueId v);

  // Memory for a result. Plain results that are model outputs lie in the caller's buffer.
  Place NewPlain(ir::ValueId v);
  // Rank 4, channels-last, with the halo that the convolutions reading it need; adds the step that fills the halo.
  Place NewImage(ir::ValueId v);
  // The place of an image in the caller's buffer, row-major, when it goes nowhere but there: it is the model's output, or reshapes and
  // concatenations make one of it, whose results get their places, too. Images with channels apart only when the layer that makes this one
  // writes `planes`. Nothing when it goes elsewhere.
  std::optional<Place> PlaceInOutput(ir::ValueId v, bool planes);
  // The physical order of `model`: an image when that is one and the value has rank 4, else plain.
  Place NewLike(ir::ValueId v, const Place& model);
  // Declares that the value lies there: a new place, or a view into another value's.
  void Bind(ir::ValueId v, const Place& place) { places_[v] = place; }

  // Whether the backend that lowers the current node lowers this one, too: only then may one step do the work of both.
  bool BackendTakes(const ir::Node& node) const { return !backend_takes_ || backend_takes_(node); }
  void SetBackendTakes(std::function<bool(const ir::Node&)> backend_takes) { backend_takes_ = std::move(backend_takes); }

  // The node's work is in the steps of a node before it: LowerGraph passes it over.
  void Absorb(ir::NodeId node) { absorbed_.insert(node); }
  bool Absorbed(ir::NodeId node) const { return absorbed_.count(node) > 0; }

  // The layer that is being lowered writes this value of an absorbed node, for dumps and profiles.
  void Makes(ir::ValueId v) { made_.push_back(v); }

  // Working memory of `bytes` bytes between steps of one node.
  BlockId NewTemporary(uint64_t bytes) { return AddBlock(runtime::Space::kArena, 0, bytes); }
  bool IsPlaced(ir::ValueId v) const { return places_.count(v) > 0; }
  bool IsBlock(BlockId block) const { return block >= 0 && block < static_cast<BlockId>(blocks_.size()); }

  BlockId AddWeights(const void* data, size_t size);
  template <typename T>
  BlockId AddWeights(const std::vector<T>& values) {
    return AddWeights(values.data(), values.size() * sizeof(T));
  }

  template <typename Params>
  void AddStep(const ir::Node& node, std::string kernel, const Params& params, std::vector<BlockId> operands, int64_t operations = 0) {
    AddStepBytes(node.name, ir::OpName(node.op), std::move(kernel), runtime::ParamBytes(params), std::move(operands), operations);
  }
  void AddStepBytes(const std::string& node, const std::string& op, std::string kernel, std::string params, std::vector<BlockId> operands,
                    int64_t operations);

  // Steps of `node` follow.
  void BeginLayer(const ir::Node& node);
  // Declares that the steps added since the last call compute `node`, for dumps and profiles. Nothing when there are none.
  void EndLayer(const ir::Node& node);

  // Compiles the body of a control node to a program of its own, for the same chip. LowerGraph says how.
  using CompileBody = std::function<absl::StatusOr<runtime::Program>(const ir::Graph& body, Isa isa)>;
  void SetCompileBody(CompileBody compile_body) { compile_body_ = std::move(compile_body); }
  absl::StatusOr<runtime::Program> Nested(const ir::Graph& body) const { return compile_body_(body, isa_); }

  // Copies outputs that do not lie in the caller's buffers yet, plans the arena and returns the program's steps, memory and io.
  // Without a pool the program has its weights.
  absl::StatusOr<runtime::Program> Finish();

 private:
  struct Block {
    runtime::Space space;
    uint32_t index;
    uint64_t offset;
    uint64_t size;
    int first_step;  // -1: not used yet
    int last_step;
  };
  struct PendingStep {
    runtime::Step step;
    std::vector<BlockId> blocks;
  };

  struct PendingLayer {
    runtime::Layer layer;
    std::vector<ir::ValueId> inputs, outputs;
  };

  BlockId AddBlock(runtime::Space space, uint32_t index, uint64_t size);
  void AddLayers(runtime::Program* program) const;
  runtime::TensorRecord Record(ir::ValueId v) const;
  absl::StatusOr<Place> CopyInto(ir::ValueId v, const Place& from, Place to);
  // `pixel`: elements between neighbouring pixels.
  Place ImagePlace(const TensorType& type, const Halo& halo, int64_t pixel);
  void FillHalo(const std::string& name, const TensorType& type, const Place& place);
  Halo NeededHalo(ir::ValueId v) const;
  Halo HaloWithOperands(const ir::Node& concat) const;
  std::optional<ir::Use> ConcatOf(ir::ValueId v) const;
  std::optional<Place> PlaceInConcat(ir::ValueId v);

  const ir::Graph& graph_;
  const Isa isa_;
  Variant variant_;  // of the current node
  Variant others_;
  VariantOfNode variants_;
  CompileBody compile_body_;
  std::function<bool(const ir::Node&)> backend_takes_;
  std::map<ir::ValueId, Place> places_;
  std::set<ir::NodeId> absorbed_;
  std::vector<ir::ValueId> made_;  // by the current layer
  std::map<ir::ValueId, Place> plain_copies_;
  std::map<ir::ValueId, Place> image_copies_;
  std::map<ir::ValueId, Place> row_copies_;
  int concat_depth_ = 0;
  std::vector<Block> blocks_;
  std::vector<PendingStep> steps_;
  std::vector<PendingLayer> layers_;
  size_t layered_steps_ = 0;  // steps that layers_ covers
  WeightPool own_pool_;
  WeightPool* pool_;
  std::map<std::pair<uint64_t, uint64_t>, BlockId> weight_blocks_;  // by offset and size
};

}  // namespace omkit

#endif  // OMKIT_BACKENDS_PROGRAM_BUILDER_H_
