// libyuv beside AIPP. Compiled by libyuv_test.sh where libyuv is installed.
//
//   libyuv_peer noise W H SEED OUT.nv12                          a random frame
//   libyuv_peer convert MATRIX W H FRAME.nv12 AIPP.bin           NV12 to RGB against AIPP's float32 [3][H][W]
//   libyuv_peer scale W H OUT_W OUT_H IN.bin AIPP.bin            bilinear on the RGB that AIPP made without resize
// Prints the largest and the mean difference and the share of values that differ by more than one.
#include <libyuv.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

namespace {

template <typename T>
std::vector<T> Read(const char* path) {
  std::ifstream in(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  return values;
}

// libyuv's ARGB has the bytes B, G, R, A.
void Compare(const std::vector<uint8_t>& argb, const std::vector<float>& planes) {
  const size_t plane = planes.size() / 3;
  if (argb.size() != plane * 4) std::exit(2);
  double largest = 0, sum = 0, above = 0;
  for (size_t i = 0; i < plane; ++i) {
    for (int c = 0; c < 3; ++c) {
      const double difference = std::fabs(argb[4 * i + 2 - c] - planes[c * plane + i]);
      largest = std::fmax(largest, difference);
      sum += difference;
      above += difference > 1;
    }
  }
  std::printf("largest %g mean %.4f above_one %.5f\n", largest, sum / planes.size(), above / planes.size());
}

const libyuv::YuvConstants* Matrix(const std::string& name) {
  if (name == "jpeg") return &libyuv::kYuvJPEGConstants;
  if (name == "bt709") return &libyuv::kYuvH709Constants;
  if (name == "bt709_wide") return &libyuv::kYuvF709Constants;
  return &libyuv::kYuvI601Constants;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  if (mode == "noise" && argc == 6) {
    std::mt19937 random(static_cast<unsigned>(std::atoi(argv[4])));
    std::ofstream out(argv[5], std::ios::binary);
    for (int i = std::atoi(argv[2]) * std::atoi(argv[3]) * 3 / 2; i > 0; --i) out.put(static_cast<char>(random()));
    return 0;
  }
  if (mode == "convert" && argc == 7) {
    const int w = std::atoi(argv[3]), h = std::atoi(argv[4]);
    const auto frame = Read<uint8_t>(argv[5]);
    std::vector<uint8_t> argb(static_cast<size_t>(w) * h * 4);
    libyuv::NV12ToARGBMatrix(frame.data(), w, frame.data() + w * h, w, argb.data(), w * 4, Matrix(argv[2]), w, h);
    Compare(argb, Read<float>(argv[6]));
    return 0;
  }
  if (mode == "scale" && argc == 8) {
    const int w = std::atoi(argv[2]), h = std::atoi(argv[3]), out_w = std::atoi(argv[4]), out_h = std::atoi(argv[5]);
    const auto planes = Read<float>(argv[6]);
    std::vector<uint8_t> argb(static_cast<size_t>(w) * h * 4), out(static_cast<size_t>(out_w) * out_h * 4);
    for (int i = 0; i < w * h; ++i) {
      for (int c = 0; c < 3; ++c) argb[4 * i + 2 - c] = static_cast<uint8_t>(planes[c * w * h + i]);
    }
    libyuv::ARGBScale(argb.data(), w * 4, w, h, out.data(), out_w * 4, out_w, out_h, libyuv::kFilterBilinear);
    Compare(out, Read<float>(argv[7]));
    return 0;
  }
  return 2;
}
