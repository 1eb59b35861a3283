// What the source does at the edges: authentication, settings, files, a reader that is slow, what is refused.
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "arrowcdc/mysql.h"
#include "src/mysql/testing/batches.h"
#include "src/mysql/testing/mysql_server.h"
#include "src/mysql/testing/replay.h"
#include "src/mysql/testing/source_fixture.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/wait.h"

namespace arrowcdc::mysql::test {
namespace {

using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

std::string Slurp(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void Spill(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<long>(bytes.size()));
}

// A directory with a copy of a file of the log.
class TemporaryFiles {
 public:
  explicit TemporaryFiles(const fs::path& log) : directory_(testing::TempDir() + "/arrowcdc-log-XXXXXX") {
    EXPECT_NE(mkdtemp(directory_.data()), nullptr);
    fs::copy_file(log, directory() / log.filename());
  }
  ~TemporaryFiles() {
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
  }
  TemporaryFiles(const TemporaryFiles&) = delete;
  TemporaryFiles& operator=(const TemporaryFiles&) = delete;
  fs::path directory() const { return directory_; }

 private:
  std::string directory_;
};

class MysqlLimits : public MysqlSource {
 protected:
  bool mysql() const { return GetParam() == Flavor::kMysql; }

  void Insert(int id) {
    ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop.t VALUES (" + std::to_string(id) + ", 'x', 1)"}));
  }

  arrow::Result<std::string> QueryOne(const std::string& sql) {
    ARROW_ASSIGN_OR_RAISE(const Rows rows, server_->Query(sql));
    return rows.empty() ? "" : rows[0][0].value_or("");
  }

  arrow::Status ReadAll(Replay* replay, Source* source) {
    ARROW_ASSIGN_OR_RAISE(const LogEnd end, MakeEnd());
    return replay->ReadUntil(source, end.position);
  }

  MysqlOptions Options() {
    MysqlOptions options;
    options.url = server_->url();
    options.tables = {"shop.t"};
    return options;
  }
};

INSTANTIATE_TEST_SUITE_P(All, MysqlLimits, testing::Values(Flavor::kMysql, Flavor::kMariadb), FlavorName);

TEST_P(MysqlLimits, StopsWithinASecond) {
  StartServer();
  MysqlOptions options = Options();
  options.stop = std::make_shared<StopToken>();
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto source, MakeMysqlSource(options));
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Begin(source.get()));
  const auto began = Clock::now();
  options.stop->StopAfter(std::chrono::milliseconds(50));
  arrow::Result<std::optional<Event>> next = std::optional<Event>();
  while (next.ok()) next = source->Next(std::chrono::milliseconds(5000));
  EXPECT_EQ(KindOf(next.status()), ErrorKind::kInterrupted);
  ARROWCDC_EXPECT_OK(source->Stop());
  EXPECT_LT(Clock::now() - began, std::chrono::seconds(1));
}

// Nobody calls Next while much is written: it waits in memory and on disk, and all of it comes.
TEST_P(MysqlLimits, ASlowReaderLosesNothing) {
  StartServer();
  MysqlOptions options = Options();
  options.buffer_bytes_max = 1 << 20;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto source, MakeMysqlSource(options));
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Begin(source.get()));
  for (int i = 0; i < 200; ++i) {
    std::string sql = "INSERT INTO shop.t VALUES ";
    for (int j = 0; j < 200; ++j)
      sql += (j == 0 ? "(" : ",(") + std::to_string(i * 200 + j) + ", REPEAT('x', 100), 1)";
    ARROWCDC_ASSERT_OK(server_->Run({sql}));
  }
  ARROWCDC_ASSERT_OK(arrowcdc::test::WaitFor([&] { return source->stats().buffered_bytes > 4 << 20; },
                                             std::chrono::seconds(30), "the log to have been received"));
  ARROWCDC_ASSERT_OK(ReadAll(&replay, source.get()));
  EXPECT_EQ(replay.changes(), 40'000);
  EXPECT_LT(replay.batches(), 100);  // across transactions
  ExpectSame(&replay);
}

// In the order of the manual: the environment, then the option file.
TEST_P(MysqlLimits, PasswordsFromEnvironmentAndOptionFile) {
  StartServer();
  ARROWCDC_ASSERT_OK(server_->Run({"CREATE USER 'cdc'@'%' IDENTIFIED BY 'right'"}));
  const std::string file = testing::TempDir() + "arrowcdc-option-file-" + std::to_string(server_->port());
  const auto opens = [&](const std::string& in_file, const char* in_environment) {
    Spill(file, "[client]\npassword=" + in_file + "\n");
    if (in_environment != nullptr) setenv("MYSQL_PWD", in_environment, 1);
    const auto url = ParseUrl("mysql://cdc@127.0.0.1:" + std::to_string(server_->port()) +
                              "/?ssl-mode=preferred&option-file=" + file);
    const auto connection =
        url.ok() ? Connection::Open(*url, nullptr) : arrow::Result<std::unique_ptr<Connection>>(url.status());
    unsetenv("MYSQL_PWD");
    return connection.ok() ? "opened" : std::string(ErrorKindName(KindOf(connection.status())));
  };
  const std::string refused = ErrorKindName(ErrorKind::kAuthentication);
  EXPECT_EQ(opens("right", nullptr), "opened");
  EXPECT_EQ(opens("wrong", nullptr), refused);
  EXPECT_EQ(opens("wrong", "right"), "opened");
  EXPECT_EQ(opens("right", "wrong"), refused);
  fs::remove(file);
}

TEST_P(MysqlLimits, PasswordsAreInNoMessage) {
  StartServer();
  ARROWCDC_ASSERT_OK(server_->Run({"CREATE USER 'cdc'@'%' IDENTIFIED BY 'right'"}));
  MysqlOptions options = Options();
  options.url = server_->url_as("cdc", "hunter2", "ssl-mode=preferred");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto source, MakeMysqlSource(options));
  const arrow::Status refused = source->Connect().status();
  EXPECT_EQ(KindOf(refused), ErrorKind::kAuthentication) << refused;
  EXPECT_EQ(refused.ToString().find("hunter2"), std::string::npos);
}

// It ends the connection without a word of TLS.
TEST_P(MysqlLimits, AServerThatDiesUnderTlsIsTriedAgain) {
  if (!mysql()) GTEST_SKIP() << "MariaDB 10.11 makes no certificate for itself";
  StartServer();
  MysqlOptions options = Options();
  options.url = server_->url("ssl-mode=required");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto source, MakeMysqlSource(options));
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Begin(source.get()));
  Insert(1);
  ARROWCDC_ASSERT_OK(ReadAll(&replay, source.get()));
  ARROWCDC_ASSERT_OK(server_->Crash());
  Position never = *replay.position();
  never.order = std::numeric_limits<uint64_t>::max();
  const arrow::Status lost = replay.ReadUntil(source.get(), never);
  EXPECT_EQ(KindOf(lost), ErrorKind::kConnection) << lost;
  EXPECT_TRUE(GetErrorDetail(lost)->retryable()) << lost;
}

// As accounts are made by default: MySQL's with caching_sha2_password, over TLS and, by the server's key,
// without.
TEST_P(MysqlLimits, AuthenticatesWithAndWithoutTls) {
  StartServer();
  const std::string monitor = mysql() ? "REPLICATION CLIENT" : "BINLOG MONITOR";
  ARROWCDC_ASSERT_OK(server_->Run({"CREATE USER 'cdc'@'%' IDENTIFIED BY 'se:cr@t'",
                                   "GRANT REPLICATION SLAVE, " + monitor + ", SELECT ON *.* TO 'cdc'@'%'"}));
  // MySQL and, from 11.4 on, MariaDB make a certificate for themselves, signed by nobody that is known.
  bool has_tls = mysql();
  if (!mysql()) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const std::string have, QueryOne("SELECT @@have_ssl"));
    has_tls = have == "YES";
  }
  int id = 0;
  for (const char* mode : {"disabled", "preferred", "required", "verify-identity"}) {
    MysqlOptions options = Options();
    options.url = server_->url_as("cdc", "se%3acr%40t", std::string("ssl-mode=") + mode);
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto source, MakeMysqlSource(options));
    Replay replay;
    const arrow::Status begun = replay.Begin(source.get());
    const std::string word = mode;
    if (word == "verify-identity" || (word == "required" && !has_tls)) {
      EXPECT_EQ(KindOf(begun), ErrorKind::kTls) << mode << " " << begun;
      continue;
    }
    ARROWCDC_ASSERT_OK(begun);
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const Url url, ParseUrl(options.url));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto connection, Connection::Open(url, nullptr));
    EXPECT_EQ(connection->encrypted(), has_tls && word != "disabled") << mode;
    Insert(++id);
    ARROWCDC_ASSERT_OK(ReadAll(&replay, source.get()));
    EXPECT_EQ(replay.changes(), 1) << mode;
  }
}

TEST_P(MysqlLimits, FilesGiveWhatTheServerGives) {
  StartServer();
  MysqlOptions options = Options();
  options.start = MysqlStart::kEarliest;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto live, MakeMysqlSource(options));
  for (int i = 0; i < 5; ++i) {
    Insert(i);
    if (i % 2 == 0) ARROWCDC_ASSERT_OK(server_->Run({"FLUSH LOGS", "UPDATE shop.t SET n = n + 1"}));
  }
  Replay of_server;
  ARROWCDC_ASSERT_OK(of_server.Catch(live.get()));
  ARROWCDC_ASSERT_OK(live->Stop());
  ARROWCDC_ASSERT_OK(server_->Stop());
  options.url = "binlog:" + server_->data_directory().string();
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto files, MakeMysqlSource(options));
  Replay of_files;
  ARROWCDC_ASSERT_OK(of_files.Catch(files.get()));
  EXPECT_EQ(of_files.log(), of_server.log());
  EXPECT_EQ(of_files.changes(), 5 + 2 * (1 + 3 + 5));
  // And on from there.
  ARROWCDC_ASSERT_OK(server_->Start());
  Insert(77);
  ARROWCDC_ASSERT_OK(server_->Stop());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto later, MakeMysqlSource(options));
  ARROWCDC_ASSERT_OK(of_files.Catch(later.get()));
  EXPECT_EQ(of_files.changes(), 5 + 2 * (1 + 3 + 5) + 1);
  EXPECT_EQ(of_files.log().back(), "insert 77|x|1");
}

// The end is what it was when it was asked for, whatever is written meanwhile, and half of it, too.
TEST_P(MysqlLimits, FilesThatGrowEndWhereTheyDid) {
  StartServer();
  for (int id = 1; id <= 3; ++id) Insert(id);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const std::string name,
                                QueryOne(mysql() ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS"));
  const fs::path log = server_->data_directory() / name;
  const TemporaryFiles copy(log);
  MysqlOptions options = Options();
  options.url = "binlog:" + copy.directory().string();
  options.start = MysqlStart::kEarliest;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto source, MakeMysqlSource(options));
  ARROWCDC_ASSERT_OK(source->Connect().status());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const LogEnd end, source->CurrentEnd());
  Insert(4);
  const std::string grown = Slurp(log);
  Spill(copy.directory() / name, grown.substr(0, grown.size() - 7));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const Position start, source->Resume({}));
  ARROWCDC_ASSERT_OK(source->Start(start));
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.ReadUntil(source.get(), end.position));
  EXPECT_EQ(replay.position(), end.position);
  EXPECT_EQ(replay.changes(), 3u);
  // Who goes on is told; and it is there once the file is.
  EXPECT_EQ(KindOf(replay.ReadUntil(source.get(), {end.position.epoch, end.position.order + 1})),
            ErrorKind::kProtocol);
  EXPECT_EQ(replay.changes(), 3u);
  Spill(copy.directory() / name, grown);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto again, MakeMysqlSource(options));
  ARROWCDC_ASSERT_OK(replay.Catch(again.get()));
  EXPECT_EQ(replay.changes(), 4u);
  EXPECT_EQ(replay.repeated(), 0u);
}

// Between two events, too: nothing comes that would end the transaction, and that is said.
TEST_P(MysqlLimits, FilesThatEndWithinATransaction) {
  StartServer();
  Insert(1);
  Insert(2);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const std::string name,
                                QueryOne(mysql() ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const Rows events, server_->Query("SHOW BINLOG EVENTS IN '" + name + "'"));
  ASSERT_EQ(events.back()[2], "Xid");
  const TemporaryFiles copy(server_->data_directory() / name);
  fs::resize_file(copy.directory() / name, std::stoul(events.back()[1].value_or("")));
  MysqlOptions options = Options();
  options.url = "binlog:" + copy.directory().string();
  options.start = MysqlStart::kEarliest;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto source, MakeMysqlSource(options));
  Replay replay;
  const arrow::Status cut = replay.Catch(source.get());
  EXPECT_EQ(KindOf(cut), ErrorKind::kProtocol) << cut;
  EXPECT_NE(cut.message().find("within a transaction"), std::string::npos) << cut;
  EXPECT_EQ(replay.log(), (std::vector<std::string>{"insert 1|x|1"}));
}

// Events of a file without checksums are changed by hand.
TEST_P(MysqlLimits, WhatIsNotUnderstoodStops) {
  StartServer({"--binlog-checksum=NONE"});
  const auto live = MakeSource();
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Begin(live.get()));
  Insert(1);
  ARROWCDC_ASSERT_OK(ReadAll(&replay, live.get()));
  EXPECT_EQ(replay.changes(), 1);
  ARROWCDC_ASSERT_OK(live->Stop());
  ARROWCDC_ASSERT_OK(server_->Run({"FLUSH LOGS"}));
  Insert(2);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const Rows files, server_->Query("SHOW BINARY LOGS"));
  ARROWCDC_ASSERT_OK(server_->Stop());
  const fs::path directory = server_->data_directory();
  const fs::path last = directory / files.back()[0].value_or("");
  const std::string whole = Slurp(last);
  const auto read = [&]() -> arrow::Status {
    MysqlOptions options = Options();
    options.url = "binlog:" + directory.string();
    ARROW_ASSIGN_OR_RAISE(const auto source, MakeMysqlSource(options));
    Replay of_files;
    ARROW_RETURN_NOT_OK(of_files.Catch(source.get()));
    return of_files.changes() == 2 ? arrow::Status::OK() : arrow::Status::Invalid("other changes");
  };
  ARROWCDC_EXPECT_OK(read());
  // The last event of a file is STOP; the one before is that which commits.
  size_t at = 4;
  size_t commit = 0;
  for (size_t size = 0; at + 19 <= whole.size(); at += size) {
    size = static_cast<uint8_t>(whole[at + 9]) | static_cast<size_t>(static_cast<uint8_t>(whole[at + 10]))
                                                     << 8;
    if (whole[at + 4] == 16) commit = at;
  }
  ASSERT_GT(commit, 0);
  std::string changed = whole;
  changed[commit + 4] = static_cast<char>(250);
  Spill(last, changed);
  EXPECT_EQ(KindOf(read()), ErrorKind::kUnsupported) << read();
  changed[commit + 4] = 26;  // INCIDENT
  Spill(last, changed);
  EXPECT_EQ(KindOf(read()), ErrorKind::kPositionGap) << read();
  Spill(last, whole.substr(0, commit + 10));
  EXPECT_EQ(KindOf(read()), ErrorKind::kProtocol) << read();
  Spill(last, whole);
  fs::remove(directory / files[files.size() - 2][0].value_or(""));
  EXPECT_EQ(KindOf(read()), files.size() > 2 ? ErrorKind::kPositionGap : ErrorKind::kInternal) << read();
}

TEST_P(MysqlLimits, TellsWhatBecomesOfTables) {
  StartServer();
  const auto source = MakeSource();
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Begin(source.get()));
  Insert(1);
  ARROWCDC_ASSERT_OK(server_->Run(
      {"ALTER TABLE shop.t ADD COLUMN more INT DEFAULT 5", "INSERT INTO shop.t VALUES (2, 'y', 2, 3)",
       "RENAME TABLE shop.t TO shop.renamed", "INSERT INTO shop.renamed VALUES (3, 'z', 2, 3)",
       "CREATE TABLE shop.t (id INT PRIMARY KEY)", "DROP TABLE shop.t"}));
  ARROWCDC_ASSERT_OK(ReadAll(&replay, source.get()));
  // Rows that the name had before are gone with a table that is made under it, and with it.
  EXPECT_EQ(replay.log(),
            (std::vector<std::string>{"insert 1|x|1", "insert 2|y|2|3", "truncate", "truncate"}));
  std::string text;
  for (const SourceNotice& notice : replay.notices()) text += notice.object + ": " + notice.text + "\n";
  EXPECT_NE(text.find("renamed to shop.renamed"), std::string::npos) << text;
  EXPECT_NE(text.find("dropped"), std::string::npos) << text;
}

// Rows are known by their numbers, also to who has not read what is in front of them: here, that the name was
// another table's.
TEST_P(MysqlLimits, NumbersRowsOfCreateSelectAlikeWhereverItBegins) {
  StartServer();
  const auto early = MakeSource();
  Replay of_early;
  ARROWCDC_ASSERT_OK(of_early.Begin(early.get()));
  Insert(1);
  ARROWCDC_ASSERT_OK(server_->Run({"DROP DATABASE shop", "CREATE DATABASE shop"}));
  const auto late = MakeSource();
  Replay of_late;
  ARROWCDC_ASSERT_OK(of_late.Begin(late.get()));
  ARROWCDC_ASSERT_OK(server_->Run({"CREATE TABLE shop.t AS SELECT 1 AS id UNION ALL SELECT 2"}));
  ARROWCDC_ASSERT_OK(ReadAll(&of_early, early.get()));
  ARROWCDC_ASSERT_OK(ReadAll(&of_late, late.get()));
  const std::vector<std::string> rows{"insert 1", "insert 2"};
  EXPECT_EQ(of_late.log(), rows);
  EXPECT_TRUE(std::equal(rows.rbegin(), rows.rend(), of_early.log().rbegin()));
  EXPECT_GE(of_early.truncates(), 1u);
  ASSERT_TRUE(of_early.last_row(kTable).has_value());
  EXPECT_EQ(of_early.last_row(kTable), of_late.last_row(kTable));
}

// Also what it does to the table that takes part in it by name.
TEST_P(MysqlLimits, SaysThatRowsWentWithAPartition) {
  StartServer();
  ARROWCDC_ASSERT_OK(
      server_->Run({"CREATE TABLE shop.parts (id BIGINT PRIMARY KEY, name VARCHAR(100), n INT) "
                    "PARTITION BY RANGE (id) (PARTITION low VALUES LESS THAN (100))"}));
  Insert(1);
  const auto source = MakeSource();
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Begin(source.get()));
  ARROWCDC_ASSERT_OK(server_->Run({"ALTER TABLE shop.parts EXCHANGE PARTITION low WITH TABLE shop.t"}));
  Insert(1);
  if (!mysql()) {
    ARROWCDC_ASSERT_OK(server_->Run(
        {"DROP TABLE shop.t", "ALTER TABLE shop.parts ADD PARTITION (PARTITION high VALUES LESS THAN (200))",
         "ALTER TABLE shop.parts CONVERT PARTITION high TO TABLE shop.t"}));
    Insert(101);
    ARROWCDC_ASSERT_OK(server_->Run(
        {"ALTER TABLE shop.parts CONVERT TABLE shop.t TO PARTITION high VALUES LESS THAN (200)"}));
  }
  ARROWCDC_ASSERT_OK(ReadAll(&replay, source.get()));
  size_t said = 0;
  for (const SourceNotice& notice : replay.notices())
    said += notice.error && notice.object == "table shop.t" ? 1 : 0;
  EXPECT_EQ(said, mysql() ? 1 : 3);
}

// Whatever the session writes its statements in, and however it writes the names.
TEST_P(MysqlLimits, TruncatesOfNamesInOtherCharacterSets) {
  StartServer(mysql() ? std::vector<std::string>{} : std::vector<std::string>{"--lower-case-table-names=1"});
  ARROWCDC_ASSERT_OK(
      server_->Run({"SET NAMES utf8mb4", "CREATE TABLE shop.`caf\u00e9` (id INT PRIMARY KEY)"}));
  const auto source = MakeSource({"shop.*"});
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Begin(source.get()));
  ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop.`caf\u00e9` VALUES (1)", "SET NAMES latin1",
                                   "TRUNCATE TABLE shop.`caf\xe9`", "SET NAMES gbk",
                                   "TRUNCATE TABLE shop.`caf\xa8\xa6`", "SET NAMES utf8mb4"}));
  Insert(1);
  if (!mysql()) ARROWCDC_ASSERT_OK(server_->Run({"USE SHOP", "TRUNCATE T", "TRUNCATE TABLE Shop.T"}));
  ARROWCDC_ASSERT_OK(ReadAll(&replay, source.get()));
  std::vector<std::string> log{"insert 1", "truncate", "truncate", "insert 1|x|1"};
  if (!mysql()) log.insert(log.end(), 2, "truncate");
  EXPECT_EQ(replay.log(), log);
  EXPECT_TRUE(replay.rows({"shop", "caf\u00e9"}).empty());
  EXPECT_EQ(replay.rows(kTable).empty(), !mysql());
}

// A database that comes when the stream has begun.
TEST_P(MysqlLimits, StatementsInLaterDatabasesAreRefused) {
  StartServer();
  const auto source = MakeSource({"shop*.*", "!shop_log.*"});
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Begin(source.get()));
  ARROWCDC_ASSERT_OK(server_->Run({"CREATE DATABASE shop_log", "CREATE DATABASE shop_later",
                                   "CREATE TABLE shop_log.n (id INT)", "CREATE TABLE shop_later.n (id INT)",
                                   "SET SESSION binlog_format = STATEMENT"}));
  if (mysql()) {
    ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop_log.n VALUES (1)"}));
    ARROWCDC_EXPECT_OK(ReadAll(&replay, source.get()));
  }
  ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop_later.n VALUES (1)"}));
  const arrow::Status refused = ReadAll(&replay, source.get());
  EXPECT_EQ(KindOf(refused), ErrorKind::kServerSetting) << refused;
}

// As those that are there at the start.
TEST_P(MysqlLimits, CascadesThatComeLaterAreRefused) {
  StartServer(mysql() ? std::vector<std::string>{"--innodb-native-foreign-keys=ON"}
                      : std::vector<std::string>{});
  MysqlOptions options = Options();
  options.tables = {"shop.*", "!shop.out"};
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto source, MakeMysqlSource(options));
  options.accept_cascades = true;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto accepting, MakeMysqlSource(options));
  Replay replay;
  Replay of_accepting;
  ARROWCDC_ASSERT_OK(replay.Begin(source.get()));
  ARROWCDC_ASSERT_OK(of_accepting.Begin(accepting.get()));
  const std::string cascade = "FOREIGN KEY (t) REFERENCES shop.t (id) ON DELETE CASCADE";
  ARROWCDC_ASSERT_OK(server_->Run({"CREATE TABLE shop.`out` (id INT PRIMARY KEY, t BIGINT, " + cascade + ")",
                                   "CREATE TABLE shop.child (id INT PRIMARY KEY, t BIGINT)"}));
  ARROWCDC_EXPECT_OK(ReadAll(&replay, source.get()));
  ARROWCDC_ASSERT_OK(server_->Run({"ALTER TABLE shop.child ADD " + cascade}));
  Insert(1);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const LogEnd end, MakeEnd());
  const arrow::Status refused = replay.ReadUntil(source.get(), end.position);
  EXPECT_EQ(KindOf(refused), ErrorKind::kUnsupported) << refused;
  const ErrorDetail* const detail = GetErrorDetail(refused);
  ASSERT_NE(detail, nullptr);
  EXPECT_EQ(detail->object(), "table shop.child");
  ARROWCDC_ASSERT_OK(of_accepting.ReadUntil(accepting.get(), end.position));
  EXPECT_EQ(of_accepting.changes(), 1);
  ASSERT_EQ(of_accepting.notices().size(), 1);
  EXPECT_EQ(of_accepting.notices()[0].object, "table shop.child");
}

TEST_P(MysqlLimits, SaysThatRowsMayHaveGoneByAlterIgnore) {
  if (mysql()) GTEST_SKIP() << "MySQL has no ALTER IGNORE";
  StartServer();
  const auto source = MakeSource();
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Begin(source.get()));
  Insert(1);
  Insert(2);
  ARROWCDC_ASSERT_OK(server_->Run({"ALTER IGNORE TABLE shop.t ADD UNIQUE (n)",
                                   "CREATE OR REPLACE TABLE shop.t (id BIGINT PRIMARY KEY)"}));
  ARROWCDC_ASSERT_OK(ReadAll(&replay, source.get()));
  ASSERT_EQ(replay.notices().size(), 2);
  EXPECT_TRUE(replay.notices()[0].error);
  EXPECT_NE(replay.notices()[1].text.find("dropped"), std::string::npos);
}

// By a trigger a transaction that is rolled back changes both kinds of tables.
TEST_P(MysqlLimits, TablesThatDoNotRollBackKeepTheirRows) {
  if (mysql()) GTEST_SKIP() << "enforce_gtid_consistency does not let them be mixed";
  StartServer();
  ARROWCDC_ASSERT_OK(server_->Run(
      {"CREATE TABLE shop.log (id BIGINT PRIMARY KEY) ENGINE=MyISAM",
       "CREATE TRIGGER shop.g AFTER INSERT ON shop.t FOR EACH ROW INSERT INTO shop.log VALUES (NEW.id)"}));
  const auto source = MakeSource({"shop.*"});
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Begin(source.get()));
  ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop.t VALUES (5, 'kept', 1)", "BEGIN",
                                   "INSERT INTO shop.t VALUES (6, 'gone', 1)", "ROLLBACK"}));
  ARROWCDC_ASSERT_OK(ReadAll(&replay, source.get()));
  ExpectSame(&replay);
  ExpectSame(&replay, {"shop", "log"});
  EXPECT_EQ(replay.rows({"shop", "log"}).size(), 2);
}

// MariaDB says of a transaction that it can be rolled back as a whole. Where it does not, nobody knows which
// of its rows are there. An event of a file without checksums is changed by hand.
TEST_P(MysqlLimits, RowsThatMayNotHaveBeenRolledBackAreRefused) {
  if (mysql()) GTEST_SKIP() << "MySQL does not log what is rolled back";
  StartServer({"--binlog-checksum=NONE"});
  Insert(1);
  // With a temporary table the log has what is rolled back.
  ARROWCDC_ASSERT_OK(server_->Run({"BEGIN", "INSERT INTO shop.t VALUES (2, 'gone', 1)",
                                   "CREATE TEMPORARY TABLE shop.tmp (id INT)",
                                   "DROP TEMPORARY TABLE shop.tmp", "ROLLBACK"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const Rows files, server_->Query("SHOW BINARY LOGS"));
  ARROWCDC_ASSERT_OK(server_->Stop());
  const fs::path last = server_->data_directory() / files.back()[0].value_or("");
  const auto read = [&](Replay* replay) {
    MysqlOptions options = Options();
    options.url = "binlog:" + server_->data_directory().string();
    const auto source = MakeMysqlSource(options);
    return source.ok() ? replay->Catch(source->get()) : source.status();
  };
  Replay whole;
  ARROWCDC_ASSERT_OK(read(&whole));
  EXPECT_EQ(whole.log(), (std::vector<std::string>{"insert 1|x|1"}));
  std::string bytes = Slurp(last);
  constexpr size_t kFlags = 19 + 8 + 4;
  constexpr char kTransactional = 4;
  size_t gtid = 0;
  for (size_t at = 4, size = 0; at + kFlags < bytes.size(); at += size) {
    size = static_cast<uint8_t>(bytes[at + 9]) | static_cast<size_t>(static_cast<uint8_t>(bytes[at + 10]))
                                                     << 8;
    if (static_cast<uint8_t>(bytes[at + 4]) == 162) gtid = at;
  }
  ASSERT_NE(bytes[gtid + kFlags] & kTransactional, 0);
  bytes[gtid + kFlags] = static_cast<char>(bytes[gtid + kFlags] & ~kTransactional);
  Spill(last, bytes);
  Replay changed;
  const arrow::Status refused = read(&changed);
  ASSERT_EQ(KindOf(refused), ErrorKind::kUnsupported) << refused;
  EXPECT_EQ(GetErrorDetail(refused)->object(), "table shop.t");
  EXPECT_EQ(changed.log(), (std::vector<std::string>{"insert 1|x|1"}));
}

// As MySQL 9.7 has it by default (innodb_native_foreign_keys=OFF).
TEST_P(MysqlLimits, CascadesThatAreLoggedCome) {
  if (!mysql()) GTEST_SKIP() << "MariaDB does not log them";
  StartServer();
  ARROWCDC_ASSERT_OK(
      server_->Run({"CREATE TABLE shop.child (id INT PRIMARY KEY, t BIGINT, FOREIGN KEY fk (t) "
                    "REFERENCES shop.t (id) ON DELETE CASCADE ON UPDATE CASCADE)"}));
  const auto source = MakeSource({"shop.*"});
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Begin(source.get()));
  ARROWCDC_ASSERT_OK(server_->Run(
      {"INSERT INTO shop.t VALUES (1, 'x', 1), (2, 'y', 1)", "INSERT INTO shop.child VALUES (10, 1), (20, 2)",
       "DELETE FROM shop.t WHERE id = 1", "UPDATE shop.t SET id = 3 WHERE id = 2"}));
  ARROWCDC_ASSERT_OK(ReadAll(&replay, source.get()));
  ExpectSame(&replay, {"shop", "child"});
  EXPECT_EQ(replay.rows({"shop", "child"}), (std::map<std::string, std::string>{{"20", "20|3"}}));
}

TEST_P(MysqlLimits, WithoutGtids) {
  if (!mysql()) GTEST_SKIP() << "MariaDB always has them";
  StartServer({"--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"});
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Catch(MakeSource().get()));
  for (int i = 0; i < 4; ++i) {
    ARROWCDC_ASSERT_OK(server_->Run({"BEGIN", "INSERT INTO shop.t VALUES (" + std::to_string(i) + ", 'x', 1)",
                                     "UPDATE shop.t SET n = n + 1", "COMMIT"}));
    if (i == 1) ARROWCDC_ASSERT_OK(server_->Run({"FLUSH LOGS"}));
    if (i == 2) ARROWCDC_ASSERT_OK(server_->Restart());
    ARROWCDC_ASSERT_OK(replay.Catch(MakeSource().get()));
    ExpectSame(&replay);
    EXPECT_EQ(replay.repeated(), 0);
  }
  // Tables that do not roll back among others: the log has what was rolled back, too.
  ARROWCDC_ASSERT_OK(server_->Run({"CREATE TABLE shop.log (id BIGINT PRIMARY KEY) ENGINE=MyISAM", "BEGIN",
                                   "INSERT INTO shop.t VALUES (60, 'gone', 1)",
                                   "INSERT INTO shop.log SELECT id FROM shop.t WHERE id = 60", "ROLLBACK"}));
  ARROWCDC_ASSERT_OK(replay.Catch(MakeSource().get()));
  ExpectSame(&replay);
  ARROWCDC_ASSERT_OK(server_->Run({"RESET BINARY LOGS AND GTIDS"}));
  Insert(100);
  const arrow::Status refused = replay.Catch(MakeSource().get());
  EXPECT_EQ(KindOf(refused), ErrorKind::kPositionGap) << refused;
}

TEST_P(MysqlLimits, ReadsTaggedGtids) {
  if (!mysql()) GTEST_SKIP() << "MariaDB has none";
  StartServer();
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Catch(MakeSource().get()));
  for (int i = 0; i < 3; ++i) {
    ARROWCDC_ASSERT_OK(server_->Run({"SET gtid_next = 'AUTOMATIC:tag_" + std::to_string(i % 2) + "'",
                                     "INSERT INTO shop.t VALUES (" + std::to_string(i) + ", 'x', 1)",
                                     "SET gtid_next = 'AUTOMATIC'"}));
    ARROWCDC_ASSERT_OK(replay.Catch(MakeSource().get()));
    ExpectSame(&replay);
  }
  EXPECT_NE(replay.position()->token.find(":tag_0:1-2:tag_1:1"), std::string::npos)
      << replay.position()->token;
  EXPECT_EQ(replay.changes(), 3);
}

TEST_P(MysqlLimits, AnotherServerIsRefused) {
  StartServer();
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Catch(MakeSource().get()));
  Insert(1);
  ARROWCDC_ASSERT_OK(replay.Catch(MakeSource().get()));
  StartServer();
  // MariaDB tells transactions of one name apart by the second that they were made in.
  ARROWCDC_ASSERT_OK(server_->Run({"SET timestamp = 1700000000"}));
  Insert(1);
  const arrow::Status refused = replay.Catch(MakeSource().get());
  EXPECT_EQ(KindOf(refused), ErrorKind::kPositionGap) << refused;
}

// A replica has the same transactions at other places of its log.
TEST_P(MysqlLimits, AReplicaIsAnotherServer) {
  StartServer();
  const auto source = MakeSource();
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto replica,
                                MysqlServer::Create(GetParam(), {"--server-id=2", "--log-slave-updates=ON"}));
  const std::string port = std::to_string(server_->port());
  const std::string user = "'copy'@'%'";
  ARROWCDC_ASSERT_OK(server_->Run(
      {"CREATE USER " + user + " IDENTIFIED BY 'x'", "GRANT REPLICATION SLAVE ON *.* TO " + user}));
  ARROWCDC_ASSERT_OK(replica->Run(
      mysql()
          ? std::vector<std::string>{"CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=" +
                                         port +
                                         ", SOURCE_USER='copy', SOURCE_PASSWORD='x', SOURCE_AUTO_POSITION=1, "
                                         "GET_SOURCE_PUBLIC_KEY=1",
                                     "START REPLICA"}
          : std::vector<std::string>{
                "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=" + port +
                    ", MASTER_USER='copy', MASTER_PASSWORD='x', MASTER_USE_GTID=slave_pos",
                "START SLAVE"}));
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Catch(source.get()));
  // Many files, so that order would run backwards on the replica.
  for (int i = 0; i < 5; ++i) {
    ARROWCDC_ASSERT_OK(server_->Run({"FLUSH LOGS"}));
    Insert(i);
  }
  ARROWCDC_ASSERT_OK(replay.Catch(source.get()));
  EXPECT_EQ(replay.changes(), 5);
  ARROWCDC_ASSERT_OK(source->Stop());
  Insert(5);
  ARROWCDC_ASSERT_OK(arrowcdc::test::WaitFor(
      [&] {
        const auto rows = replica->Query("SELECT COUNT(*) FROM shop.t");
        return rows.ok() && (*rows)[0][0] == "6";
      },
      std::chrono::seconds(30), "the replica to follow"));
  std::swap(server_, replica);
  const auto other = MakeSource();
  const arrow::Status refused = replay.Begin(other.get());
  EXPECT_EQ(KindOf(refused), ErrorKind::kPositionGap) << refused;
  ARROWCDC_ASSERT_OK(replay.Begin(other.get(), /*accept_gap=*/true));
  EXPECT_EQ(replay.position()->epoch, 1);
  Insert(6);
  while (replay.changes() < 7) ARROWCDC_ASSERT_OK(replay.ReadOne(other.get()));
  ExpectSame(&replay);
  EXPECT_EQ(replay.repeated(), 0);
  // From then on it is the server that was read from.
  ARROWCDC_ASSERT_OK(other->Stop());
  Insert(7);
  const auto again = MakeSource();
  ARROWCDC_ASSERT_OK(replay.Begin(again.get()));
  while (replay.changes() < 8) ARROWCDC_ASSERT_OK(replay.ReadOne(again.get()));
  EXPECT_EQ(replay.position()->epoch, 1);
  ExpectSame(&replay);
}

// The log does not tell these types from binary(16), nor in which order their bytes are.
TEST_P(MysqlLimits, TypesThatTheLogHidesAreRefusedByName) {
  if (mysql()) GTEST_SKIP() << "MySQL has no such types";
  StartServer();
  for (const char* const type : {"UUID", "INET4", "INET6"}) {
    ARROWCDC_ASSERT_OK(
        server_->Run({std::string("CREATE TABLE shop.hidden (id INT PRIMARY KEY, h ") + type + ")"}));
    const auto source = MakeSource({"shop.*"});
    const arrow::Status refused = source->Connect().status();
    ASSERT_EQ(KindOf(refused), ErrorKind::kUnsupported) << refused;
    EXPECT_EQ(GetErrorDetail(refused)->object(), "column h of table shop.hidden");
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto listed, ListMysqlTables(Options()));
    EXPECT_NE(listed[0].limits.find("column h is of the type"), std::string::npos) << listed[0].limits;
    ARROWCDC_ASSERT_OK(MakeSource({"shop.t"})->Connect().status());
    ARROWCDC_ASSERT_OK(server_->Run({"DROP TABLE shop.hidden"}));
  }
  // Bytes are bytes; and a table that comes later is looked at when its first row does.
  const auto source = MakeSource({"shop.*"});
  Replay replay;
  ARROWCDC_ASSERT_OK(replay.Begin(source.get()));
  ARROWCDC_ASSERT_OK(server_->Run({"CREATE TABLE shop.bytes (id INT PRIMARY KEY, b BINARY(16), c BINARY(4))",
                                   "INSERT INTO shop.bytes VALUES (1, 'x', 'y')"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const LogEnd end, MakeEnd());
  ARROWCDC_ASSERT_OK(replay.ReadUntil(source.get(), end.position));
  EXPECT_EQ(replay.rows({"shop", "bytes"}).size(), 1u);
  ARROWCDC_ASSERT_OK(server_->Run(
      {"CREATE TABLE shop.later (id INT PRIMARY KEY, u UUID)", "INSERT INTO shop.later VALUES (1, UUID())"}));
  arrow::Status status;
  while (status.ok()) status = replay.ReadOne(source.get());
  ASSERT_EQ(KindOf(status), ErrorKind::kUnsupported) << status;
  EXPECT_EQ(GetErrorDetail(status)->object(), "column u of table shop.later");
}

// Larger than a packet of the protocol, which is 16 MiB: it comes in several.
TEST_P(MysqlLimits, EventsLargerThanAPacket) {
  StartServer({"--max-allowed-packet=256M"});
  ARROWCDC_ASSERT_OK(server_->Run({"CREATE TABLE shop.large (id INT PRIMARY KEY, b LONGBLOB)"}));
  // One byte around each bound: what the packet has beside the value is a few dozen bytes.
  std::vector<std::string> sizes;
  for (const int64_t size : {(16 << 20) - 80, (16 << 20) - 1, 16 << 20, 32 << 20, 40 << 20})
    sizes.push_back(std::to_string(size));
  for (size_t i = 0; i < sizes.size(); ++i) {
    ARROWCDC_ASSERT_OK(server_->Run({"INSERT INTO shop.large VALUES (" + std::to_string(i) +
                                     ", INSERT(REPEAT('0123456789abcdef', " + sizes[i] + " / 16 + 1), " +
                                     sizes[i] + " + 1, 20, ''))"}));
  }
  MysqlOptions options = Options();
  options.tables = {"shop.large"};
  for (const bool copied : {false, true}) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto batches, copied ? Copied(options) : Streamed(options));
    size_t row = 0;
    for (const ChangeBatch& batch : batches) {
      const auto& values = static_cast<const arrow::BinaryArray&>(*batch.rows->column(1));
      for (int64_t i = 0; i < values.length(); ++i, ++row) {
        const std::string_view value = values.GetView(i);
        ASSERT_EQ(std::to_string(value.size()), sizes[row]);
        ASSERT_TRUE(value.starts_with("0123456789abcdef"));
        ASSERT_EQ(value.substr(16), value.substr(0, value.size() - 16));  // each 16 bytes are those before
      }
    }
    EXPECT_EQ(row, sizes.size());
  }
}

// The server decrypts what it sends; its files are refused by name.
TEST_P(MysqlLimits, EncryptedLogs) {
  if (!mysql()) GTEST_SKIP() << "the packages of MariaDB that are there have no plugin that manages keys";
  StartServer();
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const std::string plugins, QueryOne("SELECT @@plugin_dir"));
  std::string directory = testing::TempDir() + "arrowcdc-keyring-XXXXXX";
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  for (const auto& plugin : fs::directory_iterator(plugins))
    fs::create_symlink(plugin.path(), fs::path(directory) / plugin.path().filename());
  Spill(directory + "/mysqld.my", R"({"components": "file://component_keyring_file"})");
  Spill(directory + "/component_keyring_file.cnf",
        R"({"path": ")" + directory + R"(/keys", "read_only": false})");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      server_, MysqlServer::Create(GetParam(), {"--plugin-dir=" + directory, "--binlog-encryption=ON"},
                                   directory + "/mysqld"));
  ARROWCDC_ASSERT_OK(server_->Run(
      {"CREATE DATABASE shop", "CREATE TABLE shop.t (id BIGINT PRIMARY KEY, name VARCHAR(100), n INT)"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const Rows files, server_->Query("SHOW BINARY LOGS"));
  ASSERT_EQ(files[0][2], "Yes") << "the log is not encrypted, so this tests nothing";
  Insert(1);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto streamed, ValueLines(Streamed(Options()), "t"));
  EXPECT_EQ(streamed, (std::vector<std::string>{"1, x, 1"}));
  ARROWCDC_ASSERT_OK(server_->Stop());
  MysqlOptions offline;
  offline.url = "binlog:" + server_->data_directory().string();
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto source, MakeMysqlSource(offline));
  const arrow::Status refused = source->Connect().status();
  EXPECT_EQ(KindOf(refused), ErrorKind::kUnsupported) << refused;
  EXPECT_NE(GetErrorDetail(refused)->object().find("binlog.000001"), std::string::npos) << refused;
  fs::remove_all(directory);
}

}  // namespace
}  // namespace arrowcdc::mysql::test
