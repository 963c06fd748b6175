// LSTM, GRU and RNN with constant weights. Sequence lengths, peepholes, clipping and other activations are left to the reference backend.
#include <algorithm>

#include "absl/strings/ascii.h"
#include "backends/kernels/recurrent_f32/recurrent_f32.h"
#include "backends/npu_int8/lower.h"
#include "backends/npu_int8/types.h"
#include "base/checked.h"
#include "base/status.h"

namespace omkit::npu_int8 {
namespace {

using ir::Graph;
using ir::Node;
using ir::OpKind;
using kernels::RecurrentCell;

RecurrentCell CellOf(const Node& node) {
  return node.op == OpKind::kLSTM ? RecurrentCell::kLstm : node.op == OpKind::kGRU ? RecurrentCell::kGru : RecurrentCell::kRnn;
}

bool HasDefaultActivations(const Node& node) {
  const ir::Attr* given = node.attrs.Find("activations");
  const auto* names = given == nullptr ? nullptr : std::get_if<std::vector<std::string>>(given);
  if (names == nullptr || names->empty()) return true;
  const std::vector<std::string> wanted = node.op == OpKind::kLSTM  ? std::vector<std::string>{"sigmoid", "tanh", "tanh"}
                                          : node.op == OpKind::kGRU ? std::vector<std::string>{"sigmoid", "tanh"}
                                                                    : std::vector<std::string>{"tanh"};
  for (size_t i = 0; i < names->size(); ++i) {
    if (absl::AsciiStrToLower((*names)[i]) != wanted[i % wanted.size()]) return false;
  }
  return true;
}

// Rows [gates * hidden] of depth `depth` per direction, turned to [depth][gate, padded].
std::vector<float> PackWeights(const Tensor& w, int64_t directions, int64_t gates, int64_t hidden, int64_t depth) {
  const int64_t padded = RoundUp(hidden, int64_t{16}), row = gates * padded;
  std::vector<float> packed(directions * depth * row, 0.0f);
  const float* from = w.data<float>();
  for (int64_t d = 0; d < directions; ++d) {
    for (int64_t g = 0; g < gates; ++g) {
      for (int64_t i = 0; i < hidden; ++i) {
        for (int64_t k = 0; k < depth; ++k) packed[(d * depth + k) * row + g * padded + i] = *from++;
      }
    }
  }
  return packed;
}

// Half 0: what is added to the product of x; half 1: to that of h. The latter joins the former unless it is multiplied by the reset gate.
std::vector<float> PackBias(const Tensor* b, int64_t directions, int64_t gates, int64_t hidden, int half, bool joined) {
  const int64_t padded = RoundUp(hidden, int64_t{16});
  std::vector<float> packed(directions * gates * padded, 0.0f);
  if (b == nullptr) return packed;
  for (int64_t d = 0; d < directions; ++d) {
    for (int64_t g = 0; g < gates; ++g) {
      for (int64_t i = 0; i < hidden; ++i) {
        const float* at = b->data<float>() + d * 2 * gates * hidden + g * hidden + i;
        const float own = at[half * gates * hidden];
        packed[(d * gates + g) * padded + i] = half == 0 && joined ? own + at[gates * hidden] : own;
      }
    }
  }
  return packed;
}

}  // namespace

bool SupportsRecurrent(const Graph& graph, const Node& node) {
  for (int i = 0; i < static_cast<int>(node.inputs.size()); ++i) {
    if (HasInput(node, i) && i != 4 && !IsF32(InputType(graph, node, i))) return false;
  }
  for (int i : {1, 2, 3}) {
    if (HasInput(node, i) && graph.ConstantInput(node, i) == nullptr) return false;
  }
  // A sequence length that is the whole sequence says nothing.
  if (HasInput(node, 4)) {
    const Tensor* lengths = graph.ConstantInput(node, 4);
    if (lengths == nullptr) return false;
    for (int64_t i = 0; i < lengths->elements(); ++i) {
      if (IntegerAt(*lengths, i) != InputType(graph, node, 0).shape.dim(0)) return false;
    }
  }
  for (ir::ValueId v : node.outputs) {
    if (!IsF32(graph.value(v).type)) return false;
  }
  return !HasInput(node, 7) && node.attrs.Int("layout", 0) == 0 && node.attrs.Float("clip", 0) == 0 && node.attrs.Int("input_forget", 0) == 0 &&
         HasDefaultActivations(node);
}

absl::Status LowerRecurrent(const Node& node, ProgramBuilder& builder) {
  const Graph& graph = builder.graph();
  const Shape& x = builder.type(node.inputs[0]).shape;
  const Tensor& r = *graph.ConstantInput(node, 2);
  kernels::RecurrentF32Params p = {};
  p.time = x.dim(0), p.batch = x.dim(1), p.input = x.dim(2);
  p.directions = r.shape().dim(0), p.hidden = r.shape().dim(2);
  p.cell = CellOf(node);
  p.reverse = node.attrs.String("direction", "forward") == "reverse";
  p.linear_before_reset = p.cell == RecurrentCell::kGru && node.attrs.Int("linear_before_reset", 0) != 0;
  p.outputs = (1 << node.outputs.size()) - 1;
  const int64_t gates = kernels::RecurrentGates(p.cell);
  OMKIT_ASSIGN_OR_RETURN(const Place in, builder.WholeBlock(node.inputs[0]));
  const Tensor* bias = graph.ConstantInput(node, 3);
  std::vector<BlockId> operands = {
      in.block,
      builder.AddWeights(PackWeights(*graph.ConstantInput(node, 1), p.directions, gates, p.hidden, p.input)),
      builder.AddWeights(PackWeights(r, p.directions, gates, p.hidden, p.hidden)),
      builder.AddWeights(PackBias(bias, p.directions, gates, p.hidden, 0, p.linear_before_reset == 0)),
      builder.AddWeights(PackBias(bias, p.directions, gates, p.hidden, 1, false)),
  };
  const std::vector<float> zeros(p.directions * p.batch * p.hidden, 0.0f);
  for (int i : {5, 6}) {
    if (!HasInput(node, i)) {
      operands.push_back(builder.AddWeights(zeros));
      continue;
    }
    OMKIT_ASSIGN_OR_RETURN(const Place state, builder.WholeBlock(node.inputs[i]));
    operands.push_back(state.block);
  }
  for (size_t i = 0; i < 3; ++i) operands.push_back(i < node.outputs.size() ? builder.NewPlain(node.outputs[i]).block : operands[7]);
  builder.AddStep(node, kernels::RecurrentF32Kernel(builder.isa()), p, std::move(operands), 0);
  return absl::OkStatus();
}

}  // namespace omkit::npu_int8
