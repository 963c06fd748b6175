/* AscendCL dumps: what every operator of a model computed, as NumPy files.
 *
 * Dumps are on between aclmdlInitDump + aclmdlSetDump(file) and aclmdlFinalizeDump, or from aclInit on when its file has a "dump" section:
 *
 *   {"dump": {"dump_list": [{"model_name": "net", "layer": ["conv1", "fc"]}], "dump_path": "/dumps", "dump_mode": "output"}}
 *
 * A list without "layer" dumps all operators of that model, an empty "dump_list" with "dump_op_switch": "on" those of all models.
 * "dump_mode": "output", "input" or "all". Executions that are dumped run on one thread. Files:
 *
 *   <dump_path>/<yyyymmddhhmmss>/<device>/<model name>/<model id>/<number of the execution>/
 *       <operator type>.<operator name>.<task>.<stream>.<microseconds>.output.<index>.npy
 *
 * '/', '\' and '.' in names become '_'. Elements are as the operator left them, row-major in ONNX order; 8-bit tensors with a scale get
 * "<name>.json" beside them with "scale" and "zero_point". Intermediate values that fusion removed do not exist and are not dumped. */
#ifndef INC_EXTERNAL_ACL_ACL_DUMP_H_
#define INC_EXTERNAL_ACL_ACL_DUMP_H_

#include "acl/acl_base.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ACL_DUMP_MAX_FILE_PATH_LENGTH 4096

/* A piece of a dump file; dataBuf has bufLen bytes, valid during the callback. */
typedef struct acldumpChunk {
  char fileName[ACL_DUMP_MAX_FILE_PATH_LENGTH];
  uint32_t bufLen;
  uint32_t isLastChunk; /* 1 for the last piece of a file */
  int64_t offset;       /* in the file; -1: append */
  int32_t flag;
#if defined(__GNUC__)
  __extension__ uint8_t dataBuf[0];
#else
  uint8_t dataBuf[1];
#endif
} acldumpChunk;

/* ACL_ERROR_DUMP_ALREADY_RUN when dumps are prepared already or were configured by aclInit. */
ACL_FUNC_VISIBILITY aclError aclmdlInitDump(void);
/* Reads the "dump" section of a JSON file; models loaded before and after are dumped. ACL_ERROR_DUMP_NOT_RUN without aclmdlInitDump,
 * ACL_ERROR_INVALID_DUMP_CONFIG for a section that cannot be followed. */
ACL_FUNC_VISIBILITY aclError aclmdlSetDump(const char* dumpCfgPath);
/* ACL_ERROR_DUMP_NOT_RUN without aclmdlInitDump. */
ACL_FUNC_VISIBILITY aclError aclmdlFinalizeDump(void);

/* Dumps go to the callback in place of files; a result other than 0 stops that file. Without a "dump_list" all models are dumped. flag must
 * be 0. Executions call it from their threads, one at a time. */
ACL_FUNC_VISIBILITY aclError acldumpRegCallback(int32_t (*const messageCallback)(const acldumpChunk*, int32_t), int32_t flag);
ACL_FUNC_VISIBILITY void acldumpUnregCallback(void);

#ifdef __cplusplus
}
#endif

#endif /* INC_EXTERNAL_ACL_ACL_DUMP_H_ */
