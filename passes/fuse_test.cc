// Decomposed forms that exporters write, each beside the operators that the passes make of it; the outputs stay the same.
#include "passes/fuse.h"

#include <cmath>
#include <functional>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "ir/evaluate.h"
#include "ir/op.h"
#include "passes/pass.h"
#include "passes/shapes.h"

namespace omkit::passes {
namespace {

using ir::OpKind;
using ir::ValueId;

class Net {
 public:
  explicit Net(std::vector<int64_t> dims) { x = graph.AddInput("x", TensorType{DType::kFloat32, Shape(dims), {}, Layout::kPlain}); }
  ValueId Op(OpKind op, std::vector<ValueId> inputs, ir::Attrs attrs = {}) {
    return graph.node(graph.AddNode(op, Name(), std::move(inputs), std::move(attrs))).outputs[0];
  }
  ValueId Scalar(float value) { return graph.AddConstant(Name(), Tensor::Scalar<float>(value)); }
  ValueId Table(const Shape& shape, float low = 0.5f, float high = 2) {
    Tensor t = *Tensor::Allocate(DType::kFloat32, shape);
    for (int64_t i = 0; i < t.elements(); ++i) t.mutable_data<float>()[i] = std::uniform_real_distribution<float>(low, high)(random_);
    return graph.AddConstant(Name(), std::move(t));
  }
  ValueId Mean(ValueId v, std::vector<int64_t> axes = {-1}, int64_t keep = 1) {
    ir::Attrs attrs;
    attrs.Set("keepdims", keep);
    return Op(OpKind::kReduceMean, {v, graph.AddConstant(Name(), Tensor::Of<int64_t>({static_cast<int64_t>(axes.size())}, axes))}, attrs);
  }
  ValueId Mul(ValueId a, ValueId b) { return Op(OpKind::kMul, {a, b}); }
  ValueId Add(ValueId a, ValueId b) { return Op(OpKind::kAdd, {a, b}); }
  ValueId Sub(ValueId a, ValueId b) { return Op(OpKind::kSub, {a, b}); }
  ValueId Div(ValueId a, ValueId b) { return Op(OpKind::kDiv, {a, b}); }
  ValueId Pow(ValueId a, float e) { return Op(OpKind::kPow, {a, Scalar(e)}); }
  ValueId Clip6(ValueId a) { return Op(OpKind::kClip, {a, Scalar(0), Scalar(6)}); }
  ValueId Deviation(ValueId square, std::vector<int64_t> axes = {-1}) {
    return Op(OpKind::kSqrt, {Add(Mean(square, std::move(axes)), Scalar(1e-3f))});
  }
  ValueId Erf(ValueId v) { return Add(Op(OpKind::kErf, {Div(v, Scalar(std::sqrt(2.0f)))}), Scalar(1)); }
  ValueId GeluTanh(ValueId v, ValueId cube) {
    return Add(Op(OpKind::kTanh, {Mul(Add(v, Mul(cube, Scalar(0.044715f))), Scalar(0.7978845608f))}), Scalar(1));
  }
  ValueId Batch(ValueId v, int64_t channels) {
    const Shape c{channels};
    return Op(OpKind::kBatchNormalization, {v, Table(c), Table(c), Table(c), Table(c)});
  }

  ir::Graph graph;
  ValueId x;

 private:
  std::string Name() { return absl::StrCat("v", count_++); }
  int count_ = 0;
  std::mt19937 random_{7};
};

struct FuseCase {
  const char* name;
  std::vector<int64_t> dims;
  std::function<ValueId(Net&)> build;
  const char* ops;  // in topological order
};

const FuseCase kCases[] = {
    {"silu", {2, 5}, [](Net& n) { return n.Mul(n.Op(OpKind::kSigmoid, {n.x}), n.x); }, "Swish"},
    {"hardswish, product over 6", {2, 5}, [](Net& n) { return n.Div(n.Mul(n.x, n.Clip6(n.Add(n.x, n.Scalar(3)))), n.Scalar(6)); }, "HardSwish"},
    {"hardswish, gate over 6", {2, 5}, [](Net& n) { return n.Mul(n.x, n.Div(n.Clip6(n.Add(n.x, n.Scalar(3))), n.Scalar(6))); }, "HardSwish"},
    {"hardswish, gate by a sixth",
     {2, 5},
     [](Net& n) { return n.Mul(n.Mul(n.Clip6(n.Add(n.Scalar(3), n.x)), n.Scalar(1 / 6.0f)), n.x); },
     "HardSwish"},
    {"gelu of torch", {2, 5}, [](Net& n) { return n.Mul(n.Mul(n.x, n.Erf(n.x)), n.Scalar(0.5f)); }, "Gelu"},
    {"gelu, half of x", {2, 5}, [](Net& n) { return n.Mul(n.Mul(n.Scalar(0.5f), n.x), n.Erf(n.x)); }, "Gelu"},
    {"gelu, half of the gate", {2, 5}, [](Net& n) { return n.Mul(n.x, n.Mul(n.Erf(n.x), n.Scalar(0.5f))); }, "Gelu"},
    {"gelu, halved by Div", {2, 5}, [](Net& n) { return n.Div(n.Mul(n.x, n.Erf(n.x)), n.Scalar(2)); }, "Gelu"},
    {"gelu with another factor", {2, 5}, [](Net& n) { return n.Mul(n.Mul(n.x, n.Erf(n.x)), n.Scalar(0.6f)); }, "Div Erf Add Mul Mul"},
    {"gelu by tanh, Pow", {2, 5}, [](Net& n) { return n.Mul(n.Mul(n.x, n.Scalar(0.5f)), n.GeluTanh(n.x, n.Pow(n.x, 3))); }, "Gelu"},
    {"gelu by tanh, products",
     {2, 5},
     [](Net& n) { return n.Mul(n.Scalar(0.5f), n.Mul(n.x, n.GeluTanh(n.x, n.Mul(n.Mul(n.x, n.x), n.x)))); },
     "Gelu"},

    {"layer norm of torch and paddle2onnx",
     {2, 3, 5},
     [](Net& n) {
       const ValueId d = n.Sub(n.x, n.Mean(n.x));
       return n.Add(n.Mul(n.Div(d, n.Deviation(n.Pow(d, 2))), n.Table({5})), n.Table({5}));
     },
     "LayerNormalization"},
    {"layer norm, two differences, product",
     {2, 3, 5},
     [](Net& n) {
       const ValueId d = n.Sub(n.x, n.Mean(n.x)), again = n.Sub(n.x, n.Mean(n.x));
       return n.Div(again, n.Deviation(n.Mul(d, d)));
     },
     "LayerNormalization"},
    {"layer norm by Reciprocal",
     {2, 3, 5},
     [](Net& n) {
       const ValueId d = n.Sub(n.x, n.Mean(n.x));
       return n.Mul(n.Table({1, 1, 5}), n.Mul(n.Op(OpKind::kReciprocal, {n.Deviation(n.Mul(d, d))}), d));
     },
     "LayerNormalization"},
    {"layer norm over two dimensions",
     {2, 3, 5},
     [](Net& n) {
       const ValueId d = n.Sub(n.x, n.Mean(n.x, {1, 2}));
       return n.Add(n.Mul(n.Div(d, n.Deviation(n.Pow(d, 2), {2, 1})), n.Table({3, 5})), n.Scalar(0.25f));
     },
     "LayerNormalization"},
    {"layer norm of tf2onnx",
     {2, 3, 5},
     [](Net& n) {
       const ValueId mean = n.Mean(n.x), d = n.Sub(n.x, mean);
       const ValueId m = n.Mul(n.Op(OpKind::kReciprocal, {n.Deviation(n.Mul(d, d))}), n.Table({5}));
       return n.Add(n.Mul(n.x, m), n.Sub(n.Table({5}), n.Mul(m, mean)));
     },
     "LayerNormalization"},
    {"layer norm of tf2onnx without gamma",
     {2, 3, 5},
     [](Net& n) {
       const ValueId mean = n.Mean(n.x), d = n.Sub(n.x, mean), m = n.Pow(n.Add(n.Mean(n.Mul(d, d)), n.Scalar(1e-3f)), -0.5f);
       return n.Add(n.Sub(n.Table({5}), n.Mul(mean, m)), n.Mul(m, n.x));
     },
     "LayerNormalization"},
    {"a factor per row stays",
     {2, 3, 5},
     [](Net& n) {
       const ValueId d = n.Sub(n.x, n.Mean(n.x));
       return n.Mul(n.Div(d, n.Deviation(n.Pow(d, 2))), n.Table({3, 1}));
     },
     "LayerNormalization Mul"},
    {"means over a middle dimension",
     {2, 3, 5},
     [](Net& n) {
       const ValueId d = n.Sub(n.x, n.Mean(n.x, {1}));
       return n.Div(d, n.Deviation(n.Pow(d, 2), {1}));
     },
     "ReduceMean Sub Pow ReduceMean Add Sqrt Div"},
    {"means over different dimensions",
     {2, 3, 5},
     [](Net& n) {
       const ValueId d = n.Sub(n.x, n.Mean(n.x, {1}));
       return n.Div(d, n.Deviation(n.Pow(d, 2)));
     },
     "ReduceMean Sub RMSNormalization"},

    {"rms norm", {2, 3, 5}, [](Net& n) { return n.Mul(n.Div(n.x, n.Deviation(n.Pow(n.x, 2))), n.Table({5})); }, "RMSNormalization"},
    {"rms norm by Reciprocal",
     {2, 3, 5},
     [](Net& n) { return n.Mul(n.Table({5}), n.Mul(n.x, n.Op(OpKind::kReciprocal, {n.Deviation(n.Mul(n.x, n.x))}))); },
     "RMSNormalization"},
    {"rms norm by 1 / sqrt", {2, 3, 5}, [](Net& n) { return n.Mul(n.x, n.Div(n.Scalar(1), n.Deviation(n.Pow(n.x, 2)))); }, "RMSNormalization"},
    {"rms norm and a summand", {2, 3, 5}, [](Net& n) { return n.Add(n.Div(n.x, n.Deviation(n.Pow(n.x, 2))), n.Table({5})); }, "RMSNormalization Add"},

    {"conv, div and batch norm of torch's QAT",
     {1, 2, 4, 4},
     [](Net& n) {
       const ValueId conv = n.Op(OpKind::kConv, {n.x, n.Table({3, 2, 3, 3})});
       return n.Op(OpKind::kRelu, {n.Batch(n.Add(n.Div(conv, n.Table({1, 3, 1, 1})), n.Table({1, 3, 1, 1})), 3)});
     },
     "Conv"},
    {"convolution and pool over one dimension",
     {2, 3, 9},
     [](Net& n) {
       ir::Attrs conv, pool;
       conv.Set("pads", std::vector<int64_t>{2, 1});
       conv.Set("strides", std::vector<int64_t>{2});
       conv.Set("dilations", std::vector<int64_t>{2});
       pool.Set("kernel_shape", std::vector<int64_t>{2});
       const ValueId y = n.Op(OpKind::kConv, {n.x, n.Table({4, 3, 3}, -1, 1), n.Table({4})}, conv);
       return n.Op(OpKind::kMaxPool, {n.Op(OpKind::kRelu, {y})}, pool);
     },
     "Reshape Conv MaxPool Reshape"},
    {"transposed convolution over one dimension",
     {2, 4, 5},
     [](Net& n) {
       ir::Attrs attrs;
       attrs.Set("strides", std::vector<int64_t>{2});
       attrs.Set("pads", std::vector<int64_t>{1, 1});
       attrs.Set("group", int64_t{2});
       return n.Op(OpKind::kConvTranspose, {n.x, n.Table({4, 3, 4}, -1, 1), n.Table({6})}, attrs);
     },
     "Reshape Conv Reshape Transpose Reshape Slice"},
    {"transposed convolution of two strides",
     {2, 3, 3, 4},
     [](Net& n) {
       ir::Attrs attrs;
       attrs.Set("strides", std::vector<int64_t>{1, 2});
       return n.Op(OpKind::kConvTranspose, {n.x, n.Table({3, 2, 3, 2}, -1, 1)}, attrs);
     },
     "Conv Reshape Transpose Reshape"},
    {"batch norm of rows behind a dense layer",
     {2, 3},
     [](Net& n) {
       return n.Batch(n.Op(OpKind::kMatMul, {n.x, n.Table({3, 3})}), 3);
     },
     "Dense"},
    {"batch norm across the rows of a dense layer",
     {2, 3, 3},
     [](Net& n) {
       return n.Batch(n.Op(OpKind::kMatMul, {n.x, n.Table({3, 3}, -1, 1)}), 3);
     },
     "Dense Mul Add"},
};

std::string Ops(const ir::Graph& graph) {
  std::vector<std::string> names;
  const std::vector<ir::NodeId> order = *graph.TopologicalOrder();
  for (ir::NodeId id : order) names.push_back(ir::OpName(graph.node(id).op));
  return absl::StrJoin(names, " ");
}

TEST(Fuse, DecomposedFormsBecomeOneOperator) {
  for (const FuseCase& c : kCases) {
    SCOPED_TRACE(c.name);
    Net net(c.dims);
    net.graph.MarkOutput(c.build(net));
    ASSERT_TRUE(ir::InferGraph(net.graph).ok());
    Tensor x = *Tensor::Allocate(net.graph.value(net.x).type);
    for (int64_t i = 0; i < x.elements(); ++i) x.mutable_data<float>()[i] = 3 * std::sin(static_cast<float>(i + 1));
    const auto before = ir::Interpret(net.graph, {x});
    ASSERT_TRUE(before.ok()) << before.status();
    const absl::Status fused = RunPasses({InferShapes(), Simplify(), FormDense(), FuseComposite(), FuseNormalization(), FuseBatchNorm(),
                                          FormConv(WeightForm::kFloat), FuseActivation(), FormPlanes(), Simplify()},
                                         {}, net.graph);
    ASSERT_TRUE(fused.ok()) << fused;
    EXPECT_EQ(Ops(net.graph), c.ops);
    const auto after = ir::Interpret(net.graph, {x});
    ASSERT_TRUE(after.ok()) << after.status();
    ASSERT_EQ((*after)[0].shape(), (*before)[0].shape());
    for (int64_t i = 0; i < (*after)[0].elements(); ++i) {
      const float want = (*before)[0].data<float>()[i];
      EXPECT_NEAR((*after)[0].data<float>()[i], want, 1e-5 + 1e-5 * std::abs(want)) << "element " << i;
    }
  }
}

}  // namespace
}  // namespace omkit::passes
