// The backend of image preprocessing: it takes the node Aipp and nothing else, and lays the pixels out for the layer that reads them.
// Its run side is backends/kernels/aipp. Floor 4.
#ifndef OMKIT_BACKENDS_AIPP_AIPP_H_
#define OMKIT_BACKENDS_AIPP_AIPP_H_

#include "backends/backend.h"

namespace omkit::aipp {

const Backend& AippBackend();

}  // namespace omkit::aipp

#endif  // OMKIT_BACKENDS_AIPP_AIPP_H_
