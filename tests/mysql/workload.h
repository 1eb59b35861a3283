// A random workload of a seed: several sessions, one statement after the other, over tables with columns of
// all types. It looks at what the server takes, so a seed gives the same statements as long as the server
// answers the same. What must come of them only the server's own log and tables say.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "src/mysql/testing/mysql_server.h"
#include "tests/testing/random.h"

namespace arrowcdc::mysql::test {

class Workload {
 public:
  // Sessions of its own. `files`: a directory that the server reads for LOAD DATA.
  static arrow::Result<std::unique_ptr<Workload>> Make(MysqlServer* server, std::string files);

  // In a new database of that name.
  arrow::Status Run(const std::string& database, uint64_t seed);
  // What the last Run did, one statement a line with its session.
  const std::string& text() const { return text_; }
  int64_t statements() const { return statements_; }
  int64_t refused() const { return refused_; }

 private:
  struct Column {
    std::string name;
    size_t type = 0;  // of Types()
  };
  struct Table {
    std::string name;
    std::vector<Column> columns;  // besides id and u
    bool keyed = true;
    bool transactional = true;
    bool referred = false;  // by a foreign key, or with one
  };
  struct Session {
    std::unique_ptr<Connection> connection;
    int left = 0;  // statements until the transaction ends
    bool xa = false;
    bool prepared = false;
    int savepoints = 0;
    bool full_image = true;
  };

  Workload(MysqlServer* server, std::string files);
  bool mysql() const { return server_->flavor() == Flavor::kMysql; }
  bool Do(size_t session, const std::string& sql);
  bool Alone(const std::string& sql) { return Do(0, sql); }

  arrow::Status MakeTables();
  void Settings(size_t session);
  void Round();
  void BeginTransaction(size_t session);
  void Step(size_t session);
  void EndTransaction(size_t session);
  void EndXa(size_t session);
  void StatementsAlone();
  void Definitions();
  void Temporary(size_t session);
  void Swap(Table* table);
  void LoadData(const Table& table);

  std::string Sql(const Table& table) const { return Sql(table.name); }
  std::string Sql(const std::string& table) const;
  std::string NewName(const char* prefix) { return prefix + std::to_string(++names_); }
  Column NewColumn();
  std::string Definition(const Column& column) const;
  std::string Value(const Column& column);
  std::string Id(size_t lane) { return std::to_string(lane + 4 * random_.Below(10)); }
  std::string Unique(size_t lane);
  const char* Replace(size_t session) const;
  // An INSERT or REPLACE of some rows, with some of the columns.
  std::string Insert(const Table& table, size_t lane, const char* verb, int rows);
  std::string Assignments(const Table& table, const std::string& prefix);
  Table& PickTable(bool keyed_transactional);

  MysqlServer* const server_;
  const std::string files_;
  arrowcdc::test::Random random_{0};
  std::string database_;
  std::vector<Table> tables_;
  std::vector<Session> sessions_;
  int names_ = 0;
  std::string text_;
  int64_t statements_ = 0;
  int64_t refused_ = 0;
};

}  // namespace arrowcdc::mysql::test
