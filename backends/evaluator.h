// Runs float graphs on this machine's kernels and shows the values inside: calibration and accuracy reports use it in place of the
// interpreter, which is many times slower. Floor 4.
#ifndef OMKIT_BACKENDS_EVALUATOR_H_
#define OMKIT_BACKENDS_EVALUATOR_H_

#include <string>

#include "ir/evaluate.h"

namespace omkit {

// Evaluators over the backends of a soc_version that this machine can run. Watched values keep their own memory for a whole run.
ir::EvaluatorFactory BackendEvaluators(std::string soc_version);

}  // namespace omkit

#endif  // OMKIT_BACKENDS_EVALUATOR_H_
