// Gives every tensor a name of its own, since statistics and recipes know tensors by name. Floor 3, last before quantization.
#ifndef OMKIT_PASSES_UNIQUE_NAMES_H_
#define OMKIT_PASSES_UNIQUE_NAMES_H_

#include "passes/pass.h"

namespace omkit::passes {

// Inputs and outputs of the graph keep their names; of other values with one name, those after the first get "#2", "#3" and so on behind it.
Pass UniqueNames();

}  // namespace omkit::passes

#endif  // OMKIT_PASSES_UNIQUE_NAMES_H_
