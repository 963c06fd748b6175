// Counts the heap calls of executions and tells the most memory that the process held.   memory MODEL
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "acl/acl.h"

// The library's calls come here too: the program's symbols go before those of shared libraries.
static std::atomic<long> g_heapCalls{0};
extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
void __libc_free(void*);
void* malloc(size_t n) {
  ++g_heapCalls;
  return __libc_malloc(n);
}
void* calloc(size_t n, size_t m) {
  ++g_heapCalls;
  return __libc_calloc(n, m);
}
void* realloc(void* p, size_t n) {
  ++g_heapCalls;
  return __libc_realloc(p, n);
}
int posix_memalign(void** p, size_t alignment, size_t n) {
  ++g_heapCalls;
  *p = __libc_memalign(alignment, n);
  return *p == nullptr;
}
void free(void* p) {
  if (p != nullptr) ++g_heapCalls;
  __libc_free(p);
}
}

static long PeakKib() {
  long kib = -1;
  FILE* file = fopen("/proc/self/status", "r");
  char line[256];
  while (file != nullptr && fgets(line, sizeof line, file) != nullptr) {
    if (sscanf(line, "VmHWM: %ld kB", &kib) == 1) break;
  }
  if (file != nullptr) fclose(file);
  return kib;
}

static int Fail(const char* what) {
  fprintf(stderr, "%s: %s\n", what, aclGetRecentErrMsg());
  return 1;
}

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  uint32_t id = 0;
  if (aclInit(nullptr) != ACL_SUCCESS || aclrtSetDevice(0) != ACL_SUCCESS) return Fail("init");
  if (aclmdlLoadFromFile(argv[1], &id) != ACL_SUCCESS) return Fail("load");
  aclmdlDesc* desc = aclmdlCreateDesc();
  if (aclmdlGetDesc(desc, id) != ACL_SUCCESS) return Fail("desc");
  aclmdlDataset* sets[2] = {aclmdlCreateDataset(), aclmdlCreateDataset()};
  for (int i = 0; i < 2; ++i) {
    const size_t size = i == 0 ? aclmdlGetInputSizeByIndex(desc, 0) : aclmdlGetOutputSizeByIndex(desc, 0);
    void* memory = nullptr;
    if (aclrtMalloc(&memory, size, ACL_MEM_MALLOC_HUGE_FIRST) != ACL_SUCCESS) return Fail("malloc");
    memset(memory, 0, size);
    if (aclmdlAddDatasetBuffer(sets[i], aclCreateDataBuffer(memory, size)) != ACL_SUCCESS) return Fail("dataset");
  }
  if (aclmdlExecute(id, sets[0], sets[1]) != ACL_SUCCESS) return Fail("execute");
  const long before = g_heapCalls;
  for (int i = 0; i < 5; ++i) {
    if (aclmdlExecute(id, sets[0], sets[1]) != ACL_SUCCESS) return Fail("execute");
  }
  const long calls = g_heapCalls - before;
  printf("heap calls %ld, peak %ld KiB\n", calls, PeakKib());
  if (aclmdlUnload(id) != ACL_SUCCESS || aclrtResetDevice(0) != ACL_SUCCESS || aclFinalize() != ACL_SUCCESS) return Fail("end");
  return calls == 0 ? 0 : 1;
}
