// The command line of accuracy. Floor 5.
#ifndef OMKIT_TOOLS_ACCURACY_OPTIONS_H_
#define OMKIT_TOOLS_ACCURACY_OPTIONS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace omkit::accuracy {

struct Options {
  std::string model, om, data, preprocess, labels, reference, json, html;
  int label_offset = 0;
  int samples = 0;  // 0: all
  int layer_samples = 8;
  bool effect = true;
};

std::string Usage();

// INVALID_ARGUMENT names the flag; unknown ones come with the nearest known name.
absl::StatusOr<Options> ParseOptions(absl::Span<const std::string> arguments);

}  // namespace omkit::accuracy

#endif  // OMKIT_TOOLS_ACCURACY_OPTIONS_H_
