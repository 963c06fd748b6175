#include "tools/atc/aipp.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "frontends/aipp/source_image.h"
#include "tools/atc/errors.h"

namespace omkit::atc {
namespace {

absl::StatusOr<std::vector<frontends::ResolvedAipp>> Resolve(const frontends::AippConfig& config, const frontends::AippRules& rules,
                                                             const ir::Graph& graph, std::vector<std::string>* warnings) {
  std::vector<frontends::NetworkInput> inputs;
  for (const ir::ValueId v : graph.inputs()) inputs.push_back({graph.value(v).name, graph.value(v).type.shape.vec()});
  return frontends::ResolveAipp(config, inputs, rules, warnings);
}

}  // namespace

absl::StatusOr<frontends::AippConfig> ReadAipp(const std::string& path) {
  absl::StatusOr<frontends::AippConfig> config = frontends::ReadAippConfig(path);
  if (config.ok()) return config;
  const std::string reason(config.status().message());
  if (absl::IsNotFound(config.status())) return Error(ErrorCode::E10410, {path});
  if (absl::IsInvalidArgument(config.status()) && !absl::StrContains(reason, path)) return Error(ErrorCode::E13018, {path, reason});
  return Error(ErrorCode::E13001, {path, reason});
}

std::function<absl::StatusOr<std::vector<passes::AippInput>>(const ir::Graph&)> AippFrom(const frontends::AippConfig& config,
                                                                                         const frontends::AippRules& rules, std::ostream& out) {
  return [&config, &rules, &out](const ir::Graph& graph) -> absl::StatusOr<std::vector<passes::AippInput>> {
    std::vector<std::string> warnings;
    const auto resolved = Resolve(config, rules, graph, &warnings);
    for (const std::string& warning : warnings) out << "Warning: " << warning << (warning.back() == '\n' ? "" : "\n");
    if (!resolved.ok()) return Error(ErrorCode::E10052, {std::string(resolved.status().message())});
    std::vector<passes::AippInput> stages;
    for (const frontends::ResolvedAipp& one : *resolved) stages.push_back({one.input, one.stage});
    return stages;
  };
}

std::map<int, frontends::PictureReader> AippPictures(const frontends::AippConfig& config, const frontends::AippRules& rules, const ir::Graph& graph) {
  std::map<int, frontends::PictureReader> readers;
  std::vector<std::string> warnings;
  const auto resolved = Resolve(config, rules, graph, &warnings);
  if (!resolved.ok()) return readers;
  for (const frontends::ResolvedAipp& one : *resolved) {
    if (one.stage.dynamic) continue;
    readers[one.input] = [stage = one.stage](const frontends::Image& picture, const TensorType& type) -> absl::StatusOr<Tensor> {
      if (type.dtype != DType::kFloat32 || type.shape.dim(0) != 1) {
        return absl::InvalidArgumentError(absl::StrCat("a picture fills a float32 input of batch 1 behind AIPP, this one is ", type.ToString()));
      }
      return frontends::BehindAipp(stage, frontends::ToSource(stage.spec, picture));
    };
  }
  return readers;
}

}  // namespace omkit::atc
