#include "cli/monitor/state_json.h"

#include <nlohmann/json.hpp>

#include "cli/snapshot_progress.h"
#include "cli/time_text.h"

namespace arrowcdc::cli {
namespace {

using Json = nlohmann::ordered_json;

Json PositionOf(const StreamView& view, const std::optional<Position>& position) {
  if (!position.has_value()) return {};
  return view.source != nullptr ? view.source->FormatPosition(*position) : FormatLsn(position->order);
}

Json CountsOf(const std::string& name, const TableCounts& counts) {
  return {{"table", name}, {"rows", counts.rows}, {"bytes", counts.bytes}, {"batches", counts.batches}};
}

Json TablesOf(const PipelineStats& stats) {
  Json tables = Json::array();
  for (const auto& [name, counts] : stats.tables) tables.push_back(CountsOf(ToString(name), counts));
  if (stats.other_tables.batches > 0) tables.push_back(CountsOf("(other tables)", stats.other_tables));
  return tables;
}

Json HistogramOf(const LatencyHistogram& histogram) {
  return {
      {"bounds_seconds", histogram.kBounds}, {"counts", histogram.counts}, {"sum_seconds", histogram.sum}};
}

Json SlotOf(const SlotView& slot) {
  const SlotStatus& status = slot.status;
  Json json = {{"seen_at", FormatUtc(slot.at)}, {"exists", status.exists}};
  if (!status.exists) return json;
  json["active"] = status.active;
  json["wal_status"] = status.wal_status;
  json["confirmed_flush_lsn"] = FormatLsn(status.confirmed_flush);
  json["retained_bytes"] = status.retained_bytes;
  json["safe_wal_bytes"] = status.safe_wal_bytes.has_value() ? Json(*status.safe_wal_bytes) : Json();
  json["wal_bytes_per_second"] = slot.wal_bytes_per_s.has_value() ? Json(*slot.wal_bytes_per_s) : Json();
  json["invalidated_in_seconds"] =
      slot.invalidated_in.has_value() ? Json(slot.invalidated_in->count()) : Json();
  return json;
}

Json SnapshotOf(const SnapshotProgress& progress) {
  Json tables = Json::array();
  for (const auto& table : progress.tables) {
    tables.push_back({{"table", ToString(table.name)},
                      {"rows", table.rows},
                      {"rows_expected", table.rows_expected < 0 ? Json() : Json(table.rows_expected)},
                      {"parts_done", table.parts_done},
                      {"part_count", table.part_count},
                      {"complete", table.complete}});
  }
  return {{"share", CopiedShare(progress)}, {"tables", std::move(tables)}};
}

Json EventsOf(const std::deque<StreamEvent>& events) {
  Json list = Json::array();
  for (const StreamEvent& event : events) {
    list.push_back({{"at", FormatUtc(event.at)},
                    {"level", StreamEventLevelName(event.level)},
                    {"text", event.text},
                    {"object", event.object}});
  }
  return list;
}

}  // namespace

std::string FormatState(const StreamView& view, const std::string& version,
                        std::chrono::system_clock::time_point now,
                        std::chrono::steady_clock::time_point steady_now) {
  const PipelineStats& stats = view.stats;
  const std::string why = WhyNotReady(view, steady_now);
  const Json json = {
      {"version", version},
      {"at", FormatUtc(now)},
      {"begun_at", FormatUtc(view.begun_at)},
      {"phase", StreamPhaseName(view.phase)},
      {"ready", why.empty()},
      {"why_not_ready", why},
      {"slot_name", view.slot_name},
      {"database", view.database},
      {"plugin", view.plugin},
      {"sink", view.sink},
      {"rows", stats.rows},
      {"received_bytes", stats.received_bytes},
      {"queue_bytes", stats.queue_bytes},
      {"lag_bytes", LagBytes(view)},
      {"lag_seconds", LagSeconds(view, now)},
      {"delivered_lsn", PositionOf(view, stats.delivered)},
      {"durable_lsn", PositionOf(view, stats.durable)},
      {"server_lsn", stats.server_lsn == 0 ? Json() : PositionOf(view, Position{0, stats.server_lsn})},
      {"reconnects", stats.reconnects},
      {"unrepresentable_values", stats.unrepresentable},
      {"passed_over_rows", stats.rows_unmatched},
      {"repeated_rows", stats.rows_skipped},
      {"unpublished_tables", stats.tables_unpublished},
      {"schema_changes", stats.schema_changes},
      {"tables", TablesOf(stats)},
      {"commit_to_durable", HistogramOf(stats.commit_to_durable)},
      {"slot", view.slot.has_value() ? SlotOf(*view.slot) : Json()},
      {"snapshot", view.snapshot.has_value() ? SnapshotOf(*view.snapshot) : Json()},
      {"events", EventsOf(view.events)},
  };
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace arrowcdc::cli
