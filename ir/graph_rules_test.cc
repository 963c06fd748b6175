// Verify finds broken graphs and names the culprit; ToText shows what is there.
#include "gtest/gtest.h"
#include "ir/op.h"
#include "ir/text.h"
#include "ir/verify.h"

namespace omkit::ir {
namespace {

TensorType Type(Shape shape) { return {DType::kFloat32, std::move(shape), {}, Layout::kPlain}; }

struct Sample {
  Graph graph;
  ValueId x, w, y;
  NodeId conv, relu;
};

void Build(Sample& s) {
  s.graph.name = "sample";
  s.graph.source = "sample.onnx";
  s.graph.source_opset = 17;
  s.x = s.graph.AddInput("x", Type({1, 2, 4, 4}));
  s.w = s.graph.AddConstant("w", *Tensor::Allocate(DType::kFloat32, {3, 2, 3, 3}));
  Attrs attrs;
  attrs.Set("pads", std::vector<int64_t>{1, 1, 1, 1});
  s.conv = s.graph.AddNode(OpKind::kConv, "conv", {s.x, s.w}, attrs);
  s.relu = s.graph.AddNode(OpKind::kRelu, "relu", {s.graph.node(s.conv).outputs[0]});
  s.y = s.graph.node(s.relu).outputs[0];
  s.graph.MarkOutput(s.y);
}

void ExpectBroken(const Graph& graph, const char* message, VerifyTypes types = VerifyTypes::kMayBeUnknown) {
  const absl::Status status = Verify(graph, types);
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << message;
  EXPECT_NE(status.message().find(message), std::string::npos) << status;
}

TEST(Verify, AcceptsBeforeAndAfterInference) {
  Sample s;
  Build(s);
  EXPECT_TRUE(Verify(s.graph).ok()) << Verify(s.graph);
  ExpectBroken(s.graph, "('conv') is not known", VerifyTypes::kKnown);
  ASSERT_TRUE(InferGraph(s.graph).ok());
  EXPECT_TRUE(Verify(s.graph, VerifyTypes::kStatic).ok());
  s.graph.SetType(s.x, Type({kUnknownDim, 2, 4, 4}));
  EXPECT_TRUE(Verify(s.graph, VerifyTypes::kKnown).ok());
  ExpectBroken(s.graph, "('x')", VerifyTypes::kStatic);
}

TEST(Verify, FindsBrokenStructure) {
  {
    Sample s;
    Build(s);
    s.graph.SetInput(s.relu, 0, 99);
    ExpectBroken(s.graph, "node 'relu' (Relu) reads value 99, which does not exist");
  }
  {
    Sample s;
    Build(s);
    s.graph.SetInput(s.conv, 0, s.y);
    ExpectBroken(s.graph, "is part of a cycle");
  }
  {
    Sample s;
    Build(s);
    s.graph.SetInput(s.conv, 1, kNoValue);
    ExpectBroken(s.graph, "node 'conv' (Conv) lacks its input 1");
  }
  {
    Sample s;
    Build(s);
    s.graph.RemoveNode(s.conv);
    ExpectBroken(s.graph, "has no producer and is neither an input nor a constant");
  }
  {
    Sample s;
    Build(s);
    s.graph.AddNodeInto(OpKind::kRelu, "thief", {s.x}, {s.y});
    ExpectBroken(s.graph, "is output 0 of node 'relu' (Relu) but names node 2 output 0");
  }
  {
    Sample s;
    Build(s);
    s.graph.SetOp(s.relu, OpKind::kAdd);
    ExpectBroken(s.graph, "node 'relu' (Add) has 1 inputs");
  }
  {
    Sample s;
    Build(s);
    s.graph.MarkOutput(s.graph.AddValue("nothing"));
    ExpectBroken(s.graph, "('nothing') has no producer");
  }
}

TEST(Verify, FindsBrokenTypes) {
  Sample s;
  Build(s);
  ASSERT_TRUE(InferGraph(s.graph).ok());
  s.graph.SetType(s.w, Type({3, 2, 3, 4}));
  ExpectBroken(s.graph, "is declared float32 3x2x3x4");
  s.graph.SetType(s.w, s.graph.value(s.w).constant.type());
  TensorType y = {DType::kUInt8, {1, 3, 4, 4}, QuantParams::PerTensor(0.1f, 300), Layout::kPlain};
  s.graph.SetType(s.y, y);
  ExpectBroken(s.graph, "zero point[0] = 300");
  y.quant = {{0.1f, 0.2f}, {0, 0}, 1};
  s.graph.SetType(s.y, y);
  ExpectBroken(s.graph, "has 2 scales on axis 1");
  y.quant = QuantParams::PerTensor(0.1f, 3);
  s.graph.SetType(s.y, y);
  EXPECT_TRUE(Verify(s.graph, VerifyTypes::kStatic).ok());
}

TEST(Text, ShowsTypesAttributesAndConstants) {
  Sample s;
  Build(s);
  ASSERT_TRUE(InferGraph(s.graph).ok());
  s.graph.SetType(s.y, {DType::kUInt8, {1, 3, 4, 4}, QuantParams::PerTensor(0.5f, 3), Layout::kPlain});
  EXPECT_EQ(ToText(s.graph),
            "graph 'sample' (sample.onnx, opset 17)\n"
            "input  x: float32 1x2x4x4\n"
            "node   'conv' Conv(x, w [float32 3x2x3x3]) -> conv: float32 1x3x4x4 {pads=[1,1,1,1]}\n"
            "node   'relu' Relu(conv) -> relu: uint8 1x3x4x4 scale 0.5 zero 3\n"
            "output relu\n");
  const ValueId axes = s.graph.AddConstant("axes", Tensor::Of<int64_t>({2}, {0, 1}));
  const NodeId squeeze = s.graph.AddNode(OpKind::kSqueeze, "squeeze", {s.x, axes});
  EXPECT_EQ(ToText(s.graph, s.graph.node(squeeze)), "node   'squeeze' Squeeze(x, axes [int64 2 = {0,1}]) -> squeeze: ?");
}

}  // namespace
}  // namespace omkit::ir
