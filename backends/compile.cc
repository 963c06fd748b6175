#include "backends/compile.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "backends/backend.h"
#include "backends/lower.h"
#include "base/log.h"
#include "base/status.h"
#include "frontends/qdq/absorb.h"
#include "passes/control_flow.h"
#include "passes/fuse.h"
#include "passes/insert_aipp.h"
#include "passes/pass.h"
#include "passes/recipe.h"
#include "passes/shapes.h"
#include "passes/unique_names.h"
#include "runtime/soc.h"

namespace omkit {
namespace {

passes::PassManagerOptions PassOptions(const CompileOptions& options) { return {options.dump_dir}; }

// A model with its own quantization gets its INT8 form before fusion; the second inference folds the constants that came out of it.
passes::Pass AbsorbQdq(bool calibrates) {
  return {"absorb_qdq", [calibrates](ir::Graph& graph) -> absl::Status {
            if (calibrates) OMKIT_RETURN_IF_ERROR(frontends::FreezeDynamicQuantization(graph).status());
            return frontends::AbsorbQdq(graph).status();
          }};
}

// Calibrates the fused float graph with the backend's own kernels and rewrites it to INT8; gives the recipe for the manifest.
absl::StatusOr<std::string> QuantizeToInt8(const runtime::SocRow& soc, const CompileOptions& options, ir::Graph& graph) {
  std::string recipe;
  QuantizeOptions quantize = options.quantize;
  quantize.on_recipe = [&](const passes::Recipe& followed) {
    recipe = passes::SerializeRecipe(followed, /*lines=*/false);
    return options.quantize.on_recipe ? options.quantize.on_recipe(followed) : absl::OkStatus();
  };
  OMKIT_RETURN_IF_ERROR(passes::RunPasses({{"quantize", [&](ir::Graph& g) { return QuantizeGraph(quantize, soc.name, options.source_hash, g); }}},
                                          PassOptions(options), graph));
  return recipe;
}

bool HasCalibration(const CompileOptions& options) {
  const QuantizeOptions& quantize = options.quantize;
  return options.quant_type == QuantType::kInt8 && (quantize.calibration || quantize.statistics || quantize.recipe);
}

// A model with a quantization of its own keeps it; calibration only reaches layers that the model leaves in float. Gives the recipe of those.
absl::StatusOr<std::string> CompleteQuantization(const runtime::SocRow& soc, const CompileOptions& options, ir::Graph& graph) {
  const std::vector<std::string> floats = frontends::FloatLayers(graph);
  const bool completes = HasCalibration(options) && !floats.empty();
  if (options.quant_type == QuantType::kInt8) {
    Log(LogLevel::kWarning,
        absl::StrCat("the model carries its own quantization (QuantizeLinear, DequantizeLinear), which is kept; ",
                     completes ? "calibration data is used for the layers that it leaves in float only: " : "calibration data is not used",
                     completes ? absl::StrJoin(floats, ", ") : ""));
  } else if (!floats.empty()) {
    Log(LogLevel::kWarning, absl::StrCat("the model's own quantization leaves layers in float: ", absl::StrJoin(floats, ", "),
                                         "; with --quant_type=1 and calibration data they become INT8 too"));
  }
  if (!completes) return std::string();
  OMKIT_ASSIGN_OR_RETURN(std::string recipe, QuantizeToInt8(soc, options, graph));
  OMKIT_RETURN_IF_ERROR(passes::RunPasses({{"join_completed", frontends::JoinCompleted}}, PassOptions(options), graph));
  return recipe;
}

void FillManifest(const CompileOptions& options, const ir::Graph& graph, const std::string& recipe, runtime::Program& program) {
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
  // Keys are sorted.
  if (!recipe.empty()) program.manifest.insert(program.manifest.begin() + 4, {"quantization_recipe", recipe});
}

// What clients ask about image inputs: their layout, and the stage in front of the network, as text under the key "aipp.<input>".
void DescribeAipp(const std::vector<passes::AippInput>& stages, runtime::Program& program) {
  for (const passes::AippInput& stage : stages) {
    program.inputs[stage.input].format = "NHWC";
    program.manifest.push_back({absl::StrCat("aipp.", stage.input), aipp::ToText(stage.stage)});
  }
  std::sort(program.manifest.begin(), program.manifest.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
}

}  // namespace

absl::Status PrepareGraph(const CompileOptions& options, ir::Graph& graph) {
  return passes::RunPasses(
      {
          passes::BindShapes(options.input_shapes),
          passes::InferShapes(),
          passes::Simplify(),
          AbsorbQdq(HasCalibration(options)),
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
          passes::UniqueNames(),
          passes::PrepareBodies([&](ir::Graph& body) -> absl::Status {
            CompileOptions inner;
            inner.soc_version = options.soc_version;
            OMKIT_RETURN_IF_ERROR(PrepareGraph(inner, body));
            OMKIT_ASSIGN_OR_RETURN(const runtime::SocRow soc, runtime::FindSoc(options.soc_version));
            return passes::RunPasses(BackendsFor(soc.name).front()->Passes(), {}, body);
          }),
      },
      PassOptions(options), graph);
}

absl::StatusOr<runtime::Program> Compile(std::unique_ptr<ir::Graph> graph, const CompileOptions& options) {
  OMKIT_ASSIGN_OR_RETURN(const runtime::SocRow soc, runtime::FindSoc(options.soc_version));
  std::string recipe;
  const bool own_quantization = frontends::CarriesQuantization(*graph);
  OMKIT_RETURN_IF_ERROR(PrepareGraph(options, *graph));
  OMKIT_RETURN_IF_ERROR(passes::RunPasses(BackendsFor(soc.name).front()->Passes(), PassOptions(options), *graph));
  std::vector<passes::AippInput> stages;
  if (options.aipp) {
    OMKIT_ASSIGN_OR_RETURN(stages, options.aipp(*graph));
  }
  if (own_quantization) {
    OMKIT_ASSIGN_OR_RETURN(recipe, CompleteQuantization(soc, options, *graph));
  } else if (options.quant_type == QuantType::kInt8) {
    OMKIT_ASSIGN_OR_RETURN(recipe, QuantizeToInt8(soc, options, *graph));
  }
  OMKIT_RETURN_IF_ERROR(passes::RunPasses({passes::InsertAipp(stages)}, PassOptions(options), *graph));
  if (options.on_final_graph) options.on_final_graph(*graph);
  ProgramBuilder builder(*graph, soc.isa);
  OMKIT_RETURN_IF_ERROR(Annotate(LowerGraph(soc.name, *graph, builder), "lower"));
  OMKIT_ASSIGN_OR_RETURN(runtime::Program program, builder.Finish());
  program.soc_version = soc.name;
  FillManifest(options, *graph, recipe, program);
  DescribeAipp(stages, program);
  return program;
}

}  // namespace omkit
