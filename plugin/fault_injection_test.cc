// Errors at every allocation, server call and callback of the plugin (fault_injection.cc): no process of the
// server crashes (test_stream.cc looks at the end), nothing leaks, and the next session on the same backend
// gives the same stream.
#include "plugin/testing/block_reader.h"
#include "plugin/testing/test_stream.h"
#include "plugin/testing/walsender_stream.h"
#include "tests/testing/assert_ok.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <regex>
#include <utility>

namespace arrowcdc::test {
namespace {

using std::string;

// Sessions of the SQL functions, and of the walsender, are tried with each of these.
const std::vector<PluginOptions> kSqlOptionSets = {
    {},
    {{"batch_bytes", "1"}, {"numeric", "decimal(38,6)"}, {"publication_names", "p,q"}, {"messages", "on"}},
    {{"streaming", "on"}}};
const std::vector<PluginOptions> kWalsenderOptionSets = {
    {{"batching", "on"}, {"drain", "on"}, {"messages", "on"}},
    {{"batching", "off"}, {"drain", "on"}, {"batch_bytes", "1"}, {"numeric", "decimal(38,6)"}},
    {{"batching", "on"}, {"drain", "off"}},
    {{"batching", "off"}, {"drain", "off"}}};

constexpr const char* kSetup =
    "CREATE TYPE sometimes;"
    "CREATE FUNCTION sometimes_in(cstring) RETURNS sometimes LANGUAGE internal STRICT IMMUTABLE AS 'oidin';"
    "CREATE FUNCTION sometimes_out(sometimes) RETURNS cstring LANGUAGE internal STRICT IMMUTABLE AS "
    "'enum_out';"
    "CREATE TYPE sometimes (input = sometimes_in, output = sometimes_out, internallength = 4, passedbyvalue,"
    " alignment = int4);"
    "CREATE TYPE color AS ENUM ('red', 'blue'); CREATE DOMAIN price AS numeric(8,2); CREATE TYPE pair AS (a "
    "int, b color);"
    "CREATE TABLE mapped (id bigint PRIMARY KEY, b bool, c \"char\", i2 int2, i4 int4, f4 float4, f8 float8, "
    "o oid,"
    " n numeric(12,2), n2 numeric(50,5), nn numeric, m money, t text, v varchar(20), bc char(5), na name, "
    "bin bytea, d date,"
    " ts timestamp, tz timestamptz, ti time, tt timetz, iv interval, u uuid, j json, jb jsonb, ia int[], ta "
    "text[],"
    " l pg_lsn, p price);"
    "CREATE TABLE unmapped (id int PRIMARY KEY, s sometimes, c color, cs color[], p pair, r int4range, i "
    "inet, bits varbit,"
    " pt point);"
    "CREATE TABLE toasted (id int PRIMARY KEY, big text, packed text, jb jsonb, n int);"
    "ALTER TABLE toasted ALTER big SET STORAGE EXTERNAL;"
    "CREATE TABLE full_identity (id int, big text); ALTER TABLE full_identity REPLICA IDENTITY FULL;"
    "ALTER TABLE full_identity ALTER big SET STORAGE EXTERNAL;"
    "CREATE TABLE parted (id int, k int, v text) PARTITION BY LIST (k);"
    "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);"
    "CREATE TABLE parted_2 (v text, dropped int, k int, id int); ALTER TABLE parted_2 DROP COLUMN dropped;"
    "ALTER TABLE parted ATTACH PARTITION parted_2 FOR VALUES IN (2);"
    "ALTER TABLE parted REPLICA IDENTITY FULL; ALTER TABLE parted_1 REPLICA IDENTITY FULL;"
    "ALTER TABLE parted_2 ADD PRIMARY KEY (id);"
    "CREATE TABLE generated (v int, g int GENERATED ALWAYS AS (v + 1) STORED PRIMARY KEY);"
    "CREATE TABLE changing (id int, v int); CREATE TABLE unpublished (id int);"
    "CREATE TABLE filtered (id int PRIMARY KEY, t text);"
    "CREATE PUBLICATION p FOR TABLE mapped, unmapped, toasted, full_identity, parted WHERE (id < 100), "
    "changing,"
    " generated, filtered WHERE (id > 1 AND 4 / (id - 3) > -9)"
    " WITH (publish_via_partition_root = true); CREATE PUBLICATION q FOR TABLE generated;"
    // From 18 on a table cannot be changed whose identity has a generated column that is not published.
    "DO $$ BEGIN IF current_setting('server_version_num')::int >= 180000 THEN"
    " EXECUTE 'ALTER PUBLICATION p SET (publish_generated_columns = stored)';"
    " EXECUTE 'ALTER PUBLICATION q SET (publish_generated_columns = stored)'; END IF; END $$";

// \xe9 is written by chr(), so that the statements are the same in every encoding.
constexpr const char* kWorkload[] = {
    "SELECT pg_logical_emit_message(false, 'caf' || chr(233), 'first of all'), "
    "pg_logical_emit_message(true, 'caf' || chr(233), '')",
    "INSERT INTO mapped SELECT g, g % 2 = 0, 'x', g, g, g, g, g, g * 1.25, g * 3.00001, g * 3.14159, "
    "g::text::money,"
    " 'text ' || chr(233) || g, 'v' || g, 'c', 'name', '\\xdeadbeef', '2026-01-01', '2026-01-01 12:00', "
    "'2026-01-01 12:00+00',"
    " '12:00', '12:00+02', '1 day', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{\"a\": 1}',"
    " ('{\"' || chr(233) || '\": [1, 2.5, \"x\\n\", true, null, {\"b\": {}}]}')::jsonb, ARRAY[1, NULL, 3],"
    " ARRAY['a', chr(233)], '0/1', g FROM generate_series(1, 12) g",
    "INSERT INTO mapped VALUES (13); INSERT INTO mapped VALUES (14, NULL, NULL, NULL, NULL, 'inf', 'nan', "
    "NULL, 'nan', NULL, 'inf', NULL, NULL, NULL,"
    " NULL, NULL, NULL, 'infinity', '-infinity', 'infinity')",
    "INSERT INTO unmapped SELECT g, oid::text::sometimes, 'red', '{red,blue}', '(1,blue)', '[1,5)', "
    "'10.0.0.1/8',"
    " '10110', '(1,2)' FROM generate_series(1, 3) g, pg_enum WHERE enumlabel = 'red' AND enumtypid = "
    "'color'::regtype",
    "INSERT INTO unmapped VALUES (4, '5')",
    "INSERT INTO toasted VALUES (1, repeat('abc', 4000), repeat('d', 20000),"
    " (SELECT jsonb_agg(g) FROM generate_series(1, 2000) g), 1)",
    "UPDATE toasted SET n = 2; UPDATE toasted SET id = 5; DELETE FROM toasted",
    "INSERT INTO full_identity VALUES (1, repeat('x', 9000)); UPDATE full_identity SET id = 2; DELETE FROM "
    "full_identity",
    "INSERT INTO parted VALUES (1, 1, 'one'), (2, 2, 'two'); UPDATE parted SET k = 2 WHERE id = 1; TRUNCATE "
    "parted",
    "BEGIN; INSERT INTO changing VALUES (1, 1); ALTER TABLE changing ADD extra text; INSERT INTO changing "
    "VALUES (2, 2, 'e');"
    " ALTER TABLE changing ALTER v TYPE bigint; SAVEPOINT s; INSERT INTO changing VALUES (3); ROLLBACK TO s;"
    " INSERT INTO changing VALUES (4, 4, 'f'); ALTER TABLE changing RENAME v TO w; INSERT INTO changing "
    "VALUES (5, 5, 'g');"
    " COMMIT",
    "BEGIN; INSERT INTO changing VALUES (6); INSERT INTO mapped(id) VALUES (100); TRUNCATE changing, mapped;"
    " INSERT INTO mapped(id) VALUES (101); COMMIT",
    "INSERT INTO generated VALUES (1); DELETE FROM generated; INSERT INTO parted VALUES (3, 1, 'again');"
    "CREATE SCHEMA elsewhere; ALTER TABLE parted SET SCHEMA elsewhere; INSERT INTO elsewhere.parted VALUES "
    "(4, 2, 'x')",
    "INSERT INTO filtered SELECT g, 't' FROM generate_series(1, 4) g; UPDATE filtered SET id = 5 WHERE id = "
    "1; UPDATE filtered SET id = -id WHERE id > 1",
    "BEGIN; INSERT INTO changing VALUES (6); SELECT pg_logical_emit_message(true, 'in', repeat('x', 9000)); "
    "INSERT INTO changing VALUES (6); SELECT pg_logical_emit_message(false, 'out', ''); COMMIT",
    "INSERT INTO unpublished SELECT g FROM generate_series(1, 300) g",
    "DROP TABLE unmapped",
    "INSERT INTO changing VALUES (7, 7, 'last')",
};

// Large enough for several blocks. The ids of its rows and of no others are negative.
constexpr const char* kLargeTransaction =
    "BEGIN; INSERT INTO again SELECT -g, 'red', '{red,blue}', '(1,blue)', "
    "(SELECT oid FROM pg_enum WHERE enumlabel = 'red' AND enumtypid = 'color'::regtype)::text::sometimes, "
    "'text ' || chr(233) || g FROM generate_series(1, 600) g; "
    "INSERT INTO elsewhere.parted SELECT -g, 1 + g % 2, 'x' FROM generate_series(1, 300) g; SAVEPOINT s;"
    "INSERT INTO unpublished SELECT -g FROM generate_series(1, 300) g; ALTER TABLE again ADD extra color;"
    "INSERT INTO again SELECT -g, 'blue', NULL, NULL, NULL, NULL, 'blue' FROM generate_series(1001, 1600) g;"
    "ROLLBACK TO s; ALTER TABLE again ADD other text; ALTER PUBLICATION p SET (publish = 'insert');"
    "INSERT INTO again SELECT -g, 'blue', '{blue}', NULL, NULL, NULL, 'other' FROM generate_series(2001, "
    "2600) g;"
    "ALTER PUBLICATION p SET (publish = 'insert, update, delete, truncate'); COMMIT";

class FaultInjection : public PluginTest, public ::testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    const char* const plugin = std::getenv("ARROWCDC_PLUGIN");
    ASSERT_TRUE(plugin != nullptr) << "ARROWCDC_PLUGIN must name the fault build, as ctest does";
    ASSERT_NO_FATAL_FAILURE(Prepare(kSetup, GetParam()));
    for (const char* statement : kWorkload) ASSERT_NO_FATAL_FAILURE(Sql(statement));
  }

  void AddLargeTransaction() {
    ASSERT_NO_FATAL_FAILURE(
        Sql("CREATE TABLE again (id int PRIMARY KEY, c color, cs color[], p pair, s sometimes, t text);"
            "ALTER PUBLICATION p ADD TABLE again"));
    ASSERT_NO_FATAL_FAILURE(Sql("INSERT INTO again VALUES (1, 'red', '{red}', '(1,red)')"));
    ASSERT_NO_FATAL_FAILURE(Sql(kLargeTransaction));
    ASSERT_NO_FATAL_FAILURE(Sql("INSERT INTO again VALUES (2, 'blue'), (3, 'red')"));
    ASSERT_NO_FATAL_FAILURE(Sql("INSERT INTO elsewhere.parted VALUES (4, 1, 'last')"));
  }
};

arrow::Status SetFault(SqlConnection& connection, const string& points, const string& action, int at) {
  for (const auto& [name, value] :
       std::map<string, string>{{"points", points}, {"action", action}, {"at", std::to_string(at)}}) {
    ARROW_RETURN_NOT_OK(connection.Exec("SET wal2arrow_faults." + name + " = '" + value + "'"));
  }
  return arrow::Status::OK();
}

arrow::Result<int> Seen(SqlConnection& connection) {
  ARROW_ASSIGN_OR_RAISE(const string seen, connection.Scalar("SHOW wal2arrow_faults.seen"));
  return std::stoi(seen);
}

// ARROWCDC_FAULTS: "all" points (make faults), "few" under valgrind, else some.
string Scope() {
  const char* const given = std::getenv("ARROWCDC_FAULTS");
  return given != nullptr ? given : "";
}

// The points to try: the first `dense`, and about `sparse` more up to the last.
std::vector<int> PointsToTry(int count, int dense, int sparse) {
  if (Scope() == "all") dense = count;
  if (Scope() == "few") dense = 1;
  std::vector<int> points;
  const int stride = std::max(1, (count - dense) / sparse);
  for (int at = 1; at <= count; at += at < dense ? 1 : stride) points.push_back(at);
  if (points.empty() || points.back() != count) points.push_back(count);
  return points;
}

// Bytes in the memory contexts of the connection's backend, and those of its process that are its own.
struct Memory {
  int64_t contexts = 0;
  int64_t process = 0;
};
arrow::Result<Memory> MemoryOf(SqlConnection& connection) {
  Memory memory;
  ARROW_ASSIGN_OR_RAISE(const string total,
                        connection.Scalar("SELECT sum(total_bytes) FROM pg_backend_memory_contexts"));
  memory.contexts = std::stoll(total);
  std::ifstream status("/proc/" + std::to_string(connection.backend_pid()) + "/status");
  for (string line; std::getline(status, line);) {
    if (line.starts_with("RssAnon:")) memory.process = std::stoll(line.substr(8)) * 1024;
  }
  return memory;
}

// Sessions that fail leave nothing behind. What a session allocates is a few hundred KiB, so that what is
// left of one would show after dozens of them. Caches grow by a block now and then: a leak grows every time.
void ExpectNoGrowth(SqlConnection& connection, int points, const std::function<void(int at)>& fail_at) {
  constexpr int kRounds = 4;
  constexpr int kSessions = 40;
  constexpr int64_t kContextGrowthMax = 64 << 10;
  constexpr int64_t kProcessGrowthMax = 2 << 20;
  if (Scope() == "few") return;  // the memory would be valgrind's
  string growth;
  for (int round = 0; round < kRounds; ++round) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const Memory before, MemoryOf(connection));
    for (int i = 0; i < kSessions; ++i) fail_at(1 + static_cast<int>(int64_t{points - 1} * i / kSessions));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const Memory after, MemoryOf(connection));
    const int64_t contexts = after.contexts - before.contexts;
    const int64_t process = after.process - before.process;
    if (contexts <= kContextGrowthMax && process <= kProcessGrowthMax) return;
    growth += " " + std::to_string(contexts) + "/" + std::to_string(process);
  }
  FAIL() << "bytes of contexts/of the process that " << kSessions
         << " sessions left, again and again:" << growth;
}

INSTANTIATE_TEST_SUITE_P(Encodings, FaultInjection, ::testing::Values("UTF8", "LATIN1"),
                         [](const auto& info) { return string(info.param); });

TEST_P(FaultInjection, ErrorsInSqlFunctions) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto connection, SharedServer().Connect(database()));
  for (const PluginOptions& options : kSqlOptionSets) {
    if (options.contains("streaming")) {
      ASSERT_NO_FATAL_FAILURE(AddLargeTransaction());
    }
    const bool thorough = string(GetParam()) == "UTF8" && options.empty();
    ARROWCDC_ASSERT_OK(SetFault(*connection, "call", "error", 0));
    const string read = "SELECT md5(string_agg(lsn || encode(data, 'hex'), ',')) FROM " + PeekCall(options);
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const string expected, connection->Scalar(read));
    for (const string points : {"allocation", "call", "callback"}) {
      ARROWCDC_ASSERT_OK(SetFault(*connection, points, "error", 0));
      ARROWCDC_ASSERT_OK_AND_ASSIGN(const string again, connection->Scalar(read));
      ASSERT_EQ(again, expected);
      ARROWCDC_ASSERT_OK_AND_ASSIGN(const int count, Seen(*connection));
      const auto tries =
          thorough && points != "call" ? PointsToTry(count, 500, 50) : PointsToTry(count, 1, 40);
      for (const int at : tries) {
        SCOPED_TRACE(points + " " + std::to_string(at) + " of " + std::to_string(count));
        ARROWCDC_ASSERT_OK(SetFault(*connection, points, "error", at));
        const auto failed = connection->Query(read);
        ASSERT_FALSE(failed.ok());
        ASSERT_NE(failed.status().message().find("error at point " + std::to_string(at) + ","), string::npos)
            << failed.status();
        ARROWCDC_ASSERT_OK(SetFault(*connection, points, "error", 0));
        ARROWCDC_ASSERT_OK_AND_ASSIGN(const string next, connection->Scalar(read));
        ASSERT_EQ(next, expected);
      }
      std::printf("%zu of %d points of kind %s\n", tries.size(), count, points.c_str());

      ExpectNoGrowth(*connection, count, [&](int at) {
        ARROWCDC_ASSERT_OK(SetFault(*connection, points, "error", at));
        ASSERT_FALSE(connection->Query(read).ok());
      });
      ASSERT_FALSE(HasFailure());
    }
  }
}

// A table's rows in their order; truncates are a table of their own. Batches across transactions and the cuts
// between them, which depend on who is faster, change the order among tables.
using LinesByTable = std::map<string, std::vector<string>>;
LinesByTable ByTable(const std::vector<string>& lines) {
  LinesByTable tables;
  for (const string& line : lines) {
    const bool truncate = line.starts_with("truncate ");
    tables[truncate ? "truncate" : line.substr(line.find(' '), line.find('(') - line.find(' '))].push_back(
        line);
  }
  return tables;
}

bool IsBeginning(const LinesByTable& part, const LinesByTable& whole) {
  return std::all_of(part.begin(), part.end(), [&](const auto& table) {
    const auto found = whole.find(table.first);
    return found != whole.end() && table.second.size() <= found->second.size() &&
           std::equal(table.second.begin(), table.second.end(), found->second.begin());
  });
}

// The rows of the large transaction, and those of all others. What is told of relations comes again with a
// block that was cut, and is left out.
std::pair<LinesByTable, LinesByTable> Split(const std::vector<string>& lines) {
  LinesByTable large;
  LinesByTable others;
  for (const auto& [table, rows] : ByTable(lines)) {
    for (const string& row : rows) {
      if (row.starts_with("notice ")) continue;
      (row.find("(-") != string::npos ? large : others)[table].push_back(row);
    }
  }
  return {large, others};
}

// Within the call of an output function the error is that of the value: nobody has rolled anything back.
std::vector<string> WithoutOutputFunctions(std::vector<string> lines) {
  static const std::regex sometimes(", (red|!), text");
  for (string& line : lines) line = std::regex_replace(line, sometimes, ", ?, text");
  return lines;
}

// The first row of `part` that `whole` does not have, or has earlier; empty: there is none.
string FirstOther(const LinesByTable& part, const LinesByTable& whole) {
  for (const auto& [table, rows] : part) {
    const auto found = whole.find(table);
    if (found == whole.end()) return rows[0];
    auto at = found->second.begin();
    for (const string& row : rows) {
      at = std::find(at, found->second.end(), row);
      if (at == found->second.end()) return row;
      ++at;
    }
  }
  return "";
}

// The error by which the server learns within a block that the transaction was rolled back: the rest of the
// block is thrown away and the session goes on. Whatever looked into the catalog then, what comes is whole:
// each row of it, and all of the rows of other transactions.
TEST_P(FaultInjection, RollbacksWithinBlocks) {
  ASSERT_NO_FATAL_FAILURE(AddLargeTransaction());
  const PluginOptions options = {{"streaming", "on"}};
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto connection, SharedServer().Connect(database()));
  const auto read = [&](BlockReader* reader) -> arrow::Status {
    ARROW_ASSIGN_OR_RAISE(const auto frames, Frames(connection.get(), options));
    for (const auto& frame : frames) EXPECT_TRUE(reader->Feed(frame).ok());
    return arrow::Status::OK();
  };
  ARROWCDC_ASSERT_OK(SetFault(*connection, "catalog", "error", 0));
  BlockReader whole;
  ARROWCDC_ASSERT_OK(read(&whole));
  EXPECT_GT(whole.blocks, 3);
  const auto [whole_large, whole_others] = Split(WithoutOutputFunctions(whole.lines));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const int count, Seen(*connection));
  int went_on = 0;
  const auto tries = PointsToTry(count, 1, 120);
  for (const int at : tries) {
    SCOPED_TRACE(std::to_string(at) + " of " + std::to_string(count));
    ARROWCDC_ASSERT_OK(SetFault(*connection, "catalog", "rollback", at));
    BlockReader reader;
    const arrow::Status status = read(&reader);
    if (!status.ok()) {
      ASSERT_NE(status.message().find("error at point " + std::to_string(at) + ","), string::npos) << status;
      continue;
    }
    ++went_on;
    const auto [large, others] = Split(WithoutOutputFunctions(reader.lines));
    ASSERT_EQ(FirstOther(others, whole_others), "");
    ASSERT_EQ(FirstOther(whole_others, others), "");
    ASSERT_EQ(FirstOther(large, whole_large), "");
  }
  std::printf("%d of %zu sessions went on\n", went_on, tries.size());
  EXPECT_GT(went_on, 10);
}

// A walsender, one connection for many sessions. Frames may be cut differently from session to session, so
// rows are compared.
class WalsenderFaults : public FaultInjection {
 protected:
  void Start(const PluginOptions& options) {
    options_ = options;
    expected_ = Lines(options, true);
    ASSERT_GT(expected_.size(), 30u);
    Reconnect();
  }

  void Reconnect() {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(stream_, WalsenderStream::Connect(database()));
    ARROWCDC_ASSERT_OK(AwaitFreeSlot());
  }

  void ExpectWholeStream(WalsenderStream::End end = WalsenderStream::End::kCancel) {
    ARROWCDC_ASSERT_OK(SetFault(stream_->sql(), "call", "error", 0));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto outcome, stream_->Run(slot(), options_, expected_.size(), end));
    ASSERT_EQ(outcome.error, "");
    ASSERT_TRUE(outcome.connected);
    ASSERT_EQ(outcome.lines.size(), expected_.size());
    ASSERT_TRUE(ByTable(outcome.lines) == ByTable(expected_));
  }

  int CountPoints(const string& points) {
    EXPECT_TRUE(SetFault(stream_->sql(), points, "error", 0).ok());
    EXPECT_TRUE(stream_->Run(slot(), options_, expected_.size()).ok());
    return Seen(stream_->sql()).ValueOr(0);
  }

  // What came before the end is the beginning of the whole. Whether a point that lies behind the last row is
  // reached depends on who is faster, so a session may come to its end; true: it did not.
  bool RunWithFault(const string& points, const string& action, int at, const string& error) {
    EXPECT_TRUE(SetFault(stream_->sql(), points, action, at).ok());
    const auto outcome = stream_->Run(slot(), options_, expected_.size());
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    if (!outcome.ok()) return false;
    EXPECT_TRUE(IsBeginning(ByTable(outcome->lines), ByTable(expected_)));
    if (outcome->error.empty()) {
      EXPECT_EQ(outcome->lines.size(), expected_.size());
      return false;
    }
    EXPECT_NE(outcome->error.find(error), string::npos) << outcome->error;
    if (!outcome->connected) Reconnect();
    return true;
  }

  std::unique_ptr<WalsenderStream> stream_;

 private:
  PluginOptions options_;
  std::vector<string> expected_;
};

INSTANTIATE_TEST_SUITE_P(Encodings, WalsenderFaults, ::testing::Values("UTF8"),
                         [](const auto& info) { return string(info.param); });

TEST_P(WalsenderFaults, Errors) {
  for (const PluginOptions& options : kWalsenderOptionSets) {
    ASSERT_NO_FATAL_FAILURE(Start(options));
    ASSERT_NO_FATAL_FAILURE(ExpectWholeStream());
    for (const string points : {"allocation", "call", "callback"}) {
      const int count = CountPoints(points);
      const auto tries = &options == &kWalsenderOptionSets[0] && points != "call"
                             ? PointsToTry(count, 500, 50)
                             : PointsToTry(count, 1, 40);
      size_t failed = 0;
      for (size_t i = 0; i < tries.size(); ++i) {
        SCOPED_TRACE(points + " " + std::to_string(tries[i]) + " of " + std::to_string(count));
        failed += RunWithFault(points, "error", tries[i], "error at point");
        if (i % 10 == 0) {
          ASSERT_NO_FATAL_FAILURE(ExpectWholeStream());
        }
        ASSERT_FALSE(HasFailure());
      }
      EXPECT_GT(failed, tries.size() * 9 / 10);
      std::printf("%zu errors at %d points of kind %s\n", failed, count, points.c_str());

      ExpectNoGrowth(stream_->sql(), count,
                     [&](int at) { RunWithFault(points, "error", at, "error at point"); });
      ASSERT_FALSE(HasFailure());
    }
    ASSERT_NO_FATAL_FAILURE(ExpectWholeStream(WalsenderStream::End::kCopyDone));
  }
}

TEST_P(WalsenderFaults, CancelAndTerminate) {
  for (const PluginOptions& options : kWalsenderOptionSets) {
    ASSERT_NO_FATAL_FAILURE(Start(options));
    const int count = CountPoints("call");
    for (const string action : {"cancel", "terminate"}) {
      int ended = 0;
      const auto tries = PointsToTry(count, 5, 20);
      for (const int at : tries) {
        SCOPED_TRACE(action + " " + std::to_string(at) + " of " + std::to_string(count));
        ended += RunWithFault("call", action, at,
                              action == "cancel" ? "canceling statement" : "terminating connection");
        ASSERT_NO_FATAL_FAILURE(ExpectWholeStream());
        ASSERT_FALSE(HasFailure());
      }
      std::printf("%d of %zu sessions ended by %s\n", ended, tries.size(), action.c_str());
      EXPECT_GT(ended, static_cast<int>(tries.size()) / 2);
    }
  }
}

}  // namespace
}  // namespace arrowcdc::test
