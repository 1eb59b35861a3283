// Random worlds: tables that are filled and written to, a client that copies them and goes on with their
// changes, and whatever takes part in it killed at random, by a seed. Afterwards the files hold every row
// exactly once.
#include <cstdio>
#include <cstdlib>
#include <random>

#include "tests/end_to_end/snapshot_fixture.h"
#include "tests/end_to_end/workload.h"
#include "tests/testing/seed.h"

namespace arrowcdc::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// During the copy, and as many after it; ARROWCDC_FAULTS sets another number for a longer or shorter run.
int Faults() {
  const char* given = std::getenv("ARROWCDC_FAULTS");
  return given != nullptr ? std::atoi(given) : 8;
}

class SnapshotFaults : public SnapshotFixture, public ::testing::WithParamInterface<const char*> {
 protected:
  enum Fault { kClient, kWorker, kHolder, kWalsender, kServerFast, kServerImmediate, kKinds };

  void StartClient() { ASSERT_NO_FATAL_FAILURE(StartStream({"--plugin", GetParam()})); }

  void Reconnect() {
    ARROWCDC_ASSERT_OK(WaitFor(
        [this] {
          auto connected = server_->Connect();
          if (connected.ok()) sql_ = std::move(*connected);
          return connected.ok();
        },
        seconds(60), "a connection after a restart"));
  }

  void End(const std::string& condition) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(
        const std::string count,
        sql_->Scalar("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = "
                     "'arrowcdc' AND " +
                     condition));
    sessions_ended_ += std::stoi(count);
  }

  // A client that is held goes on with what it meets; a server waits for it as it stops.
  void Strike(Fault fault) {
    in_copy_ += Worker("") != 0 ? 1 : 0;
    ++struck_[fault];
    if (fault == kServerFast || fault == kServerImmediate) ARROWCDC_ASSERT_OK(client_->Signal(SIGCONT));
    switch (fault) {
      case kClient:
        client_->Kill();
        ASSERT_NO_FATAL_FAILURE(StartClient());
        break;
      case kWorker:
        ASSERT_NO_FATAL_FAILURE(
            End("pid = (SELECT min(pid) FROM pg_stat_activity WHERE query LIKE 'COPY %')"));
        break;
      case kHolder:
        ASSERT_NO_FATAL_FAILURE(End("backend_type = 'client backend' AND state = 'idle in transaction'"));
        break;
      case kWalsender:
        ASSERT_NO_FATAL_FAILURE(End("backend_type = 'walsender'"));
        break;
      default:
        ARROWCDC_ASSERT_OK(server_->Restart(fault == kServerFast ? StopMode::kFast : StopMode::kImmediate));
        ASSERT_NO_FATAL_FAILURE(Reconnect());
    }
    ARROWCDC_ASSERT_OK(client_->Signal(SIGCONT));
    ASSERT_TRUE(client_->Running()) << client_->error();
  }

  void StrikeAtRandom() { Strike(static_cast<Fault>(random_() % kKinds)); }

  // Rows are on their way, in one way or the other.
  void WaitForRows() {
    const uint64_t before = ConfirmedFlush(*sql_).ValueOr(0);
    ARROWCDC_ASSERT_OK(WaitFor(
        [&] {
          const auto confirmed = ConfirmedFlush(*sql_);
          return !client_->Running() || Worker("") != 0 || (confirmed.ok() && *confirmed > before);
        },
        kLimit, "rows to be copied or streamed\n" + client_->error()));
    // Whatever moment comes.
    (void)client_->Wait(milliseconds(random_() % 300));
    ASSERT_TRUE(client_->Running()) << client_->error();
  }

  // The client stands still while a session copies, or the copy is over before it could be held.
  void HoldInCopy() {
    ARROWCDC_ASSERT_OK(WaitFor(
        [&] {
          if (!client_->Running() || CopyIsComplete()) return true;
          if (Worker("") == 0 || !client_->Signal(SIGSTOP).ok()) return false;
          return Worker("") != 0 || !client_->Signal(SIGCONT).ok();
        },
        kLimit, "a session that copies\n" + client_->error()));
  }

  std::mt19937_64 random_{Seed()};
  int struck_[kKinds] = {};
  int in_copy_ = 0;
  int sessions_ended_ = 0;
};

TEST_P(SnapshotFaults, NothingIsLostOrThereTwice) {
  std::printf("seed %llu\n", static_cast<unsigned long long>(Seed()));
  ASSERT_NO_FATAL_FAILURE(
      StartServer({{"logical_decoding_work_mem", "64kB"}, {"wal_sender_timeout", "10s"}}));
  ARROWCDC_ASSERT_OK(CreateWorkloadTables(*sql_));
  ARROWCDC_ASSERT_OK(sql_->Exec(kCreateBig));
  Workload workload(*server_, Seed(), 3);
  ARROWCDC_ASSERT_OK(WaitFor([&] { return workload.transactions() > 300; }, kLimit, "rows to copy"));
  ARROWCDC_ASSERT_OK(
      RunCommand(*server_, "setup", {"--tables", "public.*", "--yes", "--plugin", GetParam()}));
  ASSERT_NO_FATAL_FAILURE(StartClient());
  for (int i = 0; i < Faults() && !CopyIsComplete(); ++i) {
    if (i == 0 || random_() % 2 == 0) {
      ASSERT_NO_FATAL_FAILURE(HoldInCopy());
    } else {
      ASSERT_NO_FATAL_FAILURE(WaitForRows());
    }
    ASSERT_NO_FATAL_FAILURE(StrikeAtRandom());
  }
  ARROWCDC_ASSERT_OK(
      sql_->Exec("DELETE FROM big WHERE id % 7 = 0; UPDATE big SET note = 'new' WHERE id % 5 = 0"));
  ARROWCDC_ASSERT_OK(client_->WaitForError("streaming changes", kLimit));
  const int in_copy = in_copy_;
  for (int i = 0; i < Faults(); ++i) {
    ASSERT_NO_FATAL_FAILURE(WaitForRows());
    ASSERT_NO_FATAL_FAILURE(StrikeAtRandom());
  }
  workload.Stop();
  EXPECT_EQ(workload.refused(), 0u) << workload.last_refusal();
  // A column added with a default gives old rows a value that no change carries; an update of every row does.
  ARROWCDC_ASSERT_OK(sql_->Exec("UPDATE w_shape SET id = id"));
  std::printf(
      "killed: client %d, sessions that copy %d, that hold the snapshot %d, walsenders %d, servers %d "
      "fast and %d at once; %d sessions ended, %d in a copy; %llu transactions\n",
      struck_[kClient], struck_[kWorker], struck_[kHolder], struck_[kWalsender], struck_[kServerFast],
      struck_[kServerImmediate], sessions_ended_, in_copy,
      static_cast<unsigned long long>(workload.transactions()));
  EXPECT_GT(in_copy, 0) << "nothing was hit while it copied";
  std::vector<std::string> tables = WorkloadTables();
  tables.push_back("public.big");
  ASSERT_NO_FATAL_FAILURE(FinishAndCompare(tables));
  ARROWCDC_ASSERT_OK(CompareState(*server_, files_.path(), {"public.big"}));
}

INSTANTIATE_TEST_SUITE_P(Plugins, SnapshotFaults, testing::Values("wal2arrow", "pgoutput"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace arrowcdc::test
