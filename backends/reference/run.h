// Run side of the reference backend: the kernel that evaluates an operator through its reference meaning. Floor 4.
#ifndef OMKIT_BACKENDS_REFERENCE_RUN_H_
#define OMKIT_BACKENDS_REFERENCE_RUN_H_

namespace omkit::reference {

void RegisterReferenceKernels();

}  // namespace omkit::reference

#endif  // OMKIT_BACKENDS_REFERENCE_RUN_H_
