#include "cli/password_command.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace arrowcdc::cli
