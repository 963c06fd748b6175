// Runs an offline model on raw float32 files and prints the five highest scores and the latency.
//
//   edge_infer MODEL.om INPUT.bin [INPUT.bin ...] [--loop N]
//
// One file per model input, or one file each for several runs of a model with one input. Build against the SDK:
//   . SDK/set_env.sh
//   g++ -std=c++11 -O2 main.cpp -I"$OMKIT_HOME/include" -L"$OMKIT_HOME/lib64" -lacl -lascendcl -o edge_infer
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <numeric>
#include <string>
#include <vector>

#include "edge_infer.h"

namespace {

bool ReadFloats(const std::string& path, std::vector<float>* values) {
  std::ifstream file(path.c_str(), std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "edge_infer: cannot open '%s'\n", path.c_str());
    return false;
  }
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (bytes.empty() || bytes.size() % sizeof(float) != 0) {
    std::fprintf(stderr, "edge_infer: '%s' has %zu bytes, which is no number of floats\n", path.c_str(), bytes.size());
    return false;
  }
  values->resize(bytes.size() / sizeof(float));
  std::memcpy(values->data(), bytes.data(), bytes.size());
  return true;
}

std::string ShapeText(const std::vector<int64_t>& shape) {
  std::string text;
  for (size_t i = 0; i < shape.size(); ++i) text += (i > 0 ? "x" : "") + std::to_string(shape[i]);
  return text.empty() ? "scalar" : text;
}

void PrintTop(const std::vector<float>& scores) {
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t(0));
  const size_t count = std::min<size_t>(5, order.size());
  std::partial_sort(order.begin(), order.begin() + count, order.end(),
                    [&](size_t a, size_t b) { return scores[a] != scores[b] ? scores[a] > scores[b] : a < b; });
  for (size_t i = 0; i < count; ++i) std::printf("  %zu. [%zu] %g\n", i + 1, order[i], scores[order[i]]);
}

// Runs `loop` times, prints the top five of each output and the median latency.
bool RunOnce(EdgeInfer* net, const std::vector<std::vector<float> >& inputs, int loop) {
  std::vector<std::vector<float> > outputs;
  std::vector<double> times;
  for (int i = 0; i < loop; ++i) {
    const std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
    if (!net->Infer(inputs, outputs)) {
      std::fprintf(stderr, "edge_infer: %s\n", net->error().c_str());
      return false;
    }
    times.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    std::printf("output %zu '%s' %s\n", i, net->GetOutputName(i).c_str(), ShapeText(net->GetOutputShape(i)).c_str());
    PrintTop(outputs[i]);
  }
  std::sort(times.begin(), times.end());
  std::printf("latency %.3f ms (median of %d)\n", times[times.size() / 2], loop);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> files;
  int loop = 1;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--loop") == 0 && i + 1 < argc) {
      loop = std::atoi(argv[++i]);
    } else {
      files.push_back(argv[i]);
    }
  }
  if (files.size() < 2 || loop < 1) {
    std::fprintf(stderr, "usage: edge_infer MODEL.om INPUT.bin [INPUT.bin ...] [--loop N]\n");
    return 2;
  }
  EdgeInfer net(files[0]);
  if (!net.ok()) {
    std::fprintf(stderr, "edge_infer: %s\n", net.error().c_str());
    return 1;
  }
  std::vector<std::vector<float> > inputs(files.size() - 1);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!ReadFloats(files[i + 1], &inputs[i])) return 1;
  }
  for (size_t i = 0; i < net.NumInputs(); ++i) {
    std::printf("input %zu '%s' %s\n", i, net.GetInputName(i).c_str(), ShapeText(net.GetInputShape(i)).c_str());
  }
  if (net.NumInputs() != 1 || inputs.size() == 1) return RunOnce(&net, inputs, loop) ? 0 : 1;
  for (size_t i = 0; i < inputs.size(); ++i) {
    std::printf("%s\n", files[i + 1].c_str());
    if (!RunOnce(&net, std::vector<std::vector<float> >(1, inputs[i]), loop)) return 1;
  }
  return 0;
}
