// An offline model's bytes, checked and taken apart in place. Floor 5, first half of omkit_rt_load; runtime/om_file.h describes the format.
#ifndef OMKIT_TOOLS_OMKIT_RT_IMAGE_H_
#define OMKIT_TOOLS_OMKIT_RT_IMAGE_H_

#include <cstddef>
#include <cstdint>

#include "runtime/om_generated.h"
#include "tools/omkit_rt/omkit_rt.h"

namespace omkit::rt {

struct Image {
  const runtime::fbs::Manifest* manifest;
  const runtime::fbs::Plan* plan;
  const uint8_t* weights;
  uint64_t weights_size;
};

// Fills `failure`, which may be null, and returns the status.
omkit_rt_status Fail(omkit_rt_status status, const char* reason, omkit_rt_failure* failure, const char* subject = nullptr, size_t length = 0);

// Checks header, hashes, section layout and both FlatBuffers. Nothing in them is compared with each other yet.
omkit_rt_status ReadImage(const void* model, size_t size, Image* image, omkit_rt_failure* failure);

}  // namespace omkit::rt

#endif  // OMKIT_TOOLS_OMKIT_RT_IMAGE_H_
