// Batches across transactions and the drain loop: rows that the plugin holds back survive every end of the
// walsender, whatever the client acknowledges; and both do what they are for.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>
#include <regex>
#include <sstream>

#include <arrow/array.h>
#include <gtest/gtest.h>

#include "arrowcdc/position.h"
#include "src/postgres/decode/wal2arrow/wal2arrow_decoder.h"
#include "tests/end_to_end/client.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/seed.h"
#include "tests/testing/wait.h"
#include "tests/testing/walsender_client.h"

namespace arrowcdc::test {
namespace {

using std::chrono::seconds;

constexpr int kTerminations = 25;
constexpr int kPatience = 30;  // messages
constexpr int kNever = 1 << 30;
constexpr char kSlot[] = "arrowcdc";

// ARROWCDC_UNSAFE overrides the path: a build for another server.
std::filesystem::path UnsafePluginPath() {
  const char* path = std::getenv("ARROWCDC_UNSAFE");
  return path != nullptr ? path : ARROWCDC_UNSAFE_PLUGIN;
}

// Ids 1 to n of public.t, each seen or not.
class SeenIds {
 public:
  // The frames of one session, in order.
  void BeginSession() {
    decoder_ = std::make_unique<Wal2arrowDecoder>(arrow::default_memory_pool(), /*epoch=*/1);
  }
  arrow::Status Take(const std::string& frame) {
    ARROW_ASSIGN_OR_RAISE(auto event, decoder_->Decode(arrow::Buffer::FromString(frame), 0));
    if (!event || !std::holds_alternative<ChangeBatch>(*event)) return arrow::Status::OK();
    const auto& ids = static_cast<const arrow::Int32Array&>(*std::get<ChangeBatch>(*event).rows->column(0));
    for (int64_t i = 0; i < ids.length(); ++i) {
      const auto id = static_cast<size_t>(ids.Value(i));
      if (seen_.size() <= id) seen_.resize(id + 1);
      seen_[id] = true;
    }
    return arrow::Status::OK();
  }
  int64_t Missing(int64_t count) const {
    int64_t missing = 0;
    for (int64_t id = 1; id <= count; ++id)
      missing += static_cast<size_t>(id) >= seen_.size() || !seen_[static_cast<size_t>(id)];
    return missing;
  }
  // Runs of ids that did not come: each was lost by the end of one session.
  int Gaps(int64_t count) const {
    int gaps = 0;
    bool before = true;
    for (int64_t id = 1; id <= count; ++id) {
      const bool is_seen = static_cast<size_t>(id) < seen_.size() && seen_[static_cast<size_t>(id)];
      gaps += before && !is_seen;
      before = is_seen;
    }
    return gaps;
  }

 private:
  std::unique_ptr<Wal2arrowDecoder> decoder_;
  std::vector<bool> seen_;
};

// One server and one backlog for all: each test reads a slot of its own, copied from one that stands at the
// backlog's beginning.
class BatchingTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::printf("seed %llu\n", static_cast<unsigned long long>(Seed()));
    PrivateServerOptions options;
    options.libraries = {PluginPath(), UnsafePluginPath()};
    ARROWCDC_ASSERT_OK_AND_ASSIGN(server_, PrivateServer::Create(options));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect());
    ARROWCDC_ASSERT_OK(sql_->Exec(
        "CREATE TABLE t (id serial PRIMARY KEY, v text); CREATE PUBLICATION arrowcdc FOR TABLE t"));
    ARROWCDC_ASSERT_OK(sql_->Query("SELECT pg_create_logical_replication_slot('origin', 'wal2arrow')"));
    AddTransactions(100'000);
  }
  static void TearDownTestSuite() {
    sql_.reset();
    EXPECT_EQ(server_->CountServerRestarts(), 0);
    server_.reset();
  }

  void SetUp() override {
    ASSERT_NE(sql_, nullptr);
    SetTimeout("1s");
  }
  void TearDown() override {
    ARROWCDC_EXPECT_OK(sql_->Query(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name <> 'origin'"));
  }

  // The server asks for a sign of life after half of it.
  static void SetTimeout(const std::string& timeout) {
    ARROWCDC_ASSERT_OK(server_->Set("wal_sender_timeout", timeout));
    ARROWCDC_ASSERT_OK(server_->Reload());
  }

  static void CopySlot(const std::string& plugin = "wal2arrow") {
    // A backend loads one of the two plugins only.
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto sql, server_->Connect());
    ARROWCDC_ASSERT_OK(
        sql->Query("SELECT pg_copy_logical_replication_slot('origin', 'arrowcdc', false, '" + plugin + "')"));
  }
  static void DropSlot() {
    ARROWCDC_ASSERT_OK(AwaitFreeSlot());
    ARROWCDC_ASSERT_OK(sql_->Query("SELECT pg_drop_replication_slot('arrowcdc')"));
  }

  // So many transactions of one row; the last one is flushed.
  static void AddTransactions(int64_t count) {
    ARROWCDC_ASSERT_OK(sql_->Exec("SET synchronous_commit = off"));
    ARROWCDC_ASSERT_OK(sql_->Exec("DO $$ BEGIN FOR i IN 1.." + std::to_string(count - 1) +
                                  " LOOP INSERT INTO t (v) VALUES ('row'); COMMIT; END LOOP; END $$"));
    ARROWCDC_ASSERT_OK(sql_->Exec("SET synchronous_commit = on"));
    ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO t (v) VALUES ('last')"));
    rows_ += count;
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const std::string end, sql_->Scalar("SELECT pg_current_wal_flush_lsn()"));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(end_, ParseLsn(end));
  }

  std::map<std::string, std::string> Options(bool drain) {
    return {{"publication_names", "arrowcdc"}, {"batching", "on"}, {"drain", drain ? "on" : "off"}};
  }

  static arrow::Status AwaitFreeSlot() {
    const auto is_free = [] {
      return sql_->Scalar("SELECT active FROM pg_replication_slots WHERE slot_name = 'arrowcdc'")
                 .ValueOr("t") == "f";
    };
    return WaitFor(is_free, seconds(30), "the slot to be free");
  }

  // A client that believes every position it is told, and acknowledges it at once. After some messages it is
  // cut off, when the server has taken its last acknowledgement to heart and it has read nothing since. True:
  // it has seen the end of the WAL.
  arrow::Result<bool> ReadGreedily(bool drain, int messages, SeenIds* seen) {
    ARROW_RETURN_NOT_OK(AwaitFreeSlot());
    auto options = Options(drain);
    // Much is held back for long, so that there is much to lose.
    options["batch_bytes"] = std::to_string(8 << 20);
    ARROW_ASSIGN_OR_RAISE(const auto client, WalsenderClient::Start(server_->conninfo(), kSlot, options));
    seen->BeginSession();
    uint64_t acknowledged = 0;
    uint64_t last_keepalive = 0;
    for (;;) {
      const auto next = client->Next(seconds(60));
      if (!next.ok()) return false;  // on a busy machine wal_sender_timeout was faster
      const auto& message = *next;
      if (!message) return arrow::Status::IOError("the stream stands still");
      if (!message->keepalive) ARROW_RETURN_NOT_OK(seen->Take(message->frame));
      const bool at_end = message->keepalive && message->wal_end >= end_;
      // The worst moment is when it hears of more than it was sent. If it never does, as it should be, it
      // ends when it has heard of something new a while later.
      const bool more = message->keepalive && acknowledged != 0 && message->wal_end > acknowledged;
      const bool news = message->keepalive && last_keepalive != 0 && message->wal_end != last_keepalive;
      if (message->keepalive) last_keepalive = message->wal_end;
      acknowledged = std::max(acknowledged, message->wal_end);
      // A keepalive for every message, not for every keepalive: else the two would do nothing but talk.
      if (!client->Reply(acknowledged, messages < kNever && !message->keepalive).ok()) return false;
      if (messages < kNever) --messages;
      if (at_end || (messages < 0 && more) || (messages < -kPatience && news)) {
        ARROW_RETURN_NOT_OK(WaitFor([&] { return ConfirmedFlush(*sql_).ValueOr(0) >= acknowledged; },
                                    seconds(30), "the acknowledgement to be taken"));
        // Without waiting for its end: a backend whose client does not read stands in sending the reason.
        ARROW_RETURN_NOT_OK(
            sql_->Query("SELECT pg_terminate_backend(" + std::to_string(client->backend_pid()) + ")")
                .status());
        return at_end;
      }
    }
  }

  struct Lost {
    int64_t rows = 0;
    int places = 0;  // runs of rows
  };
  // Reads the backlog greedily, the walsender terminated in the middle, until that has happened often enough;
  // each time from the beginning when the end was reached. Returns what never came.
  Lost LostByAGreedyClient(const std::string& plugin, bool drain) {
    std::mt19937_64 random(Seed());
    int terminations = 0;
    Lost lost;
    while (terminations < kTerminations) {
      CopySlot(plugin);
      if (HasFatalFailure()) return lost;
      SeenIds seen;
      for (bool at_end = false; !at_end;) {
        const int messages = terminations < kTerminations ? static_cast<int>(random() % 12) : kNever;
        const auto ended = ReadGreedily(drain, messages, &seen);
        EXPECT_TRUE(ended.ok()) << ended.status().ToString();
        if (!ended.ok()) return lost;
        at_end = *ended;
        terminations += at_end ? 0 : 1;
      }
      lost.rows += seen.Missing(rows_);
      lost.places += seen.Gaps(rows_);
      DropSlot();
    }
    std::printf("drain %s: %d terminations, %lld rows lost in %d places\n", drain ? "on" : "off",
                terminations, static_cast<long long>(lost.rows), lost.places);
    return lost;
  }

  // What the plugin said at the orderly end of the slot's last session.
  struct Counters {
    double transactions = 0, frames = 0, records = 0, drained = 0;
  };
  arrow::Result<Counters> LastCounters() {
    static const std::regex kLine(
        "wal2arrow: slot \"arrowcdc\": (\\d+) transactions in (\\d+) frames; (\\d+) WAL records, (\\d+) of "
        "them drained");
    const std::string log = server_->Log();
    Counters counters;
    bool found = false;
    for (std::sregex_iterator match(log.begin(), log.end(), kLine), none; match != none; ++match) {
      counters = {std::stod((*match)[1]), std::stod((*match)[2]), std::stod((*match)[3]),
                  std::stod((*match)[4])};
      found = true;
    }
    if (!found) return arrow::Status::IOError("the plugin said nothing in the log");
    return counters;
  }

  // Everything up to the end of the WAL, nothing acknowledged, ended in order. Without `seen` frames are not
  // decoded: a hundred thousand take long under the sanitizers.
  arrow::Status ReadAll(const std::map<std::string, std::string>& options, SeenIds* seen) {
    ARROW_ASSIGN_OR_RAISE(const auto client, WalsenderClient::Start(server_->conninfo(), kSlot, options));
    if (seen != nullptr) seen->BeginSession();
    for (;;) {
      ARROW_ASSIGN_OR_RAISE(const auto message, client->Next(seconds(60)));
      if (!message) return arrow::Status::IOError("the stream stands still");
      if (message->keepalive && message->wal_end >= end_) return client->End();
      if (message->keepalive && message->reply_requested) ARROW_RETURN_NOT_OK(client->Reply(0));
      if (!message->keepalive && seen != nullptr) ARROW_RETURN_NOT_OK(seen->Take(message->frame));
    }
  }

  TemporaryDirectory files_;
  inline static std::unique_ptr<PrivateServer> server_;
  inline static std::unique_ptr<SqlConnection> sql_;
  inline static int64_t rows_ = 0;
  inline static uint64_t end_ = 0;
};

TEST_F(BatchingTest, AGreedyClientLosesNothing) {
  for (const bool drain : {true, false}) {
    EXPECT_EQ(LostByAGreedyClient("wal2arrow", drain).rows, 0);
  }
}

// Proves that the test above sees what it is meant to see, and not by luck.
TEST_F(BatchingTest, WithoutMarksAndClampAGreedyClientLosesRows) {
  for (const bool drain : {true, false}) {
    EXPECT_GE(LostByAGreedyClient("wal2arrow_unsafe", drain).places, kTerminations / 5);
  }
}

TEST_F(BatchingTest, StockPgRecvlogicalLosesNothing) {
  ASSERT_NO_FATAL_FAILURE(CopySlot());
  ASSERT_NO_FATAL_FAILURE(SetTimeout("200ms"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto program, ServerProgram("pg_recvlogical"));
  std::mt19937_64 random(Seed());
  SeenIds seen;
  int terminations = 0;
  std::string last_error;
  const auto confirmed = [&] { return ConfirmedFlush(*sql_).ValueOr(0); };
  for (int session = 0; terminations < kTerminations || seen.Missing(rows_) > 0; ++session) {
    ASSERT_LT(session, 4 * kTerminations) << seen.Missing(rows_) << " rows do not come\n" << last_error;
    if (confirmed() >= end_) {
      ASSERT_NO_FATAL_FAILURE(AddTransactions(10'000));
    }
    const auto file = files_.path() / std::to_string(session);
    SubprocessOptions options{.argv = {program.string(), "-d", server_->conninfo(), "--slot", kSlot,
                                       "--start", "--no-loop", "--status-interval", "1", "--fsync-interval",
                                       "0", "-o", "publication_names=arrowcdc", "-o", "batching=on", "-f",
                                       file.string()}};
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto client, Subprocess::Start(options));
    const auto size = [&] {
      std::error_code none;
      const auto bytes = std::filesystem::file_size(file, none);
      return none ? uint64_t{0} : static_cast<uint64_t>(bytes);
    };
    const uint64_t enough = random() % 200'000;
    ARROWCDC_ASSERT_OK(WaitFor(
        [&] {
          return !client->Running() || confirmed() >= end_ ||
                 (terminations < kTerminations && size() > enough);
        },
        seconds(60), "pg_recvlogical to get on\n" + client->error()));
    terminations += confirmed() < end_;
    ARROWCDC_ASSERT_OK(
        sql_->Query("SELECT pg_terminate_backend(active_pid, 30000) FROM pg_replication_slots WHERE active"));
    ARROWCDC_ASSERT_OK(client->Wait(seconds(30)));
    last_error = client->error();

    // It writes each message and a newline behind it.
    std::ifstream stream(file, std::ios::binary);
    std::stringstream text;
    text << stream.rdbuf();
    const std::string bytes = text.str();
    seen.BeginSession();
    for (size_t at = 0; at + 32 <= bytes.size();) {
      uint32_t header_bytes;
      uint64_t payload_bytes;
      std::memcpy(&header_bytes, &bytes[at + 8], sizeof header_bytes);
      std::memcpy(&payload_bytes, &bytes[at + 24], sizeof payload_bytes);
      const size_t frame_bytes = header_bytes + payload_bytes;
      if (at + frame_bytes > bytes.size()) break;
      ARROWCDC_ASSERT_OK(seen.Take(bytes.substr(at, frame_bytes)));
      at += frame_bytes + 1;
    }
  }
  std::printf("pg_recvlogical: %d terminations before the end of the WAL, %lld rows\n", terminations,
              static_cast<long long>(rows_));
}

TEST_F(BatchingTest, OurClientLosesNothingInABacklog) {
  ASSERT_NO_FATAL_FAILURE(CopySlot());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      const auto client,
      Subprocess::Start(Command(*server_, "stream",
                                {"--tables", "public.*", "--sink", "parquet:" + files_.path().string(),
                                 "--snapshot", "never", "--roll-age", "100ms"})));
  std::mt19937_64 random(Seed());
  for (int terminations = 0; terminations < kTerminations;) {
    // A walsender in the middle of what is there: it has sent something new and not all of it.
    int64_t pid = 0;
    const auto ripe = [&] {
      const auto rows = sql_->Query("SELECT pid, sent_lsn >= '" + FormatLsn(end_) +
                                    "' FROM pg_stat_replication WHERE sent_lsn > '0/0'");
      if (!rows.ok() || rows->empty()) return false;
      pid = (*rows)[0][1] == "t" ? -1 : std::stoll(*(*rows)[0][0]);
      return true;
    };
    ARROWCDC_ASSERT_OK(WaitFor(ripe, seconds(60), "a walsender\n" + client->error()));
    if (pid < 0) {
      ASSERT_NO_FATAL_FAILURE(AddTransactions(10'000));
      continue;
    }
    ARROWCDC_ASSERT_OK(sql_->Query("SELECT pg_terminate_backend(" + std::to_string(pid) + ", 30000)"));
    ++terminations;
  }
  ARROWCDC_ASSERT_OK(WaitFor([&] { return ConfirmedFlush(*sql_).ValueOr(0) >= end_; }, seconds(60),
                             "the backlog to be stored"));
  ARROWCDC_ASSERT_OK(client->Signal(SIGTERM));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, client->Wait(seconds(60)));
  EXPECT_TRUE(ended.ok()) << client->error();
  ARROWCDC_ASSERT_OK(CompareReplay(*server_, files_.path(), {"public.t"}));
}

TEST_F(BatchingTest, BatchesHoldManyTransactionsAndTheLoopDrains) {
  ASSERT_NO_FATAL_FAILURE(CopySlot());
  ASSERT_NO_FATAL_FAILURE(SetTimeout("1min"));
  const auto read = [&](bool batching, bool drain, bool decode) {
    SeenIds seen;
    auto options = Options(drain);
    options["batching"] = batching ? "on" : "off";
    const auto status = ReadAll(options, decode ? &seen : nullptr);
    EXPECT_TRUE(status.ok()) << status.ToString();
    EXPECT_EQ(decode ? seen.Missing(rows_) : 0, 0);
    const auto counters = LastCounters();
    EXPECT_TRUE(counters.ok()) << counters.status().ToString();
    return counters.ValueOr(Counters{});
  };
  for (const bool drain : {true, false}) {
    for (const bool batching : {true, false}) {
      if (!batching && !drain) continue;  // nothing is intercepted, nothing counted
      const Counters counters = read(batching, drain, batching);
      std::printf("batching %d, drain %d: %.0f transactions a frame, %.1f %% drained\n", batching, drain,
                  counters.transactions / counters.frames, 100 * counters.drained / counters.records);
      EXPECT_EQ(counters.transactions, static_cast<double>(rows_));
      if (batching) {
        EXPECT_GE(counters.transactions, 50 * counters.frames);
      } else {
        EXPECT_GE(counters.frames, counters.transactions);
      }
      EXPECT_GE(counters.records, 2 * counters.transactions);  // the row's and the commit's
      if (drain) {
        EXPECT_GE(counters.drained, 0.9 * counters.records);
      } else {
        EXPECT_EQ(counters.drained, 0);
      }
    }
  }
  // The administrator's word wins.
  ARROWCDC_ASSERT_OK(sql_->Exec("ALTER ROLE postgres SET wal2arrow.batching = off"));
  Counters counters = read(true, true, false);
  EXPECT_GE(counters.frames, counters.transactions);
  EXPECT_GT(counters.drained, 0);
  ARROWCDC_ASSERT_OK(sql_->Exec(
      "ALTER ROLE postgres SET wal2arrow.drain = off; ALTER ROLE postgres SET wal2arrow.batching = on"));
  counters = read(true, true, false);
  EXPECT_GE(counters.transactions, 50 * counters.frames);
  EXPECT_EQ(counters.drained, 0);
  ARROWCDC_ASSERT_OK(sql_->Exec("ALTER ROLE postgres RESET ALL"));
}

}  // namespace
}  // namespace arrowcdc::test
