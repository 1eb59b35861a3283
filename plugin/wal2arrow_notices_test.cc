// What the plugin says besides rows: once a session and state, in front of the rows that it is about, and as
// if it were not there for everything else.
#include "plugin/testing/test_stream.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::test {
namespace {

std::string Operations(const NoticeEvent::Operations& operations) {
  return std::string(operations.insert ? "i" : "") + (operations.update ? "u" : "") +
         (operations.remove ? "d" : "") + (operations.truncate ? "t" : "");
}

std::string Line(const NoticeEvent& notice) {
  if (notice.what == NoticeEvent::What::kPublication) return "publication " + notice.table.table;
  std::string line = notice.what == NoticeEvent::What::kPassedOver
                         ? "passed over " + Operations(notice.operation) + " "
                         : "member ";
  line += notice.table.table;
  for (const TableName& ancestor : notice.ancestors) line += " < " + ancestor.table;
  const std::string published = Operations(notice.published);
  if (!published.empty()) line += ": " + published + " as " + notice.published_as.table;
  return line;
}

class Notices : public PluginTest {
 protected:
  Notices() { with_notices_ = true; }

  // Notices and rows as they come.
  std::vector<std::string> All(const std::vector<Event>& events) {
    std::vector<std::string> lines;
    for (const Event& event : events) {
      if (const auto* notice = std::get_if<NoticeEvent>(&event)) {
        lines.push_back(Line(*notice));
        EXPECT_GT(notice->position.order, 0u);
      }
      AppendLines(event, false, &lines);
    }
    return lines;
  }

  void Expect(const std::vector<std::string>& lines) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto peeked, Peek());
    EXPECT_EQ(All(peeked), lines);
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto streamed, Stream());
    EXPECT_EQ(All(streamed), lines);
  }
};

TEST_F(Notices, WhatIsPassedOverIsSaidOnceAnOperation) {
  Prepare(
      "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE other (id int PRIMARY KEY); CREATE UNLOGGED TABLE u "
      "(id "
      "int); CREATE PUBLICATION p FOR TABLE t WITH (publish = 'insert')");
  Sql("INSERT INTO other VALUES (1), (2)");
  Sql("INSERT INTO other VALUES (3); UPDATE other SET id = 4 WHERE id = 3; TRUNCATE other");
  Sql("CREATE TEMPORARY TABLE temporary (id int); INSERT INTO temporary VALUES (1); INSERT INTO u VALUES "
      "(1)");
  Sql("INSERT INTO t VALUES (1); DELETE FROM t; INSERT INTO t VALUES (2); DELETE FROM t; TRUNCATE t");
  Sql("CREATE MATERIALIZED VIEW m AS SELECT * FROM t; REFRESH MATERIALIZED VIEW m");
  // Behind the rows that came before: they tell the client whether it had any of the table.
  Expect({"passed over i other", "passed over u other", "passed over t other", "insert t(1)",
          "passed over d t: i as t", "insert t(2)", "passed over t t: i as t"});
}

TEST_F(Notices, MembershipThatChanges) {
  Prepare("CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE t");
  Sql("INSERT INTO t VALUES (1)");
  Sql("ALTER PUBLICATION p DROP TABLE t");
  Sql("INSERT INTO t VALUES (2)");
  Sql("INSERT INTO t VALUES (3)");
  Sql("ALTER PUBLICATION p ADD TABLE t");
  Sql("INSERT INTO t VALUES (4)");
  Sql("ALTER TABLE t RENAME TO renamed");
  Sql("INSERT INTO renamed VALUES (5)");
  Sql("ALTER PUBLICATION p SET (publish = 'insert, update')");
  Sql("INSERT INTO renamed VALUES (6)");
  Sql("ALTER TABLE renamed ADD COLUMN note text");
  Sql("INSERT INTO renamed VALUES (7)");
  Expect({"insert t(1)", "passed over i t", "member t: iudt as t", "insert t(4)",
          "member renamed: iudt as renamed", "insert renamed(5)", "publication p",
          "member renamed: iu as renamed", "insert renamed(6)", "insert renamed(7, null)"});
}

// A name that a table takes over is one that somebody may have asked for.
TEST_F(Notices, RenamedIntoAnotherName) {
  Prepare(
      "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE t_new (id int PRIMARY KEY); CREATE PUBLICATION p "
      "FOR "
      "TABLE t");
  Sql("INSERT INTO t_new VALUES (1)");
  Sql("BEGIN; ALTER TABLE t RENAME TO t_old; ALTER TABLE t_new RENAME TO t; COMMIT");
  Sql("INSERT INTO t VALUES (2)");
  Expect({"passed over i t_new", "passed over i t"});
}

TEST_F(Notices, PartitionsAreSaidBeforeTheirFirstRow) {
  Prepare(
      "CREATE TABLE r (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE r_a PARTITION OF r FOR "
      "VALUES "
      "FROM (0) TO (100) PARTITION BY RANGE (id); CREATE TABLE r_a1 PARTITION OF r_a FOR VALUES FROM (0) TO "
      "(50);"
      "CREATE TABLE lone (id int PRIMARY KEY);"
      "CREATE PUBLICATION p FOR TABLE r, lone WITH (publish_via_partition_root = true)");
  Sql("INSERT INTO r VALUES (1)");
  Sql("INSERT INTO lone VALUES (200)");
  Sql("ALTER PUBLICATION p SET (publish_via_partition_root = false)");
  Sql("INSERT INTO r VALUES (2)");
  Sql("ALTER TABLE r ATTACH PARTITION lone FOR VALUES FROM (200) TO (300)");
  Sql("INSERT INTO r VALUES (201)");
  Expect({"member r_a1 < r_a < r: iudt as r", "insert r(1)", "insert lone(200)", "publication p",
          "member r_a1 < r_a < r: iudt as r_a1", "insert r_a1(2)", "member lone < r: iudt as lone",
          "insert lone(201)"});
}

// The publication that was dropped between two changes is one that was changed.
TEST_F(Notices, APublicationMadeAgain) {
  Prepare("CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE t");
  Sql("INSERT INTO t VALUES (1)");
  Sql("BEGIN; DROP PUBLICATION p; CREATE PUBLICATION p FOR TABLE t; COMMIT");
  Sql("INSERT INTO t VALUES (2)");
  Expect({"insert t(1)", "publication p", "insert t(2)"});
}

// They end no group, move no position and make no transaction of one that has nothing.
TEST_F(Notices, GroupsKnowNothingOfThem) {
  Prepare(
      "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE other (id int PRIMARY KEY); CREATE PUBLICATION p "
      "FOR "
      "TABLE t");
  Sql("INSERT INTO other VALUES (1)");
  Sql("BEGIN; INSERT INTO t VALUES (1); DELETE FROM other; INSERT INTO t VALUES (2); COMMIT");
  for (const char* batching : {"on", "off"}) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto events, Stream({{"batching", batching}}));
    int64_t rows = 0;
    int ends = 0;
    for (const Event& event : events) {
      if (const auto* batch = std::get_if<ChangeBatch>(&event)) {
        rows += batch->rows->num_rows();
        // Not at the notice, which is in the middle of the transaction.
        EXPECT_EQ(batch->group.group_end, rows == 2);
        if (batch->group.group_end) ++ends;
      }
      if (const auto* progress = std::get_if<ProgressEvent>(&event)) {
        EXPECT_FALSE(progress->group.group_end);
      }
    }
    EXPECT_EQ(rows, 2);
    EXPECT_EQ(ends, 1);
  }
}

TEST_F(Notices, NamesInAnotherEncoding) {
  Prepare(
      "CREATE TABLE \"t\xe9\" (id int PRIMARY KEY); CREATE TABLE t (id int); CREATE PUBLICATION p FOR TABLE "
      "t",
      "LATIN1");
  Sql("INSERT INTO \"t\xe9\" VALUES (1)");
  Expect({"passed over i t\xc3\xa9"});
}

}  // namespace
}  // namespace arrowcdc::test
