// Portable: four rows by sixteen columns on lanes, one k per step. Every product of a uint8 and an int8 fits int16.
// Packed columns: [group of 16][k][16].
#include "backends/kernels/lanes.h"
#include "backends/kernels/matmul_u8/matmul_u8.h"
#include "backends/kernels/matmul_u8/product.h"
#include "backends/kernels/tier.h"

namespace omkit::kernels {
namespace {

struct Lanewise {
  static void Pack(const Product& product, const MatMulU8Params& p, const Columns& columns) {
    const int32_t b_zero = p.b_zero - 128;
    int8_t* to = columns.packed;
    for (int64_t first = 0; first < kPackedColumns; first += kLanes) {
      int32_t sums[kLanes] = {};
      for (int64_t k = 0; k < product.k; ++k) {
        const uint8_t* from = product.b + k * product.b_row + (columns.first + first) * product.b_column;
        for (int64_t c = 0; c < kLanes; ++c) {
          const int value = first + c < columns.count ? from[c * product.b_column] - 128 : 0;
          sums[c] += value;
          *to++ = static_cast<int8_t>(value);
        }
      }
      for (int64_t c = 0; c < kLanes; ++c) {
        columns.terms[first + c] =
            static_cast<int32_t>(static_cast<int64_t>(product.k) * p.a_zero * b_zero - static_cast<int64_t>(p.a_zero) * sums[c]);
      }
    }
  }

  static void Rows(const Product& product, const MatMulU8Params& p, const Columns& columns, int64_t begin, int64_t end) {
    const Rounding rounding = MakeRounding(p.out_zero, p.clamp_min, p.clamp_max);
    for (int64_t first = 0; first < columns.count; first += kLanes) {
      const int count = static_cast<int>(columns.count - first < kLanes ? columns.count - first : kLanes);
      int64_t i = begin;
      for (; i + 4 <= end; i += 4) Tile<4>(product, p, columns, rounding, i, first, count);
      for (; i < end; ++i) Tile<1>(product, p, columns, rounding, i, first, count);
    }
  }

  template <int kRows>
  static void Tile(const Product& product, const MatMulU8Params& p, const Columns& columns, const Rounding& rounding, int64_t row, int64_t first,
                   int count) {
    LanesS32 acc[kRows];
    const LanesS32 terms = Load<LanesS32>(columns.terms + first);
    for (int r = 0; r < kRows; ++r) acc[r] = terms + Splat(columns.row_terms[row + r]);
    const int8_t* packed = columns.packed + first * product.k;
    const uint8_t* a = product.a + row * product.a_row;
    for (int64_t k = 0; k < product.k; ++k, packed += kLanes) {
      const LanesS16 b = ToWords(Load<LanesS8>(packed));
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) acc[r] = acc[r] + Widen(Splat(static_cast<int16_t>(a[r * product.a_row + k])) * b);
    }
    for (int r = 0; r < kRows; ++r) {
      const LanesF32 v = ToFloat(acc[r]) * Splat(p.multiplier);
      const int64_t at = (row + r) * product.out_row + columns.first + first;
      if (p.float_output) StoreSome(product.out + at * 4, Clamp(v, p.act_min, p.act_max), count);
      else StoreSome(product.out + at, Round(v, rounding), count);
    }
  }
};

}  // namespace

namespace OMKIT_TIER_NAMESPACE {

void PackMatMulU8(const Product& product, const MatMulU8Params& p, const Columns& columns) { Lanewise::Pack(product, p, columns); }
void RowTermsMatMulU8(const Product& product, int32_t b_zero, int64_t begin, int64_t end, int32_t* terms) {
  RowTerms(product, b_zero, begin, end, terms);
}
void MultiplyMatMulU8(const Product& product, const MatMulU8Params& p, const Columns& columns, int64_t begin, int64_t end) {
  Lanewise::Rows(product, p, columns, begin, end);
}

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
