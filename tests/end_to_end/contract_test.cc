// What the command promises to whoever runs it: what it refuses, what it says, what moves the slot, how fast
// it lets the server go.
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>

#include "arrowcdc/position.h"
#include "tests/end_to_end/client.h"
#include "tests/end_to_end/workload.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/seed.h"
#include "tests/testing/wait.h"

namespace arrowcdc::test {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::seconds;

class ContractTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(server_, PrivateServer::Create({.tcp = true}));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect());
    ARROWCDC_ASSERT_OK(
        sql_->Exec("CREATE TABLE users (id bigint PRIMARY KEY, name text); CREATE TABLE \"Odd.Name\" "
                   "(\"a\"\"b\" int PRIMARY KEY)"));
  }

  void RunSetup() { ARROWCDC_ASSERT_OK(RunCommand(*server_, "setup", {"--tables", "public.*"})); }

  SubprocessOptions Stream(const std::string& sink, std::vector<std::string> more) {
    std::vector<std::string> arguments = {"--tables", "public.*", "--sink", sink};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Command(*server_, "stream", std::move(arguments));
  }

  // Runs a stream to its end and returns what it wrote, its log and its exit code.
  struct Outcome {
    int code = -1;
    std::string output;
    std::string error;
  };
  Outcome Run(SubprocessOptions options) {
    Outcome outcome;
    auto child = Subprocess::Start(std::move(options));
    EXPECT_TRUE(child.ok()) << child.status();
    if (!child.ok()) return outcome;
    const auto ended = (*child)->Wait(seconds(60));
    EXPECT_TRUE(ended.ok()) << ended.status() << (*child)->error();
    if (ended.ok()) outcome.code = ended->signal == 0 ? ended->code : 128 + ended->signal;
    outcome.output = (*child)->output();
    outcome.error = (*child)->error();
    return outcome;
  }

  std::string Parquet(const std::string& name) const { return "parquet:" + (files_.path() / name).string(); }

  uint64_t Confirmed() {
    const auto confirmed = ConfirmedFlush(*sql_);
    EXPECT_TRUE(confirmed.ok()) << confirmed.status();
    return confirmed.ok() ? *confirmed : 0;
  }

  TemporaryDirectory files_;
  std::unique_ptr<PrivateServer> server_;
  std::unique_ptr<SqlConnection> sql_;
};

TEST_F(ContractTest, FilesGoWhereTheUserMeans) {
  ASSERT_NO_FATAL_FAILURE(RunSetup());
  const uint64_t before = Confirmed();
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (1, 'ann')"));
  for (const char* sink : {"parquet:s3://bucket/x", "parquet:~/x", "parquet://x", "ipc:gs://bucket/x"}) {
    auto options = Stream(sink, {"--until", "now"});
    options.cwd = files_.path();
    const Outcome outcome = Run(std::move(options));
    EXPECT_EQ(outcome.code, 2) << sink << outcome.error;
    EXPECT_NE(outcome.error.find("remedy"), std::string::npos) << sink << outcome.error;
  }
  EXPECT_TRUE(std::filesystem::is_empty(files_.path()));
  EXPECT_EQ(Confirmed(), before);
  auto options = Stream("parquet:changes", {"--until", "now"});
  options.cwd = files_.path();
  const Outcome outcome = Run(std::move(options));
  EXPECT_EQ(outcome.code, 0) << outcome.error;
  const std::string path = (std::filesystem::canonical(files_.path()) / "changes").string();
  EXPECT_NE(outcome.error.find("\"writing to\",\"path\":\"" + path + "\""), std::string::npos)
      << outcome.error;
}

TEST_F(ContractTest, ConsoleShowsRowsAndDoesNotMoveTheSlot) {
  ASSERT_NO_FATAL_FAILURE(RunSetup());
  const uint64_t before = Confirmed();
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (1, 'ann'), (2, NULL)"));
  for (int time = 0; time < 2; ++time) {
    const Outcome outcome = Run(Stream("console:ndjson", {"--until", "now"}));
    ASSERT_EQ(outcome.code, 0) << outcome.error;
    EXPECT_EQ(std::count(outcome.output.begin(), outcome.output.end(), '\n'), 2) << outcome.output;
    EXPECT_NE(outcome.output.find("\"ann\""), std::string::npos);
  }
  EXPECT_EQ(Confirmed(), before);
  const Outcome acknowledged = Run(Stream("console:ndjson", {"--until", "now", "--ack=on-write"}));
  ASSERT_EQ(acknowledged.code, 0) << acknowledged.error;
  EXPECT_GT(Confirmed(), before);
  EXPECT_EQ(Run(Stream("console:ndjson", {"--until", "now"})).output, "");
}

TEST_F(ContractTest, SaysFromWhereAndWhatTheSlotKeeps) {
  ASSERT_NO_FATAL_FAILURE(RunSetup());
  const Outcome outcome = Run(Stream("console:ndjson", {"--until", "now"}));
  EXPECT_NE(outcome.error.find(FormatLsn(Confirmed())), std::string::npos) << outcome.error;
  EXPECT_NE(outcome.error.find("rows that were there before are not included"), std::string::npos);
  EXPECT_NE(outcome.error.find("arrowcdc teardown"), std::string::npos);
}

TEST_F(ContractTest, NewDirectoryOnAUsedSlotIsRefused) {
  ASSERT_NO_FATAL_FAILURE(RunSetup());
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (1, 'ann')"));
  ASSERT_EQ(Run(Stream(Parquet("first"), {"--until", "now"})).code, 0);
  const Outcome refused = Run(Stream(Parquet("second"), {"--until", "now"}));
  EXPECT_EQ(refused.code, 6) << refused.error;
  EXPECT_NE(refused.error.find("acknowledged elsewhere"), std::string::npos) << refused.error;
  EXPECT_EQ(Run(Stream(Parquet("third"), {"--until", "now", "--accept-gap"})).code, 0);
}

// Where it goes on: not where the sink stands. And from then on it does stand there.
TEST_F(ContractTest, AStreamBehindAGapSaysSo) {
  const std::string resumes = ", where the sink stands";
  ASSERT_NO_FATAL_FAILURE(RunSetup());
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (1, 'ann')"));
  ASSERT_EQ(Run(Stream(Parquet("d"), {"--until", "now"})).code, 0);
  for (const std::vector<std::string>& more :
       {std::vector<std::string>{"--accept-gap"}, {"--snapshot", "when-needed"}}) {
    ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users SELECT max(id) + 1, 'missed' FROM users"));
    ARROWCDC_ASSERT_OK(sql_->Query("SELECT pg_replication_slot_advance('arrowcdc', pg_current_wal_lsn())"));
    std::vector<std::string> arguments = {"--until", "now"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome gap = Run(Stream(Parquet("d"), arguments));
    EXPECT_EQ(gap.code, 0) << gap.error;
    EXPECT_EQ(gap.error.find(resumes), std::string::npos) << gap.error;
    EXPECT_NE(gap.error.find(more[0] == "--accept-gap" ? "changes in between are lacking"
                                                       : ", behind the rows that were there before"),
              std::string::npos)
        << gap.error;
    const Outcome then = Run(Stream(Parquet("d"), {"--until", "now"}));
    EXPECT_NE(then.error.find(resumes), std::string::npos) << then.error;
  }
}

TEST_F(ContractTest, SlotAheadOfTheDirectoryIsRefused) {
  ASSERT_NO_FATAL_FAILURE(RunSetup());
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (1, 'ann')"));
  ASSERT_EQ(Run(Stream(Parquet("d"), {"--until", "now"})).code, 0);
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (2, 'bob')"));
  ARROWCDC_ASSERT_OK(
      sql_->Query("SELECT pg_replication_slot_advance('arrowcdc', pg_current_wal_flush_lsn())"));
  const Outcome refused = Run(Stream(Parquet("d"), {"--until", "now"}));
  EXPECT_EQ(refused.code, 6) << refused.error;
}

TEST_F(ContractTest, AnotherServerIsRefused) {
  ASSERT_NO_FATAL_FAILURE(RunSetup());
  ASSERT_EQ(Run(Stream(Parquet("d"), {"--until", "now"})).code, 0);
  // Another cluster has another system identifier.
  ARROWCDC_ASSERT_OK_AND_ASSIGN(server_, PrivateServer::Create());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect());
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE users (id bigint PRIMARY KEY, name text)"));
  ASSERT_NO_FATAL_FAILURE(RunSetup());
  const Outcome refused = Run(Stream(Parquet("d"), {"--until", "now"}));
  EXPECT_EQ(refused.code, 6) << refused.error;
}

TEST_F(ContractTest, TypedErrorsHaveTheirExitCodes) {
  const Outcome missing = Run(Stream("console", {"--until", "now"}));
  EXPECT_EQ(missing.code, 5);
  EXPECT_NE(missing.error.find("slot_missing"), std::string::npos) << missing.error;
  EXPECT_NE(missing.error.find("arrowcdc setup"), std::string::npos) << missing.error;
  EXPECT_EQ(Run(Stream("paper:x", {})).code, 2);
  EXPECT_EQ(Run(Stream("console", {"--until", "tomorrow"})).code, 2);
  EXPECT_EQ(Run(Stream("console", {"--no-such-option"})).code, 2);
  ARROWCDC_ASSERT_OK(sql_->Query("SELECT pg_create_logical_replication_slot('other', 'test_decoding')"));
  const Outcome mismatch = Run(Stream("console", {"--slot", "other"}));
  EXPECT_EQ(mismatch.code, 5);
  EXPECT_NE(mismatch.error.find("slot_mismatch"), std::string::npos) << mismatch.error;
}

TEST_F(ContractTest, PatternsThatSelectNothingPublishedAreRefused) {
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "setup", {"--tables", "public.users"}));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (1, 'ann')"));
  const uint64_t before = Confirmed();
  SubprocessOptions misspelt = Stream(Parquet("d"), {"--until", "now"});
  std::replace(misspelt.argv.begin(), misspelt.argv.end(), std::string("public.*"), std::string("pubic.*"));
  const Outcome refused = Run(misspelt);
  EXPECT_EQ(refused.code, 5) << refused.error;
  EXPECT_NE(refused.error.find("no published table matches"), std::string::npos) << refused.error;
  std::replace(misspelt.argv.begin(), misspelt.argv.end(), std::string("pubic.*"),
               std::string("public.usres"));
  const Outcome named = Run(misspelt);
  EXPECT_EQ(named.code, 5) << named.error;
  EXPECT_NE(named.error.find("matches the patterns; nearest: public.users"), std::string::npos)
      << named.error;
  EXPECT_EQ(Confirmed(), before);
  EXPECT_EQ(Run(Stream("parquet:x", {"--ack=on-write"})).code, 2);
}

// Into a sink that keeps nothing nothing is durable.
TEST_F(ContractTest, SaysWhatHasNoEffectAndNoPlaceThatIsNotThere) {
  RunSetup();
  const Outcome looked =
      Run(Stream("console", {"--until", "now", "--roll-rows", "7", "--parquet-compression-level", "9"}));
  EXPECT_EQ(looked.code, 0) << looked.error;
  EXPECT_NE(looked.error.find("\"options\":\"--roll-rows, --parquet-compression-level\""), std::string::npos)
      << looked.error;
  EXPECT_NE(looked.error.find("\"delivered_lsn\""), std::string::npos) << looked.error;
  EXPECT_EQ(looked.error.find("\"0/0\""), std::string::npos) << looked.error;
  EXPECT_EQ(Run(Stream(Parquet("d"), {"--until", "now", "--roll-rows", "7"})).error.find("no effect"),
            std::string::npos);
}

TEST_F(ContractTest, PublishedTablesThatNoPatternMatchesAreNamed) {
  for (int i = 1; i <= 6; ++i) {
    ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE aside" + std::to_string(i) + " (id int PRIMARY KEY)"));
  }
  RunSetup();
  const std::string told = "the slot passes over their changes";
  const Outcome all = Run(Stream(Parquet("all"), {"--until", "now"}));
  EXPECT_EQ(all.code, 0) << all.error;
  EXPECT_EQ(all.error.find(told), std::string::npos) << all.error;
  SubprocessOptions some = Stream(Parquet("some"), {"--until", "now", "--accept-gap", "--accept-tables"});
  std::replace(some.argv.begin(), some.argv.end(), std::string("public.*"), std::string("public.users"));
  const Outcome named = Run(some);
  EXPECT_EQ(named.code, 0) << named.error;
  EXPECT_NE(named.error.find(told), std::string::npos) << named.error;
  // Seven of them, by name.
  EXPECT_NE(named.error.find("public.aside1 public.aside2 public.aside3 public.aside4 and 2 more"),
            std::string::npos)
      << named.error;
}

// The statement and the flag that the remedy of `error` names.
std::string AdvanceStatement(const std::string& error) {
  const size_t begin = error.find("SELECT pg_replication_slot_advance(");
  const size_t end = error.find("pg_current_wal_lsn())", begin);
  EXPECT_NE(begin, std::string::npos) << error;
  EXPECT_NE(end, std::string::npos) << error;
  return begin == std::string::npos ? "" : error.substr(begin, end + 21 - begin);
}

// Word for word what the error says: nothing before the change is lost, nothing after it, and of what lies
// between no more than is said.
TEST_F(ContractTest, TheWayOutOfColumnListsThatDifferInMidStream) {
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE orders (id int PRIMARY KEY); CREATE PUBLICATION second"));
  const auto stream = [this](std::vector<std::string> more) {
    more.insert(more.end(), {"--until", "now", "--publication", "arrowcdc", "second"});
    return Run(Stream(Parquet("files"), more));
  };
  ASSERT_NO_FATAL_FAILURE(RunSetup());
  ASSERT_EQ(stream({}).code, 0);
  // Many small transactions in front of it, which the server batches.
  for (int i = 0; i < 300; ++i) {
    ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (" + std::to_string(i) + ", 'before')"));
  }
  ARROWCDC_ASSERT_OK(sql_->Exec("ALTER PUBLICATION second ADD TABLE users (id)"));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (500, 'between'); INSERT INTO orders VALUES (1)"));

  const Outcome differing = stream({});
  EXPECT_NE(differing.code, 0);
  EXPECT_NE(differing.error.find("make them equal"), std::string::npos) << differing.error;
  ARROWCDC_ASSERT_OK(sql_->Exec("ALTER PUBLICATION second DROP TABLE users"));
  const Outcome ended = stream({});
  EXPECT_NE(ended.code, 0);
  EXPECT_NE(ended.error.find("send different columns of table \\\"public.users\\\""), std::string::npos)
      << ended.error;
  EXPECT_EQ(ended.error.find("same version of both"), std::string::npos) << ended.error;
  // As long as it delivered something.
  EXPECT_NE((differing.error + ended.error).find("connecting again"), std::string::npos) << differing.error;
  // The server's process outlives the connection for a moment.
  const auto is_free = [&] {
    return sql_->Scalar("SELECT active FROM pg_replication_slots").ValueOrDie() == "f";
  };
  ARROWCDC_ASSERT_OK(test::WaitFor(is_free, seconds(20), "a free slot"));
  ARROWCDC_ASSERT_OK(sql_->Query(AdvanceStatement(ended.error)));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (501, 'after'); INSERT INTO orders VALUES (2)"));
  EXPECT_EQ(stream({}).code, 6);
  const Outcome gone_on = stream({"--accept-gap"});
  ASSERT_EQ(gone_on.code, 0) << gone_on.error;
  ASSERT_EQ(stream({}).code, 0);
  // The tables without what was written between.
  ARROWCDC_ASSERT_OK(sql_->Exec("DELETE FROM users WHERE id = 500; DELETE FROM orders WHERE id = 1"));
  ARROWCDC_ASSERT_OK(CompareReplay(*server_, files_.path() / "files", {"public.users", "public.orders"}));
}

TEST_F(ContractTest, APartitionThatCarriesLessIsSaidOnceAndCutsOneFile) {
  ARROWCDC_ASSERT_OK(sql_->Exec(
      "CREATE TABLE parted (id int, v int) PARTITION BY LIST (v); ALTER TABLE parted REPLICA IDENTITY FULL;"
      "CREATE TABLE whole PARTITION OF parted FOR VALUES IN (0); ALTER TABLE whole REPLICA IDENTITY FULL;"
      "CREATE TABLE keyed PARTITION OF parted FOR VALUES IN (1); ALTER TABLE keyed ADD PRIMARY KEY (id)"));
  ASSERT_NO_FATAL_FAILURE(RunSetup());
  ARROWCDC_ASSERT_OK(
      sql_->Exec("INSERT INTO parted VALUES (0, 0);"
                 "INSERT INTO parted SELECT i, i % 2 FROM generate_series(1, 100000) i"));
  const Outcome outcome = Run(Stream(Parquet("files"), {"--until", "now", "--snapshot", "never"}));
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  const std::string text = "old rows of the partition public.keyed carry less";
  const size_t said = outcome.error.find(text);
  ASSERT_NE(said, std::string::npos) << outcome.error;
  EXPECT_EQ(outcome.error.find(text, said + 1), std::string::npos) << outcome.error;
  int files = 0;
  for (const auto& file : std::filesystem::directory_iterator(files_.path() / "files" / "public.parted")) {
    files += file.path().extension() == ".parquet" ? 1 : 0;
  }
  EXPECT_EQ(files, 2);
  ARROWCDC_ASSERT_OK(CompareReplay(*server_, files_.path() / "files", {"public.parted"}));
}

TEST_F(ContractTest, AnotherPublicationPassesColumnListsThatDiffer) {
  ASSERT_NO_FATAL_FAILURE(RunSetup());
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE PUBLICATION spare FOR ALL TABLES; CREATE PUBLICATION second"));
  ASSERT_EQ(Run(Stream(Parquet("files"), {"--until", "now"})).code, 0);
  ARROWCDC_ASSERT_OK(sql_->Exec("ALTER PUBLICATION second ADD TABLE users (id)"));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (1, 'one'), (11, 'eleven')"));
  EXPECT_NE(Run(Stream(Parquet("files"), {"--until", "now", "--publication", "arrowcdc", "second"})).code, 0);
  const Outcome passed = Run(Stream(Parquet("files"), {"--until", "now", "--publication", "spare"}));
  ASSERT_EQ(passed.code, 0) << passed.error;
  ARROWCDC_ASSERT_OK(CompareReplay(*server_, files_.path() / "files", {"public.users"}));
}

TEST_F(ContractTest, SlotOfOtherTablesIsRefusedAtAFirstStartOnly) {
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "setup", {"--tables", "public.*"}));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (1, 'ann'); INSERT INTO \"Odd.Name\" VALUES (1)"));
  const uint64_t before = Confirmed();
  const auto only_users = [&](std::vector<std::string> more) {
    SubprocessOptions options = Stream(Parquet("d"), std::move(more));
    std::replace(options.argv.begin(), options.argv.end(), std::string("public.*"),
                 std::string("public.users"));
    return options;
  };
  const Outcome refused = Run(only_users({"--until", "now"}));
  EXPECT_EQ(refused.code, 6) << refused.error;
  EXPECT_NE(refused.error.find("set up for public.*, not for public.users"), std::string::npos)
      << refused.error;
  EXPECT_NE(refused.error.find("--accept-tables"), std::string::npos) << refused.error;
  EXPECT_EQ(Confirmed(), before);
  // A look moves nothing, and is not refused.
  SubprocessOptions look = Stream("console", {"--until", "now"});
  std::replace(look.argv.begin(), look.argv.end(), std::string("public.*"), std::string("public.users"));
  EXPECT_EQ(Run(std::move(look)).code, 0);
  EXPECT_EQ(Run(only_users({"--until", "now", "--accept-tables"})).code, 0);
  EXPECT_GT(Confirmed(), before);
  // The sink remembers from here on.
  EXPECT_EQ(Run(only_users({"--until", "now"})).code, 0);
}

TEST_F(ContractTest, SetupNamesAllObstaclesAndPrintsOneBlockOfSql) {
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE ROLE cdc LOGIN; CREATE TABLE log (line text)"));
  const auto setup = [&](std::vector<std::string> more) {
    SubprocessOptions options;
    options.argv = {CommandPath(), "setup", "--source", server_->conninfo() + " user=cdc"};
    options.argv.insert(options.argv.end(), more.begin(), more.end());
    return Run(std::move(options));
  };
  const Outcome told = setup({"--log=text"});
  EXPECT_EQ(told.code, 4) << told.error;
  EXPECT_NE(told.error.find("things are in the way, as listed; nothing was changed"), std::string::npos)
      << told.error;
  EXPECT_EQ(told.error.find("public.log"), std::string::npos) << told.error << "listed twice";
  const Outcome refused = setup({});
  EXPECT_EQ(refused.code, 4) << refused.error;
  for (const char* part : {"the role may not use replication", "public.log (it has no primary key)",
                           "does not own public.\"Odd.Name\", public.users"}) {
    EXPECT_NE(refused.error.find(part == std::string("does not own public.\"Odd.Name\", public.users")
                                     ? "does not own public.\\\"Odd.Name\\\", public.users"
                                     : part),
              std::string::npos)
        << part << refused.error;
    EXPECT_NE(refused.output.find(part), std::string::npos) << refused.output;
  }
  EXPECT_NE(refused.output.find("\nALTER ROLE \"cdc\" REPLICATION;\n"), std::string::npos) << refused.output;
  // What SQL does not decide is an error of --print-sql, too; without it the SQL is the whole setup.
  EXPECT_EQ(setup({"--print-sql"}).code, 4);
  const Outcome printed = setup({"--print-sql", "--tables", "public.*", "!public.log"});
  EXPECT_EQ(printed.code, 0) << printed.error;
  const Outcome misspelt = setup({"--print-sql", "--tables", "public.*", "!public.log", "public.usrs"});
  EXPECT_EQ(misspelt.code, 0) << misspelt.error;
  EXPECT_NE(misspelt.error.find("public.usrs"), std::string::npos) << misspelt.error;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto psql, ServerProgram("psql"));
  SubprocessOptions administrator;
  administrator.argv = {psql, "-X", "-v", "ON_ERROR_STOP=1", server_->conninfo()};
  administrator.input = printed.output;
  const Outcome ran = Run(std::move(administrator));
  EXPECT_EQ(ran.code, 0) << ran.error << printed.output;
  EXPECT_NE(setup({"--tables", "public.*", "!public.log"}).output.find("Nothing to do"), std::string::npos);
  const Outcome none = setup({"--tables", "public.user"});
  EXPECT_EQ(none.code, 2) << none.error;
  EXPECT_NE(none.error.find("0 of 3 tables match; nearest: public.users"), std::string::npos) << none.error;
}

// Its second look, at what setup would meet, is a part of the answer.
TEST_F(ContractTest, TablesThatIsStoppedInItsSecondLookSaysSo) {
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CREATE ROLE cdc LOGIN REPLICATION; GRANT CREATE ON DATABASE postgres TO cdc"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto holder, server_->Connect());
  ARROWCDC_ASSERT_OK(holder->Exec("BEGIN; INSERT INTO users VALUES (1, 'ann')"));
  // It tries the plugin with a slot that waits for a second: a busy machine may miss it.
  int code = 0;
  for (int attempt = 0; attempt < 10 && code == 0; ++attempt) {
    SubprocessOptions options;
    options.argv = {CommandPath(), "--log=json", "tables", "--source", server_->conninfo() + " user=cdc"};
    ARROWCDC_ASSERT_OK_AND_ASSIGN(auto tables, Subprocess::Start(std::move(options)));
    const auto slots = [&] { return sql_->Scalar("SELECT count(*) FROM pg_replication_slots").ValueOr("?"); };
    ARROWCDC_ASSERT_OK(WaitFor([&] { return slots() == "1"; }, seconds(20), "the slot of the second look"));
    ARROWCDC_ASSERT_OK(tables->Signal(SIGINT));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, tables->Wait(seconds(10)));
    code = ended.code;
    ARROWCDC_ASSERT_OK(WaitFor([&] { return slots() == "0"; }, seconds(20), "the slot to be gone"));
  }
  EXPECT_EQ(code, 130);
}

TEST_F(ContractTest, WhatAPublicationKeepsBackIsSaidAtSetupAndAtTheStart) {
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CREATE TABLE people (id int PRIMARY KEY, name text, secret text, upper text "
                 "GENERATED ALWAYS AS (upper(name)) STORED); CREATE PUBLICATION part FOR TABLE people "
                 "(id, name) WITH (publish = 'insert, update')"));
  const std::vector<std::string> arguments = {"--slot", "part",     "--publication",
                                              "part",   "--tables", "public.people"};
  const Outcome setup = Run(Command(*server_, "setup", arguments));
  EXPECT_EQ(setup.code, 0) << setup.error;
  std::vector<std::string> stream = arguments;
  stream.insert(stream.end(), {"--sink", "console", "--until", "now"});
  const Outcome streamed = Run(Command(*server_, "stream", stream));
  EXPECT_EQ(streamed.code, 0) << streamed.error;
  EXPECT_NE(setup.output.find("does not publish delete, truncate"), std::string::npos) << setup.output;
  EXPECT_NE(streamed.error.find("not published: delete, truncate"), std::string::npos) << streamed.error;
  for (const std::string& text :
       {setup.output, streamed.error, Run(Command(*server_, "tables", arguments)).output}) {
    EXPECT_NE(text.find("publishes only its columns (id, name)"), std::string::npos) << text;
  }
}

TEST_F(ContractTest, InterruptedSetupLeavesNoHalfMadeSlot) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto holder, server_->Connect());
  ARROWCDC_ASSERT_OK(holder->Exec("BEGIN; INSERT INTO users VALUES (1, 'ann')"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto setup,
                                Subprocess::Start(Command(*server_, "setup", {"--tables", "public.*"})));
  const auto slots = [&] { return sql_->Scalar("SELECT count(*) FROM pg_replication_slots").ValueOr("?"); };
  ARROWCDC_ASSERT_OK(WaitFor([&] { return slots() == "1"; }, seconds(20), "a half-made slot"));
  const Outcome second = Run(Command(*server_, "setup", {"--tables", "public.*"}));
  EXPECT_EQ(second.code, 75) << second.output;
  EXPECT_NE(second.error.find("is still making the slot"), std::string::npos) << second.error;
  ARROWCDC_ASSERT_OK(setup->Signal(SIGINT));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, setup->Wait(seconds(10)));
  EXPECT_EQ(ended.code, 130) << setup->error();
  ARROWCDC_EXPECT_OK(WaitFor([&] { return slots() == "0"; }, seconds(10), "the slot to be gone"));
  ARROWCDC_ASSERT_OK(holder->Exec("COMMIT"));
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "setup", {"--tables", "public.*"}));
}

TEST_F(ContractTest, AnIdleSlotAdvancesWhileOtherTablesAndDatabasesWrite) {
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "setup", {"--tables", "public.users"}));
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE DATABASE elsewhere"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto client, Subprocess::Start(Stream(Parquet("d"), {"--accept-tables"})));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto other, server_->Connect("elsewhere"));
  ARROWCDC_ASSERT_OK(other->Exec("CREATE TABLE noise (t text)"));
  for (int time = 0; time < 3; ++time) {
    ARROWCDC_ASSERT_OK(
        other->Exec("INSERT INTO noise SELECT repeat('x', 1000) FROM generate_series(1, 2000)"));
    ARROWCDC_ASSERT_OK(sql_->Exec(
        "INSERT INTO \"Odd.Name\" SELECT g FROM generate_series(1, 100) g ON CONFLICT DO NOTHING"));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const std::string text, sql_->Scalar("SELECT pg_current_wal_flush_lsn()"));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const uint64_t end, ParseLsn(text));
    ARROWCDC_ASSERT_OK(WaitFor([&] { return Confirmed() >= end; }, seconds(30),
                               "the idle slot to advance\n" + client->error()));
  }
  ARROWCDC_ASSERT_OK(client->Signal(SIGINT));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, client->Wait(seconds(10)));
  EXPECT_TRUE(ended.ok()) << client->error();
}

TEST_F(ContractTest, FastShutdownIsNotHeldUp) {
  ARROWCDC_ASSERT_OK(CreateWorkloadTables(*sql_));
  ASSERT_NO_FATAL_FAILURE(RunSetup());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto client, Subprocess::Start(Stream(Parquet("d"), {"--roll-age", "1h"})));
  for (const bool load : {false, true}) {
    ARROWCDC_ASSERT_OK(WaitFor(
        [&] {
          const auto active = sql_->Scalar("SELECT active FROM pg_replication_slots");
          return active.ok() && *active == "t";
        },
        seconds(30), "the client to connect"));
    std::unique_ptr<Workload> workload;
    if (load) {
      workload = std::make_unique<Workload>(*server_, Seed(), 2);
      ARROWCDC_ASSERT_OK(WaitFor([&] { return workload->transactions() > 200; }, seconds(60), "some load"));
    }
    const auto begin = Clock::now();
    ARROWCDC_ASSERT_OK(server_->Stop(StopMode::kFast));
    const double took = std::chrono::duration<double>(Clock::now() - begin).count();
    std::printf("fast shutdown %s: %.2f s\n", load ? "under load" : "idle", took);
    EXPECT_LT(took, 2.0);
    workload.reset();
    ARROWCDC_ASSERT_OK(server_->Start());
    ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect());
  }
}

TEST_F(ContractTest, ASlowReaderSlowsTheServerAndNothingElse) {
  ASSERT_NO_FATAL_FAILURE(RunSetup());
  ARROWCDC_ASSERT_OK(server_->Set("wal_sender_timeout", "3s"));
  ARROWCDC_ASSERT_OK(server_->Reload());
  SubprocessOptions options = Stream("ipc:-", {"--buffer", "1MiB", "--until", "now"});
  options.output_pipe = true;  // nobody reads it for now
  ARROWCDC_ASSERT_OK(
      sql_->Exec("INSERT INTO users SELECT g, repeat(md5(g::text), 20) FROM generate_series(1, 200000) g"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto client, Subprocess::Start(options));
  const auto resident = [&] {
    std::ifstream status("/proc/" + std::to_string(client->pid()) + "/status");
    for (std::string line; std::getline(status, line);) {
      if (line.rfind("VmRSS:", 0) == 0) return std::stoll(line.substr(6));
    }
    return 0LL;
  };
  // The connection lives through more than one wal_sender_timeout although the pipe is full all the while.
  const auto begin = Clock::now();
  long long most_kib = 0;
  ARROWCDC_ASSERT_OK(WaitFor(
      [&] {
        most_kib = std::max(most_kib, resident());
        return Clock::now() - begin > seconds(8);
      },
      seconds(20), "two timeouts to pass"));
  EXPECT_EQ(client->error().find("connecting again"), std::string::npos) << client->error();
  std::printf("resident at most %lld KiB\n", most_kib);
  EXPECT_LT(most_kib,
            600 * 1024);  // sanitizers take their share; the data alone is more than 128 MiB twice over
  // Now somebody reads: everything comes.
  uint64_t bytes = 0;
  std::string chunk(1 << 16, '\0');
  for (ssize_t n; (n = read(client->output_fd(), chunk.data(), chunk.size())) > 0;)
    bytes += static_cast<uint64_t>(n);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, client->Wait(seconds(30)));
  EXPECT_TRUE(ended.ok()) << client->error();
  EXPECT_GT(bytes, 200'000u * 640);
}

TEST_F(ContractTest, NoSecretInLogsOrProcessTitle) {
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE ROLE cdc LOGIN REPLICATION PASSWORD 'open-sesame'"));
  ASSERT_NO_FATAL_FAILURE(RunSetup());
  SubprocessOptions options = Stream("console:ndjson", {});
  options.argv[4] += " user=cdc password=open-sesame";
  options.argv.insert(options.argv.begin() + 1, "--verbose");
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto client, Subprocess::Start(options));
  ARROWCDC_ASSERT_OK(client->WaitForError("streaming changes", seconds(30)));
  std::ifstream title("/proc/" + std::to_string(client->pid()) + "/cmdline");
  const std::string words((std::istreambuf_iterator<char>(title)), std::istreambuf_iterator<char>());
  EXPECT_EQ(words.find("open-sesame"), std::string::npos) << words;
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (1, 'a secret of ann')"));
  ARROWCDC_ASSERT_OK(server_->Restart());
  ARROWCDC_ASSERT_OK(client->WaitForError("connected again", seconds(30)));
  ARROWCDC_ASSERT_OK(client->Signal(SIGINT));
  ARROWCDC_ASSERT_OK(client->Wait(seconds(30)));
  EXPECT_EQ(client->error().find("open-sesame"), std::string::npos) << client->error();
  EXPECT_EQ(client->error().find("secret of ann"), std::string::npos) << client->error();
}

TEST_F(ContractTest, StockPgRecvlogicalReadsTheSlot) {
  ASSERT_NO_FATAL_FAILURE(RunSetup());
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users SELECT g, 'n' FROM generate_series(1, 1000) g"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const std::string end, sql_->Scalar("SELECT pg_current_wal_flush_lsn()"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto program, ServerProgram("pg_recvlogical"));
  SubprocessOptions options;
  options.argv = {program, "-d", server_->conninfo(),          "--slot",   "arrowcdc", "--start", "-f",
                  "-",     "-o", "publication_names=arrowcdc", "--endpos", end};
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const std::string output, RunProgram(options));
  EXPECT_EQ(output.substr(0, 2), "WA");
  EXPECT_GT(output.size(), 8000u);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const uint64_t end_lsn, ParseLsn(end));
  EXPECT_GE(Confirmed(), end_lsn);
}

TEST_F(ContractTest, TeardownWithoutATerminalWantsYes) {
  ASSERT_NO_FATAL_FAILURE(RunSetup());
  const Outcome refused = Run(Command(*server_, "teardown", {}));
  EXPECT_EQ(refused.code, 2) << refused.error;
  EXPECT_NE(refused.error.find("--yes"), std::string::npos) << refused.error;
  EXPECT_EQ(sql_->Scalar("SELECT count(*) FROM pg_replication_slots").ValueOr("?"), "1");
  EXPECT_EQ(sql_->Scalar("SELECT count(*) FROM pg_publication").ValueOr("?"), "1");
}

TEST_F(ContractTest, AnAdministratorRunsThePrintedSqlOfARoleThatOwnsNothing) {
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE ROLE cdc LOGIN REPLICATION"));
  const std::string as_role = server_->conninfo() + " user=cdc";
  const auto command = [&](const std::string& subcommand, std::vector<std::string> more) {
    SubprocessOptions options;
    options.argv = {CommandPath(), "--log=json", subcommand, "--source", as_role};
    options.argv.insert(options.argv.end(), more.begin(), more.end());
    return options;
  };
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto psql, ServerProgram("psql"));
  const auto run_as_administrator = [&](const std::string& printed) {
    SubprocessOptions options;
    options.argv = {psql, "-X", "-v", "ON_ERROR_STOP=1", server_->conninfo()};
    options.input = printed;
    const Outcome ran = Run(std::move(options));
    EXPECT_EQ(ran.code, 0) << ran.error << printed;
  };
  EXPECT_EQ(Run(command("setup", {})).code, 4);
  EXPECT_EQ(sql_->Scalar("SELECT count(*) FROM pg_publication").ValueOr("?"), "0");
  run_as_administrator(Run(command("setup", {"--print-sql"})).output);
  EXPECT_NE(Run(command("setup", {})).output.find("Nothing to do"), std::string::npos);
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (1, 'ann')"));
  // A look, which acknowledges nothing, and then the first sink.
  EXPECT_EQ(Run(command("stream", {"--sink", "console:ndjson", "--until", "now"})).code, 0);
  const Outcome streamed = Run(command("stream", {"--sink", Parquet("d"), "--until", "now"}));
  EXPECT_EQ(streamed.code, 0) << streamed.error;
  const Outcome refused = Run(command("teardown", {"--yes"}));
  EXPECT_EQ(refused.code, 4) << refused.error;
  EXPECT_NE(refused.error.find("teardown --print-sql"), std::string::npos) << refused.error;
  EXPECT_EQ(sql_->Scalar("SELECT count(*) FROM pg_replication_slots").ValueOr("?"), "1");
  run_as_administrator(Run(command("teardown", {"--print-sql"})).output);
  EXPECT_EQ(sql_->Scalar("SELECT count(*) FROM pg_replication_slots").ValueOr("?"), "0");
}

TEST_F(ContractTest, SecondStreamOnASlotWaitsAWhileAndThenSaysSo) {
  ASSERT_NO_FATAL_FAILURE(RunSetup());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto first, Subprocess::Start(Stream("console:ndjson", {})));
  ARROWCDC_ASSERT_OK(first->WaitForError("streaming changes", seconds(30)));
  const auto begun = Clock::now();
  const Outcome second = Run(Stream("console:ndjson", {}));
  EXPECT_EQ(second.code, 75) << second.error;
  EXPECT_NE(second.error.find("slot_active"), std::string::npos) << second.error;
  EXPECT_GE(Clock::now() - begun, seconds(9));
  // Met again and again, said once and counted; then it is why the stream ends.
  const auto count = [](const std::string& text, const std::string& part) {
    int found = 0;
    for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
    return found;
  };
  EXPECT_EQ(count(second.error, "connecting again"), 1) << second.error;
  EXPECT_EQ(count(second.error, "slot_active"), 2) << second.error;
  EXPECT_EQ(count(second.error, "times_more"), 1) << second.error;
  EXPECT_EQ(count(second.error, "\"event\":\"slot_in_use\""), 2) << second.error;
  EXPECT_EQ(second.error.find("connection_lost"), std::string::npos) << second.error;
  const Outcome hasty = Run(Stream("console:ndjson", {"--retry-for", "300ms"}));
  EXPECT_EQ(hasty.code, 75) << hasty.error;
  // It begins as soon as the other one lets go.
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto third, Subprocess::Start(Stream("console:ndjson", {"--until", "now"})));
  ARROWCDC_ASSERT_OK(third->WaitForError("connecting again", seconds(30)));
  ARROWCDC_ASSERT_OK(first->Signal(SIGTERM));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, third->Wait(seconds(60)));
  EXPECT_TRUE(ended.ok()) << third->error();
  EXPECT_EQ(count(third->error(), "slot_active"), 1) << third->error();
  ARROWCDC_ASSERT_OK(first->Wait(seconds(60)));
}

TEST_F(ContractTest, NeverConnectedIsNotSuccess) {
  const auto nowhere = [&](std::vector<std::string> more) {
    SubprocessOptions options;
    options.argv = {CommandPath(),
                    "--log=json",
                    "stream",
                    "--source",
                    "host=" + files_.path().string() + " dbname=postgres",
                    "--sink",
                    "console"};
    options.argv.insert(options.argv.end(), more.begin(), more.end());
    return options;
  };
  const Outcome gave_up = Run(nowhere({"--retry-for", "300ms"}));
  EXPECT_EQ(gave_up.code, 3) << gave_up.error;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto stopped, Subprocess::Start(nowhere({})));
  ARROWCDC_ASSERT_OK(stopped->WaitForError("connecting again", seconds(30)));
  ARROWCDC_ASSERT_OK(stopped->Signal(SIGTERM));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, stopped->Wait(seconds(60)));
  EXPECT_EQ(ended.signal, 0);
  EXPECT_EQ(ended.code, 3) << stopped->error();
}

TEST_F(ContractTest, MistakesAreNamed) {
  const auto says = [&](std::vector<std::string> arguments, const std::string& text) {
    SubprocessOptions options;
    options.argv = {CommandPath()};
    options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
    const Outcome outcome = Run(std::move(options));
    EXPECT_EQ(outcome.code, 2) << outcome.error;
    EXPECT_NE(outcome.error.find(text), std::string::npos) << outcome.error;
  };
  says({"foo"}, "argument 1 is no subcommand");
  says({"sql", "changes"}, "TABLE is required");
  says({"stream", "--tables", "--sink", "console"}, "--tables: a value is missing");
  says({"status", "--source", "hots=db dbname=shop"}, "hots");
  says({"stream", "--sink", "console", "--until", "tomorrow"}, "'now'");
  says({"stream", "--sink", "console", "--roll-age", "soon"}, "--roll-age");
  says({"stream", "--sink", "console", "--buffer", "much"}, "--buffer");
  const Outcome missing = Run(Command(*server_, "tables", {"--publication", "nopub"}));
  EXPECT_EQ(missing.code, 5) << missing.error;
  EXPECT_NE(missing.error.find("nopub"), std::string::npos) << missing.error;
}

TEST_F(ContractTest, TablesNamesPatternsThatMatchNothing) {
  const Outcome outcome = Run(Command(*server_, "tables", {"--tables", "public.users", "public.usres"}));
  EXPECT_EQ(outcome.code, 0) << outcome.error;
  EXPECT_NE(outcome.output.find("pattern public.usres matches no table"), std::string::npos)
      << outcome.output;
  EXPECT_EQ(outcome.output.find("pattern public.users "), std::string::npos) << outcome.output;
}

// Its input is no terminal here: nobody can be asked, and nothing is lost by what setup makes.
TEST_F(ContractTest, SetupWithoutATerminalSaysThatItGoesOn) {
  const Outcome outcome = Run(Command(*server_, "setup", {"--tables", "public.*"}));
  EXPECT_EQ(outcome.code, 0) << outcome.error;
  EXPECT_NE(outcome.output.find("no terminal to ask on"), std::string::npos) << outcome.output;
  EXPECT_EQ(Run(Command(*server_, "setup", {"--tables", "public.*", "--yes"})).output.find("terminal"),
            std::string::npos);
  EXPECT_EQ(sql_->Scalar("SELECT count(*) FROM pg_replication_slots").ValueOr("?"), "1");
}

// What was asked for holds: it is no error, in scripts neither.
TEST_F(ContractTest, TeardownOfASlotThatIsNotThereSaysSo) {
  const Outcome outcome = Run(Command(*server_, "teardown", {"--slot", "shop", "--yes"}));
  EXPECT_EQ(outcome.code, 0) << outcome.error;
  EXPECT_NE(outcome.output.find("there is no slot \"shop\""), std::string::npos) << outcome.output;
}

TEST_F(ContractTest, TeardownLeavesNothing) {
  ASSERT_NO_FATAL_FAILURE(RunSetup());
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "teardown", {"--yes"}));
  EXPECT_EQ(sql_->Scalar("SELECT count(*) FROM pg_replication_slots").ValueOr("?"), "0");
  EXPECT_EQ(sql_->Scalar("SELECT count(*) FROM pg_publication").ValueOr("?"), "0");
  EXPECT_TRUE(RunCommand(*server_, "teardown", {"--yes"}).ok());
}

}  // namespace
}  // namespace arrowcdc::test
