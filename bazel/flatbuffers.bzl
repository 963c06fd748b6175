"""flatbuffer_cc_library: a schema x.fbs becomes the header "<package>/x_generated.h"."""

load("@rules_cc//cc:defs.bzl", "cc_library")

def flatbuffer_cc_library(name, srcs, **kwargs):
    headers = [s.rsplit("/", 1)[-1].rsplit(".", 1)[0] + "_generated.h" for s in srcs]
    native.genrule(
        name = name + "_generate",
        srcs = srcs,
        outs = headers,
        cmd = "$(execpath @com_github_google_flatbuffers//:flatc) --cpp --scoped-enums --gen-object-api -I . -o $(RULEDIR) $(SRCS)",
        tools = ["@com_github_google_flatbuffers//:flatc"],
        message = "Generating the FlatBuffers header",
        visibility = ["//visibility:private"],
    )
    cc_library(
        name = name,
        hdrs = headers,
        deps = ["@com_github_google_flatbuffers//:flatbuffers"],
        **kwargs
    )
