"""om_toolchain: which atc, om and bench the rules of om.bzl run. From source in omkit's own tree, prebuilt in an SDK."""

load(":build_tool.bzl", "BUILD_TOOL_CFG")

def _impl(ctx):
    return [platform_common.ToolchainInfo(
        atc = ctx.attr.atc[DefaultInfo].files_to_run,
        om = ctx.attr.om[DefaultInfo].files_to_run,
        bench = ctx.attr.bench[DefaultInfo].files_to_run,
    )]

_TOOL = {"executable": True, "cfg": BUILD_TOOL_CFG, "mandatory": True, "allow_files": True}

om_toolchain = rule(
    implementation = _impl,
    attrs = {tool: attr.label(**_TOOL) for tool in ["atc", "om", "bench"]},
)
