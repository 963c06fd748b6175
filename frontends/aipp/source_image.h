// Pictures on both sides of a static AIPP stage: as the camera's bytes, and as what the network sees. Floor 3; calibration with picture files
// and the tool `aipp` use it.
#ifndef OMKIT_FRONTENDS_AIPP_SOURCE_IMAGE_H_
#define OMKIT_FRONTENDS_AIPP_SOURCE_IMAGE_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "base/aipp.h"
#include "base/tensor.h"
#include "frontends/image_file.h"

namespace omkit::frontends {

// A picture as one source image of the stage, of exactly its size. For YUV with the conversion that is nearest to the stage's.
std::vector<uint8_t> ToSource(const aipp::Spec& spec, const Image& picture);
// One source image as a picture.
Image FromSource(const aipp::Spec& spec, const std::vector<uint8_t>& image);
// Bilinear with aligned centres, any ratio; averages where it shrinks.
Image Scaled(const Image& picture, int64_t width, int64_t height);

// What the network's input is for one source image of a static stage: float32 [1, C, H, W], by the operator's reference meaning.
absl::StatusOr<Tensor> BehindAipp(aipp::Stage stage, const std::vector<uint8_t>& source);

}  // namespace omkit::frontends

#endif  // OMKIT_FRONTENDS_AIPP_SOURCE_IMAGE_H_
