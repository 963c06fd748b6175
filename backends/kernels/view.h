// How a kernel sees a tensor inside an operand: element strides over up to six dimensions. Floor 4, shared by all kernels.
#ifndef OMKIT_BACKENDS_KERNELS_VIEW_H_
#define OMKIT_BACKENDS_KERNELS_VIEW_H_

#include <cstdint>

namespace omkit::kernels {

constexpr int kMaxViewRank = 6;

// Element (i0, i1, ...) lies at offset + sum(i_k * stride_k) elements from the operand's start. Rank 0 is one element.
// Images of the INT8 path are rank 4 in the order N, H, W, C with stride[3] == 1.
struct View {
  int32_t rank = 0;
  int32_t element_size = 1;
  int64_t offset = 0;
  int64_t dims[kMaxViewRank] = {};
  int64_t strides[kMaxViewRank] = {};

  int64_t elements() const {
    int64_t n = 1;
    for (int i = 0; i < rank; ++i) n *= dims[i];
    return n;
  }
};

// A dense row-major view.
View DenseView(const int64_t* dims, int rank, int element_size);

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_VIEW_H_
