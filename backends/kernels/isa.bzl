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

# Tiers that share another one's code in families that do not use dot products; tiers.inc holds the same pairs.
_PLAIN = {
    "avxvnni": "avx2",
    "neon": "generic",
    "dotprod": "generic",
    "i8mm": "generic",
}

# No effect on values: the kernels read neither errno nor floating-point exception flags. They also run where no operating system has set up
# the guard value of a stack protector (//tools/omkit_rt). Nothing is ever thrown through them, so they need no tables for unwinding; frame
# pointers serve profilers.
_COPTS = [
    "-O3",
    "-fno-asynchronous-unwind-tables",
    "-fno-exceptions",
    "-fno-math-errno",
    "-fno-stack-protector",
    "-fno-trapping-math",
    "-fvisibility=hidden",
    "-Wno-psabi",
]

# On aarch64 the portable tier is the one of every machine.
_SMALL = select({
    "@platforms//cpu:x86_64": ["-Os"],
    "//conditions:default": [],
})

def tier_library(name, generic, special = {}, special_flags = {}, every_tier = False, small = False, textual_hdrs = [], deps = []):
    """A cc_library `name` that holds the objects of the target CPU's tiers and the portable one.

    Args:
      name: name of the library.
      generic: source used for every tier that has no entry in `special`.
      special: tier name -> source.
      special_flags: tier name -> flags of instructions that not every machine of the tier has; the rows look before they call such code.
      every_tier: compile tiers with dot products for themselves, instead of sharing code as `plain` in tiers.inc says.
      small: compile the portable tier of x86-64 for size: machines without AVX2 spend their time in the C library's fmaf there.
      textual_hdrs: headers of this folder that the sources include.
      deps: libraries whose headers the sources include; only plain structs may be used from them.
    """
    for tier in special:
        if tier in _PLAIN and not every_tier:
            fail("%s has code of its own for %s, so it needs every_tier = True and `tier::` instead of `plain::` in its rows" % (name, tier))
    x86 = {tier: flags for tier, flags in X86.items() if every_tier or tier not in _PLAIN}
    arm = {tier: flags for tier, flags in ARM.items() if every_tier or tier not in _PLAIN}
    for cpu, table in [("", {"generic": []}), ("x86_64", x86), ("aarch64", arm)]:
        for tier, flags in table.items():
            cc_library(
                name = "%s_%s" % (name, tier),
                srcs = [special.get(tier, generic)],
                textual_hdrs = textual_hdrs,
                copts = flags + special_flags.get(tier, []) + _COPTS + ["-DOMKIT_TIER_NAMESPACE=" + tier] + (_SMALL if small and not cpu else []),
                linkstatic = True,
                target_compatible_with = ["@platforms//cpu:" + cpu] if cpu else [],
                deps = ["//backends/kernels:tier"] + deps,
            )
    cc_library(
        name = name,
        deps = [":%s_generic" % name] + select({
            "@platforms//cpu:x86_64": [":%s_%s" % (name, tier) for tier in x86],
            "@platforms//cpu:aarch64": [":%s_%s" % (name, tier) for tier in arm],
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
