// The fixed structures at the start of an offline model file (om_file.h explains the format). Floor 2, plain code: shared by om_file and
// the runtime without an operating system.
#ifndef OMKIT_RUNTIME_OM_LAYOUT_H_
#define OMKIT_RUNTIME_OM_LAYOUT_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace omkit::runtime::om_layout {

// Like PNG's: a transfer that changes line ends or strips the eighth bit breaks it visibly.
constexpr char kMagic[8] = {'\x89', 'O', 'M', 'K', '\r', '\n', '\x1a', '\n'};
constexpr uint16_t kMajorVersion = 2;  // readers refuse any other
constexpr uint16_t kMinorVersion = 0;  // readers accept newer ones as long as they know all required sections
constexpr uint32_t kEndianTag = 0x01020304;
constexpr uint32_t kMostSections = 64;
constexpr uint32_t kRequired = 1;  // the only flag of a section
constexpr uint64_t kUnit = 64;     // sections start at multiples of it

using Hash = std::array<uint8_t, 16>;  // XXH3-128, canonical

struct Header {
  char magic[8];
  uint16_t major;
  uint16_t minor;
  uint32_t endian_tag;
  uint32_t header_length;
  uint32_t section_count;
  uint64_t file_length;
  uint64_t reserved[2];
  Hash hash;  // of the fields above and of the section table
};
static_assert(sizeof(Header) == 64);

struct TableRow {
  uint32_t type;
  uint32_t flags;
  uint64_t offset;
  uint64_t length;
  uint64_t reserved;
  Hash hash;
};
static_assert(sizeof(TableRow) == 48);

}  // namespace omkit::runtime::om_layout

#endif  // OMKIT_RUNTIME_OM_LAYOUT_H_
