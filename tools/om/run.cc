#include <errno.h>
#include <sys/stat.h>

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "backends/run_side.h"
#include "base/file.h"
#include "base/shape.h"
#include "base/status.h"
#include "runtime/arena.h"
#include "runtime/latency.h"
#include "runtime/model.h"
#include "tools/om/om.h"

namespace omkit::om {
namespace {

using runtime::Arena;
using runtime::IoDesc;
using runtime::Model;

absl::StatusOr<std::vector<Arena>> MakeBuffers(const std::vector<IoDesc>& list) {
  std::vector<Arena> buffers;
  for (const IoDesc& io : list) {
    OMKIT_ASSIGN_OR_RETURN(Arena buffer, Arena::Allocate(io.bytes, absl::StrCat("'", io.name, "'")));
    buffers.push_back(std::move(buffer));
  }
  return buffers;
}

absl::Status FillInputs(const std::vector<std::string>& files, const std::vector<IoDesc>& inputs, std::vector<Arena>* buffers) {
  if (files.empty()) return absl::OkStatus();
  if (files.size() != inputs.size()) {
    return absl::InvalidArgumentError(absl::StrCat("--input names ", files.size(), " files, the model has ", inputs.size(), " inputs"));
  }
  for (size_t i = 0; i < files.size(); ++i) {
    const IoDesc& io = inputs[i];
    OMKIT_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(files[i], std::max<uint64_t>(io.bytes, 1) * 16 + 4096));
    if (bytes.size() != io.bytes) {
      return absl::InvalidArgumentError(absl::StrCat("input ", i, " '", io.name, "' is ", Name(io.dtype), " ", Shape(io.dims).ToString(), " = ",
                                                     io.bytes, " bytes, '", files[i], "' has ", bytes.size()));
    }
    std::copy(bytes.begin(), bytes.end(), (*buffers)[i].data());
  }
  return absl::OkStatus();
}

absl::Status WriteOutputs(const std::string& folder, const std::vector<Arena>& buffers, std::ostream& out) {
  if (folder.empty()) return absl::OkStatus();
  if (mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST) return ErrnoStatus(errno, "make folder", folder);
  for (size_t i = 0; i < buffers.size(); ++i) {
    const std::string path = absl::StrCat(folder, "/output_", i, ".bin");
    OMKIT_RETURN_IF_ERROR(WriteFile(path, {reinterpret_cast<const char*>(buffers[i].data()), static_cast<size_t>(buffers[i].size())}));
    out << "wrote " << path << ", " << buffers[i].size() << " bytes\n";
  }
  return absl::OkStatus();
}

void PrintLatencies(const runtime::LatencyStatistics& s, std::ostream& out) {
  const auto ms = [](double value) { return value * 1e-6; };
  out << absl::StrFormat("latency ms   mean %.4f  min %.4f  p50 %.4f  p90 %.4f  p99 %.4f  max %.4f\n", ms(s.mean), ms(s.least), ms(s.p50), ms(s.p90),
                         ms(s.p99), ms(s.most));
  out << absl::StrFormat("throughput   %.2f executions per second\n", s.throughput());
}

void PrintProfile(const Model& model, const runtime::Profiler& profiler, std::ostream& out) {
  const std::vector<runtime::StepStatistics> statistics = profiler.statistics();
  double sum = 0;
  for (const auto& s : statistics) sum += static_cast<double>(s.total_ns);
  out << "\n step    mean us     min us     max us  share    Gop/s  kernel                         node\n";
  for (size_t i = 0; i < statistics.size(); ++i) {
    const runtime::StepStatistics& s = statistics[i];
    const runtime::Step& step = model.program().steps[i];
    const double mean = static_cast<double>(s.total_ns) / static_cast<double>(std::max<int64_t>(s.executions, 1));
    out << absl::StrFormat("%5d %10.2f %10.2f %10.2f %5.1f%% %8.2f  %-30s %s\n", i, mean * 1e-3, s.least_ns * 1e-3, s.most_ns * 1e-3,
                           sum > 0 ? 100 * static_cast<double>(s.total_ns) / sum : 0, mean > 0 ? static_cast<double>(step.operations) / mean : 0,
                           absl::Utf8SafeCHexEscape(step.kernel), absl::Utf8SafeCHexEscape(step.node));
  }
}

}  // namespace

absl::Status Run(const RunRequest& request, std::ostream& out) {
  RegisterKernelsAndPlugins(request.plugin_path);
  runtime::ModelOptions options;
  options.threads = request.threads;
  const int64_t before_load = runtime::MonotonicNanoseconds();
  OMKIT_ASSIGN_OR_RETURN(const std::unique_ptr<Model> model, Model::Load(request.model, options));
  const int64_t load_ns = runtime::MonotonicNanoseconds() - before_load;
  OMKIT_ASSIGN_OR_RETURN(std::vector<Arena> inputs, MakeBuffers(model->inputs()));
  OMKIT_ASSIGN_OR_RETURN(std::vector<Arena> outputs, MakeBuffers(model->outputs()));
  OMKIT_RETURN_IF_ERROR(FillInputs(request.inputs, model->inputs(), &inputs));
  std::vector<const void*> input_addresses;
  std::vector<void*> output_addresses;
  for (const Arena& buffer : inputs) input_addresses.push_back(buffer.data());
  for (const Arena& buffer : outputs) output_addresses.push_back(buffer.data());

  for (int i = 0; i < request.warmup; ++i) OMKIT_RETURN_IF_ERROR(model->Execute(input_addresses, output_addresses));
  runtime::Profiler profiler(model->program().steps.size());
  std::vector<int64_t> ns;
  ns.reserve(std::min(request.loop, 1 << 20));
  for (int i = 0; i < request.loop; ++i) {
    const int64_t begin = runtime::MonotonicNanoseconds();
    OMKIT_RETURN_IF_ERROR(model->Execute(input_addresses, output_addresses, request.profile ? &profiler : nullptr));
    ns.push_back(runtime::MonotonicNanoseconds() - begin);
  }
  out << absl::StrFormat("model        %s (%s), %d threads, load %.2f ms\n", absl::Utf8SafeCHexEscape(model->program().model_name),
                         model->program().soc_version, model->threads(), load_ns * 1e-6);
  out << absl::StrFormat("memory       weights %d bytes, workspace %d bytes\n", model->weights_bytes(), model->workspace_bytes());
  if (request.inputs.empty() && !model->inputs().empty()) out << "inputs       zeros (no --input)\n";
  PrintLatencies(runtime::Summarize(std::move(ns)), out);
  if (request.profile) PrintProfile(*model, profiler, out);
  return WriteOutputs(request.output, outputs, out);
}

}  // namespace omkit::om
