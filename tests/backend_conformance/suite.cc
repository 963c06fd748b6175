#include "tests/backend_conformance/suite.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <map>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "backends/compile.h"
#include "backends/evaluator.h"
#include "backends/run_side.h"
#include "base/cpu.h"
#include "base/status.h"
#include "ir/evaluate.h"
#include "ir/op.h"
#include "runtime/model.h"
#include "runtime/om_file.h"
#include "runtime/soc.h"
#include "tests/backend_conformance/operators.h"
#include "tests/random_graph/random_graph.h"

namespace omkit::conformance {
namespace {

using ir::Graph;
using ir::Node;
using ir::OpKind;
using ir::ValueId;

constexpr double kOwnTolerance = 1e-4;
constexpr size_t kMostFailures = 20;

struct Compiled {
  runtime::Program program;
  std::unique_ptr<Graph> graph;  // as lowered
};

absl::StatusOr<Compiled> CompileFor(const Chip& chip, const Graph& source, QuantType quant, uint32_t seed) {
  Compiled compiled;
  CompileOptions options;
  options.soc_version = chip.soc_version;
  options.quant_type = quant;
  options.quantize.effort = QuantEffort::kFast;
  options.quantize.calibration = [seed](const Graph& g) -> absl::StatusOr<passes::CalibrationSource> {
    return passes::CalibrationSource{2,
                                     [&g, seed](int i) -> absl::StatusOr<std::vector<Tensor>> { return testing::RandomInputs(g, seed + 1000 + i); }};
  };
  options.on_final_graph = [&](const Graph& g) { compiled.graph = g.Clone(); };
  OMKIT_ASSIGN_OR_RETURN(compiled.program, Compile(source.Clone(), options));
  return compiled;
}

// Largest magnitude of a float tensor.
double Largest(const Tensor& t) {
  double largest = 0;
  for (int64_t i = 0; i < t.elements(); ++i) largest = std::max(largest, std::abs(static_cast<double>(t.data<float>()[i])));
  return largest;
}

Tensor Magnitudes(const Tensor& t) {
  if (t.dtype() != DType::kFloat32) return t;
  Tensor copy = t.Clone();
  for (int64_t i = 0; i < copy.elements(); ++i) copy.mutable_data<float>()[i] = std::abs(copy.data<float>()[i]);
  return copy;
}

class NodeCheck {
 public:
  NodeCheck(const Graph& graph, const std::map<ValueId, Tensor>& values) : graph_(graph), values_(values) {}

  // INVALID_ARGUMENT tells where the node's results are not the reference's on the same operands.
  absl::Status Check(const Node& node, double tolerance) const {
    std::vector<Tensor> inputs, expected;
    OMKIT_RETURN_IF_ERROR(Evaluate(node, node.attrs, &inputs, &expected));
    for (size_t i = 0; i < expected.size(); ++i) {
      const Tensor& actual = values_.at(node.outputs[i]);
      if (expected[i].dtype() == DType::kFloat32) OMKIT_RETURN_IF_ERROR(Near(node, inputs, actual, expected[i], tolerance));
      else if (std::memcmp(actual.raw(), expected[i].raw(), expected[i].bytes()) != 0) OMKIT_RETURN_IF_ERROR(FirstDifference(actual, expected[i]));
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Evaluate(const Node& node, const ir::Attrs& attrs, std::vector<Tensor>* inputs, std::vector<Tensor>* outputs) const {
    if (inputs->empty()) {
      for (ValueId v : node.inputs) inputs->push_back(v == ir::kNoValue ? Tensor() : graph_.IsConstant(v) ? graph_.value(v).constant : values_.at(v));
    }
    std::vector<const Tensor*> in;
    std::vector<Tensor*> out;
    for (size_t i = 0; i < inputs->size(); ++i) in.push_back(node.inputs[i] == ir::kNoValue ? nullptr : &(*inputs)[i]);
    for (ValueId v : node.outputs) {
      OMKIT_ASSIGN_OR_RETURN(Tensor t, Tensor::Allocate(graph_.value(v).type));
      outputs->push_back(std::move(t));
    }
    for (Tensor& t : *outputs) out.push_back(&t);
    return ir::EvalOp(node.op, {attrs, in, out});
  }

  // What errors are measured by: for sums, the sum of the magnitudes of what is added; else the result.
  double Magnitude(const Node& node, const std::vector<Tensor>& inputs, const Tensor& expected) const {
    const bool sum = node.op == OpKind::kConv || node.op == OpKind::kDense || node.op == OpKind::kMatMul || node.op == OpKind::kGemm ||
                     node.op == OpKind::kAdd || node.op == OpKind::kSub || node.op == OpKind::kAveragePool || node.op == OpKind::kReduceMean;
    double magnitude = Largest(expected);
    const bool quantized = std::any_of(inputs.begin(), inputs.end(), [](const Tensor& t) { return t.defined() && t.type().quantized(); });
    if (!sum || quantized) return magnitude;
    std::vector<Tensor> positive, outputs;
    for (const Tensor& t : inputs) positive.push_back(t.defined() ? Magnitudes(t) : Tensor());
    ir::Attrs attrs = node.attrs;
    attrs.Erase("act_min");
    attrs.Erase("act_max");
    Node as_sum = node;
    if (node.op == OpKind::kSub) as_sum.op = OpKind::kAdd;
    if (Evaluate(as_sum, attrs, &positive, &outputs).ok()) magnitude = std::max(magnitude, Largest(outputs[0]));
    return magnitude;
  }

  absl::Status Near(const Node& node, const std::vector<Tensor>& inputs, const Tensor& actual, const Tensor& expected, double tolerance) const {
    const double bound = tolerance * Magnitude(node, inputs, expected) + 1e-7;
    for (int64_t i = 0; i < expected.elements(); ++i) {
      const double a = actual.data<float>()[i], e = expected.data<float>()[i];
      if (std::isnan(e) ? std::isnan(a) : std::abs(a - e) <= bound) continue;
      return absl::InvalidArgumentError(absl::StrCat("element ", i, " is ", a, ", the reference gives ", e, ", allowed is an error of ", bound));
    }
    return absl::OkStatus();
  }

  static absl::Status FirstDifference(const Tensor& actual, const Tensor& expected) {
    const auto* a = static_cast<const uint8_t*>(actual.raw());
    const auto* e = static_cast<const uint8_t*>(expected.raw());
    const size_t at = std::mismatch(a, a + expected.bytes(), e).first - a;
    return absl::InvalidArgumentError(absl::StrCat("byte ", at, " of ", expected.type().ToString(), " is ", a[at], ", the reference gives ", e[at]));
  }

  const Graph& graph_;
  const std::map<ValueId, Tensor>& values_;
};

absl::Status CheckNodes(const Chip& chip, const Compiled& compiled, const std::vector<Tensor>& inputs, Report* report) {
  const Graph& graph = *compiled.graph;
  OMKIT_ASSIGN_OR_RETURN(const std::vector<ir::NodeId> order, graph.TopologicalOrder());
  std::vector<ValueId> watched;
  for (ir::NodeId id : order) watched.insert(watched.end(), graph.node(id).outputs.begin(), graph.node(id).outputs.end());
  OMKIT_ASSIGN_OR_RETURN(const std::unique_ptr<ir::Evaluator> evaluator, BackendEvaluators(chip.soc_version)(graph, watched));
  std::map<ValueId, Tensor> values;
  for (size_t i = 0; i < inputs.size(); ++i) values[graph.inputs()[i]] = inputs[i];
  OMKIT_RETURN_IF_ERROR(evaluator->Run(inputs, [&](ValueId v, const Tensor& t) { values[v] = t.Clone(); }));
  const NodeCheck check(graph, values);
  for (ir::NodeId id : order) {
    OMKIT_RETURN_IF_ERROR(Annotate(check.Check(graph.node(id), chip.tolerance), ir::Describe(graph.node(id))));
    ++report->nodes;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> RunWhole(const Compiled& compiled, const std::vector<Tensor>& inputs, int threads) {
  OMKIT_ASSIGN_OR_RETURN(runtime::LoadedOm om, runtime::LoadedOmFrom(compiled.program));
  runtime::ModelOptions options;
  options.threads = threads;
  options.check_soc = false;
  OMKIT_ASSIGN_OR_RETURN(const std::unique_ptr<runtime::Model> model, runtime::Model::Load(std::move(om), options));
  std::vector<const void*> in;
  std::vector<std::string> results;
  std::vector<void*> out;
  for (const Tensor& t : inputs) in.push_back(t.raw());
  for (const runtime::IoDesc& io : model->outputs()) results.emplace_back(io.bytes, '\x5a');
  for (std::string& r : results) out.push_back(r.data());
  // The second run finds the memory that the first one left behind.
  for (int run = 0; run < 2; ++run) OMKIT_RETURN_IF_ERROR(model->Execute(in, out));
  std::string all;
  for (const std::string& r : results) all += r;
  return all;
}

bool Equal(const runtime::Program& a, const runtime::Program& b) {
  if (a.weights != b.weights || a.arena_size != b.arena_size || a.steps.size() != b.steps.size()) return false;
  return std::equal(a.steps.begin(), a.steps.end(), b.steps.begin(), [](const runtime::Step& s, const runtime::Step& t) {
    return s.kernel == t.kernel && s.params == t.params && s.operations == t.operations;
  });
}

absl::Status CheckNetwork(const Chip& chip, const Graph& source, QuantType quant, uint32_t seed, Report* report) {
  OMKIT_ASSIGN_OR_RETURN(const Compiled compiled, CompileFor(chip, source, quant, seed));
  OMKIT_ASSIGN_OR_RETURN(const Compiled again, CompileFor(chip, source, quant, seed));
  if (!Equal(compiled.program, again.program)) return absl::InternalError("compiling twice gives two programs");
  const std::vector<Tensor> inputs = testing::RandomInputs(*compiled.graph, seed);
  OMKIT_RETURN_IF_ERROR(CheckNodes(chip, compiled, inputs, report));
  OMKIT_ASSIGN_OR_RETURN(const std::string one, RunWhole(compiled, inputs, 1));
  OMKIT_ASSIGN_OR_RETURN(const std::string three, RunWhole(compiled, inputs, 3));
  if (one != three) return absl::InternalError("three threads give other bytes than one");
  for (const runtime::Step& step : compiled.program.steps) {
    report->plugin_steps += !chip.plugin.empty() && absl::StartsWith(step.kernel, absl::StrCat(chip.plugin, "."));
  }
  ++report->networks;
  return absl::OkStatus();
}

void CheckBoth(const Chip& chip, const std::string& name, const Graph& source, uint32_t seed, Report* report) {
  for (const QuantType quant : {QuantType::kNone, QuantType::kInt8}) {
    const absl::Status status = CheckNetwork(chip, source, quant, seed, report);
    if (status.ok() || report->failures.size() >= kMostFailures) continue;
    report->failures.push_back(absl::StrCat(name, quant == QuantType::kInt8 ? " in INT8: " : " in float: ", status.message()));
  }
}

}  // namespace

std::vector<Chip> Chips(const runtime::PluginSet& plugins) {
  std::vector<Chip> chips;
  for (const runtime::SocRow& row : runtime::SocRows()) {
    if (CpuSupports(row.isa)) chips.push_back({row.name, "", kOwnTolerance});
  }
  for (const runtime::LoadedPlugin& plugin : plugins.loaded) {
    for (uint32_t i = 0; plugin.table->compiler != nullptr && i < plugin.table->soc_count; ++i) {
      const OmkitSoc& soc = runtime::EntryAt(plugin.table->socs, i);
      Isa isa;
      if (FindIsa(soc.isa, &isa) && CpuSupports(isa)) chips.push_back({soc.soc_version, plugin.table->name, soc.float_tolerance});
    }
  }
  return chips;
}

Report Conform(const Chip& chip, int random_graphs) {
  RegisterAllKernels();
  Report report;
  uint32_t seed = 0;
  for (const OperatorCase& c : OperatorCases()) CheckBoth(chip, c.name, *c.graph, seed++, &report);
  for (int i = 0; i < random_graphs; ++i) CheckBoth(chip, absl::StrCat("random graph ", i), *testing::RandomGraph(i), i, &report);
  if (!chip.plugin.empty() && report.plugin_steps == 0) report.failures.push_back("no step ran on the plugin's kernels");
  return report;
}

}  // namespace omkit::conformance
