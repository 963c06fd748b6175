"""Offline models as Bazel targets: om_model, om_test and om_zoo (docs/bazel.md).

Actions see their declared inputs only, use no network and put no path of the machine into what they write, so that they can be cached
and run anywhere. All of them start om_action.sh, which lays inputs out in a folder of their own under short names: these are the names
that an offline model's manifest records.
"""

load(":build_tool.bzl", "BUILD_TOOL_CFG")

OmInfo = provider(
    doc = "An offline model and what it was made from.",
    fields = {
        "om": "File",
        "network": "struct: files (list of (name, File): the ONNX file, then its external data), soc_version, input_shape, plugins (list of File)",
        "statistics": "File, calibration statistics of all samples, or None",
        "log": "File, what atc wrote",
    },
)

# By this name from any repository: Bazel 4 reads it relative to the main one.
_TYPE = "@omkit//bazel:om_toolchain_type"

def _action(ctx, tool, inputs, outputs, arguments, mnemonic, message, log):
    """Runs a tool in a folder where `inputs`, (name, File) pairs, lie; `outputs` are taken from there."""
    spec = ctx.actions.args()
    spec.set_param_file_format("multiline")
    spec.use_param_file("%s", use_always = True)
    spec.add(tool.executable, format = "run\t%s")
    spec.add(log, format = "log\t%s")
    for name, file in inputs:
        spec.add(file, format = "in\t" + name + "\t%s")
    for name, file in outputs:
        spec.add(file, format = "out\t" + name + "\t%s")
    spec.add_all(arguments, format_each = "arg\t%s")
    ctx.actions.run(
        executable = ctx.executable._action,
        arguments = [spec],
        inputs = [file for _, file in inputs],
        tools = [tool],
        outputs = [file for _, file in outputs] + [log],
        mnemonic = mnemonic,
        progress_message = message,
    )

def _common(network):
    """Arguments of every atc command of one network, and the files they name."""
    files = list(network.files)
    arguments = ["--framework=5", "--model=" + files[0][0], "--soc_version=" + network.soc_version, "--log=warning"]
    if network.input_shape:
        arguments.append("--input_shape=" + network.input_shape)
    if network.plugins:
        arguments.append("--plugin_path=" + ":".join(["plugins/" + p.basename for p in network.plugins]))
        files += [("plugins/" + p.basename, p) for p in network.plugins]
    return arguments, files

def _samples(ctx):
    """The calibration files as a list of samples, each a list of (name in the samples' folder, File)."""
    samples = {}
    for file in ctx.files.calibration_data:
        name = file.basename
        if ctx.attr.calibration_inputs:
            folder = file.dirname.split("/")[-1]
            if folder not in ctx.attr.calibration_inputs:
                fail("%s: its folder is not one of calibration_inputs %s" % (file.short_path, ctx.attr.calibration_inputs))
            place = folder + "/" + name
        else:
            place = name
        if place in [p for p, _ in samples.get(name, [])]:
            fail("%s: two samples have the name %s" % (ctx.label, place))
        samples.setdefault(name, []).append(("samples/" + place, file))
    return [samples[name] for name in sorted(samples)]

def _statistics(ctx, network, flags, flag_files):
    """Statistics of all samples: one action per shard and one that merges; equal bytes for every number of shards."""
    atc = ctx.toolchains[_TYPE].atc
    samples = _samples(ctx)
    shards = min(ctx.attr.calibration_shards, len(samples))
    total = ctx.actions.declare_file(ctx.label.name + ".statistics.json")
    arguments, files = _common(network)
    arguments, files = arguments + flags, files + flag_files
    parts = []
    for i in range(shards):
        part = total if shards == 1 else ctx.actions.declare_file("%s.shards/%d.json" % (ctx.label.name, i))
        mine = [pair for k in range(i, len(samples), shards) for pair in samples[k]]
        _action(
            ctx,
            atc,
            files + mine,
            [("statistics.json", part)],
            arguments + ["--calibrate_tool_path=samples", "--calibrate_statistics_out=statistics.json"],
            "OmStatistics",
            "Calibrating %s, shard %d of %d" % (ctx.label, i + 1, shards),
            ctx.actions.declare_file("%s.shards/%d.log" % (ctx.label.name, i)),
        )
        parts.append(part)
    if shards > 1:
        named = [("shard_%d.json" % i, part) for i, part in enumerate(parts)]
        _action(
            ctx,
            atc,
            files + named,
            [("statistics.json", total)],
            arguments + ["--calibrate_statistics=" + ",".join([n for n, _ in named]), "--calibrate_statistics_out=statistics.json"],
            "OmMerge",
            "Merging statistics of %s" % ctx.label,
            ctx.actions.declare_file(ctx.label.name + ".shards/merge.log"),
        )
    return total

def _compile(ctx, network, om, log, extra_arguments, extra_files, message):
    arguments, files = _common(network)
    _action(
        ctx,
        ctx.toolchains[_TYPE].atc,
        files + extra_files,
        [("model.om", om)],
        arguments + ["--output=model"] + extra_arguments,
        "OmCompile",
        message,
        log,
    )

def _om_model_impl(ctx):
    om = ctx.actions.declare_file(ctx.label.name + ".om")
    log = ctx.actions.declare_file(ctx.label.name + ".log")
    network = struct(
        files = [(f.basename, f) for f in [ctx.file.model] + ctx.files.model_data],
        soc_version = ctx.attr.soc_version,
        input_shape = ctx.attr.input_shape,
        plugins = ctx.files.plugins,
    )
    samples = ctx.files.calibration_data
    precision = ctx.attr.precision or ("int8" if samples else "float")
    if precision not in ["float", "int8"]:
        fail("precision is '%s', expected 'float' or 'int8'" % precision)
    if precision == "float" and samples:
        fail("calibration_data has no use with precision = 'float'")
    if ctx.attr.calibration_shards < 1:
        fail("calibration_shards is %d, expected at least 1" % ctx.attr.calibration_shards)
    arguments, files, statistics = list(ctx.attr.flags), [], None
    if ctx.file.aipp:
        arguments.append("--insert_op_conf=aipp.cfg")
        files.append(("aipp.cfg", ctx.file.aipp))
    if precision == "int8":
        arguments.append("--quant_type=1")
        if ctx.file.keep_dtype:
            arguments.append("--keep_dtype=keep_dtype.txt")
            files.append(("keep_dtype.txt", ctx.file.keep_dtype))
    if samples:
        statistics = _statistics(ctx, network, arguments, files)
        arguments.append("--calibrate_statistics=statistics.json")
        files.append(("statistics.json", statistics))
    _compile(ctx, network, om, log, arguments, files, "Compiling %s for %s" % (ctx.label, ctx.attr.soc_version))
    groups = {"log": depset([log])}
    if statistics:
        groups["statistics"] = depset([statistics])
    return [
        DefaultInfo(files = depset([om]), runfiles = ctx.runfiles([om])),
        OutputGroupInfo(**groups),
        OmInfo(om = om, network = network, statistics = statistics, log = log),
    ]

_ACTION = {
    "_action": attr.label(
        default = "//bazel:om_action.sh",
        executable = True,
        cfg = BUILD_TOOL_CFG,
        allow_single_file = True,
    ),
}

_om_model = rule(
    implementation = _om_model_impl,
    attrs = dict(
        _ACTION,
        model = attr.label(mandatory = True, allow_single_file = [".onnx"], doc = "the network"),
        model_data = attr.label_list(allow_files = True, doc = "files with the network's weights, when it keeps them outside"),
        soc_version = attr.string(mandatory = True, doc = "chip, as atc's --soc_version"),
        input_shape = attr.string(doc = "as atc's --input_shape; needed where the network leaves dimensions open"),
        precision = attr.string(doc = "'float', or 'int8' (the default with calibration_data, and for networks with quantization of their own)"),
        calibration_data = attr.label_list(allow_files = [".bin", ".npy"], doc = "samples, one raw tensor per file"),
        calibration_inputs = attr.string_list(doc = "for networks of several inputs: their names, which are the folders of the samples"),
        calibration_shards = attr.int(default = 1, doc = "actions that calibration is spread over; the result does not depend on it"),
        keep_dtype = attr.label(allow_single_file = True, doc = "as atc's --keep_dtype"),
        aipp = attr.label(allow_single_file = True, doc = "as atc's --insert_op_conf"),
        plugins = attr.label_list(allow_files = [".so"], doc = "backend plugins"),
        flags = attr.string_list(doc = "further flags of atc; they must not name files"),
    ),
    toolchains = [_TYPE],
)

# ---- Commands: bazel run //pkg:net.info, .bench, .report ----

# The folder that holds this repository's files at run time.
_HEAD = """#!/bin/bash
set -euo pipefail
om=%s model=%s bench=%s log=%s
export OMKIT_SOC=%s OMKIT_PLUGIN_PATH=%s
"""

_COMMANDS = {
    "info": 'exec "$om" info "$model"\n',
    "bench": 'exec "$bench" --om "$model" --layers "$@"\n',
    "report": """echo "== what atc said"
cat "$log"
echo "== the offline model"
"$om" info "$model"
echo "== one execution on zeros, step by step"
"$om" run "$model" --warmup 2 --loop 5 --profile "$@"
""",
}

def _quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"

def _head(ctx, info):
    tools = ctx.toolchains[_TYPE]
    return _HEAD % tuple([_quoted(x) for x in [
        tools.om.executable.short_path,
        info.om.short_path,
        tools.bench.executable.short_path,
        info.log.short_path,
        info.network.soc_version,
        ":".join([p.short_path for p in info.network.plugins]),
    ]])

def _script(ctx, info, body, more = []):
    """The executable of a command or test, with its files."""
    tools = ctx.toolchains[_TYPE]
    script = ctx.actions.declare_file(ctx.label.name + ".sh")
    ctx.actions.write(script, _head(ctx, info) + body, is_executable = True)
    files = [tools.om.executable, tools.bench.executable, info.om, info.log] + info.network.plugins + more
    return DefaultInfo(executable = script, runfiles = ctx.runfiles(files))

def _om_command_impl(ctx):
    return [_script(ctx, ctx.attr.model[OmInfo], _COMMANDS[ctx.attr.command])]

_om_command = rule(
    implementation = _om_command_impl,
    attrs = {
        "command": attr.string(values = _COMMANDS.keys()),
        "model": attr.label(providers = [OmInfo], mandatory = True),
    },
    executable = True,
    toolchains = [_TYPE],
)

# ---- Tests ----

# A machine that cannot run the chip skips: the model is compiled all the same.
_CHECKS = """chip=$("$om" backends | awk -v soc="$OMKIT_SOC" '$1 == soc')
case $OMKIT_SOC in host | Ascend*) ;; *)
  [[ -n $chip ]] || { echo "FAILED: om knows no chip '$OMKIT_SOC'"; exit 1; }
  [[ $chip != *"(not on this machine)" ]] || { echo "skipped: this machine cannot run $OMKIT_SOC"; exit 0; } ;;
esac
failed=0
size=$(stat -L -c %%s "$model")
max_bytes=%d
if ((max_bytes > 0)); then
  echo "size: $size bytes, at most $max_bytes"
  ((size <= max_bytes)) || { echo "FAILED: the offline model is larger than its budget"; failed=1; }
fi
max_us=%d
if ((max_us > 0)); then
  us=$("$om" run "$model" --threads 1 --warmup 20 --loop 300 | awk '/^latency/ { for (i = 1; i < NF; ++i) if ($i == "p50") printf "%%d", $(i + 1) * 1000 + 0.999 }')
  echo "latency: median $us us of one thread, at most $max_us"
  ((us <= max_us)) || { echo "FAILED: the offline model is slower than its budget"; failed=1; }
fi
"""

_ACCURACY = """"$om" compare "$model" %s --samples %s --min-cosine %s --min-same-class %s || failed=1
"""

def _place_samples(ctx):
    """Samples under their names in one folder at run time."""
    folder = ctx.label.name + ".samples"
    placed = []
    for file in ctx.files.data:
        parent = file.dirname.split("/")[-1] + "/" if ctx.attr.data_inputs else ""
        link = ctx.actions.declare_file(folder + "/" + parent + file.basename)
        ctx.actions.symlink(output = link, target_file = file)
        placed.append(link)
    return placed, ctx.label.package + "/" + folder if ctx.label.package else folder

def _om_test_impl(ctx):
    info = ctx.attr.model[OmInfo]
    body = _CHECKS % (ctx.attr.max_bytes, ctx.attr.max_latency_us)
    more = []
    if ctx.files.data:
        # The same network on the same chip in float.
        reference = ctx.actions.declare_file(ctx.label.name + ".float.om")
        _compile(
            ctx,
            info.network,
            reference,
            ctx.actions.declare_file(ctx.label.name + ".float.log"),
            [],
            [],
            "Compiling %s in float" % ctx.attr.model.label,
        )
        placed, folder = _place_samples(ctx)
        more = placed + [reference]
        body += _ACCURACY % (_quoted(reference.short_path), _quoted(folder), ctx.attr.min_cosine, ctx.attr.min_same_class)
    elif ctx.attr.min_cosine != "0" or ctx.attr.min_same_class != "0":
        fail("min_cosine and min_same_class need data")
    return [_script(ctx, info, body + "exit $failed\n", more)]

_om_test = rule(
    implementation = _om_test_impl,
    attrs = dict(
        _ACTION,
        model = attr.label(providers = [OmInfo], mandatory = True),
        data = attr.label_list(allow_files = [".bin"]),
        data_inputs = attr.string_list(),
        min_cosine = attr.string(default = "0"),
        min_same_class = attr.string(default = "0"),
        max_bytes = attr.int(),
        max_latency_us = attr.int(),
    ),
    test = True,
    toolchains = [_TYPE],
)

def om_test(name, model, data = [], data_inputs = [], min_cosine = "0", min_same_class = "0", max_bytes = 0, max_latency_us = 0, **kwargs):
    """Holds an om_model to a budget.

    Args:
      name: of the test. The latency budget is a test of its own, <name>.latency, tagged manual: it needs a quiet machine.
      model: an om_model.
      data: raw inputs (.bin); the model's outputs for them are compared with those of the same network compiled in float.
      data_inputs: for networks of several inputs: their names, which are the folders of `data`.
      min_cosine: least cosine of any output of any sample with the float network's, as text ("0.99").
      min_same_class: least part of the samples for which output 0 has its largest element at the same place, as text ("0.95").
      max_bytes: most bytes of the offline model; 0: any.
      max_latency_us: most microseconds of one execution on one thread (median); 0: any.
      **kwargs: of all tests, such as tags and size.
    """
    _om_test(
        name = name,
        model = model,
        data = data,
        data_inputs = data_inputs,
        min_cosine = min_cosine,
        min_same_class = min_same_class,
        max_bytes = max_bytes,
        **kwargs
    )
    if max_latency_us:
        tags = kwargs.pop("tags", []) + ["manual", "exclusive"]
        _om_test(name = name + ".latency", model = model, max_latency_us = max_latency_us, tags = tags, **kwargs)

def om_model(name, accuracy_target = None, **kwargs):
    """Compiles a network: builds <name>.om and makes the commands <name>.info, <name>.bench and <name>.report.

    Args:
      name: of the target.
      accuracy_target: least cosine with the float network over the calibration samples, as text ("0.99"): makes the test <name>.accuracy.
      **kwargs: model, soc_version and the other attributes of the rule above; visibility, tags.
    """
    _om_model(name = name, **kwargs)
    for command in _COMMANDS:
        _om_command(name = name + "." + command, command = command, model = name, tags = ["manual"], visibility = kwargs.get("visibility"))
    if accuracy_target:
        om_test(
            name = name + ".accuracy",
            model = name,
            data = kwargs.get("calibration_data", []),
            data_inputs = kwargs.get("calibration_inputs", []),
            min_cosine = accuracy_target,
            tags = kwargs.get("tags", []),
        )

def om_zoo(name, models, soc_versions, **kwargs):
    """Models times chips: an om_model <name>_<model>_<chip> for each pair, and <name>, all of them.

    Args:
      name: of the group.
      models: dict: name -> dict of om_model's arguments without soc_version.
      soc_versions: list of chips.
      **kwargs: arguments of every om_model.
    """
    made = []
    for model, arguments in models.items():
        for soc in soc_versions:
            target = "_".join([name, model, soc.replace("-", "_")])
            om_model(name = target, soc_version = soc, **dict(kwargs, **arguments))
            made.append(target)
    native.filegroup(name = name, srcs = made, visibility = kwargs.get("visibility"))
