// A backlog of pgoutput read by SQL under fire: the client is killed while the server decodes, and between
// what it has stored and what the slot knows of it, and its sessions are ended. The files hold every row
// once.
#include <cstdio>

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "arrowcdc/position.h"
#include "tests/end_to_end/client.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/wait.h"

namespace arrowcdc::test {
namespace {

using std::chrono::seconds;

constexpr int kKills = 4;  // of a kind

class CatchUpTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(server_, PrivateServer::Create({}));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect());
    ARROWCDC_ASSERT_OK(
        sql_->Exec("CREATE TABLE w (id int PRIMARY KEY, body text); CREATE SCHEMA unread; "
                   "CREATE TABLE unread.filler (body text)"));
    ARROWCDC_ASSERT_OK(
        RunCommand(*server_, "setup", {"--tables", "public.*", "--yes", "--plugin", "pgoutput"}));
  }

  // More WAL than a chunk must be worth, in three transactions.
  void WriteBacklog() {
    for (int i = 0; i < 3; ++i) {
      ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO w SELECT g, 'body of ' || g FROM generate_series(" +
                                    std::to_string(rows_) + ", " + std::to_string(rows_ + 2999) + ") g"));
      ARROWCDC_ASSERT_OK(sql_->Exec("UPDATE w SET body = body || '!' WHERE id = " + std::to_string(rows_)));
      ARROWCDC_ASSERT_OK(
          sql_->Exec("INSERT INTO unread.filler SELECT repeat('x', 1000) FROM generate_series(1, 6000)"));
      rows_ += 3000;
    }
  }

  SubprocessOptions Stream(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"--tables",   "public.*", "--catch-up",
                                          "sql",        "--sink",   "parquet:" + files_.path().string(),
                                          "--snapshot", "never"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Command(*server_, "stream", std::move(arguments));
  }

  // The session that reads by SQL; empty: none.
  std::string Reader(const std::string& more) {
    const auto pid = sql_->Query(
        "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name = "
        "'arrowcdc' AND query LIKE 'COPY%' AND " +
        more);
    return pid.ok() && !pid->empty() ? *(*pid)[0][0] : "";
  }

  // What the files are complete up to; 0: nothing.
  uint64_t Stored() {
    std::ifstream file(files_.path() / "_arrowcdc_manifest.json");
    const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    const std::string name = "\"order\": \"";
    const size_t at = text.find(name);
    return at == std::string::npos ? 0 : std::stoull(text.substr(at + name.size()));
  }

  TemporaryDirectory files_;
  std::unique_ptr<PrivateServer> server_;
  std::unique_ptr<SqlConnection> sql_;
  int rows_ = 0;
};

TEST_F(CatchUpTest, RefusedWithMessages) {
  const auto refused = RunProgram(Stream({"--messages"}), std::chrono::seconds(60));
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.status().message().find("leave out one of them"), std::string::npos) << refused.status();
}

TEST_F(CatchUpTest, NothingLostNothingTwice) {
  int decoding = 0;
  int stored_ahead = 0;
  for (int round = 0; round < 3 * kKills; ++round) {
    ASSERT_NO_FATAL_FAILURE(WriteBacklog());
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const uint64_t before, ConfirmedFlush(*sql_));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto client, Subprocess::Start(Stream()));
    const auto at_the_moment = [&] {
      if (round % 3 == 1) return Stored() > before;
      return !Reader("state = 'active'").empty();
    };
    const arrow::Status came = WaitFor(at_the_moment, seconds(60), "a chunk");
    ASSERT_TRUE(came.ok()) << came << "\n" << client->error();
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const uint64_t slot, ConfirmedFlush(*sql_));
    if (round % 3 == 2) {
      // The stream has the rest, and the command ends as it should.
      const std::string reader = Reader("true");
      if (!reader.empty()) ARROWCDC_ASSERT_OK(sql_->Query("SELECT pg_terminate_backend(" + reader + ")"));
      ARROWCDC_ASSERT_OK(WaitFor([&] { return Stored() > before; }, seconds(60), "what follows"));
    }
    client->Kill();
    decoding += slot == before && Stored() <= before;
    stored_ahead += Stored() > slot;
  }
  std::printf("killed while the server decoded: %d, with more stored than the slot knew: %d\n", decoding,
              stored_ahead);
  EXPECT_GT(stored_ahead, 0);
  ARROWCDC_ASSERT_OK(RunProgram(Stream({"--until", "now"}), seconds(120)));
  ARROWCDC_ASSERT_OK(CompareReplay(*server_, files_.path(), {"public.w"}));
}

}  // namespace
}  // namespace arrowcdc::test
