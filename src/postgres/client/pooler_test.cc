// Through a real PgBouncer (ARROWCDC_PGBOUNCER, which tools/pooler_test.sh fetches): what cannot work is
// recognised by name. Debian 12's is 1.18.
#include <gtest/gtest.h>
#include <libpq-fe.h>

#include <cstdlib>
#include <fstream>

#include "arrowcdc/postgres.h"
#include "src/postgres/client/connection.h"
#include "src/postgres/testing/server_fixture.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/error_detail.h"
#include "tests/testing/wait.h"

namespace arrowcdc::postgres {
namespace {

using test::DetailOf;
using test::KindOf;
using test::Server;
using test::Subprocess;

// In front of the shared server, in session mode, with what a user may have added to its settings.
class Pooler {
 public:
  explicit Pooler(const std::string& settings) : directory_(Server().directory() / "pooler") {
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directory(directory_);
    std::ofstream(directory_ / "users") << "\"postgres\" \"\"\n";
    std::ofstream(directory_ / "pgbouncer.ini")
        << "[databases]\n* = host=" << Server().directory().string() << " port=" << Server().port()
        << "\n[pgbouncer]\nlisten_addr =\nunix_socket_dir = " << directory_.string()
        << "\nlisten_port = 5432\nauth_type = trust\nauth_file = " << (directory_ / "users").string()
        << "\npool_mode = session\n"
        << settings;
    std::filesystem::permissions(directory_, std::filesystem::perms::all);
    test::SubprocessOptions options;
    options.argv = {std::getenv("ARROWCDC_PGBOUNCER"), (directory_ / "pgbouncer.ini").string()};
    options.run_as = Server().run_as();
    process_ = Subprocess::Start(options).ValueOrDie();
    // Its socket is in the directory before it listens there.
    const auto listens = [&] { return PQping(conninfo().c_str()) == PQPING_OK; };
    EXPECT_TRUE(test::WaitFor(listens, std::chrono::seconds(30), "the pooler").ok()) << process_->error();
  }

  std::string conninfo() const {
    return "host=" + directory_.string() + " port=5432 user=postgres dbname=postgres";
  }

 private:
  const std::filesystem::path directory_;
  std::unique_ptr<Subprocess> process_;
};

arrow::Status SetupStatus(const std::string& conninfo) {
  PostgresOptions source;
  source.conninfo = conninfo;
  ARROW_ASSIGN_OR_RAISE(const SetupPlan plan, PlanSetup(source, {}));
  return CheckObstacles(plan);
}

arrow::Status StreamStatus(const std::string& conninfo) {
  PostgresOptions source;
  source.conninfo = conninfo;
  return MakePostgresSource(source).ValueOrDie()->Connect().status();
}

TEST(PoolerTest, IsRecognised) {
  const Pooler pooler("");
  const arrow::Status stream = StreamStatus(pooler.conninfo());
  EXPECT_EQ(KindOf(stream), ErrorKind::kUnsupported) << stream.ToString();
  EXPECT_NE(DetailOf(stream).remedy().find("PgBouncer"), std::string::npos) << DetailOf(stream).remedy();
  EXPECT_NE(DetailOf(stream).remedy().find("connect to the server itself"), std::string::npos);
  const arrow::Status setup = SetupStatus(pooler.conninfo());
  EXPECT_EQ(KindOf(setup), ErrorKind::kUnsupported) << setup.ToString();
  EXPECT_NE(DetailOf(setup).remedy().find("PgBouncer"), std::string::npos) << DetailOf(setup).remedy();
}

// What the session was to begin with is dropped without a word: its queries would mean something else.
TEST(PoolerTest, ThatDropsSettingsIsRefused) {
  const Pooler pooler("ignore_startup_parameters = options\n");
  const arrow::Status setup = SetupStatus(pooler.conninfo());
  EXPECT_EQ(KindOf(setup), ErrorKind::kUnsupported) << setup.ToString();
  EXPECT_NE((setup.message() + DetailOf(setup).remedy()).find("PgBouncer"), std::string::npos)
      << setup.ToString();
  const arrow::Status stream = StreamStatus(pooler.conninfo());
  EXPECT_NE(DetailOf(stream).remedy().find("PgBouncer"), std::string::npos) << stream.ToString();
}

// An ordinary session comes of it.
TEST(PoolerTest, ThatSwallowsReplicationIsRefused) {
  const Pooler pooler("ignore_startup_parameters = options, replication\n");
  const arrow::Status stream = StreamStatus(pooler.conninfo());
  EXPECT_EQ(KindOf(stream), ErrorKind::kUnsupported) << stream.ToString();
  EXPECT_NE(DetailOf(stream).remedy().find("connect to the server itself"), std::string::npos);
}

}  // namespace
}  // namespace arrowcdc::postgres
