// The table of error codes against the headers, and the layouts in C++.
#include <set>
#include <string>

#include "acl/acl.h"
#include "gtest/gtest.h"
#include "runtime/acl/errors.h"
#include "tests/acl_clients/layouts.h"

namespace omkit::acl {
namespace {

static_assert(ACL_ERROR_INVALID_PARAM == 100000);
static_assert(ACL_ERROR_UNINITIALIZE == 100001);
static_assert(ACL_ERROR_REPEAT_INITIALIZE == 100002);
static_assert(ACL_ERROR_INVALID_FILE == 100003);
static_assert(ACL_ERROR_WRITE_FILE == 100004);
static_assert(ACL_ERROR_INVALID_FILE_SIZE == 100005);
static_assert(ACL_ERROR_PARSE_FILE == 100006);
static_assert(ACL_ERROR_FILE_MISSING_ATTR == 100007);
static_assert(ACL_ERROR_FILE_ATTR_INVALID == 100008);
static_assert(ACL_ERROR_INVALID_DUMP_CONFIG == 100009);
static_assert(ACL_ERROR_INVALID_PROFILING_CONFIG == 100010);
static_assert(ACL_ERROR_INVALID_MODEL_ID == 100011);
static_assert(ACL_ERROR_DESERIALIZE_MODEL == 100012);
static_assert(ACL_ERROR_PARSE_MODEL == 100013);
static_assert(ACL_ERROR_READ_MODEL_FAILURE == 100014);
static_assert(ACL_ERROR_MODEL_SIZE_INVALID == 100015);
static_assert(ACL_ERROR_MODEL_MISSING_ATTR == 100016);
static_assert(ACL_ERROR_MODEL_INPUT_NOT_MATCH == 100017);
static_assert(ACL_ERROR_MODEL_OUTPUT_NOT_MATCH == 100018);
static_assert(ACL_ERROR_MODEL_NOT_DYNAMIC == 100019);
static_assert(ACL_ERROR_OP_TYPE_NOT_MATCH == 100020);
static_assert(ACL_ERROR_OP_INPUT_NOT_MATCH == 100021);
static_assert(ACL_ERROR_OP_OUTPUT_NOT_MATCH == 100022);
static_assert(ACL_ERROR_OP_ATTR_NOT_MATCH == 100023);
static_assert(ACL_ERROR_OP_NOT_FOUND == 100024);
static_assert(ACL_ERROR_OP_LOAD_FAILED == 100025);
static_assert(ACL_ERROR_UNSUPPORTED_DATA_TYPE == 100026);
static_assert(ACL_ERROR_FORMAT_NOT_MATCH == 100027);
static_assert(ACL_ERROR_BIN_SELECTOR_NOT_REGISTERED == 100028);
static_assert(ACL_ERROR_KERNEL_NOT_FOUND == 100029);
static_assert(ACL_ERROR_BIN_SELECTOR_ALREADY_REGISTERED == 100030);
static_assert(ACL_ERROR_KERNEL_ALREADY_REGISTERED == 100031);
static_assert(ACL_ERROR_INVALID_QUEUE_ID == 100032);
static_assert(ACL_ERROR_REPEAT_SUBSCRIBE == 100033);
static_assert(ACL_ERROR_STREAM_NOT_SUBSCRIBE == 100034);
static_assert(ACL_ERROR_THREAD_NOT_SUBSCRIBE == 100035);
static_assert(ACL_ERROR_WAIT_CALLBACK_TIMEOUT == 100036);
static_assert(ACL_ERROR_REPEAT_FINALIZE == 100037);
static_assert(ACL_ERROR_NOT_STATIC_AIPP == 100038);
static_assert(ACL_ERROR_COMPILING_STUB_MODE == 100039);
static_assert(ACL_ERROR_GROUP_NOT_SET == 100040);
static_assert(ACL_ERROR_GROUP_NOT_CREATE == 100041);
static_assert(ACL_ERROR_PROF_ALREADY_RUN == 100042);
static_assert(ACL_ERROR_PROF_NOT_RUN == 100043);
static_assert(ACL_ERROR_DUMP_ALREADY_RUN == 100044);
static_assert(ACL_ERROR_DUMP_NOT_RUN == 100045);
static_assert(ACL_ERROR_PROF_REPEAT_SUBSCRIBE == 148046);
static_assert(ACL_ERROR_PROF_API_CONFLICT == 148047);
static_assert(ACL_ERROR_INVALID_MAX_OPQUEUE_NUM_CONFIG == 148048);
static_assert(ACL_ERROR_INVALID_OPP_PATH == 148049);
static_assert(ACL_ERROR_OP_UNSUPPORTED_DYNAMIC == 148050);
static_assert(ACL_ERROR_RELATIVE_RESOURCE_NOT_CLEARED == 148051);
static_assert(ACL_ERROR_UNSUPPORTED_JPEG == 148052);
static_assert(ACL_ERROR_INVALID_BUNDLE_MODEL_ID == 148053);
static_assert(ACL_ERROR_BAD_ALLOC == 200000);
static_assert(ACL_ERROR_API_NOT_SUPPORT == 200001);
static_assert(ACL_ERROR_INVALID_DEVICE == 200002);
static_assert(ACL_ERROR_MEMORY_ADDRESS_UNALIGNED == 200003);
static_assert(ACL_ERROR_RESOURCE_NOT_MATCH == 200004);
static_assert(ACL_ERROR_INVALID_RESOURCE_HANDLE == 200005);
static_assert(ACL_ERROR_FEATURE_UNSUPPORTED == 200006);
static_assert(ACL_ERROR_PROF_MODULES_UNSUPPORTED == 200007);
static_assert(ACL_ERROR_STORAGE_OVER_LIMIT == 300000);
static_assert(ACL_ERROR_INTERNAL_ERROR == 500000);
static_assert(ACL_ERROR_FAILURE == 500001);
static_assert(ACL_ERROR_GE_FAILURE == 500002);
static_assert(ACL_ERROR_RT_FAILURE == 500003);
static_assert(ACL_ERROR_DRV_FAILURE == 500004);
static_assert(ACL_ERROR_PROFILING_FAILURE == 500005);
static_assert(ACL_ERROR_GE_PARAM_INVALID == 145000);
static_assert(ACL_ERROR_GE_EXEC_MODEL_PATH_INVALID == 145002);
static_assert(ACL_ERROR_GE_EXEC_MODEL_ID_INVALID == 145003);
static_assert(ACL_ERROR_GE_EXEC_MODEL_DATA_SIZE_INVALID == 145006);
static_assert(ACL_ERROR_GE_DYNAMIC_BATCH_SIZE_INVALID == 145013);
static_assert(ACL_ERROR_GE_AIPP_NOT_EXIST == 145015);
static_assert(ACL_ERROR_GE_SHAPE_INVALID == 145021);
static_assert(ACL_ERROR_GE_MEMORY_ALLOCATION == 245000);
static_assert(ACL_ERROR_GE_UNLOAD_MODEL == 545009);
static_assert(ACL_ERROR_GE_MODEL_EXECUTE_TIMEOUT == 545601);
static_assert(ACL_ERROR_RT_PARAM_INVALID == 107000);
static_assert(ACL_ERROR_RT_INVALID_DEVICEID == 107001);
static_assert(ACL_ERROR_RT_CONTEXT_NULL == 107002);
static_assert(ACL_ERROR_RT_STREAM_CONTEXT == 107003);
static_assert(ACL_ERROR_RT_INVALID_HANDLE == 107017);
static_assert(ACL_ERROR_RT_WAIT_TIMEOUT == 107019);
static_assert(ACL_ERROR_RT_FEATURE_NOT_SUPPORT == 207000);
static_assert(ACL_ERROR_RT_MEMORY_ALLOCATION == 207001);
static_assert(ACL_ERROR_RT_OVER_LIMIT == 207012);
static_assert(ACL_ERROR_RT_REPORT_TIMEOUT == 507012);

TEST(CodesTest, EveryRowHasItsOwnCodeAndARemedy) {
  std::set<int64_t> codes;
  int rows = 0;
#define CODE(name, remedy)                                                   \
  ++rows;                                                                    \
  codes.insert(static_cast<int64_t>(ACL_ERROR_##name));                      \
  EXPECT_STREQ(CodeName(static_cast<aclError>(ACL_ERROR_##name)), #name);    \
  EXPECT_STREQ(CodeRemedy(static_cast<aclError>(ACL_ERROR_##name)), remedy); \
  EXPECT_GT(sizeof remedy, 8u) << #name;
#include "runtime/acl/acl_errors.inc"
  EXPECT_EQ(codes.size(), static_cast<size_t>(rows));
  EXPECT_GT(rows, 40);
}

TEST(CodesTest, EveryStatusMapsToACodeWithARow) {
  for (int i = 1; i <= 16; ++i) {
    const absl::Status status(static_cast<absl::StatusCode>(i), "cause");
    for (const auto fail : {&FailLoading, &FailExecuting}) {
      const aclError code = fail(status);
      EXPECT_NE(code, ACL_SUCCESS) << i;
      EXPECT_STRNE(CodeName(code), "") << i << " gives " << code;
      EXPECT_NE(std::string(TakeMessage()).find("cause"), std::string::npos);
    }
  }
  EXPECT_EQ(FailLoading(absl::NotFoundError("")), static_cast<aclError>(ACL_ERROR_GE_EXEC_MODEL_PATH_INVALID));
  EXPECT_EQ(FailLoading(absl::FailedPreconditionError("")), ACL_ERROR_RESOURCE_NOT_MATCH);
  EXPECT_EQ(FailLoading(absl::OkStatus()), ACL_SUCCESS);
}

TEST(CodesTest, LongMessagesAreCut) {
  Fail(ACL_ERROR_INVALID_PARAM, "%s", std::string(10000, 'x').c_str());
  const std::string message = TakeMessage();
  EXPECT_LT(message.size(), 2048u);
  EXPECT_NE(message.find("What to do"), std::string::npos);
}

}  // namespace
}  // namespace omkit::acl
