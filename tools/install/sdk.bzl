"""sdk_archive: the SDK as one tar file, which the installer unpacks, the packages wrap and the tests share."""

VERSION = "1.0.0"

def _sdk_archive_impl(ctx):
    lines, inputs = [], []
    for target, place in ctx.attr.files.items() + ctx.attr.python.items():
        files = target.files.to_list()
        inputs.extend(files)
        if not place.endswith("/") and len(files) != 1:
            fail("%s has %d files, but '%s' is not a folder" % (target.label, len(files), place))
        # "FOLDER/" takes files by their names, "PREFIX/=FOLDER/" keeps what comes behind PREFIX/ in their paths.
        prefix, _, folder = place.rpartition("=")
        for file in files:
            to = place
            if place.endswith("/"):
                if not file.short_path.startswith(prefix):
                    fail("%s is not in %s" % (file.short_path, prefix))
                to = folder + (file.short_path[len(prefix):] if prefix else file.basename)
            lines.append("%s\t%s" % (to, file.path))
    manifest = ctx.actions.declare_file(ctx.label.name + ".manifest")
    ctx.actions.write(manifest, "\n".join(sorted(lines)) + "\n")
    ctx.actions.run_shell(
        outputs = [ctx.outputs.out],
        inputs = inputs + [manifest, ctx.file._layout],
        command = 'exec bash "$@"',
        arguments = [ctx.file._layout.path, VERSION, manifest.path, ctx.outputs.out.path],
        mnemonic = "SdkArchive",
        progress_message = "Laying out the SDK",
    )

sdk_archive = rule(
    implementation = _sdk_archive_impl,
    attrs = {
        "files": attr.label_keyed_string_dict(allow_files = True, mandatory = True, doc = "target -> place in the SDK"),
        "python": attr.label_keyed_string_dict(allow_files = True, doc = "the same for files that not every CPU has"),
        "out": attr.output(mandatory = True),
        "_layout": attr.label(default = "//tools/install:layout.sh", allow_single_file = True),
    },
)
