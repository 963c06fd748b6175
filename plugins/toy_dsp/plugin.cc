// The toy DSP's table: its chip, its kernels, its compile side.
#include <cstdarg>
#include <cstdio>

#include "plugins/toy_dsp/chip.h"

namespace toy_dsp {

const OmkitHost* host = nullptr;

int32_t Fail(OmkitError* error, int32_t code, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(error->message, error->message_size, format, arguments);
  va_end(arguments);
  return code;
}

namespace {

const OmkitSoc kSocs[] = {
    {sizeof(OmkitSoc), 0, "toy-dsp", "generic", "16-bit block floating point DSP, a teaching example (plugins/toy_dsp)", 1e-3},
};

}  // namespace
}  // namespace toy_dsp

extern "C" const OmkitPlugin* omkit_plugin_entry(const OmkitHost* host) {
  toy_dsp::host = host;
  static const OmkitPlugin plugin = {sizeof(OmkitPlugin),   OMKIT_PLUGIN_ABI_VERSION, "toy_dsp",          "1.0", toy_dsp::kSocs, 1,
                                     toy_dsp::kKernelCount, toy_dsp::kKernels,        &toy_dsp::kCompiler};
  return &plugin;
}
