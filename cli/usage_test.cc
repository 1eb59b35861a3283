#include "cli/usage.h"

#include <gtest/gtest.h>

namespace arrowcdc::cli {
namespace {

TEST(FindMisplacedConninfo, OnlyTheValueOfSourceMayBeOne) {
  const auto found = [](const std::vector<std::string>& arguments) {
    return FindMisplacedConninfo(arguments).value_or("");
  };
  EXPECT_EQ(found({"stream", "--source", "host=h password=s", "--sink", "parquet:a@b"}), "");
  EXPECT_EQ(found({"stream", "--source=postgresql://a:s@h", "--sink", "parquet:x"}), "");
  EXPECT_TRUE(found({"stream", "--source", "host=h", "password=s"}).starts_with("argument 4 "));
  EXPECT_TRUE(found({"stream", "--tables", "public.*", "postgresql://a:s@h"}).starts_with("argument 4 "));
  EXPECT_TRUE(found({"stream", "--sorce=postgresql://a:s@h"}).starts_with("argument 2 "));
  EXPECT_TRUE(found({"stream", "--slot", "a:s@h"}).starts_with("argument 3 "));
  EXPECT_EQ(found({"stream", "--sink", "s3://bucket/x"}), "") << "MakeSink says which sinks there are";
  EXPECT_TRUE(found({"stream", "--sink", "postgresql://a:s@h"}).starts_with("argument 3 "));
  EXPECT_EQ(found({"tail", "host=h password=s", "public.*"}), "");
  EXPECT_EQ(found({"--log", "json", "tail", "--plugin", "pgoutput", "mysql://a:s@h/"}), "");
  EXPECT_TRUE(found({"tail", "host=h", "password=s"}).starts_with("argument 3 ")) << "one, in quotes";
  EXPECT_TRUE(found({"tail", "--source", "host=h", "host=g"}).starts_with("argument 4 ")) << "not two";
  EXPECT_TRUE(found({"stream", "host=h"}).starts_with("argument 2 "));
}

struct Program {
  CLI::App app{"", "program"};
  std::vector<std::string> tables;
  std::string sink;
  bool accept_gap = false;
  std::string directory;

  Program() {
    app.require_subcommand(1);
    CLI::App* stream = app.add_subcommand("stream");
    stream->add_option("--tables", tables);
    stream->add_option("--sink", sink)->required();
    stream->add_flag("--accept-gap", accept_gap);
    app.add_subcommand("sql")->add_option("DIR", directory)->required();
  }

  std::string Misused(const std::vector<std::string>& arguments) const {
    return FindMisusedOption(app, arguments).value_or("");
  }

  std::string Refused(const std::vector<std::string>& arguments) {
    try {
      app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    } catch (const CLI::ParseError& error) {
      return ExplainError(app, error, arguments);
    }
    return "";
  }
};

TEST(FindMisusedOption, AnotherOptionIsNoValue) {
  const Program program;
  EXPECT_EQ(program.Misused({"stream", "--tables", "--sink", "console"}), "--tables: a value is missing");
  EXPECT_EQ(program.Misused({"stream", "--tables", "a.b", "--sink"}), "--sink: a value is missing");
  EXPECT_EQ(program.Misused({"stream", "--tables", "a.b", "c.d", "--sink", "console"}), "");
  EXPECT_EQ(program.Misused({"stream", "--accept-gap", "--sink", "--odd"}), "");
}

TEST(FindMisusedOption, NamesTheOptionAndNoValue) {
  const Program program;
  EXPECT_EQ(program.Misused({"stream", "--tables", "--sink=x"}), "--tables: a value is missing");
  EXPECT_EQ(program.Misused({"stream", "--sink="}), "--sink: a value is missing");
  EXPECT_EQ(program.Misused({"stream", "--accept-gap=secret"}), "--accept-gap takes no value");
  EXPECT_EQ(program.Misused({"stream", "--sink", "a", "--sink=secret"}), "--sink is given twice");
  EXPECT_EQ(program.Misused({"stream", "--tables", "a", "--tables=b", "--accept-gap", "--accept-gap"}), "");
}

TEST(ExplainError, NamesWhatIsMissing) {
  EXPECT_EQ(Program().Refused({}), "a subcommand is missing: use stream or sql");
  EXPECT_EQ(Program().Refused({"stream"}), "--sink is required");
  EXPECT_EQ(Program().Refused({"sql"}), "DIR is required");
  EXPECT_EQ(Program().Refused({"stream", "--snik", "console"}),
            "argument 2 is no option of this command; the nearest is --sink");
}

TEST(ExplainError, RepeatsNoValue) {
  EXPECT_EQ(Program().Refused({"stream", "--sink", "x", "--accept-gap=secret"}),
            "the arguments cannot be read");
}

TEST(FindUnknownSubcommand, NamesThoseThatThereAre) {
  const Program program;
  EXPECT_EQ(FindUnknownSubcommand(program.app, {"strem", "--sink", "x"}),
            "argument 1 is no subcommand: use stream or sql; the nearest is stream");
  EXPECT_EQ(FindUnknownSubcommand(program.app, {"secret"}), "argument 1 is no subcommand: use stream or sql");
  EXPECT_EQ(FindUnknownSubcommand(program.app, {"sql", "x"}), std::nullopt);
  EXPECT_EQ(FindUnknownSubcommand(program.app, {"--verbose"}), std::nullopt);
}

}  // namespace
}  // namespace arrowcdc::cli
