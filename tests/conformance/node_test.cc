// The standard's own node tests, run through the importer and the interpreter: every test whose operator omkit imports must give the
// standard's outputs. Tests that do not import are counted by the importer's reason; the counts are part of the output.
#include <dirent.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/narrow.h"
#include "base/status.h"
#include "frontends/onnx/importer.h"
#include "frontends/onnx/tensor.h"
#include "gtest/gtest.h"
#include "ir/evaluate.h"
#include "ir/op.h"
#include "ir/verify.h"
#include "onnx/onnx-ml.pb.h"

namespace omkit {
namespace {

// Below this many agreeing tests something is wrong with the test itself or an operator was lost.
constexpr int kFewestPasses = 1183;

const std::map<std::string, std::string>& Exceptions() {
  static const auto* const map = new std::map<std::string, std::string>{
#define EXCEPTION(test, reason) {"test_" #test, reason},
#include "tests/conformance/exceptions.inc"
#undef EXCEPTION
  };
  return *map;
}

std::string DataFolder() {
  const char* runfiles = std::getenv("TEST_SRCDIR");
  return absl::StrCat(runfiles == nullptr ? "." : runfiles, "/onnx/onnx/backend/test/data/node");
}

std::vector<std::string> ListFolder(const std::string& folder) {
  std::vector<std::string> names;
  DIR* dir = opendir(folder.c_str());
  if (dir == nullptr) return names;
  while (const dirent* entry = readdir(dir)) {
    if (entry->d_name[0] != '.') names.push_back(entry->d_name);
  }
  closedir(dir);
  std::sort(names.begin(), names.end());
  return names;
}

bool ReadFile(const std::string& path, std::string* bytes) {
  std::ifstream in(path, std::ios::binary);
  bytes->assign(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  return in.good() || in.eof();
}

// input_0.pb, input_1.pb, ... of a data set.
absl::StatusOr<std::vector<Tensor>> ReadTensors(const std::string& folder, const std::string& prefix) {
  std::vector<Tensor> tensors;
  for (int i = 0;; ++i) {
    const std::string path = absl::StrCat(folder, "/", prefix, "_", i, ".pb");
    std::string bytes;
    if (!std::ifstream(path).good() || !ReadFile(path, &bytes)) return tensors;
    onnx::TensorProto proto;
    if (!proto.ParseFromString(bytes)) return absl::InvalidArgumentError(absl::StrCat(prefix, " ", i, " is no tensor"));
    OMKIT_ASSIGN_OR_RETURN(Tensor tensor, frontends::FromTensorProto(proto, nullptr));
    tensors.push_back(std::move(tensor));
  }
}

double ValueAt(const Tensor& t, int64_t i) { return IsNarrow(t.dtype()) ? FromNarrow(t.dtype(), t.data<uint8_t>()[i]) : RealAt(t, i); }

bool Close(double a, double b, DType dtype) {
  if (a == b || (std::isnan(a) && std::isnan(b))) return true;
  if (!IsFloat(dtype)) return false;
  const double relative = dtype == DType::kFloat32 || dtype == DType::kFloat64 ? 1e-3 : 1e-2;
  return std::fabs(a - b) <= 1e-5 + relative * std::fabs(b);
}

absl::Status Compare(const Tensor& got, const Tensor& want) {
  if (got.dtype() != want.dtype() || got.shape() != want.shape()) {
    return absl::InternalError(absl::StrCat("got ", got.type().ToString(), ", want ", want.type().ToString()));
  }
  for (int64_t i = 0; i < got.elements(); ++i) {
    if (!Close(ValueAt(got, i), ValueAt(want, i), got.dtype())) {
      return absl::InternalError(absl::StrCat("element ", i, " is ", ValueAt(got, i), ", want ", ValueAt(want, i)));
    }
  }
  return absl::OkStatus();
}

bool AllStatic(const ir::Graph& graph) {
  for (ir::ValueId id = 0; id < graph.num_values(); ++id) {
    if (graph.Producer(id) != nullptr && !graph.value(id).type.shape.IsStatic()) return false;
  }
  return true;
}

// Runs node after node, each result a constant of the graph for those behind it: for shapes that depend on input values, which a
// compile would have as constants.
absl::Status RunStepwise(ir::Graph& graph, absl::Span<const Tensor> inputs) {
  for (size_t i = 0; i < inputs.size(); ++i) graph.SetConstant(graph.inputs()[i], inputs[i]);
  OMKIT_ASSIGN_OR_RETURN(const std::vector<ir::NodeId> order, graph.TopologicalOrder());
  for (ir::NodeId id : order) {
    OMKIT_RETURN_IF_ERROR(ir::InferNode(graph, id));
    const ir::Node& node = graph.node(id);
    std::vector<const Tensor*> from;
    for (int i = 0; i < static_cast<int>(node.inputs.size()); ++i) from.push_back(graph.ConstantInput(node, i));
    std::vector<Tensor> results;
    for (ir::ValueId v : node.outputs) {
      OMKIT_ASSIGN_OR_RETURN(Tensor result, Tensor::Allocate(graph.value(v).type));
      results.push_back(std::move(result));
    }
    std::vector<Tensor*> to;
    for (Tensor& t : results) to.push_back(&t);
    OMKIT_RETURN_IF_ERROR(Annotate(ir::EvalOp(node.op, {node.attrs, from, to, node.bodies}), ir::Describe(node)));
    for (size_t i = 0; i < results.size(); ++i) graph.SetConstant(node.outputs[i], results[i]);
  }
  return absl::OkStatus();
}

// The vectors hold bfloat16 as uint16.
Tensor AsDeclared(const Tensor& tensor, DType declared) {
  if (tensor.dtype() != DType::kUInt16 || declared != DType::kBFloat16) return tensor;
  return tensor.WithType({declared, tensor.shape(), {}, Layout::kPlain});
}

absl::StatusOr<std::vector<Tensor>> Results(ir::Graph& graph, absl::Span<const Tensor> inputs) {
  for (size_t i = 0; i < inputs.size(); ++i) graph.SetType(graph.inputs()[i], inputs[i].type());
  if (ir::InferGraph(graph).ok() && AllStatic(graph)) {
    OMKIT_RETURN_IF_ERROR(ir::Verify(graph, ir::VerifyTypes::kStatic));
    return ir::Interpret(graph, inputs);
  }
  OMKIT_RETURN_IF_ERROR(RunStepwise(graph, inputs));
  std::vector<Tensor> results;
  for (ir::ValueId v : graph.outputs()) results.push_back(graph.value(v).constant);
  return results;
}

absl::Status RunDataSet(const ir::Graph& imported, const std::string& folder) {
  OMKIT_ASSIGN_OR_RETURN(std::vector<Tensor> inputs, ReadTensors(folder, "input"));
  OMKIT_ASSIGN_OR_RETURN(const std::vector<Tensor> outputs, ReadTensors(folder, "output"));
  std::unique_ptr<ir::Graph> graph = imported.Clone();
  if (inputs.size() != graph->inputs().size()) return absl::InternalError(absl::StrCat(inputs.size(), " inputs in the data set"));
  for (size_t i = 0; i < inputs.size(); ++i) inputs[i] = AsDeclared(inputs[i], graph->value(graph->inputs()[i]).type.dtype);
  OMKIT_ASSIGN_OR_RETURN(const std::vector<Tensor> results, Results(*graph, inputs));
  if (results.size() < outputs.size()) return absl::InternalError(absl::StrCat(results.size(), " outputs, want ", outputs.size()));
  for (size_t i = 0; i < outputs.size(); ++i) {
    OMKIT_RETURN_IF_ERROR(Annotate(Compare(results[i], AsDeclared(outputs[i], results[i].dtype())), absl::StrCat("output ", i)));
  }
  return absl::OkStatus();
}

// The importer's reason, short enough to group by.
std::string Reason(const absl::Status& status) {
  const std::vector<std::string> lines = absl::StrSplit(std::string(status.message()), '\n');
  return lines.size() > 1 ? lines[1] : lines[0];
}

TEST(OnnxNodeTests, EveryImportedOperatorAgreesWithTheStandard) {
  const std::string root = DataFolder();
  const std::vector<std::string> tests = ListFolder(root);
  ASSERT_FALSE(tests.empty()) << "no node tests in " << root;
  int passed = 0, refused = 0, excepted = 0;
  for (const std::string& test : tests) {
    const std::string folder = absl::StrCat(root, "/", test);
    auto graph = frontends::ImportOnnx(absl::StrCat(folder, "/model.onnx"));
    if (!graph.ok()) {
      ++refused;
      std::printf("refused  %-60s %s\n", test.c_str(), Reason(graph.status()).c_str());
      EXPECT_TRUE(absl::IsUnimplemented(graph.status())) << test << ": " << graph.status();
      continue;
    }
    absl::Status status;
    for (const std::string& set : ListFolder(folder)) {
      if (status.ok() && absl::StartsWith(set, "test_data_set_")) status = RunDataSet(**graph, absl::StrCat(folder, "/", set));
    }
    const auto exception = Exceptions().find(test);
    if (exception != Exceptions().end()) {
      ++excepted;
      EXPECT_FALSE(status.ok()) << test << " agrees now: take it off the exceptions";
      std::printf("excepted %-60s %s\n", test.c_str(), exception->second.c_str());
      continue;
    }
    EXPECT_TRUE(status.ok()) << test << ": " << status;
    if (status.ok()) ++passed;
  }
  std::printf("%d of %d node tests agree, %d are refused by the importer, %d excepted\n", passed, static_cast<int>(tests.size()), refused, excepted);
  EXPECT_GE(passed, kFewestPasses);
}

}  // namespace
}  // namespace omkit
