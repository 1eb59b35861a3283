// TPC-B at 60 % of what the server can do: how much processor time reading its changes adds.
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "bench/drain_process.h"
#include "bench/figures.h"
#include "bench/process_stats.h"
#include "bench/runner.h"
#include "bench/sink_directory.h"
#include "bench/tpcb_load.h"

namespace arrowcdc::bench {
namespace {

constexpr double kShareOfMaximum = 0.6;
constexpr char kSlot[] = "bench_tpcb";
constexpr char kNobody[] = "no_consumer";         // given whole, not as a difference
constexpr char kPlacebo[] = "no_consumer_again";  // the second run without a reader, less the first

struct Load {
  int rate = 0;
  int per_client = 0;
  int64_t transactions() const { return static_cast<int64_t>(per_client) * kTpcbClients; }
  double changes() const { return static_cast<double>(transactions()) * kTpcbChanges; }
};

// Server CPU seconds of one paced run, with a reader (or none).
struct Cost {
  double server_s = 0;
  double walsender_s = 0;
  double client_s = 0;
  int64_t rows = 0;
};
arrow::Result<Cost> MeasureOnce(const Run& run, const Load& load, const Contender* reader) {
  ARROW_RETURN_NOT_OK(TidyTpcbTables(run.server, kDatabase));
  const SinkDirectory directory;
  std::unique_ptr<DrainProcess> process;
  if (reader != nullptr) {
    const DrainTask task{.contender = reader,
                         .table = FindTable("latency"),
                         .conninfo = run.server.conninfo(false),
                         .slot = kSlot,
                         .rows_expected = load.transactions() * kTpcbChanges,
                         .transactions = load.transactions(),
                         .sink_directory = directory.path().string()};
    ARROW_RETURN_NOT_OK(run.server.MakeSlot(kSlot, reader->plugin));
    ARROW_ASSIGN_OR_RAISE(process, DrainProcess::Start(task, &run.server.sql()));
  }
  const double client_before = process == nullptr ? 0 : process->client_cpu_s();
  const double before = ServerCpuSeconds(run.server.postmaster());
  ARROW_RETURN_NOT_OK(
      RunTpcbLoad(run.server, {.rate = load.rate, .per_client = load.per_client}, kDatabase).status());
  Cost cost;
  if (process != nullptr) {
    ARROW_ASSIGN_OR_RAISE(const MeasuredDrain drain, process->Finish(std::chrono::seconds(60)));
    cost.walsender_s = drain.server_cpu_s;
    cost.client_s = drain.client_cpu_s - client_before;
    cost.rows = drain.client.rows;
    ARROW_RETURN_NOT_OK(run.server.DropSlot(kSlot));
  }
  cost.server_s = ServerCpuSeconds(run.server.postmaster()) - before;
  return cost;
}

void Record(const Run& run, const TpcbWorkload& workload, const Load& load, const std::string& contender,
            int round, const Cost& cost, double server_alone_s) {
  const auto add = [&](const char* metric, double value) {
    run.results.Add(workload.name, contender, metric, round, value);
  };
  const double m_rows = load.changes() * 1e-6;
  add("rows_expected", load.changes());
  add("rows_verified", static_cast<double>(cost.rows));
  add(kTpcbAddedMetric, (cost.server_s - server_alone_s) / m_rows);
  add(kTpcbWalsenderMetric, cost.walsender_s / m_rows);
  add(kClientCpuMetric, cost.client_s / m_rows);
}

// The round begins and ends without a reader: the mean of the two is what the others are compared with, and
// their difference is what the method makes out of nothing.
arrow::Status MeasureRound(const Run& run, const TpcbWorkload& workload, const Load& load,
                           const std::vector<const Contender*>& contenders, int round) {
  const double m_rows = load.changes() * 1e-6;
  ARROW_ASSIGN_OR_RAISE(const Cost first, MeasureOnce(run, load, nullptr));
  std::vector<std::pair<const Contender*, Cost>> costs;
  for (const Contender* contender : OrderOfRound(contenders, round)) {
    const auto cost = MeasureOnce(run, load, contender);
    if (cost.ok()) {
      costs.emplace_back(contender, *cost);
      continue;
    }
    for (const char* metric : {kTpcbAddedMetric, kTpcbWalsenderMetric}) {
      run.results.SetAbsent(workload.name, contender->name, metric, cost.status().message());
    }
    Say(workload.name + ", " + contender->name + ": " + cost.status().message());
    (void)run.server.DropSlot(kSlot);  // it may not even have been made
  }
  ARROW_ASSIGN_OR_RAISE(const Cost last, MeasureOnce(run, load, nullptr));
  const double alone = (first.server_s + last.server_s) / 2;
  run.results.Add(workload.name, kNobody, kTpcbAddedMetric, round, alone / m_rows);
  run.results.Add(workload.name, kPlacebo, kTpcbAddedMetric, round,
                  (last.server_s - first.server_s) / m_rows);
  for (const auto& [contender, cost] : costs) {
    Record(run, workload, load, contender->name, round, cost, alone);
  }
  return arrow::Status::OK();
}

}  // namespace

arrow::Status RunTpcb(const Run& run, const TpcbWorkload& workload) {
  std::vector<const Contender*> contenders;
  for (const Contender& contender : Contenders()) {
    if (ReasonToSkip(run.options, contender, workload.contenders).empty()) contenders.push_back(&contender);
  }
  ARROW_RETURN_NOT_OK(MakeTpcbTables(run.server, workload.scale, kDatabase));
  ARROW_ASSIGN_OR_RAISE(const double maximum,
                        RunTpcbLoad(run.server, {.seconds = std::min(workload.seconds, 10)}, kDatabase));
  Load load;
  load.rate = static_cast<int>(maximum * kShareOfMaximum);
  load.per_client = load.rate * workload.seconds / kTpcbClients;
  run.results.SetMeta("tpcb_max_tps", maximum);
  run.results.SetMeta("tpcb_rate", load.rate);
  const int rounds = run.options.quick ? 2 : run.options.rounds_or_default();
  for (int round = 0; round < rounds; ++round) {
    Say(workload.name + ": round " + std::to_string(round + 1) + " of " + std::to_string(rounds));
    ARROW_RETURN_NOT_OK(MeasureRound(run, workload, load, contenders, round));
  }
  return arrow::Status::OK();
}

}  // namespace arrowcdc::bench
