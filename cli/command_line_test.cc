// The command line, read within the process. As a program: tests/end_to_end/command_line_test.cc.
#include "cli/command_line.h"

#include <sstream>

#include <gtest/gtest.h>

namespace arrowcdc::cli {
namespace {

using std::chrono::milliseconds;

TEST(CommandLine, LeavesDefaultsAlone) {
  CommandLine line;
  EXPECT_EQ(line.Read({"stream", "--sink", "console"}), std::nullopt);
  EXPECT_EQ(line.command(), kStream);
  EXPECT_EQ(line.options().sink_uri, "console");
  EXPECT_EQ(line.options().source.slot, "arrowcdc");
  EXPECT_EQ(line.options().sink.roll_bytes, 134'217'728);
  EXPECT_EQ(line.options().sink.roll_age, milliseconds(30'000));
  EXPECT_EQ(line.options().command.stop_timeout, milliseconds(20'000));
  EXPECT_EQ(line.options().pipeline.retry_max, std::nullopt);
  EXPECT_TRUE(line.options().source.tables.empty());
}

TEST(CommandLine, FillsTheOptionsOfTheCommand) {
  CommandLine line;
  EXPECT_EQ(line.Read({"--verbose", "stream", "--tables", "a.b", "c.d", "--tables", "!a.c",
                       "--sink=parquet:x", "--until", "now", "--for=5min", "--accept-gap", "--roll-rows", "7",
                       "--buffer=1MiB", "--retry-for", "0s", "--log", "text"}),
            std::nullopt);
  const Options& options = line.options();
  EXPECT_EQ(options.source.tables, (std::vector<std::string>{"a.b", "c.d", "!a.c"}));
  EXPECT_EQ(options.sink_uri, "parquet:x");
  EXPECT_EQ(options.pipeline.until, "now");
  EXPECT_EQ(options.command.duration, milliseconds(300'000));
  EXPECT_TRUE(options.pipeline.accept_gap);
  EXPECT_FALSE(options.pipeline.accept_tables);
  EXPECT_EQ(options.sink.roll_rows, 7);
  EXPECT_EQ(options.source.buffer_bytes_max, 1'048'576);
  EXPECT_EQ(options.pipeline.retry_max, milliseconds(0));
  EXPECT_EQ(options.command.log, LogFormat::kText);
  EXPECT_TRUE(options.command.verbose);
}

TEST(CommandLine, KnowsShortFormsAndPositions) {
  CommandLine teardown;
  EXPECT_EQ(teardown.Read({"teardown", "-y", "--slot", "s"}), std::nullopt);
  EXPECT_EQ(teardown.command(), kTeardown);
  EXPECT_TRUE(teardown.options().command.yes);
  CommandLine sql;
  EXPECT_EQ(sql.Read({"sql", "changes", "public.orders"}), std::nullopt);
  EXPECT_EQ(sql.options().command.directory, "changes");
  EXPECT_EQ(sql.options().command.table, "public.orders");
}

TEST(CommandLine, TailTakesWhereAndWhat) {
  using Texts = std::vector<std::string>;
  CommandLine both;
  EXPECT_EQ(both.Read({"tail", "host=h dbname=d", "public.*", "!public.a"}), std::nullopt);
  EXPECT_EQ(both.options().source.conninfo, "host=h dbname=d");
  EXPECT_EQ(both.options().source.tables, (Texts{"public.*", "!public.a"}));
  CommandLine defaults;
  EXPECT_EQ(defaults.Read({"tail", "", "public.*"}), std::nullopt);
  EXPECT_EQ(defaults.options().source.conninfo, "");
  EXPECT_EQ(defaults.options().source.tables, Texts{"public.*"});
  CommandLine files;
  EXPECT_EQ(files.Read({"tail", "binlog:/var/lib/mysql"}), std::nullopt);
  EXPECT_EQ(files.options().source.conninfo, "binlog:/var/lib/mysql");
  CommandLine patterns;
  EXPECT_EQ(patterns.Read({"tail", "--source", "host=h", "public.t", "--plugin", "pgoutput"}), std::nullopt);
  EXPECT_EQ(patterns.options().source.conninfo, "host=h");
  EXPECT_EQ(patterns.options().source.tables, Texts{"public.t"});
}

TEST(CommandLine, HelpFitsAHundredColumns) {
  const auto printed = [](const std::vector<std::string>& arguments) {
    CommandLine line;
    ::testing::internal::CaptureStdout();
    EXPECT_EQ(line.Read(arguments), kOk);
    return ::testing::internal::GetCapturedStdout();
  };
  std::string all = printed({"--help"});
  EXPECT_EQ(printed({"help"}), all);
  EXPECT_TRUE(printed({"version"}).starts_with("arrowcdc "));
  for (const Command& command : Commands()) {
    const std::string help = printed({command.name, "--help"});
    EXPECT_EQ(printed({"help", command.name}), help);
    all += help;
  }
  std::istringstream lines(all);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100u) << line;
  EXPECT_NE(all.find("--roll-age"), std::string::npos);
}

TEST(CommandLine, SaysWhatIsWrong) {
  const auto said = [](const std::vector<std::string>& arguments) {
    CommandLine line;
    ::testing::internal::CaptureStderr();
    EXPECT_EQ(line.Read(arguments), kUsage);
    return ::testing::internal::GetCapturedStderr();
  };
  const std::string help = "\nRun with --help for more information.\n";
  EXPECT_EQ(said({"stream", "--sink", "console", "--ack", "x"}),
            "arrowcdc: --ack: this value cannot be used: use on-durable|on-write" + help);
  EXPECT_EQ(said({"stream", "--sink", "console", "--roll-rows", "0"}),
            "arrowcdc: --roll-rows: this value cannot be used: give a whole number above 0" + help);
  EXPECT_EQ(
      said({"stream", "--sink", "console", "--roll-age", "5"}),
      "arrowcdc: --roll-age: cannot read \"5\": give a whole number with ms, s, min, h or d, as in 90s" +
          help);
  EXPECT_EQ(said({"stream"}), "arrowcdc: --sink is required" + help);
  EXPECT_EQ(said({"status", "--yes"}),
            "arrowcdc: --yes is an option of setup, add-tables and teardown, not of status" + help);
  EXPECT_EQ(said({"status", "--sink=x"}), "arrowcdc: --sink is an option of stream, not of status" + help);
  EXPECT_EQ(said({"status", "--slto", "s"}),
            "arrowcdc: argument 2 is no option of this command; the nearest is --slot" + help);
  EXPECT_EQ(said({"--slot", "s", "status"}), "arrowcdc: --slot belongs behind status" + help);
  EXPECT_EQ(said({"stream", "--sink", "console", "--for", "0s"}), "arrowcdc: --for: must be positive" + help);
  EXPECT_EQ(said({"stream", "--sink", "console", "--accept-gap=no"}),
            "arrowcdc: --accept-gap takes no value" + help);
  EXPECT_EQ(said({"--verbose=3", "status"}), "arrowcdc: --verbose takes no value" + help);
  EXPECT_EQ(said({"status", "--slot="}), "arrowcdc: --slot: a value is missing" + help);
  EXPECT_EQ(said({"status", "--slot", "a", "--log", "text", "--slot=b"}),
            "arrowcdc: --slot is given twice" + help);
}

TEST(CommandLine, HelpOfACommandHasItsOptionsAndTheExitCodes) {
  for (const Command& command : Commands()) {
    CommandLine line;
    ::testing::internal::CaptureStdout();
    EXPECT_EQ(line.Read({command.name, "--help"}), kOk);
    const std::string help = ::testing::internal::GetCapturedStdout();
    EXPECT_NE(help.find("Exit codes: "), std::string::npos) << help;
    for (const Option& option : OptionTable()) {
      if ((option.commands & command.bit) == 0) continue;
      EXPECT_NE(help.find(NameOf(option, Door::kCommand)), std::string::npos) << option.name;
    }
  }
}

TEST(CommandLine, HelpSaysOnceHowAmountsAreWritten) {
  const auto help_of = [](const char* command) {
    CommandLine line;
    ::testing::internal::CaptureStdout();
    EXPECT_EQ(line.Read({command, "--help"}), kOk);
    return ::testing::internal::GetCapturedStdout();
  };
  const std::string stream = help_of("stream");
  EXPECT_NE(stream.find("--roll-bytes SIZE"), std::string::npos) << stream;
  EXPECT_NE(stream.find("--for DURATION"), std::string::npos) << stream;
  EXPECT_NE(stream.find("\nSIZE: a whole number of bytes"), std::string::npos) << stream;
  EXPECT_NE(stream.find("\nDURATION: a whole number with ms"), std::string::npos) << stream;
  EXPECT_EQ(help_of("teardown").find("SIZE"), std::string::npos);
}

}  // namespace
}  // namespace arrowcdc::cli
