// A camera's loop: frames come in one after the other, all memory is allocated before the first and reused, and slow frames are counted.
//
//   camera_loop MODEL.om FRAMES.bin [--frames N] [--fps F]
//
// FRAMES.bin holds raw float32 input tensors one behind the other, as preprocessing would leave them; the camera plays them in a circle.
// With --fps, frames come at that rate, and those that come while the network is busy are dropped, as a live camera does.
//   g++ -std=c++11 -O2 camera_loop.cpp -I"$OMKIT_HOME/include" -L"$OMKIT_HOME/lib64" -lascendcl -o camera_loop
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "edge_infer.h"

namespace {

typedef std::chrono::steady_clock Clock;

double Milliseconds(Clock::duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

// Plays a file of frames.
class Camera {
 public:
  Camera(const std::string& path, size_t frame_elements, double fps) : elements_(frame_elements), period_(fps > 0 ? 1 / fps : 0) {
    std::ifstream file(path.c_str(), std::ios::binary | std::ios::ate);
    const std::streamoff bytes = file ? static_cast<std::streamoff>(file.tellg()) : 0;
    const size_t frame_bytes = frame_elements * sizeof(float);
    if (bytes <= 0 || frame_bytes == 0 || static_cast<size_t>(bytes) % frame_bytes != 0) return;
    frames_.resize(static_cast<size_t>(bytes) / sizeof(float));
    file.seekg(0);
    if (!file.read(reinterpret_cast<char*>(frames_.data()), bytes)) frames_.clear();
  }
  bool ok() const { return !frames_.empty(); }

  // Waits for the next frame and copies it; returns how many were dropped since the last.
  size_t Grab(std::vector<float>* frame) {
    size_t dropped = 0;
    if (period_ > 0) {
      const double now = std::chrono::duration<double>(Clock::now() - start_).count();
      size_t due = static_cast<size_t>(now / period_);
      if (due < next_) {
        std::this_thread::sleep_until(start_ + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(next_ * period_)));
        due = next_;
      }
      dropped = due - next_;
      next_ = due;
    }
    const size_t at = next_++ % (frames_.size() / elements_) * elements_;
    std::copy(frames_.begin() + at, frames_.begin() + at + elements_, frame->begin());
    return dropped;
  }

 private:
  size_t elements_;
  double period_;
  std::vector<float> frames_;
  Clock::time_point start_ = Clock::now();
  size_t next_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> files;
  int frames = 100;
  double fps = 0;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--frames") == 0 && i + 1 < argc) {
      frames = std::atoi(argv[++i]);
    } else if (std::strcmp(argv[i], "--fps") == 0 && i + 1 < argc) {
      fps = std::atof(argv[++i]);
    } else {
      files.push_back(argv[i]);
    }
  }
  if (files.size() != 2 || frames < 1 || fps < 0) {
    std::fprintf(stderr, "usage: camera_loop MODEL.om FRAMES.bin [--frames N] [--fps F]\n");
    return 2;
  }
  EdgeInfer net(files[0]);
  if (!net.ok()) {
    std::fprintf(stderr, "camera_loop: %s\n", net.error().c_str());
    return 1;
  }
  size_t elements = 1;
  for (int64_t dim : net.GetInputShape()) elements *= static_cast<size_t>(dim);
  Camera camera(files[1], elements, fps);
  if (!camera.ok()) {
    std::fprintf(stderr, "camera_loop: '%s' does not hold whole frames of %zu floats\n", files[1].c_str(), elements);
    return 1;
  }
  std::vector<float> frame(elements), scores;
  std::vector<double> times;
  times.reserve(static_cast<size_t>(frames));
  size_t dropped = 0;
  for (int i = 0; i < frames; ++i) {
    dropped += camera.Grab(&frame);
    const Clock::time_point begin = Clock::now();
    if (!net.Infer(frame, scores)) {
      std::fprintf(stderr, "camera_loop: %s\n", net.error().c_str());
      return 1;
    }
    times.push_back(Milliseconds(Clock::now() - begin));
    if (i < 5) std::printf("frame %d class %d\n", i, static_cast<int>(std::max_element(scores.begin(), scores.end()) - scores.begin()));
  }
  std::sort(times.begin(), times.end());
  std::printf("%d frames, %zu dropped, median %.3f ms, 99%% below %.3f ms\n", frames, dropped, times[times.size() / 2],
              times[times.size() * 99 / 100]);
  return 0;
}
