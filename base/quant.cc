#include "base/quant.h"

#include <limits>

#include "absl/strings/str_cat.h"

namespace omkit {

absl::Status ValidateQuantParams(const QuantParams& params, DType dtype) {
  if (params.scale.empty()) return absl::InvalidArgumentError("quantization has no scale");
  if (params.scale.size() != params.zero_point.size()) {
    return absl::InvalidArgumentError(absl::StrCat(params.scale.size(), " scales but ", params.zero_point.size(), " zero points"));
  }
  if (params.axis < 0 && params.scale.size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat(params.scale.size(), " scales but no axis"));
  }
  const QuantRange range = RangeOf(dtype);
  for (size_t i = 0; i < params.scale.size(); ++i) {
    const float scale = params.scale[i];
    if (!(scale >= std::numeric_limits<float>::min()) || !std::isfinite(scale)) {
      return absl::InvalidArgumentError(absl::StrCat("scale[", i, "] = ", scale, " is not a finite, normal, positive number"));
    }
    if (params.zero_point[i] < range.min || params.zero_point[i] > range.max) {
      return absl::InvalidArgumentError(
          absl::StrCat("zero point[", i, "] = ", params.zero_point[i], " is outside [", range.min, ", ", range.max, "] of ", Name(dtype)));
    }
  }
  return absl::OkStatus();
}

QuantRange RangeOf(DType dtype) {
  switch (dtype) {
    case DType::kInt8: return {-128, 127};
    case DType::kUInt8: return {0, 255};
    case DType::kInt16: return {-32768, 32767};
    case DType::kUInt16: return {0, 65535};
    default: return {std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()};
  }
}

QuantParams ChooseAsymmetricU8(float lo, float hi) {
  constexpr float kNarrowest = 8e-4f;
  constexpr double kLevels = 255.0;
  double low = std::min(lo, 0.0f);
  double high = std::max(hi, 0.0f);
  if (high - low < kNarrowest) {
    const double widen = (kNarrowest - (high - low)) / 2;
    low = low < 0 ? low - widen : low;
    high = low < 0 ? high + widen : low + kNarrowest;
  }
  const double scale = (high - low) / kLevels;
  const double zero = std::min(std::max(std::nearbyint(-low / scale), 0.0), kLevels);
  return QuantParams::PerTensor(static_cast<float>(scale), static_cast<int32_t>(zero));
}

float ChooseSymmetricS8(float amax) { return amax > 0 ? std::max(amax / 127.0f, std::numeric_limits<float>::min()) : 1.0f; }

}  // namespace omkit
