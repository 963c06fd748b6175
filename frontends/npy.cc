#include "frontends/npy.h"

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/shape.h"
#include "base/status.h"

namespace omkit::frontends {
namespace {

absl::Status Broken(absl::string_view why) { return absl::InvalidArgumentError(absl::StrCat("broken .npy header: ", why)); }

// The text behind "'key':" in the header's dictionary.
absl::StatusOr<absl::string_view> Field(absl::string_view header, absl::string_view key) {
  for (const char quote : {'\'', '"'}) {
    const std::string quoted = absl::StrCat(std::string(1, quote), key, std::string(1, quote));
    const size_t at = header.find(quoted);
    if (at == header.npos) continue;
    const absl::string_view rest = absl::StripLeadingAsciiWhitespace(header.substr(at + quoted.size()));
    if (!rest.empty() && rest[0] == ':') return absl::StripLeadingAsciiWhitespace(rest.substr(1));
  }
  return Broken(absl::StrCat("no field '", key, "'"));
}

absl::StatusOr<DType> ParseDescr(absl::string_view text) {
  const size_t end = text.size() > 1 && (text[0] == '\'' || text[0] == '"') ? text.find(text[0], 1) : text.npos;
  if (end == text.npos) return absl::UnimplementedError(".npy with a structured element type");
  const absl::string_view descr = text.substr(1, end - 1);
  static constexpr struct {
    const char* descr;
    DType dtype;
  } kTypes[] = {{"<f4", DType::kFloat32}, {"<f2", DType::kFloat16}, {"<f8", DType::kFloat64}, {"|i1", DType::kInt8},
                {"|u1", DType::kUInt8},   {"<i2", DType::kInt16},   {"<u2", DType::kUInt16},  {"<i4", DType::kInt32},
                {"<u4", DType::kUInt32},  {"<i8", DType::kInt64},   {"<u8", DType::kUInt64},  {"|b1", DType::kBool}};
  for (const auto& type : kTypes) {
    if (descr == type.descr) return type.dtype;
  }
  return absl::UnimplementedError(
      absl::StrCat(".npy with element type '", absl::CHexEscape(descr.substr(0, 40)), "'; supported: little-endian floats, integers and bool"));
}

absl::StatusOr<std::vector<int64_t>> ParseShape(absl::string_view text) {
  const size_t end = text.find(')');
  if (text.empty() || text[0] != '(' || end == text.npos) return Broken("field 'shape' is no tuple");
  std::vector<int64_t> shape;
  for (absl::string_view part : absl::StrSplit(text.substr(1, end - 1), ',')) {
    part = absl::StripAsciiWhitespace(part);
    if (part.empty()) continue;  // behind the last comma
    int64_t dim = 0;
    if (!absl::SimpleAtoi(part, &dim) || dim < 0) return Broken("field 'shape' holds something that is no dimension");
    shape.push_back(dim);
  }
  if (shape.size() > kMaxRank) return Broken(absl::StrCat("more than ", kMaxRank, " dimensions"));
  return shape;
}

}  // namespace

absl::StatusOr<NpyHeader> ParseNpyHeader(absl::string_view start) {
  if (start.substr(0, 6) != absl::string_view("\x93NUMPY", 6)) return absl::InvalidArgumentError("not a .npy file");
  if (start.size() < 12) return Broken("cut off");
  const auto byte = [&](int i) { return static_cast<uint64_t>(static_cast<uint8_t>(start[i])); };
  const int version = static_cast<int>(byte(6));
  if (version < 1 || version > 3) return absl::UnimplementedError(absl::StrCat(".npy version ", version, "; supported: 1 to 3"));
  const uint64_t prefix = version == 1 ? 10 : 12;
  const uint64_t length = version == 1 ? byte(8) | byte(9) << 8 : byte(8) | byte(9) << 8 | byte(10) << 16 | byte(11) << 24;
  if (length > start.size() - prefix) return Broken("cut off, or longer than 10000 bytes");
  const absl::string_view header = start.substr(prefix, length);
  NpyHeader result;
  result.data_offset = prefix + length;
  OMKIT_ASSIGN_OR_RETURN(const absl::string_view descr, Field(header, "descr"));
  OMKIT_ASSIGN_OR_RETURN(result.dtype, ParseDescr(descr));
  OMKIT_ASSIGN_OR_RETURN(const absl::string_view order, Field(header, "fortran_order"));
  if (order.substr(0, 5) != "False") return absl::UnimplementedError(".npy in Fortran order; save it with numpy.ascontiguousarray");
  OMKIT_ASSIGN_OR_RETURN(const absl::string_view shape, Field(header, "shape"));
  OMKIT_ASSIGN_OR_RETURN(result.shape, ParseShape(shape));
  return result;
}

}  // namespace omkit::frontends
