#include "cli/password_command.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "arrowcdc/error.h"

namespace arrowcdc::cli {
namespace {

TEST(PasswordCommand, IsWhatItPrints) {
  EXPECT_EQ(RunPasswordCommand("echo 'ge he1m '").ValueOr("?"), "ge he1m ");
  EXPECT_EQ(RunPasswordCommand("printf gehe1m").ValueOr("?"), "gehe1m");
  EXPECT_EQ(RunPasswordCommand("printf 'gehe1m\\r\\n'").ValueOr("?"), "gehe1m");
}

TEST(PasswordCommand, WhatFailsSaysSoWithoutWhatItPrinted) {
  for (const char* command : {"echo gehe1m; exit 3", "printf ''", "printf 'gehe1m\\nb\\n'", "kill -9 $$",
                              "printf 'gehe1m%0100000d' 1"}) {
    const auto ran = RunPasswordCommand(command);
    ASSERT_FALSE(ran.ok()) << command;
    EXPECT_EQ(ran.status().ToString().find("gehe1m"), std::string::npos) << ran.status();
  }
  EXPECT_NE(RunPasswordCommand("exit 3").status().message().find("exit code 3"), std::string::npos);
}

// It says which process it is, and is gone with the answer.
class EndlessCommand : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(mkdtemp(directory_.data()), nullptr); }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string Command(const std::string& before) const {
    return before + "echo $$ >" + directory_ + "/pid; exec tail -f /dev/null";
  }
  bool IsGone() const {
    pid_t pid = 0;
    std::ifstream(directory_ + "/pid") >> pid;
    return pid > 0 && kill(pid, 0) == -1 && errno == ESRCH;
  }

  std::string directory_ = testing::TempDir() + "password_XXXXXX";
};

TEST_F(EndlessCommand, HasALimit) {
  // Also where it says no more, and does not end.
  for (const char* before : {"echo gehe1m; ", "echo gehe1m; exec >/dev/null; "}) {
    const auto ran = RunPasswordCommand(Command(before), nullptr,
                                        std::chrono::steady_clock::now() + std::chrono::seconds(2));
    EXPECT_NE(ran.status().message().find("did not end in time"), std::string::npos) << ran.status();
    EXPECT_TRUE(IsGone()) << before;
  }
}

TEST_F(EndlessCommand, EndsWithTheStream) {
  StopToken stop;
  stop.StopAfter(std::chrono::seconds(2));
  const auto ran = RunPasswordCommand(Command(""), &stop);
  const ErrorDetail* const detail = GetErrorDetail(ran.status());
  ASSERT_NE(detail, nullptr) << ran.status();
  EXPECT_EQ(detail->kind(), ErrorKind::kInterrupted);
  EXPECT_TRUE(IsGone());
}

TEST(PasswordCommand, OneThatPrintsWithoutEndIsEnded) {
  EXPECT_NE(RunPasswordCommand("cat /dev/zero").status().message().find("too long"), std::string::npos);
}

}  // namespace
}  // namespace arrowcdc::cli
