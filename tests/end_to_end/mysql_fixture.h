// A server, the command on it with a directory of Parquet files, and what these hold: for tests of the
// command on MySQL and MariaDB.
#pragma once

#include <filesystem>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "src/mysql/testing/mysql_server.h"
#include "tests/end_to_end/client.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::test {

using mysql::Flavor;
using mysql::test::HasServer;
using mysql::test::MysqlServer;
using std::string;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Strings = std::vector<string>;

inline string FlavorName(const testing::TestParamInfo<Flavor>& info) {
  return info.param == Flavor::kMysql ? "Mysql" : "Mariadb";
}

class MysqlTest : public ::testing::TestWithParam<Flavor> {
 protected:
  void SetUp() override {
    if (!HasServer(GetParam())) GTEST_SKIP() << "no server: tools/mysql_files.sh has not fetched it";
    ARROWCDC_ASSERT_OK_AND_ASSIGN(server_, MysqlServer::Create(GetParam()));
    ARROWCDC_ASSERT_OK(server_->Run({"CREATE DATABASE shop CHARACTER SET utf8mb4"}));
  }

  string Directory() const { return (files_.path() / "changes").string(); }

  SubprocessOptions Command(const string& command, const Strings& more) const {
    Strings argv = {CommandPath().string(), "--log=json", command};
    argv.insert(argv.end(), more.begin(), more.end());
    return {.argv = std::move(argv)};
  }
  SubprocessOptions Stream(const Strings& more = {}) const {
    Strings arguments = {"--source", server_->url(), "--tables",
                         "shop.*",   "--sink",       "parquet:" + Directory()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Command("stream", arguments);
  }

  static arrow::Result<Strings> Lines(const string& query) {
    ARROW_ASSIGN_OR_RAISE(const string output,
                          RunProgram({.argv = {ARROWCDC_PYTHON, ARROWCDC_RUN_DUCKDB}, .input = query}));
    Strings lines;
    std::istringstream text(output);
    for (string line; std::getline(text, line);) lines.push_back(line);
    return lines;
  }

  // Streams to the end of the log of now; what it says, where it ends with that code.
  string Ends(const Strings& more, int code) const {
    Strings arguments = {"--until", "now"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto stream = Subprocess::Start(Stream(arguments));
    EXPECT_TRUE(stream.ok()) << stream.status();
    const auto state = (*stream)->Wait(seconds(120));
    EXPECT_TRUE(state.ok() && state->code == code) << state.status() << (*stream)->error();
    return (*stream)->error();
  }

  // The rows that `arrowcdc sql` shows, without the names of the columns; the table's, in the same form.
  arrow::Result<std::multiset<string>> Current(const string& table) const {
    ARROW_ASSIGN_OR_RAISE(
        const string query,
        RunProgram({.argv = {CommandPath().string(), "sql", Directory(), "shop." + table}}));
    ARROW_ASSIGN_OR_RAISE(const Strings lines, Lines(query));
    std::multiset<string> rows(lines.begin() + 1, lines.end());
    rows.erase("");
    return rows;
  }
  arrow::Result<std::multiset<string>> Table(const string& table) const {
    ARROW_ASSIGN_OR_RAISE(const auto rows, server_->Query("SELECT * FROM shop." + table));
    std::multiset<string> lines;
    for (const auto& row : rows) {
      string line;
      for (size_t i = 0; i < row.size(); ++i) line += (i == 0 ? "" : "|") + row[i].value_or("~");
      lines.insert(line);
    }
    return lines;
  }
  void ExpectSame(const string& table) const {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto there, Table(table));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto here, Current(table));
    EXPECT_EQ(here, there) << table;
  }
  // Each row of the log is there once: its identity is.
  void ExpectNothingTwice() const {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(
        const Strings lines,
        Lines("SELECT count(*), count(DISTINCT (filename[:-40], _commit_lsn, _lsn, _ord)) FROM (SELECT "
              "string_split(filename, '/')[-2] || repeat(' ', 40) AS filename, _commit_lsn, _lsn, _ord FROM "
              "read_parquet('" +
              Directory() + "/shop.*/*.parquet', union_by_name = true, filename = true))"));
    ASSERT_EQ(lines.size(), 2u);
    const size_t bar = lines[1].find('|');
    EXPECT_EQ(lines[1].substr(0, bar), lines[1].substr(bar + 1));
  }

  TemporaryDirectory files_;
  std::unique_ptr<MysqlServer> server_;
};

}  // namespace arrowcdc::test
