#include "runtime/soc.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace omkit::runtime {
namespace {

TEST(Soc, EveryRowIsFoundByItsName) {
  for (const SocRow& row : SocRows()) {
    ASSERT_TRUE(FindSoc(row.name).ok()) << row.name;
    EXPECT_STREQ(FindSoc(row.name)->name, row.name);
  }
}

TEST(Soc, AliasesStandForTheHost) {
  EXPECT_STREQ(FindSoc("host")->name, HostSoc().name);
  ASSERT_EQ(SocAliases().size(), 12u);
  for (const std::string& alias : SocAliases()) {
    EXPECT_STREQ(FindSoc(alias)->name, HostSoc().name) << alias;
    EXPECT_TRUE(IsSocAlias(alias));
  }
  EXPECT_FALSE(IsSocAlias("npu-int8-avx2"));
}

TEST(Soc, HostIsTheBestSupportedRow) {
  EXPECT_EQ(HostSoc().isa, BestIsa());
  EXPECT_STRNE(HostSoc().name, kReferenceSoc);
}

TEST(Soc, UnknownNameGetsAHint) {
  const absl::Status status = FindSoc("Ascend310P2").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("did you mean 'Ascend310P1'"), absl::string_view::npos) << status;
}

TEST(Soc, OnlyTheDevicesRowAndTheReferenceRun) {
  const SocRow device = HostSoc();
  EXPECT_TRUE(CheckSoc(device.name, IsaName(device.isa), device).ok());
  EXPECT_TRUE(CheckSoc(kReferenceSoc, "generic", device).ok());
  for (const SocRow& row : SocRows()) {
    const absl::string_view name = row.name;
    if (name == device.name || name == kReferenceSoc) continue;
    const absl::Status status = CheckSoc(name, IsaName(row.isa), device);
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << name;
    EXPECT_NE(status.message().find(name), absl::string_view::npos) << status;
    EXPECT_NE(status.message().find(device.name), absl::string_view::npos) << status;
  }
  EXPECT_EQ(CheckSoc("nonsense", "generic", device).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CheckSoc(device.name, "nonsense", device).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CheckSoc("host", "generic", device).code(), absl::StatusCode::kFailedPrecondition);
}

TEST(Soc, EnvironmentChoosesTheDevice) {
  setenv("OMKIT_SOC", "npu-int8-generic", 1);
  EXPECT_STREQ(DeviceSoc()->name, "npu-int8-generic");
  EXPECT_TRUE(CheckSoc("npu-int8-generic", "generic", *DeviceSoc()).ok());
  setenv("OMKIT_SOC", "npu-int9", 1);
  EXPECT_EQ(DeviceSoc().status().code(), absl::StatusCode::kInvalidArgument);
#if defined(__x86_64__)
  setenv("OMKIT_SOC", "npu-int8-neon", 1);
  EXPECT_EQ(DeviceSoc().status().code(), absl::StatusCode::kFailedPrecondition);
#endif
  unsetenv("OMKIT_SOC");
  EXPECT_STREQ(DeviceSoc()->name, HostSoc().name);
}

}  // namespace
}  // namespace omkit::runtime
