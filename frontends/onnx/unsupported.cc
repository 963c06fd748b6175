#include "frontends/onnx/unsupported.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "frontends/onnx/op_map.h"
#include "frontends/onnx/quoted.h"

namespace omkit::frontends {
namespace {

constexpr size_t kMaxLines = 200;

std::string Hint(const std::string& op, int64_t opset) {
  const OnnxOp* newest = FindOnnxOp(op, kMaxOpset);
  if (newest == nullptr) return "";
  return absl::StrCat("; ", op, " came with opset ", newest->first_opset, ", the model has opset ", opset);
}

}  // namespace

void UnsupportedNodes::Add(absl::string_view node, absl::string_view op, absl::string_view domain, int64_t opset, absl::string_view reason) {
  entries_.push_back({std::string(node), std::string(op), std::string(domain), opset, std::string(reason)});
}

absl::Status UnsupportedNodes::ToStatus() const {
  if (entries_.empty()) return absl::OkStatus();
  std::map<std::string, int> counts;
  std::vector<std::string> lines;
  for (const Entry& entry : entries_) {
    const std::string domain = entry.domain.empty() ? "ai.onnx" : entry.domain;
    ++counts[domain == "ai.onnx" ? entry.op : absl::StrCat(domain, "::", entry.op)];
    if (lines.size() >= kMaxLines) continue;
    lines.push_back(absl::StrCat("\n  node ", Quoted(entry.node), ": ", absl::string_view(entry.op).substr(0, 100), ", domain ", Quoted(domain),
                                 domain == "ai.onnx" ? absl::StrCat(", opset ", entry.opset) : "", entry.reason.empty() ? "" : ": ", entry.reason,
                                 entry.reason.empty() && domain == "ai.onnx" ? Hint(entry.op, entry.opset) : ""));
  }
  if (entries_.size() > lines.size()) lines.push_back(absl::StrCat("\n  and ", entries_.size() - lines.size(), " more"));
  const std::string summary = absl::StrJoin(counts, ", ", [](std::string* out, const auto& item) {
    absl::StrAppend(out, absl::string_view(item.first).substr(0, 100), " (", item.second, ")");
  });
  return absl::UnimplementedError(
      absl::StrCat(entries_.size(), entries_.size() == 1 ? " node is" : " nodes are", " not supported: ", summary, absl::StrJoin(lines, "")));
}

}  // namespace omkit::frontends
