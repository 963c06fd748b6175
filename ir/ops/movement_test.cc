// Movement operators against index arithmetic, on several element sizes; what they refuse.
#include <limits>

#include "gtest/gtest.h"
#include "ir/ops/op_testing.h"

namespace omkit::ir {
namespace {

Tensor Iota(Shape shape) {
  Tensor t = *Tensor::Allocate(DType::kInt32, std::move(shape));
  for (int64_t i = 0; i < t.elements(); ++i) t.mutable_data<int32_t>()[i] = static_cast<int32_t>(i);
  return t;
}

// Python's range semantics of one sliced axis.
Ints SlicedIndices(int64_t size, int64_t start, int64_t end, int64_t step) {
  const auto wrap = [&](int64_t v) { return v < 0 ? v + size : v; };
  const int64_t low = step > 0 ? 0 : -1, high = step > 0 ? size : size - 1;
  const int64_t from = std::min(std::max(wrap(start), low), high), to = std::min(std::max(wrap(end), low), high);
  Ints indices;
  for (int64_t i = from; step > 0 ? i < to : i > to; i += step) indices.push_back(i);
  return indices;
}

TEST(Slice, MatchesIndexing) {
  Random r(1);
  for (int round = 0; round < 300; ++round) {
    const int64_t h = r.Int(1, 6), w = r.Int(1, 6);
    const Tensor x = Iota({h, w});
    Ints start, end, step;
    for (int d = 0; d < 2; ++d) {
      start.push_back(r.Int(-8, 8));
      end.push_back(r.Int(-8, 8));
      step.push_back(r.Coin() ? r.Int(1, 3) : r.Int(-3, -1));
    }
    const Ints rows = SlicedIndices(h, start[0], end[0], step[0]), columns = SlicedIndices(w, start[1], end[1], step[1]);
    const auto y = RunOp(OpKind::kSlice, {x, Vector64(start), Vector64(end), Vector64({0, -1}), Vector64(step)});
    ASSERT_TRUE(y.ok()) << y.status();
    ASSERT_EQ((*y)[0].shape(), (Shape{static_cast<int64_t>(rows.size()), static_cast<int64_t>(columns.size())}));
    int64_t e = 0;
    for (int64_t i : rows) {
      for (int64_t j : columns) ASSERT_EQ(IntegerAt((*y)[0], e++), i * w + j);
    }
  }
}

TEST(Slice, ExtremeBoundsDoNotOverflow) {
  const int64_t max = std::numeric_limits<int64_t>::max(), min = std::numeric_limits<int64_t>::min();
  const Tensor x = Iota({4});
  const auto values = [&](int64_t s, int64_t e, int64_t step) {
    const auto y = RunOp(OpKind::kSlice, {x, Vector64({s}), Vector64({e}), Vector64({0}), Vector64({step})});
    EXPECT_TRUE(y.ok()) << y.status();
    return y.ok() ? Values<int32_t>((*y)[0]) : std::vector<int32_t>();
  };
  EXPECT_EQ(values(0, max, 1), (std::vector<int32_t>{0, 1, 2, 3}));
  EXPECT_EQ(values(min, max, max), (std::vector<int32_t>{0}));
  EXPECT_EQ(values(max, min, -1), (std::vector<int32_t>{3, 2, 1, 0}));
  EXPECT_EQ(values(max, min, min), (std::vector<int32_t>{3}));
  EXPECT_FALSE(RunOp(OpKind::kSlice, {x, Vector64({0}), Vector64({4}), Vector64({0}), Vector64({0})}).ok());
  EXPECT_FALSE(RunOp(OpKind::kSlice, {x, Vector64({0}), Vector64({4}), Vector64({1})}).ok());
  EXPECT_FALSE(RunOp(OpKind::kSlice, {x, Vector64({0, 0}), Vector64({4, 4}), Vector64({0, 0})}).ok());
}

TEST(Transpose, MatchesIndexingForEveryElementSize) {
  for (DType dtype : {DType::kUInt8, DType::kInt16, DType::kInt32, DType::kInt64}) {
    Tensor x = *Tensor::Allocate(dtype, {2, 3, 4});
    for (int64_t i = 0; i < 24; ++i) static_cast<uint8_t*>(x.mutable_raw())[i * SizeOf(dtype)] = static_cast<uint8_t>(i);
    const auto y = RunOp(OpKind::kTranspose, {x}, AttrsOf({{"perm", Ints{2, 0, 1}}}));
    ASSERT_TRUE(y.ok()) << y.status();
    for (int64_t e = 0; e < 24; ++e) ASSERT_EQ(IntegerAt((*y)[0], e), e / 3 % 2 * 12 + e % 3 * 4 + e / 6);
  }
  EXPECT_FALSE(RunOp(OpKind::kTranspose, {Iota({2, 3})}, AttrsOf({{"perm", Ints{0, 0}}})).ok());
  EXPECT_FALSE(RunOp(OpKind::kTranspose, {Iota({2, 3})}, AttrsOf({{"perm", Ints{0}}})).ok());
}

TEST(Reshape, ResolvesZeroAndMinusOne) {
  const Tensor x = Iota({2, 3, 4});
  const auto shape = [&](Ints target, Attrs attrs = {}) {
    const auto y = RunOp(OpKind::kReshape, {x, Vector64(target)}, attrs);
    return y.ok() ? (*y)[0].shape().ToString() : "error";
  };
  EXPECT_EQ(shape({0, -1}), "2x12");
  EXPECT_EQ(shape({-1}), "24");
  EXPECT_EQ(shape({4, 3, 2}), "4x3x2");
  EXPECT_EQ(shape({-1, -1}), "error");
  EXPECT_EQ(shape({5, -1}), "error");
  EXPECT_EQ(shape({2, 3}), "error");
  EXPECT_EQ(shape({0, 0, 0, 0}), "error");
  EXPECT_EQ(shape({-2, 12}), "error");
  EXPECT_EQ(shape({int64_t{1} << 40, int64_t{1} << 40}), "error");
  EXPECT_EQ(shape({0, -1}, AttrsOf({{"allowzero", int64_t{1}}})), "error");
}

TEST(Pad, FillsBordersByMode) {
  const Tensor x = Floats({3}, {1, 2, 3});
  const auto values = [&](const char* mode, Ints pads, Tensor value = {}) {
    const auto y = RunOp(OpKind::kPad, {x, Vector64(pads), value}, AttrsOf({{"mode", std::string(mode)}}));
    EXPECT_TRUE(y.ok()) << y.status();
    return y.ok() ? Values<float>((*y)[0]) : std::vector<float>();
  };
  EXPECT_EQ(values("constant", {1, 2}, Floats({}, {7})), (std::vector<float>{7, 1, 2, 3, 7, 7}));
  EXPECT_EQ(values("constant", {1, 0}), (std::vector<float>{0, 1, 2, 3}));
  EXPECT_EQ(values("reflect", {2, 2}), (std::vector<float>{3, 2, 1, 2, 3, 2, 1}));
  EXPECT_EQ(values("edge", {2, 1}), (std::vector<float>{1, 1, 1, 2, 3, 3}));
  EXPECT_EQ(values("wrap", {2, 1}), (std::vector<float>{2, 3, 1, 2, 3, 1}));
  EXPECT_FALSE(RunOp(OpKind::kPad, {x, Vector64({-1, 0})}).ok());
  EXPECT_FALSE(RunOp(OpKind::kPad, {x, Vector64({1})}).ok());
  EXPECT_FALSE(RunOp(OpKind::kPad, {x, Vector64({3, 0})}, AttrsOf({{"mode", std::string("reflect")}})).ok());
}

TEST(Pad, QuantizedDataIsPaddedWithItsZeroPoint) {
  const QuantParams q = QuantParams::PerTensor(0.5f, 11);
  Tensor x = *Tensor::Allocate({DType::kUInt8, {2}, q, Layout::kPlain});
  x.mutable_data<uint8_t>()[0] = 200;
  const TensorType out = {DType::kUInt8, {}, q, Layout::kPlain};
  EXPECT_EQ(Values<uint8_t>((*RunOp(OpKind::kPad, {x, Vector64({1, 1})}, {}, 1, out))[0]), (std::vector<uint8_t>{11, 200, 0, 11}));
  EXPECT_EQ(Values<uint8_t>((*RunOp(OpKind::kPad, {x, Vector64({1, 0}), Floats({}, {2.0f})}, {}, 1, out))[0]), (std::vector<uint8_t>{15, 200, 0}));
}

TEST(Movement, ChangesParametersThroughFloat) {
  Tensor x = *Tensor::Allocate({DType::kUInt8, {2}, QuantParams::PerTensor(0.5f, 0), Layout::kPlain});
  x.mutable_data<uint8_t>()[0] = 4;
  x.mutable_data<uint8_t>()[1] = 255;
  const auto y =
      RunOp(OpKind::kConcat, {x, x}, AttrsOf({{"axis", int64_t{0}}}), 1, {DType::kUInt8, {}, QuantParams::PerTensor(0.25f, 1), Layout::kPlain});
  ASSERT_TRUE(y.ok()) << y.status();
  EXPECT_EQ(Values<uint8_t>((*y)[0]), (std::vector<uint8_t>{9, 255, 9, 255}));
}

TEST(Gather, TakesNegativeIndicesAndRefusesOthers) {
  const Tensor x = Iota({3, 2});
  EXPECT_EQ(Values<int32_t>((*RunOp(OpKind::kGather, {x, Vector64({-1, 0})}))[0]), (std::vector<int32_t>{4, 5, 0, 1}));
  EXPECT_EQ(Values<int32_t>((*RunOp(OpKind::kGather, {x, Vector64({1})}, AttrsOf({{"axis", int64_t{1}}})))[0]), (std::vector<int32_t>{1, 3, 5}));
  EXPECT_EQ(RunOp(OpKind::kGather, {x, Vector64({3})}).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(RunOp(OpKind::kGather, {x, Vector64({-4})}).status().code(), absl::StatusCode::kOutOfRange);
}

TEST(DepthToSpace, UndoesSpaceToDepth) {
  const Tensor x = Iota({2, 3, 4, 6});
  const Attrs attrs = AttrsOf({{"blocksize", int64_t{2}}});
  const Tensor deep = (*RunOp(OpKind::kSpaceToDepth, {x}, attrs))[0];
  EXPECT_EQ(deep.shape(), (Shape{2, 12, 2, 3}));
  EXPECT_EQ(IntegerAt(deep, deep.shape().elements() / 2), 72);
  EXPECT_EQ(Values<int32_t>((*RunOp(OpKind::kDepthToSpace, {deep}, attrs))[0]), Values<int32_t>(x));
}

TEST(Split, DividesEvenlyOrBySizes) {
  const Tensor x = Iota({7});
  const auto by_count = RunOp(OpKind::kSplit, {x}, AttrsOf({{"num_outputs", int64_t{3}}}), 3);
  ASSERT_TRUE(by_count.ok()) << by_count.status();
  EXPECT_EQ(Values<int32_t>((*by_count)[2]), (std::vector<int32_t>{6}));
  const auto by_size = RunOp(OpKind::kSplit, {x, Vector64({2, 5})}, {}, 2);
  ASSERT_TRUE(by_size.ok()) << by_size.status();
  EXPECT_EQ(Values<int32_t>((*by_size)[1]), (std::vector<int32_t>{2, 3, 4, 5, 6}));
  EXPECT_FALSE(RunOp(OpKind::kSplit, {x, Vector64({2, 4})}, {}, 2).ok());
  EXPECT_FALSE(RunOp(OpKind::kSplit, {x, Vector64({9, -2})}, {}, 2).ok());
}

TEST(Tile, RepeatsEveryAxis) {
  const auto y = RunOp(OpKind::kTile, {Iota({2, 2}), Vector64({2, 3})});
  ASSERT_TRUE(y.ok()) << y.status();
  EXPECT_EQ(Values<int32_t>((*y)[0]), (std::vector<int32_t>{0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3, 0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3}));
}

}  // namespace
}  // namespace omkit::ir
