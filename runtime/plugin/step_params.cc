#include "runtime/plugin/step_params.h"

#include <cstring>

#include "absl/strings/str_cat.h"

namespace omkit::runtime {
namespace {

struct Header {
  uint32_t magic;
  uint32_t version;
  uint64_t reserved;
};
constexpr uint32_t kMagic = 0x50534B4F;  // "OKSP"

}  // namespace

std::string WithParamsVersion(uint32_t version, const void* params, size_t size) {
  const Header header = {kMagic, version, 0};
  std::string stored(reinterpret_cast<const char*>(&header), sizeof header);
  if (size > 0) stored.append(static_cast<const char*>(params), size);
  return stored;
}

absl::StatusOr<absl::string_view> ParamsOfVersion(absl::string_view stored, uint32_t version) {
  Header header;
  if (stored.size() < sizeof header) return absl::InvalidArgumentError(absl::StrCat(stored.size(), " parameter bytes are no step of a plugin"));
  std::memcpy(&header, stored.data(), sizeof header);
  if (header.magic != kMagic || header.reserved != 0) return absl::InvalidArgumentError("the parameters are no step of a plugin");
  if (header.version != version) {
    return absl::FailedPreconditionError(absl::StrCat("the step was compiled with version ", header.version,
                                                      " of its parameters, the plugin reads version ", version,
                                                      ": compile the model again with this plugin"));
  }
  return stored.substr(sizeof header);
}

}  // namespace omkit::runtime
