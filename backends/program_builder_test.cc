// Where results are made: heads of detectors write their float results where the caller wants them, whatever reshapes and concatenations lie
// between. Each form is compared with the interpreter.
#include "backends/program_builder.h"

#include <functional>
#include <random>

#include "backends/lower.h"
#include "backends/run_side.h"
#include "gtest/gtest.h"
#include "ir/evaluate.h"
#include "ir/op.h"
#include "runtime/model.h"
#include "runtime/soc.h"

namespace omkit {
namespace {

// Builds a graph of bytes that become floats in convolutions.
class Heads {
 public:
  ir::Graph graph;

  ir::ValueId Input(int64_t channels, int64_t height, int64_t width) {
    return graph.AddInput(Name("x"), {DType::kUInt8, Shape{1, channels, height, width}, {{0.05f}, {128}}, Layout::kPlain});
  }
  ir::ValueId Conv(ir::ValueId x, int64_t channels, int64_t kernel) {
    const Shape& in = graph.value(x).type.shape;
    Tensor w = *Tensor::Allocate({DType::kInt8, Shape{channels, in.dim(1), kernel, kernel}, {{0.01f}, {0}}, Layout::kPlain});
    for (int64_t i = 0; i < w.elements(); ++i) w.mutable_data<int8_t>()[i] = static_cast<int8_t>(static_cast<int>(random_() % 255) - 127);
    ir::Attrs attrs;
    attrs.Set("pads", std::vector<int64_t>(4, kernel / 2));
    return Add(ir::OpKind::kConv, {x, graph.AddConstant(Name("w"), std::move(w))}, attrs, Shape{1, channels, in.dim(2), in.dim(3)});
  }
  ir::ValueId Concat(const std::vector<ir::ValueId>& parts, int axis) {
    std::vector<int64_t> dims = graph.value(parts[0]).type.shape.vec();
    dims[axis] = 0;
    for (ir::ValueId part : parts) dims[axis] += graph.value(part).type.shape.dim(axis);
    ir::Attrs attrs;
    attrs.Set("axis", int64_t{axis});
    return Add(ir::OpKind::kConcat, parts, attrs, Shape(dims));
  }
  ir::ValueId Reshape(ir::ValueId x, const std::vector<int64_t>& dims) {
    const ir::ValueId shape = graph.AddConstant(Name("shape"), Tensor::Of<int64_t>(Shape{static_cast<int64_t>(dims.size())}, dims));
    return Add(ir::OpKind::kReshape, {x, shape}, {}, Shape(dims));
  }
  ir::ValueId Relu(ir::ValueId x) { return Add(ir::OpKind::kRelu, {x}, {}, graph.value(x).type.shape); }
  const std::string& last() const { return last_; }

 private:
  std::string Name(const char* what) { return what + std::to_string(names_++); }
  ir::ValueId Add(ir::OpKind op, const std::vector<ir::ValueId>& in, const ir::Attrs& attrs, const Shape& shape) {
    last_ = Name("node");
    const ir::ValueId out = graph.node(graph.AddNode(op, last_, in, attrs)).outputs[0];
    graph.SetType(out, {DType::kFloat32, shape, {}, Layout::kPlain});
    return out;
  }

  std::mt19937 random_{7};
  int names_ = 0;
  std::string last_;
};

// Compiles and runs the graph on this machine, compares with the interpreter, and returns the number of copy steps.
int CopiesOf(const ir::Graph& graph, VariantOfNode variants = {}) {
  const runtime::SocRow& soc = runtime::HostSoc();
  RegisterAllKernels();
  std::mt19937 random(3);
  std::vector<Tensor> inputs;
  for (ir::ValueId v : graph.inputs()) {
    inputs.push_back(*Tensor::Allocate(graph.value(v).type));
    for (int64_t i = 0; i < inputs.back().elements(); ++i) inputs.back().mutable_data<uint8_t>()[i] = static_cast<uint8_t>(random());
  }
  const auto expected = ir::Interpret(graph, inputs);
  EXPECT_TRUE(expected.ok()) << expected.status();
  ProgramBuilder builder(graph, soc.isa);
  builder.SetVariants({soc.isa}, std::move(variants));
  const absl::Status lowered = LowerGraph(soc.name, graph, builder);
  EXPECT_TRUE(lowered.ok()) << lowered;
  absl::StatusOr<runtime::Program> program = builder.Finish();
  EXPECT_TRUE(program.ok()) << program.status();
  if (!expected.ok() || !program.ok()) return -1;
  int copies = 0;
  for (const runtime::Step& step : program->steps) copies += step.op == "Copy" || step.kernel.rfind("copy.", 0) == 0;
  program->soc_version = soc.name;
  for (int threads : {1, 3}) {
    runtime::ModelOptions options;
    options.threads = threads;
    auto om = runtime::LoadedOmFrom(runtime::Program(*program));
    EXPECT_TRUE(om.ok()) << om.status();
    const auto model = runtime::Model::Load(*std::move(om), options);
    EXPECT_TRUE(model.ok()) << model.status();
    std::vector<const void*> in;
    std::vector<std::vector<uint8_t>> buffers;
    std::vector<void*> out;
    for (const Tensor& t : inputs) in.push_back(t.raw());
    for (const Tensor& t : *expected) buffers.emplace_back(t.bytes(), uint8_t{0xa5});
    for (auto& buffer : buffers) out.push_back(buffer.data());
    const absl::Status done = (*model)->Execute(in, out, nullptr);
    EXPECT_TRUE(done.ok()) << done;
    for (size_t i = 0; i < buffers.size(); ++i) {
      const auto* values = reinterpret_cast<const uint8_t*>((*expected)[i].raw());
      EXPECT_EQ(buffers[i], std::vector<uint8_t>(values, values + (*expected)[i].bytes())) << "output " << i << ", " << threads << " threads";
    }
  }
  return copies;
}

// Layers that only run on the tier in question.
bool WritesPlanes() { return runtime::HostSoc().isa == Isa::kAvx512Vnni; }
// Copies of inputs to images are not what these tests are about.
int ImageCopies(const ir::Graph& graph) { return static_cast<int>(graph.inputs().size()); }

TEST(PlaceInOutput, NothingIsCopiedBehindAHead) {
  const struct {
    const char* what;
    std::function<ir::ValueId(Heads&)> build;
  } cases[] = {
      {"the output itself", [](Heads& h) { return h.Conv(h.Input(16, 9, 11), 40, 1); }},
      {"one channel", [](Heads& h) { return h.Conv(h.Input(16, 9, 11), 1, 3); }},
      {"one pixel", [](Heads& h) { return h.Conv(h.Input(16, 1, 1), 21, 1); }},
      {"reshaped",
       [](Heads& h) {
         return h.Reshape(h.Conv(h.Input(8, 7, 6), 33, 3), {1, 33, 42});
       }},
      {"flattened",
       [](Heads& h) {
         return h.Reshape(h.Conv(h.Input(8, 7, 6), 33, 3), {1, 33 * 42});
       }},
      {"classes and boxes of two scales",
       [](Heads& h) {
         const ir::ValueId fine = h.Input(16, 12, 10), coarse = h.Input(24, 6, 5);
         const ir::ValueId a = h.Reshape(h.Concat({h.Conv(fine, 64, 1), h.Conv(fine, 13, 1)}, 1), {1, 77, 120});
         const ir::ValueId b = h.Reshape(h.Concat({h.Conv(coarse, 64, 1), h.Conv(coarse, 13, 3)}, 1), {1, 77, 30});
         return h.Concat({a, b}, 2);
       }},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.what);
    Heads heads;
    heads.graph.MarkOutput(c.build(heads));
    const int copies = CopiesOf(heads.graph);
    EXPECT_TRUE(!WritesPlanes() || copies <= ImageCopies(heads.graph)) << copies;
  }
}

TEST(PlaceInOutput, OtherReadersAndOtherTiersGetTheirOwn) {
  const auto two_heads = [](Heads& h, std::string* first, std::string* second) {
    const ir::ValueId x = h.Input(16, 12, 10);
    const ir::ValueId a = h.Conv(x, 20, 1);
    *first = h.last();
    const ir::ValueId b = h.Conv(x, 30, 1);
    *second = h.last();
    return h.Reshape(h.Concat({a, b}, 1), {1, 50, 120});
  };
  for (const bool change_first : {false, true}) {
    Heads heads;
    std::string first, second;
    heads.graph.MarkOutput(two_heads(heads, &first, &second));
    CopiesOf(heads.graph, {{change_first ? first : second, {Isa::kGeneric}}});
  }
  Heads read_twice;
  const ir::ValueId y = read_twice.Conv(read_twice.Input(16, 12, 10), 20, 1);
  read_twice.graph.MarkOutput(y);
  read_twice.graph.MarkOutput(read_twice.Relu(y));
  CopiesOf(read_twice.graph);
  Heads joined_with_itself;
  const ir::ValueId z = joined_with_itself.Conv(joined_with_itself.Input(16, 12, 10), 20, 1);
  joined_with_itself.graph.MarkOutput(joined_with_itself.Concat({z, z}, 1));
  CopiesOf(joined_with_itself.graph);
  Heads made_elsewhere;
  const ir::ValueId w = made_elsewhere.Conv(made_elsewhere.Input(16, 12, 10), 20, 1);
  const ir::ValueId v = made_elsewhere.Relu(made_elsewhere.Conv(made_elsewhere.Input(8, 12, 10), 20, 1));
  made_elsewhere.graph.MarkOutput(made_elsewhere.Concat({v, w}, 1));
  CopiesOf(made_elsewhere.graph);
}

// A first convolution wants pixels of three channels without space between them, but not at the price of a copy of its own.
TEST(RowRuns, ReadersOfOneImageShareIt) {
  Heads heads;
  const ir::ValueId x = heads.Input(3, 12, 10);
  heads.graph.MarkOutput(heads.Conv(x, 8, 3));
  heads.graph.MarkOutput(heads.Conv(x, 9, 3));
  const int copies = CopiesOf(heads.graph);
  EXPECT_TRUE(!WritesPlanes() || copies == ImageCopies(heads.graph)) << copies;
}

}  // namespace
}  // namespace omkit
