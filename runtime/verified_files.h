// Which offline model files have passed the check of their weights, so that loading them again need not read all of them. Floor 2.
//
// A file is known by its place on the disk, size, times and by the hash of its weights: one that was written or replaced since is another.
// Files whose last change is less than two seconds old are not recorded, because clocks of file systems are coarse. The record is kept in the
// process, and with the environment variable OMKIT_VERIFIED_DIR=<folder> also there, for all processes that may read it: an empty file
// for each model. Whoever can write that folder can vouch for damaged files, so it must not be writable by strangers.
#ifndef OMKIT_RUNTIME_VERIFIED_FILES_H_
#define OMKIT_RUNTIME_VERIFIED_FILES_H_

#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <string>

namespace omkit::runtime {

// The state of a file, taken before its bytes are looked at.
class VerifiedFile {
 public:
  // A file that cannot be looked at is never recorded.
  explicit VerifiedFile(const std::string& path);

  // True when these weights of this very file were recorded. Call it after the file was opened. Thread-safe.
  bool Recorded(const std::array<uint8_t, 16>& weights_hash) const;
  // Call it after the weights have been checked. Does nothing when the file has changed meanwhile or lately. Thread-safe.
  void Record(const std::array<uint8_t, 16>& weights_hash) const;

 private:
  // Whether the path still stands for the file that was looked at.
  bool Unchanged() const;

  const std::string path_;
  struct stat state_ = {};
  const bool exists_;  // fills state_, and so comes behind it
};

// Empties the record of this process, for measurements of first loads.
void ForgetVerifiedFiles();

}  // namespace omkit::runtime

#endif  // OMKIT_RUNTIME_VERIFIED_FILES_H_
