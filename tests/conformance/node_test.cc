// ONNX's own node tests through the importer, shape inference and the interpreter: the oracle of omkit's reference semantics.
//
// Every test whose operators omkit imports must pass, except those of the table of known differences, and those must not pass: the
// table cannot rot. The rest is counted by operator.
#include <dirent.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status.h"
#include "frontends/onnx/importer.h"
#include "frontends/onnx/tensor.h"
#include "gtest/gtest.h"
#include "ir/evaluate.h"
#include "onnx/onnx-ml.pb.h"
#include "passes/pass.h"
#include "passes/shapes.h"

namespace omkit {
namespace {

constexpr char kSuite[] = "../onnx/onnx/backend/test/data/node";
// The suite of ONNX 1.17.0 has 1,288 tests. Raise the second number whenever more pass.
constexpr int kTests = 1288;
constexpr int kPassed = 729;

struct KnownDifference {
  const char* test;
  const char* why;
};

constexpr KnownDifference kDifferences[] = {
    {"test_averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_True",
     "the suite counts taps that only ceil_mode adds beyond the padding"},
    {"test_cast_FLOAT_to_BFLOAT16", "the suite's data is truncated instead of rounded to nearest even"},
    {"test_castlike_FLOAT_to_BFLOAT16", "the suite's data is truncated instead of rounded to nearest even"},
    {"test_castlike_FLOAT_to_BFLOAT16_expanded", "the suite's data is truncated instead of rounded to nearest even"},
};

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

bool Exists(const std::string& path) { return std::ifstream(path).good(); }

absl::StatusOr<std::vector<onnx::TensorProto>> ReadTensors(const std::string& folder, const std::string& kind) {
  std::vector<onnx::TensorProto> tensors;
  for (int i = 0; Exists(absl::StrCat(folder, "/", kind, "_", i, ".pb")); ++i) {
    onnx::TensorProto proto;
    if (!proto.ParseFromString(ReadAll(absl::StrCat(folder, "/", kind, "_", i, ".pb")))) return absl::InternalError("broken test data");
    tensors.push_back(std::move(proto));
  }
  return tensors;
}

bool Near(const Tensor& got, const Tensor& want, int64_t i) {
  const double a = RealAt(got, i);
  const double b = RealAt(want, i);
  if (!IsFloat(want.dtype())) return a == b;
  if (std::isnan(b)) return std::isnan(a);
  if (std::isinf(b)) return a == b;
  return std::abs(a - b) <= 1e-5 + 1e-3 * std::abs(b);
}

absl::Status Compare(const Tensor& got, const Tensor& want) {
  if (got.dtype() != want.dtype() || got.shape() != want.shape()) {
    return absl::InternalError(absl::StrCat("output is ", got.type().ToString(), ", expected ", want.type().ToString()));
  }
  for (int64_t i = 0; i < want.elements(); ++i) {
    if (!Near(got, want, i)) return absl::InternalError(absl::StrCat("element ", i, " is ", RealAt(got, i), ", expected ", RealAt(want, i)));
  }
  return absl::OkStatus();
}

// NumPy has no bfloat16: the suite's data holds such tensors as uint16.
void RestoreBFloat16(const onnx::ValueInfoProto& info, onnx::TensorProto* tensor) {
  const bool bfloat16 = info.type().tensor_type().elem_type() == onnx::TensorProto::BFLOAT16;
  if (bfloat16 && tensor->data_type() == onnx::TensorProto::UINT16) tensor->set_data_type(onnx::TensorProto::BFLOAT16);
}

bool IsFloatType(int type) { return type == onnx::TensorProto::FLOAT || type == onnx::TensorProto::FLOAT16 || type == onnx::TensorProto::DOUBLE; }

// Imports and runs the model on the test's inputs. With `constants`, inputs from the second on (the first too unless it is a float
// tensor of rank 1 or more) become initializers: omkit needs shapes, axes and sizes at compile time.
absl::Status RunOnce(onnx::ModelProto model, const std::vector<onnx::TensorProto>& inputs, const std::vector<onnx::TensorProto>& outputs,
                     bool constants) {
  std::map<std::string, const onnx::TensorProto*> by_name;
  int position = 0;
  for (const auto& info : model.graph().input()) {
    if (position >= static_cast<int>(inputs.size())) return absl::InternalError("fewer inputs than the model has");
    const onnx::TensorProto& tensor = inputs[position];
    const bool data = IsFloatType(tensor.data_type()) && tensor.dims_size() > 0;
    if (constants && (position > 0 || !data)) {
      *model.mutable_graph()->add_initializer() = tensor;
      model.mutable_graph()->mutable_initializer()->rbegin()->set_name(info.name());
    }
    by_name[info.name()] = &inputs[position++];
  }
  OMKIT_ASSIGN_OR_RETURN(const std::unique_ptr<ir::Graph> graph, frontends::ImportOnnxBytes(model.SerializeAsString(), "model.onnx", ""));
  std::vector<Tensor> values;
  for (const ir::ValueId id : graph->inputs()) {
    OMKIT_ASSIGN_OR_RETURN(Tensor tensor, frontends::FromTensorProto(*by_name[graph->value(id).name], nullptr));
    graph->SetType(id, tensor.type());
    values.push_back(std::move(tensor));
  }
  OMKIT_RETURN_IF_ERROR(passes::RunPasses({passes::InferShapes()}, {}, *graph));
  OMKIT_ASSIGN_OR_RETURN(const std::vector<Tensor> results, ir::Interpret(*graph, values));
  if (results.size() != outputs.size()) return absl::InternalError("number of outputs");
  for (size_t i = 0; i < results.size(); ++i) {
    OMKIT_ASSIGN_OR_RETURN(const Tensor want, frontends::FromTensorProto(outputs[i], nullptr));
    OMKIT_RETURN_IF_ERROR(Annotate(Compare(results[i], want), absl::StrCat("output ", i)));
  }
  return absl::OkStatus();
}

absl::Status RunTest(const std::string& folder) {
  onnx::ModelProto model;
  if (!model.ParseFromString(ReadAll(folder + "/model.onnx"))) return absl::InternalError("broken model.onnx");
  // What the importer does not take is no failure; tests with sequences have no readable tensors either.
  const auto imported = frontends::ImportOnnxBytes(model.SerializeAsString(), "model.onnx", "");
  if (absl::IsUnimplemented(imported.status())) return imported.status();
  const std::string data = folder + "/test_data_set_0";
  OMKIT_ASSIGN_OR_RETURN(auto inputs, ReadTensors(data, "input"));
  OMKIT_ASSIGN_OR_RETURN(auto outputs, ReadTensors(data, "output"));
  for (size_t i = 0; i < inputs.size() && i < static_cast<size_t>(model.graph().input_size()); ++i) RestoreBFloat16(model.graph().input(i), &inputs[i]);
  for (size_t i = 0; i < outputs.size() && i < static_cast<size_t>(model.graph().output_size()); ++i) RestoreBFloat16(model.graph().output(i), &outputs[i]);
  const absl::Status first = RunOnce(model, inputs, outputs, false);
  if (first.ok()) return first;
  const absl::Status second = RunOnce(model, inputs, outputs, true);
  return second.ok() ? second : absl::InternalError(absl::StrCat(second.message(), " [with inputs: ", first.message(), "]"));
}

std::vector<std::string> TestNames() {
  std::vector<std::string> names;
  DIR* dir = opendir(kSuite);
  if (dir == nullptr) return names;
  while (const dirent* entry = readdir(dir)) {
    if (entry->d_name[0] != '.') names.push_back(entry->d_name);
  }
  closedir(dir);
  std::sort(names.begin(), names.end());
  return names;
}

// "GRU (1)" out of "model.onnx: 1 node is not supported: GRU (1)\n  node ...".
std::string Reason(const absl::Status& status) {
  std::string text(status.message().substr(0, status.message().find('\n')));
  const size_t at = text.find("supported: ");
  return at == std::string::npos ? text : text.substr(at + 11);
}

TEST(NodeConformance, EveryImportedOperatorGivesTheSuitesResults) {
  std::map<std::string, const char*> differences;
  for (const KnownDifference& d : kDifferences) differences[d.test] = d.why;
  const std::vector<std::string> names = TestNames();
  ASSERT_EQ(names.size(), kTests);
  int passed = 0;
  std::map<std::string, int> unsupported;
  for (const std::string& name : names) {
    const absl::Status status = RunTest(absl::StrCat(kSuite, "/", name));
    const bool known = differences.erase(name) > 0;
    passed += status.ok();
    if (status.ok()) EXPECT_FALSE(known) << name << " passes: take it out of the table of known differences";
    else if (absl::IsUnimplemented(status)) ++unsupported[Reason(status)];
    else EXPECT_TRUE(known) << name << ": " << status.message();
  }
  int left_out = 0;
  std::string list;
  for (const auto& [reason, count] : unsupported) {
    left_out += count;
    absl::StrAppendFormat(&list, "  %4d  %s\n", count, reason);
  }
  std::printf("%d node tests: %d passed, %d with operators or types that are not imported:\n%s", kTests, passed, left_out, list.c_str());
  for (const auto& [name, why] : differences) ADD_FAILURE() << "no such test: " << name << " (" << why << ")";
  EXPECT_GE(passed, kPassed);
}

}  // namespace
}  // namespace omkit
