// The run side of the oneDNN plugin.
#include <omp.h>
#include <xmmintrin.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>
#include <vector>

#include "plugins/onednn/layer.h"

namespace onednn {
namespace {

using dnnl::memory;
using Type = memory::data_type;
using Tag = memory::format_tag;

const dnnl::engine& Cpu() {
  static const auto* const engine = new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return *engine;
}

// oneDNN plans a primitive for a number of OpenMP threads, and results may depend on it: it is one, here and when the primitive runs.
// omkit's own threads are for the other steps.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }

 private:
  int before_;
};

// A layer as oneDNN plans it. All memory of an execution is in the host's scratch: the plan itself is shared by executions.
struct Plan {
  memory::desc x, w, y;                  // in ONNX order, as they lie in the operands
  memory::desc x_in, w_in, bias, y_out;  // as the primitive wants them
  memory::desc scratchpad;
  dnnl::primitive primitive;

  bool moves_x() const { return x != x_in; }
  bool moves_y() const { return y != y_out; }
  static int64_t Room(const memory::desc& d) { return static_cast<int64_t>(d.get_size() + 63) / 64 * 64; }
  int64_t scratch() const { return Room(x_in) + Room(y_out) + Room(y) + Room(scratchpad); }
};

dnnl::primitive_attr Attributes(const LayerParams& p) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (p.precision == kInt8 && p.x_zero != 0) attributes.set_zero_points(DNNL_ARG_SRC, 0, {p.x_zero});
  return attributes;
}

template <typename Description>
void Fill(const Description& description, Plan* plan) {
  plan->x_in = description.src_desc();
  plan->w_in = description.weights_desc();
  plan->y_out = description.dst_desc();
  plan->bias = description.bias_desc();
  plan->scratchpad = description.scratchpad_desc();
}

// Throws dnnl::error.
Plan MakePlan(const LayerParams& p) {
  const OneThread one;
  const bool int8 = p.precision == kInt8;
  const Type in = int8 ? Type::u8 : Type::f32, weights = int8 ? Type::s8 : Type::f32, out = int8 ? Type::s32 : Type::f32;
  const Type in_as = p.precision == kBFloat16 ? Type::bf16 : in, weights_as = p.precision == kBFloat16 ? Type::bf16 : weights;
  const memory::desc bias({p.out_channels}, int8 ? Type::s32 : Type::f32, Tag::a);
  Plan plan;
  if (p.dense != 0) {
    const memory::dims x = {p.batch, p.in_channels}, w = {p.out_channels, p.in_channels}, y = {p.batch, p.out_channels};
    plan.x = {x, in, Tag::ab}, plan.w = {w, weights, Tag::ab}, plan.y = {y, out, Tag::ab};
    const dnnl::inner_product_forward::desc description(dnnl::prop_kind::forward_inference, {x, in_as, Tag::any}, {w, weights_as, Tag::any}, bias,
                                                        {y, out, Tag::any});
    const dnnl::inner_product_forward::primitive_desc chosen(description, Attributes(p), Cpu());
    Fill(chosen, &plan);
    plan.primitive = dnnl::inner_product_forward(chosen);
    return plan;
  }
  const memory::dims x = {p.batch, p.in_channels, p.in_height, p.in_width}, y = {p.batch, p.out_channels, p.out_height, p.out_width};
  memory::dims w = {p.out_channels, p.in_channels / p.group, p.kernel_height, p.kernel_width};
  if (p.group > 1) w = {p.group, p.out_channels / p.group, p.in_channels / p.group, p.kernel_height, p.kernel_width};
  plan.x = {x, in, Tag::abcd}, plan.w = {w, weights, p.group > 1 ? Tag::abcde : Tag::abcd}, plan.y = {y, out, Tag::abcd};
  const dnnl::convolution_forward::desc description(dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, {x, in_as, Tag::any},
                                                    {w, weights_as, Tag::any}, bias, {y, out, Tag::any}, {p.stride_height, p.stride_width},
                                                    {p.dilation_height - 1, p.dilation_width - 1}, {p.pad_top, p.pad_left},
                                                    {p.pad_bottom, p.pad_right});
  const dnnl::convolution_forward::primitive_desc chosen(description, Attributes(p), Cpu());
  Fill(chosen, &plan);
  plan.primitive = dnnl::convolution_forward(chosen);
  return plan;
}

// ---- Checks of data that may come from a hostile file; oneDNN checks how the numbers fit together ----

bool Read(const OmkitStep* step, LayerParams* p) {
  if (step->params_size != sizeof *p) return false;
  std::memcpy(p, step->params, sizeof *p);
  return true;
}

bool InRange(std::initializer_list<int64_t> values, int64_t low, int64_t high) {
  return std::all_of(values.begin(), values.end(), [&](int64_t v) { return v >= low && v <= high; });
}

// Tensors of at most 2^36 elements.
bool Small(std::initializer_list<int64_t> dims) {
  int64_t product = 1;
  for (int64_t d : dims) {
    if (product > (int64_t{1} << 36) / d) return false;
    product *= d;
  }
  return true;
}

int32_t Verify(const OmkitStep* step, OmkitError* error) {
  LayerParams p;
  if (!Read(step, &p)) return Fail(error, OMKIT_INVALID, "%llu parameter bytes", static_cast<unsigned long long>(step->params_size));
  constexpr int64_t kMost = 1 << 30, kMostStep = 1 << 16;
  const bool sane =
      InRange({p.batch, p.in_channels, p.in_height, p.in_width, p.out_channels, p.out_height, p.out_width}, 1, kMost) &&
      InRange({p.kernel_height, p.kernel_width, p.stride_height, p.stride_width, p.dilation_height, p.dilation_width, p.group}, 1, kMostStep) &&
      InRange({p.pad_top, p.pad_left, p.pad_bottom, p.pad_right}, 0, kMostStep) && InRange({p.precision}, kFloat32, kInt8) &&
      InRange({p.x_zero, p.y_zero, p.residual_zero, p.act_min_q, p.act_max_q}, 0, 255) && p.in_channels % p.group == 0 &&
      p.out_channels % p.group == 0 && Small({p.batch, p.in_channels, p.in_height, p.in_width}) &&
      Small({p.batch, p.out_channels, p.out_height, p.out_width}) &&
      Small({p.out_channels, p.in_channels / p.group, p.kernel_height, p.kernel_width});
  const bool int8 = p.precision == kInt8;
  const bool forms =
      !(p.float_result != 0 && (!int8 || p.has_residual != 0)) && !(p.dense != 0 && (p.group != 1 || p.in_height != 1 || p.in_width != 1));
  if (!sane || !forms) return Fail(error, OMKIT_INVALID, "the layer's numbers are out of range");
  const int64_t x_size = int8 ? 1 : 4, y_size = int8 && p.float_result == 0 ? 1 : 4;
  std::vector<int64_t> bytes = {ResultElements(p) * y_size, InputElements(p) * x_size, WeightElements(p) * x_size, p.out_channels * 4};
  if (int8) bytes.push_back(p.out_channels * 4);
  if (p.has_residual != 0) bytes.push_back(ResultElements(p) * y_size);
  if (step->operand_count != bytes.size()) return Fail(error, OMKIT_INVALID, "%u operands, %zu are needed", step->operand_count, bytes.size());
  for (uint32_t i = 0; i < step->operand_count; ++i) {
    if (step->operands[i].size < static_cast<uint64_t>(bytes[i]))
      return Fail(error, OMKIT_INVALID, "operand %u has %llu bytes, %lld are needed", i, static_cast<unsigned long long>(step->operands[i].size),
                  static_cast<long long>(bytes[i]));
    if (i >= 2 && i < (int8 ? 5u : 4u) && step->operands[i].space != OMKIT_WEIGHTS)
      return Fail(error, OMKIT_INVALID, "operand %u is not in the weights", i);
  }
  try {
    MakePlan(p);
  } catch (const std::exception& e) {
    return Fail(error, OMKIT_INVALID, "oneDNN refuses the layer: %s", e.what());
  }
  return OMKIT_OK;
}

int64_t Scratch(const OmkitStep* step) {
  LayerParams p;
  try {
    return Read(step, &p) ? MakePlan(p).scratch() : -1;
  } catch (const std::exception&) {
    return -1;
  }
}

// ---- Load and run ----

struct State {
  LayerParams p;
  Plan plan;
  dnnl::reorder reorder_x, reorder_y;
  memory weights, bias;
  const float* multipliers = nullptr;
};

int32_t Prepare(const OmkitStep* step, void* const* operands, void** state, OmkitError* error) {
  try {
    const OneThread one;
    auto made = std::make_unique<State>();
    Read(step, &made->p);
    made->plan = MakePlan(made->p);
    const Plan& plan = made->plan;
    if (plan.moves_x()) made->reorder_x = dnnl::reorder({Cpu(), plan.x, Cpu(), plan.x_in});
    if (plan.moves_y()) made->reorder_y = dnnl::reorder({Cpu(), plan.y_out, Cpu(), plan.y});
    dnnl::stream stream(Cpu());
    memory given(plan.w, Cpu(), operands[2]);
    made->weights = memory(plan.w_in, Cpu());
    dnnl::reorder(given, made->weights).execute(stream, given, made->weights);
    stream.wait();
    made->bias = memory(plan.bias, Cpu(), operands[3]);
    if (made->p.precision == kInt8) made->multipliers = static_cast<const float*>(operands[4]);
    *state = made.release();
    return OMKIT_OK;
  } catch (const std::exception& e) {
    return Fail(error, OMKIT_FAILED, "oneDNN: %s", e.what());
  }
}

void Release(void* state) { delete static_cast<State*>(state); }

float Clamp(float v, float low, float high) { return v < low ? low : v > high ? high : v; }

void FinishFloat(const LayerParams& p, const void* residual, float* y) {
  const int64_t count = ResultElements(p);
  for (int64_t i = 0; i < count; ++i) {
    float side = 0;
    if (residual != nullptr) std::memcpy(&side, static_cast<const char*>(residual) + i * 4, 4);
    y[i] = Clamp(y[i] + side, p.act_min, p.act_max);
  }
}

// In the rounding mode that the host sets; std::nearbyint would be a call per element on baseline x86-64.
int32_t RoundHalfEven(float v) { return _mm_cvtss_si32(_mm_set_ss(v)); }

// The contract of base/quant.h, operation by operation.
void FinishInt8(const LayerParams& p, const int32_t* sums, const float* multipliers, const uint8_t* residual, void* result) {
  const int64_t inner = p.out_height * p.out_width;
  const float low = static_cast<float>(p.act_min_q - p.y_zero), high = static_cast<float>(p.act_max_q - p.y_zero);
  for (int64_t row = 0; row < p.batch * p.out_channels; ++row) {
    const float multiplier = multipliers[row % p.out_channels];
    for (int64_t i = row * inner; i < (row + 1) * inner; ++i) {
      float v = static_cast<float>(sums[i]) * multiplier;
      if (p.float_result != 0) {
        v = Clamp(v, p.act_min, p.act_max);
        std::memcpy(static_cast<char*>(result) + i * 4, &v, 4);
        continue;
      }
      if (residual != nullptr) v = v + static_cast<float>(residual[i] - p.residual_zero) * p.residual_multiplier;
      static_cast<uint8_t*>(result)[i] = static_cast<uint8_t>(RoundHalfEven(Clamp(v, low, high)) + p.y_zero);
    }
  }
}

void Execute(const State& s, const OmkitRun* run) {
  const OneThread one;
  static thread_local dnnl::stream stream(Cpu());
  const Plan& plan = s.plan;
  auto* room = static_cast<char*>(run->scratch);
  const auto take = [&room](const memory::desc& d) {
    char* const at = room;
    room += Plan::Room(d);
    return memory(d, Cpu(), at);
  };
  memory x(plan.x, Cpu(), run->operands[1]), x_in = take(plan.x_in), y_out = take(plan.y_out), y = take(plan.y);
  if (plan.moves_x()) s.reorder_x.execute(stream, x, x_in);
  std::unordered_map<int, memory> arguments = {{DNNL_ARG_SRC, plan.moves_x() ? x_in : x},
                                               {DNNL_ARG_WEIGHTS, s.weights},
                                               {DNNL_ARG_BIAS, s.bias},
                                               {DNNL_ARG_DST, y_out},
                                               {DNNL_ARG_SCRATCHPAD, take(plan.scratchpad)}};
  s.plan.primitive.execute(stream, arguments);
  if (plan.moves_y()) s.reorder_y.execute(stream, y_out, y);
  stream.wait();
  void* const done = plan.moves_y() ? y.get_data_handle() : y_out.get_data_handle();
  const void* const residual = s.p.has_residual != 0 ? run->operands[s.p.precision == kInt8 ? 5 : 4] : nullptr;
  if (s.p.precision == kInt8) {
    FinishInt8(s.p, static_cast<const int32_t*>(done), s.multipliers, static_cast<const uint8_t*>(residual), run->operands[0]);
  } else {
    FinishFloat(s.p, residual, static_cast<float*>(done));
    std::memcpy(run->operands[0], done, ResultElements(s.p) * 4);
  }
}

int32_t Run(const OmkitStep*, const OmkitRun* run, OmkitError* error) {
  if (run->thread != 0) return OMKIT_OK;
  try {
    Execute(*static_cast<const State*>(run->state), run);
    return OMKIT_OK;
  } catch (const std::exception& e) {
    return Fail(error, OMKIT_FAILED, "oneDNN: %s", e.what());
  }
}

}  // namespace

const OmkitKernel kKernels[] = {
    {sizeof(OmkitKernel), kParamsVersion, kLayer, 1u << 0, 0, Verify, Scratch, Prepare, Release, Run},
};

}  // namespace onednn
