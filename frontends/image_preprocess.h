// From a picture to a network input: --calibrate_preprocess. Floor 3, part of the calibration data reader.
//
//   "resize=256,crop=224,order=RGB,scale=1/255,mean=0.485;0.456;0.406,std=0.229;0.224;0.225"
//
//   resize  N: the shorter side becomes N; WxH: exactly that; none: the picture keeps its size. Default: the input's size
//   crop    N or WxH from the middle. Default: nothing is cut off
//   order   RGB (default), BGR or GRAY (ITU-R BT.601 luma)
//   scale, mean, std   value = (pixel * scale - mean) / std; one number, or one per channel separated by ';'; "a/b" is a quotient
// Scaling is bilinear with the filter widened when the picture shrinks, as Pillow's BILINEAR does it; pixels stay real numbers.
#ifndef OMKIT_FRONTENDS_IMAGE_PREPROCESS_H_
#define OMKIT_FRONTENDS_IMAGE_PREPROCESS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/tensor.h"
#include "frontends/image_file.h"

namespace omkit::frontends {

class ImagePreprocess {
 public:
  enum class Order { kRgb, kBgr, kGray };

  // INVALID_ARGUMENT names the key and what it takes.
  static absl::StatusOr<ImagePreprocess> Parse(absl::string_view text);

  // Fills a tensor of `type`: rank 4 with 1 or 3 channels in dimension 1 (NCHW) or 3 (NHWC), or rank 3 without the batch; batch 1;
  // float32 or uint8. INVALID_ARGUMENT when the type is another, or the picture does not have the input's size after resize and crop.
  absl::StatusOr<Tensor> Apply(const Image& image, const TensorType& type) const;

 private:
  struct Size {
    int64_t width = 0, height = 0;  // 0 and 0: not given; height 0: the shorter side is `width`
  };
  static absl::StatusOr<Size> ParseSize(absl::string_view key, absl::string_view text);
  absl::Status Set(absl::string_view key, absl::string_view value);

  bool keep_size_ = false;
  Size resize_, crop_;
  Order order_ = Order::kRgb;
  std::vector<double> scale_ = {1}, mean_ = {0}, std_ = {1};
};

}  // namespace omkit::frontends

#endif  // OMKIT_FRONTENDS_IMAGE_PREPROCESS_H_
