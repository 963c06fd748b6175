#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "tools/accuracy/report.h"

namespace omkit::accuracy {
namespace {

std::string Cut(const std::string& text, size_t width) {
  return text.size() <= width ? text : absl::StrCat("..", text.substr(text.size() - width + 2));
}

void AppendHits(const char* name, const Hits& hits, const Hits& base, std::string* text) {
  absl::StrAppendFormat(text, "  %-12s %8.2f %% %8.2f %%", name, hits.top1_percent(), hits.top5_percent());
  if (&hits != &base) absl::StrAppendFormat(text, "   %+.2f points", hits.top1_percent() - base.top1_percent());
  absl::StrAppend(text, "\n");
}

// A bar of noise: the longer, the worse; 60 dB is nothing, 0 dB is all.
std::string Bar(double db) {
  constexpr double kQuiet = 60;
  const int length = static_cast<int>(std::lround(20 * std::min(1.0, std::max(0.0, (kQuiet - db) / kQuiet))));
  return std::string(length, '#');
}

void AppendLayers(const Result& result, std::string* text) {
  absl::StrAppendFormat(text, "\nlayers in INT8 (signal to noise in dB; more is better)\n  %-36s %-10s %10s %8s %8s %8s  %s\n", "layer", "operator",
                        "cumulative", "own", "effect", "clipped", "noise");
  for (const LayerResult& layer : result.layers) {
    const std::string effect = layer.effect_noise < 0 ? "-" : absl::StrFormat("%.1f", NoiseDb(layer.effect_noise));
    absl::StrAppendFormat(text, "  %-36s %-10s %10.1f %8.1f %8s %7.2f%%  %s\n", Cut(layer.node, 36), layer.op, layer.cumulative.sqnr_db(),
                          layer.own.sqnr_db(), effect, 100 * layer.clipped, Bar(layer.cumulative.sqnr_db()));
  }
}

}  // namespace

double NoiseDb(double noise) {
  constexpr double kMost = 200;
  return noise > 0 ? std::min(kMost, -10 * std::log10(noise)) : kMost;
}

std::string TextReport(const Result& result) {
  std::string text = absl::StrFormat("%s against %s in float, %d samples of %s\n\n", result.om, result.model, result.samples, result.data);
  absl::StrAppendFormat(&text, "  %-28s %10s %10s %9s %12s\n", "output", "cosine", "least", "SQNR", "max abs");
  for (const OutputResult& output : result.outputs) {
    absl::StrAppendFormat(&text, "  %-28s %10.6f %10.6f %6.1f dB %12.5g\n", Cut(output.name, 28), output.to_float.mean_cosine(),
                          output.to_float.least_cosine(), output.to_float.sqnr_db(), output.to_float.max_abs());
    if (!absl::StartsWith(output.type, "float")) {
      absl::StrAppendFormat(&text, "  %-28s %9.2f %%\n", "  equal elements (classes)", 100 * output.to_float.agreement());
    }
    if (result.has_reference) {
      absl::StrAppendFormat(&text, "  %-28s %10.6f %10.6f %6.1f dB %12.5g\n", "  against the reference", output.to_reference.mean_cosine(),
                            output.to_reference.least_cosine(), output.to_reference.sqnr_db(), output.to_reference.max_abs());
      absl::StrAppendFormat(&text, "  %-28s %10.6f %10.6f %6.1f dB %12.5g\n", "  float against it", output.float_to_reference.mean_cosine(),
                            output.float_to_reference.least_cosine(), output.float_to_reference.sqnr_db(), output.float_to_reference.max_abs());
    }
  }
  if (result.has_labels) {
    absl::StrAppendFormat(&text, "\n  %-12s %10s %10s   %d labelled samples\n", "", "top-1", "top-5", result.om_hits.seen);
    AppendHits("float", result.float_hits, result.float_hits, &text);
    AppendHits("offline", result.om_hits, result.float_hits, &text);
    if (result.has_reference) AppendHits("reference", result.reference_hits, result.float_hits, &text);
    absl::StrAppendFormat(&text, "  same class as float: %.2f %%\n", 100.0 * result.same_class / std::max(1, result.samples));
  }
  if (!result.has_layers) {
    if (!result.no_layers.empty()) absl::StrAppend(&text, "\nno table of layers: ", result.no_layers, "\n");
    return text;
  }
  AppendLayers(result, &text);
  if (!result.kept_float.empty()) absl::StrAppend(&text, "\nin float: ", absl::StrJoin(result.kept_float, ", "), "\n");
  if (!result.bfloat16.empty()) absl::StrAppend(&text, "\nin bfloat16: ", absl::StrJoin(result.bfloat16, ", "), "\n");
  if (!result.weights_only.empty()) absl::StrAppend(&text, "\nonly the weights in INT8 (w8a16): ", absl::StrJoin(result.weights_only, ", "), "\n");
  absl::StrAppend(&text, "\nsuspects\n");
  int number = 0;
  for (const Suspect& suspect : result.suspects) {
    absl::StrAppendFormat(&text, "  %d. %s (%s), %.0f %% of the noise: %s\n     -> %s\n", ++number, suspect.node, suspect.op, 100 * suspect.share,
                          suspect.why, suspect.remedy);
  }
  return text;
}

}  // namespace omkit::accuracy
