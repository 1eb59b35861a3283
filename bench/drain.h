// One drain: read one slot to the end of a workload's rows, with one contender's reader, and say what it
// took.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <sys/types.h>
#include <vector>

#include <arrow/result.h>

#include "bench/contender.h"
#include "bench/table.h"

namespace arrowcdc::bench {

struct DrainTask {
  const Contender* contender = nullptr;
  const Table* table = nullptr;  // what the rows are of, where they are parsed
  std::string conninfo;
  std::string slot;
  int64_t rows_expected = 0;  // changes: an update counts once
  int64_t transactions = 0;
  uint64_t end_lsn = 0;        // at or behind the last commit's end; 0: the rows are written meanwhile
  std::string sink_directory;  // of kPipeline
  bool keep_latencies = false;
  bool live = false;  // rows come at a steady rate: clients that wait for more before they hand on do
};

inline constexpr double kFromServer = -1;

struct DrainResult {
  // From START_REPLICATION to the last commit; kFromServer: the client cannot see its stream begin, so that
  // the server's word for that and ended_us make it.
  double wall_s = 0;
  double client_cpu_s = 0;  // in the same time
  int64_t ended_us = 0;     // when the last commit was seen, since 1970
  int64_t rows = 0;
  int64_t transactions = 0;
  int64_t frames = 0;       // CopyData messages; with our library, batches
  int64_t wire_bytes = -1;  // CopyData messages with their headers; -1: not known
  int64_t client_peak_bytes = -1;
  std::vector<int64_t> latencies_us;  // commit timestamp to reader, per transaction
};

// Called once when the stream (or statement) has begun: with the server process, or 0 where only the slot
// knows it.
using Started = std::function<void(pid_t server_process)>;

// Reads, does not disconnect: `hold` is called at the end, while the connection is still there.
arrow::Result<DrainResult> Drain(const DrainTask& task, const Started& started,
                                 const std::function<void(const DrainResult&)>& hold);

}  // namespace arrowcdc::bench
