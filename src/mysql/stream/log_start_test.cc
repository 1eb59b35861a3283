// Whether a stream goes on, by what was stored and what the server says of its log. No server.
#include "src/mysql/stream/log_start.h"

#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::mysql {
namespace {

const std::string kUuid = "11111111-1111-1111-1111-111111111111";
const std::string kOther = "22222222-2222-2222-2222-222222222222";

// Behind a transaction that was delivered, at binlog.000003:900.
Position Stored(Flavor flavor, const std::string& server, const std::string& state, const std::string& last) {
  LogToken token;
  token.flavor = flavor;
  token.server = server;
  token.base = "binlog";
  token.state = *GtidState::Parse(flavor, state);
  token.last = LastTransaction{*ParseTransactionId(last), 1'000'000, {3, 700}, std::nullopt};
  return {0, *MakeOrder(0, {3, 900}), WriteToken(token)};
}

LogStanding Standing(Flavor flavor, const std::string& server, const std::string& executed) {
  LogStanding now;
  now.flavor = flavor;
  now.server = server;
  now.only_committed = flavor == Flavor::kMysql;
  now.files = {{"binlog.000002", 500}, {"binlog.000003", 1000}};
  now.status = {"binlog.000003", 1000, *GtidState::Parse(flavor, executed)};
  if (flavor == Flavor::kMariadb) now.binlog_state = *ParseMariadbGtids(executed);
  return now;
}

bool IsGap(const arrow::Result<LogStart>& start) {
  const ErrorDetail* const detail = GetErrorDetail(start.status());
  return detail != nullptr && detail->kind() == ErrorKind::kPositionGap && !detail->remedy().empty();
}

TEST(LogStart, MysqlHasWhatWasDeliveredAndNothingThatIsLacking) {
  const Position stored = Stored(Flavor::kMysql, kUuid, kUuid + ":1-10", kUuid + ":10");
  LogStanding now = Standing(Flavor::kMysql, kUuid, kUuid + ":1-12");
  now.purged = *GtidSet::Parse(kUuid + ":1-5");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(LogStart start, ChooseNextStart(now, stored, false));
  EXPECT_TRUE(start.by_gtids);
  EXPECT_EQ(start.place, (LogPlace{3, 900}));
  ASSERT_TRUE(start.expected.has_value());  // it is asked for once more, and compared
  EXPECT_EQ(ToString(start.expected->id), kUuid + ":10");
  // The one to compare is gone, and nothing is lacking.
  now.purged = *GtidSet::Parse(kUuid + ":1-10");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(start, ChooseNextStart(now, stored, false));
  EXPECT_FALSE(start.expected.has_value());
  now.server = kOther;
  EXPECT_TRUE(IsGap(ChooseNextStart(now, stored, true)));
  // Something is lacking.
  now.server = kUuid;
  now.purged = *GtidSet::Parse(kUuid + ":1-11");
  EXPECT_TRUE(IsGap(ChooseNextStart(now, stored, false)));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(start, ChooseNextStart(now, stored, true));
  EXPECT_FALSE(start.expected.has_value());
  EXPECT_EQ(start.token.state.ToString(), kUuid + ":1-11");
  now.server = kOther;
  EXPECT_TRUE(IsGap(ChooseNextStart(now, stored, true)));
  // The server lacks something, or is of the other family.
  EXPECT_TRUE(IsGap(ChooseNextStart(Standing(Flavor::kMysql, kUuid, kUuid + ":1-9"), stored, true)));
  EXPECT_TRUE(IsGap(ChooseNextStart(Standing(Flavor::kMariadb, "1", "0-1-12"), stored, true)));
}

TEST(LogStart, MysqlWithoutGtidsGoesByTheFile) {
  const Position stored = Stored(Flavor::kMysql, kUuid, "", "");
  LogStanding now = Standing(Flavor::kMysql, kUuid, "");
  now.only_committed = false;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const LogStart start, ChooseNextStart(now, stored, false));
  EXPECT_FALSE(start.by_gtids);
  EXPECT_TRUE(start.expected.has_value());
  now.files.back().bytes = 899;  // the end was lost
  EXPECT_TRUE(IsGap(ChooseNextStart(now, stored, true)));
  now.files = {{"binlog.000004", 100}};
  EXPECT_TRUE(IsGap(ChooseNextStart(now, stored, true)));
  now = Standing(Flavor::kMysql, kOther, "");
  now.only_committed = false;
  EXPECT_TRUE(IsGap(ChooseNextStart(now, stored, true)));
}

// It sends domains that it was not told of from their beginning, and takes those that it lacks in silence.
TEST(LogStart, MariadbHasEachDomain) {
  const Position stored = Stored(Flavor::kMariadb, "1", "0-1-10,7-1-3", "0-1-10");
  const auto choose = [&](const std::string& server, const std::string& state) {
    return ChooseNextStart(Standing(Flavor::kMariadb, server, state), stored, true);
  };
  for (const char* const server : {"1", "2"}) {
    EXPECT_TRUE(choose(server, "0-1-12,7-1-3").ok()) << server;
    EXPECT_TRUE(choose(server, "0-1-11,0-2-12,7-1-3").ok()) << server;
    EXPECT_TRUE(IsGap(choose(server, "0-1-9,7-1-3"))) << server;   // less of one
    EXPECT_TRUE(IsGap(choose(server, "0-2-12,7-1-3"))) << server;  // the number is another server's
    EXPECT_TRUE(IsGap(choose(server, "0-1-12"))) << server;        // one is lacking
  }
  // One more: on the same server it is new.
  EXPECT_TRUE(choose("1", "0-1-12,5-1-1,7-1-3").ok());
  const auto more = choose("2", "0-1-12,5-1-1,7-1-3");
  EXPECT_TRUE(IsGap(more));
  EXPECT_NE(more.status().message().find("domain 5"), std::string::npos) << more.status();
}

TEST(LogStart, MariadbHasRemovedTheOneToCompare) {
  const Position stored = Stored(Flavor::kMariadb, "1", "0-1-10,7-1-3", "0-1-10");
  const auto expected = [&](const std::string& removed) {
    LogStanding now = Standing(Flavor::kMariadb, "1", "0-1-12,7-1-4");
    now.removed = *GtidState::Parse(Flavor::kMariadb, removed);
    const auto start = ChooseNextStart(now, stored, false);
    return start.ok() && start->expected.has_value();
  };
  EXPECT_TRUE(expected("0-1-9"));
  EXPECT_FALSE(expected("0-1-10"));
  EXPECT_FALSE(expected("0-1-10,7-1-3"));
  // Something is lacking: the server is asked, and refuses.
  EXPECT_TRUE(expected("0-1-10,7-1-4"));
  EXPECT_TRUE(expected("0-1-11"));
}

TEST(LogStart, CopiedAnewWhereItIsTheSameHistory) {
  const Position stored = Stored(Flavor::kMysql, kUuid, kUuid + ":1-10", kUuid + ":10");
  EXPECT_TRUE(CheckMayCopyAnew(Standing(Flavor::kMysql, kUuid, ""), stored).ok());
  EXPECT_TRUE(CheckMayCopyAnew(Standing(Flavor::kMysql, kOther, kUuid + ":1-3"), stored).ok());
  EXPECT_FALSE(CheckMayCopyAnew(Standing(Flavor::kMysql, kOther, kOther + ":1-3"), stored).ok());
}

}  // namespace
}  // namespace arrowcdc::mysql
