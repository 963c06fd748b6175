// Sizes that come from files: every product and sum is checked, an overflow stays visible until the end of the expression.
#ifndef OMKIT_BASE_CHECKED_H_
#define OMKIT_BASE_CHECKED_H_

#include <cstdint>

namespace omkit {

// A non-negative 64-bit size that remembers an overflow or a negative operand. Once invalid it stays invalid.
//   CheckedSize bytes = CheckedSize(n) * c * h * w * 4;
//   if (!bytes.ok() || bytes.value() > limit) return error;
class CheckedSize {
 public:
  constexpr CheckedSize(int64_t value) : value_(value), ok_(value >= 0) {}  // NOLINT(google-explicit-constructor)
  constexpr bool ok() const { return ok_; }
  // Only meaningful when ok().
  constexpr int64_t value() const { return value_; }
  // True when ok() and value() <= limit.
  constexpr bool FitsIn(int64_t limit) const { return ok_ && value_ <= limit; }

  friend constexpr CheckedSize operator*(CheckedSize a, CheckedSize b) {
    CheckedSize r(0);
    r.ok_ = !__builtin_mul_overflow(a.value_, b.value_, &r.value_) && a.ok_ && b.ok_;
    return r;
  }
  friend constexpr CheckedSize operator+(CheckedSize a, CheckedSize b) {
    CheckedSize r(0);
    r.ok_ = !__builtin_add_overflow(a.value_, b.value_, &r.value_) && a.ok_ && b.ok_;
    return r;
  }

 private:
  int64_t value_;
  bool ok_;
};

// `value` rounded up to a multiple of `unit` (unit > 0).
constexpr int64_t RoundUp(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }
// Ceiling of a / b for non-negative a and positive b.
constexpr int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace omkit

#endif  // OMKIT_BASE_CHECKED_H_
