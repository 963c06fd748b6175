// --compression_optimize_conf: calibration data and AMCT configuration as ATC takes them. Floor 5.
#ifndef OMKIT_TOOLS_ATC_COMPRESSION_CONF_H_
#define OMKIT_TOOLS_ATC_COMPRESSION_CONF_H_

#include <string>

#include "absl/status/status.h"
#include "backends/quantize_graph.h"
#include "ir/graph.h"

namespace omkit::atc {

// Reads the file and adds its samples and its policy to `quantize`. `graph` is the imported network. What concerns the chip that would run
// the calibration (infer_...) has no effect. An error of the samples themselves is kept apart in `data_error`, which must outlive the
// compilation. Errors have codes of errors.h and name file, line and field.
absl::Status ReadCompressionConf(const std::string& path, const ir::Graph& graph, QuantizeOptions* quantize, absl::Status* data_error);

}  // namespace omkit::atc

#endif  // OMKIT_TOOLS_ATC_COMPRESSION_CONF_H_
