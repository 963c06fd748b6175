// What AIPP means, written a second time in double precision from CANN's description, and random parameters. For tests only.
#ifndef OMKIT_BASE_AIPP_TESTING_H_
#define OMKIT_BASE_AIPP_TESTING_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "base/aipp_spec.h"

namespace omkit::aipp {

// One image through swap, crop, conversion, resize, normalisation and padding. Element (x, y, channel) of the result.
class Model {
 public:
  Model(const Spec& spec, const uint8_t* image) : s_(spec), image_(image) {}

  int width() const { return inner_w() + (s_.padding ? s_.pad_left + s_.pad_right : 0); }
  int height() const { return inner_h() + (s_.padding ? s_.pad_top + s_.pad_bottom : 0); }
  bool Inside(int x, int y) const {
    x -= s_.padding ? s_.pad_left : 0;
    y -= s_.padding ? s_.pad_top : 0;
    return x >= 0 && y >= 0 && x < inner_w() && y < inner_h();
  }
  // The integer in front of normalisation.
  double Pixel(int x, int y, int channel) const {
    x -= s_.padding ? s_.pad_left : 0;
    y -= s_.padding ? s_.pad_top : 0;
    return s_.resize ? std::floor(Resized(x, y, channel) + 0.5) : Converted(x, y, channel);
  }
  // Bilinear without any rounding behind the conversion.
  double Resized(int x, int y, int channel) const {
    const Position px = At(x, crop_w(), s_.resize_w), py = At(y, crop_h(), s_.resize_h);
    const double upper = Row(px, py.first, channel), lower = Row(px, py.next, channel);
    return OnGrid(upper + (lower - upper) * py.part);
  }
  float Normalised(int x, int y, int channel) const {
    if (!Inside(x, y)) return s_.padding_value;
    const double mean = s_.mean[channel], min = s_.min[channel];
    return static_cast<float>((Pixel(x, y, channel) - mean - min) * s_.var_reci[channel]);
  }
  // True: weights and intermediate values are rounded as documented (11 and 7 fractional bits).
  bool fixed_point = true;

 private:
  struct Position {
    int first, next;
    double part;
  };
  int crop_w() const { return s_.crop ? s_.crop_w : s_.src_w; }
  int crop_h() const { return s_.crop ? s_.crop_h : s_.src_h; }
  int inner_w() const { return s_.resize ? s_.resize_w : crop_w(); }
  int inner_h() const { return s_.resize ? s_.resize_h : crop_h(); }

  double OnGrid(double v) const { return fixed_point ? std::floor(v * 128 + 0.5) / 128 : v; }

  Position At(int i, int in, int out) const {
    double position = std::max(0.0, (i + 0.5) * in / out - 0.5);
    double first = std::floor(position + 1e-12);
    double part = position - first;
    if (fixed_point) part = std::floor(part * 2048 + 0.5 + 1e-9) / 2048;
    if (part >= 1) part = 0, first += 1;
    if (first >= in - 1) return {in - 1, in - 1, 0};
    return {static_cast<int>(first), static_cast<int>(first) + 1, std::max(0.0, part)};
  }
  double Row(const Position& px, int y, int channel) const {
    const double left = Converted(px.first, y, channel), right = Converted(px.next, y, channel);
    return OnGrid(left + (right - left) * px.part);
  }

  double Converted(int x, int y, int channel) const {
    const std::vector<double> in = Source(x + (s_.crop ? s_.crop_x : 0), y + (s_.crop ? s_.crop_y : 0));
    if (!s_.csc) return in[channel];
    double sum = 0;
    for (int k = 0; k < 3; ++k) sum += s_.matrix[3 * channel + k] * (in[k] - (Yuv() ? s_.in_bias[k] : 0));
    const double value = std::floor(sum / 256) + (Yuv() ? 0 : s_.out_bias[channel]);
    return std::fmin(std::fmax(value, 0), 255);
  }

  bool Yuv() const {
    return s_.format == Format::kYuv420sp || s_.format == Format::kYuyv || s_.format == Format::kYuv422sp || s_.format == Format::kAyuv444;
  }

  // Components of one pixel behind the swaps.
  std::vector<double> Source(int x, int y) const {
    const int w = s_.src_w, h = s_.src_h;
    std::vector<double> v;
    switch (s_.format) {
      case Format::kYuv420sp: v = {Byte(y * w + x), Byte(w * h + y / 2 * w + x / 2 * 2), Byte(w * h + y / 2 * w + x / 2 * 2 + 1)}; break;
      case Format::kYuv422sp: v = {Byte(y * w + x), Byte(w * h + y * w + x / 2 * 2), Byte(w * h + y * w + x / 2 * 2 + 1)}; break;
      case Format::kYuv400: v = {Byte(y * w + x)}; break;
      case Format::kYuyv: {
        const int pair = (y * w + x) / 2 * 4;
        v = {Byte(pair + x % 2 * 2), Byte(pair + 1), Byte(pair + 3)};
        break;
      }
      case Format::kRgb888: v = {Byte(3 * (y * w + x)), Byte(3 * (y * w + x) + 1), Byte(3 * (y * w + x) + 2)}; break;
      default: {
        std::vector<double> four;
        for (int i = 0; i < 4; ++i) four.push_back(Byte(4 * (y * w + x) + i));
        if (s_.ax_swap) four.erase(four.begin());
        v.assign(four.begin(), four.begin() + 3);
      }
    }
    if (s_.rbuv_swap && v.size() == 3) std::swap(v[Yuv() ? 1 : 0], v[2]);
    return v;
  }
  double Byte(int at) const { return image_[at]; }

  const Spec& s_;
  const uint8_t* image_;
};

// Parameters that Check accepts, with every switch on and off, at small sizes.
class RandomSpecs {
 public:
  explicit RandomSpecs(uint32_t seed) : engine_(seed) {}

  int Int(int low, int high) { return std::uniform_int_distribution<int>(low, high)(engine_); }
  bool Coin() { return Int(0, 1) == 1; }

  // `resize`: whether it may be resized.
  Spec Next(bool resize) {
    constexpr Format kAll[] = {Format::kYuv420sp, Format::kXrgb8888, Format::kRgb888,   Format::kYuv400,
                               Format::kArgb8888, Format::kYuyv,     Format::kYuv422sp, Format::kAyuv444};
    Spec s;
    s.format = Int(0, 2) == 0 ? Format::kYuv420sp : kAll[Int(0, 7)];
    const int wide = Int(0, 3) == 0 ? 300 : 70;
    s.src_w = 2 * Int(1, wide / 2);
    s.src_h = 2 * Int(1, 25);
    if (s.format == Format::kRgb888 || s.format == Format::kYuv400) s.src_w -= s.src_w > 2 ? Int(0, 1) : 0;
    s.rbuv_swap = Coin();
    s.ax_swap = Coin();
    if (Coin()) Crop(&s);
    if (s.format != Format::kYuv400 && Coin()) Convert(&s);
    if (resize && Coin()) Resize(&s);
    for (int i = 0; i < 4; ++i) {
      s.mean[i] = static_cast<float>(Coin() ? Int(0, 255) : 0);
      s.min[i] = Coin() ? static_cast<float>(Int(0, 25500)) / 100 : 0;
      if (Coin()) s.var_reci[i] = static_cast<float>(Int(-4000, 4000)) / 65536;
    }
    if (Coin()) Pad(&s);
    return s;
  }

 private:
  void Crop(Spec* s) {
    const int step = s->format == Format::kYuv420sp || s->format == Format::kYuyv || s->format == Format::kYuv422sp ? 2 : 1;
    s->crop = 1;
    s->crop_x = Int(0, (s->src_w - 1) / step) / 2 * step;
    s->crop_y = Int(0, s->src_h / 2 - 1) / 2 * 2;
    s->crop_w = step * Int(1, (s->src_w - s->crop_x) / step);
    s->crop_h = 2 * Int(1, (s->src_h - s->crop_y) / 2);
  }
  void Convert(Spec* s) {
    s->csc = 1;
    for (int& m : s->matrix) m = Int(0, 9) == 0 ? (Coin() ? INT16_MAX : INT16_MIN) : Int(-520, 520);
    for (int i = 0; i < 3; ++i) s->in_bias[i] = Int(0, 255), s->out_bias[i] = Int(0, 255);
  }
  void Resize(Spec* s) {
    const int w = s->crop ? s->crop_w : s->src_w, h = s->crop ? s->crop_h : s->src_h;
    if (w * 16 < 16 || h * 16 < 16) return;
    s->resize = 1;
    s->resize_w = Int(std::max(16, (w + 15) / 16), std::min(16 * w, 16 + 2 * w));
    s->resize_h = Int(16, std::min(16 * h, 16 + 2 * h));
  }
  void Pad(Spec* s) {
    s->padding = 1;
    for (int* p : {&s->pad_left, &s->pad_right, &s->pad_top, &s->pad_bottom}) *p = Int(0, 6);
    s->padding_value = static_cast<float>(Int(-400, 400)) / 100;
  }

  std::mt19937 engine_;
};

}  // namespace omkit::aipp

#endif  // OMKIT_BASE_AIPP_TESTING_H_
