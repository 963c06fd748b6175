#include "tests/conformance/suite.h"

#include <dirent.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "backends/compile.h"
#include "backends/run_side.h"
#include "base/narrow.h"
#include "base/picture_decoder.h"
#include "base/status.h"
#include "frontends/image_file.h"
#include "frontends/onnx/importer.h"
#include "frontends/onnx/tensor.h"
#include "ir/evaluate.h"
#include "ir/op.h"
#include "ir/verify.h"
#include "onnx/onnx-ml.pb.h"
#include "passes/control_flow.h"
#include "runtime/model.h"
#include "runtime/om_file.h"

namespace omkit::conformance {
namespace {

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

struct DataSet {
  std::vector<Tensor> inputs, outputs;
};

absl::StatusOr<DataSet> ReadDataSet(const ir::Graph& graph, const std::string& folder) {
  DataSet set;
  OMKIT_ASSIGN_OR_RETURN(set.inputs, ReadTensors(folder, "input"));
  OMKIT_ASSIGN_OR_RETURN(set.outputs, ReadTensors(folder, "output"));
  if (set.inputs.size() < graph.inputs().size()) return absl::InternalError(absl::StrCat(set.inputs.size(), " inputs in the data set"));
  // Weights listed as inputs come last and have their values already.
  set.inputs.resize(graph.inputs().size());
  for (size_t i = 0; i < set.inputs.size(); ++i) set.inputs[i] = AsDeclared(set.inputs[i], graph.value(graph.inputs()[i]).type.dtype);
  return set;
}

absl::Status CompareAll(const std::vector<Tensor>& results, const std::vector<Tensor>& wanted) {
  if (results.size() < wanted.size()) return absl::InternalError(absl::StrCat(results.size(), " outputs, want ", wanted.size()));
  for (size_t i = 0; i < wanted.size(); ++i) {
    OMKIT_RETURN_IF_ERROR(Annotate(Compare(results[i], AsDeclared(wanted[i], results[i].dtype())), absl::StrCat("output ", i)));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Tensor>> Execute(std::unique_ptr<ir::Graph> graph, const std::vector<Tensor>& inputs) {
  std::vector<TensorType> types;
  OMKIT_ASSIGN_OR_RETURN(runtime::Program program, Compile(std::move(graph), {}));
  OMKIT_ASSIGN_OR_RETURN(runtime::LoadedOm om, runtime::LoadedOmFrom(std::move(program)));
  RegisterAllKernels();
  runtime::ModelOptions options;
  options.threads = 1;
  OMKIT_ASSIGN_OR_RETURN(const std::unique_ptr<runtime::Model> model, runtime::Model::Load(std::move(om), options));
  std::vector<Tensor> results;
  std::vector<const void*> in;
  std::vector<void*> out;
  for (const Tensor& t : inputs) in.push_back(t.raw());
  for (const runtime::IoDesc& io : model->outputs()) {
    OMKIT_ASSIGN_OR_RETURN(Tensor t, Tensor::Allocate(io.dtype, Shape(io.dims)));
    results.push_back(std::move(t));
  }
  for (Tensor& t : results) out.push_back(t.mutable_raw());
  OMKIT_RETURN_IF_ERROR(model->Execute(in, out));
  return results;
}

// The graph with the inputs that `fixed` chooses as constants, the others typed; `left` gets the tensors of the latter.
std::unique_ptr<ir::Graph> Bind(const ir::Graph& graph, const std::vector<Tensor>& inputs, const std::function<bool(const Tensor&)>& fixed,
                                std::vector<Tensor>* left) {
  auto bound = std::make_unique<ir::Graph>();
  bound->name = graph.name;
  bound->source = graph.source;
  bound->source_opset = graph.source_opset;
  std::vector<ir::ValueId> values;
  left->clear();
  for (size_t i = 0; i < inputs.size(); ++i) {
    const std::string& name = graph.value(graph.inputs()[i]).name;
    if (fixed(inputs[i])) {
      values.push_back(bound->AddConstant(name, inputs[i]));
    } else {
      values.push_back(bound->AddInput(name, inputs[i].type()));
      left->push_back(inputs[i]);
    }
  }
  for (ir::ValueId v : passes::InlineBody(*bound, graph, values, "")) bound->MarkOutput(v);
  return bound;
}

absl::Status CompileAndCompare(const ir::Graph& graph, const DataSet& set) {
  const std::function<bool(const Tensor&)> choices[] = {
      [](const Tensor&) { return false; },
      [](const Tensor& t) { return IsInteger(t.dtype()) || t.dtype() == DType::kBool; },
      [](const Tensor&) { return true; },
  };
  absl::Status first;
  for (const auto& fixed : choices) {
    std::vector<Tensor> left;
    std::unique_ptr<ir::Graph> bound = Bind(graph, set.inputs, fixed, &left);
    const auto results = Execute(std::move(bound), left);
    if (results.ok()) return CompareAll(*results, set.outputs);
    if (first.ok()) first = results.status();
  }
  return first;
}

absl::Status InterpretAndCompare(const ir::Graph& graph, const DataSet& set) {
  std::unique_ptr<ir::Graph> copy = graph.Clone();
  OMKIT_ASSIGN_OR_RETURN(const std::vector<Tensor> results, Results(*copy, set.inputs));
  return CompareAll(results, set.outputs);
}

Result RunWith(const std::string& folder, absl::Status (*run)(const ir::Graph&, const DataSet&)) {
  SetPictureDecoder(frontends::DecodeImage);
  const auto graph = frontends::ImportOnnx(absl::StrCat(folder, "/model.onnx"));
  if (!graph.ok()) return {absl::IsUnimplemented(graph.status()) ? Outcome::kRefused : Outcome::kDiffers, graph.status()};
  for (const std::string& set : ListFolder(folder)) {
    if (!absl::StartsWith(set, "test_data_set_")) continue;
    const auto data = ReadDataSet(**graph, absl::StrCat(folder, "/", set));
    if (!data.ok()) return {absl::IsUnimplemented(data.status()) ? Outcome::kRefused : Outcome::kDiffers, data.status()};
    const absl::Status status = run(**graph, *data);
    if (!status.ok()) return {Outcome::kDiffers, status};
  }
  return {};
}

}  // namespace

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

Result RunInterpreted(const std::string& folder) { return RunWith(folder, InterpretAndCompare); }
Result RunCompiled(const std::string& folder) { return RunWith(folder, CompileAndCompare); }

}  // namespace omkit::conformance
