"""unix_toolchain: a C++ toolchain for Linux whose tools are installed under /usr."""

load("@bazel_tools//tools/cpp:unix_cc_toolchain_config.bzl", "cc_toolchain_config")
load("@rules_cc//cc:defs.bzl", "cc_toolchain")

_TOOLS = ["ar", "cpp", "dwp", "gcc", "gcov", "ld", "llvm-cov", "nm", "objcopy", "objdump", "strip"]

def unix_toolchain(name, compiler, cpu, include_directories, tools, tool_prefix):
    """Declares :<name> for --extra_toolchains.

    Args:
      name: of the toolchain target.
      compiler: "gcc" or "clang".
      cpu: a value of @platforms//cpu.
      include_directories: the compiler's own; headers there need not be declared.
      tools: paths of those tools that are not at tool_prefix + tool.
      tool_prefix: path prefix of the other tools.
    """
    cc_toolchain_config(
        name = name + "_config",
        abi_libc_version = "local",
        abi_version = "local",
        compile_flags = ["-fstack-protector", "-Wall", "-fno-omit-frame-pointer"],
        compiler = compiler,
        cpu = "k8" if cpu == "x86_64" else cpu,
        cxx_builtin_include_directories = include_directories,
        cxx_flags = ["-std=c++17"],
        dbg_compile_flags = ["-g"],
        host_system_name = "local",
        link_flags = ["-Wl,-z,relro,-z,now", "-no-canonical-prefixes"],
        link_libs = ["-lstdc++", "-lm"],
        opt_compile_flags = ["-O2", "-DNDEBUG", "-ffunction-sections", "-fdata-sections"],
        opt_link_flags = ["-Wl,--gc-sections"],
        supports_start_end_lib = False,
        target_libc = "glibc",
        target_system_name = name,
        tool_paths = {t: tools.get(t, tool_prefix + t) for t in _TOOLS},
        toolchain_identifier = name,
        unfiltered_compile_flags = [
            "-Wno-builtin-macro-redefined",
            "-D__DATE__=\"redacted\"",
            "-D__TIMESTAMP__=\"redacted\"",
            "-D__TIME__=\"redacted\"",
        ],
    )
    cc_toolchain(
        name = name + "_cc",
        all_files = ":empty",
        ar_files = ":empty",
        as_files = ":empty",
        compiler_files = ":empty",
        dwp_files = ":empty",
        linker_files = ":empty",
        objcopy_files = ":empty",
        strip_files = ":empty",
        supports_param_files = 1,
        toolchain_config = name + "_config",
        toolchain_identifier = name,
    )
    native.toolchain(
        name = name,
        exec_compatible_with = [
            "@platforms//os:linux",
            "@platforms//cpu:x86_64",
        ],
        target_compatible_with = [
            "@platforms//os:linux",
            "@platforms//cpu:" + cpu,
        ],
        toolchain = name + "_cc",
        toolchain_type = "@bazel_tools//tools/cpp:toolchain_type",
    )
