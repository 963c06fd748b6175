#include "backends/tune.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "backends/lower.h"
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

// Another tier has to be this much faster: less may be noise.
constexpr double kWorth = 0.97;
constexpr int64_t kLeastNs = 1000;

struct Effort {
  absl::Duration time;
  int rounds;
};
Effort EffortOf(TuneMode mode) { return mode == TuneMode::kFull ? Effort{absl::Seconds(10), 1000} : Effort{absl::Seconds(1), 100}; }

// The network on one tier, ready to run.
class Candidate {
 public:
  static absl::StatusOr<std::unique_ptr<Candidate>> Make(const runtime::SocRow& soc, const ir::Graph& graph, Isa isa) {
    ProgramBuilder builder(graph, isa);
    OMKIT_RETURN_IF_ERROR(LowerGraph(soc.name, graph, builder));
    OMKIT_ASSIGN_OR_RETURN(runtime::Program program, builder.Finish());
    program.soc_version = soc.name;
    auto candidate = std::make_unique<Candidate>();
    candidate->isa_ = isa;
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

  Isa isa() const { return isa_; }
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

  Isa isa_ = Isa::kGeneric;
  std::unique_ptr<runtime::Model> model_;
  std::unique_ptr<runtime::Profiler> profiler_;
  std::vector<std::vector<uint8_t>> inputs_, outputs_;
};

// The chip's own tier first, then the others of the same family that this machine runs.
std::vector<Isa> TiersOf(Isa own) {
  std::vector<Isa> tiers = {own};
  const bool arm = own >= Isa::kNeon;
  for (Isa isa : {Isa::kGeneric, Isa::kAvx2, Isa::kAvxVnni, Isa::kAvx512Vnni, Isa::kNeon, Isa::kDotprod, Isa::kI8mm}) {
    // The portable tier is what machines have when they have nothing else.
    if (isa < own && isa != Isa::kGeneric && (isa >= Isa::kNeon) == arm && CpuSupports(isa)) tiers.push_back(isa);
  }
  return tiers;
}

std::string FamilyOf(const runtime::Step& step) { return std::string(absl::string_view(step.kernel).substr(0, step.kernel.rfind('.'))); }

// The steps of each node, and a key for what they do: kernel families, parameters and sizes of operands. Copies and fills that the builder
// adds for a value belong to no node and stay on the chip's own tier.
struct Work {
  std::string kernel, key;
  std::vector<size_t> steps;
};
std::map<std::string, Work> WorkOf(const std::set<std::string>& nodes, const std::vector<runtime::Step>& steps) {
  std::map<std::string, Work> works;
  std::map<std::string, std::string> text;
  for (size_t i = 0; i < steps.size(); ++i) {
    const runtime::Step& step = steps[i];
    if (nodes.count(step.node) == 0) continue;
    Work& work = works[step.node];
    if (work.steps.empty()) work.kernel = FamilyOf(step);
    work.steps.push_back(i);
    std::string& t = text[step.node];
    absl::StrAppend(&t, FamilyOf(step), ":", step.params, ":");
    for (const runtime::Operand& operand : step.operands) absl::StrAppend(&t, static_cast<int>(operand.space), ",", operand.size, ";");
  }
  for (auto& [node, work] : works) {
    const XXH128_hash_t hash = XXH3_128bits(text[node].data(), text[node].size());
    work.key = absl::StrCat(absl::Hex(hash.high64, absl::kZeroPad16), absl::Hex(hash.low64, absl::kZeroPad16));
  }
  return works;
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

// Adds what the candidates took for the works; equal works share the least time.
void Remember(const std::set<std::string>& nodes, const std::vector<std::unique_ptr<Candidate>>& candidates, TuneBank* bank) {
  for (const auto& c : candidates) {
    const std::vector<runtime::StepStatistics> times = c->times();
    for (const auto& [node, work] : WorkOf(nodes, c->steps())) {
      int64_t ns = 0;
      for (size_t i : work.steps) ns += times[i].least_ns;
      TunedWork& known = (*bank)[work.key];
      known.kernel = work.kernel;
      const auto [entry, fresh] = known.least_ns.try_emplace(c->isa(), ns);
      if (!fresh) entry->second = std::min(entry->second, ns);
    }
  }
}

bool Knows(const TuneBank& bank, const std::string& key, const std::vector<Isa>& tiers) {
  const auto work = bank.find(key);
  return work != bank.end() && std::all_of(tiers.begin(), tiers.end(), [&](Isa isa) { return work->second.least_ns.count(isa) > 0; });
}

}  // namespace

absl::StatusOr<TierOfNode> Tune(const runtime::SocRow& soc, const ir::Graph& graph, const TuneOptions& options) {
  TierOfNode chosen;
  if (options.mode == TuneMode::kOff) return chosen;
  if (!CpuSupports(soc.isa)) {
    return absl::FailedPreconditionError(
        absl::StrCat("tuning measures on this machine, which cannot run ", soc.name, "; tune where that chip is, or leave tuning off"));
  }
  RegisterAllKernels();
  const std::vector<Isa> tiers = TiersOf(soc.isa);
  const std::string path = options.bank_folder.empty() ? "" : TuneBankPath(options.bank_folder, soc.isa);
  TuneBank bank;
  if (!path.empty()) {
    OMKIT_ASSIGN_OR_RETURN(bank, ReadTuneBank(path));
  }
  std::vector<std::unique_ptr<Candidate>> candidates(1);
  OMKIT_ASSIGN_OR_RETURN(candidates[0], Candidate::Make(soc, graph, soc.isa));
  std::set<std::string> nodes;
  for (ir::NodeId id = 0; id < graph.node_limit(); ++id) {
    if (graph.alive(id)) nodes.insert(graph.node(id).name);
  }
  const std::map<std::string, Work> works = WorkOf(nodes, candidates[0]->steps());
  const bool known = std::all_of(works.begin(), works.end(), [&](const auto& w) { return Knows(bank, w.second.key, tiers); });
  if (!known || options.mode == TuneMode::kFull) {
    for (size_t i = 1; i < tiers.size(); ++i) {
      OMKIT_ASSIGN_OR_RETURN(candidates.emplace_back(), Candidate::Make(soc, graph, tiers[i]));
    }
    OMKIT_RETURN_IF_ERROR(MeasureInTurns(candidates, options));
    if (options.mode == TuneMode::kFull) {
      for (const auto& [node, work] : works) bank.erase(work.key);
    }
    Remember(nodes, candidates, &bank);
    if (!path.empty()) OMKIT_RETURN_IF_ERROR(WriteTuneBank(bank, path));
  }
  int64_t before = 0, after = 0;
  for (const auto& [node, work] : works) {
    const std::map<Isa, int64_t>& times = bank[work.key].least_ns;
    const int64_t own = times.at(soc.isa);
    const auto best = std::min_element(times.begin(), times.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    const bool better = own > kLeastNs && static_cast<double>(best->second) < kWorth * static_cast<double>(own);
    if (better) chosen[node] = best->first;
    before += own;
    after += better ? best->second : own;
  }
  Log(LogLevel::kInfo, absl::StrCat("tuning: ", chosen.size(), " of ", works.size(), " layers run on another tier than ", IsaName(soc.isa), "; ",
                                    before / 1000, " us become ", after / 1000, " us"));
  return chosen;
}

}  // namespace omkit
