// synchronous_standby_names = '*': commits wait for whoever acknowledges, and that is said.
#include <gtest/gtest.h>

#include <csignal>

#include "tests/end_to_end/client.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/wait.h"

namespace arrowcdc::test {
namespace {

constexpr std::chrono::seconds kLimit(60);

class SyncStandbyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(server_, PrivateServer::Create({}));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect());
    ARROWCDC_ASSERT_OK(sql_->Exec("CREATE TABLE users (id bigint PRIMARY KEY)"));
    ARROWCDC_ASSERT_OK(RunCommand(*server_, "setup", {"--tables", "public.*"}));
    ARROWCDC_ASSERT_OK(server_->Set("synchronous_standby_names", "*"));
    ARROWCDC_ASSERT_OK(server_->Reload());
    const auto in_force = [&] { return sql_->Scalar("SHOW synchronous_standby_names").ValueOr("") == "*"; };
    ARROWCDC_ASSERT_OK(WaitFor(in_force, kLimit, "the setting"));
    ARROWCDC_ASSERT_OK(sql_->Exec("SET synchronous_commit = local"));
  }

  TemporaryDirectory files_;
  std::unique_ptr<PrivateServer> server_;
  std::unique_ptr<SqlConnection> sql_;
};

TEST_F(SyncStandbyTest, ASinkThatKeepsDataIsWarnedOf) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      auto child, Subprocess::Start(
                      Command(*server_, "stream", {"--sink", "parquet:" + (files_.path() / "p").string()})));
  ARROWCDC_ASSERT_OK(child->WaitForError("synchronous_standby_names", kLimit));
  ARROWCDC_ASSERT_OK(child->Signal(SIGTERM));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ExitState ended, child->Wait(kLimit));
  EXPECT_EQ(ended.code, 0) << child->error();
}

TEST_F(SyncStandbyTest, ASinkThatKeepsNothingIsNoStandby) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto child,
                                Subprocess::Start(Command(*server_, "stream", {"--sink", "console:ndjson"})));
  ARROWCDC_ASSERT_OK(child->WaitForError("\"from_lsn\"", kLimit));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO users VALUES (1)"));
  ARROWCDC_ASSERT_OK(WaitFor([&] { return !child->output().empty(); }, kLimit, "the row"));
  // The server has heard of it: its write position is beyond the row, the flush position is none.
  const auto heard = [&] {
    return sql_->Scalar("SELECT (write_lsn IS NOT NULL)::text FROM pg_stat_replication").ValueOr("") ==
           "true";
  };
  ARROWCDC_ASSERT_OK(WaitFor(heard, kLimit, "a status"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      const std::string state,
      sql_->Scalar("SELECT sync_state || ' ' || coalesce(flush_lsn::text, 'none') FROM pg_stat_replication"));
  EXPECT_EQ(state, "async none");
  EXPECT_EQ(child->error().find("synchronous_standby_names"), std::string::npos) << child->error();
}

}  // namespace
}  // namespace arrowcdc::test
