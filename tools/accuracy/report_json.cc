#include "nlohmann/json.hpp"
#include "tools/accuracy/report.h"

namespace omkit::accuracy {
namespace {

using Json = nlohmann::json;

Json ToJson(const Closeness& c) {
  return {{"cosine", c.mean_cosine()}, {"least_cosine", c.least_cosine()},    {"sqnr_db", c.sqnr_db()}, {"max_abs", c.max_abs()},
          {"bias", c.bias()},          {"equal_percent", 100 * c.agreement()}};
}

Json ToJson(const Hits& hits) { return {{"samples", hits.seen}, {"top1_percent", hits.top1_percent()}, {"top5_percent", hits.top5_percent()}}; }

Json ToJson(const LayerResult& layer) {
  Json json = {{"node", layer.node},
               {"op", layer.op},
               {"multiply_adds", layer.multiply_adds},
               {"cumulative", ToJson(layer.cumulative)},
               {"own", ToJson(layer.own)},
               {"range", {layer.range_min, layer.range_max}},
               {"seen", {layer.seen_min, layer.seen_max}},
               {"clipped", layer.clipped},
               {"saturated", layer.saturated},
               {"used_levels", layer.used_levels},
               {"channel_ratio", layer.channel_ratio},
               {"weight_ratio", layer.weight_ratio},
               {"histogram", {{"low", layer.bars.low}, {"high", layer.bars.high}, {"before", layer.bars.before}, {"after", layer.bars.after}}}};
  if (layer.effect_noise >= 0) json["effect_db"] = NoiseDb(layer.effect_noise);
  return json;
}

}  // namespace

std::string JsonReport(const Result& result) {
  Json json = {{"model", result.model}, {"om", result.om}, {"soc_version", result.soc}, {"data", result.data}, {"samples", result.samples}};
  for (const OutputResult& output : result.outputs) {
    Json entry = {{"name", output.name}, {"type", output.type}, {"to_float", ToJson(output.to_float)}};
    if (result.has_reference) {
      entry["to_reference"] = ToJson(output.to_reference);
      entry["float_to_reference"] = ToJson(output.float_to_reference);
    }
    json["outputs"].push_back(std::move(entry));
  }
  if (result.has_labels) {
    json["accuracy"] = {{"float", ToJson(result.float_hits)}, {"om", ToJson(result.om_hits)}};
    if (result.has_reference) json["accuracy"]["reference"] = ToJson(result.reference_hits);
    json["same_class_percent"] = 100.0 * result.same_class / std::max(1, result.samples);
  }
  if (result.has_layers) {
    json["layers"] = Json::array();
    json["suspects"] = Json::array();
    json["kept_float"] = result.kept_float;
    json["bfloat16"] = result.bfloat16;
    json["weights_only"] = result.weights_only;
    for (const LayerResult& layer : result.layers) json["layers"].push_back(ToJson(layer));
    for (const Suspect& s : result.suspects) {
      json["suspects"].push_back({{"node", s.node}, {"op", s.op}, {"share", s.share}, {"why", s.why}, {"remedy", s.remedy}});
    }
  }
  return json.dump(1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace) + "\n";
}

}  // namespace omkit::accuracy
