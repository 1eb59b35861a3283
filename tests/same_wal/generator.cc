#include "tests/same_wal/generator.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/same_wal/model.h"
#include "tests/testing/random.h"
#include "tests/same_wal/samples.h"
#include "tests/same_wal/statements.h"

namespace arrowcdc::test {
namespace {

using std::string;
using std::to_string;

constexpr int kSessions = 4;
constexpr int kReplicated = 3;  // this session's changes have an origin
constexpr int kRows = 6000;     // that are inserted, about
constexpr size_t kPreparedMax = 3;

constexpr const char* kPublications[] = {
    "CREATE SCHEMA a",
    "CREATE SCHEMA b",
    "CREATE SCHEMA c",
    "CREATE SCHEMA as_text",
    "CREATE TABLE as_text.t (id int PRIMARY KEY, item aclitem[])",
    "CREATE PUBLICATION a FOR TABLES IN SCHEMA a WITH (publish_via_partition_root)",
    "CREATE PUBLICATION b FOR TABLES IN SCHEMA b",
    "CREATE PUBLICATION c FOR TABLES IN SCHEMA c WITH (publish = 'insert, truncate')",
    "CREATE PUBLICATION as_text FOR TABLES IN SCHEMA as_text",
    // 18 refuses changes under FULL where generated columns are not published.
    "DO $$ BEGIN IF current_setting('server_version_num')::int >= 180000 THEN"
    " ALTER PUBLICATION a SET (publish_generated_columns = stored);"
    " ALTER PUBLICATION b SET (publish_generated_columns = stored); END IF; END $$",
};

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed), statements_(&random_) {
    script_.seed = seed;
    script_.sessions = kSessions;
    for (int lane = 0; lane < kLanes; ++lane) lanes_.push_back(lane);
  }

  Script Run() {
    Setup();
    while (rows_ < kRows) Turn(random_.Between(0, kSessions - 1));
    for (int session = 0; session < kSessions; ++session) {
      if (open_[session].has_value()) End(session, "COMMIT", /*committed=*/true);
    }
    current_ = ++transactions_;
    Emit(kReplicated, "SELECT pg_replication_origin_session_reset()");
    return std::move(script_);
  }

 private:
  struct Prepared {
    string gid;
    Transaction transaction;
  };

  void Add(Table table, Transaction* transaction) {
    for (const Leaf& leaf : table.leaves) script_.leaves[leaf.name] = table.name;
    model_.Add(std::move(table), transaction);
  }

  void Setup();
  void Turn(int session);
  void Open(int session);
  void Begin(int session);
  // `sql`: COMMIT of a transaction that has failed undoes it.
  void End(int session, const string& sql, bool committed);
  void EndPrepared(int session);
  void Prepare(int session);
  void InTransaction(int session);
  void Outside(int session);
  void Change(int session);
  void Undone(int session);
  void Blocks(int session);
  void Define(int session);
  void DefineTable(int session);
  void AlterColumns(int session, size_t i);
  void Retype(int session, size_t i, size_t place);
  void AlterTable(int session, size_t i);
  void Drop(int session, size_t i);
  void AlterPartitions(int session, size_t i);
  void Truncate(int session);
  void Message(int session);
  void Label(int session);
  string Writing(int session, size_t i);

  void Emit(int session, const string& sql, bool may_fail = false) {
    script_.steps.push_back({session, sql, {}, may_fail, current_});
  }
  Transaction& open(int session) { return *open_[session]; }
  std::optional<size_t> SomeWritable(int session) { return Some(model_.Writable(open(session))); }
  std::optional<size_t> SomeAlterable(int session) { return Some(model_.Alterable(open(session))); }
  std::optional<size_t> Some(const std::vector<size_t>& from) {
    if (from.empty()) return std::nullopt;
    return random_.Pick(from);
  }

  Random random_;
  Statements statements_;
  Model model_;
  Script script_;
  std::array<std::optional<Transaction>, kSessions> open_{};
  std::vector<Prepared> prepared_;
  std::vector<int> lanes_;
  int transactions_ = 0;
  int current_ = 0;  // the transaction that steps belong to
  int names_ = 0;
  int rows_ = 0;
};

void Generator::Setup() {
  script_.setup = {kSampleTypesSql};
  for (const char* sql : kPublications) script_.setup.emplace_back(sql);
  script_.setup.emplace_back(
      "SELECT pg_replication_origin_create('generated') WHERE NOT EXISTS (SELECT FROM pg_replication_origin "
      "WHERE "
      "roname = 'generated')");
  Transaction setup;
  for (const char* schema : {"a", "a", "a", "a", "b", "b", "b", "c"}) {
    Table table = statements_.NewTable(schema);
    for (string& sql : statements_.Create(table)) script_.setup.push_back(std::move(sql));
    Add(std::move(table), &setup);
  }
  model_.Commit(setup);
  Emit(kReplicated, "SELECT pg_replication_origin_session_setup('generated')");
}

void Generator::Turn(int session) {
  if (open_[session].has_value()) {
    current_ = open(session).number;
    return InTransaction(session);
  }
  if (!prepared_.empty() && random_.Percent(15)) return EndPrepared(session);
  current_ = ++transactions_;
  if (random_.Percent(10)) return Outside(session);
  Begin(session);
}

void Generator::Open(int session) {
  open_[session].emplace();
  open(session).number = current_;
  open(session).lane = lanes_.back();
  lanes_.pop_back();
}

void Generator::Begin(int session) {
  Open(session);
  open(session).old_snapshot = random_.Percent(20);
  Emit(session, open(session).old_snapshot ? "BEGIN ISOLATION LEVEL REPEATABLE READ" : "BEGIN");
  if (session == kReplicated && random_.Percent(50))
    Emit(session, "SELECT pg_replication_origin_xact_setup('0/" + random_.Hex(6) +
                      "', '2020-01-01 00:00:00." + to_string(random_.Below(1000)) + "+00')");
}

void Generator::End(int session, const string& sql, bool committed) {
  current_ = open(session).number;
  Emit(session, sql);
  committed ? model_.Commit(open(session)) : model_.Rollback(&open(session));
  lanes_.push_back(open(session).lane);
  open_[session].reset();
}

void Generator::Prepare(int session) {
  const string gid = "gid " + to_string(++names_) + " of " + to_string(script_.seed);
  Emit(session, "PREPARE TRANSACTION '" + gid + "'");
  prepared_.push_back({gid, std::move(open(session))});
  open_[session].reset();
}

void Generator::EndPrepared(int session) {
  const size_t i = random_.Below(prepared_.size());
  Transaction& transaction = prepared_[i].transaction;
  current_ = transaction.number;
  const bool commit = random_.Percent(70);
  Emit(session, string(commit ? "COMMIT" : "ROLLBACK") + " PREPARED '" + prepared_[i].gid + "'");
  commit ? model_.Commit(transaction) : model_.Rollback(&transaction);
  lanes_.push_back(transaction.lane);
  prepared_.erase(prepared_.begin() + static_cast<std::ptrdiff_t>(i));
}

void Generator::InTransaction(int session) {
  Transaction& transaction = open(session);
  const uint64_t choice = random_.Below(100);
  if (choice < 55) {
    Change(session);
  } else if (choice < 62) {
    if (transaction.frames.size() < 5) {
      const string name = "s" + to_string(transaction.frames.size());
      Emit(session, "SAVEPOINT " + name);
      model_.Savepoint(name, &transaction);
    }
  } else if (choice < 68) {
    if (transaction.frames.size() > 1) {
      Emit(session, "ROLLBACK TO " + transaction.frames.back().savepoint);
      model_.RollbackTo(&transaction);
    }
  } else if (choice < 71) {
    if (transaction.frames.size() > 1) {
      Emit(session, "RELEASE " + transaction.frames.back().savepoint);
      model_.Release(&transaction);
    }
  } else if (choice < 73) {
    Undone(session);
  } else if (choice < 75) {
    Blocks(session);
  } else if (choice < 82) {
    Define(session);
  } else if (choice < 84) {
    Message(session);
  } else if (choice < 88 && prepared_.size() < kPreparedMax) {
    Prepare(session);
  } else {
    const bool commit = random_.Percent(85);
    End(session, commit ? "COMMIT" : "ROLLBACK", commit);
  }
}

// A statement over a table that other transactions do not lock.
string Generator::Writing(int session, size_t i) {
  const Table& table = model_.table(i);
  const int lane = open(session).lane;
  model_.Write(i, open(session));
  const bool unique = table.has_key || table.identity == Identity::kIndex;
  const uint64_t choice = random_.Below(100);
  // Without an identity the server refuses these where they are published; schema c is not.
  if (choice < 30) {
    rows_ += 2;
    return statements_.Insert(table, lane);
  }
  if (choice < 38) {
    const int rows = random_.Percent(15) ? random_.Between(500, 1500) : random_.Between(5, 100);
    rows_ += rows;
    return statements_.InsertMany(table, lane, rows);
  }
  if (choice < 60) return statements_.Update(table, lane);
  if (choice < 70) return statements_.UpdateKey(table, lane);
  if (choice < 80) return statements_.Delete(table, lane);
  if (choice < 90 && unique) return statements_.InsertOnConflict(table, lane);
  return statements_.Merge(table, lane);
}

void Generator::Change(int session) {
  const auto i = SomeWritable(session);
  if (!i.has_value()) return;
  if (random_.Percent(12)) {
    model_.Write(*i, open(session));
    const int rows = random_.Percent(10) ? random_.Between(200, 500) : random_.Between(1, 60);
    rows_ += rows;
    script_.steps.push_back({session, statements_.Copy(model_.table(*i)),
                             statements_.CopyData(model_.table(*i), open(session).lane, rows), false,
                             current_});
    return;
  }
  Emit(session, Writing(session, *i));
}

// An error takes all back to the savepoint, or the whole transaction.
void Generator::Undone(int session) {
  const auto i = SomeWritable(session);
  if (!i.has_value()) return;
  const bool whole = random_.Percent(30);
  if (!whole) Emit(session, "SAVEPOINT undone");
  Emit(session, Writing(session, *i));
  Emit(session, "SELECT 1 / 0", /*may_fail=*/true);
  if (whole) {
    if (random_.Percent(50)) Emit(session, Writing(session, *i), /*may_fail=*/true);
    return End(session, random_.Percent(50) ? "COMMIT" : "ROLLBACK", /*committed=*/false);
  }
  Emit(session, "ROLLBACK TO undone");
}

// Subtransactions within a statement.
void Generator::Blocks(int session) {
  const auto i = SomeWritable(session);
  if (!i.has_value()) return;
  model_.Write(*i, open(session));
  const Table& table = model_.table(*i);
  const int lane = open(session).lane;
  const string inner =
      random_.Percent(50) ? statements_.Insert(table, lane) : statements_.Update(table, lane);
  Emit(session,
       "DO $do$ BEGIN FOR turn IN 1 .. " + to_string(random_.Between(1, 20)) + " LOOP BEGIN " + inner +
           "; PERFORM 1 / (turn % 2); EXCEPTION WHEN division_by_zero OR unique_violation THEN NULL; END; "
           "END LOOP; " +
           statements_.Delete(table, lane) + "; END $do$");
}

void Generator::Message(int session) {
  Emit(session, string("SELECT pg_logical_emit_message(") + (random_.Percent(70) ? "true" : "false") + ", '" +
                    (random_.Percent(80) ? "prefix" : "") + "', '" + random_.Hex(random_.Below(200)) + "')");
}

void Generator::Define(int session) {
  const uint64_t choice = random_.Below(100);
  if (choice < 15) return DefineTable(session);
  if (choice < 30) return Truncate(session);
  const auto i = SomeAlterable(session);
  if (!i.has_value()) return;
  if (choice < 65) return AlterColumns(session, *i);
  if (choice < 80 && model_.table(*i).partitioned) return AlterPartitions(session, *i);
  AlterTable(session, *i);
}

void Generator::DefineTable(int session) {
  const std::vector<string> schemas = {"a", "a", "b", "c"};
  Table table = statements_.NewTable(random_.Pick(schemas));
  for (const string& sql : statements_.Create(table)) Emit(session, sql);
  Add(std::move(table), &open(session));
}

void Generator::Truncate(int session) {
  std::vector<size_t> tables = model_.Alterable(open(session));
  string names;
  for (int n = random_.Between(1, 3); n > 0 && !tables.empty(); --n) {
    const size_t place = random_.Below(tables.size());
    model_.Alter(tables[place], &open(session));
    names += (names.empty() ? "" : ", ") + Sql(model_.table(tables[place]));
    tables.erase(tables.begin() + static_cast<std::ptrdiff_t>(place));
  }
  if (names.empty()) return;
  Emit(session, "TRUNCATE " + names + (random_.Percent(30) ? " RESTART IDENTITY" : "") +
                    (random_.Percent(20) ? " CASCADE" : ""));
}

void Generator::AlterColumns(int session, size_t i) {
  const string alter = "ALTER TABLE " + Sql(model_.table(i)) + " ";
  const auto payload = model_.table(i).payload();
  const uint64_t choice = random_.Below(payload.empty() ? 1 : 6);
  Table& table = model_.Alter(i, &open(session));
  if (choice == 0) {
    const Column column = statements_.NewColumn();
    table.columns.push_back(column);
    Emit(session, alter + "ADD COLUMN " + statements_.ColumnSql(column) +
                      (random_.Percent(50) ? " DEFAULT " + statements_.Value(column, false) : ""));
    return;
  }
  const size_t place = random_.Pick(payload);
  Column& column = table.columns[place];
  const string name = Quoted(column.name);
  if (choice == 1) {
    table.columns.erase(table.columns.begin() + static_cast<std::ptrdiff_t>(place));
    Emit(session, alter + "DROP COLUMN " + name);
  } else if (choice == 2) {
    column.name = statements_.NewColumn().name;
    Emit(session, alter + "RENAME COLUMN " + name + " TO " + Quoted(column.name));
  } else if (choice == 3) {
    Retype(session, i, place);
  } else if (!SampleTypes()[column.type].toasted) {
    Emit(session, alter + "ALTER " + name + " DROP DEFAULT");
  } else if (choice == 4) {
    const std::vector<string> storages = {"EXTERNAL", "EXTENDED", "MAIN", "PLAIN"};
    const string& storage = random_.Pick(storages);
    column.long_values = storage != "PLAIN" && column.long_values;
    Emit(session, alter + "ALTER " + name + " SET STORAGE " + storage);
  } else {
    Emit(session, alter + "ALTER " + name + " SET COMPRESSION " + (random_.Percent(50) ? "lz4" : "pglz"));
  }
}

// The rows that are there are written anew, since no change tells what became of them.
void Generator::Retype(int session, size_t i, size_t place) {
  Column& column = model_.Alter(i, &open(session)).columns[place];
  const size_t before = column.type;
  const Column other = statements_.NewColumn();
  if (other.type == before || open(session).old_snapshot) return;
  column.type = other.type;
  column.long_values = true;
  const Table& table = model_.table(i);
  const string name = Quoted(column.name);
  const string type = SampleTypes()[column.type].sql;
  const string value = type == "text" ? name + "::text" : statements_.Value(column, false);
  Emit(session, "ALTER TABLE " + Sql(table) + " ALTER " + name + " DROP DEFAULT, ALTER " + name + " TYPE " +
                    type + " USING (" + value + ")::" + type);
  Emit(session, "UPDATE " + Sql(table) + " SET " + name + " = " + statements_.Value(column, false));
}

void Generator::AlterTable(int session, size_t i) {
  Table& table = model_.Alter(i, &open(session));
  const string alter = "ALTER TABLE " + Sql(table) + " ";
  switch (random_.Below(5)) {
    case 0:
      if (table.partitioned) return;
      table.name = "renamed " + to_string(++names_);
      return Emit(session, alter + "RENAME TO " + Quoted(table.name));
    case 1:
      if (table.partitioned || table.schema == "c") return;
      table.schema = table.schema == "a" ? "b" : "a";
      return Emit(session, alter + "SET SCHEMA " + table.schema);
    case 2:
      return Drop(session, i);
    case 3:
      if (!table.has_key || table.partitioned) return;
      table.identity = table.identity == Identity::kFull ? Identity::kKey : Identity::kFull;
      return Emit(session,
                  alter + "REPLICA IDENTITY " + (table.identity == Identity::kFull ? "FULL" : "DEFAULT"));
    default:
      return Emit(session, "CREATE INDEX ON " + Sql(table) + " (id)");
  }
}

// Another table may come by its name at once.
void Generator::Drop(int session, size_t i) {
  const Table dropped = model_.table(i);
  model_.Alter(i, &open(session)).exists = false;
  Emit(session, "DROP TABLE " + Sql(dropped));
  if (random_.Percent(50)) return;
  Table again = statements_.NewTable(dropped.schema);
  again.name = dropped.name;
  for (const string& sql : statements_.Create(again)) Emit(session, sql);
  Add(std::move(again), &open(session));
}

void Generator::AlterPartitions(int session, size_t i) {
  Table& table = model_.Alter(i, &open(session));
  if (table.leaves.size() > 1 && !open(session).old_snapshot && random_.Percent(40)) {
    const size_t place = random_.Below(table.leaves.size());
    const string leaf = Quoted(table.schema) + "." + Quoted(table.leaves[place].name);
    Emit(session, "DELETE FROM " + leaf);  // or rows would be gone that nobody says are
    Emit(session, "ALTER TABLE " + Sql(table) + " DETACH PARTITION " + leaf);
    Emit(session, "DROP TABLE " + leaf);
    table.leaves.erase(table.leaves.begin() + static_cast<std::ptrdiff_t>(place));
    return;
  }
  const Leaf leaf{"p" + to_string(++names_) + "_new", 100 + names_};
  table.leaves.push_back(leaf);
  script_.leaves[leaf.name] = table.name;
  for (const string& sql : statements_.CreateLeaf(table, leaf)) Emit(session, sql);
}

// Labels are there for all at once, and not to be used in the transaction that adds them.
void Generator::Label(int session) {
  const string label = "hue " + to_string(statements_.hues.size()) + "'s";
  if (random_.Percent(30)) {
    Emit(session, "BEGIN");
    Emit(session, "ALTER TYPE hue ADD VALUE 'never " + to_string(++names_) + "'");
    return Emit(session, "ROLLBACK");
  }
  Emit(session, "ALTER TYPE hue ADD VALUE 'hue " + to_string(statements_.hues.size()) + "''s'");
  statements_.hues.push_back(label);
}

// What stands in no transaction block.
void Generator::Outside(int session) {
  const uint64_t choice = random_.Below(10);
  if (choice < 2) return Label(session);
  if (choice < 3) return Message(session);
  if (choice < 4) return Emit(session, "CHECKPOINT");
  Open(session);
  const auto i = choice < 7 ? SomeWritable(session) : SomeAlterable(session);
  if (i.has_value()) {
    const string name = Sql(model_.table(*i));
    const std::vector<string> maintenance = {"ANALYZE " + name, "VACUUM " + name, "VACUUM FULL " + name,
                                             "REINDEX TABLE " + name};
    const string sql = choice < 7 ? Writing(session, *i) : random_.Pick(maintenance);
    Emit(session, sql);
  }
  model_.Commit(open(session));
  lanes_.push_back(open(session).lane);
  open_[session].reset();
}

}  // namespace

Script Generate(uint64_t seed) { return Generator(seed).Run(); }

}  // namespace arrowcdc::test
