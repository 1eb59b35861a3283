// pgbench's TPC-B, which several workloads are made of.
#pragma once

#include <cstdint>
#include <string>

#include <arrow/result.h>

#include "bench/server.h"

namespace arrowcdc::bench {

inline constexpr int kTpcbClients = 4;
inline constexpr int kTpcbChanges = 4;  // of a transaction: three updates and an insert

struct TpcbRun {
  int rate = 0;        // transactions a second; 0: as many as there can be
  int per_client = 0;  // transactions
  int seconds = 0;     // instead
};

// Makes the tables, or makes them anew.
arrow::Status MakeTpcbTables(Server& server, int scale, const std::string& database);
// Else each run would meet more dead rows than the one before.
arrow::Status TidyTpcbTables(Server& server, const std::string& database);
// Returns the transactions a second that there were.
arrow::Result<double> RunTpcbLoad(Server& server, const TpcbRun& run, const std::string& database);

}  // namespace arrowcdc::bench
