// Runs the workloads on the benchmark's server and fills the results.
#pragma once

#include <vector>

#include <arrow/status.h>

#include "bench/results.h"
#include "bench/run_options.h"
#include "bench/server.h"

namespace arrowcdc::bench {

// What all measurements share.
struct Run {
  const RunOptions& options;
  Server& server;
  Results& results;
};

// `group`: workloads over one table, one WAL.
arrow::Status RunBacklog(const Run& run, const std::vector<BacklogWorkload>& group);
arrow::Status RunPaced(const Run& run, const PacedWorkload& workload);
arrow::Status RunTpcb(const Run& run, const TpcbWorkload& workload);
arrow::Status RunLive(const Run& run, const LiveWorkload& workload);
arrow::Status RunIdleStreams(const Run& run, const IdleStreamsWorkload& workload);

}  // namespace arrowcdc::bench
