// wal2arrow sends batches, pgoutput rows.
#include "src/postgres/stream/plugin_session.h"

#include <utility>

#include "arrowcdc/error.h"
#include "format/replication_message.h"
#include "src/postgres/client/connection_options.h"
#include "src/postgres/client/quoting.h"
#include "src/postgres/decode/pgoutput/pgoutput_decoder.h"
#include "src/postgres/decode/values/binary_cursor.h"
#include "src/postgres/decode/values/type_table.h"
#include "src/postgres/decode/wal2arrow/wal2arrow_decoder.h"
#include "src/postgres/setup/published_tables.h"
#include "src/postgres/setup/sql_relation_catalog.h"
#include "src/postgres/setup/sql_type_catalog.h"

namespace arrowcdc::postgres {
namespace {

using Clock = std::chrono::steady_clock;

// How long a row waits for more of them.
constexpr std::chrono::milliseconds kRowWaitMax(20);
// A type without a send function, where the server is asked for the binary form of it.
constexpr char kUndefinedFunction[] = "42883";

// Output as the value readers take it, whatever role and database say; warnings, since one of them ends the
// stream.
constexpr char kTextSettings[] =
    "SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; SET extra_float_digits = 3; SET timezone = "
    "'UTC'; "
    "SET bytea_output = 'hex'; SET xmloption = 'content'; SET client_min_messages = 'warning'";

class Wal2arrowSession : public PluginSession {
 public:
  Wal2arrowSession(std::string start_options, uint32_t epoch)
      : PluginSession(std::move(start_options), epoch), decoder_(arrow::default_memory_pool(), epoch) {}

  arrow::Status Take(const StreamMessage& message) override {
    if (message.data == nullptr) {
      event_ = KeepaliveOf(message);
      return arrow::Status::OK();
    }
    return decoder_.Decode(message.data, format::kXLogDataHeaderBytes).Value(&event_);
  }

  std::optional<Event> Next() override { return std::exchange(event_, std::nullopt); }

 private:
  Wal2arrowDecoder decoder_;
  std::optional<Event> event_;
};

class PgoutputSession : public PluginSession {
 public:
  PgoutputSession(std::string start_options, uint32_t epoch, const PostgresOptions& options, bool binary)
      : PluginSession(std::move(start_options), epoch),
        catalog_(options.conninfo, options.stop),
        decoder_(arrow::default_memory_pool(), epoch, &catalog_),
        binary_(binary) {}

  arrow::Status Take(const StreamMessage& message) override {
    if (message.data == nullptr) {
      // Its position counts for all that came before.
      ARROW_RETURN_NOT_OK(Flush());
      keepalive_ = KeepaliveOf(message);
      return arrow::Status::OK();
    }
    const std::string_view bytes(reinterpret_cast<const char*>(message.data->data()),
                                 static_cast<size_t>(message.data->size()));
    ARROW_RETURN_NOT_OK(decoder_.Decode(bytes.substr(format::kXLogDataHeaderBytes),
                                        LoadBigEndian<uint64_t>(bytes.data() + format::kDataStartAt)));
    if (!decoder_.holds()) {
      held_since_ = std::nullopt;
    } else if (!held_since_.has_value()) {
      held_since_ = Clock::now();
    }
    return arrow::Status::OK();
  }

  std::optional<Event> Next() override {
    auto event = decoder_.TakeEvent();
    return event.has_value() ? std::move(event) : std::exchange(keepalive_, std::nullopt);
  }

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

 private:
  SqlRelationCatalog catalog_;
  PgoutputDecoder decoder_;
  const bool binary_;
  std::optional<Clock::time_point> held_since_;
  std::optional<Event> keepalive_;
};

arrow::Result<std::string> QuotedNames(const std::vector<std::string>& publications) {
  ARROW_ASSIGN_OR_RAISE(const std::string names, JoinIdentifiers(publications));
  return QuoteReplicationLiteral(names);
}

// Whether every value will be understood in its binary form: the server sends that of any type that has one.
arrow::Result<bool> ReadsBinary(Connection& connection, const std::vector<std::string>& publications) {
  ARROW_ASSIGN_OR_RAISE(const auto types, ReadPublishedTypes(connection, publications));
  SqlTypeCatalog catalog(&connection);
  for (const auto& [type, typmod] : types) {
    ARROW_ASSIGN_OR_RAISE(const MappedType mapped, MapType(type, typmod, {}, &catalog));
    if (!mapped.reads_binary) return false;
  }
  return true;
}

}  // namespace

arrow::Result<std::unique_ptr<PluginSession>> MakeWal2arrowSession(
    const Connection& connection, const PostgresOptions& options,
    const std::vector<std::string>& publications, uint32_t epoch) {
  ARROW_ASSIGN_OR_RAISE(const std::string names, QuotedNames(publications));
  const std::string codec = ServerCodec(options.compression, connection.is_local());
  return std::make_unique<Wal2arrowSession>("proto_min '1', proto_max '1', publication_names " + names +
                                                (options.batching ? ", batching 'on'" : "") +
                                                (options.drain ? "" : ", drain 'off'") +
                                                (codec.empty() ? "" : ", compression '" + codec + "'"),
                                            epoch);
}

arrow::Result<std::unique_ptr<PluginSession>> MakePgoutputSession(
    Connection& connection, const PostgresOptions& options, const std::vector<std::string>& publications,
    uint32_t epoch, bool as_text) {
  constexpr int kHasOrigin = 160000;
  ARROW_ASSIGN_OR_RAISE(const std::string names, QuotedNames(publications));
  bool binary = false;
  if (!as_text) {
    ARROW_ASSIGN_OR_RAISE(binary, ReadsBinary(connection, publications));
  }
  return std::make_unique<PgoutputSession>(
      "proto_version '1', publication_names " + names + (binary ? ", binary 'true'" : "") +
          (connection.server_version() >= kHasOrigin ? ", origin 'any'" : ""),
      epoch, options, binary);
}

arrow::Status PreparePgoutput(Connection& connection) { return connection.Query(kTextSettings).status(); }

}  // namespace arrowcdc::postgres
