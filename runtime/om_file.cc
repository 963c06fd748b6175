#include "runtime/om_file.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "base/file.h"
#include "base/status.h"
#include "runtime/arena.h"
#include "runtime/om_layout.h"
#include "runtime/om_sections.h"
#include "runtime/verified_files.h"

#define XXH_INLINE_ALL
#include "xxhash.h"

namespace omkit::runtime {
namespace {

using om_layout::Hash;
using om_layout::Header;
using om_layout::kEndianTag;
using om_layout::kMagic;
using om_layout::kMajorVersion;
using om_layout::kMinorVersion;
using om_layout::kMostSections;
using om_layout::kRequired;
using om_layout::kUnit;
using om_layout::TableRow;

Hash Canonical(XXH128_hash_t value) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, value);
  Hash hash;
  std::memcpy(hash.data(), canonical.digest, hash.size());
  return hash;
}

Hash HashOf(const void* data, size_t size) { return Canonical(XXH3_128bits(data, size)); }

Hash HashOfTable(const Header& header, const std::vector<TableRow>& table) {
  std::string bytes(reinterpret_cast<const char*>(&header), offsetof(Header, hash));
  bytes.append(reinterpret_cast<const char*>(table.data()), table.size() * sizeof(TableRow));
  return HashOf(bytes.data(), bytes.size());
}

absl::Status NotAModel(absl::string_view why) { return absl::InvalidArgumentError(absl::StrCat("not an offline model: ", why)); }
template <typename... Parts>
absl::Status Damaged(const Parts&... parts) {
  return absl::DataLossError(absl::StrCat("the offline model is damaged: ", parts...));
}

// A file image and its checked section table.
struct Image {
  const uint8_t* data;
  size_t size;
  std::vector<TableRow> table;
};

absl::StatusOr<Header> ReadHeader(const uint8_t* data, size_t size) {
  if (size == 0) return NotAModel("the file is empty");
  if (std::memcmp(data, kMagic, std::min(size, sizeof kMagic)) != 0) return NotAModel("the first bytes are not those of an .om file");
  if (size < sizeof(Header)) return Damaged("truncated to ", size, " bytes, the header alone has ", sizeof(Header));
  Header header;
  std::memcpy(&header, data, sizeof header);
  if (header.endian_tag == __builtin_bswap32(kEndianTag)) return absl::InvalidArgumentError("the model is for machines of the other byte order");
  if (header.major != kMajorVersion) {
    return absl::InvalidArgumentError(
        absl::StrCat("format version ", header.major, ".", header.minor, ", this release reads ", kMajorVersion, ".x: compile the model again"));
  }
  if (header.endian_tag != kEndianTag || header.header_length != sizeof(Header)) return Damaged("bad header");
  return header;
}

absl::StatusOr<std::vector<TableRow>> ReadTable(const Header& header, const uint8_t* data, size_t size) {
  if (header.section_count > kMostSections) return Damaged(header.section_count, " sections, limit ", kMostSections);
  std::vector<TableRow> table(header.section_count);
  const size_t bytes = table.size() * sizeof(TableRow);
  if (size - sizeof(Header) < bytes) return Damaged("truncated inside the section table, ", size, " of ", header.file_length, " bytes");
  if (bytes > 0) std::memcpy(table.data(), data + sizeof(Header), bytes);
  if (HashOfTable(header, table) != header.hash) return Damaged("the header's hash does not match");
  return table;
}

absl::Status CheckZero(const uint8_t* data, uint64_t begin, uint64_t end) {
  for (uint64_t i = begin; i < end; ++i) {
    if (data[i] != 0) return Damaged("byte ", i, " between two sections is not zero");
  }
  return absl::OkStatus();
}

// Sections lie one after the other at multiples of 64, so there is one way only to lay out a file.
absl::Status CheckLayout(const Image& image) {
  uint64_t end = sizeof(Header) + image.table.size() * sizeof(TableRow);
  for (const TableRow& row : image.table) {
    const uint64_t begin = RoundUp(end, kUnit);
    if (row.offset != begin || begin > image.size || row.length > image.size - begin) {
      return Damaged("section ", OmSectionName(row.type), " at ", row.offset, ", ", row.length, " bytes, does not fit in ", image.size, " bytes");
    }
    if ((row.flags & ~kRequired) != 0 || row.reserved != 0) return Damaged("section ", OmSectionName(row.type), " has unknown flags");
    OMKIT_RETURN_IF_ERROR(CheckZero(image.data, end, begin));
    end = begin + row.length;
  }
  if (end != image.size) return Damaged(image.size - end, " bytes behind the last section");
  return absl::OkStatus();
}

absl::StatusOr<Image> ReadImage(const uint8_t* data, size_t size) {
  OMKIT_ASSIGN_OR_RETURN(const Header header, ReadHeader(data, size));
  OMKIT_ASSIGN_OR_RETURN(std::vector<TableRow> table, ReadTable(header, data, size));
  if (size < header.file_length) return Damaged("truncated, ", size, " of ", header.file_length, " bytes");
  if (size > header.file_length) return Damaged(size - header.file_length, " bytes behind the end");
  if (header.reserved[0] != 0 || header.reserved[1] != 0) return Damaged("reserved header fields are in use");
  Image image{data, size, std::move(table)};
  OMKIT_RETURN_IF_ERROR(CheckLayout(image));
  return image;
}

bool Known(uint32_t type) { return type >= 1 && type <= 5; }

absl::StatusOr<const TableRow*> FindSection(const Image& image, OmSection type) {
  const TableRow* found = nullptr;
  for (const TableRow& row : image.table) {
    if (row.type != static_cast<uint32_t>(type)) continue;
    if (found != nullptr) return absl::InvalidArgumentError(absl::StrCat("two sections '", OmSectionName(row.type), "'"));
    found = &row;
  }
  if (found == nullptr) return absl::InvalidArgumentError(absl::StrCat("no section '", OmSectionName(static_cast<uint32_t>(type)), "'"));
  return found;
}

absl::Status CheckHash(const TableRow& row, const void* bytes) {
  if (HashOf(bytes, row.length) == row.hash) return absl::OkStatus();
  return Damaged("the hash of section ", OmSectionName(row.type), " does not match");
}

// Copied before it is checked: a mapped file could change in between.
absl::StatusOr<std::string> TakeSection(const Image& image, OmSection type) {
  OMKIT_ASSIGN_OR_RETURN(const TableRow* row, FindSection(image, type));
  std::string bytes(reinterpret_cast<const char*>(image.data + row->offset), row->length);
  OMKIT_RETURN_IF_ERROR(CheckHash(*row, bytes.data()));
  return bytes;
}

bool HasSection(const Image& image, OmSection type) {
  return std::any_of(image.table.begin(), image.table.end(), [&](const TableRow& row) { return row.type == static_cast<uint32_t>(type); });
}

absl::Status TakeShapes(const Image& image, RuntimeShapes* shapes) {
  if (HasSection(image, OmSection::kShapes)) {
    OMKIT_ASSIGN_OR_RETURN(const std::string bytes, TakeSection(image, OmSection::kShapes));
    OMKIT_RETURN_IF_ERROR(ParseShapes(bytes, shapes));
  }
  if (HasSection(image, OmSection::kGraph)) {
    OMKIT_ASSIGN_OR_RETURN(shapes->graph, TakeSection(image, OmSection::kGraph));
  }
  return absl::OkStatus();
}

absl::Status CheckOtherSections(const Image& image) {
  for (const TableRow& row : image.table) {
    if (Known(row.type)) continue;
    if (row.flags & kRequired) {
      return absl::InvalidArgumentError(absl::StrCat("the model needs section ", row.type, ", which this release does not know: update omkit"));
    }
    OMKIT_RETURN_IF_ERROR(CheckHash(row, image.data + row.offset));
  }
  return absl::OkStatus();
}

absl::Status TakeWeights(const uint8_t* data, uint64_t size, LoadedOm* om) {
  OMKIT_ASSIGN_OR_RETURN(Arena arena, Arena::Allocate(size, "the model's weights"));
  if (size > 0) std::memcpy(arena.data(), data, size);
  auto owner = std::make_shared<const Arena>(std::move(arena));
  om->weights = owner->data();
  om->weights_size = size;
  om->owner = std::move(owner);
  return absl::OkStatus();
}

absl::Status CheckWeights(const TableRow& row, const uint8_t* weights, const VerifiedFile* file) {
  if (file != nullptr && file->Recorded(row.hash)) return absl::OkStatus();
  OMKIT_RETURN_IF_ERROR(CheckHash(row, weights));
  if (file != nullptr) file->Record(row.hash);
  return absl::OkStatus();
}

// `owner` keeps the image alive; nullptr: the weights are copied. `file`: where a mapped image comes from, or nullptr.
absl::StatusOr<LoadedOm> LoadImage(const uint8_t* data, size_t size, std::shared_ptr<const void> owner, const OmOptions& options,
                                   const VerifiedFile* file) {
  OMKIT_ASSIGN_OR_RETURN(const Image image, ReadImage(data, size));
  OMKIT_RETURN_IF_ERROR(CheckOtherSections(image));
  OMKIT_ASSIGN_OR_RETURN(const std::string manifest, TakeSection(image, OmSection::kManifest));
  OMKIT_ASSIGN_OR_RETURN(const std::string plan, TakeSection(image, OmSection::kPlan));
  OMKIT_ASSIGN_OR_RETURN(const TableRow* weights, FindSection(image, OmSection::kWeights));
  LoadedOm om;
  const uint8_t* raw_weights = image.data + weights->offset;
  if (owner == nullptr) {
    OMKIT_RETURN_IF_ERROR(TakeWeights(raw_weights, weights->length, &om));
  } else {
    om.weights = raw_weights;
    om.weights_size = weights->length;
    om.owner = std::move(owner);
  }
  OMKIT_RETURN_IF_ERROR(CheckWeights(*weights, om.weights, file));
  OMKIT_RETURN_IF_ERROR(ParseManifest(manifest, &om.program));
  OMKIT_RETURN_IF_ERROR(ParsePlan(plan, &om.program));
  OMKIT_RETURN_IF_ERROR(TakeShapes(image, &om.program.shapes));
  OMKIT_RETURN_IF_ERROR(VerifyProgram(om.program, om.weights_size, options.limits));
  om.file_size = size;
  for (const TableRow& row : image.table) om.sections.push_back({row.type, (row.flags & kRequired) != 0, row.offset, row.length});
  return om;
}

// All but the weights' bytes, which are large and appended as they lie: header, table, the other sections, and zeros up to the weights.
std::string FileFront(const ShapedProgram& program) {
  struct Section {
    OmSection type;
    std::string bytes;
  };
  std::vector<Section> sections = {{OmSection::kManifest, SerializeManifest(program)}, {OmSection::kPlan, SerializePlan(program)}};
  if (program.shapes.mode != ShapeMode::kFixed) sections.push_back({OmSection::kShapes, SerializeShapes(program.shapes)});
  if (!program.shapes.graph.empty()) sections.push_back({OmSection::kGraph, program.shapes.graph});
  std::vector<TableRow> table;
  uint64_t end = sizeof(Header) + (sections.size() + 1) * sizeof(TableRow);
  const auto add = [&](OmSection type, const void* data, size_t size) {
    const uint64_t begin = RoundUp(end, kUnit);
    table.push_back({static_cast<uint32_t>(type), kRequired, begin, size, 0, HashOf(data, size)});
    end = begin + size;
  };
  for (const Section& section : sections) add(section.type, section.bytes.data(), section.bytes.size());
  add(OmSection::kWeights, program.weights.data(), program.weights.size());
  Header header{};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.major = kMajorVersion;
  header.minor = kMinorVersion;
  header.endian_tag = kEndianTag;
  header.header_length = sizeof(Header);
  header.section_count = static_cast<uint32_t>(table.size());
  header.file_length = end;
  header.hash = HashOfTable(header, table);

  std::string front(table.back().offset, '\0');
  std::memcpy(&front[0], &header, sizeof header);
  std::memcpy(&front[sizeof header], table.data(), table.size() * sizeof(TableRow));
  for (size_t i = 0; i < sections.size(); ++i) std::copy(sections[i].bytes.begin(), sections[i].bytes.end(), front.begin() + table[i].offset);
  return front;
}

absl::string_view WeightBytes(const Program& program) { return {reinterpret_cast<const char*>(program.weights.data()), program.weights.size()}; }

}  // namespace

const char* OmSectionName(uint32_t type) {
  constexpr const char* kNames[] = {"unknown", "manifest", "plan", "weights", "shapes", "graph"};
  return kNames[Known(type) ? type : 0];
}

absl::StatusOr<std::string> SerializeOm(const ShapedProgram& program) {
  OMKIT_RETURN_IF_ERROR(VerifyProgram(program, program.weights.size()));
  return absl::StrCat(FileFront(program), WeightBytes(program));
}

absl::Status WriteOm(const ShapedProgram& program, const std::string& path) {
  OMKIT_RETURN_IF_ERROR(Annotate(VerifyProgram(program, program.weights.size()), path));
  OMKIT_ASSIGN_OR_RETURN(AtomicWriter writer, AtomicWriter::Create(path));
  OMKIT_RETURN_IF_ERROR(writer.Append(FileFront(program)));
  OMKIT_RETURN_IF_ERROR(writer.Append(WeightBytes(program)));
  return writer.Commit();
}

absl::StatusOr<LoadedOm> LoadOm(const std::string& path, const OmOptions& options) {
  absl::StatusOr<LoadedOm> om;
  if (options.map_weights) {
    const VerifiedFile state(path);
    OMKIT_ASSIGN_OR_RETURN(MappedFile file, MappedFile::Open(path));
    const auto owner = std::make_shared<const MappedFile>(std::move(file));
    om = LoadImage(owner->data(), owner->size(), owner, options, &state);
  } else {
    OMKIT_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
    om = LoadOmFromMemory(bytes.data(), bytes.size(), options);
  }
  if (!om.ok()) return Annotate(om.status(), path);
  return om;
}

absl::StatusOr<LoadedOm> LoadOmFromMemory(const void* data, size_t size, const OmOptions& options) {
  return LoadImage(static_cast<const uint8_t*>(data), size, nullptr, options, nullptr);
}

absl::StatusOr<LoadedOm> LoadedOmFrom(ShapedProgram program, const OmOptions& options) {
  OMKIT_RETURN_IF_ERROR(VerifyProgram(program, program.weights.size(), options.limits));
  LoadedOm om;
  OMKIT_RETURN_IF_ERROR(TakeWeights(program.weights.data(), program.weights.size(), &om));
  om.program = std::move(program);
  om.program.weights = std::vector<uint8_t>();
  return om;
}

bool RehashOm(std::string* bytes) {
  const auto* data = reinterpret_cast<const uint8_t*>(bytes->data());
  const absl::StatusOr<Header> read = ReadHeader(data, bytes->size());
  if (!read.ok() || read->section_count > kMostSections) return false;
  Header header = *read;
  std::vector<TableRow> table(header.section_count);
  if (bytes->size() - sizeof(Header) < table.size() * sizeof(TableRow)) return false;
  std::memcpy(table.data(), data + sizeof(Header), table.size() * sizeof(TableRow));
  for (TableRow& row : table) {
    if (row.offset > bytes->size() || row.length > bytes->size() - row.offset) return false;
    row.hash = HashOf(data + row.offset, row.length);
  }
  header.hash = HashOfTable(header, table);
  std::memcpy(&(*bytes)[0], &header, sizeof header);
  std::memcpy(&(*bytes)[sizeof header], table.data(), table.size() * sizeof(TableRow));
  return true;
}

}  // namespace omkit::runtime
