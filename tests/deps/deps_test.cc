// Every pinned dependency compiles, links and answers in this build
// configuration.
#define XXH_INLINE_ALL
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "jpeglib.h"
#include "onnx/onnx-ml.pb.h"
#include "openjpeg.h"
#include "png.h"
#include "re2/re2.h"
#include "tests/deps/probe_generated.h"
#include "tiffio.h"
#include "webp/decode.h"
#include "xxhash.h"
#include "zlib.h"

namespace omkit {
namespace {

TEST(Deps, Absl) {
  absl::flat_hash_map<std::string, absl::StatusOr<int>> map;
  map["a"] = 1;
  map["b"] = absl::InvalidArgumentError(absl::StrCat("no ", 2));
  EXPECT_EQ(*map.at("a"), 1);
  EXPECT_EQ(map.at("b").status().message(), "no 2");
}

TEST(Deps, OnnxRoundTrip) {
  onnx::ModelProto model;
  model.mutable_graph()->add_node()->set_op_type("Relu");
  onnx::ModelProto read;
  ASSERT_TRUE(read.ParseFromString(model.SerializeAsString()));
  EXPECT_EQ(read.graph().node(0).op_type(), "Relu");
}

TEST(Deps, Re2) { EXPECT_TRUE(RE2::FullMatch("Ascend310P3", R"(Ascend\d+\w*)")); }

TEST(Deps, Flatbuffers) {
  probe::ProbeT probe;
  probe.name = "x";
  probe.kind = probe::Kind::kSome;
  probe.values = {1, 2};
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(probe::Probe::Pack(builder, &probe));
  flatbuffers::Verifier verifier(builder.GetBufferPointer(), builder.GetSize());
  ASSERT_TRUE(probe::VerifyProbeBuffer(verifier));
  EXPECT_EQ(probe::GetProbe(builder.GetBufferPointer())->values()->Get(1), 2);
}

TEST(Deps, XxHashOfNothingIsThePublishedValue) {
  const XXH128_hash_t hash = XXH3_128bits("", 0);
  EXPECT_EQ(hash.high64, 0x99aa06d3014798d8u);
  EXPECT_EQ(hash.low64, 0x6001c324468d497fu);
}

TEST(Deps, Jpeg) {
  jpeg_error_mgr errors;
  EXPECT_EQ(jpeg_std_error(&errors), &errors);
  EXPECT_GT(errors.last_jpeg_message, 0);
}

TEST(Deps, PngAndZlibAreTheirHeadersVersions) {
  EXPECT_EQ(png_access_version_number(), PNG_LIBPNG_VER);
  EXPECT_STREQ(zlibVersion(), ZLIB_VERSION);
}

TEST(Deps, TiffWebpAndJpeg2000AreTheirHeadersVersions) {
  EXPECT_NE(std::string(TIFFGetVersion()).find(TIFFLIB_VERSION_STR_MAJ_MIN_MIC), std::string::npos);
  EXPECT_EQ(WebPGetDecoderVersion() >> 8, 0x0105);
  EXPECT_STREQ(opj_version(), "2.5.3");
}

TEST(Deps, Json) { EXPECT_EQ(nlohmann::json::parse(R"({"a":[1,2]})")["a"][1], 2); }

}  // namespace
}  // namespace omkit
