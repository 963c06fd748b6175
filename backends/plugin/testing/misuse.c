/* A plugin whose chips each break one rule of the compile side, for load_test. */
#include <string.h>

#include "omkit/plugin.h"

static const OmkitHost* host;

static const char* Soc(const OmkitNode* node) {
  OmkitNodeInfo info;
  memset(&info, 0, sizeof info);
  info.struct_size = sizeof info;
  return host->node_info(node, &info) == OMKIT_OK && info.soc_version != NULL ? info.soc_version : "";
}

static int32_t Supports(const OmkitNode* node) { return *Soc(node) != '\0'; }

static int32_t Lower(const OmkitNode* node, OmkitEmitter* emitter, OmkitError* error) {
  const char* const soc = Soc(node);
  OmkitBlock blocks[2];
  if (strcmp(soc, "misuse-error") == 0) {
    strncpy(error->message, "this chip is out of order", error->message_size);
    return OMKIT_FAILED;
  }
  host->emit_input(emitter, 0, &blocks[1]);
  if (strcmp(soc, "misuse-output") == 0) return OMKIT_OK;
  host->emit_output(emitter, 0, &blocks[0]);
  if (strcmp(soc, "misuse-block") == 0) blocks[1] = 1000;
  if (strcmp(soc, "misuse-huge") == 0 && host->emit_temporary(emitter, ~(uint64_t)0, &blocks[1]) != OMKIT_OK) return OMKIT_OK;
  /* Small structs of an older plugin get as much as they have room for. */
  struct {
    uint32_t struct_size;
    int32_t dtype;
    int32_t canary;
  } old = {8, 0, 77};
  if (host->input_info(node, 0, (OmkitTensorInfo*)&old) != OMKIT_OK || old.dtype != OMKIT_FLOAT32 || old.canary != 77) return OMKIT_FAILED;
  if (host->input_info(node, 7, (OmkitTensorInfo*)&old) != OMKIT_ABSENT) return OMKIT_FAILED;
  return host->emit_step(emitter, strcmp(soc, "misuse-kernel") == 0 ? "misuse.nothing" : "misuse.copy", NULL, 0, blocks, 2, 0);
}

/* Adds an operator that does not exist, then one with an input that does not. */
static int32_t Pass(OmkitGraph* graph, OmkitError* error) {
  OmkitValue bad = 12345, result;
  if (host->graph_node(graph, 1000) != NULL || host->graph_add_node(graph, "NoSuchOperator", "x", &bad, 1, &result) == OMKIT_OK ||
      host->graph_add_node(graph, "Relu", "x", &bad, 1, &result) == OMKIT_OK || host->graph_replace_uses(graph, bad, bad) == OMKIT_OK ||
      host->graph_set_attr_int(graph, -5, "axis", 1) == OMKIT_OK) {
    strncpy(error->message, "the host takes anything", error->message_size);
    return OMKIT_FAILED;
  }
  return OMKIT_OK;
}

static int32_t Verify(const OmkitStep* step, OmkitError* error) {
  (void)error;
  return step->operand_count == 2 && step->params_size == 0 ? OMKIT_OK : OMKIT_INVALID;
}

static int32_t Run(const OmkitStep* step, const OmkitRun* run, OmkitError* error) {
  (void)error;
  if (run->thread == 0) memcpy(run->operands[0], run->operands[1], step->operands[0].size);
  return OMKIT_OK;
}

static const OmkitKernel kKernel = {sizeof(OmkitKernel), 1, "misuse.copy", 1, 0, Verify, NULL, NULL, NULL, Run};
static const OmkitPass kPass = {sizeof(OmkitPass), 0, "bad_edits", Pass};
static const OmkitCompiler kCompiler = {sizeof(OmkitCompiler), 1, &kPass, Supports, NULL, Lower};
#define SOC(name) \
  { sizeof(OmkitSoc), 0, name, "generic", "for load_test", 0 }
static const OmkitSoc kSocs[] = {SOC("misuse-none"),  SOC("misuse-error"),  SOC("misuse-output"),
                                 SOC("misuse-block"), SOC("misuse-kernel"), SOC("misuse-huge")};

const OmkitPlugin* omkit_plugin_entry(const OmkitHost* given) {
  static const OmkitPlugin plugin = {sizeof(OmkitPlugin), OMKIT_PLUGIN_ABI_VERSION, "misuse", "1.0", kSocs, 6, 1, &kKernel, &kCompiler};
  host = given;
  return &plugin;
}
