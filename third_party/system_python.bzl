"""system_python: what //tools/python needs of the Python under /usr/bin, as constants in @omkit_system_python//:python.bzl."""

_ASK = """
import sys, sysconfig, platform
print(sysconfig.get_paths()["include"], sysconfig.get_config_var("EXT_SUFFIX"), platform.machine(), sys.version_info[0] * 100 + sys.version_info[1])
"""

def _impl(ctx):
    python = "/usr/bin/python3"
    include, suffix, cpu, version, reason = "", "", "", 0, ""
    result = ctx.execute([python, "-c", _ASK])
    if result.return_code:
        reason = "no " + python
    else:
        include, suffix, cpu, version = result.stdout.strip().split(" ")
        for header, package in [(include + "/Python.h", "python3-dev"), ("/usr/include/pybind11/pybind11.h", "pybind11-dev")]:
            if not ctx.path(header).exists:
                include, reason = "", "%s is missing: apt-get install %s" % (header, package)
    ctx.file("BUILD", "")
    ctx.file("python.bzl", "PYTHON = %r\n" % struct(
        include = include,
        suffix = suffix,
        cpu = cpu,
        version = int(version),
        reason = reason,
    ))

# bazelw puts what it found into the variable, so that headers that come or go are seen.
system_python = repository_rule(implementation = _impl, environ = ["OMKIT_PYTHON_HEADERS"], configure = True, local = True)
