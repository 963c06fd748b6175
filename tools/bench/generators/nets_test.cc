#include "tools/bench/generators/nets.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "backends/compile.h"
#include "base/file.h"
#include "frontends/frontend.h"

namespace omkit::bench {
namespace {

// Parameters as torchvision's model pages publish them (mobilenet_v1: Keras Applications, without moving statistics); they count gamma and
// beta of batch normalization where the folded network has one bias. Multiply-adds at the usual size, in millions, from the same pages or the papers.
// yolov8n: the model page of ultralytics, less the 16 fixed weights that decode boxes. bert_base: 12 layers of 4 h^2 + 8 h^2 weights, 13 h biases
// and gains (Devlin et al., section 3; h = 768), minilm_l6 the same with 6 layers of h = 384.
struct Published {
  const char* name;
  int64_t parameters;
  bool batch_norm;
  double mega_multiply_adds;
};
constexpr Published kPublished[] = {
    {"resnet18", 11'689'512, true, 1814},    {"resnet50", 25'557'032, true, 4089},     {"mobilenet_v1", 4'231'976, true, 569},
    {"mobilenet_v2", 3'504'872, true, 301},  {"squeezenet1_1", 1'235'496, false, 349}, {"yolov8n", 3'157'184, true, 4371},
    {"bert_base", 85'054'464, false, 11174}, {"minilm_l6", 10'646'784, false, 1434},
};

TEST(Nets, HaveThePublishedSizes) {
  ASSERT_EQ(NetNames().size(), std::size(kPublished));
  for (const Published& row : kPublished) {
    const absl::StatusOr<NetBuilder> net = MakeNet(row.name, {});
    ASSERT_TRUE(net.ok()) << net.status();
    EXPECT_EQ(net->parameters() + (row.batch_norm ? net->conv_biases() : 0), row.parameters) << row.name;
    EXPECT_NEAR(static_cast<double>(net->multiply_adds()) * 1e-6, row.mega_multiply_adds, 1) << row.name;
  }
}

TEST(Nets, ImportAndCompile) {
  std::string folder = ::testing::TempDir() + "/nets_XXXXXX";
  ASSERT_NE(mkdtemp(&folder[0]), nullptr);
  for (const std::string& name : NetNames()) {
    if (name == "bert_base") continue;  // minilm_l6 has the same layers
    const absl::StatusOr<NetBuilder> net = MakeNet(name, {kLeastSize, 2, 1});
    ASSERT_TRUE(net.ok()) << net.status();
    const std::string path = folder + "/" + name + ".onnx";
    ASSERT_TRUE(WriteFile(path, net->model().SerializeAsString()).ok());
    auto graph = frontends::Import(5, {path});
    ASSERT_TRUE(graph.ok()) << name << ": " << graph.status();
    const absl::StatusOr<runtime::Program> program = Compile(*std::move(graph), {});
    ASSERT_TRUE(program.ok()) << name << ": " << program.status();
    ASSERT_EQ(program->outputs.size(), 1u);
    EXPECT_EQ(program->outputs[0].dims[0], 2) << name;
    // The compiler's own shape inference counts the same arithmetic.
    int64_t operations = 0;
    for (const runtime::Step& step : program->steps) {
      if (step.op == "Conv" || step.op == "Dense" || step.op == "Gemm" || step.op == "MatMul") operations += step.operations;
    }
    EXPECT_NEAR(static_cast<double>(operations), 2.0 * 2 * static_cast<double>(net->multiply_adds()), 0.02 * static_cast<double>(operations)) << name;
    remove(path.c_str());
  }
  remove(folder.c_str());
}

TEST(Nets, SeedDecidesTheBytes) {
  const auto bytes = [](uint64_t seed) { return MakeNet("squeezenet1_1", {64, 1, seed})->model().SerializeAsString(); };
  EXPECT_EQ(bytes(1), bytes(1));
  EXPECT_NE(bytes(1), bytes(2));
}

TEST(Nets, WrongRequests) {
  EXPECT_EQ(MakeNet("resnet5", {}).status().message(), "unknown network 'resnet5', did you mean 'resnet50'?");
  EXPECT_EQ(MakeNet("resnet50", {16, 1, 1}).status().message(), "size 16: not from 32 to 4096");
  EXPECT_EQ(MakeNet("resnet50", {64, 0, 1}).status().message(), "batch 0: not at least 1");
}

}  // namespace
}  // namespace omkit::bench
