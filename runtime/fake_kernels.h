// Small honest kernels and a program made of them, for the tests of this folder.
#ifndef OMKIT_RUNTIME_FAKE_KERNELS_H_
#define OMKIT_RUNTIME_FAKE_KERNELS_H_

#include <cstdint>
#include <vector>

#include "runtime/program.h"

namespace omkit::runtime {

// "fake.add": out[i] = a[i] + b[n - 1 - i]; operands a, b, out, all f32[n]. Threads read what other threads wrote.
// "fake.scale": out[i] = in[i] * factor; operands in, out, f32[n]. The factor comes from prepare and goes through scratch.
// "fake.fail": verifies and then fails in prepare.
// "fake.fail_if_negative": fake.scale that fails on negative elements, seen by the thread that has them only.
struct FakeParams {
  int64_t n = 0;
  float factor = 1;
  int32_t scratch = 0;  // extra bytes of scratch that fake.scale asks for
};
void RegisterFakeKernels();

constexpr int64_t kFakeElements = 100;
// What the steps claim to do: enough for the executor to use all threads.
constexpr int64_t kFakeOperations = 1'000'000;
// y = ((x + reverse(w)) * 3 + reverse(x + reverse(w))) with w[i] = i / 4 in the weights; for cpu-reference.
Program FakeProgram();
// The same computed directly.
std::vector<float> FakeResult(const std::vector<float>& x);

}  // namespace omkit::runtime

#endif  // OMKIT_RUNTIME_FAKE_KERNELS_H_
