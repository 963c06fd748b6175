// Indexing operators: order of updates, reductions, and indices that would leave their tensor.
#include <cmath>
#include <cstdint>

#include "gtest/gtest.h"
#include "ir/ops/op_testing.h"

namespace omkit::ir {
namespace {

struct ReductionCase {
  const char* name;
  std::vector<int32_t> expected;
};

TEST(Scatter, AppliesRepeatedUpdatesInOrder) {
  const Tensor data = Of<int32_t>({3}, {10, 20, 30});
  const Tensor updates = Of<int32_t>({3}, {2, 5, -40});
  for (const ReductionCase& c :
       {ReductionCase{"none", {10, 20, -40}}, {"add", {10, 20, -3}}, {"mul", {10, 20, -12000}}, {"max", {10, 20, 30}}, {"min", {10, 20, -40}}}) {
    const Attrs attrs = AttrsOf({{"reduction", std::string(c.name)}});
    const auto elements = RunOp(OpKind::kScatterElements, {data, Vector64({2, 2, -1}), updates}, attrs);
    const auto nd = RunOp(OpKind::kScatterND, {data, Of<int64_t>({3, 1}, {2, 2, -1}), updates}, attrs);
    ASSERT_TRUE(elements.ok() && nd.ok()) << elements.status() << nd.status();
    EXPECT_EQ(Values<int32_t>((*elements)[0]), c.expected) << c.name;
    EXPECT_EQ(Values<int32_t>((*nd)[0]), c.expected) << c.name;
  }
  EXPECT_FALSE(RunOp(OpKind::kScatterND, {data, Of<int64_t>({3, 1}, {0, 1, 2}), updates}, AttrsOf({{"reduction", std::string("sum")}})).ok());
}

TEST(Gather, IndicesOutsideAreErrors) {
  const Tensor data = Of<int32_t>({2, 3}, {0, 1, 2, 3, 4, 5});
  for (int64_t bad : {int64_t{3}, int64_t{-4}, INT64_MAX, INT64_MIN}) {
    const Tensor one = Of<int64_t>({1, 1}, {bad});
    const Tensor update = Of<int32_t>({1, 1}, {9});
    EXPECT_FALSE(RunOp(OpKind::kGatherElements, {data, one}, AttrsOf({{"axis", int64_t{1}}})).ok()) << bad;
    EXPECT_FALSE(RunOp(OpKind::kScatterElements, {data, one, update}, AttrsOf({{"axis", int64_t{1}}})).ok()) << bad;
    EXPECT_FALSE(RunOp(OpKind::kGatherND, {data, Of<int64_t>({1, 2}, {0, bad})}).ok()) << bad;
    EXPECT_FALSE(RunOp(OpKind::kScatterND, {data, Of<int64_t>({1, 2}, {0, bad}), Of<int32_t>({1}, {9})}).ok()) << bad;
  }
  EXPECT_FALSE(RunOp(OpKind::kGatherElements, {data, Of<int64_t>({3, 1}, {0, 0, 0})}, AttrsOf({{"axis", int64_t{1}}})).ok());
  EXPECT_FALSE(RunOp(OpKind::kGatherND, {data, Of<int64_t>({1, 3}, {0, 0, 0})}).ok());
  EXPECT_FALSE(RunOp(OpKind::kScatterND, {data, Of<int64_t>({1, 1}, {0}), Of<int32_t>({1, 2}, {1, 2})}).ok());
}

TEST(TopK, OrdersEqualValuesByPlaceAndNaNAboveAll) {
  const float nan = std::nanf("");
  const Tensor x = Floats({5}, {1, nan, 3, 1, 3});
  const auto most = RunOp(OpKind::kTopK, {x, Vector64({3})}, {}, 2);
  const auto least = RunOp(OpKind::kTopK, {x, Vector64({2})}, AttrsOf({{"largest", int64_t{0}}}), 2);
  ASSERT_TRUE(most.ok() && least.ok());
  EXPECT_EQ(Values<int64_t>((*most)[1]), (Ints{1, 2, 4}));
  EXPECT_EQ(Values<int64_t>((*least)[1]), (Ints{0, 3}));
  EXPECT_FALSE(RunOp(OpKind::kTopK, {x, Vector64({6})}, {}, 2).ok());
  EXPECT_FALSE(RunOp(OpKind::kTopK, {x, Vector64({-1})}, {}, 2).ok());
}

}  // namespace
}  // namespace omkit::ir
