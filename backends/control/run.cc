#include "backends/control/run.h"

#include <cstring>
#include <memory>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "backends/control/form.h"
#include "base/checked.h"
#include "base/status.h"
#include "runtime/kernel.h"
#include "runtime/model.h"

namespace omkit::control {
namespace {

using runtime::KernelContext;
using runtime::Model;
using runtime::Step;

// Ends loops whose condition never turns false.
constexpr int64_t kMostIterations = int64_t{1} << 40;
constexpr int64_t kAlignment = 64;

struct State {
  Form form;
  std::vector<std::unique_ptr<Model>> bodies;
};

int64_t StateBytes(const Form& form) {
  int64_t bytes = 0;
  for (int64_t s = 0; s < form.states; ++s) bytes += RoundUp(static_cast<int64_t>(form.outputs[s]), kAlignment);
  return bytes;
}

absl::Status Verify(const Step& step) {
  Form form;
  if (!DecodeForm(step.params, &form)) return absl::InvalidArgumentError("damaged description of control flow");
  const size_t bodies = form.bodies();
  if (step.operands.size() != bodies + form.inputs.size() + form.outputs.size()) {
    return absl::InvalidArgumentError(absl::StrCat("the step has ", step.operands.size(), " operands"));
  }
  for (size_t i = 0; i < step.operands.size(); ++i) {
    const runtime::Operand& o = step.operands[i];
    if (i < bodies) {
      if (o.space != runtime::Space::kWeights) return absl::InvalidArgumentError("a body lies outside the weights");
      continue;
    }
    const bool output = i >= bodies + form.inputs.size();
    const uint64_t bytes = output ? form.outputs[i - bodies - form.inputs.size()] : form.inputs[i - bodies];
    if (o.size < bytes) return absl::InvalidArgumentError(absl::StrCat("operand ", i, " has ", o.size, " bytes, its tensor ", bytes));
    const bool writable = o.space == runtime::Space::kArena || o.space == runtime::Space::kOutput;
    if (output && !writable) return absl::InvalidArgumentError("a result lies in read-only memory");
  }
  const auto small = [&](int i) { return form.inputs[i] >= (form.kind == Kind::kLoop && form.has_trips && i == 0 ? 8u : 1u); };
  for (int i = 0; i < form.leading(); ++i) {
    if (!small(i)) return absl::InvalidArgumentError("a trip count or condition has no element");
  }
  for (int64_t s = 0; s < form.states; ++s) {
    if (form.outputs[s] != form.inputs[form.leading() + s]) return absl::InvalidArgumentError(absl::StrCat("state ", s, " changes its size"));
    if (form.outputs[s] > uint64_t{1} << 40) return absl::InvalidArgumentError("a state is too large");
  }
  return absl::OkStatus();
}

// Two sets of states: what an iteration reads and what it writes.
int64_t ScratchBytes(const Step& step) {
  Form form;
  return DecodeForm(step.params, &form) ? 2 * StateBytes(form) : 0;
}

absl::Status Expect(uint64_t have, uint64_t want, absl::string_view what, size_t i) {
  if (have == want) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the body's ", what, " ", i, " has ", have, " bytes, expected ", want));
}

// The body's interface has the sizes of what it will be given.
absl::Status CheckBody(const Form& form, const Model& body) {
  const size_t extra_in = form.kind == Kind::kLoop ? 2 : 0, extra_out = form.kind == Kind::kLoop ? 1 : 0;
  const size_t given = form.inputs.size() - form.leading();
  if (body.inputs().size() != given + extra_in || body.outputs().size() != form.outputs.size() + extra_out) {
    return absl::InvalidArgumentError(absl::StrCat("the body has ", body.inputs().size(), " inputs and ", body.outputs().size(), " outputs"));
  }
  if (form.kind == Kind::kLoop) {
    OMKIT_RETURN_IF_ERROR(Expect(body.inputs()[0].bytes, 8, "input", 0));
    OMKIT_RETURN_IF_ERROR(Expect(body.inputs()[1].bytes, 1, "input", 1));
    OMKIT_RETURN_IF_ERROR(Expect(body.outputs()[0].bytes, 1, "output", 0));
  }
  const auto length = static_cast<uint64_t>(form.length);
  for (size_t i = 0; i < given; ++i) {
    const bool slice = form.kind == Kind::kScan && i >= static_cast<size_t>(form.states) && i < static_cast<size_t>(form.states + form.scans);
    const uint64_t bytes = body.inputs()[extra_in + i].bytes;
    OMKIT_RETURN_IF_ERROR(Expect(slice ? bytes * length : bytes, form.inputs[form.leading() + i], "input", i));
  }
  for (size_t o = 0; o < form.outputs.size(); ++o) {
    const bool slice = form.kind != Kind::kIf && o >= static_cast<size_t>(form.states);
    const uint64_t bytes = body.outputs()[extra_out + o].bytes;
    OMKIT_RETURN_IF_ERROR(Expect(slice ? bytes * length : bytes, form.outputs[o], "output", o));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const void>> Prepare(const Step& step, void* const* operands) {
  auto state = std::make_shared<State>();
  if (!DecodeForm(step.params, &state->form)) return absl::InvalidArgumentError("damaged description of control flow");
  for (int b = 0; b < state->form.bodies(); ++b) {
    OMKIT_ASSIGN_OR_RETURN(runtime::LoadedOm om, runtime::LoadOmFromMemory(operands[b], step.operands[b].size));
    runtime::ModelOptions options;
    options.threads = 1;
    options.check_soc = false;
    OMKIT_ASSIGN_OR_RETURN(std::unique_ptr<Model> body, Model::Load(std::move(om), options));
    OMKIT_RETURN_IF_ERROR(CheckBody(state->form, *body));
    state->bodies.push_back(std::move(body));
  }
  return std::shared_ptr<const void>(std::move(state));
}

using Addresses = absl::InlinedVector<void*, 32>;

absl::Status Execute(Model& body, const Addresses& inputs, const Addresses& outputs) {
  return body.Execute(absl::MakeConstSpan(const_cast<const void* const*>(inputs.data()), inputs.size()),
                      absl::MakeConstSpan(outputs.data(), outputs.size()));
}

// One run of a Loop or Scan: addresses of every iteration.
class Iteration {
 public:
  Iteration(const State& state, const KernelContext& context) : form_(state.form), body_(*state.bodies[0]) {
    void* const* operand = context.operands + form_.bodies() + form_.leading();
    given_.assign(operand, operand + (form_.inputs.size() - form_.leading()));
    operand = context.operands + form_.bodies() + form_.inputs.size();
    results_.assign(operand, operand + form_.outputs.size());
    auto* scratch = static_cast<uint8_t*>(context.scratch);
    for (int set = 0; set < 2; ++set) {
      for (int64_t s = 0; s < form_.states; ++s) {
        states_[set].push_back(scratch);
        scratch += RoundUp(static_cast<int64_t>(form_.outputs[s]), kAlignment);
      }
    }
    for (int64_t s = 0; s < form_.states; ++s) current_.push_back(given_[s]);
  }

  absl::Status Run(int64_t i, bool* condition) {
    const bool loop = form_.kind == Kind::kLoop;
    inputs_.clear();
    outputs_.clear();
    if (loop) {
      inputs_.push_back(&i);
      inputs_.push_back(condition);
      outputs_.push_back(&next_condition_);
    }
    inputs_.insert(inputs_.end(), current_.begin(), current_.end());
    const int64_t extra = loop ? 2 : 0;
    for (size_t k = form_.states; k < given_.size(); ++k) {
      const int64_t scan = static_cast<int64_t>(k) - form_.states;
      const bool slice = scan < form_.scans;
      const int64_t at = (form_.reversed_inputs >> (slice ? scan : 0) & 1) != 0 ? form_.length - 1 - i : i;
      inputs_.push_back(slice ? static_cast<uint8_t*>(given_[k]) + at * static_cast<int64_t>(body_.inputs()[extra + k].bytes) : given_[k]);
    }
    Addresses& written = states_[i % 2];
    outputs_.insert(outputs_.end(), written.begin(), written.end());
    for (size_t o = form_.states; o < results_.size(); ++o) {
      const int64_t scan = static_cast<int64_t>(o) - form_.states;
      const int64_t at = (form_.reversed_outputs >> scan & 1) != 0 ? form_.length - 1 - i : i;
      outputs_.push_back(static_cast<uint8_t*>(results_[o]) + at * static_cast<int64_t>(body_.outputs()[(loop ? 1 : 0) + o].bytes));
    }
    OMKIT_RETURN_IF_ERROR(Execute(body_, inputs_, outputs_));
    current_ = written;
    if (loop) *condition = next_condition_;
    return absl::OkStatus();
  }

  void Finish() {
    for (int64_t s = 0; s < form_.states; ++s) std::memcpy(results_[s], current_[s], form_.outputs[s]);
  }

 private:
  const Form& form_;
  Model& body_;
  Addresses given_, results_, current_, inputs_, outputs_;
  Addresses states_[2];
  bool next_condition_ = false;
};

absl::Status RunBranch(const State& state, const KernelContext& context) {
  const Form& form = state.form;
  void* const* operand = context.operands + form.bodies();
  const bool condition = *static_cast<const uint8_t*>(operand[0]) != 0;
  if (form.unusable == (condition ? 0 : 1))
    return absl::InvalidArgumentError("the branch that is taken does not fit the shapes the model was compiled for");
  const Addresses inputs(operand + 1, operand + form.inputs.size());
  const Addresses outputs(operand + form.inputs.size(), operand + form.inputs.size() + form.outputs.size());
  return Execute(*state.bodies[condition ? 0 : 1], inputs, outputs);
}

absl::Status RunIterations(const State& state, const KernelContext& context) {
  const Form& form = state.form;
  void* const* operand = context.operands + form.bodies();
  int64_t trips = form.kind == Kind::kScan ? form.length : kMostIterations;
  bool condition = true;
  if (form.has_trips) std::memcpy(&trips, operand[0], sizeof trips);
  if (form.has_condition) condition = *static_cast<const uint8_t*>(operand[form.has_trips ? 1 : 0]) != 0;
  const bool collects = static_cast<int64_t>(form.outputs.size()) > form.states;
  Iteration iteration(state, context);
  for (int64_t i = 0; i < trips && condition; ++i) {
    if (collects && i >= form.length)
      return absl::InvalidArgumentError(absl::StrCat("the loop has more than the ", form.length, " iterations it was compiled for"));
    if (i == kMostIterations - 1) return absl::InvalidArgumentError("the loop does not end");
    OMKIT_RETURN_IF_ERROR(iteration.Run(i, &condition));
  }
  iteration.Finish();
  return absl::OkStatus();
}

void Run(const Step&, const KernelContext& context) {
  if (context.thread != 0) return;
  const auto& state = *static_cast<const State*>(context.state);
  const absl::Status status = state.form.kind == Kind::kIf ? RunBranch(state, context) : RunIterations(state, context);
  if (!status.ok()) runtime::FailStep(context, status.message());
}

}  // namespace

void RegisterControlKernels() {
  static const runtime::KernelDef kernel = {kKernel, Verify, ScratchBytes, Prepare, Run};
  (void)runtime::RegisterKernel(&kernel);
}

}  // namespace omkit::control
