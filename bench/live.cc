// Streams as they run all day: what they take at a steady rate, what they take while others commit, and what
// they take from others.
#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "bench/drain_process.h"
#include "bench/figures.h"
#include "bench/runner.h"
#include "bench/sink_directory.h"
#include "bench/tpcb_load.h"

namespace arrowcdc::bench {
namespace {

constexpr int kScale = 10;
constexpr char kSlot[] = "bench_live";
constexpr char kOtherDatabase[] = "bench_other";  // its changes concern no stream
constexpr char kNobody[] = "no_consumer";
// Fewer transactions than that share of what was asked for: the load was another one.
constexpr double kRateShareMin = 0.9;
constexpr std::chrono::seconds kLimit{60};

// Caches on both sides; a Java machine needs longer to compile what it runs.
int WarmUpSeconds(const Contender& contender) { return contender.reader == Reader::kDebezium ? 5 : 1; }

int PerClient(int rate, int seconds) { return rate * seconds / kTpcbClients; }

// One stream that has its slot and directory for itself.
class LiveStream {
 public:
  static arrow::Result<std::unique_ptr<LiveStream>> Start(const Run& run, const Contender& contender,
                                                          int number, int64_t rows) {
    std::unique_ptr<LiveStream> self(new LiveStream(run, contender, number));
    const DrainTask task{.contender = &contender,
                         .table = FindTable("latency"),
                         .conninfo = run.server.conninfo(contender.tcp_only),
                         .slot = self->slot_,
                         .rows_expected = rows,
                         .transactions = rows,
                         .sink_directory = self->directory_.path().string(),
                         .live = true};
    ARROW_RETURN_NOT_OK(run.server.MakeSlot(task.slot, contender.plugin));
    self->has_slot_ = true;
    ARROW_ASSIGN_OR_RAISE(self->process_, DrainProcess::Start(task, &run.server.sql()));
    return self;
  }
  ~LiveStream() {
    process_.reset();
    if (has_slot_) (void)run_.server.DropSlot(slot_);
  }
  LiveStream(const LiveStream&) = delete;
  LiveStream& operator=(const LiveStream&) = delete;

  DrainProcess& process() { return *process_; }

  // What was written before `end` is there.
  arrow::Result<MeasuredDrain> Finish(uint64_t end) {
    if (contender_.reader == Reader::kRecvlogical) {
      ARROW_RETURN_NOT_OK(run_.server.AwaitConfirmed(slot_, end));
      ARROW_RETURN_NOT_OK(process_->SayEnd());
    }
    return process_->Finish(kLimit);
  }

 private:
  LiveStream(const Run& run, const Contender& contender, int number)
      : run_(run), contender_(contender), slot_(kSlot + std::to_string(number)), directory_(number) {}

  const Run& run_;
  const Contender& contender_;
  const std::string slot_;
  const SinkDirectory directory_;
  bool has_slot_ = false;
  std::unique_ptr<DrainProcess> process_;
};

// Streams that had nothing to do are still there: they get a row.
arrow::Status WakeWithARow(const Run& run) {
  const Table& table = *FindTable("latency");
  auto& sql = run.server.sql();
  ARROW_ASSIGN_OR_RAISE(const std::string next,
                        sql.Scalar("SELECT coalesce(max(id), 0) + 1 FROM " + table.name));
  return sql.Exec(table.InsertSql(next, next));
}

struct LiveFigures {
  int64_t rows_expected = 0;
  int64_t rows = 0;
  double tps = 0;
  double seconds = 0;
  double server_s = 0;
  double client_s = 0;
};

arrow::Result<LiveFigures> MeasureLive(const Run& run, const LiveWorkload& workload,
                                       const Contender& contender) {
  const std::string database = workload.foreign ? kOtherDatabase : kDatabase;
  const TpcbRun warm_up{.rate = workload.rate,
                        .per_client = PerClient(workload.rate, WarmUpSeconds(contender))};
  const TpcbRun load{.rate = workload.rate, .per_client = PerClient(workload.rate, workload.seconds)};
  LiveFigures figures;
  figures.rows_expected =
      workload.foreign ? 1 : int64_t{warm_up.per_client + load.per_client} * kTpcbClients * kTpcbChanges;
  ARROW_RETURN_NOT_OK(TidyTpcbTables(run.server, database));
  ARROW_ASSIGN_OR_RAISE(const auto stream, LiveStream::Start(run, contender, 0, figures.rows_expected));
  ARROW_RETURN_NOT_OK(RunTpcbLoad(run.server, warm_up, database).status());
  const double server_before = stream->process().server_cpu_s();
  const double client_before = stream->process().client_cpu_s();
  const auto begin = std::chrono::steady_clock::now();
  ARROW_ASSIGN_OR_RAISE(figures.tps, RunTpcbLoad(run.server, load, database));
  figures.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (workload.foreign) {
    figures.server_s = stream->process().server_cpu_s() - server_before;
    figures.client_s = stream->process().client_cpu_s() - client_before;
    ARROW_RETURN_NOT_OK(WakeWithARow(run));
  }
  ARROW_ASSIGN_OR_RAISE(const uint64_t end, run.server.Settle());
  ARROW_ASSIGN_OR_RAISE(const MeasuredDrain measured, stream->Finish(end));
  figures.rows = measured.client.rows;
  if (!workload.foreign) {
    figures.server_s = measured.server_cpu_s - server_before;
    figures.client_s = measured.client_cpu_s - client_before;
  }
  return figures;
}

void Record(const Run& run, const LiveWorkload& workload, const Contender& contender, int round,
            const LiveFigures& figures) {
  const auto add = [&](const char* metric, double value) {
    run.results.Add(workload.name, contender.name, metric, round, value);
  };
  const std::vector<const char*> metrics = workload.foreign
                                               ? std::vector{kServerPercentMetric, kClientPercentMetric}
                                               : std::vector{kServerCpuMetric, kClientCpuMetric};
  add("rows_expected", static_cast<double>(figures.rows_expected));
  add("rows_verified", static_cast<double>(figures.rows));
  add(kLoadMetric, figures.tps);
  std::string trouble;
  if (figures.rows != figures.rows_expected) trouble = "not all rows were seen";
  if (figures.tps < kRateShareMin * workload.rate)
    trouble = "the load came to " + std::to_string(static_cast<int>(figures.tps)) + " transactions/s only";
  if (!trouble.empty()) {
    for (const char* metric : metrics) run.results.SetAbsent(workload.name, contender.name, metric, trouble);
    Say(workload.name + ", " + contender.name + ": " + trouble);
    return;
  }
  // The warm-up's rows are not in it.
  const double m_rows = PerClient(workload.rate, workload.seconds) * kTpcbClients * kTpcbChanges * 1e-6;
  const double share = workload.foreign ? 100 / figures.seconds : 1 / m_rows;
  add(metrics[0], figures.server_s * share);
  add(metrics[1], figures.client_s * share);
}

std::vector<const Contender*> ThoseThatTakePart(const Run& run, const std::vector<std::string>& names) {
  std::vector<const Contender*> contenders;
  for (const Contender& contender : Contenders()) {
    if (ReasonToSkip(run.options, contender, names).empty()) contenders.push_back(&contender);
  }
  return contenders;
}

arrow::Status MakeOtherDatabase(const Run& run) {
  ARROW_ASSIGN_OR_RAISE(const int64_t there,
                        run.server.Number(std::string("SELECT count(*) FROM pg_database WHERE datname = '") +
                                          kOtherDatabase + "'"));
  if (there == 0)
    ARROW_RETURN_NOT_OK(run.server.sql().Exec(std::string("CREATE DATABASE ") + kOtherDatabase));
  ARROW_RETURN_NOT_OK(run.server.sql().Exec(FindTable("latency")->CreateSql()));
  return MakeTpcbTables(run.server, kScale, kOtherDatabase);
}

// Transactions a second beside `count` streams of a contender (null: none), which are seen to be alive
// afterwards.
arrow::Result<double> MeasureBeside(const Run& run, const IdleStreamsWorkload& workload,
                                    const Contender* contender) {
  ARROW_RETURN_NOT_OK(TidyTpcbTables(run.server, kOtherDatabase));
  std::vector<std::unique_ptr<LiveStream>> streams;
  for (int i = 0; contender != nullptr && i < workload.streams; ++i) {
    ARROW_ASSIGN_OR_RAISE(auto stream, LiveStream::Start(run, *contender, i, 1));
    streams.push_back(std::move(stream));
  }
  ARROW_ASSIGN_OR_RAISE(const double tps,
                        RunTpcbLoad(run.server, {.seconds = workload.seconds}, kOtherDatabase));
  if (!streams.empty()) ARROW_RETURN_NOT_OK(WakeWithARow(run));
  ARROW_ASSIGN_OR_RAISE(const uint64_t end, run.server.Settle());
  for (const auto& stream : streams) {
    ARROW_ASSIGN_OR_RAISE(const MeasuredDrain measured, stream->Finish(end));
    if (measured.client.rows != 1) return arrow::Status::IOError("a stream did not see the row at the end");
  }
  return tps;
}

// Nobody runs before and after each contender: the mean of the two is what its rate is divided by.
arrow::Status MeasureIdleRound(const Run& run, const IdleStreamsWorkload& workload,
                               const std::vector<const Contender*>& contenders, int round) {
  ARROW_ASSIGN_OR_RAISE(double before, MeasureBeside(run, workload, nullptr));
  std::vector<double> alone = {before};
  for (const Contender* contender : OrderOfRound(contenders, round)) {
    const auto beside = MeasureBeside(run, workload, contender);
    ARROW_ASSIGN_OR_RAISE(const double after, MeasureBeside(run, workload, nullptr));
    alone.push_back(after);
    if (beside.ok()) {
      run.results.Add(workload.name, contender->name, kLoadMetric, round, *beside);
      run.results.Add(workload.name, contender->name, kLoadShareMetric, round,
                      *beside / ((before + after) / 2));
    } else {
      const std::string reason = beside.status().message();
      for (const char* metric : {kLoadMetric, kLoadShareMetric})
        run.results.SetAbsent(workload.name, contender->name, metric, reason);
      Say(workload.name + ", " + contender->name + ": " + reason);
    }
    before = after;
  }
  run.results.Add(workload.name, kNobody, kLoadMetric, round, StatisticsOf(alone).median);
  return arrow::Status::OK();
}

}  // namespace

arrow::Status RunLive(const Run& run, const LiveWorkload& workload) {
  ARROW_RETURN_NOT_OK(workload.foreign ? MakeOtherDatabase(run)
                                       : MakeTpcbTables(run.server, kScale, kDatabase));
  const auto contenders = ThoseThatTakePart(run, workload.contenders);
  const int rounds = run.options.quick ? 1 : std::min(run.options.rounds_or_default(), 3);
  for (int round = 0; round < rounds; ++round) {
    Say(workload.name + ": round " + std::to_string(round + 1) + " of " + std::to_string(rounds));
    for (const Contender* contender : OrderOfRound(contenders, round)) {
      const auto figures = MeasureLive(run, workload, *contender);
      if (figures.ok()) {
        Record(run, workload, *contender, round, *figures);
        continue;
      }
      for (const char* metric : LiveMetrics(workload))
        run.results.SetAbsent(workload.name, contender->name, metric, figures.status().message());
      Say(workload.name + ", " + contender->name + ": " + figures.status().message());
    }
  }
  return workload.foreign ? run.server.sql().Exec("DROP TABLE " + FindTable("latency")->name)
                          : arrow::Status::OK();
}

arrow::Status RunIdleStreams(const Run& run, const IdleStreamsWorkload& workload) {
  ARROW_RETURN_NOT_OK(MakeOtherDatabase(run));
  const auto contenders = ThoseThatTakePart(run, workload.contenders);
  const int rounds = run.options.quick ? 1 : std::min(run.options.rounds_or_default(), 3);
  for (int round = 0; round < rounds; ++round) {
    Say(workload.name + ": round " + std::to_string(round + 1) + " of " + std::to_string(rounds));
    ARROW_RETURN_NOT_OK(MeasureIdleRound(run, workload, contenders, round));
  }
  return run.server.sql().Exec("DROP TABLE " + FindTable("latency")->name);
}

}  // namespace arrowcdc::bench
