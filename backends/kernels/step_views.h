// Test support: random strided views of equal dims for the elementwise kernels.
#ifndef OMKIT_BACKENDS_KERNELS_STEP_VIEWS_H_
#define OMKIT_BACKENDS_KERNELS_STEP_VIEWS_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "backends/kernels/step_runner.h"
#include "backends/kernels/view.h"

namespace omkit::kernels {

inline std::vector<int64_t> RandomDims(Random& random, int64_t max_elements) {
  std::vector<int64_t> dims(Pick(random, 0, 5));
  int64_t elements = 1;
  for (int64_t& d : dims) {
    d = Pick(random, 1, std::max<int64_t>(1, std::min<int64_t>(max_elements / elements, Pick(random, 0, 1) ? 9 : 300)));
    elements *= d;
  }
  return dims;
}

// A view over dims in a random memory order with random gaps; with `aliasing`, some strides are zero and some negative.
inline View RandomView(Random& random, const std::vector<int64_t>& dims, int element_size, bool aliasing, int64_t* elements) {
  View v;
  v.rank = static_cast<int32_t>(dims.size());
  v.element_size = element_size;
  std::vector<int> order(dims.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int>(i);
  if (Pick(random, 0, 1)) std::shuffle(order.begin(), order.end(), random);
  int64_t stride = 1;
  v.offset = Pick(random, 0, 3);
  for (int i = v.rank - 1; i >= 0; --i) {
    const int d = order[i];
    v.dims[d] = dims[d];
    v.strides[d] = stride;
    stride = stride * dims[d] + (Pick(random, 0, 4) == 0 ? Pick(random, 1, 3) : 0);
    if (!aliasing) continue;
    if (Pick(random, 0, 5) == 0) v.strides[d] = 0;
    else if (Pick(random, 0, 5) == 0) v.offset += v.strides[d] * (dims[d] - 1), v.strides[d] = -v.strides[d];
  }
  *elements = stride + 4 + v.offset;
  return v;
}

// Calls visit(element offsets of each view) for every index.
template <typename Visit>
void ForEach(const std::vector<const View*>& views, const Visit& visit) {
  const View& first = *views[0];
  std::vector<int64_t> index(first.rank, 0), at(views.size());
  for (int64_t left = first.elements(); left > 0; --left) {
    for (size_t v = 0; v < views.size(); ++v) {
      at[v] = views[v]->offset;
      for (int i = 0; i < first.rank; ++i) at[v] += index[i] * views[v]->strides[i];
    }
    visit(index, at);
    for (int i = first.rank - 1; i >= 0 && ++index[i] == first.dims[i]; --i) index[i] = 0;
  }
}

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_STEP_VIEWS_H_
