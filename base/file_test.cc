#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

namespace omkit {
namespace {

class FileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/file_test_XXXXXX";
    ASSERT_NE(mkdtemp(&pattern[0]), nullptr);
    folder_ = pattern;
  }
  void TearDown() override {
    for (const std::string& name : Names()) remove((folder_ + "/" + name).c_str());
    rmdir(folder_.c_str());
  }
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    DIR* dir = opendir(folder_.c_str());
    while (const dirent* entry = readdir(dir)) {
      if (std::string(entry->d_name) != "." && std::string(entry->d_name) != "..") names.push_back(entry->d_name);
    }
    closedir(dir);
    return names;
  }
  std::string folder_;
};

TEST_F(FileTest, WhatIsWrittenIsRead) {
  const std::string bytes("a\0b\xff", 4);
  ASSERT_TRUE(WriteFile(Path("f"), bytes).ok());
  EXPECT_EQ(*ReadFile(Path("f")), bytes);
  EXPECT_EQ(*ReadFile(Path("f"), 4), bytes);
  EXPECT_EQ(ReadFile(Path("f"), 3).status().code(), absl::StatusCode::kResourceExhausted);
  const absl::StatusOr<MappedFile> mapped = MappedFile::Open(Path("f"));
  ASSERT_TRUE(mapped.ok());
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(mapped->data()), mapped->size()), bytes);
  EXPECT_EQ(Names(), std::vector<std::string>{"f"});
}

TEST_F(FileTest, EmptyFile) {
  ASSERT_TRUE(WriteFile(Path("f"), "").ok());
  EXPECT_EQ(*ReadFile(Path("f")), "");
  EXPECT_EQ(MappedFile::Open(Path("f"))->size(), 0u);
}

TEST_F(FileTest, ErrorsNameThePathAndTheReason) {
  const absl::Status missing = ReadFile(Path("nothing")).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(missing.message().find(Path("nothing")), absl::string_view::npos);
  EXPECT_NE(missing.message().find("No such file"), absl::string_view::npos) << missing;
  EXPECT_EQ(ReadFile(folder_).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(MappedFile::Open(folder_).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(WriteFile(Path("no/such/folder"), "x").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(WriteFile(folder_, "x").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(WriteFile("", "x").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(WriteFile("/dev/null", "x").code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(FileTest, PipesAreRefusedNotWaitedFor) {
  ASSERT_EQ(mkfifo(Path("pipe").c_str(), 0600), 0);
  EXPECT_EQ(ReadFile(Path("pipe")).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(WriteFile(Path("pipe"), "x").code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(FileTest, MappingOutlivesReplacement) {
  ASSERT_TRUE(WriteFile(Path("f"), "old").ok());
  const absl::StatusOr<MappedFile> mapped = MappedFile::Open(Path("f"));
  ASSERT_TRUE(WriteFile(Path("f"), "new!").ok());
  EXPECT_EQ(std::memcmp(mapped->data(), "old", 3), 0);
  EXPECT_EQ(*ReadFile(Path("f")), "new!");
}

TEST_F(FileTest, WithoutCommitNothingChanges) {
  ASSERT_TRUE(WriteFile(Path("f"), "old").ok());
  {
    absl::StatusOr<AtomicWriter> writer = AtomicWriter::Create(Path("f"));
    ASSERT_TRUE(writer.ok() && writer->Append("half").ok());
    EXPECT_EQ(Names().size(), 2u);
    EXPECT_EQ(*ReadFile(Path("f")), "old");
  }
  EXPECT_EQ(*ReadFile(Path("f")), "old");
  EXPECT_EQ(Names().size(), 1u);
}

TEST_F(FileTest, FullDiskLeavesTheOldFile) {
  ASSERT_TRUE(WriteFile(Path("f"), "old").ok());
  rlimit before;
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  const rlimit small{4096, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const absl::Status status = WriteFile(Path("f"), std::string(100000, 'x'));
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, handler);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_EQ(*ReadFile(Path("f")), "old");
  EXPECT_EQ(Names().size(), 1u);
}

TEST_F(FileTest, FailedRenameRemovesTheTemporaryFile) {
  absl::StatusOr<AtomicWriter> writer = AtomicWriter::Create(Path("f"));
  ASSERT_TRUE(writer.ok() && writer->Append("x").ok());
  ASSERT_EQ(mkdir(Path("f").c_str(), 0700), 0);
  EXPECT_FALSE(writer->Commit().ok());
  EXPECT_EQ(Names(), std::vector<std::string>{"f"});
  EXPECT_EQ(writer->Commit().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(FileTest, ReadOnlyFolder) {
  if (geteuid() == 0) GTEST_SKIP() << "skipped: root may write everywhere";
  chmod(folder_.c_str(), 0500);
  EXPECT_EQ(WriteFile(Path("f"), "x").code(), absl::StatusCode::kPermissionDenied);
  chmod(folder_.c_str(), 0700);
}

TEST_F(FileTest, SymbolicLinksAreFollowed) {
  ASSERT_TRUE(WriteFile(Path("f"), "old").ok());
  ASSERT_EQ(symlink("f", Path("link").c_str()), 0);
  ASSERT_TRUE(WriteFile(Path("link"), "new").ok());
  EXPECT_EQ(*ReadFile(Path("f")), "new");
  struct stat info;
  ASSERT_EQ(lstat(Path("link").c_str(), &info), 0);
  EXPECT_TRUE(S_ISLNK(info.st_mode));
  ASSERT_EQ(symlink("nowhere", Path("dangling").c_str()), 0);
  EXPECT_EQ(WriteFile(Path("dangling"), "x").code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace omkit
