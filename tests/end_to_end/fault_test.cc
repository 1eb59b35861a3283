// The contract under fire: a random workload is streamed while the client is killed, its connection cut and
// the server restarted, each many times with rows on the way. Afterwards the files hold every row exactly
// once.
#include <cstdio>
#include <cstdlib>

#include <gtest/gtest.h>

#include "arrowcdc/position.h"
#include "tests/end_to_end/client.h"
#include "tests/end_to_end/workload.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/seed.h"
#include "tests/testing/wait.h"

namespace arrowcdc::test {
namespace {

using std::chrono::seconds;

// How often each fault strikes; ARROWCDC_FAULTS sets another number for a longer or shorter run.
int FaultsOfAKind() {
  const char* given = std::getenv("ARROWCDC_FAULTS");
  return given != nullptr ? std::atoi(given) : 20;
}

// By output plugin.
class FaultTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    std::printf("seed %llu\n", static_cast<unsigned long long>(Seed()));
    PrivateServerOptions options;
    // Small, so that transactions spill and come in several frames.
    options.settings = {{"logical_decoding_work_mem", "64kB"}, {"wal_sender_timeout", "10s"}};
    ARROWCDC_ASSERT_OK_AND_ASSIGN(server_, PrivateServer::Create(options));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect());
    ARROWCDC_ASSERT_OK(CreateWorkloadTables(*sql_));
    ARROWCDC_ASSERT_OK(
        RunCommand(*server_, "setup", {"--tables", "public.*", "--yes", "--plugin", GetParam()}));
  }

  SubprocessOptions Stream(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"--tables",   "public.*", "--plugin",
                                          GetParam(),   "--sink",   "parquet:" + files_.path().string(),
                                          "--roll-age", "300ms"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Command(*server_, "stream", std::move(arguments));
  }

  void StartClient() { ARROWCDC_ASSERT_OK_AND_ASSIGN(client_, Subprocess::Start(Stream())); }

  // The server may be on its way up again.
  void Reconnect() {
    ARROWCDC_ASSERT_OK(WaitFor(
        [this] {
          auto connected = server_->Connect();
          if (connected.ok()) sql_ = std::move(*connected);
          return connected.ok();
        },
        seconds(60), "a connection after a restart"));
  }

  // Journal rows that are committed and not acknowledged.
  uint64_t RowsInFlight() {
    const auto count = sql_->Scalar(
        "SELECT count(*) FROM w_journal WHERE at > (SELECT confirmed_flush_lsn FROM pg_replication_slots "
        "WHERE slot_name = 'arrowcdc')");
    return count.ok() ? std::stoull(*count) : 0;
  }

  // Waits until the slot has moved since the last fault and rows are on their way.
  void WaitForARipeMoment(Workload& workload) {
    const auto status = WaitFor(
        [&] {
          if (!client_->Running()) return true;
          const auto confirmed = ConfirmedFlush(*sql_);
          return confirmed.ok() && *confirmed > confirmed_at_last_fault_ && RowsInFlight() > 0;
        },
        seconds(120), "the slot to move and rows to be in flight");
    ASSERT_TRUE(status.ok()) << status.ToString() << "\n"
                             << client_->error() << "\nlast refusal: " << workload.last_refusal();
    ASSERT_TRUE(client_->Running()) << "the client ended by itself:\n" << client_->error();
    ARROWCDC_ASSERT_OK_AND_ASSIGN(confirmed_at_last_fault_, ConfirmedFlush(*sql_));
    in_flight_ += RowsInFlight();
  }

  void KillClient() {
    client_->Kill();
    StartClient();
  }

  void TerminateBackend() {
    ARROWCDC_ASSERT_OK(
        sql_->Query("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active"));
  }

  void RestartServer(StopMode mode) {
    ARROWCDC_ASSERT_OK(server_->Restart(mode));
    Reconnect();
    // A crash may take the slot back to an older position: what is compared next is what it says now.
    ARROWCDC_ASSERT_OK_AND_ASSIGN(confirmed_at_last_fault_, ConfirmedFlush(*sql_));
  }

  TemporaryDirectory files_;
  std::unique_ptr<PrivateServer> server_;
  std::unique_ptr<SqlConnection> sql_;
  std::unique_ptr<Subprocess> client_;
  uint64_t confirmed_at_last_fault_ = 0;
  uint64_t in_flight_ = 0;
};

TEST_P(FaultTest, NothingLostNothingTwice) {
  ASSERT_NO_FATAL_FAILURE(StartClient());
  Workload workload(*server_, Seed(), 3);
  const char* const names[] = {"client killed", "backend terminated", "server restarted fast",
                               "server restarted immediately"};
  int faults[4] = {};
  int expected_restarts = 0;
  // pgoutput shares all but the session and its decoder.
  const int rounds = std::string(GetParam()) == "pgoutput" ? (FaultsOfAKind() + 3) / 4 : FaultsOfAKind();
  for (int round = 0; round < rounds; ++round) {
    for (int kind = 0; kind < 4; ++kind) {
      ASSERT_NO_FATAL_FAILURE(WaitForARipeMoment(workload)) << names[kind] << " " << round;
      switch (kind) {
        case 0:
          ASSERT_NO_FATAL_FAILURE(KillClient());
          break;
        case 1:
          ASSERT_NO_FATAL_FAILURE(TerminateBackend());
          break;
        case 2:
          ASSERT_NO_FATAL_FAILURE(RestartServer(StopMode::kFast));
          break;
        default:
          ASSERT_NO_FATAL_FAILURE(RestartServer(StopMode::kImmediate));
          break;
      }
      ++faults[kind];
    }
  }
  workload.Stop();
  EXPECT_EQ(workload.refused(), 0u) << workload.last_refusal();
  // A column added with a default gives old rows a value that no change carries; an update of every row does.
  ARROWCDC_ASSERT_OK(sql_->Exec("UPDATE w_shape SET id = id"));
  ARROWCDC_ASSERT_OK(client_->Signal(SIGTERM));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, client_->Wait(seconds(60)));
  EXPECT_TRUE(ended.ok()) << client_->error();
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"}), seconds(120)));
  for (int kind = 0; kind < 4; ++kind) std::printf("%s: %d times\n", names[kind], faults[kind]);
  std::printf("journal rows in flight at the faults: %llu; transactions: %llu, schema changes: %llu\n",
              static_cast<unsigned long long>(in_flight_),
              static_cast<unsigned long long>(workload.transactions()),
              static_cast<unsigned long long>(workload.schema_changes()));
  EXPECT_EQ(server_->CountServerRestarts(), expected_restarts);
  ARROWCDC_ASSERT_OK(CompareReplay(*server_, files_.path(), WorkloadTables()));
}

INSTANTIATE_TEST_SUITE_P(Plugins, FaultTest, testing::Values("wal2arrow", "pgoutput"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace arrowcdc::test
