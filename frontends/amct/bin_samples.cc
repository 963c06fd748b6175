#include "frontends/amct/bin_samples.h"

#include <dirent.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"

namespace omkit::frontends {

absl::StatusOr<std::vector<std::string>> FilesIn(const std::string& folder) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(folder.c_str()), closedir);
  if (dir == nullptr) return ErrnoStatus(errno, "cannot open folder", folder);
  std::vector<std::string> files;
  while (const dirent* entry = readdir(dir.get())) {
    if (entry->d_name[0] != '.') files.push_back(absl::StrCat(folder, folder.empty() || folder.back() == '/' ? "" : "/", entry->d_name));
  }
  std::sort(files.begin(), files.end());
  return files;
}

absl::StatusOr<BinSamples> BinSamples::Open(std::vector<std::vector<std::string>> files, const ir::Graph& graph) {
  if (files.size() != graph.inputs().size()) {
    return absl::InvalidArgumentError(absl::StrCat("data for ", files.size(), " inputs, but the model has ", graph.inputs().size()));
  }
  BinSamples samples;
  for (size_t k = 0; k < files.size(); ++k) {
    const ir::Value& input = graph.value(graph.inputs()[k]);
    if (!input.type.shape.IsStatic()) return absl::InvalidArgumentError(absl::StrCat("input '", input.name, "' has no fixed shape"));
    OMKIT_ASSIGN_OR_RETURN(const Tensor probe, Tensor::Allocate(input.type));
    const uint64_t bytes = probe.bytes();
    samples.types_.push_back(input.type);
    std::vector<Piece>& pieces = samples.pieces_.emplace_back();
    for (const std::string& path : files[k]) {
      OMKIT_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path));
      if (bytes == 0 || file.size() == 0 || file.size() % bytes != 0) {
        return absl::InvalidArgumentError(absl::StrCat(path, " has ", file.size(), " bytes, which is no whole number of samples of input '",
                                                       input.name, "' (", input.type.ToString(), ", ", bytes, " bytes)"));
      }
      for (uint64_t offset = 0; offset < file.size(); offset += bytes) pieces.push_back({path, offset});
    }
    if (pieces.size() != samples.pieces_[0].size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("input '", input.name, "' has ", pieces.size(), " samples, the first input ", samples.pieces_[0].size()));
    }
  }
  samples.size_ = samples.pieces_.empty() ? 0 : static_cast<int>(samples.pieces_[0].size());
  if (samples.size_ == 0) return absl::InvalidArgumentError("there are no calibration samples");
  return samples;
}

absl::StatusOr<std::vector<Tensor>> BinSamples::Sample(int i) const {
  std::vector<Tensor> sample;
  for (size_t k = 0; k < pieces_.size(); ++k) {
    const Piece& piece = pieces_[k][i];
    OMKIT_ASSIGN_OR_RETURN(Tensor t, Tensor::Allocate(types_[k]));
    OMKIT_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(piece.path));
    if (piece.offset + t.bytes() > file.size()) return absl::InvalidArgumentError(absl::StrCat(piece.path, " became shorter while it was read"));
    std::memcpy(t.mutable_raw(), file.data() + piece.offset, t.bytes());
    sample.push_back(std::move(t));
  }
  return sample;
}

}  // namespace omkit::frontends
