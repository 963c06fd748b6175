#include "frontends/onnx/external_data.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "frontends/onnx/quoted.h"

namespace omkit::frontends {
namespace {

struct Range {
  std::string location;
  uint64_t offset = 0;
  bool has_length = false;
  uint64_t length = 0;
};

absl::Status ParseU64(const onnx::StringStringEntryProto& entry, uint64_t* value) {
  if (absl::SimpleAtoi(entry.value(), value)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("external data: ", entry.key(), " ", Quoted(entry.value()), " is not an unsigned 64-bit number"));
}

absl::StatusOr<Range> ParseEntries(const google::protobuf::RepeatedPtrField<onnx::StringStringEntryProto>& entries) {
  Range range;
  std::vector<std::string> seen;
  for (const auto& entry : entries) {
    const std::string& key = entry.key();
    for (const std::string& other : seen) {
      if (other == key) return absl::InvalidArgumentError(absl::StrCat("external data: key ", Quoted(key), " appears twice"));
    }
    seen.push_back(key);
    if (key == "location") {
      range.location = entry.value();
    } else if (key == "offset") {
      OMKIT_RETURN_IF_ERROR(ParseU64(entry, &range.offset));
    } else if (key == "length") {
      range.has_length = true;
      OMKIT_RETURN_IF_ERROR(ParseU64(entry, &range.length));
    } else if (key != "checksum") {
      return absl::InvalidArgumentError(absl::StrCat("external data: unknown key ", Quoted(key), "; known: location, offset, length, checksum"));
    }
  }
  if (range.location.empty()) return absl::InvalidArgumentError("external data: no location");
  return range;
}

// The components of a relative path that stays inside its folder.
absl::StatusOr<std::vector<std::string>> SplitLocation(const std::string& location) {
  const auto reject = [&](absl::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat("external data: location ", Quoted(location), " ", why));
  };
  if (location.size() > 4096) return reject("is longer than 4096 bytes");
  if (location.find('\0') != std::string::npos) return reject("contains a NUL byte");
  if (location.find('\\') != std::string::npos) return reject("contains a backslash; components are separated by '/'");
  if (location[0] == '/') return reject("is absolute; it must be relative to the model's folder");
  std::vector<std::string> parts;
  for (absl::string_view part : absl::StrSplit(location, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") return reject("leaves the model's folder through '..'");
    parts.emplace_back(part);
  }
  if (parts.empty() || location.back() == '/') return reject("names no file");
  return parts;
}

absl::Status SystemError(absl::string_view what, const std::string& location) {
  const int error = errno;
  const std::string text = absl::StrCat("external data: ", what, " ", Quoted(location), " beside the model: ",
                                        error == ELOOP || error == ENOTDIR ? "a component is a symbolic link or not a folder; copy the file "
                                                                             "into the model's folder"
                                                                           : std::strerror(error));
  return error == ENOENT ? absl::NotFoundError(text) : absl::InvalidArgumentError(text);
}

}  // namespace

ExternalFiles::~ExternalFiles() {
  for (const auto& [location, file] : files_) close(file.fd);
  if (directory_fd_ >= 0) close(directory_fd_);
}

absl::StatusOr<ExternalFiles::File*> ExternalFiles::Open(const std::string& location) {
  auto found = files_.find(location);
  if (found != files_.end()) return &found->second;
  OMKIT_ASSIGN_OR_RETURN(const std::vector<std::string> parts, SplitLocation(location));
  if (directory_.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("external data: ", Quoted(location), " cannot be read because the model did not come from a folder"));
  }
  if (directory_fd_ < 0) directory_fd_ = open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory_fd_ < 0) return SystemError("cannot open the folder of", location);
  int fd = dup(directory_fd_);
  for (size_t i = 0; i < parts.size() && fd >= 0; ++i) {
    const int kind = i + 1 < parts.size() ? O_DIRECTORY : O_NONBLOCK;
    const int next = openat(fd, parts[i].c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | kind);
    const int error = errno;
    close(fd);
    errno = error;
    fd = next;
  }
  if (fd < 0) return SystemError("cannot open", location);
  struct stat info;
  absl::string_view why;
  if (fstat(fd, &info) != 0) why = "cannot be examined";
  else if (!S_ISREG(info.st_mode)) why = "is not a regular file";
  else if (info.st_nlink > 1) why = "has several hard links, one of which may lie outside the model's folder; copy the file";
  if (!why.empty()) {
    close(fd);
    return absl::InvalidArgumentError(absl::StrCat("external data: ", Quoted(location), " ", why));
  }
  File& file = files_[location];
  file.fd = fd;
  file.size = static_cast<uint64_t>(info.st_size);
  return &file;
}

absl::StatusOr<ExternalFiles::Span> ExternalFiles::Locate(const google::protobuf::RepeatedPtrField<onnx::StringStringEntryProto>& entries,
                                                          uint64_t bytes) {
  OMKIT_ASSIGN_OR_RETURN(const Range range, ParseEntries(entries));
  OMKIT_ASSIGN_OR_RETURN(File * file, Open(range.location));
  if (range.has_length && range.length != bytes) {
    return absl::InvalidArgumentError(absl::StrCat("external data: length is ", range.length, " bytes but the tensor's shape and type need ", bytes));
  }
  if (bytes > file->size || range.offset > file->size - bytes) {
    return absl::InvalidArgumentError(absl::StrCat("external data: ", bytes, " bytes at offset ", range.offset, " lie outside ",
                                                   Quoted(range.location), ", which has ", file->size, " bytes"));
  }
  return Span{file, range.offset, range.location};
}

absl::Status ExternalFiles::Check(const google::protobuf::RepeatedPtrField<onnx::StringStringEntryProto>& entries, uint64_t bytes) {
  return Locate(entries, bytes).status();
}

absl::Status ExternalFiles::Read(const google::protobuf::RepeatedPtrField<onnx::StringStringEntryProto>& entries, uint64_t bytes, void* out) {
  OMKIT_ASSIGN_OR_RETURN(const Span span, Locate(entries, bytes));
  span.file->bytes_read += bytes;
  if (span.file->bytes_read / 4 > span.file->size) {
    return absl::ResourceExhaustedError(
        absl::StrCat("external data: overlapping tensors take more than four times the ", span.file->size, " bytes of ", Quoted(span.location)));
  }
  uint8_t* to = static_cast<uint8_t*>(out);
  for (uint64_t done = 0; done < bytes;) {
    const ssize_t got = pread(span.file->fd, to + done, bytes - done, static_cast<off_t>(span.offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      return absl::DataLossError(absl::StrCat("external data: cannot read ", Quoted(span.location), " at offset ", span.offset + done, ": ",
                                              got == 0 ? "the file became shorter" : std::strerror(errno)));
    }
    done += static_cast<uint64_t>(got);
  }
  return absl::OkStatus();
}

}  // namespace omkit::frontends
