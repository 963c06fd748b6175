#include "backends/tune.h"

#include <cstdlib>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "backends/kernels/conv_u8/conv_u8.h"
#include "backends/lower.h"
#include "backends/program_builder.h"
#include "backends/run_side.h"
#include "backends/tune_bank.h"
#include "gtest/gtest.h"
#include "ir/op.h"
#include "runtime/model.h"

namespace omkit {
namespace {

std::string Folder(const char* name) { return absl::StrCat(std::getenv("TEST_TMPDIR"), "/", name); }

// Two float layers; the second is named so that a bank can speak of it.
std::unique_ptr<ir::Graph> TwoLayers() {
  auto graph = std::make_unique<ir::Graph>();
  const ir::ValueId x = graph->AddInput("x", TensorType{DType::kFloat32, Shape{8, 64}, {}, Layout::kPlain});
  const ir::ValueId a = graph->node(graph->AddNode(ir::OpKind::kRelu, "first", {x})).outputs[0];
  const ir::ValueId b = graph->node(graph->AddNode(ir::OpKind::kExp, "second", {a})).outputs[0];
  const absl::StatusOr<std::vector<ir::NodeId>> order = graph->TopologicalOrder();
  for (ir::NodeId id : *order) EXPECT_TRUE(ir::InferNode(*graph, id).ok());
  graph->MarkOutput(b);
  return graph;
}

// Every work of the bank gets these times.
void Rewrite(const std::string& path, const std::map<Variant, int64_t>& least_ns) {
  TuneBank bank = *ReadTuneBank(path);
  for (auto& [key, work] : bank) work.least_ns = least_ns;
  ASSERT_TRUE(WriteTuneBank(bank, path).ok());
}

TEST(TuneBank, ComesBackAsItWasWritten) {
  const TuneBank bank = {{"ab", {"conv_u8", {{{Isa::kAvx2}, 31250}, {{Isa::kAvx512Vnni}, 18990}, {{Isa::kAvx512Vnni, 112}, 18640}}}},
                         {"cd", {"pool_u8", {{{Isa::kGeneric}, 1}}}}};
  const std::string path = Folder("new/folder/bank.tune");
  ASSERT_TRUE(WriteTuneBank(bank, path).ok());
  const absl::StatusOr<TuneBank> read = ReadTuneBank(path);
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->size(), 2u);
  EXPECT_EQ(read->at("ab").kernel, "conv_u8");
  EXPECT_EQ(read->at("ab").least_ns, bank.at("ab").least_ns);
  EXPECT_EQ(read->at("cd").least_ns, bank.at("cd").least_ns);
  EXPECT_TRUE(ReadTuneBank(Folder("absent.tune"))->empty());
}

TEST(TuneBank, RefusesOtherFiles) {
  const struct {
    const char* text;
    const char* message;
  } cases[] = {
      {"hello\n", "not a tuning bank"},
      {"omkit_tune_bank 2\nab conv\n", ":2: expected a key"},
      {"omkit_tune_bank 2\nab conv avx2=1\ncd conv avx9=1\n", ":3: 'avx9=1'"},
      {"omkit_tune_bank 2\nab conv avx2=-1\n", "'avx2=-1'"},
      {"omkit_tune_bank 2\nab conv avx2=x\n", "'avx2=x'"},
      {"omkit_tune_bank 2\nab conv avx2/=1\n", "'avx2/=1'"},
      {"omkit_tune_bank 2\nab conv avx2/0=1\n", "'avx2/0=1'"},
  };
  for (const auto& c : cases) {
    const std::string path = Folder("bad.tune");
    std::ofstream(path) << c.text;
    const absl::StatusOr<TuneBank> bank = ReadTuneBank(path);
    EXPECT_EQ(bank.status().code(), absl::StatusCode::kInvalidArgument) << c.text;
    EXPECT_TRUE(absl::StrContains(bank.status().message(), c.message)) << bank.status();
  }
}

TEST(Tune, TakesTheFastestTierOfTheBank) {
  const runtime::SocRow& soc = runtime::HostSoc();
  const std::unique_ptr<ir::Graph> graph = TwoLayers();
  TuneOptions options;
  EXPECT_TRUE(Tune(soc, *graph, options)->empty()) << "off";
  options.mode = TuneMode::kFast;
  options.bank_folder = Folder("bank");
  const absl::StatusOr<VariantOfNode> measured = Tune(soc, *graph, options);
  ASSERT_TRUE(measured.ok()) << measured.status();
  const std::string path = TuneBankPath(options.bank_folder, soc.isa);
  ASSERT_EQ(ReadTuneBank(path)->size(), 2u);
  // What is in the bank is not measured again.
  std::map<Variant, int64_t> times = ReadTuneBank(path)->begin()->second.least_ns;
  if (times.size() < 2) GTEST_SKIP() << "skipped: this machine has one tier";
  const Variant other = times.begin()->first == Variant{soc.isa} ? std::next(times.begin())->first : times.begin()->first;
  for (auto& [variant, ns] : times) ns = 5000;
  times[other] = 4000;
  Rewrite(path, times);
  const absl::StatusOr<VariantOfNode> tiers = Tune(soc, *graph, options);
  ASSERT_TRUE(tiers.ok()) << tiers.status();
  EXPECT_EQ(*tiers, (VariantOfNode{{"first", other}, {"second", other}}));
  // A gain within the noise is none; neither is one of layers that take no time.
  times[other] = 4900;
  Rewrite(path, times);
  EXPECT_TRUE(Tune(soc, *graph, options)->empty());
  for (auto& [variant, ns] : times) ns = 900;
  times[other] = 100;
  Rewrite(path, times);
  EXPECT_TRUE(Tune(soc, *graph, options)->empty());
  // A full run measures all the same.
  options.mode = TuneMode::kFull;
  ASSERT_TRUE(Tune(soc, *graph, options).ok());
  EXPECT_NE(ReadTuneBank(path)->begin()->second.least_ns, times);
}

TEST(Tune, ChosenTiersRunInTheProgram) {
  const runtime::SocRow& soc = runtime::HostSoc();
  const std::unique_ptr<ir::Graph> graph = TwoLayers();
  ProgramBuilder builder(*graph, soc.isa);
  builder.SetVariants({soc.isa}, {{"second", {Isa::kGeneric}}});
  ASSERT_TRUE(LowerGraph(soc.name, *graph, builder).ok());
  absl::StatusOr<runtime::Program> program = builder.Finish();
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_EQ(program->isa, IsaName(soc.isa));
  for (const runtime::Step& step : program->steps) {
    EXPECT_TRUE(absl::EndsWith(step.kernel, step.node == "second" ? ".generic" : IsaName(soc.isa))) << step.node << " " << step.kernel;
  }
  RegisterAllKernels();
  program->soc_version = soc.name;
  auto om = runtime::LoadedOmFrom(*std::move(program));
  ASSERT_TRUE(om.ok()) << om.status();
  EXPECT_TRUE(runtime::Model::Load(*std::move(om)).ok());
}

// Dequantize -> Relu -> Exp -> Quantize is one step, which stands for the Relu.
TEST(Tune, AChainRunsOnTheTierOfItsFirstFunction) {
  const runtime::SocRow& soc = runtime::HostSoc();
  ir::Graph graph;
  TensorType bytes{DType::kUInt8, Shape{8, 64}, {{0.05f}, {128}}, Layout::kPlain};
  const ir::ValueId x = graph.AddInput("x", bytes);
  const auto add = [&](ir::OpKind op, const char* name, ir::ValueId in, const TensorType& type) {
    const ir::ValueId out = graph.node(graph.AddNode(op, name, {in})).outputs[0];
    graph.SetType(out, type);
    return out;
  };
  const TensorType floats{DType::kFloat32, Shape{8, 64}, {}, Layout::kPlain};
  const ir::ValueId real = add(ir::OpKind::kDequantize, "real", x, floats);
  const ir::ValueId positive = add(ir::OpKind::kRelu, "positive", real, floats);
  const ir::ValueId grown = add(ir::OpKind::kExp, "grown", positive, floats);
  graph.MarkOutput(add(ir::OpKind::kQuantize, "back", grown, bytes));
  ProgramBuilder builder(graph, soc.isa);
  builder.SetVariants({soc.isa}, {{"positive", {Isa::kGeneric}}, {"real", {soc.isa}}});
  ASSERT_TRUE(LowerGraph(soc.name, graph, builder).ok());
  const absl::StatusOr<runtime::Program> program = builder.Finish();
  ASSERT_TRUE(program.ok()) << program.status();
  bool found = false;
  for (const runtime::Step& step : program->steps) {
    if (!absl::StartsWith(step.kernel, "lut_u8")) continue;
    found = true;
    EXPECT_EQ(step.node, "positive");
    EXPECT_TRUE(absl::EndsWith(step.kernel, ".generic")) << step.kernel;
  }
  EXPECT_TRUE(found);
}

// A convolution with a function of one element behind it, which some tiers' kernels take up.
std::unique_ptr<ir::Graph> ConvWithFunction() {
  auto graph = std::make_unique<ir::Graph>();
  const auto add = [&](ir::OpKind op, const char* name, const std::vector<ir::ValueId>& in, const TensorType& type) {
    const ir::ValueId out = graph->node(graph->AddNode(op, name, in)).outputs[0];
    graph->SetType(out, type);
    return out;
  };
  const TensorType bytes{DType::kUInt8, Shape{1, 16, 30, 30}, {{0.05f}, {128}}, Layout::kPlain};
  const TensorType floats{DType::kFloat32, Shape{1, 16, 30, 30}, {}, Layout::kPlain};
  const ir::ValueId x = graph->AddInput("x", bytes);
  Tensor weights = *Tensor::Allocate({DType::kInt8, Shape{16, 16, 1, 1}, {{0.01f}, {0}}, Layout::kPlain});
  for (int64_t i = 0; i < weights.elements(); ++i) weights.mutable_data<int8_t>()[i] = static_cast<int8_t>(i * 37 % 255 - 127);
  const ir::ValueId y = add(ir::OpKind::kConv, "conv", {x, graph->AddConstant("w", std::move(weights))}, bytes);
  const ir::ValueId real = add(ir::OpKind::kDequantize, "real", {y}, floats);
  const ir::ValueId steep = add(ir::OpKind::kSigmoid, "steep", {real}, floats);
  graph->MarkOutput(add(ir::OpKind::kQuantize, "back", {steep}, bytes));
  return graph;
}

TEST(Tune, ChoosesTheBlocksOfConvolutionsAndMeasuresOnce) {
  const runtime::SocRow& soc = runtime::HostSoc();
  if (soc.isa == Isa::kGeneric) GTEST_SKIP() << "skipped: the portable tier knows no blocks";
  const std::unique_ptr<ir::Graph> graph = ConvWithFunction();
  TuneOptions options;
  options.mode = TuneMode::kFast;
  options.bank_folder = Folder("blocks");
  bool measured = false;
  options.progress = [&](double) { measured = true; };
  ASSERT_TRUE(Tune(soc, *graph, options).ok());
  EXPECT_TRUE(measured);
  const std::string path = TuneBankPath(options.bank_folder, soc.isa);
  TuneBank bank = *ReadTuneBank(path);
  int convolutions = 0;
  for (auto& [key, work] : bank) {
    const bool convolution = work.kernel == "conv_u8";
    EXPECT_EQ(work.least_ns.count({soc.isa, 112}), convolution ? 1u : 0u) << work.kernel;
    if (!convolution) continue;
    ++convolutions;
    for (auto& [variant, ns] : work.least_ns) ns = variant == Variant{soc.isa, 112} ? 2000 : 5000;
  }
  EXPECT_EQ(convolutions, 1);
  ASSERT_TRUE(WriteTuneBank(bank, path).ok());
  measured = false;
  const absl::StatusOr<VariantOfNode> variants = Tune(soc, *graph, options);
  ASSERT_TRUE(variants.ok()) << variants.status();
  EXPECT_FALSE(measured);
  ASSERT_EQ(variants->count("conv"), 1u);
  EXPECT_EQ(VariantName(variants->at("conv")), absl::StrCat(IsaName(soc.isa), "/112"));
  ProgramBuilder builder(*graph, soc.isa);
  builder.SetVariants({soc.isa}, *variants);
  ASSERT_TRUE(LowerGraph(soc.name, *graph, builder).ok());
  const absl::StatusOr<runtime::Program> program = builder.Finish();
  ASSERT_TRUE(program.ok()) << program.status();
  for (const runtime::Step& step : program->steps) {
    if (step.node == "conv" && absl::StartsWith(step.kernel, "conv_u8")) {
      EXPECT_EQ(runtime::ParamsOf<kernels::ConvU8Params>(step).chunk_pixels, 112);
    }
  }
}

TEST(Tune, NeedsTheChip) {
  const auto soc = runtime::FindSoc(CpuSupports(Isa::kNeon) ? "npu-int8-avx512vnni" : "npu-int8-neon");
  ASSERT_TRUE(soc.ok()) << soc.status();
  TuneOptions options;
  options.mode = TuneMode::kFast;
  const absl::StatusOr<VariantOfNode> tiers = Tune(*soc, *TwoLayers(), options);
  EXPECT_EQ(tiers.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(absl::StrContains(tiers.status().message(), soc->name)) << tiers.status();
}

}  // namespace
}  // namespace omkit
