// Registers every float kernel family of this folder. Floor 4; called once by the run side of npu_int8 and by the evaluator.
#ifndef OMKIT_BACKENDS_KERNELS_F32_H_
#define OMKIT_BACKENDS_KERNELS_F32_H_

namespace omkit::kernels {

void RegisterF32Kernels();

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_F32_H_
