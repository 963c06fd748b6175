"""How a rule refers to a tool of this repository that runs during the build: attr.label(cfg = BUILD_TOOL_CFG)."""

# Bazel 4 with bazel4.rc: the same compile serves the tool and the tests. "exec" would compile the whole tree a second time.
# Later Bazels, which have config.exec, know only "exec".
BUILD_TOOL_CFG = "exec" if hasattr(config, "exec") else "host"
