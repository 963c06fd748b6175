// The two picture decoders behind frontends/image_file.h. Floor 3, private to it.
#ifndef OMKIT_FRONTENDS_IMAGE_CODECS_H_
#define OMKIT_FRONTENDS_IMAGE_CODECS_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "frontends/image_file.h"

namespace omkit::frontends {

// INVALID_ARGUMENT or RESOURCE_EXHAUSTED when a picture of this size is not accepted.
absl::Status CheckImageSize(int64_t width, int64_t height);

absl::StatusOr<Image> DecodeJpeg(absl::string_view bytes);
absl::StatusOr<Image> DecodePng(absl::string_view bytes);

}  // namespace omkit::frontends

#endif  // OMKIT_FRONTENDS_IMAGE_CODECS_H_
