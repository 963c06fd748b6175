#include "backends/kernels/step_runner.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "base/status.h"

namespace omkit::kernels {

StepRunner::StepRunner(std::string kernel, std::string params) {
  step_.kernel = std::move(kernel);
  step_.node = "node";
  step_.op = "Op";
  step_.params = std::move(params);
}

StepRunner::~StepRunner() {
  for (const Region& r : regions_) munmap(r.pages, r.mapped);
}

void StepRunner::Add(runtime::Space space, const void* bytes, size_t size) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t body = static_cast<size_t>(RoundUp(static_cast<int64_t>(size), static_cast<int64_t>(page)));
  Region r;
  r.mapped = body + 2 * page;
  r.pages = static_cast<uint8_t*>(mmap(nullptr, r.mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (r.pages == MAP_FAILED) std::abort();
  if (body != 0 && mprotect(r.pages + page, body, PROT_READ | PROT_WRITE) != 0) std::abort();
  r.data = r.pages + page + body - size;
  r.size = size;
  if (size != 0) std::memcpy(r.data, bytes, size);
  regions_.push_back(r);
  runtime::Operand operand;
  operand.space = space;
  operand.size = size;
  step_.operands.push_back(operand);
}

absl::Status StepRunner::Verify() const {
  const runtime::KernelDef* kernel = runtime::FindKernel(step_.kernel);
  if (kernel == nullptr) return absl::NotFoundError(absl::StrCat("no kernel '", step_.kernel, "'"));
  return kernel->verify(step_);
}

absl::Status StepRunner::Prepare() {
  OMKIT_RETURN_IF_ERROR(Verify());
  kernel_ = runtime::FindKernel(step_.kernel);
  addresses_.clear();
  std::vector<void*> constants;
  for (size_t i = 0; i < regions_.size(); ++i) {
    addresses_.push_back(regions_[i].data);
    constants.push_back(step_.operands[i].space == runtime::Space::kWeights ? regions_[i].data : nullptr);
  }
  if (kernel_->prepare) {
    OMKIT_ASSIGN_OR_RETURN(state_, kernel_->prepare(step_, constants.data()));
  }
  scratch_.assign(static_cast<size_t>(kernel_->scratch_bytes ? kernel_->scratch_bytes(step_) : 0) + 64, 0);
  return absl::OkStatus();
}

void StepRunner::RunPrepared(int thread, int threads) {
  void* scratch = reinterpret_cast<void*>(RoundUp(reinterpret_cast<intptr_t>(scratch_.data()), 64));
  kernel_->run(step_, {addresses_.data(), scratch, state_.get(), thread, threads});
}

absl::Status StepRunner::Run(int threads) {
  OMKIT_RETURN_IF_ERROR(Prepare());
  for (int t = 0; t < threads; ++t) RunPrepared(t, threads);
  return absl::OkStatus();
}

std::vector<uint8_t> StepRunner::Bytes(int operand) const {
  return std::vector<uint8_t>(regions_[operand].data, regions_[operand].data + regions_[operand].size);
}

void StepRunner::Reset(int operand, const std::vector<uint8_t>& bytes) { std::memcpy(regions_[operand].data, bytes.data(), bytes.size()); }

std::vector<Isa> RunnableTiers() {
  std::vector<Isa> tiers;
#define OMKIT_TIER(tier, isa, plain) \
  if (CpuSupports(isa)) tiers.push_back(isa);
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER
  return tiers;
}

std::vector<uint8_t> RandomBytes(Random& random, size_t size) {
  std::vector<uint8_t> bytes(size);
  for (uint8_t& b : bytes) b = static_cast<uint8_t>(random());
  return bytes;
}

View ImageView(int64_t n, int64_t h, int64_t w, int64_t c, int64_t gap, int64_t halo_before_h, int64_t halo_after_h, int64_t halo_before_w,
               int64_t halo_after_w, int64_t offset, int element_size, int64_t* elements) {
  const int64_t dims[4] = {n, h + halo_before_h + halo_after_h, w + halo_before_w + halo_after_w, c + gap};
  View view = DenseView(dims, 4, element_size);
  *elements = view.elements() + offset;
  const int64_t logical[4] = {n, h, w, c};
  for (int i = 0; i < 4; ++i) view.dims[i] = logical[i];
  view.offset = offset + halo_before_h * view.strides[1] + halo_before_w * view.strides[2];
  return view;
}

}  // namespace omkit::kernels
