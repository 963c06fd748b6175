#include "base/narrow.h"

#include <cmath>

#include "gtest/gtest.h"

namespace omkit {
namespace {

constexpr DType kFloats[] = {DType::kFloat8E4M3FN, DType::kFloat8E4M3FNUZ, DType::kFloat8E5M2, DType::kFloat8E5M2FNUZ, DType::kFloat4E2M1};

int Width(DType dtype) { return dtype == DType::kFloat4E2M1 || dtype == DType::kInt4 || dtype == DType::kUInt4 ? 4 : 8; }

TEST(Narrow, EveryPatternSurvivesTheRoundTrip) {
  for (DType dtype : {kFloats[0], kFloats[1], kFloats[2], kFloats[3], kFloats[4], DType::kInt4, DType::kUInt4}) {
    for (int bits = 0; bits < 1 << Width(dtype); ++bits) {
      const float value = FromNarrow(dtype, static_cast<uint8_t>(bits));
      const float again = FromNarrow(dtype, ToNarrow(dtype, value, false));
      EXPECT_TRUE(value == again || (std::isnan(value) && std::isnan(again))) << Name(dtype) << " " << bits;
      if (std::isnan(value)) continue;
      EXPECT_EQ(ToNarrow(dtype, value, false), bits) << Name(dtype);
    }
  }
}

TEST(Narrow, LargestValuesAreThoseOfTheStandard) {
  const float largest[] = {448, 240, 57344, 57344, 6};
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(FromNarrow(kFloats[i], ToNarrow(kFloats[i], 1e9f, true)), largest[i]);
    EXPECT_EQ(FromNarrow(kFloats[i], ToNarrow(kFloats[i], -INFINITY, true)), -largest[i]);
  }
  EXPECT_TRUE(std::isnan(FromNarrow(DType::kFloat8E4M3FN, ToNarrow(DType::kFloat8E4M3FN, 1e9f, false))));
  EXPECT_TRUE(std::isnan(FromNarrow(DType::kFloat8E5M2FNUZ, ToNarrow(DType::kFloat8E5M2FNUZ, 1e9f, false))));
  EXPECT_EQ(FromNarrow(DType::kFloat8E5M2, ToNarrow(DType::kFloat8E5M2, -1e9f, false)), -INFINITY);
}

TEST(Narrow, RoundsToTheNearestElementTiesToEven) {
  for (DType dtype : kFloats) {
    for (int bits = 0; bits + 1 < 1 << (Width(dtype) - 1); ++bits) {
      const float a = FromNarrow(dtype, static_cast<uint8_t>(bits)), b = FromNarrow(dtype, static_cast<uint8_t>(bits + 1));
      if (!std::isfinite(a) || !std::isfinite(b)) continue;
      const float middle = (a + b) / 2;
      EXPECT_EQ(ToNarrow(dtype, std::nextafter(middle, a), true), bits);
      EXPECT_EQ(ToNarrow(dtype, std::nextafter(middle, b), true), bits + 1);
      EXPECT_EQ(ToNarrow(dtype, middle, true), bits + bits % 2) << Name(dtype);
    }
  }
}

}  // namespace
}  // namespace omkit
