// The picture decoders behind frontends/image_file.h. Floor 3, private to it.
#ifndef OMKIT_FRONTENDS_IMAGE_CODECS_H_
#define OMKIT_FRONTENDS_IMAGE_CODECS_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "frontends/image_file.h"

namespace omkit::frontends {

// INVALID_ARGUMENT or RESOURCE_EXHAUSTED when a picture of this size is not accepted.
absl::Status CheckImageSize(int64_t width, int64_t height);

constexpr absl::string_view kJ2kStart("\xff\x4f\xff\x51", 4);  // a JPEG 2000 code stream, alone or inside a file

// Formats whose first bytes alone tell little: true when the header behind them is one.
bool IsBmp(absl::string_view bytes);
bool IsPnm(absl::string_view bytes);

// Each is given bytes that begin as its format does.
absl::StatusOr<Image> DecodeBmp(absl::string_view bytes);
absl::StatusOr<Image> DecodeJpeg(absl::string_view bytes);
absl::StatusOr<Image> DecodeJpeg2000(absl::string_view bytes);
absl::StatusOr<Image> DecodePng(absl::string_view bytes);
absl::StatusOr<Image> DecodePnm(absl::string_view bytes);
absl::StatusOr<Image> DecodeTiff(absl::string_view bytes);
absl::StatusOr<Image> DecodeWebp(absl::string_view bytes);

}  // namespace omkit::frontends

#endif  // OMKIT_FRONTENDS_IMAGE_CODECS_H_
