#include "bench/figures.h"

#include <algorithm>
#include <iterator>

#include "bench/partition.h"

namespace arrowcdc::bench {
namespace {

constexpr char kOurs[] = "wal2arrow_null";
constexpr char kOursLive[] = "wal2arrow_parquet";

bool Has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Ours to the other's; the Python package's to the library's, which it stands on; into files to that into
// memory.
void DeclareRatio(const std::string& workload, const std::string& metric, const Contender& other,
                  Results* results) {
  if (other.reader == Reader::kPython) {
    results->AddRatio(workload, metric, other.name, kOurs);
    results->AddRatio(workload, metric, other.name, "wal2arrow_reader");
  } else if (other.reader == Reader::kPipeline) {
    results->AddRatio(workload, metric, other.name, kOurs);
  } else if (other.name != kOurs) {
    results->AddRatio(workload, metric, kOurs, other.name);
  }
}

std::string WhyAbsent(const RunOptions& options, const Contender& contender, const Participants& participants,
                      const std::string& trouble) {
  std::string reason = ReasonToSkip(options, contender, participants.contenders);
  if (!reason.empty()) return reason;
  if (!options.WantsWorkload(participants.workload)) return kLeftOut;
  return trouble.empty() ? "not a metric of this workload" : trouble;
}

}  // namespace

std::vector<const char*> LiveMetrics(const LiveWorkload& workload) {
  if (workload.foreign) return {kServerPercentMetric, kClientPercentMetric, kLoadMetric};
  return {kServerCpuMetric, kClientCpuMetric, kLoadMetric};
}

std::vector<Participants> AllParticipants(bool quick) {
  std::vector<Participants> all;
  for (const auto& workload : BacklogWorkloads(quick)) all.push_back({workload.name, workload.contenders});
  for (const auto& workload : PacedWorkloads(quick)) all.push_back({workload.name, workload.contenders});
  const TpcbWorkload tpcb = MakeTpcbWorkload(quick);
  all.push_back({tpcb.name, tpcb.contenders, {kTpcbWalsenderMetric}});
  for (const auto& workload : LiveWorkloads(quick))
    all.push_back({workload.name, workload.contenders, LiveMetrics(workload)});
  const IdleStreamsWorkload idle = MakeIdleStreamsWorkload(quick);
  all.push_back({idle.name, idle.contenders, {kLoadMetric, kLoadShareMetric}});
  return all;
}

arrow::Status CheckNames(const RunOptions& options) {
  const auto check = [](const char* what, const std::vector<std::string>& given,
                        const std::vector<std::string>& known) {
    for (const std::string& name : given) {
      if (Has(known, name)) continue;
      std::string list;
      for (const std::string& one : known) list += (list.empty() ? "" : ", ") + one;
      return arrow::Status::Invalid("there is no ", what, " '", name, "'; there are ", list);
    }
    return arrow::Status::OK();
  };
  std::vector<std::string> workloads = {kPartition};
  for (const Participants& participants : AllParticipants(options.quick))
    workloads.push_back(participants.workload);
  std::vector<std::string> contenders;
  for (const Contender& contender : Contenders()) contenders.push_back(contender.name);
  ARROW_RETURN_NOT_OK(check("workload", options.workloads, workloads));
  return check("contender", options.contenders, contenders);
}

void DeclareRatios(bool quick, Results* results) {
  const auto declare = [&](const std::string& workload, const std::vector<std::string>& contenders,
                           const std::vector<std::string>& metrics) {
    for (const Contender& contender : Contenders()) {
      if (!Has(contenders, contender.name)) continue;
      for (const std::string& metric : metrics) DeclareRatio(workload, metric, contender, results);
    }
  };
  for (const auto& workload : BacklogWorkloads(quick)) {
    if (workload.name.starts_with("snapshot")) {
      // With the same number of connections on both sides.
      for (const std::string ours : {"snapshot_null", "snapshot_parquet"}) {
        for (const std::string connections : {"", "_2"})
          results->AddRatio(workload.name, "rows_per_s", ours + connections, "copy_binary" + connections);
      }
      results->AddRatio(workload.name, "rows_per_s", "snapshot_null", "debezium_snapshot");
      continue;
    }
    declare(workload.name, workload.contenders,
            {"rows_per_s", "txns_per_s", "wall_s", "server_cpu_s_per_m_rows", "client_cpu_s_per_m_rows",
             "wire_bytes_per_row"});
  }
  // By SQL against the better of the streams, and our stream against PostgreSQL's own client.
  for (const char* by_sql : {"pgoutput_null_by_sql", "pgoutput_null_by_sql_5"})
    results->AddRatio("narrow", "rows_per_s", by_sql, "pgoutput_binary");
  results->AddRatio("narrow", "rows_per_s", "pgoutput_null", "pgoutput_binary_recvlogical");
  for (const auto& workload : PacedWorkloads(quick)) {
    declare(workload.name, workload.contenders, {kLatencyMetric, kServerCpuMetric, kClientCpuMetric});
  }
  const TpcbWorkload tpcb = MakeTpcbWorkload(quick);
  declare(tpcb.name, tpcb.contenders, {kTpcbAddedMetric, kTpcbWalsenderMetric, kClientCpuMetric});
  for (const auto& workload : LiveWorkloads(quick)) {
    for (const std::string& contender : workload.contenders) {
      if (contender == kOursLive) continue;
      for (const std::string metric : LiveMetrics(workload)) {
        if (metric != kLoadMetric) results->AddRatio(workload.name, metric, kOursLive, contender);
      }
    }
  }
}

void FillAbsent(const RunOptions& options, const std::string& workload, const std::string& trouble,
                Results* results) {
  for (const Participants& participants : AllParticipants(options.quick)) {
    if (participants.workload != workload) continue;
    for (const Contender& contender : Contenders()) {
      const std::string reason = WhyAbsent(options, contender, participants, trouble);
      std::vector<const char*> metrics(std::begin(kMetrics), std::end(kMetrics));
      metrics.insert(metrics.end(), participants.metrics.begin(), participants.metrics.end());
      for (const char* metric : metrics) {
        if (!results->Has(workload, contender.name, metric)) {
          results->SetAbsent(workload, contender.name, metric, reason);
        }
      }
    }
  }
}

void FillAllAbsent(const RunOptions& options, const std::string& trouble, Results* results) {
  for (const PartitionCase& partition : PartitionCases()) {
    const std::string reason = options.WantsWorkload(kPartition) ? trouble : kLeftOut;
    for (const char* metric : kPartitionMetrics) {
      if (!results->Has(kPartition, partition.name, metric)) {
        results->SetAbsent(kPartition, partition.name, metric, reason);
      }
    }
  }
  for (const Participants& participants : AllParticipants(options.quick)) {
    FillAbsent(options, participants.workload, trouble, results);
  }
}

}  // namespace arrowcdc::bench
