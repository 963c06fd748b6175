#include <algorithm>

#include "backends/kernels/aipp/prepare.h"
#include "base/aipp.h"
#include "base/checked.h"
#include "base/quant.h"

namespace omkit::kernels {
namespace {

// How columns are read from one row of bytes by windows of `window` bytes, one for every `per` columns.
struct WindowShape {
  int64_t window, per;
  bool whole;  // loads are never cut off at the end of the row
};

// Fills base and index for positions (first[x] & mask) and (next[x] & mask), each with `extra` bytes behind it that are read too.
bool BuildWindows(const WindowShape& shape, const std::vector<int32_t>& first, const std::vector<int32_t>& next, int32_t mask, int32_t extra,
                  int64_t row_bytes, std::vector<int32_t>* base, std::vector<uint8_t>* index) {
  if (shape.whole && row_bytes < shape.window) return false;
  const int64_t lane = shape.per == 4 ? 16 : 32;
  for (size_t x = 0; x < first.size(); x += static_cast<size_t>(shape.per)) {
    int32_t low = first[x] & mask, high = 0;
    for (int64_t i = 0; i < shape.per; ++i) {
      low = std::min(low, first[x + i] & mask);
      high = std::max(high, (next[x + i] & mask) + extra);
    }
    if (shape.whole) low = static_cast<int32_t>(std::min<int64_t>(low, row_bytes - shape.window));
    if (high - low >= shape.window) return false;
    base->push_back(low);
    std::vector<uint8_t> positions(static_cast<size_t>(2 * lane), 0x80);
    for (int64_t i = 0; i < shape.per; ++i) {
      const int64_t at = static_cast<int64_t>(x + i) % lane;
      positions[at] = static_cast<uint8_t>((first[x + i] & mask) - low);
      positions[lane + at] = static_cast<uint8_t>((next[x + i] & mask) - low);
    }
    index->insert(index->end(), positions.begin(), positions.end());
  }
  return true;
}

}  // namespace

void FillAippPlan(const AippParams& params, const aipp::Spec& spec, AippPlan* plan) {
  *plan = AippPlan{};
  const aipp::FormatRow& format = *aipp::FindFormat(spec.format);
  plan->spec = spec;
  plan->image_bytes = aipp::ImageBytes(spec.format, spec.src_w, spec.src_h);
  plan->channels = static_cast<int32_t>(params.out.dims[3]);
  plan->yuv = format.colours == aipp::Colours::kYuv ? 1 : 0;
  plan->crop_x = spec.crop != 0 ? spec.crop_x : 0;
  plan->crop_y = spec.crop != 0 ? spec.crop_y : 0;
  const aipp::Size inner = aipp::InnerSize(spec);
  plan->inner_w = inner.w;
  plan->inner_h = inner.h;
  plan->pad_left = spec.padding != 0 ? spec.pad_left : 0;
  plan->pad_top = spec.padding != 0 ? spec.pad_top : 0;
  plan->width = static_cast<int32_t>(params.out.dims[2]);
  plan->height = static_cast<int32_t>(params.out.dims[1]);
  for (int i = 0; i < 3; ++i) {
    plan->offset[i] = plan->yuv != 0 ? 0 : spec.out_bias[i] * 256;
    for (int k = 0; k < 3; ++k) {
      plan->matrix[3 * i + k] = spec.matrix[3 * i + k];
      if (plan->yuv != 0) plan->offset[i] -= spec.matrix[3 * i + k] * spec.in_bias[k];
    }
  }
  plan->as_float = params.output == AippOutput::kFloat ? 1 : 0;
  plan->identity = 1;
  const auto quantize = [&](float v) { return static_cast<uint8_t>(QuantizeValue(v, params.scale, params.zero_point, 0, 255)); };
  for (int c = 0; c < 3; ++c) {
    aipp::NormalisationTable(spec, c, plan->floats[c]);
    for (int v = 0; v < 256; ++v) {
      plan->bytes[c][v] = params.output == AippOutput::kU8 ? quantize(plan->floats[c][v]) : static_cast<uint8_t>(v);
      plan->shifted[c][v] = uint32_t{plan->bytes[c][v]} << (8 * c);
      if (plan->bytes[c][v] != v) plan->identity = 0;
    }
  }
  plan->pad_float = spec.padding_value;
  plan->pad_byte = params.output == AippOutput::kU8 ? quantize(spec.padding_value) : aipp::PaddingByte(spec);
}

std::unique_ptr<AippState> MakeAippState(const AippParams& params) {
  auto state = std::make_unique<AippState>();
  const aipp::Spec& spec = params.spec;
  AippPlan& plan = state->plan;
  FillAippPlan(params, spec, &plan);
  if (spec.resize == 0) return state;
  const aipp::Size from = aipp::CroppedSize(spec);
  state->rows = aipp::ResizeTaps(from.h, plan.inner_h);
  for (aipp::Tap& tap : state->rows) {
    tap.first += plan.crop_y;
    tap.next += plan.crop_y;
  }
  std::vector<aipp::Tap> columns = aipp::ResizeTaps(from.w, plan.inner_w);
  columns.resize(static_cast<size_t>(RoundUp(plan.inner_w, kAippBlock)), columns.back());
  for (const aipp::Tap& tap : columns) {
    state->first.push_back(tap.first + plan.crop_x);
    state->next.push_back(tap.next + plan.crop_x);
    state->weight.push_back(static_cast<int16_t>(tap.weight * 16));
  }
  plan.rows = state->rows.data();
  plan.first = state->first.data();
  plan.next = state->next.data();
  plan.weight = state->weight.data();
  const bool planar = spec.format == aipp::Format::kYuv420sp || spec.format == aipp::Format::kYuv422sp || spec.format == aipp::Format::kYuv400;
  if (!planar) return state;
  constexpr WindowShape kShapes[2] = {{16, 4, true}, {256, kAippBlock, false}};
  AippWindows* const windows[2] = {&plan.windows16, &plan.windows256};
  for (int i = 0; i < 2; ++i) {
    AippState::Windows& w = state->windows[i];
    const bool usable = BuildWindows(kShapes[i], state->first, state->next, ~0, 0, spec.src_w, &w.luma_base, &w.luma_index) &&
                        BuildWindows(kShapes[i], state->first, state->next, ~1, 1, spec.src_w, &w.chroma_base, &w.chroma_index);
    // V lies one byte behind U.
    const bool far = std::any_of(w.luma_index.begin(), w.luma_index.end(), [](uint8_t at) { return at >= 128; }) ||
                     std::any_of(w.chroma_index.begin(), w.chroma_index.end(), [](uint8_t at) { return at >= 127; });
    *windows[i] = {usable ? 1 : 0, far ? 1 : 0, w.luma_base.data(), w.chroma_base.data(), w.luma_index.data(), w.chroma_index.data()};
  }
  return state;
}

}  // namespace omkit::kernels
