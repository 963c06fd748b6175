// A network in firmware: the model is a const array, all memory is static, nothing is allocated, and no file or console is needed to run it.
//
//   om array net.om --output=net.h            the model as an array `net` with `net_size` and `net_memory_size`
//   g++ -std=c++11 -Os -fno-exceptions -fno-rtti main.cpp -I. -I"$OMKIT_HOME/include" -L"$OMKIT_HOME/lib64" -lomkit_rt -o firmware
//
// On a board, ReadSensor() and Report() talk to its drivers; here they are standard input and output, so that the example can be tried:
//   ./firmware < input.bin > output.bin       a raw input tensor for each run, the raw output tensors come out
#include <stdint.h>
#include <unistd.h>

#include "net.h"
#include "omkit_rt.h"

namespace {

// What the linker reserves is what the network takes.
alignas(OMKIT_RT_ALIGNMENT) unsigned char memory[net_memory_size];
alignas(OMKIT_RT_ALIGNMENT) unsigned char input[net_input_0_size];
alignas(OMKIT_RT_ALIGNMENT) unsigned char output[net_output_0_size];

bool ReadSensor() {
  size_t done = 0;
  while (done < sizeof input) {
    const ssize_t count = read(STDIN_FILENO, input + done, sizeof input - done);
    if (count <= 0) return false;
    done += static_cast<size_t>(count);
  }
  return true;
}

bool Report() { return write(STDOUT_FILENO, output, sizeof output) == static_cast<ssize_t>(sizeof output); }

}  // namespace

int main() {
  omkit_rt_model* model = nullptr;
  const omkit_rt_status status = omkit_rt_load(net, net_size, memory, sizeof memory, &model, nullptr);
  if (status != OMKIT_RT_OK) return 10 + status;
  const void* inputs[] = {input};
  void* outputs[] = {output};
  while (ReadSensor()) {
    if (omkit_rt_execute(model, inputs, outputs) != OMKIT_RT_OK || !Report()) return 2;
  }
  return 0;
}
