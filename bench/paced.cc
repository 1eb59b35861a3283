// Workloads at a steady rate: how long after its commit a transaction is in the reader's hands.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>

#include "bench/drain_process.h"
#include "bench/runner.h"

namespace arrowcdc::bench {
namespace {

namespace fs = std::filesystem;

constexpr int kWriters = 4;
constexpr char kSlot[] = "bench_paced";

// pgbench's script: one row a transaction. Ids are taken from `base` on, a range for each writer.
arrow::Status WriteScript(const fs::path& path, const Table& table) {
  std::string insert = table.InsertSql(":id", ":id");
  std::ofstream file(path);
  file << "\\set n :n + 1\n\\set id :base + :client_id * 10000000 + :n\n" << insert << ";\n";
  file.flush();
  return file ? arrow::Status::OK() : arrow::Status::IOError("cannot write ", path.string());
}

// The first half second warms caches on both sides; a Java machine needs longer to compile what it runs.
double WarmUpSeconds(const Contender& contender) { return contender.reader == Reader::kDebezium ? 5 : 0.5; }

int TransactionsPerWriter(const PacedWorkload& workload, const Contender& contender) {
  return static_cast<int>(workload.rate * (workload.seconds + WarmUpSeconds(contender)) / kWriters);
}

arrow::Result<MeasuredDrain> MeasureOnce(const Run& run, const PacedWorkload& workload,
                                         const Contender& contender, const fs::path& script, int64_t base) {
  const int per_writer = TransactionsPerWriter(workload, contender);
  const DrainTask task{.contender = &contender,
                       .table = FindTable("latency"),
                       .conninfo = run.server.conninfo(contender.tcp_only),
                       .slot = kSlot,
                       .rows_expected = per_writer * kWriters,
                       .transactions = per_writer * kWriters,
                       .keep_latencies = true};
  ARROW_RETURN_NOT_OK(run.server.MakeSlot(kSlot, contender.plugin));
  ARROW_ASSIGN_OR_RAISE(auto process, DrainProcess::Start(task, &run.server.sql()));
  ARROW_RETURN_NOT_OK(
      run.server
          .Pgbench({"--client=" + std::to_string(kWriters), "--jobs=1", "--protocol=prepared",
                    "--rate=" + std::to_string(workload.rate), "--transactions=" + std::to_string(per_writer),
                    "--define=n=0", "--define=base=" + std::to_string(base), "--file=" + script.string()})
          .status());
  return process->Finish(std::chrono::seconds(30));
}

void Record(const Run& run, const PacedWorkload& workload, const Contender& contender, int round,
            const MeasuredDrain& drain) {
  const auto add = [&](const char* metric, double value) {
    run.results.Add(workload.name, contender.name, metric, round, value);
  };
  const DrainResult& client = drain.client;
  const int64_t expected = static_cast<int64_t>(TransactionsPerWriter(workload, contender)) * kWriters;
  add("rows_expected", static_cast<double>(expected));
  add("rows_verified", static_cast<double>(client.rows));
  if (client.rows != expected || client.latencies_us.empty()) {
    run.results.SetAbsent(workload.name, contender.name, kLatencyMetric, "not all rows were seen");
    return;
  }
  add("server_cpu_s_per_m_rows", drain.server_cpu_s / static_cast<double>(client.rows) * 1e6);
  add("client_cpu_s_per_m_rows", client.client_cpu_s / static_cast<double>(client.rows) * 1e6);
  const auto skip = static_cast<size_t>(workload.rate * WarmUpSeconds(contender));
  std::vector<double> seconds;
  for (size_t i = skip; i < client.latencies_us.size(); ++i) {
    seconds.push_back(static_cast<double>(client.latencies_us[i]) * 1e-6);
  }
  run.results.AddLatencies(workload.name, contender.name, round, std::move(seconds));
}

}  // namespace

arrow::Status RunPaced(const Run& run, const PacedWorkload& workload) {
  const Table& table = *FindTable("latency");
  auto& sql = run.server.sql();
  ARROW_RETURN_NOT_OK(sql.Exec(table.CreateSql()));
  const fs::path script = fs::temp_directory_path() / ("arrowcdc-bench-" + std::to_string(getpid()) + ".sql");
  ARROW_RETURN_NOT_OK(WriteScript(script, table));

  std::vector<const Contender*> contenders;
  for (const Contender& contender : Contenders()) {
    if (ReasonToSkip(run.options, contender, workload.contenders).empty()) contenders.push_back(&contender);
  }
  const int rounds = run.options.quick ? 1 : std::min(run.options.rounds_or_default(), 3);
  int64_t base = 0;
  for (int round = 0; round < rounds; ++round) {
    Say(workload.name + ": round " + std::to_string(round + 1) + " of " + std::to_string(rounds));
    for (const Contender* contender : OrderOfRound(contenders, round)) {
      ARROW_RETURN_NOT_OK(run.server.Settle().status());
      const auto drain = MeasureOnce(run, workload, *contender, script, base += 100'000'000);
      if (drain.ok()) {
        Record(run, workload, *contender, round, *drain);
      } else {
        run.results.SetAbsent(workload.name, contender->name, kLatencyMetric, drain.status().message());
        Say(workload.name + ", " + contender->name + ": " + drain.status().message());
      }
      ARROW_RETURN_NOT_OK(run.server.DropSlot(kSlot));
    }
  }
  fs::remove(script);
  return sql.Exec("DROP TABLE " + table.name);
}

}  // namespace arrowcdc::bench
