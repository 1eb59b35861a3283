// The temporary slot lives for seconds: it would hold WAL for as long as the copy takes. What keeps the
// snapshot is an ordinary transaction that has imported it and exported it anew.
#include "src/postgres/snapshot/snapshot_point.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <iterator>
#include <string_view>

#include "arrowcdc/error.h"
#include "src/postgres/client/quoting.h"
#include "src/postgres/client/text_as_it_is.h"
#include "src/postgres/client/value_settings.h"
#include "src/postgres/setup/slot.h"

namespace arrowcdc::postgres {
namespace {

constexpr int kTransactionTimeout = 170000;  // the version that it came with
constexpr char kTooManyTransactions[] = "40001";
constexpr char kNoneFree[] = "53400";

arrow::Status CheckServer(Connection& connection, const std::string& system, int64_t timeline) {
  ARROW_ASSIGN_OR_RAISE(const QueryResult identity, connection.Query("IDENTIFY_SYSTEM"));
  ARROW_ASSIGN_OR_RAISE(const int64_t its_timeline, identity.Int(0, 1));
  if (identity.Text(0, 0) == system && its_timeline == timeline) return arrow::Status::OK();
  return MakeError(ErrorKind::kConnection, "another server answers than the one that is streamed",
                   "server " + connection.MakeContext(ErrorContext::Action::kConnect).server,
                   "it will be tried again", "", true);
}

// Nothing is decoded with it, but a role may be allowed the stream's plugin and no other. The slot goes with
// the connection; `made` is called while what it exports is there.
arrow::Status MakeTemporarySlot(Connection& connection, const std::string& plugin,
                                std::chrono::milliseconds patience,
                                const std::function<arrow::Status(const QueryResult&)>& made) {
  ErrorContext context = connection.MakeContext(ErrorContext::Action::kCreateSlot);
  context.slot = "arrowcdc_snapshot_" + std::to_string(PQbackendPID(connection.raw()));
  ARROW_ASSIGN_OR_RAISE(const std::string name, QuoteReplicationIdentifier(context.slot));
  ARROW_ASSIGN_OR_RAISE(const std::string quoted_plugin, QuoteReplicationIdentifier(plugin));
  const arrow::Status status = CreateSlot(
      connection,
      "CREATE_REPLICATION_SLOT " + name + " TEMPORARY LOGICAL " + quoted_plugin + " (SNAPSHOT 'export')",
      context, patience, made);
  const ErrorDetail* const detail = GetErrorDetail(status);
  if (detail != nullptr && detail->sqlstate() == kNoneFree) {
    return MakeError(detail->kind(), status.message() + ", and a copy begins with one more, for seconds",
                     detail->object(),
                     "free one or raise max_replication_slots; or leave out the rows that are there before "
                     "(--snapshot never, snapshot=\"never\" in Python)",
                     detail->sqlstate(), true);
  }
  if (detail == nullptr || detail->sqlstate() != kTooManyTransactions) return status;
  return MakeError(ErrorKind::kBusy,
                   "the server cannot export a snapshot while so many transactions and savepoints are in "
                   "progress",
                   detail->object(),
                   "it will be tried again; sessions with hundreds of open savepoints stand in the way",
                   detail->sqlstate(), true);
}

}  // namespace

arrow::Status BeginInSnapshot(Connection& connection, const std::string& name) {
  ARROW_RETURN_NOT_OK(connection.Query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
  ARROW_ASSIGN_OR_RAISE(const std::string quoted, QuoteLiteral(name));
  const arrow::Status status = connection.Query("SET TRANSACTION SNAPSHOT " + quoted).status();
  const ErrorDetail* const detail = GetErrorDetail(status);
  constexpr std::string_view kGone[] = {"22023", "42704", "55000"};  // as the version and the moment have it
  if (detail == nullptr ||
      std::find(std::begin(kGone), std::end(kGone), detail->sqlstate()) == std::end(kGone))
    return status;
  return MakeError(ErrorKind::kConnection, "the session that kept the snapshot has ended", "snapshot",
                   "tables that are not complete will be copied anew", detail->sqlstate(), true);
}

arrow::Status PrepareForCopy(Connection& connection) {
  std::string settings = std::string(kValueSettings) +
                         "; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET "
                         "max_parallel_workers_per_gather = 0; SET synchronize_seqscans = off; SET "
                         "default_transaction_deferrable "
                         "= off";
  if (connection.server_version() >= kTransactionTimeout) settings += "; SET transaction_timeout = 0";
  ARROW_RETURN_NOT_OK(connection.Query(settings));
  return TakeTextAsItIs(connection);
}

arrow::Result<std::unique_ptr<SnapshotPoint>> SnapshotPoint::Take(const std::string& conninfo,
                                                                  std::shared_ptr<StopToken> stop,
                                                                  const std::string& system, int64_t timeline,
                                                                  const std::string& plugin,
                                                                  std::chrono::milliseconds patience) {
  std::unique_ptr<SnapshotPoint> point(new SnapshotPoint());
  ARROW_ASSIGN_OR_RAISE(point->connection_, Connection::Open(conninfo, ConnectionMode::kSql, stop));
  ARROW_RETURN_NOT_OK(PrepareForCopy(*point->connection_));
  ARROW_ASSIGN_OR_RAISE(const auto replication,
                        Connection::Open(conninfo, ConnectionMode::kReplication, stop));
  ARROW_RETURN_NOT_OK(CheckServer(*replication, system, timeline));
  ARROW_RETURN_NOT_OK(
      MakeTemporarySlot(*replication, plugin, patience, [&](const QueryResult& slot) -> arrow::Status {
        ARROW_ASSIGN_OR_RAISE(point->lsn_, slot.Lsn(0, 1));
        return BeginInSnapshot(*point->connection_, slot.Text(0, 2));
      }));
  ARROW_ASSIGN_OR_RAISE(
      const QueryResult again,
      point->connection_->Query("SELECT pg_export_snapshot(), (extract(epoch FROM clock_timestamp()) * "
                                "1000000)::int8, pg_current_snapshot()"));
  point->name_ = again.Text(0, 0);
  point->seen_ = again.Text(0, 2);
  ARROW_ASSIGN_OR_RAISE(point->taken_at_, again.Int(0, 1));
  point->held_since_ = std::chrono::steady_clock::now();
  return point;
}

arrow::Result<SnapshotHold> SnapshotPoint::KeepAlive(const std::string& slot) {
  ARROW_ASSIGN_OR_RAISE(const SlotInfo found, FindSlot(*connection_, slot));
  ARROW_ASSIGN_OR_RAISE(const QueryResult end,
                        connection_->Query("SELECT CASE WHEN pg_is_in_recovery() THEN "
                                           "pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END"));
  ARROW_ASSIGN_OR_RAISE(const uint64_t wal_end, end.Lsn(0, 0));
  const auto now = std::chrono::steady_clock::now();
  ARROW_ASSIGN_OR_RAISE(SnapshotHold hold, watch_.Look(found, wal_end, now));
  hold.rows_for = std::chrono::duration_cast<std::chrono::seconds>(now - held_since_);
  return hold;
}

}  // namespace arrowcdc::postgres
