// The functions that bring one ONNX node of any opset into the canonical form of ir/ops/ops.inc. Floor 3.
//
//   Direct              the node as it is
//   LegacyBroadcast     attributes broadcast and axis (opset < 7): dimensions of size 1 behind the second operand's
//   PRelu               opset < 7: a slope per channel gets dimensions of size 1 behind it
//   Gemm                attribute broadcast (opset < 7) is dropped: C broadcasts anyway
//   AxesToInput         Squeeze, Unsqueeze, Reduce*: attribute axes becomes input 1
//   Clip                attributes min and max (opset < 11) become inputs 1 and 2
//   Slice               attributes starts, ends, axes (opset < 10) become inputs
//   Pad                 attributes pads and value (opset < 11) become inputs
//   Split               attribute split (opset < 13) becomes input 1; without sizes attribute num_outputs is set
//   Resize              Upsample 7/9 and Resize 10 become Resize with coordinate_transformation_mode=asymmetric, nearest_mode=floor;
//                       empty roi, scales and sizes count as left out
//   Softmax             LogSoftmax too; opset < 13 works on the input flattened to 2-D at `axis` (default 1): unless that axis is known
//                       to be the last one, Flatten and Reshape are put around it
//   BatchNormalization  spatial=0 is refused; training_mode=1 becomes the statistics of the batch and the running ones
//   LayerNormalization  RMSNormalization too: outputs that nothing reads are dropped; stash_type must be 1
//   Attention           attribute softmax_precision is dropped: the softmax is computed in at least float32; input nonpad_kv_seqlen (opset 24)
//                       goes into the mask
//   TensorScatter       ScatterElements at the positions behind write_indices; see adapt_transformer.cc
//   RoiAlign            coordinate_transformation_mode=output_half_pixel before opset 16
//   TfIdfVectorizer     pools of strings are refused
//   FusedConv, FusedGemm, BiasGelu, QuickGelu, SkipNormalization, ArrayFeatureExtractor, Binarizer   see adapt_contrib.cc
//   TreeEnsembleRegressor, TreeEnsembleClassifier   TreeEnsemble; see adapt_trees.cc
//   ImageDecoder        the declared size of the picture becomes attributes; see adapt_picture.cc
//   Dropout             Identity; a used mask becomes a tensor of true; training_mode must be absent or a constant false
//   Variadic            Sum becomes a chain of Add, Mean divides it by the number of inputs
//   Cast                attribute to: an ONNX type number becomes the number of omkit's DType; round_mode, which is about float8e8m0, is dropped
//   CastLike            Cast to the type of input 1, which must be known when the node is imported
//   Scatter             ScatterElements; the old name ended with opset 11
//   TopK                attribute k (opset < 10) becomes input 1
//   EyeLike             attribute dtype: an ONNX type number becomes the number of omkit's DType
//   GroupNormalization  stash_type must be 1
//   SignalWindow        attribute output_datatype: an ONNX type number becomes the number of omkit's DType
//   DFT                 attribute axis (opset < 20, default 1) becomes input 2
//   ConvInteger         MatMulInteger too: operands less their zero points, as float64 (exact), through Conv or MatMul, and Cast to int32
//   DynamicQuantizeLinear  the standard's function body; a constant 0 gets scale 1/255
//   QuantizeLinear      DequantizeLinear too; type numbers as in Cast; output_dtype without zero point becomes a zero point of that type
//   QLinearConv         all QLinear<Op> and QGemm: the float operator between DequantizeLinear and QuantizeLinear
//   DynamicQuantizeMatMul, DynamicQuantizeLSTM, MatMulIntegerToFloat, QAttention   float operators on dequantized operands
//   AscendQuant, AscendAntiQuant, AscendDequant, AscendRequant   reals instead of integers; see adapt_ascend.cc
//   BrevitasQuant       Clip, QuantizeLinear, DequantizeLinear; so does FakeQuantize of OpenVINO and NNCF
#ifndef OMKIT_FRONTENDS_ONNX_ADAPTERS_H_
#define OMKIT_FRONTENDS_ONNX_ADAPTERS_H_

#include "absl/status/status.h"
#include "frontends/onnx/op_map.h"

namespace omkit::frontends::adapters {

// Each adds the node's final form to node.graph. INVALID_ARGUMENT: the node breaks ONNX's rules. UNIMPLEMENTED: a form that omkit lacks.
absl::Status Direct(OnnxNode& node);
absl::Status LegacyBroadcast(OnnxNode& node);
absl::Status PRelu(OnnxNode& node);
absl::Status Gemm(OnnxNode& node);
absl::Status AxesToInput(OnnxNode& node);
absl::Status Clip(OnnxNode& node);
absl::Status Slice(OnnxNode& node);
absl::Status Pad(OnnxNode& node);
absl::Status Split(OnnxNode& node);
absl::Status Resize(OnnxNode& node);
absl::Status Softmax(OnnxNode& node);
absl::Status BatchNormalization(OnnxNode& node);
absl::Status LayerNormalization(OnnxNode& node);
absl::Status Dropout(OnnxNode& node);
absl::Status Variadic(OnnxNode& node);
absl::Status Cast(OnnxNode& node);
absl::Status CastLike(OnnxNode& node);
absl::Status Scatter(OnnxNode& node);
absl::Status TopK(OnnxNode& node);
absl::Status EyeLike(OnnxNode& node);
absl::Status GroupNormalization(OnnxNode& node);
absl::Status SignalWindow(OnnxNode& node);
absl::Status DFT(OnnxNode& node);
absl::Status ConvInteger(OnnxNode& node);
absl::Status MatMulInteger(OnnxNode& node);
absl::Status DynamicQuantizeLinear(OnnxNode& node);
absl::Status QuantizeLinear(OnnxNode& node);
absl::Status QLinearConv(OnnxNode& node);
absl::Status QLinearMatMul(OnnxNode& node);
absl::Status QLinearBinary(OnnxNode& node);
absl::Status QLinearUnary(OnnxNode& node);
absl::Status QLinearPool(OnnxNode& node);
absl::Status QLinearConcat(OnnxNode& node);
absl::Status QLinearReduceMean(OnnxNode& node);
absl::Status QLinearSoftmax(OnnxNode& node);
absl::Status QLinearWhere(OnnxNode& node);
absl::Status QGemm(OnnxNode& node);
absl::Status DynamicQuantizeLSTM(OnnxNode& node);
absl::Status DynamicQuantizeMatMul(OnnxNode& node);
absl::Status MatMulIntegerToFloat(OnnxNode& node);
absl::Status QAttention(OnnxNode& node);
absl::Status AscendQuant(OnnxNode& node);
absl::Status AscendAntiQuant(OnnxNode& node);
absl::Status AscendDequant(OnnxNode& node);
absl::Status AscendRequant(OnnxNode& node);
absl::Status BrevitasQuant(OnnxNode& node);
absl::Status FakeQuantize(OnnxNode& node);
absl::Status RMSNormalization(OnnxNode& node);
absl::Status Attention(OnnxNode& node);
absl::Status TensorScatter(OnnxNode& node);
absl::Status RoiAlign(OnnxNode& node);
absl::Status TfIdfVectorizer(OnnxNode& node);
absl::Status FusedConv(OnnxNode& node);
absl::Status FusedGemm(OnnxNode& node);
absl::Status FusedMatMul(OnnxNode& node);
absl::Status BiasGelu(OnnxNode& node);
absl::Status QuickGelu(OnnxNode& node);
absl::Status SkipNormalization(OnnxNode& node);
absl::Status ArrayFeatureExtractor(OnnxNode& node);
absl::Status Binarizer(OnnxNode& node);
absl::Status ImageDecoder(OnnxNode& node);
absl::Status TreeEnsembleRegressor(OnnxNode& node);
absl::Status TreeEnsembleClassifier(OnnxNode& node);

}  // namespace omkit::frontends::adapters

#endif  // OMKIT_FRONTENDS_ONNX_ADAPTERS_H_
