#include <dirent.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "backends/run_side.h"
#include "base/dtype.h"
#include "base/file.h"
#include "base/status.h"
#include "runtime/model.h"
#include "tools/om/om.h"

namespace omkit::om {
namespace {

using runtime::IoDesc;
using runtime::Model;

// Names of the samples: of the *.bin files in the folder.
absl::StatusOr<std::vector<std::string>> ListSamples(const std::string& folder) {
  DIR* const dir = opendir(folder.c_str());
  if (dir == nullptr) return ErrnoStatus(errno, "open folder", folder);
  std::vector<std::string> names;
  while (const dirent* entry = readdir(dir)) {
    if (absl::EndsWith(entry->d_name, ".bin")) names.push_back(entry->d_name);
  }
  closedir(dir);
  if (names.empty()) return absl::NotFoundError(absl::StrCat("folder '", folder, "' has no samples, *.bin"));
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status CheckSameInputs(const Model& a, const Model& b) {
  const auto same = [](const IoDesc& x, const IoDesc& y) { return x.name == y.name && x.dtype == y.dtype && x.dims == y.dims; };
  const auto equal = [&](const std::vector<IoDesc>& x, const std::vector<IoDesc>& y) {
    return std::equal(x.begin(), x.end(), y.begin(), y.end(), same);
  };
  if (equal(a.inputs(), b.inputs()) && equal(a.outputs(), b.outputs())) return absl::OkStatus();
  return absl::InvalidArgumentError("the two models have different inputs or outputs");
}

absl::StatusOr<std::vector<std::string>> RunOnce(Model& model, const std::vector<std::string>& inputs) {
  std::vector<const void*> in;
  std::vector<void*> out;
  std::vector<std::string> results;
  for (const std::string& bytes : inputs) in.push_back(bytes.data());
  for (const IoDesc& io : model.outputs()) results.emplace_back(io.bytes, '\0');
  for (std::string& result : results) out.push_back(result.data());
  OMKIT_RETURN_IF_ERROR(model.Execute(in, out));
  return results;
}

// The elements of an output as real numbers.
std::vector<double> Numbers(const IoDesc& io, const std::string& bytes) {
  std::vector<double> numbers;
  DispatchDType(io.dtype, [&](auto type) {
    using T = decltype(type);
    for (size_t at = 0; at + sizeof(T) <= bytes.size(); at += sizeof(T)) {
      T value;
      std::memcpy(&value, bytes.data() + at, sizeof value);
      if constexpr (std::is_same_v<T, Float16>) numbers.push_back(FromFloat16(value));
      else if constexpr (std::is_same_v<T, BFloat16>) numbers.push_back(FromBFloat16(value));
      else numbers.push_back(static_cast<double>(value));
    }
  });
  return numbers;
}

// Vectors that are both zero have a cosine of 1; one with NaN has none with any.
double Cosine(const std::vector<double>& a, const std::vector<double>& b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) ab += a[i] * b[i], aa += a[i] * a[i], bb += b[i] * b[i];
  if (aa == 0 && bb == 0) return 1;
  const double cosine = ab / std::sqrt(aa * bb);
  return cosine == cosine ? cosine : -1;
}

size_t Largest(const std::vector<double>& v) { return std::max_element(v.begin(), v.end()) - v.begin(); }

struct Closeness {
  double least_cosine = 1, sum_of_cosines = 0;
  int64_t cosines = 0, same_class = 0;
  std::string worst;
};

absl::Status AddSample(const CompareRequest& request, const std::string& name, Model& model, Model& reference, Closeness* closeness) {
  std::vector<std::string> inputs;
  for (const IoDesc& io : model.inputs()) {
    const std::string path =
        model.inputs().size() == 1 ? absl::StrCat(request.samples, "/", name) : absl::StrCat(request.samples, "/", io.name, "/", name);
    OMKIT_ASSIGN_OR_RETURN(std::string bytes, ReadFile(path, io.bytes + 1));
    if (bytes.size() != io.bytes)
      return absl::InvalidArgumentError(absl::StrCat("'", path, "' has ", bytes.size(), " bytes, input '", io.name, "' has ", io.bytes));
    inputs.push_back(std::move(bytes));
  }
  OMKIT_ASSIGN_OR_RETURN(const std::vector<std::string> have, RunOnce(model, inputs));
  OMKIT_ASSIGN_OR_RETURN(const std::vector<std::string> want, RunOnce(reference, inputs));
  for (size_t i = 0; i < have.size(); ++i) {
    const std::vector<double> a = Numbers(model.outputs()[i], have[i]), b = Numbers(model.outputs()[i], want[i]);
    const double cosine = Cosine(a, b);
    closeness->sum_of_cosines += cosine;
    ++closeness->cosines;
    if (cosine < closeness->least_cosine)
      closeness->least_cosine = cosine, closeness->worst = absl::StrCat("sample ", name, ", output '", model.outputs()[i].name, "'");
    if (i == 0) closeness->same_class += Largest(a) == Largest(b);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Compare(const CompareRequest& request, std::ostream& out) {
  RegisterKernelsAndPlugins(request.plugin_path);
  runtime::ModelOptions options;
  options.threads = request.threads;
  OMKIT_ASSIGN_OR_RETURN(const std::unique_ptr<Model> model, Model::Load(request.model, options));
  OMKIT_ASSIGN_OR_RETURN(const std::unique_ptr<Model> reference, Model::Load(request.reference, options));
  OMKIT_RETURN_IF_ERROR(CheckSameInputs(*model, *reference));
  if (model->inputs().empty()) return absl::InvalidArgumentError("the models have no inputs");
  const std::string names_in = model->inputs().size() == 1 ? request.samples : absl::StrCat(request.samples, "/", model->inputs()[0].name);
  OMKIT_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListSamples(names_in));
  Closeness closeness;
  for (const std::string& name : names) OMKIT_RETURN_IF_ERROR(AddSample(request, name, *model, *reference, &closeness));
  const double same_class = static_cast<double>(closeness.same_class) / static_cast<double>(names.size());
  out << absl::StrFormat("samples      %d\ncosine       mean %.6f  least %.6f%s\nsame class   %.2f %%\n", names.size(),
                         closeness.sum_of_cosines / static_cast<double>(std::max<int64_t>(closeness.cosines, 1)), closeness.least_cosine,
                         closeness.worst.empty() ? "" : absl::StrCat(" (", closeness.worst, ")"), 100 * same_class);
  if (closeness.least_cosine < request.min_cosine)
    return absl::FailedPreconditionError(absl::StrFormat("the least cosine is %.6f, asked for is %g", closeness.least_cosine, request.min_cosine));
  if (same_class < request.min_same_class)
    return absl::FailedPreconditionError(
        absl::StrFormat("the same class has %g of the samples, asked for is %g", same_class, request.min_same_class));
  return absl::OkStatus();
}

}  // namespace omkit::om
