// What a slot of pgoutput holds, read by SQL: the rows of the stream, nothing passed that was not
// acknowledged, and the stream wherever something hinders.
#include <gtest/gtest.h>

#include <arrow/array.h>

#include "arrowcdc/change_rows.h"
#include "arrowcdc/postgres.h"
#include "src/postgres/testing/server_fixture.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/error_detail.h"
#include "tests/testing/wait.h"

namespace arrowcdc::postgres {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::DetailOf;
using test::KindOf;
using test::Server;
using test::WaitFor;
using Have = ResumeRequest::Have;

constexpr seconds kLimit(60);
constexpr int kRows = 200;  // of a transaction

// A row as it came: its id and identity.
struct Row {
  int32_t id = 0;
  RowPosition position;
  bool operator==(const Row&) const = default;
};

class CatchUpServer : public testing::Test {
 protected:
  void SetUp() override {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, Server().Connect());
    ARROWCDC_ASSERT_OK(
        sql_->Exec("CREATE TABLE many (id int PRIMARY KEY, name text); CREATE TABLE other (a text)"));
    ARROWCDC_ASSERT_OK(sql_->Exec("CREATE PUBLICATION caught FOR TABLE many"));
    MakeSlot("caught");
    options_.conninfo = Server().conninfo();
    options_.slot = "caught";
    options_.publications = {"caught"};
    options_.catch_up = CatchUp::kSql;
    options_.catch_up_messages = 3 * kRows;
    options_.catch_up_bytes_min = 1;
  }

  void TearDown() override {
    source_.reset();
    const auto dropped = [&] {
      return sql_->Query("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots").ok();
    };
    ARROWCDC_EXPECT_OK(WaitFor(dropped, kLimit, "the slots"));
    ARROWCDC_EXPECT_OK(sql_->Exec("DROP PUBLICATION IF EXISTS caught"));
    ARROWCDC_EXPECT_OK(sql_->Exec("DROP TABLE many, other"));
  }

  void MakeSlot(const std::string& name) {
    ARROWCDC_ASSERT_OK(sql_->Query("SELECT pg_create_logical_replication_slot('" + name + "', 'pgoutput')"));
  }

  // Each behind a record that the slot can be restarted from.
  void Write(int transactions) {
    for (int i = 0; i < transactions; ++i) {
      ARROWCDC_ASSERT_OK(sql_->Exec("CHECKPOINT"));
      ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO many SELECT g, 'row ' || g FROM generate_series(" +
                                    std::to_string(written_) + ", " + std::to_string(written_ + kRows - 1) +
                                    ") g"));
      written_ += kRows;
    }
  }

  arrow::Status Begin(const ResumeRequest& request = {.have = Have::kNothingYet, .accept_gap = true}) {
    source_ = MakePostgresSource(options_).ValueOrDie();
    return BeginAgain(request);
  }
  arrow::Status BeginAgain(const ResumeRequest& request) {
    ARROW_RETURN_NOT_OK(source_->Connect());
    ARROW_ASSIGN_OR_RAISE(const Position start, source_->Resume(request));
    safe_ = std::max(safe_, start);
    return source_->Start(start);
  }

  arrow::Status TakeEvent() {
    ARROW_ASSIGN_OR_RAISE(const auto event, source_->Next(milliseconds(100)));
    if (!event.has_value()) return arrow::Status::OK();
    if (const auto* batch = std::get_if<ChangeBatch>(&*event)) {
      ARROW_ASSIGN_OR_RAISE(const auto rows, ChangeRows::Make(*batch->table, *batch->rows));
      const auto& ids = static_cast<const arrow::Int32Array&>(*batch->rows->column(0));
      for (int64_t row = 0; row < rows.num_rows(); ++row)
        rows_.push_back({ids.Value(row), rows.position(row)});
      if (batch->group.group_end && batch->group.safe.has_value()) safe_ = *batch->group.safe;
    }
    if (const auto* progress = std::get_if<ProgressEvent>(&*event)) {
      if (progress->group.safe.has_value()) safe_ = *progress->group.safe;
    }
    if (const auto* keepalive = std::get_if<KeepaliveEvent>(&*event)) {
      safe_ = std::max(safe_, keepalive->position);
      if (keepalive->reply_requested) {
        ++chunks_;
        chunk_end_ = keepalive->position;
        if (acknowledges_) source_->Acknowledge(keepalive->position);
      }
    }
    return arrow::Status::OK();
  }

  template <typename Condition>
  arrow::Status Until(const Condition& reached) {
    const auto deadline = std::chrono::steady_clock::now() + kLimit;
    while (!reached()) {
      ARROW_RETURN_NOT_OK(TakeEvent());
      if (std::chrono::steady_clock::now() > deadline) return arrow::Status::IOError("it did not come");
    }
    return arrow::Status::OK();
  }
  arrow::Status UntilAllCame() {
    return Until([&] { return rows_.size() >= static_cast<size_t>(written_); });
  }
  void ExpectEachOnce() {
    ASSERT_EQ(rows_.size(), static_cast<size_t>(written_));
    for (int i = 0; i < written_; ++i) ASSERT_EQ(rows_[i].id, i);
  }

  uint64_t Confirmed() { return GetSlotStatus(options_).ValueOrDie().confirmed_flush; }
  // The session that reads by SQL: it is no walsender.
  std::string KillReader() {
    return sql_
        ->Scalar(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = "
            "'arrowcdc' AND backend_type = 'client backend' AND query LIKE 'COPY%'")
        .ValueOrDie();
  }

  std::unique_ptr<test::SqlConnection> sql_;
  PostgresOptions options_;
  std::unique_ptr<Source> source_;
  int written_ = 0;
  bool acknowledges_ = true;
  int chunks_ = 0;
  Position chunk_end_{};
  Position safe_{};
  std::vector<Row> rows_;
};

TEST_F(CatchUpServer, RowsAreThoseOfTheStream) {
  MakeSlot("streamed");
  Write(8);
  ARROWCDC_ASSERT_OK(
      sql_->Exec("BEGIN; UPDATE many SET name = 'x' WHERE id < 3; SAVEPOINT a; DELETE FROM many; "
                 "ROLLBACK TO a; DELETE FROM many WHERE id = 7; COMMIT"));
  const size_t changes = static_cast<size_t>(written_) + 4;
  const auto all = [&] { return rows_.size() >= changes; };
  ARROWCDC_ASSERT_OK(Begin());
  ARROWCDC_ASSERT_OK(Until(all));
  // And what comes from then on, by the stream.
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO many VALUES (-1, 'late')"));
  ARROWCDC_ASSERT_OK(Until([&] { return rows_.size() > changes; }));
  EXPECT_EQ(rows_.back().id, -1);
  EXPECT_GE(chunks_, 2);
  const std::vector<Row> by_sql = std::exchange(rows_, {});
  options_.slot = "streamed";
  options_.catch_up = CatchUp::kStream;
  ARROWCDC_ASSERT_OK(Begin());
  ARROWCDC_ASSERT_OK(Until([&] { return rows_.size() > changes; }));
  EXPECT_EQ(rows_, by_sql);
}

TEST_F(CatchUpServer, WhatIsNotPublishedIsPassed) {
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CHECKPOINT; INSERT INTO other SELECT repeat('x', 100) FROM generate_series(1, 5000)"));
  const uint64_t end = GetSlotStatus(options_).ValueOrDie().current_lsn;
  const uint64_t before = Confirmed();
  options_.catch_up_bytes_min = 100'000;
  ARROWCDC_ASSERT_OK(Begin());
  ARROWCDC_ASSERT_OK(Until([&] { return chunks_ > 0; }));
  EXPECT_GT(end - before, 500'000u);
  EXPECT_GE(chunk_end_.order, end - 500'000);
  ARROWCDC_ASSERT_OK(WaitFor([&] { return Confirmed() >= chunk_end_.order; }, kLimit, "the slot to move"));
  EXPECT_TRUE(rows_.empty());
}

TEST_F(CatchUpServer, NothingIsPassedThatWasNotAcknowledged) {
  Write(6);
  const uint64_t before = Confirmed();
  acknowledges_ = false;
  ARROWCDC_ASSERT_OK(Begin());
  ARROWCDC_ASSERT_OK(Until([&] { return chunks_ > 0; }));
  EXPECT_EQ(rows_.size(), 3u * kRows);
  EXPECT_EQ(Confirmed(), before);
  ARROWCDC_ASSERT_OK(source_->Stop());
  EXPECT_EQ(Confirmed(), before);
  // Whoever comes next gets all of it, and has it moved by what it acknowledges.
  rows_.clear();
  acknowledges_ = true;
  ARROWCDC_ASSERT_OK(Begin());
  ARROWCDC_ASSERT_OK(UntilAllCame());
  ExpectEachOnce();
  ARROWCDC_ASSERT_OK(Until([&] { return Confirmed() > before; }));
}

// A client that died behind the store and in front of the slot.
TEST_F(CatchUpServer, WhatIsStoredIsPassedFirst) {
  Write(6);
  acknowledges_ = false;
  ARROWCDC_ASSERT_OK(Begin());
  ARROWCDC_ASSERT_OK(Until([&] { return chunks_ > 0; }));
  const Position stored = chunk_end_;
  source_.reset();
  acknowledges_ = true;
  ARROWCDC_ASSERT_OK(Begin({.have = Have::kStored, .position = stored}));
  ARROWCDC_ASSERT_OK(UntilAllCame());
  ExpectEachOnce();
  ARROWCDC_ASSERT_OK(Until([&] { return chunks_ > 1; }));
}

// One, and then it waits: what is behind it would have to be read twice after a crash.
TEST_F(CatchUpServer, TheNextChunkIsReadWhileTheLastIsStored) {
  Write(12);
  const uint64_t before = Confirmed();
  acknowledges_ = false;
  ARROWCDC_ASSERT_OK(Begin());
  ARROWCDC_ASSERT_OK(Until([&] { return chunks_ > 1; }));
  EXPECT_EQ(rows_.size(), 6u * kRows);
  EXPECT_EQ(Confirmed(), before);
  const Position two_chunks = chunk_end_;
  ARROWCDC_ASSERT_OK(TakeEvent());
  EXPECT_EQ(chunk_end_, two_chunks);
  acknowledges_ = true;
  source_->Acknowledge(two_chunks);
  ARROWCDC_ASSERT_OK(UntilAllCame());
  ExpectEachOnce();
  ARROWCDC_ASSERT_OK(Until([&] { return chunks_ > 3; }));
  ARROWCDC_ASSERT_OK(WaitFor([&] { return Confirmed() >= chunk_end_.order; }, kLimit, "the slot to move"));
  // What was read from is gone.
  const auto alone = [&] {
    return sql_->Scalar("SELECT count(*) FROM pg_replication_slots").ValueOrDie() == "1";
  };
  ARROWCDC_ASSERT_OK(WaitFor(alone, kLimit, "the copy of the slot to go"));
}

TEST_F(CatchUpServer, ASessionThatIsEndedBetweenChunksIsFollowedByTheStream) {
  Write(9);
  acknowledges_ = false;
  ARROWCDC_ASSERT_OK(Begin());
  ARROWCDC_ASSERT_OK(Until([&] { return chunks_ > 1; }));
  EXPECT_EQ(KillReader(), "1");
  acknowledges_ = true;
  source_->Acknowledge(chunk_end_);
  ARROWCDC_ASSERT_OK(UntilAllCame());
  ExpectEachOnce();
  EXPECT_EQ(GetSlotStatus(options_).ValueOrDie().active, true);
}

// Rows of a transaction that came in part come again, which only a new session may bring.
TEST_F(CatchUpServer, AChunkThatBreaksOffIsAnErrorThatARetryMends) {
  Write(1);
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO many SELECT g, repeat('x', 1000) FROM generate_series(" +
                                std::to_string(written_) + ", " + std::to_string(written_ + 9999) + ") g"));
  written_ += 10000;
  options_.catch_up_messages = 1'000'000;
  options_.buffer_bytes_max = 1000;
  ARROWCDC_ASSERT_OK(Begin());
  // The server waits for us to read on.
  ARROWCDC_ASSERT_OK(Until([&] { return !rows_.empty(); }));
  EXPECT_EQ(KillReader(), "1");
  const arrow::Status broken = UntilAllCame();
  EXPECT_EQ(KindOf(broken), ErrorKind::kConnection) << broken.ToString();
  EXPECT_TRUE(DetailOf(broken).retryable());
  EXPECT_LT(rows_.size(), static_cast<size_t>(written_));
  // As the change stream goes on: from the last position that was told.
  std::erase_if(rows_, [&](const Row& row) { return row.position.commit_lsn >= safe_.order; });
  ARROWCDC_ASSERT_OK(BeginAgain({.have = Have::kDelivered, .position = safe_}));
  ARROWCDC_ASSERT_OK(UntilAllCame());
  ExpectEachOnce();
  EXPECT_EQ(chunks_, 0);
}

TEST_F(CatchUpServer, ASlotThatSomebodyElseMovedIsAGap) {
  Write(9);
  const std::string past = "SELECT pg_replication_slot_advance('caught', pg_current_wal_lsn())";
  acknowledges_ = false;
  ARROWCDC_ASSERT_OK(Begin());
  ARROWCDC_ASSERT_OK(Until([&] { return chunks_ > 1; }));
  ARROWCDC_ASSERT_OK(sql_->Query(past));
  source_->Acknowledge(chunk_end_);
  const arrow::Status between = UntilAllCame();
  EXPECT_EQ(KindOf(between), ErrorKind::kPositionGap) << between.ToString();
  EXPECT_EQ(rows_.size(), 6u * kRows);
  // Before the first chunk.
  rows_.clear();
  chunks_ = 0;
  Write(2);
  source_ = MakePostgresSource(options_).ValueOrDie();
  ARROWCDC_ASSERT_OK(source_->Connect());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const Position start,
                                source_->Resume({.have = Have::kNothingYet, .accept_gap = true}));
  ARROWCDC_ASSERT_OK(sql_->Query(past));
  ARROWCDC_ASSERT_OK(source_->Start(start));
  const arrow::Status before = Until([&] { return !rows_.empty() || chunks_ > 0; });
  EXPECT_EQ(KindOf(before), ErrorKind::kPositionGap) << before.ToString();
  EXPECT_TRUE(rows_.empty());
}

// Each chunk is read from where the open transaction began: soon that is dearer than the stream.
TEST_F(CatchUpServer, ATransactionThatStaysOpenIsForTheStream) {
  constexpr int kChunks = 16;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto open, Server().Connect());
  ARROWCDC_ASSERT_OK(open->Exec("BEGIN; INSERT INTO other VALUES ('open')"));
  Write(3 * kChunks);
  ARROWCDC_ASSERT_OK(Begin());
  ARROWCDC_ASSERT_OK(UntilAllCame());
  ExpectEachOnce();
  EXPECT_GE(chunks_, 2);
  EXPECT_LE(chunks_, kChunks / 2);
  ARROWCDC_ASSERT_OK(open->Exec("ROLLBACK"));
}

TEST_F(CatchUpServer, AServerWithoutARoomForTheCopyIsForTheStream) {
  Write(6);
  const int rooms = std::stoi(sql_->Scalar("SHOW max_replication_slots").ValueOrDie());
  for (int i = 1; i < rooms; ++i) MakeSlot("other_" + std::to_string(i));
  ARROWCDC_ASSERT_OK(Begin());
  ARROWCDC_ASSERT_OK(UntilAllCame());
  ExpectEachOnce();
  EXPECT_EQ(chunks_, 0);
  EXPECT_NE(Server().Log().find("all replication slots are in use"), std::string::npos);
}

TEST_F(CatchUpServer, TemporarySpaceThatIsLackingIsForTheStream) {
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CREATE ROLE narrow LOGIN REPLICATION; ALTER ROLE narrow SET work_mem = '64kB'; "
                 "ALTER ROLE narrow SET temp_file_limit = '1MB'"));
  ARROWCDC_ASSERT_OK(
      sql_->Exec("INSERT INTO many SELECT g, repeat('x', 100) FROM generate_series(0, 19999) g"));
  written_ = 20000;
  options_.catch_up_messages = 1'000'000;
  options_.conninfo = Server().conninfo() + " user=narrow";
  ARROWCDC_ASSERT_OK(Begin());
  ARROWCDC_ASSERT_OK(UntilAllCame());
  ExpectEachOnce();
  EXPECT_EQ(chunks_, 0);
  EXPECT_NE(Server().Log().find("temporary file size exceeds"), std::string::npos);
  source_.reset();
  ARROWCDC_ASSERT_OK(sql_->Exec("DROP ROLE narrow"));
}

// For whom the functions would wait without an end.
TEST_F(CatchUpServer, StandbysThatAreWaitedForAreForTheStream) {
  if (PQserverVersion(sql_->raw()) < 170000) GTEST_SKIP() << "PostgreSQL 17 and later wait for standbys";
  ARROWCDC_ASSERT_OK(sql_->Exec("ALTER SYSTEM SET synchronized_standby_slots = 'nobody'"));
  ARROWCDC_ASSERT_OK(Server().Reload());
  const auto waits = [&] { return sql_->Scalar("SHOW synchronized_standby_slots").ValueOrDie() == "nobody"; };
  ARROWCDC_ASSERT_OK(WaitFor(waits, kLimit, "the setting"));
  Write(6);
  ARROWCDC_ASSERT_OK(Begin());
  ARROWCDC_ASSERT_OK(UntilAllCame());
  ExpectEachOnce();
  EXPECT_EQ(chunks_, 0);
  ARROWCDC_ASSERT_OK(sql_->Exec("ALTER SYSTEM RESET synchronized_standby_slots"));
  ARROWCDC_ASSERT_OK(Server().Reload());
}

// Who keeps nothing acknowledges when it likes, and a little is not worth a session.
TEST_F(CatchUpServer, TheStreamIsTakenAtOnce) {
  Write(3);
  ARROWCDC_ASSERT_OK(Begin({}));
  ARROWCDC_ASSERT_OK(UntilAllCame());
  EXPECT_EQ(chunks_, 0);
  rows_.clear();
  source_.reset();
  ARROWCDC_ASSERT_OK(
      WaitFor([&] { return !GetSlotStatus(options_).ValueOrDie().active; }, kLimit, "the slot"));
  options_.catch_up_bytes_min = 1 << 30;
  ARROWCDC_ASSERT_OK(Begin());
  ARROWCDC_ASSERT_OK(UntilAllCame());
  EXPECT_EQ(chunks_, 0);
}

}  // namespace
}  // namespace arrowcdc::postgres
