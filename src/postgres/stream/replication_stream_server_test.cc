// Reading from a real walsender, with test_decoding as the plugin: bytes and positions only.
#include "src/postgres/stream/replication_stream.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <thread>

#include "arrowcdc/position.h"
#include "src/postgres/stream/message_run.h"
#include "src/postgres/testing/server_fixture.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/error_detail.h"
#include "tests/testing/wait.h"

namespace arrowcdc::postgres {
namespace {

using test::DetailOf;
using test::KindOf;
using test::Server;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::WaitFor;

constexpr seconds kLimit(30);

class ReplicationStreamServer : public testing::Test {
 protected:
  void SetUp() override {
    sql_ = Server().Connect().ValueOrDie();
    ARROWCDC_ASSERT_OK(
        sql_->Exec("DROP TABLE IF EXISTS stream_test; CREATE TABLE stream_test (a int, b text)"));
    ARROWCDC_ASSERT_OK(sql_->Query("SELECT pg_create_logical_replication_slot('stream', 'test_decoding')"));
  }

  void TearDown() override {
    stream_.reset();
    if (!Server().Running()) ARROWCDC_ASSERT_OK(Server().Start());
    sql_ = Server().Connect().ValueOrDie();
    ARROWCDC_EXPECT_OK(WaitFor([&] { return sql_->Query("SELECT pg_drop_replication_slot('stream')").ok(); },
                               kLimit, "the slot"));
  }

  arrow::Status Start(const StreamOptions& options = {}, const std::string& settings = "") {
    stream_.reset();
    const std::string conninfo =
        Server().conninfo() + (settings.empty() ? "" : " options='" + settings + "'");
    ARROW_ASSIGN_OR_RAISE(auto connection, Connection::Open(conninfo, ConnectionMode::kReplication));
    ErrorContext context = connection->MakeContext(ErrorContext::Action::kStream);
    context.slot = "stream";
    return ReplicationStream::Start(std::move(connection), "START_REPLICATION SLOT \"stream\" LOGICAL 0/0",
                                    context, options)
        .Value(&stream_);
  }

  // The text of the next row, keepalives left out; an error when the stream ends.
  arrow::Result<std::string> NextText() {
    const auto deadline = Clock::now() + kLimit;
    while (Clock::now() < deadline) {
      ARROW_ASSIGN_OR_RAISE(auto message, stream_->Next(milliseconds(100)));
      if (message.has_value() && message->data != nullptr) return message->data->ToString().substr(25);
    }
    return arrow::Status::IOError("nothing came");
  }

  arrow::Status SkipTo(const std::string& start) {
    while (true) {
      ARROW_ASSIGN_OR_RAISE(const std::string text, NextText());
      if (text.rfind(start, 0) == 0) return arrow::Status::OK();
    }
  }

  arrow::Status StreamEnd() {
    const auto deadline = Clock::now() + kLimit;
    while (Clock::now() < deadline) {
      auto message = stream_->Next(milliseconds(100));
      if (!message.ok()) return message.status();
    }
    return arrow::Status::IOError("the stream did not end");
  }

  bool SlotIsFree() {
    return sql_->Scalar("SELECT active FROM pg_replication_slots WHERE slot_name = 'stream'").ValueOr("t") ==
           "f";
  }

  uint64_t Lsn(const std::string& expression) {
    return ParseLsn(sql_->Scalar("SELECT " + expression).ValueOrDie()).ValueOrDie();
  }
  uint64_t ConfirmedFlush() {
    return Lsn("confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'stream'");
  }
  std::string WalSender(const std::string& column) {
    return sql_->Scalar("SELECT " + column + " FROM pg_stat_replication WHERE application_name = 'arrowcdc'")
        .ValueOr("");
  }

  std::unique_ptr<test::SqlConnection> sql_;
  std::unique_ptr<ReplicationStream> stream_;
};

TEST_F(ReplicationStreamServer, RowsComeInOrder) {
  ARROWCDC_ASSERT_OK(Start());
  ARROWCDC_ASSERT_OK(
      sql_->Exec("INSERT INTO stream_test VALUES (1, 'x'); INSERT INTO stream_test VALUES (2, 'y')"));
  for (const char* expected : {"BEGIN", "table public.stream_test: INSERT: a[integer]:1 b[text]:'x'",
                               "table public.stream_test: INSERT: a[integer]:2 b[text]:'y'", "COMMIT"}) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const std::string text, NextText());
    EXPECT_EQ(text.rfind(expected, 0), 0u) << text;
  }
  EXPECT_GT(stream_->stats().received_bytes, 0u);
  // A keepalive may have come behind them; further ones merge with it.
  EXPECT_LE(stream_->stats().buffered_bytes, static_cast<int64_t>(sizeof(StreamMessage)));
}

TEST_F(ReplicationStreamServer, OnlyAcknowledgementsMoveTheSlot) {
  const uint64_t before = ConfirmedFlush();
  ARROWCDC_ASSERT_OK(Start({.status_interval = milliseconds(20)}));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO stream_test VALUES (1, 'x')"));
  ARROWCDC_ASSERT_OK(SkipTo("COMMIT"));
  const uint64_t end = Lsn("pg_current_wal_flush_lsn()");
  // What has been received is told, what is durable is not claimed.
  ARROWCDC_ASSERT_OK(WaitFor([&] { return ParseLsn(WalSender("write_lsn")).ValueOr(0) > before; }, kLimit,
                             "the write position"));
  EXPECT_EQ(ConfirmedFlush(), before);
  stream_->Acknowledge(end);
  ARROWCDC_ASSERT_OK(WaitFor([&] { return ConfirmedFlush() == end; }, kLimit, "the slot"));
  stream_->Acknowledge(before);
  stream_->RequestKeepalive();
  ARROWCDC_ASSERT_OK(WaitFor([&] { return stream_->Next(milliseconds(10)).ValueOrDie().has_value(); }, kLimit,
                             "the keepalive"));
  EXPECT_EQ(ConfirmedFlush(), end);
}

TEST_F(ReplicationStreamServer, AcknowledgementIsToldAtOnce) {
  ARROWCDC_ASSERT_OK(Start({.status_interval = seconds(600), .wal_sender_timeout = milliseconds(0)}));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO stream_test VALUES (1, 'x')"));
  ARROWCDC_ASSERT_OK(SkipTo("COMMIT"));
  const uint64_t end = Lsn("pg_current_wal_flush_lsn()");
  stream_->Acknowledge(end);
  ARROWCDC_ASSERT_OK(WaitFor([&] { return ConfirmedFlush() == end; }, seconds(5), "the slot"));
}

TEST_F(ReplicationStreamServer, KeepaliveOnRequest) {
  ARROWCDC_ASSERT_OK(Start({.status_interval = seconds(600), .wal_sender_timeout = milliseconds(0)}));
  const uint64_t end = Lsn("pg_current_wal_flush_lsn()");
  const auto seen = [&] {
    stream_->RequestKeepalive();
    const auto message = stream_->Next(milliseconds(100)).ValueOrDie();
    return message.has_value() && message->data == nullptr && message->wal_end >= end;
  };
  ARROWCDC_ASSERT_OK(WaitFor(seen, kLimit, "the keepalive"));
  EXPECT_GE(stream_->stats().server_lsn, end);
}

// Next reads by itself while it waits: what another thread acknowledges then goes out all the same.
TEST_F(ReplicationStreamServer, AcknowledgementIsToldWhileNextWaits) {
  ARROWCDC_ASSERT_OK(Start({.status_interval = seconds(600), .wal_sender_timeout = milliseconds(0)}));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO stream_test VALUES (1, 'x')"));
  ARROWCDC_ASSERT_OK(SkipTo("COMMIT"));
  const uint64_t end = Lsn("pg_current_wal_flush_lsn()");
  std::atomic<bool> done{false};
  std::thread reader([&] {
    while (!done) ASSERT_TRUE(stream_->Next(milliseconds(200)).ok());
  });
  stream_->Acknowledge(end);
  ARROWCDC_EXPECT_OK(WaitFor([&] { return ConfirmedFlush() == end; }, seconds(5), "the slot"));
  done = true;
  reader.join();
}

// Its caller is away for many times wal_sender_timeout, nothing is queued: the server's questions are
// answered, and what comes meanwhile is read.
TEST_F(ReplicationStreamServer, WhileTheReaderIsAwayTheServerIsAnswered) {
  ARROWCDC_ASSERT_OK(Start({.wal_sender_timeout = milliseconds(300)}, "-c wal_sender_timeout=300ms"));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO stream_test VALUES (1, 'x')"));
  ARROWCDC_ASSERT_OK(SkipTo("COMMIT"));
  ARROWCDC_ASSERT_OK(stream_->Next(milliseconds(20)));
  const std::string pid = WalSender("pid");
  const auto away_since = Clock::now();
  ARROWCDC_ASSERT_OK(WaitFor([&] { return Clock::now() - away_since > seconds(2); }, kLimit, "time to pass"));
  EXPECT_EQ(WalSender("pid"), pid);
  const uint64_t received = stream_->stats().received_bytes;
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO stream_test VALUES (2, repeat('y', 1000))"));
  ARROWCDC_ASSERT_OK(
      WaitFor([&] { return stream_->stats().received_bytes > received + 1000; }, kLimit, "the row"));
  ARROWCDC_ASSERT_OK(SkipTo("table public.stream_test: INSERT: a[integer]:2"));
}

// Rows that come one by one, all at once, and one by one again, so that the turn to read changes both ways.
TEST_F(ReplicationStreamServer, NothingIsLeftWhereTheTurnChanges) {
  ARROWCDC_ASSERT_OK(Start());
  int sent = 0;
  int seen = 0;
  const auto insert = [&](int rows) {
    ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO stream_test SELECT i, repeat('x', 300) FROM generate_series(" +
                                  std::to_string(sent + 1) + ", " + std::to_string(sent + rows) + ") AS i"));
    sent += rows;
  };
  const auto see_all = [&] {
    while (seen < sent) {
      ARROWCDC_ASSERT_OK_AND_ASSIGN(const std::string text, NextText());
      if (text.rfind("table", 0) != 0) continue;
      ++seen;
      ASSERT_NE(text.find("a[integer]:" + std::to_string(seen) + " "), std::string::npos)
          << text.substr(0, 80);
    }
  };
  for (int turn = 0; turn < 20; ++turn) {
    for (int i = 0; i < 5; ++i) {
      insert(1);
      see_all();
    }
    insert(5000);
    see_all();
  }
}

// A transaction whose messages come without a pause, in runs: none of which is at its end when all that came
// has been read.
TEST_F(ReplicationStreamServer, NextKeepsItsTimeWithinATransaction) {
  ARROWCDC_ASSERT_OK(Start({.kinds_within = "Bt"}));
  ARROWCDC_ASSERT_OK(sql_->Exec(
      "INSERT INTO stream_test SELECT i, repeat('x', i % 50) FROM generate_series(1, 100000) AS i"));
  Clock::duration longest{};
  std::string last = "B";
  const auto deadline = Clock::now() + kLimit;
  while (last[0] != 'C' && Clock::now() < deadline) {
    const auto before = Clock::now();
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto message, stream_->Next(milliseconds(10)));
    longest = std::max(longest, Clock::now() - before);
    if (!message.has_value() || message->data == nullptr) continue;
    ASSERT_TRUE(message->is_run);
    MessageRun::Reader run(message->data);
    uint64_t lsn = 0;
    while (!run.AtEnd()) last = run.Next(&lsn);
  }
  EXPECT_EQ(last[0], 'C');
  EXPECT_LT(longest, milliseconds(500));
}

// The reader stands still for many times wal_sender_timeout with the queue full: the server waits, nobody
// hangs up, nothing is lost.
TEST_F(ReplicationStreamServer, SlowReaderSlowsTheServerAndKeepsTheConnection) {
  constexpr int64_t kBufferBytes = 256 * 1024;
  constexpr int kRows = 20'000;
  ARROWCDC_ASSERT_OK(Start({.buffer_bytes_max = kBufferBytes, .wal_sender_timeout = milliseconds(300)},
                           "-c wal_sender_timeout=300ms"));
  const std::string pid = WalSender("pid");
  ARROWCDC_ASSERT_OK(
      sql_->Exec("INSERT INTO stream_test SELECT i, repeat('x', 1000) FROM generate_series(1, " +
                 std::to_string(kRows) + ") AS i"));
  ARROWCDC_ASSERT_OK(
      WaitFor([&] { return stream_->stats().buffered_bytes >= kBufferBytes; }, kLimit, "a full queue"));
  ARROWCDC_ASSERT_OK(WaitFor(
      [&] {
        return sql_->Scalar("SELECT wait_event FROM pg_stat_activity WHERE pid = " + pid).ValueOr("") ==
               "WalSenderWriteData";
      },
      kLimit, "a blocked walsender"));
  // The server's own clock says when more than six timeouts have passed since its walsender blocked.
  const auto blocked_since = Clock::now();
  ARROWCDC_ASSERT_OK(
      WaitFor([&] { return Clock::now() - blocked_since > seconds(2); }, kLimit, "time to pass"));
  EXPECT_LT(stream_->stats().buffered_bytes, kBufferBytes + 2000);
  EXPECT_EQ(WalSender("pid"), pid);
  int rows = 0;
  while (rows < kRows) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const std::string text, NextText());
    if (text.rfind("table", 0) != 0) continue;
    ++rows;
    ASSERT_EQ(text.find("a[integer]:" + std::to_string(rows) + " "), text.find("a[integer]:"))
        << text.substr(0, 80);
  }
  EXPECT_EQ(WalSender("pid"), pid);
}

TEST_F(ReplicationStreamServer, OneMessageLargerThanTheBufferPasses) {
  ARROWCDC_ASSERT_OK(Start({.buffer_bytes_max = 1000}));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO stream_test VALUES (1, repeat('y', 3000000))"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(std::string text, NextText());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(text, NextText());
  EXPECT_GT(text.size(), 3'000'000u);
  ARROWCDC_ASSERT_OK(SkipTo("COMMIT"));
}

TEST_F(ReplicationStreamServer, TerminatedBackendIsRetryableAndASecondStreamGoesOn) {
  ARROWCDC_ASSERT_OK(Start());
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO stream_test VALUES (1, 'x')"));
  ARROWCDC_ASSERT_OK(SkipTo("COMMIT"));
  ARROWCDC_ASSERT_OK(sql_->Query("SELECT pg_terminate_backend(" + WalSender("pid") + ")"));
  const arrow::Status ended = StreamEnd();
  EXPECT_EQ(KindOf(ended), ErrorKind::kConnection) << ended.ToString();
  EXPECT_EQ(DetailOf(ended).sqlstate(), "57P01");
  EXPECT_TRUE(DetailOf(ended).retryable());
  // The client hears of the end before the server has let go of the slot.
  ARROWCDC_ASSERT_OK(WaitFor([&] { return SlotIsFree(); }, kLimit, "the slot to be free"));
  ARROWCDC_ASSERT_OK(Start());
  // Nothing was acknowledged: the row comes again.
  ARROWCDC_ASSERT_OK(SkipTo("table public.stream_test: INSERT: a[integer]:1"));
}

TEST_F(ReplicationStreamServer, SecondClientIsToldWhoHasTheSlot) {
  ARROWCDC_ASSERT_OK(Start());
  const std::string pid = WalSender("pid");
  const auto first = std::move(stream_);
  const arrow::Status second = Start();
  EXPECT_EQ(KindOf(second), ErrorKind::kSlotActive);
  EXPECT_NE(DetailOf(second).remedy().find(pid), std::string::npos) << DetailOf(second).remedy();
}

TEST_F(ReplicationStreamServer, StopFreesTheSlot) {
  ARROWCDC_ASSERT_OK(Start());
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO stream_test VALUES (1, 'x')"));
  ARROWCDC_ASSERT_OK(SkipTo("COMMIT"));
  const uint64_t end = Lsn("pg_current_wal_flush_lsn()");
  stream_->Acknowledge(end);
  const auto begun = Clock::now();
  stream_->Stop();
  EXPECT_LT(Clock::now() - begun, ReplicationStream::kStopLimit + seconds(1));
  EXPECT_TRUE(SlotIsFree());
  EXPECT_EQ(ConfirmedFlush(), end);
  EXPECT_EQ(KindOf(StreamEnd()), ErrorKind::kConnection);
}

TEST_F(ReplicationStreamServer, StopInTheMiddleOfALargeTransaction) {
  ARROWCDC_ASSERT_OK(Start({.buffer_bytes_max = 100'000}));
  ARROWCDC_ASSERT_OK(
      sql_->Exec("INSERT INTO stream_test SELECT i, repeat('x', 1000) FROM generate_series(1, 50000) AS i"));
  ARROWCDC_ASSERT_OK(
      WaitFor([&] { return stream_->stats().buffered_bytes >= 100'000; }, kLimit, "a full queue"));
  const auto begun = Clock::now();
  stream_->Stop();
  EXPECT_LT(Clock::now() - begun, ReplicationStream::kStopLimit + seconds(1));
}

// A peer that is there but says nothing, as behind a dead network: its process is stopped.
TEST_F(ReplicationStreamServer, SilentServerIsNoticed) {
  ARROWCDC_ASSERT_OK(Start({.wal_sender_timeout = milliseconds(400)}, "-c wal_sender_timeout=0"));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO stream_test VALUES (1, 'x')"));
  ARROWCDC_ASSERT_OK(SkipTo("COMMIT"));
  // An idle server that answers is left alone for many times the limit.
  const auto idle_since = Clock::now();
  while (Clock::now() - idle_since < seconds(2)) ARROWCDC_ASSERT_OK(stream_->Next(milliseconds(100)));
  const pid_t pid = std::stoi(WalSender("pid"));
  ASSERT_EQ(kill(pid, SIGSTOP), 0);
  const arrow::Status ended = StreamEnd();
  kill(pid, SIGCONT);
  EXPECT_EQ(KindOf(ended), ErrorKind::kConnection) << ended.ToString();
  EXPECT_NE(ended.message().find("wal_sender_timeout"), std::string::npos) << ended.message();
}

// The same where the server has no timeout of its own.
TEST_F(ReplicationStreamServer, SilentServerWithoutATimeoutIsNoticed) {
  ARROWCDC_ASSERT_OK(Start({.wal_sender_timeout = milliseconds(0), .silence_max = milliseconds(400)},
                           "-c wal_sender_timeout=0"));
  const auto idle_since = Clock::now();
  while (Clock::now() - idle_since < seconds(2)) ARROWCDC_ASSERT_OK(stream_->Next(milliseconds(100)));
  const pid_t pid = std::stoi(WalSender("pid"));
  ASSERT_EQ(kill(pid, SIGSTOP), 0);
  const arrow::Status ended = StreamEnd();
  kill(pid, SIGCONT);
  EXPECT_EQ(KindOf(ended), ErrorKind::kConnection) << ended.ToString();
  EXPECT_TRUE(DetailOf(ended).retryable());
  EXPECT_GE(postgres::StreamOptions{}.silence_max, std::chrono::minutes(5));
}

// Received but not acknowledged: the server must not wait for us.
TEST_F(ReplicationStreamServer, FastShutdownDoesNotHang) {
  ARROWCDC_ASSERT_OK(Start());
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO stream_test VALUES (1, 'x')"));
  ARROWCDC_ASSERT_OK(SkipTo("COMMIT"));
  sql_.reset();
  const auto begun = Clock::now();
  ARROWCDC_ASSERT_OK(Server().Stop(test::StopMode::kFast, kLimit));
  EXPECT_LT(Clock::now() - begun, seconds(2));
  const arrow::Status ended = StreamEnd();
  EXPECT_EQ(KindOf(ended), ErrorKind::kConnection) << ended.ToString();
  EXPECT_TRUE(DetailOf(ended).retryable());
}

// The same after an acknowledgement, which makes the server look at flush positions; what is not acknowledged
// comes again.
TEST_F(ReplicationStreamServer, FastShutdownDoesNotWaitForTheNextAcknowledgement) {
  ARROWCDC_ASSERT_OK(Start());
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO stream_test VALUES (1, 'x')"));
  ARROWCDC_ASSERT_OK(SkipTo("COMMIT"));
  const uint64_t end = Lsn("pg_current_wal_flush_lsn()");
  stream_->Acknowledge(end);
  ARROWCDC_ASSERT_OK(WaitFor([&] { return ConfirmedFlush() == end; }, kLimit, "the slot"));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO stream_test VALUES (2, 'y')"));
  ARROWCDC_ASSERT_OK(SkipTo("COMMIT"));
  sql_.reset();
  const auto begun = Clock::now();
  ARROWCDC_ASSERT_OK(Server().Stop(test::StopMode::kFast, kLimit));
  EXPECT_LT(Clock::now() - begun, ReplicationStream::kShutdownPatience + seconds(2));
  const arrow::Status ended = StreamEnd();
  EXPECT_EQ(KindOf(ended), ErrorKind::kConnection) << ended.ToString();
  EXPECT_TRUE(DetailOf(ended).retryable());
  ARROWCDC_ASSERT_OK(Server().Start());
  sql_ = Server().Connect().ValueOrDie();
  EXPECT_LE(ConfirmedFlush(), end);
  ARROWCDC_ASSERT_OK(Start());
  ARROWCDC_ASSERT_OK(SkipTo("table public.stream_test: INSERT: a[integer]:2"));
}

TEST_F(ReplicationStreamServer, CrashOfTheServerIsRetryable) {
  ARROWCDC_ASSERT_OK(Start());
  sql_.reset();
  ARROWCDC_ASSERT_OK(Server().Stop(test::StopMode::kImmediate, kLimit));
  const arrow::Status ended = StreamEnd();
  EXPECT_EQ(KindOf(ended), ErrorKind::kConnection) << ended.ToString();
  EXPECT_TRUE(DetailOf(ended).retryable());
}

TEST_F(ReplicationStreamServer, RefusedStartsAreTyped) {
  const auto start = [&](const std::string& command) {
    auto connection = Connection::Open(Server().conninfo(), ConnectionMode::kReplication).ValueOrDie();
    ErrorContext context = connection->MakeContext(ErrorContext::Action::kStream);
    context.slot = "nothing";
    return ReplicationStream::Start(std::move(connection), command, context, {}).status();
  };
  EXPECT_EQ(KindOf(start("START_REPLICATION SLOT \"nothing\" LOGICAL 0/0")), ErrorKind::kSlotMissing);
  EXPECT_EQ(KindOf(start("START_REPLICATION SLOT \"stream\" LOGICAL 0/0 (\"bogus\" 'x')")),
            ErrorKind::kUnsupported);
}

}  // namespace
}  // namespace arrowcdc::postgres
