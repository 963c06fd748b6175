// LSTM, GRU and RNN with constant weights: the kernels of every instruction set against the interpreter.
#include <cmath>
#include <random>

#include "absl/strings/str_cat.h"
#include "backends/compile.h"
#include "backends/run_side.h"
#include "gtest/gtest.h"
#include "ir/evaluate.h"
#include "ir/op.h"
#include "runtime/model.h"
#include "runtime/soc.h"

namespace omkit {
namespace {

using ir::OpKind;
using ir::ValueId;

class Maker {
 public:
  explicit Maker(uint32_t seed) : engine_(seed) {}
  int64_t Int(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(engine_); }
  Tensor Floats(Shape shape) {
    Tensor t = *Tensor::Allocate(DType::kFloat32, std::move(shape));
    for (int64_t i = 0; i < t.elements(); ++i) t.mutable_data<float>()[i] = std::uniform_real_distribution<float>(-1, 1)(engine_);
    return t;
  }

 private:
  std::mt19937 engine_;
};

// One cell of random sizes; which optional inputs and outputs it has is random too.
std::unique_ptr<ir::Graph> RandomCell(Maker& maker, OpKind op) {
  auto graph = std::make_unique<ir::Graph>();
  const int64_t gates = op == OpKind::kLSTM ? 4 : op == OpKind::kGRU ? 3 : 1;
  const int64_t time = maker.Int(1, 7), batch = maker.Int(1, 6), input = maker.Int(1, 20), hidden = maker.Int(1, 40);
  const char* const kDirections[] = {"forward", "reverse", "bidirectional"};
  const int64_t direction = maker.Int(0, 2), d = direction == 2 ? 2 : 1;
  ir::Attrs attrs;
  attrs.Set("direction", std::string(kDirections[direction]));
  attrs.Set("hidden_size", hidden);
  if (op == OpKind::kGRU) attrs.Set("linear_before_reset", maker.Int(0, 1));
  std::vector<ValueId> inputs = {graph->AddInput("x", TensorType{DType::kFloat32, Shape{time, batch, input}, {}, Layout::kPlain}),
                                 graph->AddConstant("w", maker.Floats(Shape{d, gates * hidden, input})),
                                 graph->AddConstant("r", maker.Floats(Shape{d, gates * hidden, hidden}))};
  inputs.push_back(maker.Int(0, 2) == 0 ? ir::kNoValue : graph->AddConstant("b", maker.Floats(Shape{d, 2 * gates * hidden})));
  inputs.push_back(ir::kNoValue);
  if (maker.Int(0, 1) == 1) {
    const TensorType state{DType::kFloat32, Shape{d, batch, hidden}, {}, Layout::kPlain};
    inputs.push_back(graph->AddInput("h", state));
    if (op == OpKind::kLSTM && maker.Int(0, 1) == 1) inputs.push_back(graph->AddInput("c", state));
  }
  const ir::NodeId id = graph->AddNode(op, "cell", inputs, attrs, static_cast<int>(maker.Int(1, op == OpKind::kLSTM ? 3 : 2)));
  for (ValueId v : graph->node(id).outputs) graph->MarkOutput(v);
  EXPECT_EQ(ir::InferGraph(*graph), absl::OkStatus());
  return graph;
}

TEST(Recurrent, KernelsAgreeWithTheInterpreterOnEveryTier) {
  RegisterAllKernels();
  Maker maker(7);
  for (int i = 0; i < 60; ++i) {
    const OpKind op = i % 3 == 0 ? OpKind::kLSTM : i % 3 == 1 ? OpKind::kGRU : OpKind::kRNN;
    const std::unique_ptr<ir::Graph> graph = RandomCell(maker, op);
    std::vector<Tensor> inputs;
    std::vector<const void*> in;
    for (ValueId v : graph->inputs()) inputs.push_back(maker.Floats(graph->value(v).type.shape));
    for (const Tensor& t : inputs) in.push_back(t.raw());
    const auto expected = ir::Interpret(*graph, inputs);
    ASSERT_TRUE(expected.ok()) << expected.status();
    for (const runtime::SocRow& soc : runtime::SocRows()) {
      if (soc.name == std::string(runtime::kReferenceSoc) || !CpuSupports(soc.isa)) continue;
      SCOPED_TRACE(absl::StrCat("case ", i, " on ", soc.name));
      CompileOptions options;
      options.soc_version = soc.name;
      auto program = Compile(graph->Clone(), options);
      ASSERT_TRUE(program.ok()) << program.status();
      EXPECT_NE(program->steps.back().kernel.find("recurrent_f32"), std::string::npos);
      auto om = runtime::LoadedOmFrom(*std::move(program));
      ASSERT_TRUE(om.ok()) << om.status();
      runtime::ModelOptions model_options;
      model_options.check_soc = false;
      auto model = runtime::Model::Load(*std::move(om), model_options);
      ASSERT_TRUE(model.ok()) << model.status();
      std::vector<Tensor> results;
      std::vector<void*> out;
      for (const Tensor& t : *expected) results.push_back(*Tensor::Allocate(t.type()));
      for (Tensor& t : results) out.push_back(t.mutable_raw());
      ASSERT_EQ((*model)->Execute(in, out), absl::OkStatus());
      for (size_t o = 0; o < results.size(); ++o) {
        for (int64_t k = 0; k < results[o].elements(); ++k) {
          ASSERT_NEAR(results[o].data<float>()[k], (*expected)[o].data<float>()[k], 1e-5) << "output " << o << " element " << k;
        }
      }
    }
  }
}

}  // namespace
}  // namespace omkit
