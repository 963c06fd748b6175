// Models with several plans: gears, and plans that are made when a shape is first asked for.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <thread>

#include "absl/strings/match.h"
#include "runtime/fake_kernels.h"
#include "runtime/model.h"
#include "runtime/om_file.h"
#include "runtime/plan_source.h"
#include "runtime/shapes.h"

namespace omkit::runtime {
namespace {

// FakeProgram over `n` <= kFakeElements elements: y[i] = 3 * s[i] + s[n-1-i] with s[i] = x[i] + w[n-1-i].
Plan FakePlan(int64_t n) {
  Plan plan = FakeProgram();
  const uint64_t bytes = static_cast<uint64_t>(n) * sizeof(float);
  for (IoDesc* io : {&plan.inputs[0], &plan.outputs[0]}) io->dims = {1, n}, io->bytes = bytes;
  for (Step& step : plan.steps) {
    FakeParams params = ParamsOf<FakeParams>(step);
    params.n = n;
    step.params = ParamBytes(params);
    for (Operand& operand : step.operands) operand.size = bytes;
  }
  return plan;
}

std::vector<float> Expected(const std::vector<float>& x) {
  const size_t n = x.size();
  std::vector<float> s(n), y(n);
  for (size_t i = 0; i < n; ++i) s[i] = x[i] + static_cast<float>(n - 1 - i) / 4;
  for (size_t i = 0; i < n; ++i) y[i] = 3 * s[i] + s[n - 1 - i];
  return y;
}

ShapedProgram GearedProgram(std::vector<int64_t> sizes = {40, 100, 7}) {
  ShapedProgram program = FakeProgram();
  RuntimeShapes& shapes = program.shapes;
  shapes.mode = ShapeMode::kDimsGears;
  shapes.dims = {{1, -1}};
  shapes.largest = 1;
  program.inputs.push_back(GearInput(1));
  for (int64_t size : sizes) {
    Plan plan = FakePlan(size);
    plan.inputs.push_back(GearInput(1));
    shapes.gears.push_back({{size}, size == kFakeElements ? Plan() : plan});
  }
  return program;
}

ShapedProgram RangeProgram() {
  ShapedProgram program = FakeProgram();
  program.steps.clear();
  program.arena_size = 0;
  for (IoDesc* io : {&program.inputs[0], &program.outputs[0]}) io->dims = {1, -1}, io->bytes = 0;
  program.shapes.mode = ShapeMode::kRanges;
  program.shapes.dims = {{1, -1}};
  program.shapes.ranges = {{{1, 1}, {2, kFakeElements}}};
  program.shapes.graph = "graph";
  return program;
}

std::unique_ptr<Model> Load(ShapedProgram program, int threads = 2) {
  RegisterFakeKernels();
  const std::string bytes = *SerializeOm(program);
  absl::StatusOr<LoadedOm> om = LoadOmFromMemory(bytes.data(), bytes.size());
  EXPECT_TRUE(om.ok()) << om.status();
  ModelOptions options;
  options.threads = threads;
  auto model = Model::Load(*std::move(om), options);
  EXPECT_TRUE(model.ok()) << model.status();
  return *std::move(model);
}

void ExpectRuns(Model* model, const Executor& executor, int64_t n, int seed) {
  std::vector<float> x(n), y(n, -1);
  for (int64_t i = 0; i < n; ++i) x[i] = static_cast<float>((i * 37 + seed) % 101);
  const int32_t gear = 0;
  const std::vector<const void*> inputs = {x.data(), &gear};
  void* output = y.data();
  const size_t count = model->program().inputs.size();
  const absl::Status status = model->Execute(executor, absl::MakeConstSpan(inputs).first(count), {&output, 1});
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(y, Expected(x));
}

TEST(Gears, EveryGearRunsInTheSameWorkspaces) {
  const std::unique_ptr<Model> model = Load(GearedProgram());
  ASSERT_EQ(model->program().shapes.gears.size(), 3u);
  EXPECT_EQ(model->program().shapes.largest, 1u);
  EXPECT_EQ(&model->main(), &model->gear(1));
  EXPECT_EQ(FindGear(model->program().shapes, {7}), 2u);
  EXPECT_EQ(FindGear(model->program().shapes, {8}), std::nullopt);
  for (int round = 0; round < 3; ++round) {
    ExpectRuns(model.get(), model->gear(0), 40, round);
    ExpectRuns(model.get(), model->gear(2), 7, round);
    ExpectRuns(model.get(), model->main(), 100, round);
  }
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&model, t] {
      for (int i = 0; i < 200; ++i) {
        const int gear = (i + t) % 3;
        ExpectRuns(model.get(), model->gear(gear), model->program().shapes.gears[gear].values[0], i);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(Gears, OneSetOfWeights) {
  const size_t one = SerializeOm(FakeProgram())->size(), three = SerializeOm(GearedProgram())->size();
  EXPECT_LT(three - one, 4096u);
  const std::unique_ptr<Model> model = Load(GearedProgram());
  EXPECT_EQ(model->weights_bytes(), FakeProgram().weights.size());
}

TEST(Gears, GearsPutValuesInPlace) {
  const std::vector<std::vector<int64_t>> dims = {{-1, 3, -1, -1}, {}, {-1}};
  EXPECT_EQ(GearWidth(ShapeMode::kDimsGears, dims), 4u);
  EXPECT_EQ(*GearDims(ShapeMode::kDimsGears, dims, {1, 2, 3, 4}), (std::vector<std::vector<int64_t>>{{1, 3, 2, 3}, {}, {4}}));
  EXPECT_EQ(*GearDims(ShapeMode::kBatchGears, {{-1, 3}, {2}, {-1}}, {8}), (std::vector<std::vector<int64_t>>{{8, 3}, {2}, {8}}));
  EXPECT_EQ(*GearDims(ShapeMode::kImageGears, {{8, 3, -1, -1}, {8, 4, -1, -1}}, {5, 6}),
            (std::vector<std::vector<int64_t>>{{8, 3, 5, 6}, {8, 4, 5, 6}}));
  EXPECT_FALSE(GearDims(ShapeMode::kImageGears, {{8, 3, -1, 4}}, {5, 6}).ok());
  EXPECT_FALSE(GearDims(ShapeMode::kImageGears, {{-1, 3, -1, -1}}, {5, 6}).ok());
  EXPECT_FALSE(GearDims(ShapeMode::kDimsGears, dims, {1, 2, 3}).ok());
  EXPECT_FALSE(GearDims(ShapeMode::kDimsGears, dims, {1, 2, 0, 4}).ok());
}

TEST(Gears, TheVerifierLooksAtEveryPlan) {
  const struct {
    const char* message;
    std::function<void(ShapedProgram*)> change;
  } bad[] = {
      {"gear 7: step 1", [](ShapedProgram* p) { p->shapes.gears[2].plan.steps[1].operands[0].offset = 1 << 20; }},
      {"gear 40: input 0 'x' has another shape",
       [](ShapedProgram* p) {
         p->shapes.gears[0].plan.inputs[0].dims = {40, 1};
       }},
      {"gear 40: output 0 'z' differs", [](ShapedProgram* p) { p->shapes.gears[0].plan.outputs[0].name = "z"; }},
      {"gear 40: 1 inputs, the largest gear has 2", [](ShapedProgram* p) { p->shapes.gears[0].plan.inputs.pop_back(); }},
      {"gear 100 is there twice", [](ShapedProgram* p) { p->shapes.gears[0].values = {100}; }},
      {"gear 40,1: a gear has 2 numbers",
       [](ShapedProgram* p) {
         p->shapes.gears[0].values = {40, 1};
       }},
      {"is no size", [](ShapedProgram* p) { p->shapes.gears[0].values = {-40}; }},
      {"1 gears; allowed are 2 to 100", [](ShapedProgram* p) { p->shapes.gears.resize(1); }},
      {"largest gear 9 of 3", [](ShapedProgram* p) { p->shapes.largest = 9; }},
      {"unknown mode 9", [](ShapedProgram* p) { p->shapes.mode = static_cast<ShapeMode>(9); }},
      {"3 gears in mode 0", [](ShapedProgram* p) { p->shapes.mode = ShapeMode::kFixed; }},
      {"is not the last one", [](ShapedProgram* p) { std::swap(p->inputs[0].name, p->inputs[1].name); }},
      {"does not hold 1 int32", [](ShapedProgram* p) { p->inputs[1].dtype = DType::kInt64, p->inputs[1].bytes = 8; }},
      {"gear 7: the model needs", [](ShapedProgram* p) { p->shapes.gears[2].plan.arena_size = uint64_t{1} << 40; }},
  };
  for (const auto& c : bad) {
    ShapedProgram program = GearedProgram();
    c.change(&program);
    const absl::Status status = SerializeOm(program).status();
    EXPECT_TRUE(absl::StrContains(status.message(), c.message)) << c.message << "\n" << status;
  }
}

TEST(Ranges, TheVerifierLooksAtRanges) {
  ASSERT_TRUE(SerializeOm(RangeProgram()).ok()) << SerializeOm(RangeProgram()).status();
  const struct {
    const char* message;
    std::function<void(ShapedProgram*)> change;
  } bad[] = {
      {"range 5 to 2",
       [](ShapedProgram* p) {
         p->shapes.ranges[0][1] = {5, 2};
       }},
      {"range -3 to 2",
       [](ShapedProgram* p) {
         p->shapes.ranges[0][1] = {-3, 2};
       }},
      {"range 1 to 4 for 1",
       [](ShapedProgram* p) {
         p->shapes.ranges[0][0] = {1, 4};
       }},
      {"has steps", [](ShapedProgram* p) { p->arena_size = 64; }},
      {"bytes for an open shape", [](ShapedProgram* p) { p->inputs[0].bytes = 4; }},
      {"a graph of 0 bytes", [](ShapedProgram* p) { p->shapes.graph.clear(); }},
      {"input 0 has other dims",
       [](ShapedProgram* p) {
         p->shapes.dims[0] = {1, 4};
       }},
  };
  for (const auto& c : bad) {
    ShapedProgram program = RangeProgram();
    c.change(&program);
    const absl::Status status = SerializeOm(program).status();
    EXPECT_TRUE(absl::StrContains(status.message(), c.message)) << c.message << "\n" << status;
  }
}

std::atomic<int> plans_made{0};

class FakeSource : public PlanSource {
 public:
  explicit FakeSource(const uint8_t* weights, uint64_t size) : weights_(weights), size_(size) {}
  absl::StatusOr<BoundPlan> Make(const std::vector<std::vector<int64_t>>& dims) override {
    ++plans_made;
    if (dims[0][1] == 13) return absl::InvalidArgumentError("node 'add1' takes no 13");
    BoundPlan bound{FakePlan(dims[0][1]), weights_, size_, nullptr};
    if (dims[0][1] == 14) bound.plan.steps[0].operands[0].size = 1000;
    return bound;
  }

 private:
  const uint8_t* weights_;
  uint64_t size_;
};

absl::StatusOr<std::unique_ptr<PlanSource>> MakeFakeSource(const ShapedProgram& program, const uint8_t* weights, uint64_t size) {
  EXPECT_EQ(program.shapes.graph, "graph");
  return std::unique_ptr<PlanSource>(new FakeSource(weights, size));
}

TEST(Ranges, PlansAreMadeOnceAndKept) {
  SetPlanSourceFactory(MakeFakeSource);
  const std::unique_ptr<Model> model = Load(RangeProgram());
  EXPECT_EQ(model->Execute({}, {}).code(), absl::StatusCode::kFailedPrecondition);
  for (const int64_t n : {5, 60, 5, 100, 60}) {
    const auto executor = model->Bind({{1, n}});
    ASSERT_TRUE(executor.ok()) << executor.status();
    ExpectRuns(model.get(), **executor, n, static_cast<int>(n));
  }
  EXPECT_EQ(plans_made, 3);
  const auto kept = model->Bind({{1, 5}});
  for (int64_t n = 20; n < 60; ++n) ASSERT_TRUE(model->Bind({{1, n}}).ok());
  plans_made = 0;
  ASSERT_TRUE(model->Bind({{1, 5}}).ok());
  EXPECT_EQ(plans_made, 1) << "the plan of 5 has left the cache";
  ExpectRuns(model.get(), **kept, 5, 1);

  plans_made = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&model] {
      for (int i = 0; i < 50; ++i) {
        const int64_t n = 61 + i % 5;
        const auto executor = model->Bind({{1, n}});
        ASSERT_TRUE(executor.ok());
        ExpectRuns(model.get(), **executor, n, i);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(plans_made, 5);
}

TEST(Ranges, ShapesThatCannotBeAreRefused) {
  SetPlanSourceFactory(MakeFakeSource);
  const std::unique_ptr<Model> model = Load(RangeProgram());
  const struct {
    std::vector<std::vector<int64_t>> dims;
    const char* message;
  } cases[] = {
      {{{1, 101}}, "dimension 1 is 101, the model takes 2 to 100"},
      {{{1, 1}}, "dimension 1 is 1"},
      {{{2, 50}}, "dimension 0 is 2"},
      {{{50}}, "has 2 dimensions, the given shape 1"},
      {{}, "0 shapes for 1 inputs"},
      {{{1, 13}}, "node 'add1' takes no 13"},
      {{{1, 14}}, "lie outside the input"},
  };
  for (const auto& c : cases) {
    const absl::Status status = model->Bind(c.dims).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_TRUE(absl::StrContains(status.message(), c.message)) << status;
  }
  EXPECT_EQ(Load(GearedProgram())->Bind({{1, 50}}).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(Ranges, WithoutACompilerTheModelIsRefused) {
  SetPlanSourceFactory(nullptr);
  const absl::Status status = Model::Load(*LoadedOmFrom(RangeProgram())).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace omkit::runtime
