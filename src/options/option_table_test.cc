// The table as a whole, and what is said of values that do not fit.
#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "src/options/option.h"

namespace arrowcdc {
namespace {

using std::chrono::milliseconds;

const Option& Find(std::string_view name) {
  const auto table = OptionTable();
  const auto found =
      std::find_if(table.begin(), table.end(), [&](const Option& option) { return name == option.name; });
  EXPECT_NE(found, table.end()) << name;
  return *found;
}

// As the command line says it: "message: remedy".
std::string Refused(std::string_view name, const std::string& text) {
  Options options;
  const Option& option = Find(name);
  OptionValue value;
  arrow::Status status = ReadValue(option, text).Value(&value);
  if (status.ok()) status = SetOption(option, Door::kCommand, value, options);
  const ErrorDetail* detail = GetErrorDetail(status);
  if (detail == nullptr) return status.message();
  EXPECT_EQ(detail->kind(), ErrorKind::kInvalidOption);
  return status.message() + (detail->remedy().empty() ? "" : ": " + detail->remedy());
}

// As Python says it: "object: message; remedy".
std::string RefusedInPython(std::string_view name, const OptionValue& value) {
  Options options;
  const arrow::Status status = SetOption(Find(name), Door::kPython, value, options);
  const ErrorDetail* detail = GetErrorDetail(status);
  return detail == nullptr ? "" : detail->object() + ": " + status.message() + "; " + detail->remedy();
}

TEST(OptionTable, ARowIsWhole) {
  std::set<std::string_view> names;
  std::set<std::string_view> arguments;
  const std::set<std::string_view> sections = {"",         "source",  "setup",   "snapshot", "sink",
                                               "pipeline", "readers", "monitor", "log"};
  for (const Option& option : OptionTable()) {
    EXPECT_TRUE(names.insert(option.name).second) << option.name;
    EXPECT_TRUE(*option.python == '\0' || arguments.insert(option.python).second) << option.python;
    EXPECT_TRUE(sections.contains(option.section)) << option.name;
    EXPECT_TRUE(option.commands != 0 || *option.python != '\0') << option.name << " has no door";
    EXPECT_EQ(option.type == OptionType::kChoice, !option.words.empty()) << option.name;
    EXPECT_FALSE(std::string_view(option.help).empty()) << option.name;
  }
}

// That the type of a row is that of its field, too: a value of another one could not be set.
TEST(OptionTable, ADefaultIsAValueThatCanBeSet) {
  for (const Door door : {Door::kCommand, Door::kPython}) {
    for (const Option& option : OptionTable()) {
      Options options = DefaultsOf(door);
      const OptionValue value = option.field.get(options);
      EXPECT_TRUE(SetOption(option, door, value, options).ok()) << option.name;
      EXPECT_EQ(option.field.get(options), value) << option.name;
    }
  }
}

TEST(OptionTable, ADefaultIsReadAsItIsShown) {
  for (const Option& option : OptionTable()) {
    const OptionValue value = option.field.get(DefaultsOf(Door::kCommand));
    if (option.type == OptionType::kList || option.type == OptionType::kFlag) continue;
    if (value == OptionValue() || value == OptionValue(std::string())) continue;
    const auto read = ReadValue(option, FormatValue(option, value));
    ASSERT_TRUE(read.ok()) << option.name << read.status();
    EXPECT_EQ(*read, value) << option.name;
  }
}

// Where an option fills fields of the pipeline and of the readers, they begin with the same value.
TEST(OptionTable, FieldsOfTheSameOptionHaveTheSameDefault) {
  const Options options;
  EXPECT_EQ(options.pipeline.accept_tables, options.readers.accept_tables);
  EXPECT_EQ(options.pipeline.on_unpublished, options.readers.on_unpublished);
  EXPECT_EQ(options.pipeline.retry_max, options.readers.retry_max);
  EXPECT_EQ(options.pipeline.until, options.readers.until);
}

TEST(OptionTable, AnOptionFillsItsFields) {
  Options options;
  const auto set = [&](std::string_view name, const OptionValue& value) {
    EXPECT_TRUE(SetOption(Find(name), Door::kCommand, value, options).ok()) << name;
  };
  set("retry-for", milliseconds(90'000));
  EXPECT_EQ(options.pipeline.retry_max, milliseconds(90'000));
  EXPECT_EQ(options.readers.retry_max, milliseconds(90'000));
  set("on-unpublished", "stop");
  EXPECT_EQ(options.pipeline.on_unpublished, OnUnpublished::kStop);
  EXPECT_EQ(options.readers.on_unpublished, OnUnpublished::kStop);
  set("ack", "on-write");
  EXPECT_TRUE(options.pipeline.ack_on_write);
  set("compression", "zstd");
  EXPECT_EQ(options.source.compression, WireCompression::kZstd);
  set("unrepresentable", "error");
  EXPECT_EQ(options.source.unrepresentable, Unrepresentable::kError);
  set("numeric", "decimal(76,9)");
  EXPECT_EQ(options.source.numeric, "decimal(76,9)");
  set("commit", "by-hand");
  EXPECT_EQ(options.package.commit, CommitMode::kByHand);
  set("partitions-as-tables", true);
  EXPECT_FALSE(options.setup.via_partition_root);
  set("log", "JSON");
  EXPECT_EQ(options.command.log, LogFormat::kJson);
  set("until", "now");
  EXPECT_EQ(options.pipeline.until, "now");
  set("until", "16/B374D848");
  EXPECT_EQ(options.pipeline.until, "16/B374D848");
  EXPECT_EQ(options.readers.until, "16/B374D848");
}

TEST(SetOption, TheCommandLineNamesWords) {
  EXPECT_EQ(Refused("ack", "gehe1m"), "this value cannot be used: use on-durable|on-write");
  EXPECT_EQ(Refused("log", "x"), "this value cannot be used: use auto|text|json");
  EXPECT_EQ(Refused("compression", "gzip"), "\"gzip\" is no compression: use auto, none, lz4 or zstd");
  EXPECT_EQ(Refused("unrepresentable", "x"), "this value cannot be used: use null|text|error");
  EXPECT_EQ(Refused("until", "soon"), "not an LSN: \"soon\": give 'now' or an LSN as in 16/B374D848");
}

TEST(SetOption, TheCommandLineChecksBounds) {
  for (const char* text : {"0", "-1", "x", "1e3", "99999999999999999999", ""})
    EXPECT_EQ(Refused("roll-rows", text), "this value cannot be used: give a whole number above 0") << text;
  EXPECT_EQ(Refused("roll-rows", "1"), "");
  EXPECT_EQ(Refused("roll-bytes", "0"), "must be positive");
  EXPECT_EQ(Refused("roll-bytes", "1"), "");
  EXPECT_EQ(Refused("roll-age", "0s"), "must be positive");
  EXPECT_EQ(Refused("for", "0s"), "must be positive");
  EXPECT_EQ(Refused("for", "1ms"), "");
  EXPECT_EQ(Refused("latency", "1s"), "");
  EXPECT_EQ(Refused("latency", "2s"), "must be between 0s and 1s");
  EXPECT_EQ(Refused("buffer", "0"), "must be positive");
  EXPECT_EQ(Refused("retry-for", "0s"), "");
  EXPECT_EQ(Refused("retry-for", "5").substr(0, 15), "cannot read \"5\"");
}

TEST(SetOption, PythonNamesItsArguments) {
  EXPECT_EQ(RefusedInPython("on-unpublished", std::string("x")),
            "argument on_unpublished: this value is not supported; use 'go-on' or 'stop'");
  EXPECT_EQ(RefusedInPython("partitions", int64_t{0}),
            "option partitions: partitions must be between 1 and 65536; choose a number in these bounds");
  EXPECT_EQ(RefusedInPython("buffer", int64_t{0}),
            "option buffer_bytes_max: buffer_bytes_max must be positive; leave it out");
  EXPECT_EQ(RefusedInPython("retry-for", milliseconds(-1)),
            "option retry_max: retry_max must not be negative; leave it out, or give the time to wait");
  EXPECT_EQ(RefusedInPython("slow-limit", milliseconds(0)), "");
}

TEST(SetOption, RepeatsNothingThatMayBeAPassword) {
  for (const Option& option : OptionTable()) {
    if (option.type == OptionType::kList || option.type == OptionType::kFlag ||
        option.type == OptionType::kText)
      continue;
    const std::string said = Refused(option.name, "password=gehe1m");
    EXPECT_NE(said, "") << option.name;
    EXPECT_EQ(said.find("gehe1m"), std::string::npos) << said;
  }
}

// The option that is refused, empty: none.
std::string RefusedFor(const std::string& source, std::string_view name, const OptionValue& value) {
  Options options = DefaultsOf(Door::kCommand);
  options.source.conninfo = source;
  EXPECT_TRUE(SetOption(Find(name), Door::kCommand, value, options).ok());
  const arrow::Status status = CheckDatabase(options, Door::kCommand);
  const ErrorDetail* detail = GetErrorDetail(status);
  return detail == nullptr ? "" : detail->object();
}

TEST(OptionTable, OptionsOfAnotherDatabaseAreRefused) {
  EXPECT_EQ(RefusedFor("mysql://cdc@db/", "slot", std::string("s")), "option --slot");
  EXPECT_EQ(RefusedFor("binlog:/var/log", "messages", true), "option --messages");
  EXPECT_EQ(RefusedFor("host=db", "accept-cascades", true), "option --accept-cascades");
  EXPECT_EQ(RefusedFor("postgresql://cdc@db/", "start", std::string("earliest")), "option --start");
  EXPECT_EQ(RefusedFor("mysql://cdc@db/", "start", std::string("earliest")), "");
  EXPECT_EQ(RefusedFor("mariadb://cdc@db/", "tables", std::vector<std::string>{"shop.*"}), "");
  EXPECT_EQ(RefusedFor("host=db", "slot", std::string("s")), "");
  EXPECT_EQ(RefusedFor("host=mysql", "slot", std::string("s")), "");
}

TEST(OptionTable, OptionsOfOtherSinksAreNamed) {
  const auto named = [](const std::string& sink) {
    Options options = DefaultsOf(Door::kCommand);
    options.sink_uri = sink;
    const std::vector<std::pair<const char*, OptionValue>> given = {
        {"roll-bytes", int64_t{5}},
        {"roll-rows", int64_t{5}},
        {"roll-age", std::chrono::milliseconds(5)},
        {"parquet-encodings", std::string("modern")},
        {"parquet-compression-level", int64_t{9}},
        {"tables", std::vector<std::string>{"shop.*"}}};
    for (const auto& [name, value] : given)
      EXPECT_TRUE(SetOption(Find(name), Door::kCommand, value, options).ok()) << name;
    std::string text;
    for (const std::string& name : OptionsOfOtherSinks(options)) text += (text.empty() ? "" : " ") + name;
    return text;
  };
  const std::string of_parquet = "--roll-rows --parquet-encodings --parquet-compression-level";
  const std::string of_files =
      "--roll-bytes --roll-rows --roll-age --parquet-encodings "
      "--parquet-compression-level";
  EXPECT_EQ(named("parquet:d"), "");
  EXPECT_EQ(named("ipc:f"), of_parquet);
  for (const char* sink : {"ipc:-", "console", "console:ndjson", "console:table"})
    EXPECT_EQ(named(sink), of_files) << sink;
  Options options = DefaultsOf(Door::kCommand);
  options.sink_uri = "console";
  EXPECT_TRUE(OptionsOfOtherSinks(options).empty());
}

TEST(OptionTable, APlaceInABinaryLogIsAnEndForMysqlAlone) {
  Options options = DefaultsOf(Door::kCommand);
  const std::string place = "binlog.000012:4567";
  EXPECT_FALSE(SetOption(Find("until"), Door::kCommand, place, options).ok());
  options.source.conninfo = "mysql://cdc@db/";
  EXPECT_TRUE(SetOption(Find("until"), Door::kCommand, place, options).ok());
  EXPECT_EQ(options.pipeline.until, place);
  for (const char* wrong : {"binlog.000012", "binlog.000012:", "binlog.000012:4x", "binlog.0012:45", ":45",
                            "12:45", "16/B374D848"})
    EXPECT_FALSE(SetOption(Find("until"), Door::kCommand, std::string(wrong), options).ok()) << wrong;
}

}  // namespace
}  // namespace arrowcdc
