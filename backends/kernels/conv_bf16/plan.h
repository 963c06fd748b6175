// How a step of conv_bf16 cuts its input: units of values that lie side by side once they are bfloat16, and chunks of output pixels whose units
// fit the second-level cache. Made once per step at load. Floor 4.
#ifndef OMKIT_BACKENDS_KERNELS_CONV_BF16_PLAN_H_
#define OMKIT_BACKENDS_KERNELS_CONV_BF16_PLAN_H_

#include <cstdint>

#include "backends/kernels/conv_bf16/code.h"
#include "backends/kernels/conv_f32/conv_f32.h"
#include "backends/kernels/conv_f32/pixels.h"
#include "backends/kernels/tier.h"

namespace omkit::kernels {

// Joined: a unit is what the kernel row of one output column reads. Otherwise a unit is one input column. Few channels of odd number are joined,
// because a pair for each column would leave much of it empty.
struct Unit {
  bool joined = false;
  int64_t pairs = 0;  // of values; the last one may be half empty
};
Unit UnitOf(int64_t channels, int64_t kernel_w);

struct ConvBf16Plan {
  Unit unit;
  Pixels pixels{};  // merged for 1x1 kernels, which read pixels however they lie in rows
  // A chunk is so many rows of so many output pixels. Input rows that several output rows read are packed once for all of them; a single row has
  // the kernel's rows only.
  int64_t chunk_rows = 0, chunk_columns = 0;
  double values = 0;  // that scratch must hold; in floating point, because parameters may be hostile
};
// The same on every tier. `p` has passed VerifyConvF32.
ConvBf16Plan PlanConvBf16(const ConvF32Params& p);

// Runs the part of a thread.
void RunConvBf16(const ConvBf16Code& code, const ConvBf16Plan& plan, const KernelArgs& args);

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_CONV_BF16_PLAN_H_
