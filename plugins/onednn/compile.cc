// The compile side of the oneDNN plugin: which Conv and Dense nodes it takes, and their steps.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "plugins/onednn/layer.h"

namespace onednn {
namespace {

struct Tensor : OmkitTensorInfo {
  Tensor() : OmkitTensorInfo{} { struct_size = sizeof(OmkitTensorInfo); }
  bool plain_float() const { return dtype == OMKIT_FLOAT32 && quant_count == 0; }
  bool activation() const { return dtype == OMKIT_UINT8 && quant_count == 1; }
};

bool Input(const OmkitNode* node, uint32_t i, Tensor* tensor) { return host->input_info(node, i, tensor) == OMKIT_OK; }

OmkitNodeInfo InfoOf(const OmkitNode* node) {
  OmkitNodeInfo info = {};
  info.struct_size = sizeof info;
  host->node_info(node, &info);
  return info;
}

struct Operands {
  Tensor x, w, bias, residual, y;
  bool has_bias = false, has_residual = false;
};

bool ReadOperands(const OmkitNode* node, Operands* o) {
  if (!Input(node, 0, &o->x) || !Input(node, 1, &o->w) || host->output_info(node, 0, &o->y) != OMKIT_OK) return false;
  o->has_bias = Input(node, 2, &o->bias);
  o->has_residual = Input(node, 3, &o->residual);
  return o->w.is_constant != 0 && (!o->has_bias || o->bias.is_constant != 0) && o->x.bytes > 0 && o->y.bytes > 0;
}

bool ReadGeometry(const OmkitNode* node, const Operands& o, bool dense, LayerParams* p) {
  *p = LayerParams{};
  p->group = p->in_height = p->in_width = p->out_height = p->out_width = 1;
  p->kernel_height = p->kernel_width = p->stride_height = p->stride_width = p->dilation_height = p->dilation_width = 1;
  p->out_channels = o.w.dims[0];
  p->in_channels = o.w.dims[1];
  p->dense = dense;
  if (dense) {
    p->batch = 1;
    for (int32_t d = 0; d + 1 < o.x.rank; ++d) p->batch *= o.x.dims[d];
    return true;
  }
  OmkitWindow window = {};
  window.struct_size = sizeof window;
  if (host->window(node, &window) != OMKIT_OK || window.rank != 2) return false;
  host->attr_int(node, "group", &p->group);
  p->batch = o.x.dims[0], p->in_channels = o.x.dims[1];
  p->in_height = window.in[1], p->in_width = window.in[2];
  p->out_height = window.out[1], p->out_width = window.out[2];
  p->kernel_height = window.kernel[1], p->kernel_width = window.kernel[2];
  p->stride_height = window.stride[1], p->stride_width = window.stride[2];
  p->dilation_height = window.dilation[1], p->dilation_width = window.dilation[2];
  p->pad_top = window.pad_begin[1], p->pad_left = window.pad_begin[2];
  p->pad_bottom = window.pad_end[1], p->pad_right = window.pad_end[2];
  return true;
}

void ReadClamp(const OmkitNode* node, const Operands& o, LayerParams* p) {
  p->act_min = -std::numeric_limits<float>::infinity();
  p->act_max = std::numeric_limits<float>::infinity();
  host->attr_float(node, "act_min", &p->act_min);
  host->attr_float(node, "act_max", &p->act_max);
  if (!o.y.activation()) return;
  // base/quant.h: clamp(roundHalfEven(value / scale) + zero_point, 0, 255).
  const auto quantize = [&](float value) {
    const float v = std::min(std::max(value / o.y.scales[0], static_cast<float>(-p->y_zero)), static_cast<float>(255 - p->y_zero));
    return static_cast<int32_t>(std::nearbyint(v)) + p->y_zero;
  };
  p->act_min_q = quantize(p->act_min);
  p->act_max_q = quantize(p->act_max);
}

// oneDNN finishes int8 sums in float32, which holds integers up to 2^24: every sum, and every partial one, must stay below that.
bool SumsFitFloat(const Operands& o, const LayerParams& p) {
  const auto* w = static_cast<const int8_t*>(o.w.data);
  const auto* bias = o.has_bias ? static_cast<const int32_t*>(o.bias.data) : nullptr;
  const int64_t taps = WeightElements(p) / p.out_channels;
  for (int64_t c = 0; c < p.out_channels; ++c) {
    int64_t sum = bias == nullptr ? 0 : std::llabs(bias[c]);
    for (int64_t k = 0; k < taps; ++k) sum += int64_t{2} * 255 * std::abs(w[c * taps + k]);
    if (sum >= (1 << 24)) return false;
  }
  return true;
}

bool IsInt8(const Operands& o, const LayerParams& p) {
  if (!o.x.activation() || o.w.dtype != OMKIT_INT8 || o.w.quant_count < 1 || (o.w.quant_count > 1 && o.w.quant_axis != 0)) return false;
  if (std::any_of(o.w.zero_points, o.w.zero_points + o.w.quant_count, [](int32_t z) { return z != 0; })) return false;
  if (o.has_bias && o.bias.dtype != OMKIT_INT32) return false;
  const bool residual = !o.has_residual || (o.residual.activation() && o.y.activation());
  return residual && (o.y.activation() || o.y.plain_float()) && SumsFitFloat(o, p);
}

bool IsFloat(const Operands& o) {
  return o.x.plain_float() && o.w.plain_float() && o.y.plain_float() && (!o.has_bias || o.bias.plain_float()) &&
         (!o.has_residual || o.residual.plain_float());
}

// False when the backends behind the plugin are to take the node.
bool Describe(const OmkitNode* node, Operands* o, LayerParams* p) {
  const OmkitNodeInfo info = InfoOf(node);
  const std::string op = info.op, soc = info.soc_version == nullptr ? "" : info.soc_version;
  if ((op != "Conv" && op != "Dense") || !ReadOperands(node, o) || !ReadGeometry(node, *o, op == "Dense", p)) return false;
  p->has_residual = o->has_residual;
  if (IsFloat(*o)) p->precision = soc == "onednn-bf16" ? kBFloat16 : kFloat32;
  else if (soc != "onednn-avx2" && IsInt8(*o, *p)) p->precision = kInt8;
  else return false;
  if (p->precision == kInt8) {
    p->float_result = !o->y.activation();
    p->x_zero = o->x.zero_points[0];
    p->y_zero = o->y.activation() ? o->y.zero_points[0] : 0;
    if (o->has_residual) {
      p->residual_zero = o->residual.zero_points[0];
      p->residual_multiplier = static_cast<float>(static_cast<double>(o->residual.scales[0]) / static_cast<double>(o->y.scales[0]));
    }
  }
  ReadClamp(node, *o, p);
  return true;
}

// One float per output channel: from sums in units of scale_x * scale_w to the result's.
std::vector<float> Multipliers(const Operands& o, const LayerParams& p) {
  std::vector<float> multipliers;
  const double y_scale = o.y.activation() ? static_cast<double>(o.y.scales[0]) : 1.0;
  for (int64_t c = 0; c < p.out_channels; ++c) {
    const float w_scale = o.w.scales[o.w.quant_count == 1 ? 0 : c];
    multipliers.push_back(static_cast<float>(static_cast<double>(o.x.scales[0]) * static_cast<double>(w_scale) / y_scale));
  }
  return multipliers;
}

// A matrix product sees no padding, so that the zero point of x goes into its bias: sum(w * (x - z)) = sum(w * x) - z * sum(w).
std::vector<int32_t> IntegerBias(const Operands& o, LayerParams* p) {
  std::vector<int32_t> bias(p->out_channels, 0);
  if (o.has_bias) std::copy_n(static_cast<const int32_t*>(o.bias.data), p->out_channels, bias.begin());
  if (p->dense == 0) return bias;
  const auto* w = static_cast<const int8_t*>(o.w.data);
  for (int64_t c = 0; c < p->out_channels; ++c) {
    for (int64_t k = 0; k < p->in_channels; ++k) bias[c] -= p->x_zero * w[c * p->in_channels + k];
  }
  p->x_zero = 0;
  return bias;
}

int32_t EmitConstants(OmkitEmitter* emitter, const Operands& o, LayerParams* p, std::vector<OmkitBlock>* blocks) {
  const auto add = [&](const void* data, uint64_t bytes) {
    blocks->push_back(-1);
    return host->emit_weights(emitter, data, bytes, &blocks->back());
  };
  int32_t code = add(o.w.data, o.w.bytes);
  if (code != OMKIT_OK) return code;
  if (p->precision == kInt8) {
    const std::vector<int32_t> bias = IntegerBias(o, p);
    const std::vector<float> multipliers = Multipliers(o, *p);
    code = add(bias.data(), bias.size() * 4);
    return code != OMKIT_OK ? code : add(multipliers.data(), multipliers.size() * 4);
  }
  std::vector<float> bias(p->out_channels, 0.0f);
  if (o.has_bias) std::copy_n(static_cast<const float*>(o.bias.data), p->out_channels, bias.begin());
  return add(bias.data(), bias.size() * 4);
}

int32_t Lower(const OmkitNode* node, OmkitEmitter* emitter, OmkitError* error) {
  Operands o;
  LayerParams p;
  if (!Describe(node, &o, &p)) return Fail(error, OMKIT_UNSUPPORTED, "not a node of this plugin");
  std::vector<OmkitBlock> blocks(2);
  int32_t code = host->emit_input(emitter, 0, &blocks[1]);
  if (code == OMKIT_OK) code = EmitConstants(emitter, o, &p, &blocks);
  if (code == OMKIT_OK && o.has_residual) {
    blocks.push_back(-1);
    code = host->emit_input(emitter, 3, &blocks.back());
  }
  if (code == OMKIT_OK) code = host->emit_output(emitter, 0, &blocks[0]);
  if (code != OMKIT_OK) return code;
  const int64_t operations = 2 * ResultElements(p) * (WeightElements(p) / p.out_channels);
  return host->emit_step(emitter, kLayer, &p, sizeof p, blocks.data(), static_cast<uint32_t>(blocks.size()), operations);
}

int32_t Supports(const OmkitNode* node) {
  Operands o;
  LayerParams p;
  return Describe(node, &o, &p) ? 1 : 0;
}

}  // namespace

const OmkitCompiler kCompiler = {sizeof(OmkitCompiler), 0, nullptr, Supports, nullptr, Lower};

}  // namespace onednn
