#include "runtime/plugin/kernels.h"

#include <cstddef>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/status.h"
#include "runtime/kernel.h"
#include "runtime/plugin/plugin.h"
#include "runtime/plugin/step_params.h"

namespace omkit::runtime {
namespace {

struct Kernels {
  absl::Mutex mutex;
  std::map<std::string, const OmkitKernel*, std::less<>> by_name ABSL_GUARDED_BY(mutex);
};

Kernels& AllKernels() {
  static auto* const kernels = new Kernels;
  return *kernels;
}

class Message {
 public:
  Message() : error_{sizeof(OmkitError), sizeof text_, text_} {}
  OmkitError* error() { return &error_; }
  absl::string_view text() {
    text_[sizeof text_ - 1] = '\0';
    return *text_ == '\0' ? "the plugin gave no reason" : text_;
  }

 private:
  char text_[256] = {};
  OmkitError error_;
};

absl::Status ToStatus(int32_t code, Message& message) {
  switch (code) {
    case OMKIT_OK: return absl::OkStatus();
    case OMKIT_NO_MEMORY: return absl::ResourceExhaustedError(message.text());
    case OMKIT_UNSUPPORTED: return absl::UnimplementedError(message.text());
    case OMKIT_FAILED: return absl::InternalError(message.text());
    default: return absl::InvalidArgumentError(message.text());
  }
}

// A step as plain structs, with the parameters behind their header at an aligned address.
class StepView {
 public:
  StepView(const Step& step, absl::string_view params) : params_((params.size() + sizeof(std::max_align_t) - 1) / sizeof(std::max_align_t) + 1) {
    if (!params.empty()) std::memcpy(params_.data(), params.data(), params.size());
    for (const Operand& o : step.operands) operands_.push_back({static_cast<uint32_t>(o.space), o.index, o.size});
    view_ = {sizeof(OmkitStep), static_cast<uint32_t>(operands_.size()), params_.data(), params.size(), operands_.data(), step.node.c_str(),
             step.op.c_str()};
  }
  const OmkitStep* get() const { return &view_; }

 private:
  std::vector<std::max_align_t> params_;
  std::vector<OmkitOperand> operands_;
  OmkitStep view_;
};

struct State {
  State(const Step& step, absl::string_view params, const OmkitKernel& k) : view(step, params), kernel(k) {}
  ~State() {
    if (prepared && kernel.release != nullptr) kernel.release(plugin_state);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  const StepView view;
  const OmkitKernel& kernel;
  void* plugin_state = nullptr;
  bool prepared = false;
};

struct Found {
  const OmkitKernel* kernel;
  absl::string_view params;
};

absl::StatusOr<Found> Find(const Step& step) {
  const OmkitKernel* kernel = FindPluginKernel(step.kernel);
  if (kernel == nullptr) return absl::InternalError(absl::StrCat("kernel '", step.kernel, "' is of no plugin"));
  OMKIT_ASSIGN_OR_RETURN(const absl::string_view params, ParamsOfVersion(step.params, kernel->params_version));
  return Found{kernel, params};
}

absl::Status Verify(const Step& step) {
  OMKIT_ASSIGN_OR_RETURN(const Found found, Find(step));
  const StepView view(step, found.params);
  Message message;
  return ToStatus(found.kernel->verify(view.get(), message.error()), message);
}

int64_t ScratchBytes(const Step& step) {
  const absl::StatusOr<Found> found = Find(step);
  if (!found.ok()) return -1;
  if (found->kernel->scratch_bytes == nullptr) return 0;
  return found->kernel->scratch_bytes(StepView(step, found->params).get());
}

absl::StatusOr<std::shared_ptr<const void>> Prepare(const Step& step, void* const* operands) {
  OMKIT_ASSIGN_OR_RETURN(const Found found, Find(step));
  auto state = std::make_shared<State>(step, found.params, *found.kernel);
  if (found.kernel->prepare != nullptr) {
    Message message;
    OMKIT_RETURN_IF_ERROR(ToStatus(found.kernel->prepare(state->view.get(), operands, &state->plugin_state, message.error()), message));
    state->prepared = true;
  }
  return std::shared_ptr<const void>(std::move(state));
}

void Run(const Step&, const KernelContext& context) {
  const auto& state = *static_cast<const State*>(context.state);
  const OmkitRun run = {sizeof(OmkitRun), context.thread, context.threads, 0, context.operands, context.scratch, state.plugin_state};
  Message message;
  if (state.kernel.run(state.view.get(), &run, message.error()) != OMKIT_OK) FailStep(context, message.text());
}

}  // namespace

const OmkitKernel* FindPluginKernel(absl::string_view name) {
  Kernels& kernels = AllKernels();
  absl::MutexLock lock(&kernels.mutex);
  const auto it = kernels.by_name.find(name);
  return it == kernels.by_name.end() ? nullptr : it->second;
}

absl::Status RegisterPluginKernels(const OmkitPlugin& plugin) {
  for (uint32_t i = 0; i < plugin.kernel_count; ++i) {
    const OmkitKernel& kernel = EntryAt(plugin.kernels, i);
    {
      Kernels& kernels = AllKernels();
      absl::MutexLock lock(&kernels.mutex);
      kernels.by_name[kernel.name] = &kernel;
    }
    OMKIT_RETURN_IF_ERROR(RegisterKernel(new KernelDef{kernel.name, Verify, ScratchBytes, Prepare, Run, kernel.writes}));
  }
  return absl::OkStatus();
}

}  // namespace omkit::runtime
