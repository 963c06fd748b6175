// What the shape flags of a command line mean for one model. Floor 5, between options and the compiler.
#ifndef OMKIT_TOOLS_ATC_SHAPE_CHOICE_H_
#define OMKIT_TOOLS_ATC_SHAPE_CHOICE_H_

#include "absl/status/status.h"
#include "backends/compile.h"
#include "ir/graph.h"
#include "tools/atc/options.h"

namespace omkit::atc {

// Fills input_shapes and choice. Errors of MatchInputs.
absl::Status ChooseShapes(const Options& options, const ir::Graph& graph, CompileOptions* compile);

}  // namespace omkit::atc

#endif  // OMKIT_TOOLS_ATC_SHAPE_CHOICE_H_
