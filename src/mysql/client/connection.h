// One connection by libmariadb: SQL with answers of text, or, once begun, a dump of the binlog packet by
// packet. Nothing of it is copied from libmariadb's own reader of binlogs, which cannot read all rows.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/stop_token.h"
#include "src/mysql/client/url.h"
#include "src/mysql/decode/flavor.h"

struct st_mysql;

namespace arrowcdc::mysql {

// An answer's rows; none: NULL.
using Rows = std::vector<std::vector<std::optional<std::string>>>;

// In single quotes, for our own connections, which have no NO_BACKSLASH_ESCAPES.
std::string QuoteText(std::string_view text);
// In backticks.
std::string QuoteName(std::string_view name);

// An answer's first row may take long.
inline constexpr unsigned kQuerySecondsMax = 60;

// One thread at a time, but for Interrupt.
class Connection {
 public:
  // Blocking: the connection, up to 10 s, name resolution as long as it takes; `stop` (may be null) ends it.
  // read_seconds: a connection on which nothing comes for so long, while something is waited for, is lost.
  // Errors: kConnection, kAuthentication, kTls; kInterrupted.
  static arrow::Result<std::unique_ptr<Connection>> Open(const Url& url, std::shared_ptr<StopToken> stop,
                                                         unsigned read_seconds = kQuerySecondsMax);
  ~Connection();

  // Errors: as the server's, see MakeServerError.
  arrow::Result<Rows> Query(const std::string& sql);
  // The value of the one row with one column; empty where that is NULL. Errors: kProtocol where it is not so.
  arrow::Result<std::string> QueryValue(const std::string& sql);
  // nullopt: the server does not know that variable, or the role may not see it.
  arrow::Result<std::optional<std::string>> Variable(const std::string& name);

  // COM_BINLOG_DUMP (18) or COM_BINLOG_DUMP_GTID (30); packets follow, for which NextPacket waits for ever.
  arrow::Status BeginDump(int command, std::string_view arguments);
  // The next event, without the byte that says it is one; lasts until the next call. nullopt: the server has
  // no more. Blocking: until there is one.
  arrow::Result<std::optional<std::span<const uint8_t>>> NextPacket();
  // Bytes wait in the socket.
  bool HasBytes() const;
  // Runs a SELECT of so many columns, whose rows come in the binary protocol. Errors: as Query's.
  arrow::Status BeginSelect(const std::string& sql, size_t columns);
  // Its next row's packet; lasts until the next call. nullopt: they were all. Blocking: until there is one.
  arrow::Result<std::optional<std::span<const uint8_t>>> NextRow();
  // From any thread: what waits for the server ends with an error, for good.
  void Interrupt();
  // From any thread: for how long no byte has come; none: of a local socket that is not known.
  std::optional<std::chrono::milliseconds> SinceBytes() const;

  Flavor flavor() const { return flavor_; }
  const std::string& server_version() const { return server_version_; }
  const std::string& server() const { return server_; }  // for messages
  bool encrypted() const;

 private:
  Connection(std::shared_ptr<st_mysql> handle, const Url& url, std::shared_ptr<StopToken> stop,
             unsigned read_seconds);
  arrow::Status LastError(const std::string& doing) const;
  arrow::Result<std::span<const uint8_t>> ReadPacket(const std::string& doing);

  // Shared with a call that nobody waits for any more.
  std::shared_ptr<st_mysql> handle_;
  // Its socket, for Interrupt: the library closes and frees its own where a read fails, in another thread.
  const int socket_;
  const std::shared_ptr<StopToken> stop_;
  const unsigned read_seconds_;
  std::string server_;
  std::string server_version_;
  Flavor flavor_ = Flavor::kMysql;
  std::shared_ptr<void> statement_;  // whose rows come
};

// What the server or the client library reports, by its number. `doing`: "could not connect".
arrow::Status MakeServerError(unsigned code, const std::string& sqlstate, const std::string& text,
                              const std::string& doing, const std::string& server);

}  // namespace arrowcdc::mysql
