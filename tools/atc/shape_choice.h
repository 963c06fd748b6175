// What the shape flags of a command line mean for one model. Floor 5, between options and the compiler.
#ifndef OMKIT_TOOLS_ATC_SHAPE_CHOICE_H_
#define OMKIT_TOOLS_ATC_SHAPE_CHOICE_H_

#include "absl/status/status.h"
#include "backends/compile.h"
#include "frontends/aipp/config.h"
#include "ir/graph.h"
#include "tools/atc/options.h"

namespace omkit::atc {

// Fills input_shapes and choice. Errors of MatchInputs; E10001, E10052 or E10055 for AIPP (`aipp` is what options.aipp_config holds) in a
// model whose shapes are chosen at run time.
absl::Status ChooseShapes(const Options& options, const ir::Graph& graph, const frontends::AippConfig& aipp, CompileOptions* compile);

}  // namespace omkit::atc

#endif  // OMKIT_TOOLS_ATC_SHAPE_CHOICE_H_
