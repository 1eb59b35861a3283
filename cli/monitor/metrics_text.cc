#include "cli/monitor/metrics_text.h"

#include <charconv>
#include <utility>
#include <vector>

#include "cli/monitor/process_usage.h"
#include "cli/snapshot_progress.h"

namespace arrowcdc::cli {
namespace {

using Labels = std::vector<std::pair<const char*, std::string>>;

std::string EscapedLabel(const std::string& value) {
  std::string escaped;
  for (const char c : value) {
    if (c == '\\' || c == '"') escaped += '\\';
    if (c == '\n')
      escaped += "\\n";
    else
      escaped += c;
  }
  return escaped;
}

std::string NumberText(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}
std::string NumberText(uint64_t value) { return std::to_string(value); }
std::string NumberText(int64_t value) { return std::to_string(value); }
std::string NumberText(bool value) { return value ? "1" : "0"; }

double Seconds(std::chrono::system_clock::time_point time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

class MetricsText {
 public:
  void Family(const char* name, const char* type, const char* help) {
    name_ = std::string("arrowcdc_") + name;
    Head(type, help);
  }
  // Of names that are the same for all programs.
  void CommonFamily(const char* name, const char* type, const char* help) {
    name_ = name;
    Head(type, help);
  }

  template <typename T>
  void Sample(T value, const Labels& labels = {}, const char* suffix = "") {
    text_ += name_ + suffix;
    for (size_t i = 0; i < labels.size(); ++i)
      text_ +=
          (i == 0 ? "{" : ",") + std::string(labels[i].first) + "=\"" + EscapedLabel(labels[i].second) + "\"";
    text_ += (labels.empty() ? " " : "} ") + NumberText(value) + "\n";
  }

  template <typename T>
  void Counter(const char* name, const char* help, T value) {
    Family(name, "counter", help);
    Sample(value);
  }
  template <typename T>
  void Gauge(const char* name, const char* help, T value) {
    Family(name, "gauge", help);
    Sample(value);
  }

  std::string Take() { return std::move(text_); }

 private:
  void Head(const char* type, const char* help) {
    text_ += "# HELP " + name_ + " " + help + "\n# TYPE " + name_ + " " + type + "\n";
  }

  std::string name_;
  std::string text_;
};

// Tables beyond those that are counted one by one have no name.
void AddTables(const PipelineStats& stats, MetricsText* text) {
  const auto add = [&](const char* name, const char* help, uint64_t TableCounts::*count) {
    text->Family(name, "counter", help);
    for (const auto& [table, counts] : stats.tables)
      text->Sample(counts.*count, {{"schema", table.schema}, {"table", table.table}});
    if (stats.other_tables.batches > 0)
      text->Sample(stats.other_tables.*count, {{"schema", ""}, {"table", ""}});
  };
  add("rows_total", "Rows of changes that were handed to the sink.", &TableCounts::rows);
  add("bytes_total", "Bytes of these rows as Arrow buffers.", &TableCounts::bytes);
  add("batches_total", "Record batches of these rows.", &TableCounts::batches);
}

void AddHistogram(const LatencyHistogram& histogram, MetricsText* text) {
  text->Family(
      "commit_to_durable_seconds", "histogram",
      "Time from the commit of a batch's oldest row, by the server's clock, until the batch is durable.");
  uint64_t count = 0;
  for (size_t i = 0; i < histogram.counts.size(); ++i) {
    count += histogram.counts[i];
    const bool last = i == LatencyHistogram::kBounds.size();
    text->Sample(count, {{"le", last ? "+Inf" : NumberText(LatencyHistogram::kBounds[i])}}, "_bucket");
  }
  text->Sample(histogram.sum, {}, "_sum");
  text->Sample(count, {}, "_count");
}

void AddSlot(const SlotView& slot, MetricsText* text) {
  const SlotStatus& status = slot.status;
  text->Gauge("slot_seen_timestamp_seconds", "When the slot was looked at last.", Seconds(slot.at));
  text->Gauge("slot_exists", "Whether the slot is there.", status.exists);
  if (!status.exists) return;
  text->Gauge("slot_active", "Whether somebody streams the slot.", status.active);
  text->Gauge("slot_retained_bytes", "WAL that the server keeps because of the slot.", status.retained_bytes);
  text->Gauge("slot_unacknowledged_bytes", "WAL behind what the slot has confirmed.",
              status.current_lsn > status.confirmed_flush ? status.current_lsn - status.confirmed_flush : 0);
  text->Family("slot_wal_status", "gauge", "1 for the slot's wal_status.");
  for (const char* state : {"reserved", "extended", "unreserved", "lost"})
    text->Sample(status.wal_status == state, {{"status", state}});
  if (status.safe_wal_bytes.has_value())
    text->Gauge("slot_safe_wal_bytes",
                "WAL until the slot is invalidated; not there where there is no limit.",
                *status.safe_wal_bytes);
  if (slot.wal_bytes_per_s.has_value())
    text->Gauge("server_wal_bytes_per_second", "WAL that the server writes, over the last minutes.",
                *slot.wal_bytes_per_s);
  if (slot.invalidated_in.has_value())
    text->Gauge("slot_invalidation_seconds", "Until the slot is invalidated, at this rate.",
                static_cast<int64_t>(slot.invalidated_in->count()));
}

void AddSnapshot(const SnapshotProgress& progress, MetricsText* text) {
  uint64_t complete = 0;
  for (const auto& table : progress.tables) complete += table.complete ? 1 : 0;
  text->Gauge("snapshot_tables", "Tables of the last copy of earlier rows.",
              static_cast<uint64_t>(progress.tables.size()));
  text->Gauge("snapshot_tables_complete", "Those of them that are copied.", complete);
  text->Gauge("snapshot_progress_ratio", "Share of the copy that is done, as far as can be told.",
              CopiedShare(progress));
  text->Family("snapshot_rows", "gauge", "Rows that the copy has copied.");
  for (size_t i = 0; i < progress.tables.size() && i < PipelineStats::kTablesMax; ++i) {
    const auto& table = progress.tables[i];
    text->Sample(table.rows, {{"schema", table.name.schema}, {"table", table.name.table}});
  }
}

void AddProcess(MetricsText* text) {
  const ProcessUsage usage = ReadProcessUsage();
  text->CommonFamily("process_cpu_seconds_total", "counter", "CPU time of this process.");
  text->Sample(usage.cpu_seconds);
  text->CommonFamily("process_resident_memory_bytes", "gauge", "Memory of this process.");
  text->Sample(usage.resident_bytes);
}

}  // namespace

std::string FormatMetrics(const StreamView& view, const std::string& version,
                          std::chrono::system_clock::time_point now,
                          std::chrono::steady_clock::time_point steady_now) {
  const PipelineStats& stats = view.stats;
  MetricsText text;
  text.Family("build_info", "gauge", "1; which arrowcdc this is.");
  text.Sample(true, {{"version", version}});
  text.Family("stream_info", "gauge", "1; what is streamed.");
  text.Sample(true, {{"slot", view.slot_name}, {"database", view.database}, {"plugin", view.plugin}});
  text.CommonFamily("process_start_time_seconds", "gauge", "When this process began.");
  text.Sample(Seconds(view.begun_at));
  AddProcess(&text);
  text.Gauge("ready", "Whether it streams, as /readyz has it.", WhyNotReady(view, steady_now).empty());
  text.Gauge("connected", "Whether there is a connection that streams.", stats.connected);
  AddTables(stats, &text);
  text.Counter("received_bytes_total", "Bytes that the server has sent.", stats.received_bytes);
  text.Gauge("queue_bytes", "Bytes that were received and not decoded yet.", stats.queue_bytes);
  text.Gauge("lag_bytes", "WAL between what is durable and the end that the server has told of.",
             LagBytes(view));
  text.Gauge("lag_seconds",
             "Age of the oldest commit that is not durable, as far as is known; 0 when all is durable.",
             LagSeconds(view, now));
  AddHistogram(stats.commit_to_durable, &text);
  text.Counter("reconnects_total", "Connections that followed a lost one.", stats.reconnects);
  text.Counter("unrepresentable_values_total", "Values without an Arrow form.", stats.unrepresentable);
  text.Counter("passed_over_rows_total", "Rows of tables that no pattern matches.", stats.rows_unmatched);
  text.Counter("repeated_rows_total", "Rows that came again and were left out.", stats.rows_skipped);
  text.Gauge("unpublished_tables", "Tables that were asked for and do not come.", stats.tables_unpublished);
  text.Counter("schema_changes_total", "Times that rows of a table began to come with other columns.",
               stats.schema_changes);
  text.Counter("warnings_total", "Warnings of the stream.", view.warnings);
  text.Counter("errors_total", "Errors that the stream went on after.", view.errors);
  if (view.snapshot.has_value()) AddSnapshot(*view.snapshot, &text);
  if (view.slot.has_value()) AddSlot(*view.slot, &text);
  return text.Take();
}

}  // namespace arrowcdc::cli
