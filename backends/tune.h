// Tuning: which instruction set tier's kernels run a layer fastest on this machine, and in which blocks. Floor 4, between the final graph and
// lowering.
//
// Narrow layers can be faster on shorter vectors, because blocks of channels are then filled better; how many pixels a convolution should take
// at once depends on the caches. Kernels of all tiers compute the same bits for integers (base/quant.h), in whatever blocks, so the choice
// costs nothing but time at compilation. Times are measured layer by layer inside the whole network, on one thread, variants in turns, and
// remembered in a bank; with all layers in the bank nothing is measured, and the result is the same on every run.
#ifndef OMKIT_BACKENDS_TUNE_H_
#define OMKIT_BACKENDS_TUNE_H_

#include <functional>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "backends/variant.h"
#include "ir/graph.h"
#include "runtime/soc.h"

namespace omkit {

enum class TuneMode {
  kOff,
  kFast,  // about a second per variant, layers that the bank does not know
  kFull,  // about ten seconds per variant, all layers, whatever the bank says
};

struct TuneOptions {
  TuneMode mode = TuneMode::kOff;
  std::string bank_folder;                         // where banks lie; empty: nothing is remembered
  std::function<void(double)> progress = nullptr;  // of measuring, 0 to 1
};

// Nodes that do not run as the chip's own tier does by its rules. FAILED_PRECONDITION when this machine cannot run the chip's programs; errors of the
// bank's file.
absl::StatusOr<VariantOfNode> Tune(const runtime::SocRow& soc, const ir::Graph& graph, const TuneOptions& options);

}  // namespace omkit

#endif  // OMKIT_BACKENDS_TUNE_H_
