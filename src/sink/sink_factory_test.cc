// Sink URIs.
#include <filesystem>
#include <utility>

#include <gtest/gtest.h>

#include "arrowcdc/sink.h"
#include "tests/testing/error_detail.h"

namespace arrowcdc::test {
namespace {

TEST(MakeSinkTest, KnowsItsForms) {
  EXPECT_TRUE(MakeSink("parquet:/tmp/a:b", {}).ValueOrDie()->keeps_data());
  EXPECT_TRUE(MakeSink("ipc:file.arrows", {}).ValueOrDie()->keeps_data());
  for (const char* uri : {"ipc:-", "console", "console:ndjson", "console:table"}) {
    EXPECT_FALSE(MakeSink(uri, {}).ValueOrDie()->keeps_data()) << uri;
  }
  EXPECT_FALSE(std::filesystem::exists("/tmp/a:b"));
}

TEST(MakeSinkTest, OthersAreRefusedWithTheList) {
  for (const char* uri : {"", ":", "parquet", "parquet:", "ipc", "ipc:", "console:", "console:xml",
                          "kafka:topic", "Parquet:x", "/some/dir"}) {
    const auto status = MakeSink(uri, {}).status();
    EXPECT_EQ(KindOf(status), ErrorKind::kInvalidOption) << uri;
    const std::string remedy = GetErrorDetail(status)->remedy();
    EXPECT_NE(remedy.find("parquet:DIR"), std::string::npos) << uri;
    EXPECT_NE(remedy.find("console:table"), std::string::npos) << uri;
  }
  EXPECT_FALSE(MakeSink(std::string_view("parquet:a\0b", 11), {}).ok());
}

std::string Location(const std::string& uri) {
  auto sink = MakeSink(uri, {});
  return sink.ok() ? (*sink)->location() : "refused: " + sink.status().message();
}

TEST(MakeSinkTest, ThePathIsTheOneThatWasMeant) {
  const std::string here = std::filesystem::current_path();
  EXPECT_EQ(Location("parquet:changes"), here + "/changes");
  EXPECT_EQ(Location("parquet:./a/../b/"), here + "/b/");
  EXPECT_EQ(Location("ipc:/srv/x.arrows"), "/srv/x.arrows");
  EXPECT_EQ(Location("ipc:-"), "");
  EXPECT_EQ(Location("console"), "");
  EXPECT_EQ(Location("parquet:file:///srv/my%20changes/100%25"), "/srv/my changes/100%");
  EXPECT_EQ(Location("ipc:file:/srv/x.arrows"), "/srv/x.arrows");
  // Names that only look like URLs.
  EXPECT_EQ(Location("parquet:./s3://bucket"), here + "/s3:/bucket");
  EXPECT_EQ(Location("parquet:./~/x"), here + "/~/x");
  EXPECT_EQ(Location("parquet:/data/a://b"), "/data/a:/b");
  EXPECT_EQ(Location("parquet:2026-11-27T12:00"), here + "/2026-11-27T12:00");
  EXPECT_EQ(Location("parquet:a b://c"), here + "/a b:/c");
}

TEST(MakeSinkTest, WhatIsNoLocalPathIsRefusedByName) {
  const std::pair<const char*, const char*> kRefused[] = {{"parquet:s3://bucket/x", "s3://"},
                                                          {"parquet:gs://bucket", "gs://"},
                                                          {"parquet:abfs://c@a.net/x", "abfs://"},
                                                          {"parquet:http://host/x", "http://"},
                                                          {"parquet:hdfs:///x", "hdfs://"},
                                                          {"parquet:S3A://bucket", "S3A://"},
                                                          {"ipc:s3://bucket/f", "s3://"},
                                                          {"parquet:s3:/bucket", "s3://"},
                                                          {"parquet://x", "parquet://"},
                                                          {"ipc:///x", "ipc://"},
                                                          {"parquet:file://host/x", "host"},
                                                          {"parquet:file://localhost/x", "host"},
                                                          {"parquet:file://", "host"},
                                                          {"parquet:~/x", "'~'"},
                                                          {"parquet:~", "'~'"},
                                                          {"ipc:~user/x", "'~'"},
                                                          {"parquet:file:///a%2", "'%'"},
                                                          {"parquet:file:///a%zz", "'%'"},
                                                          {"parquet:file:///a%00b", "NUL"},
                                                          {"parquet:file:///a?b", "'?'"}};
  for (const auto& [uri, named] : kRefused) {
    const auto status = MakeSink(uri, {}).status();
    ASSERT_EQ(KindOf(status), ErrorKind::kInvalidOption) << uri;
    EXPECT_NE(status.message().find(named), std::string::npos) << uri << ": " << status.message();
    EXPECT_FALSE(GetErrorDetail(status)->remedy().empty()) << uri;
  }
}

TEST(MakeSinkTest, ErrorsRepeatNothingThatMayBeSecret) {
  for (const char* uri : {"postgresql://u:hidden@h/db", "host=db password=hidden", "hidden", "host=db:hidden",
                          "parquet:s3://key:hidden@bucket", "console:hidden", "parquet:file://hidden/x"}) {
    const auto status = MakeSink(uri, {}).status();
    ASSERT_EQ(KindOf(status), ErrorKind::kInvalidOption) << uri;
    const ErrorDetail& detail = *GetErrorDetail(status);
    EXPECT_EQ((status.ToString() + detail.object() + detail.remedy()).find("hidden"), std::string::npos)
        << uri;
  }
}

TEST(MakeSinkTest, LimitsMustBeAboveZero) {
  SinkOptions options;
  options.roll_rows = 0;
  EXPECT_EQ(KindOf(MakeSink("parquet:x", options).status()), ErrorKind::kInvalidOption);
}

TEST(MakeSinkTest, CompressionLevelsAreThoseOfZstandard) {
  for (const int64_t level : {INT64_MIN, int64_t{-1}, int64_t{0}, int64_t{23}, INT64_MAX}) {
    SinkOptions options;
    options.parquet.compression_level = level;
    EXPECT_EQ(KindOf(MakeSink("parquet:x", options).status()), ErrorKind::kInvalidOption) << level;
  }
  for (const int64_t level : {1, 22}) {
    SinkOptions options;
    options.parquet.compression_level = level;
    EXPECT_TRUE(MakeSink("parquet:x", options).ok()) << level;
  }
}

}  // namespace
}  // namespace arrowcdc::test
