#include "tools/atc/kept_nodes.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/status.h"
#include "tools/atc/errors.h"

namespace omkit::atc {

absl::StatusOr<std::set<std::string>> ReadKeptNodes(const std::string& path, const ir::Graph& graph) {
  const absl::StatusOr<std::string> text = ReadFile(path, 16 << 20);
  if (!text.ok()) return Error(ErrorCode::E13001, {path, std::string(text.status().message())});
  OMKIT_ASSIGN_OR_RETURN(const std::vector<ir::NodeId> order, graph.TopologicalOrder());
  std::set<std::string> kept;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty()) continue;
    absl::string_view type = line;
    const bool by_type = absl::ConsumePrefix(&type, "OpType::");
    bool found = false;
    std::vector<std::string> known;
    for (const ir::NodeId id : order) {
      const ir::Node& node = graph.node(id);
      const bool hit = by_type ? type == ir::OpName(node.op) : line == node.name;
      if (hit) kept.insert(node.name);
      found |= hit;
      known.push_back(by_type ? absl::StrCat("OpType::", ir::OpName(node.op)) : node.name);
    }
    if (found) continue;
    const std::string near = NearestName(line, known);
    return Error(ErrorCode::E10001, {path, "--keep_dtype",
                                     absl::StrCat("Line ", number, ": the model has no node '", line, "'",
                                                  near.empty() ? "" : absl::StrCat("; did you mean '", near, "'?"))});
  }
  return kept;
}

}  // namespace omkit::atc
