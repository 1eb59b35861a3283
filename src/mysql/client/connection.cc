// The packets of a dump are read by the functions that libmariadb's own reader uses.
#include "src/mysql/client/connection.h"

#include <errmsg.h>
#include <fcntl.h>
#include <mysql.h>

#include <ma_pvio.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "arrowcdc/error.h"
#include "src/change/abandonable.h"
#include "src/change/password.h"

namespace arrowcdc::mysql {
namespace {

constexpr unsigned kConnectSeconds = 10;
constexpr unsigned kWriteSeconds = 60;
constexpr unsigned long kPacketBytesMax = 1UL << 30;

arrow::Status Interrupted(const std::string& server) {
  return MakeError(ErrorKind::kInterrupted, "stopped while waiting for the server", "server " + server, "");
}

SslMode ModeOf(const Url& url) {
  if (url.ssl_mode != SslMode::kDefault) return url.ssl_mode;
  return url.local() ? SslMode::kPreferred : SslMode::kVerifyIdentity;
}

void SetTls(MYSQL* mysql, const Url& url) {
  const SslMode mode = ModeOf(url);
  const my_bool on = 1;
  const my_bool off = 0;
  const bool verify = mode == SslMode::kVerifyIdentity;
  mysql_optionsv(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, verify ? &on : &off);
  if (mode == SslMode::kDisabled) return;
  // Without it the library does not ask for TLS, and with it it takes a server that has none, too.
  mysql_optionsv(mysql, MYSQL_OPT_SSL_ENFORCE, &on);
  if (!url.ssl_ca.empty()) mysql_optionsv(mysql, MYSQL_OPT_SSL_CA, url.ssl_ca.c_str());
  if (!url.ssl_cert.empty()) mysql_optionsv(mysql, MYSQL_OPT_SSL_CERT, url.ssl_cert.c_str());
  if (!url.ssl_key.empty()) mysql_optionsv(mysql, MYSQL_OPT_SSL_KEY, url.ssl_key.c_str());
}

bool IsEof(std::span<const uint8_t> packet) { return packet[0] == 0xfe && packet.size() < 9; }

const char* OrNull(const std::string& text) { return text.empty() ? nullptr : text.c_str(); }

using Handle = std::shared_ptr<MYSQL>;

arrow::Result<Handle> ConnectTo(const Url& url, unsigned read_seconds) {
  const Handle handle(mysql_init(nullptr), [](MYSQL* mysql) {
    if (mysql != nullptr) mysql_close(mysql);
  });
  MYSQL* const mysql = handle.get();
  if (mysql == nullptr) return arrow::Status::OutOfMemory("no memory for a connection");
  mysql_optionsv(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &kConnectSeconds);
  mysql_optionsv(mysql, MYSQL_OPT_READ_TIMEOUT, &read_seconds);
  mysql_optionsv(mysql, MYSQL_OPT_WRITE_TIMEOUT, &kWriteSeconds);
  mysql_optionsv(mysql, MYSQL_OPT_MAX_ALLOWED_PACKET, &kPacketBytesMax);
  mysql_optionsv(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
  if (!url.option_file.empty()) mysql_optionsv(mysql, MYSQL_READ_DEFAULT_FILE, url.option_file.c_str());
  mysql_optionsv(mysql, MYSQL_READ_DEFAULT_GROUP, "client");
  const my_bool off = 0;
  mysql_optionsv(mysql, MYSQL_OPT_RECONNECT, &off);
  // LOAD DATA LOCAL lets a server ask for files.
  const unsigned no_files = 0;
  mysql_optionsv(mysql, MYSQL_OPT_LOCAL_INFILE, &no_files);
  SetTls(mysql, url);
  const char* password = url.has_password ? url.password.c_str() : std::getenv("MYSQL_PWD");
  if (mysql_real_connect(mysql, OrNull(url.host), OrNull(url.user), password, nullptr, url.port,
                         OrNull(url.socket), 0) == nullptr) {
    return MakeServerError(mysql_errno(mysql), mysql_sqlstate(mysql), mysql_error(mysql), "could not connect",
                           url.server());
  }
  const bool needed = ModeOf(url) == SslMode::kRequired || ModeOf(url) == SslMode::kVerifyIdentity;
  if (needed && url.socket.empty() && mysql_get_ssl_cipher(mysql) == nullptr) {
    return MakeError(
        ErrorKind::kTls, "the server does not offer TLS", "server " + url.server(),
        "give the server a certificate (ssl_cert, ssl_key), or ask for less: ssl-mode=preferred");
  }
  return handle;
}

// Of a connection that stood: a link under TLS that ends or says nothing is lost like any other.
arrow::Status ErrorOf(MYSQL* mysql, const std::string& doing, const std::string& server) {
  const unsigned code = mysql_errno(mysql);
  return MakeServerError(code == CR_SSL_CONNECTION_ERROR ? CR_SERVER_LOST : code, mysql_sqlstate(mysql),
                         mysql_error(mysql), doing, server);
}

arrow::Result<Rows> RunQuery(MYSQL* mysql, const std::string& sql, const std::string& server) {
  const auto failed = [&] { return ErrorOf(mysql, "a query failed", server); };
  if (mysql_real_query(mysql, sql.data(), sql.size()) != 0) return failed();
  Rows rows;
  const std::unique_ptr<MYSQL_RES, decltype(&mysql_free_result)> result(mysql_store_result(mysql),
                                                                        &mysql_free_result);
  if (result == nullptr) {
    if (mysql_errno(mysql) != 0) return failed();
    return rows;
  }
  const unsigned columns = mysql_num_fields(result.get());
  while (MYSQL_ROW row = mysql_fetch_row(result.get())) {
    const unsigned long* const lengths = mysql_fetch_lengths(result.get());
    rows.emplace_back();
    for (unsigned i = 0; i < columns; ++i) {
      rows.back().push_back(row[i] == nullptr ? std::optional<std::string>()
                                              : std::string(row[i], lengths[i]));
    }
  }
  return rows;
}

}  // namespace

std::string QuoteText(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "'";
}

std::string QuoteName(std::string_view name) {
  std::string quoted = "`";
  for (const char c : name) quoted += c == '`' ? std::string("``") : std::string(1, c);
  return quoted + "`";
}

arrow::Result<std::unique_ptr<Connection>> Connection::Open(const Url& url, std::shared_ptr<StopToken> stop,
                                                            unsigned read_seconds) {
  // The library's global state is made once, before there are threads that connect.
  static const int initialized = mysql_server_init(0, nullptr, nullptr);
  if (initialized != 0)
    return MakeError(ErrorKind::kInternal, "libmariadb could not be initialized", "process", "");
  auto handle = RunAbandonable(stop.get(), [url, read_seconds] {
    return OpenWithPassword([&](const std::optional<std::string>& password) {
      Url with_password = url;
      if (!url.has_password && password.has_value()) {
        with_password.has_password = true;
        with_password.password = *password;
      }
      return ConnectTo(with_password, read_seconds);
    });
  });
  if (!handle.has_value()) return Interrupted(url.server());
  ARROW_ASSIGN_OR_RAISE(auto connected, *std::move(handle));
  std::unique_ptr<Connection> connection(
      new Connection(std::move(connected), url, std::move(stop), read_seconds));
  if (connection->socket_ < 0) {
    return MakeError(ErrorKind::kConnection,
                     std::string("no file descriptor is left: ") + std::strerror(errno),
                     "server " + url.server(), "raise the limit of open files (ulimit -n)", "", true);
  }
  ARROW_ASSIGN_OR_RAISE(connection->server_version_, connection->QueryValue("SELECT VERSION()"));
  connection->flavor_ =
      connection->server_version_.find("MariaDB") != std::string::npos ? Flavor::kMariadb : Flavor::kMysql;
  // Whatever the server's defaults are: how it and we quote, what the texts of times mean, and that all rows
  // of an answer come, however many there are and however long it takes.
  const bool is_mysql = connection->flavor_ == Flavor::kMysql;
  ARROW_RETURN_NOT_OK(
      connection
          ->Query(std::string("SET SESSION sql_mode = 'NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', "
                              "sql_select_limit = 18446744073709551615, sql_big_selects = 1, "
                              "sql_quote_show_create = 1, ") +
                  (is_mysql ? "max_execution_time = 0" : "max_statement_time = 0"))
          .status());
  // Primary keys that the server made are in the binary log, too. MySQL knows it from 8.0.30 on.
  if (is_mysql) (void)connection->Query("SET SESSION show_gipk_in_create_table_and_information_schema = 1");
  return connection;
}

Connection::Connection(std::shared_ptr<st_mysql> handle, const Url& url, std::shared_ptr<StopToken> stop,
                       unsigned read_seconds)
    : handle_(std::move(handle)),
      socket_(fcntl(mysql_get_socket(handle_.get()), F_DUPFD_CLOEXEC, 0)),
      stop_(std::move(stop)),
      read_seconds_(read_seconds),
      server_(url.server()) {
  if (url.host.empty() || url.port == 0) {
    const char* const host = handle_->host != nullptr ? handle_->host : "localhost";
    server_ = url.socket.empty() ? std::string(host) + ":" + std::to_string(handle_->port) : url.server();
  }
}

Connection::~Connection() {
  if (socket_ >= 0) close(socket_);
}

arrow::Result<Rows> Connection::Query(const std::string& sql) {
  auto rows = RunAbandonable(
      stop_.get(), [handle = handle_, sql, server = server_] { return RunQuery(handle.get(), sql, server); });
  if (rows.has_value()) return *std::move(rows);
  Interrupt();
  return Interrupted(server_);
}

arrow::Result<std::string> Connection::QueryValue(const std::string& sql) {
  ARROW_ASSIGN_OR_RAISE(const Rows rows, Query(sql));
  if (rows.size() != 1 || rows[0].size() != 1) {
    return MakeError(ErrorKind::kProtocol, "a query for one value gave another answer", "server " + server_,
                     "the server's version is not supported");
  }
  return rows[0][0].value_or("");
}

arrow::Result<std::optional<std::string>> Connection::Variable(const std::string& name) {
  ARROW_ASSIGN_OR_RAISE(const Rows rows, Query("SHOW GLOBAL VARIABLES LIKE " + QuoteText(name)));
  for (const auto& row : rows) {
    if (row.size() == 2 && row[0] == name) return row[1].value_or("");
  }
  return std::optional<std::string>();
}

arrow::Status Connection::LastError(const std::string& doing) const {
  return ErrorOf(handle_.get(), doing, server_);
}

arrow::Status Connection::BeginDump(int command, std::string_view arguments) {
  MYSQL* const mysql = handle_.get();
  // Whoever takes the packets knows how long none may come.
  mysql->options.read_timeout = 0;
  mysql->net.pvio->methods->set_timeout(mysql->net.pvio, PVIO_READ_TIMEOUT, 0);
  if (mysql->methods->db_command(mysql, static_cast<enum_server_command>(command), arguments.data(),
                                 arguments.size(), 1, nullptr) != 0) {
    return LastError("could not ask for the binary log");
  }
  return arrow::Status::OK();
}

arrow::Result<std::span<const uint8_t>> Connection::ReadPacket(const std::string& doing) {
  MYSQL* const mysql = handle_.get();
  errno = 0;
  const unsigned long length = mysql_net_read_packet(mysql);
  // An unsigned int, although lengths are long: compared with -1 an error would never be one.
  if (length == packet_error && errno == ETIMEDOUT) {
    return MakeError(ErrorKind::kConnection,
                     doing + ": nothing came for " + std::to_string(read_seconds_) + " s",
                     "server " + server_, "check network and server; it will be tried again", "", true);
  }
  if (length == packet_error) return LastError(doing);
  if (length == 0) {
    return MakeError(ErrorKind::kProtocol, "the server sent an empty packet", "server " + server_, "");
  }
  return std::span<const uint8_t>(mysql->net.read_pos, length);
}

arrow::Status Connection::BeginSelect(const std::string& sql, size_t columns) {
  constexpr std::string_view kDoing = "rows could not be selected";
  const std::string doing(kDoing);
  MYSQL* const mysql = handle_.get();
  statement_.reset();
  const std::shared_ptr<MYSQL_STMT> statement(mysql_stmt_init(mysql), [](MYSQL_STMT* stmt) {
    if (stmt != nullptr) mysql_stmt_close(stmt);
  });
  if (statement == nullptr) return arrow::Status::OutOfMemory("no memory for a statement");
  if (mysql_stmt_prepare(statement.get(), sql.data(), sql.size()) != 0) return LastError(doing);
  if (mysql_stmt_field_count(statement.get()) != columns) {
    return MakeError(ErrorKind::kProtocol, "a query gave another number of columns than it asked for",
                     "server " + server_, "");
  }
  // COM_STMT_EXECUTE: which, without a cursor, once.
  std::array<char, 9> execute = {};
  const auto id = static_cast<uint32_t>(statement->stmt_id);
  std::memcpy(execute.data(), &id, sizeof id);
  execute[5] = 1;
  if (mysql->methods->db_command(mysql, COM_STMT_EXECUTE, execute.data(), execute.size(), 1, nullptr) != 0)
    return LastError(doing);
  // How many columns, what they are, and the end of that: known already.
  ARROW_RETURN_NOT_OK(ReadPacket(doing).status());
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const auto packet, ReadPacket(doing));
    if (IsEof(packet)) break;
  }
  statement_ = statement;
  return arrow::Status::OK();
}

arrow::Result<std::optional<std::span<const uint8_t>>> Connection::NextRow() {
  ARROW_ASSIGN_OR_RAISE(const auto packet, ReadPacket("rows do not come any more"));
  if (!IsEof(packet)) return packet;
  statement_.reset();
  return std::optional<std::span<const uint8_t>>();
}

arrow::Result<std::optional<std::span<const uint8_t>>> Connection::NextPacket() {
  ARROW_ASSIGN_OR_RAISE(const auto whole, ReadPacket("the binary log does not come any more"));
  const uint8_t* const packet = whole.data();
  const size_t length = whole.size();
  if (IsEof(whole)) return std::optional<std::span<const uint8_t>>();
  if (packet[0] != 0) {
    return MakeError(ErrorKind::kProtocol,
                     "the server sent a packet of kind " + std::to_string(packet[0]) + " instead of an event",
                     "server " + server_, "this version does not know it");
  }
  return std::span<const uint8_t>(packet + 1, length - 1);
}

bool Connection::HasBytes() const {
  pollfd socket{mysql_get_socket(handle_.get()), POLLIN, 0};
  return poll(&socket, 1, 0) > 0;
}

void Connection::Interrupt() { (void)shutdown(socket_, SHUT_RDWR); }

std::optional<std::chrono::milliseconds> Connection::SinceBytes() const {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (getsockopt(socket_, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
  return std::chrono::milliseconds(info.tcpi_last_data_recv);
}

bool Connection::encrypted() const { return mysql_get_ssl_cipher(handle_.get()) != nullptr; }

}  // namespace arrowcdc::mysql
