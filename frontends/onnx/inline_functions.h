// Replaces calls of a model's local functions by their bodies, before anything else looks at the nodes. Floor 3, part of the ONNX importer.
//
// Values inside a body get the call's name in front, "<call>/<name>"; attributes that refer to the function's own are filled in. Functions
// may call functions, kMaxFunctionDepth deep; the whole model may not grow beyond kMaxInlinedNodes nodes.
#ifndef OMKIT_FRONTENDS_ONNX_INLINE_FUNCTIONS_H_
#define OMKIT_FRONTENDS_ONNX_INLINE_FUNCTIONS_H_

#include "absl/status/status.h"
#include "frontends/onnx/graph_importer.h"
#include "onnx/onnx-ml.pb.h"

namespace omkit::frontends {

constexpr int kMaxFunctionDepth = 32;
constexpr int kMaxInlinedNodes = 1'000'000;

// A function in the default domain, or with the name of an operator that omkit knows, is left to the operator. Nodes from a function that
// imports another opset of the default domain than the model are noted in context.opset_of_node.
absl::Status InlineFunctions(onnx::ModelProto* model, ModelContext& context);

}  // namespace omkit::frontends

#endif  // OMKIT_FRONTENDS_ONNX_INLINE_FUNCTIONS_H_
