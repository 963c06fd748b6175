#include <algorithm>
#include <cstring>
#include <functional>

#include "backends/kernels/conv_u8/conv_u8.h"
#include "backends/kernels/conv_u8/reference.h"
#include "backends/kernels/conv_u8/rows.h"
#include "backends/kernels/registration.h"
#include "base/checked.h"
#include "gtest/gtest.h"

namespace omkit::kernels {
namespace avxvnni_evex {
void ConvU8(const KernelArgs& args);
}
namespace {

ConvU8Remainders Remainders(Isa isa, const ConvCase& c) {
  const ConvU8Params& p = c.params;
  if (c.wide.empty()) return {};
  return PackConvU8Remainders(isa, SplitWeights(c.wide.data(), static_cast<int64_t>(c.wide.size())), p.out.dims[3], p.in.dims[3] / p.groups,
                              p.kernel_h, p.kernel_w, p.groups);
}

void CheckConv(const std::string& kernel, Isa isa, const ConvCase& c, int threads) {
  ConvU8Params p = c.params;
  const ConvU8Remainders more = Remainders(isa, c);
  p.remainders = more.steps;
  StepRunner runner(kernel, runtime::ParamBytes(p));
  AddOperands(c, PackConvU8Weights(isa, c.weights.data(), p.out.dims[3], p.in.dims[3] / p.groups, p.kernel_h, p.kernel_w, p.groups), &runner,
              more.packed);
  ASSERT_EQ(runner.Run(threads), absl::OkStatus());
  ASSERT_EQ(runner.Bytes(4), ReferenceConv(c)) << "in " << p.in.dims[1] << "x" << p.in.dims[2] << "x" << p.in.dims[3] << " out " << p.out.dims[1]
                                               << "x" << p.out.dims[2] << "x" << p.out.dims[3] << " kernel " << p.kernel_h << "x" << p.kernel_w
                                               << " groups " << p.groups << " threads " << threads;
}

const ConvChoice kDense[] = {
    {1, 1, 1, 16, 96, 7, 14, 1, false, true},  {1, 1, 1, 24, 144, 7, 7, 1, false, true},  {1, 1, 1, 64, 64, 7, 7, 2, false, true},
    {3, 1, 1, 32, 64, 14, 14, 1, false, true}, {3, 2, 1, 3, 32, 15, 21, 1, false, true},  {7, 2, 1, 3, 64, 13, 28, 1, false, true},
    {1, 1, 1, 260, 70, 1, 1, 1, false, true},  {1, 1, 1, 128, 33, 1, 1, 9, false, true},  {3, 1, 32, 4, 4, 6, 9, 1, false, true},
    {1, 1, 3, 8, 80, 5, 5, 1, false, true},    {1, 1, 1, 1024, 40, 3, 5, 1, false, true},
};

class ConvU8Test : public testing::TestWithParam<Isa> {
 protected:
  static void SetUpTestSuite() { RegisterConvU8Kernels(); }
  void Check(const ConvCase& c, int threads) { CheckConv(ConvU8Kernel(GetParam()), GetParam(), c, threads); }
  void Refuse(const ConvCase& c) {
    const ConvU8Params& p = c.params;
    StepRunner runner(ConvU8Kernel(GetParam()), runtime::ParamBytes(p));
    AddOperands(c, PackConvU8Weights(GetParam(), c.weights.data(), p.out.dims[3], p.in.dims[3] / p.groups, p.kernel_h, p.kernel_w, p.groups),
                &runner);
    ASSERT_FALSE(runner.Run(1).ok());
  }
};

TEST_P(ConvU8Test, EqualsNestedLoopsOnRandomCases) {
  Random random(11);
  for (int i = 0; i < 250; ++i) ASSERT_NO_FATAL_FAILURE(Check(RandomConvCase(random, {}), 1 + i % 5)) << "case " << i;
}

TEST_P(ConvU8Test, EqualsNestedLoopsOnDenseCases) {
  Random random(12);
  for (const ConvChoice& choice : kDense) {
    for (int threads = 1; threads <= 5; ++threads) {
      ConvCase c = RandomConvCase(random, choice);
      ASSERT_NO_FATAL_FAILURE(Check(c, threads));
      c.params.chunk_pixels = static_cast<int32_t>(threads == 5 ? kMostChunkPixels : Pick(random, 1, 2 * c.params.out.dims[2]));
      ASSERT_NO_FATAL_FAILURE(Check(c, threads)) << "chunks of " << c.params.chunk_pixels;
    }
  }
}

TEST_P(ConvU8Test, EqualsNestedLoopsWithWeightsBeyondInt8) {
  Random random(16);
  for (int i = 0; i < 110; ++i) {
    ConvCase c = RandomConvCase(random, i < 88 ? ConvChoice{} : kDense[i % 11]);
    MakeWide(random, &c);
    ASSERT_NO_FATAL_FAILURE(Check(c, 1 + i % 5)) << "case " << i;
  }
}

// The last layers of bottleneck blocks.
TEST_P(ConvU8Test, AddsResidualsBehindManyChannels) {
  Random random(20);
  for (int i = 0; i < 60; ++i) {
    ConvChoice choice;
    choice.kernel = choice.stride = choice.groups = 1;
    choice.in_channels = 16 * Pick(random, 1, 34);
    choice.out_channels = 32 * Pick(random, 1, 3) - (i % 5 == 0 ? 3 : 0);
    choice.height = Pick(random, 1, 9);
    choice.width = Pick(random, 1, 30);
    ConvCase c = RandomConvCase(random, choice);
    while (!c.params.has_residual || c.params.float_output) c = RandomConvCase(random, choice);
    if (i % 4 == 0) MakeWide(random, &c);
    ASSERT_NO_FATAL_FAILURE(Check(c, 1 + i % 3)) << "case " << i;
  }
}

TEST_P(ConvU8Test, EqualsNestedLoopsWithTheLeastWeights) {
  Random random(19);
  for (int i = 0; i < 60; ++i) {
    ConvCase c = RandomConvCase(random, i < 40 ? ConvChoice{} : kDense[i % 11]);
    MakeLeast(random, GetParam(), &c);
    ASSERT_NO_FATAL_FAILURE(Check(c, 1 + i % 5)) << "case " << i;
  }
}

TEST_P(ConvU8Test, LooksItsResultUpInATable) {
  Random random(15);
  int read = 0;
  for (int i = 0; i < 150; ++i) {
    ConvCase c = RandomConvCase(random, i < 100 ? ConvChoice{} : kDense[i % 11]);
    c.params.has_table = 1;
    c.table = RandomBytes(random, 256);
    const ConvU8Params& p = c.params;
    const bool reads = !p.float_output && ConvU8ReadsTable(GetParam(), p.in.dims[3] / p.groups, p.groups);
    if (reads) {
      if (++read % 3 == 0) MakeWide(random, &c);
      ASSERT_NO_FATAL_FAILURE(Check(c, 1 + i % 5)) << "case " << i;
      continue;
    }
    ASSERT_NO_FATAL_FAILURE(Refuse(c)) << "case " << i;
  }
  EXPECT_EQ(read > 90, GetParam() == Isa::kAvx512Vnni) << read;
}

// The same results in planes: pixels of a row side by side, channels far apart.
void MakePlanes(Random& random, ConvCase* c) {
  View& out = c->params.out;
  const int64_t row = out.dims[2] + Pick(random, 0, 1) * Pick(random, 1, 9), plane = row * out.dims[1] + Pick(random, 0, 5);
  out.element_size = 4;
  out.offset = Pick(random, 0, 5);
  out.strides[0] = plane * out.dims[3] + Pick(random, 0, 3);
  out.strides[1] = row;
  out.strides[2] = 1;
  out.strides[3] = plane;
  c->output = RandomBytes(random, (out.offset + out.dims[0] * out.strides[0]) * 4);
}

TEST_P(ConvU8Test, WritesPlanes) {
  Random random(16);
  int written = 0;
  for (int i = 0; i < 150; ++i) {
    ConvCase c = RandomConvCase(random, i < 100 ? ConvChoice{} : kDense[i % 11]);
    c.params.float_output = 1;
    c.params.has_residual = 0;
    c.residual.clear();
    MakePlanes(random, &c);
    const ConvU8Params& p = c.params;
    if (p.out.strides[3] == 1 || ConvU8WritesPlanes(GetParam(), p.in.dims[3] / p.groups, p.groups)) {
      if (++written % 3 == 0) MakeWide(random, &c);
      ASSERT_NO_FATAL_FAILURE(Check(c, 1 + i % 5)) << "case " << i;
      continue;
    }
    ASSERT_NO_FATAL_FAILURE(Refuse(c)) << "case " << i;
  }
  EXPECT_EQ(written > 90, GetParam() == Isa::kAvx512Vnni) << written;
}

// Kernel rows of 4 k + 1 bytes, as first convolutions over three channels have them.
TEST_P(ConvU8Test, GathersTheLastBytesOfKernelRows) {
  Random random(18);
  int gathered = 0;
  for (int i = 0; i < 120; ++i) {
    ConvChoice choice;
    choice.kernel = i % 4 == 0 ? 3 : Pick(random, 2, 8);
    choice.in_channels = i % 4 == 0 ? 9 : 4 * Pick(random, 1, 6) + 1;
    choice.out_channels = Pick(random, 0, 2) ? 0 : 32;
    choice.stride = Pick(random, 0, 4) ? 0 : Pick(random, 1, 2);
    choice.groups = 1;
    choice.height = Pick(random, 1, 11);
    choice.width = Pick(random, 1, 70);
    ConvCase c = RandomConvCase(random, choice);
    ConvU8Params& p = c.params;
    // One tap of one row; pixels may be closer to each other than they are wide.
    const int64_t oc = p.out.dims[3], ic = p.in.dims[3], rows = p.kernel_h;
    c.weights.resize(oc * ic * rows);
    p.kernel_w = 1;
    if (Pick(random, 0, 1)) {
      const int64_t pixel = Pick(random, 1, 9);
      p.in.strides[2] = std::min<int64_t>(p.in.strides[2], pixel);
    }
    if (!p.float_output && Pick(random, 0, 3) == 0) p.has_table = 1, c.table = RandomBytes(random, 256);
    if (p.float_output && Pick(random, 0, 1)) p.has_residual = 0, c.residual.clear(), MakePlanes(random, &c);
    p.gathers_tails = 1;
    const std::vector<int8_t> tailed = GatherConvU8Tails(c.weights.data(), oc, ic, rows);
    StepRunner runner(ConvU8Kernel(GetParam()), runtime::ParamBytes(p));
    AddOperands(c, PackConvU8Weights(GetParam(), tailed.data(), oc, ConvU8TailedChannels(ic, rows), 1, 1, 1), &runner);
    if (!ConvU8GathersTails(GetParam(), ic, rows, 1, 1)) {
      ASSERT_FALSE(runner.Verify().ok()) << "case " << i;
      continue;
    }
    ++gathered;
    ASSERT_EQ(runner.Run(1 + i % 3), absl::OkStatus()) << "case " << i;
    p.gathers_tails = 0;
    ASSERT_EQ(runner.Bytes(4), ReferenceConv(c)) << "case " << i << ": " << ic << " to " << oc << ", " << rows << " rows, pixels " << p.in.strides[2]
                                                 << " x " << p.stride_w << " float " << p.float_output << " table " << p.has_table << " residual "
                                                 << p.has_residual << " chunk " << p.chunk_pixels << " out " << p.out.dims[0] << "x" << p.out.dims[1]
                                                 << "x" << p.out.dims[2] << " dil " << p.dilation_h << " gap " << p.out.strides[2] << " threads "
                                                 << 1 + i % 3;
  }
  EXPECT_EQ(gathered == 120, GetParam() == Isa::kAvx512Vnni);
  for (const int64_t ic : {1, 8, 10, 12}) EXPECT_FALSE(ConvU8GathersTails(GetParam(), ic, 3, 1, 1)) << ic;
  EXPECT_FALSE(ConvU8GathersTails(GetParam(), 9, 1, 1, 1));
  EXPECT_FALSE(ConvU8GathersTails(GetParam(), 9, 9, 1, 1));
  EXPECT_FALSE(ConvU8GathersTails(GetParam(), 9, 3, 2, 1));
}

TEST_P(ConvU8Test, RefusesPlanesOfBytesAndWithResiduals) {
  Random random(17);
  const ConvCase good = [&] {
    ConvCase c = RandomConvCase(random, kDense[2]);
    MakePlanes(random, &c);
    return c;
  }();
  const std::vector<std::function<void(ConvU8Params*)>> damages = {
      [](ConvU8Params* p) { p->float_output = 0; },
      [](ConvU8Params* p) { p->has_residual = 1; },
      [](ConvU8Params* p) { p->out.strides[2] = 2; },
      [](ConvU8Params* p) { p->out.strides[3] *= 2; },
      [](ConvU8Params* p) { p->out.strides[3] = -p->out.strides[3]; },
  };
  const bool writes = ConvU8WritesPlanes(GetParam(), good.params.in.dims[3], 1);
  for (size_t i = 0; i <= damages.size(); ++i) {
    ConvCase c = good;
    c.params.float_output = 1;
    if (i < damages.size()) damages[i](&c.params);
    StepRunner runner(ConvU8Kernel(GetParam()), runtime::ParamBytes(c.params));
    AddOperands(c, PackConvU8Weights(GetParam(), c.weights.data(), c.params.out.dims[3], c.params.in.dims[3], 1, 1, 1), &runner);
    EXPECT_EQ(runner.Verify().ok(), i == damages.size() && writes) << "damage " << i << ": " << runner.Verify();
  }
}

TEST_P(ConvU8Test, RefusesStepsThatWouldLeaveTheirOperands) {
  Random random(13);
  ConvChoice choice;
  choice.dense = true;
  choice.kernel = 3;
  choice.in_channels = 8;
  choice.out_channels = 24;
  choice.height = choice.width = 9;
  choice.stride = 1;
  choice.groups = 1;
  const ConvCase good = RandomConvCase(random, choice);
  const std::vector<std::function<void(ConvU8Params*)>> damages = {
      [](ConvU8Params* p) { p->in.offset -= 1 + p->in.strides[1] + p->in.strides[2]; },
      [](ConvU8Params* p) { p->in.offset += 1; },
      [](ConvU8Params* p) { p->in.strides[1] *= 2; },
      [](ConvU8Params* p) { p->in.rank = 5; },
      [](ConvU8Params* p) { p->in.strides[3] = 2; },
      [](ConvU8Params* p) { p->out.offset = 1; },
      [](ConvU8Params* p) { p->out.dims[1] += 1; },
      [](ConvU8Params* p) { p->out.dims[0] += 1; },
      [](ConvU8Params* p) { p->out.strides[1] = -p->out.strides[1]; },
      [](ConvU8Params* p) { p->out.dims[3] = 0; },
      [](ConvU8Params* p) { p->float_output = 1; },
      [](ConvU8Params* p) { p->has_residual = 1; },
      [](ConvU8Params* p) { p->kernel_h = 4; },
      [](ConvU8Params* p) { p->kernel_w = 0; },
      [](ConvU8Params* p) { p->stride_h = 0; },
      [](ConvU8Params* p) { p->stride_w = 2; },
      [](ConvU8Params* p) { p->dilation_h = 2; },
      [](ConvU8Params* p) { p->dilation_w = -1; },
      [](ConvU8Params* p) { p->pad_top = 2; },
      [](ConvU8Params* p) { p->pad_left = -1; },
      [](ConvU8Params* p) { p->groups = 0; },
      [](ConvU8Params* p) { p->groups = 5; },
      [](ConvU8Params* p) { p->out_zero = 256; },
      [](ConvU8Params* p) { p->chunk_pixels = -1; },
      [](ConvU8Params* p) { p->chunk_pixels = kMostChunkPixels + 1; },
      [](ConvU8Params* p) { p->clamp_min = -1; },
      [](ConvU8Params* p) { p->clamp_max = 300; },
      [](ConvU8Params* p) { p->clamp_min = 20, p->clamp_max = 10; },
      [](ConvU8Params* p) { p->kernel_h = p->dilation_h = 1 << 30; },
  };
  const std::vector<uint8_t> packed = PackConvU8Weights(GetParam(), good.weights.data(), 24, 8, 3, 3, 1);
  for (size_t i = 0; i <= damages.size(); ++i) {
    ConvU8Params p = good.params;
    if (i < damages.size()) damages[i](&p);
    StepRunner runner(ConvU8Kernel(GetParam()), runtime::ParamBytes(p));
    AddOperands(good, packed, &runner);
    EXPECT_EQ(runner.Verify().ok(), i == damages.size()) << "damage " << i << ": " << runner.Verify();
  }
  for (int operand = 0; operand < 5; ++operand) {
    StepRunner runner(ConvU8Kernel(GetParam()), runtime::ParamBytes(good.params));
    AddOperands(good, packed, &runner);
    runner.step().operands[operand].size -= 1;
    EXPECT_FALSE(runner.Verify().ok()) << operand;
    runner.step().operands.pop_back();
    EXPECT_FALSE(runner.Verify().ok());
  }
}

TEST_P(ConvU8Test, RefusesDamagedRemainders) {
  Random random(17);
  for (const ConvChoice& choice : {ConvChoice{3, 1, 1, 8, 24, 9, 9, 1, false, true}, {3, 1, 3, 5, 24, 9, 9, 1, false, true}}) {
    ConvCase c = RandomConvCase(random, choice);
    const int64_t ic = choice.in_channels, oc = c.params.out.dims[3];
    c.wide.assign(c.weights.size(), 0);
    c.wide[3] = 200;
    c.wide[c.wide.size() - 1] = -150;
    c.weights = SplitWeights(c.wide.data(), static_cast<int64_t>(c.wide.size()))[0];
    const ConvU8Remainders good = Remainders(GetParam(), c);
    ASSERT_EQ(good.steps, 2);
    const std::vector<uint8_t> packed = PackConvU8Weights(GetParam(), c.weights.data(), oc, ic, 3, 3, choice.groups);
    // What running says of changed parameters and operand.
    const auto run = [&](int32_t steps, const std::vector<uint8_t>& remainders, runtime::Space space = runtime::Space::kWeights) {
      ConvU8Params p = c.params;
      p.remainders = steps;
      StepRunner runner(ConvU8Kernel(GetParam()), runtime::ParamBytes(p));
      AddOperands(c, packed, &runner, remainders);
      runner.step().operands.back().space = space;
      return runner.Run(1);
    };
    const auto head = [&](size_t at, int32_t value) {
      std::vector<uint8_t> damaged = good.packed;
      std::memcpy(&damaged[at * 4], &value, 4);
      return run(2, damaged);
    };
    EXPECT_EQ(run(2, good.packed), absl::OkStatus());
    int32_t last_block, last_step;
    std::memcpy(&last_block, &good.packed[8], 4);
    std::memcpy(&last_step, &good.packed[12], 4);
    EXPECT_EQ(head(0, last_block), absl::OkStatus());
    EXPECT_EQ(head(1, last_step), absl::OkStatus());
    EXPECT_FALSE(head(0, last_block + 1).ok());  // not ascending, or behind the last
    EXPECT_FALSE(head(0, -1).ok());
    EXPECT_FALSE(head(2, last_block + 1).ok());
    EXPECT_FALSE(head(1, -1).ok());
    EXPECT_FALSE(head(3, last_step + 1).ok());
    EXPECT_FALSE(head(3, 0x7fffffff).ok());
    for (int32_t steps : {-1, 0, 1, 3, 1 << 25}) EXPECT_FALSE(run(steps, good.packed).ok()) << steps;
    EXPECT_FALSE(run(2, std::vector<uint8_t>(good.packed.begin(), good.packed.end() - 1)).ok());
    EXPECT_FALSE(run(2, {}).ok());
    EXPECT_FALSE(run(2, good.packed, runtime::Space::kArena).ok());
  }
}

#if defined(__x86_64__)
TEST(ConvU8AvxVnniTest, EqualsNestedLoopsInItsAvx512Encoding) {
  if (!CpuSupports(Isa::kAvx512Vnni)) GTEST_SKIP() << "skipped: this machine has no AVX512-VNNI";
  RegisterConvU8Kernels();
  static runtime::KernelDef row;
  for (const runtime::KernelDef& each : ConvU8Rows()) {
    if (absl::string_view(each.name) == "conv_u8.avxvnni") row = each;
  }
  row.name = "conv_u8.avxvnni_evex";
  row.run = RunTier<avxvnni_evex::ConvU8>;
  ASSERT_EQ(runtime::RegisterKernel(&row), absl::OkStatus());
  Random random(14);
  for (int i = 0; i < 200; ++i) {
    ConvCase c = RandomConvCase(random, {});
    if (i % 4 == 0) MakeWide(random, &c);
    ASSERT_NO_FATAL_FAILURE(CheckConv(row.name, Isa::kAvxVnni, c, 1 + i % 5)) << "case " << i;
  }
  for (const ConvChoice& choice : kDense) ASSERT_NO_FATAL_FAILURE(CheckConv(row.name, Isa::kAvxVnni, RandomConvCase(random, choice), 2));
}
#endif

INSTANTIATE_TEST_SUITE_P(Tiers, ConvU8Test, testing::ValuesIn(RunnableTiers()), [](const auto& info) { return std::string(IsaName(info.param)); });

}  // namespace
}  // namespace omkit::kernels
