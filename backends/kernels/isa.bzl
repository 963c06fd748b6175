"""One kernel source compiled once per instruction set tier; runtime code picks the row by name."""

load("@rules_cc//cc:defs.bzl", "cc_library")

_AVX512 = ["-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mavx512vnni", "-mavx512vbmi", "-mfma", "-mf16c"]

X86 = {
    "avx2": ["-mavx2", "-mfma", "-mf16c"],
    "avxvnni": ["-mavx2", "-mfma", "-mf16c", "-mavxvnni"],
    "avx512vnni": _AVX512,
}
ARM = {
    "neon": [],
    "dotprod": ["-march=armv8.2-a+dotprod"],
    "i8mm": ["-march=armv8.2-a+dotprod+i8mm"],
}

# No effect on values: the kernels read neither errno nor floating-point exception flags. They also run where no operating system has set up
# the guard value of a stack protector (//tools/omkit_rt).
_COPTS = ["-O3", "-fno-exceptions", "-fno-stack-protector", "-fno-math-errno", "-fno-trapping-math", "-fvisibility=hidden", "-Wno-psabi"]

def tier_library(name, generic, special = {}, textual_hdrs = [], deps = []):
    """A cc_library `name` that holds one object per tier of the target CPU, plus the portable one.

    Args:
      name: name of the library.
      generic: source used for every tier that has no entry in `special`.
      special: tier name -> source.
      textual_hdrs: headers of this folder that the sources include.
      deps: libraries whose headers the sources include; only plain structs may be used from them.
    """
    for cpu, table in [("", {"generic": []}), ("x86_64", X86), ("aarch64", ARM)]:
        for tier, flags in table.items():
            cc_library(
                name = "%s_%s" % (name, tier),
                srcs = [special.get(tier, generic)],
                textual_hdrs = textual_hdrs,
                copts = flags + _COPTS + ["-DOMKIT_TIER_NAMESPACE=" + tier],
                linkstatic = True,
                target_compatible_with = ["@platforms//cpu:" + cpu] if cpu else [],
                deps = ["//backends/kernels:tier"] + deps,
            )
    cc_library(
        name = name,
        deps = [":%s_generic" % name] + select({
            "@platforms//cpu:x86_64": [":%s_%s" % (name, tier) for tier in X86],
            "@platforms//cpu:aarch64": [":%s_%s" % (name, tier) for tier in ARM],
            "//conditions:default": [],
        }),
    )

def avxvnni_as_avx512_library(name, src, textual_hdrs = [], deps = []):
    """The avxvnni source with the AVX512-VNNI encoding of its instructions, in namespace avxvnni_evex.

    For tests on machines that have the second instruction set and not the first.
    """
    cc_library(
        name = name,
        testonly = True,
        srcs = [src],
        textual_hdrs = textual_hdrs,
        copts = ["-mavx2", "-mfma", "-mf16c", "-mavx512f", "-mavx512vl", "-mavx512vnni", "-DOMKIT_DOT_EVEX"] + _COPTS +
                ["-DOMKIT_TIER_NAMESPACE=avxvnni_evex"],
        linkstatic = True,
        target_compatible_with = ["@platforms//cpu:x86_64"],
        deps = ["//backends/kernels:tier"] + deps,
    )
