// A reader's transaction lasts one part: locks of all tables at once would take the server's lock table, and
// an ALTER that waits for a lock would hold up everybody behind it.
#include "src/postgres/snapshot/postgres_snapshot.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <arrow/memory_pool.h>

#include "arrowcdc/error.h"
#include "src/change/check_representable.h"
#include "src/change/snapshot_parts.h"
#include "src/postgres/client/quoting.h"
#include "src/postgres/decode/copy/copy_decoder.h"
#include "src/postgres/decode/values/table_description.h"
#include "src/postgres/setup/sql_type_catalog.h"
#include "src/postgres/snapshot/kept_parts.h"
#include "src/postgres/snapshot/snapshot_plan.h"
#include "src/postgres/snapshot/snapshot_point.h"
#include "src/postgres/snapshot/snapshot_tables.h"
#include "src/postgres/stream/plugin_session.h"

namespace arrowcdc::postgres {
namespace {

constexpr char kLockNotAvailable[] = "55P03";
constexpr char kUndefinedTable[] = "42P01";
constexpr char kProgramLimit[] = "54000";

// Whether a partition is still one of a table. The function looks at the catalog as it is, whatever the
// snapshot.
std::string IsPartitionOf(uint32_t leaf, uint32_t table) {
  return "EXISTS (SELECT FROM pg_partition_ancestors(" + std::to_string(leaf) +
         ") AS a WHERE a.relid = " + std::to_string(table) + ")";
}

// Whether a column of a relation, as the snapshot has it, is called otherwise now (or is dropped): COPY would
// take what has its name. The function looks at the catalog as it is, whatever the snapshot.
constexpr char kRenamedColumns[] =
    "EXISTS (SELECT FROM pg_attribute AS a WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attname::text IS "
    "DISTINCT FROM (pg_identify_object_as_address('pg_class'::regclass, a.attrelid, "
    "a.attnum)).object_names[3] AND a.attrelid = ";

// What the readers share.
struct Plan {
  PostgresOptions options;
  Position point;
  int64_t commit_ts = 0;
  std::string snapshot;
  std::string seen;               // by the point; empty: it cannot be told
  uint64_t next_transaction = 0;  // above all that it has seen
  std::vector<CopyTable> tables;
  std::vector<SnapshotTable> said;  // of them
  std::vector<CopyPart> parts;
  SnapshotParts left;  // of them
};

std::string ObjectOf(const TableName& name) { return "table " + ToString(name); }

arrow::Status Changed(const TableName& leaf, const std::string& how) {
  return MakeError(ErrorKind::kBusy, "the table " + how + " while its rows were copied", ObjectOf(leaf),
                   "it will be copied anew", "", true);
}

bool IsChange(const arrow::Status& status) {
  const ErrorDetail* const detail = GetErrorDetail(status);
  return detail != nullptr && detail->kind() == ErrorKind::kBusy;
}

class PostgresSnapshotReader : public SnapshotReader {
 public:
  explicit PostgresSnapshotReader(std::shared_ptr<Plan> plan) : plan_(std::move(plan)) {}

  arrow::Result<std::optional<size_t>> NextPart() override {
    if (std::exchange(has_part_, false)) plan_->left.Done();
    while (true) {
      ARROW_ASSIGN_OR_RAISE(const std::optional<size_t> place, plan_->left.Take());
      if (!place.has_value()) return std::nullopt;
      const CopyPart& part = plan_->parts[*place];
      if (connection_ == nullptr) ARROW_RETURN_NOT_OK(Connect());
      const arrow::Status begun = Begin(part);
      if (!IsChange(begun)) {
        ARROW_RETURN_NOT_OK(begun);
        part_ = PartOf(part);
        has_part_ = true;
        return part.table;
      }
      ARROW_RETURN_NOT_OK(connection_->Query("ROLLBACK"));
      ARROW_RETURN_NOT_OK(plan_->left.PutOff(*place, begun));
    }
  }

  SnapshotPart part() const override { return part_; }

  std::shared_ptr<const TableSchema> table() const override { return table_; }

  arrow::Result<std::optional<ChangeBatch>> Next() override {
    while (at_ == batches_.size() && !ended_) ARROW_RETURN_NOT_OK(Receive());
    if (at_ == batches_.size()) return std::nullopt;
    if (plan_->options.unrepresentable == Unrepresentable::kError)
      ARROW_RETURN_NOT_OK(CheckRepresentable(batches_[at_]));
    return std::move(batches_[at_++]);
  }

 private:
  arrow::Status Connect() {
    ARROW_ASSIGN_OR_RAISE(
        connection_, Connection::Open(plan_->options.conninfo, ConnectionMode::kSql, plan_->options.stop));
    types_ = std::make_unique<SqlTypeCatalog>(connection_.get());
    return PrepareForCopy(*connection_);
  }

  // The only part of a table need not be kept: with it the table is complete.
  SnapshotPart PartOf(const CopyPart& part) const {
    const CopyTable& table = plan_->tables[part.table];
    SnapshotPart said;
    said.table = table.name;
    said.table_id = table.oid;
    said.point = plan_->point;
    if (plan_->seen.empty() || plan_->said[part.table].part_count < 2 || !MayKeepParts(table)) return said;
    said.seen = plan_->seen;
    said.layout = LayoutOf(table);
    said.range = RangeText(table, part);
    return said;
  }

  arrow::Status Begin(const CopyPart& part) {
    const CopyTable& table = plan_->tables[part.table];
    context_ = connection_->MakeContext(ErrorContext::Action::kQuery);
    batches_.clear();
    at_ = 0;
    ended_ = true;
    ARROW_RETURN_NOT_OK(BeginInSnapshot(*connection_, plan_->snapshot));
    const bool has_leaf = part.leaf < table.leaves.size();
    if (has_leaf) {
      ARROW_RETURN_NOT_OK(Lock(table.leaves[part.leaf]));
      ARROW_RETURN_NOT_OK(CheckIsAsItWas(table, table.leaves[part.leaf]));
    }
    ARROW_ASSIGN_OR_RAISE(
        DescribedTable described,
        MakeTable({table.oid, table.name, table.replica_identity, table.columns},
                  ValueOptionsOf(plan_->options), types_.get(), arrow::default_memory_pool()));
    table_ = described.schema;
    return has_leaf ? Copy(table, part, std::move(described.rows)) : connection_->Query("COMMIT").status();
  }

  arrow::Status Copy(const CopyTable& table, const CopyPart& part, std::unique_ptr<RowReader> rows) {
    std::vector<bool> text_columns(table.columns.size());
    for (size_t i = 0; i < text_columns.size(); ++i)
      text_columns[i] = rows->binary_form(static_cast<int>(i)) == ValueForm::kText;
    ARROW_ASSIGN_OR_RAISE(const std::string command,
                          CopyCommand(table, part, text_columns, plan_->next_transaction));
    ARROW_RETURN_NOT_OK(
        connection_->Query(std::string("SET LOCAL enable_seqscan = ") + (part.whole ? "on" : "off")));
    CopyOptions options;
    options.commit_lsn = plan_->point.order - 1;  // no commit has it: one may begin at the point itself
    options.commit_ts = plan_->commit_ts;
    options.first_lsn = FirstPlace(part);
    decoder_ = std::make_unique<CopyDecoder>(std::move(rows), options);
    ended_ = false;
    return OfTable(connection_->StartCopy(command, context_).status());
  }

  // What the server says of a row (a row filter that raises an error, say) does not tell the table.
  arrow::Status OfTable(const arrow::Status& status) const {
    const ErrorDetail* const detail = GetErrorDetail(status);
    if (detail == nullptr || detail->sqlstate().empty() || detail->retryable()) return status;
    if (detail->sqlstate() == kProgramLimit) {
      return MakeError(
          ErrorKind::kUnsupported, "a row takes more than 1 GB in one message, which PostgreSQL cannot send",
          ObjectOf(table_->name),
          "leave out the table, or large columns of it (a column list of the publication), or the "
          "rows that are there before (--snapshot never, snapshot=\"never\" in Python)",
          detail->sqlstate());
    }
    return MakeError(detail->kind(), "its rows cannot be copied: " + status.message(), ObjectOf(table_->name),
                     detail->remedy() +
                         "; or leave out the rows that are there before (--snapshot never, "
                         "snapshot=\"never\" in Python), or the table",
                     detail->sqlstate());
  }

  // Not waiting: whoever has a stronger lock, or queues for one, changes the table.
  arrow::Status Lock(const LeafInfo& leaf) {
    ARROW_ASSIGN_OR_RAISE(const std::string name, QuoteQualified(leaf.name.schema, leaf.name.table));
    const arrow::Status locked =
        connection_->Query("LOCK TABLE ONLY " + name + " IN ACCESS SHARE MODE NOWAIT", context_).status();
    const ErrorDetail* const detail = GetErrorDetail(locked);
    if (detail != nullptr && detail->sqlstate() == kUndefinedTable)
      return Changed(leaf.name, "was dropped, or renamed");
    if (detail == nullptr || detail->sqlstate() != kLockNotAvailable) return locked;
    return Changed(leaf.name, "was locked by somebody who changes it");
  }

  // A table that was rewritten reads as empty in an older snapshot, without an error. Rows of a partition
  // that was detached are no rows of the table any more, and no change says so.
  arrow::Status CheckIsAsItWas(const CopyTable& table, const LeafInfo& leaf) {
    const std::string oid = std::to_string(leaf.oid);
    ARROW_ASSIGN_OR_RAISE(const std::string name, QuoteQualified(leaf.name.schema, leaf.name.table));
    ARROW_ASSIGN_OR_RAISE(const std::string quoted, QuoteLiteral(name));
    ARROW_ASSIGN_OR_RAISE(
        const QueryResult rows,
        connection_->Query("SELECT coalesce(pg_relation_filenode(" + oid +
                           ")::int8, 0), coalesce(to_regclass(" + quoted + ")::oid, 0), " + kRenamedColumns +
                           oid + "), " +
                           (leaf.oid == table.oid ? "true" : IsPartitionOf(leaf.oid, table.oid))));
    ARROW_ASSIGN_OR_RAISE(const int64_t file_number, rows.Int(0, 0));
    ARROW_ASSIGN_OR_RAISE(const int64_t named, rows.Int(0, 1));
    if (named != leaf.oid) return Changed(leaf.name, "was dropped, or renamed");
    if (static_cast<uint64_t>(file_number) != leaf.file_number) return Changed(leaf.name, "was rewritten");
    if (rows.Bool(0, 2)) return Changed(leaf.name, "lost columns, or got others under their names,");
    if (!rows.Bool(0, 3)) return Changed(leaf.name, "was detached from " + ToString(table.name));
    return arrow::Status::OK();
  }

  arrow::Status Receive() {
    batches_.clear();
    at_ = 0;
    while (batches_.empty()) {
      auto received = connection_->NextCopied(context_);
      if (!received.ok()) return OfTable(received.status());
      const auto chunk = *std::move(received);
      if (!chunk.has_value()) {
        ended_ = true;
        ARROW_RETURN_NOT_OK(decoder_->Finish(&batches_));
        return connection_->Query("COMMIT").status();
      }
      ARROW_RETURN_NOT_OK(decoder_->Decode(*chunk, &batches_));
    }
    return arrow::Status::OK();
  }

  const std::shared_ptr<Plan> plan_;
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<SqlTypeCatalog> types_;
  ErrorContext context_;
  bool has_part_ = false;
  SnapshotPart part_;
  std::shared_ptr<const TableSchema> table_;
  std::unique_ptr<CopyDecoder> decoder_;
  std::vector<ChangeBatch> batches_;
  size_t at_ = 0;  // of `batches_`
  bool ended_ = true;
};

arrow::Status CutTables(int64_t part_bytes, bool whole_tables, Plan* plan) {
  ARROW_ASSIGN_OR_RAISE(plan->parts, PlanParts(plan->tables, part_bytes));
  for (SnapshotTable& table : plan->said) table.part_count = table.parts_kept;
  std::vector<size_t> tables;
  for (const CopyPart& part : plan->parts) {
    ++plan->said[part.table].part_count;
    tables.push_back(part.table);
  }
  plan->left.Set(std::move(tables), whole_tables);
  return arrow::Status::OK();
}

class PostgresSnapshot : public Snapshot {
 public:
  PostgresSnapshot(std::unique_ptr<SnapshotPoint> source, std::shared_ptr<Plan> plan)
      : source_(std::move(source)), plan_(std::move(plan)) {}

  const std::vector<SnapshotTable>& tables() const override { return plan_->said; }
  Position point() const override { return plan_->point; }
  void ReadWholeTables() override { (void)CutTables(std::numeric_limits<int64_t>::max(), true, plan_.get()); }
  arrow::Result<std::unique_ptr<SnapshotReader>> MakeReader() override {
    return std::make_unique<PostgresSnapshotReader>(plan_);
  }
  arrow::Result<SnapshotHold> KeepAlive() override { return source_->KeepAlive(plan_->options.slot); }
  void Cancel() override { plan_->options.stop->Stop(); }
  std::vector<SourceNotice> TakeNotices() override { return source_->TakeNotices(); }

 private:
  const std::unique_ptr<SnapshotPoint> source_;
  const std::shared_ptr<Plan> plan_;
};

SnapshotTable Describe(const CopyTable& table) {
  SnapshotTable said;
  said.name = table.name;
  said.table_id = table.oid;
  said.rows = 0;
  for (const LeafInfo& leaf : table.leaves) {
    said.bytes += leaf.bytes;
    said.rows += leaf.rows;
  }
  said.parts_kept = static_cast<int>(table.kept.size());
  return said;
}

arrow::Status PlanCopy(const std::string& seen_text, const std::vector<SnapshotPart>& parts, Plan* plan) {
  const auto seen = ParseSeen(seen_text);
  if (seen.has_value()) {
    plan->seen = seen->text;
    plan->next_transaction = seen->next;
  }
  for (CopyTable& table : plan->tables) {
    std::vector<SnapshotPart> its;
    std::copy_if(parts.begin(), parts.end(), std::back_inserter(its), [&](const SnapshotPart& part) {
      return part.table_id == table.oid && part.table == table.name;
    });
    const auto point = seen.has_value() ? KeepRanges(its, *seen, &table) : std::nullopt;
    plan->said.push_back(Describe(table));
    plan->said.back().point = point.value_or(plan->point);
  }
  return CutTables(plan->options.snapshot_part_bytes, false, plan);
}

}  // namespace

arrow::Result<std::unique_ptr<Snapshot>> TakeSnapshot(const PostgresOptions& options,
                                                      const SnapshotSource& source,
                                                      const WantedTables& wanted,
                                                      const std::vector<SnapshotPart>& parts) {
  ARROW_ASSIGN_OR_RAISE(auto point, SnapshotPoint::Take(options.conninfo, options.stop, source.system,
                                                        source.timeline, source.plugin, source.patience));
  std::optional<TablePatterns> patterns;
  if (!options.tables.empty()) {
    ARROW_ASSIGN_OR_RAISE(patterns, TablePatterns::Parse(options.tables));
  }
  auto plan = std::make_shared<Plan>();
  plan->options = options;
  plan->options.stop = std::make_shared<StopToken>();
  plan->point = {source.timeline, point->lsn()};
  plan->commit_ts = point->commit_ts();
  plan->snapshot = point->name();
  ARROW_ASSIGN_OR_RAISE(plan->tables, ReadCopyTables(point->connection(), source.publications,
                                                     patterns.has_value() ? &*patterns : nullptr, wanted));
  // What comes by replication from elsewhere is in no change that would bring kept rows up to date.
  const std::string seen = options.origin == Origin::kAny ? point->seen() : "";
  ARROW_RETURN_NOT_OK(PlanCopy(seen, parts, plan.get()));
  return std::make_unique<PostgresSnapshot>(std::move(point), std::move(plan));
}

}  // namespace arrowcdc::postgres
