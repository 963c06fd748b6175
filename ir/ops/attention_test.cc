// Attention where the standard was corrected after its release, and what ONNX Runtime leaves out; //tests/conformance:fuzz_test covers the rest.
#include <cmath>

#include "gtest/gtest.h"
#include "ir/ops/op_testing.h"

namespace omkit::ir {
namespace {

// One head of size 1: scores are the products of queries and keys.
std::vector<Tensor> Operands(const std::vector<float>& q, const std::vector<float>& k, const std::vector<float>& v) {
  const auto column = [](const std::vector<float>& x) { return Floats({1, 1, static_cast<int64_t>(x.size()), 1}, x); };
  return {column(q), column(k), column(v)};
}

Tensor Seen(int64_t queries, const std::vector<int>& keys) {
  Tensor mask = *Tensor::Allocate(DType::kBool, {queries, static_cast<int64_t>(keys.size()) / queries});
  for (size_t i = 0; i < keys.size(); ++i) mask.mutable_data<bool>()[i] = keys[i] != 0;
  return mask;
}

std::vector<float> Attend(const std::vector<Tensor>& inputs, const Attrs& attrs, int output) {
  const auto results = RunOp(OpKind::kAttention, inputs, attrs, 4);
  if (!results.ok()) {
    ADD_FAILURE() << results.status();
    return {};
  }
  return Values<float>((*results)[output]);
}

TEST(Attention, CapsScoresBeforeTheMask) {
  std::vector<Tensor> inputs = Operands({2}, {1, 3}, {5, 7});
  inputs.push_back(Seen(1, {1, 0}));
  const auto attrs = [](int64_t mode) { return AttrsOf({{"softcap", 0.5f}, {"scale", 1.0f}, {"qk_matmul_output_mode", mode}}); };
  EXPECT_EQ(Attend(inputs, attrs(0), 0), std::vector<float>{5});  // a hidden key has no weight
  EXPECT_EQ(Attend(inputs, attrs(0), 3), (std::vector<float>{2, 6}));
  const float capped[] = {0.5f * std::tanh(4.0f), 0.5f * std::tanh(12.0f)};
  EXPECT_NEAR(Attend(inputs, attrs(1), 3)[0], capped[0], 1e-6);
  EXPECT_NEAR(Attend(inputs, attrs(1), 3)[1], capped[1], 1e-6);
  EXPECT_NEAR(Attend(inputs, attrs(2), 3)[0], capped[0], 1e-6);
  EXPECT_EQ(Attend(inputs, attrs(2), 3)[1], -INFINITY);
  EXPECT_EQ(Attend(inputs, attrs(3), 3), (std::vector<float>{1, 0}));
}

TEST(Attention, GivesZerosForAQueryThatSeesNothing) {
  std::vector<Tensor> inputs = Operands({1, 1}, {0, 0}, {4, 8});
  inputs.push_back(Seen(2, {0, 0, 1, 1}));
  EXPECT_EQ(Attend(inputs, {}, 0), (std::vector<float>{0, 6}));
  EXPECT_TRUE(std::isnan(Attend(inputs, AttrsOf({{"qk_matmul_output_mode", int64_t{3}}}), 3)[0]));
}

TEST(Attention, CausalQueriesSeeThePastAndThemselves) {
  std::vector<Tensor> inputs = Operands({1}, {0, 0}, {6, 100});
  inputs.resize(6);
  inputs[4] = Floats({1, 1, 1, 1}, {0});
  inputs[5] = Floats({1, 1, 1, 1}, {2});
  EXPECT_EQ(Attend(inputs, AttrsOf({{"is_causal", int64_t{1}}}), 0), std::vector<float>{4});  // ONNX Runtime would show it the last key too
}

TEST(Attention, TakesAMaskShorterThanTheKeys) {
  std::vector<Tensor> inputs = Operands({1}, {0, 0, 0}, {3, 5, 100});
  inputs.push_back(Floats({1, 2}, {0, 0}));
  EXPECT_EQ(Attend(inputs, {}, 0), std::vector<float>{4});
}

}  // namespace
}  // namespace omkit::ir
