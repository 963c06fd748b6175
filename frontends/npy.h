// Headers of NumPy's .npy files. Floor 3, part of the calibration data reader.
// Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#ifndef OMKIT_FRONTENDS_NPY_H_
#define OMKIT_FRONTENDS_NPY_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/dtype.h"

namespace omkit::frontends {

struct NpyHeader {
  DType dtype = DType::kUndefined;
  std::vector<int64_t> shape;
  uint64_t data_offset = 0;  // bytes from the start of the file
};

// The longest header that is read; NumPy itself refuses longer ones.
constexpr size_t kMaxNpyHeader = 10000 + 12;

// `start`: the first bytes of the file, up to kMaxNpyHeader of them. Errors: no .npy file, a version other than 1 to 3, a cut header,
// Fortran order, big-endian values, structured or unsupported element types, negative or more than kMaxRank dimensions.
absl::StatusOr<NpyHeader> ParseNpyHeader(absl::string_view start);

}  // namespace omkit::frontends

#endif  // OMKIT_FRONTENDS_NPY_H_
