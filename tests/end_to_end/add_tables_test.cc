// Tables that come to a stream that is running: what they had before is copied beside it, and it goes on
// meanwhile. The files then hold the tables, each row once.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include <arrow/array.h>
#include <arrow/io/file.h>
#include <arrow/ipc/reader.h>
#include <arrow/scalar.h>
#include <arrow/util/key_value_metadata.h>
#include <gtest/gtest.h>

#include "tests/end_to_end/client.h"
#include "tests/end_to_end/workload.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/seed.h"
#include "tests/testing/wait.h"

namespace arrowcdc::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class AddTablesTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    std::printf("seed %llu\n", static_cast<unsigned long long>(Seed()));
    PrivateServerOptions options;
    options.settings = {{"logical_decoding_work_mem", "64kB"}, {"wal_sender_timeout", "10s"}};
    ARROWCDC_ASSERT_OK_AND_ASSIGN(server_, PrivateServer::Create(options));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect());
    ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)"));
    ARROWCDC_ASSERT_OK(RunCommand(*server_, "setup", {"--tables", "public.t", "--plugin", GetParam()}));
  }

  SubprocessOptions Stream(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"--tables",        "public.*",   "--sink", Sink(),
                                          "--accept-tables", "--roll-age", "100ms"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Command(*server_, "stream", std::move(arguments));
  }
  std::string Sink() const { return sink_.empty() ? "parquet:" + files_.path().string() : sink_; }

  void StartStreaming() {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(client_, Subprocess::Start(Stream()));
    ARROWCDC_ASSERT_OK(client_->WaitForError("streaming changes", seconds(60)));
  }
  void StopStreaming() {
    ARROWCDC_ASSERT_OK(client_->Signal(SIGTERM));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, client_->Wait(seconds(60)));
    EXPECT_TRUE(ended.ok()) << client_->error();
  }

  std::string Manifest() const {
    std::ifstream manifest(files_.path() / "_arrowcdc_manifest.json");
    std::stringstream text;
    text << manifest.rdbuf();
    return text.str();
  }
  size_t CountFiles(const std::string& table, bool copied) const {
    size_t count = 0;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(files_.path() / table, none)) {
      const std::string name = entry.path().filename();
      if (!name.starts_with('.')) count += name.ends_with("-snapshot.parquet") == copied ? 1 : 0;
    }
    return count;
  }
  size_t CountRequests() const {
    size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(files_.path()))
      count += entry.path().filename().string().starts_with("_arrowcdc_resnapshot_") ? 1 : 0;
    return count;
  }
  arrow::Status WaitForCopyOf(const std::string& table) {
    return WaitFor(
        [&] {
          return CountFiles("public." + table, true) > 0 &&
                 Manifest().find("\"complete\": true") != std::string::npos;
        },
        seconds(120), "the copy of " + table);
  }

  TemporaryDirectory files_;
  std::string sink_;  // another than that
  std::unique_ptr<PrivateServer> server_;
  std::unique_ptr<SqlConnection> sql_;
  std::unique_ptr<Subprocess> client_;
};

// Tables with changes, and one without any, which is found by looking.
TEST_P(AddTablesTest, TheStreamGoesOnMeanwhile) {
  ARROWCDC_ASSERT_OK(sql_->Exec(
      "CREATE TABLE late (id int PRIMARY KEY, note text); INSERT INTO late SELECT i, 'n' || i FROM "
      "generate_series(1, 10000) AS i;"
      "CREATE TABLE keyless (a int); ALTER TABLE keyless REPLICA IDENTITY FULL; INSERT INTO keyless SELECT i "
      "% 3 FROM generate_series(1, 100) AS i;"
      "CREATE TABLE quiet (id int PRIMARY KEY); INSERT INTO quiet VALUES (1), (2)"));
  ASSERT_NO_FATAL_FAILURE(StartStreaming());
  // Whoever has written holds up the point of a copy.
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto other, server_->Connect());
  ARROWCDC_ASSERT_OK(other->Exec("BEGIN; INSERT INTO late VALUES (-1, 'open')"));
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "add-tables", {"public.late", "public.keyless", "public.quiet"}));
  ARROWCDC_ASSERT_OK(sql_->Exec(
      "DELETE FROM late WHERE id <= 10; UPDATE keyless SET a = 7 WHERE a = 1; INSERT INTO t VALUES (2)"));
  ARROWCDC_ASSERT_OK(
      WaitFor([&] { return CountFiles("public.t", false) > 0; }, seconds(60), "changes of the others"));
  ARROWCDC_ASSERT_OK(WaitFor([&] { return CountFiles("public.keyless", false) > 0; }, seconds(60),
                             "changes of the added tables, whose copy waits"));
  EXPECT_EQ(CountFiles("public.late", true), 0u);
  ARROWCDC_ASSERT_OK(other->Exec("UPDATE late SET note = 'late' WHERE id = 11; COMMIT"));
  for (const char* table : {"late", "keyless", "quiet"}) ARROWCDC_ASSERT_OK(WaitForCopyOf(table));
  ARROWCDC_ASSERT_OK(sql_->Exec("DELETE FROM keyless WHERE a = 7; DELETE FROM late WHERE id = -1"));
  ASSERT_NO_FATAL_FAILURE(StopStreaming());
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"}), seconds(60)).status());
  const std::vector<std::string> tables = {"public.t", "public.late", "public.keyless", "public.quiet"};
  ARROWCDC_ASSERT_OK(CompareReplay(*server_, files_.path(), tables));
  ARROWCDC_ASSERT_OK(CompareState(*server_, files_.path(), tables));
  // Once.
  EXPECT_EQ(CountFiles("public.late", true), 1u);
  EXPECT_EQ(CountFiles("public.t", true), 1u);
}

TEST_P(AddTablesTest, KilledAgainAndAgainWhileOthersWriteAndAlter) {
  ARROWCDC_ASSERT_OK(CreateWorkloadTables(*sql_));
  ARROWCDC_ASSERT_OK(sql_->Exec(
      "CREATE TABLE big (id int PRIMARY KEY, note text); INSERT INTO big SELECT i, 'note ' || i FROM "
      "generate_series(1, 100000) AS i"));
  Workload workload(*server_, Seed(), 2);
  ARROWCDC_ASSERT_OK(WaitFor([&] { return workload.transactions() > 200; }, seconds(60), "rows to copy"));
  ASSERT_NO_FATAL_FAILURE(StartStreaming());
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "add-tables", {"public.w_*", "public.big"}));
  std::mt19937_64 random(Seed());
  for (int kills = 0; kills < 8; ++kills) {
    ARROWCDC_ASSERT_OK(sql_->Exec("UPDATE big SET note = 'new' WHERE id % 1000 = " + std::to_string(kills)));
    (void)client_->Wait(milliseconds(random() % 1500));
    ASSERT_TRUE(client_->Running()) << client_->error();
    if (kills % 2 == 1) {
      ARROWCDC_ASSERT_OK(
          sql_->Query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                      "application_name = 'arrowcdc'"));
      (void)client_->Wait(milliseconds(random() % 1500));
      ASSERT_TRUE(client_->Running()) << client_->error();
    }
    client_->Kill();
    ARROWCDC_ASSERT_OK_AND_ASSIGN(client_, Subprocess::Start(Stream()));
  }
  ARROWCDC_ASSERT_OK(WaitForCopyOf("big"));
  workload.Stop();
  EXPECT_EQ(workload.refused(), 0u) << workload.last_refusal();
  ARROWCDC_ASSERT_OK(sql_->Exec("UPDATE w_shape SET id = id"));  // columns that were added have values
  client_->Kill();
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"}), seconds(120)).status());
  std::vector<std::string> tables = WorkloadTables();
  tables.insert(tables.end(), {"public.big", "public.t"});
  ARROWCDC_ASSERT_OK(CompareReplay(*server_, files_.path(), tables));
  ARROWCDC_ASSERT_OK(CompareState(*server_, files_.path(), {"public.big", "public.t"}));
}

// What is in the way of one table does not hold up the others, and is said.
TEST_P(AddTablesTest, ATableThatMayNotBeRead) {
  ARROWCDC_ASSERT_OK(sql_->Exec(
      "CREATE ROLE cdc LOGIN REPLICATION; GRANT SELECT ON t TO cdc; CREATE TABLE secret (id int PRIMARY KEY);"
      "CREATE TABLE fine (id int PRIMARY KEY); INSERT INTO fine VALUES (1); GRANT SELECT ON fine TO cdc;"
      "INSERT INTO secret VALUES (1), (2)"));
  const auto of_cdc = [&](std::vector<std::string> more) {
    SubprocessOptions stream = Stream(std::move(more));
    std::string& conninfo = *std::find(stream.argv.begin(), stream.argv.end(), server_->conninfo());
    conninfo += " user=cdc";
    return stream;
  };
  if (std::string(GetParam()) == "wal2arrow") {
    ARROWCDC_ASSERT_OK(sql_->Exec(
        "DO $$ BEGIN IF EXISTS (SELECT FROM pg_settings WHERE name = 'output_plugin_libraries') THEN ALTER "
        "ROLE cdc SET output_plugin_libraries = 'wal2arrow'; END IF; END $$"));
  }
  ARROWCDC_ASSERT_OK_AND_ASSIGN(client_, Subprocess::Start(of_cdc({})));
  ARROWCDC_ASSERT_OK(client_->WaitForError("streaming changes", seconds(60)));
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "add-tables", {"public.secret", "public.fine"}));
  ARROWCDC_ASSERT_OK(
      sql_->Exec("INSERT INTO secret VALUES (3); INSERT INTO fine VALUES (2); INSERT INTO t VALUES (2)"));
  ARROWCDC_ASSERT_OK(client_->WaitForError("GRANT SELECT", seconds(60)));
  ARROWCDC_ASSERT_OK(
      WaitFor([&] { return CountFiles("public.fine", true) > 0; }, seconds(60), "the other copy"));
  ARROWCDC_ASSERT_OK(WaitFor([&] { return CountFiles("public.t", false) > 0; }, seconds(60), "changes"));
  ASSERT_NO_FATAL_FAILURE(StopStreaming());
  EXPECT_FALSE(RunProgram(of_cdc({"--until", "now"}), seconds(60)).ok()) << "rows are lacking";
  ARROWCDC_ASSERT_OK(sql_->Exec("GRANT SELECT ON secret TO cdc"));
  ARROWCDC_ASSERT_OK(RunProgram(of_cdc({"--until", "now"}), seconds(60)).status());
  ARROWCDC_ASSERT_OK(CompareReplay(*server_, files_.path(), {"public.t", "public.secret", "public.fine"}));
}

// What was stored of it while its copy waited counts no more, under whatever name it is copied.
TEST_P(AddTablesTest, RenamedWhileItsCopyWaits) {
  ASSERT_NO_FATAL_FAILURE(StartStreaming());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto other, server_->Connect());
  ARROWCDC_ASSERT_OK(other->Exec("BEGIN; SELECT pg_current_xact_id()"));
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE late (id int PRIMARY KEY, note text)"));
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "add-tables", {"public.late"}));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO late VALUES (1, 'stays'), (2, 'goes')"));
  ARROWCDC_ASSERT_OK(
      WaitFor([&] { return CountFiles("public.late", false) > 0; }, seconds(60), "its changes"));
  ARROWCDC_ASSERT_OK(sql_->Exec("ALTER TABLE late RENAME TO renamed"));
  ARROWCDC_ASSERT_OK(other->Exec("COMMIT"));
  ARROWCDC_ASSERT_OK(sql_->Exec("DELETE FROM renamed WHERE id = 2"));
  ARROWCDC_ASSERT_OK(WaitForCopyOf("renamed"));
  ASSERT_NO_FATAL_FAILURE(StopStreaming());
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"}), seconds(60)).status());
  ARROWCDC_ASSERT_OK(CompareState(*server_, files_.path(), {"public.t", "public.renamed"}));
}

TEST_P(AddTablesTest, AnEndThatIsAskedForIsNotWaitedForForEver) {
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"}), seconds(60)).status());
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE late (id int PRIMARY KEY)"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto other, server_->Connect());
  ARROWCDC_ASSERT_OK(other->Exec("BEGIN; SELECT pg_current_xact_id()"));
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "add-tables", {"public.late"}));
  const auto ended = RunProgram(Stream({"--until", "now", "--retry-for", "1s"}), seconds(60)).status();
  EXPECT_NE(ended.message().find("transaction"), std::string::npos) << ended;
  // Until it is copied nobody is told what is in it.
  EXPECT_FALSE(
      RunProgram({.argv = {CommandPath(), "resnapshot", files_.path(), "public.none"}}, seconds(60)).ok());
  ARROWCDC_ASSERT_OK(
      RunProgram({.argv = {CommandPath(), "resnapshot", files_.path(), "public.t"}}, seconds(60)).status());
  EXPECT_FALSE(RunProgram({.argv = {CommandPath(), "sql", files_.path(), "public.t"}}, seconds(60)).ok());
  ARROWCDC_ASSERT_OK(other->Exec("COMMIT"));
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"}), seconds(60)).status());
  ARROWCDC_ASSERT_OK(CompareState(*server_, files_.path(), {"public.t"}));
}

// What the stream finds while it goes on, and what it has taken over survives it.
TEST_P(AddTablesTest, CopiedAnewWhileTheStreamGoesOn) {
  ASSERT_NO_FATAL_FAILURE(StartStreaming());
  ARROWCDC_ASSERT_OK(WaitForCopyOf("t"));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO t SELECT generate_series(2, 100)"));
  ARROWCDC_ASSERT_OK(WaitFor([&] { return CountFiles("public.t", false) > 0; }, seconds(60), "its changes"));
  std::filesystem::remove_all(files_.path() / "public.t");  // the damage
  std::filesystem::create_directory(files_.path() / "public.t");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto other, server_->Connect());
  ARROWCDC_ASSERT_OK(other->Exec("BEGIN; SELECT pg_current_xact_id()"));  // holds up the point of a copy
  const SubprocessOptions ask = {.argv = {CommandPath(), "resnapshot", files_.path(), "public.t"}};
  ARROWCDC_ASSERT_OK(RunProgram(ask, seconds(60)).status());
  ARROWCDC_ASSERT_OK(RunProgram(ask, seconds(60)).status());  // twice is once
  ARROWCDC_ASSERT_OK(client_->WaitForError("to be copied anew, as was asked", seconds(60)));
  ARROWCDC_ASSERT_OK(WaitFor([&] { return CountRequests() == 0; }, seconds(60), "the request is taken"));
  ARROWCDC_ASSERT_OK(sql_->Exec("DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (101)"));
  client_->Kill();
  ASSERT_NO_FATAL_FAILURE(StartStreaming());
  ARROWCDC_ASSERT_OK(sql_->Exec("DELETE FROM t WHERE id = 3; INSERT INTO t VALUES (102)"));
  EXPECT_EQ(CountFiles("public.t", true), 0u);
  ARROWCDC_ASSERT_OK(other->Exec("COMMIT"));
  ARROWCDC_ASSERT_OK(WaitForCopyOf("t"));
  ASSERT_NO_FATAL_FAILURE(StopStreaming());
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"}), seconds(60)).status());
  ARROWCDC_ASSERT_OK(CompareState(*server_, files_.path(), {"public.t"}));
  EXPECT_EQ(CountFiles("public.t", true), 1u);
  // One that no stream was there for, beside a file that is no request: it is said, and stops nothing.
  ARROWCDC_ASSERT_OK(RunProgram(ask, seconds(60)).status());
  EXPECT_EQ(CountRequests(), 1u);
  EXPECT_FALSE(RunProgram({.argv = {CommandPath(), "sql", files_.path(), "public.t"}}, seconds(60)).ok());
  const std::string foreign = files_.path() / "_arrowcdc_resnapshot_by_hand";
  std::ofstream(foreign) << "public.t";
  ASSERT_NO_FATAL_FAILURE(StartStreaming());
  ARROWCDC_ASSERT_OK(client_->WaitForError(foreign + " is no request", seconds(60)));
  ASSERT_NO_FATAL_FAILURE(StopStreaming());
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"}), seconds(60)).status());
  EXPECT_EQ(CountRequests(), 1u) << "the foreign one";
  EXPECT_EQ(CountFiles("public.t", true), 2u);
  ARROWCDC_ASSERT_OK(CompareState(*server_, files_.path(), {"public.t"}));
}

// What somebody removed is said before changes follow what is left of it.
TEST_P(AddTablesTest, ATableThatIsRemovedBetweenTwoStreams) {
  const std::filesystem::path directory = files_.path() / "public.t";
  const TemporaryDirectory elsewhere;
  const auto sql_error = [&] {
    const auto sql = RunProgram({.argv = {CommandPath(), "sql", files_.path(), "public.t"}}, seconds(60));
    return sql.status().message();
  };
  const std::string said = "removed or moved away";
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"}), seconds(60)).status());
  std::filesystem::rename(directory, elsewhere.path() / "t");
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO t VALUES (2)"));
  const auto refused = RunProgram(Stream({"--until", "now"}), seconds(60)).status();
  EXPECT_NE(refused.message().find(said), std::string::npos) << refused;
  EXPECT_NE(refused.message().find("resnapshot"), std::string::npos) << refused;
  EXPECT_NE(sql_error().find(said), std::string::npos) << sql_error();
  // Files may be moved away on purpose, so an empty one is no reason to end.
  std::filesystem::create_directory(directory);
  EXPECT_NE(sql_error().find(said), std::string::npos) << sql_error();
  ASSERT_NO_FATAL_FAILURE(StartStreaming());
  ARROWCDC_ASSERT_OK(client_->WaitForError("its directory has no files", seconds(60)));
  ARROWCDC_ASSERT_OK(WaitFor([&] { return CountFiles("public.t", false) > 0; }, seconds(60), "its changes"));
  ASSERT_NO_FATAL_FAILURE(StopStreaming());
  EXPECT_NE(sql_error().find(said), std::string::npos) << sql_error();
  for (const auto& file : std::filesystem::directory_iterator(elsewhere.path() / "t"))
    std::filesystem::copy(file, directory);
  ARROWCDC_ASSERT_OK(CompareState(*server_, files_.path(), {"public.t"}));
  std::filesystem::remove_all(directory);
  ARROWCDC_ASSERT_OK(
      RunProgram({.argv = {CommandPath(), "resnapshot", files_.path(), "public.t"}}, seconds(60)).status());
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"}), seconds(60)).status());
  ARROWCDC_ASSERT_OK(CompareState(*server_, files_.path(), {"public.t"}));
}

// Its changes do not come, and it is in the way of no others.
TEST_P(AddTablesTest, ATableThatIsDroppedAndRemoved) {
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE u (id int PRIMARY KEY); INSERT INTO u VALUES (1), (2)"));
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "add-tables", {"public.u"}));
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"}), seconds(60)).status());
  ARROWCDC_ASSERT_OK(sql_->Exec("DROP TABLE u; INSERT INTO t VALUES (2)"));
  std::filesystem::remove_all(files_.path() / "public.u");
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"}), seconds(60)).status());
  ARROWCDC_ASSERT_OK(CompareState(*server_, files_.path(), {"public.t"}));
}

// Nothing that was in it counts any more.
TEST_P(AddTablesTest, ItsDirectoryIsRemovedWhileItWaitsToBeCopiedAnew) {
  ASSERT_NO_FATAL_FAILURE(StartStreaming());
  ARROWCDC_ASSERT_OK(WaitForCopyOf("t"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto other, server_->Connect());
  ARROWCDC_ASSERT_OK(other->Exec("BEGIN; SELECT pg_current_xact_id()"));  // holds up the point of a copy
  ARROWCDC_ASSERT_OK(
      RunProgram({.argv = {CommandPath(), "resnapshot", files_.path(), "public.t"}}, seconds(60)).status());
  ARROWCDC_ASSERT_OK(WaitFor([&] { return CountRequests() == 0; }, seconds(60), "the request is taken"));
  std::filesystem::remove_all(files_.path() / "public.t");
  ARROWCDC_ASSERT_OK(other->Exec("COMMIT"));
  ARROWCDC_ASSERT_OK(WaitForCopyOf("t"));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO t VALUES (2)"));
  ASSERT_NO_FATAL_FAILURE(StopStreaming());
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"}), seconds(60)).status());
  ARROWCDC_ASSERT_OK(CompareState(*server_, files_.path(), {"public.t"}));
}

TEST_P(AddTablesTest, AnEndByTheClockSaysWhatIsNotCopiedYet) {
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"}), seconds(60)).status());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto other, server_->Connect());
  ARROWCDC_ASSERT_OK(other->Exec("BEGIN; SELECT pg_current_xact_id()"));  // holds up the point of a copy
  ARROWCDC_ASSERT_OK(
      RunProgram({.argv = {CommandPath(), "resnapshot", files_.path(), "public.t"}}, seconds(60)).status());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(client_, Subprocess::Start(Stream({"--for", "3s"})));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, client_->Wait(seconds(60)));
  EXPECT_TRUE(ended.ok()) << client_->error();
  EXPECT_NE(client_->error().find("the next start goes on with them: public.t"), std::string::npos)
      << client_->error();
}

// Deletes that no stream ever brought: the copy voids the rows that the files still have.
TEST_P(AddTablesTest, ReadAnewBehindAGapWithDeletes) {
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO t SELECT generate_series(2, 100)"));
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"}), seconds(60)).status());
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO t VALUES (101)"));
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"}), seconds(60)).status());
  ARROWCDC_ASSERT_OK(sql_->Exec("DELETE FROM t WHERE id % 2 = 0 OR id = 101"));
  ARROWCDC_ASSERT_OK(
      sql_->Query("SELECT pg_replication_slot_advance('arrowcdc', pg_current_wal_lsn())").status());
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now", "--accept-gap"}), seconds(60)).status());
  EXPECT_FALSE(CompareState(*server_, files_.path(), {"public.t"}).ok()) << "nothing was missed";
  ARROWCDC_ASSERT_OK(
      RunProgram({.argv = {CommandPath(), "resnapshot", files_.path(), "public.t"}}, seconds(60)).status());
  ARROWCDC_ASSERT_OK(sql_->Exec("DELETE FROM t WHERE id = 1"));
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"}), seconds(60)).status());
  EXPECT_EQ(CountFiles("public.t", true), 2u);
  ARROWCDC_ASSERT_OK(CompareState(*server_, files_.path(), {"public.t"}));
}

// What changed of it meanwhile was passed over.
TEST_P(AddTablesTest, ATableThatWasLeftOutForAWhile) {
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE u (id int PRIMARY KEY); INSERT INTO u VALUES (1), (2)"));
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "add-tables", {"public.u"}));
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"}), seconds(60)).status());
  ARROWCDC_ASSERT_OK(sql_->Exec("DELETE FROM u WHERE id = 1; INSERT INTO t VALUES (2)"));
  ARROWCDC_ASSERT_OK(RunCommand(
      *server_, "stream", {"--tables", "public.t", "--accept-tables", "--sink", Sink(), "--until", "now"}));
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"}), seconds(60)).status());
  EXPECT_EQ(CountFiles("public.u", true), 2u);
  ARROWCDC_ASSERT_OK(CompareState(*server_, files_.path(), {"public.t", "public.u"}));
}

TEST_P(AddTablesTest, LeftOutUnderAnotherName) {
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE u (id int PRIMARY KEY); INSERT INTO u VALUES (1), (2)"));
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "add-tables", {"public.u"}));
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"}), seconds(60)).status());
  ARROWCDC_ASSERT_OK(sql_->Exec("DELETE FROM u WHERE id = 1; INSERT INTO t VALUES (2)"));
  ARROWCDC_ASSERT_OK(RunCommand(
      *server_, "stream", {"--tables", "public.t", "--accept-tables", "--sink", Sink(), "--until", "now"}));
  ARROWCDC_ASSERT_OK(
      RunProgram({.argv = {CommandPath(), "resnapshot", files_.path(), "public.t"}}, seconds(60)).status());
  ARROWCDC_ASSERT_OK(sql_->Exec("ALTER TABLE u RENAME TO v; ALTER TABLE t RENAME TO s"));
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"}), seconds(60)).status());
  EXPECT_EQ(CountFiles("public.v", true), 1u);
  EXPECT_EQ(CountFiles("public.s", true), 1u) << "what was asked for under the old name";
  EXPECT_EQ(CountRequests(), 0u);
  ARROWCDC_ASSERT_OK(CompareState(*server_, files_.path(), {"public.s", "public.v"}));
}

// It cannot be copied now, and is not forgotten when all others are copied anew.
TEST_P(AddTablesTest, WhatWaitsOutlivesALostSlot) {
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE u (id int PRIMARY KEY); INSERT INTO u VALUES (1), (2)"));
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "add-tables", {"public.u"}));
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"}), seconds(60)).status());
  ARROWCDC_ASSERT_OK(sql_->Exec("ALTER PUBLICATION arrowcdc DROP TABLE u; DELETE FROM u WHERE id = 1"));
  ARROWCDC_ASSERT_OK(
      RunProgram({.argv = {CommandPath(), "resnapshot", files_.path(), "public.u"}}, seconds(60)).status());
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"}), seconds(60)).status());
  EXPECT_EQ(CountRequests(), 0u);
  ARROWCDC_ASSERT_OK(sql_->Query("SELECT pg_drop_replication_slot('arrowcdc')"));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO t VALUES (2)"));
  ARROWCDC_ASSERT_OK(sql_->Query("SELECT pg_create_logical_replication_slot('arrowcdc', '" +
                                 std::string(GetParam()) + "')"));
  ARROWCDC_ASSERT_OK(
      RunProgram(Stream({"--snapshot", "when-needed", "--until", "now"}), seconds(60)).status());
  EXPECT_EQ(CountFiles("public.t", true), 2u);
  EXPECT_EQ(Manifest().find("\"complete\": true"), std::string::npos);
  ARROWCDC_ASSERT_OK(sql_->Exec("ALTER PUBLICATION arrowcdc ADD TABLE u"));
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"}), seconds(60)).status());
  EXPECT_NE(Manifest().find("\"complete\": true"), std::string::npos);
  ARROWCDC_ASSERT_OK(CompareState(*server_, files_.path(), {"public.t", "public.u"}));
}

// Where nothing was copied one table alone is not.
TEST_P(AddTablesTest, NotIntoASinkThatBeganWithoutACopy) {
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO t VALUES (2)"));
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--snapshot", "never", "--until", "now"}), seconds(60)).status());
  const auto refused =
      RunProgram({.argv = {CommandPath(), "resnapshot", files_.path(), "public.t"}}, seconds(60));
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.status().message().find("new directory"), std::string::npos) << refused.status();
  EXPECT_EQ(CountRequests(), 0u);
}

TEST_P(AddTablesTest, TheSlotIsForTheOldTablesAndTheNew) {
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)"));
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "add-tables", {"public.b", "public.a"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      const std::string note,
      sql_->Scalar("SELECT (substr(obj_description(oid, 'pg_publication'), 23)::jsonb #>> "
                   "'{slots,0,tables}') FROM pg_publication"));
  EXPECT_EQ(note, "[\"public.a\", \"public.b\", \"public.t\"]");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const std::string published,
                                sql_->Scalar("SELECT string_agg(tablename, ',' ORDER BY tablename) FROM "
                                             "pg_publication_tables"));
  EXPECT_EQ(published, "a,b,t");
  EXPECT_FALSE(RunCommand(*server_, "add-tables", {"public.none"}).ok());
  EXPECT_FALSE(RunCommand(*server_, "add-tables", {"public.a", "--slot", "other"}).ok()) << "no such slot";
  EXPECT_FALSE(RunCommand(*server_, "add-tables", {}).ok());
}

// Changes of a table that is gone come under the name of one that was copied: what is copied anew for them
// stands behind a truncate.
TEST_P(AddTablesTest, ATableThatWasMadeAnewBeforeTheStream) {
  const std::string make =
      "CREATE TABLE again (id int); ALTER TABLE again REPLICA IDENTITY FULL; INSERT INTO again SELECT "
      "generate_series(1, 3)";
  ARROWCDC_ASSERT_OK(sql_->Exec(make));
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "add-tables", {"public.again"}));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO again VALUES (99)"));
  ARROWCDC_ASSERT_OK(sql_->Exec("DROP TABLE again"));
  ARROWCDC_ASSERT_OK(sql_->Exec(make));
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "add-tables", {"public.again"}));
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"}), seconds(60)).status());
  ARROWCDC_ASSERT_OK(CompareState(*server_, files_.path(), {"public.again", "public.t"}));
}

// Of the rows of a table in a file of streams, in their order: what and which.
std::vector<std::string> RowsOf(const std::string& path, const std::string& table) {
  std::vector<std::string> rows;
  const auto input = arrow::io::ReadableFile::Open(path).ValueOrDie();
  while (input->Tell().ValueOrDie() < input->GetSize().ValueOrDie()) {
    const auto reader = arrow::ipc::RecordBatchStreamReader::Open(input.get()).ValueOrDie();
    const bool is_it = reader->schema()->metadata()->Get("arrowcdc:table").ValueOrDie() == table;
    while (const auto batch = reader->Next().ValueOrDie()) {
      for (int64_t row = 0; is_it && row < batch->num_rows(); ++row) {
        const auto op = batch->GetColumnByName("_op")->GetScalar(row).ValueOrDie();
        rows.push_back(
            static_cast<const arrow::DictionaryScalar&>(*op).GetEncodedValue().ValueOrDie()->ToString() +
            " " + batch->GetColumnByName("id")->GetScalar(row).ValueOrDie()->ToString());
      }
    }
  }
  return rows;
}

// A file holds rows in the order in which they come: the stream stops for the copy, and goes on behind it.
TEST_P(AddTablesTest, IntoAFileTheStreamWaitsForTheCopy) {
  const std::string path = files_.path() / "changes.arrows";
  sink_ = "ipc:" + path;
  ASSERT_NO_FATAL_FAILURE(StartStreaming());
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CREATE TABLE late (id int PRIMARY KEY); INSERT INTO late SELECT generate_series(1, 1000)"));
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "add-tables", {"public.late"}));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO late VALUES (1001)"));
  ARROWCDC_ASSERT_OK(client_->WaitForError("the stream waits meanwhile", seconds(60)));
  const auto copied = [&] {
    std::ifstream manifest(path + ".manifest.json");
    std::stringstream text;
    text << manifest.rdbuf();
    return text.str().find("late") != std::string::npos &&
           text.str().find("\"complete\": true") != std::string::npos;
  };
  ARROWCDC_ASSERT_OK(WaitFor(copied, seconds(120), "the copy"));
  ARROWCDC_ASSERT_OK(sql_->Exec("DELETE FROM late WHERE id = 1; INSERT INTO t VALUES (2)"));
  ASSERT_NO_FATAL_FAILURE(StopStreaming());
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"}), seconds(60)).status());
  std::vector<std::string> expected = {"insert 1001", "truncate null"};
  for (int id = 1; id <= 1001; ++id) expected.push_back("snapshot " + std::to_string(id));
  expected.push_back("delete 1");
  EXPECT_EQ(RowsOf(path, "late"), expected);
  EXPECT_EQ(RowsOf(path, "t"), (std::vector<std::string>{"snapshot 1", "insert 2"}));
}

// What had come of a table does not count once it is copied, whichever process has written it.
TEST_P(AddTablesTest, IntoAFileATruncateStandsInFrontAfterAKill) {
  const std::string path = files_.path() / "changes.arrows";
  sink_ = "ipc:" + path;
  ASSERT_NO_FATAL_FAILURE(StartStreaming());
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE late (id int PRIMARY KEY); INSERT INTO late VALUES (1), (2)"));
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "add-tables", {"public.late"}));
  // Whoever has written holds up the point of a copy.
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto other, server_->Connect());
  ARROWCDC_ASSERT_OK(other->Exec("BEGIN; INSERT INTO t VALUES (-1)"));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO late VALUES (3)"));
  ARROWCDC_ASSERT_OK(client_->WaitForError("the stream waits meanwhile", seconds(60)));
  const auto noted = [&] {
    std::ifstream manifest(path + ".manifest.json");
    std::stringstream text;
    text << manifest.rdbuf();
    return text.str().find("\"only\"") != std::string::npos;
  };
  ARROWCDC_ASSERT_OK(WaitFor(noted, seconds(60), "the copy is noted"));
  ARROWCDC_ASSERT_OK(client_->Signal(SIGKILL));
  ARROWCDC_ASSERT_OK(client_->Wait(seconds(60)).status());
  // Before the point of the next copy: it does not come as a change.
  ARROWCDC_ASSERT_OK(sql_->Exec("DELETE FROM late WHERE id = 3"));
  ARROWCDC_ASSERT_OK(other->Exec("ROLLBACK"));
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"}), seconds(60)).status());
  EXPECT_EQ(RowsOf(path, "late"),
            (std::vector<std::string>{"insert 3", "truncate null", "snapshot 1", "snapshot 2"}));
}

// Rows of a group whose end has not come lie behind the position that a copy stores: it waits for that end.
TEST_P(AddTablesTest, IntoAFileACopyWaitsForAGroupThatCameInPart) {
  const std::string path = files_.path() / "changes.arrows";
  sink_ = "ipc:" + path;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(client_, Subprocess::Start(Stream({"--streaming", "off"})));
  ARROWCDC_ASSERT_OK(client_->WaitForError("streaming changes", seconds(60)));
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE late (id int PRIMARY KEY, note text)"));
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "add-tables", {"public.late"}));
  ARROWCDC_ASSERT_OK(
      sql_->Exec("BEGIN; INSERT INTO t SELECT generate_series(1001, 301000);"
                 "INSERT INTO late SELECT i, repeat('y', 100) FROM generate_series(1, 100000) AS i;"
                 "INSERT INTO t SELECT generate_series(400001, 900000); COMMIT"));
  ARROWCDC_ASSERT_OK(client_->WaitForError("the stream waits meanwhile", seconds(120)));
  ARROWCDC_ASSERT_OK(sql_->Exec("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots"));
  ARROWCDC_ASSERT_OK(
      client_->WaitForError("\"message\":\"table copied\",\"table\":\"public.late\"", seconds(120)));
  ARROWCDC_ASSERT_OK(client_->Signal(SIGKILL));
  ARROWCDC_ASSERT_OK(client_->Wait(seconds(60)).status());
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"}), seconds(120)).status());
  std::vector<std::string> rows = RowsOf(path, "t");
  EXPECT_EQ(rows.size(), 800001u);
  std::sort(rows.begin(), rows.end());
  EXPECT_EQ(std::adjacent_find(rows.begin(), rows.end()), rows.end());
}

// What the file has of it is cut off, and not followed by other tables.
TEST_P(AddTablesTest, IntoAFileATableThatIsChangedBetweenItsPartitions) {
  const std::string path = files_.path() / "changes.arrows";
  sink_ = "ipc:" + path;
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CREATE TABLE parted (id int PRIMARY KEY, note text) PARTITION BY RANGE (id);"
                 "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (100001);"
                 "CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (100001) TO (200000);"
                 "INSERT INTO parted SELECT i, repeat('x', 200) FROM generate_series(1, 100010) AS i"));
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "add-tables", {"public.parted"}));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(client_, Subprocess::Start(Stream()));
  const auto copies = [&] {
    return sql_->Scalar(
                   "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'COPY "
                   "%parted_1%' AND application_name = 'arrowcdc'")
               .ValueOr("") == "1";
  };
  ARROWCDC_ASSERT_OK(WaitFor(copies, seconds(60), "the copy of the first partition"));
  ARROWCDC_ASSERT_OK(client_->Signal(SIGSTOP));
  ASSERT_TRUE(copies()) << "the partition is too small: its copy is over";
  ARROWCDC_ASSERT_OK(sql_->Exec("VACUUM FULL parted_2"));
  ARROWCDC_ASSERT_OK(client_->Signal(SIGCONT));
  ARROWCDC_ASSERT_OK(client_->WaitForError("trying again", seconds(60)));
  ARROWCDC_ASSERT_OK(client_->WaitForError("streaming changes", seconds(120)));
  EXPECT_NE(client_->error().find("\"event\":\"busy\""), std::string::npos) << client_->error();
  EXPECT_EQ(client_->error().find("\"event\":\"connection_lost\""), std::string::npos) << client_->error();
  ASSERT_NO_FATAL_FAILURE(StopStreaming());
  std::vector<std::string> expected;
  for (int id = 1; id <= 100010; ++id) expected.push_back("snapshot " + std::to_string(id));
  EXPECT_EQ(RowsOf(path, "parted"), expected);
  EXPECT_EQ(RowsOf(path, "t"), (std::vector<std::string>{"snapshot 1"}));
}

// Nothing more would come of a table that was dropped.
TEST_P(AddTablesTest, ARequestThatIsWithdrawn) {
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE stays (id int PRIMARY KEY)"));
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "add-tables", {"public.stays"}));
  ASSERT_NO_FATAL_FAILURE(StartStreaming());
  ARROWCDC_ASSERT_OK(WaitForCopyOf("t"));
  const auto ask = [&](std::vector<std::string> more) {
    std::vector<std::string> argv = {CommandPath(), "resnapshot", files_.path(), "public.t"};
    argv.insert(argv.end(), more.begin(), more.end());
    return RunProgram({.argv = argv}, seconds(60)).status();
  };
  EXPECT_NE(ask({"--withdraw"}).message().find("nobody has asked"), std::string::npos);
  ARROWCDC_ASSERT_OK(sql_->Exec("DROP TABLE t"));
  ARROWCDC_ASSERT_OK(ask({}));
  const auto noted = [&] { return Manifest().find("\"complete\": false") != std::string::npos; };
  ARROWCDC_ASSERT_OK(WaitFor(noted, seconds(60), "the request is noted"));
  ARROWCDC_ASSERT_OK(ask({"--withdraw"}));
  ARROWCDC_ASSERT_OK(client_->WaitForError("the request was withdrawn", seconds(60)));
  ARROWCDC_ASSERT_OK(WaitFor([&] { return !noted(); }, seconds(60), "it is noted no more"));
  ARROWCDC_ASSERT_OK(WaitFor([&] { return CountRequests() == 0; }, seconds(60), "nothing is left of it"));
  ASSERT_NO_FATAL_FAILURE(StopStreaming());
  // With nobody there to take it.
  ARROWCDC_ASSERT_OK(ask({}));
  ARROWCDC_ASSERT_OK(ask({"--withdraw"}));
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"}), seconds(60)).status());
  EXPECT_EQ(CountRequests(), 0u);
  EXPECT_FALSE(noted());
}

TEST_P(AddTablesTest, CtrlCAtTheQuestionChangesNothing) {
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE late (id int PRIMARY KEY)"));
  const std::string published = "SELECT count(*) FROM pg_publication_tables";
  for (const auto& [command, arguments] :
       {std::pair<std::string, std::vector<std::string>>{"add-tables", {"public.late"}}, {"teardown", {}}}) {
    SubprocessOptions options = Command(*server_, command, arguments);
    options.argv.insert(options.argv.begin(), {ARROWCDC_PYTHON, ARROWCDC_RUN_IN_TERMINAL, "80"});
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto child, Subprocess::Start(options));
    const auto asked = [&] { return child->output().find("[y/N]") != std::string::npos; };
    ARROWCDC_ASSERT_OK(WaitFor(asked, seconds(60), "the question"));
    ARROWCDC_ASSERT_OK(child->Signal(SIGINT));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, child->Wait(seconds(60)));
    EXPECT_EQ(ended.code, 130) << child->output();
    EXPECT_NE(child->output().find("Nothing was changed"), std::string::npos) << child->output();
    EXPECT_EQ(sql_->Scalar(published).ValueOrDie(), "1");
    EXPECT_EQ(sql_->Scalar("SELECT count(*) FROM pg_replication_slots").ValueOrDie(), "1");
  }
}

INSTANTIATE_TEST_SUITE_P(Plugins, AddTablesTest, testing::Values("wal2arrow", "pgoutput"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace arrowcdc::test
