// Dumps: what every operator of an execution computed, as NumPy files or through a callback of the client.
#ifndef OMKIT_RUNTIME_ACL_DUMP_H_
#define OMKIT_RUNTIME_ACL_DUMP_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "acl/acl.h"
#include "acl/acl_dump.h"
#include "runtime/acl/model.h"
#include "runtime/observer.h"

namespace omkit::acl {

// The "dump" section of a JSON file.
struct DumpConfig {
  std::map<std::string, std::set<std::string>> models;  // name -> operators; no operators: all of them
  bool all_models = false;
  bool inputs = false;
  bool outputs = true;
  std::string path;
};

// ACL_ERROR_DUMP_ALREADY_RUN when dumps are prepared. `by_init`: from aclInit's file, which aclmdlInitDump cannot change.
aclError PrepareDump(bool by_init);
// Sets what is dumped from now on. ACL_ERROR_DUMP_NOT_RUN, ACL_ERROR_INVALID_DUMP_CONFIG for a folder that cannot be written to.
aclError SetDump(const DumpConfig& config);
aclError FinalizeDump();
// At the end of the library: also what aclInit began.
void StopDumps();

using DumpCallback = int32_t (*)(const acldumpChunk* chunk, int32_t length);
void SetDumpCallback(DumpCallback callback);

// Watches one execution of a plan of a model that is dumped; nullptr for others, after one load.
std::unique_ptr<runtime::StepObserver> WatchForDump(const LoadedModel& model, const runtime::Plan& plan, const RunPlace& place);

}  // namespace omkit::acl

#endif  // OMKIT_RUNTIME_ACL_DUMP_H_
