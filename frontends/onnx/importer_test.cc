#include "frontends/onnx/importer.h"

#include <stdlib.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/substitute.h"
#include "frontends/onnx/op_map.h"
#include "frontends/onnx/text_model_testing.h"
#include "gtest/gtest.h"

namespace omkit::frontends {
namespace {

constexpr char kInputX[] = "input { name: 'x' type { tensor_type { elem_type: 1 shape { dim { dim_value: 2 } dim { dim_value: 3 } } } } }";

std::string Model(int opset, absl::string_view graph, int ir_version = 8) {
  return absl::Substitute("ir_version: $0 opset_import { version: $1 } graph { name: 'g' $2 }", ir_version, opset, graph);
}

// A graph x[2,3] -> `nodes` -> y.
std::string Around(int opset, absl::string_view nodes) { return Model(opset, absl::StrCat(kInputX, " output { name: 'y' } ", nodes)); }

absl::StatusOr<std::unique_ptr<ir::Graph>> ImportText(const std::string& text) { return ImportOnnxBytes(ModelBytesFromText(text), "m.onnx", ""); }

std::string PrintTensor(const Tensor& t) {
  std::vector<std::string> numbers;
  for (int64_t i = 0; i < t.elements(); ++i) numbers.push_back(absl::StrCat(RealAt(t, i)));
  return absl::StrCat(Name(t.dtype()), "[", t.shape().rank() == 0 ? "" : t.shape().ToString(), "]{", absl::StrJoin(numbers, " "), "}");
}

std::string PrintAttr(const ir::Attr& attr) {
  if (const auto* i = std::get_if<int64_t>(&attr)) return absl::StrCat(*i);
  if (const auto* f = std::get_if<float>(&attr)) return absl::StrCat(*f, "f");
  if (const auto* s = std::get_if<std::string>(&attr)) return *s;
  if (const auto* is = std::get_if<std::vector<int64_t>>(&attr)) return absl::StrCat("[", absl::StrJoin(*is, " "), "]");
  if (const auto* fs = std::get_if<std::vector<float>>(&attr)) return absl::StrCat("[", absl::StrJoin(*fs, " "), "]f");
  if (const auto* t = std::get_if<Tensor>(&attr)) return PrintTensor(*t);
  return "?";
}

// One line per node: "y = Squeeze(x, int64[1]{0}) keepdims=1".
std::string Print(const ir::Graph& graph) {
  std::vector<std::string> lines;
  const auto order = graph.TopologicalOrder();
  if (!order.ok()) return order.status().ToString();
  for (const ir::NodeId id : *order) {
    const ir::Node& node = graph.node(id);
    std::vector<std::string> in, out;
    for (ir::ValueId v : node.inputs) {
      in.push_back(v == ir::kNoValue ? "-" : graph.IsConstant(v) ? PrintTensor(graph.value(v).constant) : graph.value(v).name);
    }
    for (ir::ValueId v : node.outputs) out.push_back(graph.value(v).name);
    std::string line = absl::StrCat(absl::StrJoin(out, ", "), " = ", ir::OpName(node.op), "(", absl::StrJoin(in, ", "), ")");
    for (const auto& [name, attr] : node.attrs.map()) absl::StrAppend(&line, " ", name, "=", PrintAttr(attr));
    lines.push_back(line);
  }
  return absl::StrJoin(lines, "; ");
}

struct CanonicalCase {
  int opset;
  const char* nodes;
  const char* expected;
};

TEST(Importer, BringsEveryOpsetToTheCanonicalForm) {
  const CanonicalCase cases[] = {
      {7, "node { op_type: 'Relu' input: 'x' output: 'y' }", "y = Relu(x)"},
      {11, "node { op_type: 'Squeeze' input: 'x' output: 'y' attribute { name: 'axes' type: INTS ints: 0 ints: 2 } }",
       "y = Squeeze(x, int64[2]{0 2})"},
      {11, "node { op_type: 'Squeeze' input: 'x' output: 'y' }", "y = Squeeze(x)"},
      {12, "node { op_type: 'Unsqueeze' input: 'x' output: 'y' attribute { name: 'axes' type: INTS ints: -1 } }", "y = Unsqueeze(x, int64[1]{-1})"},
      {12, "node { op_type: 'ReduceSum' input: 'x' output: 'y' attribute { name: 'axes' type: INTS ints: 1 } }", "y = ReduceSum(x, int64[1]{1})"},
      {17,
       "node { op_type: 'ReduceMean' input: 'x' output: 'y' attribute { name: 'axes' type: INTS ints: 1 } "
       "attribute { name: 'keepdims' type: INT i: 0 } }",
       "y = ReduceMean(x, int64[1]{1}) keepdims=0"},
      {8, "node { op_type: 'Clip' input: 'x' output: 'y' attribute { name: 'max' type: FLOAT f: 6 } attribute { name: 'min' type: FLOAT f: 0 } }",
       "y = Clip(x, float32[]{0}, float32[]{6})"},
      {8, "node { op_type: 'Clip' input: 'x' output: 'y' attribute { name: 'max' type: FLOAT f: 6 } }", "y = Clip(x, -, float32[]{6})"},
      {8, "node { op_type: 'Clip' input: 'x' output: 'y' }", "y = Clip(x)"},
      {9,
       "node { op_type: 'Slice' input: 'x' output: 'y' attribute { name: 'starts' type: INTS ints: 1 } "
       "attribute { name: 'ends' type: INTS ints: 3 } attribute { name: 'axes' type: INTS ints: 1 } }",
       "y = Slice(x, int64[1]{1}, int64[1]{3}, int64[1]{1})"},
      {9,
       "node { op_type: 'Pad' input: 'x' output: 'y' attribute { name: 'pads' type: INTS ints: 0 ints: 1 ints: 0 ints: 1 } "
       "attribute { name: 'value' type: FLOAT f: 2.5 } }",
       "y = Pad(x, int64[4]{0 1 0 1}, float32[]{2.5})"},
      {11, "node { op_type: 'Split' input: 'x' output: 'y' output: 'z' attribute { name: 'split' type: INTS ints: 1 ints: 1 } }",
       "y, z = Split(x, int64[2]{1 1})"},
      {13, "node { op_type: 'Split' input: 'x' output: 'y' output: 'z' }", "y, z = Split(x) num_outputs=2"},
      {8, "node { op_type: 'Upsample' input: 'x' output: 'y' attribute { name: 'scales' type: FLOATS floats: 1 floats: 2 } }",
       "y = Resize(x, -, float32[2]{1 2}) coordinate_transformation_mode=asymmetric nearest_mode=floor"},
      {9,
       "node { op_type: 'Constant' output: 's' attribute { name: 'value' type: TENSOR t { data_type: 1 dims: 2 float_data: 1 float_data: 2 } } } "
       "node { op_type: 'Upsample' input: 'x' input: 's' output: 'y' attribute { name: 'mode' type: STRING s: 'linear' } }",
       "y = Resize(x, -, float32[2]{1 2}) coordinate_transformation_mode=asymmetric mode=linear nearest_mode=floor"},
      {11,
       "node { op_type: 'Constant' output: 'e' attribute { name: 'value' type: TENSOR t { data_type: 1 dims: 0 } } } "
       "node { op_type: 'Constant' output: 's' attribute { name: 'value' type: TENSOR t { data_type: 7 dims: 2 int64_data: 4 int64_data: 6 } } } "
       "node { op_type: 'Resize' input: 'x' input: 'e' input: 'e' input: 's' output: 'y' }",
       "y = Resize(x, -, -, int64[2]{4 6})"},
      {12, "node { op_type: 'Softmax' input: 'x' output: 'y' }", "y = Softmax(x) axis=1"},
      {13, "node { op_type: 'Softmax' input: 'x' output: 'y' }", "y = Softmax(x) axis=-1"},
      {11, "node { name: 's' op_type: 'LogSoftmax' input: 'x' output: 'y' attribute { name: 'axis' type: INT i: 0 } }",
       "s/shape = Shape(x); s/flatten = Flatten(x) axis=0; s/flat = LogSoftmax(s/flatten) axis=-1; y = Reshape(s/flat, s/shape)"},
      {12, "node { op_type: 'Dropout' input: 'x' output: 'y' output: 'mask' }", "y = Identity(x)"},
      {7, "node { op_type: 'Sum' input: 'x' output: 'y' }", "y = Identity(x)"},
      {8, "node { name: 's' op_type: 'Sum' input: 'x' input: 'x' input: 'x' output: 'y' }", "s/add1 = Add(x, x); y = Add(s/add1, x)"},
      {8, "node { name: 'm' op_type: 'Mean' input: 'x' input: 'x' output: 'y' }", "m/sum = Add(x, x); y = Div(m/sum, float32[]{2})"},
      {13, "node { op_type: 'Cast' input: 'x' output: 'y' attribute { name: 'to' type: INT i: 7 } }", "y = Cast(x) to=11"},
      {15,
       "node { op_type: 'Cast' input: 'x' output: 'c' attribute { name: 'to' type: INT i: 2 } } node { op_type: 'CastLike' input: 'x' input: 'c' "
       "output: 'y' }",
       "c = Cast(x) to=6; y = Cast(x) to=6"},
      {13,
       "initializer { name: 's' data_type: 1 float_data: 0.5 } initializer { name: 't' data_type: 1 float_data: 0.25 } "
       "initializer { name: 'z' data_type: 3 int32_data: 1 } initializer { name: 'w' data_type: 3 dims: 1 dims: 1 dims: 1 int32_data: 7 } "
       "initializer { name: 'b' data_type: 6 dims: 1 int32_data: 9 } node { op_type: 'QuantizeLinear' input: 'x' input: 's' input: 'z' output: 'q' } "
       "node { name: 'c' op_type: 'QLinearConv' input: 'q' input: 's' input: 'z' input: 'w' input: 't' input: 'z' input: 's' input: 'z' input: 'b' "
       "output: 'y' }",
       "q = QuantizeLinear(x, float32[]{0.5}, int8[]{1}); c/x = DequantizeLinear(q, float32[]{0.5}, int8[]{1}) axis=1; "
       "c/w = DequantizeLinear(int8[1x1x1]{7}, float32[]{0.25}, int8[]{1}) axis=0; c/bias = DequantizeLinear(int32[1]{9}, float32[]{0.125}, -) "
       "axis=0; "
       "c/real = Conv(c/x, c/w, c/bias); y = QuantizeLinear(c/real, float32[]{0.5}, int8[]{1})"},
      {13,
       "node { op_type: 'Constant' output: 'y' attribute { name: 'value_ints' type: INTS ints: 3 ints: 4 } } "
       "node { op_type: 'Neg' input: 'x' output: 'z' }",
       "z = Neg(x)"},
  };
  for (const CanonicalCase& c : cases) {
    SCOPED_TRACE(c.nodes);
    const auto graph = ImportText(Around(c.opset, c.nodes));
    ASSERT_TRUE(graph.ok()) << graph.status();
    EXPECT_EQ(Print(**graph), c.expected);
  }
}

TEST(Importer, KeepsNodeNamesAndMakesThemUnique) {
  const auto graph = ImportText(Around(13,
                                       "node { name: 'a' op_type: 'Relu' input: 'x' output: 'p' } "
                                       "node { name: 'a' op_type: 'Relu' input: 'p' output: 'q' } "
                                       "node { op_type: 'Relu' input: 'q' output: 'r' } "
                                       "node { name: 'Relu_2' op_type: 'Relu' input: 'r' output: 's' } "
                                       "node { name: 'a_2' op_type: 'Relu' input: 's' output: 'y' } "));
  ASSERT_TRUE(graph.ok()) << graph.status();
  std::vector<std::string> names;
  const std::vector<ir::NodeId> order = *(*graph)->TopologicalOrder();
  for (const ir::NodeId id : order) names.push_back((*graph)->node(id).name);
  EXPECT_EQ(absl::StrJoin(names, " "), "a a_3 Relu_2_2 Relu_2 a_2");
}

TEST(Importer, WeightsListedAsInputsAreNotInputs) {
  const auto graph = ImportText(Model(8,
                                      absl::StrCat(kInputX,
                                                   "input { name: 'w' type { tensor_type { elem_type: 1 shape { } } } } output { name: 'y' } "
                                                   "initializer { name: 'w' data_type: 1 float_data: 4 } "
                                                   "node { op_type: 'Mul' input: 'x' input: 'w' output: 'y' }"),
                                      3));
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ((*graph)->inputs().size(), 1u);
  EXPECT_EQ(Print(**graph), "y = Mul(x, float32[]{4})");
}

TEST(Importer, SortsNodesAndKeepsOpenDimensions) {
  const auto graph =
      ImportText(Model(13,
                       "input { name: 'x' type { tensor_type { elem_type: 1 shape { dim { dim_param: 'N' } dim { } dim { dim_value: -1 } "
                       "dim { dim_value: 5 } } } } } output { name: 'y' } "
                       "node { op_type: 'Relu' input: 'a' output: 'y' } node { op_type: 'Neg' input: 'x' output: 'a' }"));
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(Print(**graph), "a = Neg(x); y = Relu(a)");
  EXPECT_EQ((*graph)->value((*graph)->inputs()[0]).type.shape, (Shape{-1, -1, -1, 5}));
}

struct BadCase {
  const char* name;
  std::string text;
  absl::StatusCode code;
  const char* message;
};

std::string WithInitializer(absl::string_view fields) {
  return Around(13, absl::StrCat("initializer { name: 'w' ", fields, " } node { op_type: 'Add' input: 'x' input: 'w' output: 'y' }"));
}

std::string WithAttribute(absl::string_view attribute) {
  return Around(13, absl::StrCat("node { name: 'n' op_type: 'Flatten' input: 'x' output: 'y' attribute { ", attribute, " } }"));
}

TEST(Importer, RefusesBrokenAndUnsupportedModelsWithAMessage) {
  constexpr auto kBad = absl::StatusCode::kInvalidArgument;
  constexpr auto kLater = absl::StatusCode::kUnimplemented;
  const std::string relu = "node { name: 'n' op_type: 'Relu' input: 'x' output: 'y' }";
  const BadCase cases[] = {
      {"no graph", "ir_version: 8 opset_import { version: 13 }", kBad, "has no graph"},
      {"nothing", "producer_name: 'x'", kBad, "not an ONNX model"},
      {"empty graph", Model(13, ""), kBad, "no nodes"},
      {"no outputs", Model(13, absl::StrCat(kInputX, relu)), kBad, "no outputs"},
      {"opset 999", Around(999, relu), kLater, "opset 999"},
      {"opset 0", Around(0, relu), kBad, "opset 0"},
      {"ir version", Model(13, absl::StrCat(kInputX, " output { name: 'y' } ", relu), -1), kBad, "IR version -1 does not exist"},
      {"ir version 14", Model(13, absl::StrCat(kInputX, " output { name: 'y' } ", relu), 14), kLater, "supported: 3 to 13"},
      {"scan of opset 8 without its state",
       Around(
           8,
           "node { name: 'n' op_type: 'Scan' input: '' input: '' input: 'x' output: 'y' output: 'z' attribute { name: 'num_scan_inputs' type: INT "
           "i: 1 } attribute { name: 'body' type: GRAPH g { name: 'b' input { name: 's' type { tensor_type { elem_type: 1 shape {} } } } input { "
           "name: "
           "'e' type { tensor_type { elem_type: 1 shape {} } } } output { name: 't' } output { name: 'e2' } node { op_type: 'Add' input: 's' input: "
           "'e' output: 't' } node { op_type: 'Identity' input: 'e' output: 'e2' } } } }"),
       kBad, "lacks its input 1"},
      {"other domain only",
       absl::StrCat("ir_version: 8 opset_import { domain: 'a' version: 1 } graph { ", kInputX,
                    " output { name: 'y' } node { name: 'n' op_type: 'F' domain: 'a' input: 'x' output: 'y' } }"),
       kLater, "node 'n': F, domain 'a'"},
      {"two opsets", "opset_import { domain: 'ai.onnx' version: 12 } " + Around(13, relu), kBad, "imported twice, as opset 12 and 13"},
      {"no opset", absl::StrCat("ir_version: 8 graph { ", kInputX, " output { name: 'y' } ", relu, " }"), kBad, "imports no opset"},
      {"value defined twice", Around(13, relu + relu), kBad, "value 'y' is defined more than once"},
      {"output shadows input", Around(13, relu + "node { op_type: 'Relu' input: 'y' output: 'x' }"), kBad, "value 'x' is defined more than once"},
      {"initializer twice",
       Around(13, relu + "initializer { name: 'w' data_type: 1 float_data: 1 } initializer { name: 'w' data_type: 1 float_data: 1 }"), kBad,
       "value 'w' is defined more than once"},
      {"graph output twice", Around(13, relu + "output { name: 'y' }"), kBad, "graph output 'y' is listed twice"},
      {"graph input twice", Around(13, relu + kInputX), kBad, "graph input 'x' is listed twice"},
      {"cycle", Around(13, "node { name: 'a' op_type: 'Add' input: 'x' input: 'y' output: 'z' } node { op_type: 'Relu' input: 'z' output: 'y' }"),
       kBad, "node 'a' (Add) is part of or behind a cycle"},
      {"self loop", Around(13, "node { name: 'a' op_type: 'Add' input: 'x' input: 'y' output: 'y' }"), kBad, "cycle"},
      {"dangling input", Around(13, "node { name: 'n' op_type: 'Relu' input: 'nowhere' output: 'y' }"), kBad, "node 'n' (Relu) reads 'nowhere'"},
      {"dangling output", Model(13, absl::StrCat(kInputX, " output { name: 'q' } ", relu)), kBad, "graph output 'q' is not defined"},
      {"arity low", Around(13, "node { name: 'n' op_type: 'Add' input: 'x' output: 'y' }"), kBad, "has 1 inputs; expected 2"},
      {"arity high", Around(13, "node { op_type: 'Relu' input: 'x' input: 'x' output: 'y' }"), kBad, "has 2 inputs; expected 1"},
      {"no inputs", Around(13, "node { op_type: 'Relu' output: 'y' }"), kBad, "has 0 inputs; expected 1"},
      {"required left out", Around(13, "node { op_type: 'Add' input: '' input: 'x' output: 'y' }"), kBad, "input 0 is required but left out"},
      {"gap in a list", Around(13, "node { op_type: 'Max' input: 'x' input: '' input: 'x' output: 'y' }"), kBad, "input 1 is required but left out"},
      {"upsample without inputs", Around(8, "node { op_type: 'Upsample' output: 'y' }"), kBad, "has 0 inputs"},
      {"unknown attribute", WithAttribute("name: 'axes' type: INT i: 1"), kBad, "unknown attribute 'axes' in opset 13; did you mean 'axis'?"},
      {"attribute type", WithAttribute("name: 'axis' type: FLOAT f: 1"), kBad, "attribute 'axis': has type FLOAT instead of INT"},
      {"attribute untyped", WithAttribute("name: 'axis' i: 1"), kBad, "has type UNDEFINED"},
      {"attribute reference", WithAttribute("name: 'axis' type: INT ref_attr_name: 'a'"), kBad, "refers to a function attribute"},
      {"attribute twice", WithAttribute("name: 'axis' type: INT i: 1 } attribute { name: 'axis' type: INT i: 1"), kBad, "appears twice"},
      {"old attribute in new opset", Around(13, "node { op_type: 'Squeeze' input: 'x' output: 'y' attribute { name: 'axes' type: INTS ints: 0 } }"),
       kBad, "unknown attribute 'axes' in opset 13"},
      {"upsample in opset 10", Around(10, "node { op_type: 'Upsample' input: 'x' output: 'y' }"), kBad, "removed in opset 10"},
      {"negative dim", WithInitializer("data_type: 1 dims: -1"), kBad, "tensor 'w'"},
      {"huge dims", WithInitializer("data_type: 1 dims: 4611686018427387904 dims: 8"), kBad, "tensor 'w'"},
      {"wrapping dims", WithInitializer("data_type: 2 dims: 4194305 dims: 4194305 dims: 211106198978564 raw_data: 'abcd'"), kBad, "tensor 'w'"},
      {"rank", WithInitializer("data_type: 1 dims: 1 dims: 1 dims: 1 dims: 1 dims: 1 dims: 1 dims: 1 dims: 1 dims: 1 float_data: 1"), kBad,
       "has 9 dimensions; the limit is 8"},
      {"raw length", WithInitializer("data_type: 1 dims: 2 raw_data: 'abcdefg'"), kBad, "has 7 bytes of raw_data but 2 elements of float32 need 8"},
      {"no data", WithInitializer("data_type: 1 dims: 1099511627776"), kBad, "has 0 values but its dims need 1099511627776"},
      {"both data", WithInitializer("data_type: 1 dims: 1 raw_data: 'abcd' float_data: 1"), kBad, "stores its values twice"},
      {"wrong field", WithInitializer("data_type: 1 dims: 1 int32_data: 1"), kBad, "has 0 values in the field of its type"},
      {"int8 overflow", WithInitializer("data_type: 3 dims: 1 int32_data: 300"), kBad, "element 0 is 300, which does not fit int8"},
      {"uint8 negative", WithInitializer("data_type: 2 dims: 1 int32_data: -1"), kBad, "element 0 is -1, which does not fit uint8"},
      {"bool value", WithInitializer("data_type: 16 dims: 1 int32_data: 65536"), kBad, "not a 16-bit pattern"},
      {"int4 count", WithInitializer("data_type: 22 dims: 3 int32_data: 1"), kBad, "has 1 values but its dims need 3"},
      {"float8 pattern", WithInitializer("data_type: 17 dims: 1 int32_data: 256"), kBad, "not an 8-bit pattern"},
      {"string", WithInitializer("data_type: 8 dims: 1 string_data: 'a'"), kLater, "element type STRING"},
      {"no such type", WithInitializer("data_type: 77 dims: 1"), kBad, "type number 77"},
      {"no type", WithInitializer("dims: 1 float_data: 1"), kBad, "has no element type"},
      {"segment", WithInitializer("data_type: 1 dims: 1 float_data: 1 segment { begin: 0 end: 1 }"), kLater, "segments"},
      {"external from memory", WithInitializer("data_type: 1 dims: 1 data_location: EXTERNAL external_data { key: 'location' value: 'w.bin' }"), kBad,
       "did not come from a folder"},
      {"input without shape", Model(13, "input { name: 'x' type { tensor_type { elem_type: 1 } } } output { name: 'y' } " + relu), kLater,
       "no shape"},
      {"input sequence", Model(13, "input { name: 'x' type { sequence_type { } } } output { name: 'y' } " + relu), kLater, "is not a tensor"},
      {"input dim",
       Model(13, "input { name: 'x' type { tensor_type { elem_type: 1 shape { dim { dim_value: -2 } } } } } output { name: 'y' } " + relu), kBad,
       "has dimension -2"},
      {"input rank",
       Model(13,
             "input { name: 'x' type { tensor_type { elem_type: 1 shape { dim {} dim {} dim {} dim {} dim {} dim {} dim {} dim {} dim {} } } } } "
             "output { name: 'y' } " +
                 relu),
       kBad, "has 9 dimensions"},
      {"control character", Around(13, "node { name: 'a\\nb' op_type: 'Relu' input: 'x' output: 'y' }"), kBad,
       "'a\\nb' contains a control character"},
      {"NUL in value name", Around(13, relu + "node { op_type: 'Relu' input: 'x' output: 'z\\000' }"), kBad, "contains a control character"},
      {"sparse", Around(13, relu + "sparse_initializer { }"), kLater, "sparse"},
      {"constant without value", Around(13, relu + "node { op_type: 'Constant' output: 'c' }"), kBad, "a Constant has"},
      {"constant string", Around(13, relu + "node { op_type: 'Constant' output: 'c' attribute { name: 'value_string' type: STRING s: 'a' } }"),
       kLater, "value_string"},
      {"statistics of each element",
       Around(7,
              "node { name: 'n' op_type: 'BatchNormalization' input: 'x' input: 'x' input: 'x' input: 'x' input: 'x' output: 'y' "
              "attribute { name: 'spatial' type: INT i: 0 } }"),
       kLater, "node 'n': BatchNormalization, domain 'ai.onnx', opset 7: spatial=0"},
      {"used statistics",
       Around(15, "node { op_type: 'BatchNormalization' input: 'x' input: 'x' input: 'x' input: 'x' input: 'x' output: 'b' output: 'y' }"), kLater,
       "output 1 is used"},
      {"nan attribute", Around(8, "node { op_type: 'Elu' input: 'x' output: 'y' attribute { name: 'alpha' type: FLOAT f: nan } }"), kBad, "NaN"},
      {"split count", Around(18, "node { op_type: 'Split' input: 'x' output: 'y' attribute { name: 'num_outputs' type: INT i: 9 } }"), kBad,
       "has 1 outputs"},
      {"cast to nothing", Around(13, "node { op_type: 'Cast' input: 'x' output: 'y' attribute { name: 'to' type: INT i: 99999999999 } }"), kBad,
       "no element type"},
      {"newer op", Around(13, "node { name: 'n' op_type: 'Gelu' input: 'x' output: 'y' }"), kLater,
       "Gelu came with opset 20, the model has opset 13"},
  };
  for (const BadCase& c : cases) {
    SCOPED_TRACE(c.name);
    const auto graph = ImportText(c.text);
    ASSERT_FALSE(graph.ok());
    EXPECT_EQ(graph.status().code(), c.code) << graph.status();
    EXPECT_TRUE(absl::StrContains(graph.status().message(), c.message)) << graph.status();
    EXPECT_TRUE(absl::StartsWith(graph.status().message(), "m.onnx: ")) << graph.status();
  }
}

// Functions within functions, attributes that refer to the function's, and an output that is an input.
TEST(Importer, InlinesLocalFunctions) {
  const std::string functions =
      "opset_import { domain: 'f' version: 1 } "
      "functions { name: 'Scaled' domain: 'f' input: 'a' output: 'b' attribute: 'slope' opset_import { version: 13 } "
      "  node { name: 'leaky' op_type: 'LeakyRelu' input: 'a' output: 'b' attribute { name: 'alpha' type: FLOAT ref_attr_name: 'slope' } } } "
      "functions { name: 'Twice' domain: 'f' input: 'p' output: 'q' output: 'p' opset_import { version: 13 } opset_import { domain: 'f' version: 1 } "
      "  node { op_type: 'Scaled' domain: 'f' input: 'p' output: 't' attribute { name: 'slope' type: FLOAT f: 0.5 } } "
      "  node { name: 'n' op_type: 'Neg' input: 't' output: 'q' } } ";
  const auto graph = ImportText(functions + Around(13, "node { name: 'call' op_type: 'Twice' domain: 'f' input: 'x' output: 'y' output: 'z' }"));
  ASSERT_TRUE(graph.ok()) << graph.status();
  const std::string text = Print(**graph);
  EXPECT_TRUE(absl::StrContains(text, "LeakyRelu(x) alpha=0.5f")) << text;
  EXPECT_TRUE(absl::StrContains(text, "y = Neg(")) << text;
  EXPECT_TRUE(absl::StrContains(text, "z = Identity(x)")) << text;
  const auto endless = ImportText(
      "opset_import { domain: 'f' version: 1 } functions { name: 'F' domain: 'f' input: 'a' output: 'b' opset_import { domain: 'f' version: 1 } "
      "node { op_type: 'F' domain: 'f' input: 'a' output: 'b' } } " +
      Around(13, "node { op_type: 'F' domain: 'f' input: 'x' output: 'y' }"));
  EXPECT_EQ(endless.status().code(), absl::StatusCode::kInvalidArgument) << endless.status();
  EXPECT_TRUE(absl::StrContains(endless.status().message(), "deep")) << endless.status();
}

// A body reads a constant and a value from outside: the constant is copied, the value becomes an input of node and body.
TEST(Importer, GivesSubgraphsWhatTheyReadFromOutside) {
  const auto graph = ImportText(
      Around(13,
             "initializer { name: 'k' data_type: 1 float_data: 3 } initializer { name: 'cond' data_type: 9 int32_data: 1 } "
             "node { name: 'r' op_type: 'Relu' input: 'x' output: 'a' } "
             "node { name: 'choice' op_type: 'If' input: 'cond' output: 'y' "
             "  attribute { name: 'else_branch' type: GRAPH g { name: 'e' node { op_type: 'Neg' input: 'x' output: 'o' } output { name: 'o' } } } "
             "  attribute { name: 'then_branch' type: GRAPH g { name: 't' node { op_type: 'Mul' input: 'a' input: 'k' output: 'o' } output { name: "
             "'o' } } } }"));
  ASSERT_TRUE(graph.ok()) << graph.status();
  const ir::Node* choice = (*graph)->Producer((*graph)->outputs()[0]);
  ASSERT_EQ(choice->bodies.size(), 2u);
  EXPECT_EQ(choice->inputs.size(), 3u);
  EXPECT_EQ(choice->bodies[0]->name, "t");
  for (const auto& body : choice->bodies) EXPECT_EQ(body->inputs().size(), 2u);
  EXPECT_EQ((*graph)->value(choice->outputs[0]).type.shape, (Shape{2, 3}));
}

TEST(Importer, ListsAllUnsupportedNodesAtOnce) {
  const auto graph = ImportText(
      "opset_import { domain: 'com.acme' version: 1 } " +
      Around(13,
             "node { name: 'g1' op_type: 'StringNormalizer' input: 'x' output: 'a' } node { name: 'r' op_type: 'Relu' input: 'a' output: 'b' } "
             "node { name: 'g2' op_type: 'StringNormalizer' input: 'b' output: 'c' } "
             "node { name: 'f' op_type: 'Fancy' domain: 'com.acme' input: 'c' output: 'y' } "));
  ASSERT_EQ(graph.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(graph.status().message(),
            "m.onnx: 3 nodes are not supported: StringNormalizer (2), com.acme::Fancy (1)\n  node 'g1': StringNormalizer, domain 'ai.onnx', opset 13"
            "\n  node 'g2': StringNormalizer, domain 'ai.onnx', opset 13\n  node 'f': Fancy, domain 'com.acme'");
}

TEST(Importer, RefusesBytesThatAreNoModel) {
  EXPECT_FALSE(ImportOnnxBytes("", "m.onnx", "").ok());
  EXPECT_FALSE(ImportOnnxBytes("hello world, this is no model", "m.onnx", "").ok());
  EXPECT_EQ(ImportOnnx("/nonexistent/m.onnx").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ImportOnnx("/").status().code(), absl::StatusCode::kInvalidArgument);
  std::string nested;  // 5,000 graphs inside each other's attributes
  for (int i = 0; i < 5000; ++i) nested = absl::StrCat(std::string("\x0a"), std::string(1, '\x7f'), nested.substr(0, 127));
  EXPECT_FALSE(ImportOnnxBytes(nested, "m.onnx", "").ok());
}

TEST(Importer, EveryPrefixAndEveryBitFlipGivesAnAnswer) {
  const std::string bytes =
      ModelBytesFromText(Around(11,
                                "initializer { name: 'w' data_type: 1 dims: 2 dims: 3 float_data: [1, 2, 3, 4, 5, 6] } "
                                "node { op_type: 'Add' input: 'x' input: 'w' output: 'a' } node { name: 's' op_type: 'Softmax' input: 'a' output: "
                                "'b' attribute { name: 'axis' type: INT i: 0 } } "
                                "node { op_type: 'Unsqueeze' input: 'b' output: 'y' attribute { name: 'axes' type: INTS ints: 0 } }"));
  ASSERT_TRUE(ImportOnnxBytes(bytes, "m.onnx", "").ok());
  for (size_t n = 0; n < bytes.size(); ++n) ImportOnnxBytes(bytes.substr(0, n), "m.onnx", "").status().IgnoreError();
  int refused = 0;
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] ^= static_cast<char>(1 << (bit % 8));
    refused += ImportOnnxBytes(flipped, "m.onnx", "").ok() ? 0 : 1;
  }
  EXPECT_GT(refused, 0);
}

TEST(OpMap, RowsAreWellFormed) {
  std::string last;
  for (const OnnxOp& op : OnnxOps()) {
    EXPECT_GE(op.first_opset, kMinOpset) << op.name;
    EXPECT_LE(op.first_opset, kMaxOpset) << op.name;
    EXPECT_NE(op.adapt, nullptr) << op.name;
    EXPECT_EQ(FindOnnxOp(op.name, kMaxOpset), &op);
    EXPECT_EQ(FindOnnxOp(op.name, op.first_opset - 1), nullptr);
  }
}

TEST(OpMap, RowsOfOtherDomainsAreFound) {
  for (const ContribOp& row : ContribOps()) {
    EXPECT_EQ(FindOp(row.domain, row.op.name, kMaxOpset), &row.op) << row.op.name;
    EXPECT_NE(row.op.adapt, nullptr) << row.op.name;
  }
  EXPECT_EQ(FindOp("ai.onnx", "Conv", kMinOpset), FindOnnxOp("Conv", kMinOpset));
  EXPECT_EQ(FindOp("com.microsoft", "Conv", kMaxOpset), nullptr);
}

std::string SharedModels() {
  const char* shared = getenv("OMKIT_SHARED");
  if (shared != nullptr) return absl::StrCat(shared, "/models/");
  char* source = realpath("frontends/onnx/importer_test.cc", nullptr);
  if (source == nullptr) return "";
  const std::string path = source;
  free(source);
  return absl::StrCat(path.substr(0, path.size() - std::string("/frontends/onnx/importer_test.cc").size()), "/../shared/models/");
}

struct RealModel {
  const char* file;
  size_t inputs;        // 0: not supported
  const char* missing;  // the operators in the message then
};

TEST(Importer, ImportsRealModels) {
  const RealModel models[] = {
      {"ad01_autoencoder_fp32.onnx", 1, ""},
      {"ad01_autoencoder_int8_qdq.onnx", 1, ""},
      {"cifar10_resnet8_fp32.onnx", 1, ""},
      {"cifar10_resnet8_int8_qdq.onnx", 1, ""},
      {"deeplabv3_dm05_513_fp32.onnx", 1, ""},
      {"deeplabv3_dm05_513_qat_u8_qdq.onnx", 1, ""},
      {"fmnist_resdw_fp32.onnx", 1, ""},
      {"fmnist_resdw_qat_op13.onnx", 1, ""},
      {"fmnist_resdw_qat_op17.onnx", 1, ""},
      {"gtcrn_simple.onnx", 4, ""},
      {"kws_dscnn_fp32.onnx", 1, ""},
      {"kws_dscnn_int8_qdq.onnx", 1, ""},
      {"mnist_cntk_op8.onnx", 1, ""},
      {"mobilenet_v1_025_128_fp32.onnx", 1, ""},
      {"mobilenet_v1_025_128_qat_u8_qdq.onnx", 1, ""},
      {"mobilenet_v2_224_fp32.onnx", 1, ""},
      {"mobilenet_v2_224_qat_u8_qdq.onnx", 1, ""},
      {"person_detect_96_int8_qdq.onnx", 1, ""},
      {"ppocr_cls.onnx", 1, ""},
      {"ppocrv4_det.onnx", 1, ""},
      {"silero_vad_half.onnx", 2, ""},
      {"silero_vad_op18_ifless.onnx", 3, ""},
      {"ultraface_rfb320.onnx", 1, ""},
      {"yunet_n_320.onnx", 1, ""},
      {"yunet_n_dynamic.onnx", 1, ""},
  };
  const std::string folder = SharedModels();
  if (!std::ifstream(folder + models[0].file)) GTEST_SKIP() << "skipped: no shared models in '" << folder << "'";
  for (const RealModel& m : models) {
    SCOPED_TRACE(m.file);
    const auto graph = ImportOnnx(folder + m.file);
    if (m.inputs == 0) {
      EXPECT_EQ(graph.status().code(), absl::StatusCode::kUnimplemented) << graph.status();
      EXPECT_TRUE(absl::StrContains(graph.status().message(), m.missing)) << graph.status();
      continue;
    }
    ASSERT_TRUE(graph.ok()) << graph.status();
    EXPECT_EQ((*graph)->inputs().size(), m.inputs);
    EXPECT_GE((*graph)->outputs().size(), 1u);
    EXPECT_TRUE((*graph)->TopologicalOrder().ok());
  }
}

}  // namespace
}  // namespace omkit::frontends
