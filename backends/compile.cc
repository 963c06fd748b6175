#include "backends/compile.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "backends/backend.h"
#include "backends/bind.h"
#include "backends/lower.h"
#include "backends/npu_int8/npu_int8.h"
#include "backends/quantization_trial.h"
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
            using frontends::WeightOnlyLayers;
            return frontends::AbsorbQdq(graph, calibrates ? WeightOnlyLayers::kAreCalibrated : WeightOnlyLayers::kKeepInt8Weights).status();
          }};
}

// The network at a shape that the calibration samples have.
absl::StatusOr<std::unique_ptr<ir::Graph>> BindToSamples(const CompileOptions& options, const ir::Graph& graph) {
  OMKIT_ASSIGN_OR_RETURN(const std::vector<InputDims> wanted, CalibrationShapes(options.choice, graph));
  absl::Status first;
  for (const InputDims& dims : wanted) {
    OMKIT_ASSIGN_OR_RETURN(std::unique_ptr<ir::Graph> bound, BindGraph(graph, dims));
    if (!options.quantize.calibration) return bound;
    const absl::Status opened = options.quantize.calibration(*bound).status();
    if (opened.ok()) return bound;
    first.Update(opened);
  }
  return first;
}

// A network whose shapes are chosen at run time: the recipe is made at one shape and followed for all of them.
absl::Status QuantizeOpen(QuantizeOptions quantize, const runtime::SocRow& soc, const CompileOptions& options, ir::Graph& graph) {
  OMKIT_ASSIGN_OR_RETURN(const std::unique_ptr<ir::Graph> bound, BindToSamples(options, graph));
  passes::Recipe recipe;
  quantize.on_recipe = [&recipe, outer = quantize.on_recipe](const passes::Recipe& made) {
    recipe = made;
    return outer ? outer(made) : absl::OkStatus();
  };
  OMKIT_RETURN_IF_ERROR(QuantizeGraph(quantize, soc.name, options.source_hash, *bound->Clone()));
  passes::QuantizePolicy policy = quantize.policy;
  AskBackend(soc.name, bound.get(), &policy);
  return ApplyRecipe(recipe, policy, graph);
}

// Calibrates the fused float graph with the backend's own kernels and rewrites it to INT8; gives the recipe for the manifest.
absl::StatusOr<std::string> QuantizeToInt8(const runtime::SocRow& soc, const CompileOptions& options, ir::Graph& graph) {
  std::string recipe;
  QuantizeOptions quantize = options.quantize;
  quantize.policy.bfloat16 = options.bfloat16;
  quantize.on_recipe = [&](const passes::Recipe& followed) {
    recipe = passes::SerializeRecipe(followed, /*lines=*/false);
    return options.quantize.on_recipe ? options.quantize.on_recipe(followed) : absl::OkStatus();
  };
  OMKIT_RETURN_IF_ERROR(passes::RunPasses({{"quantize",
                                            [&](ir::Graph& g) {
                                              return options.choice.fixed() ? QuantizeGraph(quantize, soc.name, options.source_hash, g)
                                                                            : QuantizeOpen(quantize, soc, options, g);
                                            }}},
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

// For networks without a recipe, which says it otherwise.
passes::Pass BFloat16For(const runtime::SocRow& soc, const CompileOptions& options) {
  passes::BFloat16Policy policy = options.bfloat16;
  policy.supported = [backend = BackendsFor(soc.name).front()](const ir::Graph& graph, const ir::Node& node) {
    return backend->SupportsBFloat16(graph, node);
  };
  return passes::BFloat16Layers(std::move(policy));
}

void WarnOfFloat32(const passes::BFloat16Policy& policy, const ir::Graph& graph) {
  for (ir::NodeId id = 0; id < static_cast<ir::NodeId>(graph.node_limit()); ++id) {
    if (!graph.alive(id) || policy.nodes.count(graph.node(id).name) == 0 || passes::ComputesOnBFloat16(graph, graph.node(id))) continue;
    Log(LogLevel::kWarning, absl::StrCat(Describe(graph.node(id)), " has no bfloat16 kernel on this chip and stays in float32"));
  }
}

// Rewrites of the graph as it is lowered, in float or INT8: what npu_int8 has kernels for.
std::vector<passes::Pass> FinalPasses(const runtime::SocRow& soc) {
  if (BackendsFor(soc.name).front() != &npu_int8::NpuInt8Backend()) return {};
  return {passes::FuseAttention(), passes::Simplify()};
}

void FillManifest(const CompileOptions& options, const ir::Graph& graph, const std::string& recipe, runtime::Program& program) {
  int int8_steps = 0, bfloat16_layers = 0;
  for (const runtime::Step& step : program.steps) int8_steps += step.kernel.find("_u8") != std::string::npos;
  for (ir::NodeId id = 0; id < static_cast<ir::NodeId>(graph.node_limit()); ++id) {
    bfloat16_layers += graph.alive(id) && passes::ComputesOnBFloat16(graph, graph.node(id));
  }
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
  if (bfloat16_layers > 0) program.manifest.push_back({"bfloat16_layers", absl::StrCat(bfloat16_layers)});
  if (!recipe.empty()) program.manifest.push_back({"quantization_recipe", recipe});
}

// What clients ask about image inputs: their layout, and the stage in front of the network, as text under the key "aipp.<input>".
void DescribeAipp(const std::vector<passes::AippInput>& stages, runtime::Program& program) {
  for (const passes::AippInput& stage : stages) {
    program.inputs[stage.input].format = "NHWC";
    program.manifest.push_back({absl::StrCat("aipp.", stage.input), aipp::ToText(stage.stage)});
  }
}

// "conv1=avx2 conv7=avx512vnni/112" under the key "tuned_layers".
void DescribeVariants(const VariantOfNode& variants, runtime::Program& program) {
  if (variants.empty()) return;
  const auto describe = [](std::string* out, const auto& v) { absl::StrAppend(out, v.first, "=", VariantName(v.second)); };
  const std::string text = absl::StrJoin(variants, " ", describe);
  program.manifest.push_back({"tuned_layers", text});
}

absl::StatusOr<VariantOfNode> TuneFixed(const runtime::SocRow& soc, const CompileOptions& options, const ir::Graph& graph) {
  if (options.tune.mode == TuneMode::kOff || options.choice.fixed()) return Tune(soc, graph, options.tune);
  return absl::UnimplementedError("tuning needs fixed input shapes; leave it off for models whose shapes are chosen at run time");
}

absl::StatusOr<runtime::ShapedProgram> Lower(const runtime::SocRow& soc, const ir::Graph& graph, const VariantOfNode& variants) {
  ProgramBuilder builder(graph, soc.isa);
  builder.SetVariants({soc.isa}, variants);
  OMKIT_RETURN_IF_ERROR(Annotate(LowerGraph(soc.name, graph, builder), "lower"));
  return builder.Finish();
}

}  // namespace

absl::Status PrepareGraph(const CompileOptions& options, ir::Graph& graph) {
  const passes::OpenDims open = options.choice.fixed() ? passes::OpenDims::kRefuse : passes::OpenDims::kKeep;
  return passes::RunPasses(
      {
          passes::BindShapes(options.input_shapes, open),
          passes::InferShapes(open),
          passes::Simplify(),
          passes::FormConv(passes::WeightForm::kInteger),
          AbsorbQdq(HasCalibration(options)),
          passes::InferShapes(open),
          passes::FormDense(),
          passes::FusePad(),
          passes::FuseComposite(),
          passes::FuseNormalization(),
          {"absorb_fused", frontends::AbsorbFused},
          passes::FuseBatchNorm(),
          passes::FormConv(passes::WeightForm::kFloat),
          passes::FuseScale(),
          passes::FuseResidual(),
          passes::FuseActivation(),
          passes::FormPlanes(),
          passes::Simplify(),
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

absl::StatusOr<runtime::ShapedProgram> Compile(std::unique_ptr<ir::Graph> graph, const CompileOptions& options) {
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
  if (recipe.empty()) OMKIT_RETURN_IF_ERROR(passes::RunPasses({BFloat16For(soc, options)}, PassOptions(options), *graph));
  WarnOfFloat32(options.bfloat16, *graph);
  OMKIT_RETURN_IF_ERROR(passes::RunPasses({passes::InsertAipp(stages)}, PassOptions(options), *graph));
  if (options.on_final_graph) options.on_final_graph(*graph);
  OMKIT_RETURN_IF_ERROR(passes::RunPasses(FinalPasses(soc), PassOptions(options), *graph));
  OMKIT_ASSIGN_OR_RETURN(const VariantOfNode variants, TuneFixed(soc, options, *graph));
  OMKIT_ASSIGN_OR_RETURN(runtime::ShapedProgram program,
                         options.choice.fixed() ? Lower(soc, *graph, variants) : LowerWithChoice(options.choice, soc, *graph));
  program.soc_version = soc.name;
  FillManifest(options, *graph, recipe, program);
  DescribeVariants(variants, program);
  DescribeAipp(stages, program);
  std::sort(program.manifest.begin(), program.manifest.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  return program;
}

}  // namespace omkit
