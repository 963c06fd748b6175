// Files: read whole, mapped read-only, and written so that the target is always the complete old or the complete new file. Floor 1.
//
// Errors name the path and the system's reason. NOT_FOUND: no such file or folder; PERMISSION_DENIED; RESOURCE_EXHAUSTED: no space,
// no memory, a quota or a size limit; INVALID_ARGUMENT: not a regular file; INTERNAL: anything else.
#ifndef OMKIT_BASE_FILE_H_
#define OMKIT_BASE_FILE_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace omkit {

// The status of a failed system call: "`what` 'path': No space left on device".
absl::Status ErrnoStatus(int error, absl::string_view what, absl::string_view path);

constexpr uint64_t kNoFileLimit = ~uint64_t{0};

// The bytes of a regular file; RESOURCE_EXHAUSTED when it has more than `limit`.
absl::StatusOr<std::string> ReadFile(const std::string& path, uint64_t limit = kNoFileLimit);

// A regular file mapped read-only; pages are shared with every process that maps it. The file must not be changed in place while it is
// mapped (AtomicWriter never does): a file that shrinks makes later reads raise SIGBUS.
class MappedFile {
 public:
  static absl::StatusOr<MappedFile> Open(const std::string& path);
  MappedFile() = default;
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  // Page-aligned; nullptr for an empty file.
  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

// Writes a temporary file `.<name>.tmp.<pid>.<n>` beside the target and moves it over the target in Commit, after fsync. Without a
// successful Commit the target is untouched and the temporary file is removed. Not for concurrent use of one object.
class AtomicWriter {
 public:
  // A target that is a symbolic link is followed; one that exists and is not a regular file is refused.
  static absl::StatusOr<AtomicWriter> Create(const std::string& path);
  ~AtomicWriter();
  AtomicWriter(AtomicWriter&& other) noexcept;
  AtomicWriter& operator=(AtomicWriter&&) = delete;

  absl::Status Append(absl::string_view bytes);
  absl::Status Commit();

 private:
  AtomicWriter() = default;
  void Abandon();

  std::string target_, temporary_, folder_;
  int fd_ = -1;
};

absl::Status WriteFile(const std::string& path, absl::string_view bytes);

}  // namespace omkit

#endif  // OMKIT_BASE_FILE_H_
