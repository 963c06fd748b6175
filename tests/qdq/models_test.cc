// Real models that carry their own quantization: after AbsorbQdq every layer is integer, and every tensor that the model quantizes equals
// the model's own float arithmetic (QuantizeLinear and DequantizeLinear by definition) within one step.
#include <stdlib.h>

#include <cmath>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "frontends/onnx/importer.h"
#include "frontends/qdq/absorb.h"
#include "gtest/gtest.h"
#include "ir/evaluate.h"
#include "ir/op.h"
#include "passes/fuse.h"
#include "passes/shapes.h"
#include "tests/qdq/compare.h"

namespace omkit {
namespace {

using ir::Graph;
using ir::OpKind;
using ir::ValueId;

// OMKIT_SHARED, or the folder `shared` beside the checkout that holds this source.
std::string SharedFolder() {
  if (const char* folder = getenv("OMKIT_SHARED")) return folder;
  char* real = realpath("tests/qdq/models_test.cc", nullptr);
  if (real == nullptr) return "";
  std::string path = real;
  free(real);
  for (int i = 0; i < 4; ++i) path = path.substr(0, path.rfind('/'));
  return path + "/shared";
}

struct ModelCase {
  const char* name;
  int layers;  // Conv, Gemm and MatMul nodes
  float low, high;
};

absl::Status Prepare(Graph& graph) {
  std::map<std::string, std::vector<int64_t>> shapes;
  for (ValueId v : graph.inputs()) {
    Shape shape = graph.value(v).type.shape;
    for (int d = 0; d < shape.rank(); ++d) {
      if (shape.dim(d) == kUnknownDim) shape.set_dim(d, 1);
    }
    shapes[graph.value(v).name] = shape.vec();
  }
  return passes::RunPasses({passes::BindShapes(shapes), passes::InferShapes(), passes::Simplify()}, {}, graph);
}

class Models : public ::testing::TestWithParam<ModelCase> {};

TEST_P(Models, IntegerFormEqualsTheModelsOwnArithmetic) {
  const ModelCase& c = GetParam();
  const std::string path = absl::StrCat(SharedFolder(), "/models/", c.name, ".onnx");
  if (!std::ifstream(path).good()) GTEST_SKIP() << "skipped: no " << path;
  auto imported = frontends::ImportOnnx(path);
  ASSERT_TRUE(imported.ok()) << imported.status();
  Graph& model = **imported;
  const absl::Status prepared = Prepare(model);
  ASSERT_TRUE(prepared.ok()) << prepared;
  const std::unique_ptr<Graph> absorbed = model.Clone();
  const auto is_qdq = frontends::AbsorbQdq(*absorbed);
  ASSERT_TRUE(is_qdq.ok()) << is_qdq.status();
  ASSERT_TRUE(*is_qdq);

  int layers = 0, integer_layers = 0, borders = 0, nodes = 0;
  for (ir::NodeId id : testing::Order(*absorbed)) {
    const ir::Node& node = absorbed->node(id);
    ++nodes;
    EXPECT_NE(node.op, OpKind::kQuantizeLinear);
    EXPECT_NE(node.op, OpKind::kDequantizeLinear);
    borders += node.op == OpKind::kQuantize || node.op == OpKind::kDequantize;
    const bool layer = node.op == OpKind::kConv || node.op == OpKind::kDense || node.op == OpKind::kGemm || node.op == OpKind::kMatMul;
    layers += layer;
    integer_layers += layer && absorbed->value(node.inputs[0]).type.quantized();
  }
  std::printf("%s: %d nodes, %d of %d layers INT8, %d Quantize/Dequantize\n", c.name, nodes, integer_layers, layers, borders);
  EXPECT_EQ(layers, c.layers);
  EXPECT_EQ(integer_layers, layers);

  const std::vector<Tensor> inputs = testing::MadeInputs(model, c.low, c.high);
  const testing::Difference d = testing::Compare(model, *absorbed, inputs);
  std::printf("  %d quantized tensors, %lld of %lld elements unequal, %lld by more than one step, at most %lld (%s)\n", d.tensors,
              static_cast<long long>(d.unequal), static_cast<long long>(d.elements), static_cast<long long>(d.beyond_one),
              static_cast<long long>(d.largest), d.where.c_str());
  EXPECT_GE(d.tensors, c.layers - 1);
  EXPECT_EQ(d.beyond_one, 0);
}

INSTANTIATE_TEST_SUITE_P(Qdq, Models,
                         ::testing::Values(ModelCase{"ad01_autoencoder_int8_qdq", 10, -10, 10}, ModelCase{"cifar10_resnet8_int8_qdq", 10, 0, 255},
                                           ModelCase{"kws_dscnn_int8_qdq", 10, -123, 25}, ModelCase{"person_detect_96_int8_qdq", 28, -1, 1},
                                           ModelCase{"fmnist_resdw_qat_op13", 12, -0.8f, 2}, ModelCase{"fmnist_resdw_qat_op17", 12, -0.8f, 2},
                                           ModelCase{"mobilenet_v1_025_128_qat_u8_qdq", 28, -1, 1},
                                           ModelCase{"mobilenet_v2_224_qat_u8_qdq", 53, -1, 1},
                                           ModelCase{"deeplabv3_dm05_513_qat_u8_qdq", 55, -1, 1}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace omkit
