// stream: runs the pipeline until told to stop, and says on standard error how it goes.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <memory>
#include <utility>

#include "arrowcdc/error.h"
#include "cli/commands.h"
#include "cli/descriptors.h"
#include "cli/logging.h"
#include "cli/monitor/monitor_door.h"
#include "cli/observer_list.h"
#include "cli/service_notify.h"
#include "cli/snapshot_progress.h"
#include "cli/stop.h"
#include "cli/sync_state.h"
#include "src/options/amount.h"
#include "src/options/option.h"

namespace arrowcdc::cli {
namespace {

using Clock = std::chrono::steady_clock;
using spdlog::level::err;
using spdlog::level::info;
using spdlog::level::warn;

// Not where there is none yet.
void AddPosition(const char* name, const Source& source, const std::optional<Position>& position,
                 LogFields* fields) {
  if (position.has_value()) fields->emplace_back(name, source.FormatPosition(*position));
}

std::optional<Position> ServerPosition(const PipelineStats& stats) {
  return stats.server_lsn == 0 ? std::nullopt : std::optional(Position{0, stats.server_lsn});
}

// Those that no pattern matches, the ones with most rows first: "public.b 12, public.a 3".
std::string ListOtherTables(const PipelineStats& stats) {
  constexpr size_t kTablesMax = 10;
  std::vector<std::pair<uint64_t, TableName>> tables;
  for (const auto& [table, rows] : stats.unmatched_tables) {
    if (rows > 0) tables.emplace_back(rows, table);
  }
  std::sort(tables.begin(), tables.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  std::string text;
  for (size_t i = 0; i < std::min(tables.size(), kTablesMax); ++i)
    text += (i == 0 ? "" : ", ") + ToString(tables[i].second) + " " + std::to_string(tables[i].first);
  if (tables.size() > kTablesMax) text += " and " + std::to_string(tables.size() - kTablesMax) + " more";
  return text;
}

const char* EventOf(NoticeKind kind) {
  switch (kind) {
    case NoticeKind::kOther:
      return "notice";
    case NoticeKind::kGapAccepted:
      return "gap_accepted";
    case NoticeKind::kPassedOver:
      return "passed_over";
    case NoticeKind::kNotPublished:
      return "not_published";
    case NoticeKind::kDdlSeen:
      return "ddl_seen";
  }
  return "notice";
}

class ProgressReporter : public PipelineObserver {
 public:
  ProgressReporter(const Options& options, const Source& source)
      : options_(options),
        source_(source),
        snapshot_(source, options.command.progress_interval),
        last_log_(Clock::now()) {}

  void OnConnected(const SourceInfo& source, const Position& start, bool resumed) override {
    const std::string lsn = source_.FormatPosition(start);
    NotifyReady();
    sync_state_.Reset();
    SayHowOften();
    if (std::exchange(connected_once_, true)) {
      Log(info, "connected again", {{"from_lsn", lsn}, {"event", "reconnected"}});
      return;
    }
    LogFields fields = {
        {"from_lsn", lsn}, {"server_wal_end", source_.FormatPosition(source.end)}, {"event", "streaming"}};
    if (!IsMysql(options_)) {
      fields.insert(fields.begin(), {{"slot", source.stream.slot},
                                     {"plugin", source.stream.plugin},
                                     {"database", source.stream.database}});
    }
    Log(info,
        std::string(resumed ? "resuming: " : "") + "streaming changes that commit after " + lsn +
            WhatIsBefore(resumed),
        std::move(fields));
    first_lsn_ = start.order;
  }

  void OnEnd(const LogEnd& end) override {
    if (!end.flushed) {
      Log(warn,
          "transactions in progress have written WAL behind the end of what is flushed: the stream ends "
          "there",
          {{"until_lsn", source_.FormatPosition(end.position)}, {"event", "unflushed_end"}});
    }
  }

  void OnProgress(const PipelineStats& stats) override {
    if (!connected_once_) return;
    if (stats.connected && stats.durable.has_value() && !IsMysql(options_)) WarnWhereCommitsWait();
    const auto now = Clock::now();
    const double seconds = std::max(std::chrono::duration<double>(now - last_progress_).count(), 1e-3);
    rows_per_s_ = static_cast<double>(stats.rows - last_rows_) / seconds;
    last_progress_ = now;
    last_rows_ = stats.rows;
    const uint64_t reached = std::max(stats.durable.value_or(Position{}).order, first_lsn_);
    const uint64_t lag = source_.BytesBetween(reached, stats.server_lsn);
    char rate[32];
    std::snprintf(rate, sizeof rate, "%.0f", rows_per_s_);
    if (HasProgressLines()) {
      std::string line = std::string(stats.connected ? "" : "not connected, ") + std::to_string(stats.rows) +
                         " rows, " + rate + " rows/s, not durable yet " + FormatSize(lag);
      LogFields positions;
      AddPosition("delivered", source_, stats.delivered, &positions);
      AddPosition("durable", source_, stats.durable, &positions);
      for (const auto& [name, place] : positions) line += ", " + name + " " + std::get<std::string>(place);
      ShowProgressLines({line});
      return;
    }
    if (now - last_log_ < options_.command.progress_interval) return;
    last_log_ = now;
    LogFields fields = {{"rows", stats.rows}, {"rows_per_s", static_cast<uint64_t>(rows_per_s_)}};
    AddPosition("delivered_lsn", source_, stats.delivered, &fields);
    AddPosition("durable_lsn", source_, stats.durable, &fields);
    AddPosition("server_lsn", source_, ServerPosition(stats), &fields);
    fields.insert(fields.end(), {{"lag_bytes", lag},
                                 {"received_bytes", stats.received_bytes},
                                 {"rows_of_other_tables", stats.rows_unmatched},
                                 {"tables_not_published", stats.tables_unpublished},
                                 {"event", "progress"}});
    Log(info, "progress", fields);
  }

  void OnSnapshot(const SnapshotProgress& progress) override {
    NotifyReady();
    copied_ = true;
    if (progress.copy != copy_) rows_copied_before_ = rows_copied();
    copy_ = progress.copy;
    rows_copied_ = 0;
    for (const auto& table : progress.tables) rows_copied_ += table.complete ? table.rows : 0;
    snapshot_.Show(progress);
  }

  // Of tables that are complete.
  uint64_t rows_copied() const { return rows_copied_before_ + rows_copied_; }

  // A slot that another client reads may stay so for long: the same of it is said once, and counted.
  void OnRetry(const arrow::Status& status, std::chrono::milliseconds wait) override {
    const ErrorDetail* detail = GetErrorDetail(status);
    const bool in_use = detail != nullptr && detail->kind() == ErrorKind::kSlotActive;
    if (in_use && status.message() == slot_in_use_) {
      ++slot_in_use_again_;
      return;
    }
    SayHowOften();
    if (in_use) slot_in_use_ = status.message();
    LogFields fields = FieldsOf(status);
    const std::string again = "again in " + std::to_string(wait.count()) + " ms: " + status.message();
    if (detail != nullptr && detail->kind() == ErrorKind::kBusy) {
      fields.emplace_back("event", "busy");
      Log(warn, "trying " + again, fields);
      return;
    }
    const bool no_room = detail != nullptr && detail->kind() == ErrorKind::kSink;
    fields.emplace_back("event", in_use ? "slot_in_use" : no_room ? "spool_failed" : "connection_lost");
    Log(warn, "connecting " + again, fields);
  }

  // Whatever comes next: it is told of what was not said by itself.
  void SayHowOften() {
    if (slot_in_use_again_ > 0)
      Log(warn, "the slot was in use, as said",
          {{"times_more", slot_in_use_again_}, {"event", "slot_in_use"}});
    slot_in_use_again_ = 0;
    slot_in_use_.clear();
  }

  void OnNotice(const SourceNotice& notice) override {
    behind_gap_ = behind_gap_ || notice.kind == NoticeKind::kGapAccepted;
    Log(notice.error ? err : warn, notice.text, {{"object", notice.object}, {"event", EventOf(notice.kind)}});
  }

  void OnTableAppeared(const TableName& table) override {
    Log(info, "a table is new", {{"table", ToString(table)}, {"event", "table_appeared"}});
  }

  void OnSchemaChange(const TableName& table, const std::string& change) override {
    Log(info, "rows of a table come with other columns",
        {{"table", ToString(table)}, {"change", change}, {"event", "schema_change"}});
  }

  void OnUnrepresentable(const TableName& table, const std::string& column) override {
    Log(warn, "a value has no Arrow form: the column is null there and listed in _unrepresentable",
        {{"table", ToString(table)}, {"column", column}, {"event", "unrepresentable_value"}});
  }

 private:
  std::string WhatIsBefore(bool resumed) const {
    if (resumed) return ", where the sink stands";
    if (copied_) return ", behind the rows that were there before";
    if (behind_gap_) return ", and not from where the sink stands: changes in between are lacking";
    return std::string("; rows that were there before are not included") +
           (IsMysql(options_) ? "" : " (--snapshot initial copies them first, into a new sink)");
  }

  // The server ranks a standby once it has heard of something durable.
  void WarnWhereCommitsWait() {
    const std::string state = sync_state_.Look(options_.source);
    if (state.empty() || std::exchange(warned_of_sync_, true)) return;
    Log(warn,
        "the server takes this stream for a synchronous standby: with synchronous_commit on, commits wait "
        "until "
        "their changes are in complete files here",
        {{"sync_state", state},
         {"setting", "synchronous_standby_names"},
         {"remedy",
          "name the standbys that are meant in synchronous_standby_names: '*' and this stream's "
          "application_name count it among them"},
         {"event", "synchronous_standby"}});
  }

  const Options& options_;
  const Source& source_;
  SnapshotReporter snapshot_;
  bool copied_ = false;
  bool behind_gap_ = false;
  uint64_t copy_ = 0;  // that was shown last
  uint64_t rows_copied_ = 0;
  uint64_t rows_copied_before_ = 0;  // by the copies before it
  SyncState sync_state_;
  bool warned_of_sync_ = false;
  bool connected_once_ = false;
  std::string slot_in_use_;         // what was said of it last
  uint64_t slot_in_use_again_ = 0;  // and met since
  uint64_t first_lsn_ = 0;
  uint64_t last_rows_ = 0;
  double rows_per_s_ = 0;
  Clock::time_point last_progress_ = Clock::now();
  Clock::time_point last_log_;
};

void SayGoodbye(const Source& source, const PipelineStats& stats, uint64_t rows_copied) {
  LogFields fields = {{"rows", stats.rows},
                      {"rows_copied", rows_copied},
                      {"rows_skipped", stats.rows_skipped},
                      {"rows_of_other_tables", stats.rows_unmatched},
                      {"other_tables", ListOtherTables(stats)},
                      {"tables_not_published", stats.tables_unpublished},
                      {"unrepresentable_values", stats.unrepresentable},
                      {"reconnects", stats.reconnects}};
  AddPosition("delivered_lsn", source, stats.delivered, &fields);
  AddPosition("durable_lsn", source, stats.durable, &fields);
  fields.emplace_back("event", "stopped");
  Log(info, "stopped", fields);
}

// The slot outlives this process and keeps WAL on the server's disk: whoever stops for good should know.
void SayWhatTheSlotKeeps(PostgresOptions source) {
  constexpr std::chrono::milliseconds kPatience{300};
  source.stop = std::make_shared<StopToken>();
  source.stop->StopAfter(kPatience);
  const auto status = GetSlotStatus(source);
  if (!status.ok() || !status->exists) return;
  Log(info,
      "the slot stays and keeps " + FormatSize(status->retained_bytes) +
          " of WAL on the server; to remove it: arrowcdc teardown " + SuggestOptions(source),
      {{"retained_bytes", status->retained_bytes}, {"event", "slot_stays"}});
}

constexpr std::chrono::milliseconds kLatencyOfFiles{50};

arrow::Result<std::unique_ptr<Source>> MakeSource(const Options& options, bool keeps_data) {
  if (IsMysql(options)) return MakeMysqlSource(MysqlSourceOf(options));
  PostgresOptions from = options.source;
  // Files are completed far less often.
  if (!from.latency.has_value() && keeps_data) from.latency = kLatencyOfFiles;
  return MakePostgresSource(from);
}

arrow::Status CheckFits(const Options& options, const Sink& sink) {
  if (StandardOutputWasClosed() && (options.sink_uri == "ipc:-" || options.sink_uri.starts_with("console"))) {
    return MakeError(ErrorKind::kInvalidOption, "standard output is closed, and the sink writes there",
                     "option --sink", "give it a standard output, or choose another sink");
  }
  if (sink.keeps_data() && options.pipeline.ack_on_write) {
    return MakeError(ErrorKind::kInvalidOption,
                     "this sink keeps its rows: they are acknowledged when they are durable", "option --ack",
                     "leave --ack=on-write to console and ipc:-");
  }
  return arrow::Status::OK();
}

// Not with what follows the scheme of one that cannot be read: that may be secret.
std::string DescribeSink(const Options& options, const Sink& sink) {
  const std::string kind = options.sink_uri.substr(0, options.sink_uri.find(':'));
  return sink.location().empty() ? kind : kind + " " + sink.location();
}

// Without the account and its password.
std::string DescribeSource(const std::string& url) {
  const size_t scheme = url.find("://");
  if (scheme == std::string::npos) return url;
  size_t begin = scheme + 3;
  const size_t end = std::min(url.find_first_of("/?", begin), url.size());
  const size_t at = url.substr(0, end).rfind('@');
  if (at != std::string::npos && at >= begin) begin = at + 1;
  return url.substr(0, scheme + 3) + url.substr(begin, end - begin);
}

void SayWhereRowsGo(const Options& options, const Sink& sink) {
  std::string others;
  for (const std::string& name : OptionsOfOtherSinks(options)) others += (others.empty() ? "" : ", ") + name;
  if (!others.empty())
    Log(warn, "options of other sinks have no effect on this one",
        {{"options", others}, {"event", "options_of_other_sinks"}});
  if (const std::string path = sink.location(); !path.empty())
    Log(info, "writing to", {{"path", path}, {"event", "sink_chosen"}});
  if (sink.keeps_data() || options.pipeline.ack_on_write) return;
  Log(info,
      IsMysql(options) ? "this sink keeps nothing: where it has come to is not stored"
                       : "this sink keeps nothing, so the slot does not move; --ack=on-write acknowledges "
                         "what was written",
      {{"event", "slot_does_not_move"}});
}

// `source` is there before the first file is.
void SayWhatIsClosed(const Source& source, const ClosedFile& file) {
  Log(info, "a file is complete",
      {{"table", ToString(file.table)},
       {"path", file.path},
       {"rows", static_cast<uint64_t>(file.rows)},
       {"bytes", static_cast<uint64_t>(file.bytes)},
       {"position", source.FormatPosition(Position{0, file.last_row.commit_lsn})},
       {"event", "file_closed"}});
}

ExitCode Fail(const arrow::Status& status) {
  LogError(err, "stream", status, "failed");
  return ExitCodeOf(status);
}

}  // namespace

ExitCode RunStream(const Options& options) {
  // A reader of our standard output that goes away is an error of the sink, not a silent death.
  std::signal(SIGPIPE, SIG_IGN);
  StopToken& stop = *options.source.stop;
  if (options.command.duration.has_value()) stop.StopAfter(*options.command.duration);
  const Source* told = nullptr;
  SinkOptions sink_options = options.sink;
  sink_options.on_file_closed = [&told](const ClosedFile& file) { SayWhatIsClosed(*told, file); };
  auto sink = MakeSink(options.sink_uri, sink_options);
  if (!sink.ok()) return Fail(sink.status());
  auto source = MakeSource(options, (*sink)->keeps_data());
  if (!source.ok()) return Fail(source.status());
  told = source->get();
  const auto patterns = TablePatterns::Parse(options.source.tables);
  if (!patterns.ok()) return Fail(patterns.status());
  if (const arrow::Status fits = CheckFits(options, **sink); !fits.ok()) return Fail(fits);
  SetLogContext({IsMysql(options)
                     ? LogFields::value_type("source", DescribeSource(MysqlSourceOf(options).url))
                     : LogFields::value_type("slot", options.source.slot),
                 {"sink", DescribeSink(options, **sink)}});
  SayWhereRowsGo(options, **sink);
  ProgressReporter reporter(options, **source);
  ObserverList observers;
  observers.Add(&reporter);
  std::unique_ptr<MonitorDoor> door;
  if (options.command.http.has_value()) {
    auto opened = MonitorDoor::Open(options, DescribeSink(options, **sink), **source);
    if (!opened.ok()) return Fail(opened.status());
    door = *std::move(opened);
    observers.Add(&door->monitor());
  }
  const StopLimit limit(
      options.source.stop, options.command.stop_timeout,
      "not everything was stored within --stop-timeout: files in progress are dropped, nothing of "
      "them was acknowledged and it comes again with the next start");
  PipelineOptions pipeline = options.pipeline;
  pipeline.snapshot = options.command.snapshot;
  const auto streamed = RunPipeline(**source, **sink, pipeline,
                                    options.source.tables.empty() ? nullptr : &*patterns, observers, stop);
  door.reset();
  EndProgressLines();
  reporter.SayHowOften();
  if (!streamed.ok()) return Fail(streamed.status());
  SayGoodbye(**source, *streamed, reporter.rows_copied());
  if (!IsMysql(options)) SayWhatTheSlotKeeps(options.source);
  return kOk;
}

}  // namespace arrowcdc::cli
