/* One plugin with the fault that OMKIT_FAULT names, for plugin_test; FAULT_NONE has none. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "omkit/plugin.h"

#define FAULT_NONE 0
#define FAULT_VERSION 1
#define FAULT_CONSTRUCTOR 2
#define FAULT_ENTRY 3
#define FAULT_EXIT 4
#define FAULT_SOC 5
#define FAULT_SYMBOL 6
#define FAULT_UNRESOLVED 7
#define FAULT_NULL 8
#define FAULT_KERNEL 9
#define FAULT_SIZE 10
#define FAULT_PARAMS 11

static int32_t Verify(const OmkitStep* step, OmkitError* error) {
  if (step->params_size == 4 && step->operand_count == 2 && step->operands[0].size == step->operands[1].size) return OMKIT_OK;
  strncpy(error->message, "not a step of good.add", error->message_size);
  return OMKIT_INVALID;
}

static int32_t Prepare(const OmkitStep* step, void* const* operands, void** state, OmkitError* error) {
  (void)operands, (void)error;
  *state = malloc(4);
  memcpy(*state, step->params, 4);
  return OMKIT_OK;
}

/* Adds its parameter to every byte; a parameter of 99 fails. */
static int32_t Run(const OmkitStep* step, const OmkitRun* run, OmkitError* error) {
  const int32_t add = *(const int32_t*)run->state;
  if (add == 99) {
    strncpy(error->message, "99 is too much", error->message_size);
    return OMKIT_FAILED;
  }
  if (run->thread != 0) return OMKIT_OK;
  for (uint64_t i = 0; i < step->operands[0].size; ++i) ((uint8_t*)run->operands[0])[i] = (uint8_t)(((const uint8_t*)run->operands[1])[i] + add);
  return OMKIT_OK;
}

static const OmkitSoc kSoc = {sizeof(OmkitSoc), 0, OMKIT_FAULT == FAULT_SOC ? "npu-int8-generic" : "good-chip", "generic", "for plugin_test", 0};
static const OmkitKernel kKernel = {sizeof(OmkitKernel),
                                    OMKIT_FAULT == FAULT_PARAMS ? 2 : 1,
                                    OMKIT_FAULT == FAULT_KERNEL ? "other.add" : "good.add",
                                    1,
                                    0,
                                    Verify,
                                    NULL,
                                    Prepare,
                                    free,
                                    Run};

#if OMKIT_FAULT == FAULT_CONSTRUCTOR
__attribute__((constructor)) static void Crash(void) { abort(); }
#endif

#if OMKIT_FAULT == FAULT_UNRESOLVED
int omkit_nowhere_defined(void);
#endif

#if OMKIT_FAULT == FAULT_SYMBOL
__attribute__((visibility("default"))) int another_entry(void) { return kSoc.struct_size + kKernel.struct_size; }
#else
const OmkitPlugin* omkit_plugin_entry(const OmkitHost* host) {
  static const OmkitPlugin plugin = {OMKIT_FAULT == FAULT_SIZE ? 16 : sizeof(OmkitPlugin),
                                     OMKIT_FAULT == FAULT_VERSION ? OMKIT_PLUGIN_ABI_VERSION + 1 : OMKIT_PLUGIN_ABI_VERSION,
                                     "good",
                                     "1.0",
                                     &kSoc,
                                     1,
                                     1,
                                     &kKernel,
                                     NULL};
  if (OMKIT_FAULT == FAULT_ENTRY) *(volatile int*)(size_t)host->struct_size = 1;
  if (OMKIT_FAULT == FAULT_EXIT) _exit(3);
#if OMKIT_FAULT == FAULT_UNRESOLVED
  if (omkit_nowhere_defined()) return NULL;
#endif
  return OMKIT_FAULT == FAULT_NULL ? NULL : &plugin;
}
#endif
