#include "runtime/fake_kernels.h"

#include <cstring>
#include <memory>

#include "absl/status/status.h"
#include "base/threads.h"
#include "runtime/kernel.h"
#include "runtime/soc.h"

namespace omkit::runtime {
namespace {

absl::Status Verify(const Step& step, size_t operands) {
  if (step.params.size() != sizeof(FakeParams)) return absl::InvalidArgumentError("bad params size");
  const FakeParams params = ParamsOf<FakeParams>(step);
  if (step.operands.size() != operands) return absl::InvalidArgumentError("bad operand count");
  for (const Operand& o : step.operands) {
    if (params.n < 0 || params.n > 1'000'000 || o.size < static_cast<uint64_t>(params.n) * sizeof(float)) return absl::InvalidArgumentError("bad n");
  }
  return absl::OkStatus();
}

float Load(const void* base, int64_t i) {
  float value;
  std::memcpy(&value, static_cast<const char*>(base) + i * sizeof value, sizeof value);
  return value;
}

void Store(void* base, int64_t i, float value) { std::memcpy(static_cast<char*>(base) + i * sizeof value, &value, sizeof value); }

void Add(const Step& step, const KernelContext& context) {
  const int64_t n = ParamsOf<FakeParams>(step).n;
  const Range range = SplitRange(n, 4, context.thread, context.threads);
  for (int64_t i = range.begin; i < range.end; ++i) {
    Store(context.operands[2], i, Load(context.operands[0], i) + Load(context.operands[1], n - 1 - i));
  }
}

int64_t ScaleScratch(const Step& step) { return int64_t{64} + ParamsOf<FakeParams>(step).scratch; }

absl::StatusOr<std::shared_ptr<const void>> PrepareScale(const Step& step, void* const*) {
  return std::shared_ptr<const void>(std::make_shared<float>(ParamsOf<FakeParams>(step).factor));
}

void Scale(const Step& step, const KernelContext& context) {
  const Range range = SplitRange(ParamsOf<FakeParams>(step).n, 4, context.thread, context.threads);
  float* scratch = static_cast<float*>(context.scratch);
  for (int i = 0; i < 16; ++i) scratch[i] = *static_cast<const float*>(context.state);
  for (int64_t i = range.begin; i < range.end; ++i) Store(context.operands[1], i, Load(context.operands[0], i) * scratch[i % 16]);
}

void ScaleUnlessNegative(const Step& step, const KernelContext& context) {
  const Range range = SplitRange(ParamsOf<FakeParams>(step).n, 4, context.thread, context.threads);
  for (int64_t i = range.begin; i < range.end; ++i) {
    if (Load(context.operands[0], i) < 0) FailStep(context, "a negative element");
  }
  Scale(step, context);
}

absl::StatusOr<std::shared_ptr<const void>> PrepareFail(const Step&, void* const*) { return absl::InvalidArgumentError("prepare refuses"); }

constexpr KernelDef kKernels[] = {
    {"fake.add", [](const Step& s) { return Verify(s, 3); }, nullptr, nullptr, Add, 1u << 2},
    {"fake.scale", [](const Step& s) { return Verify(s, 2); }, ScaleScratch, PrepareScale, Scale, 1u << 1},
    {"fake.fail_if_negative", [](const Step& s) { return Verify(s, 2); }, ScaleScratch, PrepareScale, ScaleUnlessNegative, 1u << 1},
    {"fake.fail", [](const Step&) { return absl::OkStatus(); }, nullptr, PrepareFail, Add, 0},
};

}  // namespace

void RegisterFakeKernels() {
  for (const KernelDef& kernel : kKernels) RegisterKernel(&kernel).IgnoreError();
}

Program FakeProgram() {
  constexpr uint64_t kBytes = kFakeElements * sizeof(float), kRoom = 448;
  Program program;
  program.model_name = "fake";
  program.soc_version = kReferenceSoc;
  program.isa = "generic";
  program.manifest = {{"producer", "test"}, {"source_hash", "0123"}};
  program.inputs = {{"x", DType::kFloat32, {1, kFakeElements}, "ND", kBytes}};
  program.outputs = {{"y", DType::kFloat32, {1, kFakeElements}, "ND", kBytes}};
  program.arena_size = 2 * kRoom;
  for (int64_t i = 0; i < kFakeElements; ++i) {
    const float value = static_cast<float>(i) / 4;
    const auto* bytes = reinterpret_cast<const uint8_t*>(&value);
    program.weights.insert(program.weights.end(), bytes, bytes + sizeof value);
  }
  const Operand x{Space::kInput, 0, 0, kBytes}, w{Space::kWeights, 0, 0, kBytes}, y{Space::kOutput, 0, 0, kBytes};
  const Operand sum{Space::kArena, 0, 0, kBytes}, scaled{Space::kArena, 0, kRoom, kBytes};
  const std::string params = ParamBytes(FakeParams{kFakeElements, 3, 0});
  program.steps = {{"fake.add", "add1", "Add", params, {x, w, sum}, kFakeOperations},
                   {"fake.scale", "scale", "Mul", params, {sum, scaled}, kFakeOperations},
                   {"fake.add", "add2", "Add", params, {scaled, sum, y}, kFakeOperations}};
  return program;
}

std::vector<float> FakeResult(const std::vector<float>& x) {
  const int64_t n = kFakeElements;
  std::vector<float> sum(n), y(n);
  for (int64_t i = 0; i < n; ++i) sum[i] = x[i] + static_cast<float>(n - 1 - i) / 4;
  for (int64_t i = 0; i < n; ++i) y[i] = sum[i] * 3 + sum[n - 1 - i];
  return y;
}

}  // namespace omkit::runtime
