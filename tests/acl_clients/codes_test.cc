// The table of error codes against the headers, and the layouts in C++.
#include <set>
#include <string>

#include "acl/acl.h"
#include "gtest/gtest.h"
#include "runtime/acl/errors.h"

namespace omkit::acl {
namespace {

static_assert(sizeof(aclmdlIODims) == 1160 && sizeof(aclmdlIODimsRange) == 2056);
static_assert(sizeof(aclmdlBatch) == 1032 && sizeof(aclmdlHW) == 2056);
static_assert(ACL_ERROR_INVALID_PARAM == 100000 && ACL_ERROR_DUMP_NOT_RUN == 100045 && ACL_ERROR_REPEAT_FINALIZE == 100037);
static_assert(ACL_ERROR_INVALID_BUNDLE_MODEL_ID == 148053 && ACL_ERROR_PROF_REPEAT_SUBSCRIBE == 148046);
static_assert(ACL_ERROR_BAD_ALLOC == 200000 && ACL_ERROR_PROF_MODULES_UNSUPPORTED == 200007 && ACL_ERROR_STORAGE_OVER_LIMIT == 300000);
static_assert(ACL_ERROR_INTERNAL_ERROR == 500000 && ACL_ERROR_PROFILING_FAILURE == 500005);
static_assert(ACL_ERROR_GE_EXEC_MODEL_ID_INVALID == 145003 && ACL_ERROR_GE_DATATYPE_INVALID == 145022 && ACL_ERROR_GE_UNLOAD_MODEL == 545009);
static_assert(ACL_ERROR_RT_PARAM_INVALID == 107000 && ACL_ERROR_RT_SYSPARAMOPT_NOT_SET == 107021 && ACL_ERROR_RT_OVER_LIMIT == 207012);

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
