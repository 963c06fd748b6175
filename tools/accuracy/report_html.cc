#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "tools/accuracy/report.h"

namespace omkit::accuracy {
namespace {

constexpr char kStyle[] = R"css(
:root{--ink:#1b1f24;--soft:#5b6570;--line:#d9dee4;--page:#f6f7f9;--card:#fff;--float:#8a94a0;--int8:#0b6bcb;--own:#e08600;--bad:#c62f2f;--good:#1a7f4b}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ed;--soft:#9aa5b1;--line:#323a44;--page:#14181d;--card:#1c2229;--float:#7d8793;--int8:#4aa3ff;
--own:#ffb13d;--bad:#ff6b6b;--good:#4cc38a}}
*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1120px;margin:0 auto;padding:28px 20px 60px}h1{font-size:24px;margin:0 0 4px}h2{font-size:18px;margin:34px 0 10px}
p.sub{margin:0 0 18px;color:var(--soft);overflow-wrap:anywhere}.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:16px 18px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(180px,1fr));gap:12px}.tile b{display:block;font-size:26px;font-weight:650;letter-spacing:-.01em}
.tile span{color:var(--soft);font-size:13px}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:5px 10px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}th{color:var(--soft);font-weight:550;font-size:13px}
th:first-child,td:first-child{text-align:left}td.name{max-width:320px;overflow:hidden;text-overflow:ellipsis}tr:last-child td{border-bottom:0}
.scroll{overflow-x:auto}.bad{color:var(--bad)}.good{color:var(--good)}svg{display:block;width:100%;height:auto}svg text{fill:var(--soft);font:11px system-ui,sans-serif}
.suspect{margin-bottom:14px;display:grid;grid-template-columns:minmax(0,1fr) 380px;gap:18px}.suspect h3{margin:0 0 4px;font-size:15px;overflow-wrap:anywhere}
.suspect p{margin:4px 0}.remedy{border-left:3px solid var(--int8);padding-left:10px}.key{color:var(--soft);font-size:13px;margin:6px 0 0}
.key i{display:inline-block;width:11px;height:11px;border-radius:2px;margin:0 5px 0 14px;vertical-align:-1px}.key i:first-child{margin-left:0}
@media(max-width:760px){.suspect{grid-template-columns:1fr}}
)css";

std::string Escape(const std::string& text) {
  return absl::StrReplaceAll(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}});
}

// Points between a comma at the most that matter.
std::string Short(double x) { return absl::StrFormat("%.4g", x); }

void AppendTile(const std::string& value, const std::string& label, const char* style, std::string* html) {
  absl::StrAppend(html, "<div class=\"card tile\"><b class=\"", style, "\">", value, "</b><span>", label, "</span></div>\n");
}

void AppendTiles(const Result& result, std::string* html) {
  constexpr double kFine = 0.995;
  absl::StrAppend(html, "<div class=\"tiles\">\n");
  double cosine = 1, sqnr = 200;
  for (const OutputResult& output : result.outputs) {
    cosine = std::min(cosine, output.to_float.mean_cosine());
    sqnr = std::min(sqnr, output.to_float.sqnr_db());
  }
  AppendTile(absl::StrFormat("%.5f", cosine), "cosine similarity, worst output", cosine >= kFine ? "good" : "bad", html);
  AppendTile(absl::StrFormat("%.1f dB", sqnr), "signal to quantization noise", "", html);
  if (result.has_labels) {
    const double drop = result.om_hits.top1_percent() - result.float_hits.top1_percent();
    AppendTile(absl::StrFormat("%.2f %%", result.om_hits.top1_percent()), absl::StrFormat("top-1, float %.2f %%", result.float_hits.top1_percent()),
               "", html);
    AppendTile(absl::StrFormat("%+.2f", drop), "points against float", drop >= -1 ? "good" : "bad", html);
  }
  const std::string bfloat16 = result.bfloat16.empty() ? "" : absl::StrCat(", ", result.bfloat16.size(), " in bfloat16");
  if (result.has_layers)
    AppendTile(absl::StrCat(result.layers.size()), absl::StrCat("layers in INT8, ", result.kept_float.size(), " kept in float", bfloat16), "", html);
  absl::StrAppend(html, "</div>\n");
}

void AppendNames(const char* title, const std::vector<std::string>& names, std::string* html) {
  if (names.empty()) return;
  absl::StrAppend(html, "<h2>", title, "</h2>\n<p>");
  for (size_t i = 0; i < names.size(); ++i) absl::StrAppend(html, i == 0 ? "" : ", ", Escape(names[i]));
  absl::StrAppend(html, "</p>\n");
}

void AppendCloseness(const std::string& name, const std::string& type, const Closeness& c, std::string* html) {
  absl::StrAppendFormat(html, "<tr><td class=\"name\">%s</td><td>%s</td><td>%.6f</td><td>%.6f</td><td>%.1f dB</td><td>%s</td></tr>\n", name, type,
                        c.mean_cosine(), c.least_cosine(), c.sqnr_db(), Short(c.max_abs()));
}

void AppendOutputs(const Result& result, std::string* html) {
  absl::StrAppend(html,
                  "<h2>Outputs</h2>\n<div class=\"card scroll\"><table><tr><th>output</th><th>type</th><th>cosine</th><th>least of a sample</th>"
                  "<th>SQNR</th><th>largest difference</th></tr>\n");
  for (const OutputResult& output : result.outputs) {
    AppendCloseness(Escape(output.name), Escape(output.type), output.to_float, html);
    if (!result.has_reference) continue;
    AppendCloseness("&emsp;against the reference", "", output.to_reference, html);
    AppendCloseness("&emsp;float against the reference", "", output.float_to_reference, html);
  }
  absl::StrAppend(html, "</table></div>\n");
  if (!result.has_labels) return;
  absl::StrAppendFormat(
      html, "<h2>Classification</h2>\n<div class=\"card scroll\"><table><tr><th>%d labelled samples</th><th>top-1</th><th>top-5</th></tr>\n",
      result.om_hits.seen);
  const auto row = [&](const char* name, const Hits& hits) {
    absl::StrAppendFormat(html, "<tr><td>%s</td><td>%.2f %%</td><td>%.2f %%</td></tr>\n", name, hits.top1_percent(), hits.top5_percent());
  };
  row("float", result.float_hits);
  row("offline model", result.om_hits);
  if (result.has_reference) row("reference", result.reference_hits);
  absl::StrAppendFormat(html, "<tr><td>same class as float</td><td>%.2f %%</td><td></td></tr></table></div>\n",
                        100.0 * result.same_class / std::max(1, result.samples));
}

// Noise of each layer: two bars from the top, 60 dB is no bar, 0 dB the whole height.
void AppendProfile(const Result& result, std::string* html) {
  constexpr double kWidth = 1060, kHeight = 190, kLeft = 40, kTop = 8, kBottom = 22, kQuiet = 60;
  const double plot = kHeight - kTop - kBottom;
  const double pitch = (kWidth - kLeft) / static_cast<double>(std::max<size_t>(1, result.layers.size()));
  const auto height = [&](double db) { return plot * std::min(1.0, std::max(0.004, (kQuiet - db) / kQuiet)); };
  absl::StrAppendFormat(
      html, "<h2>Noise through the network</h2>\n<div class=\"card\"><svg viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"noise per layer\">\n",
      kWidth, kHeight);
  for (int db = 0; db <= 60; db += 15) {
    const double y = kTop + plot - plot * (kQuiet - db) / kQuiet;
    absl::StrAppendFormat(
        html, "<line x1=\"%g\" x2=\"%g\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"var(--line)\"/><text x=\"%g\" y=\"%.1f\" text-anchor=\"end\">%d</text>\n",
        kLeft, kWidth, y, y, kLeft - 5, y + 4, db);
  }
  absl::StrAppendFormat(html, "<text x=\"%g\" y=\"%g\">dB, layers in the order of the network</text>\n", kLeft, kHeight - 6);
  for (size_t i = 0; i < result.layers.size(); ++i) {
    const LayerResult& layer = result.layers[i];
    const double x = kLeft + static_cast<double>(i) * pitch;
    const double cumulative = height(layer.cumulative.sqnr_db()), own = height(layer.own.sqnr_db());
    absl::StrAppendFormat(html, "<g><title>%s (%s): cumulative %.1f dB, own %.1f dB</title>", Escape(layer.node), layer.op,
                          layer.cumulative.sqnr_db(), layer.own.sqnr_db());
    absl::StrAppendFormat(html, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"var(--int8)\"/>", x + 0.1 * pitch,
                          kTop + plot - cumulative, 0.42 * pitch, cumulative);
    absl::StrAppendFormat(html, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"var(--own)\"/></g>\n", x + 0.54 * pitch,
                          kTop + plot - own, 0.36 * pitch, own);
  }
  absl::StrAppend(html,
                  "</svg><p class=\"key\"><i style=\"background:var(--int8)\"></i>cumulative: in the INT8 network"
                  "<i style=\"background:var(--own)\"></i>own: this layer alone, with exact inputs. Higher bars are worse.</p></div>\n");
}

// Histogram before (line) and after (bars) quantization; the heights are square roots, so that rare values are seen.
void AppendBars(const LayerResult& layer, std::string* html) {
  constexpr double kWidth = 380, kHeight = 130, kBottom = 18;
  const Bars& bars = layer.bars;
  double most = 1e-12;
  for (const double x : bars.before) most = std::max(most, x);
  for (const double x : bars.after) most = std::max(most, x);
  const double plot = kHeight - kBottom - 4;
  const double pitch = kWidth / static_cast<double>(std::max<size_t>(1, bars.before.size()));
  const auto height = [&](double part) { return plot * std::sqrt(part / most); };
  absl::StrAppendFormat(html, "<svg viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"values before and after quantization\">\n", kWidth, kHeight);
  std::string line;
  for (size_t i = 0; i < bars.after.size(); ++i) {
    const double h = height(bars.after[i]), x = static_cast<double>(i) * pitch;
    absl::StrAppendFormat(html, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"var(--int8)\" opacity=\".55\"/>", x + 0.5,
                          4 + plot - h, pitch - 1, h);
    absl::StrAppendFormat(&line, "%s%.2f,%.2f %.2f,%.2f", line.empty() ? "" : " ", x, 4 + plot - height(bars.before[i]), x + pitch,
                          4 + plot - height(bars.before[i]));
  }
  absl::StrAppendFormat(html, "<polyline points=\"%s\" fill=\"none\" stroke=\"var(--float)\" stroke-width=\"1.6\"/>\n", line);
  if (layer.range_max > layer.range_min && bars.high > bars.low) {
    for (const double end : {layer.range_min, layer.range_max}) {
      const double x = std::min(kWidth - 1, std::max(1.0, kWidth * (end - bars.low) / (bars.high - bars.low)));
      absl::StrAppendFormat(html, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"2\" y2=\"%.1f\" stroke=\"var(--bad)\" stroke-dasharray=\"3 3\"/>", x, x,
                            4 + plot);
    }
  }
  absl::StrAppendFormat(html, "<text x=\"0\" y=\"%g\">%s</text><text x=\"%g\" y=\"%g\" text-anchor=\"end\">%s</text></svg>\n", kHeight - 4,
                        Short(bars.low), kWidth, kHeight - 4, Short(bars.high));
}

void AppendSuspects(const Result& result, std::string* html) {
  absl::StrAppend(html, "<h2>Suspects</h2>\n");
  if (result.suspects.empty()) absl::StrAppend(html, "<p>No layer adds noise.</p>\n");
  for (const Suspect& suspect : result.suspects) {
    const auto layer = std::find_if(result.layers.begin(), result.layers.end(), [&](const LayerResult& l) { return l.node == suspect.node; });
    absl::StrAppendFormat(html,
                          "<div class=\"card suspect\"><div><h3>%s <span class=\"key\">%s</span></h3><p>%.0f %% of the noise that layers add: %s.</p>"
                          "<p class=\"remedy\">%s</p>",
                          Escape(suspect.node), suspect.op, 100 * suspect.share, Escape(suspect.why), Escape(suspect.remedy));
    if (layer == result.layers.end()) {
      absl::StrAppend(html, "</div></div>\n");
      continue;
    }
    absl::StrAppendFormat(html,
                          "<p class=\"key\">range [%s, %s], clipped %.3f %%, saturated %.3f %%, widest channel %.1f times the median</p></div><div>",
                          Short(layer->range_min), Short(layer->range_max), 100 * layer->clipped, 100 * layer->saturated, layer->channel_ratio);
    AppendBars(*layer, html);
    absl::StrAppend(html, "</div></div>\n");
  }
  absl::StrAppend(
      html,
      "<p class=\"key\"><i style=\"background:var(--float)\"></i>values in float<i style=\"background:var(--int8);opacity:.55\"></i>after "
      "quantization<i style=\"background:var(--bad)\"></i>ends of the 8-bit range. Heights are square roots.</p>\n");
}

void AppendLayers(const Result& result, std::string* html) {
  absl::StrAppend(
      html,
      "<h2>Layers</h2>\n<div class=\"card scroll\"><table><tr><th>layer</th><th>operator</th><th>cumulative</th><th>own</th><th>effect</th>"
      "<th>range</th><th>clipped</th><th>saturated</th><th>levels used</th><th>channel ratio</th></tr>\n");
  for (const LayerResult& layer : result.layers) {
    absl::StrAppendFormat(html, "<tr><td class=\"name\" title=\"%s\">%s</td><td>%s</td><td>%.1f dB</td><td>%.1f dB</td><td>%s</td>",
                          Escape(layer.node), Escape(layer.node), layer.op, layer.cumulative.sqnr_db(), layer.own.sqnr_db(),
                          layer.effect_noise < 0 ? "" : absl::StrFormat("%.1f dB", NoiseDb(layer.effect_noise)));
    const bool levels = layer.range_max > layer.range_min;
    absl::StrAppendFormat(html, "<td>%s</td><td>%s</td><td>%s</td><td>%s</td><td>%.1f</td></tr>\n",
                          levels ? absl::StrCat("[", Short(layer.range_min), ", ", Short(layer.range_max), "]") : "float",
                          levels ? absl::StrFormat("%.3f %%", 100 * layer.clipped) : "",
                          levels ? absl::StrFormat("%.3f %%", 100 * layer.saturated) : "",
                          levels ? absl::StrFormat("%.0f %%", 100 * layer.used_levels) : "", layer.channel_ratio);
  }
  absl::StrAppend(
      html,
      "</table></div>\n<p class=\"key\">cumulative: its output in the INT8 network against float. own: with exact inputs. effect: the network's "
      "result when this layer alone is in INT8. All in dB of signal to noise; more is better.</p>\n");
  AppendNames("Kept in float", result.kept_float, html);
  AppendNames("In bfloat16", result.bfloat16, html);
  AppendNames("Only the weights in INT8 (w8a16)", result.weights_only, html);
}

}  // namespace

std::string HtmlReport(const Result& result) {
  std::string html = absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\"><title>What INT8 costs: ",
      Escape(result.om), "</title><style>", kStyle, "</style></head><body><main>\n<h1>What INT8 costs</h1>\n");
  absl::StrAppendFormat(&html, "<p class=\"sub\">%s (%s) against %s in float, %d samples of %s</p>\n", Escape(result.om), Escape(result.soc),
                        Escape(result.model), result.samples, Escape(result.data));
  AppendTiles(result, &html);
  AppendOutputs(result, &html);
  if (result.has_layers) {
    AppendProfile(result, &html);
    AppendSuspects(result, &html);
    AppendLayers(result, &html);
  } else if (!result.no_layers.empty()) {
    absl::StrAppend(&html, "<p class=\"key\">No table of layers: ", Escape(result.no_layers), ".</p>\n");
  }
  absl::StrAppend(&html, "</main></body></html>\n");
  return html;
}

}  // namespace omkit::accuracy
