/* AscendCL profiling: where the time of executions goes.
 *
 *   aclprofInit(dir, strlen(dir));                  before models are executed
 *   config = aclprofCreateConfig(devices, 1, ACL_AICORE_NONE, NULL, ACL_PROF_ACL_API | ACL_PROF_TASK_TIME);
 *   aclprofStart(config); ... aclmdlExecute ... ; aclprofStop(config);
 *   aclprofDestroyConfig(config); aclprofFinalize();
 *
 * The result is the folder <dir>/PROF_<number>_<time>_<letters>/mindstudio_profiler_output with op_summary_*.csv, op_statistic_*.csv,
 * api_statistic_*.csv, task_time_*.csv, step_trace_*.csv and the timeline msprof_*.json (Chrome trace format). The program `msprof` and the
 * "profiler" section of aclInit's file give the same without a change to the client. A subscription (aclprofModelSubscribe) delivers the
 * operators of one model through a pipe instead. */
#ifndef INC_EXTERNAL_ACL_ACL_PROF_H_
#define INC_EXTERNAL_ACL_ACL_PROF_H_

#include "acl/acl_base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What to record, for aclprofCreateConfig. ACL_API: calls of this interface. TASK_TIME (L0 and L2 alike): steps of executions. MSPROFTX:
 * stamps. The other bits name units that a CPU does not have: they are accepted and record nothing. */
#define ACL_PROF_ACL_API 0x0001ULL
#define ACL_PROF_TASK_TIME 0x0002ULL
#define ACL_PROF_AICORE_METRICS 0x0004ULL
#define ACL_PROF_AICPU 0x0008ULL
#define ACL_PROF_L2CACHE 0x0010ULL
#define ACL_PROF_HCCL_TRACE 0x0020ULL
#define ACL_PROF_TRAINING_TRACE 0x0040ULL
#define ACL_PROF_MSPROFTX 0x0080ULL
#define ACL_PROF_RUNTIME_API 0x0100ULL
#define ACL_PROF_GE_API_L0 0x0200ULL
#define ACL_PROF_TASK_TIME_L0 0x0800ULL
#define ACL_PROF_TASK_MEMORY 0x1000ULL
#define ACL_PROF_TASK_TIME_L2 0x2000ULL
#define ACL_PROF_OP_ATTR 0x4000ULL
#define ACL_PROF_GE_API_L1 0x1000000ULL

/* Largest sizes of a name and a type, the closing zero included. */
#define ACL_PROF_MAX_OP_NAME_LEN 257
#define ACL_PROF_MAX_OP_TYPE_LEN 65

typedef enum {
  ACL_AICORE_ARITHMETIC_UTILIZATION = 0,
  ACL_AICORE_PIPE_UTILIZATION = 1,
  ACL_AICORE_MEMORY_BANDWIDTH = 2,
  ACL_AICORE_L0B_AND_WIDTH = 3,
  ACL_AICORE_RESOURCE_CONFLICT_RATIO = 4,
  ACL_AICORE_MEMORY_UB = 5,
  ACL_AICORE_L2_CACHE = 6,
  ACL_AICORE_PIPE_EXECUTE_UTILIZATION = 7,
  ACL_AICORE_MEMORY_ACCESS = 8,
  ACL_AICORE_NONE = 0xFF
} aclprofAicoreMetrics;

typedef enum { ACL_STEP_START = 0, ACL_STEP_END = 1 } aclprofStepTag;

/* aclprofSetConfig: the one whose value is used here is STORAGE_LIMIT ("200MB" or more). */
typedef enum {
  ACL_PROF_ARGS_MIN = 0,
  ACL_PROF_STORAGE_LIMIT,
  ACL_PROF_AIV_METRICS,
  ACL_PROF_SYS_HARDWARE_MEM_FREQ,
  ACL_PROF_LLC_MODE,
  ACL_PROF_SYS_IO_FREQ,
  ACL_PROF_SYS_INTERCONNECTION_FREQ,
  ACL_PROF_DVPP_FREQ,
  ACL_PROF_HOST_SYS,
  ACL_PROF_HOST_SYS_USAGE,
  ACL_PROF_HOST_SYS_USAGE_FREQ,
  ACL_PROF_LOW_POWER_FREQ,
  ACL_PROF_SYS_MEM_SERVICEFLOW,
  ACL_PROF_ARGS_MAX
} aclprofConfigType;

typedef struct aclprofConfig aclprofConfig;
typedef struct aclprofAicoreEvents aclprofAicoreEvents;
typedef struct aclprofSubscribeConfig aclprofSubscribeConfig;
typedef struct aclprofStepInfo aclprofStepInfo;

/* `length` bytes of `profilerResultPath` name a folder that exists and can be written. ACL_ERROR_PROF_ALREADY_RUN when called twice,
 * ACL_ERROR_INVALID_FILE for the folder, ACL_ERROR_PROF_API_CONFLICT while a model is subscribed. */
ACL_FUNC_VISIBILITY aclError aclprofInit(const char* profilerResultPath, size_t length);
/* Writes the files. ACL_ERROR_PROF_NOT_RUN without aclprofInit, ACL_ERROR_WRITE_FILE when they cannot be written. */
ACL_FUNC_VISIBILITY aclError aclprofFinalize(void);
/* NULL when an argument is wrong: no device or one that does not exist, events that are not NULL, no known bit. */
ACL_FUNC_VISIBILITY aclprofConfig* aclprofCreateConfig(uint32_t* deviceIdList, uint32_t deviceNums, aclprofAicoreMetrics aicoreMetrics,
                                                       const aclprofAicoreEvents* aicoreEvents, uint64_t dataTypeConfig);
ACL_FUNC_VISIBILITY aclError aclprofDestroyConfig(const aclprofConfig* profilerConfig);
/* Recording goes on between Start and Stop with the same configuration; both may be repeated. ACL_ERROR_PROF_NOT_RUN without aclprofInit. */
ACL_FUNC_VISIBILITY aclError aclprofStart(const aclprofConfig* profilerConfig);
ACL_FUNC_VISIBILITY aclError aclprofStop(const aclprofConfig* profilerConfig);
ACL_FUNC_VISIBILITY aclError aclprofSetConfig(aclprofConfigType configType, const char* config, size_t configLength);

/* Subscription: `fd` points to the write end of a pipe (int), into which the library writes one record of aclprofGetOpDescSize bytes for
 * each operator that the model executes. A reader that falls behind does not stop executions: records that find the pipe full are dropped
 * and counted in a warning at the end. timeInfoSwitch 0: records without times. One model has one subscription:
 * ACL_ERROR_PROF_REPEAT_SUBSCRIBE; ACL_ERROR_PROF_API_CONFLICT while aclprofInit is in force. */
ACL_FUNC_VISIBILITY aclprofSubscribeConfig* aclprofCreateSubscribeConfig(int8_t timeInfoSwitch, aclprofAicoreMetrics aicoreMetrics, void* fd);
ACL_FUNC_VISIBILITY aclError aclprofDestroySubscribeConfig(const aclprofSubscribeConfig* profSubscribeConfig);
ACL_FUNC_VISIBILITY aclError aclprofModelSubscribe(uint32_t modelId, const aclprofSubscribeConfig* profSubscribeConfig);
/* Closes nothing: the pipe is the client's. */
ACL_FUNC_VISIBILITY aclError aclprofModelUnSubscribe(uint32_t modelId);

/* Reading `opInfoLen` bytes of records that came through the pipe. Lengths count the closing zero. */
ACL_FUNC_VISIBILITY aclError aclprofGetOpDescSize(size_t* opDescSize);
ACL_FUNC_VISIBILITY aclError aclprofGetOpNum(const void* opInfo, size_t opInfoLen, uint32_t* opNumber);
ACL_FUNC_VISIBILITY aclError aclprofGetOpTypeLen(const void* opInfo, size_t opInfoLen, uint32_t index, size_t* opTypeLen);
ACL_FUNC_VISIBILITY aclError aclprofGetOpType(const void* opInfo, size_t opInfoLen, uint32_t index, char* opType, size_t opTypeLen);
ACL_FUNC_VISIBILITY aclError aclprofGetOpNameLen(const void* opInfo, size_t opInfoLen, uint32_t index, size_t* opNameLen);
ACL_FUNC_VISIBILITY aclError aclprofGetOpName(const void* opInfo, size_t opInfoLen, uint32_t index, char* opName, size_t opNameLen);
/* Nanoseconds of CLOCK_MONOTONIC; 0 on an error. */
ACL_FUNC_VISIBILITY uint64_t aclprofGetOpStart(const void* opInfo, size_t opInfoLen, uint32_t index);
ACL_FUNC_VISIBILITY uint64_t aclprofGetOpEnd(const void* opInfo, size_t opInfoLen, uint32_t index);
ACL_FUNC_VISIBILITY uint64_t aclprofGetOpDuration(const void* opInfo, size_t opInfoLen, uint32_t index);
/* 0 on an error. */
ACL_FUNC_VISIBILITY size_t aclprofGetModelId(const void* opInfo, size_t opInfoLen, uint32_t index);

/* Stamps: marks of the client in the timeline, recorded while profiling runs with ACL_PROF_MSPROFTX. Without that they do nothing and
 * succeed, so that they may stay in a program. Push and Pop nest per thread; ranges may overlap and end in another thread. */
ACL_FUNC_VISIBILITY void* aclprofCreateStamp(void);
ACL_FUNC_VISIBILITY void aclprofDestroyStamp(void* stamp);
/* Up to 127 characters. */
ACL_FUNC_VISIBILITY aclError aclprofSetStampTraceMessage(void* stamp, const char* msg, uint32_t msgLen);
ACL_FUNC_VISIBILITY aclError aclprofMark(void* stamp);
/* A mark in the order of the stream. */
ACL_FUNC_VISIBILITY aclError aclprofMarkEx(const char* msg, size_t msgLen, aclrtStream stream);
ACL_FUNC_VISIBILITY aclError aclprofPush(void* stamp);
ACL_FUNC_VISIBILITY aclError aclprofPop(void);
ACL_FUNC_VISIBILITY aclError aclprofRangeStart(void* stamp, uint32_t* rangeId);
ACL_FUNC_VISIBILITY aclError aclprofRangeStop(uint32_t rangeId);

/* Steps of the client: the time between START and END, both in the order of the stream, becomes a row of step_trace_*.csv. */
ACL_FUNC_VISIBILITY aclprofStepInfo* aclprofCreateStepInfo(void);
ACL_FUNC_VISIBILITY void aclprofDestroyStepInfo(aclprofStepInfo* stepinfo);
ACL_FUNC_VISIBILITY aclError aclprofGetStepTimestamp(aclprofStepInfo* stepInfo, aclprofStepTag tag, aclrtStream stream);

#ifdef __cplusplus
}
#endif

#endif /* INC_EXTERNAL_ACL_ACL_PROF_H_ */
