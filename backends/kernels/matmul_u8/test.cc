#include <cmath>
#include <cstring>
#include <limits>

#include "backends/kernels/matmul_u8/matmul_u8.h"
#include "backends/kernels/matmul_u8/walk.h"
#include "backends/kernels/tier_agreement.h"
#include "base/quant.h"

namespace omkit::kernels {
namespace avxvnni_evex {
void PackMatMulU8(const Product& product, const MatMulU8Params& p, const Columns& columns);
void RowTermsMatMulU8(const Product& product, int32_t b_zero, int64_t begin, int64_t end, int32_t* terms);
void MultiplyMatMulU8(const Product& product, const MatMulU8Params& p, const Columns& columns, int64_t begin, int64_t end);
}  // namespace avxvnni_evex
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

struct Case {
  MatMulU8Params p = {};
  std::vector<uint8_t> a, b, out;
};

// `b_order` 0: row-major, 1: contiguous along k, 2: any strides.
Case RandomCase(Random& random, int b_order) {
  Case c;
  MatMulU8Params& p = c.p;
  std::vector<int64_t> batch(Pick(random, 0, 2));
  for (int64_t& d : batch) d = Pick(random, 1, 3);
  const int rank = static_cast<int>(batch.size()) + 2;
  const int64_t m = Pick(random, 1, 40), k = Pick(random, 1, 70), n = Pick(random, 1, 90);
  const auto shape = [&](int64_t x, int64_t y) {
    std::vector<int64_t> dims = batch;
    dims.push_back(x);
    dims.push_back(y);
    return dims;
  };
  p.a = DenseView(shape(m, k).data(), rank, 1);
  c.a = RandomBytes(random, p.a.elements());
  int64_t elements;
  p.b = RandomView(random, shape(k, n), 1, false, &elements);
  if (b_order < 2) {
    p.b = DenseView((b_order == 0 ? shape(k, n) : shape(n, k)).data(), rank, 1);
    elements = p.b.elements();
    if (b_order == 1) {
      std::swap(p.b.dims[rank - 1], p.b.dims[rank - 2]);
      std::swap(p.b.strides[rank - 1], p.b.strides[rank - 2]);
    }
  }
  c.b = RandomBytes(random, elements);
  p.float_output = static_cast<int32_t>(Pick(random, 0, 1));
  const std::vector<int64_t> wide = shape(m, n + Pick(random, 0, 3));
  p.out = DenseView(wide.data(), rank, p.float_output ? 4 : 1);
  c.out = RandomBytes(random, p.out.elements() * p.out.element_size);
  p.out.dims[rank - 1] = n;
  if (!batch.empty() && Pick(random, 0, 2) == 0) p.a.strides[0] = 0;
  const int32_t zeros[] = {0, 128, 255, static_cast<int32_t>(Pick(random, 0, 255))};
  p.a_zero = zeros[Pick(random, 0, 3)];
  p.b_zero = zeros[Pick(random, 0, 3)];
  p.out_zero = zeros[Pick(random, 0, 3)];
  // A power of two makes exact halves common.
  p.multiplier = Pick(random, 0, 7) == 0 ? 1e7f : Pick(random, 0, 1) ? 1.0f / 1024 : static_cast<float>(Pick(random, 1, 1000)) * 1e-6f;
  p.clamp_min = Pick(random, 0, 1) ? 0 : static_cast<int32_t>(Pick(random, 0, 255));
  p.clamp_max = Pick(random, 0, 1) ? 255 : static_cast<int32_t>(Pick(random, p.clamp_min, 255));
  p.act_min = Pick(random, 0, 1) ? -kInf : -3.0f;
  p.act_max = Pick(random, 0, 1) ? kInf : 3.0f;
  return c;
}

std::vector<uint8_t> Reference(const Case& c) {
  const MatMulU8Params& p = c.p;
  const int rank = p.out.rank;
  std::vector<uint8_t> want = c.out;
  ForEach({&p.out}, [&](const std::vector<int64_t>& index, const std::vector<int64_t>& at) {
    int64_t a = p.a.offset + index[rank - 2] * p.a.strides[rank - 2], b = p.b.offset + index[rank - 1] * p.b.strides[rank - 1];
    for (int d = 0; d < rank - 2; ++d) a += index[d] * p.a.strides[d], b += index[d] * p.b.strides[d];
    int32_t acc = 0;
    for (int64_t k = 0; k < p.a.dims[rank - 1]; ++k) acc += (c.a[a + k] - p.a_zero) * (c.b[b + k * p.b.strides[rank - 2]] - p.b_zero);
    float v = static_cast<float>(acc) * p.multiplier;
    if (!p.float_output) {
      want[at[0]] = static_cast<uint8_t>(RoundToQuantized(v, p.out_zero, p.clamp_min, p.clamp_max));
      return;
    }
    v = v < p.act_min ? p.act_min : v > p.act_max ? p.act_max : v;
    std::memcpy(&want[at[0] * 4], &v, 4);
  });
  return want;
}

class MatMulU8Test : public testing::Test {
 protected:
  static void SetUpTestSuite() { RegisterMatMulU8Kernels(); }
};

TEST_F(MatMulU8Test, EqualsSumsOfCenteredProductsOnEveryTier) {
  Random random(71);
  for (int i = 0; i < 300; ++i) {
    const Case c = RandomCase(random, i % 3);
    std::vector<uint8_t> bytes;
    ASSERT_NO_FATAL_FAILURE(RunAllTiers(MatMulU8Kernel, c.p, {Arena(c.a), Arena(c.b), Arena(c.out)}, 2, &bytes)) << "case " << i;
    ASSERT_EQ(bytes, Reference(c)) << "case " << i;
  }
}

#if defined(__x86_64__)
// The avxvnni source where only AVX512-VNNI has its instructions.
TEST_F(MatMulU8Test, EqualsSumsOfCenteredProductsByAvxVnni) {
  if (!CpuSupports(Isa::kAvx512Vnni)) GTEST_SKIP() << "skipped: this machine has no AVX512-VNNI";
  static runtime::KernelDef row = *runtime::FindKernel(MatMulU8Kernel(Isa::kAvx2));
  row.name = "matmul_u8.avxvnni_evex";
  row.run = [](const runtime::Step& step, const runtime::KernelContext& c) {
    WalkMatMulU8({step.params.data(), c.operands, c.scratch, c.state, c.thread, c.threads},
                 {avxvnni_evex::PackMatMulU8, avxvnni_evex::RowTermsMatMulU8, avxvnni_evex::MultiplyMatMulU8});
  };
  ASSERT_EQ(runtime::RegisterKernel(&row), absl::OkStatus());
  Random random(72);
  for (int i = 0; i < 150; ++i) {
    const Case c = RandomCase(random, i % 3);
    StepRunner runner(row.name, runtime::ParamBytes(c.p));
    for (const std::vector<uint8_t>* operand : {&c.a, &c.b, &c.out}) runner.Add(runtime::Space::kArena, *operand);
    ASSERT_EQ(runner.Run(1 + i % 3), absl::OkStatus());
    ASSERT_EQ(runner.Bytes(2), Reference(c)) << "case " << i;
  }
}
#endif

TEST_F(MatMulU8Test, LongestSumsStayInsideInt32) {
  const int64_t a[2] = {1, kLongestMatMulU8}, b[2] = {kLongestMatMulU8, 1}, out[2] = {1, 1};
  Case c;
  c.p = {DenseView(a, 2, 1), DenseView(b, 2, 1), DenseView(out, 2, 4), 0, 0, 1.0f, 1, 0, 0, 255, -kInf, kInf};
  c.out.resize(4);
  for (int32_t zero : {0, 255}) {
    c.p.b_zero = zero;
    c.a.assign(kLongestMatMulU8, 255);
    c.b.assign(kLongestMatMulU8, static_cast<uint8_t>(255 - zero));
    std::vector<uint8_t> bytes;
    ASSERT_NO_FATAL_FAILURE(RunAllTiers(MatMulU8Kernel, c.p, {Arena(c.a), Arena(c.b), Arena(c.out)}, 2, &bytes));
    EXPECT_EQ(bytes, Reference(c));
  }
}

TEST_F(MatMulU8Test, RefusesStepsThatWouldLeaveTheirOperands) {
  const int64_t a[3] = {2, 5, 7}, b[3] = {2, 7, 9}, out[3] = {2, 5, 9};
  const MatMulU8Params good = {DenseView(a, 3, 1), DenseView(b, 3, 1), DenseView(out, 3, 1), 0, 0, 1.0f, 0, 0, 0, 255, -kInf, kInf};
  const std::vector<StepOperand> operands = {Arena(std::vector<uint8_t>(70)), Arena(std::vector<uint8_t>(126)), Arena(std::vector<uint8_t>(90))};
  ASSERT_EQ(VerifyStep(MatMulU8Kernel, good, operands), absl::OkStatus());
  const auto refused = [&](auto damage) {
    MatMulU8Params p = good;
    damage(&p);
    return !VerifyStep(MatMulU8Kernel, p, operands).ok();
  };
  EXPECT_TRUE(refused([](MatMulU8Params* p) { p->a.dims[2] = 6; }));
  EXPECT_TRUE(refused([](MatMulU8Params* p) { p->a.dims[1] = 4; }));
  EXPECT_TRUE(refused([](MatMulU8Params* p) { p->b.dims[2] = 8; }));
  EXPECT_TRUE(refused([](MatMulU8Params* p) { p->b.dims[0] = 1; }));
  EXPECT_TRUE(refused([](MatMulU8Params* p) { p->b.strides[0] = 64; }));
  EXPECT_TRUE(refused([](MatMulU8Params* p) { p->a.strides[2] = 0; }));
  EXPECT_TRUE(refused([](MatMulU8Params* p) { p->out.strides[2] = -1; }));
  EXPECT_TRUE(refused([](MatMulU8Params* p) { p->out.rank = 2; }));
  EXPECT_TRUE(refused([](MatMulU8Params* p) { p->float_output = 1; }));
  EXPECT_TRUE(refused([](MatMulU8Params* p) { p->float_output = 2; }));
  EXPECT_TRUE(refused([](MatMulU8Params* p) { p->a_zero = 256; }));
  EXPECT_TRUE(refused([](MatMulU8Params* p) { p->clamp_max = 256; }));
  EXPECT_TRUE(refused([](MatMulU8Params* p) { p->a.dims[2] = p->b.dims[1] = int64_t{1} << 39; }));
}

}  // namespace
}  // namespace omkit::kernels
