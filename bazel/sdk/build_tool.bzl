"""The configuration of tools that run during the build."""

BUILD_TOOL_CFG = "exec"
