#include "base/narrow.h"

#include <cmath>

#include "gtest/gtest.h"

namespace omkit {
namespace {

constexpr DType kFloats[] = {kFloat8E4M3FN, kFloat8E4M3FNUZ, kFloat8E5M2, kFloat8E5M2FNUZ, kFloat4E2M1};

int Width(DType dtype) { return dtype == kFloat4E2M1 || dtype == kInt4 || dtype == kUInt4 ? 4 : 8; }

TEST(Narrow, EveryPatternSurvivesTheRoundTrip) {
  for (DType dtype : {kFloats[0], kFloats[1], kFloats[2], kFloats[3], kFloats[4], kInt4, kUInt4}) {
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
  EXPECT_TRUE(std::isnan(FromNarrow(kFloat8E4M3FN, ToNarrow(kFloat8E4M3FN, 1e9f, false))));
  EXPECT_TRUE(std::isnan(FromNarrow(kFloat8E5M2FNUZ, ToNarrow(kFloat8E5M2FNUZ, 1e9f, false))));
  EXPECT_EQ(FromNarrow(kFloat8E5M2, ToNarrow(kFloat8E5M2, -1e9f, false)), -INFINITY);
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
