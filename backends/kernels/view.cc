#include "backends/kernels/view.h"

#include "absl/strings/str_format.h"
#include "backends/kernels/verify_view.h"

namespace omkit::kernels {
namespace {

constexpr int64_t kMaxDim = int64_t{1} << 40;
// Leaves kernels room to multiply a stride by a spatial stride or dilation.
constexpr int64_t kMaxStride = int64_t{1} << 38;

}  // namespace

absl::Status VerifyView(const View& view, uint64_t operand_bytes, const int64_t* before, const int64_t* after) {
  if (view.rank < 0 || view.rank > kMaxViewRank) {
    return absl::InvalidArgumentError(absl::StrFormat("view rank is %d, expected 0 to %d", view.rank, kMaxViewRank));
  }
  if (view.element_size != 1 && view.element_size != 2 && view.element_size != 4 && view.element_size != 8) {
    return absl::InvalidArgumentError(absl::StrFormat("view elements have %d bytes, expected 1, 2, 4 or 8", view.element_size));
  }
  // At most six products of 41 by 64 bits: no 128-bit overflow.
  __int128 lowest = view.offset, highest = view.offset;
  __int128 elements = 1;
  for (int i = 0; i < view.rank; ++i) {
    const int64_t low = before ? before[i] : 0, high = after ? after[i] : 0;
    if (view.dims[i] < 0 || view.dims[i] > kMaxDim || low < 0 || low > kMaxDim || high < 0 || high > kMaxDim) {
      return absl::InvalidArgumentError(
          absl::StrFormat("view dimension %d is %d with %d before and %d after, expected 0 to %d", i, view.dims[i], low, high, kMaxDim));
    }
    if (view.strides[i] > kMaxStride || view.strides[i] < -kMaxStride) {
      return absl::InvalidArgumentError(absl::StrFormat("view stride %d is %d, expected at most %d", i, view.strides[i], kMaxStride));
    }
    elements *= view.dims[i];
    if (elements > kMaxDim) return absl::InvalidArgumentError(absl::StrFormat("view has more than %d elements", kMaxDim));
    const __int128 first = static_cast<__int128>(view.strides[i]) * -low;
    const __int128 last = static_cast<__int128>(view.strides[i]) * (view.dims[i] - 1 + high);
    lowest += first < last ? first : last;
    highest += first < last ? last : first;
  }
  if (elements == 0) return absl::OkStatus();
  if (lowest < 0 || (highest + 1) * view.element_size > static_cast<__int128>(operand_bytes)) {
    return absl::OutOfRangeError(absl::StrFormat("view reaches from %d to %d elements of %d bytes, the operand has %d bytes",
                                                 static_cast<int64_t>(lowest), static_cast<int64_t>(highest), view.element_size, operand_bytes));
  }
  return absl::OkStatus();
}

View DenseView(const int64_t* dims, int rank, int element_size) {
  View view;
  view.rank = rank;
  view.element_size = element_size;
  int64_t stride = 1;
  for (int i = rank - 1; i >= 0; --i) {
    view.dims[i] = dims[i];
    view.strides[i] = stride;
    stride *= dims[i];
  }
  return view;
}

}  // namespace omkit::kernels
