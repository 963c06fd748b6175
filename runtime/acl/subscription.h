// Subscriptions: the operators of one model, delivered through a pipe of the client while the model executes.
#ifndef OMKIT_RUNTIME_ACL_SUBSCRIPTION_H_
#define OMKIT_RUNTIME_ACL_SUBSCRIPTION_H_

#include <cstdint>
#include <vector>

#include "acl/acl.h"
#include "acl/acl_prof.h"
#include "runtime/acl/model.h"
#include "runtime/profiler.h"

namespace omkit::acl {

// One record in the pipe.
struct OpRecord {
  uint64_t magic;
  uint64_t model_id;
  uint64_t begin_ns;
  uint64_t end_ns;
  char type[ACL_PROF_MAX_OP_TYPE_LEN];
  char name[ACL_PROF_MAX_OP_NAME_LEN];
};
constexpr uint64_t kOpRecordMagic = 0x314b4d4f504f5246;

struct SubscribeConfig {
  bool times = true;
  int fd = -1;
};

aclError Subscribe(uint32_t model_id, const SubscribeConfig& config);
aclError Unsubscribe(uint32_t model_id);
bool HasSubscriptions();
// Writes the records of one execution when the model is subscribed. Waits for a reader that lags for up to 100 ms, then drops records.
void Deliver(const LoadedModel& model, const runtime::Executor& executor, const std::vector<runtime::StepTime>& times);

}  // namespace omkit::acl

#endif  // OMKIT_RUNTIME_ACL_SUBSCRIPTION_H_
