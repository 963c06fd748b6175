// The reference backend: every operator, by the interpreter's own evaluation, one step per node. Floor 4.
//
// It is the whole of soc_version cpu-reference and the last resort of the other backends, so any graph that imports also runs.
// Its steps run on one thread and may allocate; they are for correctness and width, not for speed.
#ifndef OMKIT_BACKENDS_REFERENCE_REFERENCE_H_
#define OMKIT_BACKENDS_REFERENCE_REFERENCE_H_

#include "backends/backend.h"

namespace omkit::reference {

// Name of the run-side kernel.
constexpr char kKernel[] = "reference.op";

// Lives for ever.
const Backend& ReferenceBackend();

}  // namespace omkit::reference

#endif  // OMKIT_BACKENDS_REFERENCE_REFERENCE_H_
