#include "runtime/acl/aipp_info.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"

namespace omkit::acl {

std::vector<AippInfo> AippInfos(const runtime::Program& program) {
  std::vector<AippInfo> infos;
  for (const runtime::ManifestEntry& entry : program.manifest) {
    absl::string_view key = entry.key;
    AippInfo info;
    if (!absl::ConsumePrefix(&key, "aipp.") || !absl::SimpleAtoi(key, &info.input) || info.input >= program.inputs.size()) continue;
    absl::StatusOr<aipp::Stage> stage = aipp::FromText(entry.value);
    if (!stage.ok() || program.inputs[info.input].bytes != static_cast<uint64_t>(aipp::SourceBytes(*stage))) continue;
    info.stage = *stage;
    infos.push_back(info);
  }
  // The parameters' inputs lie behind all others, in the order of the stages.
  size_t dynamic = 0;
  for (const AippInfo& info : infos) dynamic += info.stage.dynamic;
  size_t next = program.inputs.size() - std::min(dynamic, program.inputs.size());
  for (AippInfo& info : infos) {
    if (!info.stage.dynamic) continue;
    const bool fits = next < program.inputs.size() && program.inputs[next].bytes == aipp::DynamicBytes(info.stage.batch);
    if (fits) info.parameters = next;
    ++next;
  }
  return infos;
}

std::vector<int64_t> ImageDims(const aipp::Stage& stage) {
  if (stage.dynamic) return {stage.batch, stage.height, stage.width, stage.channels};
  return {stage.batch, stage.spec.src_h, stage.spec.src_w, aipp::FindFormat(stage.spec.format)->channels};
}

}  // namespace omkit::acl
