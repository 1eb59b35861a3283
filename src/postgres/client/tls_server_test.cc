// TLS: what a certificate must be, and that a stream under TLS leaves no bytes lying in the library.
#include <unistd.h>

#include <gtest/gtest.h>

#include "src/postgres/client/connection.h"
#include "src/postgres/stream/replication_stream.h"
#include "src/postgres/testing/server_fixture.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/error_detail.h"
#include "tests/testing/subprocess.h"
#include "tests/testing/wait.h"

namespace arrowcdc::postgres {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::DetailOf;
using test::KindOf;

class TlsServer : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    test::PrivateServerOptions options;
    options.libraries = {};
    options.tcp = true;
    server_ = test::PrivateServer::Create(options).ValueOrDie();
    MakeCertificate("server");
    MakeCertificate("stranger");
    ARROWCDC_ASSERT_OK(server_->Set("ssl_cert_file", "server.crt"));
    ARROWCDC_ASSERT_OK(server_->Set("ssl_key_file", "server.key"));
    ARROWCDC_ASSERT_OK(server_->Set("ssl", "on"));
    ARROWCDC_ASSERT_OK(server_->Restart());
  }
  static void TearDownTestSuite() { server_.reset(); }

  // NAME.crt and NAME.key beside the data, self-signed for db.example.
  static void MakeCertificate(const std::string& name) {
    const auto key = server_->data_directory() / (name + ".key");
    const auto certificate = server_->data_directory() / (name + ".crt");
    ARROWCDC_ASSERT_OK(test::RunProgram(
        {.argv = {"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                  "/CN=db.example", "-keyout", key.string(), "-out", certificate.string()}}));
    const auto& user = server_->run_as();
    if (user.has_value()) {
      ASSERT_EQ(chown(key.c_str(), user->uid, user->gid), 0);
    }
  }

  static std::string Conninfo(const std::string& host, const std::string& authority) {
    return "hostaddr=127.0.0.1 dbname=postgres user=postgres port=" + std::to_string(server_->port()) +
           " host=" + host +
           " sslmode=verify-full sslrootcert=" + (server_->data_directory() / authority).string();
  }

  static std::unique_ptr<test::PrivateServer> server_;
};

std::unique_ptr<test::PrivateServer> TlsServer::server_;

TEST_F(TlsServer, Certificates) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto connection,
                                Connection::Open(Conninfo("db.example", "server.crt"), ConnectionMode::kSql));
  EXPECT_NE(PQsslInUse(connection->raw()), 0);
  for (const auto& [host, authority] :
       {std::pair{"other.example", "server.crt"}, std::pair{"db.example", "stranger.crt"},
        std::pair{"db.example", "missing.crt"}}) {
    const arrow::Status status = Connection::Open(Conninfo(host, authority), ConnectionMode::kSql).status();
    EXPECT_EQ(KindOf(status), ErrorKind::kTls) << status.ToString();
    EXPECT_FALSE(DetailOf(status).retryable());
  }
}

// What the server says before it closes the connection is told, and not the close alone, with which it comes.
TEST_F(TlsServer, ACopyThatTheServerEndsSaysWhy) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto connection,
                                Connection::Open(Conninfo("db.example", "server.crt"), ConnectionMode::kSql));
  const ErrorContext context = connection->MakeContext(ErrorContext::Action::kQuery);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const QueryResult own, connection->Query("SELECT pg_backend_pid()"));
  const std::string pid(own.Text(0, 0));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto other, server_->Connect());
  ARROWCDC_ASSERT_OK(connection
                         ->StartCopy("COPY (SELECT repeat('x', 1000), CASE WHEN i = 200 THEN "
                                     "pg_terminate_backend(pg_backend_pid()) END FROM generate_series(1, "
                                     "100000) AS i) TO STDOUT (FORMAT binary)",
                                     context)
                         .status());
  const auto is_gone = [&] {
    const auto left = other->Scalar("SELECT count(*) FROM pg_stat_activity WHERE pid = " + pid);
    return left.ok() && *left == "0";
  };
  ARROWCDC_ASSERT_OK(test::WaitFor(is_gone, std::chrono::seconds(30), "the server process to end"));
  arrow::Status ended;
  while (ended.ok()) {
    const auto copied = connection->NextCopied(context);
    ended = copied.status();
    ASSERT_FALSE(copied.ok() && !copied->has_value());
  }
  EXPECT_EQ(DetailOf(ended).sqlstate(), "57P01") << ended;
}

// Rows of all sizes round the buffers of libpq and of TLS, read through a small queue.
TEST_F(TlsServer, StreamUnderTlsIsComplete) {
  constexpr int kRows = 3000;
  auto sql = server_->Connect().ValueOrDie();
  ARROWCDC_ASSERT_OK(sql->Exec("CREATE TABLE t (a int, b text); ALTER TABLE t ALTER b SET STORAGE PLAIN"));
  ARROWCDC_ASSERT_OK(sql->Query("SELECT pg_create_logical_replication_slot('tls', 'test_decoding')"));
  ARROWCDC_ASSERT_OK(sql->Exec("INSERT INTO t SELECT i, repeat('x', i * 37 % 8000) FROM generate_series(1, " +
                               std::to_string(kRows) + ") AS i"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      auto connection, Connection::Open(Conninfo("db.example", "server.crt"), ConnectionMode::kReplication));
  const ErrorContext context = connection->MakeContext(ErrorContext::Action::kStream);
  // Without timeouts nothing but the data itself wakes the thread: bytes left lying would stay there.
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      const auto stream,
      ReplicationStream::Start(std::move(connection), "START_REPLICATION SLOT \"tls\" LOGICAL 0/0", context,
                               {.buffer_bytes_max = 50'000,
                                .status_interval = seconds(600),
                                .wal_sender_timeout = milliseconds(0)}));
  int rows = 0;
  const auto deadline = std::chrono::steady_clock::now() + seconds(30);
  while (rows < kRows && std::chrono::steady_clock::now() < deadline) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto message, stream->Next(milliseconds(100)));
    if (!message.has_value() || message->data == nullptr) continue;
    const std::string text = message->data->ToString().substr(25);
    if (text.rfind("table public.t: INSERT", 0) != 0) continue;
    ++rows;
    ASSERT_NE(text.find("a[integer]:" + std::to_string(rows) + " "), std::string::npos);
    ASSERT_EQ(
        std::count(text.begin() + static_cast<int64_t>(text.rfind('\'', text.size() - 2)), text.end(), 'x'),
        rows * 37 % 8000);
  }
  EXPECT_EQ(rows, kRows);
}

}  // namespace
}  // namespace arrowcdc::postgres
