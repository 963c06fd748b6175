// The floating-point environment that the arithmetic contract is written for, for the time of one execution. Floor 2, plain code.
#ifndef OMKIT_RUNTIME_FLOAT_ENVIRONMENT_H_
#define OMKIT_RUNTIME_FLOAT_ENVIRONMENT_H_

#include <cstdint>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace omkit::runtime {

// Round to nearest even, denormals kept, exceptions masked, whatever the host set; gives the host's back at the end.
class DefaultFloatEnvironment {
 public:
#if defined(__x86_64__)
  DefaultFloatEnvironment() : before_(_mm_getcsr()) { _mm_setcsr(0x1F80); }
  ~DefaultFloatEnvironment() { _mm_setcsr(before_); }

 private:
  unsigned before_;
#elif defined(__aarch64__)
  DefaultFloatEnvironment() {
    __asm__ volatile("mrs %0, fpcr" : "=r"(before_));
    Set(0);
  }
  ~DefaultFloatEnvironment() { Set(before_); }

 private:
  static void Set(uint64_t value) { __asm__ volatile("msr fpcr, %0" : : "r"(value)); }
  uint64_t before_;
#else
  DefaultFloatEnvironment() {}
  ~DefaultFloatEnvironment() {}
#endif
};

}  // namespace omkit::runtime

#endif  // OMKIT_RUNTIME_FLOAT_ENVIRONMENT_H_
