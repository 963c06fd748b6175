#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace omkit {
namespace {

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) close(fd_);
  }
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

struct OpenedFile {
  FileDescriptor fd;
  uint64_t size;
};

// O_NONBLOCK: a FIFO must be refused, not waited for.
absl::StatusOr<OpenedFile> OpenRegular(const std::string& path) {
  FileDescriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) return ErrnoStatus(errno, "open", path);
  struct stat info;
  if (fstat(fd.get(), &info) != 0) return ErrnoStatus(errno, "stat", path);
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat("open '", path, "': ", S_ISDIR(info.st_mode) ? "is a folder" : "not a regular file"));
  }
  return OpenedFile{std::move(fd), static_cast<uint64_t>(info.st_size)};
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string NameOf(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// The file that writing to `path` would change.
absl::StatusOr<std::string> ResolveTarget(const std::string& path) {
  if (path.empty() || path.back() == '/') return absl::InvalidArgumentError(absl::StrCat("write '", path, "': no file name"));
  struct stat info;
  if (stat(path.c_str(), &info) != 0) {
    if (lstat(path.c_str(), &info) == 0) return absl::NotFoundError(absl::StrCat("write '", path, "': a symbolic link to nothing"));
    return path;
  }
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat("write '", path, "': ", S_ISDIR(info.st_mode) ? "is a folder" : "not a regular file"));
  }
  struct stat link;
  if (lstat(path.c_str(), &link) != 0 || !S_ISLNK(link.st_mode)) return path;
  char* real = realpath(path.c_str(), nullptr);
  if (real == nullptr) return ErrnoStatus(errno, "resolve", path);
  std::string target = real;
  free(real);
  return target;
}

}  // namespace

absl::Status ErrnoStatus(int error, absl::string_view what, absl::string_view path) {
  char buffer[128] = "";
  const char* reason = strerror_r(error, buffer, sizeof buffer);
  const std::string message = absl::StrCat(what, " '", path, "': ", reason);
  switch (error) {
    case ENOENT:
    case ENOTDIR: return absl::NotFoundError(message);
    case EACCES:
    case EPERM:
    case EROFS: return absl::PermissionDeniedError(message);
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case ENOMEM:
    case EMFILE:
    case ENFILE: return absl::ResourceExhaustedError(message);
    case EISDIR:
    case ENAMETOOLONG:
    case ELOOP: return absl::InvalidArgumentError(message);
    default: return absl::InternalError(message);
  }
}

absl::StatusOr<std::string> ReadFile(const std::string& path, uint64_t limit) {
  OMKIT_ASSIGN_OR_RETURN(const OpenedFile file, OpenRegular(path));
  if (file.size > limit) {
    return absl::ResourceExhaustedError(absl::StrCat("read '", path, "': ", file.size, " bytes, more than the limit of ", limit));
  }
  std::string bytes(file.size, '\0');
  size_t at = 0;
  while (at < bytes.size()) {
    const ssize_t n = read(file.fd.get(), &bytes[at], bytes.size() - at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus(errno, "read", path);
    if (n == 0) return absl::DataLossError(absl::StrCat("read '", path, "': the file shrank to ", at, " bytes while it was read"));
    at += static_cast<size_t>(n);
  }
  return bytes;
}

absl::StatusOr<MappedFile> MappedFile::Open(const std::string& path) {
  OMKIT_ASSIGN_OR_RETURN(const OpenedFile file, OpenRegular(path));
  MappedFile mapped;
  if (file.size == 0) return mapped;
  void* address = mmap(nullptr, file.size, PROT_READ, MAP_PRIVATE, file.fd.get(), 0);
  if (address == MAP_FAILED) return ErrnoStatus(errno, "map", path);
  // Where the file system can, pages that are not in memory yet come in units of 2 MiB, which one entry of the address cache covers.
  madvise(address, file.size, MADV_HUGEPAGE);
  mapped.data_ = static_cast<const uint8_t*>(address);
  mapped.size_ = file.size;
  return mapped;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(const_cast<uint8_t*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

absl::StatusOr<AtomicWriter> AtomicWriter::Create(const std::string& path) {
  static std::atomic<int> counter{0};
  AtomicWriter writer;
  OMKIT_ASSIGN_OR_RETURN(writer.target_, ResolveTarget(path));
  writer.folder_ = FolderOf(writer.target_);
  const std::string temporary = absl::StrCat(writer.folder_, "/.", NameOf(writer.target_), ".tmp.", getpid(), ".", counter.fetch_add(1));
  // A file of this name can only be left over from a dead process that had our id.
  for (int attempt = 0; attempt < 2 && writer.fd_ < 0; ++attempt) {
    writer.fd_ = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (writer.fd_ < 0 && (errno != EEXIST || attempt == 1 || unlink(temporary.c_str()) != 0)) {
      return ErrnoStatus(errno, "create a temporary file for", path);
    }
  }
  writer.temporary_ = temporary;
  return writer;
}

AtomicWriter::AtomicWriter(AtomicWriter&& other) noexcept
    : target_(std::move(other.target_)),
      temporary_(std::exchange(other.temporary_, "")),
      folder_(std::move(other.folder_)),
      fd_(std::exchange(other.fd_, -1)) {}

AtomicWriter::~AtomicWriter() { Abandon(); }

void AtomicWriter::Abandon() {
  if (fd_ >= 0) close(std::exchange(fd_, -1));
  if (!temporary_.empty()) unlink(temporary_.c_str());
  temporary_.clear();
}

absl::Status AtomicWriter::Append(absl::string_view bytes) {
  constexpr size_t kMostPerCall = size_t{1} << 30;
  while (!bytes.empty()) {
    const ssize_t n = write(fd_, bytes.data(), std::min(bytes.size(), kMostPerCall));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus(errno, "write", target_);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return absl::OkStatus();
}

absl::Status AtomicWriter::Commit() {
  if (temporary_.empty()) return absl::FailedPreconditionError(absl::StrCat("write '", target_, "': committed twice"));
  absl::Status status;
  if (fsync(fd_) != 0) status = ErrnoStatus(errno, "fsync", target_);
  if (close(std::exchange(fd_, -1)) != 0 && status.ok()) status = ErrnoStatus(errno, "close", target_);
  if (status.ok() && rename(temporary_.c_str(), target_.c_str()) != 0) status = ErrnoStatus(errno, "rename to", target_);
  if (!status.ok()) {
    Abandon();
    return status;
  }
  temporary_.clear();
  const FileDescriptor folder(open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // Some file systems cannot sync a folder; the file itself is complete either way.
  if (folder.get() >= 0 && fsync(folder.get()) != 0 && errno != EINVAL && errno != EROFS) return ErrnoStatus(errno, "fsync", folder_);
  return absl::OkStatus();
}

absl::Status WriteFile(const std::string& path, absl::string_view bytes) {
  OMKIT_ASSIGN_OR_RETURN(AtomicWriter writer, AtomicWriter::Create(path));
  OMKIT_RETURN_IF_ERROR(writer.Append(bytes));
  return writer.Commit();
}

}  // namespace omkit
