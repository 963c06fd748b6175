// Floats of sixteen lanes (strip_lanes.h) for every tier without a source of its own.
#include "backends/kernels/attention_u8/strip.h"
#include "backends/kernels/attention_u8/strip_lanes.h"
#include "backends/kernels/tier.h"

namespace omkit::kernels {
namespace {

// Rows whose softmax is computed together.
#if defined(__AVX2__)
constexpr int kTogether = kLines;
#else
constexpr int kTogether = 1;
#endif

}  // namespace

namespace OMKIT_TIER_NAMESPACE {

void ScoreU8(const Strip& strip) { ScoreStrip(strip); }

void ShareU8(const Strip& strip) {
  // Lines behind the last row hold what an earlier strip, or nobody, has left there.
  for (int64_t row = 0; row < strip.rows; row += kTogether) Softmax<kTogether>(strip, row);
  Product product = {};
  product.a = strip.shares;
  product.a_row = strip.sizes->width;
  product.k = strip.keys;
  strip.product->row_terms(product, strip.p->v_zero, 0, strip.rows, strip.row_terms);
}

}  // namespace OMKIT_TIER_NAMESPACE
}  // namespace omkit::kernels
