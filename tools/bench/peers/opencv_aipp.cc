// The preprocessing that AIPP does, in OpenCV's float code on one thread: NV12 -> crop -> RGB -> resize -> float -> normalise -> NCHW.
// Compiled by opencv_aipp.sh where OpenCV is installed.
//
//   opencv_aipp FRAME.nv12 AIPP.bin ROUNDS      frame of 1920x1080, crop 1280x720 in the middle, 224x224
//   opencv_aipp GREY AIPP.bin W H TO_W TO_H     a grey image of W x H bytes, only resized
// Prints the least time of a round in milliseconds (first form), and how far its pixels are from AIPP's (float32 [C][H][W]).
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <opencv2/imgproc.hpp>
#include <string>
#include <vector>

namespace {

constexpr int kW = 1920, kH = 1080, kCropW = 1280, kCropH = 720, kX = 320, kY = 180, kOut = 224;
const cv::Scalar kMean(123.675, 116.28, 103.53), kDeviation(58.395, 57.12, 57.375);

std::string Read(const char* path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct Buffers {
  cv::Mat rgb, small, real;
  std::vector<cv::Mat> planes;
};

// Two planes of the crop: the least that OpenCV can be given.
void Prepare(const cv::Mat& luma, const cv::Mat& chroma, float* network, Buffers* b) {
  const cv::Mat y = luma(cv::Rect(kX, kY, kCropW, kCropH)), uv = chroma(cv::Rect(kX / 2, kY / 2, kCropW / 2, kCropH / 2));
  cv::cvtColorTwoPlane(y, uv, b->rgb, cv::COLOR_YUV2RGB_NV12);
  cv::resize(b->rgb, b->small, cv::Size(kOut, kOut), 0, 0, cv::INTER_LINEAR);
  b->small.convertTo(b->real, CV_32FC3);
  cv::subtract(b->real, kMean, b->real);
  cv::divide(b->real, kDeviation, b->real);
  b->planes.clear();
  for (int c = 0; c < 3; ++c) b->planes.emplace_back(kOut, kOut, CV_32FC1, network + c * kOut * kOut);
  cv::split(b->real, b->planes);
}

int CompareResize(const char* grey, const char* aipp, int w, int h, int to_w, int to_h) {
  std::string image = Read(grey);
  const std::string theirs = Read(aipp);
  if (image.size() != static_cast<size_t>(w) * h || theirs.size() != sizeof(float) * to_w * to_h) return 2;
  cv::Mat resized;
  cv::resize(cv::Mat(h, w, CV_8UC1, &image[0]), resized, cv::Size(to_w, to_h), 0, 0, cv::INTER_LINEAR);
  const float* values = reinterpret_cast<const float*>(theirs.data());
  double largest = 0, sum = 0;
  for (int i = 0; i < to_w * to_h; ++i) {
    const double difference = std::fabs(values[i] - resized.data[i]);
    largest = std::max(largest, difference);
    sum += difference;
  }
  std::printf("resize %dx%d to %dx%d: largest_difference %.2f mean_difference %.3f\n", w, h, to_w, to_h, largest, sum / (to_w * to_h));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 7) return CompareResize(argv[1], argv[2], std::atoi(argv[3]), std::atoi(argv[4]), std::atoi(argv[5]), std::atoi(argv[6]));
  if (argc != 4) return 2;
  std::string frame = Read(argv[1]);
  const std::string theirs = Read(argv[2]);
  if (frame.size() != kW * kH * 3 / 2 || theirs.size() != 3 * kOut * kOut * sizeof(float)) return 2;
  cv::setNumThreads(1);
  const cv::Mat luma(kH, kW, CV_8UC1, &frame[0]), chroma(kH / 2, kW / 2, CV_8UC2, &frame[kW * kH]);
  std::vector<float> network(3 * kOut * kOut);
  Buffers buffers;
  double least = 1e9;
  for (int i = std::atoi(argv[3]); i > 0; --i) {
    const auto start = std::chrono::steady_clock::now();
    Prepare(luma, chroma, network.data(), &buffers);
    least = std::min(least, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  const float* aipp = reinterpret_cast<const float*>(theirs.data());
  double largest = 0, sum = 0;
  for (size_t i = 0; i < network.size(); ++i) {
    const double difference = std::fabs(network[i] - aipp[i]) * kDeviation[static_cast<int>(i / (kOut * kOut))];
    largest = std::max(largest, difference);
    sum += difference;
  }
  std::printf("opencv_ms %.4f largest_difference %.2f mean_difference %.3f\n", least, largest, sum / network.size());
  return 0;
}
