#include "tools/accuracy/accuracy.h"

#include <cmath>
#include <sstream>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "tools/accuracy/metrics.h"
#include "tools/accuracy/options.h"
#include "tools/accuracy/report.h"

namespace omkit::accuracy {
namespace {

TEST(Closeness, AddsSamplesUp) {
  Closeness c;
  c.Add({3.0f, 4.0f}, {3.0f, 4.0f});
  EXPECT_EQ(c.mean_cosine(), 1);
  EXPECT_EQ(c.sqnr_db(), 200);
  c.Add({1.0f, 0.0f}, {0.0f, 1.0f});
  EXPECT_NEAR(c.mean_cosine(), 0.5, 1e-12);
  EXPECT_EQ(c.least_cosine(), 0);
  EXPECT_EQ(c.max_abs(), 1);
  EXPECT_NEAR(c.sqnr_db(), 10 * std::log10(26.0 / 2.0), 1e-9);
  EXPECT_EQ(c.agreement(), 0.5);
  Closeness zeros;
  zeros.Add({0.0f}, {0.0f});
  EXPECT_EQ(zeros.mean_cosine(), 1);
  zeros.Add({0.0f}, {1.0f});
  EXPECT_EQ(zeros.least_cosine(), 0);
}

TEST(RankOf, LetsTheLowestOfEqualClassesWin) {
  const std::vector<float> scores = {0.5f, 0.9f, 0.9f, 0.1f};
  EXPECT_EQ(RankOf(1, scores), 0);
  EXPECT_EQ(RankOf(2, scores), 1);
  EXPECT_EQ(RankOf(0, scores), 2);
  EXPECT_EQ(RankOf(3, scores), 3);
}

TEST(Options, AreCheckedWithHints) {
  const std::vector<std::string> good = {"--model", "a.onnx", "--om=a.om", "--data=d", "--samples=7", "--no-effect"};
  const auto options = ParseOptions(good);
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->samples, 7);
  EXPECT_FALSE(options->effect);
  for (const auto& [extra, message] : std::vector<std::pair<std::string, std::string>>{{"--lables=x", "did you mean '--labels'?"},
                                                                                       {"--om=b.om", "given twice"},
                                                                                       {"--label-offset=x", "not a number"},
                                                                                       {"--html", "needs a value"},
                                                                                       {"word", "is not a flag"}}) {
    std::vector<std::string> bad = good;
    bad.push_back(extra);
    EXPECT_TRUE(absl::StrContains(ParseOptions(bad).status().message(), message)) << ParseOptions(bad).status();
  }
  EXPECT_TRUE(absl::StrContains(ParseOptions({"--om=a.om", "--data=d"}).status().message(), "--model is missing"));
}

Result SomeResult() {
  Result result;
  result.model = "net<1>.onnx";
  result.om = "net&co.om";
  result.samples = 2;
  result.has_labels = result.has_layers = true;
  result.outputs.emplace_back();
  result.outputs[0].name = "\"y\"";
  result.outputs[0].to_float.Add({1.0f, 2.0f}, {1.0f, 2.1f});
  result.float_hits.Add(0);
  result.om_hits.Add(3);
  for (int i = 0; i < 3; ++i) {
    LayerResult layer;
    layer.node = "layer" + std::to_string(i);
    layer.op = "Conv";
    layer.cumulative.Add({1.0f, 2.0f}, {1.0f, 2.0f + 0.1f * static_cast<float>(i)});
    layer.own.Add({1.0f, 2.0f}, {1.0f, 2.0f + 0.05f * static_cast<float>(i)});
    layer.range_max = 2;
    layer.seen_max = 3;
    layer.clipped = i == 2 ? 0.01 : 0;
    layer.channel_ratio = i == 1 ? 50 : 2;
    layer.bars = {0, 3, {0.5, 0.5}, {0.4, 0.6}};
    result.layers.push_back(layer);
  }
  result.suspects = FindSuspects(result.layers);
  return result;
}

TEST(Suspects, AreRankedWithAReasonAndARemedy) {
  const Result result = SomeResult();
  ASSERT_EQ(result.suspects.size(), 2u);  // a layer without noise is none
  EXPECT_EQ(result.suspects[0].node, "layer2");
  EXPECT_TRUE(absl::StrContains(result.suspects[0].why, "outside the calibrated range")) << result.suspects[0].why;
  EXPECT_TRUE(absl::StrContains(result.suspects[0].remedy, "--calibrate_method=minmax"));
  EXPECT_TRUE(absl::StrContains(result.suspects[1].why, "50 times as wide"));
  EXPECT_TRUE(absl::StrContains(result.suspects[1].remedy, "--keep_dtype"));
  EXPECT_NEAR(result.suspects[0].share + result.suspects[1].share, 1, 1e-9);
}

TEST(Reports, HoldTheResultAndEscapeNames) {
  const Result result = SomeResult();
  EXPECT_TRUE(absl::StrContains(TextReport(result), "suspects\n  1. layer2 (Conv)"));
  const std::string json = JsonReport(result);
  EXPECT_TRUE(absl::StrContains(json, "\"suspects\"") && absl::StrContains(json, "\"top1_percent\": 100.0")) << json;
  const std::string html = HtmlReport(result);
  EXPECT_TRUE(absl::StrContains(html, "net&amp;co.om") && absl::StrContains(html, "net&lt;1&gt;.onnx") && absl::StrContains(html, "&quot;y&quot;"));
  // Self-contained: nothing is loaded from anywhere.
  for (const char* outside : {"http:", "https:", "src=", "@import", "url("}) EXPECT_FALSE(absl::StrContains(html, outside)) << outside;
}

TEST(RunAccuracy, TellsWhatIsWrong) {
  std::ostringstream out, err;
  EXPECT_EQ(RunAccuracy({"--help"}, out, err), 0);
  EXPECT_TRUE(absl::StrContains(out.str(), "--label-offset K"));
  EXPECT_EQ(RunAccuracy({"--om=x"}, out, err), 2);
  EXPECT_EQ(RunAccuracy({"--om=/nowhere/a.om", "--model=a.onnx", "--data=d"}, out, err), 1);
  EXPECT_TRUE(absl::StrContains(err.str(), "/nowhere/a.om")) << err.str();
}

}  // namespace
}  // namespace omkit::accuracy
