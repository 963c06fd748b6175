/* The plugin interface: how a chip backend that is built outside omkit, as a shared object, takes part in it. Plain C; floor 2.
 *
 * A plugin exports one function, omkit_plugin_entry, which returns a table that lives for ever (OmkitPlugin). The table has a compile
 * side, which atc asks node by node ("do you take this node?", "add the steps of this node"), and a run side, the kernels that those
 * steps name. Only plain structs and function pointers cross the border, each struct with its size in front, so that host and plugin may
 * be built with different compilers, standard libraries and flags. docs/plugins.md is the guide; plugins/toy_dsp the example.
 *
 * Versions.  OMKIT_PLUGIN_ABI_VERSION changes when an existing field or contract changes; a plugin of another version is refused. New
 *   fields are appended to structs and do not change it: read a field only when struct_size covers it (OMKIT_HAS). A table's first two
 *   fields, struct_size and abi_version, keep their places for ever.
 * Ownership.  Whoever allocates memory frees it. Pointers that the host hands out (names, constants, attribute lists) are valid during
 *   the call of the plugin's function in which they were got. What a plugin's table points to must stay valid and unchanged.
 * Threads.  The compile side is called from one thread at a time. On the run side verify, scratch_bytes, prepare and release may be
 *   called from any threads at once for different steps; run is called by `threads` threads at once for one execution, and several
 *   executions of one model may be under way at once.
 * Errors.  Functions that return int32_t return OMKIT_OK or one of the codes below; with a failure they write a message for people into
 *   OmkitError: what, which value, which limit. The host adds the plugin's and the node's name. A function must not throw, longjmp, exit
 *   or abort; an exception that leaves it ends the process.
 * Floating point.  run is called with rounding to nearest, exceptions masked and denormals kept; it must leave that as it is.
 */
#ifndef OMKIT_PLUGIN_H_
#define OMKIT_PLUGIN_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define OMKIT_PLUGIN_ABI_VERSION 1u

/* True when the struct that `pointer` points to is large enough to hold `field`. */
#define OMKIT_HAS(pointer, type, field) ((pointer)->struct_size >= offsetof(type, field) + sizeof((pointer)->field))

enum {
  OMKIT_OK = 0,
  OMKIT_ABSENT = 1,      /* an optional input, an attribute or a window that is not there */
  OMKIT_INVALID = 2,     /* wrong arguments, or parameters of a step that cannot be right */
  OMKIT_UNSUPPORTED = 3, /* asked for something that this side cannot do */
  OMKIT_NO_MEMORY = 4,
  OMKIT_FAILED = 5
};

/* Arrays of structs in a plugin's table are walked in steps of their first entry's struct_size. */

/* Element types; the numbers are those of offline models. */
enum {
  OMKIT_FLOAT32 = 1,
  OMKIT_FLOAT16 = 2,
  OMKIT_BFLOAT16 = 3,
  OMKIT_FLOAT64 = 4,
  OMKIT_INT8 = 5,
  OMKIT_UINT8 = 6,
  OMKIT_INT16 = 7,
  OMKIT_UINT16 = 8,
  OMKIT_INT32 = 9,
  OMKIT_UINT32 = 10,
  OMKIT_INT64 = 11,
  OMKIT_UINT64 = 12,
  OMKIT_BOOL = 13
};

enum { OMKIT_LOG_DEBUG = 0, OMKIT_LOG_INFO = 1, OMKIT_LOG_WARNING = 2, OMKIT_LOG_ERROR = 3 };

#define OMKIT_MAX_RANK 8

/* The host makes it; `message` is cut to its size, always ends in NUL. */
typedef struct OmkitError {
  uint32_t struct_size;
  uint32_t message_size;
  char* message;
} OmkitError;

/* ---- Run side ---------------------------------------------------------------------------------------------------------------- */

/* Memory spaces of an operand. */
enum { OMKIT_ARENA = 0, OMKIT_WEIGHTS = 1, OMKIT_MODEL_INPUT = 2, OMKIT_MODEL_OUTPUT = 3 };

/* A range of bytes that a step may touch. */
typedef struct OmkitOperand {
  uint32_t space;
  uint32_t index; /* which model input or output */
  uint64_t size;  /* bytes */
} OmkitOperand;

/* One step of a program as its kernel sees it. `params` holds what emit_step was given, at a 16-byte aligned address; at load it may be
 * hostile data, until verify has said OK. */
typedef struct OmkitStep {
  uint32_t struct_size;
  uint32_t operand_count;
  const void* params;
  uint64_t params_size;
  const OmkitOperand* operands;
  const char* node; /* name of the node that the step stems from */
  const char* op;   /* its operator */
} OmkitStep;

typedef struct OmkitRun {
  uint32_t struct_size;
  int32_t thread; /* 0 .. threads - 1; all call run at once and the host waits for all of them after the step */
  int32_t threads;
  uint32_t reserved;
  /* One address per operand. Operands in the arena and the weights are 64-byte aligned; model inputs and outputs may lie anywhere. */
  void* const* operands;
  void* scratch; /* scratch_bytes of this thread, 64-byte aligned */
  void* state;   /* what prepare gave */
} OmkitRun;

typedef struct OmkitKernel {
  uint32_t struct_size;
  /* Version of the layout of `params`. A step that was compiled with another version is refused at load. */
  uint32_t params_version;
  /* "<name of the plugin>.<kernel>", at most 128 bytes. */
  const char* name;
  /* Bit i: run writes operand i (i < 32). The host refuses steps that would write to weights or model inputs. */
  uint32_t writes;
  uint32_t reserved;
  /* Required. OMKIT_OK means: with these params and operand sizes run touches no byte outside its operands, divides by nothing that is
   * zero, and terminates. */
  int32_t (*verify)(const OmkitStep* step, OmkitError* error);
  /* Bytes of scratch per thread, after verify; NULL: none. A negative number refuses the step. */
  int64_t (*scratch_bytes)(const OmkitStep* step);
  /* Once per step at load, after verify; NULL: nothing. `operands` has addresses for operands in the weights and NULL elsewhere; they
   * stay valid until release. May allocate. *state is handed to run and release. */
  int32_t (*prepare)(const OmkitStep* step, void* const* operands, void** state, OmkitError* error);
  /* Frees a state of prepare; NULL when there is nothing to free. */
  void (*release)(void* state);
  /* Required. Must not wait for other threads of the host. An error ends the execution. */
  int32_t (*run)(const OmkitStep* step, const OmkitRun* run, OmkitError* error);
} OmkitKernel;

/* ---- Compile side ------------------------------------------------------------------------------------------------------------ */

typedef struct OmkitNode OmkitNode;       /* a node of the network, read only */
typedef struct OmkitEmitter OmkitEmitter; /* takes the steps of one node */
typedef struct OmkitGraph OmkitGraph;     /* the network, for passes */
typedef int32_t OmkitBlock;               /* a piece of memory of the program */
typedef int32_t OmkitValue;               /* a tensor of the network, for passes; -1: an absent optional input */

typedef struct OmkitNodeInfo {
  uint32_t struct_size; /* set by the plugin */
  uint32_t input_count; /* absent optional inputs count */
  uint32_t output_count;
  uint32_t reserved;
  const char* name;        /* of the ONNX file */
  const char* op;          /* operator of docs/operators.md: "Conv", "Dense", ... */
  const char* soc_version; /* that is compiled for; NULL in passes */
} OmkitNodeInfo;

typedef struct OmkitTensorInfo {
  uint32_t struct_size; /* set by the plugin */
  int32_t dtype;
  const char* name;
  int32_t rank;
  int32_t is_constant;
  int64_t dims[OMKIT_MAX_RANK]; /* ONNX order */
  uint64_t bytes;
  const void* data; /* row-major elements of a constant, else NULL */
  /* Affine quantization, real = scale * (q - zero_point): quant_count is 0 (not quantized), 1 (per tensor) or dims[quant_axis]. */
  int32_t quant_count;
  int32_t quant_axis;
  const float* scales;
  const int32_t* zero_points;
} OmkitTensorInfo;

/* Kernel geometry of Conv and pools with auto_pad resolved, aligned to the right: a 2-D window uses entries 1 (height) and 2 (width);
 * unused entries are a kernel of 1. */
typedef struct OmkitWindow {
  uint32_t struct_size; /* set by the plugin */
  int32_t rank;         /* 1 to 3 */
  int64_t in[3], out[3], kernel[3], stride[3], dilation[3], pad_begin[3], pad_end[3];
} OmkitWindow;

/* What the host offers. The table lives for ever and may be kept. */
typedef struct OmkitHost {
  uint32_t struct_size;
  uint32_t abi_version;
  const char* version; /* of omkit */
  void (*log)(int32_t level, const char* text);

  /* Questions about a node. OMKIT_ABSENT for an absent input, an attribute that is not there or has another type. Attributes are those
   * of the operator's newest ONNX version, plus act_min and act_max (floats), the fused clamp of Conv, Dense, Add, Sub and Mul. Conv and
   * Dense (x[..., K] times w[N, K] transposed) have the inputs x, w, bias (optional), residual of the result's shape (optional). */
  int32_t (*node_info)(const OmkitNode* node, OmkitNodeInfo* info);
  int32_t (*input_info)(const OmkitNode* node, uint32_t input, OmkitTensorInfo* info);
  int32_t (*output_info)(const OmkitNode* node, uint32_t output, OmkitTensorInfo* info);
  int32_t (*attr_int)(const OmkitNode* node, const char* name, int64_t* value);
  int32_t (*attr_float)(const OmkitNode* node, const char* name, float* value);
  int32_t (*attr_string)(const OmkitNode* node, const char* name, const char** value);
  int32_t (*attr_ints)(const OmkitNode* node, const char* name, const int64_t** values, uint64_t* count);
  int32_t (*attr_floats)(const OmkitNode* node, const char* name, const float** values, uint64_t* count);
  int32_t (*window)(const OmkitNode* node, OmkitWindow* window);
  /* 1 when a backend behind the plugin would run this float node in INT8 (see OmkitCompiler.supports_int8), else 0. */
  int32_t (*fallback_supports_int8)(const OmkitNode* node);

  /* Steps of a node, inside OmkitCompiler.lower. All memory is row-major in ONNX order and starts at the block's first byte. */
  int32_t (*emit_input)(OmkitEmitter* emitter, uint32_t input, OmkitBlock* block);
  int32_t (*emit_output)(OmkitEmitter* emitter, uint32_t output, OmkitBlock* block);
  /* Working memory between steps of this node; its content is undefined at first. */
  int32_t (*emit_temporary)(OmkitEmitter* emitter, uint64_t bytes, OmkitBlock* block);
  /* Copies `bytes` bytes into the weights of the offline model; equal content is stored once. */
  int32_t (*emit_weights)(OmkitEmitter* emitter, const void* data, uint64_t bytes, OmkitBlock* block);
  /* `kernel` is a name of the plugin's own table. `operations`: multiply-adds counted as two, for profiles and for the choice of threads.
   * Steps run in the order in which they are added. Equal networks must give equal bytes: clear padding of `params`. */
  int32_t (*emit_step)(OmkitEmitter* emitter, const char* kernel, const void* params, uint64_t params_size, const OmkitBlock* blocks,
                       uint32_t block_count, int64_t operations);

  /* The network, inside OmkitPass.run. Nodes are numbered in topological order, anew after each change. The host removes dead nodes,
   * infers shapes and verifies the network when the pass returns. */
  uint32_t (*graph_node_count)(OmkitGraph* graph);
  const OmkitNode* (*graph_node)(OmkitGraph* graph, uint32_t index); /* NULL beyond the last; valid until the next change */
  OmkitValue (*node_input)(const OmkitNode* node, uint32_t input);
  OmkitValue (*node_output)(const OmkitNode* node, uint32_t output);
  int32_t (*graph_add_constant)(OmkitGraph* graph, const char* name, int32_t dtype, const int64_t* dims, int32_t rank, const void* data,
                                OmkitValue* value);
  /* A node with one output, named after the node it replaces. */
  int32_t (*graph_add_node)(OmkitGraph* graph, const char* op, const char* name, const OmkitValue* inputs, uint32_t input_count, OmkitValue* output);
  int32_t (*graph_set_attr_int)(OmkitGraph* graph, OmkitValue node_output, const char* name, int64_t value);
  int32_t (*graph_set_attr_float)(OmkitGraph* graph, OmkitValue node_output, const char* name, float value);
  int32_t (*graph_set_attr_ints)(OmkitGraph* graph, OmkitValue node_output, const char* name, const int64_t* values, uint64_t count);
  /* Every reader of `from`, outputs of the network included, reads `to` afterwards. */
  int32_t (*graph_replace_uses)(OmkitGraph* graph, OmkitValue from, OmkitValue to);
} OmkitHost;

/* A rewrite of the float network, after fusion and before quantization. It must keep the network's meaning. */
typedef struct OmkitPass {
  uint32_t struct_size;
  uint32_t reserved;
  const char* name;
  int32_t (*run)(OmkitGraph* graph, OmkitError* error);
} OmkitPass;

typedef struct OmkitCompiler {
  uint32_t struct_size;
  uint32_t pass_count;
  const OmkitPass* passes; /* run in this order for the plugin's chips only */
  /* 1 when lower can take the node with its types as they are; 0: the backends behind the plugin take it (npu_int8, then reference,
   * which takes every node). */
  int32_t (*supports)(const OmkitNode* node);
  /* 1 when the node, still float, is to be quantized to INT8 with --quant_type=1; NULL: what the backends behind the plugin say. */
  int32_t (*supports_int8)(const OmkitNode* node);
  /* Adds the steps of a node for which supports said 1. */
  int32_t (*lower)(const OmkitNode* node, OmkitEmitter* emitter, OmkitError* error);
} OmkitCompiler;

/* ---- The plugin -------------------------------------------------------------------------------------------------------------- */

typedef struct OmkitSoc {
  uint32_t struct_size;
  uint32_t reserved;
  const char* soc_version; /* the value of --soc_version; unique over omkit and all plugins; letters, digits, '-', '_', '.' */
  /* Instruction set of the kernels behind the plugin, which the machine that runs the model must have: "generic", "avx2", "avxvnni",
   * "avx512vnni", "neon", "dotprod" or "i8mm". */
  const char* isa;
  const char* description;
  /* What the conformance suite holds float results to: the largest error of an element of one node's result, relative to the
   * largest sum of magnitudes among them. */
  double float_tolerance;
} OmkitSoc;

typedef struct OmkitPlugin {
  uint32_t struct_size;
  uint32_t abi_version; /* OMKIT_PLUGIN_ABI_VERSION */
  const char* name;     /* of the backend: lower-case letters, digits and '_' */
  const char* version;  /* of the plugin, for people */
  const OmkitSoc* socs;
  uint32_t soc_count; /* at least 1 */
  uint32_t kernel_count;
  const OmkitKernel* kernels;
  const OmkitCompiler* compiler; /* NULL: runs models, compiles none */
} OmkitPlugin;

/* The one exported symbol. NULL when the plugin cannot serve this host. May be called more than once. */
typedef const OmkitPlugin* (*OmkitPluginEntry)(const OmkitHost* host);

#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
const OmkitPlugin*
omkit_plugin_entry(const OmkitHost* host);

#ifdef __cplusplus
}
#endif

#endif /* OMKIT_PLUGIN_H_ */
