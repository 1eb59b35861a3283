// Logical messages through the plugin in a real server: what of pg_logical_emit_message comes, in which order
// and with which positions.
#include <algorithm>
#include <optional>

#include <arrow/array.h>

#include "arrowcdc/change_rows.h"
#include "arrowcdc/messages_table.h"
#include "plugin/testing/test_stream.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::test {
namespace {

using std::string;
using Strings = std::vector<string>;

const PluginOptions kOn = {{"messages", "on"}};

string Message(const string& prefix, const string& content_hex, bool transactional) {
  return "insert _arrowcdc_messages(" + prefix + ", " + content_hex + ", " +
         (transactional ? "true" : "false") + ")";
}

class Messages : public PluginTest {
 protected:
  void PrepareTables(const string& encoding = "UTF8") {
    Prepare(
        "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY); CREATE PUBLICATION p "
        "FOR TABLE t, u",
        encoding);
  }
  // One of no transaction does not make the server flush; a transaction that changes the catalog does.
  void Flush() { Sql("CREATE TABLE flushed (); DROP TABLE flushed"); }
  string Scalar(const string& sql) {
    const auto connection = SharedServer().Connect(database());
    EXPECT_TRUE(connection.ok()) << connection.status();
    return connection.ok() ? (*connection)->Scalar(sql).ValueOr("failed") : "no connection";
  }
};

// Null where it is something else.
const ChangeBatch* AsMessage(const Event& event) {
  const auto* const batch = std::get_if<ChangeBatch>(&event);
  return batch != nullptr && batch->table == MessagesTable() ? batch : nullptr;
}

std::vector<ChangeBatch> Only(const std::vector<Event>& events) {
  std::vector<ChangeBatch> messages;
  for (const Event& event : events) {
    if (const ChangeBatch* const message = AsMessage(event)) messages.push_back(*message);
  }
  return messages;
}

TEST_F(Messages, KeepTheirOrderAmongRows) {
  PrepareTables();
  Sql("INSERT INTO t VALUES (0)");
  Sql("BEGIN; INSERT INTO t VALUES (1); SELECT pg_logical_emit_message(true, 'a', 'x'); INSERT INTO t VALUES "
      "(2); SAVEPOINT s; SELECT pg_logical_emit_message(true, 'gone', ''); ROLLBACK TO s;"
      "SELECT pg_logical_emit_message(true, 'b', ''); COMMIT");
  Sql("SELECT pg_logical_emit_message(true, 'alone', '\\x00ff'::bytea)");
  Sql("BEGIN; SELECT pg_logical_emit_message(true, 'rolled back', ''); ROLLBACK");
  Sql("INSERT INTO t VALUES (3)");
  EXPECT_EQ(Lines(kOn, true), (Strings{"insert t(0) #0", "insert t(1) #0", Message("a", "78", true) + " #0",
                                       "insert t(2) #0", Message("b", "", true) + " #0",
                                       Message("alone", "00ff", true) + " #0", "insert t(3) #0"}));
}

TEST_F(Messages, ComeOnlyWhereTheyAreAskedFor) {
  PrepareTables();
  Sql("BEGIN; INSERT INTO t VALUES (1); SELECT pg_logical_emit_message(true, 'a', 'x'); COMMIT");
  Sql("SELECT pg_logical_emit_message(false, 'b', 'y'); SELECT pg_logical_emit_message(true, 'c', 'z')");
  EXPECT_EQ(Lines(), (Strings{"insert t(1)"}));
  EXPECT_EQ(Lines({{"messages", "off"}}), (Strings{"insert t(1)"}));
  const string error = PeekError({{"messages", "perhaps"}});
  EXPECT_NE(error.find("cannot use the value of option \"messages\""), string::npos) << error;
  for (const char* value : {"on", "off"}) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto frames, Frames({{"messages", value}}));
    EXPECT_NE(frames[0]->ToString().find(string("\nmessages=") + value + "\n"), string::npos);
  }
}

// One that belongs to no transaction comes when it was written, before the transaction that wrote it ends,
// and whether or not that commits.
TEST_F(Messages, OfNoTransactionComeAtOnce) {
  PrepareTables();
  Sql("BEGIN; INSERT INTO t VALUES (1); SELECT pg_logical_emit_message(false, 'inside', '1'); INSERT INTO t "
      "VALUES (2); COMMIT");
  Sql("BEGIN; INSERT INTO t VALUES (3); SELECT pg_logical_emit_message(false, 'kept', '2'); ROLLBACK");
  Sql("INSERT INTO t VALUES (4)");
  EXPECT_EQ(Lines(kOn), (Strings{Message("inside", "31", false), "insert t(1)", "insert t(2)",
                                 Message("kept", "32", false), "insert t(4)"}));
}

// What identifies a message, and what may be acknowledged with it.
TEST_F(Messages, Positions) {
  PrepareTables();
  Sql("INSERT INTO t VALUES (0)");
  const string inside =
      Scalar("WITH row AS (INSERT INTO t VALUES (1)) SELECT pg_logical_emit_message(true, 'p', 'in')");
  const string alone = Scalar("SELECT pg_logical_emit_message(false, 'p', 'out')");
  Sql("INSERT INTO t VALUES (2)");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const uint64_t inside_end, ParseLsn(inside));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const uint64_t alone_end, ParseLsn(alone));
  for (const char* batching : {"off", "on"}) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto events, Stream({{"messages", "on"}, {"batching", batching}}));
    const auto messages = Only(events);
    ASSERT_EQ(messages.size(), 2u);
    const auto in = ChangeRows::Make(*messages[0].table, *messages[0].rows).ValueOrDie();
    EXPECT_EQ(in.position(0).lsn, inside_end - 1);
    EXPECT_GT(in.position(0).commit_lsn, inside_end - 1);
    EXPECT_TRUE(in.xid(0).has_value() && in.commit_ts(0).has_value());
    EXPECT_TRUE(messages[0].group.txn_incomplete);
    EXPECT_FALSE(messages[0].group.group_end);
    const auto out = ChangeRows::Make(*messages[1].table, *messages[1].rows).ValueOrDie();
    EXPECT_EQ(out.position(0), (RowPosition{alone_end - 1, alone_end - 1, 0}));
    EXPECT_FALSE(out.xid(0).has_value() || out.commit_ts(0).has_value());
    EXPECT_TRUE(messages[1].group.group_end);
    EXPECT_FALSE(messages[1].group.dirty);
    EXPECT_EQ(messages[1].group.safe, (Position{1, alone_end}));

    // All of it in the order of positions: what a message's group ends with was committed before.
    RowPosition last{};
    uint64_t safe = 0;
    for (const Event& event : events) {
      const auto* batch = std::get_if<ChangeBatch>(&event);
      if (batch == nullptr) continue;
      const auto changes = ChangeRows::Make(*batch->table, *batch->rows).ValueOrDie();
      EXPECT_LT(last, changes.position(0));
      last = changes.position(changes.num_rows() - 1);
      EXPECT_GE(last.commit_lsn, safe);
      if (!batch->group.group_end) continue;
      safe = batch->group.safe->order;
      EXPECT_LT(last.commit_lsn, safe);
    }
  }
}

// What is held back across transactions is a group that ends before the message's: with the option batching,
// and a backlog, so that rows are held back at all.
TEST_F(Messages, OfNoTransactionEndWhatIsHeldBack) {
  PrepareTables();
  constexpr int kRounds = 300;
  string sql;
  Strings expected;
  for (int i = 0; i < kRounds; ++i) {
    const string id = std::to_string(i);
    sql = "INSERT INTO t VALUES (" + id + "); INSERT INTO u VALUES (" + id + ")";
    Sql(sql);
    expected.push_back("insert t(" + id + ")");
    expected.push_back("insert u(" + id + ")");
    if (i % 7 == 6) Sql("SELECT pg_logical_emit_message(false, 'm', '" + id + "')");
  }
  Flush();
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto events, Stream({{"messages", "on"}, {"batching", "on"}}));
  Strings rows;
  int messages = 0;
  bool group_open = false;
  std::optional<Position> safe;
  for (const Event& event : events) {
    const auto* const batch = std::get_if<ChangeBatch>(&event);
    if (const ChangeBatch* const message = AsMessage(event)) {
      EXPECT_FALSE(group_open) << "message " << messages << " came within a group of rows";
      ASSERT_TRUE(message->group.safe.has_value());
      EXPECT_LT(safe, message->group.safe);
      safe = message->group.safe;
      // Seven transactions of each table stand before it, no more and no less.
      EXPECT_EQ(rows.size(), 2u * 7 * static_cast<size_t>(messages + 1));
      ++messages;
    } else if (batch != nullptr) {
      AppendLines(event, false, &rows);
      group_open = !batch->group.group_end;
    } else if (const auto* progress = std::get_if<ProgressEvent>(&event)) {
      group_open = group_open && !progress->group.group_end;
    }
  }
  EXPECT_EQ(messages, kRounds / 7);
  std::sort(rows.begin(), rows.end());
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(rows, expected);
}

// The session begins with one, so hello goes outside of any transaction, with names that ask the catalog for
// their conversion.
TEST_F(Messages, FirstOfASessionInAnyEncoding) {
  for (const char* encoding : {"LATIN1", "SQL_ASCII", "EUC_JP", "UTF8"}) {
    SCOPED_TRACE(encoding);
    Prepare("CREATE TABLE t (id int); CREATE PUBLICATION p FOR TABLE t", encoding);
    Sql("SELECT pg_logical_emit_message(false, 'first', 'x')");
    Flush();
    EXPECT_EQ(Lines(kOn), (Strings{Message("first", "78", false)}));
    TearDown();
  }
  // é as Latin-1 has it, in a publication's name and a prefix.
  Prepare("CREATE TABLE t (id int); CREATE PUBLICATION \"caf\xe9\" FOR TABLE t", "LATIN1");
  Sql("SELECT pg_logical_emit_message(false, 'caf\xe9', '\xe9')");
  Sql("SELECT pg_logical_emit_message(true, 'caf\xe9', '\xe9')");
  EXPECT_EQ(Lines({{"messages", "on"}, {"publication_names", "\"caf\xe9\""}}),
            (Strings{Message("café", "e9", false), Message("café", "e9", true)}));
}

TEST_F(Messages, PrefixesOfAnyBytes) {
  Prepare("CREATE CAST (bytea AS text) WITHOUT FUNCTION; CREATE PUBLICATION p FOR ALL TABLES");
  for (const char* transactional : {"false", "true"}) {
    Sql(string("SELECT pg_logical_emit_message(") + transactional + ", '\\x6361665ce9'::bytea::text, 'x')");
    Sql(string("SELECT pg_logical_emit_message(") + transactional + ", '', '')");
    Sql(string("SELECT pg_logical_emit_message(") + transactional + ", E'\\uFFFDx', '')");
    Sql(string("SELECT pg_logical_emit_message(") + transactional + ", repeat('é', 32767) || 'x', '')");
    Sql(string("SELECT pg_logical_emit_message(") + transactional + ", repeat('é', 32768), '')");
    Sql(string("SELECT pg_logical_emit_message(") + transactional + ", repeat('x', 300000), 'still there')");
  }
  string longest;
  for (int i = 0; i < 32767; ++i) longest += "é";
  Strings expected;
  for (const bool transactional : {false, true}) {
    for (const string& line :
         {Message("�caf\\\\\\xe9", "78", transactional), Message("", "", transactional),
          Message("�\\xef\\xbf\\xbdx", "", transactional), Message(longest + "x", "", transactional),
          Message("!", "", transactional), Message("!", "7374696c6c207468657265", transactional)}) {
      expected.push_back(line);
    }
  }
  EXPECT_EQ(Lines(kOn), expected);
  TearDown();

  Prepare("CREATE PUBLICATION p FOR ALL TABLES", "SQL_ASCII");
  Sql("SELECT pg_logical_emit_message(false, 'caf\xe9', ''); SELECT pg_logical_emit_message(false, "
      "'caf\xc3\xa9', '')");
  Flush();
  EXPECT_EQ(Lines(kOn), (Strings{Message("�caf\\xe9", "", false), Message("café", "", false)}));
}

// None is too large for what lies between the log and the client.
TEST_F(Messages, ContentOfAnySize) {
  PrepareTables();
  const auto emit = [&](bool transactional, int64_t mib) {
    Sql(string("SELECT pg_logical_emit_message(") + (transactional ? "true" : "false") +
        ", 'big', decode(repeat('00ff10', " + std::to_string(mib << 20) + " / 3), 'hex'))");
  };
  emit(true, 100);
  emit(false, 100);
  Sql("INSERT INTO t VALUES (1)");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto events, Stream(kOn));
  const auto messages = Only(events);
  ASSERT_EQ(messages.size(), 2u);
  string expected;
  for (int i = 0; i < (100 << 20) / 3; ++i) expected.append("\0\xff\x10", 3);
  for (const ChangeBatch& message : messages) {
    EXPECT_TRUE(static_cast<const arrow::BinaryArray&>(*message.rows->column(1)).GetView(0) == expected);
  }
  Strings rows;
  for (const Event& event : events) {
    if (AsMessage(event) == nullptr) AppendLines(event, false, &rows);
  }
  EXPECT_EQ(rows, (Strings{"insert t(1)"}));
}

// Positions that are at or before a message's end are not sent again, as with a transaction.
TEST_F(Messages, ComeOnceAPositionIsConfirmed) {
  PrepareTables();
  const string first = Scalar("SELECT pg_logical_emit_message(false, 'm', '1')");
  Sql("SELECT pg_logical_emit_message(false, 'm', '2')");
  Flush();
  EXPECT_EQ(Lines(kOn), (Strings{Message("m", "31", false), Message("m", "32", false)}));
  Sql("SELECT pg_replication_slot_advance('" + slot() + "', '" + first + "')");
  EXPECT_EQ(Lines(kOn), (Strings{Message("m", "32", false)}));
}

}  // namespace
}  // namespace arrowcdc::test
