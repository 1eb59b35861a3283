#include "tests/mysql/workload.h"

#include <fstream>
#include <utility>

namespace arrowcdc::mysql::test {
namespace {

constexpr size_t kSessions = 3;
constexpr int kRounds = 14;

struct Type {
  std::string definition;
  std::vector<std::string> values;
  bool mysql_only = false;
};

const std::vector<Type>& Types() {
  static const std::vector<std::string> kBytes = {"''",    "X'00'",       "X'00FF5C27220A0D1A1F7F80'",
                                                  "'abc'", "X'61620000'", "REPEAT(X'FE', 300)"};
  static const std::vector<std::string> kTexts = {
      "''",           "'a'",        "'it''s \\\\ \"q\"'", "'line\\nand\\ttab\\r'",
      "'  spaces  '", "'é ж 汉 z'", "REPEAT('x', 60)"};
  static const std::vector<std::string> kDates = {"'2026-02-28'", "'0000-00-00'", "'2024-02-29'",
                                                  "'9999-12-31'", "'1000-01-01'", "'2026-00-10'",
                                                  "'1969-12-31'"};
  static const std::vector<std::string> kTimes = {
      "'2026-02-28 12:34:56.987654'", "'0000-00-00 00:00:00'",        "'9999-12-31 23:59:59'",
      "'1970-01-01 00:00:00.000001'", "'1969-12-31 23:59:59.999999'", "'2026-11-00 01:02:03'"};
  static const std::vector<std::string> kNumbers = {"0",
                                                    "1",
                                                    "-1",
                                                    "127",
                                                    "-128",
                                                    "255",
                                                    "32767",
                                                    "-32768",
                                                    "65535",
                                                    "8388607",
                                                    "-8388608",
                                                    "16777215",
                                                    "2147483647",
                                                    "-2147483648",
                                                    "4294967295",
                                                    "9223372036854775807",
                                                    "-9223372036854775808",
                                                    "18446744073709551615"};
  static const std::vector<std::string> kReals = {"0",
                                                  "-1.5",
                                                  "0.1",
                                                  "16777217",
                                                  "3.4e38",
                                                  "-1.1e-38",
                                                  "1e-45",
                                                  "1.7976931348623157e308",
                                                  "2.2250738585072014e-308"};
  static const std::vector<std::string> kDecimals = {
      "0",
      "-0.01",
      "123.456",
      "-99999999999999999999999999999999999.999999999999999999999999999999",
      "99999999999999999999999999999999999999999999",
      "1e-30",
      "1000000000"};
  static const std::vector<Type> kTypes = {
      {"TINYINT", kNumbers},
      {"TINYINT UNSIGNED", kNumbers},
      {"SMALLINT", kNumbers},
      {"SMALLINT UNSIGNED", kNumbers},
      {"MEDIUMINT", kNumbers},
      {"MEDIUMINT UNSIGNED", kNumbers},
      {"INT", kNumbers},
      {"INT UNSIGNED", kNumbers},
      {"BIGINT", kNumbers},
      {"BIGINT UNSIGNED", kNumbers},
      {"FLOAT", kReals},
      {"DOUBLE", kReals},
      {"DECIMAL(10,2)", kDecimals},
      {"DECIMAL(65,30)", kDecimals},
      {"DECIMAL(38,0)", kDecimals},
      {"DECIMAL(30,30)", kDecimals},
      {"BIT(1)", {"0", "1"}},
      {"BIT(11)", {"0", "5", "2047"}},
      {"BIT(64)", {"0", "18446744073709551615", "1"}},
      {"YEAR", {"0", "1901", "2155", "2026"}},
      {"DATE", kDates},
      {"TIME", {"'-838:59:59'", "'838:59:59'", "'0'"}},
      {"TIME(3)", {"'-12:34:56.789'", "'00:00:00.001'", "'-00:00:00.001'"}},
      {"TIME(6)", {"'-838:59:59'", "'838:59:58.999999'", "'-00:00:01.000001'", "'12:00:00'"}},
      {"DATETIME", kTimes},
      {"DATETIME(2)", kTimes},
      {"DATETIME(6)", kTimes},
      {"TIMESTAMP NULL", {"'2026-02-28 12:34:56'", "0", "'2038-01-18 00:00:00'", "'1970-01-02 00:00:01'"}},
      {"TIMESTAMP(6) NULL", {"'2026-02-28 12:34:56.123456'", "0", "'1970-01-03 00:00:00.000001'"}},
      {"CHAR(8)", kTexts},
      {"CHAR(200)", kTexts},
      {"VARCHAR(90)", kTexts},
      {"VARCHAR(300)", kTexts},
      {"VARCHAR(90) CHARACTER SET latin1", kTexts},
      {"CHAR(60) CHARACTER SET cp1251", kTexts},
      {"VARCHAR(90) CHARACTER SET ucs2", kTexts},
      {"TEXT CHARACTER SET utf16", kTexts},
      {"VARCHAR(90) CHARACTER SET gbk", kTexts},
      {"TINYTEXT", kTexts},
      {"TEXT", kTexts},
      {"MEDIUMTEXT", kTexts},
      {"LONGTEXT", kTexts},
      {"BINARY(4)", kBytes},
      {"BINARY(255)", kBytes},
      {"VARBINARY(40)", kBytes},
      {"VARBINARY(400)", kBytes},
      {"TINYBLOB", kBytes},
      {"BLOB", kBytes},
      {"LONGBLOB", kBytes},
      {"ENUM('a','it''s','ü,x')", {"'a'", "'it''s'", "'ü,x'", "'none'", "2"}},
      {"SET('x','y','z','é')", {"''", "'x'", "'x,z'", "'é,y'", "15"}},
      {"SET('s0','s1','s2','s3','s4','s5','s6','s7','s8')", {"'s8,s0'", "511", "''"}},
      {"JSON",
       {"'{\"a\": [1, 2.5, \"x\"], \"b\": \"long enough to be changed in part, not as a whole\"}'", "'[]'",
        "'null'", "'{}'", "'\"it''s \\\\u00e9 \\\\n \\\\\" \"'", "'[true, false, -1, 18446744073709551615]'",
        "'{\"a\": {\"k\": [[], {}]}, \"b\": 1e300}'"}},
      {"VECTOR(3)", {"TO_VECTOR('[1,2,3]')", "TO_VECTOR('[-0.5,1e-3,3e38]')"}, true}};
  return kTypes;
}

}  // namespace

Workload::Workload(MysqlServer* server, std::string files) : server_(server), files_(std::move(files)) {}

arrow::Result<std::unique_ptr<Workload>> Workload::Make(MysqlServer* server, std::string files) {
  std::unique_ptr<Workload> workload(new Workload(server, std::move(files)));
  for (size_t i = 0; i < kSessions; ++i) {
    ARROW_ASSIGN_OR_RAISE(auto connection, server->Connect());
    for (const char* sql : {"SET NAMES utf8mb4", "CREATE DATABASE IF NOT EXISTS elsewhere", "USE elsewhere",
                            "SET SESSION sql_mode = ''", "SET SESSION lock_wait_timeout = 1",
                            "SET SESSION innodb_lock_wait_timeout = 1",
                            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"})
      ARROW_RETURN_NOT_OK(connection->Query(sql).status());
    workload->sessions_.push_back({.connection = std::move(connection)});
  }
  return workload;
}

bool Workload::Do(size_t session, const std::string& sql) {
  const arrow::Status done = sessions_[session].connection->Query(sql).status();
  ++statements_;
  text_ += "/* session " + std::to_string(session) + " */ " + sql + ";";
  if (!done.ok()) {
    ++refused_;
    text_ += "  -- " + done.message().substr(0, 150);
  }
  text_ += "\n";
  return done.ok();
}

std::string Workload::Sql(const std::string& table) const {
  return QuoteName(database_) + "." + QuoteName(table);
}

Workload::Column Workload::NewColumn() {
  Column column{NewName("c"), random_.Below(Types().size())};
  while (!mysql() && Types()[column.type].mysql_only) column.type = random_.Below(Types().size());
  return column;
}

std::string Workload::Definition(const Column& column) const {
  return QuoteName(column.name) + " " + Types()[column.type].definition;
}

std::string Workload::Value(const Column& column) {
  return random_.Percent(12) ? "NULL" : random_.Pick(Types()[column.type].values);
}

std::string Workload::Unique(size_t lane) {
  return random_.Percent(30) ? "NULL" : std::to_string(lane + 4 * random_.Below(20));
}

arrow::Status Workload::MakeTables() {
  // `rest`: keys and further columns.
  const auto make = [&](const char* prefix, const std::string& rest, int columns,
                        const std::string& options = "") {
    Table table{NewName(prefix), {}};
    std::string sql = "CREATE TABLE " + Sql(table) + " (id BIGINT, u INT";
    for (int i = 0; i < columns; ++i) {
      table.columns.push_back(NewColumn());
      sql += ", " + Definition(table.columns.back());
    }
    if (Alone(sql + rest + ") DEFAULT CHARACTER SET utf8mb4" + options)) tables_.push_back(std::move(table));
  };
  const std::string key = ", PRIMARY KEY (id), UNIQUE KEY (u)";
  make("a", key, random_.Between(3, 9));
  make("a", key, random_.Between(3, 9));
  make("composite", ", kb VARBINARY(9) NOT NULL DEFAULT 'k', PRIMARY KEY (kb, id), KEY (id)", 4);
  make("generated",
       key + ", gv BIGINT AS (id + 1) VIRTUAL, gs VARCHAR(30) AS (CONCAT('g', u)) STORED, hidden INT " +
           (mysql() ? "DEFAULT 7 INVISIBLE" : "INVISIBLE DEFAULT 7"),
       3);
  make("keyless", "", 4);
  tables_.back().keyed = false;
  if (mysql()) {
    Alone("SET SESSION sql_generate_invisible_primary_key = ON");
    make("gipk", "", 3);
    tables_.back().keyed = false;
    Alone("SET SESSION sql_generate_invisible_primary_key = OFF");
  }
  make("myisam", ", PRIMARY KEY (id)", 4, " ENGINE=MyISAM");
  tables_.back().transactional = false;
  make("parent", key, 2);
  const std::string parent = Sql(tables_.back());
  tables_.back().referred = true;
  make("child",
       ", PRIMARY KEY (id), p BIGINT, FOREIGN KEY (p) REFERENCES " + parent + " (id) ON DELETE RESTRICT", 2);
  tables_.back().referred = true;
  const size_t wanted = mysql() ? 9 : 8;
  if (tables_.size() != wanted) return arrow::Status::Invalid("a table could not be made:\n", text_);
  return arrow::Status::OK();
}

arrow::Status Workload::Run(const std::string& database, uint64_t seed) {
  random_ = arrowcdc::test::Random(seed);
  database_ = database;
  tables_.clear();
  text_ = "-- seed " + std::to_string(seed) + "\n";
  names_ = 0;
  if (!Alone("CREATE DATABASE " + QuoteName(database))) return arrow::Status::Invalid(text_);
  ARROW_RETURN_NOT_OK(MakeTables());
  for (int round = 0; round < kRounds; ++round) {
    for (size_t session = 0; session < kSessions; ++session) Settings(session);
    Round();
    StatementsAlone();
    Definitions();
    if (random_.Percent(15)) Alone("FLUSH LOGS");
  }
  return arrow::Status::OK();
}

void Workload::Settings(size_t session) {
  const std::string set = "SET SESSION ";
  static const std::vector<std::string> kImages = {"FULL", "FULL", "MINIMAL", "NOBLOB"};
  const std::string& image = random_.Pick(kImages);
  const bool full = sessions_[session].full_image = image == "FULL";
  Do(session, set + "binlog_row_image = " + image);
  Do(session, set + "time_zone = '" + (random_.Percent(50) ? "+05:30" : "-08:00") + "'");
  if (mysql()) {
    // The change of a document needs the old one.
    Do(session,
       set + "binlog_row_value_options = '" + (full && random_.Percent(60) ? "PARTIAL_JSON" : "") + "'");
    Do(session, set + "binlog_transaction_compression = " + (random_.Percent(40) ? "ON" : "OFF"));
    Do(session, set + "binlog_rows_query_log_events = " + (random_.Percent(20) ? "ON" : "OFF"));
  } else if (session == 0) {
    Alone(std::string("SET GLOBAL log_bin_compress = ") + (random_.Percent(40) ? "ON" : "OFF"));
  }
}

// --- transactions beside each other: each session has ids of its own, its lane ---

void Workload::Round() {
  const int count = random_.Between(1, static_cast<int>(kSessions));
  std::vector<size_t> open;
  for (size_t session = 0; session < static_cast<size_t>(count); ++session) {
    BeginTransaction(session);
    open.push_back(session);
  }
  while (!open.empty()) {
    const size_t place = random_.Below(open.size());
    const size_t session = open[place];
    Session& of = sessions_[session];
    if (of.prepared) {
      EndXa(session);
    } else if (of.left-- > 0) {
      Step(session);
    } else {
      EndTransaction(session);
    }
    if (!of.prepared && of.left < 0) open.erase(open.begin() + static_cast<ptrdiff_t>(place));
  }
}

void Workload::BeginTransaction(size_t session) {
  Session& of = sessions_[session];
  of.xa = random_.Percent(30);
  of.left = random_.Between(1, 7);
  of.savepoints = 0;
  Do(session, of.xa ? "XA START 'x" + std::to_string(session) + "', 'b', 7" : "BEGIN");
}

void Workload::Step(size_t session) {
  const Table& table = PickTable(true);
  const size_t lane = session;
  const std::string where = " WHERE id = " + Id(lane);
  switch (random_.Below(14)) {
    case 0:
    case 1:
    case 2:
      Do(session, Insert(table, lane, "INSERT", random_.Between(1, 4)));
      break;
    case 3:
      Do(session, Insert(table, lane, "INSERT IGNORE", 3));
      break;
    case 4:
      Do(session, Insert(table, lane, "INSERT", 2) + " ON DUPLICATE KEY UPDATE " + Assignments(table, ""));
      break;
    case 5:
      Do(session, Insert(table, lane, Replace(session), 2));
      break;
    case 6:
    case 7:
      Do(session, "UPDATE " + Sql(table) + " SET " + Assignments(table, "") + " WHERE id IN (" + Id(lane) +
                      ", " + Id(lane) + ", " + Id(lane) + ")");
      break;
    case 8:
      Do(session, "UPDATE " + Sql(table) + " SET id = id + 400" + where);
      break;
    case 9:
      Do(session, "DELETE FROM " + Sql(table) + where);
      break;
    case 10:
      Do(session, "SAVEPOINT s" + std::to_string(++sessions_[session].savepoints));
      Do(session, Insert(table, lane, "INSERT IGNORE", 2));
      if (!mysql() && random_.Percent(60)) Temporary(session);  // then the log has what is rolled back
      break;
    case 11:
      if (sessions_[session].savepoints > 0)
        Do(session, "ROLLBACK TO s" + std::to_string(random_.Between(1, sessions_[session].savepoints)));
      break;
    case 12:
      Temporary(session);
      break;
    default:
      for (const Column& column : table.columns) {
        if (Types()[column.type].definition != "JSON") continue;
        const std::string name = QuoteName(column.name);
        static const std::vector<std::string> kChanges = {
            "JSON_SET(?, '$.a', 5)",
            "JSON_REMOVE(?, '$.a[0]')",
            "JSON_SET(?, '$.b', 'it''s \\\\ \"new\"')",
            "JSON_REPLACE(?, '$.a[1]', CAST('[1, {}]' AS JSON))",
            "JSON_ARRAY_INSERT(?, '$.a[0]', 2.5)",
            "JSON_SET(JSON_REMOVE(?, '$.b'), '$.c', NULL)"};
        std::string change = random_.Pick(kChanges);
        if (!mysql() && change.find("CAST") != std::string::npos) continue;
        change.replace(change.find('?'), 1, name);
        Do(session, "UPDATE " + Sql(table) + " SET " + name + " = " + change + where);
      }
      break;
  }
}

void Workload::Temporary(size_t session) {
  const std::string name = Sql(NewName("tmp"));
  Do(session, "CREATE TEMPORARY TABLE " + name + " (id BIGINT PRIMARY KEY)");
  Do(session,
     "INSERT INTO " + name + " VALUES (" + Id(session) + "), (" + std::to_string(1000 + session) + ")");
  Do(session, "INSERT IGNORE INTO " + Sql(PickTable(true)) + " (id) SELECT id FROM " + name);
  Do(session, "DROP TEMPORARY TABLE " + name);
}

void Workload::EndTransaction(size_t session) {
  Session& of = sessions_[session];
  const std::string xid = "'x" + std::to_string(session) + "', 'b', 7";
  if (!of.xa) {
    Do(session, random_.Percent(75) ? "COMMIT" : "ROLLBACK");
    return;
  }
  // Deadlocks and timeouts leave a transaction that can only be rolled back.
  if (!Do(session, "XA END " + xid)) {
    Do(session, "XA ROLLBACK " + xid);
    return;
  }
  if (random_.Percent(20)) {
    Do(session, "XA COMMIT " + xid + " ONE PHASE");
  } else if (Do(session, "XA PREPARE " + xid)) {
    of.prepared = true;
  } else {
    Do(session, "XA ROLLBACK " + xid);
  }
}

void Workload::EndXa(size_t session) {
  sessions_[session].prepared = false;
  Do(session, std::string("XA ") + (random_.Percent(65) ? "COMMIT" : "ROLLBACK") + " 'x" +
                  std::to_string(session) + "', 'b', 7");
}

// --- while no transaction is open ---

void Workload::StatementsAlone() {
  for (int i = random_.Between(1, 3); i > 0; --i) {
    Table& table = tables_[random_.Below(tables_.size())];
    const Table& other = PickTable(true);
    const size_t lane = 3;
    const std::string few = std::to_string(random_.Below(60));
    switch (random_.Below(8)) {
      case 0:
        Alone(Insert(table, lane, "INSERT", random_.Between(1, 5)));
        break;
      case 1:
        Alone("UPDATE " + Sql(table) + " SET " + Assignments(table, "") + " WHERE id < " + few);
        break;
      case 2:
        Alone("DELETE FROM " + Sql(table) + " WHERE id > " + few + " LIMIT 3");
        break;
      case 3:
        Alone("UPDATE " + Sql(table) + " a JOIN " + Sql(other) + " b ON a.id = b.id SET " +
              Assignments(table, "a.") + ", " + Assignments(other, "b.") + " WHERE a.id < " + few);
        break;
      case 4:
        Alone("DELETE a, b FROM " + Sql(table) + " a JOIN " + Sql(other) + " b ON a.id = b.id WHERE a.id < " +
              few);
        break;
      case 5:
        Alone("INSERT IGNORE INTO " + Sql(table) + " (id, u) SELECT id + 1, NULL FROM " + Sql(other) +
              " WHERE id < " + few);
        break;
      case 6:
        LoadData(table);
        break;
      default:
        Alone(Insert(table, lane, Replace(0), 3));
        break;
    }
  }
}

void Workload::LoadData(const Table& table) {
  const std::string path = files_ + "/load.txt";
  std::ofstream(path) << Id(3) << "\t" << 3 + 4 * random_.Below(20) << "\n" << Id(3) << "\t\\N\n";
  Alone("LOAD DATA INFILE " + QuoteText(path) +
        (random_.Percent(50) || *Replace(0) != 'R' ? " IGNORE" : " REPLACE") + " INTO TABLE " + Sql(table) +
        " (id, u)");
}

void Workload::Definitions() {
  Table& table = tables_[random_.Below(tables_.size())];
  const std::string alter = "ALTER TABLE " + Sql(table) + " ";
  static const std::vector<std::string> kPlaces = {"", " FIRST", " AFTER id"};
  switch (random_.Below(9)) {
    case 0: {
      const Column column = NewColumn();
      if (Alone(alter + "ADD COLUMN " + Definition(column) + random_.Pick(kPlaces)))
        table.columns.push_back(column);
      break;
    }
    case 1:
      if (table.columns.size() > 1 && Alone(alter + "DROP COLUMN " + QuoteName(table.columns[0].name)))
        table.columns.erase(table.columns.begin());
      break;
    case 2: {
      Column column = table.columns.back();
      column.type = NewColumn().type;
      if (Alone(alter + "MODIFY COLUMN " + Definition(column) + random_.Pick(kPlaces)))
        table.columns.back() = column;
      break;
    }
    case 3: {
      const std::string name = NewName("renamed");
      if (Alone(alter + "RENAME COLUMN " + QuoteName(table.columns[0].name) + " TO " + QuoteName(name)))
        table.columns[0].name = name;
      break;
    }
    case 4: {
      const std::string name = NewName("moved");
      if (Alone("RENAME TABLE " + Sql(table) + " TO " + Sql(name))) table.name = name;
      break;
    }
    case 5:
      if (random_.Percent(50)) Alone("TRUNCATE TABLE " + Sql(table));
      break;
    case 6:
      if (table.keyed && !table.referred) Swap(&table);
      break;
    case 7: {
      const std::string copy = NewName("copy");
      Alone("CREATE TABLE " + Sql(copy) + " AS SELECT * FROM " + Sql(table));
      Alone("DROP TABLE " + Sql(copy));
      break;
    }
    default:
      break;
  }
}

// As gh-ost does it: a copy with another definition, filled, takes the table's place.
void Workload::Swap(Table* table) {
  const std::string ghost = "_" + table->name + "_gho";
  const std::string old = "_" + table->name + "_del";
  const Column column = NewColumn();
  if (!Alone("CREATE TABLE " + Sql(ghost) + " LIKE " + Sql(*table))) return;
  const bool added = Alone("ALTER TABLE " + Sql(ghost) + " ADD COLUMN " + Definition(column) + " FIRST");
  std::string names = "id, u";
  for (const Column& there : table->columns) names += ", " + QuoteName(there.name);
  Alone("INSERT IGNORE INTO " + Sql(ghost) + " (" + names + ") SELECT " + names + " FROM " + Sql(*table));
  Alone(Insert(*table, 3, "INSERT IGNORE", 2));
  Alone(std::string(Replace(0)) + " INTO " + Sql(ghost) + " (" + names + ") SELECT " + names + " FROM " +
        Sql(*table) + " WHERE id % 4 = 3");
  if (!Alone("RENAME TABLE " + Sql(*table) + " TO " + Sql(old) + ", " + Sql(ghost) + " TO " + Sql(*table)))
    return;
  Alone("DROP TABLE " + Sql(old));
  if (added) table->columns.push_back(column);
}

// --- pieces of statements ---

Workload::Table& Workload::PickTable(bool keyed_transactional) {
  while (true) {
    Table& table = tables_[random_.Below(tables_.size())];
    if (!keyed_transactional || (table.keyed && table.transactional)) return table;
  }
}

// MariaDB's images leave out what it has set to defaults, docs/types.md.
const char* Workload::Replace(size_t session) const {
  return mysql() || sessions_[session].full_image ? "REPLACE" : "INSERT IGNORE";
}

std::string Workload::Insert(const Table& table, size_t lane, const char* verb, int rows) {
  std::vector<const Column*> columns;
  std::string sql = std::string(verb) + " INTO " + Sql(table) + " (id, u";
  for (const Column& column : table.columns) {
    if (random_.Percent(80)) columns.push_back(&column);
  }
  for (const Column* const column : columns) sql += ", " + QuoteName(column->name);
  sql += ") VALUES ";
  for (int row = 0; row < rows; ++row) {
    sql += (row == 0 ? "(" : ", (") + Id(lane) + ", " + Unique(lane);
    for (const Column* const column : columns) sql += ", " + Value(*column);
    sql += ")";
  }
  return sql;
}

std::string Workload::Assignments(const Table& table, const std::string& prefix) {
  std::string sql;
  for (const Column& column : table.columns) {
    if (sql.empty() || random_.Percent(40))
      sql += (sql.empty() ? "" : ", ") + prefix + QuoteName(column.name) + " = " + Value(column);
  }
  return sql;
}

}  // namespace arrowcdc::mysql::test
