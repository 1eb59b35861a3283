// Another server takes over, and a copy that is killed: nothing is lost, nothing is there twice, or it is
// refused by name and what is there stays.
#include <algorithm>
#include <random>
#include <thread>

#include "tests/end_to_end/mysql_fixture.h"
#include "tests/testing/seed.h"
#include "tests/testing/wait.h"

namespace arrowcdc::test {
namespace {

namespace fs = std::filesystem;

class MysqlFailover : public MysqlTest {
 protected:
  bool mysql() const { return GetParam() == Flavor::kMysql; }

  // A second server that follows server_.
  void StartReplica() {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(
        replica_, MysqlServer::Create(GetParam(), {"--server-id=2", "--log-slave-updates=ON"}));
    const string port = std::to_string(server_->port());
    ARROWCDC_ASSERT_OK(server_->Run(
        {"CREATE USER 'copy'@'%' IDENTIFIED BY 'x'", "GRANT REPLICATION SLAVE ON *.* TO 'copy'@'%'"}));
    ARROWCDC_ASSERT_OK(replica_->Run(
        mysql() ? Strings{"CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=" + port +
                              ", SOURCE_USER='copy', SOURCE_PASSWORD='x', SOURCE_AUTO_POSITION=1, "
                              "GET_SOURCE_PUBLIC_KEY=1",
                          "START REPLICA"}
                : Strings{"CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=" + port +
                              ", MASTER_USER='copy', MASTER_PASSWORD='x', MASTER_USE_GTID=slave_pos",
                          "START SLAVE"}));
  }

  void Follow(int rows) {
    ARROWCDC_ASSERT_OK(WaitFor(
        [&] {
          const auto there = replica_->Query("SELECT COUNT(*) FROM shop.a");
          return there.ok() && (*there)[0][0] == std::to_string(rows);
        },
        seconds(90), "the replica to follow"));
  }
  void Promote() {
    ARROWCDC_ASSERT_OK(server_->Stop());
    ARROWCDC_ASSERT_OK(replica_->Run(
        {mysql() ? "STOP REPLICA" : "STOP SLAVE", mysql() ? "RESET REPLICA ALL" : "RESET SLAVE ALL"}));
    std::swap(server_, replica_);
  }
  void Insert(int k) {
    ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop.a VALUES (" + std::to_string(k) + ")"}));
  }
  // "copied rows|inserts|different inserted keys"
  string Counts() const {
    const auto lines = Lines(
        "SELECT count(*) FILTER (_op = 'snapshot'), count(*) FILTER (_op = 'insert'), count(DISTINCT k) "
        "FILTER (_op = 'insert') FROM read_parquet('" +
        Directory() + "/shop.a/*.parquet', union_by_name = true)");
    EXPECT_TRUE(lines.ok() && lines->size() == 2u) << lines.status();
    return lines.ok() && lines->size() == 2u ? (*lines)[1] : "";
  }

  std::unique_ptr<MysqlServer> replica_;
};

INSTANTIATE_TEST_SUITE_P(All, MysqlFailover, testing::Values(Flavor::kMysql, Flavor::kMariadb), FlavorName);

// It goes on once somebody says that the server is another one, with each change once.
TEST_P(MysqlFailover, ToAReplicaThatHasAll) {
  StartReplica();
  ARROWCDC_ASSERT_OK(
      server_->Run({"CREATE TABLE shop.a (k INT PRIMARY KEY)", "INSERT INTO shop.a VALUES (1), (2), (3)"}));
  Ends({}, 0);
  // Places there are lower than those of now.
  ARROWCDC_ASSERT_OK(server_->Run({"FLUSH BINARY LOGS", "FLUSH BINARY LOGS"}));
  Insert(4);
  Ends({}, 0);
  Insert(5);
  Follow(5);
  Promote();
  Insert(6);
  const string refused = Ends({}, 6);
  EXPECT_NE(refused.find("--accept-gap"), string::npos) << refused;
  EXPECT_EQ(Counts(), "3|1|1");
  const string accepted = Ends({"--accept-gap"}, 0);
  EXPECT_EQ(accepted.find("copied anew"), string::npos) << accepted;
  ExpectSame("a");
  Insert(7);
  Ends({}, 0);
  ExpectSame("a");
  EXPECT_EQ(Counts(), "3|4|4");
}

// What was delivered has been lost with the server.
TEST_P(MysqlFailover, ToAReplicaThatLacksSome) {
  StartReplica();
  ARROWCDC_ASSERT_OK(
      server_->Run({"CREATE TABLE shop.a (k INT PRIMARY KEY)", "INSERT INTO shop.a VALUES (1), (2)"}));
  Ends({}, 0);
  Insert(3);
  Follow(3);
  ARROWCDC_ASSERT_OK(replica_->Run({mysql() ? "STOP REPLICA" : "STOP SLAVE"}));
  Insert(4);
  Ends({}, 0);
  Promote();
  // MariaDB's number of the lost one is used again, by another server.
  for (int k = 5; k < 8; ++k) {
    Insert(k);
    for (const Strings& more : {Strings{}, Strings{"--accept-gap"}}) {
      const string refused = Ends(more, 6);
      EXPECT_NE(refused.find("--snapshot when-needed"), string::npos) << refused;
    }
  }
  EXPECT_EQ(Counts(), "2|2|2");  // nothing is gone
  Ends({"--snapshot", "when-needed"}, 0);
  ExpectSame("a");
  Insert(8);
  Ends({}, 0);
  ExpectSame("a");
  EXPECT_EQ(Counts(), "8|3|3");
}

// A transaction is there in part, which has other places in the log of the replica.
TEST_P(MysqlFailover, InTheMiddleOfATransaction) {
  if (!mysql()) GTEST_SKIP() << "its rows come when they are committed";
  StartReplica();
  ARROWCDC_ASSERT_OK(
      server_->Run({"CREATE TABLE shop.a (k INT PRIMARY KEY)", "INSERT INTO shop.a VALUES (1)"}));
  Ends({}, 0);
  Insert(2);
  Ends({}, 0);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto stream, Subprocess::Start(Stream({"--roll-rows", "1000"})));
  ARROWCDC_ASSERT_OK(WaitFor([&] { return stream->error().find("\"streaming\"") != string::npos; },
                             seconds(60), "the stream"));
  ARROWCDC_ASSERT_OK(
      server_->Run({"INSERT INTO shop.a WITH RECURSIVE r AS (SELECT 10 AS k UNION ALL SELECT k + 1 FROM r "
                    "WHERE k < 990) SELECT r.k * 1000 + s.k FROM r CROSS JOIN r AS s"}));
  ARROWCDC_ASSERT_OK(WaitFor(
      [&] {
        const auto files = fs::directory_iterator(fs::path(Directory()) / "shop.a");
        return std::count_if(begin(files), end(files),
                             [](const auto& file) { return file.path().extension() == ".parquet"; }) > 4;
      },
      seconds(90), "files of a part of it"));
  stream->Kill();
  Follow(2 + 981 * 981);
  Promote();
  const string before = Counts();
  for (const Strings& more : {Strings{}, Strings{"--accept-gap"}}) {
    const string refused = Ends(more, 6);
    EXPECT_NE(refused.find("rows are there from behind it"), string::npos) << refused;
    EXPECT_NE(refused.find("--snapshot when-needed"), string::npos) << refused;
  }
  EXPECT_EQ(Counts(), before);
  Ends({"--snapshot", "when-needed"}, 0);
  ExpectSame("a");
  Insert(3);
  Ends({}, 0);
  ExpectSame("a");
}

// --- a copy that does not come to its end ---

class MysqlCopy : public MysqlTest {};

INSTANTIATE_TEST_SUITE_P(All, MysqlCopy, testing::Values(Flavor::kMysql, Flavor::kMariadb), FlavorName);

// Of a table that is more than a row group: a file of it is there, and not complete, for a part of the copy.
constexpr char kManyRows[] =
    " WITH RECURSIVE r AS (SELECT 0 AS k UNION ALL SELECT k + 1 FROM r WHERE k < 899) SELECT r.k * 300 + "
    "s.k, "
    "REPEAT('x', 50) FROM r CROSS JOIN r AS s WHERE s.k < 300";
constexpr int kRows = 900 * 300;

// Files below the directory whose names begin with a dot, and those of copies that are complete.
std::pair<int, int> CountFiles(const string& directory) {
  std::pair<int, int> counts;
  std::error_code error;
  for (auto at = fs::recursive_directory_iterator(directory, error); at != fs::recursive_directory_iterator();
       at.increment(error)) {
    if (error) break;  // it went meanwhile
    const string name = at->path().filename().string();
    if (name.starts_with('.') && at.depth() > 0) ++counts.first;
    if (name.ends_with("-snapshot.parquet") && !name.starts_with('.')) ++counts.second;
  }
  return counts;
}

TEST_P(MysqlCopy, KilledAndDoneAgain) {
  for (const char* table : {"a", "b", "c"}) {
    ARROWCDC_ASSERT_OK(
        server_->Run({string("CREATE TABLE shop.") + table + " (k INT PRIMARY KEY, s VARCHAR(60))",
                      string("INSERT INTO shop.") + table + kManyRows}));
  }
  const Strings slowly = {"--snapshot-connections", "1"};
  for (const int complete : {0, 1, 2}) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto stream, Subprocess::Start(Stream(slowly)));
    // Within a table: nothing of it may stay.
    ARROWCDC_ASSERT_OK(WaitFor(
        [&] {
          const auto [hidden, done] = CountFiles(Directory());
          return (hidden > 0 && done >= complete) || !stream->Running();
        },
        seconds(90), "a part of a table"));
    EXPECT_TRUE(stream->Running()) << stream->error();
    stream->Kill();
    ARROWCDC_ASSERT_OK(
        server_->Run({"INSERT INTO shop.a VALUES (-" + std::to_string(complete + 1) + ", 'new')",
                      "UPDATE shop.b SET s = 'changed' WHERE k < 5"}));
  }
  Ends(slowly, 0);
  for (const char* table : {"a", "b", "c"}) {
    ExpectSame(table);
    ARROWCDC_ASSERT_OK_AND_ASSIGN(
        const Strings lines, Lines("SELECT count(*) >= " + std::to_string(kRows) +
                                   " AND count(*) = count(DISTINCT k) FROM read_parquet('" + Directory() +
                                   "/shop." + table + "/*-snapshot.parquet')"));
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_EQ(lines[1], "true") << table;
  }
  ExpectNothingTwice();
  EXPECT_EQ(CountFiles(Directory()).first, 0);
}

// Another table takes its place at once, or a column gets another name, while its rows are read.
TEST_P(MysqlCopy, OfATableWhosePlaceIsTaken) {
  const auto streams = [&](const Strings& more) {
    Strings arguments = {"--source", server_->url(), "--tables",
                         "shop.a",   "--sink",       "parquet:" + Directory()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Command("stream", arguments);
  };
  ARROWCDC_ASSERT_OK(server_->Run({"CREATE TABLE shop.a (k INT PRIMARY KEY, s VARCHAR(60))",
                                   string("INSERT INTO shop.a") + kManyRows,
                                   "CREATE TABLE shop._a_gho (more INT, k INT PRIMARY KEY, s VARCHAR(60))",
                                   "INSERT INTO shop._a_gho SELECT 1, k, s FROM shop.a"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto stream, Subprocess::Start(streams({})));
  ARROWCDC_ASSERT_OK(WaitFor([&] { return CountFiles(Directory()).first > 0 || !stream->Running(); },
                             seconds(90), "a part of the table"));
  ARROWCDC_ASSERT_OK(server_->Run({"RENAME TABLE shop.a TO shop._a_del, shop._a_gho TO shop.a",
                                   "INSERT INTO shop.a VALUES (2, -1, 'behind it')",
                                   "ALTER TABLE shop.a RENAME COLUMN more TO renamed, ALGORITHM = INSTANT",
                                   "INSERT INTO shop.a VALUES (3, -2, 'the last')"}));
  ARROWCDC_ASSERT_OK(
      WaitFor([&] { return stream->error().find("\"streaming\"") != string::npos || !stream->Running(); },
              seconds(90), "the stream"));
  ARROWCDC_ASSERT_OK(stream->Signal(SIGINT));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, stream->Wait(seconds(60)));
  EXPECT_TRUE(ended.ok()) << stream->error();
  ARROWCDC_ASSERT_OK(RunProgram(streams({"--until", "now"})).status());
  // What had been copied before the column got its name has it under the one of then.
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto there, Table("a"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto here, Current("a"));
  const auto keys = [](const std::multiset<string>& rows) {
    std::multiset<string> found;
    for (const string& row : rows) found.insert(row.substr(row.find('|') + 1));
    return found;
  };
  EXPECT_EQ(there.size(), static_cast<size_t>(kRows) + 2);
  EXPECT_TRUE(keys(here) == keys(there));
  ExpectNothingTwice();
}

}  // namespace
}  // namespace arrowcdc::test
