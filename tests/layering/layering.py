"""Holds every #include "dir/..." of the tree to the floors: base < {ir, runtime} < {passes, frontends} < backends < tools."""
import os
import re

# Room -> the rooms it may include. Rooms that are not listed (tests, examples) may include anything.
FLOORS = {
    "base": {"base"},
    "ir": {"base", "ir"},
    "runtime": {"base", "runtime"},
    "passes": {"base", "ir", "runtime", "passes"},
    "frontends": {"base", "ir", "runtime", "frontends"},
    "backends": {"base", "ir", "runtime", "passes", "frontends", "backends"},
    "tools": {"base", "ir", "runtime", "passes", "frontends", "backends", "tools"},
    # Built against the plugin interface alone, as if outside the tree.
    "plugins": {"plugins"},
}
ROOMS = set(FLOORS) | {"tests", "examples"}

# What a device runs: it must not pull in the compiler, not even through another header.
COMPILE_SIDE = {"ir", "passes", "frontends"}
MODEL_FORMATS = ("onnx/", "google/protobuf/")
FORMAT_FREE_ROOMS = {"base", "ir", "runtime", "passes"}

SOURCE = (".h", ".cc", ".c", ".inc", ".cpp", ".hpp")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*["<]([^">]+)[">]', re.M)


def room(path):
    return path.split("/", 1)[0]


def is_test(path):
    stem = os.path.splitext(os.path.basename(path))[0]
    return re.search(r"(^|_)(test|bench|fuzz|testing)$", stem) is not None or "/testing/" in path


def is_run_side(path):
    if not path.startswith("backends/") or path.startswith("backends/reference/"):
        return False
    folders, name = os.path.split(path)
    return name.startswith("run_") or "kernels" in folders.split("/")


def read_includes(root):
    """Path -> included names, for every C and C++ file of the rooms."""
    includes = {}
    for top in sorted(ROOMS):
        for folder, _, names in os.walk(os.path.join(root, top)):
            for name in names:
                if name.endswith(SOURCE):
                    path = os.path.join(folder, name)
                    with open(path, encoding="utf-8", errors="replace") as source:
                        includes[os.path.relpath(path, root)] = INCLUDE.findall(source.read())
    return includes


def compile_side_chain(path, includes):
    """The shortest chain of includes from path to a file of the compiler, or None."""
    chains, seen = [[path]], {path}
    for chain in chains:
        for name in includes.get(chain[-1], []):
            if room(name) in COMPILE_SIDE and "/" in name:
                return chain + [name]
            if name not in seen:
                seen.add(name)
                chains.append(chain + [name])
    return None


def check(root):
    """Returns one line for each include that breaks a rule."""
    includes = read_includes(root)
    errors = []
    for path, names in sorted(includes.items()):
        here = room(path)
        if here not in FLOORS or is_test(path):
            continue
        for name in names:
            there = room(name)
            if "/" in name and there in ROOMS and there not in FLOORS[here]:
                errors.append('%s: %s/ may not include "%s"' % (path, here, name))
            if name.startswith(MODEL_FORMATS) and (here in FORMAT_FREE_ROOMS or is_run_side(path)):
                errors.append("%s: model formats are the business of frontends/, not of %s" % (path, here))
        if is_run_side(path):
            chain = compile_side_chain(path, includes)
            if chain:
                errors.append("%s: the run side may not need the compiler: %s" % (path, " -> ".join(chain)))
    return errors
