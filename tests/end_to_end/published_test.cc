// Tables that were asked for and are not published, or come under another name: what the command refuses,
// when it ends, what it says, and that no row is acknowledged that somebody wanted.
#include <algorithm>
#include <csignal>

#include <gtest/gtest.h>

#include "arrowcdc/position.h"
#include "tests/end_to_end/client.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/wait.h"

namespace arrowcdc::test {
namespace {

using std::chrono::seconds;
using Strings = std::vector<std::string>;

class PublishedTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(server_, PrivateServer::Create());
    ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect());
    Sql("CREATE TABLE users (id int PRIMARY KEY); CREATE TABLE aside (id int PRIMARY KEY);"
        "CREATE TABLE orders (id int PRIMARY KEY) PARTITION BY RANGE (id);"
        "CREATE TABLE orders_1 PARTITION OF orders FOR VALUES FROM (0) TO (100);"
        "CREATE TABLE orders_2 PARTITION OF orders FOR VALUES FROM (100) TO (200)");
  }

  void Sql(const std::string& sql) { ARROWCDC_ASSERT_OK(sql_->Exec(sql)); }

  // Without setup: its publication would be right.
  void Publish(const std::string& what) {
    Sql("CREATE PUBLICATION arrowcdc " + what);
    Sql("SELECT pg_create_logical_replication_slot('arrowcdc', 'wal2arrow')");
  }

  void Forget() {
    ARROWCDC_ASSERT_OK(
        WaitFor([&] { return sql_->Scalar("SELECT active FROM pg_replication_slots").ValueOr("") != "t"; },
                seconds(30), "the slot to be free"));
    Sql("SELECT pg_drop_replication_slot('arrowcdc'); DROP PUBLICATION arrowcdc");
  }

  SubprocessOptions Stream(const Strings& tables, const std::string& sink, const Strings& more = {}) {
    Strings arguments = {"--sink", sink, "--snapshot", "never"};
    if (!tables.empty()) arguments.push_back("--tables");
    arguments.insert(arguments.end(), tables.begin(), tables.end());
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Command(*server_, "stream", std::move(arguments));
  }

  struct Outcome {
    int code = -1;
    std::string output;
    std::string error;
    bool Says(const std::string& text) const { return error.find(text) != std::string::npos; }
  };
  Outcome End(Subprocess& child) {
    Outcome outcome;
    const auto ended = child.Wait(seconds(60));
    EXPECT_TRUE(ended.ok()) << ended.status() << child.error();
    if (ended.ok()) outcome.code = ended->signal == 0 ? ended->code : 128 + ended->signal;
    outcome.output = child.output();
    outcome.error = child.error();
    return outcome;
  }
  Outcome Run(SubprocessOptions options) {
    auto child = Subprocess::Start(std::move(options));
    EXPECT_TRUE(child.ok()) << child.status();
    return child.ok() ? End(**child) : Outcome();
  }
  Outcome Drain(const Strings& tables, const std::string& directory, const Strings& more = {}) {
    Strings arguments = {"--until", "now"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run(Stream(tables, Parquet(directory), arguments));
  }

  std::string Parquet(const std::string& name) const { return "parquet:" + (files_.path() / name).string(); }

  // Files in the directory of a table of a sink.
  int FilesOf(const std::string& sink, const std::string& table) const {
    int count = 0;
    std::error_code error;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(files_.path() / sink, error)) {
      const std::string path = entry.path().string();
      if (entry.is_regular_file() && entry.path().extension() == ".parquet" &&
          path.find("/public." + table + "/") != std::string::npos)
        ++count;
    }
    return count;
  }

  uint64_t Confirmed() {
    const auto confirmed = ConfirmedFlush(*sql_);
    EXPECT_TRUE(confirmed.ok()) << confirmed.status();
    return confirmed.ok() ? *confirmed : 0;
  }
  uint64_t WalEnd() {
    return ParseLsn(sql_->Scalar("SELECT pg_current_wal_flush_lsn()").ValueOr("")).ValueOr(0);
  }

  std::unique_ptr<Subprocess> StartStream(SubprocessOptions options) {
    auto child = Subprocess::Start(std::move(options));
    EXPECT_TRUE(child.ok()) << child.status();
    ARROWCDC_EXPECT_OK((*child)->WaitForError("streaming changes", seconds(30)));
    return std::move(*child);
  }

  TemporaryDirectory files_;
  std::unique_ptr<PrivateServer> server_;
  std::unique_ptr<SqlConnection> sql_;
};

// PostgreSQL's default publishes partitions under their own names.
TEST_F(PublishedTest, ARootWhoseLeavesComeUnderTheirOwnNamesIsRefused) {
  for (const std::string what :
       {"FOR TABLE orders, users", "FOR ALL TABLES", "FOR TABLES IN SCHEMA public",
        "FOR TABLE orders_1, orders_2, users WITH (publish_via_partition_root = true)"}) {
    SCOPED_TRACE(what);
    Sql("TRUNCATE orders");
    Publish(what);
    Sql("INSERT INTO orders VALUES (1), (101)");
    const uint64_t before = Confirmed();
    for (const Strings& patterns : {Strings{"public.orders"}, Strings{"public.orders", "public.users"},
                                    Strings{"public.orders", "public.orders_1"}}) {
      const Outcome refused = Drain(patterns, "refused");
      EXPECT_EQ(refused.code, 5) << refused.error;
      EXPECT_TRUE(refused.Says("publication_mismatch")) << refused.error;
      EXPECT_TRUE(refused.Says("public.orders_2")) << refused.error;
      EXPECT_EQ(Confirmed(), before);
      const Outcome console = Run(Stream(patterns, "console:ndjson", {"--until", "now", "--ack=on-write"}));
      EXPECT_EQ(console.code, 5) << console.error;
      EXPECT_EQ(console.output, "");
      EXPECT_EQ(Confirmed(), before);
    }
    const Outcome tables = Run(Command(*server_, "tables", {"--tables", "public.orders"}));
    EXPECT_EQ(tables.code, 0) << tables.error;
    EXPECT_NE(tables.output.find("public.orders    yes      no "), std::string::npos) << tables.output;
    // The remedy.
    const Outcome both =
        Run(Stream({"public.orders", "public.orders_*"}, "console:ndjson", {"--until", "now"}));
    EXPECT_EQ(both.code, 0) << both.error;
    EXPECT_EQ(std::count(both.output.begin(), both.output.end(), '\n'), 2) << both.output;
    Forget();
  }
}

TEST_F(PublishedTest, ALeafWhoseRowsComeAsTheRootsIsRefused) {
  Publish("FOR TABLE orders, users WITH (publish_via_partition_root = true)");
  Sql("INSERT INTO orders VALUES (1), (101)");
  const uint64_t before = Confirmed();
  const Outcome refused = Drain({"public.orders_1"}, "d");
  EXPECT_EQ(refused.code, 5) << refused.error;
  EXPECT_TRUE(refused.Says("publication_mismatch")) << refused.error;
  EXPECT_TRUE(refused.Says("add public.orders to the patterns")) << refused.error;
  EXPECT_EQ(Confirmed(), before);
  // A name that somebody excludes is passed over as he says.
  EXPECT_EQ(Drain({"public.*", "!public.orders"}, "e").code, 0);
}

// The option turned off while it streams, and while nobody does.
TEST_F(PublishedTest, APartitionThatComesUnderAnotherNameEndsTheStreamBeforeItsFirstRow) {
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "setup", {"--tables", "public.orders", "public.users"}));
  auto stream = StartStream(Stream({"public.orders", "public.users"}, Parquet("d"), {"--roll-age", "100ms"}));
  Sql("INSERT INTO orders VALUES (1), (101)");
  ARROWCDC_ASSERT_OK(WaitFor([&] { return FilesOf("d", "orders") > 0; }, seconds(30), "the first rows"));
  Sql("ALTER PUBLICATION arrowcdc SET (publish_via_partition_root = false)");
  const uint64_t before = WalEnd();
  Sql("INSERT INTO orders VALUES (2)");
  const uint64_t behind = WalEnd();
  const Outcome ended = End(*stream);
  EXPECT_EQ(ended.code, 5) << ended.error;
  EXPECT_TRUE(ended.Says("publication_mismatch") && ended.Says("public.orders_1")) << ended.error;
  EXPECT_LT(Confirmed(), behind);
  // Refused at the start, and, once the option is right again, before the row that it was not for.
  EXPECT_EQ(Drain({"public.orders"}, "d").code, 5);
  Sql("ALTER PUBLICATION arrowcdc SET (publish_via_partition_root = true)");
  const Outcome again = Drain({"public.orders"}, "d");
  EXPECT_EQ(again.code, 5) << again.error;
  EXPECT_TRUE(again.Says("public.orders_1")) << again.error;
  EXPECT_LT(Confirmed(), behind);
  EXPECT_EQ(FilesOf("d", "orders_1"), 0);
  const Outcome whole = Drain({"public.orders", "public.orders_1"}, "d");
  EXPECT_EQ(whole.code, 0) << whole.error;
  EXPECT_GE(Confirmed(), behind);
  EXPECT_EQ(FilesOf("d", "orders_1"), 1);
  EXPECT_LT(before, behind);
}

TEST_F(PublishedTest, APartitionMadeOrAttachedLaterEndsTheStream) {
  for (const bool attached : {false, true}) {
    Publish("FOR ALL TABLES");
    Sql("DROP TABLE IF EXISTS later; CREATE TABLE later (id int PRIMARY KEY)");
    // No partition that could be named now: only a row tells.
    Sql("DROP TABLE orders; CREATE TABLE orders (id int PRIMARY KEY) PARTITION BY RANGE (id)");
    auto stream = StartStream(
        Stream({"public.orders", "public.users"}, Parquet(attached ? "a" : "m"), {"--roll-age", "100ms"}));
    Sql("INSERT INTO users VALUES (" + std::to_string(attached) + "); INSERT INTO later VALUES (1000)");
    ARROWCDC_ASSERT_OK(
        WaitFor([&] { return FilesOf(attached ? "a" : "m", "users") > 0; }, seconds(30), "rows"));
    if (attached) {
      Sql("DELETE FROM later; ALTER TABLE orders ATTACH PARTITION later FOR VALUES FROM (500) TO (600)");
    } else {
      Sql("CREATE TABLE orders_5 PARTITION OF orders FOR VALUES FROM (500) TO (600)");
    }
    Sql("INSERT INTO orders VALUES (500)");
    const uint64_t behind = WalEnd();
    const Outcome ended = End(*stream);
    EXPECT_EQ(ended.code, 5) << ended.error;
    EXPECT_TRUE(ended.Says(attached ? "public.later" : "public.orders_5")) << ended.error;
    EXPECT_LT(Confirmed(), behind);
    Forget();
  }
}

// A first start when everything that was published has been dropped and made again.
TEST_F(PublishedTest, AnEmptyPublicationEndsAFirstStartWithWhatTheSlotHolds) {
  for (const Strings& patterns : {Strings{}, Strings{"public.users"}}) {
    const std::string sink = patterns.empty() ? "every" : "some";
    ARROWCDC_ASSERT_OK(RunCommand(*server_, "setup", {"--tables", "public.users"}));
    Sql("INSERT INTO users VALUES (1)");
    Sql("DROP TABLE users; CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users VALUES (2)");
    const uint64_t end = WalEnd();
    // A sink that keeps nothing does not move the slot.
    const uint64_t before = Confirmed();
    const Outcome looked = Run(Stream(patterns, "console:ndjson"));
    EXPECT_EQ(looked.code, 5) << looked.error;
    EXPECT_EQ(std::count(looked.output.begin(), looked.output.end(), '\n'), 1) << looked.output;
    EXPECT_EQ(Confirmed(), before);
    EXPECT_EQ(Run(Stream(patterns, "console:ndjson", {"--until", "now"})).code, 5);
    const Outcome ended = Run(Stream(patterns, Parquet(sink)));
    EXPECT_FALSE(ended.Says("connecting again")) << ended.error;
    EXPECT_EQ(ended.code, 5) << ended.error;
    EXPECT_TRUE(ended.Says("publication_missing") && ended.Says("not public.")) << ended.error;
    EXPECT_EQ(FilesOf(sink, "users"), 1);
    EXPECT_GE(Confirmed(), end);
    // From then on it is said, and goes on.
    const Outcome resumed = Drain(patterns, sink);
    EXPECT_EQ(resumed.code, 0) << resumed.error;
    EXPECT_TRUE(resumed.Says("\"error\"") && resumed.Says("no table is published any more")) << resumed.error;
    EXPECT_TRUE(resumed.Says("\"tables_not_published\":1")) << resumed.error;
    EXPECT_EQ(Drain(patterns, sink, {"--on-unpublished=stop"}).code, 5);
    Forget();
  }
}

TEST_F(PublishedTest, OnlyPublicationsThatListTablesEndAStart) {
  for (const std::string what : {"FOR ALL TABLES", "FOR TABLES IN SCHEMA elsewhere"}) {
    Sql("CREATE SCHEMA IF NOT EXISTS elsewhere");
    if (what == "FOR ALL TABLES") Sql("DROP TABLE users, aside, orders");
    Publish(what);
    const Outcome went_on = Drain({}, what, {"--on-unpublished=stop"});
    EXPECT_EQ(went_on.code, 0) << went_on.error;
    Forget();
  }
}

TEST_F(PublishedTest, ARunningStreamSaysWhatIsNotPublishedAnyMoreAndGoesOn) {
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "setup", {"--tables", "public.*", "!public.orders*"}));
  Sql("INSERT INTO users VALUES (1); INSERT INTO aside VALUES (1)");
  ASSERT_EQ(Drain({"public.*", "!public.orders*"}, "d").code, 0);
  auto stream = StartStream(
      Stream({"public.*", "!public.orders*"}, Parquet("d"), {"--roll-age", "100ms", "--progress", "1s"}));
  const auto told = [&](const std::string& table, const std::string& text) {
    return WaitFor(
        [&] {
          for (const std::string& line : stream->ErrorLines()) {
            if (line.find("\"error\"") != std::string::npos && line.find(text) != std::string::npos &&
                line.find("\"table " + table + "\"") != std::string::npos)
              return true;
          }
          return false;
        },
        seconds(30), table + ": " + text + " in " + stream->error());
  };
  // Dropped from the publication; made later; swapped by renaming.
  Sql("ALTER PUBLICATION arrowcdc DROP TABLE aside; INSERT INTO aside VALUES (2)");
  ARROWCDC_ASSERT_OK(told("public.aside", "not published any more"));
  Sql("CREATE TABLE later (id int PRIMARY KEY); INSERT INTO later VALUES (1)");
  ARROWCDC_ASSERT_OK(told("public.later", "matches and is not published"));
  Sql("CREATE TABLE users_new (id int PRIMARY KEY); INSERT INTO users_new VALUES (7); BEGIN; ALTER TABLE "
      "users "
      "RENAME TO orders_old; ALTER TABLE users_new RENAME TO users; COMMIT; INSERT INTO users VALUES (8); "
      "INSERT "
      "INTO orders_old VALUES (9)");
  ARROWCDC_ASSERT_OK(told("public.users_new", "matches and is not published"));
  ARROWCDC_ASSERT_OK(told("public.users", "not published any more"));
  ARROWCDC_ASSERT_OK(stream->WaitForError("\"tables_not_published\":4", seconds(30)));
  EXPECT_TRUE(stream->Running());
  // Rows of all of them are acknowledged: nothing can bring them back.
  ARROWCDC_ASSERT_OK(stream->Signal(SIGTERM));
  const Outcome stopped = End(*stream);
  EXPECT_EQ(stopped.code, 0) << stopped.error;
  EXPECT_TRUE(stopped.Says("public.orders_old 1")) << stopped.error;
}

// Known by its OID: by this process, and by what the sink keeps.
TEST_F(PublishedTest, ATableThatLeavesThePublishedSchemaIsSaid) {
  Publish("FOR TABLES IN SCHEMA public");
  Sql("CREATE SCHEMA attic; INSERT INTO users VALUES (1)");
  ASSERT_EQ(Drain({}, "d").code, 0);
  Sql("ALTER TABLE users SET SCHEMA attic; INSERT INTO attic.users VALUES (2); INSERT INTO aside VALUES (1); "
      "ALTER TABLE aside SET SCHEMA attic; INSERT INTO attic.aside VALUES (2)");
  const Outcome went_on = Drain({}, "d");
  EXPECT_EQ(went_on.code, 0) << went_on.error;
  EXPECT_TRUE(went_on.Says("\"table attic.users\"")) << went_on.error;
  EXPECT_TRUE(went_on.Says("\"table attic.aside\"")) << went_on.error;
  EXPECT_TRUE(went_on.Says("\"tables_not_published\":2")) << went_on.error;
}

// Published at last, and lost again while the connection was away.
TEST_F(PublishedTest, WhatChangedWhileTheConnectionWasAwayIsSaidAtTheReconnect) {
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "setup", {"--tables", "public.users"}));
  auto stream = StartStream(Stream({"public.users"}, Parquet("d"), {"--roll-age", "100ms"}));
  Sql("INSERT INTO users VALUES (1)");
  ARROWCDC_ASSERT_OK(WaitFor([&] { return FilesOf("d", "users") > 0; }, seconds(30), "the first row"));
  Sql("ALTER PUBLICATION arrowcdc DROP TABLE users; SELECT pg_terminate_backend(active_pid) FROM "
      "pg_replication_slots");
  ARROWCDC_ASSERT_OK(stream->WaitForError("connected again", seconds(60)));
  ARROWCDC_ASSERT_OK(stream->WaitForError("no table is published any more", seconds(30)));
  Sql("ALTER PUBLICATION arrowcdc ADD TABLE users; INSERT INTO users VALUES (2)");
  ARROWCDC_ASSERT_OK(WaitFor([&] { return FilesOf("d", "users") > 1; }, seconds(30), "the second row"));
  ARROWCDC_ASSERT_OK(stream->Signal(SIGTERM));
  EXPECT_EQ(End(*stream).code, 0);
}

TEST_F(PublishedTest, ARunningStreamStopsWhereThatIsWanted) {
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "setup", {"--tables", "public.users", "public.aside"}));
  auto stream = StartStream(Stream({"public.users", "public.aside"}, Parquet("d"),
                                   {"--roll-age", "100ms", "--on-unpublished=stop"}));
  Sql("INSERT INTO aside VALUES (1); ALTER PUBLICATION arrowcdc DROP TABLE aside; INSERT INTO users VALUES "
      "(1)");
  Sql("INSERT INTO aside VALUES (2)");
  const Outcome ended = End(*stream);
  EXPECT_EQ(ended.code, 5) << ended.error;
  EXPECT_TRUE(ended.Says("publication_missing")) << ended.error;
  EXPECT_FALSE(ended.Says("connecting again")) << ended.error;
  EXPECT_EQ(FilesOf("d", "users"), 1);
  EXPECT_EQ(FilesOf("d", "aside"), 1);
  // Also where --until lies behind what was delivered, and with rows on the way there.
  Sql("INSERT INTO users VALUES (2)");
  EXPECT_EQ(
      Drain({"public.users", "public.aside"}, "d", {"--roll-age", "100ms", "--on-unpublished=stop"}).code, 5);
}

// Of the two publications that setup makes by default, both must be there when they were there once.
TEST_F(PublishedTest, OneOfTwoPublicationsThatIsGoneIsMissing) {
  Sql("CREATE TABLE keyless (id int)");
  const Strings patterns = {"public.users", "public.keyless"};
  for (const std::string gone : {"arrowcdc_insert_only", "arrowcdc"}) {
    const std::string left = gone == "arrowcdc" ? "arrowcdc_insert_only" : "arrowcdc";
    const auto set_up = [&] {
      ARROWCDC_ASSERT_OK(
          RunCommand(*server_, "setup", {"--insert-only", "--tables", "public.users", "public.keyless"}));
      Sql("INSERT INTO users VALUES (1); INSERT INTO keyless VALUES (1); DELETE FROM users");
    };
    // At a first start, and at one that goes on.
    for (const bool resumed : {false, true}) {
      set_up();
      const std::string sink = gone + (resumed ? "_resumed" : "");
      if (resumed) {
        ASSERT_EQ(Drain(patterns, sink).code, 0);
      }
      Sql("DROP PUBLICATION " + gone);
      const uint64_t before = Confirmed();
      const Outcome missing = Drain(patterns, sink);
      EXPECT_EQ(missing.code, 5) << missing.error;
      EXPECT_TRUE(missing.Says("publication_missing") && missing.Says("--publication " + left))
          << missing.error;
      EXPECT_EQ(Confirmed(), before);
      // Setup once more does not make it good.
      (void)RunCommand(*server_, "setup", {"--insert-only", "--tables", "public.users"});
      EXPECT_EQ(Drain(patterns, sink).code, 5);
      const Outcome without = Drain(patterns, sink, {"--accept-tables", "--publication", left});
      EXPECT_EQ(without.code, 0) << without.error;
      EXPECT_GT(Confirmed(), before);
      Sql("SELECT pg_drop_replication_slot('arrowcdc'); DROP PUBLICATION IF EXISTS arrowcdc, "
          "arrowcdc_insert_only");
    }
    // While the connection was away.
    set_up();
    auto stream = StartStream(Stream(patterns, Parquet(gone + "_running"), {"--roll-age", "100ms"}));
    ARROWCDC_ASSERT_OK(
        WaitFor([&] { return FilesOf(gone + "_running", "keyless") > 0; }, seconds(30), "rows"));
    Sql("DROP PUBLICATION " + gone + "; SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots");
    const Outcome ended = End(*stream);
    EXPECT_EQ(ended.code, 5) << ended.error;
    Sql("SELECT pg_drop_replication_slot('arrowcdc'); DROP PUBLICATION IF EXISTS arrowcdc, "
        "arrowcdc_insert_only");
  }
  // One that was never there is not missed.
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "setup", {"--tables", "public.users"}));
  EXPECT_EQ(Drain({"public.users"}, "alone").code, 0);
}

// A misspelt pattern acknowledges nothing, however the first connection came about.
TEST_F(PublishedTest, TheCheckIsMadeAlsoAfterAServerThatWasAway) {
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "setup", {"--tables", "public.users"}));
  Sql("INSERT INTO users VALUES (1)");
  const uint64_t before = Confirmed();
  ARROWCDC_ASSERT_OK(server_->Stop(StopMode::kFast));
  for (const bool with_ack : {false, true}) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(
        auto stream,
        Subprocess::Start(with_ack ? Stream({"public.usres"}, "console:ndjson", {"--ack=on-write"})
                                   : Stream({"public.usres"}, Parquet("d"))));
    ARROWCDC_ASSERT_OK(stream->WaitForError("connecting again", seconds(30)));
    ARROWCDC_ASSERT_OK(server_->Start());
    ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect());
    const Outcome refused = End(*stream);
    EXPECT_EQ(refused.code, 5) << refused.error;
    EXPECT_TRUE(refused.Says("no published table matches")) << refused.error;
    EXPECT_EQ(Confirmed(), before);
    ARROWCDC_ASSERT_OK(server_->Stop(StopMode::kFast));
  }
  ARROWCDC_ASSERT_OK(server_->Start());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect());
  EXPECT_EQ(Drain({"public.users"}, "d").code, 0);
  EXPECT_EQ(FilesOf("d", "users"), 1);
  // A restart with a pattern that never brought anything.
  const uint64_t resumed = Confirmed();
  Sql("INSERT INTO users VALUES (2)");
  EXPECT_EQ(Drain({"public.usres"}, "d").code, 5);
  EXPECT_EQ(Confirmed(), resumed);
}

TEST_F(PublishedTest, ConnectionsExhaustedAreNoWayAroundTheCheck) {
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "setup", {"--tables", "public.users"}));
  ARROWCDC_ASSERT_OK(server_->Set("max_connections", "4"));
  ARROWCDC_ASSERT_OK(server_->Set("superuser_reserved_connections", "0"));
  ARROWCDC_ASSERT_OK(server_->Restart());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect());
  Sql("INSERT INTO users VALUES (1)");
  const uint64_t before = Confirmed();
  std::vector<std::unique_ptr<SqlConnection>> others;
  for (auto next = server_->Connect(); next.ok(); next = server_->Connect())
    others.push_back(std::move(*next));
  const Outcome refused = Run(Stream({"public.usres"}, Parquet("d")));
  EXPECT_EQ(refused.code, 5) << refused.error;
  EXPECT_EQ(Confirmed(), before);
}

}  // namespace
}  // namespace arrowcdc::test
