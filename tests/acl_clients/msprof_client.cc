// A client that knows nothing of profiling: executes the tiny model three times and ends with the status that its argument names.
#include <cstdlib>
#include <string>

#include "acl/acl.h"
#include "runtime/acl/kernels_hook.h"
#include "tests/acl_clients/tiny_model.h"

namespace {

const bool kHook = omkit::acl::SetKernelRegistration(&omkit::RegisterTinyKernels);

void Check(aclError code) {
  if (code != ACL_SUCCESS) std::_Exit(99);
}

}  // namespace

int main(int argc, char** argv) {
  const char* folder = std::getenv("TEST_CLIENT_FOLDER");
  if (!kHook || argc < 2 || folder == nullptr) return 98;
  const std::string path = std::string(folder) + "/client.om";
  if (!omkit::WriteTinyModel(path, omkit::TinyProgram())) return 97;
  Check(aclInit(nullptr));
  Check(aclrtSetDevice(0));
  uint32_t id = 0;
  Check(aclmdlLoadFromFile(path.c_str(), &id));
  void* memory[2] = {nullptr, nullptr};
  aclmdlDataset* sets[2] = {aclmdlCreateDataset(), aclmdlCreateDataset()};
  for (int i = 0; i < 2; ++i) {
    Check(aclrtMalloc(&memory[i], omkit::kTinyBytes, ACL_MEM_MALLOC_HUGE_FIRST));
    Check(aclmdlAddDatasetBuffer(sets[i], aclCreateDataBuffer(memory[i], omkit::kTinyBytes)));
  }
  for (int i = 0; i < 3; ++i) Check(aclmdlExecute(id, sets[0], sets[1]));
  if (std::string(argv[1]) == "exit") return 3;  // without aclFinalize
  Check(aclmdlUnload(id));
  Check(aclFinalize());
  return 0;
}
