// The connections are opened with the point, since no other can see it later; each reader takes one.
#include "src/mysql/snapshot/mysql_snapshot.h"

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <utility>

#include "arrowcdc/error.h"
#include "src/change/batch_builder.h"
#include "src/change/check_representable.h"
#include "src/change/snapshot_parts.h"
#include "src/mysql/decode/binary_rows.h"
#include "src/mysql/snapshot/copy_tables.h"
#include "src/mysql/snapshot/snapshot_point.h"

namespace arrowcdc::mysql {
namespace {

// As those of PostgreSQL's snapshot: large enough that what a batch costs does not count.
constexpr int64_t kBatchBytes = 2 << 20;

// What a point's readers share.
struct Plan {
  std::vector<CopyTable> tables;
  std::vector<CopyPart> parts;
  SnapshotParts left;  // of them
  std::vector<SnapshotTable> said;
  Position point;
  int64_t taken_at = 0;
  Unrepresentable unrepresentable = Unrepresentable::kNull;
  TypeChoices choices;

  std::mutex mutex;
  std::vector<std::shared_ptr<Connection>> connections;
  size_t next_connection = 0;
  bool is_cancelled = false;
};

std::string ObjectOf(const TableName& name) { return "table " + ToString(name); }

class MysqlSnapshotReader : public SnapshotReader {
 public:
  MysqlSnapshotReader(std::shared_ptr<Plan> plan, std::shared_ptr<Connection> connection)
      : plan_(std::move(plan)), connection_(std::move(connection)) {}

  arrow::Result<std::optional<size_t>> NextPart() override {
    if (std::exchange(has_part_, false)) plan_->left.Done();
    while (true) {
      if (IsCancelled()) return Cancelled();
      ARROW_ASSIGN_OR_RAISE(const std::optional<size_t> place, plan_->left.Take());
      if (!place.has_value()) return std::optional<size_t>();
      part_ = &plan_->parts[*place];
      const arrow::Status begun = Begin();
      const ErrorDetail* const detail = GetErrorDetail(begun);
      if (detail == nullptr || detail->kind() != ErrorKind::kBusy) {
        ARROW_RETURN_NOT_OK(begun);
        has_part_ = true;
        return part_->table;
      }
      ARROW_RETURN_NOT_OK(LetGoOfTables(*connection_));
      ARROW_RETURN_NOT_OK(plan_->left.PutOff(*place, begun));
    }
  }

  // Parts of another process cannot be told to fit, so they are not kept: their range is empty.
  SnapshotPart part() const override {
    SnapshotPart part;
    part.table = plan_->tables[part_->table].map.name;
    part.table_id = plan_->tables[part_->table].schema->table_id;
    part.point = plan_->point;
    return part;
  }
  std::shared_ptr<const TableSchema> table() const override { return plan_->tables[part_->table].schema; }

  arrow::Result<std::optional<ChangeBatch>> Next() override {
    if (!std::exchange(is_read_, false)) ARROW_RETURN_NOT_OK(Read());
    if (batch_->rows() == 0) return std::optional<ChangeBatch>();
    ARROW_ASSIGN_OR_RAISE(ChangeBatch batch, batch_->Finish());
    if (plan_->unrepresentable == Unrepresentable::kError) ARROW_RETURN_NOT_OK(CheckRepresentable(batch));
    return batch;
  }

 private:
  // With the first rows: before them the server does not say that the table was changed.
  arrow::Status Begin() {
    const CopyTable& table = plan_->tables[part_->table];
    ARROW_ASSIGN_OR_RAISE(batch_, BatchBuilder::Make(table.schema, arrow::default_memory_pool()));
    ARROW_ASSIGN_OR_RAISE(rows_, BinaryRows::Make(table.map, plan_->choices));
    place_ = FirstPlace(*part_);
    is_at_end_ = false;
    const arrow::Status begun = connection_->BeginSelect(SelectOf(table, *part_), table.map.columns.size());
    if (!begun.ok()) return OfTable(begun);
    ARROW_RETURN_NOT_OK(Read());
    is_read_ = true;
    return arrow::Status::OK();
  }

  // What makes a batch.
  arrow::Status Read() {
    const RowMetadata common{
        .op = Op::kSnapshot, .commit_lsn = plan_->point.order - 1, .commit_ts = plan_->taken_at};
    while (!is_at_end_ && batch_->bytes() < kBatchBytes) {
      const auto row = connection_->NextRow();
      if (!row.ok()) return OfTable(row.status());
      is_at_end_ = !row->has_value();
      if (is_at_end_) return LetGoOfTables(*connection_);
      RowMetadata metadata = common;
      metadata.lsn = place_++;
      ARROW_RETURN_NOT_OK(rows_->Append(**row, metadata, batch_.get()));
    }
    return arrow::Status::OK();
  }

  bool IsCancelled() const {
    const std::lock_guard lock(plan_->mutex);
    return plan_->is_cancelled;
  }

  static arrow::Status Cancelled() {
    return MakeError(ErrorKind::kInterrupted, "stopped while rows were copied", "snapshot",
                     "start it again: it copies the tables that are not complete");
  }

  // What a query or its answer failed with.
  arrow::Status OfTable(const arrow::Status& status) const {
    if (IsCancelled()) return Cancelled();
    const ErrorDetail* const detail = GetErrorDetail(status);
    const TableName& name = plan_->tables[part_->table].map.name;
    if (detail != nullptr && IsChange(status)) {
      return MakeError(ErrorKind::kBusy, "it was changed while its rows were copied", ObjectOf(name),
                       "it is read again at a later point", detail->sqlstate(), /*retryable=*/true);
    }
    if (detail == nullptr || detail->kind() == ErrorKind::kConnection) return status;
    return MakeError(detail->kind(), "its rows cannot be copied: " + status.message(), ObjectOf(name),
                     detail->remedy() +
                         "; or leave out the table, or the rows that are there before "
                         "(--snapshot never)",
                     detail->sqlstate());
  }

  // A definition newer than the snapshot, no such table, no such column, a lock that was waited for in vain.
  static bool IsChange(const arrow::Status& status) {
    const auto errors = {"(error 1412)", "(error 1146)", "(error 1054)", "(error 1205)"};
    return std::any_of(errors.begin(), errors.end(),
                       [&](const char* error) { return status.message().find(error) != std::string::npos; });
  }

  const std::shared_ptr<Plan> plan_;
  const std::shared_ptr<Connection> connection_;
  const CopyPart* part_ = nullptr;
  bool has_part_ = false;
  std::unique_ptr<BatchBuilder> batch_;
  bool is_read_ = false;  // the batch is
  std::optional<BinaryRows> rows_;
  uint64_t place_ = 0;
  bool is_at_end_ = true;
};

void ShareParts(bool keeps_order, Plan* plan) {
  std::vector<size_t> tables;
  for (const CopyPart& part : plan->parts) tables.push_back(part.table);
  plan->left.Set(std::move(tables), keeps_order);
}

class MysqlSnapshot : public Snapshot {
 public:
  MysqlSnapshot(std::shared_ptr<Plan> plan, std::unique_ptr<Connection> watch, LogPoint place)
      : plan_(std::move(plan)), watch_(std::move(watch)), place_(std::move(place)) {}
  ~MysqlSnapshot() override { Cancel(); }

  const std::vector<SnapshotTable>& tables() const override { return plan_->said; }
  Position point() const override { return plan_->point; }
  void ReadWholeTables() override { ShareParts(true, plan_.get()); }

  arrow::Result<std::unique_ptr<SnapshotReader>> MakeReader() override {
    const std::lock_guard lock(plan_->mutex);
    if (plan_->next_connection == plan_->connections.size()) {
      return MakeError(ErrorKind::kInternal, "more readers than connections were asked for", "snapshot",
                       "this is a defect in arrowcdc: please report it");
    }
    return std::make_unique<MysqlSnapshotReader>(plan_, plan_->connections[plan_->next_connection++]);
  }

  // The changes behind the copy are in the log from its point on.
  arrow::Result<SnapshotHold> KeepAlive() override {
    ARROW_ASSIGN_OR_RAISE(const Rows files, watch_->Query("SHOW BINARY LOGS"));
    SnapshotHold hold;
    bool found = false;
    for (const auto& row : files) {
      if (row.size() < 2 || !row[0].has_value()) continue;
      found |= *row[0] == place_.file;
      if (found) hold.log_bytes += std::strtoull(row[1].value_or("0").c_str(), nullptr, 10);
    }
    hold.log_bytes -= std::min(hold.log_bytes, place_.offset);
    if (found) return hold;
    return MakeError(ErrorKind::kPositionGap,
                     "the server has removed the binary log in which the changes behind the copy begin",
                     "binary log " + place_.file,
                     "raise binlog_expire_logs_seconds above the time that the copy takes, and start again");
  }

  void Cancel() override {
    const std::lock_guard lock(plan_->mutex);
    if (std::exchange(plan_->is_cancelled, true)) return;
    for (const auto& connection : plan_->connections) connection->Interrupt();
  }

 private:
  const std::shared_ptr<Plan> plan_;
  const std::unique_ptr<Connection> watch_;
  const LogPoint place_;
};

// The catalog lists the columns that the role may read, and not that there are others.
arrow::Status CheckRight(Connection& connection, const TableName& name) {
  const arrow::Status read =
      connection.Query("SELECT * FROM " + QuoteName(name.schema) + "." + QuoteName(name.table) + " LIMIT 0")
          .status();
  const ErrorDetail* const detail = GetErrorDetail(read);
  if (detail == nullptr || detail->kind() != ErrorKind::kPermission) return arrow::Status::OK();
  return MakeError(ErrorKind::kPermission, "the account may not read all of its columns", ObjectOf(name),
                   "GRANT SELECT ON " + QuoteName(name.schema) + "." + QuoteName(name.table) +
                       " to it, or leave the table out, or the rows that are there before (--snapshot never)",
                   detail->sqlstate());
}

// The least and the greatest value of what the table is split by.
arrow::Status PlanTable(Connection& connection, size_t index, int64_t part_bytes, Plan* plan) {
  const CopyTable& table = plan->tables[index];
  std::string least;
  std::string greatest;
  if (!table.range_column.empty() && table.bytes > part_bytes) {
    const std::string column = QuoteName(table.range_column);
    ARROW_ASSIGN_OR_RAISE(const Rows rows, connection.Query("SELECT MIN(" + column + "), MAX(" + column +
                                                            ") FROM " + QuoteName(table.map.name.schema) +
                                                            "." + QuoteName(table.map.name.table)));
    if (rows.size() == 1 && rows[0].size() == 2) {
      least = rows[0][0].value_or("");
      greatest = rows[0][1].value_or("");
    }
  }
  const std::vector<CopyPart> parts = PlanParts(index, table.bytes, part_bytes, least, greatest);
  plan->parts.insert(plan->parts.end(), parts.begin(), parts.end());
  SnapshotTable said;
  said.name = table.map.name;
  said.table_id = table.schema->table_id;
  said.rows = table.rows;
  said.bytes = table.bytes;
  said.part_count = static_cast<int>(parts.size());
  said.point = plan->point;
  plan->said.push_back(std::move(said));
  return arrow::Status::OK();
}

}  // namespace

arrow::Result<std::unique_ptr<Snapshot>> TakeSnapshot(
    const MysqlOptions& options, const Url& url, const std::vector<TableName>& tables,
    const std::function<arrow::Result<Position>(const LogPoint&)>& position_of) {
  ARROW_ASSIGN_OR_RAISE(auto watch, Connection::Open(url, options.stop));
  ARROW_RETURN_NOT_OK(watch->Query("SET SESSION lock_wait_timeout = 10").status());
  constexpr unsigned kConnectionsMax = 4;
  const unsigned connections = options.snapshot_connections > 0
                                   ? static_cast<unsigned>(options.snapshot_connections)
                                   : std::clamp(std::thread::hardware_concurrency(), 1U, kConnectionsMax);
  ARROW_ASSIGN_OR_RAISE(SnapshotPoint point, TakePoint(url, options.stop, static_cast<int>(connections),
                                                       WaitsForCommits(watch->server_version())));
  auto plan = std::make_shared<Plan>();
  ARROW_ASSIGN_OR_RAISE(plan->point, position_of(point.place));
  plan->taken_at = point.taken_at;
  plan->unrepresentable = options.unrepresentable;
  for (auto& connection : point.connections) plan->connections.push_back(std::move(connection));
  Connection& first = *plan->connections.front();
  plan->choices = {first.flavor(), options.unrepresentable == Unrepresentable::kText};
  ARROW_ASSIGN_OR_RAISE(plan->tables, ReadCopyTables(first, tables, plan->choices.as_text));
  for (size_t i = 0; i < plan->tables.size(); ++i) {
    ARROW_RETURN_NOT_OK(CheckRight(*watch, plan->tables[i].map.name));
    ARROW_RETURN_NOT_OK(PlanTable(first, i, options.snapshot_part_bytes, plan.get()));
  }
  ShareParts(false, plan.get());
  ARROW_RETURN_NOT_OK(LetGoOfTables(first));
  // Text comes as it is stored: converting it, the server would have a question mark for what it cannot.
  for (const auto& connection : plan->connections)
    ARROW_RETURN_NOT_OK(connection->Query("SET character_set_results = NULL").status());
  return std::make_unique<MysqlSnapshot>(std::move(plan), std::move(watch), std::move(point.place));
}

}  // namespace arrowcdc::mysql
