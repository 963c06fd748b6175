// The samples of --calibrate_tool_path=DIR, read one at a time. Floor 3: passes/statistics runs the network on them.
//
// A model with one input: every *.bin, *.npy, *.jpg, *.jpeg and *.png file in DIR, in byte order of the file names. Several inputs: DIR has one
// folder per input, called like the input ('/' and ':' may be written as '_'), with the same file names in each; the files of one name belong
// together. Names that start with '.' and other extensions are passed over.
//   .bin  raw little-endian values in the input's element type and shape, once or several times behind one another (several samples)
//   .npy  format version 1 to 3, C order, the input's element type; shape: the input's, its first dimension may be a multiple, and a
//         first dimension of 1 may be missing
//   .jpg, .jpeg, .png  pictures, when a preprocessing is given (image_preprocess.h) or the input has a PictureReader
// In place of a folder, files separated by ',', one per input in the model's order, each with all samples behind one another (AMCT's
// input_data_dir).
// A sample always fills one whole input: for a model compiled with batch N each sample holds N items.
#ifndef OMKIT_FRONTENDS_CALIBRATION_DATA_H_
#define OMKIT_FRONTENDS_CALIBRATION_DATA_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/tensor.h"
#include "frontends/image_preprocess.h"
#include "ir/graph.h"

namespace omkit::frontends {

// Makes the tensor of an input from a picture.
using PictureReader = std::function<absl::StatusOr<Tensor>(const Image&, const TensorType&)>;

class CalibrationData {
 public:
  // `preprocess` turns pictures into samples, see image_preprocess.h; without it `readers` do, by the number of the input; pictures of other
  // inputs are an error.
  // Lists the files and checks every size and .npy header; the graph's input shapes must be static. Errors name the file, its bytes,
  // and what the input needs. NOT_FOUND: no such folder. INVALID_ARGUMENT: no samples, wrong sizes, folders that do not match.
  static absl::StatusOr<CalibrationData> Open(const std::string& directory, const ir::Graph& graph, const std::string& preprocess = "",
                                              const std::map<int, PictureReader>& readers = {});

  int size() const { return size_; }
  // The file's name without its extension, and "#k" behind it for the k-th of several samples in one file.
  std::string SampleName(int i) const;
  // One tensor per graph input, in the graph's order; 0 <= i < size(). NaN and infinities are errors that name file and element.
  // Thread-safe: reads the files anew each time.
  absl::StatusOr<std::vector<Tensor>> Sample(int i) const;

 private:
  struct File {
    std::string path;
    uint64_t data_offset = 0;  // of the first value
    int first_sample = 0;
    bool picture = false;
  };
  struct Input {
    std::string name;
    TensorType type;
    std::vector<File> files;
    std::vector<std::string> file_names;
    int samples = 0;
    PictureReader read;  // empty: pictures are an error
  };
  absl::Status ListFiles(const std::string& folder, Input* input) const;
  absl::Status AddFile(const std::string& path, const std::string& name, Input* input) const;
  absl::Status OpenFolders(const std::string& directory);
  absl::Status OpenFiles(const std::vector<std::string>& paths);
  absl::Status CheckAgreement() const;
  absl::StatusOr<Tensor> ReadValues(const Input& input, const File& file, int i) const;

  std::vector<Input> inputs_;
  int size_ = 0;
};

}  // namespace omkit::frontends

#endif  // OMKIT_FRONTENDS_CALIBRATION_DATA_H_
