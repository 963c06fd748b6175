#include "tools/omkit_rt/image.h"

#include <cstring>

#include "runtime/om_layout.h"

#define XXH_INLINE_ALL
#include "xxhash.h"

namespace omkit::rt {
namespace {

using runtime::om_layout::Hash;
using runtime::om_layout::Header;
using runtime::om_layout::kEndianTag;
using runtime::om_layout::kMagic;
using runtime::om_layout::kMajorVersion;
using runtime::om_layout::kMostSections;
using runtime::om_layout::kRequired;
using runtime::om_layout::kUnit;
using runtime::om_layout::TableRow;

constexpr uint32_t kManifest = 1, kPlan = 2, kWeights = 3;
constexpr int kMostDepth = 8;
constexpr int kMostTables = 4'000'000;

bool Matches(XXH128_hash_t value, const Hash& hash) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, value);
  return std::memcmp(canonical.digest, hash.data(), hash.size()) == 0;
}

bool TableMatches(const Header& header, const uint8_t* table, size_t bytes) {
  XXH3_state_t state;
  XXH3_INITSTATE(&state);
  XXH3_128bits_reset(&state);
  XXH3_128bits_update(&state, &header, offsetof(Header, hash));
  XXH3_128bits_update(&state, table, bytes);
  return Matches(XXH3_128bits_digest(&state), header.hash);
}

omkit_rt_status ReadHeader(const uint8_t* model, size_t size, Header* header, omkit_rt_failure* failure) {
  if (size < sizeof *header || std::memcmp(model, kMagic, sizeof kMagic) != 0) {
    return Fail(OMKIT_RT_NOT_A_MODEL, "the first bytes are not those of an offline model", failure);
  }
  std::memcpy(header, model, sizeof *header);
  if (header->major != kMajorVersion || header->endian_tag != kEndianTag) {
    return Fail(OMKIT_RT_NOT_A_MODEL, "the model is of another version or for the other byte order", failure);
  }
  if (header->header_length != sizeof *header || header->file_length != size || header->section_count > kMostSections ||
      header->section_count * sizeof(TableRow) > size - sizeof *header) {
    return Fail(OMKIT_RT_DAMAGED, "the header does not fit the model's size", failure);
  }
  if (!TableMatches(*header, model + sizeof *header, header->section_count * sizeof(TableRow))) {
    return Fail(OMKIT_RT_DAMAGED, "the header's hash does not match", failure);
  }
  return OMKIT_RT_OK;
}

// A section's place, once it lies inside the model and its hash matches.
omkit_rt_status CheckSection(const uint8_t* model, size_t size, const TableRow& row, uint64_t* end, omkit_rt_failure* failure) {
  const uint64_t begin = (*end + kUnit - 1) / kUnit * kUnit;
  if (row.offset != begin || begin > size || row.length > size - begin) {
    return Fail(OMKIT_RT_DAMAGED, "a section lies outside the model", failure);
  }
  for (uint64_t i = *end; i < begin; ++i) {
    if (model[i] != 0) return Fail(OMKIT_RT_DAMAGED, "bytes between two sections are not zero", failure);
  }
  if (!Matches(XXH3_128bits(model + row.offset, row.length), row.hash)) return Fail(OMKIT_RT_DAMAGED, "a section's hash does not match", failure);
  if (row.type > kWeights && (row.flags & kRequired) != 0) {
    return Fail(OMKIT_RT_UNSUPPORTED, "the model has gears, open shapes or a section of a newer version", failure);
  }
  *end = begin + row.length;
  return OMKIT_RT_OK;
}

template <typename Root>
const Root* Verified(const uint8_t* bytes, uint64_t size) {
  flatbuffers::Verifier verifier(bytes, size, kMostDepth, kMostTables);
  return verifier.VerifyBuffer<Root>(nullptr) ? flatbuffers::GetRoot<Root>(bytes) : nullptr;
}

}  // namespace

omkit_rt_status Fail(omkit_rt_status status, const char* reason, omkit_rt_failure* failure, const char* subject, size_t length) {
  if (failure != nullptr) *failure = {reason, subject, length};
  return status;
}

omkit_rt_status ReadImage(const void* model, size_t size, Image* image, omkit_rt_failure* failure) {
  *image = {};
  const uint8_t* bytes = static_cast<const uint8_t*>(model);
  if (model == nullptr || reinterpret_cast<uintptr_t>(model) % OMKIT_RT_ALIGNMENT != 0) {
    return Fail(OMKIT_RT_INVALID_ARGUMENT, "the model's address is null or no multiple of 64", failure);
  }
  Header header;
  if (omkit_rt_status status = ReadHeader(bytes, size, &header, failure); status != OMKIT_RT_OK) return status;
  uint64_t end = sizeof(Header) + header.section_count * sizeof(TableRow);
  for (uint32_t i = 0; i < header.section_count; ++i) {
    TableRow row;
    std::memcpy(&row, bytes + sizeof(Header) + i * sizeof row, sizeof row);
    if (omkit_rt_status status = CheckSection(bytes, size, row, &end, failure); status != OMKIT_RT_OK) return status;
    if (row.type == kManifest) image->manifest = Verified<runtime::fbs::Manifest>(bytes + row.offset, row.length);
    if (row.type == kPlan) image->plan = Verified<runtime::fbs::Plan>(bytes + row.offset, row.length);
    if (row.type == kWeights) {
      image->weights = bytes + row.offset;
      image->weights_size = row.length;
    }
  }
  if (end != size) return Fail(OMKIT_RT_DAMAGED, "bytes behind the last section", failure);
  if (image->manifest == nullptr || image->plan == nullptr || image->weights == nullptr) {
    return Fail(OMKIT_RT_DAMAGED, "the model's manifest, plan or weights are missing or not valid", failure);
  }
  return OMKIT_RT_OK;
}

}  // namespace omkit::rt
