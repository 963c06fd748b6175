"""The dependencies for Bazel 6 and later in module mode; MODULE.bazel only, since Bazel 4 knows no module_extension."""

load(":deps.bzl", "omkit_deps")
load(":system_python.bzl", "system_python")

def _nothing(_name):
    return False

def _impl(_ctx):
    omkit_deps(exists = _nothing)
    system_python(name = "omkit_system_python")

omkit_dependencies = module_extension(implementation = _impl)
