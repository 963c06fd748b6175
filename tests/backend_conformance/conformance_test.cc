// The suite over every chip of this build and over the plugins in OMKIT_PLUGIN_PATH.
#include "backends/plugin/load.h"
#include "gtest/gtest.h"
#include "tests/backend_conformance/suite.h"

namespace omkit::conformance {
namespace {

const runtime::PluginSet& Plugins() {
  static const auto* const plugins = new runtime::PluginSet(LoadBackendPlugins(""));
  return *plugins;
}

class Conformance : public ::testing::TestWithParam<Chip> {};

TEST_P(Conformance, GivesWhatTheReferenceGives) {
  const Report report = Conform(GetParam(), 25);
  EXPECT_GT(report.networks, 60);
  EXPECT_GT(report.nodes, 400);
  for (const std::string& failure : report.failures) ADD_FAILURE() << failure;
}

std::string NameOf(const ::testing::TestParamInfo<Chip>& info) {
  std::string name = info.param.soc_version;
  for (char& c : name) c = isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
}

INSTANTIATE_TEST_SUITE_P(Chips, Conformance, ::testing::ValuesIn(Chips(Plugins())), NameOf);

TEST(Plugins, AreFound) {
  for (const runtime::RefusedPlugin& refused : Plugins().refused) ADD_FAILURE() << refused.reason;
  EXPECT_FALSE(Plugins().loaded.empty());
}

}  // namespace
}  // namespace omkit::conformance
