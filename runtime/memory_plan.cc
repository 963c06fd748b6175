#include "runtime/memory_plan.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"

namespace omkit::runtime {
namespace {

constexpr uint64_t kLargestTotal = uint64_t{1} << 62;
// Pairs of blocks looked at by the local search, about a second of work.
constexpr uint64_t kSearchBudget = 300'000'000;
constexpr int kMostRounds = 4000;
constexpr size_t kMostBlocksForAllOrders = 5000;

using Order = std::vector<int>;

uint64_t AlignUp(uint64_t value, uint64_t alignment) { return (value + alignment - 1) & ~(alignment - 1); }

absl::Status CheckBlocks(absl::Span<const MemoryBlock> blocks) {
  uint64_t sum = 0;
  for (size_t i = 0; i < blocks.size(); ++i) {
    const MemoryBlock& b = blocks[i];
    if (b.first_step > b.last_step) {
      return absl::InvalidArgumentError(absl::StrCat("memory plan: block ", i, " lives from step ", b.first_step, " to ", b.last_step));
    }
    if (b.alignment == 0 || (b.alignment & (b.alignment - 1)) != 0 || b.alignment > kLargestTotal) {
      return absl::InvalidArgumentError(absl::StrCat("memory plan: block ", i, " has alignment ", b.alignment, ", not a power of two"));
    }
    if (b.size > kLargestTotal || b.alignment > kLargestTotal - sum || b.size > kLargestTotal - sum - b.alignment) {
      return absl::ResourceExhaustedError(absl::StrCat("memory plan: with block ", i, " of ", b.size, " bytes the sum exceeds 2^62 bytes"));
    }
    sum += b.size + b.alignment;
  }
  return absl::OkStatus();
}

uint64_t MostLiveBytes(absl::Span<const MemoryBlock> blocks) {
  std::map<int64_t, std::pair<uint64_t, uint64_t>> changes;  // step -> {bytes that begin, bytes that end}
  for (const MemoryBlock& b : blocks) {
    const uint64_t size = AlignUp(b.size, b.alignment);
    changes[b.first_step].first += size;
    changes[int64_t{b.last_step} + 1].second += size;
  }
  uint64_t live = 0, most = 0;
  for (const auto& [step, change] : changes) {
    live += change.first;
    live -= change.second;
    most = std::max(most, live);
  }
  return most;
}

enum class Fit { kLowest, kTightest };

class Planner {
 public:
  explicit Planner(absl::Span<const MemoryBlock> blocks) : blocks_(blocks), offsets_(blocks.size()) { placed_.reserve(blocks.size()); }

  // Places the blocks in this order; returns the total.
  uint64_t Place(const Order& order, Fit fit) {
    placed_.clear();
    uint64_t total = 0;
    for (int id : order) {
      const MemoryBlock& b = blocks_[id];
      if (b.size == 0) {
        offsets_[id] = 0;
        continue;
      }
      offsets_[id] = FindGap(b, fit);
      const auto lower = [this](int x, int y) { return offsets_[x] < offsets_[y]; };
      placed_.insert(std::upper_bound(placed_.begin(), placed_.end(), id, lower), id);
      total = std::max(total, offsets_[id] + b.size);
    }
    return total;
  }

  const std::vector<uint64_t>& offsets() const { return offsets_; }

 private:
  static bool Together(const MemoryBlock& a, const MemoryBlock& b) { return a.first_step <= b.last_step && b.first_step <= a.last_step; }

  uint64_t FindGap(const MemoryBlock& b, Fit fit) const {
    uint64_t end = 0, best = 0, tightest = ~uint64_t{0};
    for (int id : placed_) {  // by rising offset
      const MemoryBlock& other = blocks_[id];
      if (!Together(b, other)) continue;
      const uint64_t at = AlignUp(end, b.alignment);
      if (at + b.size <= offsets_[id] && offsets_[id] - at < tightest) {
        best = at;
        tightest = offsets_[id] - at;
        if (fit == Fit::kLowest) return best;
      }
      end = std::max(end, offsets_[id] + other.size);
    }
    return tightest != ~uint64_t{0} ? best : AlignUp(end, b.alignment);
  }

  const absl::Span<const MemoryBlock> blocks_;
  std::vector<uint64_t> offsets_;
  std::vector<int> placed_;
};

template <typename Key>
Order OrderBy(absl::Span<const MemoryBlock> blocks, Key key) {
  Order order(blocks.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return key(blocks[a]) < key(blocks[b]); });
  return order;
}

std::vector<Order> StartOrders(absl::Span<const MemoryBlock> blocks) {
  const auto length = [](const MemoryBlock& b) { return static_cast<double>(b.last_step) - b.first_step + 1; };
  std::vector<Order> orders;
  orders.push_back(OrderBy(blocks, [](const MemoryBlock& b) { return ~b.size; }));
  if (blocks.size() > kMostBlocksForAllOrders) return orders;
  orders.push_back(OrderBy(blocks, [&](const MemoryBlock& b) { return -length(b) * static_cast<double>(b.size); }));
  orders.push_back(OrderBy(blocks, [&](const MemoryBlock& b) { return std::make_pair(-length(b), ~b.size); }));
  orders.push_back(OrderBy(blocks, [](const MemoryBlock& b) { return std::make_pair(b.first_step, ~b.size); }));
  return orders;
}

// Keeps the best plan seen and the order that gave it.
struct Best {
  Order order;
  Fit fit = Fit::kLowest;
  MemoryPlan plan;

  bool Try(Planner* planner, const Order& candidate, Fit candidate_fit, bool allow_equal) {
    const uint64_t total = planner->Place(candidate, candidate_fit);
    const bool better = order.empty() || total < plan.total || (allow_equal && total == plan.total);
    if (!better) return false;
    order = candidate;
    fit = candidate_fit;
    plan.total = total;
    plan.offsets = planner->offsets();
    return true;
  }
};

// Moves one block forward at a time: mostly one that reaches the top, else any.
void Search(absl::Span<const MemoryBlock> blocks, Planner* planner, Best* best) {
  const uint64_t n = blocks.size();
  const uint64_t rounds = std::min<uint64_t>(kMostRounds, kSearchBudget / (n * n + 1));
  uint64_t random = 0x9E3779B97F4A7C15u;
  const auto next = [&random](uint64_t below) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    return (random >> 33) % below;
  };
  for (uint64_t round = 0; round < rounds && best->plan.total > best->plan.lower_bound; ++round) {
    Order order = best->order;
    uint64_t from = next(n);
    if (round % 4 != 0) {
      for (uint64_t tried = 0; tried < n; ++tried, from = (from + 1) % n) {
        const int id = order[from];
        if (best->plan.offsets[id] + blocks[id].size == best->plan.total) break;
      }
    }
    const uint64_t to = next(from + 1);
    std::rotate(order.begin() + to, order.begin() + from, order.begin() + from + 1);
    best->Try(planner, order, next(8) == 0 ? Fit::kTightest : best->fit, /*allow_equal=*/true);
  }
}

}  // namespace

absl::StatusOr<MemoryPlan> PlanMemory(absl::Span<const MemoryBlock> blocks) {
  if (absl::Status status = CheckBlocks(blocks); !status.ok()) return status;
  Best best;
  best.plan.lower_bound = MostLiveBytes(blocks);
  if (blocks.empty()) return best.plan;
  Planner planner(blocks);
  for (const Order& order : StartOrders(blocks)) {
    best.Try(&planner, order, Fit::kLowest, /*allow_equal=*/false);
    best.Try(&planner, order, Fit::kTightest, /*allow_equal=*/false);
  }
  Search(blocks, &planner, &best);
  return best.plan;
}

}  // namespace omkit::runtime
