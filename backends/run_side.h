// The run side of all backends: call once before loading programs. Floor 4; runtime and acl reach kernels only through the registry.
#ifndef OMKIT_BACKENDS_RUN_SIDE_H_
#define OMKIT_BACKENDS_RUN_SIDE_H_

namespace omkit {

// Registers every kernel of every backend that is linked in. Further calls do nothing. Thread-safe.
void RegisterAllKernels();

}  // namespace omkit

#endif  // OMKIT_BACKENDS_RUN_SIDE_H_
