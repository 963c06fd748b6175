// One small model per operator that quantizers write outside the QuantizeLinear/DequantizeLinear form, for the comparison with ONNX Runtime.
#ifndef OMKIT_TESTS_QDQ_OPERATOR_MODELS_H_
#define OMKIT_TESTS_QDQ_OPERATOR_MODELS_H_

#include "absl/types/span.h"
#include "tests/qdq/model_maker.h"

namespace omkit::testing {

struct OperatorModel {
  const char* name;
  int64_t opset;
  float step;    // of the output: one may differ
  bool integer;  // every step of the compiled model that computes is an INT8 one
  void (*make)(ModelMaker& m);
};

// Inputs are float32, meant for numbers in [-1, 1].
absl::Span<const OperatorModel> OperatorModels();

}  // namespace omkit::testing

#endif  // OMKIT_TESTS_QDQ_OPERATOR_MODELS_H_
