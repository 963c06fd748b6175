#include "base/progress.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

namespace omkit {
namespace {

TEST(ProgressLine, ShowsShareAndTimeLeft) {
  EXPECT_EQ(ProgressLine("calibration", 0.4, 8), "calibration:  40 % [########            ] 12 s left");
  EXPECT_EQ(ProgressLine("t", 0.5, 100), "t:  50 % [##########          ] 1 min 40 s left");
  EXPECT_EQ(ProgressLine("t", 0.5, 4000), "t:  50 % [##########          ] 1 h 06 min left");
  EXPECT_EQ(ProgressLine("t", 1, 100), "t: 100 % [####################]");
  EXPECT_EQ(ProgressLine("t", 0, 100), "t:   0 % [                    ]");
  EXPECT_EQ(ProgressLine("t", 0.5, 0.1), "t:  50 % [##########          ]");
  EXPECT_EQ(ProgressLine("t", 7, 100), ProgressLine("t", 1, 100));
  EXPECT_EQ(ProgressLine("t", -1, 100), ProgressLine("t", 0, 100));
}

TEST(Progress, SilentWithoutATerminal) {
  std::FILE* file = std::tmpfile();
  {
    Progress progress("t", file);
    EXPECT_FALSE(progress.shown());
    progress.Update(0.5);
    progress.Update(1);
  }
  EXPECT_EQ(std::ftell(file), 0);
  std::fclose(file);
}

TEST(Progress, DrawsOnATerminalAndEndsItsLine) {
  const int master = posix_openpt(O_RDWR | O_NOCTTY);
  if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) GTEST_SKIP() << "skipped: no pseudo-terminals here";
  std::FILE* terminal = std::fopen(ptsname(master), "w");
  ASSERT_NE(terminal, nullptr);
  {
    Progress progress("t", terminal);
    EXPECT_TRUE(progress.shown());
    progress.Update(0.25);
    progress.Update(0.26);  // too soon to be drawn
  }
  std::fflush(terminal);
  char text[256] = {};
  ASSERT_GT(read(master, text, sizeof text - 1), 0);
  EXPECT_STREQ(text, "\rt:  25 % [#####               ]\x1b[K\r\n");
  std::fclose(terminal);
  close(master);
}

}  // namespace
}  // namespace omkit
