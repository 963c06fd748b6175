/* A client in C99: the usual sequence of an inference program, and the layouts that such programs rely on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acl/acl.h"
#include "acl/ops/acl_dvpp.h"
#include "tests/acl_clients/layouts.h"

/* tiny_model_c.cc */
int omkit_test_write_tiny_model(const char* path);

static int failures = 0;

#define CHECK(condition)                                                                                    \
  do {                                                                                                      \
    if (!(condition)) {                                                                                     \
      const char* message = aclGetRecentErrMsg();                                                           \
      fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #condition, message != NULL ? message : "-"); \
      ++failures;                                                                                           \
    }                                                                                                       \
  } while (0)

static void run_model(uint32_t id) {
  float host[64];
  void* input = NULL;
  void* output = NULL;
  aclDataBuffer* buffers[2];
  aclmdlDataset* inputs = aclmdlCreateDataset();
  aclmdlDataset* outputs = aclmdlCreateDataset();
  int i;
  for (i = 0; i < 64; ++i) host[i] = (float)i;
  CHECK(aclrtMalloc(&input, sizeof host, ACL_MEM_MALLOC_HUGE_FIRST) == ACL_SUCCESS);
  CHECK(aclrtMalloc(&output, sizeof host, ACL_MEM_MALLOC_HUGE_FIRST) == ACL_SUCCESS);
  CHECK(aclrtMemcpy(input, sizeof host, host, sizeof host, ACL_MEMCPY_HOST_TO_DEVICE) == ACL_SUCCESS);
  buffers[0] = aclCreateDataBuffer(input, sizeof host);
  buffers[1] = aclCreateDataBuffer(output, sizeof host);
  CHECK(aclmdlAddDatasetBuffer(inputs, buffers[0]) == ACL_SUCCESS);
  CHECK(aclmdlAddDatasetBuffer(outputs, buffers[1]) == ACL_SUCCESS);
  CHECK(aclmdlExecute(id, inputs, outputs) == ACL_SUCCESS);
  memset(host, 0, sizeof host);
  CHECK(aclrtMemcpy(host, sizeof host, output, sizeof host, ACL_MEMCPY_DEVICE_TO_HOST) == ACL_SUCCESS);
  for (i = 0; i < 64; ++i) CHECK(host[i] == 2.0f * (float)i + 0.5f);
  for (i = 0; i < 2; ++i) CHECK(aclDestroyDataBuffer(buffers[i]) == ACL_SUCCESS);
  CHECK(aclmdlDestroyDataset(inputs) == ACL_SUCCESS);
  CHECK(aclmdlDestroyDataset(outputs) == ACL_SUCCESS);
  CHECK(aclrtFree(input) == ACL_SUCCESS);
  CHECK(aclrtFree(output) == ACL_SUCCESS);
}

int main(void) {
  char path[512];
  const char* folder = getenv("TEST_TMPDIR");
  uint32_t id = 0;
  aclmdlDesc* desc = NULL;
  aclmdlIODims dims;
  aclError code;
  snprintf(path, sizeof path, "%s/client.om", folder != NULL ? folder : "/tmp");
  CHECK(omkit_test_write_tiny_model(path));
  CHECK(aclInit(NULL) == ACL_SUCCESS);
  CHECK(aclrtSetDevice(0) == ACL_SUCCESS);
  CHECK(aclmdlLoadFromFile(path, &id) == ACL_SUCCESS);
  desc = aclmdlCreateDesc();
  CHECK(aclmdlGetDesc(desc, id) == ACL_SUCCESS);
  CHECK(aclmdlGetInputDims(desc, 0, &dims) == ACL_SUCCESS);
  CHECK(dims.dimCount == 4 && dims.dims[1] == 4 && strcmp(dims.name, "x") == 0);
  run_model(id);
  code = aclmdlUnload(id + 1);
  switch (code) {
    case ACL_ERROR_RT_CONTEXT_NULL: CHECK(0); break; /* the ACL_ERROR_RT_ codes are macros */
    default: CHECK(code == (aclError)ACL_ERROR_GE_EXEC_MODEL_ID_INVALID);
  }
  ACL_APP_LOG(ACL_INFO, "message %d", 1);
  CHECK(aclmdlDestroyDesc(desc) == ACL_SUCCESS);
  CHECK(aclmdlUnload(id) == ACL_SUCCESS);
  CHECK(aclrtResetDevice(0) == ACL_SUCCESS);
  CHECK(aclFinalize() == ACL_SUCCESS);
  return failures == 0 ? 0 : 1;
}
