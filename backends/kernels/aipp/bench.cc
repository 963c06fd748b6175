// Speed of AIPP on one thread, per tier: camera frames into the first layer's layout.
#include <string>

#include "backends/kernels/aipp/aipp.h"
#include "backends/kernels/step_runner.h"
#include "base/aipp.h"
#include "benchmark/benchmark.h"

namespace omkit::kernels {
namespace {

struct Case {
  const char* name;
  aipp::Format format;
  int32_t src_w, src_h, crop_x, crop_y, crop_w, crop_h, out_w, out_h;  // resized when the crop is larger than the result
  int64_t pixel_stride;
  AippOutput output;
};
const Case kCases[] = {
    {"nv12_1080p_crop_720p_to_224_u8", aipp::Format::kYuv420sp, 1920, 1080, 320, 180, 1280, 720, 224, 224, 4, AippOutput::kU8},
    {"nv12_1080p_to_416_u8", aipp::Format::kYuv420sp, 1920, 1080, 0, 0, 1920, 1080, 416, 416, 4, AippOutput::kU8},
    {"nv12_224_u8", aipp::Format::kYuv420sp, 224, 224, 0, 0, 224, 224, 224, 224, 4, AippOutput::kU8},
    {"rgb_224_u8", aipp::Format::kRgb888, 224, 224, 0, 0, 224, 224, 224, 224, 4, AippOutput::kU8},
    {"rgb_1080p_crop_720p_to_224_u8", aipp::Format::kRgb888, 1920, 1080, 320, 180, 1280, 720, 224, 224, 4, AippOutput::kU8},
    {"nv12_1080p_crop_720p_to_224_float", aipp::Format::kYuv420sp, 1920, 1080, 320, 180, 1280, 720, 224, 224, 3, AippOutput::kFloat},
};

void Run(benchmark::State& state, Isa isa, const Case& c) {
  AippParams p = {};
  aipp::Spec& s = p.spec;
  s.format = c.format;
  s.src_w = c.src_w;
  s.src_h = c.src_h;
  s.crop = 1;
  s.crop_x = c.crop_x;
  s.crop_y = c.crop_y;
  s.crop_w = c.crop_w;
  s.crop_h = c.crop_h;
  s.resize = c.crop_w != c.out_w;
  s.resize_w = c.out_w;
  s.resize_h = c.out_h;
  if (c.format == aipp::Format::kYuv420sp) {
    s.csc = 1;
    const int32_t matrix[9] = {256, 0, 359, 256, -88, -183, 256, 454, 0};
    std::copy(matrix, matrix + 9, s.matrix);
    s.in_bias[1] = s.in_bias[2] = 128;
  }
  const float mean[] = {123.675f, 116.28f, 103.53f}, factor[] = {0.0171248f, 0.0175070f, 0.0174292f};
  for (int i = 0; i < 3; ++i) s.min[i] = mean[i], s.var_reci[i] = factor[i];
  p.output = c.output;
  p.scale = 0.0187f;
  p.zero_point = 114;
  p.spare_byte = c.pixel_stride == 4 && c.output == AippOutput::kU8;
  p.out.rank = 4;
  p.out.element_size = c.output == AippOutput::kFloat ? 4 : 1;
  const int64_t dims[] = {1, c.out_h, c.out_w, 3};
  const int64_t strides[] = {c.out_h * c.out_w * c.pixel_stride, c.out_w * c.pixel_stride, c.pixel_stride, 1};
  std::copy(dims, dims + 4, p.out.dims);
  std::copy(strides, strides + 4, p.out.strides);
  Random random(1);
  StepRunner runner(AippKernel(isa, false), runtime::ParamBytes(p));
  runner.Add(runtime::Space::kInput, RandomBytes(random, aipp::ImageBytes(s.format, s.src_w, s.src_h)));
  runner.Add(runtime::Space::kArena, RandomBytes(random, strides[0] * p.out.element_size));
  if (const absl::Status status = runner.Prepare(); !status.ok()) return state.SkipWithError(status.ToString().c_str());
  for (auto _ : state) runner.RunPrepared(0, 1);
}

const bool kRegistered = [] {
  RegisterAippKernels();
  for (Isa isa : RunnableTiers()) {
    for (const Case& c : kCases) {
      benchmark::RegisterBenchmark((std::string(IsaName(isa)) + "/" + c.name).c_str(), [isa, &c](benchmark::State& state) {
        Run(state, isa, c);
      })->Unit(benchmark::kMicrosecond);
    }
  }
  return true;
}();

}  // namespace
}  // namespace omkit::kernels
