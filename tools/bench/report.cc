#include "tools/bench/report.h"

#include <algorithm>
#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/cpu.h"
#include "nlohmann/json.hpp"

namespace omkit::bench {
namespace {

using Json = nlohmann::ordered_json;

double Ms(double ns) { return ns * 1e-6; }
double Mib(double bytes) { return bytes / (1 << 20); }
double Gops(int64_t operations, double ns) { return ns > 0 ? static_cast<double>(operations) / ns : 0; }

std::string Percent(double value, double whole) { return whole > 0 && value > 0 ? absl::StrFormat("%.1f", 100 * value / whole) : "-"; }

// "net.om", "net.om, batch 4".
std::string NameOf(const Result& result) {
  return absl::StrCat(absl::Utf8SafeCHexEscape(result.model), result.batch > 0 ? absl::StrCat(", batch ", result.batch) : "");
}

void PrintLayers(const Machine& machine, const Result& result, std::ostream& out) {
  double sum = 0;
  for (const LayerResult& layer : result.layers) sum += static_cast<double>(layer.time.total_ns);
  out << absl::StrFormat("\n%s, %d threads\n step    mean us     min us  share    Gop/s  %% peak  %-24s node\n", NameOf(result), result.threads,
                         "kernel");
  for (size_t i = 0; i < result.layers.size(); ++i) {
    const LayerResult& layer = result.layers[i];
    const double mean = static_cast<double>(layer.time.total_ns) / static_cast<double>(std::max<int64_t>(layer.time.executions, 1));
    const double gops = Gops(layer.operations, static_cast<double>(layer.time.least_ns));
    out << absl::StrFormat("%5d %10.2f %10.2f %5s%% %8.1f %7s  %-24s %s\n", i, mean * 1e-3, layer.time.least_ns * 1e-3,
                           Percent(static_cast<double>(layer.time.total_ns), sum), gops, Percent(gops, PeakOf(machine, layer.kernel, result.threads)),
                           absl::Utf8SafeCHexEscape(layer.kernel), absl::Utf8SafeCHexEscape(layer.node));
  }
}

// Names come from files; invalid UTF-8 would make dump() throw.
std::string Text(const std::string& name) { return absl::Utf8SafeCHexEscape(name); }

Json LayerJson(const Machine& machine, const LayerResult& layer, int threads) {
  const double gops = Gops(layer.operations, static_cast<double>(layer.time.least_ns)), peak = PeakOf(machine, layer.kernel, threads);
  Json json = {
      {"node", Text(layer.node)},
      {"op", Text(layer.op)},
      {"kernel", Text(layer.kernel)},
      {"operations", layer.operations},
      {"mean_us", static_cast<double>(layer.time.total_ns) * 1e-3 / static_cast<double>(std::max<int64_t>(layer.time.executions, 1))},
      {"min_us", static_cast<double>(layer.time.least_ns) * 1e-3},
      {"gops", gops},
  };
  if (peak > 0) json["percent_of_peak"] = 100 * gops / peak;
  return json;
}

Json ResultJson(const Machine& machine, const Result& result) {
  const runtime::LatencyStatistics& latency = result.latency;
  Json json = {
      {"model", Text(result.model)},
      {"soc_version", Text(result.soc_version)},
      {"threads", result.threads},
      {"executions", latency.executions},
      {"min_ms", Ms(static_cast<double>(latency.least))},
      {"p50_ms", Ms(static_cast<double>(latency.p50))},
      {"p90_ms", Ms(static_cast<double>(latency.p90))},
      {"p99_ms", Ms(static_cast<double>(latency.p99))},
      {"max_ms", Ms(static_cast<double>(latency.most))},
      {"mean_ms", Ms(latency.mean)},
      {"executions_per_second", latency.throughput()},
      {"operations", result.operations},
      {"gops", Gops(result.operations, static_cast<double>(latency.least))},
      {"load_ms", Ms(static_cast<double>(result.load_ns))},
      {"peak_rss_bytes", result.peak_rss_bytes},
      {"weights_bytes", result.weights_bytes},
      {"workspace_bytes", result.workspace_bytes},
  };
  if (result.batch > 0) {
    json["batch"] = result.batch;
    json["items_per_second"] = latency.throughput() * static_cast<double>(result.batch);
  }
  for (const LayerResult& layer : result.layers) json["layers"].push_back(LayerJson(machine, layer, result.threads));
  return json;
}

}  // namespace

Machine DescribeMachine() {
  Machine machine;
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; machine.cpu.empty() && std::getline(file, line);) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(line, absl::MaxSplits(':', 1));
    if (absl::StripAsciiWhitespace(parts.first) == "model name") machine.cpu = std::string(absl::StripAsciiWhitespace(parts.second));
  }
  machine.cores = CpuCores();
  machine.isa = IsaName(BestIsa());
  return machine;
}

double PeakOf(const Machine& machine, const std::string& kernel, int threads) {
  const double one = absl::StrContains(kernel, "_u8")     ? machine.peak.int8
                     : absl::StrContains(kernel, "_f32")  ? machine.peak.f32
                     : absl::StrContains(kernel, "_bf16") ? machine.peak.bf16
                                                          : 0;
  return one * std::min(threads, machine.cores);
}

void PrintReport(const Machine& machine, const std::vector<Result>& results, std::ostream& out) {
  out << absl::StrFormat("machine  %s, %d cores, tier %s\n", machine.cpu.empty() ? "unknown CPU" : machine.cpu, machine.cores, machine.isa);
  out << absl::StrFormat("peak     of one core: %.1f GOPS INT8, %.1f GFLOPS FP32, %.1f GFLOPS BF16\n\n", machine.peak.int8, machine.peak.f32,
                         machine.peak.bf16);
  out << "threads  executions    min ms    p50 ms    p90 ms    p99 ms   mean ms   per s    Gop/s  load ms  peak MiB  model\n";
  for (const Result& result : results) {
    const runtime::LatencyStatistics& latency = result.latency;
    out << absl::StrFormat("%7d %11d %9.4f %9.4f %9.4f %9.4f %9.4f %7.1f %8.1f %8.2f %9.1f  %s\n", result.threads, latency.executions,
                           Ms(static_cast<double>(latency.least)), Ms(static_cast<double>(latency.p50)), Ms(static_cast<double>(latency.p90)),
                           Ms(static_cast<double>(latency.p99)), Ms(latency.mean), latency.throughput(),
                           Gops(result.operations, static_cast<double>(latency.least)), Ms(static_cast<double>(result.load_ns)),
                           Mib(static_cast<double>(result.peak_rss_bytes)), NameOf(result));
  }
  for (const Result& result : results) {
    if (!result.layers.empty()) PrintLayers(machine, result, out);
  }
}

std::string JsonReport(const Machine& machine, const std::vector<Result>& results) {
  Json json = {
      {"machine", {{"cpu", Text(machine.cpu)}, {"cores", machine.cores}, {"isa", machine.isa}}},
      {"peak_of_one_core", {{"int8_gops", machine.peak.int8}, {"f32_gops", machine.peak.f32}, {"bf16_gops", machine.peak.bf16}}},
      {"results", Json::array()},
  };
  for (const Result& result : results) json["results"].push_back(ResultJson(machine, result));
  return json.dump(1) + "\n";
}

}  // namespace omkit::bench
