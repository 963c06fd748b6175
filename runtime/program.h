// A compiled network as plain data: what backends write, what an offline model stores, what the executor runs. Floor 2.
//
// A program is a list of steps over memory that is planned at compile time. Each step names a kernel, carries that kernel's
// parameters as bytes, and lists the memory it touches. Nothing here knows graphs or operators.
#ifndef OMKIT_RUNTIME_PROGRAM_H_
#define OMKIT_RUNTIME_PROGRAM_H_

#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "base/dtype.h"

namespace omkit::runtime {

enum class Space : uint8_t {
  kArena = 0,    // working memory of one execution
  kWeights = 1,  // read-only constants of the model
  kInput = 2,    // the caller's buffer of model input `index`
  kOutput = 3,   // the caller's buffer of model output `index`
};

// A range of bytes a step may touch. Arena and weight offsets are multiples of 64.
struct Operand {
  Space space = Space::kArena;
  uint32_t index = 0;   // which input or output; 0 otherwise
  uint64_t offset = 0;  // from the start of the arena, the weights, or the caller's buffer
  uint64_t size = 0;
};

struct Step {
  std::string kernel;  // key of the kernel registry, for example "conv_u8.avx512vnni"
  std::string node;    // name of the source node, for errors and profiles
  std::string op;      // operator of the source node
  std::string params;  // the kernel's parameter struct, byte for byte
  std::vector<Operand> operands;
  int64_t operations = 0;  // multiply-adds counted as two, for profiles
};

// The parameter struct of a step; the kernel's verify has checked the size.
template <typename Params>
Params ParamsOf(const Step& step) {
  static_assert(std::is_trivially_copyable_v<Params>);
  Params params;
  std::memcpy(&params, step.params.data(), sizeof params);
  return params;
}

template <typename Params>
std::string ParamBytes(const Params& params) {
  static_assert(std::is_trivially_copyable_v<Params>);
  return std::string(reinterpret_cast<const char*>(&params), sizeof params);
}

// One input or output of the model as the client sees it: dense, row-major.
struct IoDesc {
  std::string name;
  DType dtype = DType::kFloat32;
  std::vector<int64_t> dims;
  std::string format;  // "NCHW", "NHWC" or "ND"
  uint64_t bytes = 0;
};

// A tensor of the network as steps leave it in memory. Records and layers are for dumps and profiles; executing needs neither.
struct TensorRecord {
  std::string name;  // of the value
  DType dtype = DType::kFloat32;
  std::vector<int64_t> dims;     // in ONNX order
  std::vector<int64_t> strides;  // in elements; empty: row-major and dense
  bool in_memory = false;        // false: a constant that kernels hold in a form of their own, or a value that was never made
  Space space = Space::kArena;
  uint32_t index = 0;   // which input or output; 0 otherwise
  uint64_t offset = 0;  // of element 0, in bytes
  float scale = 0;      // real value = scale * (element - zero_point); 0: not quantized, or not with one scale for all
  int32_t zero_point = 0;
};

// The steps that compute one node; after the last one its outputs are complete.
struct Layer {
  uint32_t first_step = 0;
  uint32_t last_step = 0;
  std::vector<uint32_t> inputs;   // into Program::tensors
  std::vector<uint32_t> outputs;  // into Program::tensors
};

// One entry of the manifest.
struct ManifestEntry {
  std::string key;
  std::string value;
};

struct Program {
  std::string model_name;
  std::string soc_version;
  std::string isa;                      // tier the weights are packed for; the machine must support it
  std::vector<ManifestEntry> manifest;  // producer, command line, source hash, quantization summary; keys sorted
  std::vector<IoDesc> inputs;
  std::vector<IoDesc> outputs;
  std::vector<Step> steps;
  std::vector<TensorRecord> tensors;
  std::vector<Layer> layers;  // in the order of their last steps; a node that needs no step has none
  uint64_t arena_size = 0;
  std::vector<uint8_t> weights;  // empty when the weights are mapped from a file
};

}  // namespace omkit::runtime

#endif  // OMKIT_RUNTIME_PROGRAM_H_
