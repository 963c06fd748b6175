/* omkit_rt: runs an offline model without an operating system. Link libomkit_rt.a; C99 and C++.
 *
 * Everything lies in memory of the caller: the model as it came out of atc (a const array: `om array` writes one), and one block for
 * tables, working memory and scratch, whose size omkit_rt_memory_size tells. No heap, no files, no output, no threads, no exceptions; of the
 * C library only memcpy, memmove, memset, memcmp and mathematical functions are used.
 *
 * Loading checks the model's hashes, its structure, and that every step's data lies inside its memory. The parameters inside a step are
 * trusted: `om array` has verified them with the full runtime. So take models from where you take program code.
 *
 * A loaded model serves one thread at a time; models are independent of each other. Results are the same bytes as those of libascendcl. */
#ifndef OMKIT_RT_H_
#define OMKIT_RT_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define OMKIT_RT_ALIGNMENT 64 /* of the model and of the memory block */
#define OMKIT_RT_MAX_RANK 8

typedef enum omkit_rt_status {
  OMKIT_RT_OK = 0,
  OMKIT_RT_INVALID_ARGUMENT = 1, /* a null or misaligned address, an index out of range */
  OMKIT_RT_NOT_A_MODEL = 2,      /* not an offline model, or of another version or byte order */
  OMKIT_RT_DAMAGED = 3,          /* truncated or changed */
  OMKIT_RT_UNSUPPORTED = 4,      /* a step needs a kernel that the full runtime alone has, or the model has gears */
  OMKIT_RT_WRONG_CHIP = 5,       /* compiled for an instruction set that this processor lacks */
  OMKIT_RT_MEMORY_TOO_SMALL = 6  /* the block is smaller than omkit_rt_memory_size says */
} omkit_rt_status;

typedef struct omkit_rt_model omkit_rt_model;

/* More about a failure. `subject` is a static text or lies in the model, not always zero-terminated: use the length. */
typedef struct omkit_rt_failure {
  const char* reason;  /* static text */
  const char* subject; /* for example the name of the kernel; NULL: none */
  size_t subject_length;
} omkit_rt_failure;

typedef struct omkit_rt_tensor {
  const char* name; /* zero-terminated, lies in the model */
  int data_type;    /* an aclDataType: 0 float32, 2 int8, 4 uint8 ... */
  size_t bytes;
  size_t rank;
  int64_t dims[OMKIT_RT_MAX_RANK];
} omkit_rt_tensor;

/* Bytes of the block that omkit_rt_load needs for this model. Reads the whole model. `failure` may be NULL, here and below. */
omkit_rt_status omkit_rt_memory_size(const void* model, size_t model_size, size_t* bytes, omkit_rt_failure* failure);

/* Loads the model into `memory`; both must stay where they are while *loaded is in use. There is nothing to unload. */
omkit_rt_status omkit_rt_load(const void* model, size_t model_size, void* memory, size_t memory_size, omkit_rt_model** loaded,
                              omkit_rt_failure* failure);

size_t omkit_rt_num_inputs(const omkit_rt_model* model);
size_t omkit_rt_num_outputs(const omkit_rt_model* model);
omkit_rt_status omkit_rt_input(const omkit_rt_model* model, size_t index, omkit_rt_tensor* tensor);
omkit_rt_status omkit_rt_output(const omkit_rt_model* model, size_t index, omkit_rt_tensor* tensor);

/* Runs the model once: one address per input and output, of at least omkit_rt_tensor.bytes bytes, any alignment. Outputs must overlap
 * neither each other nor inputs. */
omkit_rt_status omkit_rt_execute(omkit_rt_model* model, const void* const* inputs, void* const* outputs);

/* "OK", "damaged model", ... */
const char* omkit_rt_status_text(omkit_rt_status status);

#ifdef __cplusplus
}
#endif

#endif /* OMKIT_RT_H_ */
