// Sink URIs.
#include <filesystem>

#include <gtest/gtest.h>

#include "src/sink/sink_test_support.h"

namespace arrowcdc::testing {
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

TEST(MakeSinkTest, LimitsMustBeAboveZero) {
  SinkOptions options;
  options.roll_rows = 0;
  EXPECT_EQ(KindOf(MakeSink("parquet:x", options).status()), ErrorKind::kInvalidOption);
}

}  // namespace
}  // namespace arrowcdc::testing
