// arrowcdc_bench: `run` measures, `drain` is one measurement's client in a process of its own.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>

#include <CLI/CLI.hpp>

#include "bench/drain_process.h"
#include "bench/figures.h"
#include "bench/partition.h"
#include "bench/process_stats.h"
#include "bench/replication_client.h"
#include "bench/report.h"
#include "bench/runner.h"

namespace arrowcdc::bench {
namespace {

// What a walsender has allocated before it has decoded anything.
arrow::Result<int64_t> IdleWalsenderBytes(Server& server) {
  constexpr char kSlot[] = "bench_idle";
  ARROW_RETURN_NOT_OK(server.MakeSlot(kSlot, "arrowcdc_noop"));
  int64_t bytes = 0;
  {
    ARROW_ASSIGN_OR_RAISE(auto client, ReplicationClient::Connect(server.conninfo(false)));
    ARROW_RETURN_NOT_OK(client->Start(kSlot, {}));
    bytes = AnonymousBytes(client->server_process());
  }
  ARROW_RETURN_NOT_OK(server.DropSlot(kSlot));
  return bytes;
}

arrow::Status SetMeta(const RunOptions& options, Server& server, Results* results) {
  ARROW_ASSIGN_OR_RAISE(const int64_t version, server.Number("SELECT current_setting('server_version_num')"));
  ARROW_ASSIGN_OR_RAISE(const int64_t work_mem,
                        server.Number("SELECT pg_size_bytes(current_setting('logical_decoding_work_mem'))"));
  ARROW_ASSIGN_OR_RAISE(const int64_t idle, IdleWalsenderBytes(server));
  results->SetMeta("server_version_num", version);
  results->SetMeta("cores", std::thread::hardware_concurrency());
  results->SetMeta("rounds", options.rounds_or_default());
  results->SetMeta("quick", options.quick ? 1 : 0);
  results->SetMeta("commit", options.commit);
  results->SetMeta("fsync", options.fsync ? 1 : 0);
  results->SetMeta("synchronous_commit", 1);
  results->SetMeta("logical_decoding_work_mem_bytes", work_mem);
  results->SetMeta("walsender_idle_rss_bytes", idle);
  for (const BacklogWorkload& workload : BacklogWorkloads(options.quick)) {
    results->SetMeta(workload.name + "_rows", workload.rows);
  }
  return arrow::Status::OK();
}

arrow::Status RunBacklogs(const Run& run) {
  const auto workloads = BacklogWorkloads(run.options.quick);
  for (size_t begin = 0, end = 0; begin < workloads.size(); begin = end) {
    std::vector<BacklogWorkload> group;
    for (; end < workloads.size() && workloads[end].table == workloads[begin].table; ++end) {
      if (run.options.WantsWorkload(workloads[end].name)) group.push_back(workloads[end]);
    }
    if (group.empty()) continue;
    ARROW_RETURN_NOT_OK(RunBacklog(run, group));
    for (const auto& workload : group) {
      FillAbsent(run.options, workload.name, "", &run.results);
      PrintBacklog(run.results, workload.name);
    }
  }
  return arrow::Status::OK();
}

arrow::Status RunStreams(const Run& run) {
  for (const LiveWorkload& workload : LiveWorkloads(run.options.quick)) {
    if (!run.options.WantsWorkload(workload.name)) continue;
    ARROW_RETURN_NOT_OK(RunLive(run, workload));
    FillAbsent(run.options, workload.name, "", &run.results);
    PrintLive(run.results, workload);
  }
  const IdleStreamsWorkload idle = MakeIdleStreamsWorkload(run.options.quick);
  if (!run.options.WantsWorkload(idle.name)) return arrow::Status::OK();
  ARROW_RETURN_NOT_OK(RunIdleStreams(run, idle));
  FillAbsent(run.options, idle.name, "", &run.results);
  PrintIdleStreams(run.results, idle.name);
  return arrow::Status::OK();
}

arrow::Status RunAll(const RunOptions& options, Results* results) {
  if (LoadAverage() > 0.5) {
    Say("the machine is busy (load " + std::to_string(LoadAverage()) + "): the figures will show it");
  }
  results->SetMeta("load1_start", LoadAverage());
  if (options.WantsWorkload(kPartition)) {
    Say(kPartition);
    ARROW_RETURN_NOT_OK(RunPartition(options.quick ? 4'000'000 : 16'000'000, results));
    PrintPartition(*results);
  }
  ARROW_ASSIGN_OR_RAISE(const auto server, Server::Start(options.fsync));
  ARROW_RETURN_NOT_OK(
      server->sql().Exec(std::string("CREATE PUBLICATION ") + kPublication + " FOR ALL TABLES"));
  ARROW_RETURN_NOT_OK(SetMeta(options, *server, results));
  const Run run{.options = options, .server = *server, .results = *results};
  ARROW_RETURN_NOT_OK(RunBacklogs(run));
  for (const PacedWorkload& workload : PacedWorkloads(options.quick)) {
    if (!options.WantsWorkload(workload.name)) continue;
    ARROW_RETURN_NOT_OK(RunPaced(run, workload));
    FillAbsent(options, workload.name, "", results);
    PrintPaced(*results, workload.name);
  }
  const TpcbWorkload tpcb = MakeTpcbWorkload(options.quick);
  if (options.WantsWorkload(tpcb.name)) {
    ARROW_RETURN_NOT_OK(RunTpcb(run, tpcb));
    FillAbsent(options, tpcb.name, "", results);
    PrintTpcb(*results, tpcb.name);
  }
  return RunStreams(run);
}

// What was measured before a run failed is kept.
int RunMain(const RunOptions& options) {
  signal(SIGPIPE, SIG_IGN);  // a client that dies is an error of its own
  Results results;
  DeclareRatios(options.quick, &results);
  const auto start = std::chrono::steady_clock::now();
  const auto status = RunAll(options, &results);
  if (!status.ok()) std::fprintf(stderr, "bench: %s\n", status.ToString().c_str());
  results.SetMeta("duration_s",
                  std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  FillAllAbsent(options, status.ok() ? "" : "the run ended before: " + status.message(), &results);
  const std::filesystem::path path = options.output;
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path());
  std::ofstream file(path);
  file << results.ToJson().dump(1) << "\n";
  file.flush();
  if (!file) {
    std::fprintf(stderr, "bench: cannot write %s\n", options.output.c_str());
    return 1;
  }
  std::printf("\nbench: all figures are in %s\n", options.output.c_str());
  return status.ok() ? 0 : 1;
}

}  // namespace
}  // namespace arrowcdc::bench

int main(int argc, char** argv) {
  using namespace arrowcdc::bench;
  CLI::App app{"Measures arrowcdc and its rivals against a private PostgreSQL"};
  app.require_subcommand(1);

  RunOptions run_options;
  CLI::App* run = app.add_subcommand("run", "run the workloads, print tables, write the figures");
  run->add_flag("--quick", run_options.quick, "smaller workloads, about eight minutes");
  run->add_flag("--peers", run_options.peers, "with contenders that are downloaded");
  run->add_flag("--fsync", run_options.fsync, "the server waits for its disk at each commit");
  run->add_option("--rounds", run_options.rounds, "rounds of each workload");
  run->add_option("--workloads", run_options.workloads, "only these")->delimiter(',');
  run->add_option("--contenders", run_options.contenders, "only these")->delimiter(',');
  run->add_option("--commit", run_options.commit, "what is measured, for the figures");
  run->add_option("--output", run_options.output, "where the figures go");

  DrainTask task;
  std::string contender;
  std::string table;
  CLI::App* drain = app.add_subcommand("drain", "read one slot (run starts these)");
  drain->add_option("--contender", contender)->required();
  drain->add_option("--table", table)->required();
  drain->add_option("--conninfo", task.conninfo)->required();
  drain->add_option("--slot", task.slot)->required();
  drain->add_option("--rows", task.rows_expected)->required();
  drain->add_option("--transactions", task.transactions)->required();
  drain->add_option("--end-lsn", task.end_lsn);
  drain->add_option("--sink-directory", task.sink_directory);
  drain->add_flag("--latencies", task.keep_latencies);
  drain->add_flag("--live", task.live);
  CLI11_PARSE(app, argc, argv);

  if (run->parsed()) {
    if (const arrow::Status known = CheckNames(run_options); !known.ok()) {
      std::fprintf(stderr, "bench: %s\n", known.message().c_str());
      return 2;
    }
    return RunMain(run_options);
  }
  task.contender = FindContender(contender);
  task.table = FindTable(table);
  if (task.contender == nullptr || task.table == nullptr) {
    std::fprintf(stderr, "bench: no contender or no table of that name\n");
    return 2;
  }
  return RunDrainChild(task);
}
