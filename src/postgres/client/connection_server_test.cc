// Connections and the errors of a real server: every refusal is provoked, not made up.
#include "src/postgres/client/connection.h"

#include <gtest/gtest.h>

#include "src/postgres/testing/server_fixture.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/error_detail.h"

namespace arrowcdc::postgres {
namespace {

using test::DetailOf;
using test::KindOf;
using test::kNoLibraries;
using test::Server;
using Action = ErrorContext::Action;

arrow::Status OpenStatus(const std::string& conninfo, ConnectionMode mode = ConnectionMode::kSql) {
  return Connection::Open(conninfo, mode).status();
}

// An error of `sql` in an SQL connection.
arrow::Status QueryStatus(const std::string& conninfo, const std::string& sql, Action action) {
  ARROW_ASSIGN_OR_RAISE(const auto connection, Connection::Open(conninfo, ConnectionMode::kSql));
  ErrorContext context = connection->MakeContext(action);
  context.slot = "s";
  context.publications = {"p"};
  return connection->Query(sql, context).status();
}

class ConnectionServer : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto sql = Server().Connect().ValueOrDie();
    for (const char* statement :
         {"CREATE ROLE plain LOGIN", "CREATE ROLE cdc LOGIN REPLICATION",
          "CREATE TABLE t (a int PRIMARY KEY)", "CREATE DATABASE other",
          "ALTER ROLE cdc SET statement_timeout = '1ms'", "ALTER ROLE cdc SET idle_session_timeout = '1min'",
          "ALTER ROLE cdc SET default_transaction_read_only = on",
          "SELECT pg_create_physical_replication_slot('physical')"}) {
      ARROWCDC_ASSERT_OK(sql->Exec(statement));
    }
  }
  static std::string As(const std::string& role) { return Server().conninfo() + " user=" + role; }
};

// A second connection is to the server of the first one, whatever the connection string could lead to.
TEST_F(ConnectionServer, OneServerOfSeveral) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto other, test::PrivateServer::Create({.libraries = {}}));
  const auto both = [](const std::string& first, const std::string& second) {
    return "host=" + first + "," + second + " port=5432,5432 user=postgres dbname=postgres";
  };
  const std::string ours = Server().directory().string();
  const std::string theirs = other->directory().string();
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto first, Connection::Open(both(ours, theirs), ConnectionMode::kSql));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ServerPlace place, first->ReadPlace());
  EXPECT_EQ(place.host, ours);
  const auto system = [](Connection& connection) {
    return connection.Query("SELECT system_identifier FROM pg_control_system()").ValueOrDie().Text(0, 0);
  };
  for (const ConnectionMode mode : {ConnectionMode::kSql, ConnectionMode::kReplication}) {
    // The other order, as a list that libpq shuffles, or a name that was moved.
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto second, Connection::OpenAt(place, both(theirs, ours), mode));
    EXPECT_EQ(system(*second), system(*first));
  }
  // What answers there now is another server, or the same one in another life.
  ServerPlace moved = place;
  moved.host = theirs;
  const arrow::Status refused = Connection::OpenAt(moved, both(ours, theirs), ConnectionMode::kSql).status();
  EXPECT_EQ(KindOf(refused), ErrorKind::kConnection) << refused.ToString();
  EXPECT_TRUE(DetailOf(refused).retryable());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto before,
                                Connection::Open(both(theirs, ours), ConnectionMode::kSql));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const ServerPlace life, before->ReadPlace());
  ARROWCDC_ASSERT_OK(other->Restart());
  EXPECT_EQ(KindOf(Connection::OpenAt(life, both(theirs, ours), ConnectionMode::kSql).status()),
            ErrorKind::kConnection);
}

TEST_F(ConnectionServer, SettingsArePinnedBehindABackslash) {
  const std::map<std::string, std::string> names = {
      {R"(-c my.name=a\\)", "a"},         // conninfo halves them: a lone one, ignored
      {R"(-c my.name=b\\\\)", "b\\"},     // an escaped one
      {R"(-c my.name=c\\\\\\)", "c\\"}};  // both
  for (const auto& [settings, name] : names) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(
        const auto connection,
        Connection::Open(As("cdc") + " options='" + settings + "'", ConnectionMode::kSql));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(
        const auto rows,
        connection->Query("SELECT current_setting('my.name'), current_setting('search_path')"));
    EXPECT_EQ(rows.Text(0, 1), "") << settings;
    EXPECT_EQ(rows.Text(0, 0), name) << settings;
  }
}

TEST_F(ConnectionServer, SettingsArePinned) {
  for (const ConnectionMode mode : {ConnectionMode::kSql, ConnectionMode::kReplication}) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto connection, Connection::Open(As("cdc"), mode));
    for (const auto& [name, value] :
         std::map<std::string, std::string>{{"statement_timeout", "0"},
                                            {"idle_session_timeout", "0"},
                                            {"transaction_read_only", "off"},
                                            {"transaction_isolation", "read committed"},
                                            {"search_path", ""},
                                            {"row_security", "off"},
                                            {"application_name", "arrowcdc"},
                                            {"client_encoding", "UTF8"}}) {
      ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto rows,
                                    connection->Query("SELECT current_setting('" + name + "')"));
      EXPECT_EQ(rows.Text(0, 0), value) << name;
    }
    // In force from the start: a SET could be cancelled by what it is to change.
    ARROWCDC_ASSERT_OK_AND_ASSIGN(
        const auto source,
        connection->Query("SELECT source FROM pg_catalog.pg_settings WHERE name = 'statement_timeout'"));
    EXPECT_EQ(source.Text(0, 0), "client");
    EXPECT_GE(connection->server_version(), 150000);
  }
}

TEST_F(ConnectionServer, AUsersOptionsHoldButForWhatIsPinned) {
  for (const ConnectionMode mode : {ConnectionMode::kSql, ConnectionMode::kReplication}) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(
        const auto connection,
        Connection::Open(As("cdc") + R"( options='-c work_mem=5MB -c statement_timeout=1ms')", mode));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(
        const auto rows,
        connection->Query("SELECT current_setting('work_mem'), current_setting('statement_timeout')"));
    EXPECT_EQ(rows.Text(0, 0), "5MB");
    EXPECT_EQ(rows.Text(0, 1), "0");
  }
}

TEST_F(ConnectionServer, RefusedConnections) {
  struct {
    std::string conninfo;
    ConnectionMode mode;
    ErrorKind kind;
    const char* sqlstate;
    bool retryable;
  } const cases[] = {
      {As("nobody"), ConnectionMode::kSql, ErrorKind::kAuthentication, "28000", false},
      {Server().conninfo() + " dbname=nodb", ConnectionMode::kSql, ErrorKind::kInvalidOption, "3D000", false},
      {As("plain"), ConnectionMode::kReplication, ErrorKind::kPermission, "42501", false},
      {Server().conninfo() + " host=/nonexistent", ConnectionMode::kSql, ErrorKind::kConnection, "", true},
      {Server().conninfo() + " sslmode=bogus", ConnectionMode::kSql, ErrorKind::kInvalidOption, "", false},
      {"host=127.0.0.1 port=1", ConnectionMode::kSql, ErrorKind::kConnection, "", true},
      {"host=127.0.0.1,127.0.0.2 port=1", ConnectionMode::kSql, ErrorKind::kConnection, "", true},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.conninfo);
    const arrow::Status status = OpenStatus(c.conninfo, c.mode);
    EXPECT_EQ(KindOf(status), c.kind) << status.ToString();
    EXPECT_EQ(DetailOf(status).sqlstate(), c.sqlstate);
    EXPECT_EQ(DetailOf(status).retryable(), c.retryable);
  }
}

TEST_F(ConnectionServer, SlotErrors) {
  const std::string create = "SELECT pg_create_logical_replication_slot('s', ";
  const std::string nothing_installed =
      Server().conninfo() + " options='-c dynamic_library_path=" + kNoLibraries + "'";
  EXPECT_EQ(KindOf(QueryStatus(nothing_installed, create + "'wal2arrow')", Action::kCreateSlot)),
            ErrorKind::kPluginMissing);
  EXPECT_EQ(KindOf(QueryStatus(As("plain"), create + "'pgoutput')", Action::kCreateSlot)),
            ErrorKind::kPermission);
  EXPECT_EQ(
      KindOf(QueryStatus(Server().conninfo(), "SELECT pg_drop_replication_slot('s')", Action::kDropSlot)),
      ErrorKind::kSlotMissing);
  EXPECT_EQ(KindOf(QueryStatus(Server().conninfo(),
                               "SELECT * FROM pg_logical_slot_peek_binary_changes('physical', NULL, NULL)",
                               Action::kStream)),
            ErrorKind::kSlotMismatch);
}

TEST_F(ConnectionServer, PluginNotAllowed) {
  const arrow::Status status = QueryStatus(
      As("cdc"), "SELECT pg_create_logical_replication_slot('s', 'wal2json')", Action::kCreateSlot);
  if (status.message().find("could not access file") != std::string::npos)
    GTEST_SKIP() << "this server has no output_plugin_libraries";
  EXPECT_EQ(KindOf(status), ErrorKind::kPluginNotAllowed) << status.ToString();
  EXPECT_EQ(
      KindOf(QueryStatus(As("cdc"), "ALTER ROLE cdc SET output_plugin_libraries = 'pgoutput', 'wal2arrow'",
                         Action::kQuery)),
      ErrorKind::kPluginNotAllowed);
}

TEST_F(ConnectionServer, PublicationErrors) {
  EXPECT_NE(
      DetailOf(QueryStatus(As("plain"), "CREATE PUBLICATION p FOR TABLE public.t", Action::kPublication))
          .remedy()
          .find("GRANT CREATE"),
      std::string::npos);
  auto sql = Server().Connect().ValueOrDie();
  ARROWCDC_ASSERT_OK(sql->Exec("GRANT CREATE ON DATABASE postgres TO plain"));
  EXPECT_NE(
      DetailOf(QueryStatus(As("plain"), "CREATE PUBLICATION p FOR TABLE public.t", Action::kPublication))
          .remedy()
          .find("owner"),
      std::string::npos);
  EXPECT_EQ(KindOf(QueryStatus(Server().conninfo(), "DROP PUBLICATION p", Action::kPublication)),
            ErrorKind::kPublicationMissing);
}

TEST_F(ConnectionServer, PasswordsAreAskedForAndNeverRepeated) {
  test::PrivateServerOptions options;
  options.libraries = {};
  options.tcp = true;
  options.hba = "local all all trust\nhost all limited 127.0.0.1/32 scram-sha-256\n";
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto server, test::PrivateServer::Create(options));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto sql, server->Connect());
  ARROWCDC_ASSERT_OK(sql->Exec("CREATE ROLE limited LOGIN PASSWORD 'right'; CREATE ROLE unlisted LOGIN"));
  const std::string tcp = "host=127.0.0.1 dbname=postgres port=" + std::to_string(server->port());
  const arrow::Status wrong = OpenStatus(tcp + " user=limited password=hunter2");
  EXPECT_EQ(KindOf(wrong), ErrorKind::kAuthentication);
  EXPECT_EQ(DetailOf(wrong).sqlstate(), "28P01");
  EXPECT_EQ(wrong.ToString().find("hunter2"), std::string::npos);
  EXPECT_EQ(KindOf(OpenStatus(tcp + " user=limited passfile=/nonexistent")), ErrorKind::kAuthentication);
  ARROWCDC_EXPECT_OK(OpenStatus(tcp + " user=limited password=right"));
  const arrow::Status hba = OpenStatus(tcp + " user=unlisted");
  EXPECT_EQ(KindOf(hba), ErrorKind::kAuthentication);
  EXPECT_NE(DetailOf(hba).remedy().find("pg_hba.conf"), std::string::npos);
  // No TLS on this server.
  EXPECT_EQ(KindOf(OpenStatus(tcp + " user=limited password=right sslmode=require")), ErrorKind::kTls);
  EXPECT_EQ(
      KindOf(OpenStatus(tcp + " user=limited password=right sslmode=verify-full sslrootcert=/nonexistent")),
      ErrorKind::kTls);
}

TEST_F(ConnectionServer, LockTimeoutIsRetryable) {
  auto holder = Server().Connect().ValueOrDie();
  ARROWCDC_ASSERT_OK(holder->Exec("BEGIN; LOCK TABLE t"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto connection,
                                Connection::Open(Server().conninfo(), ConnectionMode::kSql));
  ARROWCDC_ASSERT_OK(connection->Query("SET lock_timeout = '10ms'"));
  const arrow::Status status = connection->Query("ALTER TABLE public.t ADD COLUMN b int").status();
  EXPECT_EQ(KindOf(status), ErrorKind::kBusy);
  EXPECT_TRUE(DetailOf(status).retryable());
}

TEST_F(ConnectionServer, TerminatedBackendIsAConnectionError) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto connection,
                                Connection::Open(Server().conninfo(), ConnectionMode::kSql));
  const arrow::Status first = connection->Query("SELECT pg_terminate_backend(pg_backend_pid())").status();
  EXPECT_EQ(KindOf(first), ErrorKind::kConnection) << first.ToString();
  EXPECT_TRUE(DetailOf(first).retryable());
  EXPECT_EQ(KindOf(connection->Query("SELECT 1").status()), ErrorKind::kConnection);
}

}  // namespace
}  // namespace arrowcdc::postgres
