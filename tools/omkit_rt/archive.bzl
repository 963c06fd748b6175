"""relocatable_archive: C++ libraries as one archive with one object, in which only the names asked for are visible."""

load("@bazel_tools//tools/cpp:toolchain_utils.bzl", "find_cpp_toolchain")

def _files(library):
    if library.pic_static_library:
        return [library.pic_static_library]
    return [library.static_library] if library.static_library else []

def _relocatable_archive_impl(ctx):
    toolchain = find_cpp_toolchain(ctx)
    rest = []
    for linker_input in ctx.attr.lib[CcInfo].linking_context.linker_inputs.to_list():
        for library in linker_input.libraries:
            rest.extend(_files(library))
    roots = [f for f in rest if f.owner == ctx.attr.lib.label]
    ctx.actions.run_shell(
        outputs = [ctx.outputs.out],
        inputs = depset(rest, transitive = [toolchain.all_files]),
        # Members of archives come in on demand, so nothing does that the roots do not use.
        command = """set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
%s -r --force-group-allocation --gc-sections --gc-keep-exported -o "$tmp/all.o" --whole-archive %s --no-whole-archive --start-group %s --end-group
%s --wildcard --keep-global-symbol='%s' --strip-debug --remove-section=.comment "$tmp/all.o" "$tmp/%s.o"
%s rcsD "%s" "$tmp/%s.o"
""" % (
            toolchain.ld_executable,
            " ".join([f.path for f in roots]),
            " ".join([f.path for f in rest]),
            toolchain.objcopy_executable,
            ctx.attr.visible,
            ctx.label.name,
            toolchain.ar_executable,
            ctx.outputs.out.path,
            ctx.label.name,
        ),
        mnemonic = "RelocatableArchive",
        progress_message = "Packing %s" % ctx.outputs.out.short_path,
    )

relocatable_archive = rule(
    implementation = _relocatable_archive_impl,
    attrs = {
        "lib": attr.label(mandatory = True, providers = [CcInfo], doc = "cc_library with the functions of the interface"),
        "out": attr.output(mandatory = True),
        "visible": attr.string(mandatory = True, doc = "wildcard of the symbols that stay visible"),
        "_cc_toolchain": attr.label(default = "@bazel_tools//tools/cpp:current_cc_toolchain"),
    },
    toolchains = ["@bazel_tools//tools/cpp:toolchain_type"],
)
