// Many pictures through a model of batch N (atc --input_shape="input:N,3,224,224"): N at a time, the last batch filled up.
//
//   multi_batch MODEL.om PICTURES.bin
//
// PICTURES.bin holds raw float32 pictures one behind the other; prints the class of each and the throughput.
//   g++ -std=c++11 -O2 multi_batch.cpp -I"$OMKIT_HOME/include" -L"$OMKIT_HOME/lib64" -lascendcl -o multi_batch
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <vector>

#include "edge_infer.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: multi_batch MODEL.om PICTURES.bin\n");
    return 2;
  }
  EdgeInfer net(argv[1]);
  if (!net.ok()) {
    std::fprintf(stderr, "multi_batch: %s\n", net.error().c_str());
    return 1;
  }
  const std::vector<int64_t> in = net.GetInputShape(), out = net.GetOutputShape();
  if (in.empty() || out.empty() || in[0] != out[0]) {
    std::fprintf(stderr, "multi_batch: the first dimension of input and output must be the batch\n");
    return 1;
  }
  const size_t batch = static_cast<size_t>(in[0]);
  size_t picture = 1;
  for (size_t i = 1; i < in.size(); ++i) picture *= static_cast<size_t>(in[i]);
  std::ifstream file(argv[2], std::ios::binary);
  std::vector<float> pictures(batch * picture), scores;
  size_t done = 0, batches = 0;
  double seconds = 0;
  for (;;) {
    // Pictures that are missing in the last batch keep what the batch before left: their results are not looked at.
    file.read(reinterpret_cast<char*>(pictures.data()), static_cast<std::streamsize>(pictures.size() * sizeof(float)));
    const size_t bytes = static_cast<size_t>(file.gcount()), count = bytes / (picture * sizeof(float));
    if (bytes % (picture * sizeof(float)) != 0) {
      std::fprintf(stderr, "multi_batch: '%s' does not hold whole pictures of %zu floats\n", argv[2], picture);
      return 1;
    }
    if (count == 0) break;
    const std::chrono::steady_clock::time_point begin = std::chrono::steady_clock::now();
    if (!net.Infer(pictures, scores)) {
      std::fprintf(stderr, "multi_batch: %s\n", net.error().c_str());
      return 1;
    }
    seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const size_t classes = scores.size() / batch;
    for (size_t i = 0; i < count; ++i, ++done) {
      const float* row = scores.data() + i * classes;
      std::printf("picture %zu class %d\n", done, static_cast<int>(std::max_element(row, row + classes) - row));
    }
    ++batches;
  }
  if (done == 0) {
    std::fprintf(stderr, "multi_batch: '%s' holds no picture\n", argv[2]);
    return 1;
  }
  std::printf("%zu pictures in %zu batches of %zu, %.1f pictures per second\n", done, batches, batch, static_cast<double>(done) / seconds);
  return 0;
}
