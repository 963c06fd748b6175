"""system_library: a library that is used when the machine has it, for parts of the tree that are optional."""

def _impl(ctx):
    installed = all([ctx.path(f).exists for f in ctx.attr.files])
    ctx.file("WORKSPACE", "workspace(name = %r)\n" % ctx.name)
    ctx.file("BUILD", "")
    ctx.file("defs.bzl", "INSTALLED = %r\nPACKAGE = %r\n" % (installed, ctx.attr.package))

# Loads as @NAME//:defs.bzl: INSTALLED, and the Debian package that brings it. Looked at anew when Bazel's server starts.
system_library = repository_rule(
    implementation = _impl,
    attrs = {
        "files": attr.string_list(mandatory = True, doc = "all of them exist where the library is installed"),
        "package": attr.string(mandatory = True),
    },
    local = True,
)
