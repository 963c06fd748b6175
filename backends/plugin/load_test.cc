// What happens when a plugin's compile side breaks the rules: an error that names plugin, node and reason.
#include "backends/plugin/load.h"

#include <gtest/gtest.h>

#include "backends/compile.h"
#include "ir/op.h"

namespace omkit {
namespace {

absl::Status CompileFor(const std::string& soc) {
  auto graph = std::make_unique<ir::Graph>();
  const ir::ValueId x = graph->AddInput("x", TensorType{DType::kFloat32, Shape{2, 3}, {}, Layout::kPlain});
  const ir::NodeId id = graph->AddNode(ir::OpKind::kTanh, "layer7", {x});
  graph->MarkOutput(graph->node(id).outputs[0]);
  CompileOptions options;
  options.soc_version = soc;
  return Compile(std::move(graph), options).status();
}

TEST(PluginCompileSide, RulesThatAreBrokenAreErrors) {
  const runtime::PluginSet set = LoadBackendPlugins("backends/plugin/testing/misuse.so");
  ASSERT_TRUE(set.refused.empty()) << set.refused[0].reason;
  const struct {
    const char* soc;
    const char* message;
  } rows[] = {
      {"misuse-error", "this chip is out of order"},
      {"misuse-output", "did not ask for the memory of output"},
      {"misuse-block", "there is no block 1000"},
      {"misuse-kernel", "the plugin has no kernel 'misuse.nothing'"},
      {"misuse-huge", "a temporary of 18446744073709551615 bytes"},
  };
  for (const auto& row : rows) {
    const absl::Status status = CompileFor(row.soc);
    for (const char* part : {row.message, "misuse: ", "'layer7'"}) EXPECT_NE(status.message().find(part), absl::string_view::npos) << status;
  }
  EXPECT_TRUE(CompileFor("misuse-none").ok()) << CompileFor("misuse-none");
  EXPECT_TRUE(CompileFor("npu-int8-generic").ok());
}

}  // namespace
}  // namespace omkit
