// wal2arrow sends batches, pgoutput rows.
#include "src/postgres/stream/plugin_session.h"

#include <utility>

#include "arrowcdc/error.h"
#include "format/frame.h"
#include "format/replication_message.h"
#include "src/postgres/client/connection_options.h"
#include "src/postgres/client/quoting.h"
#include "src/postgres/client/text_as_it_is.h"
#include "src/postgres/client/value_settings.h"
#include "src/postgres/decode/pgoutput/pgoutput_decoder.h"
#include "src/postgres/decode/values/binary_cursor.h"
#include "src/postgres/decode/wal2arrow/wal2arrow_decoder.h"
#include "src/postgres/setup/published_tables.h"
#include "src/postgres/setup/sql_relation_catalog.h"
#include "src/postgres/setup/sql_type_catalog.h"
#include "src/postgres/stream/message_run.h"

namespace arrowcdc::postgres {
namespace {

using Clock = std::chrono::steady_clock;

// How long a row waits for more of them.
constexpr std::chrono::milliseconds kRowWaitMax(20);
// A type without a send function, where the server is asked for the binary form of it.
constexpr char kUndefinedFunction[] = "42883";
// Where changes may wait: files of rows with many columns take a fifth less of the client's time then.
constexpr char kLargeBatches[] = ", batch_bytes '1048576'";
constexpr char kInvalidParameterValue[] = "22023";

// Warnings too, since one of them ends the stream.
constexpr char kWarnings[] = "; SET client_min_messages = 'warning'";

constexpr char kNumericDefault[] = "text";

class Wal2arrowSession : public PluginSession {
 public:
  Wal2arrowSession(std::string start_options, uint32_t epoch, InProgress in_progress)
      : PluginSession(std::move(start_options), epoch),
        decoder_(arrow::default_memory_pool(), epoch, kPayloadBytesMax, std::move(in_progress)) {}

  arrow::Status Take(const StreamMessage& message) override {
    if (message.data == nullptr) {
      event_ = KeepaliveOf(message);
      return arrow::Status::OK();
    }
    return decoder_.Decode(message.data, format::kXLogDataHeaderBytes).Value(&event_);
  }

  arrow::Result<std::optional<Event>> Next() override {
    if (event_.has_value()) return std::exchange(event_, std::nullopt);
    return decoder_.Next();
  }
  bool has_more() const override { return event_.has_value() || decoder_.has_more(); }

  bool WantsWholeTransactions(const arrow::Status& error) const override {
    const ErrorDetail* const detail = GetErrorDetail(error);
    return detail != nullptr && detail->sqlstate() == format::kCatalogLost;
  }

 private:
  Wal2arrowDecoder decoder_;
  std::optional<Event> event_;
};

class PgoutputSession : public PluginSession {
 public:
  PgoutputSession(std::string start_options, uint32_t epoch, const PostgresOptions& options,
                  ServerPlace server, InProgress in_progress, bool binary)
      : PluginSession(std::move(start_options), epoch),
        streams_(in_progress.spool != nullptr),
        catalog_(options.conninfo, std::move(server), options.stop),
        decoder_(arrow::default_memory_pool(), epoch, &catalog_,
                 {.values = ValueOptionsOf(options), .foreign_origins = options.origin == Origin::kAny},
                 std::move(in_progress)),
        binary_(binary) {}

  arrow::Status Take(const StreamMessage& message) override {
    if (message.data == nullptr) {
      // Its position counts for all that came before.
      ARROW_RETURN_NOT_OK(Flush());
      keepalive_ = KeepaliveOf(message);
      return arrow::Status::OK();
    }
    if (message.is_run) {
      run_ = MessageRun::Reader(message.data);
      return arrow::Status::OK();
    }
    const std::string_view bytes(reinterpret_cast<const char*>(message.data->data()),
                                 static_cast<size_t>(message.data->size()));
    ARROW_RETURN_NOT_OK(decoder_.Decode(bytes.substr(format::kXLogDataHeaderBytes),
                                        LoadBigEndian<uint64_t>(bytes.data() + format::kDataStartAt)));
    NoteHeld();
    return arrow::Status::OK();
  }

  arrow::Result<std::optional<Event>> Next() override {
    if (!run_.AtEnd() && !decoder_.has_more()) ARROW_RETURN_NOT_OK(DecodeRun());
    ARROW_ASSIGN_OR_RAISE(auto event, decoder_.Next());
    if (event.has_value() || decoder_.has_more()) return event;
    return std::exchange(keepalive_, std::nullopt);
  }
  bool has_more() const override { return decoder_.has_more() || keepalive_.has_value() || !run_.AtEnd(); }

  std::optional<Clock::time_point> flush_due() const override {
    if (!held_since_.has_value()) return std::nullopt;
    return *held_since_ + kRowWaitMax;
  }

  arrow::Status Flush() override {
    held_since_ = std::nullopt;
    return decoder_.Flush();
  }

  bool WantsText(const arrow::Status& error) const override {
    const ErrorDetail* const detail = GetErrorDetail(error);
    return binary_ &&
           (decoder_.needs_text() || (detail != nullptr && detail->sqlstate() == kUndefinedFunction));
  }
  // Of a transaction in progress the server may read by what another one left in its caches, and fail with an
  // error that it calls internal: a table that the transaction itself has made seems to lack columns.
  bool WantsWholeTransactions(const arrow::Status& error) const override {
    const ErrorDetail* const detail = GetErrorDetail(error);
    return decoder_.needs_whole_transactions() ||
           (streams_ && detail != nullptr && detail->sqlstate().starts_with("XX"));
  }

 private:
  // Up to an event.
  arrow::Status DecodeRun() {
    while (!run_.AtEnd() && !decoder_.has_more()) {
      uint64_t lsn = 0;
      const std::string_view message = run_.Next(&lsn);
      ARROW_RETURN_NOT_OK(decoder_.Decode(message, lsn));
    }
    NoteHeld();
    return arrow::Status::OK();
  }

  void NoteHeld() {
    if (!decoder_.holds()) {
      held_since_ = std::nullopt;
    } else if (!held_since_.has_value()) {
      held_since_ = Clock::now();
    }
  }

  const bool streams_;  // transactions in progress
  SqlRelationCatalog catalog_;
  PgoutputDecoder decoder_;
  const bool binary_;
  MessageRun::Reader run_;
  std::optional<Clock::time_point> held_since_;
  std::optional<Event> keepalive_;
};

arrow::Result<std::string> QuotedNames(const std::vector<std::string>& publications) {
  ARROW_ASSIGN_OR_RAISE(const std::string names, JoinIdentifiers(publications));
  return QuoteReplicationLiteral(names);
}

// Whether every value will be understood in its binary form: the server sends that of any type that has one.
arrow::Result<bool> ReadsBinary(Connection& connection, const ValueOptions& options,
                                const std::vector<std::string>& publications) {
  ARROW_ASSIGN_OR_RAISE(const auto types, ReadPublishedTypes(connection, publications));
  SqlTypeCatalog catalog(&connection);
  for (const auto& [type, typmod] : types) {
    ARROW_ASSIGN_OR_RAISE(const MappedType mapped, MapType(type, typmod, options, &catalog));
    if (!mapped.reads_binary) return false;
  }
  return true;
}

}  // namespace

arrow::Result<std::unique_ptr<PluginSession>> MakeWal2arrowSession(
    const Connection& connection, const PostgresOptions& options,
    const std::vector<std::string>& publications, uint32_t epoch, InProgress in_progress, bool with_tries) {
  ARROW_ASSIGN_OR_RAISE(const std::string names, QuotedNames(publications));
  if (!with_tries) in_progress.spool = nullptr;
  const std::string codec = ServerCodec(options.compression, connection.is_local());
  const bool streams = in_progress.spool != nullptr;
  const auto delay = options.latency.value_or(std::chrono::milliseconds(0));
  const bool as_text = options.unrepresentable == Unrepresentable::kText;
  return std::make_unique<Wal2arrowSession>(
      "proto_min '1', proto_max '1', publication_names " + names +
          (options.batching ? ", batching 'on'" : "") + (options.drain ? "" : ", drain 'off'") +
          (codec.empty() ? "" : ", compression '" + codec + "'") +
          (options.numeric == kNumericDefault ? "" : ", numeric '" + options.numeric + "'") +
          (as_text ? ", unrepresentable 'text'" : "") +
          // An older plugin knows neither, and would send too much or too little.
          (options.origin == Origin::kNone ? ", origin 'none'" : "") +
          (options.messages ? ", messages 'on'" : "") + (streams ? ", try_streaming 'on'" : "") +
          (with_tries && delay.count() > 0 ? ", try_max_delay '" + std::to_string(delay.count()) + "'" : "") +
          (delay.count() > 0 ? kLargeBatches : ""),
      epoch, std::move(in_progress));
}

bool KnowsNoTries(const arrow::Status& status) {
  const ErrorDetail* const detail = GetErrorDetail(status);
  return detail != nullptr && detail->sqlstate() == kInvalidParameterValue &&
         status.message().find("wal2arrow has no option \"try_") != std::string::npos;
}

arrow::Result<std::unique_ptr<PluginSession>> MakePgoutputSession(
    Connection& connection, const PostgresOptions& options, const std::vector<std::string>& publications,
    uint32_t epoch, InProgress in_progress, bool as_text) {
  constexpr int kHasOrigin = 160000;
  ARROW_ASSIGN_OR_RAISE(const std::string names, QuotedNames(publications));
  bool binary = false;
  if (!as_text) {
    ARROW_ASSIGN_OR_RAISE(binary, ReadsBinary(connection, ValueOptionsOf(options), publications));
  }
  ARROW_ASSIGN_OR_RAISE(ServerPlace server, connection.ReadPlace());
  const char* const protocol =
      in_progress.spool != nullptr ? "proto_version '2', streaming 'on'" : "proto_version '1'";
  const char* origin = "";
  if (connection.server_version() >= kHasOrigin)
    origin = options.origin == Origin::kNone ? ", origin 'none'" : ", origin 'any'";
  return std::make_unique<PgoutputSession>(std::string(protocol) + ", publication_names " + names +
                                               (binary ? ", binary 'true'" : "") + origin +
                                               (options.messages ? ", messages 'true'" : ""),
                                           epoch, options, std::move(server), std::move(in_progress), binary);
}

ValueOptions ValueOptionsOf(const PostgresOptions& options) {
  ValueOptions values;
  pgtype::ParseNumericChoice(options.numeric.c_str(), &values.numeric);
  values.unrepresentable_as_text = options.unrepresentable == Unrepresentable::kText;
  return values;
}

arrow::Status PreparePgoutput(Connection& connection) {
  ARROW_RETURN_NOT_OK(connection.Query(std::string(kValueSettings) + kWarnings).status());
  return TakeTextAsItIs(connection);
}

}  // namespace arrowcdc::postgres
