// Counts calls of the heap, the library's included, during EdgeInfer::Infer after the first one, and prints the peak of resident memory.
//   heap MODEL.om [MOST_RESIDENT_MB]      exit status 1 when the heap was used or the peak is higher
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "edge_infer.h"

// glibc's own, behind the public names that this program takes over for itself and its libraries.
extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* memory, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
void __libc_free(void* memory);

static std::atomic<bool> counting(false);
static std::atomic<long> calls(0);
static void Count() {
  if (counting) ++calls;
}

void* malloc(size_t size) { return Count(), __libc_malloc(size); }
void* calloc(size_t count, size_t size) { return Count(), __libc_calloc(count, size); }
void* realloc(void* memory, size_t size) { return Count(), __libc_realloc(memory, size); }
void* memalign(size_t alignment, size_t size) { return Count(), __libc_memalign(alignment, size); }
void* aligned_alloc(size_t alignment, size_t size) { return Count(), __libc_memalign(alignment, size); }
int posix_memalign(void** memory, size_t alignment, size_t size) {
  Count();
  *memory = __libc_memalign(alignment, size);
  return *memory == nullptr ? ENOMEM : 0;
}
void free(void* memory) {
  if (memory != nullptr) Count();
  __libc_free(memory);
}
}

static long PeakKilobytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.compare(0, 6, "VmHWM:") == 0) return std::atol(line.c_str() + 6);
  }
  return -1;
}

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  EdgeInfer net(argv[1]);
  size_t elements = 1;
  for (int64_t dim : net.GetInputShape()) elements *= static_cast<size_t>(dim);
  std::vector<float> input(elements, 0.25f), output;
  if (!net.ok() || !net.Infer(input, output)) {
    std::fprintf(stderr, "heap: %s\n", net.error().c_str());
    return 1;
  }
  counting = true;
  bool ok = true;
  for (int i = 0; i < 20; ++i) ok = net.Infer(input, output) && ok;
  counting = false;
  const double megabytes = PeakKilobytes() / 1024.0, limit = argc > 2 ? std::atof(argv[2]) : 1e9;
  std::printf("%ld heap calls in 20 executions, peak resident memory %.1f MB\n", calls.load(), megabytes);
  return ok && calls == 0 && megabytes < limit ? 0 : 1;
}
