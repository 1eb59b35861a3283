// TPC-B at 60 % of what the server can do: how much processor time reading its changes adds.
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "bench/drain_process.h"
#include "bench/figures.h"
#include "bench/process_stats.h"
#include "bench/runner.h"

namespace arrowcdc::bench {
namespace {

constexpr int kClients = 4;
constexpr int kChangesPerTransaction = 4;  // three updates and an insert
constexpr double kShareOfMaximum = 0.6;
constexpr char kSlot[] = "bench_tpcb";
constexpr char kNobody[] = "no_consumer";         // given whole, not as a difference
constexpr char kPlacebo[] = "no_consumer_again";  // the second run without a reader, less the first

struct Load {
  int rate = 0;
  int per_client = 0;
  int64_t transactions() const { return static_cast<int64_t>(per_client) * kClients; }
  double changes() const { return static_cast<double>(transactions()) * kChangesPerTransaction; }
};

std::vector<std::string> PgbenchArguments() {
  return {"--client=" + std::to_string(kClients), "--jobs=1", "--protocol=prepared", "--builtin=tpcb-like"};
}

// Transactions a second without a limit.
arrow::Result<double> MeasureMaximum(const Run& run, int seconds) {
  auto arguments = PgbenchArguments();
  arguments.push_back("--time=" + std::to_string(seconds));
  ARROW_ASSIGN_OR_RAISE(const std::string output, run.server.Pgbench(arguments));
  const size_t at = output.find("tps = ");
  if (at == std::string::npos) return arrow::Status::IOError("pgbench did not say its rate");
  return std::atof(output.c_str() + at + 6);
}

// Server CPU seconds of one paced run, with a reader (or none).
struct Cost {
  double server_s = 0;
  double walsender_s = 0;
  int64_t rows = 0;
};
arrow::Result<Cost> MeasureOnce(const Run& run, const Load& load, const Contender* reader) {
  // Else each run would meet more dead rows than the one before.
  ARROW_RETURN_NOT_OK(run.server.sql().Exec("VACUUM pgbench_branches, pgbench_tellers"));
  ARROW_RETURN_NOT_OK(run.server.Settle().status());
  std::unique_ptr<DrainProcess> process;
  if (reader != nullptr) {
    const DrainTask task{.contender = reader,
                         .table = FindTable("latency"),
                         .conninfo = run.server.conninfo(false),
                         .slot = kSlot,
                         .rows_expected = load.transactions() * kChangesPerTransaction,
                         .transactions = load.transactions()};
    ARROW_RETURN_NOT_OK(run.server.MakeSlot(kSlot, reader->plugin));
    ARROW_ASSIGN_OR_RAISE(process, DrainProcess::Start(task, &run.server.sql()));
  }
  auto arguments = PgbenchArguments();
  arguments.push_back("--rate=" + std::to_string(load.rate));
  arguments.push_back("--transactions=" + std::to_string(load.per_client));
  const double before = ServerCpuSeconds(run.server.postmaster());
  ARROW_RETURN_NOT_OK(run.server.Pgbench(arguments).status());
  Cost cost;
  if (process != nullptr) {
    ARROW_ASSIGN_OR_RAISE(const MeasuredDrain drain, process->Finish(std::chrono::seconds(60)));
    cost.walsender_s = drain.server_cpu_s;
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
    const std::string reason = ReasonToSkip(run.options, contender, workload.contenders);
    if (reason.empty()) {
      contenders.push_back(&contender);
    } else {
      run.results.SetAbsent(workload.name, contender.name, kTpcbWalsenderMetric, reason);
    }
  }
  ARROW_RETURN_NOT_OK(
      run.server.Pgbench({"--initialize", "--quiet", "--scale=" + std::to_string(workload.scale)}).status());
  ARROW_RETURN_NOT_OK(run.server.Settle().status());
  ARROW_ASSIGN_OR_RAISE(const double maximum, MeasureMaximum(run, std::min(workload.seconds, 10)));
  Load load;
  load.rate = static_cast<int>(maximum * kShareOfMaximum);
  load.per_client = load.rate * workload.seconds / kClients;
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
