// Calibration data as AMCT takes it: for each model input files of raw elements in the model's layout and type, each of which holds one
// sample after another. Floor 3.
#ifndef OMKIT_FRONTENDS_AMCT_BIN_SAMPLES_H_
#define OMKIT_FRONTENDS_AMCT_BIN_SAMPLES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/tensor.h"
#include "ir/graph.h"

namespace omkit::frontends {

class BinSamples {
 public:
  // `files[k]`: the files of graph input k, in order. Shapes must be bound. Errors name the file: sizes that are no whole number of
  // samples, inputs with different numbers of samples, no samples.
  static absl::StatusOr<BinSamples> Open(std::vector<std::vector<std::string>> files, const ir::Graph& graph);

  int size() const { return size_; }
  absl::StatusOr<std::vector<Tensor>> Sample(int i) const;

 private:
  struct Piece {
    std::string path;
    uint64_t offset;
  };
  std::vector<TensorType> types_;
  std::vector<std::vector<Piece>> pieces_;  // per input, per sample
  int size_ = 0;
};

// Files of a folder in the order of their names, hidden ones left out.
absl::StatusOr<std::vector<std::string>> FilesIn(const std::string& folder);

}  // namespace omkit::frontends

#endif  // OMKIT_FRONTENDS_AMCT_BIN_SAMPLES_H_
