#include "backends/kernels/attention_u8/walk.h"

#include <limits>

#include "backends/kernels/attention_u8/scratch.h"

namespace omkit::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

MatMulU8Params ScoreProduct(const AttentionU8Params& p) {
  MatMulU8Params product = {};
  product.a_zero = p.q_zero;
  product.b_zero = p.k_zero;
  product.multiplier = p.score_multiplier;
  product.float_output = p.rounds_scores ? 0 : 1;
  product.out_zero = p.score_zero;
  product.clamp_max = 255;
  product.act_min = -kInfinity;
  product.act_max = kInfinity;
  return product;
}

MatMulU8Params ValueProduct(const AttentionU8Params& p) {
  MatMulU8Params product = {};
  product.a_zero = p.share_zero;
  product.b_zero = p.v_zero;
  product.multiplier = p.out_multiplier;
  product.float_output = p.float_output;
  product.out_zero = p.out_zero;
  product.clamp_min = p.clamp_min;
  product.clamp_max = p.clamp_max;
  product.act_min = -kInfinity;
  product.act_max = kInfinity;
  return product;
}

// All columns of a head's keys or values. `product` has b, k, n and B's strides.
void PackHead(const ProductOfTier& of, const Product& product, const MatMulU8Params& p, int64_t block_bytes, int8_t* packed, int32_t* terms) {
  for (int64_t first = 0; first < product.n; first += kPackedColumns) {
    of.pack(product, p, BlockAt(first, product.n, block_bytes, packed, terms, nullptr));
  }
}

}  // namespace

void WalkAttentionU8(const KernelArgs& args, const ProductOfTier& product, const SoftmaxOfTier& softmax) {
  AttentionU8Params p;
  LoadParams(args, &p);
  const AttentionU8Scratch sizes = ScratchOf(p);
  const int64_t heads = p.q.dims[1], rows = p.q.dims[2], strips = (rows + sizes.rows - 1) / sizes.rows;
  const MatMulU8Params by_keys = ScoreProduct(p), by_values = ValueProduct(p);
  int8_t* const scratch = static_cast<int8_t*>(args.scratch);
  int8_t* const packed_values = scratch + sizes.values;
  int32_t* const value_terms = reinterpret_cast<int32_t*>(scratch + sizes.value_terms);
  Strip s = {};
  s.p = &p;
  s.sizes = &sizes;
  s.product = &product;
  s.by_keys = &by_keys;
  s.keys = p.k.dims[2];
  s.packed_keys = scratch + sizes.keys;
  s.key_terms = reinterpret_cast<int32_t*>(scratch + sizes.key_terms);
  s.row_terms = reinterpret_cast<int32_t*>(scratch + sizes.row_terms);
  s.largest = reinterpret_cast<float*>(scratch + sizes.largest);
  s.scores = reinterpret_cast<float*>(scratch + sizes.scores);
  s.powers = reinterpret_cast<float*>(scratch + sizes.powers);
  s.shares = reinterpret_cast<uint8_t*>(scratch + sizes.shares);
  s.mask = p.masking != ScoreMask::kNone ? args.operands[4] : nullptr;
  Product keys = {}, values = {};
  keys.k = p.q.dims[3];
  keys.n = s.keys;
  keys.b_row = p.k.strides[3];
  keys.b_column = p.k.strides[2];
  values.a = s.shares;
  values.a_row = sizes.width;
  values.k = s.keys;
  values.n = p.v.dims[3];
  values.b_row = p.v.strides[2];
  values.b_column = p.v.strides[3];
  values.out_row = p.out.strides[2];
  const Part part = SplitWork(p.q.dims[0] * heads * strips, 1, args.thread, args.threads);
  int64_t packed = -1;  // batch * heads + head
  for (int64_t at = part.begin; at < part.end; ++at) {
    const int64_t batch = at / strips / heads, head = at / strips % heads, first = at % strips * sizes.rows;
    if (packed != at / strips) {
      packed = at / strips;
      keys.b = static_cast<const uint8_t*>(args.operands[1]) + p.k.offset + batch * p.k.strides[0] + head * p.k.strides[1];
      values.b = static_cast<const uint8_t*>(args.operands[2]) + p.v.offset + batch * p.v.strides[0] + head * p.v.strides[1];
      PackHead(product, keys, by_keys, sizes.key_block, s.packed_keys, s.key_terms);
      PackHead(product, values, by_values, sizes.value_block, packed_values, value_terms);
    }
    s.rows = rows - first < sizes.rows ? rows - first : sizes.rows;
    s.q = static_cast<const uint8_t*>(args.operands[0]) + p.q.offset + batch * p.q.strides[0] + head * p.q.strides[1] + first * p.q.strides[2];
    s.mask_at = p.mask.offset + batch * p.mask.strides[0] + head * p.mask.strides[1] + first * p.mask.strides[2];
    softmax.score(s);
    softmax.share(s);
    const int64_t out = p.out.offset + batch * p.out.strides[0] + head * p.out.strides[1] + first * p.out.strides[2];
    values.out = static_cast<uint8_t*>(args.operands[3]) + out * (p.float_output ? 4 : 1);
    for (int64_t column = 0; column < values.n; column += kPackedColumns) {
      const Columns columns = BlockAt(column, values.n, sizes.value_block, packed_values, value_terms, s.row_terms);
      product.multiply(values, by_values, columns, 0, s.rows);
    }
  }
}

}  // namespace omkit::kernels
