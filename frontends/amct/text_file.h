// Text protobuf files with messages that help: line and column, and for an unknown field the nearest known one. Floor 3.
#ifndef OMKIT_FRONTENDS_AMCT_TEXT_FILE_H_
#define OMKIT_FRONTENDS_AMCT_TEXT_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "frontends/amct/amct.pb.h"

namespace omkit::frontends {

// INVALID_ARGUMENT: "3:5: unknown field 'skip_layer'; did you mean 'skip_layers'?". Files above 4 MB are refused.
absl::StatusOr<amct::AMCTConfig> ParseAmctConfig(absl::string_view text);
absl::StatusOr<amct::ScaleOffsetRecord> ParseRecord(absl::string_view text);
// Values of text fields may stand without quotes up to the end of the line, as CANN's documents write them.
absl::StatusOr<amct::CompressionOptimizeConf> ParseCompressionConf(absl::string_view text);

// From files; errors begin with the path.
absl::StatusOr<amct::AMCTConfig> ReadAmctConfig(const std::string& path);
absl::StatusOr<amct::ScaleOffsetRecord> ReadRecord(const std::string& path);
absl::StatusOr<amct::CompressionOptimizeConf> ReadCompressionConf(const std::string& path);

// One entry per layer in the form that AMCT writes.
std::string SerializeRecord(const amct::ScaleOffsetRecord& record);

}  // namespace omkit::frontends

#endif  // OMKIT_FRONTENDS_AMCT_TEXT_FILE_H_
