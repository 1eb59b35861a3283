// What a replication session does by its slot's plugin: the options of START_REPLICATION, and messages to
// events.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/postgres.h"
#include "src/postgres/client/connection.h"
#include "src/postgres/decode/transaction_spool.h"
#include "src/postgres/decode/values/type_table.h"
#include "src/postgres/stream/message_queue.h"

namespace arrowcdc::postgres {

// One thread.
class PluginSession {
 public:
  virtual ~PluginSession() = default;

  // As they stand in parentheses.
  const std::string& start_options() const { return start_options_; }

  // A message of the stream; Next gives the events that it completes, in order. Errors: the decoder's. What
  // is there to be taken stays.
  virtual arrow::Status Take(const StreamMessage& message) = 0;
  // nullopt: there is none, or none yet, where has_more says so; then nothing else may be asked for before.
  // Errors: the decoder's, the spool's.
  virtual arrow::Result<std::optional<Event>> Next() = 0;
  virtual bool has_more() const = 0;

  // Rows are held for a batch, and until then at most; nullopt: none.
  virtual std::optional<std::chrono::steady_clock::time_point> flush_due() const { return std::nullopt; }
  // They become events.
  virtual arrow::Status Flush() { return arrow::Status::OK(); }

  // After an error, of Take or of the stream: the next session gets further with values as text.
  virtual bool WantsText(const arrow::Status& /*error*/) const { return false; }
  // Likewise, with transactions when they have committed.
  virtual bool WantsWholeTransactions(const arrow::Status& error) const = 0;

 protected:
  PluginSession(std::string start_options, uint32_t epoch)
      : start_options_(std::move(start_options)), epoch_(epoch) {}
  Event KeepaliveOf(const StreamMessage& message) const {
    return KeepaliveEvent{{epoch_, message.wal_end}, message.reply_requested};
  }

 private:
  const std::string start_options_;
  const uint32_t epoch_;  // of all positions, the timeline that the session streams
};

// in_progress: its spool outlives the session; without one transactions come when they have committed.
// with_tries: the options that a plugin may leave out are asked for, in a form that earlier plugins do not
// know: they refuse all of them (KnowsNoTries).
arrow::Result<std::unique_ptr<PluginSession>> MakeWal2arrowSession(
    const Connection& connection, const PostgresOptions& options,
    const std::vector<std::string>& publications, uint32_t epoch, InProgress in_progress, bool with_tries);

// Asks over `connection`, which must not stream afterwards: pgoutput would take what it has in its caches for
// what was there when the WAL was written. in_progress: as above. as_text: values as text, whatever their
// types are. Errors: those of queries.
arrow::Result<std::unique_ptr<PluginSession>> MakePgoutputSession(
    Connection& connection, const PostgresOptions& options, const std::vector<std::string>& publications,
    uint32_t epoch, InProgress in_progress, bool as_text);

// What the options say of values; MakePostgresSource has checked them.
ValueOptions ValueOptionsOf(const PostgresOptions& options);

// Settings of a new connection that is to stream. Errors: those of queries.
arrow::Status PreparePgoutput(Connection& connection);

// Whether START_REPLICATION was refused because the plugin is earlier than options that it may
// leave out.
bool KnowsNoTries(const arrow::Status& status);

// SQLSTATE of the warning by which PostgreSQL 18 tells that a publication which is not there yet, or any
// more, is passed over, with all that it would have sent.
inline constexpr char kPublicationSkipped[] = "55000";

// Kinds of pgoutput's messages that are followed by others: begin, origin, relation, type, and changes. It
// sends a transaction, or a block of one in progress, at once.
inline constexpr char kWithinTransaction[] = "BORYIUDTS";

}  // namespace arrowcdc::postgres
