// The compile side of the toy DSP: it takes float Conv, Dense and Add, and has one pass of its own.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "plugins/toy_dsp/chip.h"

namespace toy_dsp {
namespace {

struct Tensor : OmkitTensorInfo {
  Tensor() : OmkitTensorInfo{} { struct_size = sizeof(OmkitTensorInfo); }
  bool plain_float() const { return dtype == OMKIT_FLOAT32 && quant_count == 0; }
  int64_t elements() const { return static_cast<int64_t>(bytes / 4); }
  const float* floats() const { return static_cast<const float*>(data); }
};

bool Input(const OmkitNode* node, uint32_t i, Tensor* tensor) { return host->input_info(node, i, tensor) == OMKIT_OK; }

std::string OpOf(const OmkitNode* node) {
  OmkitNodeInfo info = {};
  info.struct_size = sizeof info;
  return host->node_info(node, &info) == OMKIT_OK ? info.op : "";
}

void ReadClamp(const OmkitNode* node, float* low, float* high) {
  *low = -std::numeric_limits<float>::infinity();
  *high = std::numeric_limits<float>::infinity();
  host->attr_float(node, "act_min", low);
  host->attr_float(node, "act_max", high);
}

// ---- Conv and Dense ----

// Dense is a convolution over images of one pixel. False when the chip does not take the node.
bool DescribeConv(const OmkitNode* node, ConvParams* p) {
  Tensor x, w, bias, residual, y;
  if (!Input(node, 0, &x) || !Input(node, 1, &w) || host->output_info(node, 0, &y) != OMKIT_OK) return false;
  if (!x.plain_float() || !y.plain_float() || !w.plain_float() || w.is_constant == 0 || x.bytes == 0 || y.bytes == 0) return false;
  if (Input(node, 2, &bias) && (!bias.plain_float() || bias.is_constant == 0)) return false;
  *p = ConvParams{};
  p->has_residual = Input(node, 3, &residual);
  if (p->has_residual != 0 && !residual.plain_float()) return false;
  ReadClamp(node, &p->act_min, &p->act_max);
  p->group = p->in_height = p->in_width = p->out_height = p->out_width = 1;
  p->kernel_height = p->kernel_width = p->stride_height = p->stride_width = p->dilation_height = p->dilation_width = 1;
  p->out_channels = w.dims[0];
  if (OpOf(node) == "Dense") {
    p->in_channels = w.dims[1];
    p->batch = x.elements() / p->in_channels;
    return true;
  }
  OmkitWindow window = {};
  window.struct_size = sizeof window;
  if (host->window(node, &window) != OMKIT_OK || window.rank != 2) return false;
  host->attr_int(node, "group", &p->group);
  p->batch = x.dims[0], p->in_channels = x.dims[1];
  p->in_height = window.in[1], p->in_width = window.in[2];
  p->out_height = window.out[1], p->out_width = window.out[2];
  p->kernel_height = window.kernel[1], p->kernel_width = window.kernel[2];
  p->stride_height = window.stride[1], p->stride_width = window.stride[2];
  p->dilation_height = window.dilation[1], p->dilation_width = window.dilation[2];
  p->pad_top = window.pad_begin[1], p->pad_left = window.pad_begin[2];
  return true;
}

struct PackedWeights {
  std::vector<int16_t> mantissas;
  std::vector<int32_t> exponents;
};

PackedWeights Pack(const ConvParams& p, const float* weights) {
  const int64_t taps = p.in_channels / p.group * p.kernel_height * p.kernel_width;
  const int64_t reduction = ReductionOf(p), out_group = p.out_channels / p.group, blocks = RoundUp(out_group, kLanes) / kLanes;
  PackedWeights packed;
  packed.mantissas.assign(PackedSize(p), 0);
  for (int64_t channel = 0; channel < p.out_channels; ++channel) {
    const float* from = weights + channel * taps;
    float largest = 0;
    for (int64_t k = 0; k < taps; ++k) largest = std::max(largest, std::fabs(from[k]));
    const int exponent = ExponentFor(largest);
    packed.exponents.push_back(exponent);
    const int64_t in_group = channel % out_group, block = channel / out_group * blocks + in_group / kLanes, lane = in_group % kLanes;
    int16_t* const to = packed.mantissas.data() + block * kLanes * reduction;
    for (int64_t k = 0; k < taps; ++k) to[(k / kPair * kLanes + lane) * kPair + k % kPair] = ToMantissa(from[k], std::ldexp(1.0f, -exponent));
  }
  return packed;
}

// Adds the step that brings `count` floats into the chip's memory.
int32_t EmitLoad(OmkitEmitter* emitter, OmkitBlock floats, int64_t count, OmkitBlock* image) {
  int32_t code = host->emit_temporary(emitter, kImageHeader + count * 2, image);
  if (code != OMKIT_OK) return code;
  const LoadParams params = {count};
  const OmkitBlock blocks[] = {*image, floats};
  return host->emit_step(emitter, kLoad, &params, sizeof params, blocks, 2, 2 * count);
}

int32_t LowerConv(const OmkitNode* node, OmkitEmitter* emitter, OmkitError* error) {
  ConvParams p;
  Tensor x, w, bias;
  if (!DescribeConv(node, &p) || !Input(node, 0, &x) || !Input(node, 1, &w)) return Fail(error, OMKIT_UNSUPPORTED, "not a node of this chip");
  const PackedWeights packed = Pack(p, w.floats());
  std::vector<float> bias_values(p.out_channels, 0.0f);
  if (Input(node, 2, &bias)) std::copy(bias.floats(), bias.floats() + p.out_channels, bias_values.begin());
  OmkitBlock in, blocks[6];
  int32_t code = host->emit_input(emitter, 0, &in);
  if (code == OMKIT_OK) code = EmitLoad(emitter, in, x.elements(), &blocks[1]);
  if (code == OMKIT_OK) code = host->emit_weights(emitter, packed.mantissas.data(), packed.mantissas.size() * 2, &blocks[2]);
  if (code == OMKIT_OK) code = host->emit_weights(emitter, packed.exponents.data(), packed.exponents.size() * 4, &blocks[3]);
  if (code == OMKIT_OK) code = host->emit_weights(emitter, bias_values.data(), bias_values.size() * 4, &blocks[4]);
  if (code == OMKIT_OK && p.has_residual != 0) code = host->emit_input(emitter, 3, &blocks[5]);
  if (code == OMKIT_OK) code = host->emit_output(emitter, 0, &blocks[0]);
  if (code != OMKIT_OK) return code;
  const int64_t operations = 2 * p.batch * p.out_channels * p.out_height * p.out_width * ReductionOf(p);
  return host->emit_step(emitter, kConv, &p, sizeof p, blocks, p.has_residual != 0 ? 6 : 5, operations);
}

// ---- Add ----

// Takes b of a's shape, or a constant b with one value per channel (dimension 1 of a) or one for all.
bool DescribeAdd(const OmkitNode* node, AddParams* p) {
  Tensor a, b, y;
  if (!Input(node, 0, &a) || !Input(node, 1, &b) || host->output_info(node, 0, &y) != OMKIT_OK) return false;
  if (!a.plain_float() || !b.plain_float() || !y.plain_float() || y.bytes == 0 || a.bytes != y.bytes) return false;
  *p = AddParams{};
  ReadClamp(node, &p->act_min, &p->act_max);
  p->count = y.elements();
  p->b_count = b.elements();
  p->inner = 1;
  if (b.rank == a.rank && std::equal(a.dims, a.dims + a.rank, b.dims)) return true;
  if (b.is_constant == 0) return false;
  if (p->b_count == 1) return true;
  // [C, 1, 1...] against [N, C, ...], with or without a leading 1.
  if (a.rank < 2 || b.rank < a.rank - 1 || p->b_count != a.dims[1] || b.dims[b.rank - a.rank + 1] != a.dims[1]) return false;
  for (int32_t d = 2; d < a.rank; ++d) p->inner *= a.dims[d];
  return true;
}

int32_t LowerAdd(const OmkitNode* node, OmkitEmitter* emitter, OmkitError* error) {
  AddParams p;
  if (!DescribeAdd(node, &p)) return Fail(error, OMKIT_UNSUPPORTED, "not a node of this chip");
  OmkitBlock a, b, blocks[3];
  int32_t code = host->emit_input(emitter, 0, &a);
  if (code == OMKIT_OK) code = host->emit_input(emitter, 1, &b);
  if (code == OMKIT_OK) code = EmitLoad(emitter, a, p.count, &blocks[1]);
  if (code == OMKIT_OK) code = EmitLoad(emitter, b, p.b_count, &blocks[2]);
  if (code == OMKIT_OK) code = host->emit_output(emitter, 0, &blocks[0]);
  if (code != OMKIT_OK) return code;
  return host->emit_step(emitter, kAdd, &p, sizeof p, blocks, 3, p.count);
}

// ---- The table ----

int32_t Supports(const OmkitNode* node) {
  ConvParams conv;
  AddParams add;
  const std::string op = OpOf(node);
  if (op == "Conv" || op == "Dense") return DescribeConv(node, &conv) ? 1 : 0;
  return op == "Add" && DescribeAdd(node, &add) ? 1 : 0;
}

// The chip has no 8-bit form: --quant_type=1 leaves networks in float.
int32_t SupportsInt8(const OmkitNode*) { return 0; }

int32_t Lower(const OmkitNode* node, OmkitEmitter* emitter, OmkitError* error) {
  return OpOf(node) == "Add" ? LowerAdd(node, emitter, error) : LowerConv(node, emitter, error);
}

// The chip adds but does not subtract: x - c becomes x + (-c).
int32_t AddNegatedConstants(OmkitGraph* graph, OmkitError* error) {
  for (uint32_t i = 0; i < host->graph_node_count(graph); ++i) {
    const OmkitNode* node = host->graph_node(graph, i);
    Tensor c;
    if (OpOf(node) != "Sub" || !Input(node, 1, &c) || c.is_constant == 0 || !c.plain_float()) continue;
    OmkitNodeInfo info = {};
    info.struct_size = sizeof info;
    host->node_info(node, &info);
    const std::string name = info.name, constant_name = std::string(c.name) + "/negated";
    float low, high;
    ReadClamp(node, &low, &high);
    std::vector<float> negated(c.floats(), c.floats() + c.elements());
    for (float& v : negated) v = -v;
    OmkitValue inputs[2] = {host->node_input(node, 0), -1}, sum;
    const OmkitValue difference = host->node_output(node, 0);
    int32_t code = host->graph_add_constant(graph, constant_name.c_str(), OMKIT_FLOAT32, c.dims, c.rank, negated.data(), &inputs[1]);
    if (code == OMKIT_OK) code = host->graph_add_node(graph, "Add", name.c_str(), inputs, 2, &sum);
    if (code == OMKIT_OK && low > -std::numeric_limits<float>::infinity()) code = host->graph_set_attr_float(graph, sum, "act_min", low);
    if (code == OMKIT_OK && high < std::numeric_limits<float>::infinity()) code = host->graph_set_attr_float(graph, sum, "act_max", high);
    if (code == OMKIT_OK) code = host->graph_replace_uses(graph, difference, sum);
    if (code != OMKIT_OK) return Fail(error, code, "node '%s' could not be rewritten", name.c_str());
  }
  return OMKIT_OK;
}

const OmkitPass kPasses[] = {{sizeof(OmkitPass), 0, "add_negated_constants", AddNegatedConstants}};

}  // namespace

const OmkitCompiler kCompiler = {sizeof(OmkitCompiler), 1, kPasses, Supports, SupportsInt8, Lower};

}  // namespace toy_dsp
