// Tuning: which instruction set tier's kernels run a layer fastest on this machine. Floor 4, between the final graph and lowering.
//
// Narrow layers can be faster on shorter vectors, because blocks of channels are then filled better. Kernels of all tiers compute the same
// bits for integers (base/quant.h), so the choice costs nothing but time at compilation. Times are measured layer by layer inside the whole
// network, on one thread, tiers in turns, and remembered in a bank; with all layers in the bank nothing is measured, and the result is
// the same on every run.
#ifndef OMKIT_BACKENDS_TUNE_H_
#define OMKIT_BACKENDS_TUNE_H_

#include <functional>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "backends/program_builder.h"
#include "ir/graph.h"
#include "runtime/soc.h"

namespace omkit {

enum class TuneMode {
  kOff,
  kFast,  // about a second per tier, layers that the bank does not know
  kFull,  // about ten seconds per tier, all layers, whatever the bank says
};

struct TuneOptions {
  TuneMode mode = TuneMode::kOff;
  std::string bank_folder;                       // where banks lie; empty: nothing is remembered
  std::function<void(double)> progress = nullptr;  // of measuring, 0 to 1
};

// Nodes that do not run on the chip's own tier. FAILED_PRECONDITION when this machine cannot run the chip's programs; errors of the bank's
// file.
absl::StatusOr<TierOfNode> Tune(const runtime::SocRow& soc, const ir::Graph& graph, const TuneOptions& options);

}  // namespace omkit

#endif  // OMKIT_BACKENDS_TUNE_H_
