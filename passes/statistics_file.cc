#include "passes/statistics_file.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"
#include "nlohmann/json.hpp"

namespace omkit::passes {
namespace {

using Json = nlohmann::json;

constexpr char kVersionKey[] = "omkit_calibration_statistics";
constexpr int kVersion = 1;
constexpr uint64_t kMostFileBytes = uint64_t{1} << 32;

Json BinsToJson(const std::vector<uint64_t>& counts) {
  Json runs = Json::array();
  for (size_t i = 0; i < counts.size();) {
    if (counts[i] == 0) {
      ++i;
      continue;
    }
    Json run = Json::array({static_cast<int>(i) + Histogram::first_bin()});
    for (; i < counts.size() && counts[i] != 0; ++i) run.push_back(counts[i]);
    runs.push_back(std::move(run));
  }
  return runs;
}

Json TensorToJson(const TensorStatistics& t) {
  Json channels = {{"min", Json::array()}, {"max", Json::array()}, {"sum", Json::array()}, {"squares", Json::array()}};
  for (const ChannelStatistics& c : t.channels) {
    channels["min"].push_back(c.min);
    channels["max"].push_back(c.max);
    channels["sum"].push_back(c.sum.ToString());
    channels["squares"].push_back(c.squares.ToString());
  }
  return {{"items", t.items},
          {"item_min", t.item_min.ToString()},
          {"item_max", t.item_max.ToString()},
          {"min", t.histogram.min()},
          {"max", t.histogram.max()},
          {"zeros", t.histogram.zeros()},
          {"exponent", t.histogram.exponent()},
          {"bins", BinsToJson(t.histogram.counts())},
          {"channels", std::move(channels)}};
}

// Reads fields and remembers the first that is wrong.
class Reader {
 public:
  explicit Reader(std::string where) : where_(std::move(where)) {}

  const Json& Get(const Json& object, const char* key, Json::value_t type) {
    static const Json kNothing;
    if (object.is_object()) {
      const auto it = object.find(key);
      if (it != object.end() && (it->type() == type || (type == Json::value_t::number_float && it->is_number()))) return *it;
    }
    Fail(key);
    return kNothing;
  }
  uint64_t Count(const Json& object, const char* key) {
    const Json& value = Get(object, key, Json::value_t::number_unsigned);
    return value.is_number_unsigned() ? value.get<uint64_t>() : 0;
  }
  float Float(const Json& value, const char* key) {
    const double number = value.is_number() ? value.get<double>() : NAN;
    if (!std::isfinite(static_cast<float>(number))) Fail(key);
    return static_cast<float>(number);
  }
  ExactSum Sum(const Json& value, const char* key) {
    ExactSum sum;
    if (!value.is_string() || !sum.Parse(value.get_ref<const std::string&>())) Fail(key);
    return sum;
  }
  void Fail(absl::string_view key) {
    if (status_.ok()) status_ = absl::InvalidArgumentError(absl::StrCat(where_, ": '", key, "' is missing or does not hold what it must"));
  }
  const absl::Status& status() const { return status_; }

 private:
  std::string where_;
  absl::Status status_;
};

std::vector<uint64_t> BinsFromJson(const Json& runs, Reader& reader) {
  std::vector<uint64_t> counts(2 * Histogram::kBins, 0);
  for (const Json& run : runs) {
    if (!run.is_array() || run.size() < 2 || !run[0].is_number_integer()) {
      reader.Fail("bins");
      break;
    }
    const int64_t first = run[0].get<int64_t>() - Histogram::first_bin();
    if (first < 0 || first > 2 * Histogram::kBins || run.size() - 1 > static_cast<size_t>(2 * Histogram::kBins - first)) {
      reader.Fail("bins");
      break;
    }
    for (size_t i = 1; i < run.size(); ++i) {
      if (!run[i].is_number_unsigned()) reader.Fail("bins");
      else counts[first + i - 1] = run[i].get<uint64_t>();
    }
  }
  return counts;
}

absl::StatusOr<TensorStatistics> TensorFromJson(const std::string& name, const Json& json) {
  Reader reader(absl::StrCat("tensor '", name, "'"));
  TensorStatistics t;
  t.items = reader.Count(json, "items");
  t.item_min = reader.Sum(reader.Get(json, "item_min", Json::value_t::string), "item_min");
  t.item_max = reader.Sum(reader.Get(json, "item_max", Json::value_t::string), "item_max");
  const float min = reader.Float(reader.Get(json, "min", Json::value_t::number_float), "min");
  const float max = reader.Float(reader.Get(json, "max", Json::value_t::number_float), "max");
  const Json& exponent = reader.Get(json, "exponent", Json::value_t::number_float);
  std::vector<uint64_t> counts = BinsFromJson(reader.Get(json, "bins", Json::value_t::array), reader);
  const bool fits = reader.status().ok() && exponent.is_number_integer() &&
                    t.histogram.Restore(exponent.get<int>(), min, max, reader.Count(json, "zeros"), std::move(counts));
  if (!fits) reader.Fail("bins");
  const Json& channels = reader.Get(json, "channels", Json::value_t::object);
  const Json& mins = reader.Get(channels, "min", Json::value_t::array);
  for (const char* key : {"max", "sum", "squares"}) {
    if (reader.Get(channels, key, Json::value_t::array).size() != mins.size()) reader.Fail(key);
  }
  if (mins.empty() || t.items == 0) reader.Fail("channels");
  if (!reader.status().ok()) return reader.status();
  for (size_t c = 0; c < mins.size(); ++c) {
    t.channels.push_back({reader.Float(mins[c], "channels.min"), reader.Float(channels["max"][c], "channels.max"),
                          reader.Sum(channels["sum"][c], "channels.sum"), reader.Sum(channels["squares"][c], "channels.squares")});
  }
  if (!reader.status().ok()) return reader.status();
  return t;
}

}  // namespace

std::string SerializeStatistics(const Statistics& statistics) {
  Json samples = Json::array();
  for (const uint64_t hash : statistics.samples) samples.push_back(absl::StrCat(absl::Hex(hash, absl::kZeroPad16)));
  Json tensors = Json::object();
  for (const auto& [name, t] : statistics.tensors) tensors[name] = TensorToJson(t);
  const Json json = {
      {kVersionKey, kVersion}, {"model_hash", statistics.model_hash}, {"samples", std::move(samples)}, {"tensors", std::move(tensors)}};
  return json.dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace) + "\n";
}

absl::StatusOr<Statistics> ParseStatistics(absl::string_view text) {
  const Json json = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded() || !json.is_object() || !json.contains(kVersionKey)) {
    return absl::InvalidArgumentError(absl::StrCat("no calibration statistics: the key '", kVersionKey, "' is missing"));
  }
  if (json[kVersionKey] != kVersion) {
    return absl::InvalidArgumentError(absl::StrCat("calibration statistics of version ", json[kVersionKey].dump(), "; this program reads version ", kVersion));
  }
  Reader reader("calibration statistics");
  Statistics statistics;
  const Json& hash = reader.Get(json, "model_hash", Json::value_t::string);
  const Json& samples = reader.Get(json, "samples", Json::value_t::array);
  const Json& tensors = reader.Get(json, "tensors", Json::value_t::object);
  if (!reader.status().ok()) return reader.status();
  statistics.model_hash = hash.get<std::string>();
  for (const Json& sample : samples) {
    uint64_t value = 0;
    if (!sample.is_string() || !absl::SimpleHexAtoi(sample.get_ref<const std::string&>(), &value)) reader.Fail("samples");
    statistics.samples.push_back(value);
  }
  if (!reader.status().ok()) return reader.status();
  std::sort(statistics.samples.begin(), statistics.samples.end());
  for (const auto& [name, value] : tensors.items()) {
    OMKIT_ASSIGN_OR_RETURN(statistics.tensors[name], TensorFromJson(name, value));
  }
  return statistics;
}

absl::StatusOr<Statistics> ReadStatistics(const std::string& path) {
  OMKIT_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMostFileBytes));
  absl::StatusOr<Statistics> statistics = ParseStatistics(text);
  if (!statistics.ok()) return Annotate(statistics.status(), absl::StrCat("'", path, "'"));
  return statistics;
}

absl::Status WriteStatistics(const Statistics& statistics, const std::string& path) { return WriteFile(path, SerializeStatistics(statistics)); }

}  // namespace omkit::passes
