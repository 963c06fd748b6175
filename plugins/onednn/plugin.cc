// The oneDNN plugin's table: three chips of x86-64.
#include <cstdarg>
#include <cstdio>

#include "plugins/onednn/layer.h"

namespace onednn {

const OmkitHost* host = nullptr;

int32_t Fail(OmkitError* error, int32_t code, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(error->message, error->message_size, format, arguments);
  va_end(arguments);
  return code;
}

namespace {

// INT8 sums of oneDNN saturate 16-bit intermediates on CPUs without VNNI: only the rows that have it use them.
const OmkitSoc kSocs[] = {
    {sizeof(OmkitSoc), 0, "onednn-avx2", "avx2", "FP32 layers by oneDNN, INT8 and the rest by npu_int8", 1e-5},
    {sizeof(OmkitSoc), 0, "onednn-avx512vnni", "avx512vnni", "FP32 and INT8 layers by oneDNN, the rest by npu_int8", 1e-5},
    {sizeof(OmkitSoc), 0, "onednn-bf16", "avx512vnni", "BF16 and INT8 layers by oneDNN, the rest by npu_int8", 8e-3},
};

}  // namespace
}  // namespace onednn

extern "C" const OmkitPlugin* omkit_plugin_entry(const OmkitHost* host) {
  onednn::host = host;
  static const OmkitPlugin plugin = {sizeof(OmkitPlugin), OMKIT_PLUGIN_ABI_VERSION, "onednn", "1.0", onednn::kSocs, 3, 1,
                                     onednn::kKernels,    &onednn::kCompiler};
  return &plugin;
}
