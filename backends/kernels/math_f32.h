// Elementary functions on sixteen lanes: our own polynomials with explicit fused multiply-adds, within 2 ulp (erf and the functions
// built from exp: a few ulp), the same bits on every tier. Floor 4. Internal linkage only, see tier.h.
#ifndef OMKIT_BACKENDS_KERNELS_MATH_F32_H_
#define OMKIT_BACKENDS_KERNELS_MATH_F32_H_

#include <cstdint>

#include "backends/kernels/lanes_f32.h"

namespace omkit::kernels {
namespace {

constexpr float kInfinity = __builtin_inff();

OMKIT_INLINE F32 Abs(F32 x) { return FromBits(Bits(x) & SetInt(0x7fffffff)); }
OMKIT_INLINE F32 Negate(F32 x) { return FromBits(Bits(x) ^ SetInt(INT32_MIN)); }
OMKIT_INLINE F32 CopySign(F32 magnitude, F32 sign) { return FromBits((Bits(magnitude) & SetInt(0x7fffffff)) | (Bits(sign) & SetInt(INT32_MIN))); }

// c0 x^(n-1) + ... + c(n-1) by Horner's rule.
template <int kCount>
OMKIT_INLINE F32 Polynomial(F32 x, const float (&c)[kCount]) {
  F32 y = Set(c[0]);
  for (int i = 1; i < kCount; ++i) y = Fma(y, x, Set(c[i]));
  return y;
}

// Nearest integer, ties to even; floats of 2^23 and more are integers.
OMKIT_INLINE F32 RoundEven(F32 x) {
  const F32 magic = Set(8388608.0f), magnitude = Abs(x);
  return Select(magnitude < magic, CopySign((magnitude + magic) - magic, x), x);
}
OMKIT_INLINE F32 Floor(F32 x) {
  const F32 near = RoundEven(x);
  return CopySign(Select(x < near, near - Set(1.0f), near), x);
}
OMKIT_INLINE F32 Ceil(F32 x) { return Negate(Floor(Negate(x))); }

// x = n ln 2 + r with |r| <= ln 2 / 2; returns e^r - 1 and n. |x| must be small enough for n to fit 22 bits.
struct Reduced {
  F32 expm1;
  S32 n;
  F32 whole;  // n
};
OMKIT_INLINE Reduced ReduceExp(F32 x) {
  const F32 magic = Set(12582912.0f);  // 1.5 * 2^23: the sum's low bits are n
  const F32 shifted = Fma(x, Set(1.44269504f), magic);
  const F32 n = shifted - magic;
  F32 r = Fma(n, Set(-0.693147182464599609375f), x);
  r = Fma(n, Set(1.904654323148236017e-9f), r);
  const F32 p = Polynomial(r, {1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f});
  return {Fma(r * r, p, r), Bits(shifted) - SetInt(0x4b400000), n};
}
OMKIT_INLINE F32 PowerOfTwo(S32 n) { return FromBits(ShiftLeft<23>(n + SetInt(127))); }

// (1 + expm1) 2^n, rounded once.
OMKIT_INLINE F32 Expand(const Reduced& e) {
#if defined(__AVX512F__)
  return {_mm512_scalef_ps((e.expm1 + Set(1.0f)).v, e.whole.v)};
#else
  const S32 half = ShiftRight<1>(e.n);  // in two steps: 2^n alone may be denormal or infinite
  return (e.expm1 + Set(1.0f)) * PowerOfTwo(half) * PowerOfTwo(e.n - half);
#endif
}
OMKIT_INLINE F32 Exp(F32 x) { return Expand(ReduceExp(ClampTo(x, Set(-104.0f), Set(89.0f)))); }
// Exp for x <= 0.
OMKIT_INLINE F32 ExpNonPositive(F32 x) { return Expand(ReduceExp(Max(Set(-104.0f), x))); }
// e^x - 1 for x <= 88.
OMKIT_INLINE F32 Expm1(F32 x) {
  const Reduced e = ReduceExp(ClampTo(x, Set(-25.0f), Set(88.0f)));
  const F32 scale = PowerOfTwo(e.n);
  return Select(x == Set(0.0f), x, Fma(scale, e.expm1, scale - Set(1.0f)));
}

OMKIT_INLINE F32 Log(F32 x) {
  const Mask tiny = x < Set(1.17549435e-38f);
  const S32 bits = Bits(Select(tiny, x * Set(8388608.0f), x)) - SetInt(0x3f3504f3);  // relative to sqrt(1/2)
  const F32 e = ToFloat(ShiftRight<23>(bits)) - Select(tiny, Set(23.0f), Set(0.0f));
  const F32 f = FromBits((bits & SetInt(0x7fffff)) + SetInt(0x3f3504f3)) - Set(1.0f);
  const F32 z = f * f;
  const F32 p = Polynomial(f, {7.0376836292e-2f, -1.1514610310e-1f, 1.1676998740e-1f, -1.2420140846e-1f, 1.4249322787e-1f, -1.6668057665e-1f,
                               2.0000714765e-1f, -2.4999993993e-1f, 3.3333331174e-1f});
  F32 y = f * z * p;
  y = Fma(e, Set(-2.12194440e-4f), y);
  y = Fma(z, Set(-0.5f), y);
  F32 r = Fma(e, Set(0.693359375f), f + y);
  r = Select(x < Set(kInfinity), r, x);  // infinity and NaN
  r = Select(x == Set(0.0f), Set(-kInfinity), r);
  return Select(x < Set(0.0f), Set(__builtin_nanf("")), r);
}
// log(1 + u) for 0 <= u.
OMKIT_INLINE F32 Log1p(F32 u) {
  const F32 w = u + Set(1.0f);
  return Log(w) + (u - (w - Set(1.0f))) / w;
}

OMKIT_INLINE F32 Sigmoid(F32 x) {
  const F32 z = Exp(Negate(Abs(x)));
  const F32 w = z + Set(1.0f);
  return Select(x < Set(0.0f), z, Set(1.0f)) / w;
}

OMKIT_INLINE F32 Tanh(F32 x) {
  const F32 a = Abs(x), z = x * x;
  const F32 p = Polynomial(z, {-5.70498872745e-3f, 2.06390887954e-2f, -5.37397155531e-2f, 1.33314422036e-1f, -3.33332819422e-1f});
  const F32 small = Fma(p * z, x, x);
  const F32 large = Set(1.0f) - Set(2.0f) / (Exp(a + a) + Set(1.0f));
  return Select(a < Set(0.625f), small, CopySign(large, x));
}

OMKIT_INLINE F32 Erf(F32 x) {
  const F32 t = Min(Set(4.0f), Abs(x)), s = t * t;
  F32 small = Polynomial(s, {-5.96761703e-4f, 4.99119423e-3f, -2.67681349e-2f, 1.12819925e-1f, -3.76125336e-1f, 1.28379166e-1f});
  small = Fma(small, x, x);
  F32 r = Fma(Fma(Set(-1.72853470e-5f), t, Set(3.83197126e-4f)), s, Fma(Set(-3.88396438e-3f), t, Set(2.42546219e-2f)));
  r = Fma(r, t, Set(-1.06777877e-1f));
  r = Fma(r, t, Set(-6.34846687e-1f));
  r = Fma(r, t, Set(-1.28717512e-1f));
  r = Fma(r, t, Negate(t));
  const F32 large = CopySign(Set(1.0f) - Exp(r), x);
  return Select(Set(0.927734375f) < t, large, small);
}

// log(1 + e^x).
OMKIT_INLINE F32 Softplus(F32 x) { return Max(Set(0.0f), x) + Log1p(Exp(Negate(Abs(x)))); }

// x tanh(log(1 + e^x)), with tanh(log(1 + e)) = e (e + 2) / (e (e + 2) + 2).
OMKIT_INLINE F32 Mish(F32 x) {
  const F32 e = Exp(Min(Set(20.0f), x)), n = e * (e + Set(2.0f));
  return Select(Set(20.0f) < x, x, x * (n / (n + Set(2.0f))));
}

// Natural logarithm of a positive, finite, normal double.
OMKIT_INLINE double LogDouble(double x) {
  int64_t bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  const int64_t from_half = bits - 0x3fe6a09e667f3bcd;  // relative to sqrt(1/2)
  const double e = static_cast<double>(from_half >> 52);
  const int64_t mantissa = (from_half & 0xfffffffffffff) + 0x3fe6a09e667f3bcd;
  double m;
  __builtin_memcpy(&m, &mantissa, sizeof m);
  const double s = (m - 1.0) / (m + 1.0), z = s * s;
  double p = 1.0 / 21.0;
  for (int k = 19; k >= 1; k -= 2) p = p * z + 1.0 / k;
  return e * 0.69314718055994530942 + 2.0 * s * p;
}
// e^x for |x| < 700.
OMKIT_INLINE double ExpDouble(double x) {
  const double shifted = x * 1.4426950408889634074 + 6755399441055744.0;  // 1.5 * 2^52
  int64_t n;
  __builtin_memcpy(&n, &shifted, sizeof n);
  const double r = x - (shifted - 6755399441055744.0) * 0.69314718055994530942;
  double p = 1.0;
  for (int k = 13; k >= 1; --k) p = p * r / k + 1.0;
  const int64_t bits = static_cast<int64_t>((static_cast<uint64_t>(n) + 1023) << 52);
  double scale;
  __builtin_memcpy(&scale, &bits, sizeof scale);
  return p * scale;
}

// C99 pow, special cases included, rounded from double.
inline float PowOne(float x, float y) {
  if (x == 1.0f || y == 0.0f) return 1.0f;
  if (x != x || y != y) return x + y;
  const float ax = __builtin_fabsf(x), ay = __builtin_fabsf(y);
  const bool integer = ay >= 8388608.0f || static_cast<float>(static_cast<int32_t>(y)) == y;
  const bool odd = integer && ay < 16777216.0f && (static_cast<int32_t>(y) & 1);
  const bool negative = (__builtin_signbit(x) != 0) && odd;
  if (ay == kInfinity) return ax == 1.0f ? 1.0f : ((ax > 1.0f) == (y > 0.0f) ? kInfinity : 0.0f);
  if (ax == 0.0f || ax == kInfinity) {
    const float r = (ax == 0.0f) == (y > 0.0f) ? 0.0f : kInfinity;
    return negative ? -r : r;
  }
  if (x < 0.0f && !integer) return __builtin_nanf("");
  double exponent = static_cast<double>(y) * LogDouble(ax);
  if (exponent > 690.0) exponent = 690.0;
  if (exponent < -690.0) exponent = -690.0;
  const float r = static_cast<float>(ExpDouble(exponent));
  return negative ? -r : r;
}
inline F32 Pow(F32 x, F32 y) {
  alignas(64) float a[kWidth], b[kWidth];
  Store(a, x);
  Store(b, y);
  for (int i = 0; i < kWidth; ++i) a[i] = PowOne(a[i], b[i]);
  return Load(a);
}

}  // namespace
}  // namespace omkit::kernels

#endif  // OMKIT_BACKENDS_KERNELS_MATH_F32_H_
