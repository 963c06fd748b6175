// Each row must be what the full runtime's kernel of the same name is: same operands written, state and scratch.
#include "tools/omkit_rt/kernels.h"

#include <string>

#include "backends/kernels/softmax_f32/softmax_f32.h"
#include "backends/kernels/u8.h"
#include "gtest/gtest.h"
#include "runtime/kernel.h"

namespace omkit::rt {
namespace {

TEST(RtKernels, SoftmaxAsksForTheSameScratch) {
  kernels::RegisterSoftmaxF32Kernels();
  const std::string name = kernels::SoftmaxF32Kernel(Isa::kGeneric);
  const Kernel* row = FindKernel(name.data(), name.size());
  const runtime::KernelDef* full = runtime::FindKernel(name);
  ASSERT_TRUE(row != nullptr && full != nullptr);
  for (const int64_t length : {1, 15, 16, 17, 1000}) {
    for (const int quantized : {0, 1}) {
      kernels::SoftmaxF32Params params = {};
      const int64_t dims[] = {3, length};
      params.in = params.out = kernels::DenseView(dims, 2, 4);
      params.axis = 1;
      params.quantized = quantized;
      runtime::Step step;
      step.params = runtime::ParamBytes(params);
      EXPECT_EQ(row->scratch_bytes(&params), full->scratch_bytes(step)) << length << " " << quantized;
    }
  }
}

TEST(RtKernels, AgreeWithTheRegistry) {
  kernels::RegisterU8Kernels();
  kernels::RegisterSoftmaxF32Kernels();
  size_t count = 0, found = 0;
  const Kernel* rows = Kernels(&count);
  for (size_t i = 0; i < count; ++i) {
    const Kernel& row = rows[i];
    const std::string name = row.name;
    SCOPED_TRACE(name);
    EXPECT_EQ(name.substr(name.rfind('.') + 1), IsaName(row.isa));
    const runtime::KernelDef* full = runtime::FindKernel(name);
    EXPECT_EQ(full != nullptr, CpuSupports(row.isa));
    EXPECT_EQ(FindKernel(name.data(), name.size()), full == nullptr ? nullptr : &row);
    if (full == nullptr) continue;
    ++found;
    EXPECT_EQ(row.writes, full->writes);
    EXPECT_EQ(row.constants_bytes != nullptr, full->prepare != nullptr);
    EXPECT_EQ(row.scratch_bytes != nullptr, full->scratch_bytes != nullptr);
    // One operand too few, one too many and a parameter byte too many are refused by the full runtime as well.
    runtime::Step step;
    step.kernel = name;
    step.params.resize(row.params_size);
    for (size_t operands : {size_t{row.least_operands} - 1, size_t{row.most_operands} + 1}) {
      step.operands.resize(operands);
      EXPECT_NE(full->verify(step).message().find("operands, the step has"), std::string::npos) << full->verify(step);
    }
    step.operands.resize(row.least_operands);
    EXPECT_EQ(full->verify(step).message().find("the step has"), std::string::npos) << full->verify(step);
    step.params.resize(row.params_size + 1);
    EXPECT_NE(full->verify(step).message().find("parameter bytes"), std::string::npos) << full->verify(step);
  }
  EXPECT_GE(found, count / 8);
  EXPECT_EQ(FindKernel("conv_u8", 7), nullptr);
  EXPECT_EQ(FindKernel("", 0), nullptr);
  EXPECT_TRUE(HasTier("generic", 7));
  EXPECT_FALSE(HasTier("generic", 6));
}

}  // namespace
}  // namespace omkit::rt
