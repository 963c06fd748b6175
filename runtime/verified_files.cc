#include "runtime/verified_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <mutex>
#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#define XXH_INLINE_ALL
#include "xxhash.h"

namespace omkit::runtime {
namespace {

constexpr time_t kSettledSeconds = 2;
constexpr size_t kMostKeys = 4096;

struct Keys {
  std::mutex mutex;
  std::set<std::string> keys;
};
Keys& KeysOfProcess() {
  static Keys* const keys = new Keys;
  return *keys;
}

// Empty when there is none.
std::string FileOf(const std::string& key) {
  const char* folder = std::getenv("OMKIT_VERIFIED_DIR");
  return folder == nullptr || *folder == '\0' ? "" : absl::StrCat(folder, "/", key, ".verified");
}

bool SameState(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec &&
         a.st_mtim.tv_nsec == b.st_mtim.tv_nsec && a.st_ctim.tv_sec == b.st_ctim.tv_sec && a.st_ctim.tv_nsec == b.st_ctim.tv_nsec;
}

}  // namespace

VerifiedFile::VerifiedFile(const std::string& path) : path_(path), exists_(stat(path.c_str(), &state_) == 0) {}

std::string VerifiedFile::Key(const std::array<uint8_t, 16>& weights_hash) const {
  const std::string text =
      absl::StrCat(state_.st_dev, ":", state_.st_ino, ":", state_.st_size, ":", state_.st_mtim.tv_sec, ".", state_.st_mtim.tv_nsec, ":",
                   state_.st_ctim.tv_sec, ".", state_.st_ctim.tv_nsec, ":",
                   absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(weights_hash.data()), weights_hash.size())));
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return absl::StrCat(absl::Hex(hash.high64, absl::kZeroPad16), absl::Hex(hash.low64, absl::kZeroPad16));
}

bool VerifiedFile::Recorded(const std::array<uint8_t, 16>& weights_hash) const {
  if (!exists_) return false;
  const std::string key = Key(weights_hash);
  Keys& known = KeysOfProcess();
  {
    const std::lock_guard<std::mutex> lock(known.mutex);
    if (known.keys.count(key) > 0) return true;
  }
  const std::string file = FileOf(key);
  struct stat record;
  return !file.empty() && stat(file.c_str(), &record) == 0 && (record.st_uid == geteuid() || record.st_uid == 0);
}

void VerifiedFile::Record(const std::array<uint8_t, 16>& weights_hash) const {
  struct stat now_state;
  struct timespec now;
  if (!exists_ || stat(path_.c_str(), &now_state) != 0 || !SameState(state_, now_state)) return;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0 || now.tv_sec - state_.st_ctim.tv_sec < kSettledSeconds) return;
  const std::string key = Key(weights_hash);
  Keys& known = KeysOfProcess();
  {
    const std::lock_guard<std::mutex> lock(known.mutex);
    if (known.keys.size() >= kMostKeys) known.keys.clear();
    known.keys.insert(key);
  }
  const std::string file = FileOf(key);
  if (file.empty()) return;
  const int made = open(file.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (made >= 0) close(made);
}

void ForgetVerifiedFiles() {
  Keys& known = KeysOfProcess();
  const std::lock_guard<std::mutex> lock(known.mutex);
  known.keys.clear();
}

}  // namespace omkit::runtime
