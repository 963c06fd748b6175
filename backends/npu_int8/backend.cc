#include "backends/kernels/matmul_u8/matmul_u8.h"
#include "backends/npu_int8/lower.h"
#include "backends/npu_int8/npu_int8.h"
#include "backends/npu_int8/types.h"

namespace omkit::npu_int8 {
namespace {

using ir::Graph;
using ir::Node;
using ir::OpKind;

// How an operator takes part in an INT8 network.
enum class Int8 {
  kNo,        // stays float
  kWeights,   // constant weights, image input: Conv, Dense
  kTable,     // a function of one element
  kProduct,   // MatMul of two activations
  kBinary,    // Add, Sub, Mul of two tensors
  kMovement,  // moves elements; also pools
};

struct Row {
  OpKind op;
  SupportsFn supports;
  LowerFn lower;
  Int8 int8;
};

constexpr Row kRows[] = {
    {OpKind::kConv, SupportsConv, LowerConv, Int8::kWeights},
    {OpKind::kDense, SupportsDense, LowerDense, Int8::kWeights},
    {OpKind::kMatMul, SupportsMatMul, LowerMatMul, Int8::kProduct},
    {OpKind::kAttention, SupportsAttention, LowerAttention, Int8::kNo},
    {OpKind::kAveragePool, SupportsPool, LowerPool, Int8::kMovement},
    {OpKind::kGlobalAveragePool, SupportsPool, LowerPool, Int8::kMovement},
    {OpKind::kGlobalMaxPool, SupportsPool, LowerPool, Int8::kMovement},
    {OpKind::kMaxPool, SupportsPool, LowerPool, Int8::kMovement},
    {OpKind::kAdd, SupportsBinary, LowerBinary, Int8::kBinary},
    {OpKind::kSub, SupportsBinary, LowerBinary, Int8::kBinary},
    {OpKind::kMul, SupportsBinary, LowerBinary, Int8::kBinary},
    {OpKind::kDiv, SupportsBinary, LowerBinary, Int8::kNo},
    {OpKind::kMax, SupportsBinary, LowerBinary, Int8::kNo},
    {OpKind::kMin, SupportsBinary, LowerBinary, Int8::kNo},
    {OpKind::kPow, SupportsBinary, LowerBinary, Int8::kNo},
    {OpKind::kPRelu, SupportsBinary, LowerBinary, Int8::kNo},
    {OpKind::kAbs, SupportsUnary, LowerUnary, Int8::kTable},
    {OpKind::kCeil, SupportsUnary, LowerUnary, Int8::kNo},
    {OpKind::kClip, SupportsUnary, LowerUnary, Int8::kTable},
    {OpKind::kElu, SupportsUnary, LowerUnary, Int8::kTable},
    {OpKind::kErf, SupportsUnary, LowerUnary, Int8::kTable},
    {OpKind::kExp, SupportsUnary, LowerUnary, Int8::kNo},
    {OpKind::kFloor, SupportsUnary, LowerUnary, Int8::kNo},
    {OpKind::kGelu, SupportsUnary, LowerUnary, Int8::kTable},
    {OpKind::kHardSigmoid, SupportsUnary, LowerUnary, Int8::kTable},
    {OpKind::kHardSwish, SupportsUnary, LowerUnary, Int8::kTable},
    {OpKind::kLeakyRelu, SupportsUnary, LowerUnary, Int8::kTable},
    {OpKind::kLog, SupportsUnary, LowerUnary, Int8::kNo},
    {OpKind::kMish, SupportsUnary, LowerUnary, Int8::kTable},
    {OpKind::kNeg, SupportsUnary, LowerUnary, Int8::kTable},
    {OpKind::kReciprocal, SupportsUnary, LowerUnary, Int8::kNo},
    {OpKind::kRelu, SupportsUnary, LowerUnary, Int8::kTable},
    {OpKind::kRound, SupportsUnary, LowerUnary, Int8::kNo},
    {OpKind::kSelu, SupportsUnary, LowerUnary, Int8::kTable},
    {OpKind::kSigmoid, SupportsUnary, LowerUnary, Int8::kTable},
    {OpKind::kSign, SupportsUnary, LowerUnary, Int8::kNo},
    {OpKind::kSoftplus, SupportsUnary, LowerUnary, Int8::kTable},
    {OpKind::kSoftsign, SupportsUnary, LowerUnary, Int8::kTable},
    {OpKind::kSqrt, SupportsUnary, LowerUnary, Int8::kNo},
    {OpKind::kSwish, SupportsUnary, LowerUnary, Int8::kTable},
    {OpKind::kTanh, SupportsUnary, LowerUnary, Int8::kTable},
    {OpKind::kQuantize, SupportsQuantize, LowerQuantize, Int8::kNo},
    {OpKind::kDequantize, SupportsQuantize, LowerDequantize, Int8::kNo},
    {OpKind::kCast, SupportsCast, LowerCast, Int8::kNo},
    {OpKind::kSoftmax, SupportsSoftmax, LowerSoftmax, Int8::kNo},
    {OpKind::kLogSoftmax, SupportsSoftmax, LowerSoftmax, Int8::kNo},
    {OpKind::kReduceL1, SupportsReduce, LowerReduce, Int8::kNo},
    {OpKind::kReduceL2, SupportsReduce, LowerReduce, Int8::kNo},
    {OpKind::kReduceLogSum, SupportsReduce, LowerReduce, Int8::kNo},
    {OpKind::kReduceLogSumExp, SupportsReduce, LowerReduce, Int8::kNo},
    {OpKind::kReduceMax, SupportsReduce, LowerReduce, Int8::kNo},
    {OpKind::kReduceMean, SupportsReduce, LowerReduce, Int8::kNo},
    {OpKind::kReduceMin, SupportsReduce, LowerReduce, Int8::kNo},
    {OpKind::kReduceProd, SupportsReduce, LowerReduce, Int8::kNo},
    {OpKind::kReduceSum, SupportsReduce, LowerReduce, Int8::kNo},
    {OpKind::kReduceSumSquare, SupportsReduce, LowerReduce, Int8::kNo},
    {OpKind::kArgMax, SupportsArgMax, LowerArgMax, Int8::kNo},
    {OpKind::kArgMin, SupportsArgMax, LowerArgMax, Int8::kNo},
    {OpKind::kLayerNormalization, SupportsLayerNormalization, LowerLayerNormalization, Int8::kNo},
    {OpKind::kRMSNormalization, SupportsLayerNormalization, LowerLayerNormalization, Int8::kNo},
    {OpKind::kGRU, SupportsRecurrent, LowerRecurrent, Int8::kNo},
    {OpKind::kLSTM, SupportsRecurrent, LowerRecurrent, Int8::kNo},
    {OpKind::kRNN, SupportsRecurrent, LowerRecurrent, Int8::kNo},
    {OpKind::kIdentity, SupportsReshape, LowerReshape, Int8::kMovement},
    {OpKind::kReshape, SupportsReshape, LowerReshape, Int8::kMovement},
    {OpKind::kFlatten, SupportsReshape, LowerReshape, Int8::kMovement},
    {OpKind::kSqueeze, SupportsReshape, LowerReshape, Int8::kMovement},
    {OpKind::kUnsqueeze, SupportsReshape, LowerReshape, Int8::kMovement},
    {OpKind::kTranspose, SupportsTranspose, LowerTranspose, Int8::kMovement},
    {OpKind::kConcat, SupportsConcat, LowerConcat, Int8::kMovement},
    {OpKind::kSlice, SupportsSlice, LowerSlice, Int8::kMovement},
    {OpKind::kSplit, SupportsSplit, LowerSplit, Int8::kMovement},
    {OpKind::kPad, SupportsPad, LowerPad, Int8::kMovement},
    {OpKind::kExpand, SupportsExpand, LowerExpand, Int8::kMovement},
    {OpKind::kGather, SupportsGather, LowerGather, Int8::kNo},
    {OpKind::kDepthToSpace, SupportsDepthToSpace, LowerDepthToSpace, Int8::kMovement},
    {OpKind::kSpaceToDepth, SupportsDepthToSpace, LowerSpaceToDepth, Int8::kMovement},
    {OpKind::kResize, SupportsResize, LowerResize, Int8::kMovement},
};

const Row* Find(OpKind op) {
  for (const Row& row : kRows) {
    if (row.op == op) return &row;
  }
  return nullptr;
}

class NpuInt8 : public Backend {
 public:
  const char* name() const override { return "npu_int8"; }

  bool Supports(const Graph& graph, const Node& node) const override {
    const Row* row = Find(node.op);
    return row != nullptr && row->supports(graph, node);
  }

  bool SupportsInt8(const Graph& graph, const Node& node) const override {
    const Row* row = Find(node.op);
    if (row == nullptr || row->int8 == Int8::kNo || !row->supports(graph, node)) return false;
    switch (row->int8) {
      case Int8::kWeights: return graph.ConstantInput(node, 1) != nullptr && IsF32(graph.ConstantInput(node, 1)->type());
      case Int8::kProduct: {
        // Quantizing a constant costs accuracy and gains little; short sums cost more to quantize than they save.
        constexpr int64_t kShortest = 16;
        const int64_t k = InputType(graph, node, 0).shape.dim(InputType(graph, node, 0).shape.rank() - 1);
        return graph.ConstantInput(node, 0) == nullptr && graph.ConstantInput(node, 1) == nullptr && k >= kShortest && k <= kernels::kLongestMatMulU8;
      }
      // Linear interpolation makes new values; only nearest moves them.
      case Int8::kMovement: return node.op != OpKind::kResize || node.attrs.String("mode", "nearest") == "nearest";
      default: return true;
    }
  }

  // Not depthwise: its weights are few, and its kernel has none but floats.
  bool SupportsInt8Weights(const Graph& graph, const Node& node) const override {
    const Row* row = Find(node.op);
    if (row == nullptr || row->int8 != Int8::kWeights || !row->supports(graph, node) || !IsF32(InputType(graph, node, 0))) return false;
    const TensorType& w = InputType(graph, node, 1);
    return IsF32(w) && (node.attrs.Int("group", 1) == 1 || w.shape.dim(1) > 1);
  }

  bool SupportsBFloat16(const Graph& graph, const Node& node) const override { return npu_int8::SupportsBFloat16(graph, node); }

  absl::Status Lower(const Node& node, ProgramBuilder& builder) const override { return Find(node.op)->lower(node, builder); }
};

}  // namespace

OpSupport SupportOf(OpKind op) {
  const Row* row = Find(op);
  return {row != nullptr, row != nullptr && row->int8 != Int8::kNo};
}

const Backend& NpuInt8Backend() {
  static const auto* const backend = new NpuInt8;
  return *backend;
}

}  // namespace omkit::npu_int8
