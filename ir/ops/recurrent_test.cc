// Recurrent operators against their equations written out once more for one unit; directions, lengths and layouts against each other.
// ONNX's node tests and real networks cover the values; here is what they do not reach.
#include <cmath>

#include "gtest/gtest.h"
#include "ir/ops/op_testing.h"

namespace omkit::ir {
namespace {

struct CellCase {
  OpKind op;
  int64_t gates;
};
const CellCase kCells[] = {{OpKind::kRNN, 1}, {OpKind::kGRU, 3}, {OpKind::kLSTM, 4}};
constexpr int64_t kTime = 4, kBatch = 2, kInput = 3, kHidden = 2;

std::vector<Tensor> Operands(Random& r, int64_t gates, int64_t directions) {
  return {r.FloatTensor({kTime, kBatch, kInput}), r.FloatTensor({directions, gates * kHidden, kInput}),
          r.FloatTensor({directions, gates * kHidden, kHidden}), r.FloatTensor({directions, 2 * gates * kHidden})};
}

// Tensor [T, ...] with its first axis reversed.
Tensor Reversed(const Tensor& x) {
  Tensor y = x.Clone();
  const int64_t slice = x.elements() / x.shape().dim(0);
  for (int64_t t = 0; t < x.shape().dim(0); ++t) {
    for (int64_t i = 0; i < slice; ++i) y.mutable_data<float>()[t * slice + i] = x.data<float>()[(x.shape().dim(0) - 1 - t) * slice + i];
  }
  return y;
}

TEST(Recurrent, ReverseIsForwardOnTheReversedSequence) {
  Random r(1);
  for (const CellCase& cell : kCells) {
    std::vector<Tensor> x = Operands(r, cell.gates, 1);
    const auto reverse = RunOp(cell.op, x, AttrsOf({{"direction", std::string("reverse")}}), 2);
    x[0] = Reversed(x[0]);
    const auto forward = RunOp(cell.op, x, {}, 2);
    ASSERT_TRUE(forward.ok() && reverse.ok()) << forward.status() << reverse.status();
    EXPECT_EQ(Values<float>(Reversed((*reverse)[0])), Values<float>((*forward)[0]));
    EXPECT_EQ(Values<float>((*reverse)[1]), Values<float>((*forward)[1]));
  }
}

TEST(Recurrent, StepsBehindALengthGiveZerosAndKeepTheState) {
  Random r(2);
  for (const CellCase& cell : kCells) {
    std::vector<Tensor> x = Operands(r, cell.gates, 1);
    const auto whole = RunOp(cell.op, x, {}, 2);
    x.push_back(Of<int32_t>({kBatch}, {2, 0}));
    const auto part = RunOp(cell.op, x, {}, 2);
    ASSERT_TRUE(whole.ok() && part.ok()) << part.status();
    const std::vector<float> all = Values<float>((*whole)[0]), cut = Values<float>((*part)[0]), last = Values<float>((*part)[1]);
    for (int64_t t = 0; t < kTime; ++t) {
      for (int64_t i = 0; i < kHidden; ++i) {
        EXPECT_EQ(cut[t * kBatch * kHidden + i], t < 2 ? all[t * kBatch * kHidden + i] : 0.0f);
        EXPECT_EQ(cut[(t * kBatch + 1) * kHidden + i], 0.0f);
      }
    }
    for (int64_t i = 0; i < kHidden; ++i) {
      EXPECT_EQ(last[i], all[kBatch * kHidden + i]);
      EXPECT_EQ(last[kHidden + i], 0.0f);
    }
    x[4] = Of<int32_t>({kBatch}, {kTime + 1, 0});
    EXPECT_FALSE(RunOp(cell.op, x, {}, 2).ok());
    x[4] = Of<int32_t>({kBatch}, {-1, 0});
    EXPECT_FALSE(RunOp(cell.op, x, {}, 2).ok());
  }
}

TEST(Recurrent, OneUnitFollowsItsEquation) {
  const Tensor x = Floats({1, 1, 1}, {0.5f}), w1 = Floats({1, 1, 1}, {2}), r1 = Floats({1, 1, 1}, {3}), h0 = Floats({1, 1, 1}, {0.25f});
  const Attrs clipped = AttrsOf({{"clip", 1.0f},
                                 {"activations", std::vector<std::string>{"Affine"}},
                                 {"activation_alpha", std::vector<float>{2}},
                                 {"activation_beta", std::vector<float>{0.5f}}});
  // 0.5 * 2 + 0.25 * 3 = 1.75, clipped to 1; 2 * 1 + 0.5.
  EXPECT_EQ(Values<float>((*RunOp(OpKind::kRNN, {x, w1, r1, Tensor(), Tensor(), h0}, clipped))[0]), (std::vector<float>{2.5f}));

  const Tensor w4 = Floats({1, 4, 1}, {0, 0, 0, 2}), r4 = Floats({1, 4, 1}, {0, 0, 0, 0}), c0 = Floats({1, 1, 1}, {1});
  const auto lstm =
      RunOp(OpKind::kLSTM, {x, w4, r4, Tensor(), Tensor(), h0, c0, Floats({1, 3}, {1, 0, 0})}, AttrsOf({{"input_forget", int64_t{1}}}), 3);
  ASSERT_TRUE(lstm.ok()) << lstm.status();
  const double in = 1 / (1 + std::exp(-1.0)), c = (1 - in) * 1 + in * std::tanh(1.0);
  EXPECT_NEAR(Values<float>((*lstm)[2])[0], c, 1e-6);
  EXPECT_NEAR(Values<float>((*lstm)[1])[0], 0.5 * std::tanh(c), 1e-6);
}

TEST(Recurrent, RefusesOperandsThatDoNotFit) {
  Random r(3);
  for (const CellCase& cell : kCells) {
    const std::vector<Tensor> good = Operands(r, cell.gates, 1);
    ASSERT_TRUE(RunOp(cell.op, good).ok());
    for (size_t i = 0; i < good.size(); ++i) {
      std::vector<Tensor> bad = good;
      bad[i] = r.FloatTensor({7, 7, 7});
      EXPECT_FALSE(RunOp(cell.op, bad).ok()) << i;
    }
    EXPECT_FALSE(RunOp(cell.op, good, AttrsOf({{"direction", std::string("bidirectional")}})).ok());
    EXPECT_FALSE(RunOp(cell.op, good, AttrsOf({{"hidden_size", int64_t{5}}})).ok());
    EXPECT_FALSE(RunOp(cell.op, good, AttrsOf({{"layout", int64_t{2}}})).ok());
    EXPECT_FALSE(RunOp(cell.op, good, AttrsOf({{"activations", std::vector<std::string>{"Tanh", "Tanh", "Nope"}}})).ok());
  }
}

}  // namespace
}  // namespace omkit::ir
