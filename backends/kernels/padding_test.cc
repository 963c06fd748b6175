// Parameters of steps go into the offline model as they lie in memory. Padding would carry over what happened to be there, and equal inputs
// would no longer give equal files.
#include <gtest/gtest.h>

#include <cstring>

#include "backends/kernels/aipp/aipp.h"
#include "backends/kernels/argmax/argmax.h"
#include "backends/kernels/attention_u8/attention_u8.h"
#include "backends/kernels/binary_u8/binary_u8.h"
#include "backends/kernels/cast/cast.h"
#include "backends/kernels/conv_f32/conv_f32.h"
#include "backends/kernels/conv_u8/conv_u8.h"
#include "backends/kernels/copy/copy.h"
#include "backends/kernels/elementwise_f32/elementwise_f32.h"
#include "backends/kernels/gather/gather.h"
#include "backends/kernels/layernorm_f32/layernorm_f32.h"
#include "backends/kernels/lut_u8/lut_u8.h"
#include "backends/kernels/matmul_f32/matmul_f32.h"
#include "backends/kernels/matmul_u8/matmul_u8.h"
#include "backends/kernels/pool_f32/pool_f32.h"
#include "backends/kernels/pool_u8/pool_u8.h"
#include "backends/kernels/quantize/quantize.h"
#include "backends/kernels/recurrent_f32/recurrent_f32.h"
#include "backends/kernels/reduce_f32/reduce_f32.h"
#include "backends/kernels/resize/resize.h"
#include "backends/kernels/softmax_f32/softmax_f32.h"

namespace omkit::kernels {
namespace {

template <typename Params>
class Padding : public testing::Test {};
using Every =
    testing::Types<AippParams, ArgMaxParams, AttentionU8Params, BinaryU8Params, CastParams, ConvF32Params, ConvU8Params, CopyParams, FillParams,
                   UnaryF32Params, BinaryF32Params, GatherParams, LayerNormF32Params, LutU8Params, MatMulF32Params, MatMulU8Params, PoolF32Params,
                   PoolU8Params, QuantizeParams, RecurrentF32Params, ReduceF32Params, ResizeNearestParams, ResizeLinearParams, SoftmaxF32Params>;
TYPED_TEST_SUITE(Padding, Every);

TYPED_TEST(Padding, IsNowhere) {
#if defined(__GNUC__) && !defined(__clang__)
  alignas(TypeParam) unsigned char bytes[sizeof(TypeParam)];
  std::memset(bytes, 0xff, sizeof bytes);
  __builtin_clear_padding(reinterpret_cast<TypeParam*>(bytes));
  for (size_t i = 0; i < sizeof bytes; ++i) EXPECT_EQ(bytes[i], 0xff) << "byte " << i << " of " << sizeof bytes;
#else
  GTEST_SKIP() << "only GCC tells where padding lies";
#endif
}

}  // namespace
}  // namespace omkit::kernels
