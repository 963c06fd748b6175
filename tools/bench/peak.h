// The most arithmetic one core of this machine can do: what percentages in bench's tables are of. Floor 5.
#ifndef OMKIT_TOOLS_BENCH_PEAK_H_
#define OMKIT_TOOLS_BENCH_PEAK_H_

#include "base/cpu.h"

namespace omkit::bench {

// Billions of operations per second, a multiply-add counts as two; 0: not known.
struct Peak {
  double int8 = 0;
  double f32 = 0;
  double bf16 = 0;  // FP32's where no instruction multiplies bfloat16
};

// Independent chains of the tier's own multiply-add instructions on registers, the best of many bursts of about a millisecond, which a
// busy machine rarely interrupts. INT8: VPDPBUSD (avx512vnni, avxvnni), VPMADDUBSW + VPMADDWD + VPADDD (avx2), SDOT (dotprod), USMMLA (i8mm),
// SMULL + SMLAL2 + SADALP (neon). FP32: FMA. BF16: VDPBF16PS (avx512vnni with AVX512-BF16). Zeros for kGeneric. The CPU must support `isa`.
Peak MeasurePeak(Isa isa);

}  // namespace omkit::bench

#endif  // OMKIT_TOOLS_BENCH_PEAK_H_
