// When a stream is refused, ends, or goes on with a word: the rule of docs/operations.md as a table.
#include "src/delivery/publication_watch.h"

#include <gtest/gtest.h>

#include "arrowcdc/error.h"

namespace arrowcdc {
namespace {

TableName T(const std::string& table) { return {"public", table}; }

SourceInfo Info(std::vector<TableName> coming, std::vector<TableName> not_coming, bool any_other,
                bool lists_tables = true) {
  SourceInfo info;
  info.end = {1, 500};
  info.published.publications = {"p"};
  info.published.lists_tables = lists_tables;
  info.published.any = !coming.empty() || any_other;
  info.published.any_pattern = true;
  info.published.coming = std::move(coming);
  info.published.not_coming = std::move(not_coming);
  return info;
}

enum class Then { kGoesOn, kWarns, kErrors, kEnds, kRefused };

Then Outcome(PublicationWatch& watch, const SourceInfo& info, bool first, bool is_new) {
  const arrow::Status connected = watch.Connected(info, first, is_new);
  if (!connected.ok()) {
    EXPECT_EQ(GetErrorDetail(connected)->kind(), ErrorKind::kPublicationMissing);
    return Then::kRefused;
  }
  bool warns = false;
  bool errors = false;
  for (const SourceNotice& notice : watch.TakeNotices()) (notice.error ? errors : warns) = true;
  if (watch.end().has_value()) {
    EXPECT_TRUE(errors || warns);
    EXPECT_EQ(watch.end()->position, (Position{1, 500}));
    EXPECT_EQ(GetErrorDetail(watch.end()->why)->kind(), ErrorKind::kPublicationMissing);
    return Then::kEnds;
  }
  return errors ? Then::kErrors : warns ? Then::kWarns : Then::kGoesOn;
}

TEST(PublicationWatch, AtEachConnect) {
  struct Case {
    std::string what;
    SourceInfo info;
    bool is_new;
    std::vector<TableName> known;
    Then go_on;
    Then stop;       // with OnUnpublished::kStop
    Then reconnect;  // of a process that has streamed; go on
  };
  const std::vector<Case> cases = {
      {"all is well", Info({T("a")}, {}, false), true, {}, Then::kGoesOn, Then::kGoesOn, Then::kGoesOn},
      {"empty, new", Info({}, {T("a")}, false), true, {}, Then::kEnds, Then::kEnds, Then::kErrors},
      {"empty, resumed",
       Info({}, {T("a")}, false),
       false,
       {T("a")},
       Then::kErrors,
       Then::kEnds,
       Then::kErrors},
      {"empty, all dropped", Info({}, {}, false), false, {T("a")}, Then::kErrors, Then::kEnds, Then::kErrors},
      {"empty schema, new",
       Info({}, {T("a")}, false, false),
       true,
       {},
       Then::kGoesOn,
       Then::kGoesOn,
       Then::kGoesOn},
      {"misspelt, new", Info({}, {}, true), true, {}, Then::kRefused, Then::kRefused, Then::kErrors},
      {"another table, new",
       Info({}, {T("a")}, true),
       true,
       {},
       Then::kRefused,
       Then::kRefused,
       Then::kErrors},
      {"misspelt at a restart",
       Info({}, {}, true),
       false,
       {T("b")},
       Then::kRefused,
       Then::kRefused,
       Then::kErrors},
      {"misspelt at a restart, to one that exists",
       Info({}, {T("a")}, true),
       false,
       {T("b")},
       Then::kRefused,
       Then::kRefused,
       Then::kErrors},
      {"dropped from the publication, others are left",
       Info({}, {T("a")}, true),
       false,
       {T("a")},
       Then::kErrors,
       Then::kEnds,
       Then::kErrors},
      {"dropped, others are left",
       Info({}, {}, true),
       false,
       {T("a")},
       Then::kErrors,
       Then::kEnds,
       Then::kErrors},
      {"one of two is gone",
       Info({T("ab")}, {T("a")}, false),
       false,
       {T("a"), T("ab")},
       Then::kErrors,
       Then::kEnds,
       Then::kErrors},
      {"one was never there",
       Info({T("ab")}, {T("a")}, false),
       true,
       {},
       Then::kWarns,
       Then::kEnds,
       Then::kWarns},
      {"one of two is gone, of a schema",
       Info({T("ab")}, {T("a")}, false, false),
       false,
       {T("a")},
       Then::kErrors,
       Then::kErrors,
       Then::kErrors},
  };
  const TablePatterns patterns = TablePatterns::Parse({"public.a*"}).ValueOrDie();
  for (const Case& one : cases) {
    for (const OnUnpublished choice : {OnUnpublished::kGoOn, OnUnpublished::kStop}) {
      PublicationWatch watch(&patterns, choice);
      for (const TableName& table : one.known) watch.Knows(table, 0);
      EXPECT_EQ(Outcome(watch, one.info, true, one.is_new),
                choice == OnUnpublished::kStop ? one.stop : one.go_on)
          << one.what;
    }
    PublicationWatch watch(&patterns, OnUnpublished::kGoOn);
    for (const TableName& table : one.known) watch.Knows(table, 0);
    EXPECT_EQ(Outcome(watch, one.info, false, one.is_new), one.reconnect) << one.what;
  }
}

TEST(PublicationWatch, SaysWhatAMisspeltNameMayMean) {
  const TablePatterns patterns = TablePatterns::Parse({"public.oders"}).ValueOrDie();
  PublicationWatch watch(&patterns, OnUnpublished::kGoOn);
  SourceInfo info = Info({}, {}, true);
  info.published.nearest = "public.orders";
  EXPECT_EQ(watch.Connected(info, true, true).message(),
            "no published table matches the patterns; nearest: public.orders");
}

TEST(PublicationWatch, WithoutPatternsOnlyWhatCameBeforeIsMissed) {
  PublicationWatch watch(nullptr, OnUnpublished::kGoOn);
  SourceInfo info = Info({T("a")}, {T("b"), T("c")}, false);
  info.published.any_pattern = false;
  EXPECT_EQ(Outcome(watch, info, true, true), Then::kGoesOn);
  EXPECT_EQ(watch.tables_unpublished(), 0u);
  watch.Knows(T("b"), 0);
  EXPECT_EQ(Outcome(watch, info, false, true), Then::kErrors);
  EXPECT_EQ(watch.tables_unpublished(), 1u);
}

// What is lost is said at every connect, the rest once.
TEST(PublicationWatch, SaysItOnce) {
  const TablePatterns patterns = TablePatterns::Parse({"public.a*"}).ValueOrDie();
  PublicationWatch watch(&patterns, OnUnpublished::kGoOn);
  EXPECT_EQ(Outcome(watch, Info({T("ab")}, {T("a")}, false), true, true), Then::kWarns);
  EXPECT_EQ(Outcome(watch, Info({T("ab")}, {T("a")}, false), false, true), Then::kGoesOn);
  watch.Knows(T("a"), 0);
  EXPECT_EQ(Outcome(watch, Info({T("ab")}, {T("a")}, false), false, true), Then::kErrors);
  EXPECT_EQ(Outcome(watch, Info({T("ab")}, {T("a")}, false), false, true), Then::kErrors);
}

// A start that is to end does so although the connection breaks meanwhile.
TEST(PublicationWatch, AnEndOutlivesAReconnect) {
  PublicationWatch watch(nullptr, OnUnpublished::kGoOn);
  EXPECT_EQ(Outcome(watch, Info({}, {}, false), true, true), Then::kEnds);
  SourceInfo later = Info({}, {}, false);
  later.end = {1, 900};
  EXPECT_EQ(Outcome(watch, later, false, true), Then::kEnds);
}

NoticeEvent Membership(const std::string& table, const std::string& as, std::vector<TableName> ancestors) {
  NoticeEvent event;
  event.what = NoticeEvent::What::kMembership;
  event.published.insert = true;
  event.table = T(table);
  event.published_as = T(as);
  event.ancestors = std::move(ancestors);
  return event;
}

TEST(PublicationWatch, PartitionsUnderAnotherNameEndTheStream) {
  const auto fits = [](const std::vector<std::string>& texts, const NoticeEvent& event) {
    const TablePatterns patterns = TablePatterns::Parse(texts).ValueOrDie();
    PublicationWatch watch(&patterns, OnUnpublished::kGoOn);
    const arrow::Status noticed = watch.Noticed(event);
    EXPECT_TRUE(noticed.ok() || GetErrorDetail(noticed)->kind() == ErrorKind::kPublicationMismatch);
    return noticed.ok();
  };
  const NoticeEvent leaf = Membership("o_1", "o_1", {T("o_m"), T("o")});
  EXPECT_FALSE(fits({"public.o"}, leaf));
  EXPECT_FALSE(fits({"public.o_m"}, leaf));
  EXPECT_TRUE(fits({"public.o*"}, leaf));
  EXPECT_TRUE(fits({"public.o", "!public.o_1"}, leaf));
  EXPECT_TRUE(fits({"public.x"}, leaf));
  const NoticeEvent root = Membership("o_1", "o", {T("o_m"), T("o")});
  EXPECT_TRUE(fits({"public.o"}, root));
  EXPECT_FALSE(fits({"public.o_1"}, root));
  EXPECT_FALSE(fits({"public.o_m"}, root));
  EXPECT_TRUE(fits({"public.*", "!public.o"}, root));
  PublicationWatch every(nullptr, OnUnpublished::kGoOn);
  EXPECT_TRUE(every.Noticed(leaf).ok());
}

TEST(PublicationWatch, RowsThatAreNotPublished) {
  NoticeEvent event;
  event.operation.insert = true;
  event.table = T("a");
  event.position = {1, 700};
  const TablePatterns patterns = TablePatterns::Parse({"public.a"}).ValueOrDie();
  for (const OnUnpublished choice : {OnUnpublished::kGoOn, OnUnpublished::kStop}) {
    PublicationWatch watch(&patterns, choice);
    ASSERT_TRUE(watch.Noticed(event).ok());
    ASSERT_TRUE(watch.Noticed(event).ok());
    const auto notices = watch.TakeNotices();
    ASSERT_EQ(notices.size(), 1u);
    EXPECT_TRUE(notices[0].error);
    EXPECT_EQ(notices[0].object, "table public.a");
    EXPECT_EQ(watch.tables_unpublished(), 1u);
    ASSERT_EQ(watch.end().has_value(), choice == OnUnpublished::kStop);
    if (watch.end().has_value()) {
      EXPECT_EQ(watch.end()->position, (Position{1, 700}));
    }
  }
  // What nobody asked for is not worth a word; without patterns that is what never came.
  event.table = T("b");
  PublicationWatch watch(&patterns, OnUnpublished::kStop);
  ASSERT_TRUE(watch.Noticed(event).ok());
  PublicationWatch every(nullptr, OnUnpublished::kStop);
  ASSERT_TRUE(every.Noticed(event).ok());
  EXPECT_TRUE(watch.TakeNotices().empty() && every.TakeNotices().empty());
  every.Knows(T("b"), 0);
  ASSERT_TRUE(every.Noticed(event).ok());
  EXPECT_EQ(every.TakeNotices().size(), 1u);
  // An operation that is not published of a table that is.
  event.table = T("a");
  event.published.update = true;
  ASSERT_TRUE(watch.Noticed(event).ok());
  const auto notices = watch.TakeNotices();
  ASSERT_EQ(notices.size(), 1u);
  EXPECT_FALSE(notices[0].error);
  EXPECT_EQ(watch.tables_unpublished(), 0u);
}

// As in ALTER TABLE ... SET SCHEMA under a publication of the tables of a schema.
TEST(PublicationWatch, ATableThatLeavesThePublicationUnderANewName) {
  NoticeEvent moved;
  moved.table = {"attic", "a"};
  moved.table_id = 7;
  moved.operation.insert = true;
  const auto said = [](PublicationWatch& watch, const NoticeEvent& event) {
    EXPECT_TRUE(watch.Noticed(event).ok());
    const auto notices = watch.TakeNotices();
    return notices.empty() ? "nothing" : notices[0].error ? "error" : "warning";
  };
  const TablePatterns patterns = TablePatterns::Parse({"public.*"}).ValueOrDie();
  PublicationWatch every(nullptr, OnUnpublished::kGoOn);
  PublicationWatch some(&patterns, OnUnpublished::kGoOn);
  EXPECT_STREQ(said(every, moved), "nothing");  // it never came
  EXPECT_STREQ(said(some, moved), "nothing");
  every.Knows(T("a"), 7);
  some.Knows(T("a"), 7);
  EXPECT_STREQ(said(every, moved), "error");
  EXPECT_STREQ(said(some, moved), "warning");
  EXPECT_EQ(every.tables_unpublished(), 1u);
  EXPECT_EQ(some.tables_unpublished(), 0u);

  // A partition whose rows came as those of its root: with the root, and alone, which is no fault.
  for (const bool detached : {false, true}) {
    PublicationWatch watch(nullptr, OnUnpublished::kGoOn);
    NoticeEvent membership = Membership("a", "o", {T("o")});
    membership.table_id = 7;
    ASSERT_TRUE(watch.Noticed(membership).ok());
    NoticeEvent leaf = moved;
    if (!detached) leaf.ancestors = {{"attic", "o"}};
    EXPECT_STREQ(said(watch, leaf), detached ? "nothing" : "error");
  }
}

// Moved to a schema that is not published, or renamed on the way.
TEST(PublicationWatch, ATableUnderANewNameIsKnown) {
  NoticeEvent event;
  event.operation.insert = true;
  event.table_id = 16384;
  event.table = {"archive", "a"};
  const TablePatterns patterns = TablePatterns::Parse({"public.a"}).ValueOrDie();
  for (const TablePatterns* const given : {&patterns, static_cast<const TablePatterns*>(nullptr)}) {
    PublicationWatch watch(given, OnUnpublished::kGoOn);
    watch.Knows(T("a"), 16385);
    ASSERT_TRUE(watch.Noticed(event).ok());
    EXPECT_TRUE(watch.TakeNotices().empty());
    watch.Knows(T("a"), 16384);
    ASSERT_TRUE(watch.Noticed(event).ok());
    ASSERT_TRUE(watch.Noticed(event).ok());
    const auto notices = watch.TakeNotices();
    ASSERT_EQ(notices.size(), 1u);
    EXPECT_EQ(notices[0].object, "table archive.a");
    EXPECT_EQ(notices[0].error, given == nullptr);  // without patterns it was asked for under any name
  }
}

TEST(PublicationWatch, CountsByTable) {
  const TablePatterns patterns = TablePatterns::Parse({"public.a", "!public.c"}).ValueOrDie();
  PublicationWatch watch(&patterns, OnUnpublished::kGoOn);
  watch.PassedOver(T("b"), 3);
  watch.PassedOver(T("b"), 4);
  watch.PassedOver(T("c"), 5);
  EXPECT_EQ(watch.unmatched(), (std::map<TableName, uint64_t>{{T("b"), 7}, {T("c"), 5}}));
  EXPECT_EQ(watch.TakeNotices().size(), 1u);  // of b: c was excluded
}

}  // namespace
}  // namespace arrowcdc
