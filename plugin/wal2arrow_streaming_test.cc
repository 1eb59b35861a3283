// Transactions in progress: what is sent of them while they are, and what is left of it at their end. The
// server's memory is small, so that it streams after some hundred rows.
#include "plugin/testing/block_reader.h"
#include "plugin/testing/test_stream.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/walsender_client.h"

#include <algorithm>
#include <chrono>
#include <functional>

namespace arrowcdc::test {
namespace {

using std::string;
using Strings = std::vector<string>;
using FrameList = std::vector<std::shared_ptr<arrow::Buffer>>;

// A table's rows in their order; there is none between the tables of a transaction.
std::map<string, Strings> ByTable(const Strings& lines) {
  std::map<string, Strings> tables;
  for (const string& line : lines) {
    if (line.starts_with("notice ")) continue;
    const size_t begin = line.find(' ') + 1;
    tables[line.starts_with("truncate ") ? "truncate" : line.substr(begin, line.find('(') - begin)].push_back(
        line);
  }
  return tables;
}

int Count(const Strings& lines, const string& beginning) {
  return static_cast<int>(std::count_if(lines.begin(), lines.end(),
                                        [&](const string& line) { return line.starts_with(beginning); }));
}

class Streaming : public PluginTest {
 protected:
  static BlockReader Read(const arrow::Result<FrameList>& frames) {
    BlockReader reader;
    EXPECT_TRUE(frames.ok()) << frames.status();
    if (!frames.ok()) return reader;
    for (const auto& frame : *frames) {
      const arrow::Status fed = reader.Feed(frame);
      EXPECT_TRUE(fed.ok()) << fed;
      if (!fed.ok()) break;
    }
    return reader;
  }

  // What the slot gives with streaming: by SQL and by walsenders of each kind the rows that it gives without.
  BlockReader ReadAll(PluginOptions options = {}) {
    const BlockReader whole = Read(Frames(options));
    EXPECT_EQ(whole.blocks, 0);
    options["streaming"] = "on";
    BlockReader streamed = Read(Frames(options));
    EXPECT_EQ(ByTable(streamed.lines), ByTable(whole.lines));
    for (const bool batching : {false, true}) {
      for (const bool drain : {false, true}) {
        SCOPED_TRACE("batching " + std::to_string(batching) + ", drain " + std::to_string(drain));
        options["batching"] = batching ? "on" : "off";
        options["drain"] = drain ? "on" : "off";
        const BlockReader other = Read(StreamFrames(options));
        EXPECT_EQ(ByTable(other.lines), ByTable(whole.lines));
        EXPECT_EQ(other.blocks, streamed.blocks);
      }
    }
    return streamed;
  }

  string Ask(const string& query) {
    const auto connection = SharedServer().Connect(database());
    return (*connection)->Scalar(query).ValueOr("?");
  }
};

constexpr const char* kTable =
    "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE other (id int); CREATE TABLE hidden (id int);"
    "CREATE PUBLICATION p FOR TABLE t, other";

TEST_F(Streaming, OnlyWhereItIsAskedFor) {
  Prepare(kTable);
  Sql("INSERT INTO t SELECT g, 'row' FROM generate_series(1, 2000) g");
  const auto options_of = [&](const PluginOptions& options) {
    const auto frames = Frames(options);
    EXPECT_TRUE(frames.ok()) << frames.status();
    format::Frame frame;
    format::FrameError error;
    const auto& hello = frames.ValueOrDie()[0];
    EXPECT_TRUE(format::ReadFrame(hello->data(), static_cast<size_t>(hello->size()), &frame, &error));
    const format::SectionData& section = frame.section(format::SectionTag::kOptions);
    return string(reinterpret_cast<const char*>(section.data), section.bytes);
  };
  const auto has = [](const string& text, const string& part) { return text.find(part) != string::npos; };
  EXPECT_TRUE(has(options_of({}), "\nstreaming=off\n"));
  EXPECT_TRUE(has(options_of({{"streaming", "off"}}), "\nstreaming=off\n"));
  EXPECT_TRUE(has(options_of({{"streaming", "on"}}), "\nstreaming=on\n"));
  EXPECT_TRUE(has(options_of({{"try_streaming", "on"}}), "\nstreaming=on\n"));
  // What a later plugin would know, and a value that it would take.
  EXPECT_TRUE(
      has(options_of({{"try_streaming", "parallel"}, {"try_time_travel", "on"}}), "\nstreaming=off\n"));
  EXPECT_TRUE(has(options_of({{"try_compression", "lz4"}}), "\ncompression=lz4\n"));
  EXPECT_EQ(Read(Frames({{"try_streaming", "off"}})).blocks, 0);
  EXPECT_GT(Read(Frames({{"try_streaming", "on"}})).blocks, 1);
}

TEST_F(Streaming, OneTransaction) {
  Prepare(kTable);
  Sql("INSERT INTO other VALUES (0)");
  Sql("BEGIN; INSERT INTO t SELECT g, 'row ' || g FROM generate_series(1, 3000) g; INSERT INTO other VALUES "
      "(1);"
      "UPDATE t SET v = 'new' WHERE id <= 500; UPDATE t SET id = -id WHERE id <= 300; DELETE FROM t WHERE id "
      "> "
      "2500; COMMIT");
  Sql("INSERT INTO other VALUES (2)");
  const BlockReader read = ReadAll({{"batch_bytes", "20000"}});
  EXPECT_GT(read.blocks, 3);
  EXPECT_EQ(Count(read.log, "commit 1"), 1);
  EXPECT_EQ(read.lines.size(), 1 + 3000 + 1 + 500 + 600 + 500 + 1);
  EXPECT_EQ(read.lines.front(), "insert other(0) #0");
  EXPECT_EQ(read.lines.back(), "insert other(2) #0");
  // What is committed before is told of before.
  ASSERT_GE(read.log.size(), 2u);
  EXPECT_EQ(Strings(read.log.begin(), read.log.begin() + 2), (Strings{"group end", "start 1"}));
}

// Blocks end where memory is short, also between the rows of one record.
TEST_F(Streaming, RecordsOfManyRows) {
  Prepare("CREATE TABLE t (id int); CREATE PUBLICATION p FOR TABLE t");
  string data;
  for (int i = 1; i <= 5000; ++i) data += std::to_string(i) + "\n";
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto connection, SharedServer().Connect(database()));
  ARROWCDC_ASSERT_OK(connection->CopyIn("COPY t FROM STDIN", data));
  const BlockReader read = ReadAll();
  EXPECT_GT(read.blocks, 3);
  EXPECT_EQ(read.lines.size(), 5000u);
  // Some record has rows in two blocks: the first one of a block goes on counting.
  bool goes_on = false;
  size_t row = 0;
  for (size_t i = 0; i + 1 < read.log.size(); ++i) {
    if (read.log[i] == "row 1") ++row;
    if (read.log[i] == "start 1") goes_on = goes_on || !read.lines[row].ends_with("#0");
  }
  EXPECT_TRUE(goes_on);
}

TEST_F(Streaming, PartsThatAreRolledBack) {
  Prepare(kTable);
  Sql("BEGIN; INSERT INTO t SELECT g, 'kept' FROM generate_series(1, 700) g;"
      "SAVEPOINT a; INSERT INTO t SELECT g, 'gone' FROM generate_series(1001, 1700) g;"
      "SAVEPOINT b; INSERT INTO t SELECT g, 'gone too' FROM generate_series(2001, 2700) g; RELEASE b;"
      "ROLLBACK TO a; INSERT INTO t SELECT g, 'kept' FROM generate_series(3001, 3700) g;"
      "SAVEPOINT c; INSERT INTO other SELECT generate_series(1, 700); RELEASE c;"
      "INSERT INTO t SELECT g, 'kept' FROM generate_series(4001, 4010) g; COMMIT");
  const BlockReader read = ReadAll();
  EXPECT_GT(read.blocks, 3);
  EXPECT_EQ(Count(read.lines, "insert t("), 1410);
  EXPECT_EQ(Count(read.lines, "insert other("), 700);
  EXPECT_GE(Count(read.log, "abort "), 1);
  EXPECT_GT(Count(read.log, "row 2"), 0) << "nothing was sent of what was rolled back";
}

// A batch for all savepoints, not one for each.
TEST_F(Streaming, ManySmallParts) {
  Prepare(kTable);
  Sql("DO $$ BEGIN FOR i IN 1..2000 LOOP BEGIN INSERT INTO t VALUES (i, 'x'); IF i % 3 = 0 THEN RAISE "
      "division_by_zero; END IF; EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP; END $$");
  const BlockReader read = ReadAll();
  EXPECT_GT(read.blocks, 1);
  EXPECT_EQ(read.lines.size(), 2000u - 666u);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto frames, Frames({{"streaming", "on"}}));
  EXPECT_LT(frames.size(), 200u + 666u);
}

TEST_F(Streaming, TransactionsThatAreRolledBack) {
  Prepare(kTable);
  Sql("BEGIN; INSERT INTO t SELECT g, 'gone' FROM generate_series(1, 3000) g; ROLLBACK");
  Sql("INSERT INTO t VALUES (1, 'there')");
  // By SQL and drained the whole of it lies in the WAL when it is read, and the server may know how it ends.
  const BlockReader read = Read(Frames({{"streaming", "on"}}));
  EXPECT_EQ(read.lines, Strings{"insert t(1, there) #0"});
  EXPECT_EQ(Count(read.log, "commit"), 0);
  EXPECT_EQ(Count(read.log, "start 1") > 0, Count(read.log, "abort 1 of 1") > 0);
}

TEST_F(Streaming, DdlWithin) {
  Prepare(kTable);
  Sql("BEGIN; INSERT INTO t SELECT g, 'two' FROM generate_series(1, 700) g; ALTER TABLE t ADD extra int "
      "DEFAULT 7;"
      "INSERT INTO t SELECT g, 'three' FROM generate_series(1001, 1700) g; SAVEPOINT s;"
      "ALTER TABLE t DROP v; INSERT INTO t SELECT g FROM generate_series(2001, 2700) g; ROLLBACK TO s;"
      "INSERT INTO t SELECT g, 'again' FROM generate_series(3001, 3700) g; ALTER TABLE t RENAME TO u;"
      "INSERT INTO u SELECT g, 'renamed' FROM generate_series(4001, 4700) g;"
      "CREATE TABLE made (id int); ALTER PUBLICATION p ADD TABLE made;"
      "INSERT INTO made SELECT generate_series(1, 700); DROP TABLE other;"
      "TRUNCATE u, made; INSERT INTO u VALUES (-1); COMMIT");
  Sql("INSERT INTO u VALUES (-2); INSERT INTO made VALUES (0)");
  const BlockReader read = ReadAll();
  EXPECT_GT(read.blocks, 5);
  const auto tables = ByTable(read.lines);
  EXPECT_EQ(tables.at("t").front(), "insert t(1, two) #0");
  EXPECT_EQ(tables.at("t").back(), "insert t(3700, again, 7) #0");
  EXPECT_EQ(tables.at("t").size(), 2100u);
  EXPECT_EQ(tables.at("u").size(), 702u);
  EXPECT_EQ(tables.at("made").size(), 701u);
  EXPECT_EQ(tables.at("truncate"), Strings{"truncate u made"});
}

TEST_F(Streaming, LargeValues) {
  Prepare(
      "CREATE TABLE t (id int PRIMARY KEY, v text, w text, n int); ALTER TABLE t ALTER v SET STORAGE "
      "EXTERNAL;"
      "CREATE PUBLICATION p FOR TABLE t");
  Sql("BEGIN; INSERT INTO t SELECT g, repeat('x', 3000 + g), repeat('y', 30), 0 FROM generate_series(1, 200) "
      "g;"
      "UPDATE t SET n = 1; UPDATE t SET id = id + 1000; COMMIT");
  const BlockReader read = ReadAll();
  EXPECT_GT(read.blocks, 1);
  EXPECT_EQ(read.lines.size(), 200u + 200u + 400u);
  EXPECT_EQ(Count(read.lines, "update_after t(1, ~, "), 1);
}

TEST_F(Streaming, TruncatesAlone) {
  Prepare(kTable);
  Sql("INSERT INTO t VALUES (1, 'before')");
  Sql("BEGIN; TRUNCATE hidden, t, other CASCADE; INSERT INTO hidden SELECT generate_series(1, 3000); "
      "TRUNCATE t "
      "RESTART IDENTITY; COMMIT");
  const BlockReader read = ReadAll();
  EXPECT_GT(read.blocks, 0);
  EXPECT_EQ(ByTable(read.lines).at("truncate"), (Strings{"truncate t other cascade", "truncate t restart"}));
}

// Messages are rows like others: those of a part that is rolled back are gone, those of no transaction not.
TEST_F(Streaming, Messages) {
  Prepare(kTable);
  Sql("BEGIN; SELECT pg_logical_emit_message(true, 'kept', 'first');"
      "INSERT INTO t SELECT g, 'x' FROM generate_series(1, 1500) g; SAVEPOINT s;"
      "SELECT pg_logical_emit_message(true, 'gone', 'x');"
      "INSERT INTO t SELECT g, 'x' FROM generate_series(2001, 3500) g; ROLLBACK TO s;"
      "SELECT pg_logical_emit_message(true, 'kept', 'last'); SELECT pg_logical_emit_message(false, 'now', "
      "'y');"
      "INSERT INTO t SELECT g, 'x' FROM generate_series(4001, 5500) g; COMMIT");
  const BlockReader read = ReadAll({{"messages", "on"}});
  EXPECT_GT(read.blocks, 3);
  EXPECT_EQ(Count(read.lines, "insert _arrowcdc_messages("), 3);
  EXPECT_EQ(Count(read.lines, "insert t("), 3000);
}

// Only that rows were passed over is told, once, and with the transaction.
TEST_F(Streaming, NothingPublished) {
  Prepare(kTable);
  Sql("INSERT INTO t VALUES (1, 'x')");
  Sql("INSERT INTO hidden SELECT generate_series(1, 3000)");
  Sql("INSERT INTO hidden SELECT generate_series(1, 3000)");
  Sql("INSERT INTO t VALUES (2, 'x')");
  const BlockReader read = Read(Frames({{"streaming", "on"}}));
  EXPECT_EQ(read.blocks, 1);
  EXPECT_EQ(read.log, (Strings{"group end", "start 1", "notice", "stop 1", "commit 1", "group end"}));
  EXPECT_EQ(read.lines, (Strings{"insert t(1, x) #0", "notice 0 hidden", "insert t(2, x) #0"}));
}

// What the server is to read was rolled back before it does: it notices where a row needs the catalog, in the
// middle of the row. Whatever that was, the rows of others that stand behind are all there.
class RolledBackBefore : public Streaming {
 protected:
  void SetUp() override {
    Prepare(
        "CREATE TYPE color AS ENUM ('red'); CREATE TYPE pair AS (a int, b color, t text);"
        "CREATE TYPE sometimes;"
        "CREATE FUNCTION sometimes_in(cstring) RETURNS sometimes LANGUAGE internal STRICT IMMUTABLE AS "
        "'oidin';"
        "CREATE FUNCTION sometimes_out(sometimes) RETURNS cstring LANGUAGE internal STRICT IMMUTABLE AS "
        "'enum_out';"
        "CREATE TYPE sometimes (input = sometimes_in, output = sometimes_out, internallength = 4, "
        "passedbyvalue,"
        " alignment = int4);"
        "CREATE TABLE t (id int PRIMARY KEY, v text, n int, l text[], c color, p pair, ps pair[], s "
        "sometimes,"
        " z text);"
        "CREATE TABLE other (id int); CREATE PUBLICATION p FOR TABLE t, other;"
        "DO $$ BEGIN FOR i IN 0..99 LOOP EXECUTE format('ALTER TYPE color ADD VALUE %L', 'c' || i); END "
        "LOOP; END "
        "$$");
  }

  // Rows from..to, with one value that is made of a label; from the 150th on each has one that no row had.
  static string Rows(int from, int to, const string& column, const string& value) {
    string label = "'red'";
    if (to - from > 200) {
      label = "CASE WHEN g < " + std::to_string(from + 150) + " THEN 'red' ELSE 'c' || g % 100 END";
    }
    string made = value;
    made.replace(made.find('@'), 1, "(" + label + ")");
    return "INSERT INTO t (id, v, n, l, z, " + column +
           ") SELECT g, 'value ' || g, nullif(g % 3, 0), ARRAY['x', 'y' || g], 'z', " + made +
           " FROM generate_series(" + std::to_string(from) + ", " + std::to_string(to) + ") g;";
  }

  // `load` in a transaction, and in a part of one, that are rolled back; `rows` before and behind.
  void Check(const string& load, const std::function<string(int from, int to)>& rows) {
    Sql(rows(-10, -1));
    Sql("INSERT INTO other VALUES (1)");
    Sql("BEGIN;" + load + "ROLLBACK");
    Sql(rows(10000, 10010) + "INSERT INTO other VALUES (2)");
    Sql("BEGIN; INSERT INTO other SELECT generate_series(1, 100); SAVEPOINT s;" + load + "ROLLBACK TO s;" +
        rows(20000, 20010) + "INSERT INTO other SELECT generate_series(1, 1000); COMMIT");
    Sql(rows(30000, 30010) + "INSERT INTO other VALUES (3)");
    const BlockReader read = ReadAll();
    EXPECT_GT(Count(read.log, "abort "), 0) << "nothing was sent of what was rolled back";
    EXPECT_EQ(Count(read.lines, "insert t("), 10 + 3 * 11);
    EXPECT_EQ(Count(read.lines, "insert other("), 1 + 1 + 1100 + 1);
  }

  void CheckColumn(const string& column, const string& value) {
    Check(Rows(1000, 4000, column, value), [&](int from, int to) { return Rows(from, to, column, value); });
  }
};

TEST_F(RolledBackBefore, Enum) { CheckColumn("c", "@::color"); }

TEST_F(RolledBackBefore, Composite) { CheckColumn("p", "ROW(g, @::color, 'text ' || g)::pair"); }

TEST_F(RolledBackBefore, List) {
  CheckColumn("ps", "ARRAY[ROW(NULL, 'red', 'text')::pair, NULL, ROW(g, @::color, NULL)::pair]");
}

TEST_F(RolledBackBefore, OutputFunction) {
  CheckColumn(
      "s", "(SELECT oid FROM pg_enum WHERE enumtypid = 'color'::regtype AND enumlabel = @)::text::sometimes");
}

TEST_F(RolledBackBefore, StaleEntry) {
  const auto rows = [](int from, int to) { return Rows(from, to, "c", "@::color"); };
  Check(rows(1000, 1100) + "ALTER TABLE t ADD extra int DEFAULT 5;" + rows(2000, 2100) +
            "ALTER TABLE t DROP v; INSERT INTO t (id) SELECT generate_series(3000, 5000);",
        rows);
}

TEST_F(RolledBackBefore, StalePublication) {
  const auto rows = [](int from, int to) { return Rows(from, to, "c", "@::color"); };
  Check(
      rows(1000, 1100) + "ALTER PUBLICATION p DROP TABLE other;" + rows(2000, 4000) +
          "ALTER PUBLICATION p SET (publish = 'delete'); INSERT INTO other SELECT generate_series(1, 1000);",
      rows);
}

// Two that are in progress at the same time, and a small one that commits between their blocks.
class Interleaved : public Streaming {
 protected:
  void Connect() {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(first_, SharedServer().Connect(database()));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(second_, SharedServer().Connect(database()));
  }
  void First(const string& sql) { ARROWCDC_ASSERT_OK(first_->Exec(sql)); }
  void Second(const string& sql) { ARROWCDC_ASSERT_OK(second_->Exec(sql)); }

  std::unique_ptr<SqlConnection> first_;
  std::unique_ptr<SqlConnection> second_;
};

TEST_F(Interleaved, Rows) {
  Prepare(kTable);
  Connect();
  First("BEGIN");
  Second("BEGIN");
  for (int i = 0; i < 5; ++i) {
    const string from = std::to_string(i * 400 + 1);
    const string to = std::to_string(i * 400 + 400);
    First("INSERT INTO t SELECT g, 'first' FROM generate_series(" + from + ", " + to + ") g");
    Second("INSERT INTO t SELECT -g, 'second' FROM generate_series(" + from + ", " + to + ") g");
    if (i == 3) Second("SAVEPOINT s; INSERT INTO other SELECT generate_series(1, 500); ROLLBACK TO s");
    Sql("INSERT INTO other VALUES (" + std::to_string(i) + ")");
  }
  Second("COMMIT");
  First("COMMIT");
  const BlockReader read = ReadAll();
  EXPECT_GT(read.blocks, 4);
  EXPECT_EQ(Count(read.lines, "insert t("), 4000);
  EXPECT_EQ(Count(read.lines, "insert other("), 5);
  EXPECT_EQ(read.log.back(), "commit 1");
}

// What a transaction has changed in the catalog counts in all of its blocks, and in no other transaction.
TEST_F(Interleaved, CatalogOfEachTransaction) {
  Prepare(kTable);
  Connect();
  First(
      "BEGIN; ALTER PUBLICATION p DROP TABLE other; INSERT INTO t SELECT g, 'x' FROM generate_series(1, 800) "
      "g");
  Sql("INSERT INTO other VALUES (1)");
  First(
      "INSERT INTO other SELECT -g FROM generate_series(1, 800) g;"
      "INSERT INTO t SELECT g, 'x' FROM generate_series(1001, 1800) g");
  Sql("INSERT INTO other VALUES (2)");
  First("INSERT INTO other VALUES (-1); COMMIT");
  Sql("INSERT INTO other VALUES (3)");
  const BlockReader read = ReadAll();
  EXPECT_GT(read.blocks, 2);
  EXPECT_EQ(ByTable(read.lines).at("other"), (Strings{"insert other(1) #0", "insert other(2) #0"}));
}

// In one block: the server throws the news of it away with the block's rest, and would read the rows behind
// it by the old names. Where nothing was changed, the stream goes on (PartsThatAreRolledBack).
TEST_F(Interleaved, CatalogChangedWhileAPartWasRolledBack) {
  Prepare(kTable);
  Connect();
  First("BEGIN; SAVEPOINT s; INSERT INTO other SELECT generate_series(1, 20)");
  Sql("ALTER TABLE t RENAME v TO w");
  First(
      "INSERT INTO other SELECT generate_series(1001, 2000); ROLLBACK TO s;"
      "INSERT INTO t SELECT g, 'new' FROM generate_series(1, 1000) g; COMMIT");
  const arrow::Status refused = Frames({{"streaming", "on"}}).status();
  EXPECT_NE(refused.message().find("another transaction changed the catalog"), string::npos) << refused;
  const BlockReader whole = Read(Frames());
  EXPECT_EQ(whole.blocks, 0);
  EXPECT_EQ(Count(whole.lines, "insert t("), 1000);
}

// What was told within a transaction that did not commit was not told.
TEST_F(Interleaved, NoticesOfTransactionsThatAreRolledBack) {
  Prepare(kTable);
  Connect();
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto client,
                                WalsenderClient::Start(SharedServer().conninfo(database()), slot(),
                                                       {{"publication_names", "p"}, {"streaming", "on"}}));
  BlockReader reader;
  const auto read_until = [&](const std::function<bool()>& done) {
    while (!done()) {
      ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto message, client->Next(std::chrono::seconds(60)));
      ASSERT_TRUE(message) << "the stream stands still";
      if (!message->keepalive) ARROWCDC_ASSERT_OK(reader.Feed(arrow::Buffer::FromString(message->frame)));
    }
  };
  First(
      "BEGIN; INSERT INTO hidden SELECT generate_series(1, 1000); ALTER PUBLICATION p SET (publish = "
      "'insert'); INSERT INTO t SELECT g, 'x' FROM generate_series(1, 2000) g");
  ASSERT_NO_FATAL_FAILURE(read_until([&] { return Count(reader.log, "row 1") > 0; }));
  EXPECT_GE(Count(reader.log, "notice"), 2);
  Sql("INSERT INTO hidden VALUES (0)");
  Sql("INSERT INTO t VALUES (-1, 'there')");
  ASSERT_NO_FATAL_FAILURE(read_until([&] { return Count(reader.lines, "insert t(-1") > 0; }));
  First("ROLLBACK");
  Sql("ALTER PUBLICATION p SET (publish = 'insert')");
  Sql("INSERT INTO t VALUES (-2, 'there')");
  ASSERT_NO_FATAL_FAILURE(read_until([&] { return Count(reader.lines, "insert t(-2") > 0; }));
  EXPECT_EQ(Count(reader.log, "abort 1 of 1"), 1);
  EXPECT_EQ(reader.lines, (Strings{"notice 0 hidden", "insert t(-1, there) #0", "notice 2 p", "notice 1 t",
                                   "insert t(-2, there) #0"}));
  ARROWCDC_ASSERT_OK(client->End());
}

// A session that begins in the middle of a transaction gets all of it.
TEST_F(Interleaved, SessionsThatBeginWithin) {
  Prepare(kTable);
  Connect();
  First("BEGIN; INSERT INTO t SELECT g, 'early' FROM generate_series(1, 1500) g");
  Sql("INSERT INTO other VALUES (1)");
  ARROWCDC_ASSERT_OK(first_->Exec("SELECT pg_logical_emit_message(false, 'place', '')"));
  Sql("SELECT pg_replication_slot_advance('" + slot() + "', pg_current_wal_lsn())");
  First("INSERT INTO t SELECT g, 'late' FROM generate_series(2001, 3500) g; COMMIT");
  const BlockReader read = ReadAll();
  EXPECT_EQ(read.lines.size(), 3000u);
}

}  // namespace
}  // namespace arrowcdc::test
