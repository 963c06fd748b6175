#include <cmath>

#include "backends/kernels/resize/resize.h"
#include "backends/kernels/tier_agreement.h"
#include "base/quant.h"

namespace omkit::kernels {
namespace {

std::vector<int32_t> RandomIndices(Random& random, int64_t count, int64_t size) {
  std::vector<int32_t> table(count);
  for (int32_t& i : table) i = static_cast<int32_t>(Pick(random, 0, size - 1));
  return table;
}

// int32 low[n], int32 high[n], f32 weight[n].
StepOperand LinearTable(Random& random, int64_t count, int64_t size) {
  std::vector<int32_t> table = RandomIndices(random, 2 * count, size);
  const std::vector<float> weights = RandomFloats(random, count, 0.0f, 1.0f);
  table.resize(3 * count);
  std::memcpy(table.data() + 2 * count, weights.data(), count * sizeof(float));
  return Constant(table);
}
int32_t Index(const StepOperand& table, int64_t i) {
  int32_t v;
  std::memcpy(&v, &table.bytes[i * 4], 4);
  return v;
}

class ResizeTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { RegisterResizeKernels(); }
};

TEST_F(ResizeTest, NearestMovesElementsOfEverySize) {
  Random random(71);
  for (int i = 0; i < 120; ++i) {
    const std::vector<int64_t> out_dims = RandomDims(random, 1500);
    std::vector<int64_t> in_dims = out_dims;
    ResizeNearestParams p = {};
    std::vector<std::vector<int32_t>> tables(out_dims.size());
    std::vector<StepOperand> operands(2);
    for (size_t d = 0; d < out_dims.size(); ++d) {
      if (Pick(random, 0, 1)) continue;
      p.axes |= 1u << d;
      in_dims[d] = Pick(random, 1, 9);
      tables[d] = RandomIndices(random, out_dims[d], in_dims[d]);
      operands.push_back(Constant(tables[d]));
    }
    const int size = 1 << (i % 4);
    int64_t ni, no;
    p.in = RandomView(random, in_dims, size, i % 3 == 0, &ni);
    p.out = RandomView(random, out_dims, size, false, &no);
    operands[0] = Arena(RandomBytes(random, ni * size));
    operands[1] = Arena(RandomBytes(random, no * size));
    std::vector<uint8_t> want = operands[1].bytes, got;
    ForEach({&p.out}, [&](const std::vector<int64_t>& index, const std::vector<int64_t>& at) {
      int64_t from = p.in.offset;
      for (int d = 0; d < p.in.rank; ++d) from += (p.axes >> d & 1 ? tables[d][index[d]] : index[d]) * p.in.strides[d];
      std::memcpy(&want[at[0] * size], &operands[0].bytes[from * size], size);
    });
    ASSERT_NO_FATAL_FAILURE(RunAllTiers(ResizeNearestKernel, p, operands, 1, &got));
    ASSERT_TRUE(got == want) << "case " << i;
  }
}

TEST_F(ResizeTest, LinearEqualsDoubleReferenceOnEveryTier) {
  Random random(72);
  for (int i = 0; i < 120; ++i) {
    std::vector<int64_t> out_dims = {Pick(random, 1, 2), Pick(random, 1, 9), Pick(random, 1, 20), Pick(random, 1, 40)}, in_dims = out_dims;
    ResizeLinearParams p = {};
    p.axis_x = static_cast<int32_t>(Pick(random, 1, 3));
    p.axis_y = static_cast<int32_t>(Pick(random, 0, p.axis_x - 1));
    in_dims[p.axis_y] = Pick(random, 1, 9);
    in_dims[p.axis_x] = Pick(random, 1, 9);
    int64_t ni, no;
    p.in = RandomView(random, in_dims, 4, i % 3 == 0, &ni);
    p.out = RandomView(random, out_dims, 4, false, &no);
    const std::vector<float> in = RandomFloats(random, ni), out = RandomFloats(random, no);
    const int64_t ny = out_dims[p.axis_y], nx = out_dims[p.axis_x];
    const StepOperand ty = LinearTable(random, ny, in_dims[p.axis_y]), tx = LinearTable(random, nx, in_dims[p.axis_x]);
    const auto reference = [&](const std::vector<int64_t>& index) {
      const int64_t y = index[p.axis_y], x = index[p.axis_x];
      const auto at = [&](int64_t iy, int64_t ix) -> double {
        int64_t from = p.in.offset;
        for (int d = 0; d < 4; ++d) from += (d == p.axis_y ? iy : d == p.axis_x ? ix : index[d]) * p.in.strides[d];
        return in[from];
      };
      float wy, wx;
      std::memcpy(&wy, &ty.bytes[(2 * ny + y) * 4], 4);
      std::memcpy(&wx, &tx.bytes[(2 * nx + x) * 4], 4);
      const int32_t y0 = Index(ty, y), y1 = Index(ty, ny + y), x0 = Index(tx, x), x1 = Index(tx, nx + x);
      return (1.0 - wy) * ((1.0 - wx) * at(y0, x0) + wx * at(y0, x1)) + wy * ((1.0 - wx) * at(y1, x0) + wx * at(y1, x1));
    };
    ASSERT_NO_FATAL_FAILURE(CheckFloatStep(ResizeLinearKernel, p, {Arena(in), Arena(out), ty, tx}, 1, p.out, reference, 1e-6, 1e-6)) << "case " << i;
  }
}

// Bytes in and out: the bits of dequantizing, interpolating and quantizing one after the other.
TEST_F(ResizeTest, LinearOnBytesEqualsThreeSteps) {
  Random random(73);
  for (int i = 0; i < 80; ++i) {
    std::vector<int64_t> out_dims = {Pick(random, 1, 2), Pick(random, 1, 9), Pick(random, 1, 9), Pick(random, 1, 40)}, in_dims = out_dims;
    ResizeLinearParams p = {};
    p.axis_x = static_cast<int32_t>(Pick(random, 1, 3));
    p.axis_y = static_cast<int32_t>(Pick(random, 0, p.axis_x - 1));
    in_dims[p.axis_y] = Pick(random, 1, 9);
    in_dims[p.axis_x] = Pick(random, 1, 9);
    p.in = DenseView(in_dims.data(), 4, 4);
    p.out = DenseView(out_dims.data(), 4, 4);
    p.in_quant = {0.03125f, static_cast<int32_t>(Pick(random, 0, 255))};
    p.out_quant = {Pick(random, 0, 1) ? 0.03125f : 0.07f, static_cast<int32_t>(Pick(random, 0, 255))};
    const StepOperand ty = LinearTable(random, out_dims[p.axis_y], in_dims[p.axis_y]),
                      tx = LinearTable(random, out_dims[p.axis_x], in_dims[p.axis_x]);
    const std::vector<uint8_t> bytes = RandomBytes(random, p.in.elements());
    std::vector<float> reals;
    for (uint8_t b : bytes) reals.push_back(DequantizeValue(b, p.in_quant.scale, p.in_quant.zero_point));
    const std::vector<float> floats(p.out.elements());
    std::vector<uint8_t> want, got;
    ASSERT_NO_FATAL_FAILURE(RunAllTiers(ResizeLinearKernel, p, {Arena(reals), Arena(floats), ty, tx}, 1, &want));
    p.in = DenseView(in_dims.data(), 4, 1);
    ASSERT_NO_FATAL_FAILURE(RunAllTiers(ResizeLinearKernel, p, {Arena(bytes), Arena(floats), ty, tx}, 1, &got));
    ASSERT_EQ(got, want) << "case " << i;
    p.out = DenseView(out_dims.data(), 4, 1);
    ASSERT_NO_FATAL_FAILURE(RunAllTiers(ResizeLinearKernel, p, {Arena(bytes), Arena(std::vector<uint8_t>(p.out.elements())), ty, tx}, 1, &got));
    for (int64_t e = 0; e < p.out.elements(); ++e) {
      float v;
      std::memcpy(&v, &want[e * 4], 4);
      ASSERT_EQ(got[e], QuantizeValue(v, p.out_quant.scale, p.out_quant.zero_point, 0, 255)) << "case " << i << " element " << e;
    }
  }
}

TEST_F(ResizeTest, RefusesTablesThatPointOutsideTheInput) {
  const int64_t in[2] = {3, 4}, out[2] = {3, 2};
  const ResizeNearestParams nearest = {DenseView(in, 2, 4), DenseView(out, 2, 4), 2};
  const StepOperand source = Arena(std::vector<float>(12)), target = Arena(std::vector<float>(6));
  for (int32_t bad : {4, -1, INT32_MIN, INT32_MAX}) {
    StepRunner runner(ResizeNearestKernel(Isa::kGeneric), runtime::ParamBytes(nearest));
    runner.Add(runtime::Space::kArena, source.bytes);
    runner.Add(runtime::Space::kArena, target.bytes);
    runner.Add(runtime::Space::kWeights, std::vector<int32_t>{0, bad});
    EXPECT_EQ(runner.Verify(), absl::OkStatus());
    EXPECT_FALSE(runner.Run(1).ok()) << bad;
  }
  EXPECT_FALSE(VerifyStep(ResizeNearestKernel, nearest, {source, target, Arena(std::vector<int32_t>{0, 1})}).ok()) << "table that can change";
  EXPECT_FALSE(VerifyStep(ResizeNearestKernel, nearest, {source, target}).ok());
  EXPECT_FALSE(VerifyStep(ResizeNearestKernel, nearest, {source, target, Constant(std::vector<int32_t>{0})}).ok());
  const ResizeLinearParams linear = {DenseView(in, 2, 4), DenseView(out, 2, 4), 0, 1, {1.0f, 0}, {1.0f, 0}};
  const StepOperand ty = Constant(std::vector<int32_t>{0, 1, 2, 0, 1, 2, 0, 0, 0}), tx = Constant(std::vector<int32_t>{0, 1, 2, 4, 0, 0});
  EXPECT_EQ(VerifyStep(ResizeLinearKernel, linear, {source, target, ty, tx}), absl::OkStatus());
  StepRunner runner(ResizeLinearKernel(Isa::kGeneric), runtime::ParamBytes(linear));
  for (const StepOperand* o : {&source, &target, &ty, &tx}) runner.Add(o->space, o->bytes.data(), o->bytes.size());
  EXPECT_FALSE(runner.Run(1).ok());
  ResizeLinearParams swapped = linear;
  std::swap(swapped.axis_x, swapped.axis_y);
  EXPECT_FALSE(VerifyStep(ResizeLinearKernel, swapped, {source, target, ty, tx}).ok());
}

}  // namespace
}  // namespace omkit::kernels
