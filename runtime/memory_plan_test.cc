#include "runtime/memory_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

namespace omkit::runtime {
namespace {

using Blocks = std::vector<MemoryBlock>;

// The most bytes live at one step, counted step by step.
uint64_t LiveBytesBySteps(const Blocks& blocks) {
  uint64_t most = 0;
  for (const MemoryBlock& at : blocks) {
    uint64_t live = 0;
    for (const MemoryBlock& b : blocks) {
      if (b.first_step <= at.first_step && at.first_step <= b.last_step) live += (b.size + b.alignment - 1) / b.alignment * b.alignment;
    }
    most = std::max(most, live);
  }
  return most;
}

MemoryPlan CheckedPlan(const Blocks& blocks) {
  const absl::StatusOr<MemoryPlan> plan = PlanMemory(blocks);
  EXPECT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->offsets.size(), blocks.size());
  uint64_t highest = 0;
  for (size_t i = 0; i < blocks.size(); ++i) {
    const MemoryBlock& a = blocks[i];
    EXPECT_EQ(plan->offsets[i] % a.alignment, 0u);
    highest = std::max(highest, plan->offsets[i] + a.size);
    for (size_t j = 0; j < i; ++j) {
      const MemoryBlock& b = blocks[j];
      const bool together = a.first_step <= b.last_step && b.first_step <= a.last_step;
      const bool apart = plan->offsets[i] + a.size <= plan->offsets[j] || plan->offsets[j] + b.size <= plan->offsets[i];
      if (together && a.size > 0 && b.size > 0) {
        EXPECT_TRUE(apart) << "blocks " << i << " and " << j;
      }
    }
  }
  EXPECT_EQ(plan->total, highest);
  EXPECT_EQ(plan->lower_bound, LiveBytesBySteps(blocks));
  return *plan;
}

uint64_t RoundedTotal(const MemoryPlan& plan) { return (plan.total + 63) / 64 * 64; }

TEST(MemoryPlan, Empty) { EXPECT_EQ(CheckedPlan({}).total, 0u); }

TEST(MemoryPlan, BlocksOfDisjointStepsShare) {
  const MemoryPlan plan = CheckedPlan({{1000, 0, 1}, {1000, 2, 3}, {640, 1, 2}});
  EXPECT_EQ(plan.total, 1024u + 640u);
}

TEST(MemoryPlan, ZeroSizedBlocksCostNothing) { EXPECT_EQ(CheckedPlan({{0, 0, 9}, {64, 0, 9}, {0, 3, 3}}).total, 64u); }

TEST(MemoryPlan, RefusesNonsense) {
  EXPECT_EQ(PlanMemory({{64, 2, 1}}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(PlanMemory({{64, 0, 1, 48}}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(PlanMemory({{64, 0, 1, 0}}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(PlanMemory({{~uint64_t{0}, 0, 1}}).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(PlanMemory(Blocks(5, {uint64_t{1} << 60, 0, 1})).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(MemoryPlan, RandomBlocksNeverOverlap) {
  std::mt19937 random(1);
  for (int round = 0; round < 150; ++round) {
    Blocks blocks(1 + random() % 40);
    for (MemoryBlock& b : blocks) {
      b.size = random() % 7 == 0 ? 0 : 1 + random() % 5000;
      b.first_step = static_cast<int>(random() % 30) - 5;
      b.last_step = b.first_step + static_cast<int>(random() % 10);
      b.alignment = uint64_t{1} << (random() % 9);
    }
    const MemoryPlan plan = CheckedPlan(blocks);
    const MemoryPlan again = CheckedPlan(blocks);
    EXPECT_EQ(plan.offsets, again.offsets);
  }
}

// Placing blocks at the lowest free offset in some order reaches an optimum, so trying all orders gives it.
uint64_t BestOfAllOrders(const Blocks& blocks) {
  std::vector<int> order(blocks.size());
  std::iota(order.begin(), order.end(), 0);
  uint64_t best = ~uint64_t{0};
  do {
    std::vector<uint64_t> offset(blocks.size());
    uint64_t total = 0;
    for (size_t k = 0; k < order.size(); ++k) {
      const MemoryBlock& b = blocks[order[k]];
      uint64_t at = 0;
      for (bool moved = true; moved;) {
        moved = false;
        for (size_t j = 0; j < k; ++j) {
          const MemoryBlock& c = blocks[order[j]];
          const uint64_t begin = offset[order[j]], end = begin + c.size;
          if (b.first_step <= c.last_step && c.first_step <= b.last_step && at < end && begin < at + b.size) {
            at = (end + 63) / 64 * 64;
            moved = true;
          }
        }
      }
      offset[order[k]] = at;
      total = std::max(total, at + b.size);
    }
    best = std::min(best, total);
  } while (std::next_permutation(order.begin(), order.end()));
  return best;
}

TEST(MemoryPlan, SmallCasesAreOptimal) {
  std::mt19937 random(7);
  for (int round = 0; round < 60; ++round) {
    Blocks blocks(6);
    for (MemoryBlock& b : blocks) {
      b.size = 64 * (1 + random() % 20);
      b.first_step = static_cast<int>(random() % 6);
      b.last_step = b.first_step + static_cast<int>(random() % 4);
    }
    EXPECT_EQ(CheckedPlan(blocks).total, BestOfAllOrders(blocks)) << "round " << round;
  }
}

// Shapes of well-known networks; sizes in bytes of INT8 activations.
Blocks ResidualNet() {
  Blocks blocks;
  int step = 0;
  for (uint64_t stage = 0; stage < 4; ++stage) {
    const uint64_t wide = (256u << stage) * (56u >> stage) * (56u >> stage), narrow = wide / 4;
    for (int block = 0; block < 4; ++block, step += 3) {
      blocks.push_back({narrow, step, step + 1});
      blocks.push_back({narrow, step + 1, step + 2});
      blocks.push_back({wide, step + 2, step + 5});
    }
  }
  return blocks;
}

Blocks InvertedResidualNet() {
  Blocks blocks;
  int step = 0;
  const uint64_t channels[] = {16, 24, 32, 64, 96, 160, 320}, sides[] = {112, 56, 28, 14, 14, 7, 7};
  for (int stage = 0; stage < 7; ++stage) {
    const uint64_t narrow = channels[stage] * sides[stage] * sides[stage];
    for (int block = 0; block < 3; ++block, step += 3) {
      blocks.push_back({narrow * 6, step, step + 1});
      blocks.push_back({narrow * 6, step + 1, step + 2});
      blocks.push_back({narrow, step + 2, step + 5});
    }
  }
  return blocks;
}

Blocks DenseNet() {
  Blocks blocks;
  for (int layer = 0; layer < 24; ++layer) {
    blocks.push_back({32 * 28 * 28, 2 * layer + 1, 48});
    blocks.push_back({128 * 28 * 28, 2 * layer, 2 * layer + 1});
  }
  return blocks;
}

Blocks InceptionNet() {
  Blocks blocks;
  int step = 0;
  std::mt19937 random(3);
  for (int module = 0; module < 9; ++module, step += 8) {
    const int end = step + 7;
    for (int branch = 0; branch < 4; ++branch) {
      blocks.push_back({(64 + random() % 128) * 784, step + 2 * branch, step + 2 * branch + 1});
      blocks.push_back({(32 + random() % 96) * 784, step + 2 * branch + 1, end});
    }
    blocks.push_back({480 * 784, end, end + 8});
  }
  return blocks;
}

Blocks DetectionNet() {
  Blocks blocks;
  int step = 0;
  for (int level = 0; level < 5; ++level, step += 6) {
    const uint64_t size = (uint64_t{64} << level) * (160u >> level) * (160u >> level);
    blocks.push_back({size, step, step + 1});
    blocks.push_back({size / 2, step + 1, step + 5});
    blocks.push_back({size / 2, step + 1, step + 2});
    blocks.push_back({size / 2, step + 2, step + 3});
    blocks.push_back({size / 2, step + 3, step + 5});
    blocks.push_back({size, step + 5, level < 2 ? step + 6 : 60 - step});
  }
  return blocks;
}

TEST(MemoryPlan, TypicalNetsReachTheLowerBoundWithin5Percent) {
  const struct {
    const char* name;
    Blocks blocks;
  } kNets[] = {{"residual", ResidualNet()},
               {"inverted residual", InvertedResidualNet()},
               {"dense", DenseNet()},
               {"inception", InceptionNet()},
               {"detection", DetectionNet()}};
  for (const auto& net : kNets) {
    const MemoryPlan plan = CheckedPlan(net.blocks);
    EXPECT_LE(RoundedTotal(plan), plan.lower_bound * 105 / 100) << net.name;
    std::printf("%-18s %9llu bytes, %.2f %% over the lower bound\n", net.name, static_cast<unsigned long long>(plan.total),
                100.0 * (static_cast<double>(RoundedTotal(plan)) / static_cast<double>(plan.lower_bound) - 1));
  }
}

}  // namespace
}  // namespace omkit::runtime
