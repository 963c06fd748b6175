// What is known of integers that a graph computes from shapes while some dimensions are open. Floor 3, part of infer_shapes.
//
// Exporters write view(x.size(0), -1) as Shape, Gather, Concat, Reshape. With an open batch none of these is a constant, yet every element
// of the target but one is: a number, or a dimension that the Reshape takes over from its input.
#ifndef OMKIT_PASSES_SHAPE_VALUES_H_
#define OMKIT_PASSES_SHAPE_VALUES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "ir/graph.h"

namespace omkit::passes {

class ShapeValues {
 public:
  explicit ShapeValues(const ir::Graph& graph) : graph_(graph) {}

  // Learns the elements of a node's result. Call it for every node in topological order, after its types are inferred.
  void Visit(const ir::Node& node);
  // Gives a Reshape of an open shape whose target is known but for one element a constant target, as closely known as possible.
  void FixReshape(ir::NodeId id, ir::Graph& graph);

 private:
  // A number, the open dimension `number` of a value, or nothing that is known.
  struct Element {
    enum Kind { kNumber, kDim, kOpen } kind = kOpen;
    int64_t number = 0;
    ir::ValueId of = ir::kNoValue;
  };
  using Elements = std::vector<Element>;

  std::optional<Elements> Find(ir::ValueId v) const;
  std::optional<Elements> Compute(const ir::Node& node) const;
  Elements OfShape(const ir::Node& node) const;
  std::optional<Elements> Gathered(const ir::Node& node) const;
  std::optional<Elements> Sliced(const ir::Node& node) const;
  std::optional<Elements> Concatenated(const ir::Node& node) const;
  std::optional<Elements> Calculated(const ir::Node& node) const;
  // What a Reshape may be given as target: 0 for an open dimension that it takes over, -1 for one that is not known.
  std::optional<std::vector<int64_t>> Target(const ir::Node& node) const;
  // The value whose dimension it is, behind operators that keep all dimensions.
  std::pair<ir::ValueId, int64_t> Origin(ir::ValueId v, int64_t dim) const;

  const ir::Graph& graph_;
  std::map<ir::ValueId, Elements> known_;  // of values that are not constants
};

}  // namespace omkit::passes

#endif  // OMKIT_PASSES_SHAPE_VALUES_H_
