#include "backends/tune.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "backends/lower.h"
#include "backends/program_builder.h"
#include "backends/run_side.h"
#include "backends/tune_bank.h"
#include "base/log.h"
#include "base/status.h"
#include "runtime/model.h"
#include "runtime/profiler.h"

#define XXH_INLINE_ALL
#include "xxhash.h"

namespace omkit {
namespace {

// Another variant has to be this much faster: less may be noise.
constexpr double kWorth = 0.97;
constexpr int64_t kLeastNs = 1000;

struct Effort {
  absl::Duration time;
  int rounds;
};
Effort EffortOf(TuneMode mode) { return mode == TuneMode::kFull ? Effort{absl::Seconds(10), 1000} : Effort{absl::Seconds(1), 100}; }

// The network in one variant, ready to run.
class Candidate {
 public:
  static absl::StatusOr<std::unique_ptr<Candidate>> Make(const runtime::SocRow& soc, const ir::Graph& graph, const Variant& variant) {
    ProgramBuilder builder(graph, variant.isa);
    builder.SetVariants(variant, {});
    OMKIT_RETURN_IF_ERROR(LowerGraph(soc.name, graph, builder));
    OMKIT_ASSIGN_OR_RETURN(runtime::Program program, builder.Finish());
    program.soc_version = soc.name;
    auto candidate = std::make_unique<Candidate>();
    candidate->variant_ = variant;
    OMKIT_ASSIGN_OR_RETURN(runtime::LoadedOm om, runtime::LoadedOmFrom(std::move(program)));
    runtime::ModelOptions options;
    options.threads = 1;
    options.check_soc = false;
    OMKIT_ASSIGN_OR_RETURN(candidate->model_, runtime::Model::Load(std::move(om), options));
    const runtime::Program& loaded = candidate->model_->program();
    candidate->profiler_ = std::make_unique<runtime::Profiler>(loaded.steps.size());
    for (const runtime::IoDesc& io : loaded.inputs) candidate->Fill(io, &candidate->inputs_);
    for (const runtime::IoDesc& io : loaded.outputs) candidate->outputs_.emplace_back(io.bytes);
    return candidate;
  }

  const Variant& variant() const { return variant_; }
  const std::vector<runtime::Step>& steps() const { return model_->program().steps; }

  absl::Status Run(runtime::Profiler* profiler) {
    std::vector<const void*> in;
    std::vector<void*> out;
    for (const auto& buffer : inputs_) in.push_back(buffer.data());
    for (auto& buffer : outputs_) out.push_back(buffer.data());
    return model_->Execute(in, out, profiler);
  }
  absl::Status Measure() { return Run(profiler_.get()); }

  // Least time of each step.
  std::vector<runtime::StepStatistics> times() const { return profiler_->statistics(); }

 private:
  // Small numbers; integers stay zero, which is in range for what gathers and compares.
  void Fill(const runtime::IoDesc& io, std::vector<std::vector<uint8_t>>* buffers) {
    buffers->emplace_back(io.bytes);
    if (io.dtype != DType::kFloat32) return;
    for (uint64_t i = 0; i < io.bytes / sizeof(float); ++i) {
      const float value = static_cast<float>(static_cast<int64_t>(i * 7919 % 255) - 127) / 64;
      std::memcpy(&buffers->back()[i * sizeof value], &value, sizeof value);
    }
  }

  Variant variant_;
  std::unique_ptr<runtime::Model> model_;
  std::unique_ptr<runtime::Profiler> profiler_;
  std::vector<std::vector<uint8_t>> inputs_, outputs_;
};

// The chip's own tier first, then the same in other blocks, then the other tiers of the same family that this machine runs.
std::vector<Variant> VariantsOf(Isa own) {
  std::vector<Variant> variants = {{own}};
  // The portable tier knows no blocks.
  if (own != Isa::kGeneric) {
    for (int32_t chunk : {56, 112, 224, 448}) variants.push_back({own, chunk});
  }
  const bool arm = own >= Isa::kNeon;
  for (Isa isa : {Isa::kGeneric, Isa::kAvx2, Isa::kAvxVnni, Isa::kAvx512Vnni, Isa::kNeon, Isa::kDotprod, Isa::kI8mm}) {
    // It is what machines have when they have nothing else.
    if (isa < own && isa != Isa::kGeneric && (isa >= Isa::kNeon) == arm && CpuSupports(isa)) variants.push_back({isa});
  }
  return variants;
}

std::string FamilyOf(const runtime::Step& step) { return std::string(absl::string_view(step.kernel).substr(0, step.kernel.rfind('.'))); }

// The steps of each node. Copies and fills that the builder adds for a value belong to no node and stay on the chip's own tier. Where one
// tier takes up a node into the steps of the node that it follows and another one does not, its steps count there.
using StepsOfNode = std::map<std::string, std::vector<size_t>>;
StepsOfNode StepsOf(const ir::Graph& graph, const std::vector<runtime::Step>& steps, const StepsOfNode* owners) {
  std::map<std::string, ir::NodeId> ids;
  for (ir::NodeId id = 0; id < graph.node_limit(); ++id) {
    if (graph.alive(id)) ids[graph.node(id).name] = id;
  }
  StepsOfNode result;
  for (size_t i = 0; i < steps.size(); ++i) {
    auto id = ids.find(steps[i].node);
    while (id != ids.end() && owners != nullptr && owners->count(id->first) == 0) {
      const ir::Node& node = graph.node(id->second);
      const ir::NodeId before = node.inputs.empty() ? ir::kNoNode : graph.value(node.inputs[0]).producer;
      id = before == ir::kNoNode ? ids.end() : ids.find(graph.node(before).name);
    }
    if (id != ids.end()) result[id->first].push_back(i);
  }
  return result;
}

// What a node's steps do: kernel families, parameters and sizes of operands.
std::string KeyOf(const std::vector<runtime::Step>& steps, const std::vector<size_t>& of_node) {
  std::string text;
  for (size_t i : of_node) {
    const runtime::Step& step = steps[i];
    absl::StrAppend(&text, FamilyOf(step), ":", step.params, ":");
    for (const runtime::Operand& operand : step.operands) absl::StrAppend(&text, static_cast<int>(operand.space), ",", operand.size, ";");
  }
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return absl::StrCat(absl::Hex(hash.high64, absl::kZeroPad16), absl::Hex(hash.low64, absl::kZeroPad16));
}

bool SameSteps(const std::vector<runtime::Step>& a, const std::vector<size_t>& of_a, const std::vector<runtime::Step>& b,
               const std::vector<size_t>& of_b) {
  return std::equal(of_a.begin(), of_a.end(), of_b.begin(), of_b.end(),
                    [&](size_t i, size_t j) { return a[i].kernel == b[j].kernel && a[i].params == b[j].params; });
}

absl::Status MeasureInTurns(const std::vector<std::unique_ptr<Candidate>>& candidates, const TuneOptions& options) {
  for (const auto& c : candidates) OMKIT_RETURN_IF_ERROR(c->Run(nullptr));
  const Effort effort = EffortOf(options.mode);
  const absl::Duration limit = effort.time * static_cast<double>(candidates.size());
  const absl::Time begin = absl::Now();
  for (int round = 0; round < effort.rounds; ++round) {
    const absl::Duration spent = absl::Now() - begin;
    if (round >= 3 && spent > limit) break;
    if (options.progress) options.progress(std::max(absl::FDivDuration(spent, limit), static_cast<double>(round) / effort.rounds));
    for (const auto& c : candidates) OMKIT_RETURN_IF_ERROR(c->Measure());
  }
  if (options.progress) options.progress(1);
  return absl::OkStatus();
}

// Adds what the candidates, of which the first is the chip's own, took for its works; equal works share the least time.
void Remember(const ir::Graph& graph, const std::vector<std::unique_ptr<Candidate>>& candidates, TuneBank* bank) {
  const std::vector<runtime::Step>& own_steps = candidates[0]->steps();
  const StepsOfNode own = StepsOf(graph, own_steps, nullptr);
  for (const auto& c : candidates) {
    const std::vector<runtime::StepStatistics> times = c->times();
    for (const auto& [node, of_node] : StepsOf(graph, c->steps(), &own)) {
      const std::vector<size_t>& of_own = own.at(node);
      if (c != candidates[0] && SameSteps(c->steps(), of_node, own_steps, of_own)) continue;
      int64_t ns = 0;
      for (size_t i : of_node) ns += times[i].least_ns;
      TunedWork& known = (*bank)[KeyOf(own_steps, of_own)];
      known.kernel = FamilyOf(own_steps[of_own[0]]);
      const auto [entry, fresh] = known.least_ns.try_emplace(c->variant(), ns);
      if (!fresh) entry->second = std::min(entry->second, ns);
    }
  }
}

// The fastest of `variants`, when it is worth it.
std::optional<Variant> BetterThanOwn(const std::map<Variant, int64_t>& times, const std::vector<Variant>& variants) {
  const int64_t own = times.at(variants[0]);
  int64_t least = own;
  std::optional<Variant> best;
  for (const Variant& variant : variants) {
    const auto time = times.find(variant);
    if (time == times.end() || time->second >= least) continue;
    least = time->second;
    best = variant;
  }
  if (own <= kLeastNs || static_cast<double>(least) >= kWorth * static_cast<double>(own)) return std::nullopt;
  return best;
}

}  // namespace

absl::StatusOr<VariantOfNode> Tune(const runtime::SocRow& soc, const ir::Graph& graph, const TuneOptions& options) {
  VariantOfNode chosen;
  if (options.mode == TuneMode::kOff) return chosen;
  if (!CpuSupports(soc.isa)) {
    return absl::FailedPreconditionError(
        absl::StrCat("tuning measures on this machine, which cannot run ", soc.name, "; tune where that chip is, or leave tuning off"));
  }
  RegisterAllKernels();
  const std::vector<Variant> variants = VariantsOf(soc.isa);
  const std::string path = options.bank_folder.empty() ? "" : TuneBankPath(options.bank_folder, soc.isa);
  TuneBank bank;
  if (!path.empty()) {
    OMKIT_ASSIGN_OR_RETURN(bank, ReadTuneBank(path));
  }
  std::vector<std::unique_ptr<Candidate>> candidates(1);
  OMKIT_ASSIGN_OR_RETURN(candidates[0], Candidate::Make(soc, graph, variants[0]));
  std::map<std::string, std::string> keys;  // by node
  for (const auto& [node, of_node] : StepsOf(graph, candidates[0]->steps(), nullptr)) keys[node] = KeyOf(candidates[0]->steps(), of_node);
  const auto is_known = [&](const auto& key) { return bank.count(key.second) > 0 && bank[key.second].least_ns.count(variants[0]) > 0; };
  if (options.mode == TuneMode::kFull || !std::all_of(keys.begin(), keys.end(), is_known)) {
    for (size_t i = 1; i < variants.size(); ++i) {
      OMKIT_ASSIGN_OR_RETURN(candidates.emplace_back(), Candidate::Make(soc, graph, variants[i]));
    }
    OMKIT_RETURN_IF_ERROR(MeasureInTurns(candidates, options));
    if (options.mode == TuneMode::kFull) {
      for (const auto& [node, key] : keys) bank.erase(key);
    }
    Remember(graph, candidates, &bank);
    if (!path.empty()) OMKIT_RETURN_IF_ERROR(WriteTuneBank(bank, path));
  }
  int64_t before = 0, after = 0;
  for (const auto& [node, key] : keys) {
    const std::map<Variant, int64_t>& times = bank[key].least_ns;
    const std::optional<Variant> better = BetterThanOwn(times, variants);
    if (better) chosen[node] = *better;
    before += times.at(variants[0]);
    after += times.at(better.value_or(variants[0]));
  }
  Log(LogLevel::kInfo, absl::StrCat("tuning: ", chosen.size(), " of ", keys.size(), " layers run on another tier than ", IsaName(soc.isa),
                                    " or in other blocks; ", before / 1000, " us become ", after / 1000, " us"));
  return chosen;
}

}  // namespace omkit
