// If, Loop and Scan on the backend's own kernels: each body becomes a program of its own, stored in the weights of the program around it,
// and one step runs it. Floor 4. Takes nodes whose bodies have static shapes; others are left to the reference backend.
#ifndef OMKIT_BACKENDS_CONTROL_CONTROL_H_
#define OMKIT_BACKENDS_CONTROL_CONTROL_H_

#include "backends/backend.h"

namespace omkit::control {

const Backend& ControlBackend();

}  // namespace omkit::control

#endif  // OMKIT_BACKENDS_CONTROL_CONTROL_H_
