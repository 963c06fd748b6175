// The check of a view against its operand, which every verify function of a kernel ends in. Floor 4; apart from view.h, which sources compiled
// for a tier include.
#ifndef OMKIT_BACKENDS_KERNELS_VERIFY_VIEW_H_
#define OMKIT_BACKENDS_KERNELS_VERIFY_VIEW_H_

#include <cstdint>

#include "absl/status/status.h"
#include "backends/kernels/view.h"

namespace omkit::kernels {

// OK when rank and dims are sane and every element lies inside an operand of `operand_bytes`. `before` and `after` widen each
// dimension: a kernel that reads a halo passes how many extra indices it touches below 0 and beyond dims (nullptr: none).
absl::Status VerifyView(const View& view, uint64_t operand_bytes, const int64_t* before = nullptr, const int64_t* after = nullptr);

}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_VERIFY_VIEW_H_
