#include "src/delivery/stream_counts.h"

#include <algorithm>

#include <arrow/array/data.h>
#include <arrow/record_batch.h>

#include "src/change/table_schema.h"
#include "src/delivery/batch_bytes.h"
#include "src/delivery/schema_change.h"

namespace arrowcdc {
namespace {

using std::chrono::microseconds;

StreamCounts::Time TimeOf(int64_t commit_us) { return StreamCounts::Time(microseconds(commit_us)); }

int64_t MicrosecondsOf(StreamCounts::Time time) {
  return std::chrono::duration_cast<microseconds>(time.time_since_epoch()).count();
}

}  // namespace

void StreamCounts::Take(const ChangeBatch& batch, PipelineObserver& observer) {
  if (batch.table != last_) {
    last_ = batch.table;
    WarnOfWeakenedIdentity(*last_, observer);
    const TableName& name = batch.table->name;
    const bool counted = stats_.tables.contains(name) || stats_.tables.size() < PipelineStats::kTablesMax;
    last_counts_ = counted ? &stats_.tables[name] : &stats_.other_tables;
    if (counted) {
      const auto before = std::exchange(schemas_[name], batch.table);
      const bool other = before != nullptr && before != batch.table;  // tables take turns
      const std::string change = other ? DescribeSchemaChange(*before, *batch.table) : "";
      if (!change.empty()) {
        ++stats_.schema_changes;
        observer.OnSchemaChange(name, change);
      }
    }
  }
  const auto rows = static_cast<uint64_t>(batch.rows->num_rows());
  stats_.rows += rows;
  last_counts_->rows += rows;
  last_counts_->bytes += BytesOf(*batch.rows);
  ++last_counts_->batches;
  const auto& times = batch.rows->column_data(batch.table->metadata_field(MetadataColumn::kCommitTs));
  const auto* const values = times->GetValues<int64_t>(1);
  if (values == nullptr || times->IsNull(0) || times->IsNull(times->length - 1)) return;
  times_.Take(values[0], values[times->length - 1]);
}

void StreamCounts::WarnOfWeakenedIdentity(const TableSchema& table, PipelineObserver& observer) {
  if (!table.weakened.has_value() || !weakened_.insert(table.name).second) return;
  observer.OnNotice(
      {false, WeakenedIdentityText(*table.weakened) + " (" + WeakenedIdentityRemedy(*table.weakened) + ")",
       "table " + ToString(table.name)});
}

void StreamCounts::NoteDurable(const Position& position, Time now) {
  if (reached_ >= position) return;
  reached_ = position;
  times_.NoteDurable(position, MicrosecondsOf(now), &stats_.commit_to_durable);
}

void StreamCounts::Update(const SourceStats& source, const ChangeStream& stream, Time now) {
  stats_.server_lsn = std::max(stats_.server_lsn, source.server_lsn);
  stats_.received_bytes = source.received_bytes;
  stats_.queue_bytes = source.buffered_bytes;
  stats_.delivered = stream.delivered();
  stats_.reconnects = stream.reconnects();
  stats_.rows_skipped = stream.rows_skipped();
  stats_.rows_unmatched = stream.rows_unmatched();
  stats_.unmatched_tables = stream.unmatched_tables();
  stats_.tables_unpublished = stream.tables_unpublished();
  FindHowFarBehind(now);
}

// A server that is away may have committed much since it was heard last.
void StreamCounts::FindHowFarBehind(Time now) {
  if (!begun_.has_value()) begun_ = now;
  stats_.behind_since.reset();
  if (const auto oldest = times_.oldest()) {
    stats_.behind_since = TimeOf(*oldest);
  } else if (stats_.connected && reached_.has_value() && reached_->order >= stats_.server_lsn) {
    all_durable_at_ = now;
  } else {
    Time since = all_durable_at_.value_or(*begun_);
    if (const auto& last = times_.last_durable()) {
      since = all_durable_at_.has_value() ? std::max(since, TimeOf(*last)) : TimeOf(*last);
    }
    stats_.behind_since = since;
  }
}

}  // namespace arrowcdc
