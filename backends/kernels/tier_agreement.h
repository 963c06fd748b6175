// Test support: one float step on every tier and for 1 to 4 threads; all must give the same bytes. Then the bytes are compared with
// a reference in double, and everything outside the output view must be untouched.
#ifndef OMKIT_BACKENDS_KERNELS_TIER_AGREEMENT_H_
#define OMKIT_BACKENDS_KERNELS_TIER_AGREEMENT_H_

#include <cmath>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "backends/kernels/step_runner.h"
#include "backends/kernels/step_views.h"
#include "gtest/gtest.h"

namespace omkit::kernels {

struct StepOperand {
  runtime::Space space;
  std::vector<uint8_t> bytes;
};
template <typename T>
StepOperand Arena(const std::vector<T>& v) {
  StepOperand o{runtime::Space::kArena, std::vector<uint8_t>(v.size() * sizeof(T))};
  if (!v.empty()) std::memcpy(o.bytes.data(), v.data(), o.bytes.size());
  return o;
}
template <typename T>
StepOperand Constant(const std::vector<T>& v) {
  StepOperand o = Arena(v);
  o.space = runtime::Space::kWeights;
  return o;
}

inline std::vector<float> RandomFloats(Random& random, size_t count, float lo = -1.0f, float hi = 1.0f) {
  std::uniform_real_distribution<float> uniform(lo, hi);
  std::vector<float> v(count);
  for (float& x : v) x = uniform(random);
  return v;
}

template <typename Params>
absl::Status VerifyStep(std::string (*kernel)(Isa), const Params& params, const std::vector<StepOperand>& operands) {
  StepRunner runner(kernel(Isa::kGeneric), runtime::ParamBytes(params));
  for (const StepOperand& o : operands) runner.Add(o.space, o.bytes.data(), o.bytes.size());
  return runner.Verify();
}

// The bytes of operand `output` after the step, equal for all tiers and thread counts.
template <typename Params>
void RunAllTiers(std::string (*kernel)(Isa), const Params& params, const std::vector<StepOperand>& operands, int output,
                 std::vector<uint8_t>* result) {
  result->clear();
  for (Isa isa : RunnableTiers()) {
    for (int threads = 1; threads <= 4; ++threads) {
      StepRunner runner(kernel(isa), runtime::ParamBytes(params));
      for (const StepOperand& o : operands) runner.Add(o.space, o.bytes.data(), o.bytes.size());
      ASSERT_EQ(runner.Run(threads), absl::OkStatus()) << kernel(isa);
      const std::vector<uint8_t> bytes = runner.Bytes(output);
      if (result->empty()) *result = bytes;
      ASSERT_TRUE(bytes == *result) << kernel(isa) << " with " << threads << " threads differs from the first tier";
    }
  }
}

// Runs everywhere, then compares each element of `view` with reference(index) within `bound(index)`, and the rest with the old bytes.
template <typename Params>
void CheckFloatStep(std::string (*kernel)(Isa), const Params& params, const std::vector<StepOperand>& operands, int output, const View& view,
                    const std::function<double(const std::vector<int64_t>&)>& reference, double relative, double absolute) {
  std::vector<uint8_t> bytes;
  ASSERT_NO_FATAL_FAILURE(RunAllTiers(kernel, params, operands, output, &bytes));
  std::vector<uint8_t> rest = operands[output].bytes;
  ForEach({&view}, [&](const std::vector<int64_t>& index, const std::vector<int64_t>& at) {
    if (testing::Test::HasFatalFailure()) return;
    float got;
    std::memcpy(&got, &bytes[at[0] * 4], 4);
    std::memcpy(&rest[at[0] * 4], &got, 4);
    const double want = reference(index);
    if (std::isnan(want)) {
      ASSERT_TRUE(std::isnan(got)) << kernel(Isa::kGeneric);
    } else if (std::isinf(want)) {
      ASSERT_EQ(got, want) << kernel(Isa::kGeneric);
    } else {
      ASSERT_LE(std::fabs(got - want), absolute + relative * std::fabs(want)) << kernel(Isa::kGeneric) << " got " << got << " want " << want;
    }
  });
  if (testing::Test::HasFatalFailure()) return;
  ASSERT_TRUE(bytes == rest) << kernel(Isa::kGeneric) << " wrote outside its output view";
}

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_TIER_AGREEMENT_H_
