#include "backends/compile.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "backends/backend.h"
#include "backends/evaluator.h"
#include "backends/lower.h"
#include "base/log.h"
#include "base/status.h"
#include "frontends/qdq/absorb.h"
#include "ir/op.h"
#include "passes/fuse.h"
#include "passes/pass.h"
#include "passes/quantization_plan.h"
#include "passes/quantize.h"
#include "passes/shapes.h"
#include "runtime/soc.h"

namespace omkit {
namespace {

passes::PassManagerOptions PassOptions(const CompileOptions& options) { return {options.dump_dir}; }

// A model with its own quantization gets its INT8 form before fusion; the second inference folds the constants that came out of it.
passes::Pass AbsorbQdq() {
  return {"absorb_qdq", [](ir::Graph& graph) { return frontends::AbsorbQdq(graph).status(); }};
}

// Calibrates the fused float graph with the backend's own kernels and rewrites it to INT8.
absl::Status QuantizeGraph(const runtime::SocRow& soc, const CompileOptions& options, ir::Graph& graph) {
  if (!options.calibration) return absl::InvalidArgumentError("INT8 quantization needs calibration data (--calibrate_tool_path)");
  const std::vector<const Backend*> backends = BackendsFor(soc.name);
  passes::QuantizePolicy policy;
  policy.skip_nodes = options.skip_nodes;
  policy.supported = [&](const ir::Graph& g, const ir::Node& node) { return backends.front()->SupportsInt8(g, node); };
  OMKIT_ASSIGN_OR_RETURN(const passes::QuantizationPlan plan, passes::PlanQuantization(graph, policy));
  const auto quantized = std::count(plan.int8_node.begin(), plan.int8_node.end(), true);
  Log(LogLevel::kInfo,
      absl::StrFormat("quantize: %d of %d nodes run in INT8, %d tensors to calibrate", quantized, graph.CountNodes(), plan.values.size()));
  OMKIT_ASSIGN_OR_RETURN(const passes::CalibrationSource source, options.calibration(graph));
  const passes::ProgressFn progress = options.progress ? options.progress : [](double) {};
  OMKIT_ASSIGN_OR_RETURN(const passes::Calibration calibration,
                         passes::Calibrate(graph, plan.values, source, BackendEvaluators(runtime::HostSoc().name), progress));
  OMKIT_RETURN_IF_ERROR(
      passes::RunPasses({{"quantize", [&](ir::Graph& g) { return passes::Quantize(plan, calibration.chosen, g); }}}, PassOptions(options), graph));
  return absl::OkStatus();
}

void FillManifest(const CompileOptions& options, const ir::Graph& graph, runtime::Program& program) {
  int int8_steps = 0;
  for (const runtime::Step& step : program.steps) int8_steps += step.kernel.find("_u8") != std::string::npos;
  program.manifest = {
      {"command_line", options.command_line},
      {"int8_steps", absl::StrCat(int8_steps)},
      {"producer", "omkit 0.1"},
      {"quant_type", absl::StrCat(static_cast<int>(options.quant_type))},
      {"requested_soc_version", options.soc_version},
      {"source_hash", options.source_hash},
      {"source_model", graph.source},
      {"source_opset", absl::StrCat(graph.source_opset)},
  };
}

}  // namespace

absl::Status PrepareGraph(const CompileOptions& options, ir::Graph& graph) {
  return passes::RunPasses(
      {
          passes::BindShapes(options.input_shapes),
          passes::InferShapes(),
          passes::Simplify(),
          AbsorbQdq(),
          passes::InferShapes(),
          passes::FormDense(),
          passes::FusePad(),
          passes::FuseComposite(),
          {"absorb_fused", frontends::AbsorbFused},
          passes::FuseBatchNorm(),
          passes::FormConv(),
          passes::FuseScale(),
          passes::FuseResidual(),
          passes::FuseActivation(),
      },
      PassOptions(options), graph);
}

absl::StatusOr<runtime::Program> Compile(std::unique_ptr<ir::Graph> graph, const CompileOptions& options) {
  OMKIT_ASSIGN_OR_RETURN(const runtime::SocRow soc, runtime::FindSoc(options.soc_version));
  const bool own_quantization = frontends::CarriesQuantization(*graph);
  OMKIT_RETURN_IF_ERROR(PrepareGraph(options, *graph));
  OMKIT_RETURN_IF_ERROR(passes::RunPasses(BackendsFor(soc.name).front()->Passes(), PassOptions(options), *graph));
  if (options.quant_type == QuantType::kInt8 && own_quantization) {
    Log(LogLevel::kWarning, "the model carries its own quantization (QuantizeLinear, DequantizeLinear), which is kept; calibration data is not used");
  } else if (options.quant_type == QuantType::kInt8) {
    OMKIT_RETURN_IF_ERROR(QuantizeGraph(soc, options, *graph));
  }
  if (options.on_final_graph) options.on_final_graph(*graph);
  ProgramBuilder builder(*graph, soc.isa);
  OMKIT_RETURN_IF_ERROR(Annotate(LowerGraph(soc.name, *graph, builder), "lower"));
  OMKIT_ASSIGN_OR_RETURN(runtime::Program program, builder.Finish());
  program.soc_version = soc.name;
  FillManifest(options, *graph, program);
  return program;
}

}  // namespace omkit
