#include "tools/bench/buffers.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace omkit::bench {
namespace {

void Fill(const runtime::IoDesc& io, uint8_t* data) {
  uint32_t s = 1;
  const auto next = [&s] { return s = s * 1664525u + 1013904223u; };
  std::memset(data, 0, io.bytes);
  if (io.dtype == DType::kFloat32) {
    for (uint64_t i = 0; i + sizeof(float) <= io.bytes; i += sizeof(float)) {
      const float value = static_cast<float>(2.0 * (next() >> 8) / 16777216.0 - 1.0);
      std::memcpy(data + i, &value, sizeof value);
    }
  } else if (io.dtype == DType::kInt8 || io.dtype == DType::kUInt8) {
    for (uint64_t i = 0; i < io.bytes; ++i) data[i] = static_cast<uint8_t>(next() >> 24);
  }
}

}  // namespace

absl::StatusOr<Buffers> Buffers::Make(const runtime::Model& model) {
  Buffers buffers;
  for (const runtime::IoDesc& io : model.inputs()) {
    OMKIT_ASSIGN_OR_RETURN(runtime::Arena arena, runtime::Arena::Allocate(io.bytes, absl::StrCat("input '", io.name, "'")));
    Fill(io, arena.data());
    buffers.inputs_.push_back(arena.data());
    buffers.memory_.push_back(std::move(arena));
  }
  for (const runtime::IoDesc& io : model.outputs()) {
    OMKIT_ASSIGN_OR_RETURN(runtime::Arena arena, runtime::Arena::Allocate(io.bytes, absl::StrCat("output '", io.name, "'")));
    buffers.outputs_.push_back(arena.data());
    buffers.memory_.push_back(std::move(arena));
  }
  return buffers;
}

}  // namespace omkit::bench
