#include "src/mysql/stream/log_place.h"

#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "arrowcdc/mysql.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::mysql {
namespace {

TEST(LogPlace, OrderOfEpochFileAndOffset) {
  EXPECT_EQ(*MakeOrder(0, {3, 1234}), (uint64_t{3} << 36) + 1234);
  EXPECT_EQ(*MakeOrder(1, {0, 0}), uint64_t{1} << 56);
  EXPECT_LT(*MakeOrder(0, {1, (uint64_t{1} << 36) - 1}), *MakeOrder(0, {2, 4}));
  EXPECT_LT(*MakeOrder(0, {(1 << 20) - 1, 4}), *MakeOrder(1, {1, 4}));
  EXPECT_EQ(PlaceOf(*MakeOrder(255, {77, uint64_t{5} << 32})), (LogPlace{77, uint64_t{5} << 32}));
  EXPECT_FALSE(MakeOrder(0, {1 << 20, 4}).ok());
  EXPECT_FALSE(MakeOrder(0, {1, uint64_t{1} << 36}).ok());
  EXPECT_FALSE(MakeOrder(256, {1, 4}).ok());
}

TEST(LogPlace, Texts) {
  EXPECT_EQ(*ParsePlace("binlog.000003:1234"), (LogPlace{3, 1234}));
  EXPECT_EQ(*ParsePlace("my.bin.1000003:4"), (LogPlace{1'000'003, 4}));
  EXPECT_EQ(*ParsePlace("3:1234"), (LogPlace{3, 1234}));
  EXPECT_EQ(*ParsePlace(FormatLsn(*MakeOrder(0, {3, 1234}))), (LogPlace{3, 1234}));
  EXPECT_EQ(ToString({3, 1234}, "binlog"), "binlog.000003:1234");
  // A file of such a name is never written.
  for (const char* text : {"binlog.0003:4", "binlog.3:4", "binlog.0000003:4", "binlog.01000003:4"})
    EXPECT_FALSE(ParsePlace(text).ok()) << text;
  for (const char* text : {"", "x", "binlog.x:4", "binlog.000003:", "binlog.000003:x", "9999999:4"})
    EXPECT_FALSE(ParsePlace(text).ok()) << text;
}

TEST(LogPlace, OfAPositionThatIsStored) {
  LogToken token;
  token.base = "binlog";
  ASSERT_TRUE(MakeOrder(2, {12, 4567}).ok());
  const uint64_t order = *MakeOrder(2, {12, 4567});
  EXPECT_EQ(FormatBinlogPosition({2, order, WriteToken(token)}), "binlog.000012:4567");
  EXPECT_EQ(FormatBinlogPosition({2, order}), "file 12, offset 4567");
}

TEST(LogToken, ComesBack) {
  LogToken token;
  token.server = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
  token.base = "binlog";
  token.state = *GtidState::Parse(Flavor::kMysql, token.server + ":1-7");
  LogToken again = *ReadToken(WriteToken(token));
  EXPECT_EQ(again.server, token.server);
  EXPECT_EQ(again.base, "binlog");
  EXPECT_EQ(again.state.ToString(), token.server + ":1-7");
  EXPECT_TRUE(again.gone.empty());
  token.gone = {{"shop", "t"}, {"a.b", "c\"d"}};
  EXPECT_EQ(ReadToken(WriteToken(token))->gone, token.gone);
  token.dropped = {{"old", {}}, {"new\"", {"t", "u"}}};
  EXPECT_EQ(ReadToken(WriteToken(token))->dropped, token.dropped);
  EXPECT_FALSE(again.last.has_value());
  token.flavor = Flavor::kMariadb;
  token.state = *GtidState::Parse(Flavor::kMariadb, "0-1-7");
  token.last = {MariadbGtid{0, 1, 7}, 1'700'000'000'000'000, {3, 99}, MariadbGtid{0, 2, 6}};
  again = *ReadToken(WriteToken(token));
  ASSERT_TRUE(again.last.has_value());
  EXPECT_EQ(again.last->id, token.last->id);
  EXPECT_EQ(again.last->commit_ts, 1'700'000'000'000'000);
  EXPECT_EQ(again.last->begin, (LogPlace{3, 99}));
  EXPECT_EQ(again.last->before, (MariadbGtid{0, 2, 6}));
}

TEST(LogToken, WhatIsNone) {
  for (const char* text :
       {"", "x", "{}", "[]", R"({"version":2,"flavor":"mysql"})", R"({"version":1,"flavor":"oracle"})",
        R"({"version":1,"flavor":"mysql","gtids":"x"})", R"({"version":1,"flavor":"mysql","last":5})",
        R"({"version":1,"flavor":"mysql","last":{"gtid":"x"}})"}) {
    const auto token = ReadToken(text);
    ASSERT_FALSE(token.ok()) << text;
    EXPECT_EQ(GetErrorDetail(token.status())->kind(), ErrorKind::kPositionGap) << text;
  }
}

}  // namespace
}  // namespace arrowcdc::mysql
