// The figures that every run writes, measured or not: which metrics and ratios there are, and why one is
// null.
#pragma once

#include <string>
#include <vector>

#include <arrow/status.h>

#include "bench/results.h"
#include "bench/run_options.h"

namespace arrowcdc::bench {

// Of a contender in a workload.
inline constexpr const char* kMetrics[] = {
    "rows_per_s",
    "txns_per_s",
    "wall_s",
    "server_cpu_s_per_m_rows",
    "client_cpu_s_per_m_rows",
    "wire_bytes_per_row",
    "client_rss_bytes",
    "walsender_rss_bytes",
    "spilled_bytes",
    kLatencyMetric,
    "rows_expected",
    "rows_verified",
    "drained_share",
    "txns_per_frame",
};

// Of tpcb besides. CPU seconds per million changes: of all server processes, more than without a reader; of
// the reader's own.
inline constexpr char kTpcbAddedMetric[] = "server_cpu_s_per_m_rows";
inline constexpr char kTpcbWalsenderMetric[] = "walsender_cpu_s_per_m_rows";

// CPU seconds per million changes: of the one server process, of the client.
inline constexpr char kServerCpuMetric[] = "server_cpu_s_per_m_rows";
inline constexpr char kClientCpuMetric[] = "client_cpu_s_per_m_rows";
// Of live_foreign besides: of a core.
inline constexpr char kServerPercentMetric[] = "server_cpu_percent";
inline constexpr char kClientPercentMetric[] = "client_cpu_percent";
// What pgbench came to, transactions a second; beside idle streams, of its rate without them.
inline constexpr char kLoadMetric[] = "load_tps";
inline constexpr char kLoadShareMetric[] = "load_share";

// What a live workload is about.
std::vector<const char*> LiveMetrics(const LiveWorkload& workload);

struct Participants {
  std::string workload;
  std::vector<std::string> contenders;
  std::vector<const char*> metrics = {};  // besides kMetrics
};
// Every workload that reads a server's changes.
std::vector<Participants> AllParticipants(bool quick);

// What only some are measured of. Errors: the name of none of them, with those that there are.
arrow::Status CheckNames(const RunOptions& options);

// Ours against each of the others, paired by round.
void DeclareRatios(bool quick, Results* results);
// What has neither a value nor a reason becomes null, in one workload or in all. `trouble`: why the run ended
// early; empty: it did not.
void FillAbsent(const RunOptions& options, const std::string& workload, const std::string& trouble,
                Results* results);
void FillAllAbsent(const RunOptions& options, const std::string& trouble, Results* results);

}  // namespace arrowcdc::bench
