#include "src/options/config_file.h"

#include <gtest/gtest.h>

#include "arrowcdc/error.h"

namespace arrowcdc {
namespace {

std::optional<std::string> Variable(const std::string& name) {
  if (name == "DB_PASSWORD") return "a: [b]\n#'\"$";
  if (name == "DIR") return "/data";
  return std::nullopt;
}

arrow::Status Read(const std::string& text, Options* options, std::set<std::string_view>* given) {
  return ReadConfig(text, "a.yaml", Variable, *options, given);
}

Options Good(const std::string& text) {
  Options options = DefaultsOf(Door::kCommand);
  std::set<std::string_view> given;
  const arrow::Status read = Read(text, &options, &given);
  EXPECT_TRUE(read.ok()) << text << "\n" << read.ToString();
  return options;
}

// "object: message; remedy".
std::string Refused(const std::string& text) {
  Options options;
  std::set<std::string_view> given;
  const arrow::Status read = Read(text, &options, &given);
  const ErrorDetail* const detail = GetErrorDetail(read);
  if (detail == nullptr) return "taken: " + read.ToString();
  EXPECT_EQ(detail->kind(), ErrorKind::kInvalidOption);
  return detail->object() + ": " + read.message() + "; " + detail->remedy();
}

TEST(ConfigFile, SetsOptionsBySectionAndName) {
  const Options options = Good(R"(
# of the shop
source:
  source: host=db dbname=shop
  slot: shop
  tables: [public.*, '!public.audit_*']
sink: {sink: 'parquet:${DIR}/changes', roll-age: 5s, roll-bytes: 64MiB}
snapshot: never
pipeline:
  stop-timeout: 1min
monitor: {http: 9187}
setup: {insert-only: true}
log: json
)");
  EXPECT_EQ(options.source.conninfo, "host=db dbname=shop");
  EXPECT_EQ(options.source.slot, "shop");
  EXPECT_EQ(options.source.tables, (std::vector<std::string>{"public.*", "!public.audit_*"}));
  EXPECT_EQ(options.sink_uri, "parquet:/data/changes");
  EXPECT_EQ(options.sink.roll_age, std::chrono::seconds(5));
  EXPECT_EQ(options.sink.roll_bytes, 64 << 20);
  EXPECT_EQ(options.command.snapshot, SnapshotMode::kNever);
  EXPECT_EQ(options.command.stop_timeout, std::chrono::minutes(1));
  EXPECT_EQ(options.command.http, "9187");
  EXPECT_TRUE(options.setup.insert_only);
  EXPECT_EQ(options.command.log, LogFormat::kJson);
}

TEST(ConfigFile, AnAddressMayStandInParts) {
  const Options options = Good("source: {host: db, port: 5433, database: shop, user: cdc}");
  const auto source = SourceOf(options);
  ASSERT_TRUE(source.ok());
  EXPECT_EQ(source->conninfo, "dbname='shop' host='db' port='5433' user='cdc'");
}

TEST(ConfigFile, AVariableIsAValueWhateverItHolds) {
  const Options options = Good("source: {password: '${DB_PASSWORD}', slot: a$$b$c}");
  EXPECT_EQ(options.package.password, "a: [b]\n#'\"$");
  EXPECT_EQ(options.source.slot, "a$b$c");
}

TEST(ConfigFile, AnEmptyFileSetsNothing) {
  Options options;
  std::set<std::string_view> given;
  EXPECT_TRUE(Read("", &options, &given).ok());
  EXPECT_TRUE(Read("source:\nsink:\n", &options, &given).ok());
  EXPECT_TRUE(given.empty());
  EXPECT_TRUE(Read("log: json", &options, &given).ok());
  EXPECT_EQ(given, (std::set<std::string_view>{"log"}));
}

TEST(ConfigFile, WhatIsNotUnderstoodIsNamedWithItsLineAndTheNearest) {
  EXPECT_EQ(Refused("sink:\n  rol-age: 5s\n"),
            "a.yaml, line 2: there is no option of section sink called \"rol-age\"; the nearest is roll-age");
  EXPECT_EQ(Refused("\nsnik: console\n"),
            "a.yaml, line 2: there is no section \"snik\"; the nearest is sink");
  EXPECT_EQ(Refused("source:\n  slot: s\n  roll-age: 5s\n"),
            "a.yaml, line 3: option roll-age does not belong to section source; write it in section sink");
  EXPECT_EQ(Refused("sink: console\nroll-age: 5s\n"),
            "a.yaml, line 2: option roll-age stands in no section; write it in section sink");
  EXPECT_EQ(Refused("pipeline: {until: now}"),
            "a.yaml, line 1: option until belongs to one run; give it on the command line");
  EXPECT_EQ(Refused("readers: {partitions: 3}").substr(0, 42), "a.yaml, line 1: there is no section \"reade");
}

TEST(ConfigFile, ValuesAreCheckedAsOnTheCommandLine) {
  EXPECT_NE(Refused("sink:\n  roll-age: soon\n").find("a.yaml, line 2: sink.roll-age: "), std::string::npos);
  EXPECT_NE(Refused("sink: {roll-rows: 0}").find("sink.roll-rows: "), std::string::npos);
  EXPECT_NE(Refused("snapshot: sometimes").find("use auto|initial|never|only|when-needed"),
            std::string::npos);
  EXPECT_NE(Refused("source: {tables: [public.*, !public.a]}").find("in quotes"), std::string::npos);
  EXPECT_EQ(Refused("source: {tables: [public.*, '!public.a', \"!public.b\"]}"), "taken: OK");
  EXPECT_NE(Refused("setup: {insert-only: perhaps}").find("neither true nor false"), std::string::npos);
  EXPECT_NE(Refused("sink: [a, b]").find("takes one value"), std::string::npos);
  EXPECT_NE(Refused("source: {tables: {a: b}}").find("a list is expected"), std::string::npos);
  EXPECT_NE(Refused("monitor: {http: here}").find("monitor.http: "), std::string::npos);
}

// The first one alone would be half of what somebody wrote.
TEST(ConfigFile, ASecondDocumentIsRefused) {
  EXPECT_EQ(Refused("source: {slot: s}\n---\nsink: console\n"),
            "a.yaml, line 3: a second document begins here; leave out the line --- or ... before it");
  EXPECT_NE(Refused("log: json\n...\n---\nsink: console\n").find("second document"), std::string::npos);
  EXPECT_EQ(Refused("---\nsource: {slot: s}\n...\n"), "taken: OK");
  EXPECT_EQ(Refused("source: {slot: s}\n---\n"), "taken: OK");
}

TEST(ConfigFile, WhatIsThereTwiceIsRefused) {
  EXPECT_NE(Refused("sink: console\nsink: console\n").find("line 2: this name stands there twice"),
            std::string::npos);
  EXPECT_NE(Refused("source:\n  slot: a\n  slot: b\n").find("line 3: this name stands there twice"),
            std::string::npos);
}

TEST(ConfigFile, WhatIsNoYamlOrHasNoVariableIsRefusedWithoutItsText) {
  EXPECT_EQ(Refused("source: {password: 'gehe1m\n").find("gehe1m"), std::string::npos);
  EXPECT_NE(Refused("source: {password: 'gehe1m\n").find("this is no YAML"), std::string::npos);
  EXPECT_EQ(Refused("source: {password: '${NOT_THERE}gehe1m'}"),
            "a.yaml, line 1: there is no environment variable NOT_THERE; set it, or write $$ for a dollar");
  EXPECT_NE(Refused("source: {slot: '${'}").find("write ${NAME}"), std::string::npos);
  EXPECT_NE(Refused("just a text").find("no sections"), std::string::npos);
  EXPECT_EQ(Refused("'postgresql://ann:gehe1m@h/db': x").find("gehe1m"), std::string::npos);
  EXPECT_EQ(Refused("sink: {'a:gehe1m@h': x}").find("gehe1m"), std::string::npos);
  EXPECT_EQ(Refused("snapshot: gehe1m").find("gehe1m"), std::string::npos);
  EXPECT_EQ(
      Refused("sink: {roll-age: gehe1m}"),
      "a.yaml, line 1: sink.roll-age: this value cannot be used; give a whole number with ms, s, min, h "
      "or d, as in 90s");
}

}  // namespace
}  // namespace arrowcdc
