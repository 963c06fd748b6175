"""omkit_plugin: a backend plugin, a shared object that exports omkit_plugin_entry and nothing else (docs/plugins.md)."""

def omkit_plugin(name, srcs, copts = [], linkopts = [], deps = [], **kwargs):
    """Builds lib<name>.so.

    Args:
      name: of the plugin; the target is lib<name>.so.
      srcs: C or C++ sources and headers.
      copts: flags behind the usual ones.
      linkopts: libraries of the chip.
      deps: libraries, linked statically and hidden.
      **kwargs: of cc_binary.
    """
    script = str(Label("//bazel:plugin.lds"))
    native.cc_binary(
        name = "lib%s.so" % name,
        srcs = srcs,
        additional_linker_inputs = [script],
        copts = ["-fvisibility=hidden"] + copts,
        linkopts = [
            "-Wl,--version-script=$(location %s)" % script,
            "-Wl,-z,defs",
        ] + linkopts,
        linkshared = 1,
        linkstatic = 1,
        deps = [str(Label("//bazel:plugin_interface"))] + deps,
        **kwargs
    )
