// The run side of control flow: the kernel of If, Loop and Scan steps. Floor 4.
#ifndef OMKIT_BACKENDS_CONTROL_RUN_H_
#define OMKIT_BACKENDS_CONTROL_RUN_H_

namespace omkit::control {

void RegisterControlKernels();

}  // namespace omkit::control

#endif  // OMKIT_BACKENDS_CONTROL_RUN_H_
