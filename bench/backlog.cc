// Workloads whose rows are all written before anybody reads them: how fast a backlog is drained, and at what
// cost.
#include <chrono>

#include "bench/drain_process.h"
#include "bench/figures.h"
#include "bench/plugin_counts.h"
#include "bench/runner.h"
#include "bench/sink_directory.h"

namespace arrowcdc::bench {
namespace {

constexpr char kOrigin[] =
    "bench_origin";  // the slot at the place where the workload begins; all others are copies
constexpr std::chrono::seconds kDrainLimit{900};

void SetAllAbsent(const Run& run, const std::string& workload, const std::string& contender,
                  const std::string& reason) {
  for (const char* metric : kMetrics) {
    if (metric != std::string("rows_expected")) run.results.SetAbsent(workload, contender, metric, reason);
  }
}

bool OneServerProcess(const Contender& contender) {
  return contender.connections == 1 && contender.reader != Reader::kSnapshot &&
         contender.reader != Reader::kSnapshotParquet && contender.name != "debezium_snapshot";
}

void Record(const Run& run, const BacklogWorkload& workload, const Contender& contender, int round,
            const MeasuredDrain& drain, int64_t spilled_bytes, const std::optional<PluginCounts>& counts) {
  const auto add = [&](const char* metric, double value) {
    run.results.Add(workload.name, contender.name, metric, round, value);
  };
  const auto absent = [&](const char* metric, const std::string& reason) {
    run.results.SetAbsent(workload.name, contender.name, metric, reason);
  };
  const DrainResult& client = drain.client;
  add("rows_verified", static_cast<double>(client.rows));
  if (client.rows != workload.rows) {
    const std::string reason =
        std::to_string(client.rows) + " of " + std::to_string(workload.rows) + " rows were seen";
    for (const char* metric : kMetrics) {
      if (std::string(metric) != "rows_verified") absent(metric, reason);
    }
    return;
  }
  const auto rows = static_cast<double>(client.rows);
  add("wall_s", client.wall_s);
  add("rows_per_s", rows / client.wall_s);
  add("txns_per_s", static_cast<double>(workload.transactions()) / client.wall_s);
  if (OneServerProcess(contender)) {
    add("server_cpu_s_per_m_rows", drain.server_cpu_s / rows * 1e6);
    add("walsender_rss_bytes", static_cast<double>(drain.server_peak_bytes));
  } else {
    absent("server_cpu_s_per_m_rows", "several processes of the server take part");
    absent("walsender_rss_bytes", "several processes of the server take part");
  }
  add("client_cpu_s_per_m_rows", client.client_cpu_s / rows * 1e6);
  if (contender.plugin.empty() || contender.reader == Reader::kSqlPeek) {
    absent("spilled_bytes", "the server counts them for slots that stream");
  } else {
    add("spilled_bytes", static_cast<double>(spilled_bytes));
  }
  if (client.wire_bytes >= 0) {
    add("wire_bytes_per_row", static_cast<double>(client.wire_bytes) / rows);
  } else {
    absent("wire_bytes_per_row", "its client does not count them");
  }
  if (client.client_peak_bytes >= 0) {
    add("client_rss_bytes", static_cast<double>(client.client_peak_bytes));
  } else {
    absent("client_rss_bytes", "its client is another program");
  }
  if (client.frames > 0 && !contender.plugin.empty()) {
    add("txns_per_frame", static_cast<double>(workload.transactions()) / static_cast<double>(client.frames));
  } else {
    absent("txns_per_frame", "its client does not count messages");
  }
  if (counts.has_value()) {
    add("drained_share", static_cast<double>(counts->records_drained) / static_cast<double>(counts->records));
  } else {
    absent("drained_share", contender.plugin == "wal2arrow" ? "the plugin did not log its counts"
                                                            : "its plugin has no loop of its own");
  }
}

arrow::Result<MeasuredDrain> DrainOnce(const Run& run, const DrainTask& task) {
  ARROW_ASSIGN_OR_RAISE(auto process, DrainProcess::Start(task, &run.server.sql()));
  return process->Finish(kDrainLimit);
}

arrow::Status MeasureOnce(const Run& run, const BacklogWorkload& workload, const Contender& contender,
                          int round, uint64_t end_lsn) {
  DrainTask task{.contender = &contender,
                 .table = workload.table,
                 .conninfo = run.server.conninfo(workload.tcp || contender.tcp_only),
                 .slot = "bench_" + contender.name,
                 .rows_expected = workload.rows,
                 .transactions = workload.transactions(),
                 .end_lsn = end_lsn};
  const SinkDirectory directory;
  task.sink_directory = directory.path().string();
  if (!contender.plugin.empty()) {
    const auto made = run.server.MakeSlot(task.slot, contender.plugin, kOrigin);
    if (!made.ok()) {
      SetAllAbsent(run, workload.name, contender.name, made.message());
      return arrow::Status::OK();
    }
  }
  const size_t log_begin = run.server.log().size();
  const auto drain = DrainOnce(run, task);
  int64_t spilled_bytes = 0;
  if (!contender.plugin.empty()) {
    ARROW_ASSIGN_OR_RAISE(
        spilled_bytes,
        run.server.Number("SELECT spill_bytes FROM pg_stat_replication_slots WHERE slot_name = '" +
                          task.slot + "'"));
    ARROW_RETURN_NOT_OK(run.server.DropSlot(task.slot));
  }
  if (drain.ok()) {
    const auto counts = ParsePluginCounts(run.server.log().substr(log_begin), task.slot);
    Record(run, workload, contender, round, *drain, spilled_bytes, counts);
  } else {
    SetAllAbsent(run, workload.name, contender.name, drain.status().message());
    Say(workload.name + ", " + contender.name + ": " + drain.status().message());
  }
  return arrow::Status::OK();
}

arrow::Status MeasureAll(const Run& run, const BacklogWorkload& workload, uint64_t end_lsn) {
  std::vector<const Contender*> contenders;
  for (const Contender& contender : Contenders()) {
    if (ReasonToSkip(run.options, contender, workload.contenders).empty()) {
      contenders.push_back(&contender);
      run.results.Add(workload.name, contender.name, "rows_expected", 0, static_cast<double>(workload.rows));
    }
  }
  int rounds = run.options.rounds_or_default();
  if (workload.rounds_max > 0) rounds = std::min(rounds, workload.rounds_max);
  for (int round = 0; round < rounds; ++round) {
    Say(workload.name + ": round " + std::to_string(round + 1) + " of " + std::to_string(rounds));
    for (const Contender* contender : OrderOfRound(contenders, round)) {
      ARROW_RETURN_NOT_OK(MeasureOnce(run, workload, *contender, round, end_lsn));
    }
  }
  for (const char* plugin : {"pgoutput_text", "pgoutput_binary"}) {
    run.results.TakeBetter(workload.name, plugin, std::string(plugin) + "_recvlogical");
  }
  return arrow::Status::OK();
}

}  // namespace

arrow::Status RunBacklog(const Run& run, const std::vector<BacklogWorkload>& group) {
  const BacklogWorkload& first = group.front();
  auto& sql = run.server.sql();
  ARROW_RETURN_NOT_OK(sql.Exec(first.table->CreateSql()));
  ARROW_RETURN_NOT_OK(run.server.MakeSlot(kOrigin, "pgoutput"));
  Say(first.table->name + ": writing " + std::to_string(first.rows) + " changes in " +
      std::to_string(first.transactions()) + " transactions");
  ARROW_RETURN_NOT_OK(sql.Exec("SET synchronous_commit = off"));
  ARROW_RETURN_NOT_OK(sql.Exec(first.LoadSql()));
  ARROW_RETURN_NOT_OK(sql.Exec("RESET synchronous_commit"));
  ARROW_ASSIGN_OR_RAISE(const uint64_t end_lsn, run.server.Settle());
  // Reads the WAL once, so that nobody is the first to do it.
  ARROW_RETURN_NOT_OK(run.server.MakeSlot("bench_warm_up", "arrowcdc_noop", kOrigin));
  ARROW_RETURN_NOT_OK(
      sql.Scalar("SELECT count(*) FROM pg_logical_slot_peek_binary_changes('bench_warm_up', NULL, NULL)")
          .status());
  ARROW_RETURN_NOT_OK(run.server.DropSlot("bench_warm_up"));
  for (const BacklogWorkload& workload : group) ARROW_RETURN_NOT_OK(MeasureAll(run, workload, end_lsn));
  ARROW_RETURN_NOT_OK(run.server.DropSlot(kOrigin));
  ARROW_RETURN_NOT_OK(sql.Exec("DROP TABLE " + first.table->name));
  return sql.Exec("CHECKPOINT");
}

}  // namespace arrowcdc::bench
