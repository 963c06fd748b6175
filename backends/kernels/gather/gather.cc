#include "backends/kernels/gather/gather.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "backends/kernels/registration.h"
#include "base/checked.h"
#include "base/status.h"

namespace omkit::kernels {

namespace {

constexpr int64_t kMaxSize = int64_t{1} << 40;

absl::Status Verify(const runtime::Step& step) {
  OMKIT_RETURN_IF_ERROR(VerifyStepShape(step, sizeof(GatherParams), 3, 3));
  const GatherParams p = runtime::ParamsOf<GatherParams>(step);
  OMKIT_RETURN_IF_ERROR(VerifyRange("outer size", p.outer, 0, kMaxSize));
  OMKIT_RETURN_IF_ERROR(VerifyRange("axis size", p.axis, 1, kMaxSize));
  OMKIT_RETURN_IF_ERROR(VerifyRange("inner size", p.inner, 0, kMaxSize));
  OMKIT_RETURN_IF_ERROR(VerifyRange("index count", p.index_count, 0, kMaxSize));
  OMKIT_RETURN_IF_ERROR(VerifyRange("element size", p.element_size, 1, 8));
  OMKIT_RETURN_IF_ERROR(VerifyRange("index size modulo 4", p.index_size % 4, 0, 0));
  OMKIT_RETURN_IF_ERROR(VerifyRange("index size", p.index_size, 4, 8));
  const CheckedSize copies = CheckedSize(p.outer) * p.index_count;
  if (!copies.FitsIn(kMaxSize)) return absl::InvalidArgumentError("gather has too many slices");
  const CheckedSize slices = CheckedSize(p.outer) * p.inner * p.element_size;
  const CheckedSize data = slices * p.axis, out = slices * p.index_count;
  // Blocks of the arena are rounded up behind their last element.
  OMKIT_RETURN_IF_ERROR(VerifyRange("bytes of data", data.ok() ? data.value() : -1, 0, static_cast<int64_t>(step.operands[0].size)));
  OMKIT_RETURN_IF_ERROR(VerifyOperandSize("indices", step.operands[1], p.index_count * p.index_size));
  return VerifyRange("bytes of output", out.ok() ? out.value() : -1, 0, static_cast<int64_t>(step.operands[2].size));
}

int64_t IndexAt(const char* indices, int64_t i, int32_t size) {
  if (size == 4) {
    int32_t index;
    std::memcpy(&index, indices + i * 4, sizeof index);
    return index;
  }
  int64_t index;
  std::memcpy(&index, indices + i * 8, sizeof index);
  return index;
}

void Run(const KernelArgs& args) {
  GatherParams p;
  LoadParams(args, &p);
  const char* data = static_cast<const char*>(args.operands[0]);
  const char* indices = static_cast<const char*>(args.operands[1]);
  char* out = static_cast<char*>(args.operands[2]);
  const int64_t slice = p.inner * p.element_size;
  const Part part = SplitWork(p.outer * p.index_count, 1, args.thread, args.threads);
  for (int64_t at = part.begin; at < part.end; ++at) {
    int64_t index = IndexAt(indices, at % p.index_count, p.index_size);
    if (index < 0) index = std::max<int64_t>(index, -p.axis) + p.axis;
    index = std::min(index, p.axis - 1);
    std::memcpy(out + at * slice, data + (at / p.index_count * p.axis + index) * slice, static_cast<size_t>(slice));
  }
}

const runtime::KernelDef kRows[] = {
#define OMKIT_TIER(tier, isa, plain) {"gather." #tier, Verify, nullptr, nullptr, RunTier<Run>, 1u << 2},
#include "backends/kernels/tiers.inc"
#undef OMKIT_TIER
};

}  // namespace

std::string GatherKernel(Isa isa) { return absl::StrCat("gather.", IsaName(isa)); }
void RegisterGatherKernels() { RegisterRows(kRows); }

}  // namespace omkit::kernels
